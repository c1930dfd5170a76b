"""The world of `leefbaarheid-en-veiligheid`: 20 focus areas, and neighbourhoods that were not chosen, year by year.

What makes it hard, on purpose: focus areas were chosen for their deprivation, and deprived areas improve faster by
themselves (a falling trend that is steeper where there is more to fall). Whoever compares with the average
neighbourhood sees an effect that is larger than what was planted; comparison areas that are calibrated to the focus
areas do not. SYNTHETIC: the codes belong to no neighbourhood.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from effectmeter.quarters import Quarter
from effectmeter.worlds.base import AreaTruth, write_readme
from effectmeter.worlds.courses import counts, quarters_until, waves
from effectmeter.worlds.delivery_files import write_dutch_csv
from effectmeter.worlds.histories import Floats, Ints, pick

TRUTH = AreaTruth(
    programme="leefbaarheid-en-veiligheid",
    rate_ratios={"registered_crime": 0.94},
    mean_differences={"liveability": 0.03},
    cohorts={"2023": 20},
    n_comparison=160,
    first_period="2014",
)

INHABITANTS = 9_000.0
CRIMES_PER_1000 = 52.0  # a year, in a neighbourhood of average deprivation
TREND, TREND_PER_DEPRIVATION = -0.015, -0.008  # per year, on the log scale
OWN_SD, OWN_CORRELATION = 0.06, 0.5
LIVEABILITY, LIVEABILITY_PER_DEPRIVATION, LIVEABILITY_TREND = 4.05, -0.12, 0.004
LIVEABILITY_SD = 0.02
CHOICE = 0.9  # how strongly deprivation steers who becomes a focus area


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes files.

    Attributes
    ----------
    areas
        ``area, is_focus, social_rent, low_income, youth`` (shares, per cent).
    years
        In order; only years that are over.
    is_treated : (n_areas, n_years) bool
    crimes : (n_areas, n_years) int
    liveability : (n_areas, n_years) float
        A mark around 4; higher is better.
    expected_crimes, expected_liveability : (n_areas, n_years) float
        What would be expected without the programme.
    population : (n_areas, n_years) int
    """

    areas: pl.DataFrame
    years: list[int]
    is_treated: np.ndarray
    crimes: Ints
    liveability: Floats
    expected_crimes: Floats
    expected_liveability: Floats
    population: Ints


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen until the last whole year before the end of a quarter."""
    quarters = quarters_until(Quarter(int(TRUTH.first_period), 1), quarter, TRUTH.programme)
    years = sorted({each.year for each in quarters if each.number == 4}) or [int(TRUTH.first_period)]
    ((first, n_focus),) = TRUTH.cohorts.items()
    n, time = n_focus + TRUTH.n_comparison, np.arange(len(years))
    random = np.random.default_rng([seed, 1])
    codes = random.permutation(np.arange(990_001, 990_001 + n))
    deprivation = random.normal(0.0, 1.0, n)
    is_focus = np.zeros(n, dtype=np.bool_)
    is_focus[pick(random, CHOICE * deprivation, n_focus)] = True
    population = INHABITANTS * random.lognormal(0.0, 0.3, n)
    population = np.round(population[:, None] * np.exp(0.004 * time)).astype(np.int64)

    level = np.log(CRIMES_PER_1000 / 1000.0) + 0.28 * deprivation + random.normal(0.0, 0.1, n)
    trend = (TREND + TREND_PER_DEPRIVATION * deprivation)[:, None] * time
    common = waves(seed, 2, (1, len(years)), sd=0.02, correlation=0.5)
    own = waves(seed, 3, (n, len(years)), sd=OWN_SD, correlation=OWN_CORRELATION)
    expected_crimes = population * np.exp(level[:, None] + trend + common + own)

    mark = LIVEABILITY + LIVEABILITY_PER_DEPRIVATION * deprivation + random.normal(0.0, 0.04, n)
    own_mark = waves(seed, 4, (n, len(years)), sd=LIVEABILITY_SD, correlation=0.3)
    expected_mark = mark[:, None] + (LIVEABILITY_TREND + 0.002 * deprivation)[:, None] * time + own_mark

    is_treated = is_focus[:, None] & (np.array(years) >= int(first))
    effect = np.log(TRUTH.rate_ratios["registered_crime"]) * is_treated
    better = TRUTH.mean_differences["liveability"] * is_treated

    def share(mean: float, per_deprivation: float, noise: float) -> Floats:
        shares: Floats = np.clip(mean + per_deprivation * deprivation + random.normal(0.0, noise, n), 1.0, 95.0)
        return shares.round(1)

    return Simulation(
        areas=pl.DataFrame(
            {
                "area": [f"WK{code}" for code in codes],
                "is_focus": is_focus,
                "social_rent": share(38.0, 11.0, 3.0),
                "low_income": share(12.0, 4.0, 1.0),
                "youth": share(27.0, 1.5, 2.0),
            }
        ),
        years=years,
        is_treated=is_treated,
        crimes=counts(seed, 5, expected_crimes * np.exp(effect)),
        liveability=expected_mark + better,
        expected_crimes=expected_crimes,
        expected_liveability=expected_mark,
        population=population,
    )


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``gebieden.csv`` and ``cijfers.csv``: a column per outcome, UTF-8 with BOM."""
    world = simulate(quarter, seed)
    n, n_years = world.crimes.shape
    ((first, _),) = TRUTH.cohorts.items()
    files = {
        "gebieden.csv": world.areas.select(
            pl.col("area").alias("gebied"),
            pl.when("is_focus").then(pl.lit(first)).alias("eerste_jaar"),
            pl.col("social_rent").alias("sociale_huur"),
            pl.col("low_income").alias("lage_inkomens"),
            pl.col("youth").alias("jongeren"),
        ).sort("gebied"),
        "cijfers.csv": pl.DataFrame(
            {
                "gebied": np.repeat(world.areas["area"].to_numpy(), n_years),
                "jaar": world.years * n,
                "misdrijven": world.crimes.reshape(-1),
                "leefbaarheid": [f"{mark:.3f}".replace(".", ",") for mark in world.liveability.reshape(-1)],
                "inwoners": world.population.reshape(-1),
            }
        ).sort("gebied", "jaar"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_dutch_csv(frame, folder / name, "utf-8-sig") for name, frame in files.items()]
    return (*written, write_readme(TRUTH.programme, folder))
