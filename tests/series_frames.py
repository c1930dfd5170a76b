"""Series built by hand, for tests of the design with one start."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import SERIES_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter

QUARTER = Quarter(2026, 3)


def label_of(period: int, first_year: int = 2019) -> str:
    """Return the month of a period, counted from January of the first year."""
    return f"{first_year + period // 12}-{1 + period % 12:02d}"


def series_plan(start: int | None = 36, *, series: dict[str, Any] | None = None, **fields: Any) -> Plan:
    """Return a plan on monthly fraud."""
    options: dict[str, Any] = {} if start is None else {"start": label_of(start)}
    base: dict[str, Any] = {
        "programme": "haven",
        "title": {"nl": "Haven", "en": "Port"},
        "design": "interrupted_series",
        "source": {"series": {"file": "s.csv"}},
        "outcomes": {"fraud": {"measures": ["level_ratio"]}},
        "series": options | (series or {}),
        "looks": {"method": "none"},
    }
    return Plan.model_validate(base | fields)


def series_frame(
    count: np.ndarray,
    *,
    start: int = 36,
    outcome: str = "fraud",
    is_control: bool = False,
    population: np.ndarray | None = None,
    period: np.ndarray | None = None,
) -> pl.DataFrame:
    """Return a monthly series; `period` numbers them where some are missing."""
    at = np.arange(len(count)) if period is None else period
    return pl.DataFrame(
        {
            "period": at.astype(np.int64),
            "label": [label_of(int(p)) for p in at],
            "outcome": [outcome] * len(at),
            "is_control": [is_control] * len(at),
            "count": count.astype(np.float64),
            "population": pl.Series([None] * len(at) if population is None else population, dtype=pl.Float64),
            "after": at >= start,
            "season": (at % 12).astype(np.int64),
        },
        schema=SERIES_COLUMNS,
    )


def series_data(plan: Plan, *frames: pl.DataFrame) -> AnalysisData:
    """Return what the design sees."""
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=SERIES_COLUMNS)
    return AnalysisData(plan=plan, quarter=QUARTER, units={"series": rows})


def monthly(
    rng: np.random.Generator,
    n: int = 60,
    *,
    start: int = 36,
    mean: float = 80.0,
    ratio: float = 1.0,
    slope: float = 1.0,
    trend: float = 0.002,
    shared: np.ndarray | None = None,
    dispersion: float = 1.0,
) -> np.ndarray:
    """Return monthly counts with a season, a trend, and a jump and bend at the start."""
    t = np.arange(n)
    rate = mean * np.exp(trend * t + 0.15 * np.sin(2 * np.pi * t / 12) + 0.1 * np.cos(4 * np.pi * t / 12))
    rate = rate * np.where(t >= start, ratio * slope ** (t - start), 1.0)
    if shared is not None:
        rate = rate * np.exp(shared)
    if dispersion > 1.0:
        return rng.negative_binomial(rate / (dispersion - 1.0), 1.0 / dispersion).astype(np.float64)
    return rng.poisson(rate).astype(np.float64)
