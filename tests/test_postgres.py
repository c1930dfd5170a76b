"""An installation as it stands on a server: Postgres and our three services, from the files in deploy/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from services import (
    PASSWORD,
    ROOT,
    answers_with,
    find_postgres,
    free_port,
    graphql,
    postgres,
    service,
    wait_until,
)
from workbench import QUARTER, Workbench

from assets.bundled import write_deliveries
from assets.releases import latest_edition

PROGRAMME = "scared-straight"
STEPS = ("landing", "cohort", "outcomes", "comparability", "effects", "diagnostics", "release", "report")
KEY = "5e" * 32

WHERE = {"repositoryName": "__repository__", "repositoryLocationName": "effectmeter"}
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
OFFER = """mutation($where: RepositorySelector!, $quarter: String!) {
  addDynamicPartition(repositorySelector: $where, partitionsDefName: "quarter", partitionKey: $quarter) {
    __typename } }"""
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on PythonError { message } } }"""
STARTED = """{ runsOrError { ... on Runs { results { status startTime endTime tags { key value } } } } }"""
HOW = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status
  eventConnection { events { ... on MessageEvent { eventType } } } } } }"""


@dataclass(frozen=True)
class Running:
    """An installation that runs."""

    bench: Workbench
    base: str
    port: int
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    programs = find_postgres()
    if programs is None:
        pytest.skip("Postgres is not installed (apt-get install postgresql)")
    pytest.importorskip("dagster_postgres", reason="the group 'server' is not installed (uv sync --group server)")
    bench = Workbench(tmp_path_factory.mktemp("server"))
    bench.add_bundled(PROGRAMME)
    write_deliveries(bench.home, QUARTER, [PROGRAMME])
    secrets = {name: bench.root / f"secrets-{name}" for name in ("code", "others")}
    for folder in secrets.values():
        folder.mkdir(mode=0o700)
        (folder / "postgres-password").write_text(f"{PASSWORD}\n", encoding="ascii")
    (secrets["code"] / "effectmeter-key").write_text(f"{KEY}\n", encoding="ascii")
    bench.home.dagster.mkdir(parents=True, mode=0o700)
    shutil.copy(ROOT / "deploy" / "dagster.yaml", bench.home.dagster)
    ui, code = free_port(), free_port()
    with postgres(programs) as port, ExitStack() as stack:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("EFFECT", "DAGSTER"))}
        environment |= {
            "EFFECTMETER_HOME": str(bench.home.root),
            "EFFECTMETER_PROGRAMMES": str(bench.plans),
            "EFFECTMETER_POSTGRES_HOST": "127.0.0.1",
            "EFFECTMETER_POSTGRES_PORT": str(port),
            "EFFECTMETER_POSTGRES_DATABASE": "postgres",
            "EFFECTMETER_POSTGRES_USER": "effectmeter",
            "EFFECTMETER_CODE_PORT": str(code),
            "EFFECTMETER_UI_PORT": str(ui),
            "EFFECTMETER_AUTOMATION": "off",
        }
        migrated = subprocess.run(
            [sys.executable, "-m", "pipelines.services", "migrate"],
            cwd=ROOT,
            env=environment | {"EFFECTMETER_SECRETS": str(secrets["others"])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        processes = {}
        for name in ("code", "daemon", "webserver"):
            folder = secrets["code" if name == "code" else "others"]
            own = environment | {"EFFECTMETER_SECRETS": str(folder)}
            processes[name] = stack.enter_context(service(name, own, bench.root / f"{name}.log"))
        base = f"http://127.0.0.1:{ui}"
        try:
            wait_until(lambda: answers_with(f"{base}/server_info") == 200, list(processes.values()))
            wait_until(lambda: _is_loaded(base), list(processes.values()))
            yield Running(bench, base, port, environment, processes)
        except AssertionError:
            for name in processes:
                sys.stderr.write(f"--- {name}\n{(bench.root / f'{name}.log').read_text()[-3000:]}\n")
            raise


def _is_loaded(base: str) -> bool:
    asked = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"
    entries = graphql(base, asked)["workspaceOrError"]["locationEntries"]
    found = [entry["locationOrLoadError"] for entry in entries]
    return bool(found) and all(each and each["__typename"] == "RepositoryLocation" for each in found)


def test_a_run_goes_through_the_queue_and_leaves_a_release(running: Running) -> None:
    offered = graphql(running.base, OFFER, {"where": WHERE, "quarter": str(QUARTER)})
    assert offered["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    params: dict[str, Any] = {
        "selector": WHERE | {"jobName": "refresh", "assetSelection": [{"path": [PROGRAMME, step]} for step in STEPS]},
        "mode": "default",
        "executionMetadata": {
            "tags": [{"key": "dagster/partition", "value": str(QUARTER)}, {"key": "programme", "value": PROGRAMME}]
        },
    }
    launched = graphql(running.base, LAUNCH, {"params": params})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]

    def how() -> dict[str, Any]:
        return dict(graphql(running.base, HOW, {"id": run})["runOrError"])

    wait_until(lambda: how()["status"] in {"SUCCESS", "FAILURE", "CANCELED"}, list(running.processes.values()))
    ended = how()
    assert ended["status"] == "SUCCESS", (running.bench.root / "code.log").read_text()[-3000:]
    events = [event.get("eventType") for event in ended["eventConnection"]["events"]]
    assert "RUN_ENQUEUED" in {
        str(event).replace("PIPELINE", "RUN") for event in events
    }  # the daemon took it from there
    edition = latest_edition(running.bench.home.releases(PROGRAMME, QUARTER))
    assert edition is not None
    assert json.loads((edition / "passport.json").read_text())["edition"] == "001"


def test_what_dagster_remembers_lies_in_postgres_and_nowhere_else(running: Running) -> None:
    import psycopg2

    connection = psycopg2.connect(
        host="127.0.0.1", port=running.port, dbname="postgres", user="effectmeter", password=PASSWORD
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from runs")
            assert cursor.fetchone() == (1,)
    finally:
        connection.close()
    assert not list(running.bench.home.dagster.rglob("*.db"))
    assert not list(running.bench.home.dagster.rglob("*.out"))


def test_the_guard_stands_before_this_interface_too(running: Running) -> None:
    assert answers_with(f"{running.base}/server_info") == 200
    assert answers_with(f"{running.base}/server_info", host="elsewhere.example") == 403


def test_only_the_code_location_holds_the_key(running: Running) -> None:
    for name, process in running.processes.items():
        held = Path(f"/proc/{process.pid}/environ")
        if not held.exists():
            pytest.skip("this system does not show the environment of a process")
        assert (KEY in held.read_text()) == (name == "code"), name
        assert PASSWORD not in (running.bench.root / f"{name}.log").read_text()
        assert KEY not in (running.bench.root / f"{name}.log").read_text()


def test_quarters_of_a_backfill_run_one_after_the_other(running: Running) -> None:
    quarters = [QUARTER.previous().previous(), QUARTER.previous()]
    for quarter in quarters:
        write_deliveries(running.bench.home, quarter, [PROGRAMME])
        graphql(running.base, OFFER, {"where": WHERE, "quarter": str(quarter)})
    params = {
        "partitionNames": [str(quarter) for quarter in quarters],
        "assetSelection": [{"path": [PROGRAMME, step]} for step in STEPS],
        "fromFailure": False,
    }
    launched = graphql(running.base, BACKFILL, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def runs() -> dict[str, dict[str, Any]]:
        tagged = [
            (run, {tag["key"]: tag["value"] for tag in run["tags"]})
            for run in graphql(running.base, STARTED)["runsOrError"]["results"]
        ]
        return {tags["dagster/partition"]: run for run, tags in tagged if "dagster/backfill" in tags}

    wait_until(lambda: [run["status"] for run in runs().values()] == ["SUCCESS"] * 2, list(running.processes.values()))
    first, second = (runs()[str(quarter)] for quarter in quarters)
    assert second["startTime"] >= first["endTime"]
    assert all(latest_edition(running.bench.home.releases(PROGRAMME, quarter)) for quarter in quarters)
