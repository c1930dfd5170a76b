"""Several sites or published trials taken together: the mean effect, and where a next trial may fall.

Here: which rows there are, and which of them is the headline. Trials themselves: `effectmeter.designs.trial_set`;
arithmetic: `effectmeter.estimators.pooling` and its neighbours.

Where trials differ (`effectmeter.gates.trials.demotes`) the mean describes none of them. The prediction interval is
then the primary row and the mean a secondary one; both are shown. A plan cannot escape this by asking for a method
without a variance between trials: the prediction is then made with ``pmm_hk``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.questions import measures_of, primary_outcome
from effectmeter.designs.rows import LEVEL, ReasonedError, blank_row, not_estimable, with_estimate
from effectmeter.designs.trial_set import TrialSet, pooled_measure, trial_set
from effectmeter.estimators.base import Estimate, EstimationError, SeparationError
from effectmeter.estimators.interaction import interaction
from effectmeter.estimators.pooling import MEAN, PREDICTION, Method, heterogeneity, pool
from effectmeter.estimators.pooling_counts import collapsed, few_bound, mantel_haenszel
from effectmeter.estimators.pooling_exact import binomial_normal, exact_bound
from effectmeter.estimators.sensitivity import BOUND
from effectmeter.estimators.small_samples import few_events
from effectmeter.gates import trials as gates_of_trials
from effectmeter.gates.agreement import agreement
from effectmeter.gates.base import Gate
from effectmeter.gates.looks import looks
from effectmeter.gates.trials import demotes
from effectmeter.looks import implied_std_error
from effectmeter.results import Comparability, EffectRow, GateResult

EXACT = "binomial_normal"
HANDFUL = 20
"""Up to this many trials each is left out once and shown; above it only the lowest and the highest result."""
_PREDICTS: dict[str, tuple[Method, ...]] = {"reml_hk": ("pmm_hk", "reml_hk"), "reml_wald": ("reml_wald",)}
"""Which predictions stand beside a method's mean, the one that may become the headline first."""
_ENUMERATED = ("odds_ratio", "risk_ratio")


class PooledTrials:
    """Several trials taken together."""

    name = "pooled_trials"
    tables: tuple[str, ...] = ("trials",)
    gate_list: tuple[Gate, ...] = (
        gates_of_trials.number_of_trials,
        gates_of_trials.heterogeneity,
        gates_of_trials.small_studies,
        agreement,
        looks,
        gates_of_trials.power_of_trials,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return nothing: each trial made its own arms alike."""
        return Comparability()

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet; the primary row first."""
        measure = pooled_measure(data)
        methods = _methods(data)
        try:
            trials = trial_set(data, measure)
        except EstimationError as fault:
            return (not_estimable(_row(data, measure, methods[0], "primary"), fault),)
        if _is_sparse(trials, methods[0]):
            methods = (EXACT, *methods)
        rows = _headline(data, trials, methods)
        if scope == "verdict":
            return rows
        main = methods[0]
        return (
            *rows,
            *_exact(data, trials, methods),
            *_bound(data, trials),
            *_companions(data, trials, main),
            *_unadjusted(data, trials),
            *_without_one(data, trials, main),
            *_subgroups(data, trials, main),
        )

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a pooled analysis."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def _methods(data: AnalysisData) -> tuple[str, ...]:
    options = data.plan.trials
    return tuple(dict.fromkeys(options.methods)) if options and options.methods else ("reml_hk", "mantel_haenszel")


def _is_sparse(trials: TrialSet, method: str) -> bool:
    """Return whether events are too few for the plan's first method.

    An arm with fewer than five events (or persons without one) over all trials is too few for any normal interval. Half
    of the trials with an empty cell is too many for methods that add 0.5 there; Mantel-Haenszel's does not.
    """
    if not trials.has_counts or trials.measure not in _ENUMERATED or len(trials) < 2:
        return False
    counts = trials.counts
    whole = [float(column.sum()) for column in (counts.events_treated, counts.events_comparison)]
    n = [float(column.sum()) for column in (counts.n_treated, counts.n_comparison)]
    if few_events(*whole, *(n if trials.measure == "odds_ratio" else ())):
        return True
    empty = counts.has_empty_cell[trials.speaks]
    return method != "mantel_haenszel" and bool(len(empty)) and float(empty.mean()) >= 0.5


def _row(
    data: AnalysisData,
    measure: str,
    estimator: str,
    analysis: str,
    variance: str = "model",
    subgroup: str | None = None,
) -> EffectRow:
    return blank_row(
        data,
        outcome=primary_outcome(data.plan),
        measure=measure,
        contrast=data.plan.contrasts[0][1],
        estimand="ate",
        estimator=estimator,
        variance=variance,
        analysis=analysis,
        subgroup=subgroup,
    )


def _with_trials(row: EffectRow, trials: TrialSet) -> EffectRow:
    """Return the row with persons, events and trials; persons unknown where a trial did not deliver them."""

    def total(values: np.ndarray) -> float | None:
        return float(values.sum()) if np.isfinite(values).all() else None

    counts = trials.counts
    n = [total(values) for values in (counts.n_treated, counts.n_comparison)]
    return replace(
        row,
        n_treated=None if n[0] is None else round(n[0]),
        n_comparison=None if n[1] is None else round(n[1]),
        events_treated=total(counts.events_treated),
        events_comparison=total(counts.events_comparison),
        n_clusters_treated=len(trials),
        n_clusters_comparison=len(trials),
    )


def _mean(trials: TrialSet, method: str, level: float, what: str = MEAN) -> Estimate:
    """Return a method's pooled estimate.

    Raises
    ------
    EstimationError
        The method cannot pool these trials.
    """
    if method in ("mantel_haenszel", EXACT, "collapsed"):
        if not trials.has_counts:
            raise ReasonedError(
                "this method adds up persons, and not every trial delivered counts",
                "Deze methode telt mensen op. Niet elke studie heeft aantallen geleverd.",
            )
        if method == EXACT:
            return binomial_normal(trials.counts, trials.measure, level=level)
        try:
            add = mantel_haenszel if method == "mantel_haenszel" else collapsed
            return add(trials.counts, trials.measure, level=level)
        except SeparationError:
            whole = trials.counts if method == "mantel_haenszel" else trials.counts.summed()
            return exact_bound(whole, trials.measure, level=level)
    y, v = trials.effects()
    if len(y) < 2:
        raise ReasonedError(
            "differences between trials need at least two trials with an estimate",
            "Hiervoor zijn minstens twee studies met een uitkomst nodig.",
        )
    chosen: Method = method if method in ("reml_wald", "dl_wald", "pmm_hk") else "reml_hk"  # type: ignore[assignment]
    return pool(y, v, method=chosen, what=what, level=level, is_log=trials.is_ratio)


def _estimated(data: AnalysisData, row: EffectRow, trials: TrialSet, at: Callable[[float], Estimate]) -> EffectRow:
    """Return the row with its estimate, or with the reason why there is none."""
    row = _with_trials(row, trials)
    try:
        return with_estimate(data, row, at(LEVEL), refit=at, scale=_scale(row))
    except EstimationError as fault:
        return not_estimable(row, fault)


def _scale(row: EffectRow) -> float:
    """Return the size of the outcome that a difference is measured against: the comparison's risk."""
    if row.measure != "risk_difference" or not row.events_comparison or not row.n_comparison:
        return 1.0
    return row.events_comparison / row.n_comparison


def _headline(data: AnalysisData, trials: TrialSet, methods: tuple[str, ...]) -> tuple[EffectRow, ...]:
    """Return the mean by every method and the predictions; the primary row first."""
    main = methods[0]
    predictors = [predictor for method in methods for predictor in _PREDICTS.get(method, ())]
    try:
        differ = demotes(heterogeneity(*trials.effects()), is_ratio=trials.is_ratio)
    except EstimationError:
        differ = False
    if differ and not predictors:
        predictors = list(_PREDICTS["reml_hk"])
    rows: list[EffectRow] = []
    for method in methods:
        is_main = method == main
        analysis = ("secondary" if differ else "primary") if is_main else "sensitivity"
        row = _row(data, trials.measure, method, analysis)
        row = _estimated(data, row, trials, partial(_mean, trials, method))
        if not any((row.estimator, row.variance) == (other.estimator, other.variance) for other in rows):
            rows.append(row)  # two methods may end in the same exact bound
    for number, method in enumerate(predictors):
        if len(trials.effects()[0]) < 2:
            break
        analysis = "primary" if differ and number == 0 else "secondary"  # no other answer to the mean's question
        row = _row(data, trials.measure, f"{method}_{PREDICTION}", analysis, PREDICTION)
        rows.append(_estimated(data, row, trials, partial(_mean, trials, method, what=PREDICTION)))
    return tuple(sorted(rows, key=lambda row: ("primary", "secondary", "sensitivity").index(row.analysis)))


def _exact(data: AnalysisData, trials: TrialSet, methods: tuple[str, ...]) -> tuple[EffectRow, ...]:
    """Return the exact row beside the others, where a trial has an empty cell and 0.5 had to be added."""
    if EXACT in methods or not trials.has_counts or trials.measure not in _ENUMERATED:
        return ()
    if not trials.counts.has_empty_cell.any() or len(trials) < 2:
        return ()
    row = _row(data, trials.measure, EXACT, "sensitivity", "profile")
    return (_estimated(data, row, trials, partial(_mean, trials, EXACT)),)


def _bound(data: AnalysisData, trials: TrialSet) -> tuple[EffectRow, ...]:
    """Return what may be told where too few events in an arm keep the pooled ratio from being told."""
    least = data.plan.disclosure.minimum_persons
    if least < 2 or not trials.has_counts or trials.measure not in _ENUMERATED:
        return ()
    row = _with_trials(_row(data, trials.measure, BOUND, "sensitivity"), trials)
    is_few = [(events or 0.0) < least for events in (row.events_treated, row.events_comparison)]
    if is_few[0] == is_few[1]:
        return ()
    row = replace(row, events_treated=None, events_comparison=None)
    at = partial(few_bound, trials.counts, trials.measure, few=least - 1.0, in_treated=is_few[0])
    try:
        return (with_estimate(data, row, at(level=LEVEL), refit=lambda level: at(level=level)),)
    except EstimationError:
        return ()


def _companions(data: AnalysisData, trials: TrialSet, main: str) -> tuple[EffectRow, ...]:
    """Return the plan's other measures, and the absolute difference that stands beside every ratio of counts."""
    asked = [measure for measure in measures_of(data.plan, primary_outcome(data.plan)) if measure != trials.measure]
    if trials.is_ratio and trials.has_counts and "risk_difference" not in asked:
        asked.append("risk_difference")
    rows = []
    for measure in asked:
        method = "mantel_haenszel" if main == EXACT and measure not in _ENUMERATED else main
        row = _row(data, measure, method, "secondary")
        try:
            other = trial_set(data, measure)
        except EstimationError as fault:
            rows.append(not_estimable(row, fault))
            continue
        rows.append(_estimated(data, row, other, partial(_mean, other, method)))
    return tuple(rows)


def _unadjusted(data: AnalysisData, trials: TrialSet) -> tuple[EffectRow, ...]:
    """Return all persons added up as if they were one trial."""
    if not trials.has_counts:
        return ()
    row = _row(data, trials.measure, "collapsed", "unadjusted")
    return (_estimated(data, row, trials, partial(_mean, trials, "collapsed")),)


def _without_one(data: AnalysisData, trials: TrialSet, main: str) -> tuple[EffectRow, ...]:
    """Return the mean with each trial left out once; of many trials the lowest and the highest result."""
    speaks = np.flatnonzero(trials.speaks)
    if len(speaks) < 3:
        return ()
    rows = []
    for left_out in speaks:
        rest = trials.only(np.arange(len(trials)) != left_out)
        row = _row(data, trials.measure, main, "sensitivity", subgroup=f"without={trials.names[left_out]}")
        rows.append(_estimated(data, row, rest, partial(_mean, rest, main)))
    if len(rows) <= HANDFUL:
        return tuple(rows)
    ranked = sorted((row for row in rows if row.estimate is not None), key=lambda row: row.estimate or 0.0)
    return (ranked[0], ranked[-1]) if len(ranked) > 1 else tuple(ranked)


def _subgroups(data: AnalysisData, trials: TrialSet, main: str) -> tuple[EffectRow, ...]:
    """Return the mean within each group of trials, and whether the groups differ."""
    rows = []
    for column, values in trials.groups.items():
        within: list[tuple[str, TrialSet]] = [
            (value, trials.only(np.array([other == value for other in values])))
            for value in sorted({value for value in values if value is not None})
        ]
        for value, group in within:
            row = _row(data, trials.measure, main, "subgroup", subgroup=f"{column}={value}")
            rows.append(_estimated(data, row, group, partial(_mean, group, main)))
        if len(within) > 1:
            rows.append(_interaction(data, trials, column, rows[-len(within) :]))
    return tuple(rows)


def _interaction(data: AnalysisData, trials: TrialSet, column: str, groups: list[EffectRow]) -> EffectRow:
    """Return the test of whether groups of trials differ, from their own means.

    An error is what the group's interval amounts to: Hartung and Knapp's t is in it.
    """
    row = _row(data, trials.measure, "interaction", "subgroup", "wald", f"{column}: interaction")
    row = _with_trials(row, trials)
    found = [(group, implied_std_error(group.conf_low, group.conf_high, is_ratio=group.is_ratio)) for group in groups]
    known = [
        (math.log(group.estimate) if group.is_ratio else group.estimate, error)
        for group, error in found
        if group.estimate and error is not None
    ]
    try:
        if len(known) < 2:
            raise ReasonedError(
                "fewer than two groups of trials have a mean with an interval, so they cannot be compared",
                "Minder dan twee groepen studies hebben een uitkomst met een marge. Dan is er niets te vergelijken.",
            )
        values, errors = zip(*known, strict=True)
        return with_estimate(data, row, interaction(values, errors, is_log=row.is_ratio, level=LEVEL))
    except EstimationError as fault:
        return not_estimable(row, fault)
