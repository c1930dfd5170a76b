"""Schedule, sensor and definitions: time is moved, not waited for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from workbench import QUARTER, ROOT, Workbench

from assets.bundled import write_deliveries
from assets.chain import DESCRIPTIONS
from effectmeter.quarters import Quarter
from pipelines.automation import QUIET_SECONDS
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


def test_the_sensor_starts_a_complete_delivery_once_and_not_before_it_is_quiet(
    bench: Workbench, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    sensor = definitions.resolve_sensor_def("complete_deliveries")
    repository = definitions.get_repository_def()
    files = write_deliveries(bench.home, QUARTER, ["tarp"])["tarp"]

    def evaluate(cursor: str | None) -> tuple[int, str | None]:
        context = dg.build_sensor_context(
            instance=instance, instance_ref=instance.get_ref(), cursor=cursor, repository_def=repository
        )
        data = sensor.evaluate_tick(context)
        return len(data.run_requests or []), data.cursor

    assert evaluate(None)[0] == 0, "files that have just been written may still be growing"
    earlier = (datetime.now() - timedelta(seconds=2 * QUIET_SECONDS)).timestamp()
    for path in files:
        os.utime(path, (earlier, earlier))
    started, cursor = evaluate(None)
    assert started == 1
    assert evaluate(cursor)[0] == 0, "the same delivery is not started twice"
    os.utime(files[0], (earlier + 1, earlier + 1))
    assert evaluate(cursor)[0] == 1, "a replaced file is a new delivery"
    files[0].unlink()
    assert evaluate(None)[0] == 0, "a delivery that misses a file is not complete"


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
