"""Do all files of a release give the same numbers? CSV, Parquet, workbook, pages and passport, value by value.

Here: reading each back and comparing. Not here: hashes, passport and approval (`reports.verification`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl

from effectmeter.results import EffectRow
from effectmeter.sentences import Language
from effectmeter.sentences.numbers import interval, number
from reports.figures import places
from reports.files import ABOUT, csv_text
from reports.research import p_value
from reports.texts import text

Rows = list[list[str]]


def agreement_of(folder: Path, passport: dict[str, Any]) -> list[str]:
    """Return where the files of a release contradict one another; nothing when they agree.

    A file that cannot be read is named, and its content is told nowhere.
    """
    comparisons: dict[str, Callable[[], list[str]]] = {
        "effects.csv": lambda: _tables(folder),
        "effects.parquet": lambda: _parquet(folder),
        "effects.xlsx": lambda: _workbook(folder),
        "passport.json": lambda: _passport(folder, passport),
        "report.nl.html": lambda: _page(folder, passport, "nl"),
        "report.en.html": lambda: _page(folder, passport, "en"),
    }
    faults = []
    for name, compare in comparisons.items():
        try:
            faults += compare()
        except Exception as error:  # noqa: BLE001 - a file that was tampered with may break its reader in any way
            faults.append(f"{name} cannot be compared ({type(error).__name__})")
    return faults


def _tables(folder: Path) -> list[str]:
    same = (folder / "effects.csv").read_bytes() == (folder / "tables" / "effects.csv").read_bytes()
    return [] if same else ["effects.csv and tables/effects.csv differ"]


def _parquet(folder: Path) -> list[str]:
    frame = pl.read_parquet(folder / "effects.parquet")
    same = csv_text(frame).encode() == (folder / "effects.csv").read_bytes()
    return [] if same else ["effects.parquet and effects.csv differ"]


def _workbook(folder: Path) -> list[str]:
    """Compare every sheet with its table; sheet names have at most 31 characters."""
    import fastexcel

    book = fastexcel.read_excel(str(folder / "effects.xlsx"))
    tables = {path.stem[:31]: path for path in sorted((folder / "tables").glob("*.csv"))}
    if set(book.sheet_names) != {ABOUT, *tables}:
        return ["effects.xlsx has other sheets than there are tables"]
    faults = []
    for name, path in tables.items():
        sheet = book.load_sheet(name, header_row=None, dtypes="string").to_polars()
        found = [["" if cell is None else cell for cell in row] for row in sheet.iter_rows()]
        if not _is_same(_read_csv(path), found):
            faults.append(f"effects.xlsx, sheet {name}, and {path.name} differ")
    return faults


def _read_csv(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def _is_same(table: Rows, sheet: Rows) -> bool:
    return len(table) == len(sheet) and all(
        len(row) == len(cells) and all(map(_is_same_cell, row, cells)) for row, cells in zip(table, sheet, strict=True)
    )


def _is_same_cell(one: str, other: str) -> bool:
    """Return whether a cell of a CSV and one of a workbook say the same: figures have 16 digits in a workbook."""
    if one == other or one == f"'{other}" or one.lower() == other.lower() != "":
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-12, abs_tol=1e-300)
    except ValueError:
        return False


def _rows(folder: Path) -> list[EffectRow]:
    names = EffectRow.__dataclass_fields__
    frame = pl.read_parquet(folder / "effects.parquet")
    return [EffectRow(**{name: row[name] for name in names if name in row}) for row in frame.to_dicts()]


def _passport(folder: Path, passport: dict[str, Any]) -> list[str]:
    """Compare the passport's main figure with its row, and its sentences with those of the released verdict."""
    faults = []
    primary = passport["figures"]["primary"]
    if primary is not None:
        found = [{name: getattr(row, name) for name in primary} for row in _rows(folder) if row.analysis == "primary"]
        if primary not in found:
            faults.append("the passport's main figure is in no row of the effects")
    verdict = pl.read_csv(folder / "tables" / "verdict.csv", infer_schema=False).to_dicts()[0]
    if [verdict["sentence"], verdict["sentence_nl"]] != [passport["verdict_line"][key] for key in ("en", "nl")]:
        faults.append("the passport's verdict is not that of the tables")
    return faults


class _Page(HTMLParser):
    """The tables of a page by their caption, and the words of its headline."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, Rows] = {}
        self.headline = ""
        self._caption = ""
        self._rows: Rows = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the text that follows belongs."""
        if tag == "table":
            self._caption, self._rows = "", []
        elif tag == "caption":
            self._inside = "caption"
        elif tag == "tr":
            self._rows.append([])
        elif tag in {"td", "th"}:
            self._inside = "cell"
            self._rows[-1].append("")
        elif tag == "p" and ("class", "headline") in attrs:
            self._inside = "headline"

    def handle_endtag(self, tag: str) -> None:
        """Close what was open."""
        if tag == "table":
            self.tables[self._caption] = self._rows
        if tag in {"caption", "td", "th", "p"}:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Take a text to where it belongs."""
        if self._inside == "caption":
            self._caption += data
        elif self._inside == "cell":
            self._rows[-1][-1] += data
        elif self._inside == "headline":
            self.headline += data


def _page(folder: Path, passport: dict[str, Any], language: Language) -> list[str]:
    """Compare a page's headline with the passport, and its table of all estimates with the released rows."""
    name, page = f"report.{language}.html", _Page()
    page.feed((folder / name).read_text(encoding="utf-8"))
    faults = []
    if page.headline.split() != passport["headline"][language].split():
        faults.append(f"the headline of {name} is not that of the passport")
    printed = [[*row[3:7], row[8]] for row in page.tables[text("all_rows", language)][1:]]
    if printed != [_printed(row, language) for row in _rows(folder)]:
        faults.append(f"the estimates in {name} are not those of effects.csv")
    return faults


def _printed(row: EffectRow, language: Language) -> list[str]:
    """Return a row's estimate, intervals, p-value and status as a page prints them."""
    return [
        number(row.estimate, language, places(row)),
        interval(row.conf_low, row.conf_high, language, places(row)),
        interval(row.verdict_low, row.verdict_high, language, places(row)),
        p_value(row.p_value, language),
        text(row.status, language),
    ]
