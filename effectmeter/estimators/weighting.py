"""Weights that make the arms comparable, with what the errors need to carry their estimation.

How comparable the arms are, before and after, is in `effectmeter.estimators.balance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from effectmeter.estimators.base import FloatArray, SeparationError, Weights
from effectmeter.estimators.glm import BoolArray, GlmFit, fit_glm, independent_columns
from effectmeter.estimators.marginal import check_arms

NEXT_STEP = "adjust for fewer covariates, join rare categories, or restrict eligibility to persons both arms can have"


def fit_weights(
    X: FloatArray,
    treated01: FloatArray,
    *,
    method: str = "entropy_balance",
    estimand: str = "att",
    neighbours: int = 1,
    caliper: float = 0.2,
    n: FloatArray | None = None,
) -> Weights:
    """Weigh persons such that both arms resemble the estimand's population.

    Parameters
    ----------
    X
        (n, k) covariates without intercept; their scale and centre do not matter.
    treated01
        (n,) 1 for treated persons.
    method
        ``entropy_balance`` (att, ate: means exactly equal), ``overlap`` (ato), ``inverse_probability`` (att, ate),
        ``match`` (att: nearest on the logit of the propensity score, with replacement), ``none``.
    estimand
        ``att``, ``ate`` or ``ato``.
    neighbours, caliper
        For ``match``: comparison persons per treated one, and how far they may be, in standard deviations of the logit.
    n
        (n,) how many persons each row stands for (`effectmeter.estimators.cells.Cells.n`); one by default. What is
        returned is per person in the row.

    Returns
    -------
    Weights
        `parameter_influence` (n, k): the weight parameters' error is the sum of its rows.

    Raises
    ------
    EmptyArmError
        An arm has no persons.
    SeparationError
        The covariates determine the arm for some, so that no weights exist.

    References
    ----------
    Hainmueller (2012), doi:10.1093/pan/mpr025; Li, Morgan & Zaslavsky (2018), doi:10.1080/01621459.2016.1260466;
    Zhao & Percival (2017), doi:10.1515/jci-2016-0010 (entropy balance is doubly robust); Austin (2011),
    doi:10.1002/pst.433 (caliper).
    """
    allowed = {
        "entropy_balance": {"att", "ate"},
        "overlap": {"ato"},
        "inverse_probability": {"att", "ate"},
        "match": {"att"},
        "none": {"att", "ate", "ato", "itt"},
    }
    if method not in allowed:
        raise ValueError(f"unknown weighting {method!r}")
    if estimand not in allowed[method]:
        raise ValueError(f"{method} cannot give {estimand}")
    treated = np.asarray(treated01, dtype=np.float64)
    check_arms(treated)
    Z = _standardised(np.asarray(X, dtype=np.float64))
    score = fit_glm("binomial", treated, Z, weight=n)
    never = ~score.free & (treated == 0.0)
    always = ~score.free & (treated == 1.0)
    plain = Weights(weight=np.ones(len(treated)), method=method, estimand=estimand, propensity=score.mean)
    if method == "none":
        return plain
    if (always.any() and estimand != "ato") or (never.any() and estimand == "ate"):
        raise SeparationError("the covariates predict the arm perfectly for some persons", next_step=NEXT_STEP)
    size = np.ones(len(treated)) if n is None else n
    if method == "match":
        return replace(plain, weight=_match(score, treated, never, neighbours, caliper, size))
    if method == "entropy_balance":
        return _entropy_balance(plain, Z, treated, never, size)
    return _from_propensity(plain, score, treated)


def _standardised(X: FloatArray) -> FloatArray:
    """Return (n, 1 + k) intercept and covariates with mean 0 and deviation 1, without collinear ones."""
    n = X.shape[0]
    if X.shape[1] == 0:
        return np.ones((n, 1))
    deviation = X.std(axis=0)
    Z = np.column_stack([np.ones(n), (X - X.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)])
    result: FloatArray = Z[:, independent_columns(Z)]
    return result


def _from_propensity(plain: Weights, score: GlmFit, treated: FloatArray) -> Weights:
    """Return overlap or inverse probability weights, functions of the propensity score e."""
    e = score.mean
    Z = score.design
    parameter_influence = (Z * score.residual[:, None]) @ score.bread
    odds = np.divide(e, 1.0 - e, out=np.zeros_like(e), where=e < 1.0)
    inverse = np.divide(1.0 - e, e, out=np.zeros_like(e), where=e > 0.0)
    if plain.estimand == "ato":
        weight = treated * (1.0 - e) + (1.0 - treated) * e
        slope = (1.0 - 2.0 * treated) * e * (1.0 - e)
    elif plain.estimand == "att":
        weight = treated + (1.0 - treated) * odds
        slope = (1.0 - treated) * odds
    else:
        weight = treated * (1.0 + inverse) + (1.0 - treated) * (1.0 + odds)
        slope = -treated * inverse + (1.0 - treated) * odds
    slope = np.where(score.free, slope, 0.0)
    return replace(plain, weight=weight, parameter_influence=parameter_influence, weight_gradient=slope[:, None] * Z)


def _entropy_balance(plain: Weights, Z: FloatArray, treated: FloatArray, never: BoolArray, size: FloatArray) -> Weights:
    """Return weights ``exp(z'g)`` whose weighted sums of Z equal the target's: the treated's (att) or everybody's."""
    n = len(treated)
    target = treated if plain.estimand == "att" else np.ones(n)
    everybody = size * target
    weight = treated.copy()
    influences, gradients = [], []
    arms = (0.0,) if plain.estimand == "att" else (0.0, 1.0)
    for arm in arms:
        inside = (treated == arm) & ~never
        if not inside.any():
            raise SeparationError("the covariates predict the arm perfectly", next_step=NEXT_STEP)
        columns = independent_columns(Z[inside])
        lost = np.setdiff1d(np.arange(Z.shape[1]), columns)
        Z_kept = Z[:, columns]
        weight[treated == arm] = 0.0
        weight[inside] = _tilt(Z_kept[inside], everybody @ Z_kept, size[inside])
        gap = everybody @ Z[:, lost] - (size * weight)[inside] @ Z[inside][:, lost]
        if lost.size and np.abs(gap).max() > 1e-6 * everybody.sum():
            raise SeparationError("an arm lacks persons of a kind that the other has", next_step=NEXT_STEP)
        mine = np.where(inside, weight, 0.0)
        curvature = (Z_kept * (size * mine)[:, None]).T @ Z_kept
        influences.append((Z_kept * (target - mine)[:, None]) @ np.linalg.pinv(curvature, hermitian=True))
        gradients.append(Z_kept * mine[:, None])
    return replace(
        plain,
        weight=weight,
        parameter_influence=np.column_stack(influences),
        weight_gradient=np.column_stack(gradients),
    )


def _tilt(Z: FloatArray, target: FloatArray, size: FloatArray) -> FloatArray:
    """Return ``exp(Z g)`` with ``Z' (size exp(Z g)) = target``: Newton on the convex dual, halving long steps."""
    g = np.zeros(Z.shape[1])
    g[0] = np.log(target[0] / size.sum())
    dual: Callable[[FloatArray], float] = lambda at: float(size @ np.exp(np.clip(Z @ at, -700.0, 700.0)) - target @ at)  # noqa: E731
    value = dual(g)
    for _ in range(200):
        weight = np.exp(np.clip(Z @ g, -700.0, 700.0))
        gap = target - Z.T @ (size * weight)
        if np.abs(gap).max() < 1e-12 * max(1.0, target[0]):
            return weight
        step = np.linalg.lstsq((Z * (size * weight)[:, None]).T @ Z, gap)[0]
        factor = min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        while factor > 1e-10 and not dual(g + factor * step) <= value + 1e-12 * abs(value):
            factor /= 2.0
        g = g + factor * step
        value = dual(g)
    weight = np.exp(np.clip(Z @ g, -700.0, 700.0))
    if np.abs(target - Z.T @ (size * weight)).max() < 1e-7 * max(1.0, target[0]):
        return weight
    raise SeparationError(
        "no weights make the arms equal: one arm lies outside what the other spans", next_step=NEXT_STEP
    )


def _variance(values: FloatArray, size: FloatArray) -> float:
    """Return the variance over persons."""
    return float(np.average((values - np.average(values, weights=size)) ** 2, weights=size))


def _match(
    score: GlmFit, treated: FloatArray, never: BoolArray, neighbours: int, caliper: float, size: FloatArray
) -> FloatArray:
    """Return matching weights: 1 for matched treated persons, shares of their matches for comparison persons.

    Ties at the last distance all count, so that the order of rows does not matter (Abadie & Imbens 2006), and persons
    who are alike may be added up.
    """
    eta = score.design @ score.beta
    ones, zeros = np.flatnonzero(treated == 1.0), np.flatnonzero((treated == 0.0) & ~never)
    if zeros.size == 0:
        raise SeparationError("the covariates predict the arm perfectly", next_step=NEXT_STEP)
    spread = np.sqrt((_variance(eta[ones], size[ones]) + _variance(eta[zeros], size[zeros])) / 2.0)
    zeros = zeros[np.argsort(eta[zeros], kind="stable")]
    sorted_eta = eta[zeros]
    weight = np.zeros(len(treated))
    others = size[zeros]
    until = np.r_[0.0, np.cumsum(others)]
    k = int(min(neighbours, until[-1]))
    for i in ones:
        place = int(np.searchsorted(sorted_eta, eta[i]))
        nearest = slice(max(place - k, 0), place + k)  # k rows on either side hold the k nearest persons
        near = np.abs(sorted_eta[nearest] - eta[i])
        order = np.argsort(near)
        met = np.cumsum(others[nearest][order])
        reach = near[order][np.searchsorted(met, min(k, met[-1]))] + 1e-12
        reach = min(float(reach), caliper * float(spread) + 1e-12)
        low = int(np.searchsorted(sorted_eta, eta[i] - reach, side="left"))
        high = int(np.searchsorted(sorted_eta, eta[i] + reach, side="right"))
        if high > low:
            weight[i] = 1.0
            weight[zeros[low:high]] += size[i] / (until[high] - until[low])
    if not weight.any():
        raise SeparationError("nobody has a match within the caliper", next_step=NEXT_STEP)
    return weight
