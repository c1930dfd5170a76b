"""Cells added up in SQL give what the design's rows give, to 1e-8; and the benchmark passes no bar unmeasured."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from oracle import QUARTER, Absence, Delivery, Event, Person, analysed, try_out

from effectmeter.designs.assembling import assemble
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.bootstrap import bootstrap_ratio
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.rate import rate_contrast
from effectmeter.estimators.risk import risk_contrast

ROOT = Path(__file__).resolve().parents[1]
PLAN = try_out(
    design="randomised", follow_up={"days": [200]}, adjust_for={"sex": "categorical", "birth_year": "numeric"}
)


def delivery(n: int = 400) -> Delivery:
    draw = np.random.default_rng(11)
    people = tuple(
        Person(
            f"p{i}",
            arm="treated" if draw.random() < 0.5 else "comparison",
            sex=str(draw.choice(["f", "m", "x"])),
            birth_year=int(draw.integers(1990, 1993)),
            linked=True,
            follow_up_days=1000,
        )
        for i in range(n)
    )
    events = tuple(Event(p.person_id, event_day=int(d)) for p in people for d in draw.integers(1, 300, draw.poisson(2)))
    away = tuple(
        Absence(p.person_id, start_date=p.index_date, end_date=p.index_date.replace(month=int(draw.integers(1, 5))))
        for p in people[::3]
        if p.index_date is not None
    )
    return Delivery(people, events, away)


@pytest.fixture(scope="module")
def built() -> tuple[Sample, Sample]:
    """The same persons, added up and one by one."""
    samples = []
    with pytest.MonkeyPatch.context() as patch:
        for many in (1, 10**9):
            patch.setattr("vault.alike.MANY_PERSONS", many)
            data = analysed(duckdb.connect(), delivery(), PLAN, QUARTER)
            samples.append(assemble(data, "treated", "contact", 200))
    return samples[0], samples[1]


def cells_of(sample: Sample, kind: Any, **how: Any) -> Cells:
    cells = sample.cells(kind, **how)
    assert cells is not None
    return cells


def same(one: Estimate, other: Estimate) -> None:
    assert (other.value, other.std_error) == pytest.approx((one.value, one.std_error), rel=1e-8)


@pytest.mark.parametrize("variance", ["model", "hc0", "hc1"])
def test_estimates_of_cells_added_up_in_sql_are_those_of_rows(built: Any, variance: str) -> None:
    added_up, rows = built
    assert rows.cells("risk") is None
    asked: dict[str, Any] = {"variance": variance}
    cells = cells_of(added_up, "risk")
    one = risk_contrast(rows.event01, rows.treated01, rows.X, estimand="ate", **asked)
    other = risk_contrast(cells.y, cells.treated01, cells.X, estimand="ate", cells=cells, **asked)
    same(one.ratio, other.ratio)
    cells = cells_of(added_up, "free_time")
    assert len(cells) < len(rows.treated01) / 10 and rows.has_absences
    one = rate_contrast(rows.n_events, rows.free_years, rows.treated01, rows.X, estimand="ate", **asked)
    other = rate_contrast(cells.y, cells.t, cells.treated01, cells.X, estimand="ate", cells=cells, **asked)
    same(one.ratio, other.ratio)
    same(one.difference, other.difference)
    cells = cells_of(added_up, "hazard")
    assert cells.days is not None
    same(
        hazard_ratio(rows.days, rows.event01, rows.treated01, rows.X, **asked),
        hazard_ratio(cells.days, cells.y, cells.treated01, cells.X, cells=cells, **asked),
    )


@pytest.mark.parametrize(
    ("persons", "said"), [(1000, "| pass at this size; not measured at 10^7 |"), (10**7, "| pass |")]
)
def test_a_bar_is_passed_only_at_its_own_size(monkeypatch: pytest.MonkeyPatch, persons: int, said: str) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    bench_page = importlib.import_module("bench_page")
    run = {"cpu": 5.0, "wall": 5.0, "scan_cpu": 1.0, "scan_wall": 1.0, "peak": 100.0}
    text = bench_page.page([{"persons": persons, "others": {}, "not_run": ["any: not done"], "chain any": [run]}], "")
    assert f"| cohort and outcomes, any order | 90x scan | 5x {said}" in text
    assert "| Cox, nine factors, robust error | 60x scan |  | not measured |" in text and "any: not done" in text


@pytest.mark.parametrize("clustered", [False, True])
def test_the_bootstrap_of_cells_finds_the_robust_error(built: Any, clustered: bool) -> None:
    added_up, _ = built
    cells = cells_of(added_up, "free_time", alike_in_outcome=True)
    variance = "hc0"
    if clustered:  # made-up sites, of cells
        cells, variance = replace(cells, cluster=np.arange(len(cells)) % 60), "cr3"

    def ratio(of: Cells) -> Estimate:
        return rate_contrast(of.y, of.t, of.treated01, of.X, estimand="ate", variance=variance, cells=of).ratio

    found = bootstrap_ratio(cells, ratio, seed=1, replicates=400)
    assert found.value == ratio(cells).value
    assert found.std_error == pytest.approx(ratio(cells).std_error, rel=0.12)  # 400 draws: a standard error of 3.5 %
    assert found.low < found.value < found.high and found.p_value is None
    assert found == bootstrap_ratio(cells, ratio, seed=1, replicates=400)
    with pytest.raises(EstimationError, match="of 20 draws 20 have no estimate"):
        bootstrap_ratio(cells, _only_of_all(ratio, cells), seed=1, replicates=20)


def _only_of_all(ratio: Callable[[Cells], Estimate], cells: Cells) -> Callable[[Cells], Estimate]:
    """Return an estimate that no draw has."""

    def estimate(of: Cells) -> Estimate:
        if of is cells:
            return ratio(of)
        raise EstimationError("none")

    return estimate


def test_the_bootstrap_of_hazards_takes_cells_by_day(built: Any) -> None:
    added_up, _ = built
    cells = cells_of(added_up, "hazard")

    def ratio(of: Cells) -> Estimate:
        assert of.days is not None
        return hazard_ratio(of.days, of.y, of.treated01, of.X, variance="hc0", cells=of)

    found = bootstrap_ratio(cells, ratio, seed=2, replicates=200)
    assert found.std_error == pytest.approx(ratio(cells).std_error, rel=0.15)
