"""Great Expectations on an open vault: the connection, and whether the buffering cursor is still needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import duckdb_engine
import pytest
import sqlalchemy
from sqlalchemy.pool import StaticPool

from expectations.database import MOST_ROWS, VaultConnection, missing, second_connection


def _engine(connection: Any) -> sqlalchemy.Engine:
    return sqlalchemy.create_engine("duckdb://", creator=lambda: connection, poolclass=StaticPool)


def _read_after_closing(connection: Any) -> list[Any]:
    """Do as Great Expectations does: close the connection, then fetch."""
    with _engine(connection).connect() as open_connection:
        result = open_connection.execute(sqlalchemy.text("select unnest([1, 2, 3]) as number"))
    return list(result.fetchall())


def test_rows_survive_the_end_of_the_connection() -> None:
    assert _read_after_closing(VaultConnection(duckdb.connect())) == [(1,), (2,), (3,)]


def test_the_buffering_cursor_is_still_needed() -> None:
    """When this fails, DuckDB's engine keeps its rows itself: delete `BufferedCursor` and `VaultConnection`."""
    with pytest.raises((sqlalchemy.exc.SQLAlchemyError, duckdb.Error, IndexError, AssertionError)):
        assert _read_after_closing(duckdb_engine.ConnectionWrapper(duckdb.connect())) == [(1,), (2,), (3,)]


def test_rows_come_out_one_by_one_in_lots_and_together() -> None:
    cursor = VaultConnection(duckdb.connect()).cursor()
    cursor.execute("select unnest([1, 2, 3, 4, 5])")
    assert cursor.fetchone() == (1,)
    assert cursor.fetchmany(2) == [(2,), (3,)]
    assert cursor.fetchmany() == [(4,)]
    assert cursor.fetchall() == [(5,)]
    assert cursor.fetchone() is None
    assert cursor.rowcount == -1


def test_a_whole_table_never_enters_python() -> None:
    """Great Expectations runs the query that stands for a table, and does not look at the rows."""
    cursor = VaultConnection(duckdb.connect()).cursor()
    cursor.execute(f"select * from range({MOST_ROWS})")
    assert len(cursor.fetchall()) == MOST_ROWS
    for asked in (cursor.fetchone, cursor.fetchmany, cursor.fetchall):
        cursor.execute(f"select * from range({MOST_ROWS + 1})")
        assert cursor.description is not None and cursor._held is None
        with pytest.raises(RuntimeError, match="figures only"):
            asked()


def test_the_second_connection_sees_an_attached_default_database(tmp_path: Path) -> None:
    """As an encrypted vault is opened: attached beside an empty database in memory."""
    connection = duckdb.connect()
    connection.execute(f"attach '{tmp_path / 'vault.duckdb'}' as vault; use vault")
    connection.execute("create schema landing; create table landing.persons (person_id varchar)")
    with second_connection(connection) as second:
        assert second.sql("select count(*) from landing.persons").fetchall() == [(0,)]
        assert missing(second, (("landing.persons", "person_id"), ("landing.persons", ""))) == ()
        absent = (("landing.persons", "arm"), ("landing.events", ""))
        assert missing(second, absent) == absent
    assert connection.sql("select current_database()").fetchall() == [("vault",)]


def test_an_open_transaction_of_the_caller_is_left_alone() -> None:
    connection = duckdb.connect()
    connection.execute("create table numbers (n integer); begin; insert into numbers values (1)")
    with second_connection(connection) as second:
        assert second.sql("select count(*) from numbers").fetchall() == [(0,)]
    connection.execute("commit")
    assert connection.sql("select count(*) from numbers").fetchall() == [(1,)]
