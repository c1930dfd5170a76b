"""Area estimators against R: tests/references/golden_areas.csv, made by tests/references/make_references_areas.R."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from effectmeter.estimators.group_time import group_time
from effectmeter.estimators.group_time_panel import Panel
from effectmeter.estimators.panel_fixed_effects import two_way
from effectmeter.estimators.panel_poisson import poisson_effect

FOLDER = Path(__file__).parent / "references"
EXACT = 1e-8


def golden() -> dict[str, dict[str, float]]:
    cases: dict[str, dict[str, float]] = {}
    with (FOLDER / "golden_areas.csv").open() as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case"], {})[row["quantity"]] = float(row["value"])
    return cases


GOLDEN = golden()
FRAME = pl.read_csv(FOLDER / "areas.csv").sort("area", "period")
LENGTH = FRAME["period"].n_unique()


def wide(column: str) -> np.ndarray:
    return FRAME[column].cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(-1, LENGTH)


def panel(y: np.ndarray) -> Panel:
    start = wide("start")[:, 0]
    return Panel(
        y=y,
        start=np.where(np.isnan(start), np.inf, start),
        periods=np.arange(float(LENGTH)),
        cluster=np.arange(len(y)),
        X=np.empty((len(y), 0)),
    )


def with_gaps(y: np.ndarray) -> np.ndarray:
    return np.where(wide("gap") == 1, np.nan, y)


@pytest.mark.parametrize("variance", ["model", "hc1", "hc3", "cr0", "cr1", "cr3"])
def test_two_way_effects_with_gaps_and_a_ring(variance: str) -> None:
    exposed = (wide("ring") == 1) & (np.arange(LENGTH) >= 5)
    indicators = np.stack([wide("treated"), exposed.astype(float)], axis=2)
    fit = two_way(with_gaps(wide("value")), indicators, np.arange(len(exposed)))
    assert fit.beta == pytest.approx([GOLDEN["twoway"]["treated"], GOLDEN["twoway"]["ring"]], rel=EXACT)
    assert fit.coefficient(0, variance).std_error == pytest.approx(GOLDEN["twoway"][variance], rel=EXACT)
    assert fit.coefficient(1, "hc1").std_error == pytest.approx(GOLDEN["twoway"]["ring_hc1"], rel=EXACT)


def test_poisson_equals_cohort_by_period_terms() -> None:
    counts = wide("count")
    found = poisson_effect(counts, np.ones_like(counts), panel(counts))
    seen, expected = found.totals
    assert math.log(seen / expected) == pytest.approx(GOLDEN["poisson_cells"]["log_ratio"], rel=EXACT)


def test_poisson_with_population_and_gaps() -> None:
    counts = with_gaps(wide("count"))
    found = poisson_effect(counts, wide("population"), panel(counts)).effect.ratio()
    assert math.log(found.value or 0) == pytest.approx(GOLDEN["poisson_population"]["log_ratio"], rel=EXACT)
    # leaving out one area: exact in the treated sums, one Newton step in the period effects
    assert found.std_error == pytest.approx(GOLDEN["poisson_population"]["jackknife"], rel=0.02)


def test_callaway_santanna_and_its_jackknife() -> None:
    rates = wide("count") / wide("population")
    effect = group_time(panel(rates)).overall("simple")
    case = GOLDEN["callaway_santanna"]
    assert effect.att == pytest.approx(case["att"], rel=EXACT)
    assert math.log(effect.mean / effect.without) == pytest.approx(case["log_ratio"], rel=EXACT)
    assert effect.att_shares.std_error == pytest.approx(case["jackknife"], rel=0.02)
    assert effect.ratio().std_error == pytest.approx(case["jackknife_ratio"], rel=0.03)
