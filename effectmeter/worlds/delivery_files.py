"""Delivery files as Dutch suppliers send them: semicolons, ``dd-mm-yyyy``, decimal commas. No simulation lives here."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

Encoding = Literal["cp1252", "utf-8-sig"]


def write_dutch_csv(frame: pl.DataFrame, path: Path, encoding: Encoding) -> Path:
    """Write a frame with semicolons, Dutch dates and decimal commas; missing is empty.

    Parameters
    ----------
    frame
        Date columns become ``dd-mm-yyyy``, float columns one decimal with a comma.
    encoding
        ``cp1252`` (as Excel on Windows saves) or ``utf-8-sig`` (UTF-8 with BOM).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = frame.with_columns(
        pl.col(pl.Date).dt.strftime("%d-%m-%Y"),
        pl.col(pl.Float64).round(1).cast(pl.String).str.replace(".", ",", literal=True),
    ).write_csv(separator=";", line_terminator="\r\n")
    path.write_bytes(text.encode(encoding))
    return path


def dates(day: pl.Series) -> pl.Series:
    """Return days since 1970-01-01 as dates; missing stays missing."""
    return day.cast(pl.Int32).cast(pl.Date)


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return (day - date(1970, 1, 1)) // timedelta(days=1)


def pseudonyms(random: np.random.Generator, prefix: str, n: int) -> pl.Series:
    """Return `n` different pseudonyms whose order says nothing about arm or risk."""
    numbers = random.permutation(9 * n)[:n]
    width = len(str(9 * n))
    return pl.Series("pseudoniem", [f"{prefix}-{number:0{width}d}" for number in numbers])
