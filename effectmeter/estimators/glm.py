"""Generalised linear models with canonical link: the fit itself, and what a sandwich needs of it.

`statsmodels` does the fitting. What lives here is the guard around it: columns that carry nothing are dropped, and
persons whose outcome a covariate predicts perfectly are set aside as known (their risk is 0 or 1 in either arm, they
carry no information on the effect). Robust errors live in `effectmeter.estimators.sandwich`, standardised risks and
rates in `effectmeter.estimators.marginal`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, FloatArray, SeparationError

BoolArray = NDArray[np.bool_]
Family = Literal["binomial", "poisson", "gaussian"]

FAR = 12.0
"""A linear predictor this far from the average (odds of 1 to 160,000) is taken for a sign of separation."""

LARGE = 500_000
"""Numbers in a design above which Newton starts from the mean: statsmodels' QR and SVD take ten times as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlmFit:
    """A fitted model, in the units of its columns.

    Attributes
    ----------
    family
        ``binomial``, ``poisson`` or ``gaussian``, each with its canonical link.
    beta
        (p,) coefficients of the columns that were kept.
    columns
        (p,) positions of those columns in the design that was given.
    design
        (n, p) the kept columns.
    offset, weight, mean, residual
        (n,) offset, prior weight, fitted mean and ``y - mean``.
    slope
        (n,) derivative of the mean to the linear predictor; 0 for persons set aside.
    free
        (n,) False for persons whose outcome is known from their covariates.
    bread
        (p, p) inverse of the information ``sum w * slope * x x'``.
    scale
        Residual variance for ``gaussian``, otherwise 1.
    """

    family: Family
    beta: FloatArray
    columns: NDArray[np.intp]
    design: FloatArray = field(repr=False)
    offset: FloatArray = field(repr=False)
    weight: FloatArray = field(repr=False)
    mean: FloatArray = field(repr=False)
    residual: FloatArray = field(repr=False)
    slope: FloatArray = field(repr=False)
    free: BoolArray = field(repr=False)
    bread: FloatArray = field(repr=False)
    scale: float = 1.0

    def position(self, column: int) -> int:
        """Return where `column` of the given design stands among the kept ones.

        Raises
        ------
        SeparationError
            It was dropped, so the data say nothing about it.
        """
        found = np.flatnonzero(self.columns == column)
        if found.size == 0:
            raise SeparationError(
                "the covariates predict the outcome, or the arm, perfectly, so that no effect can be told apart",
                next_step="adjust for fewer covariates, or join rare categories",
            )
        return int(found[0])

    def predict(self, column: int, value: float) -> tuple[FloatArray, FloatArray]:
        """Return mean and slope (n,) with `column` set to `value` for everybody; known persons keep their mean."""
        place = self.position(column)
        eta = self.offset + self.design @ self.beta + (value - self.design[:, place]) * self.beta[place]
        mean, slope = inverse_link(self.family, eta)
        return np.where(self.free, mean, self.mean), np.where(self.free, slope, 0.0)


def inverse_link(family: Family, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean at linear predictor `eta` and its derivative."""
    if family == "binomial":
        mean = 1.0 / (1.0 + np.exp(-np.clip(eta, -700.0, 700.0)))
        return mean, mean * (1.0 - mean)
    if family == "poisson":
        mean = np.exp(np.clip(eta, -700.0, 700.0))
        return mean, mean
    return eta, np.ones_like(eta)


def independent_columns(X: FloatArray) -> NDArray[np.intp]:
    """Return the positions of columns that are not combinations of earlier ones, in order.

    Modified Gram-Schmidt, so that the first of two equal columns stays (the intercept and the arm come first).
    """
    kept: list[int] = []
    basis = np.empty((X.shape[0], 0))
    for column in range(X.shape[1]):
        vector = X[:, column].astype(np.float64)
        length = np.linalg.norm(vector)
        if length == 0.0:
            continue
        rest = vector / length
        for _ in range(2):  # twice is enough (Kahan, Parlett)
            rest = rest - basis @ (basis.T @ rest)
        size = np.linalg.norm(rest)
        if size > 1e-8:
            kept.append(column)
            basis = np.column_stack([basis, rest / size])
    return np.array(kept, dtype=np.intp)


def fit_glm(
    family: Family, y: FloatArray, X: FloatArray, *, offset: FloatArray | None = None, weight: FloatArray | None = None
) -> GlmFit:
    """Fit a model by (weighted) maximum likelihood.

    Parameters
    ----------
    family
        Which distribution; the link is canonical.
    y
        (n,) outcome.
    X
        (n, k) design with its intercept.
    offset, weight
        (n,) offset on the link's scale and prior weight; none by default.

    Raises
    ------
    SeparationError
        Nobody is left to estimate from.
    ConvergenceError
        The fit did not reach its maximum.

    Notes
    -----
    Separation is found from the fit: when a linear predictor runs further than `FAR` from its average, persons with
    next to no variance left are set aside as known, and the model is fitted to the others. This is the limit that the
    maximum likelihood estimate tends to (Albert & Anderson 1984).

    References
    ----------
    Albert & Anderson (1984), doi:10.1093/biomet/71.1.1.
    """
    n = len(y)
    offset = np.zeros(n) if offset is None else offset
    weight = np.ones(n) if weight is None else weight
    free = weight > 0.0
    mean = y.astype(np.float64).copy()
    for _ in range(20):
        if not free.any():
            raise SeparationError("the covariates predict the outcome perfectly for everybody")
        columns = np.flatnonzero(np.isin(np.arange(X.shape[1]), independent_columns(X[free])))
        design = X[:, columns]
        scale = np.maximum(np.abs(design[free]).max(axis=0), 1e-300)
        beta, converged = _maximise(family, y[free], design[free] / scale, offset[free], weight[free])
        beta = beta / scale
        eta = offset + design @ beta
        known = _known(family, eta, offset, free)
        if not known.any():
            break
        mean[known] = np.where(inverse_link(family, eta)[0][known] > 0.5, 1.0, 0.0) if family == "binomial" else 0.0
        free = free & ~known
    if not converged:
        raise ConvergenceError("the outcome model did not reach its maximum", next_step="adjust for fewer covariates")
    fitted, slope = inverse_link(family, eta)
    inside = free | (weight == 0.0)
    mean = np.where(inside, fitted, mean)
    slope = np.where(inside, slope, 0.0)
    information = (design * (weight * slope)[:, None]).T @ design
    residual = np.where(free, y - mean, 0.0)
    degrees = max(int(free.sum()) - len(columns), 1)
    return GlmFit(
        family=family,
        beta=beta,
        columns=columns,
        design=design,
        offset=offset,
        weight=weight,
        mean=mean,
        residual=residual,
        slope=slope,
        free=inside,
        bread=np.linalg.pinv(information, hermitian=True).astype(np.float64),
        scale=float((weight * residual**2).sum() / degrees) if family == "gaussian" else 1.0,
    )


def _known(family: Family, eta: FloatArray, offset: FloatArray, free: BoolArray) -> BoolArray:
    """Return who runs off to a certain outcome: far from the average, with next to no variance left."""
    if family == "gaussian":
        return np.zeros(len(eta), dtype=np.bool_)
    away = eta - offset
    _, slope = inverse_link(family, eta)
    centre = np.median(away[free])
    typical = slope[free].max()
    far = np.abs(away - centre) > FAR if family == "binomial" else (centre - away) > FAR
    known: BoolArray = free & far & (slope < 1e-6 * typical)
    return known


def _maximise(
    family: Family, y: FloatArray, X: FloatArray, offset: FloatArray, weight: FloatArray
) -> tuple[FloatArray, bool]:
    """Return the coefficients (p,) and whether the score is zero there.

    statsmodels' IRLS, then Newton steps from its end: IRLS stops at a change of 1e-8 in deviance, which leaves 1e-5
    in a coefficient of a sparse fit.
    """
    beta = _from_statsmodels(family, y, X, offset, weight) if X.size <= LARGE else None
    if beta is None or not np.isfinite(beta).all():
        beta = np.zeros(X.shape[1])
        if family != "gaussian":  # the first column is the intercept
            size = weight * np.exp(offset) if family == "poisson" else weight
            average = float((weight * y).sum() / size.sum())
            beta[0] = np.log(average / (1.0 - average) if family == "binomial" else average)
    worst = np.inf
    for _ in range(30):
        mean, slope = inverse_link(family, offset + X @ beta)
        score = X.T @ (weight * (y - mean))
        information = (X * (weight * slope)[:, None]).T @ X
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            step = np.linalg.lstsq(information, score)[0]
        worst = float(np.abs(score).max()) / max(float(weight.sum()), 1.0)
        length = float(np.abs(step).max())
        beta = beta + step * min(1.0, 5.0 / max(length, 1e-300))
        if length < 1e-10 * (1.0 + float(np.abs(beta).max())):
            break
    return beta, worst < 1e-7


def _from_statsmodels(
    family: Family, y: FloatArray, X: FloatArray, offset: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return statsmodels' coefficients (p,)."""
    import statsmodels.api as sm

    families: dict[str, Any] = {
        "binomial": sm.families.Binomial,
        "poisson": sm.families.Poisson,
        "gaussian": sm.families.Gaussian,
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Its separation warnings depend on the data in ways that change between versions; `_known` decides here.
        warnings.simplefilter("ignore")
        model = sm.GLM(y, X, family=families[family](), offset=offset, var_weights=weight)
        return np.asarray(model.fit(maxiter=50, wls_method="qr").params, dtype=np.float64)
