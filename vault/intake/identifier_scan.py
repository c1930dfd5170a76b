"""Searching a delivered file for direct identifiers, all columns of it, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from effectmeter.errors import IdentifierError
from effectmeter.identifiers import BSN_WEIGHTS, SHAPE_PATTERNS, Kind, ShapeCounts, judge
from sql import identifier, statement
from vault.intake.columns import PERSON_TABLES, Wanted
from vault.intake.delivered import DeliveredFile, can_be_shown
from vault.intake.raw_table import RawTable

_ANCHORS = ("index_date", "event_date", "start_date")
_MOST_DATES = 0.9
_MOST_LIKE_BIRTH = 0.95
_FEWEST_DATES = 5
_FEWEST_YEARS = 3
_FEWEST_YEARS_WITHOUT_ANCHOR = 8


def refuse_identifiers(
    connection: duckdb.DuckDBPyConnection,
    file: DeliveredFile,
    raw: RawTable,
    wanted: Sequence[Wanted],
    reference_date: date,
) -> None:
    """Raise when a column holds direct identifiers.

    Raises
    ------
    IdentifierError
        Names every such column and its kind, never a value.
    """
    found: list[str] = []
    counts = _count(connection, raw)
    for column, header in zip(raw.columns, raw.header, strict=True):
        if column not in counts:
            continue
        kind = _kind(connection, file, raw, column, header, counts[column], wanted, reference_date)
        if kind is not None:
            shown = f"'{header}'" if can_be_shown(header) else f"number {raw.columns.index(column) + 1}"
            found.append(
                f"column {shown} holds a {kind}" if kind[0] not in "aeioAEI" else f"column {shown} holds an {kind}"
            )
    if found:
        raise IdentifierError(
            f"direct identifiers: {'; '.join(found)}",
            where=file.name,
            allowed="pseudonyms, a year of birth, four-digit postcodes",
            next_step="nothing was stored; have the supplier take these columns out, and delete the file here",
        )


def _kind(
    connection: duckdb.DuckDBPyConnection,
    file: DeliveredFile,
    raw: RawTable,
    column: str,
    header: str,
    counts: ShapeCounts,
    wanted: Sequence[Wanted],
    reference_date: date,
) -> Kind | None:
    kind = judge(header, counts, is_about_persons=file.table in PERSON_TABLES)
    if kind is not None or file.table not in PERSON_TABLES or not counts.n_full_date:
        return kind
    uses = [each for each in wanted if each.raw == column]
    if any(each.name == "birth_year" for each in uses):
        return "full birth date"
    if any(each.type == "date" for each in uses) or counts.n_full_date < _MOST_DATES * counts.n_values:
        return None
    return "full birth date" if _are_birth_dates(connection, raw.name, column, wanted, reference_date) else None


def _count(connection: duckdb.DuckDBPyConnection, raw: RawTable) -> dict[str, ShapeCounts]:
    """Count the shapes in every column that holds anything."""
    query = statement("landing/identifier_counts").replace("{table}", identifier(raw.name))
    parameters = {**SHAPE_PATTERNS, "weights": list(BSN_WEIGHTS)}
    columns = ", ".join(map(identifier, raw.columns))
    rows = connection.execute(query.replace("{columns}", columns), parameters).fetchall()
    return {row[0]: ShapeCounts(*map(int, row[1:])) for row in rows}


def _are_birth_dates(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, wanted: Sequence[Wanted], reference_date: date
) -> bool:
    """Return whether dates lie a childhood or more before the row's own time, over several years."""
    by_name = {each.name: each.raw for each in wanted if each.raw is not None}
    anchor = next((by_name[name] for name in _ANCHORS if name in by_name), None)
    query = (
        statement("landing/birth_dates")
        .replace("{table}", identifier(table))
        .replace("{column}", identifier(column))
        .replace("{anchor}", "null::varchar" if anchor is None else identifier(anchor))
    )
    parameters = {"reference_date": reference_date}
    n_dates, n_like_birth, n_years = connection.execute(query, parameters).fetchall()[0]
    years_needed = _FEWEST_YEARS_WITHOUT_ANCHOR if anchor is None else _FEWEST_YEARS
    return bool(n_dates >= _FEWEST_DATES and n_like_birth >= _MOST_LIKE_BIRTH * n_dates and n_years >= years_needed)
