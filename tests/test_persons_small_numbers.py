"""Few events: odds ratios, differences in rates, clusters and hazards, against R and statsmodels."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.rates import confint_poisson_2indep

from effectmeter.estimators.base import EstimationError, FloatArray, Weights
from effectmeter.estimators.penalised import penalised_profile
from effectmeter.estimators.penalised_hazard import penalised_hazard_ratio
from effectmeter.estimators.risk import odds_contrast, risk_contrast
from effectmeter.estimators.score import (
    clustered_counts,
    dispersion,
    level_with_df,
    score_odds_ratio,
    score_rate_difference,
    with_reference,
)
from effectmeter.estimators.small_samples import score_risk_difference
from effectmeter.estimators.weighting import fit_weights

FOLDER = Path(__file__).parent / "references"
FEW = {
    name: column.to_numpy().astype(np.float64)
    for name, column in pl.read_csv(FOLDER / "few_events.csv").to_dict(as_series=True).items()
}
PERSONS = {
    name: column.to_numpy().astype(np.float64)
    for name, column in pl.read_csv(FOLDER / "persons.csv").to_dict(as_series=True).items()
}


def golden(case: str) -> dict[str, float]:
    with (FOLDER / "golden_persons.csv").open() as file:
        return {row["quantity"]: float(row["value"]) for row in csv.DictReader(file) if row["case"] == case}


@pytest.mark.parametrize(
    ("case", "columns", "strata"),
    [
        ("firth_cox", [], None),
        ("firth_cox_adjusted", ["age", "sex"], None),
        ("firth_cox_strata", ["age"], "sex"),
    ],
)
def test_penalised_cox_is_that_of_brute_force_in_r(case: str, columns: list[str], strata: str | None) -> None:
    X = np.column_stack([FEW[name] for name in columns]) if columns else np.empty((len(FEW["days"]), 0))
    found = penalised_hazard_ratio(FEW["days"], FEW["rare"], FEW["treated"], X, strata=FEW[strata] if strata else None)
    r = golden(case)
    assert math.log(found.value or 0) == pytest.approx(r["log_ratio"], abs=2e-6)
    assert math.log(found.low or 0) == pytest.approx(r["low"], abs=2e-5)
    assert math.log(found.high or 0) == pytest.approx(r["high"], abs=2e-5)


def test_penalised_cox_without_events_is_a_bound() -> None:
    rare = np.where(FEW["treated"] == 1, 0.0, FEW["rare"])
    found = penalised_hazard_ratio(FEW["days"], rare, FEW["treated"], FEW["age"][:, None])
    assert (found.value, found.low) == (0.0, None)
    assert math.log(found.high or 0) == pytest.approx(golden("firth_cox_none")["high"], abs=2e-5)
    other = penalised_hazard_ratio(FEW["days"], rare, 1 - FEW["treated"], FEW["age"][:, None])
    assert other.value is None and other.high is None
    assert (other.low or 0) * (found.high or 0) == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(EstimationError, match="neither arm"):
        penalised_hazard_ratio(FEW["days"], np.zeros(len(rare)), FEW["treated"], FEW["age"][:, None])


def test_penalised_cox_survives_a_perfect_predictor() -> None:
    giveaway = FEW["rare"][:, None]
    found = penalised_hazard_ratio(FEW["days"], FEW["rare"], FEW["treated"], giveaway)
    assert found.low is not None and found.high is not None and 0 < found.low < found.high < 1e6


def test_weights_without_information_change_nothing() -> None:
    n = len(FEW["days"])
    X = FEW["age"][:, None]
    twice = Weights(weight=np.full(n, 2.0), method="overlap", estimand="ato")
    one, other = (
        penalised_hazard_ratio(FEW["days"], FEW["rare"], FEW["treated"], X, weights=weights)
        for weights in (None, twice)
    )
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_marginal_odds_ratio_without_covariates_is_the_models() -> None:
    none, r = np.empty((len(PERSONS["event"]), 0)), golden("odds_raw")
    for variance in ("model", "hc1", "hc3"):
        found = odds_contrast(PERSONS["event"], PERSONS["treated"], none, estimand="ate", variance=variance)
        assert math.log(found.value or 0) == pytest.approx(r["log_ratio"], rel=1e-8)
        assert found.std_error == pytest.approx(r[f"se_{variance}"], rel=1e-6)


@pytest.mark.parametrize(("method", "estimand"), [(None, "itt"), ("entropy_balance", "att"), ("overlap", "ato")])
def test_marginal_odds_ratio_is_the_odds_of_the_standardised_risks(method: str | None, estimand: str) -> None:
    X = np.column_stack([PERSONS["age"], PERSONS["priors"]])
    weights = None if method is None else fit_weights(X, PERSONS["treated"], method=method, estimand=estimand)
    risks = risk_contrast(PERSONS["event"], PERSONS["treated"], X, weights=weights, estimand=estimand)
    odds = odds_contrast(PERSONS["event"], PERSONS["treated"], X, weights=weights, estimand=estimand)
    one, zero = risks.treated, risks.comparison
    assert odds.value == pytest.approx(one / (1 - one) / (zero / (1 - zero)))
    if estimand != "att":
        swapped = odds_contrast(
            PERSONS["event"],
            1 - PERSONS["treated"],
            X,
            weights=None
            if method is None
            else fit_weights(X, 1 - PERSONS["treated"], method=method, estimand=estimand),
            estimand=estimand,
        )
        assert (odds.value or 0) * (swapped.value or 0) == pytest.approx(1.0, rel=1e-8)
        assert (odds.low or 0) * (swapped.high or 0) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("counts", [(3, 40, 12, 50), (1, 30, 2, 35), (28, 30, 20, 35), (4, 400, 9, 300)])
def test_score_odds_ratio_is_that_of_statsmodels(counts: tuple[int, int, int, int]) -> None:
    found = score_odds_ratio(*counts)
    expected = confint_proportions_2indep(*counts, method="score", compare="odds-ratio", correction=True)
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("counts", "value", "bounds"),
    [
        ((0, 30, 8, 40), 0.0, (True, False)),
        ((8, 40, 0, 30), None, (False, True)),
        ((30, 30, 20, 40), None, (False, True)),
        ((20, 40, 30, 30), 0.0, (True, False)),
        ((0, 30, 30, 30), 0.0, (True, False)),
    ],
)
def test_score_odds_ratio_has_bounds(
    counts: tuple[int, int, int, int], value: float | None, bounds: tuple[bool, bool]
) -> None:
    found = score_odds_ratio(*counts)
    assert (found.value, found.low is None, found.high is None) == (value, *bounds)
    assert 0 < (found.high if bounds[0] else found.low) < 1e4  # type: ignore[operator]


def test_score_odds_ratio_without_contrast_says_so() -> None:
    for counts in ((0, 30, 0, 40), (30, 30, 40, 40), (0, 0, 3, 40)):
        with pytest.raises(EstimationError):
            score_odds_ratio(*counts)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("counts", [(3, 40.0, 12, 50.0), (1, 300.5, 2, 35.0), (0, 20.0, 4, 25.0), (4, 25.0, 0, 20.0)])
def test_score_rate_difference_is_that_of_statsmodels(counts: tuple[int, float, int, float]) -> None:
    found = score_rate_difference(*counts)
    expected = confint_poisson_2indep(*counts, method="score", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-5)
    swapped = score_rate_difference(counts[2], counts[3], counts[0], counts[1])
    assert (found.low, found.high) == pytest.approx((-(swapped.high or 0), -(swapped.low or 0)))


def test_dispersion_widens() -> None:
    narrow = score_rate_difference(3, 40.0, 12, 50.0)
    wide = score_rate_difference(3, 40.0, 12, 50.0, phi=2.0, df=8.0)
    assert wide.low < narrow.low < narrow.high < wide.high  # type: ignore[operator]
    assert wide.p_value > narrow.p_value  # type: ignore[operator]


def sites(rng: np.random.Generator, spread: float, ratio: float = 1.0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Events (0/1), arm and site of 24 sites of 15, allocated by site, with risks that differ between sites."""
    site = np.repeat(np.arange(24.0), 15)
    treated = (site % 2 == 0).astype(np.float64)
    risk = 0.05 * np.where(treated == 1.0, ratio, 1.0) * rng.gamma(1 / spread, spread, 24)[site.astype(int)]
    return (rng.random(360) < risk).astype(np.float64), treated, site


def test_clusters_count_in_differences_of_few_risks() -> None:
    held, plain, n = 0, 0, 0
    rng = np.random.default_rng(5)
    while n < 300:
        event, treated, site = sites(rng, 2.0)
        x1, x0 = event[treated == 1].sum(), event[treated == 0].sum()
        if x1 + x0 == 0:
            continue
        n += 1
        counts = (x1, 180.0, x0, 180.0)
        phi, df = dispersion(event, np.ones(360), treated, cluster=site, is_binary=True)
        wide = score_risk_difference(*clustered_counts(counts, phi), level=level_with_df(0.95, df))
        wide = with_reference(wide, 0.95, df)
        assert wide.level == 0.95
        narrow = score_risk_difference(*counts)
        assert wide.low <= narrow.low < narrow.high <= wide.high  # type: ignore[operator]
        held += wide.low <= 0 <= wide.high  # type: ignore[operator]
        plain += narrow.low <= 0 <= narrow.high  # type: ignore[operator]
    assert held / n >= 0.93 > plain / n


def test_dispersion_is_pearsons() -> None:
    event, treated, site = sites(np.random.default_rng(1), 1.0)
    phi, df = dispersion(event, np.ones(360), treated, cluster=site, is_binary=True)
    total = np.array([event[site == s].sum() for s in range(24)])
    p = {arm: event[treated == arm].mean() for arm in (0, 1)}
    level = np.array([p[1] if s % 2 == 0 else p[0] for s in range(24)])
    pearson = ((total - 15 * level) ** 2 / (15 * level * (1 - level))).sum()
    assert (phi, df) == (pytest.approx(max(1, pearson / 22)), 22)
    with pytest.raises(EstimationError):
        dispersion(np.ones(2), np.ones(2), np.array([0.0, 1.0]))


def test_penalised_profile_widens_with_dispersion() -> None:
    X = FEW["age"][:, None]
    plain = penalised_profile(FEW["rare"], FEW["treated"], X)
    wide = penalised_profile(FEW["rare"], FEW["treated"], X, phi=1.5, df=20.0)
    assert wide.value == plain.value
    assert wide.low < plain.low < plain.high < wide.high  # type: ignore[operator]
    assert wide.p_value > plain.p_value  # type: ignore[operator]
