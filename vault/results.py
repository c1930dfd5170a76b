"""Results in and out of a vault: frozen dataclasses of `effectmeter.results` to tables and back, exactly.

The types of a table are the annotations of its dataclass, so that an empty result still makes a whole table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import duckdb
import polars as pl

from effectmeter.errors import EffectmeterError
from sql import identifier

Row = TypeVar("Row")

_TYPES: dict[type, tuple[str, type[pl.DataType]]] = {
    str: ("varchar", pl.String),
    bool: ("boolean", pl.Boolean),
    int: ("bigint", pl.Int64),
    float: ("double", pl.Float64),
    date: ("date", pl.Date),
}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    python_type: type
    is_nullable: bool


def write_results(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Any], row_type: type[Any] | None = None
) -> None:
    """Replace the content of ``schema.table`` by `rows`, all or nothing.

    Parameters
    ----------
    rows
        Instances of one frozen dataclass.
    row_type
        That dataclass; needed only when `rows` is empty.

    Raises
    ------
    ValueError
        A value does not fit its annotation, or is not finite: JSON and arithmetic on the table would break on it.
    """
    row_type = row_type or (type(rows[0]) if rows else None)
    if row_type is None:
        raise ValueError(f"{table}: an empty result needs its row_type")
    described = _fields_of(row_type)
    columns = {field.name: [_checked(getattr(row, field.name), field, table) for row in rows] for field in described}
    frame = pl.DataFrame(columns, schema={field.name: _TYPES[field.python_type][1] for field in described})
    casts = ", ".join(
        f"{identifier(field.name)}::{_TYPES[field.python_type][0]} as {identifier(field.name)}" for field in described
    )
    schema, name = table.split(".")
    connection.execute(f"create schema if not exists {identifier(schema)}")
    connection.register("rows_to_write", frame.to_arrow())
    try:
        # one statement: atomic by itself, and part of the caller's transaction where there is one
        connection.execute(
            f"create or replace table {identifier(schema)}.{identifier(name)} as select {casts} from rows_to_write"
        )
    finally:
        connection.unregister("rows_to_write")


def read_results(connection: duckdb.DuckDBPyConnection, table: str, row_type: type[Row]) -> tuple[Row, ...]:
    """Read ``schema.table`` back as it was written, in the same order.

    Raises
    ------
    EffectmeterError
        The table is not there (yet), or not in this shape.
    """
    described = _fields_of(row_type)
    names = ", ".join(identifier(field.name) for field in described)
    schema, name = table.split(".")
    try:
        found = connection.sql(f"select {names} from {identifier(schema)}.{identifier(name)} order by rowid").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        raise EffectmeterError(
            f"the vault holds no table {table} in the shape that this version reads",
            next_step="run `effectmeter refresh` for this programme and quarter, and mend what it refuses",
        ) from None
    keys = [field.name for field in described]
    return tuple(row_type(**dict(zip(keys, values, strict=True))) for values in found)


def _fields_of(row_type: type[Any]) -> tuple[_Field, ...]:
    hints = get_type_hints(row_type)
    return tuple(_field(field.name, hints[field.name]) for field in fields(row_type))


def _field(name: str, annotation: Any) -> _Field:
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    filled = [option for option in options if option is not type(None)]
    kinds = {type(get_args(option)[0]) if get_origin(option) is Literal else option for option in filled}
    if len(kinds) != 1 or not kinds <= set(_TYPES):
        raise TypeError(f"{name}: {annotation} is no column type")
    return _Field(name, kinds.pop(), is_nullable=len(filled) < len(options))


def _checked(value: Any, field: _Field, table: str) -> Any:
    if value is None and field.is_nullable:
        return None
    if field.python_type is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"{table}.{field.name} is not finite: a value that cannot be had is None, with a reason")
        return float(value)
    if field.python_type is int and hasattr(value, "__index__") and not isinstance(value, bool):
        return int(value)
    if isinstance(value, field.python_type) or (
        field.python_type is bool and type(value).__name__ in ("bool", "bool_")
    ):
        return bool(value) if field.python_type is bool else value
    raise ValueError(f"{table}.{field.name} takes {field.python_type.__name__}, not {type(value).__name__}")
