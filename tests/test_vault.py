"""A vault: private, closed, all or nothing; results in and out exactly."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import duckdb
import pytest

import effectmeter.results as results
from effectmeter.errors import EffectmeterError
from effectmeter.results import AttritionStep, BalanceRow, EffectRow, GateResult
from vault.connection import open_vault, scratch_folder, scratch_of
from vault.results import read_results, write_results

ROOT = Path(__file__).resolve().parents[1]
EFFECT = EffectRow(
    programme="p",
    quarter="2026-Q3",
    design="randomised",
    outcome="arrest",
    measure="risk_ratio",
    contrast="treated vs comparison",
    estimand="itt",
    estimator="modified_poisson",
    variance="hc3",
    analysis="primary",
    window_days=365,
    estimate=0.1 + 0.2,
    n_treated=216,
    reason='it\'s "quoted"; né €',
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault" / "p" / "2026-Q3.duckdb"


def test_a_vault_is_closed_to_others(path: Path) -> None:
    with open_vault(path) as connection:
        connection.execute("create table t as select 1 as i")
        assert stat.S_IMODE(scratch_of(connection).stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert not scratch_folder(path).exists()
    assert sorted(each.name for each in path.parent.iterdir()) == ["2026-Q3.duckdb", "key.fingerprint"]


def test_a_vault_is_closed_after_a_fault(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_vault(path) as connection:
        connection.execute("create table t as select 1 as i")
        raise ZeroDivisionError
    with open_vault(path, read_only=True) as connection:
        assert connection.sql("select i from t").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            connection.execute("create table u as select 1 as i")


def test_no_vault_yet(path: Path) -> None:
    with pytest.raises(EffectmeterError, match="effectmeter refresh"), open_vault(path, read_only=True):
        pass
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"not a vault, whatever it is" * 500])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_damaged_vault_says_so(path: Path, content: bytes, read_only: bool) -> None:
    with open_vault(path.with_name("2026-Q2.duckdb")):
        pass  # so that there is a key
    path.write_bytes(content)
    with pytest.raises(EffectmeterError, match="the file is damaged"), open_vault(path, read_only=read_only):
        pass
    assert path.read_bytes() == content


def _elsewhere(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_a_vault_in_use_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vault.connection._PATIENCE_SECONDS", 0.2)
    holder = _elsewhere(
        """
        import sys, time
        from pathlib import Path
        from vault.connection import open_vault
        with open_vault(Path(sys.argv[1])):
            print("open", flush=True)
            time.sleep(60)
        """,
        path,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(EffectmeterError, match="in use"), open_vault(path):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_a_killed_write_leaves_the_last_whole_state(path: Path) -> None:
    with open_vault(path) as connection:
        connection.execute("create table t as select range as i from range(1000)")
    writer = _elsewhere(
        """
        import sys
        from pathlib import Path
        from vault.connection import open_vault
        with open_vault(Path(sys.argv[1])) as connection:
            connection.execute("create or replace table t as select range as i from range(5)")
            connection.execute("begin transaction")
            connection.execute("create or replace table t as select range as i from range(7)")
            print("writing", flush=True)
            sys.stdin.read()
        """,
        path,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    with open_vault(path) as connection:
        assert connection.sql("select count(*) from t").fetchall() == [(1000,)]


def test_effects_come_back_as_they_went_in(path: Path) -> None:
    rows = (EFFECT, EffectRow(**{**results.as_record(EFFECT), "estimate": None, "n_treated": None, "reason": ""}))
    with open_vault(path) as connection:
        write_results(connection, "estimate.effects", rows)
        assert read_results(connection, "estimate.effects", EffectRow) == rows
        names = [row[0] for row in connection.sql("describe estimate.effects").fetchall()]
    assert names == [field.name for field in fields(EffectRow)]


def test_writing_again_replaces(path: Path) -> None:
    with open_vault(path) as connection:
        write_results(connection, "estimate.effects", [EFFECT, EFFECT])
        write_results(connection, "estimate.effects", [EFFECT])
        assert read_results(connection, "estimate.effects", EffectRow) == (EFFECT,)


def test_an_empty_result_has_columns_and_types(path: Path) -> None:
    with open_vault(path) as connection:
        write_results(connection, "estimate.effects", [], EffectRow)
        assert read_results(connection, "estimate.effects", EffectRow) == ()
        types = {row[0]: row[1] for row in connection.sql("describe estimate.effects").fetchall()}
        with pytest.raises(ValueError, match="row_type"):
            write_results(connection, "estimate.effects", [])
    assert (types["estimate"], types["window_days"], types["reason"]) == ("DOUBLE", "BIGINT", "VARCHAR")


def test_a_table_that_is_not_there_says_what_to_do(path: Path) -> None:
    with open_vault(path) as connection:
        with pytest.raises(EffectmeterError, match="effectmeter refresh"):
            read_results(connection, "estimate.gates", GateResult)
        write_results(connection, "estimate.effects", [EFFECT])
        with pytest.raises(EffectmeterError, match="effectmeter refresh"):
            read_results(connection, "estimate.effects", GateResult)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "text"])
def test_what_is_no_number_is_refused_and_nothing_changes(path: Path, value: Any) -> None:
    with open_vault(path) as connection:
        write_results(connection, "estimate.effects", [EFFECT])
        bad = EffectRow(**{**results.as_record(EFFECT), "estimate": value})
        with pytest.raises(ValueError, match="estimate"):
            write_results(connection, "estimate.effects", [EFFECT, bad])
        assert read_results(connection, "estimate.effects", EffectRow) == (EFFECT,)


def test_a_write_joins_the_callers_transaction(path: Path) -> None:
    with open_vault(path) as connection:
        write_results(connection, "estimate.effects", [EFFECT])
        connection.execute("begin transaction")
        write_results(connection, "estimate.effects", [EFFECT, EFFECT])
        connection.execute("rollback")
        assert read_results(connection, "estimate.effects", EffectRow) == (EFFECT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Every:
    day: date
    is_so: bool
    maybe: bool | None
    kind: Literal["a", "b"]


def test_every_type_of_column(path: Path) -> None:
    rows = (
        _Every(day=date(2020, 2, 29), is_so=True, maybe=None, kind="a"),
        _Every(day=date(1, 1, 1), is_so=False, maybe=False, kind="b"),
    )
    with open_vault(path) as connection:
        write_results(connection, "quality.every", rows)
        assert read_results(connection, "quality.every", _Every) == rows


def _storable() -> list[type]:
    found = [each for each in vars(results).values() if isinstance(each, type) and is_dataclass(each)]
    return [each for each in found if not any("tuple" in str(hint) for hint in get_type_hints(each).values())]


@pytest.mark.parametrize("row_type", _storable(), ids=lambda each: each.__name__)
def test_every_result_can_be_stored(path: Path, row_type: type) -> None:
    """The types in the annotations are those that storing knows."""

    def example(hint: Any) -> Any:
        options = [each for each in get_args(hint) if each is not type(None)] or [hint]
        return options[0]() if isinstance(options[0], type) else example_of_literal(options[0])

    def example_of_literal(hint: Any) -> Any:
        return get_args(hint)[0] if get_args(hint) else hint

    row = row_type(**{name: example(hint) for name, hint in get_type_hints(row_type).items()})
    with open_vault(path) as connection:
        write_results(connection, "quality.anything", [row, row])
        assert read_results(connection, "quality.anything", row_type) == (row, row)


def test_storable_covers_what_it_should() -> None:
    assert {EffectRow, GateResult, AttritionStep, BalanceRow} <= set(_storable())


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_vault_with_a_flipped_byte_says_so_at_the_latest_when_it_is_read(path: Path, share: float) -> None:
    with open_vault(path) as connection:
        connection.execute("create table t as select range as i, hash(range) as h from range(100000)")
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(EffectmeterError, match="the file is damaged"), open_vault(path, read_only=True) as connection:
        connection.sql("select sum(h % 97), sum(i) from t").fetchall()
