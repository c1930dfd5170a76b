"""The workbook over all programmes: a first sheet to read in each language, then every cleared effect.

Here: laying out what the newest releases say. Not here: any figure that a release does not carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from effectmeter.sentences import Language
from reports.files import write_table
from reports.texts import text

if TYPE_CHECKING:
    from reports.portfolio import ProgrammeView

SHEETS: Mapping[Language, str] = {"nl": "Lees dit eerst", "en": "Read this first"}
_COLUMNS = (
    ("programme", 34), ("headline", 58), ("primary_figure", 34), ("strength", 30), ("reach", 14), ("method", 30),
    ("quarter", 10), ("edition", 9), ("marks", 20),
)  # fmt: skip


def write_book(views: Mapping[Language, Sequence[ProgrammeView]], releases: Sequence[Path], path: Path) -> None:
    """Write the workbook; the same bytes for the same releases."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": "Effectmeter", "created": datetime(2000, 1, 1)})
        title = book.add_format({"bold": True, "font_size": 16})
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        for language, rows in views.items():
            sheet = book.add_worksheet(SHEETS[language])
            sheet.write_string(0, 0, text("portfolio", language), title)
            sheet.write_string(1, 0, text("portfolio_note", language))
            sheet.write_string(2, 0, text("book_note", language))
            for column, (key, width) in enumerate(_COLUMNS):
                sheet.set_column(column, column, width)
                sheet.write_string(4, column, text(key, language).capitalize(), bold)
            for number, row in enumerate(rows, start=5):
                for column, words in enumerate(_words(row, language)):
                    sheet.write_string(number, column, words, wrapped)
            sheet.freeze_panes(5, 1)
            sheet.set_landscape()
            sheet.fit_to_pages(1, 0)
        frames = [pl.read_parquet(release / "effects.parquet") for release in releases]
        if frames:
            write_table(book.add_worksheet("effects"), pl.concat(frames, how="diagonal_relaxed"), bold)


def _words(row: ProgrammeView, language: Language) -> tuple[str, ...]:
    strength = f"{text('strength_of', language, row.strength)}: {row.strength_words}"
    marks = ", ".join(mark for _, mark in row.marks)
    return (
        row.title, row.headline, row.figure, strength, row.reach, row.design, row.quarter, row.edition, marks,
    )  # fmt: skip
