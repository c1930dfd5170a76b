"""Great Expectations on the vault that is already open: one SQLAlchemy engine over a cursor of that connection.

The vault is an encrypted file attached to a database in memory: a second opening would need its key, and would not see
what the first one wrote. A cursor of the open connection is a connection of its own to the same databases. Great
Expectations reads a result after it has closed its connection, which ends the transaction, and DuckDB then drops the
result: rows are therefore fetched when a statement is executed. `tests/test_expectations_database.py` fails as soon as
that is no longer needed; then `BufferedCursor` can go.

Checks ask for counts. Only the query that stands for a table gives its rows, and Great Expectations executes that one
too, to see that it can be, without looking at what comes: those rows stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import duckdb_engine

import sql

MOST_ROWS = 10_000
"""Of a result that is held; nothing asks for more, and a table of millions must not enter Python."""


class BufferedCursor(duckdb_engine.CursorWrapper):
    """A cursor that holds its rows from the moment of execution, if they are few."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, wrapper: VaultConnection) -> None:
        super().__init__(connection, wrapper)
        self._connection = connection
        self._description: list[Any] | None = None
        self._held: list[Any] | None = []

    @property
    def _rows(self) -> list[Any]:
        if self._held is None:
            raise RuntimeError(f"a check asks for more than {MOST_ROWS} rows of a table, and may ask for figures only")
        return self._held

    def execute(self, statement: str, parameters: Any = None, context: Any = None) -> None:
        """Execute and fetch at once; of more than `MOST_ROWS` rows none is held, and asking for them is a fault."""
        super().execute(statement, parameters, context)
        self._description = self._connection.description
        rows = self._connection.fetchmany(MOST_ROWS + 1) if self._description else []
        self._held = rows if len(rows) <= MOST_ROWS else None

    @property
    def description(self) -> list[Any] | None:
        """Columns of the held result."""
        return self._description

    @property
    def rowcount(self) -> int:
        """Unknown, as for every DuckDB statement."""
        return -1

    def fetchall(self) -> list[Any]:
        """Hand out all rows that are left."""
        rows, self._held = self._rows, []
        return rows

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Hand out the next `size` rows, one when not given."""
        rows, self._held = self._rows[: size or 1], self._rows[size or 1 :]
        return rows

    def fetchone(self) -> Any:
        """Hand out the next row."""
        return self._rows.pop(0) if self._rows else None


class VaultConnection(duckdb_engine.ConnectionWrapper):
    """What SQLAlchemy sees as its connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    def cursor(self) -> BufferedCursor:
        """Return a buffering cursor."""
        return BufferedCursor(self._connection, self)


@contextmanager
def second_connection(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection of its own to the same open database, in the same default schema; sees what is committed."""
    (database, schema), *_ = connection.sql("select current_database(), current_schema()").fetchall()
    cursor = connection.cursor()
    try:
        cursor.execute(f"use {sql.identifier(database)}.{sql.identifier(schema)}")
        yield cursor
    finally:
        cursor.close()


def missing(connection: duckdb.DuckDBPyConnection, needs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the (table, column) pairs of `needs` that are not in the database; an empty column is the table alone."""
    rows = connection.sql(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() "
        "where database_name = current_database()"
    ).fetchall()
    known = {(table, column) for table, column in rows} | {(table, "") for table, _ in rows}
    return tuple(need for need in needs if need not in known)
