"""How alike the arms are: standardised differences, preference scores, effective sample size.

Figures only; which figure passes is a gate's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from effectmeter.estimators.base import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TermBalance:
    """Balance in one term of the design, before and after weighting.

    Attributes
    ----------
    term
        Name; ``age^2`` and ``age * prior`` for squares and products.
    kind
        ``main``, ``square`` or ``product``.
    mean_treated, mean_comparison
        Weighted means.
    smd_before, smd_after
        Standardised mean differences; the deviation is that of the unweighted arms, pooled.
    """

    term: str
    kind: str
    mean_treated: float
    mean_comparison: float
    smd_before: float
    smd_after: float


def smd(
    x: FloatArray, treated01: FloatArray, weight: FloatArray | None = None, *, size: FloatArray | None = None
) -> float:
    """Return the standardised mean difference of `x` (n,) between arms; a row stands for `size` (n,) persons.

    Notes
    -----
    ``(m1 - m0) / sqrt((v1 + v0) / 2)``, means weighted, variances not, so that weighting cannot shrink the ruler.
    A term without variance in either arm gives 0 when the means are equal; otherwise the deviation is that of both arms
    together, so that the difference is large and finite.

    References
    ----------
    Austin (2009), doi:10.1002/sim.3697.
    """
    size = np.ones(len(x)) if size is None else size
    weight = size if weight is None else size * weight
    one, zero = treated01 == 1.0, treated01 == 0.0
    difference = float(np.average(x[one], weights=weight[one]) - np.average(x[zero], weights=weight[zero]))
    deviation = float(np.sqrt((_variance(x[one], size[one]) + _variance(x[zero], size[zero])) / 2.0))
    if deviation < 1e-12 * max(1.0, float(np.abs(x).max())):
        if abs(difference) < 1e-9 * max(1.0, float(np.abs(x).max())):
            return 0.0
        deviation = _spread(x, size)
    return difference / deviation


def _variance(x: FloatArray, size: FloatArray) -> float:
    """Return the sample variance; that of a 0/1 term with its own p (1 - p)."""
    n = float(size.sum())
    mean = float(np.average(x, weights=size))
    if np.isin(x, (0.0, 1.0)).all():
        return mean * (1.0 - mean)
    return float(size @ (x - mean) ** 2) / (n - 1.0) if n > 1.0 else 0.0


def _spread(x: FloatArray, size: FloatArray) -> float:
    """Return the standard deviation of persons."""
    return float(np.sqrt(np.average((x - np.average(x, weights=size)) ** 2, weights=size)))


def balance_table(
    X: FloatArray,
    terms: Sequence[str],
    treated01: FloatArray,
    weight: FloatArray | None = None,
    *,
    second_order: bool = False,
    size: FloatArray | None = None,
) -> tuple[TermBalance, ...]:
    """Return the balance of every term, with squares and pairwise products when `second_order`.

    A row of `X` stands for `size` (n,) persons, one by default; `weight` is per person.

    Squares and products of 0/1 terms that repeat a term, or never vary, are left out.
    """
    rows = [(name, "main", X[:, j]) for j, name in enumerate(terms)]
    size = np.ones(len(treated01)) if size is None else size
    if second_order:
        rows += _second_order(X, terms, size)
    given, weight = weight, size if weight is None else size * weight
    one, zero = treated01 == 1.0, treated01 == 0.0
    return tuple(
        TermBalance(
            term=name,
            kind=kind,
            mean_treated=float(np.average(x[one], weights=weight[one])),
            mean_comparison=float(np.average(x[zero], weights=weight[zero])),
            smd_before=smd(x, treated01, size=size),
            smd_after=smd(x, treated01, given, size=size),
        )
        for name, kind, x in rows
    )


def _second_order(X: FloatArray, terms: Sequence[str], size: FloatArray) -> list[tuple[str, str, FloatArray]]:
    """Return squares and products of centred terms."""
    centred = X - size @ X / size.sum()
    binary = [bool(np.isin(X[:, j], (0.0, 1.0)).all()) for j in range(X.shape[1])]
    found: list[tuple[str, str, FloatArray]] = []
    for j, name in enumerate(terms):
        if not binary[j]:
            found.append((f"{name}^2", "square", centred[:, j] ** 2))
        for i in range(j):
            product = X[:, i] * X[:, j] if binary[i] and binary[j] else centred[:, i] * centred[:, j]
            if _spread(product, size) > 1e-12:
                found.append((f"{terms[i]} * {name}", "product", product))
    return found


def preference_score(propensity: FloatArray, treated01: FloatArray, size: FloatArray | None = None) -> FloatArray:
    """Return the preference score (n,): the propensity score freed from how common treatment is.

    A row stands for `size` (n,) persons, one by default.

    Notes
    -----
    ``logit F = logit e - logit P``, with P the share of treated persons. Persons with 0.3 <= F <= 0.7 could have been
    in either arm.

    References
    ----------
    Walker et al. (2013), doi:10.2147/CER.S40357.
    """
    share = float(np.average(treated01, weights=size))
    e = np.clip(propensity, 1e-12, 1.0 - 1e-12)
    odds = e / (1.0 - e) * (1.0 - share) / share
    result: FloatArray = odds / (1.0 + odds)
    return result


def effective_sample_size(weight: FloatArray, size: FloatArray | None = None) -> float:
    """Return Kish's effective number of persons, ``(sum w)^2 / sum w^2``; 0 without weight.

    A row stands for `size` (n,) persons with that weight, one by default.
    """
    size = np.ones(len(weight)) if size is None else size
    squares = float(size @ weight**2)
    return float((size @ weight) ** 2 / squares) if squares > 0.0 else 0.0
