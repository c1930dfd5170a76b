"""Every estimator against R: tests/references/golden.csv, made by tests/references/make_references.R."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from effectmeter.estimators.before_after import change, difference_in_change
from effectmeter.estimators.hazard import fit_cox, hazard_ratio
from effectmeter.estimators.incidence import cumulative_incidence
from effectmeter.estimators.marginal import standardise
from effectmeter.estimators.penalised import penalised_profile
from effectmeter.estimators.rate import rate_contrast
from effectmeter.estimators.risk import raw_risk_contrast, risk_contrast
from effectmeter.estimators.small_samples import exact_rate_ratio, score_risk_difference, score_risk_ratio
from effectmeter.estimators.value import mean_difference
from effectmeter.estimators.weighting import fit_weights

FOLDER = Path(__file__).parent / "references"
EXACT = 1e-8  # relative; both sides iterate to the last digits


def golden() -> dict[str, dict[str, float]]:
    cases: dict[str, dict[str, float]] = {}
    with (FOLDER / "golden.csv").open() as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case"], {})[row["quantity"]] = float(row["value"])
    return cases


GOLDEN = golden()
PERSONS = {
    name: column.to_numpy().astype(np.float64)
    for name, column in pl.read_csv(FOLDER / "persons.csv").to_dict(as_series=True).items()
}
FAMILIES = {
    name: column.to_numpy().astype(np.float64)
    for name, column in pl.read_csv(FOLDER / "families.csv").to_dict(as_series=True).items()
}
T = PERSONS["treated"]
X = np.column_stack([PERSONS["age"], PERSONS["priors"], PERSONS["sex"]])
RECIPES = {
    "gcomp_ate": (None, "ate"),
    "gcomp_att": (None, "att"),
    "overlap_ato": ("overlap", "ato"),
    "ipw_att": ("inverse_probability", "att"),
    "ipw_ate": ("inverse_probability", "ate"),
    "entropy_att": ("entropy_balance", "att"),
    "entropy_ate": ("entropy_balance", "ate"),
}


def close(ours: float | None, theirs: float, tolerance: float = EXACT) -> None:
    assert ours == pytest.approx(theirs, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("variance", ["model", "hc0", "hc1", "hc3", "cr0", "cr1", "cr3"])
def test_poisson_rate_ratio(variance: str) -> None:
    found = rate_contrast(PERSONS["n_events"], PERSONS["years"], T, X, cluster=PERSONS["site"], variance=variance).ratio
    close(math.log(found.value or 0), GOLDEN["poisson"]["estimate"])
    close(found.std_error, GOLDEN["poisson"][variance])
    assert found.df == {"m": None, "h": 395, "c": 23}[variance[0]]


def test_poisson_rate_ratio_with_blocks() -> None:
    found = rate_contrast(PERSONS["n_events"], PERSONS["years"], T, X, strata=PERSONS["block"], variance="hc3").ratio
    close(math.log(found.value or 0), GOLDEN["poisson_blocks"]["estimate"])
    close(found.std_error, GOLDEN["poisson_blocks"]["hc3"])


@pytest.mark.parametrize("variance", ["model", "hc1", "hc3", "cr1", "cr3"])
def test_mean_difference(variance: str) -> None:
    found = mean_difference(PERSONS["value"], T, X, cluster=PERSONS["site"], variance=variance)
    close(found.value, GOLDEN["mean"]["estimate"])
    close(found.std_error, GOLDEN["mean"][variance])
    if variance == "model":
        close(found.low, GOLDEN["mean"]["model_low"])


@pytest.mark.parametrize("variance", ["hc0", "hc1", "hc3", "cr1"])
def test_raw_risk_ratio_is_modified_poisson(variance: str) -> None:
    found = raw_risk_contrast(PERSONS["event"], T, cluster=PERSONS["site"], variance=variance).ratio
    close(math.log(found.value or 0), GOLDEN["raw_risk"]["estimate"])
    close(found.std_error, GOLDEN["raw_risk"][variance])


def test_risk_ratio_with_model_error() -> None:
    found = risk_contrast(PERSONS["event"], T, X, variance="model").ratio
    close(math.log(found.value or 0), GOLDEN["risk_model"]["estimate"])
    close(found.std_error, GOLDEN["risk_model"]["model"])
    assert (found.estimator, found.df) == ("outcome_regression", None)


@pytest.mark.parametrize("outcome", ["risk", "rate"])
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("variance", ["hc0", "cr0"])
def test_stacked_sandwich(outcome: str, recipe: str, variance: str) -> None:
    # 1e-7: R's side differentiates numerically.
    method, estimand = RECIPES[recipe]
    weights = None if method is None else fit_weights(X, T, method=method, estimand=estimand)
    common = {"weights": weights, "cluster": PERSONS["site"], "estimand": estimand, "variance": variance}
    if outcome == "risk":
        found = risk_contrast(PERSONS["event"], T, X, **common)
    else:
        found = rate_contrast(PERSONS["n_events"], PERSONS["years"], T, X, **common)
    theirs = GOLDEN[f"{outcome}_{recipe}"]
    close(found.treated, theirs["treated"])
    close(found.comparison, theirs["comparison"])
    close(found.ratio.std_error, theirs[f"log_ratio_{variance}"], 1e-7)
    close(found.difference.std_error, theirs[f"difference_{variance}"], 1e-7)


@pytest.mark.parametrize("variance", ["model", "hc0", "cr0"])
def test_cox(variance: str) -> None:
    found = hazard_ratio(PERSONS["days"], PERSONS["first_event"], T, X, cluster=PERSONS["site"], variance=variance)
    close(math.log(found.value or 0), GOLDEN["cox"]["estimate"])
    close(found.std_error, GOLDEN["cox"][variance])
    fit = fit_cox(PERSONS["days"], PERSONS["first_event"], np.column_stack([T, X]))
    close(fit.log_likelihood, GOLDEN["cox"]["log_likelihood"], 1e-12)


def test_cox_with_strata() -> None:
    found = hazard_ratio(
        PERSONS["days"], PERSONS["first_event"], T, X, strata=PERSONS["block"], cluster=PERSONS["site"], variance="cr0"
    )
    close(math.log(found.value or 0), GOLDEN["cox_strata"]["estimate"])
    close(found.std_error, GOLDEN["cox_strata"]["cr0"])


def test_cox_with_weights() -> None:
    fit = fit_cox(PERSONS["days"], PERSONS["first_event"], np.column_stack([T, X]), weight=PERSONS["weight"])
    close(float(fit.beta[0]), GOLDEN["cox_weighted"]["estimate"])
    close(fit.log_likelihood, GOLDEN["cox_weighted"]["log_likelihood"], 1e-12)
    influence = (PERSONS["weight"][:, None] * fit.residual @ fit.bread)[:, 0]
    by_site = np.bincount(PERSONS["site"].astype(int), influence)
    close(float(np.sqrt((by_site**2).sum())), GOLDEN["cox_weighted"]["cr0"])


@pytest.mark.parametrize("day", [5, 20, 50])
def test_cumulative_incidence(day: int) -> None:
    curve = cumulative_incidence(PERSONS["days"], PERSONS["first_event"])
    at = int(np.searchsorted(curve.day, day, side="right")) - 1
    theirs = GOLDEN[f"km_{day}"]
    for quantity in ("incidence", "std_error", "low", "high"):
        close(float(getattr(curve, quantity)[at]), theirs[quantity])


def test_weighted_cumulative_incidence() -> None:
    curve = cumulative_incidence(PERSONS["days"], PERSONS["first_event"], PERSONS["weight"])
    at = int(np.searchsorted(curve.day, 20, side="right")) - 1
    close(float(curve.incidence[at]), GOLDEN["km_weighted_20"]["incidence"])


def test_change() -> None:
    inside = FAMILIES["treated"] == 1.0
    columns = [FAMILIES[name][inside] for name in ("before", "after", "years_before", "years_after", "family")]
    found = change(*columns[:4], cluster=columns[4])
    close(math.log(found.value or 0), GOLDEN["change"]["estimate"])
    close(found.std_error, GOLDEN["change"]["cr3"])
    assert found.df == GOLDEN["change"]["clusters"] - 1


def test_difference_in_change() -> None:
    columns = [FAMILIES[name] for name in ("before", "after", "years_before", "years_after", "treated")]
    found = difference_in_change(*columns, cluster=FAMILIES["family"])
    close(math.log(found.value or 0), GOLDEN["difference_in_change"]["estimate"])
    close(found.std_error, GOLDEN["difference_in_change"]["cr3"])


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_penalised_profile(family: str) -> None:
    # 1e-5: R's side climbs with a general optimiser.
    few = np.arange(len(T)) < 150
    rare = ((PERSONS["event"] == 1) & (PERSONS["priors"] >= 2) & (PERSONS["sex"] == 0) & (PERSONS["age"] > 16)).astype(
        float
    )
    found = penalised_profile(rare[few], T[few], X[few][:, :2], family=family)  # type: ignore[arg-type]
    theirs = GOLDEN[f"firth_{family}"]
    assert rare[few].sum() == theirs["events"]
    for ours, name in ((found.value, "estimate"), (found.low, "low"), (found.high, "high")):
        assert math.log(ours or 0) == pytest.approx(theirs[name], abs=1e-5)


@pytest.mark.parametrize("counts", ["48_216_66_216", "2_60_9_60", "56_70_48_80"])
def test_score_intervals(counts: str) -> None:
    # 1e-6: R's side searches for the restricted likelihood's maximum.
    numbers = [float(count) for count in counts.split("_")]
    for function, name in ((score_risk_ratio, "ratio"), (score_risk_difference, "difference")):
        found, theirs = function(*numbers), GOLDEN[f"score_{name}_{counts}"]
        assert found.low == pytest.approx(theirs["low"], abs=1e-6)
        assert found.high == pytest.approx(theirs["high"], abs=1e-6)


def test_exact_rates() -> None:
    found, theirs = exact_rate_ratio(2, 58.5, 9, 61), GOLDEN["exact_rates"]
    close(found.value, theirs["estimate"])
    close(found.low, theirs["low"])
    close(found.high, theirs["high"])


def test_weighted_poisson_with_known_weights() -> None:
    from effectmeter.estimators.base import Weights

    weights = Weights(weight=PERSONS["weight"], method="none", estimand="ate")
    found = standardise(
        "poisson", PERSONS["n_events"], T, X, years=PERSONS["years"], weights=weights, cluster=None, strata=None,
        estimand="ate", variance="hc0",
    )  # fmt: skip
    close(math.log(found.treated / found.comparison), GOLDEN["poisson_weighted"]["estimate"])
    close(found.standard_error(1 / found.treated, -1 / found.comparison, "hc0"), GOLDEN["poisson_weighted"]["hc0"])
