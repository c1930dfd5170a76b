"""The slow, obvious reference for cohort and outcomes: plain loops over persons, days and events.

Written from the semantics, not from the statements in `sql/`, which must agree with it on whatever Hypothesis makes.
The reference itself reads the plan's fields and nothing else of the project.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, field, fields
from datetime import date, timedelta
from typing import Any

import duckdb

from effectmeter.designs.base import AnalysisData
from effectmeter.plan import Outcome, Plan
from effectmeter.quarters import Quarter
from vault.analysis import read_analysis_data
from vault.cohort import build_cohort
from vault.outcomes import build_outcomes

Row = dict[str, Any]
QUARTER = Quarter(2021, 3)


@dataclass(frozen=True)
class Person:
    person_id: str
    arm: str | None = "treated"
    index_date: date | None = date(2020, 1, 1)
    start_date: date | None = None
    exit_date: date | None = None
    follow_up_days: int | None = None
    linked: bool | None = None
    site_id: str | None = None
    family_id: str | None = None
    block_id: str | None = None
    pair_id: str | None = None
    birth_year: int | None = None
    sex: str | None = None
    score: float | None = None
    wellbeing: float | None = None


@dataclass(frozen=True)
class Event:
    person_id: str
    event_type: str = "contact"
    event_date: date | None = None
    event_day: int | None = None
    decided_on: date | None = None
    severity: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Absence:
    person_id: str
    start_date: date | None
    end_date: date | None = None
    reason: str = "detention"


@dataclass(frozen=True)
class PersonCount:
    person_id: str
    period: str
    outcome: str
    count: int | None
    days: int | None = None


@dataclass(frozen=True)
class Delivery:
    persons: tuple[Person, ...] = ()
    events: tuple[Event, ...] = ()
    absences: tuple[Absence, ...] = ()
    counts: tuple[PersonCount, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What the oracle finds; rows in the order of `read_analysis_data`."""

    attrition: list[tuple[str, str, int, int, int]]
    """Arm, step, before, lost, after."""
    persons: list[Row]
    outcomes: list[Row]
    placebo_persons: list[Row] | None = None
    placebo_outcomes: list[Row] | None = field(default=None)


# ---------------------------------------------------------------------------------------------------- the delivery

_TYPES = {
    "index_date": "date", "start_date": "date", "exit_date": "date", "end_date": "date", "event_date": "date",
    "decided_on": "date", "follow_up_days": "bigint", "event_day": "bigint", "count": "bigint", "days": "bigint",
    "birth_year": "integer", "linked": "boolean", "score": "double", "wellbeing": "double",
}  # fmt: skip
_TABLES = {"persons": Person, "events": Event, "absences": Absence, "person_counts": PersonCount}


def land(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
    """Put a delivery in the landing tables, in the order in which it is given."""
    connection.execute("create schema if not exists landing")
    rows = {
        "persons": delivery.persons,
        "events": delivery.events,
        "absences": delivery.absences,
        "person_counts": delivery.counts,
    }
    for table, kind in _TABLES.items():
        columns = ", ".join(f'"{f.name}" {_TYPES.get(f.name, "varchar")}' for f in fields(kind))
        connection.execute(f"create or replace table landing.{table} ({columns})")
        if rows[table]:
            marks = "(" + ", ".join("?" for _ in fields(kind)) + ")"
            values = [value for row in rows[table] for value in astuple(row)]
            connection.execute(f"insert into landing.{table} values " + ", ".join([marks] * len(rows[table])), values)


def try_out(**fields: Any) -> Plan:
    """A plan over these tables; `fields` on top."""
    default: dict[str, Any] = {
        "programme": "try-out",
        "title": {"nl": "Proef", "en": "Try-out"},
        "design": "comparison_cohort",
        "source": {name: {"file": f"{name}.csv"} for name in _TABLES},
        "outcomes": {"contact": {"event": "contact"}},
    }
    return Plan.model_validate(default | fields)


def analysed(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan, quarter: Quarter = QUARTER
) -> AnalysisData:
    """What the statements make of a delivery."""
    land(connection, delivery)
    build_cohort(connection, plan, quarter)
    build_outcomes(connection, plan, quarter)
    return read_analysis_data(connection, plan, quarter)


# ---------------------------------------------------------------------------------------------------- the cohort


def day_of(event: Event, index_date: date | None, shift: int) -> int | None:
    """Day since the time zero that lies `shift` days before the delivered one; `index_date` is the delivered one."""
    if event.event_day is not None:
        return event.event_day + shift
    if event.event_date is not None and index_date is not None:
        return (event.event_date - index_date).days + shift
    return None


def covariate(name: str, person: Person, delivery: Delivery, shift: int) -> Any:
    if name == "age_at_index":
        if person.index_date is None or person.birth_year is None:
            return None
        return float((person.index_date - timedelta(days=shift)).year - person.birth_year)
    prior = re.fullmatch(r"prior_(.+)_(\d+)m", name)
    if prior is None:
        return getattr(person, name)
    number = 0
    for event in delivery.events:
        if event.person_id == person.person_id and event.event_type == prior[1]:
            day = day_of(event, person.index_date, shift)
            if day is not None and -int(int(prior[2]) * 365.25 / 12) < day <= 0:
                number += 1
    return float(number)


def is_eligible(value: Any, allowed: list[Any]) -> bool:
    if value is None:
        return False
    if len(allowed) == 2 and (
        all(isinstance(bound, (int, float)) for bound in allowed) or all(isinstance(bound, date) for bound in allowed)
    ):
        return bool(allowed[0] <= value <= allowed[1])
    return value in allowed


def steps(plan: Plan) -> list[str]:
    names = ["delivered", "arm_in_plan"]
    if plan.programme_life:
        names.append("time_zero_in_programme_life")
    names.append("time_zero_by_reference_date")
    names += [f"eligible_{name}" for name in plan.eligibility]
    names.append("linked")
    if plan.missing.covariates == "exclude" and plan.adjust_for:
        names.append("covariates_complete")
    return names


def passes(step: str, person: Person, delivery: Delivery, plan: Plan, reference: date) -> bool:
    if step == "arm_in_plan":
        return person.arm in [plan.arms.comparison, *plan.arms.treated]
    if step == "time_zero_in_programme_life" and plan.programme_life and person.index_date:
        life = plan.programme_life
        return life.from_ <= person.index_date <= (life.until or date.max)
    if step == "time_zero_by_reference_date" and person.index_date:
        return person.index_date <= reference
    if step.startswith("eligible_"):
        name = step.removeprefix("eligible_")
        return is_eligible(covariate(name, person, delivery, 0), plan.eligibility[name])
    if step == "linked":
        return person.linked is not False
    if step == "covariates_complete":
        return all(covariate(name, person, delivery, 0) is not None for name in plan.adjust_for)
    return True


def follow_up(person: Person, reference: date, *, waiting: int = 0, shift: int = 0) -> int | None:
    """Last day since time zero of which anything can be known; None when nothing says so."""
    limits = []
    if person.index_date is not None:
        limits.append((reference - person.index_date).days + shift - waiting)
    if shift:
        limits.append(shift)
    elif person.follow_up_days is not None:
        limits.append(person.follow_up_days)
    return min(limits) if limits else None


def person_row(person: Person, delivery: Delivery, plan: Plan, reference: date, shift: int) -> Row:
    names = [*plan.adjust_for, *plan.subgroups, *plan.eligibility]
    names += [outcome.value for outcome in plan.outcomes.values() if outcome.value]
    row = {
        "person_id": person.person_id,
        "arm": person.arm,
        "cluster": getattr(person, plan.cluster) if plan.cluster else None,
        "stratum": getattr(person, plan.strata) if plan.strata else None,
        "pair": getattr(person, plan.pairs) if plan.pairs else None,
        "family": person.family_id,
        "linked": person.linked,
        "potential_follow_up_days": follow_up(person, reference, shift=shift),
        "start_delay_days": None
        if person.start_date is None or person.index_date is None
        else (person.start_date - person.index_date).days,
    }
    moved = {"index_date": None if person.index_date is None else person.index_date - timedelta(days=shift)}
    return row | {
        name: moved[name] if name in moved else covariate(name, person, delivery, shift)
        for name in dict.fromkeys(names)
    }


# ---------------------------------------------------------------------------------------------------- the outcomes

Window = tuple[str, int | None, int, int | None]


def windows(plan: Plan) -> list[Window]:
    if plan.design == "before_after":
        b = plan.before_after
        return [
            ("after", b.after_days, b.wash_in_days + 1, b.wash_in_days + b.after_days),
            ("before", b.before_days, 1 - b.before_days, 0),
        ]
    found: list[Window] = [("follow_up", days, 1, days) for days in plan.follow_up.windows_days]
    return sorted(found) + ([("follow_up", None, 1, None)] if plan.follow_up.until_end else [])


def outcomes(plan: Plan) -> dict[str, Outcome]:
    asked = {name: outcome for name, outcome in plan.outcomes.items() if outcome.value is None}
    for name in plan.negative_controls:
        asked.setdefault(name, Outcome(event=name))
    return asked


def window_row(
    person: Person, delivery: Delivery, plan: Plan, reference: date, name: str, window: Window, shift: int
) -> Row:
    outcome = outcomes(plan)[name]
    period, window_days, first, last = window
    awaits = any(event.event_type == outcome.event and event.decided_on for event in delivery.events)
    waiting = plan.follow_up.waiting_days
    known_until = follow_up(person, reference, waiting=waiting if awaits else 0, shift=shift)
    time_zero = None if person.index_date is None else person.index_date - timedelta(days=shift)
    if last is None:
        is_complete = known_until is not None and known_until >= 1
        last = known_until if known_until is not None else 0
    else:
        is_complete = known_until is not None and known_until >= last

    absences = [a for a in delivery.absences if a.person_id == person.person_id and a.start_date]
    deaths = [a.start_date for a in absences if a.reason == "deceased" and a.start_date]
    observed, free = [], []
    for day in range(first, last + 1):
        if known_until is None or day > known_until:
            break
        if time_zero is not None:
            today = time_zero + timedelta(days=day)
            if any(today >= death for death in deaths):
                break
            if not any(a.start_date <= today <= (a.end_date or date.max) for a in absences if a.start_date):
                free.append(day)
        else:
            free.append(day)
        observed.append(day)

    days = []
    for event in delivery.events:
        if event.person_id != person.person_id or event.event_type != outcome.event:
            continue
        if any(getattr(event, column) not in allowed for column, allowed in outcome.where.items()):
            continue
        if awaits:
            if event.decided_on is None or event.decided_on > reference:
                continue
            if time_zero is not None and event.decided_on > time_zero + timedelta(days=last + waiting):
                continue
        day = day_of(event, person.index_date, shift)
        if day in observed:
            days.append(day)
    return {
        "person_id": person.person_id,
        "outcome": name,
        "period": period,
        "window_days": window_days,
        "is_complete": is_complete,
        "n_events": len(days),
        "first_event_day": min(days, default=None),
        "days_observed": min(days) - first + 1 if days else len(observed),
        "days_calendar": len(observed),
        "days_free": len(free),
    }


def count_row(person: Person, delivery: Delivery, plan: Plan, reference: date, name: str, window: Window) -> Row:
    outcome = outcomes(plan)[name]
    period, window_days, _, _ = window
    delivered_as = name if any(c.outcome == name for c in delivery.counts) else outcome.event
    found = [
        c
        for c in delivery.counts
        if c.person_id == person.person_id
        and c.outcome == delivered_as
        and c.period == ("after" if period == "follow_up" else period)
    ]
    counts = [c.count for c in found if c.count is not None]
    delivered_days = [c.days for c in found if c.days is not None]
    if delivered_days:
        days = sum(delivered_days)
    else:
        days = window_days if window_days is not None else follow_up(person, reference) or 0
    any_length = period != "follow_up" or window_days is None
    is_usable = bool(counts) and days > 0 and (any_length or days <= window_days)
    return {
        "person_id": person.person_id,
        "outcome": name,
        "period": period,
        "window_days": window_days,
        "is_complete": is_usable and (any_length or days == window_days),
        "n_events": sum(counts) if is_usable else 0,
        "first_event_day": None,
        "days_observed": days if is_usable else 0,
        "days_calendar": days if is_usable else 0,
        "days_free": days if is_usable else 0,
    }


# ---------------------------------------------------------------------------------------------------- all of it


def expect(delivery: Delivery, plan: Plan, reference: date) -> Expected:
    cohort: list[Person] = []
    lost_at: dict[str, str] = {}
    for person in sorted(delivery.persons, key=lambda p: p.person_id):
        failed = [step for step in steps(plan) if not passes(step, person, delivery, plan, reference)]
        if failed:
            lost_at[person.person_id] = failed[0]
        else:
            cohort.append(person)

    counted = {c.outcome for c in delivery.counts}
    rows = []
    for person in cohort:
        for name, outcome in sorted(outcomes(plan).items()):
            for window in windows(plan):
                if name in counted or outcome.event in counted:
                    rows.append(count_row(person, delivery, plan, reference, name, window))
                else:
                    rows.append(window_row(person, delivery, plan, reference, name, window, 0))

    found = Expected(
        attrition(delivery, plan, cohort, lost_at, rows),
        [person_row(person, delivery, plan, reference, 0) for person in cohort],
        rows,
    )
    return placebo(found, delivery, plan, reference, cohort, counted)


def attrition(
    delivery: Delivery, plan: Plan, cohort: list[Person], lost_at: dict[str, str], rows: list[Row]
) -> list[tuple[str, str, int, int, int]]:
    table = []
    known = [plan.arms.comparison, *plan.arms.treated]
    for arm in sorted({*known, ""}):
        left = [p for p in delivery.persons if (p.arm == arm if arm else p.arm not in known)]
        for step in steps(plan):
            lost = [p for p in left if lost_at.get(p.person_id) == step]
            if arm or left:
                table.append((arm, step, len(left), len(lost), len(left) - len(lost)))
            left = [p for p in left if p not in lost]
        if not arm:
            continue
        complete = [p for p in left if is_complete(p, plan, rows)]
        table.append((arm, "complete_follow_up", len(left), len(left) - len(complete), len(complete)))
    return table


def is_complete(person: Person, plan: Plan, rows: list[Row]) -> bool:
    primary = next(name for name, outcome in plan.outcomes.items() if outcome.primary)
    value = plan.outcomes[primary].value
    if value is not None:
        return getattr(person, value) is not None
    window = next(iter(plan.follow_up.windows_days), None)
    own = [r for r in rows if r["person_id"] == person.person_id and r["outcome"] == primary]
    return all(r["is_complete"] for r in own if r["period"] != "follow_up" or r["window_days"] == window)


def placebo(
    found: Expected, delivery: Delivery, plan: Plan, reference: date, cohort: list[Person], counted: set[str]
) -> Expected:
    if plan.design == "before_after":
        shift = plan.before_after.wash_in_days + plan.before_after.after_days
        reach, primary = -shift, windows(plan)
    elif plan.follow_up.windows_days:
        shift = plan.follow_up.windows_days[0]
        reach, primary = -1, [("follow_up", shift, 1, shift)]
    else:
        return found
    zero = {person.person_id: person.index_date for person in delivery.persons}
    with_history = set()
    for event in delivery.events:
        day = day_of(event, zero.get(event.person_id), 0) if event.person_id in zero else None
        if day is not None and day <= reach:
            with_history.add(event.event_type)
    names = [
        name
        for name, outcome in sorted(outcomes(plan).items())
        if outcome.event in with_history and name not in counted and outcome.event not in counted
    ]
    if not names or not cohort:
        return found
    return Expected(
        found.attrition,
        found.persons,
        found.outcomes,
        [person_row(person, delivery, plan, reference, shift) for person in cohort],
        [
            window_row(person, delivery, plan, reference, name, window, shift)
            for person in cohort
            for name in names
            for window in primary
        ],
    )
