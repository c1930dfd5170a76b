"""One planted delivery per verdict and per ruling, through the whole chain: files in, and the words of the verdict out.

Counts are planted exactly, not drawn, so that every answer is known beforehand. Worlds that are drawn by the thousand,
in process, are in `test_known_worlds` and ``benchmarks/worlds.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from conformity import assert_conforms
from workbench import QUARTER, Workbench, minimal_plan, rows_where

from effectmeter.results import Verdict
from vault.connection import open_vault
from vault.results import read_results

Rows = list[list[Any]]
Tables = dict[str, tuple[list[str], Rows]]

PERSONS = ["person_id", "arm", "follow_up_days", "linked", "age"]
AGE = {"age": "numeric"}
EVENTS = ["person_id", "event_type", "event_day"]


@dataclass(frozen=True)
class Golden:
    """A delivery and the answer that it must give."""

    plan: dict[str, Any]
    tables: Tables
    direction: str
    rulings: tuple[str, ...]
    works: bool
    maryland: int
    failed: tuple[str, ...] = ()


def claim(at_most: float) -> dict[str, Any]:
    return {"words": f"at most {at_most:g}", "source": "a leaflet", "outcome": "arrest", "at_most": at_most}


def plan_of(programme: str, design: str, *claims: float, **more: Any) -> dict[str, Any]:
    return minimal_plan(programme, design, **{"claims": [claim(value) for value in claims], "adjust_for": AGE} | more)


def two_arms(treated: tuple[int, int], comparison: tuple[int, int], follow_up: int = 365) -> Tables:
    """Return persons and events of two arms, each with (persons, persons with an event), spread over the year."""
    persons: Rows = []
    events: Rows = []
    for arm, (n, with_event) in (("treated", treated), ("comparison", comparison)):
        for number in range(n):
            person = f"{arm[0]}{number:05d}"
            persons.append([person, arm, follow_up, 1, 12 + number % 9])
            if number < with_event:
                events.append([person, "arrest", 1 + (number * 37) % 365])
    return {"persons.csv": (PERSONS, persons), "events.csv": (EVENTS, events)}


def fewer() -> Golden:
    """A trial in which a sixth as many offend: fewer, and half as often is established."""
    plan = plan_of("fewer", "randomised", 0.5)
    return Golden(plan, two_arms((800, 20), (800, 120)), "fewer", ("supported",), works=True, maryland=5)


def weaker() -> Golden:
    """A large trial in which a quarter fewer offend: fewer, yet not half as often."""
    plan = plan_of("weaker", "randomised", 0.5, 0.9)
    rulings = ("weaker_than_claimed", "supported")
    return Golden(plan, two_arms((2000, 600), (2000, 800)), "fewer", rulings, works=True, maryland=5)


def harm() -> Golden:
    """Seven trials that agree: more offend with the programme."""
    trials: Rows = [[f"t{number}", 60 + number, 100, 40 + number, 100] for number in range(7)]
    plan = {
        "programme": "harm",
        "title": {"nl": "harm", "en": "harm"},
        "design": "pooled_trials",
        "source": {"trials": {"file": "trials.csv"}},
        "outcomes": {"arrest": {"measures": ["odds_ratio"]}},
        "claims": [claim(1.0)],
    }
    header = ["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison"]
    return Golden(plan, {"trials.csv": (header, trials)}, "more", ("contradicted",), works=False, maryland=0)


def nothing() -> Golden:
    """A large trial without a difference: no effect of importance, and half as often is contradicted."""
    plan = plan_of("nothing", "randomised", 0.5)
    tables = two_arms((2000, 700), (2000, 700))
    return Golden(plan, tables, "no_effect_of_importance", ("contradicted",), works=False, maryland=5)


def unclear() -> Golden:
    """A small trial: inconclusive, and half as often is not established."""
    plan = plan_of("unclear", "randomised", 0.5)
    return Golden(plan, two_arms((70, 12), (70, 18)), "inconclusive", ("not_established",), works=False, maryland=5)


def immortal() -> Golden:
    """Participants who offended before the start were moved to the comparison group: nothing may be shown."""
    persons: Rows = []
    events: Rows = []
    numbers: Iterator[int] = count()
    # of 400 who were meant to take part 120 offend, on days spread over the year; the first day is day 150
    for number in range(400):
        day = 1 + (number * 3) % 365 if number < 120 else None
        arm = "comparison" if day is not None and day <= 150 else "treated"
        person = f"p{next(numbers):05d}"
        persons.append([person, arm, "2024-01-15", "2024-06-13" if arm == "treated" else "", 12 + number % 9])
        if day is not None:
            events.append([person, "arrest", day])
    for number in range(400):
        person = f"p{next(numbers):05d}"
        persons.append([person, "comparison", "2024-01-15", "", 12 + number % 9])
        if number < 120:
            events.append([person, "arrest", 1 + (number * 3) % 365])
    plan = plan_of("immortal", "comparison_cohort", 0.5)
    tables = {
        "persons.csv": (["person_id", "arm", "index_date", "start_date", "age"], persons),
        "events.csv": (EVENTS, events),
    }
    return Golden(plan, tables, "not_shown", ("cannot_be_tested",), works=False, maryland=3, failed=("time_zero",))


def alone() -> Golden:
    """Families picked at their worst, and nobody to compare them with: a change, never an effect."""
    persons: Rows = []
    events: Rows = []
    for family in range(40):
        person = f"f{family:03d}"
        persons.append([person, "treated", "2024-06-01", f"family {family}"])
        events += [[person, "arrest", -5 - 40 * number] for number in range(6)]
        events += [[person, "arrest", 5 + 40 * number] for number in range(family % 3)]
    outcomes = {"arrest": {"event": "arrest", "primary": True}}
    plan = plan_of("alone", "before_after", 0.1, outcomes=outcomes, cluster="family_id", adjust_for={})
    tables = {
        "persons.csv": (["person_id", "arm", "index_date", "family_id"], persons),
        "events.csv": (EVENTS, events),
    }
    return Golden(plan, tables, "not_shown", ("cannot_be_tested",), works=False, maryland=2, failed=("peak_selection",))


def verdict_of(bench: Workbench, programme: str) -> Verdict:
    with open_vault(bench.home.vault(programme, QUARTER), read_only=True) as connection:
        (verdict,) = read_results(connection, "estimate.verdict", Verdict)
    return verdict


WORLDS: tuple[Callable[[], Golden], ...] = (fewer, weaker, harm, nothing, unclear, immortal, alone)
REFRESHED = ("fewer", "immortal")
"""Worlds that go on to a release and its report."""


def test_every_verdict_and_every_ruling_has_its_world() -> None:
    found = [make() for make in WORLDS]
    assert {golden.direction for golden in found} == {
        "fewer",
        "more",
        "no_effect_of_importance",
        "inconclusive",
        "not_shown",
    }
    assert {ruling for golden in found for ruling in golden.rulings} == {
        "supported",
        "weaker_than_claimed",
        "not_established",
        "contradicted",
        "cannot_be_tested",
    }


@pytest.mark.parametrize("make", WORLDS, ids=lambda make: make.__name__)
def test_a_golden_world_gives_its_answer(tmp_path: Path, make: Callable[[], Golden]) -> None:
    golden = make()
    programme = golden.plan["programme"]
    bench = Workbench(tmp_path)
    bench.add_plan(golden.plan)
    for file, (header, rows) in golden.tables.items():
        bench.deliver(programme, file, header, rows)
    if programme in REFRESHED:
        result = bench.refresh(programme)
        assert (result.exit_code, result.refusal) == (0, "")
    else:
        bench.estimate(programme)
    found = bench.effects(programme)
    assert_conforms(found)
    verdict = verdict_of(bench, programme)
    assert verdict.direction == golden.direction, verdict
    assert tuple(row["ruling"] for row in found["claims"]) == golden.rulings, found["claims"]
    assert verdict.works == golden.works
    if golden.maryland:
        assert verdict.maryland == golden.maryland
    assert {row["gate"] for row in rows_where(found["gates"], status="failed")} == set(golden.failed)
    (row, *_) = rows_where(found["effects"], analysis="primary")
    assert row["status"] == ("hidden" if golden.failed else "shown"), row
