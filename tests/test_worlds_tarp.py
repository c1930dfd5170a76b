"""The bundled TARP delivery is the published data, nothing more and nothing less."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[1]
TARP = ROOT / "programmes" / "deliveries" / "tarp"
ROSSI = ROOT.parent / "shared" / "data" / "rossi_tarp" / "rossi.csv"


@pytest.fixture(scope="module")
def persons() -> pl.DataFrame:
    return pl.read_csv(TARP / "persons.csv")


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    return pl.read_csv(TARP / "events.csv")


def test_arrests_per_arm_are_the_published_counts(persons: pl.DataFrame, events: pl.DataFrame) -> None:
    arrested = persons.with_columns(is_arrested=pl.col("person_id").is_in(events["person_id"].implode()))
    table = arrested.group_by("arm").agg(pl.len().alias("n"), pl.col("is_arrested").sum()).sort("arm")
    assert table.rows() == [("aid", 216, 48), ("no_aid", 216, 66)]


def test_everyone_is_followed_for_52_weeks(persons: pl.DataFrame, events: pl.DataFrame) -> None:
    assert persons["follow_up_days"].unique().to_list() == [364]
    assert persons["person_id"].is_unique().all() and events["person_id"].is_unique().all()
    assert (events["event_day"] % 7 == 0).all() and events["event_day"].is_between(7, 364).all()
    assert set(events["event_type"]) == {"arrest"}


def test_equals_the_source(persons: pl.DataFrame, events: pl.DataFrame) -> None:
    if not ROSSI.exists():
        pytest.skip("the source file rossi.csv is not beside this checkout (../shared/data/rossi_tarp)")
    rossi = pl.read_csv(ROSSI)
    week = persons.join(events, on="person_id", how="left", maintain_order="left").select(
        (pl.col("event_day").fill_null(364) // 7).alias("week"),
        pl.col("event_day").is_not_null().cast(pl.Int64).alias("arrest"),
        (pl.col("arm") == "aid").cast(pl.Int64).alias("fin"),
        *rossi.columns[3:],
    )
    assert week.equals(rossi)


def test_the_recipe_in_source_md_makes_these_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ROSSI.exists():
        pytest.skip("the source file rossi.csv is not beside this checkout (../shared/data/rossi_tarp)")
    recipe = re.search(r"```python\n(.*?)```", (TARP / "SOURCE.md").read_text("utf-8"), re.DOTALL)
    assert recipe is not None
    (tmp_path / "rossi.csv").write_bytes(ROSSI.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(recipe.group(1), {})
    for name in ("persons.csv", "events.csv"):
        assert (tmp_path / name).read_bytes() == (TARP / name).read_bytes()
