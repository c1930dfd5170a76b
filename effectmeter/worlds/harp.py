"""The world of `harp`: parcels with synthetic drugs that are taken from the post, month by month. More is better.

What makes it hard, on purpose: more such parcels were found every year anyway, so that before against after shows far
more than was planted; December differs from July; one month was never delivered. Planted is a modest effect, not the
public claim. SYNTHETIC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from effectmeter.quarters import Quarter
from effectmeter.worlds.base import SeriesTruth, write_readme
from effectmeter.worlds.courses import counts, months_until, waves
from effectmeter.worlds.delivery_files import write_dutch_csv
from effectmeter.worlds.histories import Floats, Ints

TRUTH = SeriesTruth(
    programme="harp",
    rate_ratios={"parcels_stopped": 1.20},
    start="2022-01",
    first_period="2017-01",
    trend_per_year=0.07,
    has_control=False,
)

PARCELS = 130.0  # a month, at the beginning
NOT_DELIVERED = "2020-04"
OWN_SD, OWN_CORRELATION = 0.06, 0.3
DISPERSION = 0.005
SEASON = (0.02, -0.03, 0.01, 0.0, -0.02, -0.05, -0.08, -0.05, 0.02, 0.05, 0.08, 0.05)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes a file.

    Attributes
    ----------
    months
        In order.
    is_after : (n_months,) bool
    parcels : (n_months,) int
    expected : (n_months,) float
        What would be expected without the programme.
    """

    months: list[str]
    is_after: np.ndarray
    parcels: Ints
    expected: Floats


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen until the last day of a quarter."""
    months = months_until(int(TRUTH.first_period[:4]), quarter, TRUTH.programme)
    season = np.array([SEASON[int(month[5:]) - 1] for month in months])
    own = waves(seed, 1, (1, len(months)), sd=OWN_SD, correlation=OWN_CORRELATION)[0]
    trend = np.log1p(TRUTH.trend_per_year) / 12.0 * np.arange(len(months))
    expected = PARCELS * np.exp(trend + season + own)
    is_after = np.array([month >= TRUTH.start for month in months])
    effect = np.where(is_after, np.log(TRUTH.rate_ratios["parcels_stopped"]), 0.0)
    parcels = counts(seed, 2, (expected * np.exp(effect))[None, :], dispersion=DISPERSION)[0]
    return Simulation(months, is_after, parcels, expected)


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``pakketten.csv``: a row per month, but for the one that is not there."""
    world = simulate(quarter, seed)
    frame = pl.DataFrame({"maand": world.months, "pakketten": world.parcels})
    folder.mkdir(parents=True, exist_ok=True)
    path = write_dutch_csv(frame.filter(pl.col("maand") != NOT_DELIVERED), folder / "pakketten.csv", "utf-8-sig")
    return path, write_readme(TRUTH.programme, folder)
