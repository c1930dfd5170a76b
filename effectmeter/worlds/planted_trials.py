"""Known worlds of trials that are pooled: alike or not, rare events, and trials that were published for their result.

Here: trials with two arms and counts, or with an estimate and its error. Not here: the trials' persons.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import polars as pl

from effectmeter.designs.base import TRIALS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.worlds.planted import QUARTER, Drawn, FloatArray, PlantedWorld, identifiers, plan_of

SIZES = (3, 5, 10, 20, 40)
EFFECT = 0.7
_PERSONS = 110.0  # per trial, both arms: the middle one
_LARGE = 500


@cache
def trials_plan(measure: str = "odds_ratio") -> Plan:
    """Return the plan of a pooled analysis."""
    return plan_of(
        "pooled_trials",
        source={"trials": {"file": "trials.csv"}},
        trials={"measure": measure},
        outcomes={"contact": {"measures": [measure], "primary": True}},
        claims=[{"words": "half as often", "outcome": "contact", "at_most": 0.5}],
    )


def counts(
    rng: np.random.Generator, k: int, ratio: float, spread: float, *, risk: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return (k, 4) events and persons, treated and comparison, and (k,) planted log odds ratios."""
    effect = rng.normal(math.log(ratio), spread, k)
    n = np.maximum(np.round(np.exp(rng.normal(math.log(_PERSONS / 2.0), 0.8, (k, 1)))), 10.0) * np.ones((1, 2))
    base = rng.uniform(0.2, 0.5, k) if risk is None else np.full(k, risk)
    logit = np.log(base / (1.0 - base))
    risks = 1.0 / (1.0 + np.exp(-np.column_stack([logit + effect, logit])))
    events = rng.binomial(n.astype(np.int64), risks)
    return np.column_stack([events[:, 0], n[:, 0], events[:, 1], n[:, 1]]).astype(np.float64), effect


def study(plan: Plan, **columns: FloatArray) -> AnalysisData:
    """Lay trials out as delivered."""
    k = len(next(iter(columns.values())))
    frame = pl.DataFrame({"trial_id": identifiers(k, "t")}).with_columns(
        pl.Series(name, columns[name], dtype=dtype) if name in columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in TRIALS_COLUMNS.items()
        if name != "trial_id"
    )
    return AnalysisData(plan, QUARTER, units={"trials": frame})


def _of_counts(table: FloatArray) -> AnalysisData:
    return study(
        trials_plan(),
        events_treated=table[:, 0],
        n_treated=table[:, 1],
        events_comparison=table[:, 2],
        n_comparison=table[:, 3],
    )


def pooled(rng: np.random.Generator, size: int, *, ratio: float, spread: float, risk: float | None = None) -> Drawn:
    """Plant a mean odds ratio and how much trials differ (standard deviation of the logarithm)."""
    table, _ = counts(rng, size, ratio, spread, risk=risk)
    return Drawn(_of_counts(table), ratio, math.exp(rng.normal(math.log(ratio), spread)))


def estimated(rng: np.random.Generator, size: int, *, ratio: float, spread: float) -> Drawn:
    """Plant a mean hazard ratio in trials that bring an estimate with its error."""
    error = np.exp(rng.normal(math.log(0.25), 0.5, size))
    estimate = rng.normal(rng.normal(math.log(ratio), spread, size), error)  # ratios are delivered as logarithms
    data = study(trials_plan("hazard_ratio"), estimate=estimate, std_error=error)
    return Drawn(data, ratio, math.exp(rng.normal(math.log(ratio), spread)))


def published(rng: np.random.Generator, size: int) -> Drawn:
    """Publish every large trial, and small ones mostly when they favour the programme significantly; no effect."""
    kept: list[FloatArray] = []
    while len(kept) < size:
        table, _ = counts(rng, 4 * size, 1.0, 0.1)
        cells = np.column_stack([table[:, 0], table[:, 1] - table[:, 0], table[:, 2], table[:, 3] - table[:, 2]]) + 0.5
        z = np.log(cells[:, 0] * cells[:, 3] / cells[:, 1] / cells[:, 2]) / np.sqrt((1.0 / cells).sum(axis=1))
        large = table[:, 1] + table[:, 3] >= _LARGE
        kept += list(table[large | (z < -1.64) | (rng.random(len(z)) < 0.05)])
    return Drawn(_of_counts(np.array(kept[:size])), 1.0, 1.0)


def trial_worlds() -> list[PlantedWorld]:
    """Return every world of pooled trials."""
    make: Callable[..., PlantedWorld] = partial(PlantedWorld, design="pooled_trials", sizes=SIZES, unit="trials")
    sound: list[tuple[str, str, str, Callable[[np.random.Generator, int], Drawn]]] = [
        (
            "no_effect",
            "Trials of about 110 persons; every odds ratio is 1.",
            "A useless programme must not be called effective.",
            partial(pooled, ratio=1.0, spread=0.0),
        ),
        (
            "effect",
            f"Every odds ratio is {EFFECT}.",
            "An effect must be found at its size.",
            partial(pooled, ratio=EFFECT, spread=0.0),
        ),
        (
            "no_effect_varied",
            "Odds ratios spread by 0.3 (logarithm) around 1.",
            "The spread between trials belongs in the interval, and with few trials it is hardly known.",
            partial(pooled, ratio=1.0, spread=0.3),
        ),
        (
            "effect_varied",
            f"Odds ratios spread by 0.3 (logarithm) around {EFFECT}.",
            "The spread between trials belongs in the interval, and with few trials it is hardly known.",
            partial(pooled, ratio=EFFECT, spread=0.3),
        ),
        (
            "very_varied",
            f"Odds ratios spread by 0.8 (logarithm) around {EFFECT}: the same programme helps here and harms there.",
            "A mean of trials so different describes none: where a next trial may fall is the answer.",
            partial(pooled, ratio=EFFECT, spread=0.8),
        ),
        (
            "rare_no_effect",
            "Two in a hundred have the event; every odds ratio is 1.",
            "Empty cells must not be patched with half events.",
            partial(pooled, ratio=1.0, spread=0.0, risk=0.02),
        ),
        (
            "rare_effect",
            "Two in a hundred have the event; every odds ratio is 0.5.",
            "Empty cells must not be patched with half events.",
            partial(pooled, ratio=0.5, spread=0.0, risk=0.02),
        ),
        (
            "estimates",
            f"Published hazard ratios with their errors, spread by 0.2 (logarithm) around {EFFECT}.",
            "Published trials bring no counts.",
            partial(estimated, ratio=EFFECT, spread=0.2),
        ),
    ]
    return [
        *(make(name=name, kind="sound", planted=planted, why=why, draw=draw) for name, planted, why, draw in sound),
        make(
            name="small_studies",
            kind="broken",
            planted="Small trials are published mostly when they favour the programme; no effect.",
            why="What was published is not what was found.",
            draw=published,
            watched=("small_studies",),
            sizes=(10, 20, 40),
            version=2,
        ),
    ]
