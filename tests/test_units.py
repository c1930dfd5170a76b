"""Areas, series and trials on their way from a delivery to the frames of a design."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from workbench import QUARTER, Workbench

from effectmeter.designs.base import UNIT_COLUMNS, AnalysisData
from effectmeter.errors import DeliveryError
from effectmeter.plan_io import load_plan


def build(bench: Workbench, plan: dict[str, Any]) -> AnalysisData:
    """Run the chain up to the outcomes and read what the design sees."""
    from assets import steps
    from vault.analysis import read_analysis_data
    from vault.connection import open_vault

    bench.add_plan(plan)
    loaded = load_plan(bench.plans / f"{plan['programme']}.yaml")
    for name in ("landing", "cohort", "outcomes"):
        steps.STEPS[name](bench.home, loaded, QUARTER)
        if name == "landing":
            steps.check(bench.home, loaded, QUARTER, name)
    with open_vault(bench.home.vault(loaded.programme, QUARTER)) as connection:
        return read_analysis_data(connection, loaded, QUARTER)


def area_plan(**more: Any) -> dict[str, Any]:
    return {
        "programme": "wijken",
        "title": "Wijken",
        "design": "staggered_areas",
        "source": {"areas": {"file": "areas.csv"}, "area_counts": {"file": "counts.csv"}},
        "outcomes": {"burglary": {}},
    } | more


def deliver_areas(bench: Workbench, starts: dict[str, str], labels: list[str], column: str = "adopted_period") -> None:
    bench.deliver(
        "wijken", "areas.csv", ["area_id", column, "urban"], [(k, v, i) for i, (k, v) in enumerate(starts.items())]
    )
    rows = [(area, label, "burglary", 10 + i, 1000) for area in starts for i, label in enumerate(labels)]
    bench.deliver("wijken", "counts.csv", ["area_id", "period", "outcome", "count", "population"], rows)


def test_areas_are_counted_on_the_calendar_of_their_periods(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    labels = ["2025-Q1", "2025-Q2", "2025-Q4", "2026-Q1", "2026-Q3", "2026-Q4"]
    deliver_areas(bench, {"a": "2025-Q4", "b": "2026-Q2", "c": "", "d": ""}, labels)
    data = build(bench, area_plan(adjust_for={"urban": "numeric"}))
    areas, periods = data.units["areas"], data.units["area_periods"]
    assert areas.select(*UNIT_COLUMNS["areas"]).schema == pl.Schema(UNIT_COLUMNS["areas"])
    assert dict(zip(areas["area_id"], areas["adopted"], strict=True)) == {"a": 3, "b": 5, "c": None, "d": None}
    assert areas.schema["urban"] == pl.Float64
    assert periods.schema == pl.Schema(UNIT_COLUMNS["area_periods"])
    # the gap stays a gap, and the quarter after the reference date is not over
    assert sorted(periods["period"].unique()) == [0, 1, 3, 4, 6]
    assert periods["count"].sum() == 4 * (10 + 11 + 12 + 13 + 14)
    assert data.persons.is_empty() and data.outcomes.is_empty()


def test_a_start_may_be_a_date_and_periods_may_be_left_out(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    deliver_areas(
        bench, {"a": "2025-05-17", "b": "", "c": "2025-08-01"}, ["2025-Q1", "2025-Q2", "2025-Q3"], "adopted_on"
    )
    data = build(bench, area_plan(areas={"exclude_periods": ["2025-Q2"]}))
    assert data.units["areas"]["adopted"].to_list() == [1, None, 2]
    assert sorted(data.units["area_periods"]["period"].unique()) == [0, 2]


def test_a_date_cannot_be_placed_among_bare_numbers(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    deliver_areas(bench, {"a": "2025-05-17", "b": ""}, ["1", "2", "3"], "adopted_on")
    with pytest.raises(DeliveryError, match="areas_start_of_the_same_kind"):
        build(bench, area_plan())


def test_series_know_their_start_and_season(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    labels = [f"{2024 + m // 12}-{1 + m % 12:02d}" for m in range(30)]
    rows = [
        (label, "fraud", 20 + m, control) for control in ("false", "true") for m, label in enumerate(labels) if m != 7
    ]
    bench.deliver("haven", "series.csv", ["period", "outcome", "count", "is_control"], rows)
    plan = {
        "programme": "haven",
        "title": "Haven",
        "design": "interrupted_series",
        "source": {"series": {"file": "series.csv"}},
        "outcomes": {"pin_fraud": {"event": "fraud"}},
        "series": {"start": "2025-06", "season_length": 12},
    }
    series = build(bench, plan).units["series"]
    assert series.schema == pl.Schema(UNIT_COLUMNS["series"])
    assert series["outcome"].unique().to_list() == ["pin_fraud"]
    assert series.filter("after")["period"].min() == 17 and series.filter(~pl.col("after"))["period"].max() == 16
    assert series.filter(~pl.col("is_control")).height == series.filter("is_control").height == 29
    assert series.filter(pl.col("label") == "2025-06")["season"].unique().to_list() == [5]


def test_trials_arrive_as_they_were_delivered(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    header = ["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison", "group"]
    bench.deliver("proeven", "t.csv", header, [("x", 19, 46, 4, 35, "young"), ("y", 16, 94, 8, 67, "old")])
    plan = {
        "programme": "proeven",
        "title": "Proeven",
        "design": "pooled_trials",
        "source": {"trials": {"file": "t.csv"}},
        "subgroups": ["group"],
    }
    trials = build(bench, plan).units["trials"]
    assert trials.select(*UNIT_COLUMNS["trials"]).schema == pl.Schema(UNIT_COLUMNS["trials"])
    assert trials["events_treated"].to_list() == [19, 16] and trials["group"].to_list() == ["young", "old"]


def test_an_area_without_a_count_in_a_period_is_a_gap_and_no_fault(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    starts = {"a": "2025-Q2", "b": "", "c": ""}
    deliver_areas(bench, starts, ["2025-Q1", "2025-Q2"])
    rows = [
        (area, label, "burglary", "NA" if (area, label) == ("b", "2025-Q2") else 7)
        for area in starts
        for label in ("2025-Q1", "2025-Q2")
    ]
    bench.deliver("wijken", "counts.csv", ["area_id", "period", "outcome", "count"], rows)
    periods = build(bench, area_plan()).units["area_periods"]
    assert periods.filter(area_id="b")["label"].to_list() == ["2025-Q1"]
    assert periods.height == 5
