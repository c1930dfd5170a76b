"""The world of `vertrouwensketen`: fraud with the PIN codes of containers, by month, in one port and in another.

What makes it hard, on purpose: fraud was falling anyway, and a wave that runs through both ports comes and goes. Before
against after in the port alone shows far more than was planted; the other port shows what would have happened. Planted
is a modest effect, not the public claim. SYNTHETIC.
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
    programme="vertrouwensketen",
    rate_ratios={"pin_fraud": 0.75},
    start="2023-10",
    first_period="2018-01",
    trend_per_year=-0.08,
    has_control=True,
)

PORTS = ("haven", "andere haven")
FRAUDS = (16.0, 22.0)  # a month, at the beginning
CONTAINERS = (310_000.0, 260_000.0)  # imported a month
SHARED_SD, SHARED_CORRELATION = 0.18, 0.75
OWN_SD, OWN_CORRELATION = 0.06, 0.3
DISPERSION = 0.03
SEASON = (-0.06, -0.08, 0.0, 0.02, 0.04, 0.05, 0.0, -0.04, 0.03, 0.06, 0.03, -0.05)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes a file; the first row of every array is the port, the second the other port.

    Attributes
    ----------
    months
        In order.
    is_after : (n_months,) bool
    frauds : (2, n_months) int
    expected : (2, n_months) float
        What would be expected without the programme.
    containers : (2, n_months) int
    """

    months: list[str]
    is_after: np.ndarray
    frauds: Ints
    expected: Floats
    containers: Ints


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen until the last day of a quarter."""
    months = months_until(int(TRUTH.first_period[:4]), quarter, TRUTH.programme)
    shape, time = (2, len(months)), np.arange(len(months))
    season = np.array([SEASON[int(month[5:]) - 1] for month in months])
    traffic = waves(seed, 1, shape, sd=0.03, correlation=0.5) + 0.4 * season
    shared = waves(seed, 2, (1, shape[1]), sd=SHARED_SD, correlation=SHARED_CORRELATION)
    own = waves(seed, 3, shape, sd=OWN_SD, correlation=OWN_CORRELATION)
    trend = np.log1p(TRUTH.trend_per_year) / 12.0 * time
    expected = np.array(FRAUDS)[:, None] * np.exp(trend + 0.6 * season + traffic + shared + own)
    is_after = np.array([month >= TRUTH.start for month in months])
    effect = np.zeros(shape)
    effect[0, is_after] = np.log(TRUTH.rate_ratios["pin_fraud"])
    return Simulation(
        months=months,
        is_after=is_after,
        frauds=counts(seed, 4, expected * np.exp(effect), dispersion=DISPERSION),
        expected=expected,
        containers=np.round(np.array(CONTAINERS)[:, None] * np.exp(traffic)).astype(np.int64),
    )


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``pincodefraude.csv``: a row per port and month."""
    world = simulate(quarter, seed)
    frame = pl.DataFrame(
        {
            "haven": np.repeat(np.array(PORTS), len(world.months)),
            "maand": [f"{month[:4]}MM{month[5:]}" for month in world.months] * len(PORTS),
            "meldingen": world.frauds.reshape(-1),
            "containers": world.containers.reshape(-1),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = write_dutch_csv(frame, folder / "pincodefraude.csv", "cp1252")
    return path, write_readme(TRUTH.programme, folder)
