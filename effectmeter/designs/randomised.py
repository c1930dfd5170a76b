"""Allocated against not allocated, by lot: intention to treat.

Here: what a trial does that a cohort does not. Rows: `effectmeter.designs.persons`.
"""

from __future__ import annotations

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.comparability import balance_rows, covariate_matrix
from effectmeter.designs.persons import Method, effect_rows
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import EstimationError, Weights
from effectmeter.gates.agreement import agreement, immortal_time
from effectmeter.gates.base import Gate
from effectmeter.gates.comparable import balance_randomised, negative_controls
from effectmeter.gates.delivered import linkage, missing, pairs
from effectmeter.gates.looks import looks
from effectmeter.gates.people import clusters, follow_up, size, time_zero
from effectmeter.gates.periods import placebo_period
from effectmeter.gates.power import power
from effectmeter.results import Comparability, EffectRow, GateResult


class Randomised:
    """Allocated against not allocated, everyone as allocated, adjusted for the covariates and blocks of the plan."""

    name = "randomised"
    tables: tuple[str, ...] = ("persons", "events", "absences", "person_counts")
    gate_list: tuple[Gate, ...] = (
        size,
        clusters,
        time_zero,
        immortal_time,
        follow_up,
        missing,
        pairs,
        linkage,
        balance_randomised,
        placebo_period,
        negative_controls,
        agreement,
        looks,
        power,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return the balance that the draw gave; a trial has no weights."""
        balance = []
        for treated, contrast in data.plan.contrasts:
            try:
                balance += balance_rows(contrast, covariate_matrix(data, treated), None)
            except EstimationError:
                continue  # the balance gate says that it could not be evaluated
        return Comparability(balance=tuple(balance))

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return the rows of the effects table, nothing hidden yet."""
        estimands = tuple(dict.fromkeys(data.plan.estimand)) or ("itt",)
        return effect_rows(
            data, Method(estimands=estimands, weigh=_unweighted, joins_arms="ato" not in estimands), scope
        )

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a trial."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def _unweighted(sample: Sample, estimand: str) -> Weights | None:
    """Return no weights: the draw made the groups alike."""
    if estimand == "ato" and sample.X.shape[1]:
        from effectmeter.estimators.weighting import fit_weights

        return fit_weights(sample.X, sample.treated01, method="overlap", estimand="ato", n=sample.persons)
    return None
