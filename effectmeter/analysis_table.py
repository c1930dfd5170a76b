"""The analysis table of a plan's primary question, as a researcher takes it to R, Stata or SPSS.

Here: who and which columns, exactly as the estimator saw them, under names that the three can read, with labels.
Not here: the commands that analyse it (`effectmeter.analysis_syntax`), nor writing files. Individual data: whoever
writes this down has taken it out of the vault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.assembling import assemble
from effectmeter.designs.base import AnalysisData
from effectmeter.designs.before_after_rows import periods_of
from effectmeter.designs.comparison_cohort import estimands, method_for, weights_of
from effectmeter.designs.persons_rows import primary_question
from effectmeter.designs.questions import Question, primary_measure, primary_outcome
from effectmeter.designs.sample import Sample
from effectmeter.designs.series_data import model_of, series_of
from effectmeter.errors import EffectmeterError
from effectmeter.estimators.base import Weights
from effectmeter.estimators.marginal import target_weight
from effectmeter.estimators.series_terms import build_terms
from effectmeter.results import EffectRow

_LONGEST_NAME = 32
_RUNNING = "Running number; not the pseudonym"

Labelled = tuple[object, str]
"""A column's values and what they mean."""
"""Stata's limit; SPSS allows twice as much."""


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """One table, ready for another program.

    Attributes
    ----------
    frame
        One row per unit; numbers only, but for the names of areas, periods and trials.
    labels
        Column -> what it is, for every column.
    value_labels
        Column -> number -> what it stands for.
    model
        How the primary estimate is made of it: ``risk``, ``odds``, ``rate``, ``hazard``, ``mean``, ``change``,
        ``areas``, ``series`` or ``trials``.
    terms
        The columns that are adjusted for, in order.
    strata, cluster
        Column with the blocks of a draw, and with clusters; None without.
    measure
        What the primary row measures.
    has_weights
        Whether column ``weight`` is other than 1.
    primary
        The primary row as the vault has it, to compare with; None when nothing was estimated.
    """

    frame: pl.DataFrame = field(repr=False)
    labels: Mapping[str, str]
    value_labels: Mapping[str, Mapping[int | float, str]]
    model: str
    measure: str
    terms: tuple[str, ...] = ()
    strata: str | None = None
    cluster: str | None = None
    has_weights: bool = False
    primary: EffectRow | None = None


def analysis_table(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    """Return the table behind the primary estimate.

    Parameters
    ----------
    data
        What the design sees.
    primary
        The primary row of the vault: its kind of person-time is taken, and the figures go along.

    Raises
    ------
    EffectmeterError
        Nobody can be analysed.

    Notes
    -----
    Pseudonyms stay behind: persons are numbered, and so are families, sites, blocks and pairs. Areas, periods and
    trials keep their names, for those are no persons.
    """
    build = {
        "before_after": _changes,
        "staggered_areas": _areas,
        "interrupted_series": _series,
        "pooled_trials": _trials,
    }.get(data.plan.design, _persons)
    found = build(data, primary)
    if found.frame.is_empty():
        raise EffectmeterError("nobody can be analysed for the primary outcome", next_step="see `effectmeter effects`")
    return found


def safe_name(text: str, taken: Collection[str]) -> str:
    """Return a column name that R, Stata and SPSS can read, and that is not taken.

    Examples
    --------
    >>> safe_name("age^2", ()), safe_name("sex=f", ()), safe_name("1e keer", ("x1e_keer",))
    ('age_2', 'sex_f', 'x1e_keer_2')
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "x"
    name = (name if name[0].isalpha() else f"x{name}")[:_LONGEST_NAME]
    unique, number = name, 2
    while unique.lower() in {each.lower() for each in taken}:
        unique = f"{name[: _LONGEST_NAME - 3]}_{number}"
        number += 1
    return unique


_MODELS = {
    "risk_ratio": "risk",
    "risk_difference": "risk",
    "odds_ratio": "odds",
    "rate_ratio": "rate",
    "rate_difference": "rate",
    "hazard_ratio": "hazard",
    "mean_difference": "mean",
}


def _question(data: AnalysisData) -> Question:
    question = primary_question(data.plan)
    if question is None:
        raise EffectmeterError("the plan has no primary question", next_step="name an outcome in the plan")
    return question


def _persons(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    question = _question(data)
    treated = data.plan.contrasts[0][0]
    sample = assemble(
        data,
        treated,
        question.outcome,
        question.window_days,
        all_arms=question.measure == "mean_difference" and data.plan.design == "randomised",
    ).one_by_one()
    estimand, weights = _weights(data, sample)
    share, _ = target_weight(sample.treated01, weights, estimand)
    is_calendar = primary is not None and primary.denominator == "calendar_time"
    window = "to the end of follow-up" if question.window_days is None else f"within {question.window_days} days"
    outcome = f"{question.outcome} {window}"
    weight = np.ones(len(share)) if weights is None else weights.weight
    columns: dict[str, Labelled] = {
        "id": (np.arange(1, len(share) + 1), _RUNNING),
        "treated": (sample.treated01.astype(np.int64), f"1: {treated}; 0: the others"),
        "event": (sample.event01, f"{outcome}: 1 yes, 0 no (a delivered value: the value)"),
    }
    if sample.value is None:
        years = sample.calendar_years if is_calendar else sample.free_years
        columns |= {
            "n_events": (sample.n_events, f"{outcome}: how many"),
            "days": (sample.days, "Last day at risk for a first event"),
            "years": (years, f"Person-years {'on the calendar' if is_calendar else 'net of absences'}"),
        }
    columns |= {
        "weight": (weight, "Weight that makes the comparison group alike; 1: none"),
        "target": (share * sample.in_contrast, f"Share in the population that the effect is about ({estimand})"),
    }
    terms = []
    for number, term in enumerate(sample.terms):
        name = safe_name(term, columns)
        columns[name] = sample.X[:, number], f"Adjusted for: {term} (as the model has it)"
        terms.append(name)
    given = {"stratum": sample.strata, "cluster": sample.cluster, "pair": sample.pair}
    for name, codes in given.items():
        if codes is not None:
            columns[name] = _numbered(codes), f"{name.capitalize()}, numbered"
    frame, labels = _labelled(columns)
    return AnalysisTable(
        frame=frame,
        labels=labels,
        value_labels={"treated": {0: data.plan.arms.comparison, 1: treated}},
        model=_MODELS[question.measure],
        measure=question.measure,
        terms=tuple(terms),
        strata="stratum" if sample.strata is not None else None,
        cluster="cluster" if sample.cluster is not None else None,
        has_weights=weights is not None,
        primary=primary,
    )


def _weights(data: AnalysisData, sample: Sample) -> tuple[str, Weights | None]:
    """Return the primary estimand and its weights, as the design makes them."""
    if data.plan.design == "randomised":
        estimand: str = (*data.plan.estimand, "itt")[0]
        method = "overlap" if estimand == "ato" else "none"
    else:
        estimand = estimands(data.plan)[0]
        method = method_for(data.plan, estimand)
    if method == "none" or sample.X.shape[1] == 0:
        return ("ate" if estimand == "ato" else estimand), None
    return estimand, weights_of(sample.X, sample.treated01, method, estimand)


def _changes(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    question = _question(data)
    treated, comparison = data.plan.contrasts[0][0], data.plan.arms.comparison
    periods = periods_of(data, question.outcome)
    time = primary.denominator if primary is not None and primary.denominator else "free_time"
    who = periods.of(treated, comparison)
    columns: dict[str, Labelled] = {
        "id": (np.arange(1, int(who.sum()) + 1), _RUNNING),
        "treated": ((periods.arm[who] == treated).astype(np.int64), f"1: {treated}; 0: {comparison}"),
        "before": (periods.before[who], f"{question.outcome}: how many before"),
        "after": (periods.after[who], f"{question.outcome}: how many after"),
        "years_before": (periods.years_before[time][who], "Person-years before"),
        "years_after": (periods.years_after[time][who], "Person-years after"),
    }
    if periods.cluster is not None:
        columns["cluster"] = _numbered(periods.cluster[who]), "Family or other cluster, numbered"
    frame, labels = _labelled(columns)
    return AnalysisTable(
        frame=frame,
        labels=labels,
        value_labels={"treated": {0: comparison, 1: treated}},
        model="change",
        measure=question.measure,
        cluster=None if periods.cluster is None else "cluster",
        primary=primary,
    )


def _areas(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    outcome = primary_outcome(data.plan)
    rows = data.units["area_periods"].filter(pl.col("outcome") == outcome).drop("outcome")
    areas = data.units["areas"].drop("cluster")
    taken = dict(zip(areas.columns, _names(areas.columns), strict=True))
    areas = areas.rename(taken).with_columns(
        first_period=pl.col(taken["adopted"]).fill_null(-1) + 1, ring=pl.col(taken["ring"]).fill_null(-1)
    )
    frame = rows.join(areas.drop(taken["adopted"]), left_on="area_id", right_on=taken["area_id"], maintain_order="left")
    frame = frame.with_columns(pl.col("period") + 1, area=pl.col("area_id").rank("dense").cast(pl.Int64))
    known = {
        "area_id": "Area as delivered",
        "area": "The same, numbered",
        "period": "Period, numbered from 1",
        "label": "Period as delivered",
        "count": f"{outcome}: how many",
        "value": f"{outcome}: delivered value",
        "population": "Population",
        "first_period": "Period in which the programme began there; 0: never",
        "ring": "0: an area of the programme or far away; 1, 2 ...: its surroundings; -1: not delivered",
    }
    return AnalysisTable(
        frame=frame,
        labels=_told(frame, known),
        value_labels={},
        model="areas",
        measure=primary_measure(data.plan, outcome),
        primary=primary,
    )


def _series(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    outcome = primary_outcome(data.plan)
    series = series_of(data, outcome)
    terms = model_of(data.plan).terms
    design = build_terms(series.period, series.after, series.season, terms, start=series.start)
    columns: dict[str, Labelled] = {
        "period": (series.period, "Period, numbered from 0"),
        "count": (series.count, f"{outcome}: how many"),
    }
    given = {
        "population": (series.population, "Population"),
        "control_count": (series.control_count, "The control series: how many"),
        "control_population": (series.control_population, "The control series: population"),
    }
    columns |= {name: labelled for name, labelled in given.items() if labelled[0] is not None}
    meaning = {"level": "1 from the start on", "slope": "Periods since the start", "trend": "Time in years"}
    for name, values in zip(design.names[1:], design.X.T[1:], strict=True):
        columns[name] = values, meaning.get(name, f"Season: {name}")
    frame, labels = _labelled(columns)
    return AnalysisTable(
        frame=frame,
        labels=labels,
        value_labels={},
        model="series",
        measure=primary_measure(data.plan, outcome),
        terms=design.names[1:],
        primary=primary,
    )


def _trials(data: AnalysisData, primary: EffectRow | None) -> AnalysisTable:
    trials = data.units["trials"].rename({"measure": "measure_of_trial"})
    names = dict(zip(trials.columns, _names(trials.columns), strict=True))
    frame = trials.rename(names)
    frame = frame.select(name for name in frame.columns if frame[name].null_count() < frame.height)
    known = {
        "trial_id": "Trial as delivered",
        "events_treated": "Treated with an event",
        "n_treated": "Treated",
        "events_comparison": "Comparison with an event",
        "n_comparison": "Comparison",
        "measure_of_trial": "What the trial measured",
        "estimate": "The trial's estimate; ratios on the log scale",
        "std_error": "Its standard error",
    }
    return AnalysisTable(
        frame=frame,
        labels=_told(frame, known),
        value_labels={},
        model="trials",
        measure=primary_measure(data.plan, primary_outcome(data.plan)),
        primary=primary,
    )


def _labelled(columns: Mapping[str, Labelled]) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the table and what its columns mean."""
    frame = pl.DataFrame({name: values for name, (values, _) in columns.items()})
    return frame, {name: label for name, (_, label) in columns.items()}


def _told(frame: pl.DataFrame, known: Mapping[str, str]) -> dict[str, str]:
    """Return what the columns of a delivered table mean, of those that we know."""
    return {name: known.get(name, f"Delivered: {name}") for name in frame.columns}


def _names(columns: Collection[str]) -> list[str]:
    found: list[str] = []
    for column in columns:
        found.append(safe_name(column, found))
    return found


def _numbered(labels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return the position of each label among the sorted ones, from 1."""
    codes: NDArray[np.int64] = np.unique(labels, return_inverse=True)[1].astype(np.int64) + 1
    return codes
