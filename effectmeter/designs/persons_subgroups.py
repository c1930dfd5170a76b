"""The primary question within each subgroup, and whether the subgroups differ.

Here: which subgroups, and the row that compares them. Not here: the comparison itself
(`effectmeter.estimators.interaction`).
"""

from __future__ import annotations

import math

import polars as pl

from effectmeter.designs.persons_rows import Part, Rows, denominators_of, primary_question
from effectmeter.designs.questions import Question
from effectmeter.designs.rows import LEVEL, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.interaction import interaction
from effectmeter.looks import implied_std_error
from effectmeter.results import EffectRow

INTERACTION = "interaction"
"""Estimator of the row that compares the subgroups of a column; its `subgroup` is ``<column>: interaction``."""
_LARGEST_SUBGROUPING = 12  # levels; more is a list, not a subgroup analysis


def add_subgroups(rows: Rows, treated: str, contrast: str) -> None:
    """Add the primary question within each level of the plan's subgroup columns, and per column one row that compares.

    A missing level is no subgroup. The row that compares has as `estimate` how many times larger the effect (ratio) is
    in one level than in another: with two levels the first in alphabetical order over the second, with more the
    largest over the smallest; 1 is "no difference". Its p-value is that of the test that all levels have one effect.
    """
    asked = primary_question(rows.data.plan)
    if asked is None:
        return
    for column in rows.data.plan.subgroups:
        if column not in rows.data.persons.columns:
            continue
        levels = sorted(rows.data.persons[column].drop_nulls().cast(pl.String).unique().to_list())
        for level in levels[:_LARGEST_SUBGROUPING]:
            part = Part(label=f"{column}={level}", within=pl.col(column).cast(pl.String) == level)
            sample = rows.sample(treated, asked, part)
            how = rows.specification(sample, asked)
            rows.add(sample, asked, contrast, "subgroup", how, weigh=rows.method.weigh, subgroup=part.label)
        _compare(rows, treated, contrast, asked, column)


def _compare(rows: Rows, treated: str, contrast: str, asked: Question, column: str) -> None:
    """Add the row that says whether the effect differs between the levels of a column."""
    whole = rows.sample(treated, asked)
    levels = [
        row
        for row in rows.found
        if row.analysis == "subgroup"
        and row.contrast == contrast
        and row.measure == asked.measure
        and (row.subgroup or "").startswith(f"{column}=")
    ]
    row = blank_row(
        rows.data,
        outcome=asked.outcome,
        measure=asked.measure,
        contrast=contrast,
        estimand=rows.method.estimands[0],
        estimator=INTERACTION,
        variance="wald",
        analysis="subgroup",
        subgroup=f"{column}: {INTERACTION}",
        window_days=asked.window_days,
        denominator=denominators_of(whole, asked)[0],
    )
    if isinstance(whole, Sample):
        row = with_counts(row, whole.counts(asked.measure, row.denominator))
    usable = [known for known in (_on_scale(each) for each in levels) if known is not None]
    try:
        if len(usable) < 2:
            raise ReasonedError(
                "fewer than two subgroups have an effect with an interval on both sides, so they cannot be compared",
                "Minder dan twee groepen hebben een uitkomst met een marge. Dan is er niets te vergelijken.",
            )
        found = interaction(
            [value for value, _ in usable], [error for _, error in usable], is_log=row.is_ratio, level=LEVEL
        )
        rows.found.append(with_estimate(rows.data, row, found))
    except EstimationError as fault:
        rows.found.append(not_estimable(row, fault))


def _on_scale(row: EffectRow) -> tuple[float, float] | None:
    """Return a row's effect and what its interval amounts to as an error, both on the log scale for ratios."""
    error = implied_std_error(row.conf_low, row.conf_high, is_ratio=row.is_ratio, level=LEVEL)
    if row.estimate is None or error is None or (row.is_ratio and row.estimate <= 0.0):
        return None
    return (math.log(row.estimate) if row.is_ratio else row.estimate), error
