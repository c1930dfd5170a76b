"""What the analysis tables of areas, series and trials must be, before anything is estimated on them."""

from __future__ import annotations

from collections.abc import Iterator

from effectmeter.plan import Plan
from effectmeter.shapes import SHAPES
from expectations.rules import (
    Rule,
    Statement,
    Words,
    complete,
    no_violations,
    not_empty,
    quoted_table,
    reference_closed,
    unique,
)

AREAS, AREA_PERIODS, SERIES_PERIODS, TRIALS = (
    "cohort.areas",
    "outcomes.area_periods",
    "outcomes.series_periods",
    "outcomes.trials",
)
_TO_DO_EN = "Look which periods were left out: those the plan excludes, and those not over on the reference date."
_TO_DO_NL = "Kijk welke perioden zijn weggelaten: die het plan uitsluit, en die op de peildatum nog lopen."


def unit_rules(plan: Plan) -> Iterator[Rule]:
    """Yield what must hold of the frames that a plan's design is given."""
    frames = SHAPES[plan.design].frames
    if "areas" in frames:
        yield not_empty(AREAS)
        yield complete(AREAS, "area_id")
        yield unique(AREAS, ["area_id"])
    if "area_periods" in frames:
        yield from _area_periods_rules(plan)
    if "series" in frames:
        yield from _series_rules(plan)
    if "trials" in frames:
        yield not_empty(TRIALS)
        yield complete(TRIALS, "trial_id")
        yield no_violations(
            "outcomes_trials_once",
            TRIALS,
            Statement(
                "expectations/trials_once",
                ((TRIALS, "trial_id"), (TRIALS, "measure")),
                quoted={"table": quoted_table(TRIALS)},
            ),
            _words("Every trial is there once.", "Elk onderzoek staat er een keer in."),
            column="trial_id",
        )


def _words(en: str, nl: str) -> Words:
    return Words(en=en, nl=nl, do_en=_TO_DO_EN, do_nl=_TO_DO_NL)


def _area_periods_rules(plan: Plan) -> Iterator[Rule]:
    yield not_empty(AREA_PERIODS)
    for column in ("area_id", "period", "outcome"):
        yield complete(AREA_PERIODS, column)
    yield unique(AREA_PERIODS, ("area_id", "period", "outcome"))
    yield reference_closed(AREA_PERIODS, AREAS, "area_id")
    yield no_violations(
        "area_periods_around_a_start",
        AREA_PERIODS,
        Statement(
            "expectations/area_periods_around_start",
            (
                (AREAS, "area_id"),
                (AREAS, "adopted"),
                *((AREA_PERIODS, column) for column in ("area_id", "period", "outcome")),
            ),
            {"outcome": plan.primary_outcome},
        ),
        _words(
            "Some area has periods before and after its start, and another can be compared with it.",
            "Een gebied heeft perioden van voor en na de start, en een ander is ermee te vergelijken.",
        ),
        threshold="both",
    )


def _series_rules(plan: Plan) -> Iterator[Rule]:
    yield not_empty(SERIES_PERIODS)
    for column in ("period", "outcome", "is_control", "after", "season"):
        yield complete(SERIES_PERIODS, column)
    yield unique(SERIES_PERIODS, ("period", "outcome", "is_control"))
    yield no_violations(
        "series_periods_around_the_start",
        SERIES_PERIODS,
        Statement(
            "expectations/series_periods_around_start",
            tuple((SERIES_PERIODS, column) for column in ("outcome", "is_control", "count", "after")),
            {"outcome": plan.primary_outcome},
        ),
        _words(
            "Periods before the start and from the start on are left to compare.",
            "Er zijn perioden van voor en van na de start over om te vergelijken.",
        ),
        threshold="both",
    )
