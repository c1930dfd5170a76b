"""Which questions a plan asks, in order: outcomes, measures, windows, estimands, and which of them is the primary one.

Here: the plan's defaults, resolved in one place for designs, gates, verdicts and claims. Not here: any estimation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

from effectmeter.plan import Measure, Outcome, Plan
from effectmeter.shapes import PERSON_DESIGNS, SHAPES

_Measures: TypeAlias = tuple[Measure, ...]

_VALUE_MEASURES: dict[str, tuple[Measure, ...]] = {
    "continuous": ("mean_difference",),
    "binary": ("risk_ratio",),
    "count": ("rate_ratio",),
}
_NEEDS_WINDOW = frozenset({"risk_ratio", "risk_difference", "odds_ratio"})


@dataclass(frozen=True, slots=True)
class Question:
    """One outcome, window and measure of a contrast.

    Attributes
    ----------
    window_days
        None: to the end of everyone's own follow-up, or a delivered value without a window.
    """

    outcome: str
    window_days: int | None
    measure: Measure
    is_primary: bool


def outcome_of(plan: Plan, name: str) -> Outcome:
    """Return the plan's outcome; a negative control that is only named counts events of that name."""
    return plan.outcomes.get(name) or Outcome(event=name)


def primary_outcome(plan: Plan) -> str:
    """Return the outcome flagged primary, else the first one that is no negative control."""
    names = [name for name in plan.outcomes if name not in plan.negative_controls] or list(plan.outcomes)
    return next((name for name in names if plan.outcomes[name].primary), names[0] if names else "")


def measures_of(plan: Plan, name: str) -> tuple[Measure, ...]:
    """Return an outcome's measures in plan order, or the documented default for its kind."""
    outcome = outcome_of(plan, name)
    if outcome.measures:
        return tuple(dict.fromkeys(outcome.measures))
    if outcome.value is not None:
        return _VALUE_MEASURES[outcome.scale]
    if plan.design == "before_after":
        return ("rate_ratio",)
    default = SHAPES[plan.design].default_measures
    return ("risk_ratio", "rate_ratio", "hazard_ratio") if plan.design in PERSON_DESIGNS else cast(_Measures, default)


def windows_of(plan: Plan, name: str) -> tuple[int | None, ...]:
    """Return an outcome's windows in plan order, the primary one first; None is "to the end of follow-up"."""
    if outcome_of(plan, name).value is not None or plan.design not in PERSON_DESIGNS:
        return (None,)
    if plan.design == "before_after":
        return (plan.before_after.after_days,)
    return (*plan.follow_up.windows_days, *((None,) if plan.follow_up.until_end else ()))


def primary_measure(plan: Plan, name: str) -> Measure:
    """Return the first measure that the first window allows: without a fixed window there is no risk for persons."""
    measures = measures_of(plan, name)
    if plan.design not in PERSON_DESIGNS:
        return measures[0]
    if windows_of(plan, name)[0] is None and outcome_of(plan, name).value is None:
        return next((measure for measure in measures if measure not in _NEEDS_WINDOW), measures[0])
    return measures[0]


def questions(plan: Plan) -> tuple[Question, ...]:
    """Return every question of the plan, the primary one first; negative controls are asked elsewhere."""
    first = primary_outcome(plan)
    names = [name for name in plan.outcomes if name not in plan.negative_controls or name == first]
    names.sort(key=lambda name: name != first)
    asked = [
        Question(name, window, measure, is_primary(plan, name, window, measure))
        for name in names
        for window in windows_of(plan, name)
        for measure in measures_of(plan, name)
    ]
    return tuple(sorted(asked, key=lambda question: not question.is_primary))


def is_primary(plan: Plan, name: str, window_days: int | None, measure: str) -> bool:
    """Return whether this is the one primary question."""
    return (
        name == primary_outcome(plan)
        and window_days == windows_of(plan, name)[0]
        and measure == primary_measure(plan, name)
    )


def label_of(plan: Plan, name: str) -> tuple[str, str]:
    """Return an outcome's label in English and Dutch; without one, its name in words."""
    label = outcome_of(plan, name).label
    words = name.replace("_", " ")
    return (label.en, label.nl) if label else (words, words)
