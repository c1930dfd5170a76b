"""What the whole method makes of a planted study: estimate, gates, verdict and rulings, held against the truth.

Here: one study judged, at its end or over eight quarterly looks, and the sums over many (`Tally`), which add up in any
order. Not here: which worlds there are (`planted_worlds`), how many studies are run and where the figures are written
(``benchmarks/worlds.py``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from effectmeter.designs.base import AnalysisData, Design
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.estimators.pooling import PREDICTION
from effectmeter.gates.people import FEWEST_PERSONS
from effectmeter.results import EffectRow, GateResult, Verdict
from effectmeter.verdicts import primary_row, rule
from effectmeter.worlds.planted import LOOKS, Drawn, PlantedWorld, at_look, draw_study

_WORST = ("failed", "warned", "not_evaluated", "passed", "not_applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the method said of one study.

    Attributes
    ----------
    row
        The primary row after the gates; None where the design gave none.
    gates
        The gravest status of each gate.
    """

    row: EffectRow | None
    gates: dict[str, str]
    verdict: Verdict
    rulings: tuple[str, ...]

    @property
    def is_shown(self) -> bool:
        """Whether a number may be read."""
        return self.row is not None and self.row.status == "shown"


def judge(data: AnalysisData, design: Design | None = None) -> Judged:
    """Run compare, estimate, gates, hiding, verdict and claims on one study, in process."""
    asked = design or design_for(data.plan)
    comparability = asked.compare(data)
    effects = asked.estimate(data, comparability, scope="verdict")
    found = asked.gates(data, comparability, effects)
    shown = apply_gates(effects, found)
    reach = int((data.persons["arm"].is_in(data.plan.arms.treated)).sum())
    verdict, claims = rule(data.plan, shown, found, reach)
    return Judged(
        row=primary_row(shown),
        gates=_gravest(found),
        verdict=verdict,
        rulings=tuple(claim.ruling for claim in claims),
    )


def _gravest(gates: Sequence[GateResult]) -> dict[str, str]:
    statuses: dict[str, list[str]] = {}
    for gate in gates:
        statuses.setdefault(gate.gate, []).append(gate.status)
    return {name: min(found, key=_WORST.index) for name, found in statuses.items()}


def _scaled(row: EffectRow, value: float | None, missing: float) -> float:
    """Return a value on the scale on which errors are symmetric: the logarithm of ratios."""
    if value is None:
        return missing
    if not row.is_ratio:
        return value
    return math.log(value) if value > 0 else -math.inf


def holds(row: EffectRow, truth: float, *, verdict: bool) -> bool:
    """Return whether the ordinary (or the verdict) interval holds the truth; a missing limit excludes nothing."""
    low, high = (row.verdict_low, row.verdict_high) if verdict else (row.conf_low, row.conf_high)
    return (low is None or low <= truth) and (high is None or truth <= high)


@dataclass(slots=True)
class Tally:
    """Sums over the studies of one cell; two tallies of different studies add up.

    Attributes
    ----------
    n
        Studies.
    count
        How often each thing happened: ``shown``, ``hidden``, ``held``, ``verdict_held``, ``fewer`` ...; gates as
        ``gate:<name>:<status>``, rulings as ``ruling:<ruling>``.
    total
        Sums: ``error``, ``error2`` (estimate minus truth, log scale for ratios), ``length``, ``verdict_length``,
        ``std_error``; how many were summed is counted as ``measured``.
    faults
        The first error per kind: a world in which the method crashes is a finding, not an end.
    """

    n: int = 0
    count: Counter[str] = field(default_factory=Counter)
    total: dict[str, float] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def share(self, what: str, of: str = "") -> float:
        """Return how often something happened, among all or among those that `of` counts; nan among none."""
        among = self.count[of] if of else self.n
        return self.count[what] / among if among else math.nan

    def error_of(self, what: str, of: str = "") -> float:
        """Return the Monte-Carlo standard error of `share`; nan among none."""
        among = self.count[of] if of else self.n
        share = self.share(what, of)
        return math.sqrt(share * (1 - share) / among) if among else math.nan

    def mean(self, what: str) -> float:
        """Return the mean of a sum over the studies that were measured; nan among none."""
        return self.total.get(what, 0.0) / self.count["measured"] if self.count["measured"] else math.nan

    def sum_up(self, what: str, value: float) -> None:
        """Add a value to a sum."""
        self.total[what] = self.total.get(what, 0.0) + value

    def add(self, other: Tally) -> None:
        """Add the studies of another tally."""
        self.n += other.n
        self.count.update(other.count)
        for key, value in other.total.items():
            self.sum_up(key, value)
        self.faults = other.faults | self.faults

    def as_record(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {"n": self.n, "count": dict(self.count), "total": dict(self.total), "faults": self.faults}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Tally:
        """Read what `as_record` wrote."""
        return cls(record["n"], Counter(record["count"]), dict(record["total"]), dict(record["faults"]))


def tally_of_studies(world: PlantedWorld, size: int, replicates: Iterable[int]) -> Tally:
    """Judge studies at their end and add up what was said of them."""
    tally = Tally()
    for replicate in replicates:
        tally.n += 1
        try:
            drawn = draw_study(world, size, replicate)
            found = judge(drawn.data)
        except Exception as fault:  # noqa: BLE001  (whatever breaks is counted, and named on the page)
            _broke(tally, fault, replicate)
            continue
        _add_study(tally, world, drawn, found)
    return tally


def _broke(tally: Tally, fault: Exception, replicate: int) -> None:
    tally.count["crashed"] += 1
    tally.faults.setdefault(type(fault).__name__, f"replicate {replicate}: {str(fault)[:200]}")


def _add_study(tally: Tally, world: PlantedWorld, drawn: Drawn, found: Judged) -> None:
    row, count = found.row, tally.count
    count.update(f"gate:{name}:{status}" for name, status in found.gates.items())
    count.update(f"ruling:{ruling}" for ruling in found.rulings)
    count[found.verdict.direction] += 1
    count["works"] += found.verdict.works
    watched = {found.gates.get(name) for name in world.watched}
    count["seen_failed"] += "failed" in watched
    count["seen"] += bool(watched & {"failed", "warned"})
    count[row.status if row is not None else "no_row"] += 1
    if row is None:
        return
    # what the analysis would say if nothing were hidden: how strong a threat is
    error = _scaled(row, row.estimate, math.nan) - _scaled(row, drawn.truth, math.nan)
    if math.isfinite(error):
        count["estimated"] += 1
        tally.sum_up("raw_error", error)
    if found.is_shown:  # also a bound without an estimate: it holds the truth or does not
        _add_shown(tally, row, drawn)


def target(row: EffectRow, drawn: Drawn) -> float:
    """Return what a row's interval is about: the planted truth, or for a prediction interval a next trial."""
    return drawn.following if row.variance == PREDICTION and drawn.following is not None else drawn.truth


def _add_shown(tally: Tally, row: EffectRow, drawn: Drawn) -> None:
    count, truth = tally.count, drawn.truth
    count["held"] += holds(row, target(row, drawn), verdict=False)
    count["verdict_held"] += holds(row, target(row, drawn), verdict=True)
    count["prediction"] += row.variance == PREDICTION
    null = 1.0 if row.is_ratio else 0.0
    count["significant"] += not holds(row, null, verdict=False)
    error = _scaled(row, row.estimate, math.nan) - _scaled(row, truth, math.nan)
    length, verdict_length = (
        _scaled(row, high, math.inf) - _scaled(row, low, -math.inf)
        for low, high in ((row.conf_low, row.conf_high), (row.verdict_low, row.verdict_high))
    )
    count["one_sided"] += not math.isfinite(length)
    if all(map(math.isfinite, (error, length, verdict_length))):
        count["measured"] += 1
        tally.sum_up("error", error)
        tally.sum_up("error2", error * error)
        tally.sum_up("length", length)
        tally.sum_up("verdict_length", verdict_length)
        tally.sum_up("std_error", row.std_error or 0.0)


def tally_of_looks(world: PlantedWorld, size: int, replicates: Iterable[int], looks: int = LOOKS) -> Tally:
    """Judge studies at every quarterly look while they grow to `size`; a study counts once, for whatever look.

    Counts ``effective`` (ever called fewer), ``harmful`` (ever called more), ``missed`` and ``verdict_missed`` (ever an
    interval, among those shown, without the truth), ``significant`` (ever an ordinary interval without no effect).
    """
    tally = Tally()
    for replicate in replicates:
        tally.n += 1
        said: set[str] = set()
        try:
            drawn = draw_study(world, size, replicate)
            for look in range(1, looks + 1):
                known = at_look(drawn.data, look, looks)
                if not _is_too_small(known):
                    said |= _said_at(judge(known), drawn)
        except Exception as fault:  # noqa: BLE001  (whatever breaks is counted, and named on the page)
            _broke(tally, fault, replicate)
        tally.count.update(said)
    return tally


def _is_too_small(data: AnalysisData) -> bool:
    """Return whether the gate on size hides everything for certain: then nobody need estimate it."""
    if data.units or data.plan.cluster:
        return False
    arms = (data.persons["arm"] == data.plan.arms.comparison).sum()
    return min(arms, data.persons.height - arms) < FEWEST_PERSONS


def _said_at(found: Judged, drawn: Drawn) -> set[str]:
    said = {{"fewer": "effective", "more": "harmful"}.get(found.verdict.direction, "nothing")}
    said |= {f"ruling:{ruling}" for ruling in found.rulings}
    row = found.row
    if row is None or not found.is_shown:
        return said
    said.add("shown")
    if not holds(row, target(row, drawn), verdict=False):
        said.add("missed")
    if not holds(row, target(row, drawn), verdict=True):
        said.add("verdict_missed")
    if not holds(row, 1.0 if row.is_ratio else 0.0, verdict=False):
        said.add("significant")
    return said
