"""Participants against a comparison group: weighted until alike, then the same outcome models (doubly robust).

Here: the choice of weights and what is compared with them. Rows: `effectmeter.designs.persons`.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.comparability import balance_rows, covariate_matrix, overlap_rows
from effectmeter.designs.persons import WEIGHTS_ALONE, Method, effect_rows
from effectmeter.designs.persons_rows import Weigh
from effectmeter.designs.sample import Sample
from effectmeter.estimators.balance import effective_sample_size
from effectmeter.estimators.base import EstimationError, FloatArray, Weights
from effectmeter.estimators.weighting import fit_weights
from effectmeter.gates.agreement import agreement, immortal_time
from effectmeter.gates.base import Gate
from effectmeter.gates.comparable import balance_weighted, negative_controls, overlap
from effectmeter.gates.delivered import linkage, missing, pairs
from effectmeter.gates.looks import looks
from effectmeter.gates.people import clusters, follow_up, size, time_zero
from effectmeter.gates.periods import placebo_period
from effectmeter.gates.power import power
from effectmeter.plan import Plan
from effectmeter.results import Comparability, EffectRow, GateResult

_MOST_NEIGHBOURS = 5


class ComparisonCohort:
    """Participants against a comparison group, on the plan's covariates."""

    name = "comparison_cohort"
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
        balance_weighted,
        overlap,
        placebo_period,
        negative_controls,
        agreement,
        looks,
        power,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return weights, balance before and after, overlap and effective sample size, for the primary estimand."""
        balance, bins, sizes = [], [], []
        label: list[str] = []
        person: list[str] = []
        weight: list[float] = []
        estimand = estimands(data.plan)[0]
        method = method_for(data.plan, estimand)
        for treated, contrast in data.plan.contrasts:
            try:
                matrix = covariate_matrix(data, treated)
                # also where no weights exist: groups without overlap are what the overlap gate is for
                score = weights_of(matrix.X, matrix.treated01, "none", estimand, matrix.size).propensity
                if score is not None:
                    bins += overlap_rows(contrast, score, matrix)
                found = weights_of(matrix.X, matrix.treated01, method, estimand, matrix.size)
            except EstimationError:
                continue  # the balance gate says that it could not be evaluated
            balance += balance_rows(contrast, matrix, found.weight)
            others = matrix.treated01 == 0
            sizes.append((contrast, effective_sample_size(found.weight[others], matrix.size[others])))
            label += [contrast] * len(matrix.person_id)
            person += matrix.person_id
            weight += found.weight.tolist()
        return Comparability(
            balance=tuple(balance),
            overlap=tuple(bins),
            weight_contrast=tuple(label),
            weight_person_id=tuple(person),
            weight=tuple(weight),
            effective_sample_size=tuple(sizes),
        )

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return the rows of the effects table, nothing hidden yet.

        Weights are fitted again on those analysed for each outcome and window, since the errors carry their estimation.
        """
        asked = estimands(data.plan)
        cache: dict[tuple[bytes, str, str], Weights | EstimationError] = {}
        weigh = partial(_weigh, cache)

        def by_plan(sample: Sample, estimand: str) -> Weights | None:
            return weigh(method_for(data.plan, estimand), sample, estimand)

        others: list[tuple[str, str, Weigh]] = [
            (estimand, "", by_plan) for estimand in ("att", "ato", "ate") if estimand not in asked
        ]
        if method_for(data.plan, asked[0]) != "none":
            others.append((asked[0], WEIGHTS_ALONE, by_plan))
        if data.plan.weighting != "match":
            others.append(("att", "matching", partial(weigh, "match")))
        return effect_rows(data, Method(estimands=asked, weigh=by_plan, others=tuple(others)), scope)

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a comparison with a group that was not drawn by lot."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def estimands(plan: Plan) -> tuple[str, ...]:
    """Return the plan's estimands, the primary first; by default the treated, then the overlap population."""
    stated = tuple(dict.fromkeys("att" if estimand == "itt" else estimand for estimand in plan.estimand))
    return stated or (("ato", "att") if plan.weighting == "overlap" else ("att", "ato"))


def method_for(plan: Plan, estimand: str) -> str:
    """Return the weighting for an estimand.

    The overlap population has overlap weights always; everybody (ATE) inverse probability unless the plan states one
    that can; the treated the plan's, or entropy balance where the plan's cannot give them.
    """
    if estimand == "ato":
        return "overlap"
    if plan.weighting == "none":
        return "none"
    if estimand == "ate":
        is_stated = "weighting" in plan.model_fields_set and plan.weighting == "entropy_balance"
        return "entropy_balance" if is_stated else "inverse_probability"
    return "entropy_balance" if plan.weighting == "overlap" else plan.weighting


def weights_of(
    X: FloatArray, treated01: FloatArray, method: str, estimand: str, size: FloatArray | None = None
) -> Weights:
    """Return the weights of persons, or of rows of `size` (n,) persons each; faults are those of `fit_weights`."""
    k = neighbours(treated01, size)
    return fit_weights(X, treated01, method=method, estimand=estimand, neighbours=k, n=size)


def neighbours(treated01: FloatArray, size: FloatArray | None = None) -> int:
    """Return how many comparison persons are matched to each treated one: as many as there are, 1 to 5.

    A row stands for `size` (n,) persons, one by default. More than a few bring people who are less alike for little
    precision (Austin 2010, doi:10.1093/aje/kwq224).
    """
    n = np.ones(len(treated01)) if size is None else size
    treated = float(n[treated01 == 1.0].sum())
    return int(min(max((n.sum() - treated) // max(treated, 1.0), 1.0), _MOST_NEIGHBOURS))


def _weigh(
    cache: dict[tuple[bytes, str, str], Weights | EstimationError], method: str, sample: Sample, estimand: str
) -> Weights | None:
    """Return the weights of a sample; the same arms and covariates are weighed once."""
    if method == "none" or sample.X.shape[1] == 0:
        return None
    key = (sample.key, method, estimand)
    if key not in cache:
        try:
            cache[key] = weights_of(sample.X, sample.treated01, method, estimand, sample.persons)
        except EstimationError as fault:
            cache[key] = fault
    found = cache[key]
    if isinstance(found, EstimationError):
        raise found
    return found
