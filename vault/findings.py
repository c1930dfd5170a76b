"""All that a quarter found, gathered from the vault for the release gate. Nothing here decides what may leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

import sql
from effectmeter.findings import ArmNumbers, Contributors, Findings, Population, QualityCheck
from effectmeter.plan import Plan
from effectmeter.results import (
    AttritionStep,
    BalanceRow,
    ClaimRuling,
    CurvePoint,
    EffectRow,
    GateResult,
    OverlapRow,
    SeriesPoint,
    TrialEffect,
    Verdict,
)
from effectmeter.shapes import SHAPES, Unit
from vault.results import read_results

_NUMBERS: dict[Unit, str] = {
    "area": "release/numbers_of_areas",
    "period": "release/numbers_of_periods",
    "trial": "release/numbers_of_trials",
}
"""Statement that counts the units of a design that are no persons."""


def read_findings(connection: duckdb.DuckDBPyConnection, plan: Plan, checks: Sequence[QualityCheck]) -> Findings:
    """Return everything that was found, unrounded.

    Parameters
    ----------
    checks
        The recorded data checks of this delivery.
    """
    (verdict,) = read_results(connection, "estimate.verdict", Verdict)
    return Findings(
        effects=read_results(connection, "estimate.effects", EffectRow),
        gates=read_results(connection, "estimate.gates", GateResult),
        claims=read_results(connection, "estimate.claims", ClaimRuling),
        verdict=verdict,
        attrition=read_results(connection, "cohort.attrition", AttritionStep),
        balance=read_results(connection, "comparability.balance", BalanceRow),
        overlap=read_results(connection, "comparability.overlap", OverlapRow),
        curves=read_results(connection, "estimate.curves", CurvePoint),
        series_points=read_results(connection, "estimate.series_points", SeriesPoint),
        trial_effects=read_results(connection, "estimate.trial_effects", TrialEffect),
        checks=tuple(checks),
        numbers=_numbers(connection, plan),
        contributors=_contributors(connection, plan),
        populations=_populations(connection, plan),
    )


def unit_numbers(connection: duckdb.DuckDBPyConnection, plan: Plan) -> list[tuple[str, int, int | None]]:
    """Return (arm, units, persons) for a design whose units are no persons; persons None where not known."""
    unit = SHAPES[plan.design].unit
    binds = {"treated": plan.arms.treated[0], "comparison": plan.arms.comparison}
    if unit == "period":
        binds["outcome"] = plan.primary_outcome
    return [
        (str(arm), int(units), persons)
        for arm, units, persons in connection.execute(sql.statement(_NUMBERS[unit]), binds).fetchall()
    ]


def _numbers(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[ArmNumbers, ...]:
    """Return how much was delivered per arm: persons and families, or areas, periods, trials."""
    if SHAPES[plan.design].unit in _NUMBERS:
        found = unit_numbers(connection, plan)
        return tuple(ArmNumbers(arm=arm, persons=persons, units=units) for arm, units, persons in found)
    counted = connection.sql(sql.statement("release/numbers")).fetchall()
    return tuple(ArmNumbers(arm=arm, persons=persons, families=families) for arm, persons, families in counted)


def _contributors(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[Contributors, ...]:
    """Return the persons behind the events of each contrast, outcome and window.

    Before and after count as two cells: the smaller one decides for the contrast between arms. Of areas it is not
    persons that contribute but areas; of a series and of trials nothing beside their rows is known.
    """
    if SHAPES[plan.design].unit == "area":
        return (*_contributing_areas(connection, plan), *_parts_of_areas(connection, plan))
    if SHAPES[plan.design].unit != "person":
        return ()
    rows = connection.sql(sql.statement("release/contributors")).fetchall()
    counted = {(arm, outcome, period, window): _Behind(*rest) for arm, outcome, period, window, *rest in rows}
    keys = {(outcome, window) for _, outcome, _, window in counted}
    periods = {period for _, _, period, _ in counted}
    found: list[Contributors] = []
    for outcome, window in sorted(keys, key=str):
        asked = [
            (contrast, (treated, periods), (plan.arms.comparison, periods)) for treated, contrast in plan.contrasts
        ]
        if {"before", "after"} <= periods:
            arms = (*plan.arms.treated, plan.arms.comparison)
            asked += [(f"{arm} after vs before", (arm, {"after"}), (arm, {"before"})) for arm in arms]
        for contrast, *sides in asked:
            one, other = (
                _together([counted.get((arm, outcome, period, window), _NOBODY) for period in within])
                for arm, within in sides
            )
            found.append(
                Contributors(
                    contrast=contrast,
                    outcome=outcome,
                    window_days=window,
                    persons_treated=one.persons,
                    persons_comparison=other.persons,
                    families_treated=one.families,
                    families_comparison=other.families,
                    largest_treated=one.shares,
                    largest_comparison=other.shares,
                )
            )
    return tuple(found)


def _populations(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[Population, ...]:
    """Return who is analysed for each question, and in each of the plan's subgroups, as fingerprints."""
    if SHAPES[plan.design].unit != "person":
        return ()
    parts = "".join(
        f"\n    union all\n    select person_id, {_literal(f'{column}=')} || {sql.identifier(column)}::varchar"
        f"\n    from cohort.persons\n    where {sql.identifier(column)} is not null"
        for column in plan.subgroups
    )
    rows = connection.sql(sql.statement("release/populations").format(parts=parts)).fetchall()
    return tuple(
        Population(arm=arm, outcome=outcome, window_days=window, subgroup=part, fingerprint=fingerprint)
        for arm, outcome, window, part, fingerprint in rows
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class _Behind:
    """Who stands behind an arm's events in a period."""

    persons: int
    families: int | None
    events: float
    largest: list[float] | None

    @property
    def shares(self) -> tuple[float, ...]:
        """Return the shares that the two who bring most have."""
        return tuple(value / self.events for value in self.largest or ()) if self.events else ()


_NOBODY = _Behind(0, None, 0.0, [])


def _together(periods: Sequence[_Behind]) -> _Behind:
    """Return what several periods say of an arm: the fewest people, and the one who brings most of a period."""
    families = [period.families for period in periods if period.families is not None]
    led = max(periods, key=lambda period: period.shares)
    return _Behind(min(p.persons for p in periods), min(families, default=None), led.events, led.largest)


def _contributing_areas(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[Contributors, ...]:
    """Return how much of each arm's events its largest area brings, and its largest two."""
    treated, contrast = plan.contrasts[0]
    binds = {"treated": treated, "comparison": plan.arms.comparison}
    counted = connection.execute(sql.statement("release/contributors_of_areas"), binds).fetchall()
    by_arm = {(arm, outcome): (n_areas, n_events, largest) for arm, outcome, n_areas, n_events, largest in counted}

    def shares(arm: str, outcome: str) -> tuple[float, ...]:
        _, n_events, largest = by_arm.get((arm, outcome), (0, 0.0, []))
        return tuple(float(value) / n_events for value in largest) if n_events else ()

    return tuple(
        Contributors(
            contrast=contrast,
            outcome=outcome,
            largest_treated=shares(treated, outcome),
            largest_comparison=shares(plan.arms.comparison, outcome),
        )
        for outcome in sorted({outcome for _, outcome in by_arm})
    )


def _parts_of_areas(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[Contributors, ...]:
    """Return how many areas and events stand behind every time since the start, starting group, period and cell."""
    areas: dict[tuple[str, str], set[str]] = {}
    events: dict[tuple[str, str], float | None] = {}
    cells = connection.sql(sql.statement("release/cells_of_areas")).fetchall()
    for outcome, cohort, period, event_time, area_ids, n_events in cells:
        parts = [f"event_time={event_time}"]
        if event_time >= 0:
            parts += [f"cohort={cohort}", f"period={period}"]
        for part in (*parts, f"cohort={cohort}, period={period}"):
            key = (str(outcome), part)
            areas.setdefault(key, set()).update(area_ids)
            events[key] = None if n_events is None else (events.get(key) or 0.0) + float(n_events)
    return tuple(
        Contributors(
            contrast=plan.contrasts[0][1], outcome=key[0], subgroup=key[1], n_areas=len(ids), n_events=events[key]
        )
        for key, ids in sorted(areas.items())
    )


def read_file_hashes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SHA-256 of every delivered file by its name."""
    found = connection.sql('select "file", sha256 from landing.files order by "file"').fetchall()
    return {str(name): str(digest) for name, digest in found}
