"""The world of `preventie-met-gezag`: municipalities that start in two rounds, and municipalities that never take part.

What makes it hard, on purpose: the heaviest municipalities started first, the effect grows for two years, and crime
goes up and down per municipality by itself. Planted is a modest effect that nobody has claimed. SYNTHETIC: the codes
have the shape of CBS codes and belong to no municipality.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from effectmeter.quarters import Quarter
from effectmeter.worlds.base import AreaTruth, write_readme
from effectmeter.worlds.courses import counts, effect_on, quarters_until, waves
from effectmeter.worlds.delivery_files import write_dutch_csv
from effectmeter.worlds.histories import Floats, Ints

TRUTH = AreaTruth(
    programme="preventie-met-gezag",
    rate_ratios={"young_suspects": 0.90},
    null_outcomes=("older_suspects",),
    mean_differences={},
    cohorts={"2022-Q3": 27, "2024-Q2": 20},
    n_comparison=70,
    first_period="2018-Q1",
    build_up=8,
)
STARTS = {"2022-Q3": date(2022, 7, 1), "2024-Q2": date(2024, 4, 1)}

# persons of 8-27 (median municipality), suspects of that age per 1,000 and quarter: the first round is the heaviest
YOUNG = (26_000.0, 15_000.0, 11_000.0)
YOUNG_PER_1000 = (3.9, 3.6, 3.4)
OLDER_SHARE, OLDER_PER_1000 = 1.1, 0.32  # persons of 60 and over per person of 8-27, and their suspects
SEASON = (0.03, 0.04, -0.05, -0.02)
OWN_SD, OWN_CORRELATION = 0.07, 0.6
COMMON_SD, COMMON_CORRELATION = 0.03, 0.7


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes files.

    Attributes
    ----------
    areas
        ``area, start`` (null: never), ``density``.
    quarters
        In order.
    is_treated : (n_areas, n_quarters) bool
    young, older : (n_areas, n_quarters) int
        Suspects.
    expected_young : (n_areas, n_quarters) float
        What would be expected without the programme.
    population : (n_areas, n_quarters) int
        Persons of 8-27.
    """

    areas: pl.DataFrame
    quarters: list[Quarter]
    is_treated: np.ndarray
    young: Ints
    older: Ints
    expected_young: Floats
    population: Ints


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen until the last day of a quarter."""
    quarters = quarters_until(Quarter.parse(TRUTH.first_period), quarter, TRUTH.programme)
    sizes = (*TRUTH.cohorts.values(), TRUTH.n_comparison)
    group = np.repeat(np.arange(len(sizes)), sizes)
    n, shape = len(group), (len(group), len(quarters))
    random = np.random.default_rng([seed, 1])
    codes = random.permutation(np.arange(9001, 9001 + n))  # no municipality has a code of this height
    young = np.array(YOUNG)[group] * random.lognormal(0.0, 0.55, n)
    level = np.log(np.array(YOUNG_PER_1000)[group] / 1000.0) + random.normal(0.0, 0.22, n)
    growth = random.normal(0.001, 0.001, n)
    time = np.arange(len(quarters))
    population = np.round(young[:, None] * np.exp(growth[:, None] * time)).astype(np.int64)
    season = np.array([SEASON[each.number - 1] for each in quarters])
    common = waves(seed, 2, (1, shape[1]), sd=COMMON_SD, correlation=COMMON_CORRELATION)
    own = waves(seed, 3, shape, sd=OWN_SD, correlation=OWN_CORRELATION)
    expected = population * np.exp(level[:, None] + season + common + own)
    labels = [str(each) for each in quarters]
    # a cohort whose start still lies ahead counts its periods from beyond the end
    first = [labels.index(each) if each in labels else len(labels) for each in TRUTH.cohorts]
    since_start = time[None, :] - np.array([*first, 10**6])[group][:, None]
    effect = effect_on(np.log(TRUTH.rate_ratios["young_suspects"]), since_start, TRUTH.build_up)
    older_level = np.log(OLDER_PER_1000 / 1000.0) + random.normal(0.0, 0.25, n)
    older = population * OLDER_SHARE * np.exp(older_level[:, None] + 0.5 * season + common)
    starts = [*STARTS.values(), None]
    return Simulation(
        areas=pl.DataFrame(
            {
                "area": [f"GM{code}" for code in codes],
                "start": [starts[each] for each in group],
                "density": np.clip(np.round(2.2 + 0.9 * level - 0.9 * level.mean() - 0.4 * group, 1), 0.1, None),
            },
            schema_overrides={"start": pl.Date},
        ),
        quarters=quarters,
        is_treated=since_start >= 0,
        young=counts(seed, 4, expected * np.exp(effect)),
        older=counts(seed, 5, older),
        expected_young=expected,
        population=population,
    )


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``gemeenten.csv`` and ``verdachten.csv``, with quarters as StatLine writes them."""
    world = simulate(quarter, seed)
    n, periods = world.young.shape
    long = pl.DataFrame(
        {
            "gemeente": np.repeat(world.areas["area"].to_numpy(), periods),
            "kwartaal": [f"{each.year} {each.number}e kwartaal" for each in world.quarters] * n,
        }
    )
    files = {
        "gemeenten.csv": world.areas.rename(
            {"area": "gemeente", "start": "startdatum", "density": "adressen_per_km2_duizend"}
        ).sort("gemeente"),
        "verdachten.csv": pl.concat(
            long.with_columns(
                pl.lit(age).alias("leeftijd"),
                pl.Series("verdachten", suspects.reshape(-1)),
                pl.Series("inwoners", np.round(inhabitants).astype(np.int64).reshape(-1)),
            )
            for age, suspects, inhabitants in (
                ("8 tot 28 jaar", world.young, world.population),
                ("60 jaar of ouder", world.older, world.population * OLDER_SHARE),
            )
        ).sort("gemeente", "kwartaal", "leeftijd"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_dutch_csv(frame, folder / name, "cp1252") for name, frame in files.items()]
    return (*written, write_readme(TRUTH.programme, folder))
