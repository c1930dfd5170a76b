"""How alike the arms are: covariate matrices, balance, preference scores and effective sample sizes of a contrast.

Here: the tables of the comparability step. Not here: which figure passes (`effectmeter.gates.comparable`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData, sizes
from effectmeter.estimators.balance import balance_table, preference_score
from effectmeter.estimators.base import EmptyArmError, FloatArray
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.results import BalanceRow, OverlapRow

_BINS = 20  # so that 0.3 and 0.7 are edges


@dataclass(frozen=True, slots=True)
class CovariateMatrix:
    """Covariates of everyone in a contrast.

    Attributes
    ----------
    X, terms
        (n, k) and its names.
    treated01
        (n,).
    person_id
        (n,) pseudonyms.
    size
        (n,) how many persons each row stands for: one, but where they are added up.
    """

    X: FloatArray
    terms: tuple[str, ...]
    treated01: FloatArray
    person_id: tuple[str, ...]
    size: FloatArray


def covariate_matrix(data: AnalysisData, treated: str) -> CovariateMatrix:
    """Return the covariates of everyone in a contrast.

    Raises
    ------
    EmptyArmError
        An arm has nobody with covariates.
    """
    people = data.persons.filter(pl.col("arm").is_in([treated, data.plan.arms.comparison]))
    covariates = {name: spec for name, spec in data.plan.adjust_for.items() if name in people.columns}
    side = (people["arm"] == treated).to_numpy().astype(np.float64)
    matrix = build_design_matrix(people, covariates, data.plan.missing, side, size=sizes(people))
    people = people.filter(pl.Series(np.asarray(matrix.keep), dtype=pl.Boolean))
    arm = (people["arm"] == treated).to_numpy().astype(np.float64)
    if not 0 < arm.sum() < len(arm):
        raise EmptyArmError("an arm has nobody with all covariates")
    ids = tuple(people["person_id"].to_list())
    return CovariateMatrix(np.asarray(matrix.X), tuple(matrix.terms), arm, ids, sizes(people))


def balance_rows(contrast: str, matrix: CovariateMatrix, weight: FloatArray | None) -> list[BalanceRow]:
    """Return the standardised differences of every term; with weights also of squares and products."""
    if matrix.X.shape[1] == 0:
        return []
    second = weight is not None
    before, after = (
        balance_table(matrix.X, matrix.terms, matrix.treated01, each, second_order=second, size=matrix.size)
        for each in (None, weight)
    )
    return [
        BalanceRow(
            contrast=contrast,
            term=then.term,
            kind=cast(Literal["main", "square", "product"], then.kind),
            mean_treated=now.mean_treated,
            mean_comparison_before=then.mean_comparison,
            mean_comparison_after=now.mean_comparison,
            smd_before=then.smd_before,
            smd_after=now.smd_after,
        )
        for then, now in zip(before, after, strict=True)
    ]


def overlap_rows(contrast: str, propensity: FloatArray, matrix: CovariateMatrix) -> list[OverlapRow]:
    """Return the preference score of both arms in bins of 0.05."""
    arms = matrix.treated01
    score = preference_score(propensity, arms, matrix.size)
    place = np.clip((score * _BINS).astype(np.intp), 0, _BINS - 1)
    numbers = [np.bincount(place[arms == arm], matrix.size[arms == arm], _BINS) for arm in (1, 0)]
    return [
        OverlapRow(
            contrast=contrast,
            bin_low=round(number / _BINS, 2),
            bin_high=round((number + 1) / _BINS, 2),
            n_treated=int(numbers[0][number]),
            n_comparison=int(numbers[1][number]),
        )
        for number in range(_BINS)
    ]
