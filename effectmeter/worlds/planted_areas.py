"""Known worlds of areas that start at different times: constant and growing effects, other courses, spill-over.

Here: areas with a level of their own, quarters with a season and a trend in common, ups and downs that last, and three
dates on which areas start. Not here: the persons who live there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import AREA_PERIODS_COLUMNS, AREAS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.worlds.planted import QUARTER, Drawn, FloatArray, PlantedWorld, identifiers, plan_of

SIZES = (12, 20, 47, 60)
EFFECT = 0.75
PERIODS = 20
STARTS = (8, 11, 14)
"""Quarters, counted from 0, in which a third of the treated areas start."""
NEVER = 10_000
_RATE, _RARE = 0.006, 0.0003  # events per person and quarter
_SPREAD, _LASTING = 0.1, 0.4  # of an area's ups and downs (logarithm), and the share that a quarter keeps


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas and what is expected there without a programme.

    Attributes
    ----------
    population
        (n,).
    rate
        (n, PERIODS) expected events per person.
    """

    population: FloatArray
    rate: FloatArray


@cache
def areas_plan(estimator: str = "callaway_santanna", value: bool = False, ring: bool = False) -> Plan:
    """Return the plan of an area programme."""
    options: dict[str, Any] = {"estimator": estimator} | ({"ring": "ring"} if ring else {})
    contact: dict[str, Any] = {"value": "score"} if value else {"event": "contact"}
    measure = "mean_difference" if value else "rate_ratio"
    return plan_of(
        "staggered_areas",
        source={"areas": {"file": "areas.csv"}, "area_counts": {"file": "counts.csv"}},
        areas=options,
        outcomes={"contact": contact | {"measures": [measure], "primary": True}},
        claims=[] if value else [{"words": "half as often", "outcome": "contact", "at_most": 0.5}],
    )


def draw_areas(rng: np.random.Generator, n: int, rate: float = _RATE) -> Areas:
    """Draw areas with their ups and downs."""
    population: FloatArray = np.asarray(np.round(np.exp(rng.normal(np.log(6000.0), 0.4, n))), dtype=np.float64)
    level = np.exp(rng.normal(0.0, 0.35, n))
    ups = np.empty((n, PERIODS))
    ups[:, 0] = rng.normal(0.0, _SPREAD, n)
    for period in range(1, PERIODS):
        shock = rng.normal(0.0, _SPREAD * np.sqrt(1.0 - _LASTING**2), n)
        ups[:, period] = _LASTING * ups[:, period - 1] + shock
    time = np.arange(PERIODS)
    common = np.exp(0.1 * np.sin(2 * np.pi * time / 4.0) - 0.01 * time + rng.normal(0.0, 0.05, PERIODS))
    expected: FloatArray = np.asarray(rate * level[:, np.newaxis] * np.exp(ups) * common, dtype=np.float64)
    return Areas(population, expected)


def starts(rng: np.random.Generator, n: int, *, treated: float = 0.5) -> np.ndarray:
    """Return (n,) the quarter in which each area starts, `NEVER` for those that do not; by lot."""
    number = round(treated * n)
    adopted = np.full(n, NEVER)
    adopted[:number] = np.resize(STARTS, number)
    return rng.permutation(adopted)


def since(adopted: np.ndarray) -> np.ndarray:
    """Return (n, PERIODS) quarters since the start; negative before it."""
    found: np.ndarray = np.arange(PERIODS)[np.newaxis, :] - adopted[:, np.newaxis]
    return found


def study(
    rng: np.random.Generator, areas: Areas, adopted: np.ndarray, plan: Plan, *, ring: np.ndarray | None = None
) -> AnalysisData:
    """Count events and lay areas out as delivered; a plan about a value is given the rate per thousand instead."""
    n = len(adopted)
    names = identifiers(n, "a")
    who = np.repeat(np.arange(n), PERIODS)
    period = np.tile(np.arange(PERIODS), n)
    number = rng.poisson(areas.rate * areas.population[:, np.newaxis]).astype(np.float64).ravel()
    has_value = next(iter(plan.outcomes.values())).value is not None
    frame = pl.DataFrame(
        {
            "area_id": names.gather(who),
            "period": period,
            "label": [f"{2020 + quarter // 4}-Q{quarter % 4 + 1}" for quarter in range(PERIODS)] * n,
            "outcome": ["contact"] * len(who),
            "count": [None] * len(who) if has_value else number,
            "value": 1000.0 * number / areas.population[who] if has_value else [None] * len(who),
            "population": areas.population[who],
        },
        schema=AREA_PERIODS_COLUMNS,
    )
    table = pl.DataFrame(
        {
            "area_id": names,
            "adopted": [None if start == NEVER else int(start) for start in adopted],
            "ring": [0 if start != NEVER else None for start in adopted] if ring is None else ring.tolist(),
            "cluster": [None] * n,
        },
        schema=AREAS_COLUMNS,
    )
    return AnalysisData(plan, QUARTER, units={"areas": table, "area_periods": frame})


def constant(rng: np.random.Generator, size: int, *, ratio: float, rate: float = _RATE) -> Drawn:
    """Plant the same ratio of rates in every treated area and quarter."""
    areas, adopted = draw_areas(rng, size, rate), starts(rng, size)
    areas.rate[since(adopted) >= 0] *= ratio
    return Drawn(study(rng, areas, adopted, areas_plan()), ratio)


def growing(rng: np.random.Generator, size: int, *, estimator: str = "callaway_santanna", value: bool = False) -> Drawn:
    """Plant an effect that grows by six per cent a quarter, and starts earlier where it is earlier.

    The truth is the mean over treated areas and quarters. Four in five areas are treated in the end, so that
    comparisons of late with early starters, which are wrong, would weigh heavily.
    """
    areas, adopted = draw_areas(rng, size), starts(rng, size, treated=0.8)
    quarters = since(adopted)
    treated = quarters >= 0
    without = areas.rate[treated].copy()
    areas.rate[treated] *= 0.94 ** (quarters[treated] + 1)
    truth = float(areas.rate[treated].mean() / without.mean())
    difference = 1000.0 * float((areas.rate[treated] - without).mean())
    data = study(rng, areas, adopted, areas_plan(estimator, value))
    return Drawn(data, difference if value else truth)


def other_course(rng: np.random.Generator, size: int) -> Drawn:
    """Let treated areas fall by five per cent more a quarter, all along."""
    areas, adopted = draw_areas(rng, size), starts(rng, size)
    areas.rate[adopted != NEVER] *= 0.95 ** np.arange(PERIODS)
    return Drawn(study(rng, areas, adopted, areas_plan()), 1.0)


def peak(rng: np.random.Generator, size: int) -> Drawn:
    """Start in each area when the last two quarters were half worse than usual."""
    areas, adopted = draw_areas(rng, size), starts(rng, size)
    quarters = since(adopted)
    areas.rate[(quarters >= -2) & (quarters < 0)] *= 1.5
    return Drawn(study(rng, areas, adopted, areas_plan()), 1.0)


def spilling(rng: np.random.Generator, size: int, *, delivered: bool) -> Drawn:
    """Push a part of the trouble into the areas around: up by 35 per cent there, down by 25 per cent inside."""
    areas, adopted = draw_areas(rng, size), starts(rng, size, treated=0.4)
    rest = np.flatnonzero(adopted == NEVER)
    around = rng.permutation(rest)[: len(rest) // 2]
    areas.rate[since(adopted) >= 0] *= EFFECT
    areas.rate[around, STARTS[0] :] *= 1.35
    ring = np.where(adopted != NEVER, 0, 2).astype(object)
    if delivered:
        adopted[around] = STARTS[0]  # since when they lie beside an area with the programme
    ring[around] = 1
    ring[ring == 2] = None
    data = study(rng, areas, adopted, areas_plan(ring=delivered), ring=ring if delivered else None)
    return Drawn(data, EFFECT)


def area_worlds() -> list[PlantedWorld]:
    """Return every world of areas."""
    make: Callable[..., PlantedWorld] = partial(PlantedWorld, design="staggered_areas", sizes=SIZES, unit="areas")
    return [*_sound(make), *_threatened(make)]


def _sound(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds whose analysis is right."""
    return [
        make(
            name="no_effect",
            kind="sound",
            planted="Areas of about 6,000 people, 36 events a quarter; half of them start, on three dates; no effect.",
            why="A general fall must not be called an effect.",
            draw=partial(constant, ratio=1.0),
            grows=(47,),
        ),
        make(
            name="effect",
            kind="sound",
            planted=f"The same; events are multiplied by {EFFECT} from the start on.",
            why="An effect must be found at its size.",
            draw=partial(constant, ratio=EFFECT),
        ),
        make(
            name="rare_no_effect",
            kind="sound",
            planted="Two events a quarter in an area; no effect.",
            why="With few events intervals must not become too short, nor absent.",
            draw=partial(constant, ratio=1.0, rate=_RARE),
        ),
        make(
            name="rare_effect",
            kind="sound",
            planted=f"Two events a quarter in an area, multiplied by {EFFECT} from the start on.",
            why="With few events intervals must not become too short, nor absent.",
            draw=partial(constant, ratio=EFFECT, rate=_RARE),
        ),
        make(
            name="growing",
            kind="sound",
            planted="Four in five areas start, and the effect grows by six per cent every quarter.",
            why="Growing effects turn ordinary two-way comparisons of areas and quarters upside down.",
            draw=growing,
        ),
        make(
            name="growing_poisson",
            kind="sound",
            planted="The same; the plan asks for Poisson regression with an effect per start and quarter.",
            why="Growing effects turn ordinary two-way comparisons of areas and quarters upside down.",
            draw=partial(growing, estimator="poisson_fe"),
        ),
        make(
            name="growing_values",
            kind="sound",
            planted="The same with a delivered value, the rate per thousand.",
            why="Growing effects turn ordinary two-way comparisons of areas and quarters upside down.",
            draw=partial(growing, value=True),
        ),
    ]


def _threatened(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds in which something is wrong, seen by a gate or not."""
    return [
        make(
            name="growing_twoway",
            kind="unseen",
            planted="The same with a delivered value; the plan asks for two-way fixed effects.",
            why="The method that fails here, for comparison; a plan must ask for it by name.",
            draw=partial(growing, estimator="twoway_fe", value=True),
        ),
        make(
            name="other_course",
            kind="broken",
            planted="Treated areas fall by five per cent more a quarter all along; no effect.",
            why="A course that was there before is no effect.",
            draw=other_course,
            watched=("pre_trends",),
            version=2,
        ),
        make(
            name="started_at_a_peak",
            kind="broken",
            planted="Each area starts after two quarters that were half worse than usual; no effect.",
            why="Whoever starts at the worst moment sees things get better by themselves.",
            draw=peak,
            watched=("pre_trends",),
        ),
        make(
            name="spill_over",
            kind="broken",
            planted="Trouble rises by 35 % in the areas around and falls by 25 % inside; rings are delivered.",
            why="What moves next door has not gone.",
            draw=partial(spilling, delivered=True),
            watched=("spill_over",),
            version=2,
        ),
        make(
            name="spill_over_without_rings",
            kind="unseen",
            planted="The same, and nobody says which areas lie around.",
            why="What no gate can see must be said aloud.",
            draw=partial(spilling, delivered=False),
        ),
    ]
