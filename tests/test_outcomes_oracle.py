"""The statements in `sql/cohort` and `sql/outcomes` against the slow `oracle`, on whatever Hypothesis makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Absence, Delivery, Event, Expected, Person, PersonCount, analysed, expect, try_out

from effectmeter.designs.base import AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.cohort import read_attrition

QUARTER = Quarter(2021, 3)
REFERENCE = QUARTER.reference_date
PEOPLE = tuple(f"p{number:02}" for number in range(1, 25))
STRANGER = "q1"  # an event of nobody we know

often = settings(
    max_examples=45,
    deadline=None,
    derandomize=True,  # the same cases on every machine; lift it to look further
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sometimes = settings(often, max_examples=6)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as opened:
        yield opened


class Picks:
    """One row's choices. Hypothesis picks the seed and how much there is; row by row, it makes most rows alike."""

    def __init__(self, seed: int, row: str) -> None:
        self._random = Random(f"{seed} {row}")

    def one(self, *options: Any) -> Any:
        return self._random.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


def a_person(name: str, pick: Picks) -> Person:
    return Person(
        name,
        arm=pick.one(*["treated", "comparison"] * 5, "other", None),
        index_date=pick.one(
            *[REFERENCE - timedelta(days=pick.number(0, 130))] * 8, REFERENCE + timedelta(days=1), None
        ),
        follow_up_days=pick.one(None, None, None, 0, 1, 9, 10, 30, 31, 90),
        start_date=pick.one(None, REFERENCE - timedelta(days=40)),
        linked=pick.one(None, True, True, None, True, False),
        site_id=pick.one(None, "s1", "s2"),
        family_id=pick.one(None, "f1"),
        birth_year=pick.one(2003, 2005, 2004, None),
        sex=pick.one("f", "m", "f", None),
        score=pick.one(0.0, 2.0, -1.5, None),
        wellbeing=pick.one(0.5, None),
    )


def an_event(zero: dict[str, date], has_days: bool, pick: Picks) -> Event:
    """Days lie close to each other and to the edges of windows, so that ties and boundaries are the rule."""
    who, day = pick.one(*zero), pick.one(pick.number(-75, 75), pick.number(-3, 12))
    return Event(
        who,
        event_type=pick.one("contact", "conviction", "victim"),
        event_date=None if has_days else pick.one(*[zero[who] + timedelta(days=day)] * 5, None),
        event_day=day if has_days else None,
        decided_on=pick.one(*[zero[who] + timedelta(days=day + pick.number(0, 60))] * 2, None),
        severity=pick.one("serious", "serious", "minor", None),
        place=pick.one("north", "south", None),
    )


def an_absence(zero: dict[str, date], pick: Picks) -> Absence:
    who = pick.one(*zero)
    start = zero[who] + timedelta(days=pick.number(-40, 40))
    return Absence(
        who,
        pick.one(*[start] * 7, None),
        pick.one(*[start + timedelta(days=pick.number(-2, 15))] * 6, None),
        pick.one("detention", "detention", "abroad", "detention", "abroad", "abroad", "deceased"),
    )


def a_count(zero: dict[str, date], pick: Picks) -> PersonCount:
    return PersonCount(
        pick.one(*zero),
        pick.one("before", "after"),
        pick.one("calls", "contact"),
        pick.one(1, 0, 3, None),
        pick.one(10, 30, 5, 0, None),
    )


seeds = st.integers(0, 2**24 - 1)


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    seed, size = draw(seeds), min(10, draw(st.integers(0, 99)))
    pick = Picks(seed, "delivery")
    has_days, has_counts = pick.one(True, False), pick.one(True, False, False)

    def lots(kind: str, n_rows: int) -> list[Picks]:
        return [Picks(seed, f"{kind} {number}") for number in range(n_rows)]

    people = tuple(map(a_person, PEOPLE, lots("person", len(PEOPLE) * size // 10)))
    zero = {person.person_id: person.index_date or REFERENCE - timedelta(days=70) for person in people}
    zero[STRANGER] = REFERENCE
    return Delivery(
        people,
        tuple(an_event(zero, has_days, pick) for pick in lots("event", 25 * size)),
        tuple(an_absence(zero, pick) for pick in lots("absence", 8 * size)),
        tuple(a_count(zero, pick) for pick in lots("count", 5 * size)) if has_counts else (),
    )


plans = seeds.map(lambda seed: a_plan(Picks(seed, "plan")))
newcomers = seeds.map(lambda seed: a_person("p00", Picks(seed, "newcomer")))


def a_plan(pick: Picks) -> Plan:
    outcomes: dict[str, Any] = {
        "calls": {"event": "contact"},
        "conviction": {"event": "conviction"},
        "serious": {"event": "conviction", "where": {"severity": ["serious"], "place": ["north", "south"]}},
        "northern": {"event": "contact", "where": {"place": ["north"]}},
        "wellbeing": {"value": "wellbeing", "measures": ["mean_difference"]},
    }
    outcomes[pick.one(*outcomes)]["primary"] = True
    eligibility = {
        "age_at_index": [16, 18],
        "index_date": [REFERENCE - timedelta(days=100), REFERENCE - timedelta(days=20)],
        "sex": ["f", "m"],
        "score": [0.0, 2.0, 7],
        "prior_contact_1m": [0, 1],
        "wellbeing": [0.5],
    }
    ones = [[name] for name in eligibility]
    adjust_for = {"age_at_index": {}, "sex": "categorical", "score": {}, "prior_contact_1m": {}, "prior_victim_2m": {}}
    chosen = [name for name in adjust_for if pick.one(True, False)]
    return try_out(
        design=pick.one("comparison_cohort", "randomised", "before_after"),
        programme_life=pick.one(None, None, None, {"from": REFERENCE - timedelta(days=90)}, _life()),
        eligibility={
            name: eligibility[name] for name in pick.one([], [], [], [], *ones, ones[0] + ones[1], ones[2] + ones[4])
        },
        adjust_for={name: adjust_for[name] for name in chosen},
        missing={"covariates": pick.one("indicator", "indicator", "exclude")},
        cluster=pick.one(None, "site_id"),
        strata=pick.one(None, "block_id"),
        subgroups=pick.one([], ["sex"]),
        follow_up={
            "days": pick.one([10], [30, 10]),
            "waiting_months": pick.one(0, 1),
            "until_end": pick.one(True, False),
        },
        before_after={
            "before_days": pick.one(10, 30),
            "after_days": pick.one(5, 30),
            "wash_in_days": pick.one(0, 3),
        },
        outcomes=outcomes,
        negative_controls=["victim"],
    )


def _life() -> dict[str, date]:
    return {"from": REFERENCE - timedelta(days=120), "until": REFERENCE - timedelta(days=31)}


def as_expected(connection: duckdb.DuckDBPyConnection, data: AnalysisData) -> Expected:
    steps = read_attrition(connection)
    return Expected(
        [(step.arm, step.name, step.n_before, step.n_lost, step.n_after) for step in steps],
        data.persons.to_dicts(),
        data.outcomes.to_dicts(),
        data.placebo.persons.to_dicts() if data.placebo else None,
        data.placebo.outcomes.to_dicts() if data.placebo else None,
    )


@often
@given(deliveries(), plans)
def test_statements_agree_with_the_oracle(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan
) -> None:
    found = as_expected(connection, analysed(connection, delivery, plan, QUARTER))
    expected = expect(delivery, plan, REFERENCE)
    assert found.attrition == expected.attrition
    assert found.persons == expected.persons
    assert found.outcomes == expected.outcomes
    assert found.placebo_persons == expected.placebo_persons
    assert found.placebo_outcomes == expected.placebo_outcomes


@sometimes
@given(deliveries(), plans, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan, random: Any
) -> None:
    shuffled = Delivery(
        *(tuple(random.sample(rows, len(rows))) for rows in (delivery.persons, delivery.events, delivery.absences)),
        delivery.counts[::-1],
    )
    one = as_expected(connection, analysed(connection, delivery, plan, QUARTER))
    assert as_expected(connection, analysed(connection, shuffled, plan, QUARTER)) == one


@sometimes
@given(deliveries(), plans, newcomers)
def test_one_more_person_changes_nobody_else(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan, newcomer: Person
) -> None:
    one = analysed(connection, delivery, plan, QUARTER)
    two = analysed(connection, replace(delivery, persons=(newcomer, *delivery.persons)), plan, QUARTER)
    others = two.persons.filter(two.persons["person_id"] != "p00")
    assert others.to_dicts() == one.persons.to_dicts()
    assert two.outcomes.filter(two.outcomes["person_id"] != "p00").to_dicts() == one.outcomes.to_dicts()


@sometimes
@given(deliveries(), plans)
def test_person_time_and_attrition_add_up(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan
) -> None:
    data = analysed(connection, delivery, plan, QUARTER)
    for row in data.outcomes.to_dicts():
        assert 0 <= row["days_free"] <= row["days_calendar"]
        assert 0 <= row["days_observed"] <= row["days_calendar"]
        if row["window_days"] is not None and not delivery.counts:
            assert row["days_calendar"] <= row["window_days"]
            if row["is_complete"] and all(absence.reason != "deceased" for absence in delivery.absences):
                assert row["days_calendar"] == row["window_days"]
    steps = read_attrition(connection)
    for before, after in pairwise(steps):
        assert before.n_before - before.n_lost == before.n_after
        assert before.arm != after.arm or before.n_after == after.n_before
    assert sum(step.n_before for step in steps if step.name == "delivered") == len(delivery.persons)
    lost = sum(step.n_lost for step in steps if step.name != "complete_follow_up")
    assert len(delivery.persons) - lost == data.persons.height
