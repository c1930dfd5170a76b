"""What every reader hands on: a temporary table of texts, one row per delivered row, numbered as people count.

Columns are named by position (``c0``, ``c1`` ...), since delivered names can be anything; `RawTable.header` has those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from effectmeter.errors import DeliveryError
from sql import identifier
from vault.intake.delivered import can_be_shown

WRONG_WIDTH = "wrong number of columns"
_MOST_COLUMNS = 2_000
QUOTES_DO_NOT_PAIR = "quotes do not pair up"


@dataclass(frozen=True, slots=True)
class RawTable:
    """A delivered file as a temporary table.

    Attributes
    ----------
    name
        Of the temporary table: ``row_number``, ``fault`` (null, or why the row has no columns), `columns`; all text.
    header
        Delivered column names, trimmed; may hold empty ones.
    set_aside
        Row numbers that could not be read as a row at all, with the reason.
    is_decimal_comma
        None when the file does not say.
    """

    name: str
    header: tuple[str, ...]
    set_aside: tuple[tuple[int, str], ...] = ()
    is_decimal_comma: bool | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the text columns, in delivered order."""
        return tuple(f"c{position}" for position in range(len(self.header)))


def checked_header(cells: Sequence[str | None], where: str) -> tuple[str, ...]:
    """Return the column names, trimmed; refuse doubles, and a first row that is data.

    Raises
    ------
    DeliveryError
        No header, too long a one, or a name twice.
    """
    names = tuple((cell or "").strip().lstrip("\ufeff").strip() for cell in cells)
    filled = [name for name in names if name]
    if not filled:
        raise DeliveryError("the file has no header", where=where, next_step="deliver it with the names of its columns")
    if len(names) > _MOST_COLUMNS:
        raise DeliveryError(
            "the file has more columns than any table here",
            where=where,
            allowed=f"at most {_MOST_COLUMNS:,}",
            next_step="deliver the columns that the plan names; rows of a table go below each other",
        )
    doubles = sorted(name for name, n in Counter(filled).items() if n > 1)
    if doubles:
        shown = ", ".join(name for name in doubles if can_be_shown(name)) or "a name"
        raise DeliveryError(
            f"the header names a column twice: {shown}",
            where=where,
            next_step="give each column its own name; which of the two is meant cannot be guessed",
        )
    return names


def store_frame(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame, name: str, n_columns: int) -> None:
    """Store texts (``row_number``, ``c0`` ...) as a raw table; rows with nothing in them are no rows."""
    filled = " or ".join(f"trim({identifier(f'c{position}')}) <> ''" for position in range(n_columns))
    connection.register("delivered_frame", frame.to_arrow())
    try:
        connection.execute(
            f"create or replace temp table {identifier(name)} as "
            f"select row_number, null::varchar as fault, * exclude (row_number) from delivered_frame where {filled}"
        )
    finally:
        connection.unregister("delivered_frame")
