"""When the machine gives out: a full disk (inside DuckDB too), no memory, no rights, a kill, a flipped bit."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import duckdb
import polars as pl
import pytest
from workbench import QUARTER, Workbench

from assets.bundled import write_deliveries
from assets.checking import check_delivery
from assets.releases import editions, next_edition_name
from assets.staging import release_hashes
from effectmeter.errors import EffectmeterError
from effectmeter.machine import of_the_machine
from effectmeter.plan_io import load_plan
from vault.connection import open_vault
from vault.ledger import read_ledger

PROGRAMME = "scared-straight"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    found = Workbench(tmp_path_factory.mktemp("machine"))
    found.add_bundled(PROGRAMME)
    write_deliveries(found.home, QUARTER, [PROGRAMME])
    return found


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "x", "/a/b"), "the disk is full (No space left on device, /a/b)"),
        (OSError(errno.EDQUOT, "x"), "the disk is full"),
        (PermissionError(errno.EACCES, "x", "/a"), "the folder may not be written"),
        (OSError(errno.EROFS, "x"), "the folder may not be written"),
        (OSError(errno.EIO, "x"), "the disk could not be read or written"),
        (MemoryError(), "there is not enough memory"),
        (duckdb.OutOfMemoryException("failed to pin block"), "there is not enough memory"),
        (duckdb.OutOfMemoryException("raise max_temp_directory_size"), "the disk is full"),
        (duckdb.IOException('Could not write file "x": No space left on device'), "the disk is full"),
        (duckdb.FatalException("invalidated: File too large"), "the disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "the folder may not be written"),
        (RuntimeError("can't start new thread"), "there is not enough memory"),
    ],
)
def test_what_the_machine_could_not_do_is_said_plainly(error: Exception, says: str) -> None:
    told = of_the_machine(error, "p, step 'landing'")
    assert told is not None
    assert str(told).startswith(f"p, step 'landing': {says}")
    assert "refresh again" in told.next_step


@pytest.mark.parametrize(
    "error",
    [
        ValueError("row: No space left on device"),
        duckdb.ConversionException("Could not convert 'geheim' to INT32"),
        EffectmeterError("the disk is full of errors"),
        KeyError("permission denied"),
    ],
)
def test_other_faults_are_not_put_on_the_machine(error: Exception) -> None:
    assert of_the_machine(error) is None


def test_a_cause_further_down_is_found() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "x")
        except OSError as error:
            raise ValueError("wrapped") from error
    except ValueError as wrapped:
        assert of_the_machine(wrapped) is not None


def estimate(root: Path) -> None:
    Workbench(root).estimate(PROGRAMME)


def estimate_on_a_small_disk(root: Path, size: int, said: Path) -> None:
    from assets.installation import plainly
    from effectmeter.home import Home

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        estimate(root)
    except EffectmeterError as error:
        said.write_text(str(error), encoding="utf-8")
    except Exception as error:  # noqa: BLE001 - as a step does
        said.write_text(str(plainly(Home(root), PROGRAMME, "landing", error)), encoding="utf-8")


@pytest.mark.parametrize("size", [8_192, 300_000])
def test_a_disk_that_fills_up_inside_duckdb_is_foreseen_and_leaves_the_vault_whole(
    bench: Workbench, tmp_path: Path, forks: ForkServerContext, size: int
) -> None:
    small = tmp_path / "small"
    shutil.copytree(bench.root, small)
    process = forks.Process(target=estimate_on_a_small_disk, args=(small, size, tmp_path / "said"))
    process.start()
    process.join()
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert "not foresee" not in said
    assert "next:" in said
    vault = Workbench(small).home.vault(PROGRAMME, QUARTER)
    if vault.exists():
        with open_vault(vault, read_only=True) as connection:
            connection.sql("select * from information_schema.tables").fetchall()
    estimate(small)


def test_killed_at_any_moment_the_next_run_finds_what_an_undisturbed_one_does(
    bench: Workbench, tmp_path: Path, forks: ForkServerContext
) -> None:
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(bench.root, undisturbed)
    process = forks.Process(target=estimate, args=(undisturbed,))
    started = time.monotonic()
    process.start()
    process.join()
    seconds = time.monotonic() - started
    wanted = Workbench(undisturbed).effects(PROGRAMME)
    moments = random.Random(4)
    disturbed = tmp_path / "disturbed"
    shutil.copytree(bench.root, disturbed)
    for _ in range(5):
        process = forks.Process(target=estimate, args=(disturbed,))
        process.start()
        process.join(moments.uniform(0, seconds))
        process.kill()
        process.join()
        vault = Workbench(disturbed).home.vault(PROGRAMME, QUARTER)
        if vault.exists():
            with open_vault(vault, read_only=True) as connection:
                for schema, table in connection.sql(
                    "select table_schema, table_name from information_schema.tables"
                ).fetchall():
                    connection.table(f"{schema}.{table}").fetchall()
    estimate(disturbed)
    assert Workbench(disturbed).effects(PROGRAMME) == wanted
    assert not list(vault.parent.glob(".*"))


def pass_the_gate_and_die(root: Path) -> None:
    """Be killed when the ledger has been written and nothing of the release has."""
    from assets import publishing

    publishing.stage = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    publishing.release_step(Workbench(root).home, load_plan(Workbench(root).plans / f"{PROGRAMME}.yaml"), QUARTER)


def test_killed_between_the_ledger_and_the_release_the_ledger_forgets_what_never_was(
    bench: Workbench, tmp_path: Path, forks: ForkServerContext
) -> None:
    from assets.publishing import release_step, report_step

    shutil.copytree(bench.root, tmp_path / "killed")
    killed = Workbench(tmp_path / "killed")
    plan = load_plan(killed.plans / f"{PROGRAMME}.yaml")
    killed.estimate(PROGRAMME)
    process = forks.Process(target=pass_the_gate_and_die, args=(killed.root,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    told = read_ledger(killed.home, PROGRAMME)
    assert told and not any(entry.is_confirmed for entry in told)
    assert release_hashes(killed.home, PROGRAMME, QUARTER) == (set(), set())

    delivered = killed.home.delivery(PROGRAMME, QUARTER) / "trials.csv"
    delivered.write_bytes(b"".join(delivered.read_bytes().splitlines(keepends=True)[:-1]))
    killed.estimate(PROGRAMME)  # other figures: were the ledger's taken for published, they would be held back
    release_step(killed.home, plan, QUARTER)
    report_step(killed.home, plan, QUARTER)
    (content,), _ = release_hashes(killed.home, PROGRAMME, QUARTER)
    known = read_ledger(killed.home, PROGRAMME)
    assert {entry.release for entry in known} == {content} != {entry.release for entry in told}
    assert {entry.block for entry in told} != {entry.block for entry in known}


@pytest.fixture(scope="module")
def sound_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, bytes]]:
    path = tmp_path_factory.mktemp("bits") / "vault" / "p" / "2026-Q3.duckdb"
    with open_vault(path) as connection:
        rows = pl.DataFrame({"n": range(50_000)}).with_columns(word=pl.col("n").cast(pl.String) + "-geheim")
        connection.register("rows", rows.to_arrow())
        connection.execute("create table kept as select * from rows")
    yield path, path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.005, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_vault_with_a_flipped_bit_is_whole_or_says_that_it_is_not(
    sound_vault: tuple[Path, bytes], share: float
) -> None:
    path, content = sound_vault
    at = int(share * (len(content) - 1))
    path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
    try:
        with open_vault(path, read_only=True) as connection:
            total = connection.sql("select count(*), sum(n), sum(length(word)) from kept").fetchall()
    except EffectmeterError as error:
        assert "next:" in str(error)
        assert "geheim" not in str(error)
    else:
        assert total == [(50_000, 1_249_975_000, 588_890)]
    finally:
        path.write_bytes(content)


def test_the_thousandth_edition_comes_after_the_last_of_three_digits(tmp_path: Path) -> None:
    for name in ("998", "999", "1000", ".staging", "1000x"):
        (tmp_path / name).mkdir()
    assert [path.name for path in editions(tmp_path)] == ["998", "999", "1000"]
    assert next_edition_name(tmp_path) == "1001"
    assert editions(tmp_path / "nowhere") == []


def test_every_missing_file_is_named_at_once(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.add_bundled("tarp")
    folder = bench.home.delivery("tarp", QUARTER)
    folder.mkdir(parents=True)
    (folder / "Persons.csv.txt").write_text("x")
    with pytest.raises(EffectmeterError) as caught:
        check_delivery(bench.home, load_plan(bench.plans / "tarp.yaml"), QUARTER)
    said = str(caught.value)
    assert "persons.csv (table persons), events.csv (table events) was not delivered" in said
    assert "Persons.csv.txt" in said


def test_a_foreign_fault_of_a_check_is_kept_from_the_terminal(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vault.intake

    def broken(*_: object) -> None:
        raise ValueError("row: geheim")

    monkeypatch.setattr(vault.intake, "land", broken)
    with pytest.raises(EffectmeterError, match="did not foresee") as caught:
        check_delivery(bench.home, load_plan(bench.plans / f"{PROGRAMME}.yaml"), QUARTER)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__
