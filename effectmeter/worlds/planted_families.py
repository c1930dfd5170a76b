"""Known worlds of families before and after: with comparison families, picked by the same rule or not, and without.

Here: families with a level of their own, good and bad years, and a general trend. Not here: youths, who are in
`planted_persons`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData
from effectmeter.plan import Plan
from effectmeter.worlds.planted import (
    QUARTER,
    WINDOW,
    Drawn,
    FloatArray,
    PlantedWorld,
    first_of,
    identifiers,
    outcome_frame,
    persons_frame,
    plan_of,
)

SIZES = (16, 30, 60, 120, 300, 1000, 5000)
EFFECT = 0.6
PERSONS = 2
"""Persons per family."""
_LEVEL, _RARE = 3.0, 0.15  # events per family and year
_TREND = 0.85  # every year, for everybody
_SWING = 0.4  # standard deviation of good and bad years, logarithm


@cache
def family_plan() -> Plan:
    """Return the plan of a family programme."""
    return plan_of(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "primary": True}},
        claims=[{"words": "almost entirely ceased", "outcome": "contact", "at_most": 0.1}],
    )


def years(rng: np.random.Generator, n: int, level: float, trend: FloatArray | float = _TREND) -> FloatArray:
    """Return (n, 3) expected events per family: the year before last, last year, and the year after the start."""
    own = rng.gamma(1.2, level / 1.2, n)
    swing = np.exp(rng.normal(0.0, _SWING, (n, 3)) - _SWING**2 / 2.0)
    course = np.asarray(trend)[..., np.newaxis] ** np.arange(3.0)
    expected: FloatArray = own[:, np.newaxis] * swing * course
    return expected


def counted(rng: np.random.Generator, expected: FloatArray) -> FloatArray:
    """Return (n, 3) events."""
    return rng.poisson(expected).astype(np.float64)


def study(
    rng: np.random.Generator,
    arm: FloatArray,
    counts: FloatArray,
    *,
    unfinished: np.ndarray | None = None,
) -> AnalysisData:
    """Lay families (n,) with their events (n, 3) out as persons, with the year before last as placebo.

    `unfinished` (n,) are lost sight of before their second year is over.
    """
    family = np.repeat(np.arange(len(arm)), PERSONS)
    names = identifiers(len(arm), "f").gather(family)
    late = np.zeros(len(family), dtype=np.bool_) if unfinished is None else unfinished[family]
    persons = persons_frame(
        arm[family], cluster=names, family=names, potential_follow_up_days=np.where(late, 200, WINDOW + 35)
    )
    per_person = np.zeros((len(family), 3))
    for year in range(3):
        first = rng.binomial(counts[:, year].astype(np.int64), 1.0 / PERSONS)
        per_person[0::PERSONS, year], per_person[1::PERSONS, year] = first, counts[:, year] - first

    def rows(year: int, period: str, **more: Any) -> pl.DataFrame:
        return outcome_frame(per_person[:, year], first_of(rng, per_person[:, year]), period=period, **more)

    plan = family_plan()
    placebo = AnalysisData(plan, QUARTER, persons, pl.concat([rows(0, "before"), rows(1, "after")]))
    outcomes = pl.concat([rows(1, "before"), rows(2, "after", is_complete=~late)])
    return AnalysisData(plan, QUARTER, persons, outcomes, placebo=placebo)


def fair(rng: np.random.Generator, size: int, *, ratio: float, level: float = _LEVEL) -> Drawn:
    """Plant a ratio of changes; participants are a little worse off throughout, which is no matter."""
    arm = rng.permutation(np.arange(size) % 2).astype(np.float64)
    expected = years(rng, size, level) * np.where(arm == 1.0, 1.3, 1.0)[:, np.newaxis]
    expected[:, 2] *= np.where(arm == 1.0, ratio, 1.0)
    return Drawn(study(rng, arm, counted(rng, expected)), ratio)


def picked(rng: np.random.Generator, size: int, *, comparison: str) -> Drawn:
    """Pick participants among the third whose last year was worst: they get better by themselves.

    `comparison`: ``same`` picks comparison families by the same rule, ``any`` picks any other family, ``none`` none.
    """
    n = 4 * size
    counts = counted(rng, years(rng, n, _LEVEL))
    worst = np.argsort(-(counts[:, 1] + rng.random(n)))[: n // 3]
    chosen = rng.permutation(worst)
    half = size // 2
    if comparison == "none":
        return Drawn(study(rng, np.ones(size), counts[chosen[:size]]), 1.0)
    others = chosen[half:] if comparison == "same" else rng.permutation(np.setdiff1d(np.arange(n), chosen[:half]))
    rows = np.concatenate([chosen[:half], others[: size - half]])
    order = rng.permutation(size)
    arm = (np.arange(size) < half).astype(np.float64)
    return Drawn(study(rng, arm[order], counts[rows][order]), 1.0)


def diverging(rng: np.random.Generator, size: int) -> Drawn:
    """Let participants already be on their way down before the start, and the comparison families not."""
    arm = rng.permutation(np.arange(size) % 2).astype(np.float64)
    expected = years(rng, size, _LEVEL, np.where(arm == 1.0, 0.62, 0.95))
    return Drawn(study(rng, arm, counted(rng, expected)), 1.0)


def elsewhere(rng: np.random.Generator, size: int) -> Drawn:
    """Let participants get another kind of help on the same day."""
    found = fair(rng, size, ratio=0.67)
    return Drawn(found.data, 1.0)


def out_of_sight(rng: np.random.Generator, size: int) -> Drawn:
    """Lose sight of half of the participating families that have the most events after the start."""
    arm = rng.permutation(np.arange(size) % 2).astype(np.float64)
    counts = counted(rng, years(rng, size, _LEVEL))
    worst = counts[:, 2] > np.quantile(counts[:, 2], 0.67)
    gone = (arm == 1.0) & worst & (rng.random(size) < 0.5)
    return Drawn(study(rng, arm, counts, unfinished=gone), 1.0)


def family_worlds() -> list[PlantedWorld]:
    """Return every world of families."""
    make: Callable[..., PlantedWorld] = partial(PlantedWorld, design="before_after", sizes=SIZES, unit="families")
    return [*_sound(make), *_threatened(make)]


def _sound(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds whose analysis is right."""
    return [
        make(
            name="no_effect",
            kind="sound",
            planted="Families have good and bad years and everybody's events fall by 15 % a year; no effect.",
            why="A general fall must not be called an effect.",
            draw=partial(fair, ratio=1.0),
            grows=(60, 300, 1000),
        ),
        make(
            name="effect",
            kind="sound",
            planted=f"The same, and the programme multiplies participants' events by {EFFECT}.",
            why="An effect must be found at its size.",
            draw=partial(fair, ratio=EFFECT),
            grows=(300,),
        ),
        make(
            name="rare_no_effect",
            kind="sound",
            planted="One event per family in seven years; no effect.",
            why="With few events intervals must not become too short, nor absent.",
            draw=partial(fair, ratio=1.0, level=_RARE),
        ),
        make(
            name="rare_effect",
            kind="sound",
            planted=f"The same, and the programme multiplies participants' events by {EFFECT}.",
            why="With few events intervals must not become too short, nor absent.",
            draw=partial(fair, ratio=EFFECT, level=_RARE),
        ),
        make(
            name="peak_same_rule",
            kind="sound",
            planted="Both groups are picked among the third whose last year was worst; no effect.",
            why="Families picked by the same rule get better together.",
            draw=partial(picked, comparison="same"),
            grows=(300,),
        ),
    ]


def _threatened(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds in which something is wrong, seen by a gate or not."""
    return [
        make(
            name="peak_other_rule",
            kind="broken",
            planted="Participants are picked among the third whose last year was worst, comparison families anyhow.",
            why="Whoever is picked at the worst moment gets better by itself.",
            draw=partial(picked, comparison="any"),
            watched=("peak_selection",),
            version=2,
        ),
        make(
            name="peak_alone",
            kind="broken",
            planted="Participants are picked among the third whose last year was worst; there is no comparison.",
            why="Whoever is picked at the worst moment gets better by itself.",
            draw=partial(picked, comparison="none"),
            watched=("peak_selection",),
            version=2,
        ),
        make(
            name="already_falling",
            kind="broken",
            planted="Participants' events fell by 38 % a year before the start as well, the others' by 5 %; no effect.",
            why="A course that was there before is no effect.",
            draw=diverging,
            watched=("peak_selection",),
        ),
        make(
            name="out_of_sight",
            kind="broken",
            planted="Half of the participants with most events afterwards are lost sight of; no effect.",
            why="Leaving out the briefly followed would make any programme look good.",
            draw=out_of_sight,
            watched=("follow_up",),
        ),
        make(
            name="other_help",
            kind="unseen",
            planted="Participants get another kind of help on the same day, which multiplies their events by 0.67.",
            why="What no gate can see must be said aloud.",
            draw=elsewhere,
        ),
    ]
