"""The landing: a delivery into the vault's standard tables, wholly or not at all.

Order matters here: every file is read into temporary tables, searched for identifiers, typed and counted; only when all
of it may stay are the landing tables replaced, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from effectmeter.errors import DeliveryError
from effectmeter.machine import of_the_machine
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.schema import DUCKDB_TYPES, STANDARD_TABLES, Column, Table
from sql import identifier, statement
from vault.connection import scratch_of
from vault.intake.columns import PERSON_TABLES, Wanted, expected_names, extras, wanted_columns
from vault.intake.conversion import PERSON_REJECTED, convert
from vault.intake.delivered import DeliveredFile, delivery_hash, find_all
from vault.intake.identifier_scan import refuse_identifiers
from vault.intake.pseudonyms import Places, pseudonymised, translated
from vault.intake.raw_table import RawTable
from vault.intake.spread import long_rows
from vault.intake.text_files import read_text
from vault.intake.workbooks import read_excel, read_parquet, read_statistics

_MAY_BE_EMPTY = ("events", "absences")
_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many rows of a table were rejected for one reason.

    Attributes
    ----------
    column
        Empty when the whole row is at fault.
    first_rows
        The first few row numbers, as a person counts them in the file.
    """

    column: str
    reason: str
    n_rows: int
    first_rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One delivered file and what became of its rows."""

    table: str
    file: str
    kind: str
    sha256: str
    n_bytes: int
    n_rows_read: int
    n_rows_kept: int
    n_rejected: int
    rejects: tuple[RejectCount, ...]


@dataclass(frozen=True, slots=True)
class LandingReport:
    """What a landing did.

    Attributes
    ----------
    delivery_hash
        One SHA-256 over all files.
    """

    files: tuple[LandedFile, ...]
    delivery_hash: str

    @property
    def n_rejected(self) -> int:
        """Rejected rows over all files."""
        return sum(file.n_rejected for file in self.files)


def land(connection: duckdb.DuckDBPyConnection, plan: Plan, delivery: Path, quarter: Quarter) -> LandingReport:
    """Read, check, map and type a delivery into ``landing.*``, replacing what was there.

    Raises
    ------
    DeliveryError
        A file or column is missing or unreadable, or too many rows are rejected. Nothing is stored.
    IdentifierError
        A file holds direct identifiers. Nothing is stored.
    """
    connection.execute(statement("landing/macros"))
    tables = [table for table in STANDARD_TABLES.values() if table.name in plan.source]
    files = find_all(delivery, {table.name: plan.source[table.name] for table in tables})  # type: ignore[index]
    try:
        wanted = {
            table.name: _stage(connection, plan, table, file, quarter)
            for table, file in zip(tables, files, strict=True)
        }
        _reject_with_their_person(connection, [table.name for table in tables])
        landed = tuple(_account(connection, file) for file in files)
        _refuse_too_many_rejects(plan, landed)
        for file in files:
            file.refuse_if_replaced()
        with pseudonymised(connection, plan, [table.name for table in tables]) as places:
            _store(connection, plan, tables, landed, wanted, places)
    except (DeliveryError, duckdb.Error, OSError) as error:
        # a file that changes under its reader looks damaged, and is not
        for file in files:
            file.refuse_if_replaced()
        if isinstance(error, DeliveryError) or of_the_machine(error) is not None:
            raise
        # DuckDB's messages quote cells; the name of the fault does not
        raise DeliveryError(
            f"the delivery could not be brought into the vault ({type(error).__name__})",
            where=str(delivery),
            next_step="this is a defect of Effectmeter: please report it, without the delivery",
        ) from None
    finally:
        # after a full disk DuckDB does nothing any more; its temporary tables go with the connection
        with suppress(duckdb.Error):
            _drop_temporary(connection, tables)
    return LandingReport(landed, delivery_hash(files))


def _drop_temporary(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> None:
    connection.execute("drop view if exists temp.dated_events")
    for table in tables:
        for name in (f"raw_{table.name}", f"raw_{table.name}_staged", f"typed_{table.name}"):
            connection.execute(f"drop table if exists temp.{identifier(name)}")


def _stage(
    connection: duckdb.DuckDBPyConnection, plan: Plan, table: Table, file: DeliveredFile, quarter: Quarter
) -> tuple[Wanted, ...]:
    """Read one file into its temporary table of typed rows; refuse identifiers before anything else is said of it."""
    raw = _read(connection, plan, table, file)
    try:
        wanted = wanted_columns(plan, table, raw, file.name)
    except DeliveryError:
        refuse_identifiers(connection, file, raw, (), quarter.reference_date)
        raise
    refuse_identifiers(connection, file, raw, wanted, quarter.reference_date)
    name = convert(connection, plan, table, file, raw, wanted)
    connection.execute(f"drop table {identifier(raw.name)}")
    is_empty = not connection.sql(f"select 1 from {identifier(name)} limit 1").fetchall()
    if is_empty and table.name not in _MAY_BE_EMPTY:
        raise DeliveryError(
            "the file has column names and no rows", where=file.name, next_step="deliver it again, with its rows"
        )
    if "period" in table.names and table.name != "person_counts":
        _one_kind_of_period(connection, file, name)
    return wanted


def _one_kind_of_period(connection: duckdb.DuckDBPyConnection, file: DeliveredFile, typed: str) -> None:
    """Refuse years among quarters, and write months that were delivered as one of their days as months."""
    kinds = connection.sql(
        f"select period_kind(period) as kind, count(*) from {identifier(typed)} "
        "where reject_reason is null and period is not null group by all order by 2 desc, 1"
    ).fetchall()
    if len(kinds) > 1:
        raise DeliveryError(
            f"its periods are of different kinds: {', '.join(f'{kind} ({n} rows)' for kind, n in kinds)}",
            where=f"{file.name}, column period",
            allowed="one kind in a file: years, quarters, months, days or whole numbers",
            next_step="leave out the rows of the other kinds: a year beside its own quarters would be counted twice",
        )
    if kinds and kinds[0][0] == "days":
        months = connection.sql(
            "select bool_and(day(period::date) = 1) or bool_and(period::date = last_day(period::date)) "
            "or (count(distinct day(period::date)) = 1 and count(distinct period) > 2) "
            f"from {identifier(typed)} where reject_reason is null and period is not null"
        ).fetchall()
        if months[0][0]:
            connection.execute(f"update {identifier(typed)} set period = left(period, 7)")


def _read(connection: duckdb.DuckDBPyConnection, plan: Plan, table: Table, file: DeliveredFile) -> RawTable:
    source = plan.source[table.name]  # type: ignore[index]
    name = f"raw_{table.name}"
    if file.kind == "parquet":
        return read_parquet(connection, file, name)
    if file.kind == "excel":
        return read_excel(connection, file, source, name)
    if file.kind in ("spss", "stata"):
        return read_statistics(connection, file, source, name)
    return read_text(connection, file, source, name, expected_names(plan, table), scratch_of(connection))


def _reject_with_their_person(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """Reject what belongs to a person whose own row was: otherwise one bad row would break every reference to it."""
    if "persons" not in tables:
        return
    for name in tables:
        if name in PERSON_TABLES and name != "persons":
            connection.execute(
                f"update {identifier('typed_' + name)} set reject_column = 'person_id', reject_reason = $reason "
                "where reject_reason is null and person_id in "
                "(select person_id from typed_persons where reject_reason is not null and person_id is not null) "
                "and person_id not in "
                "(select person_id from typed_persons where reject_reason is null)",
                {"reason": PERSON_REJECTED},
            )


def _account(connection: duckdb.DuckDBPyConnection, file: DeliveredFile) -> LandedFile:
    typed = identifier(f"typed_{file.table}")
    counts = connection.execute(
        "select coalesce(reject_column, ''), reject_reason, count(*), list(row_number order by row_number)[:$rows] "
        f"from {typed} where reject_reason is not null group by all order by 3 desc, 1, 2",
        {"rows": _ROWS_NAMED},
    ).fetchall()
    n_read = int(connection.sql(f"select count(*) from {typed}").fetchall()[0][0])
    rejects = tuple(RejectCount(column, reason, int(n), tuple(rows)) for column, reason, n, rows in counts)
    n_rejected = sum(reject.n_rows for reject in rejects)
    return LandedFile(
        file.table, file.name, file.kind, file.sha256, file.n_bytes, n_read, n_read - n_rejected, n_rejected, rejects
    )


def _refuse_too_many_rejects(plan: Plan, landed: Sequence[LandedFile]) -> None:
    """Raise when a table lost a larger share of its rows than the plan allows, naming all such tables at once."""
    faults: list[str] = []
    for file in landed:
        own = [reject for reject in file.rejects if reject.reason != PERSON_REJECTED]
        n_own = sum(reject.n_rows for reject in own)
        if n_own > plan.expectations.max_rejected * file.n_rows_read:
            reasons = "; ".join(
                f"{reject.column + ': ' if reject.column else ''}{reject.reason}, {reject.n_rows} rows "
                f"(first: {', '.join(map(str, reject.first_rows))})"
                for reject in own
            )
            faults.append(f"{file.file}: {n_own} of {file.n_rows_read} rows rejected: {reasons}")
    if faults:
        raise DeliveryError(
            "\n".join(faults),
            where="too many rejected rows",
            allowed=f"at most {plan.expectations.max_rejected:.2%} of a file's rows (expectations.max_rejected)",
            next_step="have the supplier mend these rows, or map their values in the plan; nothing was stored",
        )


def _store(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    tables: Sequence[Table],
    landed: Sequence[LandedFile],
    wanted: Mapping[str, Sequence[Wanted]],
    places: Places,
) -> None:
    """Replace the landing schema by this delivery, in one transaction."""
    delivered = [table.name for table in tables]
    if {"persons", "events"} <= set(delivered):
        connection.execute(statement("landing/event_days"))
    connection.execute("begin transaction")
    try:
        connection.execute("drop schema if exists landing cascade")
        connection.execute("create schema landing")
        connection.execute(statement("landing/bookkeeping"))
        for table in STANDARD_TABLES.values():
            columns = [*table.columns, *extras(plan, table)]
            if table.name in delivered:
                rows, parameters = _stored_rows(plan, table, columns, wanted[table.name], delivered, places)
                connection.execute(f"create table landing.{identifier(table.name)} as {rows}", parameters)
            else:  # a table that the design does not read stands empty, so that no statement needs to ask
                types = ", ".join(f"{identifier(column.name)} {DUCKDB_TYPES[column.type]}" for column in columns)
                connection.execute(f"create table landing.{identifier(table.name)} ({types})")
        for file in landed:
            connection.execute(
                "insert into landing.files select $table, $file, $sha256, $bytes, $read, $kept, $rejected, count(*) "
                f"from landing.{identifier(file.table)}",
                {
                    "table": file.table,
                    "file": file.file,
                    "sha256": file.sha256,
                    "bytes": file.n_bytes,
                    "read": file.n_rows_read,
                    "kept": file.n_rows_kept,
                    "rejected": file.n_rejected,
                },
            )
            connection.execute(
                "insert into landing.rejects select $file, $table, row_number, reject_column, reject_reason "
                f"from {identifier('typed_' + file.table)} where reject_reason is not null order by row_number",
                {"file": file.file, "table": file.table},
            )
        connection.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # a fault that ended the transaction by itself stays the one that is told
            connection.execute("rollback")
        raise


def _stored_rows(
    plan: Plan,
    table: Table,
    columns: Sequence[Column],
    wanted: Sequence[Wanted],
    delivered: Sequence[str],
    places: Places,
) -> tuple[str, dict[str, str]]:
    """Return the statement whose rows a landing table keeps, and its parameters; ids become the vault's."""
    typed = "dated_events" if table.name == "events" and "persons" in delivered else f"typed_{table.name}"
    spread = [(outcome, column.name) for column in wanted for outcome in column.spread]
    if spread:
        return long_rows(table, typed, spread)
    rows = translated(places, table.name, [column.name for column in columns], identifier(typed))
    kept = f"{rows} where reject_reason is null"
    if table.name == "areas" and _is_panel(plan):
        return f"{kept} group by all order by min(row_number)", {}
    return f"{kept} order by row_number", {}


def _is_panel(plan: Plan) -> bool:
    """Return whether areas and their counts come from one table, which says the same of an area in every period."""
    areas, counts = plan.source["areas"], plan.source.get("area_counts")
    return counts is not None and (areas.file, areas.sheet) == (counts.file, counts.sheet)
