"""The files of a release: CSV, Parquet, Excel. The same bytes for the same release, whatever the day.

Here: writing cleared frames. Not here: clearing them, nor pages and PDF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

SYNTHETIC = "SYNTHETIC"
ABOUT = "about"
"""The first sheet of the workbook: no table, but what the release is."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def marked(frame: pl.DataFrame, *, is_synthetic: bool) -> pl.DataFrame:
    """Return the frame with its mark: a column `synthetic`, filled where the data are made up."""
    return frame.with_columns(pl.lit(SYNTHETIC if is_synthetic else "", dtype=pl.String).alias("synthetic"))


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with texts that a spreadsheet would run as a formula made harmless by an apostrophe.

    Examples
    --------
    >>> without_formulas(pl.DataFrame({"a": ["=1+1", "plain", None], "b": [-1.5, 2.0, 0.0]}))["a"].to_list()
    ["'=1+1", 'plain', None]
    """
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    risky = [
        pl.when(pl.any_horizontal(pl.col(name).str.starts_with(start) for start in _FORMULA_STARTS))
        .then(pl.lit("'") + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in texts
    ]
    return frame.with_columns(risky) if risky else frame


def csv_text(frame: pl.DataFrame) -> str:
    """Return a frame as CSV: missing is empty, texts cannot run."""
    return without_formulas(frame).write_csv(quote_style="necessary")


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as CSV; see `csv_text`."""
    path.write_text(csv_text(frame), encoding="utf-8", newline="")


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as Parquet."""
    frame.write_parquet(path, compression="zstd", statistics=False)


def write_excel(frames: Mapping[str, pl.DataFrame], path: Path, *, title: str, about: Sequence[str]) -> None:
    """Write frames as sheets of one workbook; texts are texts, never formulas or links.

    Parameters
    ----------
    about
        What the first sheet says of the release, line by line: which one it is, its marks, who approved it.
    """
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties(
            {"title": title, "created": datetime(2000, 1, 1)}
        )  # fixed: the same release, the same bytes
        bold = book.add_format({"bold": True})
        first = book.add_worksheet(ABOUT)
        for row, line in enumerate(about):
            first.write_string(row, 0, line, *([bold] if row == 0 else []))
        for name, frame in frames.items():
            write_table(book.add_worksheet(name[:31]), frame, bold)


def write_table(sheet: Any, frame: pl.DataFrame, bold: Any) -> None:
    """Write a frame to a worksheet, its header in bold and always in sight."""
    sheet.freeze_panes(1, 0)
    for column, header in enumerate(frame.columns):
        sheet.write_string(0, column, header, bold)
    for row, values in enumerate(frame.iter_rows(), start=1):
        for column, value in enumerate(values):
            _write_cell(sheet, row, column, value)


def _write_cell(sheet: Any, row: int, column: int, value: Any) -> None:
    """Write one cell by its type; nothing for a missing value."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, str(value))
