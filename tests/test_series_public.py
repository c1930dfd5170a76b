"""A series through the public interface: a plan and a delivery in, effects, gates and claims out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from series_frames import label_of, monthly
from workbench import Workbench, rows_where

from effectmeter.errors import DeliveryError

REFERENCE = Path(__file__).parent / "references"


def plan(**more: Any) -> dict[str, Any]:
    return {
        "programme": "haven",
        "title": {"nl": "Haven", "en": "Port"},
        "design": "interrupted_series",
        "source": {"series": {"file": "reeks.csv"}},
        "outcomes": {"fraud": {"measures": ["level_ratio", "percent_change"], "primary": True}},
        "series": {"start": label_of(36)},
        "looks": {"method": "none"},
    } | more


def answer(bench: Workbench, written: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    bench.add_plan(written)
    bench.estimate("haven")
    return bench.effects("haven")


def primary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    (row,) = rows_where(found["effects"], analysis="primary")
    return row


def counts() -> np.ndarray:
    return monthly(np.random.default_rng([20260101, 1]), 60, mean=120, ratio=0.6)


def test_a_plain_delivery(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.deliver(
        "haven",
        "reeks.csv",
        ["period", "outcome", "count", "population"],
        [(label_of(t), "fraud", int(y), 80_000) for t, y in enumerate(counts())],
    )
    claim = {"outcome": "fraud", "measure": "level_ratio", "at_most": 0.8, "words": "sterk gedaald"}
    found = answer(bench, plan(claims=[claim]))
    row = primary(found)
    assert (row["measure"], row["estimator"], row["variance"]) == ("level_ratio", "quasi_poisson", "ar1")
    assert row["conf_low"] < 0.6 < row["conf_high"] < 0.75
    assert (row["n_treated"], row["n_comparison"]) == (24, 36)
    assert row["events_treated"] == counts()[36:].sum()
    assert row["person_years_treated"] == pytest.approx(24 / 12 * 80_000)
    (percent,) = rows_where(found["effects"], measure="percent_change", analysis="secondary")
    assert percent["estimate"] == pytest.approx(100 * (row["estimate"] - 1))
    gates = {gate["gate"]: gate["status"] for gate in found["gates"]}
    assert gates["periods"] == "passed" and gates["control_series"] == "not_evaluated"
    assert [claim["ruling"] for claim in found["claims"]] == ["supported"]


def test_renamed_recoded_shuffled_with_a_decimal_comma_and_a_gap(tmp_path: Path) -> None:
    """The same series as a Dutch office would deliver it, and with a month missing."""
    plain, other = Workbench(tmp_path / "a"), Workbench(tmp_path / "b")
    kept = [t for t in range(60) if t != 14]
    y, population = counts(), [79_500.5 + 10 * t for t in range(60)]
    plain.deliver(
        "haven",
        "reeks.csv",
        ["period", "outcome", "count", "population"],
        [(label_of(t), "fraud", int(y[t]), population[t]) for t in kept],
    )
    rows = [
        ("pincodefraude", f"{population[t]:.1f}".replace(".", ","), str(int(y[t])), label_of(t), "nee") for t in kept
    ]
    random.Random(3).shuffle(rows)
    other.deliver(
        "haven",
        "Reeks haven.csv",
        ["soort", "inwoners", "aantal", "maand", "controle"],
        rows,
        delimiter=";",
        encoding="windows-1252",
    )
    renamed = plan(
        source={
            "series": {
                "file": "Reeks haven.csv",
                "columns": {
                    "period": "maand",
                    "outcome": {"column": "soort", "values": {"pincodefraude": "fraud"}},
                    "count": "aantal",
                    "population": "inwoners",
                    "is_control": {"column": "controle", "values": {"ja": "true", "nee": "false"}},
                },
            }
        }
    )
    one, two = primary(answer(plain, plan())), primary(answer(other, renamed))
    assert one["n_comparison"] == 35
    for name in ("estimate", "conf_low", "conf_high", "std_error", "n_treated", "person_years_comparison"):
        assert two[name] == pytest.approx(one[name], rel=1e-9), name


def test_a_control_series_and_both_ways_of_counting_it(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    rng = np.random.default_rng([20260101, 2])
    shared = rng.normal(0, 0.1, 60) - np.where(np.arange(60) >= 36, 0.3, 0.0)
    series = {
        False: monthly(rng, mean=200, shared=shared, ratio=0.7),
        True: monthly(rng, mean=300, shared=shared),
    }
    bench.deliver(
        "haven",
        "reeks.csv",
        ["period", "outcome", "count", "is_control"],
        [(label_of(t), "fraud", int(y[t]), str(own).lower()) for own, y in series.items() for t in range(60)],
    )
    found = answer(bench, plan())
    row = primary(found)
    assert row["estimator"] == "conditional_poisson" and row["conf_low"] < 0.7 < row["conf_high"] < 1
    (alone,) = rows_where(found["effects"], subgroup="control=none", variance="ar1")
    assert alone["estimate"] < 0.65
    assert rows_where(found["effects"], subgroup="series=control")[0]["analysis"] == "negative_control"


@pytest.mark.parametrize("higher", [False, True])
def test_where_more_is_better_the_direction_is_that_of_the_numbers(tmp_path: Path, higher: bool) -> None:
    bench = Workbench(tmp_path)
    y = monthly(np.random.default_rng([20260101, 3]), 60, mean=60, ratio=2.0 if higher else 0.5)
    bench.deliver(
        "haven",
        "reeks.csv",
        ["period", "outcome", "count"],
        [(label_of(t), "parcels", int(v)) for t, v in enumerate(y)],
    )
    claim = {"outcome": "parcels", "measure": "level_ratio", "at_least": 1.3, "words": "veel meer onderschept"}
    outcomes = {"parcels": {"measures": ["level_ratio"], "better": "higher"}}
    found = answer(bench, plan(outcomes=outcomes, claims=[claim]))
    row = primary(found)
    assert (row["conf_low"] > 1) == higher and (row["conf_high"] < 1) != higher
    assert found["claims"][0]["ruling"] == ("supported" if higher else "contradicted")


def test_the_series_of_the_references_in_every_way_that_a_study_prints_it(tmp_path: Path) -> None:
    """Monthly admissions with a population, as in published studies: the ordinary regression's row is R's."""
    import polars as pl

    rows = pl.read_csv(REFERENCE / "series.csv")
    golden = {
        (row["case"], row["quantity"]): float(row["value"])
        for row in pl.read_csv(REFERENCE / "golden_series.csv").iter_rows(named=True)
    }
    bench = Workbench(tmp_path)
    bench.deliver(
        "haven",
        "reeks.csv",
        ["period", "outcome", "count", "population"],
        [(label_of(r["month"], 2002), "admissions", r["count"], r["population"]) for r in rows.iter_rows(named=True)],
    )
    outcomes = {"admissions": {"measures": ["level_ratio"]}}
    start = {"start": label_of(36, 2002)}
    found = answer(bench, plan(outcomes=outcomes, series=start))["effects"]
    (plain,) = rows_where(found, estimator="quasi_poisson", variance="model", analysis="sensitivity", subgroup=None)
    (raw,) = rows_where(found, analysis="unadjusted")
    for row, case in ((plain, "two_harmonics"), (raw, "raw")):
        assert row["estimate"] == pytest.approx(golden[case, "estimate"], rel=1e-7)
        assert row["conf_low"] == pytest.approx(golden[case, "low"], rel=1e-7)
        assert row["conf_high"] == pytest.approx(golden[case, "high"], rel=1e-7)
    unseasonal = answer(bench, plan(outcomes=outcomes, series=start | {"harmonics": 0, "autocorrelation": "none"}))
    row = primary(unseasonal)
    assert row["estimate"] == pytest.approx(golden["trend_only", "estimate"], rel=1e-7)
    assert row["conf_high"] == pytest.approx(golden["trend_only", "high"], rel=1e-7)


def test_a_start_that_is_not_in_the_plan_is_asked_for(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.deliver(
        "haven", "reeks.csv", ["period", "outcome", "count"], [(label_of(t), "fraud", 9 + t % 3) for t in range(40)]
    )
    with pytest.raises(DeliveryError, match="series_before_and_after") as refused:
        answer(bench, plan(series={}))
    assert "series.start" in str(refused.value)
