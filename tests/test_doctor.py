"""``effectmeter doctor``: every fault that is planted is found, with what to do, and nothing is changed by looking."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from workbench import QUARTER, ROOT, Workbench, minimal_plan

from effectmeter.health import Finding, last_runs, run_finding
from effectmeter.runlog import add_line, newest_lines, run_log
from effectmeter.standing import stand_still
from pipelines import examinations as machine
from pipelines import examinations_programmes as per_programme
from pipelines.cli import app
from pipelines.doctor import findings, lines
from pipelines.examinations import Scene

NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("proef"))
    for folder in ("vault", "keys", "release", "deliveries"):
        (bench.home.root / folder).mkdir(parents=True, mode=0o700)
    return bench


def scene(bench: Workbench, now: datetime = NOW, **more: Any) -> Scene:
    return Scene(bench.home, bench.plans, now, **more)


def faults(found: Any) -> list[Finding]:
    return [each for each in found if each.level == "fault"]


def a_vault(bench: Workbench) -> None:
    from vault.connection import open_vault

    with open_vault(bench.home.vault("proef", QUARTER)) as connection:
        connection.execute("create table x as select 1 as y")


def test_a_sound_installation_has_no_fault(bench: Workbench) -> None:
    a_vault(bench)
    found = findings(scene(bench, lock=None))
    assert faults(found) == []
    assert any("open their newest vaults" in each.en for each in found)
    said = lines(found, "nl")
    assert said[0].startswith("ok")
    assert any(line.strip().startswith("wat nu:") for line in said)


def test_a_key_that_others_can_read_is_gone_or_is_another(bench: Workbench) -> None:
    a_vault(bench)
    key = bench.home.key("proef")
    key.chmod(0o644)
    assert "others than its owner can read this key" in faults(per_programme.keys(scene(bench)))[0].en
    assert any(f"chmod 600 {key}" in each.do_en for each in faults(machine.folders(scene(bench))))
    key.chmod(0o600)
    secret = key.read_text()
    key.write_text("0" * 64)
    assert "another key" in faults(per_programme.keys(scene(bench)))[0].en
    key.unlink()
    (fault,) = faults(per_programme.keys(scene(bench)))
    assert "put the key back" in fault.do_en
    assert secret.strip() not in fault.en + fault.do_en + fault.nl + fault.do_nl


def test_a_disk_that_is_nearly_full(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10 * 2**20})
    monkeypatch.setattr("pipelines.examinations.shutil.disk_usage", lambda path: usage)
    assert "is left on the disk" in faults(machine.disk(scene(bench)))[0].en


def test_versions_that_are_not_those_of_the_lock(bench: Workbench, tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text('[[package]]\nname = "typer"\nversion = "0.0.1"\n\n[[package]]\nname = "no-such"\nversion = "1"\n')
    (fault,) = faults(machine.versions(scene(bench, lock=lock)))
    assert "typer" in fault.en
    assert "no-such" not in fault.en
    assert "make install" in fault.do_en


def test_what_a_killed_process_left(bench: Workbench) -> None:
    from vault.scratch import SUFFIX

    (bench.home.vaults("proef") / f".2026-Q3.duckdb{SUFFIX}").mkdir(parents=True)
    (bench.home.releases("proef", QUARTER) / ".staging").mkdir(parents=True)
    found = [each.en for each in per_programme.left_behind(scene(bench))]
    assert len(found) == 2
    assert "was killed" in found[0]
    assert "begun and not finished" in found[1]


def test_a_plan_with_faults_is_named(bench: Workbench) -> None:
    (bench.plans / "broken.yaml").write_text("programme: broken\ndesign: magic\n", encoding="utf-8")
    (fault,) = faults(per_programme.plans(scene(bench)))
    assert "broken" in fault.en
    assert "effectmeter check --programme broken" in fault.do_en


def test_a_delivery_that_waits_says_why(bench: Workbench) -> None:
    bench.deliver("proef", "persons.csv", ["person_id"], [["1"]])
    (found,) = per_programme.deliveries(scene(bench))
    assert (found.level, "events.csv not there yet" in found.en) == ("note", True)
    for name in ("persons.csv", "events.csv"):
        path = bench.deliver("proef", name, ["person_id"], [["1"]])
        os.utime(path, (1, 1))
    (found,) = per_programme.deliveries(scene(bench))
    assert "is complete and has no release" in found.en
    stand_still(_made(bench.home.release_root / "proef"), QUARTER, "delivery", date(2026, 10, 15))
    assert not list(per_programme.deliveries(scene(bench))), "what was refused does not wait"


def test_what_is_overdue_and_what_failed_is_said(bench: Workbench) -> None:
    late = datetime(2026, 11, 2, tzinfo=UTC)
    assert list(per_programme.releases(scene(bench))) == []
    assert "overdue since 2026-11-01" in faults(per_programme.releases(scene(bench, late)))[0].en
    stand_still(_made(bench.home.release_root / "proef"), QUARTER, "checks", date(2026, 10, 15))
    (fault,) = faults(per_programme.releases(scene(bench, late)))
    assert "no newer release since 2026-10-15: the delivery did not pass its checks" in fault.en
    assert "afgekeurd" in fault.nl


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_a_storage_of_another_version_of_dagster(bench: Workbench) -> None:
    folder = _made(bench.home.dagster / "history")
    (bench.home.dagster / "dagster.yaml").write_text((ROOT / "pipelines" / "dagster.yaml").read_text())
    (head,) = machine._heads()
    for revision, is_well in ((head, True), ("0123456789ab", False)):
        (folder / "runs.db").unlink(missing_ok=True)
        with closing(sqlite3.connect(folder / "runs.db")) as connection:
            connection.execute("create table alembic_version (version_num text)")
            connection.execute("insert into alembic_version values (?)", (revision,))
            connection.commit()
        found = list(machine.dagster_storage(scene(bench)))
        assert (faults(found) == []) == is_well
    assert "dagster instance migrate" in faults(found)[0].do_en


def test_a_setting_for_alerts_that_cannot_be_used(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [each.level for each in machine.alerts(scene(bench))] == ["note"]
    monkeypatch.setenv("EFFECTMETER_ALERT_WEBHOOK_URL", "ftp://example.org/secret")
    (fault,) = faults(machine.alerts(scene(bench)))
    assert "secret" not in fault.en + fault.do_en


def test_the_last_run_is_summed_up(bench: Workbench) -> None:
    for run, status in (("a", "done"), ("b", "failed")):
        for step, seconds in (("landing", 1.5), ("effects", 9.0)):
            line = {"run": run, "programme": "proef", "quarter": "2026-Q3", "step": step, "status": status}
            add_line(bench.home, line | {"seconds": seconds, "peak_mb": 200, "at": "2026-10-15T06:00"})
    with run_log(bench.home).open("a") as stream:
        stream.write('{"step": "cut off')
    assert run_log(bench.home).stat().st_mode & 0o077 == 0
    runs = last_runs(newest_lines(bench.home))
    assert [line["run"] for line in runs["proef"]] == ["b", "b"]
    assert "failed on 2026-10-15 at 'effects'" in run_finding("proef", runs["proef"]).en
    done = [line | {"status": "done"} for line in runs["proef"]]
    assert "in 10.5 s, at most 200 MB; slowest: effects 9.0 s, landing 1.5 s" in run_finding("proef", done).en


def test_an_examination_that_fails_is_a_finding_without_the_words_of_its_fault(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Scene) -> Any:
        raise ValueError("row: a person")

    monkeypatch.setattr(machine, "disk", fail)
    fail.__name__ = "disk"
    found = faults(findings(scene(bench, lock=None)))
    assert [each.en for each in found] == ["this could not be looked at (ValueError)"]


def test_the_command_says_by_its_exit_code_whether_all_is_well(bench: Workbench) -> None:
    (bench.plans / "broken.yaml").write_text("programme: broken\n", encoding="utf-8")
    arguments = ["doctor", "--home", str(bench.home.root), "--programmes", str(bench.plans)]
    shown = CliRunner().invoke(app, [*arguments, "--json"])
    assert shown.exit_code == 1
    document = json.loads(shown.stdout)
    assert document["well"] is False
    assert {"level", "area", "en", "nl", "do_en", "do_nl"} == document["findings"][0].keys()
    assert "wat nu:" in CliRunner().invoke(app, [*arguments, "--language", "nl"]).stdout


def test_looking_imports_no_engine(bench: Workbench) -> None:
    code = (
        "import sys; from pipelines.cli import main\n"
        f"try: main(['doctor', '--home', {str(bench.home.root)!r}, '--programmes', {str(bench.plans)!r}])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('great_expectations', 'statsmodels', 'altair', 'dagster') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
