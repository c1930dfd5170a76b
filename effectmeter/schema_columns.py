"""What a catalogue entry is: a column, a table, the disclosure roles. The entries stand in `effectmeter.schema`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "date", "int", "float", "bool", "period"]
Role = Literal["none", "count_persons", "count_clusters", "count_events", "person_time", "model", "proportion", "text"]
"""What disclosure control must do with a released column.

``none``: says nothing about people. ``count_persons``, ``count_clusters`` (families, sites), ``count_events``: counts
of those entities, under the smallest cell and rounding. ``person_time``: a sum over persons, from rounded counts.
``model``: a model result; in rows with ``analysis = unadjusted`` it is saturated and must come from rounded counts.
``proportion``: a mean or share over persons. ``text``: a sentence that may quote figures of the other roles, so it is
written again from cleared figures.
"""

DUCKDB_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "date": "DATE",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "period": "VARCHAR",
}
"""How each type is stored."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    meaning
        One sentence.
    nullable
        May be absent from a delivery, or empty.
    allowed
        The value set, when there is one.
    role
        See `Role`; always ``none`` for delivered columns, since those never leave the vault.
    pseudonym_of
        The kind of entity that the column is a pseudonym of; hashed again under the programme's key at landing. Empty
        for what is no pseudonym, and for codes that are public (areas, trials).
    """

    name: str
    type: ColumnType
    meaning: str
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    unit: str = ""
    role: Role = "none"
    pseudonym_of: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes
    ----------
    grain
        What one row is.
    key
        Columns that together are unique; empty when rows may repeat.
    one_of
        Groups of nullable columns of which at least one must be delivered.
    is_open
        Whether other columns may come along (covariates, delivered outcomes, columns for `where`).
    storage
        ``schema.table`` in the vault.
    is_released
        Whether a cleared copy leaves the vault.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    is_open: bool = False
    storage: str = ""
    is_released: bool = False

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(column.name for column in self.columns)
