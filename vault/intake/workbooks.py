"""Excel, SPSS, Stata and Parquet files to raw tables. Their libraries' messages quote rows, so none is passed on."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

from effectmeter.errors import DeliveryError
from effectmeter.machine import of_the_machine
from effectmeter.plan import SourceTable
from sql import identifier
from vault.intake.delivered import DeliveredFile, near_misses, refuse_zip_bomb, unreadable
from vault.intake.raw_table import RawTable, checked_header, store_frame

_MOST_CELLS_IN_MEMORY = 500_000_000


def read_parquet(connection: duckdb.DuckDBPyConnection, file: DeliveredFile, name: str) -> RawTable:
    """Read a Parquet file; every column as text, dates in ISO form, moments as the clock said where they were kept."""
    try:
        zones = _time_zones(file)
        described = connection.execute("describe from read_parquet($path)", {"path": str(file.path)}).fetchall()
        header = checked_header([str(row[0]) for row in described], file.name)
        cells = [identifier(str(row[0])) for row in described]
        binds = {f"zone{at}": zones[str(row[0])] for at, row in enumerate(described) if str(row[0]) in zones}
        shown = [f"timezone($zone{at}, {cell})" if f"zone{at}" in binds else cell for at, cell in enumerate(cells)]
        texts = ", ".join(f"{cell}::varchar as c{at}" for at, cell in enumerate(shown))
        connection.execute(
            f"create or replace temp table {identifier(name)} as "
            f"select file_row_number + 1 as row_number, null::varchar as fault, {texts} "
            "from read_parquet($path, file_row_number = true)",
            {"path": str(file.path)} | binds,
        )
    except duckdb.Error as error:
        if of_the_machine(error) is not None:
            raise
        raise unreadable(file, "Parquet file") from None
    return RawTable(name, header, is_decimal_comma=False)


def _time_zones(file: DeliveredFile) -> dict[str, str]:
    """Return the zone of columns that hold moments in one: midnight in Amsterdam is the day before in UTC."""
    try:
        kinds = pl.read_parquet_schema(file.path)
    except (pl.exceptions.PolarsError, OSError):
        return {}  # a kind of column that only the other reader knows
    return {
        name: kind.time_zone
        for name, kind in kinds.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone not in (None, "UTC")
    }


def read_excel(connection: duckdb.DuckDBPyConnection, file: DeliveredFile, source: SourceTable, name: str) -> RawTable:
    """Read one sheet of a workbook: the one that the plan names, else the first."""
    import fastexcel

    refuse_zip_bomb(file)
    try:
        workbook = fastexcel.read_excel(str(file.path))
        sheets = workbook.sheet_names
        sheet = source.sheet if source.sheet is not None else sheets[0]
        if sheet not in sheets:
            near = near_misses(sheet, sheets)
            raise DeliveryError(
                f"there is no sheet '{sheet}'" + (f"; this is there: {', '.join(near)}" if near else ""),
                where=file.name,
                next_step=f"correct source.{file.table}.sheet in the plan",
            )
        # skip_rows=0 keeps empty rows above the table, so that row numbers are those of the sheet
        frame = workbook.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except (fastexcel.FastExcelError, IndexError, ValueError, OSError):
        raise unreadable(file, "Excel workbook") from None
    return _sheet_to_raw(connection, file, source, name, frame)


def read_statistics(
    connection: duckdb.DuckDBPyConnection, file: DeliveredFile, source: SourceTable, name: str
) -> RawTable:
    """Read an SPSS or Stata file; value labels stand in for codes, except where the plan's value set has the codes."""
    import pyreadstat

    read = pyreadstat.read_dta if file.kind == "stata" else pyreadstat.read_sav
    what = "Stata file" if file.kind == "stata" else "SPSS file"
    try:
        _, about = read(str(file.path), metadataonly=True)
        if (about.number_rows or 0) * len(about.column_names) > _MOST_CELLS_IN_MEMORY:
            raise DeliveryError(
                f"the {what} is too large to be read at once",
                where=file.name,
                next_step="deliver the table as CSV or Parquet",
            )
        frame, about = read(str(file.path), output_format="polars")
    except (
        pyreadstat.PyreadstatError,
        pyreadstat.ReadstatError,
        UnicodeDecodeError,
        OSError,
        ValueError,
        OverflowError,
    ):
        raise unreadable(file, what) from None
    header = checked_header(about.column_names, file.name)
    texts = [_as_text(frame.get_column(column)) for column in frame.columns]
    labels = {
        column: {_code_text(code): str(label).strip() for code, label in values.items()}
        for column, values in about.variable_value_labels.items()
        if not _names_codes(source, column, values)
    }
    columns = [
        text.replace(labels[column]) if column in labels else text
        for column, text in zip(about.column_names, texts, strict=True)
    ]
    numbered = pl.DataFrame([column.alias(f"c{at}") for at, column in enumerate(columns)]).with_row_index(
        "row_number", offset=1
    )
    store_frame(connection, numbered, name, len(header))
    return RawTable(name, header, is_decimal_comma=False)


def _sheet_to_raw(
    connection: duckdb.DuckDBPyConnection, file: DeliveredFile, source: SourceTable, name: str, frame: pl.DataFrame
) -> RawTable:
    numbered = frame.rename({column: f"c{at}" for at, column in enumerate(frame.columns)}).with_row_index(
        "row_number", offset=1
    )
    texts = [f"c{at}" for at in range(frame.width)]
    filled = numbered.filter(
        pl.any_horizontal(pl.col(texts).str.strip_chars() != "") if texts else False,
        pl.col("row_number") > source.skip_rows,
    )
    filled = filled.head(max(0, filled.height - source.skip_footer))
    if filled.is_empty():
        raise DeliveryError("the sheet is empty", where=file.name, next_step="deliver it again")
    cells = list(filled.select(texts).row(0))
    # empty columns at the right edge are formatting, not columns
    while cells and not (cells[-1] or "").strip():
        cells.pop()
    header = checked_header(cells, file.name)
    store_frame(connection, filled.slice(1).select("row_number", *texts[: len(header)]), name, len(header))
    return RawTable(name, header)


def _as_text(column: pl.Series) -> pl.Series:
    """Write a column as text; whole numbers held as floating point lose their ``.0``, dates are ISO."""
    if column.dtype.is_float():
        filled = column.fill_nan(None).drop_nulls()
        is_whole = ((filled % 1) == 0).all() and (filled.abs() < 2**53).all()
        return (column.fill_nan(None).cast(pl.Int64) if is_whole else column.fill_nan(None)).cast(pl.String)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.strftime("%Y-%m-%d %H:%M:%S")
    if column.dtype == pl.Object:
        return pl.Series(column.name, [None if value is None else str(value) for value in column], dtype=pl.String)
    return column.cast(pl.String)


def _code_text(code: object) -> str:
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)


def _names_codes(source: SourceTable, column: str, labels: Mapping[float | int, str]) -> bool:
    """Return whether the plan's value set for a labelled column is written in codes and not in labels."""
    keys = {
        key.strip()
        for mapped in source.columns.values()
        if mapped.column.strip().casefold() == column.strip().casefold()
        for key in mapped.values
    }
    return bool(keys & {_code_text(code) for code in labels}) and not keys & {
        str(label).strip() for label in labels.values()
    }
