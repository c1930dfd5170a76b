"""Schedule, sensor and definitions: time is moved, not waited for."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from workbench import QUARTER, ROOT, Workbench

from assets import steps
from assets.bundled import write_deliveries
from assets.chain import DESCRIPTIONS
from assets.installation import Installation
from effectmeter.arrivals import QUIET_SECONDS
from effectmeter.errors import BusyError, DeliveryError, EffectmeterError
from effectmeter.quarters import Quarter
from effectmeter.standing import read_standings
from pipelines.definitions import build_definitions

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    for programme in ("tarp", "alleen-jij-bepaalt", "integrale-familieaanpak"):
        bench.add_bundled(programme)
    return bench


@pytest.fixture
def definitions(bench: Workbench) -> dg.Definitions:
    return build_definitions(bench.plans, bench.home)


def test_the_definitions_hold_one_chain_per_programme_and_the_portfolio(definitions: dg.Definitions) -> None:
    """A snapshot of the asset graph: a change of it shows in review."""
    graph = definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    expected = {
        f"{p}/{name}" for p in ("tarp", "alleen-jij-bepaalt", "integrale-familieaanpak") for name in DESCRIPTIONS
    }
    assert keys == expected | {"portfolio"}
    names = list(DESCRIPTIONS)
    for before, after in itertools.pairwise(names):
        parents = graph.get(dg.AssetKey(["tarp", after])).parent_keys
        assert parents == {dg.AssetKey(["tarp", before])}


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key


def test_every_report_has_a_deadline(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert (spec.freshness_policy is not None) == (spec.key.path[-1] == "report"), spec.key


def test_critical_expectations_block_and_warnings_do_not(definitions: dg.Definitions) -> None:
    from effectmeter.plan_io import load_plan
    from expectations import analysis_check_specs, landing_check_specs

    plan = load_plan(ROOT / "programmes" / "tarp.yaml")
    graph = definitions.resolve_asset_graph()
    for table, specs in (("landing", landing_check_specs(plan)), ("outcomes", analysis_check_specs(plan))):
        for spec in specs:
            key = dg.AssetCheckKey(dg.AssetKey(["tarp", table]), spec.name)
            assert graph.get_check_spec(key).blocking == (spec.severity == "critical"), spec.name


@pytest.mark.parametrize(
    ("tick", "quarter"),
    [
        (datetime(2026, 10, 15, 6, tzinfo=AMSTERDAM), "2026-Q3"),
        (datetime(2027, 1, 15, 6, tzinfo=AMSTERDAM), "2026-Q4"),
    ],
)
def test_the_schedule_asks_for_the_quarter_that_has_closed(
    definitions: dg.Definitions, tmp_path: Path, tick: datetime, quarter: str
) -> None:
    schedule = definitions.resolve_schedule_def("every_quarter")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=tick, repository_def=definitions.get_repository_def()
        )
        requests = schedule.evaluate_tick(context).run_requests
        assert instance.get_dynamic_partitions("quarter") == [quarter]
    assert requests is not None
    assert {request.partition_key for request in requests} == {quarter}
    assert {request.tags["programme"] for request in requests} == {
        "tarp",
        "alleen-jij-bepaalt",
        "integrale-familieaanpak",
    }
    assert all(request.asset_check_keys for request in requests)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


class Daemon:
    """Evaluates one sensor again and again, with a clock that is moved by hand."""

    def __init__(self, bench: Workbench, instance: dg.DagsterInstance, name: str, now: datetime) -> None:
        self.now, self.instance, self.cursor = now, instance, None
        self.cursor: str | None
        self.definitions = build_definitions(bench.plans, bench.home, clock=lambda: self.now)
        self.sensor = self.definitions.resolve_sensor_def(name)

    def tick(self, after: float = 30.0) -> Any:
        self.now += timedelta(seconds=after)
        context = dg.build_sensor_context(
            instance=self.instance,
            instance_ref=self.instance.get_ref(),
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
        )
        data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return data

    def started(self, after: float = 30.0) -> list[str]:
        requests = self.tick(after).run_requests or []
        return [f"{request.tags['programme']} {request.partition_key}" for request in requests]


AFTER = datetime(2026, 10, 3, 9, tzinfo=AMSTERDAM)


def test_the_sensor_starts_a_complete_delivery_once_and_not_before_it_is_quiet(
    bench: Workbench, instance: dg.DagsterInstance
) -> None:
    daemon = Daemon(bench, instance, "complete_deliveries", AFTER)
    files = write_deliveries(bench.home, QUARTER, ["tarp"])["tarp"]
    assert daemon.started() == [], "files that have just come may still be growing"
    assert daemon.started() == []
    assert daemon.started() == ["tarp 2026-Q3"]
    assert daemon.started(3600) == [], "the same delivery is not started twice"
    os.utime(files[0], (1, 1))
    assert daemon.started() == []
    assert daemon.started(QUIET_SECONDS) == ["tarp 2026-Q3"], "a replaced file is a new delivery"
    files[0].unlink()
    daemon.tick()
    skipped = daemon.tick(3600)
    assert not skipped.run_requests
    assert "not there yet" in str(skipped.skip_message)


def test_a_mended_plan_is_a_reason_to_try_a_refused_delivery_again(
    bench: Workbench, instance: dg.DagsterInstance
) -> None:
    daemon = Daemon(bench, instance, "complete_deliveries", AFTER)
    write_deliveries(bench.home, QUARTER, ["tarp"])
    daemon.tick()
    assert daemon.started(QUIET_SECONDS) == ["tarp 2026-Q3"]
    path = bench.plans / "tarp.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "retention_months: 60\n", encoding="utf-8")
    mended = Daemon(bench, instance, "complete_deliveries", daemon.now)
    mended.cursor = daemon.cursor
    assert mended.started() == ["tarp 2026-Q3"]
    assert mended.started() == []


def test_older_quarters_are_started_first(bench: Workbench, instance: dg.DagsterInstance) -> None:
    daemon = Daemon(bench, instance, "complete_deliveries", AFTER)
    for quarter in (QUARTER, QUARTER.previous()):
        write_deliveries(bench.home, quarter, ["tarp"])
    daemon.tick()
    assert daemon.started(QUIET_SECONDS) == ["tarp 2026-Q2", "tarp 2026-Q3"]


def test_a_delivery_that_is_not_what_its_manifest_says_is_told_once_and_never_started(
    bench: Workbench, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("pipelines.automation.tell", lambda home, notices: told.extend(notices) or [])
    daemon = Daemon(bench, instance, "complete_deliveries", AFTER)
    files = write_deliveries(bench.home, QUARTER, ["tarp"])["tarp"]
    named = [{"name": path.name, "bytes": 1, "sha256": "0" * 64} for path in files]
    (files[0].parent / "manifest.json").write_text(json.dumps({"files": named}), encoding="utf-8")
    assert daemon.started() == []
    assert told == []
    assert daemon.started(QUIET_SECONDS) == []
    assert daemon.started(3600) == []
    (notice,) = told
    assert (notice.event, notice.programme) == ("failed", "tarp")
    assert "is larger than manifest.json says" in notice.details


def test_the_schedule_leaves_what_is_being_copied_to_the_sensor(bench: Workbench, tmp_path: Path) -> None:
    files = write_deliveries(bench.home, QUARTER, ["tarp", "alleen-jij-bepaalt"])
    (files["tarp"][0].parent / f"{files['tarp'][0].name}.part").write_text("half", encoding="utf-8")
    definitions = build_definitions(bench.plans, bench.home)
    tick = datetime(2026, 10, 15, 6, tzinfo=AMSTERDAM)
    for path in files["alleen-jij-bepaalt"]:
        os.utime(path, (1, 1))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=tick, repository_def=definitions.get_repository_def()
        )
        requests = definitions.resolve_schedule_def("every_quarter").evaluate_tick(context).run_requests or []
    # one without a delivery does run: that it fails is how people hear of it
    assert {each.tags["programme"] for each in requests} == {"alleen-jij-bepaalt", "integrale-familieaanpak"}


def test_a_missed_deadline_is_told_once_and_shown(
    bench: Workbench, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("pipelines.following.tell", lambda home, notices: told.extend(notices) or [])
    (bench.home.releases("tarp", QUARTER) / "001").mkdir(parents=True)
    (bench.home.releases("alleen-jij-bepaalt", QUARTER.previous()) / "001").mkdir(parents=True)
    daemon = Daemon(bench, instance, "deadlines", datetime(2026, 11, 1, 8, 59, tzinfo=AMSTERDAM))
    daemon.tick(0)
    assert told == []
    daemon.tick(60)
    daemon.tick(3600)
    assert {notice.programme: notice.event for notice in told} == {
        "alleen-jij-bepaalt": "late",
        "integrale-familieaanpak": "late",
    }
    assert len(told) == 2
    (standing,) = read_standings(bench.home.release_root / "alleen-jij-bepaalt")
    assert (standing.quarter, standing.kind, standing.since) == ("2026-Q3", "late", "2026-11-01")


def test_releases_are_made_again_in_order_one_at_a_time_and_not_for_ever(
    bench: Workbench, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = [(QUARTER.previous(), ("plan",)), (QUARTER, ("plan",))]
    monkeypatch.setattr("pipelines.following.outdated", lambda home, plan: stale if plan.programme == "tarp" else [])
    daemon = Daemon(bench, instance, "outdated_releases", AFTER)
    assert daemon.started() == ["tarp 2026-Q2"]
    assert daemon.started() == ["tarp 2026-Q3"], "one that failed does not hold up the next"
    assert daemon.started() == []


def test_a_run_of_dagster_that_fails_is_remembered_and_told_but_not_one_of_the_command_line(
    bench: Workbench, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr("pipelines.following.tell", lambda home, notices: told.extend(notices) or [])
    (bench.home.releases("tarp", QUARTER.previous()) / "001").mkdir(parents=True)
    definitions = build_definitions(bench.plans, bench.home, clock=lambda: AFTER)
    instance.add_dynamic_partitions("quarter", [str(QUARTER)])
    sensor = definitions.resolve_sensor_def("tell_failures")
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={dg.AssetKey(["tarp", "landing"])}
    )
    for tags in ({"programme": "tarp"}, {"programme": "tarp", "effectmeter/told": "yes"}):
        result = job.execute_in_process(
            instance=instance, partition_key=str(QUARTER), raise_on_error=False, tags={"quarter": str(QUARTER), **tags}
        )
        assert not result.success
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        context = dg.build_run_status_sensor_context(
            sensor_name="tell_failures",
            dagster_event=next(each for each in result.all_events if each.is_failure),
            dagster_instance=instance,
            dagster_run=run,
        ).for_run_failure()
        sensor(context)
    (notice,) = told
    assert (notice.event, notice.quarter) == ("failed", str(QUARTER))
    assert "there is no delivery for this quarter" in notice.details
    (standing,) = read_standings(bench.home.release_root / "tarp")
    assert (standing.kind, standing.since) == ("delivery", "2026-10-03")


@pytest.mark.parametrize(
    ("error", "tries"), [(BusyError("somebody is at it"), 3), (DeliveryError("no such column"), 1)]
)
def test_a_busy_machine_is_tried_again_and_a_refusal_never(
    bench: Workbench, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, error: EffectmeterError, tries: int
) -> None:
    tried = []

    def fail(*_: Any) -> None:
        tried.append(1)
        raise error

    monkeypatch.setitem(steps.STEPS, "landing", fail)
    definitions = build_definitions(bench.plans, bench.home, retries=2)
    instance.add_dynamic_partitions("quarter", [str(QUARTER)])
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection={dg.AssetKey(["tarp", "landing"])}
    )
    result = job.execute_in_process(
        instance=instance,
        partition_key=str(QUARTER),
        raise_on_error=False,
        resources={"installation": Installation(root=str(bench.home.root), retries=2, wait_seconds=0.0)},
    )
    assert not result.success
    assert len(tried) == tries
    assert error.what in str(result.get_step_failure_events()[0].step_failure_data.user_failure_data.description)


def test_the_interface_offers_the_quarters_that_have_a_delivery(bench: Workbench) -> None:
    from pipelines.instance import offer_quarters, open_instance

    (bench.home.root / "deliveries" / "tarp" / "2025-Q4").mkdir(parents=True)
    (bench.home.root / "deliveries" / "tarp" / "old-Q9").mkdir()
    assert offer_quarters(bench.home, QUARTER) == [Quarter(2025, 4), QUARTER]
    with open_instance(bench.home) as instance:
        assert sorted(instance.get_dynamic_partitions("quarter")) == ["2025-Q4", str(QUARTER)]


def test_loading_definitions_imports_no_heavy_library() -> None:
    """Definitions load in seconds because the engines are imported by the steps that use them."""
    import subprocess
    import sys

    code = (
        "import sys; from pipelines.definitions import build_definitions; build_definitions(); "
        "print([m for m in ('great_expectations', 'statsmodels', 'altair', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_imports_no_model_before_a_command_needs_one() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pipelines.cli; print([m for m in ('pydantic', 'dagster', 'polars', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
