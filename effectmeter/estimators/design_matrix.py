"""Covariates as columns of numbers: dummies, powers, indicators of missing values.

What happens to them in a model is elsewhere; which covariates there are is the plan's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.glm import independent_columns
from effectmeter.plan import CovariateSpec, Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignMatrix:
    """The covariates of those who are kept.

    Attributes
    ----------
    X
        (n kept, k) without intercept.
    terms
        (k,) names: ``age``, ``age^2``, ``sex=f``, ``priors missing``.
    keep
        (n given,) False for persons left out because a covariate is missing (``exclude``).
    notes, notes_nl
        One sentence per column that was dropped, in both languages, for the method section.
    """

    X: FloatArray = field(repr=False)
    terms: tuple[str, ...]
    keep: NDArray[np.bool_] = field(repr=False)
    notes: tuple[str, ...] = ()
    notes_nl: tuple[str, ...] = ()


def build_design_matrix(
    persons: pl.DataFrame,
    adjust_for: Mapping[str, CovariateSpec],
    missing: Missing | None = None,
    treated01: FloatArray | None = None,
    *,
    size: FloatArray | None = None,
) -> DesignMatrix:
    """Turn the plan's covariates into a matrix.

    Parameters
    ----------
    persons
        One row per person; missing is null (or NaN).
    adjust_for
        Covariates of the plan, in its order.
    missing
        ``indicator``: the mean (or a level of its own) and a 0/1 column; ``exclude``: the person is left out.
    treated01
        (n,) 1 for treated, 0 for comparison, NaN for others. With it, a covariate that only one arm lacks for some has
        no indicator: it would say who was treated, and no weights could make the arms alike in it.
    size
        (n,) how many persons each row stands for, all alike; one by default. Averages are over persons.

    Notes
    -----
    Categories are dummies against the first level in alphabetical order. Columns that do not vary, or repeat a
    combination of earlier ones, are dropped with a note. A numeric covariate's powers are taken of the centred value.
    Where the indicator is dropped because one arm alone lacks the covariate, that arm's own mean is filled in (a
    category: its arm's shares of the levels), so that the fill does not pull the arms together. A covariate that an
    arm lacks for everybody keeps its indicator: nothing can adjust for it, and the estimate must not pretend to.
    """
    rule = "indicator" if missing is None else missing.covariates
    n = persons.height
    keep = np.ones(n, dtype=np.bool_)
    if rule == "exclude":
        for name in adjust_for:
            keep &= ~_is_missing(persons[name])
    kept = persons.filter(pl.Series(keep, dtype=pl.Boolean))
    arm = None if treated01 is None else np.asarray(treated01, dtype=np.float64)[keep]
    n_alike = np.ones(kept.height) if size is None else size[keep]
    columns: list[tuple[str, FloatArray]] = []
    one_sided: list[str] = []
    for name, spec in adjust_for.items():
        lacking = _lacking_arm(_is_missing(kept[name]), arm)
        if lacking is not None:
            one_sided.append(name)
        columns += (
            _numeric(kept[name], spec.degree, n_alike, lacking)
            if spec.type == "numeric"
            else _categorical(kept[name], n_alike, lacking)
        )
    return _noted(_independent(columns, keep, int(keep.sum())), one_sided)


def _lacking_arm(gone: NDArray[np.bool_], arm: FloatArray | None) -> NDArray[np.bool_] | None:
    """Return who is in the arm that alone lacks a covariate for some; None where both do, none does, or all lack it."""
    if arm is None or not gone.any():
        return None
    sides = [(arm == side) for side in (1.0, 0.0)]
    lacks = [bool(gone[side].any()) for side in sides]
    if lacks[0] == lacks[1] or gone[np.isnan(arm)].any():
        return None
    side = sides[0] if lacks[0] else sides[1]
    return None if gone[side].all() else side


def _noted(matrix: DesignMatrix, one_sided: list[str]) -> DesignMatrix:
    """Return the matrix with a sentence per covariate that only one arm lacks for some."""
    if not one_sided:
        return matrix
    return replace(
        matrix,
        notes=(
            *matrix.notes,
            *(f"{name} is missing in one group only: its average there was filled in." for name in one_sided),
        ),
        notes_nl=(
            *matrix.notes_nl,
            *(f"{name} ontbreekt maar in een groep. Daar is het gemiddelde ingevuld." for name in one_sided),
        ),
    )


def _is_missing(column: pl.Series) -> NDArray[np.bool_]:
    """Return where a value is missing."""
    if column.dtype.is_float():
        return np.asarray(np.isnan(column.to_numpy()), dtype=np.bool_)  # null becomes NaN
    if not column.null_count():
        return np.zeros(len(column), dtype=np.bool_)
    return column.is_null().to_numpy().astype(np.bool_)


def _numeric(
    column: pl.Series, degree: int, persons: FloatArray, lacking: NDArray[np.bool_] | None = None
) -> list[tuple[str, FloatArray]]:
    """Return a number, its powers, and an indicator where some are missing (in more than the `lacking` arm)."""
    gone = _is_missing(column)
    values = column.cast(pl.Float64).to_numpy().astype(np.float64)  # null becomes NaN
    middle = _mean(values, persons, ~gone) if (~gone).any() else 0.0
    fill = middle if lacking is None else _mean(values, persons, ~gone & lacking)
    filled = np.where(gone, fill, values)
    found = [(column.name, filled)]
    found += [(f"{column.name}^{power}", (filled - middle) ** power) for power in range(2, degree + 1)]
    if gone.any() and lacking is None:
        found.append((f"{column.name} missing", gone.astype(np.float64)))
    return found


def _mean(values: FloatArray, persons: FloatArray, of: NDArray[np.bool_]) -> float:
    return float(np.average(values[of], weights=persons[of]))


def _categorical(
    column: pl.Series, persons: FloatArray, lacking: NDArray[np.bool_] | None = None
) -> list[tuple[str, FloatArray]]:
    """Return a 0/1 column per level but the first; missing is a level of its own, or the `lacking` arm's shares."""
    gone = _is_missing(column)
    levels = column.cast(pl.String).to_numpy()
    names = sorted({str(level) for level, out in zip(levels, gone, strict=True) if not out})
    found = [(f"{column.name}={name}", ((levels == name) & ~gone).astype(np.float64)) for name in names[1:]]
    if gone.any() and lacking is None:
        found.append((f"{column.name} missing", gone.astype(np.float64)))
    elif lacking is not None:
        found = [(name, np.where(gone, _mean(values, persons, ~gone & lacking), values)) for name, values in found]
    return found


def _independent(columns: list[tuple[str, FloatArray]], keep: NDArray[np.bool_], n: int) -> DesignMatrix:
    """Return the matrix without columns that say nothing new."""
    if not columns or n == 0:
        return DesignMatrix(X=np.empty((n, 0)), terms=(), keep=keep)
    X = np.column_stack([values for _, values in columns])
    centred = X - X.mean(axis=0)
    spread = np.abs(centred).max(axis=0)
    varies = spread > 1e-12 * np.maximum(np.abs(X).max(axis=0), 1e-300)
    centred[:, ~varies] = 0.0
    kept = independent_columns(centred)
    dropped = [j for j in range(X.shape[1]) if j not in set(kept.tolist())]
    return DesignMatrix(
        X=X[:, kept],
        terms=tuple(columns[j][0] for j in kept),
        keep=keep,
        notes=tuple(
            f"{columns[j][0]} was left out: it {'follows from other covariates' if varies[j] else 'does not vary'}."
            for j in dropped
        ),
        notes_nl=tuple(
            f"{columns[j][0]} is weggelaten: deze {'volgt uit andere kenmerken' if varies[j] else 'varieert niet'}."
            for j in dropped
        ),
    )
