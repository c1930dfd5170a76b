"""Area panels for tests: planted ones, and published studies, as a design is given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import AREA_PERIODS_COLUMNS, AREAS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter

QUARTER = Quarter(2026, 3)


def area_plan(outcomes: dict[str, Any] | None = None, **fields: Any) -> Plan:
    """A plan on areas, with one counted outcome `crime` by default."""
    base: dict[str, Any] = {
        "programme": "proef",
        "title": "Proef",
        "design": "staggered_areas",
        "source": {"areas": {"file": "areas.csv"}, "area_counts": {"file": "counts.csv"}},
        "outcomes": outcomes or {"crime": {"measures": ["rate_ratio"]}},
    }
    return Plan.model_validate(base | fields)


def frames(
    start: np.ndarray,
    outcomes: dict[str, tuple[str, np.ndarray]],
    *,
    periods: np.ndarray | None = None,
    labels: list[str] | None = None,
    population: np.ndarray | None = None,
    ids: list[str] | None = None,
    ring: np.ndarray | None = None,
    cluster: list[str] | None = None,
    **columns: Any,
) -> dict[str, pl.DataFrame]:
    """Frames from arrays: `start` NaN for never; outcomes are (count or value, (n, T)), NaN where not delivered."""
    n, length = next(iter(outcomes.values()))[1].shape
    ids = ids or [f"a{number:05d}" for number in range(n)]
    periods = np.arange(length) if periods is None else periods
    labels = labels or [f"{2015 + t // 4}-Q{t % 4 + 1}" for t in range(length)]

    def whole(values: np.ndarray | None) -> pl.Series:
        given = np.full(n, np.nan) if values is None else np.asarray(values, dtype=float)
        return pl.Series(given).fill_nan(None).cast(pl.Int64)

    areas = pl.DataFrame(
        {
            "area_id": ids,
            "adopted": whole(start),
            "ring": whole(ring),
            "cluster": pl.Series(cluster if cluster else [None] * n, dtype=pl.String),
        },
        schema=AREAS_COLUMNS,
    ).with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})
    parts = []
    for name, (kind, values) in outcomes.items():
        flat = pl.Series(np.asarray(values, dtype=float).ravel()).fill_nan(None)
        people = pl.Series(np.full(n * length, np.nan) if population is None else np.asarray(population, float).ravel())
        none = pl.Series([None] * (n * length), dtype=pl.Float64)
        parts.append(
            pl.DataFrame(
                {
                    "area_id": np.repeat(np.array(ids, dtype=object), length).tolist(),
                    "period": np.tile(periods, n).astype(np.int64),
                    "label": labels * n,
                    "outcome": [name] * (n * length),
                    "count": flat if kind == "count" else none,
                    "value": flat if kind == "value" else none,
                    "population": people.fill_nan(None),
                },
                schema=AREA_PERIODS_COLUMNS,
            ).filter(pl.col("count").is_not_null() | pl.col("value").is_not_null())
        )
    return {"areas": areas, "area_periods": pl.concat(parts)}


def study(plan: Plan, units: dict[str, pl.DataFrame]) -> AnalysisData:
    """What a design is given."""
    return AnalysisData(plan, QUARTER, units=units)


def counted(
    *,
    n_treated: int = 24,
    n_comparison: int = 40,
    length: int = 12,
    ratio: float = 0.7,
    cohorts: tuple[int, ...] = (5, 6, 7),
    level: float = 12.0,
    seed: int = 1,
    trend: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Starts (n,) and counts (n, T); `trend` is what treated areas gain per period on the others, in logs."""
    rng = np.random.default_rng(seed)
    n = n_treated + n_comparison
    start = np.full(n, np.nan)
    start[:n_treated] = np.resize(cohorts, n_treated)
    time = np.arange(length)
    mean = level * np.exp(rng.normal(0.0, 0.3, n))[:, None] * np.exp(0.1 * np.sin(time))[None, :]
    mean = mean * np.where(np.isnan(start)[:, None], 1.0, np.exp(trend * time)[None, :])
    after = time[None, :] >= np.where(np.isnan(start), np.inf, start)[:, None]
    return start, rng.poisson(mean * np.where(after, ratio, 1.0)).astype(float)


def mpdta(shared: Path) -> dict[str, np.ndarray]:
    """Minimum wage and teen employment: 500 counties, 2003-2007."""
    raw = pl.read_csv(shared / "mpdta" / "mpdta.csv")
    wide = raw.pivot(on="year", index=["countyreal", "first.treat", "lpop"], values="lemp").sort("countyreal")
    first = wide["first.treat"].to_numpy().astype(float)
    return {
        "start": np.where(first == 0, np.nan, first - 2003),
        "value": wide.select([str(year) for year in range(2003, 2008)]).to_numpy(),
        "lpop": wide["lpop"].to_numpy(),
        "id": wide["countyreal"].to_numpy(),
    }


def chicago(shared: Path, column: str = "complaints") -> tuple[np.ndarray, np.ndarray]:
    """Procedural-justice training: starts and counts of 7,785 officers over 72 months."""
    raw = pl.read_parquet(shared / "pj_chicago" / "pj_officer_level_balanced.parquet").sort("uid", "period")
    n = raw["uid"].n_unique()
    return (
        raw["first_trained"].to_numpy().reshape(n, -1)[:, 0].astype(float) - 1,
        raw[column].to_numpy().reshape(n, -1).astype(float),
    )


SEATTLE_OUTCOMES = {"i_felony": "felony", "i_misdemea": "misdemeanour", "i_drugs": "drugs", "any_crime": "any"}
SEATTLE_MATCH = (
    "TotalPop",
    "BLACK",
    "HISPANIC",
    "Males_1521",
    "HOUSEHOLDS",
    "FAMILYHOUS",
    "FEMALE_HOU",
    "RENTER_HOU",
    "VACANT_HOU",
)


def seattle(shared: Path) -> pl.DataFrame:
    """The drug market intervention: 9,642 blocks by 16 quarters."""
    return pl.read_parquet(shared / "seattle_dmi" / "seattledmi.parquet").sort("ID", "time")


def seattle_data(shared: Path) -> AnalysisData:
    """The same as a design is given it, calibrated on 57 variables and the number of areas."""
    raw = seattle(shared)
    n = raw["ID"].n_unique()

    def wide(column: str) -> np.ndarray:
        return raw[column].to_numpy().reshape(n, 16).astype(float)

    start = np.where(wide("Intervention").max(axis=1) > 0, 12.0, np.nan)
    plan = area_plan(
        {name: {"measures": ["percent_change"]} for name in SEATTLE_OUTCOMES.values()},
        areas={"comparison": "calibrated", "match_on": list(SEATTLE_MATCH)},
    )
    units = frames(
        start,
        {name: ("count", wide(column)) for column, name in SEATTLE_OUTCOMES.items()},
        **{column: wide(column)[:, 0] for column in SEATTLE_MATCH},
    )
    return study(plan, units)
