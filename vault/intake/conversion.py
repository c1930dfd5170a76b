"""From raw texts to typed rows: value sets, missing tokens, dates and numbers, and one reason for every rejected row.

All of it is one DuckDB statement per table over the macros in `sql/landing/macros.sql`. Names enter it quoted, values
as parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from effectmeter.errors import DeliveryError
from effectmeter.plan import Plan, SourceTable
from effectmeter.schema import DUCKDB_TYPES, Table
from sql import identifier, statement
from vault.intake.columns import Wanted, required_groups
from vault.intake.delivered import DeliveredFile
from vault.intake.raw_table import RawTable

MISSING_KEY = "missing key"
EMPTY_REQUIRED = "empty required cell"
NOT_IN_VALUE_SET = "value not in the plan's value set"
PERSON_REJECTED = "the person's own row was rejected"
_NOT_A = {
    "date": "not a date between 1900 and 2100",
    "int": "not a whole number",
    "float": "not a number",
    "bool": "not a yes or no",
    "period": "not a period",
}
_NOT_A_YEAR = "not a year between 1900 and 2100"
_PER_ROW = ("persons", "events", "trials")
"""Tables of which each row needs one of every group of columns. An area with neither date never adopted; an area and
period with neither count nor value is a gap."""


@dataclass(slots=True)
class _Statement:
    """A statement under construction: its parameters, named once."""

    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, name: str, value: Any) -> str:
        self.parameters[name] = value
        return f"${name}"

    def bind_once(self, text: str) -> str:
        """Bind a text of ours (a column's name, a reason) under a name of its own, however often it is used."""
        name = next((name for name, value in self.parameters.items() if value == text), f"text{len(self.parameters)}")
        return self.bind(name, text)


def convert(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    table: Table,
    file: DeliveredFile,
    raw: RawTable,
    wanted: Sequence[Wanted],
) -> str:
    """Make the temporary table of typed rows and return its name.

    It holds ``row_number``, the wanted columns typed, and ``reject_column`` and ``reject_reason`` (null: a good row).

    Raises
    ------
    DeliveryError
        Numbers of a column can be read in two ways.
    """
    source: SourceTable = plan.source[table.name]  # type: ignore[index]
    building = _Statement()
    texts: list[str] = []
    typed: list[str] = []
    cleaned: list[str] = []
    for at, column in enumerate(wanted):
        if column.raw is not None:
            cleaned.append(f"cleaned({identifier(column.raw)}) as k{at}")
        texts += _text(building, plan, column, at)
        may_be_number = column.type in ("int", "float") or _is_matched_on(plan, table, column)
        is_comma = may_be_number and _is_decimal_comma(connection, file, raw, column, source)
        value = _value(building, column, at, source, is_comma)
        if may_be_number and column.type == "text":
            value = f"coalesce(as_number({value}, {str(is_comma).lower()})::varchar, {value})"
        typed.append(f"{value}::{DUCKDB_TYPES[column.type]} as v{at}")
    faults = list(_faults(building, plan, table, wanted))
    reject = " ".join(f"when {when} then {{'column': {column}, 'reason': {reason}}}" for when, column, reason in faults)
    name = f"typed_{table.name}"
    columns = ", ".join(f"v{at} as {identifier(column.name)}" for at, column in enumerate(wanted))
    connection.execute(
        f"create or replace temp table {identifier(name)} as "
        f"with cleaned as (select row_number, fault, {', '.join(cleaned)} from {identifier(raw.name)}), "
        f"texts as (select row_number, fault, {', '.join(texts)} from cleaned), "
        f"typed as (select *, {', '.join(typed)} from texts), "
        f"judged as (select *, case {reject} end as reject from typed) "
        f"select row_number, {columns}, reject.column as reject_column, reject.reason as reject_reason from judged",
        building.parameters,
    )
    if raw.set_aside:
        connection.executemany(
            f"insert into {identifier(name)} (row_number, reject_reason) values (?, ?)",
            [list(e) for e in raw.set_aside],
        )
    return name


def _is_matched_on(plan: Plan, table: Table, column: Wanted) -> bool:
    """Return whether areas are matched on a column, of which a plan does not say whether it holds numbers."""
    return table.name == "areas" and plan.areas is not None and column.name in plan.areas.match_on


def _text(building: _Statement, plan: Plan, column: Wanted, at: int) -> list[str]:
    """Return the column's text after value set and missing tokens, and whether its value is in no value set."""
    if column.raw is None:
        constant = "null" if column.constant is None else building.bind(f"constant{at}", column.constant)
        return [f"{constant}::varchar as t{at}", f"false as u{at}"]
    cleaned = f"k{at}"
    # an empty cell is missing whatever else is
    tokens = building.bind("tokens", sorted({"", *(token.strip() for token in plan.missing.tokens)}))
    unmapped = f"case when list_contains({tokens}::varchar[], {cleaned}) then null else {cleaned} end"
    values = dict(column.values)
    if column.name == "arm" and not values:
        arms = [plan.arms.comparison, *plan.arms.treated]
        values = {arm: arm for arm in arms}
        is_closed = False  # an unknown arm is for the expectations to report
    else:
        # among dates, numbers and periods a map names the odd ones (0: never); the others speak for themselves
        is_closed = bool(values) and column.type in ("text", "bool")
    if not values:
        return [f"{unmapped} as t{at}", f"false as u{at}"]
    folded = {key.lower(): target for key, target in values.items()}
    key = f"lower({cleaned})" if len(folded) == len(values) else cleaned
    chosen = folded if len(folded) == len(values) else values
    keys = building.bind(f"keys{at}", list(chosen))
    targets = building.bind(f"targets{at}", list(chosen.values()))
    position = f"list_position({keys}::varchar[], {key})"
    text = (
        f"case when {position} > 0 then nullif(list_extract({targets}::varchar[], {position}), '') else {unmapped} end"
    )
    unknown = f"coalesce({position}, 0) = 0 and ({unmapped}) is not null" if is_closed else "false"
    return [f"{text} as t{at}", f"{unknown} as u{at}"]


def _value(building: _Statement, column: Wanted, at: int, source: SourceTable, is_comma: bool) -> str:
    text = f"t{at}"
    if column.type == "date":
        if source.date_format is None:
            return f"plausible_day(as_day({text}))"
        pattern = building.bind("date_format", _strptime_pattern(source.date_format))
        # a column that the file itself stores as dates arrives in ISO form, whatever the format of texts
        return f"plausible_day(coalesce(try_strptime({text}, {pattern})::date, as_day({text})))"
    if column.type in ("int", "float"):
        number = f"as_finite(as_number({text}, {str(is_comma).lower()}))"
        if column.name == "birth_year":
            return f"case when {number} between 1900 and 2100 then as_whole({number}) end"
        return f"as_whole({number})" if column.type == "int" else f"coalesce({number}, as_truth({text}))"
    if column.type == "bool":
        return f"as_yes_no({text})"
    return f"as_period({text})" if column.type == "period" else text


def _faults(building: _Statement, plan: Plan, table: Table, wanted: Sequence[Wanted]) -> Iterator[tuple[str, str, str]]:
    """Yield condition, column and reason (as SQL) of every way a row can be rejected, in the order they are tried."""
    yield "fault is not null", "null::varchar", "fault"

    def text(value: str) -> str:
        return building.bind_once(value) + "::varchar"

    for at, column in enumerate(wanted):
        if column.raw is not None and column.values:
            yield f"u{at}", text(column.name), text(NOT_IN_VALUE_SET)
        if column.type in _NOT_A:
            reason = _NOT_A_YEAR if column.name == "birth_year" else _NOT_A[column.type]
            yield f"t{at} is not null and v{at} is null", text(column.name), text(reason)
        if column.is_required:
            yield f"t{at} is null", text(column.name), text(MISSING_KEY if column.is_key else EMPTY_REQUIRED)
    at_of = {column.name: at for at, column in enumerate(wanted)}
    spread = tuple(column.name for column in wanted if column.spread)
    groups = (spread,) if spread else required_groups(plan, table) if table.name in _PER_ROW else ()
    for group in groups:
        empty = " and ".join(f"v{at_of[name]} is null" for name in group)
        yield empty, text(" or ".join(group)), text(EMPTY_REQUIRED)


def _is_decimal_comma(
    connection: duckdb.DuckDBPyConnection, file: DeliveredFile, raw: RawTable, column: Wanted, source: SourceTable
) -> bool:
    """Settle per column whether a comma is the decimal sign; refuse to guess between 1.234 and 1234."""
    if source.decimal is not None or raw.is_decimal_comma is False or column.raw is None:
        return source.decimal == ","
    query = statement("landing/decimal_signs").replace("{table}", identifier(raw.name))
    counts = connection.sql(query.replace("{column}", identifier(column.raw))).fetchall()[0]
    n_comma, n_comma_maybe, n_dot, n_dot_maybe = map(int, counts)
    is_dutch = raw.is_decimal_comma is True
    comma_is_open = 0 < n_comma == n_comma_maybe and not is_dutch
    dot_is_open = n_comma == 0 < n_dot == n_dot_maybe and is_dutch
    if comma_is_open or dot_is_open:
        raise DeliveryError(
            "the numbers can be read in two ways: as thousands or as decimals",
            where=f"{file.name}, column {column.name}",
            allowed='decimal: "." or decimal: ","',
            next_step=f"say which under source.{file.table} in the plan",
        )
    return n_comma > 0


def _strptime_pattern(written: str) -> str:
    """Return a date format as DuckDB reads it; ``dd-mm-yyyy`` means ``%d-%m-%Y``."""
    if "%" in written:
        return written
    small = written.casefold()
    for word, directive in (("yyyy", "%Y"), ("jjjj", "%Y"), ("mm", "%m"), ("dd", "%d")):
        small = small.replace(word, directive)
    return small
