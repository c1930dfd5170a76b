"""A small part of the known worlds, which blocks: coverage, broken worlds, false claims; and that it can fail.

All of it, by the thousand, is in ``docs/validation.md`` (`make worlds`). Seeds are fixed, so nothing here fails by
chance; the thresholds leave room for the Monte-Carlo error of so few studies, so that a change of the method that moves
a handful of answers does not block either.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workbench import ROOT

from effectmeter.designs.base import AnalysisData, Design, Scope
from effectmeter.designs.registry import design_for
from effectmeter.errors import UsageError
from effectmeter.plan import Plan
from effectmeter.results import Comparability, EffectRow, GateResult
from effectmeter.shapes import SHAPES
from effectmeter.worlds import judged
from effectmeter.worlds.judged import Tally, tally_of_looks, tally_of_studies
from effectmeter.worlds.planted import at_look, draw_study
from effectmeter.worlds.planted_worlds import planted_world, planted_worlds

LEAST_COVERAGE = 0.93

COVERED = {
    "randomised/effect": 120,
    "randomised/counts": 120,
    "comparison_cohort/times": 300,
    "comparison_cohort/late_decisions": 300,
    "before_after/peak_same_rule": 60,
    "staggered_areas/growing": 47,
    "interrupted_series/effect": 84,
    "pooled_trials/effect_varied": 10,
}
"""Sound worlds with a size: a few of every design."""
COVER_STUDIES = 24

BROKEN = {
    "randomised/lost_offenders": 1000,
    "comparison_cohort/unmeasured": 1000,
    "comparison_cohort/immortal_time": 1000,
    "comparison_cohort/no_overlap": 1000,
    "comparison_cohort/decisions_to_come": 1000,
    "before_after/peak_other_rule": 1000,
    "before_after/peak_alone": 300,
}
"""Broken worlds whose gates must hide or warn."""
BROKEN_STUDIES = 10
LOOKS_STUDIES = 12
MOST_FALSE_CLAIMS = 3
"""Among twice as many studies, of which 5 % would be one and a half."""


def least(share: float, n: int) -> float:
    """Return the share below which n studies tell that the true share is lower: three standard errors."""
    return share - 3 * math.sqrt(share * (1 - share) / n)


def covered(tallies: Iterable[Tally]) -> tuple[float, int]:
    """Return the share of shown ordinary intervals that hold the truth, over all worlds, and how many were shown."""
    tallies = list(tallies)
    shown = sum(tally.count["shown"] for tally in tallies)
    return sum(tally.count["held"] for tally in tallies) / shown, shown


def known(addresses: dict[str, int]) -> dict[str, int]:
    """Return those whose design has its module."""
    return {address: size for address, size in addresses.items() if address in planted_worlds()}


class Sabotaged:
    """A design whose errors are half of what they are, or whose gates never fail."""

    def __init__(self, plan: Plan, *, halves: bool = False, blind: bool = False) -> None:
        self.sound, self.halves, self.blind = design_for(plan), halves, blind
        self.name, self.tables, self.gate_list = self.sound.name, self.sound.tables, self.sound.gate_list

    def compare(self, data: AnalysisData) -> Comparability:
        return self.sound.compare(data)

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        rows = self.sound.estimate(data, comparability, scope)
        return tuple(halved(row) for row in rows) if self.halves else rows

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        found = self.sound.gates(data, comparability, effects)
        return tuple(replace(gate, status="passed") for gate in found) if self.blind else found


def halved(row: EffectRow) -> EffectRow:
    """Return a row whose interval is half as wide, and whose verdict does not pay for looking again."""
    if row.estimate is None or row.estimate <= 0:
        return row

    def nearer(limit: float | None) -> float | None:
        return None if limit is None or limit <= 0 else math.sqrt(limit * float(row.estimate or 1.0))

    low, high = nearer(row.conf_low), nearer(row.conf_high)
    return replace(row, conf_low=low, conf_high=high, verdict_low=low, verdict_high=high)


def test_every_design_has_sound_and_broken_worlds() -> None:
    for design in SHAPES:
        kinds = {world.kind for world in planted_worlds().values() if world.design == design}
        assert not kinds or kinds >= {"sound", "broken"}, design
        if kinds:
            assert f"{design}/no_effect" in planted_worlds()


@pytest.mark.parametrize("address", planted_worlds())
def test_a_world_says_what_it_plants_and_each_study_is_its_own(address: str) -> None:
    world = planted_world(address)
    assert world.planted.endswith(".") and len(world.why) > 20
    assert bool(world.watched) == (world.kind == "broken")
    size = world.sizes[0]
    first, again, other = (draw_study(world, size, number) for number in (0, 0, 1))
    assert first.truth == again.truth
    assert same(first.data, again.data)
    assert not same(first.data, other.data)


def same(one: AnalysisData, other: AnalysisData) -> bool:
    frames = [(one.persons, other.persons), (one.outcomes, other.outcomes)]
    frames += [(one.units[name], other.units[name]) for name in one.units]
    return all(a.equals(b) for a, b in frames)


def test_an_unknown_world_is_said() -> None:
    with pytest.raises(UsageError, match="no known world"):
        planted_world("randomised/nothing")


def test_a_cell_does_not_depend_on_the_process_that_runs_it() -> None:
    world = planted_world("pooled_trials/effect")
    here = tally_of_studies(world, 7, range(4))
    parts = [tally_of_studies(world, 7, range(2, 4)), tally_of_studies(world, 7, range(2))]
    together = Tally()
    for part in parts:
        together.add(part)
    assert together.count == here.count
    assert together.total == pytest.approx(here.total)
    assert Tally.of_record(here.as_record()) == here


def test_a_look_sees_the_first_to_come_and_later_starts_not_yet() -> None:
    data = draw_study(planted_world("randomised/no_effect"), 120, 0).data
    early = at_look(data, 2)
    assert early.persons["person_id"].to_list() == data.persons["person_id"].head(30).to_list()
    assert set(early.outcomes["person_id"]) == set(early.persons["person_id"])
    assert early.placebo is not None and early.placebo.persons.height == 30
    assert at_look(data, 8) is data
    families = draw_study(planted_world("before_after/no_effect"), 60, 0).data
    assert at_look(families, 4).persons["family"].n_unique() == 30
    if "staggered_areas/no_effect" in planted_worlds():
        areas = draw_study(planted_world("staggered_areas/no_effect"), 30, 0).data
        seen = at_look(areas, 2).units
        last = seen["area_periods"]["period"].max()
        assert last < areas.units["area_periods"]["period"].max()
        assert seen["areas"]["adopted"].max() <= last
        assert seen["areas"]["adopted"].null_count() > areas.units["areas"]["adopted"].null_count()


@pytest.fixture(scope="module")
def sound_tallies() -> dict[str, Tally]:
    return {
        address: tally_of_studies(planted_world(address), size, range(COVER_STUDIES))
        for address, size in known(COVERED).items()
    }


def test_intervals_hold_the_truth_where_the_analysis_is_right(sound_tallies: dict[str, Tally]) -> None:
    assert {address: tally.faults for address, tally in sound_tallies.items() if tally.faults} == {}
    share, shown = covered(sound_tallies.values())
    assert shown > 0.7 * COVER_STUDIES * len(sound_tallies)
    assert share >= least(0.95, shown), {a: t.share("held", "shown") for a, t in sound_tallies.items()}
    for address, tally in sound_tallies.items():
        assert tally.share("held", "shown") >= least(LEAST_COVERAGE, tally.count["shown"]), address
        assert tally.share("verdict_held", "shown") >= least(0.99, tally.count["shown"]), address


def test_estimates_are_not_off_where_the_analysis_is_right(sound_tallies: dict[str, Tally]) -> None:
    for address, tally in sound_tallies.items():
        spread = math.sqrt(tally.mean("error2") - tally.mean("error") ** 2)
        assert abs(tally.mean("error")) < 4 * spread / math.sqrt(tally.count["measured"]) + 0.02, address


@pytest.fixture(scope="module")
def broken_tallies() -> dict[str, Tally]:
    return {
        address: tally_of_studies(planted_world(address), size, range(BROKEN_STUDIES))
        for address, size in known(BROKEN).items()
    }


def test_gates_see_a_broken_world_and_nobody_calls_it_effective(broken_tallies: dict[str, Tally]) -> None:
    assert {address: tally.faults for address, tally in broken_tallies.items() if tally.faults} == {}
    for address, tally in broken_tallies.items():
        assert tally.count["seen"] >= BROKEN_STUDIES - 1, (address, tally.count)
        assert tally.count["fewer"] == 0, address


def looked_at() -> list[Tally]:
    """Return useless programmes, read at eight quarterly looks."""
    return [
        tally_of_looks(planted_world(address), size, range(LOOKS_STUDIES))
        for address, size in (("randomised/no_effect", 480), ("before_after/no_effect", 120))
    ]


def test_a_useless_programme_is_hardly_ever_called_effective() -> None:
    said = looked_at()
    assert [tally.faults for tally in said if tally.faults] == []
    assert sum(tally.count["effective"] for tally in said) <= MOST_FALSE_CLAIMS
    assert sum(tally.count["ruling:supported"] for tally in said) == 0


def sabotage(monkeypatch: pytest.MonkeyPatch, *, halves: bool = False, blind: bool = False) -> None:
    monkeypatch.setattr(judged, "design_for", lambda plan: Sabotaged(plan, halves=halves, blind=blind))


def test_it_fails_when_errors_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, halves=True)
    share, shown = covered(
        tally_of_studies(planted_world(address), COVERED[address], range(COVER_STUDIES))
        for address in ("randomised/counts", "before_after/peak_same_rule")
    )
    assert share < least(0.95, shown)


def test_it_fails_when_gates_are_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, blind=True)
    tally = tally_of_studies(planted_world("comparison_cohort/immortal_time"), 1000, range(4))
    assert tally.count["seen"] == 0
    assert tally.count["fewer"] >= 3


def test_it_fails_when_looks_are_not_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, halves=True)
    assert sum(tally.count["effective"] for tally in looked_at()) > MOST_FALSE_CLAIMS


def test_a_study_that_breaks_the_method_is_counted_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: Plan) -> Design:
        raise ZeroDivisionError("no such thing")

    monkeypatch.setattr(judged, "design_for", broken)
    tally = tally_of_studies(planted_world("randomised/effect"), 60, range(3))
    assert (tally.n, tally.count["crashed"]) == (3, 3)
    assert tally.faults == {"ZeroDivisionError": "replicate 0: no such thing"}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The simulation script, with a cache of its own."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("worlds")
    monkeypatch.setattr(script, "CACHE", tmp_path)
    monkeypatch.setattr(script, "PART", 4)
    return script


def test_a_run_that_was_stopped_goes_on_where_it_was(bench: Any) -> None:
    cell = bench.Cell("interrupted_series/effect", 36, "end", 8)
    first, second = (bench.run_part(cell, part)[0] for part in cell.parts)
    begun = bench.Measured.read(cell)
    begun.tally.add(second)
    begun.parts.add(1)
    begun.write(cell)
    again = bench.Measured.read(cell)
    assert (again.parts, again.tally) == ({1}, second)
    again.tally.add(first)
    whole = tally_of_studies(planted_world(cell.address), cell.size, range(8))
    assert again.tally.count == whole.count
    assert again.tally.total == pytest.approx(whole.total)


def test_figures_of_another_version_of_a_world_are_not_taken(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = bench.Cell("interrupted_series/effect", 36, "end", 4)
    found = bench.Measured.read(cell)
    found.tally.add(Tally(n=4))
    found.write(cell)
    assert bench.Measured.read(cell).tally.n == 4
    monkeypatch.setattr(bench, "RULER", bench.RULER + 1)
    assert bench.Measured.read(cell).tally.n == 0


def test_the_page_says_what_misses(bench: Any) -> None:
    page = importlib.import_module("worlds_page")
    good = Tally(n=100, count=Counter(shown=100, held=96, verdict_held=100, measured=100, estimated=100, fewer=90))
    bad = Tally(n=100, count=Counter(shown=100, held=80, verdict_held=99, measured=100, estimated=100))
    blind = Tally(n=100, count=Counter({"shown": 100, "seen": 40, "fewer": 50, "estimated": 100}))
    false = Tally(n=100, count=Counter(effective=9))
    known = {
        bench.Cell(address, size, mode, 100): bench.Measured(tally, {0}, 1.0, {"now"})
        for address, size, mode, tally in (
            ("randomised/effect", 300, "end", good),
            ("randomised/no_effect", 300, "end", bad),
            ("randomised/steered", 1000, "end", blind),
            ("randomised/no_effect", 300, "looks", false),
        )
    }
    text = page.page(known, "now")
    assert "`randomised/no_effect` at 300 persons: the ordinary interval holds in 80.0 ±4.0 %, beyond chance." in text
    assert "`randomised/steered` at 1,000 persons: `balance` fail or warn in 40.0 ±4.9 % only." in text
    assert "`randomised/no_effect` at 300 persons, 8 looks: called effective at some look in 9.0 ±2.9 %." in text
    assert "**80.0 ±4.0**" in text and "**96.0" not in text
    assert text.count("**missed**") == 3
    assert "older" not in text
