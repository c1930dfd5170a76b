"""Rules that span several fields of a plan. Each is a small function that yields broken rules with their address.

Rules about one field stand at the field, in `effectmeter.plan`. Nothing here reads a file or a delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from effectmeter.plan_fields import prior_count
from effectmeter.results import RATIO_MEASURES
from effectmeter.schema import DESIGN_TABLES, STANDARD_TABLES
from effectmeter.shapes import PERSON_DESIGNS, SHAPES

if TYPE_CHECKING:
    from effectmeter.plan import Plan

_COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "risk_ratio": ("risk_difference",),
    "rate_ratio": ("rate_difference", "percent_change", "level_ratio"),
    "level_ratio": ("percent_change", "rate_ratio"),
    "percent_change": ("rate_ratio", "level_ratio", "rate_difference"),
}
"""What stands beside a measure, where the design has it: a claim may be about it."""
_RENAME = "give the column another name in the plan, and map it under source: '<name>: <delivered name>'"
_OF_THE_INTAKE = ("row_number", "reject_column", "reject_reason")
"""Columns that the intake keeps beside the delivered ones."""
_AFTER_TIME_ZERO = ("person_id", "arm", "start_date", "exit_date", "follow_up_days", "linked")


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One broken rule.

    Attributes
    ----------
    path
        Keys and list positions from the top of the plan to the field at fault.
    what, allowed, next_step
        As in `effectmeter.errors.EffectmeterError`.
    """

    path: tuple[str | int, ...]
    what: str
    allowed: str = ""
    next_step: str = ""


class RulesError(ValueError):
    """Carries every broken rule through pydantic."""

    def __init__(self, broken: tuple[BrokenRule, ...]) -> None:
        self.broken = broken
        super().__init__("; ".join(f"{'.'.join(map(str, rule.path))}: {rule.what}" for rule in broken))


def check_rules(plan: Plan) -> None:
    """Hold a plan against every rule; raise `RulesError` with all that are broken."""
    broken = tuple(rule for check in _CHECKS for rule in check(plan))
    if broken:
        raise RulesError(broken)


def nearest(word: str, candidates: Collection[str], cutoff: float = 0.6) -> str:
    """Return ``did you mean 'x'?`` for a near miss, else nothing."""
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    found = get_close_matches(word.lower().replace("-", "_"), list(folded), n=1, cutoff=cutoff)
    return f"did you mean '{folded[found[0]]}'?" if found else ""


def listed(words: Collection[str]) -> str:
    """Return allowed values as one line, at most forty of them."""
    shown = list(words)[:40]
    return ", ".join(shown) + (", ..." if len(words) > len(shown) else "")


def _tables(plan: Plan) -> Iterator[BrokenRule]:
    needs = DESIGN_TABLES[plan.design]
    readable = (*needs.required, *needs.one_of, *needs.optional)
    for given in plan.source:
        if given not in readable:
            yield BrokenRule(("source", given), f"design {plan.design} does not read table '{given}'", listed(readable))
    for table in needs.required:
        if table not in plan.source:
            yield BrokenRule(
                ("source",), f"design {plan.design} needs table '{table}'", next_step=f"add '{table}: <file>'"
            )
    counted = any(outcome.value is None for outcome in plan.outcomes.values()) or plan.negative_controls
    if needs.one_of and counted and not any(table in plan.source for table in needs.one_of):
        yield BrokenRule(
            ("source",),
            f"outcomes that are counted need one of the tables {listed(needs.one_of)}",
            next_step="add 'events: <file>', or give each outcome a 'value' column",
        )


def _column_maps(plan: Plan) -> Iterator[BrokenRule]:
    used = {*plan.adjust_for, *plan.subgroups, *plan.eligibility, plan.cluster, plan.strata, plan.pairs}
    for name, outcome in plan.outcomes.items():
        used |= {outcome.value, *outcome.where}
        if plan.design not in PERSON_DESIGNS:  # a wide file has a column per outcome
            used |= {name, outcome.event}
    for table, source in plan.source.items():
        known = [column.name for column in STANDARD_TABLES[table].columns]
        for column in source.columns:
            if column in known or column in used:
                continue
            hint = nearest(column, known, cutoff=0.8 if STANDARD_TABLES[table].is_open else 0.6)
            if hint or not STANDARD_TABLES[table].is_open:
                yield BrokenRule(
                    ("source", table, "columns", column),
                    f"'{column}' is not a column of table '{table}'",
                    listed(known),
                    hint or "remove it",
                )


def _arms(plan: Plan) -> Iterator[BrokenRule]:
    if plan.arms.comparison in plan.arms.treated:
        yield BrokenRule(
            ("arms", "treated"), f"'{plan.arms.comparison}' is the comparison arm and cannot be treated as well"
        )
    if len(set(plan.arms.treated)) < len(plan.arms.treated):
        yield BrokenRule(("arms", "treated"), "an arm is named twice")
    arm = plan.source["persons"].columns.get("arm") if "persons" in plan.source else None
    if arm is None or not arm.values:
        return
    reached = set(arm.values.values()) - {""}
    # before_after also runs without a comparison: it then shows a change, never an effect
    needed = plan.arms.treated if plan.design == "before_after" else [plan.arms.comparison, *plan.arms.treated]
    for name in needed:
        if name not in reached:
            yield BrokenRule(
                ("source", "persons", "columns", "arm", "values"),
                f"no delivered value becomes arm '{name}'",
                listed(needed),
                "map one onto it, or name the plan's arms under 'arms'",
            )


def _outcomes(plan: Plan) -> Iterator[BrokenRule]:
    if not plan.outcomes:
        yield BrokenRule(("outcomes",), f"design {plan.design} needs at least one outcome")
    primary = [name for name, outcome in plan.outcomes.items() if outcome.primary]
    if len(primary) > 1:
        yield BrokenRule(
            ("outcomes", primary[1], "primary"),
            f"one outcome is primary, here {listed(primary)}",
            next_step="keep 'primary: true' at one of them; the others are secondary",
        )
    for name, outcome in plan.outcomes.items():
        path = ("outcomes", name)
        if outcome.event is not None and outcome.value is not None:
            yield BrokenRule((*path, "value"), "an outcome is an 'event' or a 'value', not both")
        if outcome.value is not None and outcome.where:
            yield BrokenRule((*path, "where"), "'where' selects events and means nothing for a delivered value")
        for position, measure in enumerate(outcome.measures):
            if measure not in SHAPES[plan.design].measures:
                yield BrokenRule(
                    (*path, "measures", position),
                    f"{measure} does not belong to design {plan.design}",
                    listed(SHAPES[plan.design].measures),
                )
            if measure == "mean_difference" and outcome.value is None and plan.design in PERSON_DESIGNS:
                yield BrokenRule((*path, "measures", position), "mean_difference needs a 'value' column")
        if outcome.primary and name in plan.negative_controls:
            yield BrokenRule((*path, "primary"), "a negative control cannot be the primary outcome")


def _columns_used(plan: Plan) -> Iterator[BrokenRule]:
    for name in plan.adjust_for:
        if name in _AFTER_TIME_ZERO:
            yield BrokenRule(
                ("adjust_for", name),
                f"'{name}' is not known at time zero, or says who was treated: it cannot be adjusted for",
                next_step="remove it; adjust only for what was known at time zero",
            )
        elif prior_count(name) is not None and plan.design in PERSON_DESIGNS and "events" not in plan.source:
            yield BrokenRule(
                ("adjust_for", name),
                "counts of earlier events are computed from table 'events', which the plan does not have",
                next_step="add 'events' under 'source', or give a delivered column another name",
            )
    for position, name in enumerate(plan.subgroups):
        if name in ("person_id", "arm"):
            yield BrokenRule(("subgroups", position), f"'{name}' does not make subgroups")
    for field in ("cluster", "strata", "pairs"):
        if getattr(plan, field) in ("person_id", "arm", "index_date", "start_date", "exit_date"):
            yield BrokenRule((field,), f"'{getattr(plan, field)}' cannot be the {field} column")
    if plan.design == "comparison_cohort" and "itt" in plan.estimand:
        yield BrokenRule(
            ("estimand",), "itt belongs to a randomised design: here nobody was allocated", "att, ato, ate"
        )
    for design, shape in SHAPES.items():
        field = shape.options
        if field and getattr(plan, field) is not None and plan.design != design:
            yield BrokenRule((field,), f"this block belongs to design {design}, and the design is {plan.design}")


def _column_names(plan: Plan) -> Iterator[BrokenRule]:
    """Yield names of columns that the vault, which takes no notice of capitals, could not tell apart."""
    named = [("adjust_for", *plan.adjust_for), ("subgroups", *plan.subgroups), ("eligibility", *plan.eligibility)]
    named += [(field, getattr(plan, field)) for field in ("strata", "pairs", "cluster") if getattr(plan, field)]
    named += [("outcomes", outcome.value) for outcome in plan.outcomes.values() if outcome.value is not None]
    first: dict[str, str] = {}
    for field, *names in named:
        for name in names:
            if name.casefold() in _OF_THE_INTAKE:
                yield BrokenRule((field,), f"'{name}' is a name of the intake's own", next_step=_RENAME)
            elif first.setdefault(name.casefold(), name) != name:
                yield BrokenRule(
                    (field,), f"'{name}' and '{first[name.casefold()]}' differ in capitals only", next_step=_RENAME
                )


def _ranges(plan: Plan) -> Iterator[BrokenRule]:
    life = plan.programme_life
    if life is not None and life.until is not None and life.until < life.from_:
        yield BrokenRule(("programme_life", "until"), "the programme ends before it starts")
    for column, rule in plan.eligibility.items():
        if not rule:
            yield BrokenRule(("eligibility", column), "an empty list lets nobody in", "two numbers or dates, or values")
        bounds = plan.eligible_range(column)
        if bounds is not None and bounds[0] > bounds[1]:
            yield BrokenRule(("eligibility", column), "the range ends before it starts")
    known = {*plan.outcomes, *plan.negative_controls} | {o.event for o in plan.outcomes.values() if o.event is not None}
    for name, (low, high) in plan.expectations.event_rate_per_year.items():
        path = ("expectations", "event_rate_per_year", name)
        if name not in known:
            yield BrokenRule(
                path, f"'{name}' is no outcome or event type here", listed(sorted(known)), nearest(name, known)
            )
        if not 0 <= low <= high:
            yield BrokenRule(path, "must be a lowest and a highest rate, neither below zero")


def _looks(plan: Plan) -> Iterator[BrokenRule]:
    if plan.looks.spending != "equal" and plan.looks.method == "alpha_spending" and plan.looks.first is None:
        yield BrokenRule(
            ("looks", "first"), "unequal spending must know which look this is", next_step="add 'first: 2026-Q1'"
        )


def _claims(plan: Plan) -> Iterator[BrokenRule]:
    for position, claim in enumerate(plan.claims):
        path = ("claims", position)
        bounds = (claim.at_most is not None) + (claim.at_least is not None)
        if claim.reach is not None:
            if claim.value is None or claim.value < 0:
                yield BrokenRule((*path, "value"), "a claim about reach needs 'value': how many, not below zero")
            if bounds or claim.outcome is not None or claim.measure is not None or claim.arm is not None:
                yield BrokenRule(path, "a claim is about reach or about an outcome, not both")
            continue
        if claim.arm is not None and claim.arm not in plan.arms.treated:
            yield BrokenRule(
                (*path, "arm"),
                f"there is no treated arm '{claim.arm}'",
                listed(plan.arms.treated),
                nearest(claim.arm, plan.arms.treated),
            )
        if claim.value is not None:
            yield BrokenRule((*path, "value"), "'value' goes with 'reach'; for an outcome use at_most or at_least")
        if bounds != 1:
            yield BrokenRule(path, "a claim needs exactly one of at_most and at_least (or reach, with value)")
        if claim.outcome is None:
            yield BrokenRule((*path, "outcome"), "a claim needs the outcome it is about", listed(plan.outcomes))
            continue
        if claim.outcome not in plan.outcomes:
            yield BrokenRule(
                (*path, "outcome"),
                f"there is no outcome '{claim.outcome}'",
                listed(plan.outcomes),
                nearest(claim.outcome, plan.outcomes),
            )
            continue
        measures = plan.outcomes[claim.outcome].measures
        beside = (other for measure in measures for other in _COMPANIONS.get(measure, ()))
        testable = list(dict.fromkeys([*measures, *(m for m in beside if m in SHAPES[plan.design].measures)]))
        if claim.measure not in testable:
            yield BrokenRule(
                (*path, "measure"),
                f"outcome '{claim.outcome}' is not measured by {claim.measure}",
                listed(testable),
                f"add it to outcomes.{claim.outcome}.measures, or test another measure",
            )
        bound = claim.at_most if claim.at_most is not None else claim.at_least
        if bound is not None and bound <= 0 and claim.measure in RATIO_MEASURES:
            yield BrokenRule(path, f"{claim.measure} is above zero, so a bound of {bound:g} says nothing")


def _disclosure(plan: Plan) -> Iterator[BrokenRule]:
    for field, least in (("minimum_persons", 10), ("minimum_families", 10), ("rounding_base", 5)):
        value = getattr(plan.disclosure, field)
        if value < least and not (plan.disclosure.reason or "").strip():
            yield BrokenRule(
                ("disclosure", field),
                f"{value} is looser than the default of {least}",
                f"{least} or more; less only with a written reason",
                "add 'reason:' under 'disclosure'; every report shows it",
            )


_CHECKS: tuple[Callable[[Plan], Iterator[BrokenRule]], ...] = (
    _tables,
    _column_maps,
    _arms,
    _outcomes,
    _columns_used,
    _column_names,
    _ranges,
    _looks,
    _claims,
    _disclosure,
)
