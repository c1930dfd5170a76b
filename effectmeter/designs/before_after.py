"""Families or persons before and after, with comparison families where there are any.

Here: which rows there are: the raw change per arm, the effect as a ratio of those changes, the placebo, negative
controls, subgroups. Not here: how a row is made (`before_after_rows`), what stands beside the effect
(`before_after_beside`), and whether a change may be called an effect (`effectmeter.gates.periods.peak_selection`).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.before_after_beside import beside, difference_row, expected_rows
from effectmeter.designs.before_after_rows import (
    EFFECT,
    TIMES,
    change_row,
    effect_row,
    empty_row,
    periods_of,
    stated_window,
)
from effectmeter.designs.questions import Question, primary_outcome, questions
from effectmeter.designs.rows import not_estimable
from effectmeter.estimators.base import EstimationError
from effectmeter.gates.agreement import agreement
from effectmeter.gates.base import Gate, has_comparison
from effectmeter.gates.comparable import negative_controls
from effectmeter.gates.delivered import linkage, missing
from effectmeter.gates.looks import looks
from effectmeter.gates.people import clusters, follow_up, size, time_zero
from effectmeter.gates.periods import expected_drop, peak_selection
from effectmeter.gates.power import power
from effectmeter.results import Comparability, EffectRow, GateResult

_LARGEST_SUBGROUPING = 12  # levels; more is a list, not a subgroup analysis


class BeforeAfter:
    """The same families or persons before and after; the effect is their change against that of comparison families."""

    name = "before_after"
    tables: tuple[str, ...] = ("persons", "events", "absences", "person_counts")
    gate_list: tuple[Gate, ...] = (
        size,
        clusters,
        time_zero,
        follow_up,
        missing,
        linkage,
        peak_selection,
        expected_drop,
        negative_controls,
        agreement,
        looks,
        power,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return nothing: each unit is compared with itself."""
        return Comparability()

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet; the primary row first.

        With scope ``verdict`` only the primary outcome in its first kind of time with the change to expect, placebo
        and negative controls.
        """
        asked = {question.outcome: stated_window(data, question.outcome) for question in questions(data.plan)}
        rows: list[EffectRow] = []
        for outcome, window in asked.items():
            is_primary = outcome == primary_outcome(data.plan)
            if is_primary or scope == "all":
                rows += _outcome_rows(data, Question(outcome, window, EFFECT, is_primary), scope)
        if asked and has_comparison(data):
            outcome, window = next(iter(asked.items()))
            rows += _checks(data, Question(outcome, window, EFFECT, is_primary=False))
            if scope == "all":
                rows += _subgroups(data, Question(outcome, window, EFFECT, is_primary=False))
        return tuple(sorted(rows, key=lambda row: row.analysis != "primary"))

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a before-after design."""
        return tuple(result for gate in self.gate_list for result in gate(data, comparability, effects))


def _outcome_rows(data: AnalysisData, question: Question, scope: Scope) -> list[EffectRow]:
    """Return one outcome's changes and effect, what to expect without one, and what stands beside."""
    label = "primary" if question.is_primary else "secondary"
    controlled = has_comparison(data)
    try:
        periods = periods_of(data, question.outcome)
    except EstimationError as fault:
        return [
            not_estimable(empty_row(data, question, contrast, label, None), fault)
            for _, contrast in data.plan.contrasts
        ]
    rows = []
    denominators = periods.denominators if scope == "all" else periods.denominators[:1]
    for number, denominator in enumerate(denominators):
        analysis = label if number == 0 else "secondary"
        for treated, contrast in data.plan.contrasts:
            if controlled:
                rows.append(effect_row(data, question, periods, treated, contrast, analysis, denominator))
                if scope == "all":
                    rows.append(difference_row(data, question, periods, treated, contrast, denominator))
                if scope == "all" and number == 0:
                    rows += beside(data, question, periods, treated, contrast, denominator)
            else:
                rows.append(change_row(data, question, periods, treated, analysis, denominator))
            rows.append(change_row(data, question, periods, treated, "unadjusted", denominator))
        if controlled:
            rows.append(change_row(data, question, periods, data.plan.arms.comparison, "unadjusted", denominator))
    return rows + expected_rows(data, question, periods, controlled=controlled)


def _checks(data: AnalysisData, question: Question) -> list[EffectRow]:
    """Return the placebo (two periods before the programme, where the ratio must be 1) and the negative controls."""
    names = (name for name in data.plan.negative_controls if name != question.outcome)
    controls = [_effects(data, replace(question, outcome=name), "negative_control") for name in names]
    placebo = [] if data.placebo is None else _effects(data.placebo, question, "placebo")
    return placebo + [row for rows in controls for row in rows]


def _effects(data: AnalysisData, question: Question, analysis: str, subgroup: str | None = None) -> list[EffectRow]:
    """Return one row per contrast."""
    try:
        periods = periods_of(data, question.outcome)
    except EstimationError as fault:
        return [
            not_estimable(empty_row(data, question, contrast, analysis, TIMES[0], subgroup=subgroup), fault)
            for _, contrast in data.plan.contrasts
        ]
    return [
        effect_row(data, question, periods, treated, contrast, analysis, TIMES[0], subgroup=subgroup)
        for treated, contrast in data.plan.contrasts
    ]


def _subgroups(data: AnalysisData, question: Question) -> list[EffectRow]:
    """Return the effect within each level of the plan's subgroup columns; a missing level is no subgroup."""
    rows = []
    for column in data.plan.subgroups:
        if column not in data.persons.columns:
            continue
        levels = sorted(data.persons[column].drop_nulls().cast(pl.String).unique().to_list())
        for level in levels[:_LARGEST_SUBGROUPING]:
            within = replace(data, persons=data.persons.filter(pl.col(column).cast(pl.String) == level))
            rows += _effects(within, question, "subgroup", f"{column}={level}")
    return rows
