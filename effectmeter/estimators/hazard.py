"""Hazards: the time until the first event, by Cox's model with Efron's ties.

Written here because `statsmodels.PHReg` has no case weights, takes Breslow residuals for its clustered error under
Efron's ties (tested for), and has been seen to run away in Newton steps that this one halves. R's `survival` is the
reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import ConvergenceError, Estimate, FloatArray, NoEventsError, SeparationError, Weights
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.glm import independent_columns
from effectmeter.estimators.marginal import check_arms, check_identified
from effectmeter.estimators.sandwich import cluster_index, sum_by_unit, wald

_LEAST_INFORMATION = 1e-8
"""Share of its information at no effect below which a covariate's likelihood has no maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """A fitted Cox model.

    Attributes
    ----------
    beta
        (p,) log hazard ratios of the columns that were kept.
    columns
        (p,) their positions in the given matrix.
    bread
        (p, p) inverse of the information: the model's covariance.
    log_likelihood
        Partial, with Efron's ties.
    residual
        (n, p) score residuals, without weights.
    """

    beta: FloatArray
    columns: NDArray[np.intp]
    bread: FloatArray
    log_likelihood: float
    residual: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Persons sorted by stratum and day, and the event times among them (d distinct ones, e deaths in r rows).

    Attributes
    ----------
    order
        (n,) sorting permutation.
    first, last
        (d,) first sorted row at risk at an event time, and the end of its stratum.
    dead, time_of_death, deaths
        (r,) sorted rows with an event, the event time each belongs to, and how many persons die in it.
    fraction, time_of_fraction
        (e,) Efron's l / m within its event time, and that time. With one person a row these go with `dead`.
    tied
        (d,) how many persons die at an event time.
    passed, start
        (n,) how many event times up to and including the person's own day, and before its stratum.
    size
        (n,) how many persons a sorted row stands for.
    """

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]
    dead: NDArray[np.intp]
    time_of_death: NDArray[np.intp]
    deaths: FloatArray
    fraction: FloatArray
    time_of_fraction: NDArray[np.intp]
    tied: FloatArray
    passed: NDArray[np.intp]
    start: NDArray[np.intp]
    size: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moments:
    """What Efron's method sums at each event time, over the deaths l = 0..m-1 there, with z = S0 - (l / m) D0.

    Attributes
    ----------
    relative
        (n,) weighted relative hazard of each sorted person.
    S1, D1
        (d, p) sums of hazard times covariates over those at risk, and over those who die.
    average
        (d,) mean weight of those who die.
    log, a0, a1, b0, b1, b2
        (d,) sums of log z, 1 / z, (l / m) / z, and of 1, l / m and (l / m)^2 over z^2.
    """

    relative: FloatArray
    S1: FloatArray
    D1: FloatArray
    average: FloatArray
    log: FloatArray
    a0: FloatArray
    a1: FloatArray
    b0: FloatArray
    b1: FloatArray
    b2: FloatArray

    def mean(self, one: FloatArray, of_dead: FloatArray) -> FloatArray:
        """Return (d, p) sums of the mean covariates at risk, ``(S1 - (l / m) D1) / z``, times what the sums hold."""
        return one[:, None] * self.S1 - of_dead[:, None] * self.D1


def hazard_ratio(
    days: FloatArray,
    event01: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    weights: Weights | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
    variance: str = "cr0",
    level: float = 0.95,
    cells: Cells | None = None,
) -> Estimate:
    """Compare the hazard of a first event between arms.

    Parameters
    ----------
    days, event01
        (n,) days until the first event or the end of observation; 1 where it ended with an event.
    treated01, X, weights, cluster, strata, level
        As in `effectmeter.estimators.risk.risk_contrast`; strata have baseline hazards of their own.
    variance
        ``model`` (inverse information), or Lin and Wei's robust error: ``cr0``, ``cr1`` (times G / (G - 1)) by cluster,
        ``hc0``, ``hc1`` by person. ``hc3`` and ``cr3`` are answered with ``hc1`` and ``cr1``, and say so in `variance`.
    cells
        The same persons, added up (`effectmeter.estimators.cells.to_cells` with days); everything else about persons is
        then taken from there, and `weights` has a row per cell, or per profile of theirs.

    Returns
    -------
    Estimate
        Estimator ``cox_efron``; normal reference, except clusters - 1 for ``cr1``.

    Raises
    ------
    EmptyArmError, SeparationError, ConvergenceError
        As named.

    Notes
    -----
    Estimated weights enter the error through the score residuals L: ``A^-1 (w_i L_i + (sum_j L_j dw_j/dg') psi_i)``.

    References
    ----------
    Efron (1977), doi:10.1080/01621459.1977.10480613; Lin & Wei (1989), doi:10.1080/01621459.1989.10478874;
    Binder (1992), doi:10.1093/biomet/79.1.139 (weights).
    """
    size, profile = None, None
    if cells is not None:
        if cells.days is None:
            raise ValueError("cells for hazards are made with days")
        days, event01, treated01, X = cells.days, (cells.y > 0.0).astype(np.float64), cells.treated01, cells.X
        cluster, strata, size, profile = cells.cluster, cells.strata, cells.n, cells.profile
    event = np.asarray(event01, dtype=np.float64)
    treated = np.asarray(treated01, dtype=np.float64)
    persons = np.ones(len(event)) if size is None else size
    check_arms(treated)
    weight = np.ones(len(event)) if weights is None else weights.weight
    weight = weight if weights is None or profile is None else weight[profile]
    _check_events(event, treated, weight)
    within = within_strata(np.column_stack([treated, X]), strata)
    check_identified(within[:, 0], within[:, 1:])
    covariates = np.column_stack([treated, X])
    fit = fit_cox(np.asarray(days, dtype=np.float64), event, covariates, weight=weight, strata=strata, size=size)
    if 0 not in fit.columns:
        raise SeparationError("the covariates determine the arm, so its effect cannot be separated from theirs")
    variance = {"hc3": "hc1", "cr3": "cr1", "robust": "cr0"}.get(variance, variance)
    error, df = float(np.sqrt(fit.bread[0, 0])), None
    if variance != "model":
        error, df = _robust_error(fit, weight, persons, weights, profile, cluster, variance)
    return wald(float(fit.beta[0]), error, level=level, estimator="cox_efron", variance=variance, df=df, is_log=True)


def _check_events(event: FloatArray, treated: FloatArray, weight: FloatArray) -> None:
    """Raise where an arm, or both, have no event that counts."""
    if not event[weight > 0.0].any():
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    for arm, name in ((1.0, "treated"), (0.0, "comparison")):
        if not event[(treated == arm) & (weight > 0.0)].any():
            raise SeparationError(f"nobody in the {name} arm has the event, so there is only a bound on the ratio")


def _robust_error(
    fit: CoxFit,
    weight: FloatArray,
    persons: FloatArray,
    weights: Weights | None,
    profile: NDArray[np.intp] | None,
    cluster: NDArray[np.generic] | None,
    variance: str,
) -> tuple[float, float | None]:
    """Return Lin and Wei's error of the arm's coefficient, and its degrees of freedom where it has a t reference.

    Only that coefficient's influence is made: a column, where all of them would take as much memory as the covariates.
    """
    unit, n_units = cluster_index(cluster, variance, len(weight))
    by_cluster = variance.startswith("cr") and cluster is not None
    n_units = n_units if by_cluster else int(persons.sum())
    direction = fit.residual @ fit.bread[:, 0]
    own = weight * direction
    if weights is not None and weights.parameter_influence is not None and weights.weight_gradient is not None:
        pull = persons * direction
        if profile is not None:
            pull = np.bincount(profile, pull, len(weights.weight)).astype(np.float64)
        carried = weights.parameter_influence @ (pull @ weights.weight_gradient)
        own = own + (carried if profile is None else carried[profile])
    factor = n_units / (n_units - 1) if variance in {"hc1", "cr1"} else 1.0
    squares = sum_by_unit(persons * own, unit, n_units) ** 2 if by_cluster else persons * own**2
    df = float(n_units - 1) if variance == "cr1" and cluster is not None else None
    return float(np.sqrt(squares.sum() * factor)), df


def fit_cox(
    days: FloatArray,
    event01: FloatArray,
    X: FloatArray,
    *,
    weight: FloatArray | None = None,
    strata: NDArray[np.generic] | None = None,
    size: FloatArray | None = None,
) -> CoxFit:
    """Fit Cox's model with Efron's treatment of ties, by Newton's method on the partial likelihood.

    Parameters
    ----------
    days, event01, weight, strata
        (n,).
    X
        (n, k) covariates.
    size
        (n,) how many persons each row stands for, all alike; one by default. Residuals are then per person in the row.

    Raises
    ------
    ConvergenceError
        The likelihood has no maximum (a covariate predicts the order of events perfectly).

    Notes
    -----
    At an event time with m deaths of mean weight w: ``sum_l w log(S0 - (l / m) D0)``, l = 0..m-1, with S over those at
    risk and D over the deaths. All sums over time are cumulative sums, and tied deaths enter as sums of powers of
    ``l / m`` and ``1 / z``: cost n p^2 per step, and a few numbers per death.
    """
    n = len(days)
    weight = np.ones(n) if weight is None else weight
    clock = clock_of(days, event01, strata, weight, size)
    columns = independent_columns(within_strata(X, strata))
    centred = X[:, columns] - np.average(X[:, columns], axis=0, weights=size)
    scale = np.maximum(np.sqrt(np.average(centred**2, axis=0, weights=size)), 1e-300)
    Z, w = (centred / scale)[clock.order], weight[clock.order]
    beta = np.zeros(len(columns))
    best, score, information = _likelihood(Z, w, clock, beta)
    least = _LEAST_INFORMATION * information.diagonal()
    for _ in range(50):
        step = np.linalg.lstsq(information, score)[0]
        factor = 1.0
        while True:
            trial = _likelihood(Z, w, clock, beta + factor * step)
            if trial[0] >= best - 1e-10 * abs(best) or factor < 1e-6:
                break
            factor /= 2.0
        beta = beta + factor * step
        best, score, information = trial
        if np.abs(beta).max() > 20.0 or (information.diagonal() < least).any():
            raise ConvergenceError("a covariate predicts the order of events perfectly, so Cox's model has no maximum")
        if np.abs(step).max() < 1e-10:
            break
    else:
        raise ConvergenceError("Cox's model did not reach its maximum", next_step="adjust for fewer covariates")
    residual = np.empty((n, len(columns)))
    residual[clock.order] = _score_residuals(Z, w, clock, beta) * scale
    return CoxFit(
        beta=beta / scale,
        columns=columns,
        bread=np.linalg.inv(information) / np.outer(scale, scale),
        log_likelihood=best,
        residual=residual,
    )


def within_strata(X: FloatArray, strata: NDArray[np.generic] | None) -> FloatArray:
    """Return X less its stratum's mean, exactly 0 where it does not vary within strata: those say nothing here."""
    unit = np.zeros(len(X), dtype=np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    n_strata = int(unit.max()) + 1
    size = np.bincount(unit, minlength=n_strata)[:, None]
    centred = X - (sum_by_unit(X, unit, n_strata) / size)[unit]
    still = np.abs(centred).max(axis=0) <= 1e-10 * np.maximum(np.abs(X).max(axis=0), 1e-300)
    result: FloatArray = np.where(still, 0.0, centred)
    return result


def clock_of(
    days: FloatArray,
    event: FloatArray,
    strata: NDArray[np.generic] | None,
    weight: FloatArray,
    size: FloatArray | None = None,
) -> Clock:
    """Return the event times and who is at risk at each."""
    n = len(days)
    stratum = np.zeros(n, dtype=np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    order = np.lexsort((days, stratum))
    by_stratum, by_day = stratum[order], days[order]
    dies = (event[order] > 0.0) & (weight[order] > 0.0)
    new = np.r_[True, (np.diff(by_stratum) != 0) | (np.diff(by_day) != 0)]
    moment = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    has_event = np.bincount(moment, dies, len(starts)) > 0
    number = np.cumsum(has_event) - 1
    ends = np.searchsorted(by_stratum, by_stratum, side="right")
    first_of_stratum = np.searchsorted(by_stratum, by_stratum, side="left")
    persons = np.ones(n) if size is None else size[order]
    dead = np.flatnonzero(dies)
    time_of_death, deaths = number[moment[dead]], persons[dead]
    tied = np.bincount(time_of_death, deaths).astype(np.intp)
    time_of_fraction = np.repeat(np.arange(len(tied)), tied)
    within = np.arange(len(time_of_fraction)) - np.repeat(np.cumsum(tied) - tied, tied)
    passed = np.cumsum(has_event)[moment]
    return Clock(
        order=order,
        first=starts[has_event],
        last=ends[starts[has_event]],
        dead=dead,
        time_of_death=time_of_death,
        deaths=deaths,
        fraction=within / tied[time_of_fraction],
        time_of_fraction=time_of_fraction,
        tied=tied.astype(np.float64),
        passed=passed,
        start=np.where(has_event[moment], passed - 1, passed)[first_of_stratum],
        size=persons,
    )


def over_risk_sets(values: FloatArray, clock: Clock) -> FloatArray:
    """Return the sums over those at risk at each event time."""
    below = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    result: FloatArray = below[clock.last] - below[clock.first]
    return result


def _moments(Z: FloatArray, w: FloatArray, clock: Clock, beta: FloatArray) -> _Moments:
    r = w * np.exp(np.clip(Z @ beta, -500.0, 500.0))
    m, dead, at, of = len(clock.first), clock.dead, clock.time_of_death, clock.time_of_fraction
    everybody = clock.size * r
    S0, S1 = over_risk_sets(everybody, clock), over_risk_sets(everybody[:, None] * Z, clock)
    of_dead = everybody[dead]
    D0, D1 = np.bincount(at, of_dead, m), sum_by_unit(of_dead[:, None] * Z[dead], at, m)
    z: FloatArray = S0[of] - clock.fraction * D0[of]
    over, part = 1.0 / z, clock.fraction / z
    return _Moments(
        relative=r,
        S1=S1,
        D1=D1,
        average=np.bincount(at, clock.deaths * w[dead], m) / clock.tied,
        log=sum_by_unit(np.log(z), of, m),
        a0=sum_by_unit(over, of, m),
        a1=sum_by_unit(part, of, m),
        b0=sum_by_unit(over * over, of, m),
        b1=sum_by_unit(over * part, of, m),
        b2=sum_by_unit(part * part, of, m),
    )


def _likelihood(Z: FloatArray, w: FloatArray, clock: Clock, beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return log likelihood, score (p,) and information (p, p)."""
    at_times = _moments(Z, w, clock, beta)
    average, S1, D1 = at_times.average, at_times.S1, at_times.D1
    dead, of_dead = clock.dead, clock.deaths * w[clock.dead]
    value = float(of_dead @ (Z[dead] @ beta) - average @ at_times.log)
    score = of_dead @ Z[dead] - average @ at_times.mean(at_times.a0, at_times.a1)
    total = np.r_[0.0, np.cumsum(average * at_times.a0)]
    through = clock.size * at_times.relative * (total[clock.passed] - total[clock.start])
    through[dead] -= clock.deaths * at_times.relative[dead] * (average * at_times.a1)[clock.time_of_death]
    crossed = (S1 * (average * at_times.b1)[:, None]).T @ D1
    information = (
        (Z * through[:, None]).T @ Z
        - (S1 * (average * at_times.b0)[:, None]).T @ S1
        + (crossed + crossed.T)
        - (D1 * (average * at_times.b2)[:, None]).T @ D1
    )
    return value, score, information


def _score_residuals(Z: FloatArray, w: FloatArray, clock: Clock, beta: FloatArray) -> FloatArray:
    """Return the score residuals (n, p) of sorted persons, Efron's version, without weights."""
    at_times = _moments(Z, w, clock, beta)
    at, dead, average = clock.time_of_death, clock.dead, at_times.average
    relative = np.exp(np.clip(Z @ beta, -500.0, 500.0))[:, None]
    hazard = np.r_[0.0, np.cumsum(average * at_times.a0)]
    steps = average[:, None] * at_times.mean(at_times.b0, at_times.b1)
    drift = np.concatenate([np.zeros((1, Z.shape[1])), np.cumsum(steps, axis=0)])
    passed, start = clock.passed, clock.start
    residual: FloatArray = -relative * (Z * (hazard[passed] - hazard[start])[:, None] - (drift[passed] - drift[start]))
    # Those who die are only partly at risk at their own moment.
    less = average * at_times.a1
    less_mean = average[:, None] * at_times.mean(at_times.b1, at_times.b2)
    centre = at_times.mean(at_times.a0, at_times.a1) / clock.tied[:, None]
    residual[dead] += Z[dead] - centre[at] + relative[dead] * (Z[dead] * less[at][:, None] - less_mean[at])
    return residual
