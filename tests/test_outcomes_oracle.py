"""The statements in `sql/cohort` and `sql/outcomes` against the slow `oracle`, on whatever Hypothesis makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
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
PEOPLE = tuple(f"p{number:02}" for number in range(1, 11))
STRANGER = "q1"  # an event of nobody we know

often = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,  # the same cases on every machine; lift it to look further
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
sometimes = settings(often, max_examples=6)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as opened:
        yield opened


# Days lie close to each other and to the windows' edges, so that ties and boundaries are the rule.
near = st.integers(-75, 75)
days = st.one_of(st.none(), st.sampled_from([0, 1, 9, 10, 30, 31, 60]), st.integers(0, 90))


@st.composite
def persons(draw: st.DrawFn, person_id: str) -> Person:
    return Person(
        person_id,
        arm=draw(st.sampled_from(["treated", "comparison", "treated", "comparison", "other", None])),
        index_date=draw(st.one_of(st.none(), st.integers(-130, 2).map(lambda n: REFERENCE + timedelta(days=n)))),
        follow_up_days=draw(days),
        linked=draw(st.sampled_from([None, True, True, False])),
        site_id=draw(st.sampled_from([None, "s1", "s2"])),
        family_id=draw(st.sampled_from([None, "f1"])),
        birth_year=draw(st.sampled_from([None, 2003, 2005, 2021])),
        sex=draw(st.sampled_from([None, "f", "m"])),
        score=draw(st.sampled_from([None, -1.5, 0.0, 2.0])),
        wellbeing=draw(st.sampled_from([None, 0.5])),
    )


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    people = tuple(draw(persons(name)) for name in PEOPLE[: draw(st.sampled_from([10, 10, 3, 1, 0]))])
    zero = {person.person_id: person.index_date or REFERENCE - timedelta(days=70) for person in people}
    zero[STRANGER] = REFERENCE
    someone = st.sampled_from(sorted(zero))
    has_days = draw(st.booleans())

    @st.composite
    def events(draw: st.DrawFn) -> Event:
        who, day = draw(someone), draw(near)
        return Event(
            who,
            event_type=draw(st.sampled_from(["contact", "contact", "conviction", "victim"])),
            event_date=None if has_days else draw(st.sampled_from([None, zero[who] + timedelta(days=day)])),
            event_day=day if has_days else None,
            decided_on=draw(st.one_of(st.none(), near.map(lambda n: zero[who] + timedelta(days=30 + n)))),
            severity=draw(st.sampled_from([None, "minor", "serious"])),
            place=draw(st.sampled_from([None, "north", "south"])),
        )

    @st.composite
    def absences(draw: st.DrawFn) -> Absence:
        who, start = draw(someone), draw(near)
        length = draw(st.one_of(st.none(), st.integers(-1, 30)))
        begins = zero[who] + timedelta(days=start)
        return Absence(
            who,
            draw(st.sampled_from([begins, begins, begins, None])),
            None if length is None else begins + timedelta(days=length),
            draw(st.sampled_from(["detention", "detention", "abroad", "deceased"])),
        )

    counts = st.builds(
        PersonCount,
        someone,
        st.sampled_from(["before", "after"]),
        st.sampled_from(["contact", "calls"]),
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.sampled_from([0, 5, 10, 30])),
    )
    return Delivery(
        people,
        tuple(draw(st.lists(events(), max_size=40))),
        tuple(draw(st.lists(absences(), max_size=15))),
        tuple(draw(st.one_of(st.just([]), st.lists(counts, max_size=15)))),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    outcomes: dict[str, Any] = {
        "calls": {"event": "contact"},
        "conviction": {"event": "conviction"},
        "serious": {"event": "conviction", "where": {"severity": ["serious"], "place": ["north", "south"]}},
        "northern": {"event": "contact", "where": {"place": ["north"]}},
        "wellbeing": {"value": "wellbeing", "measures": ["mean_difference"]},
    }
    outcomes[draw(st.sampled_from(sorted(outcomes)))]["primary"] = True
    eligibility = {
        "age_at_index": [16, 18],
        "index_date": [REFERENCE - timedelta(days=100), REFERENCE - timedelta(days=20)],
        "sex": ["f", "m"],
        "score": [0.0, 2.0, 7],
        "prior_contact_1m": [0, 1],
        "wellbeing": [0.5],
    }
    adjust_for = {"age_at_index": {}, "sex": "categorical", "score": {}, "prior_contact_1m": {}, "prior_victim_2m": {}}
    chosen = st.lists(st.sampled_from(sorted(adjust_for)), unique=True)
    return try_out(
        design=draw(st.sampled_from(["comparison_cohort", "randomised", "before_after"])),
        programme_life=draw(st.sampled_from([None, {"from": REFERENCE - timedelta(days=90)}, _life()])),
        eligibility={
            name: eligibility[name] for name in draw(st.lists(st.sampled_from(sorted(eligibility)), max_size=2))
        },
        adjust_for={name: adjust_for[name] for name in draw(chosen)},
        missing={"covariates": draw(st.sampled_from(["indicator", "exclude"]))},
        cluster=draw(st.sampled_from([None, "site_id"])),
        strata=draw(st.sampled_from([None, "block_id"])),
        subgroups=draw(st.sampled_from([[], ["sex"]])),
        follow_up={
            "days": draw(st.sampled_from([[10], [30, 10]])),
            "waiting_months": draw(st.integers(0, 1)),
            "until_end": draw(st.booleans()),
        },
        before_after={
            "before_days": draw(st.sampled_from([10, 30])),
            "after_days": draw(st.sampled_from([5, 30])),
            "wash_in_days": draw(st.sampled_from([0, 3])),
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
@given(deliveries(), plans())
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
@given(deliveries(), plans(), st.randoms(use_true_random=False))
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
@given(deliveries(), plans(), persons("p00"))
def test_one_more_person_changes_nobody_else(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, plan: Plan, newcomer: Person
) -> None:
    one = analysed(connection, delivery, plan, QUARTER)
    two = analysed(connection, replace(delivery, persons=(newcomer, *delivery.persons)), plan, QUARTER)
    others = two.persons.filter(two.persons["person_id"] != "p00")
    assert others.to_dicts() == one.persons.to_dicts()
    assert two.outcomes.filter(two.outcomes["person_id"] != "p00").to_dicts() == one.outcomes.to_dicts()


@sometimes
@given(deliveries(), plans())
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
