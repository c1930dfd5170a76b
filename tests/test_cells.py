"""Cells give what persons give: estimates and robust errors, to 1e-8, through the same estimators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from effectmeter.estimators.base import ArmContrast, EmptyArmError, Estimate, SeparationError, Weights
from effectmeter.estimators.cells import Cells, to_cells
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.rate import rate_contrast
from effectmeter.estimators.risk import risk_contrast
from effectmeter.estimators.weighting import fit_weights

RNG = np.random.default_rng(3)
N = 3000
X = np.column_stack([RNG.integers(0, 4, N), RNG.integers(0, 2, N)]).astype(float)
CLUSTER = RNG.integers(0, 25, N)
STRATA = RNG.integers(0, 3, N)
TREATED = RNG.binomial(1, 1 / (1 + np.exp(1 - 0.4 * X[:, 0] + 0.3 * X[:, 1]))).astype(float)
EVENT = RNG.binomial(1, 1 / (1 + np.exp(1.2 - 0.3 * X[:, 0] + 0.4 * TREATED))).astype(float)
YEARS = RNG.uniform(0.2, 1, N)
COUNT = RNG.poisson(YEARS * np.exp(-0.5 + 0.3 * X[:, 0] - 0.3 * TREATED) * RNG.gamma(2, 0.5, N)).astype(float)
FATE, END = np.ceil(RNG.exponential(60 / np.exp(0.3 * X[:, 0] - 0.3 * TREATED))), RNG.integers(20, 90, N)
WEEK, FIRST = np.ceil(np.minimum(FATE, END) / 7), (FATE <= END).astype(float)

WEIGHTINGS = [
    (None, "ate"),
    (None, "att"),
    ("entropy_balance", "att"),
    ("entropy_balance", "ate"),
    ("overlap", "ato"),
    ("inverse_probability", "att"),
    ("inverse_probability", "ate"),
]
VARIANCES = ["model", "hc0", "hc1", "hc3", "cr0", "cr1", "cr3"]


def weigh(method: str | None, estimand: str, cells: Cells | None = None) -> Weights | None:
    if method is None:
        return None
    if cells is None:
        return fit_weights(X, TREATED, method=method, estimand=estimand)
    return fit_weights(cells.X, cells.treated01, method=method, estimand=estimand, n=cells.n)


def same(one: Estimate, other: Estimate) -> None:
    assert other.value == pytest.approx(one.value, rel=1e-8)
    assert other.std_error == pytest.approx(one.std_error, rel=1e-8)
    assert other.low == pytest.approx(one.low, rel=1e-8) and other.high == pytest.approx(one.high, rel=1e-8)
    assert (other.df, other.variance, other.estimator) == (one.df, one.variance, one.estimator)


def same_arms(one: ArmContrast, other: ArmContrast) -> None:
    same(one.ratio, other.ratio)
    same(one.difference, other.difference)
    assert other.treated == pytest.approx(one.treated, rel=1e-8)
    assert other.comparison == pytest.approx(one.comparison, rel=1e-8)


@pytest.mark.parametrize("strata", [None, STRATA], ids=["plain", "strata"])
@pytest.mark.parametrize(("method", "estimand"), WEIGHTINGS)
@pytest.mark.parametrize("variance", VARIANCES)
def test_risks(method: str | None, estimand: str, variance: str, strata: Any) -> None:
    cells = to_cells(EVENT, TREATED, X, cluster=CLUSTER, strata=strata)
    asked: dict[str, Any] = {"estimand": estimand, "variance": variance}
    persons = risk_contrast(EVENT, TREATED, X, weights=weigh(method, estimand), cluster=CLUSTER, strata=strata, **asked)
    weights = weigh(method, estimand, cells)
    same_arms(persons, risk_contrast(cells.y, cells.treated01, cells.X, weights=weights, cells=cells, **asked))


@pytest.mark.parametrize("strata", [None, STRATA], ids=["plain", "strata"])
@pytest.mark.parametrize(("method", "estimand"), WEIGHTINGS)
@pytest.mark.parametrize("variance", VARIANCES)
def test_rates_with_unequal_times_in_a_cell(method: str | None, estimand: str, variance: str, strata: Any) -> None:
    """Leverages hang on a person's own time, so HC3 is answered with HC1 and says so; the rest is exact."""
    cells = to_cells(COUNT, TREATED, X, years=YEARS, cluster=CLUSTER, strata=strata)
    shared: dict[str, Any] = {"weights": weigh(method, estimand), "cluster": CLUSTER, "strata": strata}
    answered = "hc1" if variance == "hc3" else variance
    persons = rate_contrast(COUNT, YEARS, TREATED, X, estimand=estimand, variance=answered, **shared)
    weights = weigh(method, estimand, cells)
    args = (cells.y, cells.t, cells.treated01, cells.X)
    same_arms(persons, rate_contrast(*args, weights=weights, estimand=estimand, variance=variance, cells=cells))


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize(("method", "estimand"), WEIGHTINGS)
def test_hazards(method: str | None, estimand: str, clustered: bool) -> None:
    """Deaths of several alike persons on one day are ties, as Efron has them."""
    labels: dict[str, Any] = {"cluster": CLUSTER % 5, "strata": STRATA % 2} if clustered else {}
    cells = to_cells(FIRST, TREATED, X, days=WEEK, **labels)
    assert cells.n.max() > 3
    for variance in VARIANCES:
        persons = hazard_ratio(WEEK, FIRST, TREATED, X, weights=weigh(method, estimand), variance=variance, **labels)
        weights = weigh(method, estimand, cells)
        assert cells.days is not None
        args = (cells.days, cells.y, cells.treated01, cells.X)
        same(persons, hazard_ratio(*args, weights=weights, variance=variance, cells=cells))


@pytest.mark.parametrize(("method", "estimand"), [pair for pair in WEIGHTINGS if pair[0]])
def test_weights_are_those_of_the_persons(method: str, estimand: str) -> None:
    cells = to_cells(EVENT, TREATED, X)
    found, wanted = weigh(method, estimand, cells), weigh(method, estimand)
    assert found is not None and wanted is not None
    by_kind = {(t, *x): w for t, x, w in zip(cells.treated01, map(tuple, cells.X), found.weight, strict=True)}
    spread = [by_kind[t, *x] for t, x in zip(TREATED, map(tuple, X), strict=True)]
    assert np.allclose(spread, wanted.weight, rtol=1e-9)


def test_a_cell_keeps_its_six_sums() -> None:
    cells = to_cells(COUNT, TREATED, X, years=YEARS, cluster=CLUSTER)
    assert len(cells) < N / 5 and cells.n.sum() == N
    for found, wanted in (
        (cells.y, COUNT),
        (cells.t, YEARS),
        (cells.yy, COUNT**2),
        (cells.yt, COUNT * YEARS),
        (cells.tt, YEARS**2),
    ):
        assert found.sum() == pytest.approx(wanted.sum())
    a, b, c = 0.3, -1.2, 0.7
    ones = np.ones(len(cells))
    own = a + b * COUNT + c * YEARS
    assert cells.total(a * ones, b * ones, c * ones).sum() == pytest.approx(own.sum())
    assert cells.squares(a * ones, b * ones, c * ones).sum() == pytest.approx((own**2).sum())


def test_with_a_continuous_covariate_a_cell_is_a_person() -> None:
    x = RNG.normal(size=(N, 1))
    cells = to_cells(EVENT, TREATED, x)
    assert len(cells) == N
    same_arms(risk_contrast(EVENT, TREATED, x), risk_contrast(cells.y, cells.treated01, cells.X, cells=cells))


def test_who_has_no_time_at_risk_is_left_out_of_rates() -> None:
    years = YEARS.copy()
    years[:50] = 0.0
    count = np.where(years > 0, COUNT, 0.0)
    cells = to_cells(count, TREATED, X, years=years)
    assert cells.n.sum() == N - 50
    persons = rate_contrast(count, years, TREATED, X, variance="hc1")
    same_arms(persons, rate_contrast(cells.y, cells.t, cells.treated01, cells.X, variance="hc1", cells=cells))


def test_a_kind_of_person_whose_outcome_is_known_is_set_aside_in_both() -> None:
    """Nobody with this trait has an event: persons and cells both go to the limit."""
    rare = np.column_stack([X[:, 0], (np.arange(N) % 40 == 0).astype(float)])
    event = np.where(rare[:, 1] == 1, 0.0, EVENT)
    cells = to_cells(event, TREATED, rare)
    for variance in ("hc0", "hc3"):
        persons = risk_contrast(event, TREATED, rare, variance=variance)
        same_arms(persons, risk_contrast(cells.y, cells.treated01, cells.X, variance=variance, cells=cells))


def test_matching_takes_cells_too() -> None:
    """Persons at one distance all count, so that those of a cell are matched alike."""
    cells = to_cells(EVENT, TREATED, X)
    persons = fit_weights(X, TREATED, method="match", neighbours=3)
    added_up = fit_weights(cells.X, cells.treated01, method="match", neighbours=3, n=cells.n)
    one = risk_contrast(EVENT, TREATED, X, weights=persons, estimand="att")
    same_arms(one, risk_contrast(cells.y, cells.treated01, cells.X, weights=added_up, estimand="att", cells=cells))


def test_what_cells_cannot_give_says_so() -> None:
    cells = to_cells(EVENT, TREATED, X)
    args = (cells.y, cells.treated01, cells.X)
    with pytest.raises(ValueError, match="days"):
        hazard_ratio(cells.y, *args, cells=cells)
    with pytest.raises(SeparationError, match="nobody"):
        risk_contrast(*args, cells=replace(cells, y=np.where(cells.treated01 == 1, 0.0, cells.y)))
    with pytest.raises(SeparationError, match="everybody"):
        risk_contrast(*args, cells=replace(cells, y=np.where(cells.treated01 == 1, cells.n, cells.y)))
    with pytest.raises(EmptyArmError):
        risk_contrast(*args, cells=replace(cells, treated01=np.zeros(len(cells))))
