"""Areas where a programme started at different times, against areas where it started later, or never.

Here: which parts make up the design. Layout: `staggered_areas_panel`; estimates: `staggered_areas_fits` and
`staggered_areas_calibrated`; rows: `staggered_areas_rows` and `staggered_areas_beside`; gates: `gates.areas`.

Units: a rate is per inhabitant and period where a population was delivered, else per area-period. Every area counts
alike in Callaway-Sant'Anna and two-way effects; in Poisson every event does. A missing area-period stays missing: a
count of nothing must be delivered as 0.
"""

from __future__ import annotations

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.questions import primary_outcome
from effectmeter.designs.rows import not_estimable
from effectmeter.designs.staggered_areas_beside import (
    aggregation_rows,
    beside_rows,
    cohort_left_out_rows,
    other_rows,
    ring_rows,
    subgroup_rows,
    variance_rows,
)
from effectmeter.designs.staggered_areas_calibrated import (
    calibrated_balance,
    calibrated_cohorts,
    effective_areas,
)
from effectmeter.designs.staggered_areas_fits import how_of
from effectmeter.designs.staggered_areas_panel import lay_out
from effectmeter.designs.staggered_areas_rows import (
    Asked,
    Cohorts,
    event_rows,
    main_measures,
    main_rows,
    unadjusted_rows,
)
from effectmeter.estimators.base import EstimationError
from effectmeter.gates.agreement import agreement
from effectmeter.gates.areas import balance, clusters, power, pre_trends, spill_over
from effectmeter.gates.base import Gate
from effectmeter.gates.comparable import negative_controls
from effectmeter.gates.looks import looks
from effectmeter.results import BalanceRow, Comparability, EffectRow, GateResult

_BESIDE = (
    unadjusted_rows,
    aggregation_rows,
    other_rows,
    variance_rows,
    beside_rows,
    cohort_left_out_rows,
    subgroup_rows,
)


class StaggeredAreas:
    """Areas that start at different times, against those that start later or never."""

    name = "staggered_areas"
    tables: tuple[str, ...] = ("areas", "area_counts")
    gate_list: tuple[Gate, ...] = (
        clusters,
        pre_trends,
        balance,
        spill_over,
        negative_controls,
        agreement,
        looks,
        power,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return weights and balance where comparison areas are calibrated; nothing otherwise."""
        cohorts = _cohorts(data)
        if not isinstance(cohorts, tuple):
            return Comparability()
        contrast = data.plan.contrasts[0][1]
        weight: dict[str, float] = {}
        for cohort in cohorts:
            weight.update(dict.fromkeys(cohort.treated, 1.0))
            for name, value in zip(cohort.comparison, cohort.calibration.weight, strict=True):
                weight[name] = weight.get(name, 0.0) + float(value)
        return Comparability(
            balance=tuple(
                BalanceRow(
                    contrast=contrast,
                    term=row.term,
                    kind="main",
                    mean_treated=row.mean_treated,
                    mean_comparison_before=before,
                    mean_comparison_after=row.mean_comparison,
                    smd_before=row.smd_before,
                    smd_after=row.smd_after,
                )
                for row, before in calibrated_balance(cohorts)
            ),
            weight_contrast=(contrast,) * len(weight),
            weight_person_id=tuple(weight),
            weight=tuple(weight.values()),
            effective_sample_size=((contrast, effective_areas(cohorts)),),
        )

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet; the primary row first."""
        how, cohorts = how_of(data.plan), _cohorts(data)
        first = primary_outcome(data.plan)
        rows: list[EffectRow] = []
        names = [name for name in data.plan.outcomes if name not in data.plan.negative_controls or name == first]
        for outcome in sorted(names, key=lambda name: name != first):
            role = "primary" if outcome == first else "secondary"
            rows += _outcome_rows(Asked(data=data, outcome=outcome, role=role, how=how, cohorts=cohorts), scope)
        for outcome in data.plan.negative_controls:
            if outcome != first:
                asked = Asked(data=data, outcome=outcome, role="negative_control", how=how, cohorts=cohorts)
                rows += _outcome_rows(asked, scope)
        return tuple(sorted(rows, key=lambda row: row.analysis != "primary"))

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a comparison of areas."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def _cohorts(data: AnalysisData) -> Cohorts:
    """Return the calibrated weights, or why there are none; None where the plan does not ask them."""
    if how_of(data.plan).estimator != "calibrated":
        return None
    try:
        return calibrated_cohorts(data)
    except EstimationError as fault:
        return fault


def _outcome_rows(asked: Asked, scope: Scope) -> list[EffectRow]:
    """Return every row of an outcome, the main one first."""
    try:
        area = lay_out(asked.data, asked.outcome)
    except EstimationError as fault:
        return [not_estimable(asked.row(measure, analysis), fault) for measure, analysis in main_measures(asked, None)]
    rows = main_rows(asked, area)
    if asked.role == "negative_control":
        return rows
    rows += ring_rows(asked, area)
    if scope == "all":
        rows += event_rows(asked, area)
        for part in _BESIDE:
            rows += part(asked, area)
    return rows
