"""What the analysis tables must be, before anything is estimated on them: the schemas `cohort` and `outcomes`.

These tables are made by our own statements, so nearly every fault here is structural, critical, and most likely a
defect of ours; the advice says where to look. What the plan adjusts for and was not delivered shows here first. What is
said about the delivery itself lives in `expectations.landing`.
"""

from __future__ import annotations

from collections.abc import Iterator

from effectmeter.plan import Plan, prior_count
from effectmeter.shapes import SHAPES
from expectations.analysis_units import unit_rules
from expectations.landing_persons import required_arms
from expectations.rules import (
    Rule,
    Statement,
    Words,
    between,
    complete,
    every_arm_present,
    filled_at_all,
    has_history,
    no_violations,
    not_before,
    not_empty,
    reference_closed,
    slug,
    unique,
    unique_names,
    value_set,
)

COHORT, ATTRITION, WINDOWS = "cohort.persons", "cohort.attrition", "outcomes.person_windows"
INFORMATIONAL_STEP = "complete_follow_up"
"""The attrition step that says who has the whole window, without leaving anybody out of the cohort."""
_DEFECT_EN = "Compare the delivery with what the cohort and outcome statements made of it; report it as a defect."
_DEFECT_NL = "Vergelijk de levering met wat de cohort- en uitkomststap ervan maakten; meld het als fout in Effectmeter."


def analysis_rules(plan: Plan) -> tuple[Rule, ...]:
    """Return every rule on a programme's cohort and outcome tables."""
    if SHAPES[plan.design].unit != "person":
        return unique_names(unit_rules(plan))
    return unique_names([*_cohort_rules(plan), *_attrition_rules(), *_windows_rules(plan)])


def _words(en: str, nl: str) -> Words:
    return Words(en=en, nl=nl, do_en=_DEFECT_EN, do_nl=_DEFECT_NL)


def _cohort_rules(plan: Plan) -> Iterator[Rule]:
    yield not_empty(COHORT)
    yield complete(COHORT, "person_id")
    yield unique(COHORT, ["person_id"])
    yield complete(COHORT, "arm")
    yield value_set(COHORT, "arm", [plan.arms.comparison, *plan.arms.treated])
    yield every_arm_present(COHORT, "cohort_persons_every_arm_present", required_arms(plan))
    for covariate in plan.adjust_for:
        yield filled_at_all(COHORT, covariate)
        if prior_count(covariate) is not None:
            yield has_history(COHORT, covariate)


def _attrition_rules() -> Iterator[Rule]:
    columns = ("step", "arm", "n_before", "n_lost", "n_after")
    yield no_violations(
        "cohort_attrition_adds_up",
        ATTRITION,
        Statement("expectations/attrition_adds_up", tuple((ATTRITION, column) for column in columns)),
        _words(
            "Every attrition step starts where the last one ended and loses what it says.",
            "Elke uitvalstap begint waar de vorige eindigde en verliest wat er staat.",
        ),
        threshold="0 steps",
    )
    yield no_violations(
        "cohort_attrition_ends_in_cohort",
        ATTRITION,
        Statement(
            "expectations/attrition_ends_in_cohort",
            ((ATTRITION, "step"), (ATTRITION, "name"), (ATTRITION, "n_after"), (COHORT, "person_id")),
            {"informational": INFORMATIONAL_STEP},
        ),
        _words(
            "The persons left after the last attrition step are the persons of the cohort.",
            "Wie na de laatste uitvalstap overblijft, is precies het cohort.",
        ),
        threshold="0 persons",
    )


def _windows_rules(plan: Plan) -> Iterator[Rule]:
    counted = [name for name, outcome in plan.outcomes.items() if outcome.event is not None]
    if not counted:
        return
    key = ("person_id", "outcome", "period", "window_days")
    for column in ("person_id", "outcome", "period", "n_events", "days_calendar", "days_free"):
        yield complete(WINDOWS, column)
    yield unique(WINDOWS, key, "window")
    yield reference_closed(WINDOWS, COHORT, "person_id")
    yield no_violations(
        "person_windows_complete",
        WINDOWS,
        Statement("expectations/windows_complete", (*((WINDOWS, column) for column in key), (COHORT, "person_id"))),
        _words(
            "Every person has a row for every outcome, period and window.",
            "Elke persoon heeft een rij voor elke uitkomst, periode en elk venster.",
        ),
    )
    yield no_violations(
        "person_windows_of_every_outcome",
        WINDOWS,
        Statement("expectations/windows_of_every_outcome", ((WINDOWS, "outcome"),), {"outcomes": counted}),
        _words("Every counted outcome of the plan has windows.", "Elke getelde uitkomst van het plan heeft vensters."),
        column="outcome",
        threshold="0 outcomes without",
    )
    for column, en, nl in (
        ("n_events", "No count of events is below zero.", "Geen aantal gebeurtenissen is lager dan nul."),
        ("days_free", "Nobody is at risk for less than nothing.", "Niemand loopt korter dan nul dagen risico."),
    ):
        yield between(slug("person_windows", column, "not_negative"), WINDOWS, column, _words(en, nl), minimum=0)
    yield not_before(
        "person_windows_free_within_calendar",
        WINDOWS,
        "days_calendar",
        "days_free",
        _words(
            "Days net of absences are at most the days observed on the calendar.",
            "Dagen zonder afwezigheid zijn hoogstens de waargenomen kalenderdagen.",
        ),
        severity="critical",
    )
    columns = ("period", "window_days", "n_events", "first_event_day")
    yield no_violations(
        "person_windows_first_event_within",
        WINDOWS,
        Statement(
            "expectations/first_event_in_window",
            tuple((WINDOWS, column) for column in columns),
            {"has_days": "person_counts" not in plan.source},
        ),
        _words(
            "The first event lies within its window, and is empty where nothing happened.",
            "De eerste gebeurtenis ligt binnen het venster, en is leeg waar niets gebeurde.",
        ),
        column="first_event_day",
    )
