"""Known worlds: studies drawn from a planted truth, as the frames that a design sees, for judging the whole method.

Here: what a planted world is, how its random numbers are seeded, the frames of persons, and what was known at an
earlier quarterly look. Not here: the worlds themselves (`planted_persons`, `planted_families`, `planted_areas`,
`planted_series`, `planted_trials`; the list is `planted_worlds`), nor deliveries as files (the other modules of this
folder), nor the judgement (``benchmarks/worlds.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import OUTCOMES_COLUMNS, PERSONS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter

Kind = Literal["sound", "broken", "unseen"]
"""``sound``: the analysis is right, so intervals must hold and nothing may be called an effect that is none.
``broken``: it is not, and the gates can see it in the delivery. ``unseen``: it is not, and no delivery of this kind
shows it; these worlds are there to say so."""

FloatArray = NDArray[np.float64]

QUARTER = Quarter(2026, 3)
WINDOW = 365
LOOKS = 8
"""Quarterly looks that are simulated over a programme's life."""
_SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Drawn:
    """One study out of a planted world.

    Attributes
    ----------
    data
        What the design sees.
    truth
        The planted value of the primary measure on its own scale (1, or 0 for a difference: no effect). In worlds that
        are not sound: what a sound analysis would have found.
    following
        Pooled trials: the planted value in a next trial, which a prediction interval is about.
    """

    data: AnalysisData
    truth: float
    following: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedWorld:
    """A world: a design, a planted truth, a threat or none, and how to draw a study of a given size from it.

    Attributes
    ----------
    design, name
        Together its address, e.g. ``randomised/rare_events``.
    kind
        See `Kind`.
    planted
        One sentence: what is planted, with its size.
    why
        One sentence: which mistake it is there to catch.
    sizes
        Sizes that are run, in units of `unit`.
    unit
        What a size counts, both arms together: persons, families, sites, areas, months, trials.
    draw
        ``draw(rng, size)`` returns one study. It uses no other source of chance.
    watched
        Gates that can see the threat; empty for sound worlds.
    grows
        Sizes at which the eight quarterly looks are simulated as well.
    decides
        Whether its coverage decides a default; otherwise another world of the design does, by the same estimator.
    version
        To be raised when `draw` changes, so that figures of before are not mistaken for figures of now.
    """

    design: str
    name: str
    kind: Kind
    planted: str
    why: str
    sizes: tuple[int, ...]
    unit: str
    draw: Callable[[np.random.Generator, int], Drawn]
    watched: tuple[str, ...] = ()
    grows: tuple[int, ...] = ()
    decides: bool = True
    version: int = 1

    @property
    def address(self) -> str:
        """Return ``design/name``."""
        return f"{self.design}/{self.name}"


def generator(world: PlantedWorld, size: int, replicate: int) -> np.random.Generator:
    """Return the random numbers of one study: the same wherever, whenever and in whatever order it is drawn."""
    return np.random.default_rng([_SEED, crc32(world.design.encode()), crc32(world.name.encode()), size, replicate])


def draw_study(world: PlantedWorld, size: int, replicate: int) -> Drawn:
    """Draw one study of a world.

    Parameters
    ----------
    size
        In the world's own units; any of at least 2, not only those of `PlantedWorld.sizes`.
    replicate
        From 0.
    """
    return world.draw(generator(world, size, replicate), size)


def plan_of(design: str, **fields: Any) -> Plan:
    """Return a plan with one outcome, `contact`, in a window of 365 days; a world calls it once."""
    source = {"persons": {"file": "persons.csv"}, "events": {"file": "events.csv"}}
    base: dict[str, Any] = {
        "programme": "known-world",
        "title": {"nl": "Bekende wereld", "en": "Known world"},
        "design": design,
        "synthetic": True,
        "source": source,
        "outcomes": {"contact": {"event": "contact", "measures": ["risk_ratio"], "primary": True}},
    }
    if design in {"randomised", "comparison_cohort"}:
        base["follow_up"] = {"days": [WINDOW]}
    return Plan.model_validate(base | fields)


@lru_cache(maxsize=256)
def identifiers(n: int, prefix: str = "p") -> pl.Series:
    """Return n different identifiers in order."""
    return pl.Series([f"{prefix}{number:06d}" for number in range(n)])


def labels(choice: NDArray[Any], names: tuple[str, ...]) -> pl.Series:
    """Return the name of each choice (n,), counted from 0."""
    return pl.Series(names).gather(pl.Series(np.asarray(choice, dtype=np.uint32)))


def persons_frame(treated01: NDArray[Any], **columns: Any) -> pl.DataFrame:
    """Return persons with every standard column, followed for the whole window unless `columns` say otherwise.

    Parameters
    ----------
    treated01
        (n,) 1 for the treated arm.
    columns
        Standard columns to fill in, and covariates to add.
    """
    n = len(treated01)
    given: dict[str, Any] = {
        "person_id": identifiers(n),
        "arm": labels(treated01, ("comparison", "treated")),
        "potential_follow_up_days": np.full(n, WINDOW + 35),
        "linked": np.ones(n, dtype=np.bool_),
    } | columns
    standard = {
        name: pl.Series(name, given.pop(name)).cast(dtype) if name in given else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in PERSONS_COLUMNS.items()
    }
    frame = pl.DataFrame({"person_id": standard.pop("person_id")}).with_columns(*standard.values())
    return frame.with_columns(pl.Series(name, values) for name, values in given.items())


def outcome_frame(
    n_events: NDArray[Any],
    first_day: FloatArray,
    *,
    outcome: str = "contact",
    period: str = "follow_up",
    window: int = WINDOW,
    is_complete: NDArray[np.bool_] | None = None,
    days_calendar: NDArray[Any] | None = None,
    days_free: NDArray[Any] | None = None,
) -> pl.DataFrame:
    """Return one outcome, period and window of everybody; `first_day` (n,) is nan without an event."""
    n = len(n_events)
    calendar = np.full(n, window) if days_calendar is None else days_calendar
    free = calendar if days_free is None else days_free
    first = pl.Series(first_day).fill_nan(None).cast(pl.Int64)
    return pl.DataFrame({"person_id": identifiers(n)}).with_columns(
        pl.lit(outcome).alias("outcome"),
        pl.lit(period).alias("period"),
        pl.lit(window, dtype=pl.Int64).alias("window_days"),
        pl.Series("is_complete", np.ones(n, dtype=np.bool_) if is_complete is None else is_complete),
        pl.Series("n_events", n_events).cast(pl.Int64),
        first.alias("first_event_day"),
        first.fill_null(pl.Series(calendar).cast(pl.Int64)).alias("days_observed"),
        pl.Series("days_calendar", calendar).cast(pl.Int64),
        pl.Series("days_free", free).cast(pl.Int64),
    )[list(OUTCOMES_COLUMNS)]


def first_of(rng: np.random.Generator, n_events: NDArray[Any], days: int = WINDOW) -> FloatArray:
    """Return the day (1..days) of the first of n events spread evenly over the window; nan without one."""
    number = np.asarray(n_events, dtype=np.float64)
    share = 1.0 - rng.random(len(number)) ** (1.0 / np.maximum(number, 1.0))
    return np.where(number > 0, np.floor(share * days) + 1.0, np.nan)


def at_look(data: AnalysisData, look: int, looks: int = LOOKS) -> AnalysisData:
    """Return what was known at an earlier quarterly look.

    Persons and families enter evenly: a look sees the first share of them. Areas and series are seen from their first
    period on, and every look adds an equal share of the periods after the first start.
    """
    if look >= looks:
        return data
    if data.units:
        return replace(data, units=_until(data.units, look / looks))
    n = data.persons.height
    key = "family" if data.persons["family"].null_count() < n else "person_id"
    units = data.persons[key].unique(maintain_order=True)
    early = units.head(max(len(units) * look // looks, 1))
    return _only(data, data.persons.filter(pl.col(key).is_in(early.implode()))["person_id"])


def _only(data: AnalysisData, person_id: pl.Series) -> AnalysisData:
    chosen = person_id.implode()
    return replace(
        data,
        persons=data.persons.filter(pl.col("person_id").is_in(chosen)),
        outcomes=data.outcomes.filter(pl.col("person_id").is_in(chosen)),
        placebo=None if data.placebo is None else _only(data.placebo, person_id),
    )


def _until(units: Mapping[str, pl.DataFrame], share: float) -> dict[str, pl.DataFrame]:
    """Cut aggregate frames after a share of the periods since the first start; trials have no looks."""
    frames = dict(units)
    if "series" in frames:
        start = frames["series"].filter(pl.col("after"))["period"].min()
        frames["series"] = _first_periods(frames["series"], start, share)
    if "area_periods" in frames:
        start = frames["areas"]["adopted"].min()
        frames["area_periods"] = _first_periods(frames["area_periods"], start, share)
        last = frames["area_periods"]["period"].max()
        # who starts after this look has not started yet
        later = pl.when(pl.col("adopted") <= last).then(pl.col("adopted"))
        frames["areas"] = frames["areas"].with_columns(later.alias("adopted"))
    return frames


def _first_periods(frame: pl.DataFrame, start: Any, share: float) -> pl.DataFrame:
    last = int(frame["period"].max()) if frame.height else 0  # type: ignore[arg-type]
    first = int(start)
    return frame.filter(pl.col("period") < first + max(round((last + 1 - first) * share), 1))
