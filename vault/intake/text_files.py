"""CSV in all its dialects to raw tables: DuckDB parses; encoding, line ends and delimiter are settled before it does.

DuckDB takes an unterminated quote for the start of one very long value, and rows after it vanish into that value. So
lines are counted here, and the count must be accounted for: by rows, by rows that span lines, by lines set aside.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from effectmeter.errors import DeliveryError
from effectmeter.machine import of_the_machine
from effectmeter.plan import SourceTable
from sql import identifier
from vault.intake.delivered import DeliveredFile
from vault.intake.raw_table import QUOTES_DO_NOT_PAIR, WRONG_WIDTH, RawTable, checked_header
from vault.scratch import unnamed_file

_CHUNK = 2**20
_LONGEST_LINE = 8_000_000
"""Some hundred thousand cells; a longer line would be held in memory whole, several times."""
_DELIMITERS = (",", ";", "\t", "|")
_CODECS = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "utf-16": "utf-16", "latin-1": "latin-1"}
_EMPTY_IS_NOT_ABSENT = "\x01absent\x01"
"""DuckDB's text for null: with one that never occurs an empty cell is '' and a cell that is not there is null."""


@dataclass(frozen=True, slots=True)
class _Survey:
    """What one pass over the file's characters tells."""

    encoding: str
    n_lines: int
    n_line_ends: int
    """Of how many kinds."""
    has_quotes: bool


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What DuckDB made of a copy of the file: row count, lines per row, and lines that are no row."""

    n_rows: int
    lines_in_row: np.ndarray | None
    """None when every row is one line."""
    rejected: tuple[tuple[int, str], ...]
    """Which record (a row over several lines is one), and why."""
    has_swallowed_rows: bool

    @property
    def n_lines(self) -> int:
        of_rows = self.n_rows if self.lines_in_row is None else int(self.lines_in_row.sum())
        return of_rows + len(self.rejected)


@dataclass(frozen=True, slots=True)
class _Readable:
    """A file that DuckDB can read: UTF-8, one kind of line end, header in a known line."""

    path: Path
    header: tuple[str, ...]
    delimiter: str
    n_lines: int
    """After the header."""
    skip: int
    """Lines up to and including the header."""


def read_text(
    connection: duckdb.DuckDBPyConnection,
    file: DeliveredFile,
    source: SourceTable,
    name: str,
    expected: Sequence[str],
    scratch: Path,
) -> RawTable:
    """Read a CSV file into the raw table `name`.

    Parameters
    ----------
    expected
        Column names that the plan hopes to find: they settle which delimiter it is.
    scratch
        Private folder for copies; they have no name there, so that nothing of them is left whatever happens.

    Raises
    ------
    DeliveryError
        No text, unknown encoding, no or double header, or lines that do not add up.
    """
    with unnamed_file(scratch) as copy, unnamed_file(scratch) as lines:
        try:
            survey = _survey(file, source)
            readable = _prepare(file, source, survey, expected, copy)
            return _read(connection, file, name, readable, survey, lines)
        finally:
            connection.execute("drop table if exists text_rejects; drop table if exists text_scans")


def _read(
    connection: duckdb.DuckDBPyConnection,
    file: DeliveredFile,
    name: str,
    readable: _Readable,
    survey: _Survey,
    lines: Path,
) -> RawTable:
    parsed = _parse(connection, file, name, readable.path, readable, readable.skip, survey.has_quotes)
    kept_lines = np.arange(readable.n_lines, dtype=np.int64) + readable.skip + 1
    set_aside: tuple[tuple[int, str], ...] = ()
    has_odd_quotes = parsed.has_swallowed_rows or any(reason == QUOTES_DO_NOT_PAIR for _, reason in parsed.rejected)
    if has_odd_quotes or parsed.n_lines != readable.n_lines:
        kept_lines, odd_lines = _copy_lines(readable, lines, leave_out_odd_quotes=has_odd_quotes)
        set_aside = tuple((line, QUOTES_DO_NOT_PAIR) for line in odd_lines)
        parsed = _parse(connection, file, name, lines, readable, 0, survey.has_quotes)
        if parsed.has_swallowed_rows or parsed.n_lines != len(kept_lines):
            raise DeliveryError(
                "quotes in the file do not pair up, so that rows run into each other",
                where=file.name,
                next_step='export it again; a quote inside a value is written twice ("")',
            )
    numbers, rejected = _line_numbers(parsed, kept_lines)
    _number_rows(connection, name, numbers, len(readable.header))
    return RawTable(
        name,
        readable.header,
        tuple(sorted(set_aside + rejected)),
        is_decimal_comma=True if readable.delimiter == ";" else None,
    )


def _survey(file: DeliveredFile, source: SourceTable) -> _Survey:
    """Establish encoding and line ends in one pass; refuse what is no text."""
    candidates = [_CODECS[source.encoding]] if source.encoding else _likely_codecs(file.path)
    for encoding in candidates:
        try:
            return _survey_as(file, encoding)
        except UnicodeError:
            continue
    raise DeliveryError(
        "the text encoding is not recognised",
        where=file.name,
        allowed=" ".join(_CODECS),
        next_step=f"export the file as UTF-8, or correct source.{file.table}.encoding in the plan",
    )


def _likely_codecs(path: Path) -> list[str]:
    with path.open("rb") as handle:
        start = handle.read(4096)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    if start.startswith(codecs.BOM_UTF8):
        return ["utf-8-sig"]
    # Latin text in UTF-16 has a zero in every second byte
    if len(start) >= 4 and start[1::2].count(0) > 0.4 * len(start[1::2]):
        return ["utf-16-le"]
    if len(start) >= 4 and start[0::2].count(0) > 0.4 * len(start[0::2]):
        return ["utf-16-be"]
    return ["utf-8", "cp1252"]


def _survey_as(file: DeliveredFile, encoding: str) -> _Survey:
    n_feeds = n_returns = n_pairs = 0
    has_quotes, last, n_without_end = False, "\n", 0
    with file.path.open(encoding=encoding, newline="") as handle:
        while chunk := handle.read(_CHUNK):
            if chunk.endswith("\r"):
                chunk += handle.read(1)
            if "\0" in chunk:
                raise DeliveryError(
                    "the file holds NUL bytes: it is no text, or damaged",
                    where=file.name,
                    next_step="export it again as CSV",
                )
            n_after_end = len(chunk) - 1 - max(chunk.rfind("\n"), chunk.rfind("\r"))
            n_without_end = n_after_end + (n_without_end if n_after_end == len(chunk) else 0)
            if n_without_end > _LONGEST_LINE:
                raise DeliveryError(
                    "the file holds a line that is too long to be a row",
                    where=file.name,
                    allowed=f"at most {_LONGEST_LINE:,} characters between two line ends",
                    next_step="export it again as CSV, with a line per row",
                )
            n_feeds += chunk.count("\n")
            n_returns += chunk.count("\r")
            n_pairs += chunk.count("\r\n")
            has_quotes = has_quotes or '"' in chunk
            last = chunk[-1]
    kinds = (n_pairs > 0) + (n_feeds > n_pairs) + (n_returns > n_pairs)
    return _Survey(encoding, n_feeds + n_returns - n_pairs + (last not in "\r\n"), kinds, has_quotes)


def _prepare(
    file: DeliveredFile, source: SourceTable, survey: _Survey, expected: Sequence[str], copy: Path
) -> _Readable:
    """Find header and delimiter; copy the file when DuckDB could not read it as it is."""
    line, cells_line, delimiter = _header_line(file, source, survey)
    if delimiter and not re.fullmatch(r"[^\w\s\"'\x00-\x08\x7f-\uffff]|\t", delimiter):
        raise DeliveryError(
            "the sign between the columns that the file or the plan names cannot be one",
            where=file.name,
            allowed="one plain sign: comma, semicolon, tab, bar",
            next_step=f"correct source.{file.table}.delimiter in the plan, or the line 'sep=' in the file",
        )
    if not delimiter:
        delimiter = max(_DELIMITERS, key=lambda each: _score(cells_line, each, expected))
    cells = _header_cells(cells_line, delimiter)
    if cells is None:
        raise DeliveryError(
            "the quotes in the line with column names do not pair up",
            where=file.name,
            allowed='a name as it is, or between two signs "',
            next_step="ask the supplier to write the file anew, with quotes around a whole name or around none",
        )
    header = checked_header(cells, file.name)
    path, n_lines = file.path, survey.n_lines
    if survey.encoding not in ("utf-8", "utf-8-sig") or survey.n_line_ends > 1 or source.skip_footer:
        path = copy
        n_lines = _transcode(file.path, survey.encoding, path, source.skip_footer)
    return _Readable(path, header, delimiter, max(0, n_lines - line), line)


def _header_line(file: DeliveredFile, source: SourceTable, survey: _Survey) -> tuple[int, str, str]:
    """Return number and text of the header line, and the delimiter when plan or file states it."""
    delimiter = source.delimiter or ""
    with file.path.open(encoding=survey.encoding) as handle:
        for number, line in enumerate(handle, start=1):
            if number <= source.skip_rows or not line.strip():
                continue
            stated = re.fullmatch(r"sep=(.)", line.strip("\r\n"))
            if stated:
                delimiter = delimiter or stated[1]
                continue
            if line.count('"') % 2:
                break
            return number, line.rstrip("\r\n"), delimiter
    raise DeliveryError(
        "the file has no header line",
        where=file.name,
        next_step=f"deliver it with column names in the first line, or set source.{file.table}.skip_rows in the plan",
    )


def _header_cells(line: str, delimiter: str) -> list[str] | None:
    """Split the header line, quotes and all; None where its quotes do not pair up between signs of this kind."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _score(line: str, delimiter: str, expected: Sequence[str]) -> tuple[int, int]:
    names = [cell.strip().casefold() for cell in _header_cells(line, delimiter) or ()]
    return len({name.strip().casefold() for name in expected} & set(names)), len(names)


def _transcode(path: Path, encoding: str, target: Path, skip_footer: int) -> int:
    """Write a UTF-8 copy with one kind of line end, without the last `skip_footer` lines; return its line count."""
    n_lines = 0
    with path.open(encoding=encoding) as source, target.open("w", encoding="utf-8", newline="\n") as copy:
        target.chmod(0o600)
        for line in _without_footer(source, skip_footer):
            copy.write(line if line.endswith("\n") else line + "\n")
            n_lines += 1
    return n_lines


def _without_footer(lines: Iterator[str] | io.TextIOBase, skip_footer: int) -> Iterator[str]:
    """Pass lines on, but for the last `skip_footer` that hold text."""
    if not skip_footer:
        yield from lines
        return
    waiting: deque[str] = deque()
    n_filled = 0
    for line in lines:
        waiting.append(line)
        n_filled += bool(line.strip())
        while n_filled > skip_footer:
            first = waiting.popleft()
            n_filled -= bool(first.strip())
            yield first


def _parse(
    connection: duckdb.DuckDBPyConnection,
    file: DeliveredFile,
    name: str,
    path: Path,
    readable: _Readable,
    skip: int,
    has_quotes: bool,
) -> _Parsed:
    """Let DuckDB read the file into ``<name>_staged``: columns by position, one more than there are."""
    try:
        _stage(connection, name, path, readable, skip, is_parallel=True)
    except duckdb.Error:
        # rows over several lines cannot be read in parallel
        try:
            _stage(connection, name, path, readable, skip, is_parallel=False)
        except duckdb.Error as error:
            if of_the_machine(error) is not None:
                raise
            raise DeliveryError(
                "the file cannot be read as CSV",
                where=file.name,
                allowed="comma, semicolon, tab or bar between the columns; quotes around values that hold them",
                next_step=f"export it again, or set source.{file.table}.delimiter in the plan",
            ) from None
    rejected = connection.sql("select line, error_type::varchar from text_rejects order by line").fetchall()
    n_rows = int(connection.sql(f"select count(*) from {identifier(name + '_staged')}").fetchall()[0][0])
    # what DuckDB reports as a line counts records, after the lines that it was told to skip
    lines = {
        int(line) - skip: WRONG_WIDTH if kind == "TOO MANY COLUMNS" else QUOTES_DO_NOT_PAIR for line, kind in rejected
    }
    heights, has_swallowed = _heights(connection, name, readable) if has_quotes else (None, False)
    return _Parsed(n_rows, heights, tuple(sorted(lines.items())), has_swallowed)


def _stage(
    connection: duckdb.DuckDBPyConnection, name: str, path: Path, readable: _Readable, skip: int, *, is_parallel: bool
) -> None:
    columns = {**{f"c{at}": "VARCHAR" for at in range(len(readable.header))}, "overflow": "VARCHAR"}
    structure = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
    connection.execute("drop table if exists text_rejects; drop table if exists text_scans")
    connection.execute(
        f"create or replace temp table {identifier(name + '_staged')} as "
        f"select * from read_csv($path, columns = {{{structure}}}, auto_detect = false, header = false, skip = $skip, "
        "delim = $delimiter, quote = '\"', escape = '\"', nullstr = $absent, null_padding = true, "
        "ignore_errors = true, store_rejects = true, rejects_table = 'text_rejects', rejects_scan = 'text_scans', "
        f"parallel = {str(is_parallel).lower()})",
        {"path": str(path), "skip": skip, "delimiter": readable.delimiter, "absent": _EMPTY_IS_NOT_ABSENT},
    )


def _heights(connection: duckdb.DuckDBPyConnection, name: str, readable: _Readable) -> tuple[np.ndarray | None, bool]:
    """Return how many lines each row takes, and whether a value looks as if it had swallowed other rows."""
    texts = [*(f"c{at}" for at in range(len(readable.header))), "overflow"]
    ends = " + ".join(f"coalesce(length({c}) - length(replace({c}, chr(10), '')), 0)" for c in texts)
    # a value over n line ends that swallowed rows holds about n times a row's delimiters
    swallowed = " or ".join(
        f"(contains({c}, chr(10)) and length({c}) - length(replace({c}, $delimiter, '')) >= "
        f"$per_row * (length({c}) - length(replace({c}, chr(10), ''))))"
        for c in texts
    )
    staged = identifier(name + "_staged")
    tall = connection.execute(
        f"select rowid, 1 + {ends} as height, {swallowed} from {staged} "
        f"where {' or '.join(f'contains({c}, chr(10))' for c in texts)} order by rowid",
        {"delimiter": readable.delimiter, "per_row": max(1, len(readable.header) - 1)},
    ).fetchall()
    if not tall:
        return None, False
    n_rows = int(connection.sql(f"select count(*) from {staged}").fetchall()[0][0])
    heights = np.ones(n_rows, dtype=np.int64)
    for row, height, _ in tall:
        heights[row] = height
    return heights, any(bool(row[2]) for row in tall)


def _copy_lines(readable: _Readable, copy: Path, *, leave_out_odd_quotes: bool) -> tuple[np.ndarray, list[int]]:
    """Copy the lines after the header that hold something; return their numbers, and those of lines with odd quotes."""
    kept: list[int] = []
    odd: list[int] = []
    with readable.path.open(encoding="utf-8-sig") as source, copy.open("w", encoding="utf-8", newline="\n") as target:
        copy.chmod(0o600)
        inside_value = False
        for number, line in enumerate(source, start=1):
            if number <= readable.skip:
                continue
            is_odd = line.count('"') % 2 == 1
            if is_odd and leave_out_odd_quotes:
                odd.append(number)
            elif line.strip() or inside_value:
                kept.append(number)
                target.write(line)
            inside_value ^= is_odd and not leave_out_odd_quotes
    return np.asarray(kept, dtype=np.int64), odd


def _line_numbers(parsed: _Parsed, kept_lines: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, str], ...]]:
    """Return the line in the file where each row starts, and the rejected records by their line in the file."""
    heights = np.ones(parsed.n_rows, dtype=np.int64) if parsed.lines_in_row is None else parsed.lines_in_row
    lines_before = np.concatenate([[0], np.cumsum(heights)])
    records = np.asarray([record for record, _ in parsed.rejected], dtype=np.int64)
    earlier = np.arange(len(records))
    rows_before = records - 1 - earlier
    starts = lines_before[:-1] + np.searchsorted(rows_before, np.arange(parsed.n_rows), side="right")
    rejected = kept_lines[lines_before[rows_before] + earlier]
    reasons = [reason for _, reason in parsed.rejected]
    return kept_lines[starts], tuple(zip(map(int, rejected), reasons, strict=True))


def _number_rows(connection: duckdb.DuckDBPyConnection, name: str, numbers: np.ndarray, n_columns: int) -> None:
    """Make the raw table of the staged one: rows with nothing in them are no rows, too short or too long is a fault."""
    texts = [f"c{at}" for at in range(n_columns)]
    filled = " or ".join(f"trim({column}) <> ''" for column in texts)
    staged = identifier(name + "_staged")
    has_gaps = len(numbers) > 0 and int(numbers[-1] - numbers[0]) != len(numbers) - 1
    number = "row_number" if has_gaps else f"rowid + {int(numbers[0]) if len(numbers) else 0} as row_number"
    join = "join row_numbers on row_numbers.row = staged.rowid" if has_gaps else ""
    connection.register("row_numbers", pl.DataFrame({"row_number": numbers}).with_row_index("row").to_arrow())
    try:
        connection.execute(
            f"create or replace temp table {identifier(name)} as "
            f"select {number}, case when {texts[-1]} is null or trim(overflow) <> '' then $fault end as fault, "
            f"{', '.join(texts)} from {staged} as staged {join} where {filled}",
            {"fault": WRONG_WIDTH},
        )
    finally:
        connection.unregister("row_numbers")
    connection.execute(f"drop table {staged}")
