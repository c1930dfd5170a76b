"""Runs the statements of `sql/` with the plan's parameters: as bound values, small temporary tables, quoted names.

No statement is assembled from data: what is filled into a statement's ``{placeholders}`` are columns that the analysis
plan names, quoted by `sql.identifier`, and the positions of rows in a parameter table.

Statements with bound values go through `execute`: DuckDB's `sql` with parameters takes half as long again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

import sql


def filled(name: str, **parts: str) -> str:
    """Return the statement `name` with its ``{placeholders}`` filled in."""
    text = sql.statement(name)
    for placeholder, part in parts.items():
        text = text.replace("{" + placeholder + "}", part)
    return text


def store(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    statement: str,
    binds: Mapping[str, Any] | None = None,
    *,
    is_temporary: bool = False,
) -> None:
    """Put the rows of a statement in `table`, in place of what was there."""
    kind = "temp table" if is_temporary else "table"
    connection.execute(f"create or replace {kind} {table} as\n{statement}", dict(binds or {}))


def parameter_table(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> None:
    """Hand the plan to a statement as a small temporary table: `columns` maps names to types."""
    listed = ", ".join(f"{sql.identifier(name)} {kind}" for name, kind in columns.items())
    connection.execute(f"create or replace temp table {table} ({listed})")
    if rows:
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"insert into {table} values ({marks})", [list(row) for row in rows])


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the columns of a table with their types, in order."""
    relation = connection.sql(f"select * from {table} limit 0")
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


@contextmanager
def all_or_nothing(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit everything inside, or nothing: a vault never holds half a cohort."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
