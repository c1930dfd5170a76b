"""The designs, each in one entry: what it reads, whom it is about, what it measures, and which module answers.

Plans, catalogue, intake, vault and reports read this list; nobody keeps a second one. Adding a design is adding a
module in `effectmeter.designs` and its entry here. No estimation here, and no import of those modules: plans must load
quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["person", "area", "period", "trial"]


@dataclass(frozen=True, slots=True)
class DesignNeeds:
    """Which standard tables a design reads: all of `required`, one of `one_of` for counted outcomes, any `optional`."""

    required: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One design.

    Attributes
    ----------
    words
        What it compares, in Dutch (``nl``) and English (``en``), as reports say it.
    answers
        ``module:Class`` of the `effectmeter.designs.base.Design`.
    unit
        What is counted: persons, areas, periods or trials.
    needs
        Standard tables of the delivery.
    frames
        Frames beside persons that it is given (`effectmeter.designs.base.UNIT_COLUMNS`).
    estimands
        For whom the effect is estimated when the plan does not say; the first is primary.
    measures
        Every measure that a plan may ask of it.
    default_measures
        Of a counted outcome, when the plan does not say.
    options
        The plan's block with its own options, or nothing.
    """

    words: Mapping[Literal["nl", "en"], str]
    answers: str
    unit: Unit
    needs: DesignNeeds
    frames: tuple[str, ...] = ()
    estimands: tuple[str, ...]
    measures: tuple[str, ...]
    default_measures: tuple[str, ...]
    options: str = ""


_PERSONS = DesignNeeds(("persons",), ("events", "person_counts"), ("absences",))
_PERSON_MEASURES = (
    "risk_ratio",
    "rate_ratio",
    "hazard_ratio",
    "odds_ratio",
    "risk_difference",
    "rate_difference",
    "mean_difference",
)

SHAPES: Mapping[str, Shape] = {
    "randomised": Shape(
        words={"nl": "loting: het toeval bepaalde wie meedeed", "en": "lottery: chance decided who took part"},
        answers="effectmeter.designs.randomised:Randomised",
        unit="person",
        needs=_PERSONS,
        estimands=("itt",),
        measures=_PERSON_MEASURES,
        default_measures=("risk_ratio",),
    ),
    "comparison_cohort": Shape(
        words={"nl": "deelnemers tegenover een vergelijkbare groep", "en": "participants against a comparable group"},
        answers="effectmeter.designs.comparison_cohort:ComparisonCohort",
        unit="person",
        needs=_PERSONS,
        estimands=("att", "ato"),
        measures=_PERSON_MEASURES,
        default_measures=("risk_ratio",),
    ),
    "before_after": Shape(
        words={"nl": "voor en na de start", "en": "before and after the start"},
        answers="effectmeter.designs.before_after:BeforeAfter",
        unit="person",
        needs=_PERSONS,
        estimands=("att",),
        measures=("ratio_of_rate_ratios", *_PERSON_MEASURES),
        # the controlled effect first: `rate_ratio` is the raw change after/before, which is never the effect
        default_measures=("ratio_of_rate_ratios", "rate_ratio"),
    ),
    "staggered_areas": Shape(
        words={"nl": "gebieden die na elkaar begonnen", "en": "areas that started one after another"},
        answers="effectmeter.designs.staggered_areas:StaggeredAreas",
        unit="area",
        needs=DesignNeeds(("areas", "area_counts")),
        frames=("areas", "area_periods"),
        estimands=("att",),
        measures=("rate_ratio", "percent_change", "rate_difference", "mean_difference"),
        default_measures=("rate_ratio",),
        options="areas",
    ),
    "interrupted_series": Shape(
        words={"nl": "één reeks, vóór en na de start", "en": "one series, before and after the start"},
        answers="effectmeter.designs.interrupted_series:InterruptedSeries",
        unit="period",
        needs=DesignNeeds(("series",)),
        frames=("series",),
        estimands=("att",),
        measures=("level_ratio", "slope_ratio", "rate_ratio", "percent_change"),
        default_measures=("level_ratio",),
        options="series",
    ),
    "pooled_trials": Shape(
        words={"nl": "meer onderzoeken bij elkaar", "en": "several studies together"},
        answers="effectmeter.designs.pooled_trials:PooledTrials",
        unit="trial",
        needs=DesignNeeds(("trials",)),
        frames=("trials",),
        estimands=("ate",),
        measures=("odds_ratio", "risk_ratio", "rate_ratio", "hazard_ratio", "mean_difference", "risk_difference"),
        default_measures=(),  # what `trials.measure` says
        options="trials",
    ),
}
"""Every design by its name in a plan."""

PERSON_DESIGNS = tuple(name for name, shape in SHAPES.items() if shape.unit == "person")
"""Designs that compare persons."""
