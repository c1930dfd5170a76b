"""Published studies of areas through the public interface: a plan and CSV files in, the effects table out."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from workbench import Workbench, rows_where

from effectmeter.home import Home  # noqa: F401  (the workbench builds on it)


def plan(programme: str, outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "programme": programme,
        "title": {"nl": programme, "en": programme},
        "design": "staggered_areas",
        "source": {"areas": {"file": "gebieden.csv"}, "area_counts": {"file": "aantallen.csv"}},
        "outcomes": outcomes,
        "looks": {"method": "none"},
    } | more


def only(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    found = rows_where(rows, **wanted)
    assert len(found) == 1, f"{len(found)} rows have {wanted}"
    return found[0]


def test_minimum_wages_by_renamed_columns(tmp_path: Path, shared_data: Path) -> None:
    with (shared_data / "mpdta" / "mpdta.csv").open() as stream:
        raw = list(csv.DictReader(stream))
    bench = Workbench(tmp_path)
    source = {
        "areas": {"file": "gebieden.csv", "columns": {"area_id": "gemeente", "adopted_period": "start"}},
        "area_counts": {
            "file": "aantallen.csv",
            "columns": {"area_id": "gemeente", "period": "jaar", "value": "log_banen"},
        },
    }
    bench.add_plan(
        plan(
            "minimumloon",
            {"banen": {"value": "banen", "measures": ["mean_difference"], "better": "higher"}},
            source=source,
            areas={"comparison": "never_treated"},
        )
    )
    counties = {row["countyreal"]: row for row in raw}
    bench.deliver(
        "minimumloon",
        "gebieden.csv",
        ["gemeente", "start", "lpop"],
        [
            [f"G{key}", "" if row["first.treat"] == "0" else row["first.treat"], row["lpop"]]
            for key, row in counties.items()
        ],
        delimiter=";",
    )
    bench.deliver(
        "minimumloon",
        "aantallen.csv",
        ["gemeente", "jaar", "outcome", "log_banen"],
        [[f"G{row['countyreal']}", row["year"], "banen", row["lemp"]] for row in reversed(raw)],
        delimiter=";",
    )
    bench.estimate("minimumloon")
    found = bench.effects("minimumloon")
    main = only(found["effects"], analysis="primary")
    assert main["estimate"] == pytest.approx(-0.0400, abs=5e-5)
    assert (main["n_treated"], main["n_comparison"], main["measure"]) == (191, 309, "mean_difference")
    assert only(found["effects"], subgroup="aggregation=dynamic")["estimate"] == pytest.approx(-0.0772, abs=5e-5)
    gates = {gate["gate"]: gate["status"] for gate in found["gates"]}
    assert gates["clusters"] == "passed"
    assert gates["pre_trends"] in {"passed", "failed"}


def test_drug_market_by_calibrated_blocks(tmp_path: Path, shared_data: Path) -> None:
    from area_frames import SEATTLE_MATCH, SEATTLE_OUTCOMES, seattle

    raw = seattle(shared_data)
    # a tenth of the blocks keeps this quick; the published numbers of all are held in tests/test_areas_published.py
    first = raw.unique("ID", keep="first", maintain_order=True)
    treated = raw.group_by("ID").agg(pl.col("Intervention").max()).filter(pl.col("Intervention") > 0)["ID"]
    kept = set(treated.to_list()) | set(first["ID"].gather_every(10).to_list())
    raw = raw.filter(pl.col("ID").is_in(list(kept)))
    bench = Workbench(tmp_path)
    bench.add_plan(
        plan(
            "drugsmarkt",
            {name: {"measures": ["percent_change"]} for name in SEATTLE_OUTCOMES.values()},
            areas={"comparison": "calibrated", "match_on": list(SEATTLE_MATCH[:3])},
        )
    )
    once = raw.unique("ID", keep="first", maintain_order=True)
    wanted = set(treated.to_list())
    bench.deliver(
        "drugsmarkt",
        "gebieden.csv",
        ["area_id", "adopted_period", *SEATTLE_MATCH[:3]],
        [
            [f"b{row['ID']}", 13 if row["ID"] in wanted else "", *(row[c] for c in SEATTLE_MATCH[:3])]
            for row in once.iter_rows(named=True)
        ],
    )
    bench.deliver(
        "drugsmarkt",
        "aantallen.csv",
        ["area_id", "period", "outcome", "count"],
        [
            [f"b{row['ID']}", row["time"], name, row[column]]
            for row, (column, name) in itertools.product(raw.iter_rows(named=True), SEATTLE_OUTCOMES.items())
        ],
    )
    bench.estimate("drugsmarkt")
    found = bench.effects("drugsmarkt")
    main = only(found["effects"], analysis="primary")
    assert (main["estimator"], main["outcome"], main["n_treated"]) == ("calibrated", "felony", 39)
    assert main["events_treated"] == 46
    assert -60 < main["estimate"] < 0
    assert any(gate["gate"] == "balance" for gate in found["gates"])
