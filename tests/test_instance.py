"""Opening Dagster's storage: what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from pipelines.instance import open_instance, prepare_dagster_home
from pipelines.sqlite_storage import KeptEvents


def test_a_storage_that_gives_out_is_told_in_words_and_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(ref: object) -> None:
        raise OperationalError("PRAGMA main.table_info", {"secret": "value"}, Exception("disk I/O error"))

    monkeypatch.setattr(dg.DagsterInstance, "from_ref", full)
    with pytest.raises(EffectmeterError, match="the disk is full") as refused:
        open_instance(Home(tmp_path))
    assert "PRAGMA" not in str(refused.value) and "value" not in str(refused.value)
    assert "next: make room" in str(refused.value)


def note(instance: dg.DagsterInstance, number: int) -> None:
    """Write a materialisation that belongs to no run, and a run."""
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key="figures", metadata={"number": number}))
    instance.create_run_for_job(DEFINITIONS.resolve_implicit_global_asset_job_def())


@dg.asset
def figures() -> None:
    """Something to make."""


DEFINITIONS = dg.Definitions(assets=[figures])


def seen(instance: dg.DagsterInstance) -> tuple[list[object], int]:
    """Return the numbers that were written, the newest first, and how many runs there are."""
    records = instance.fetch_materializations(dg.AssetKey("figures"), limit=50).records
    found = [record.asset_materialization for record in records]
    return [each.metadata["number"].value for each in found if each is not None], instance.get_runs_count()


def test_files_that_stay_open_are_those_of_dagster_itself(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_instance(home) as ours, dg.DagsterInstance.from_config(str(home.dagster)) as plain:
        assert type(ours.event_log_storage) is not type(plain.event_log_storage)
        note(ours, 1)
        assert seen(plain) == ([1], 1)
        note(plain, 2)
        assert seen(ours) == ([2, 1], 2)
    with open_instance(home) as again:
        assert seen(again) == ([2, 1], 2)
    assert not list(home.dagster.rglob("*.db-wal")), "what is disposed of comes to rest"


def test_no_more_files_stay_open_than_are_needed(tmp_path: Path) -> None:
    with open_instance(Home(tmp_path)) as instance:
        events = instance.event_log_storage
        assert isinstance(events, KeptEvents)
        for number in range(20):
            assert events.get_records_for_run(f"run-{number}").records == []
        assert len(events._engines) == 8


def test_another_storage_in_the_settings_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    prepare_dagster_home(home)
    elsewhere = tmp_path / "elsewhere"
    settings = home.dagster / "dagster.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"{text}\nstorage: {{sqlite: {{base_dir: {elsewhere}}}}}\n", encoding="utf-8")
    with open_instance(home) as instance:
        assert not isinstance(instance.event_log_storage, KeptEvents)
    assert any(elsewhere.rglob("*.db"))
