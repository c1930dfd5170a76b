"""Twenty quarterly editions with one to three new people each, attacked: rounding alone against the ledger.

Writes benchmarks/editions.md. Run from the project's root: ``python benchmarks/editions.py`` (about two minutes on one
core). Every quarter passes the real release gate (`effectmeter.release.pass_gate`), once with an empty ledger, which is
rounding alone, and once with the ledger of the quarters before it.

The intruder knows who joined in which quarter, as a colleague or a neighbour does, that nobody left, how counts are
rounded, and the rules of the ledger. Unknown is who of them had an event. What follows is the smallest and the largest
number of events among the people who joined in any run of quarters (`effectmeter.audit.infer`). A small group, fewer
than ten people, is recovered when that interval holds fewer values than its size allows.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from effectmeter.audit import Count, Target, Tie, infer, rounded_limits
from effectmeter.disclosure import Rules
from effectmeter.editions import Entry
from effectmeter.findings import ArmNumbers, Findings
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.release import pass_gate
from effectmeter.results import EffectRow, Verdict

SEED, EDITIONS, PROGRAMMES = 20260930, 20, 12
RULES = Rules()


@dataclass(frozen=True)
class World:
    """A programme as it grows: people and events per quarter, in the treated arm; the comparison stands still."""

    name: str
    persons: tuple[int, ...]
    families: tuple[int, ...] | None
    events: tuple[int, ...]
    most: int
    """Most events that one newcomer can bring: 1 for a risk."""


def worlds(rng: np.random.Generator) -> Iterator[World]:
    """Yield programmes of persons (risks) from 60 on, and of families (rates) from 19 on."""
    for number in range(PROGRAMMES):
        joined = [60, *rng.integers(1, 4, EDITIONS - 1).tolist()]
        events = [int(rng.binomial(n, 0.35)) for n in joined]
        yield World(f"persons {number}", _sum(joined), None, _sum(events), 1)
        joined = [19, *rng.integers(1, 4, EDITIONS - 1).tolist()]
        members = [int(rng.integers(2, 6, n).sum()) for n in joined]
        events = [int(rng.poisson(1.5 * n)) for n in members]
        yield World(f"families {number}", _sum(members), _sum(joined), _sum(events), 99)


def _sum(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in np.cumsum(values))


def plan_of(world: World) -> Plan:
    """Return the smallest plan that the world's counts fit."""
    is_family = world.families is not None
    return Plan.model_validate(
        {
            "programme": "world",
            "title": {"nl": "w", "en": "w"},
            "design": "randomised",
            "synthetic": True,
            "source": {"persons": {"file": "p.csv"}, "events": {"file": "e.csv"}},
            "outcomes": {"arrest": {"event": "arrest", "measures": ["rate_ratio" if is_family else "risk_ratio"]}},
            "follow_up": {"days": [365]},
            "looks": {"method": "none"},
        }
        | ({"cluster": "family_id"} if is_family else {})
    )


def findings_of(world: World, plan: Plan, edition: int, quarter: Quarter) -> Findings:
    """Return what a quarter of the world found."""
    n, events = world.persons[edition], world.events[edition]
    families = None if world.families is None else world.families[edition]
    ratio, error = (events / n) / 0.5, math.sqrt(1 / events + 1 / 150)
    row = EffectRow(
        programme="world", quarter=str(quarter), design="randomised", outcome="arrest",
        measure="risk_ratio" if families is None else "rate_ratio", contrast=plan.contrasts[0][1], estimand="itt",
        estimator="modified_poisson", variance="hc3", analysis="primary", window_days=365, estimate=ratio,
        conf_low=ratio * math.exp(-1.96 * error), conf_high=ratio * math.exp(1.96 * error), std_error=error,
        n_treated=n, n_comparison=300, events_treated=float(events), events_comparison=150.0,
        person_years_treated=None if families is None else float(n),
        person_years_comparison=None if families is None else 300.0,
        n_clusters_treated=families, n_clusters_comparison=None if families is None else 80,
    )  # fmt: skip
    verdict = Verdict(
        direction="inconclusive", maryland=5, works=False, outcome="arrest", measure=row.measure, window_days=365,
        sentence="", sentence_nl="",
    )  # fmt: skip
    return Findings(
        effects=(row,), gates=(), claims=(), verdict=verdict,
        numbers=(ArmNumbers(arm="treated", persons=n, families=families), ArmNumbers(arm="comparison", persons=300)),
    )  # fmt: skip


@dataclass(frozen=True)
class Published:
    """What an edition shows of the treated arm: its events, and the edition that they are of."""

    events: float | None
    persons: float | None
    since: int


def editions(world: World, *, with_ledger: bool) -> list[Published]:
    """Return what every edition of a world shows."""
    plan, quarters = plan_of(world), [Quarter(2020 + i // 4, 1 + i % 4) for i in range(EDITIONS)]
    names = [str(quarter) for quarter in quarters]
    ledger: list[Entry] = []
    found = []
    for edition, quarter in enumerate(quarters):
        passed = pass_gate(findings_of(world, plan, edition, quarter), plan, quarter, ledger if with_ledger else ())
        ledger += passed.entries(release=str(quarter), plan_hash="p")
        (row,) = passed.cleared.rows
        found.append(Published(row.events_treated, row.n_treated, names.index(row.figures_of)))
    return found


def attack(world: World, shown: Sequence[Published], *, with_ledger: bool) -> tuple[int, int]:
    """Return how many small groups of newcomers there are, and of how many the intruder learns something.

    Learns something: fewer numbers of events remain possible among them than their number alone allows.
    """
    counts, ties = [], []
    sizes = np.diff((0, *world.persons))
    for edition in range(EDITIONS):
        most = float(sizes[edition] * world.most)
        counts.append(Count(f"new {edition}", 0, most))
        source = shown[edition].since if with_ledger else edition
        limits = rounded_limits(shown[edition].events, RULES, mask=RULES.minimum_persons - 1)
        ties.append(Tie({f"new {i}": 1.0 for i in range(source + 1)}, *limits))
    renewed = sorted({entry.since for entry in shown}) if with_ledger else []
    for before, after in itertools.pairwise(renewed):  # the rule itself is public
        between = {f"new {i}": 1.0 for i in range(before + 1, after + 1)}
        joined = float(sizes[before + 1 : after + 1].sum())
        most = joined - RULES.minimum_persons if world.most == 1 else math.inf
        ties.append(Tie(between, float(RULES.minimum_persons), most))
    if world.most > 1:  # nor does a refusal go without saying; of persons it may be those without an event
        for last, looked in _held(world, shown) if with_ledger else ():
            held = {f"new {i}": 1.0 for i in range(last + 1, looked + 1)}
            ties.append(Tie(held, 0.0, float(RULES.minimum_persons - 1)))
    targets = []
    for start in range(1, EDITIONS):
        for end in range(start, EDITIONS):
            n = int(sizes[start : end + 1].sum())
            if n < RULES.minimum_persons:
                terms = {f"new {i}": 1.0 for i in range(start, end + 1)}
                targets.append(Target(f"{start}-{end}", terms, float(min(n * world.most, 9))))
    inferred = infer(counts, ties, targets, RULES)
    recovered = sum(
        found.low > 0 or (found.high is not None and found.high < min(target.true, RULES.minimum_persons - 1))
        for found, target in zip(inferred, targets, strict=True)
    )
    return len(targets), recovered


def _held(world: World, shown: Sequence[Published]) -> Iterator[tuple[int, int]]:
    """Yield (last published, looked at) for the quarters in which ten people were new and events were still too few."""
    looked = 0
    for edition in range(1, EDITIONS):
        steps = [world.persons[edition] - world.persons[looked]]
        if world.families is not None:
            steps.append(world.families[edition] - world.families[looked])
        if min(steps) < RULES.minimum_persons:
            continue
        looked = edition
        if shown[edition].since != edition:
            yield shown[edition].since, edition


def cost(world: World, shown: Sequence[Published]) -> tuple[float, float, float, float]:
    """Return mean deviations of events (count) and of the rate (share of itself), share masked, lag in editions."""
    pairs = [(entry, edition) for edition, entry in enumerate(shown) if entry.events is not None and entry.persons]
    off = [abs(float(entry.events or 0) - world.events[edition]) for entry, edition in pairs]
    rate = [
        abs((float(entry.events or 0) / float(entry.persons or 1)) / (world.events[e] / world.persons[e]) - 1)
        for entry, e in pairs
    ]
    lag = [edition - entry.since for edition, entry in enumerate(shown)]
    return float(np.mean(off)), float(np.mean(rate)), 1 - len(pairs) / len(shown), float(np.mean(lag))


def main(path: Path) -> None:
    """Attack every world both ways, and write the table."""
    lines = []
    made = list(worlds(np.random.default_rng(SEED)))
    for kind in ("persons", "families"):
        for name, with_ledger in (("rounding alone", False), ("ledger", True)):
            groups = recovered = 0
            costs = []
            for world in (world for world in made if world.name.startswith(kind)):
                shown = editions(world, with_ledger=with_ledger)
                found = attack(world, shown, with_ledger=with_ledger)
                groups, recovered = groups + found[0], recovered + found[1]
                costs.append(cost(world, shown))
            off, rate, masked, lag = np.mean(costs, axis=0)
            figures = f"{groups} | {recovered} | {off:.1f} | {100 * rate:.1f} % | {100 * masked:.0f} % | {lag:.1f}"
            lines.append(f"| {kind} | {name} | {figures} |")
    path.write_text(PAGE.format(rows="\n".join(lines), programmes=PROGRAMMES, editions=EDITIONS), encoding="utf-8")


PAGE = """# Editions under attack

Written by `python benchmarks/editions.py`; do not edit. {programmes} programmes of each kind, {editions} quarterly editions: *persons* start with 60
participants of whom 35 % have an event, *families* with 19 families and about 1.5 events per member. One to three persons, or families, join
each quarter. The intruder knows who joined when, and asks what happened to them.

| programme | protected by | groups of fewer than ten newcomers | of whom something is learned | events off by | rate off by | masked | editions behind |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

*Of whom something is learned*: not every number of events remains possible that the group's size allows; that one of three had an event is
enough. The attack uses the ledger's own rules too: what is renewed changed by ten or more, what
is held back although ten people were new changed by nine or fewer (or, of persons, those without an event did). *Off by*: the mean difference between what is shown and what is true in that quarter; a rate is that of one consistent moment, so it is
off by less than its counts. *Editions behind*: the mean age of what is shown. *Masked*: editions that show no count.
"""  # noqa: E501


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".md"))
