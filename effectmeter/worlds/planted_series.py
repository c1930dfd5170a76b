"""Known worlds of one series in time: season, trend, good and bad spells, a start, and what else may happen then.

Here: months with counts, whose unexplained ups and downs last. Not here: areas (`planted_areas`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import SERIES_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.worlds.planted import QUARTER, Drawn, FloatArray, PlantedWorld, plan_of

SIZES = (36, 60, 84, 180)
EFFECT = 0.7
_MEAN, _RARE = 60.0, 2.0  # events per month
_BEFORE = 0.6  # share of the months before the start
_SPREAD = 0.12  # of the ups and downs, logarithm
_FIRST_YEAR = 2010


def month(number: int) -> str:
    """Return the label of a month, counted from 0."""
    return f"{_FIRST_YEAR + number // 12}-{number % 12 + 1:02d}"


@cache
def series_plan(start: int, effect: str = "level") -> Plan:
    """Return the plan of a series that starts in a month."""
    return plan_of(
        "interrupted_series",
        source={"series": {"file": "series.csv"}},
        series={"start": month(start), "effect": effect},
        outcomes={"contact": {"measures": ["level_ratio"], "primary": True}},
        claims=[{"words": "half as often", "outcome": "contact", "at_most": 0.5}],
    )


def spells(rng: np.random.Generator, n: int, lasting: float, spread: float = _SPREAD) -> FloatArray:
    """Return (n,) ups and downs (logarithm), each month keeping the share `lasting` of the last one's."""
    shocks = rng.normal(0.0, spread * np.sqrt(1.0 - lasting**2), n)
    found = np.empty(n)
    found[0] = rng.normal(0.0, spread)
    for position in range(1, n):
        found[position] = lasting * found[position - 1] + shocks[position]
    return found


def course(n: int, mean: float = _MEAN) -> FloatArray:
    """Return (n,) expected events without a programme: a season and a slow fall."""
    time = np.arange(n)
    expected: FloatArray = mean * np.exp(0.2 * np.sin(2 * np.pi * time / 12.0) - 0.002 * time)
    return expected


def study(
    rng: np.random.Generator,
    expected: FloatArray,
    start: int,
    *,
    control: FloatArray | None = None,
    effect: str = "level",
) -> AnalysisData:
    """Count events (n,) around what is expected, with a control series where there is one."""
    n = len(expected)

    def rows(values: FloatArray, is_control: bool) -> pl.DataFrame:
        columns: dict[str, Any] = {
            "period": np.arange(n),
            "label": [month(number) for number in range(n)],
            "outcome": ["contact"] * n,
            "is_control": [is_control] * n,
            "count": rng.poisson(values).astype(np.float64),
            "population": [None] * n,
            "after": np.arange(n) >= start,
            "season": np.arange(n) % 12,
        }
        return pl.DataFrame(columns, schema=SERIES_COLUMNS)

    frames = [rows(expected, is_control=False)]
    if control is not None:
        frames.append(rows(control, is_control=True))
    return AnalysisData(series_plan(start, effect), QUARTER, units={"series": pl.concat(frames)})


def plain(
    rng: np.random.Generator,
    size: int,
    *,
    ratio: float,
    lasting: float = 0.2,
    mean: float = _MEAN,
    with_control: bool = False,
    elsewhere: float = 1.0,
) -> Drawn:
    """Plant a ratio of levels; `elsewhere` multiplies both series from the start on, whatever the programme does."""
    start = round(_BEFORE * size)
    after = np.arange(size) >= start
    other = np.where(after, elsewhere, 1.0)
    expected = course(size, mean) * np.exp(spells(rng, size, lasting)) * np.where(after, ratio, 1.0) * other
    control = 1.5 * course(size, mean) * np.exp(spells(rng, size, lasting)) * other if with_control else None
    return Drawn(study(rng, expected, start, control=control), ratio)


def slope(rng: np.random.Generator, size: int) -> Drawn:
    """Plant a drop to 0.8 that deepens by two per cent a month; the level ratio is the drop."""
    start = round(_BEFORE * size)
    since = np.maximum(np.arange(size) - start, 0)
    effect = np.where(np.arange(size) >= start, 0.8 * 0.98**since, 1.0)
    expected = course(size) * np.exp(spells(rng, size, 0.2)) * effect
    return Drawn(study(rng, expected, start, effect="level_and_slope"), 0.8)


def earlier(rng: np.random.Generator, size: int) -> Drawn:
    """Let the level fall by a third half a year before the start, for another reason."""
    start = round(_BEFORE * size)
    fall = np.where(np.arange(size) >= start - max(size // 10, 6), 0.67, 1.0)
    expected = course(size) * np.exp(spells(rng, size, 0.2)) * fall
    return Drawn(study(rng, expected, start), 1.0)


def peak(rng: np.random.Generator, size: int) -> Drawn:
    """Start the programme when things are at their worst: half more events in the half year before the start."""
    start = round(_BEFORE * size)
    months = np.arange(size)
    worse = np.where((months >= start - 6) & (months < start), 1.5, 1.0)
    expected = course(size) * np.exp(spells(rng, size, 0.2)) * worse
    return Drawn(study(rng, expected, start), 1.0)


def other_course(rng: np.random.Generator, size: int) -> Drawn:
    """Give the control series a course of its own: it rises by one per cent a month, before the start as well."""
    start = round(_BEFORE * size)
    expected = course(size) * np.exp(spells(rng, size, 0.2))
    control = course(size) * np.exp(spells(rng, size, 0.2) + 0.012 * np.arange(size))
    return Drawn(study(rng, expected, start, control=control), 1.0)


_Draw = Callable[[np.random.Generator, int], Drawn]


def series_worlds() -> list[PlantedWorld]:
    """Return every world of one series."""
    make: Callable[..., PlantedWorld] = partial(PlantedWorld, design="interrupted_series", sizes=SIZES, unit="months")
    return [*_sound(make), *_threatened(make)]


def _sound(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds whose analysis is right."""
    rows: list[tuple[str, str, str, _Draw, tuple[int, ...]]] = [
        (
            "no_effect",
            "About 60 events a month, a season, a slow fall, ups and downs that last a little; no effect.",
            "Season and trend must not be called an effect.",
            partial(plain, ratio=1.0),
            (60, 84),
        ),
        (
            "effect",
            f"The same; the level is multiplied by {EFFECT} from the start on.",
            "An effect must be found at its size.",
            partial(plain, ratio=EFFECT),
            (),
        ),
        (
            "slope",
            "A drop to 0.8 that deepens by two per cent a month; the plan asks for level and slope.",
            "An effect that grows must not be taken for a larger drop.",
            slope,
            (),
        ),
        (
            "rare_no_effect",
            "Two events a month; no effect.",
            "With few events intervals must not become too short, nor absent.",
            partial(plain, ratio=1.0, mean=_RARE),
            (),
        ),
        (
            "rare_effect",
            "Two events a month; half of that from the start on.",
            "With few events intervals must not become too short, nor absent.",
            partial(plain, ratio=0.5, mean=_RARE),
            (),
        ),
        (
            "with_control",
            "Something else takes a third away from both series at the start; the programme does nothing.",
            "A control series is there for what happens everywhere.",
            partial(plain, ratio=1.0, with_control=True, elsewhere=0.67),
            (60, 84),
        ),
        (
            "lasting",
            "Ups and downs of which a month keeps 40 per cent; no effect.",
            "Months that resemble each other are fewer than they seem.",
            partial(plain, ratio=1.0, lasting=0.4),
            (),
        ),
        (
            "control_on_another_course",
            "The control series rises by one per cent a month, before the start as well; no effect.",
            "A control series on a steady course of its own does no harm: trends are compared as well.",
            other_course,
            (),
        ),
    ]
    return [
        make(name=name, kind="sound", planted=planted, why=why, draw=draw, grows=grows)
        for name, planted, why, draw, grows in rows
    ]


def _threatened(make: Callable[..., PlantedWorld]) -> list[PlantedWorld]:
    """Return the worlds in which something is wrong, seen by a gate or not."""
    rows: list[tuple[str, str, str, _Draw, tuple[str, ...]]] = [
        (
            "very_lasting",
            "Ups and downs of which a month keeps 80 per cent; no effect.",
            "No method holds here, so it must be said.",
            partial(plain, ratio=1.0, lasting=0.8),
            ("autocorrelation",),
        ),
        (
            "fell_earlier",
            "The level fell by a third some months before the start, for another reason.",
            "A fall that was there before is no effect.",
            earlier,
            ("placebo_period", "pre_trends"),
        ),
        (
            "started_at_a_peak",
            "In the half year before the start there were half more events than usual; no effect.",
            "Whoever starts at the worst moment sees things get better by themselves.",
            peak,
            ("placebo_period", "pre_trends"),
        ),
    ]
    return [
        *(
            make(name=name, kind="broken", planted=planted, why=why, draw=draw, watched=watched)
            for name, planted, why, draw, watched in rows
        ),
        make(
            name="something_else",
            kind="unseen",
            planted="Something else takes a third away at the start, and there is no control series.",
            why="What no gate can see must be said aloud.",
            draw=partial(plain, ratio=1.0, elsewhere=0.67),
        ),
    ]
