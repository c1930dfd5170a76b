"""Series against R: tests/references/golden_series.csv, made by tests/references/make_references_series.R."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from effectmeter.estimators.base import Estimate
from effectmeter.estimators.series import Series, SeriesModel, analyse, plain_change, raw_ratio
from effectmeter.estimators.series_model import _average, _Filter, fit_series
from effectmeter.estimators.series_terms import Terms, build_terms

FOLDER = Path(__file__).parent / "references"
EXACT = 1e-7


def golden() -> dict[str, dict[str, float]]:
    cases: dict[str, dict[str, float]] = {}
    with (FOLDER / "golden_series.csv").open() as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case"], {})[row["quantity"]] = float(row["value"])
    return cases


GOLDEN = golden()
DATA = {
    name: column.to_numpy().astype(np.float64)
    for name, column in pl.read_csv(FOLDER / "series.csv").to_dict(as_series=True).items()
}
MONTH = DATA["month"].astype(np.int64)
CONTROLLED = Series(
    period=MONTH,
    after=DATA["after"] == 1.0,
    season=MONTH % 12,
    start=36,
    count=DATA["count"],
    population=DATA["population"],
    control_count=DATA["control"],
    control_population=DATA["control_population"],
)
ALONE = CONTROLLED.alone()


def agrees(estimate: Estimate, case: str) -> None:
    for name, value in GOLDEN[case].items():
        if name != "dispersion":
            found = estimate.value if name == "estimate" else getattr(estimate, name)
            assert found == pytest.approx(value, rel=EXACT), (case, name)


def test_the_raw_ratio() -> None:
    agrees(raw_ratio(ALONE), "raw")


@pytest.mark.parametrize(("case", "harmonics"), [("trend_only", 0), ("two_harmonics", 2)])
def test_ordinary_quasi_poisson(case: str, harmonics: int) -> None:
    assert GOLDEN[case]["dispersion"] > 1.0  # below 1 ours counts as 1 and R's would not
    agrees(plain_change(ALONE, Terms(harmonics=harmonics)), case)


def test_level_and_slope_and_what_they_amount_to() -> None:
    terms = Terms(with_slope=True)
    agrees(plain_change(ALONE, terms, "level"), "level_of_two")
    agrees(plain_change(ALONE, terms, "slope"), "slope_of_two")
    found = analyse(ALONE, SeriesModel(terms=terms, autocorrelation="none")).whole_period()
    assert found.value == pytest.approx(GOLDEN["whole_period"]["estimate"], rel=EXACT)
    assert found.std_error == pytest.approx(GOLDEN["whole_period"]["std_error"], rel=1e-6)


def test_against_a_control_side_by_side() -> None:
    agrees(plain_change(CONTROLLED, Terms()), "side_by_side")


def test_against_a_control_as_a_share_of_both() -> None:
    agrees(analyse(CONTROLLED, SeriesModel(terms=Terms(), autocorrelation="none")).level(), "share")


@pytest.mark.parametrize("rho", [0.4, -0.2])
def test_correlated_neighbours_over_gaps(rho: float) -> None:
    expected = GOLDEN[f"ar1_{rho:g}"]
    design = build_terms(MONTH, ALONE.after, MONTH % 12, Terms(), start=36)
    fit = fit_series(
        DATA["count"], design.X, MONTH, offset=np.log(DATA["population"]), correlations=np.array([[rho, 1.0]])
    )
    found = fit.combination(design.direction("level"), estimator="", variance="")
    assert found.value == pytest.approx(expected["estimate"], rel=1e-6)
    assert fit.dispersion == pytest.approx(expected["dispersion"], rel=1e-6)
    assert found.std_error == pytest.approx(
        expected["std_error"] / math.sqrt(min(expected["dispersion"], 1.0)), rel=1e-6
    )


def test_the_restricted_likelihood_of_the_correlation() -> None:
    design = build_terms(MONTH, ALONE.after, MONTH % 12, Terms(), start=36)
    z = np.log(DATA["count"] / DATA["population"])
    df = len(z) - design.X.shape[1]
    for rho, value in GOLDEN["restricted_likelihood"].items():
        grid = np.array([[0.0, 1.0], [float(rho), 1.0]])
        weight = _average(design.X, z, _Filter.of(np.diff(MONTH).astype(np.float64), grid), df).weight
        assert math.log(weight[1] / weight[0]) == pytest.approx(value, rel=1e-6)


def test_a_dispersion_below_one_does_not_narrow_the_interval() -> None:
    even = replace(ALONE, count=np.round(ALONE.count.mean() * np.ones(len(MONTH))), population=None)
    found = plain_change(even, Terms(harmonics=0))
    design = build_terms(MONTH, even.after, MONTH % 12, Terms(harmonics=0), start=36)
    poisson = np.linalg.inv((design.X * even.count[:, None]).T @ design.X)
    assert found.value == pytest.approx(1.0, abs=1e-6)
    assert found.std_error == pytest.approx(math.sqrt(poisson[1, 1]), rel=1e-6)
