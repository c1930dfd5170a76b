"""Two programmes on a cluster of two workers: the same releases as one after the other, from one queue of work."""

from __future__ import annotations

import shutil
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from workbench import ROOT, Workbench, minimal_plan

from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.cluster import CLUSTER, JOB_NAME, ONE_AT_A_TIME, Quarters, build_cluster_jobs
from pipelines.definitions import build_definitions

sys.path.insert(0, str(ROOT / "benchmarks"))


def test_there_is_no_such_job_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("one-two"))
    monkeypatch.delenv(CLUSTER, raising=False)
    assert build_cluster_jobs(["one-two"], bench.home, bench.plans) == []
    assert [job.name for job in build_definitions(bench.plans, bench.home).jobs or ()] == ["refresh"]


def test_every_programme_is_a_piece_of_work_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dagster_dask", reason="the group 'cluster' is not installed (uv sync --group cluster)")
    monkeypatch.setenv(CLUSTER, "tcp://127.0.0.1:1")
    (job,) = build_cluster_jobs(["one-two", "three"], Home(tmp_path), tmp_path)
    assert job.name == JOB_NAME
    assert {node.name for node in job.graph.nodes} == {"one_two", "three"}
    assert not job.dependencies[next(iter(job.dependencies))], "no piece waits for another"
    assert ONE_AT_A_TIME.items() <= dict(job.tags).items()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(CLUSTER, "")
        assert build_cluster_jobs(["one-two"], Home(tmp_path), tmp_path) == []


def test_quarters_run_oldest_first_and_the_last_complete_one_when_none_is_named() -> None:
    assert Quarters().wanted(date(2026, 10, 3)) == [Quarter(2026, 3)]
    wanted = Quarters(labels=["2026-Q2", "2025-Q4", "2026-Q2"]).wanted(date(2026, 10, 3))
    assert wanted == [Quarter(2025, 4), Quarter(2026, 2)]


def test_a_piece_that_fails_says_which_quarter_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dagster_dask", reason="the group 'cluster' is not installed (uv sync --group cluster)")
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("nothing-delivered"))
    monkeypatch.setenv(CLUSTER, "tcp://127.0.0.1:1")
    (job,) = build_cluster_jobs(["nothing-delivered"], bench.home, bench.plans)
    piece = next(iter(job.graph.node_defs))
    assert isinstance(piece, dg.OpDefinition)
    context = dg.build_op_context(resources={"quarters": Quarters(labels=["2026-Q3"])})
    with pytest.raises(dg.Failure) as failed:
        piece(context)
    assert failed.value.description is not None
    assert failed.value.description.startswith("2026-Q3: ")
    assert failed.value.metadata["exit_code"].value == 1


def test_two_workers_publish_what_one_process_publishes(tmp_path: Path) -> None:
    pytest.importorskip("dagster_dask", reason="the group 'cluster' is not installed (uv sync --group cluster)")
    from cluster import differences, quarters_until_last, run_in_one_process, run_on_cluster, write_programmes

    quarters = quarters_until_last(1)
    plans, one, many = tmp_path / "programmes", Home(tmp_path / "one"), Home(tmp_path / "many")
    write_programmes(plans, one, 2, quarters)
    shutil.copytree(one.root, many.root)
    run_in_one_process(plans, one, quarters)
    run_on_cluster(plans, many, quarters)
    compared, found = differences(one, many)
    assert compared > 20
    assert found == []
