"""Events and time at risk: examples counted by hand. They are the documentation of the rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from oracle import Absence, Delivery, Event, Person, PersonCount, analysed, try_out

from effectmeter.errors import DeliveryError
from effectmeter.quarters import Quarter
from vault.cohort import read_attrition

ZERO = date(2020, 1, 1)
REFERENCE = Quarter(2021, 3).reference_date


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def on(day: int) -> date:
    """The date of a day since time zero."""
    return ZERO + timedelta(days=day)


def rows(connection: duckdb.DuckDBPyConnection, delivery: Delivery, **fields: Any) -> list[dict[str, Any]]:
    return analysed(connection, delivery, try_out(**fields)).outcomes.to_dicts()


def one(connection: duckdb.DuckDBPyConnection, delivery: Delivery, **fields: Any) -> dict[str, Any]:
    (row,) = rows(connection, delivery, **fields)
    return row


PERSON = Person("p", index_date=ZERO)
HUNDRED = {"follow_up": {"days": [100]}}


def test_window_runs_from_day_one_up_to_and_including_its_last_day(connection: duckdb.DuckDBPyConnection) -> None:
    events = tuple(Event("p", event_date=on(day)) for day in (-3, 0, 1, 1, 100, 101))
    row = one(connection, Delivery((PERSON,), events), **HUNDRED)
    assert row == {
        "person_id": "p",
        "outcome": "contact",
        "period": "follow_up",
        "window_days": 100,
        "is_complete": True,
        "n_events": 3,  # two on the same day are two
        "first_event_day": 1,
        "days_observed": 1,
        "days_calendar": 100,
        "days_free": 100,
    }


def test_days_instead_of_dates_as_in_the_trial_of_aid_to_released_prisoners(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    people = tuple(Person(name, index_date=None, follow_up_days=364) for name in ("never", "week 20", "week 52"))
    events = (Event("week 20", event_day=140), Event("week 52", event_day=364))
    found = rows(connection, Delivery(people, events), follow_up={"days": [364]})
    assert [(row["n_events"], row["days_observed"], row["is_complete"]) for row in found] == [
        (0, 364, True),
        (1, 140, True),
        (1, 364, True),
    ]


def test_overlapping_absences_take_a_day_away_once(connection: duckdb.DuckDBPyConnection) -> None:
    absences = (
        Absence("p", on(10), on(19)),  # 10 days
        Absence("p", on(15), on(24), "abroad"),  # 5 more
        Absence("p", on(12), on(13)),  # within the first
        Absence("p", on(25), on(25)),  # 1 more, next to the second
        Absence("p", on(-5), on(2)),  # 2 in the window
        Absence("p", on(98), None),  # 3 in the window, and goes on
        Absence("p", on(50), on(40)),  # ends before it starts: nothing
    )
    events = (Event("p", event_date=on(12)),)  # in detention; it still counts
    row = one(connection, Delivery((PERSON,), events, absences), **HUNDRED)
    assert (row["days_calendar"], row["days_free"], row["n_events"]) == (100, 100 - 10 - 5 - 1 - 2 - 3, 1)


def test_death_ends_observation_but_not_completeness(connection: duckdb.DuckDBPyConnection) -> None:
    absences = (Absence("p", on(31), None, "deceased"), Absence("p", on(25), on(40)))
    events = (Event("p", event_date=on(31)),)
    row = one(connection, Delivery((PERSON,), events, absences), **HUNDRED)
    # day 30 is the last one alive; of days 25 ... 30 nothing was free
    assert (row["days_calendar"], row["days_free"], row["days_observed"], row["n_events"]) == (30, 24, 30, 0)
    assert row["is_complete"]


def test_absences_cannot_be_placed_without_calendar_dates(connection: duckdb.DuckDBPyConnection) -> None:
    person = Person("p", index_date=None, follow_up_days=100)
    row = one(connection, Delivery((person,), (), (Absence("p", on(1), on(50)),)), **HUNDRED)
    assert (row["days_calendar"], row["days_free"]) == (100, 100)


def test_unfinished_follow_up_is_kept_observed_so_far_and_marked(connection: duckdb.DuckDBPyConnection) -> None:
    people = (
        Person("forty days", index_date=REFERENCE - timedelta(days=40)),
        Person("none", index_date=REFERENCE),
        Person("unknown", index_date=None),
    )
    events = (Event("forty days", event_day=40), Event("forty days", event_day=41), Event("unknown", event_day=1))
    found = rows(connection, Delivery(people, events), **HUNDRED)
    assert [(row["n_events"], row["days_calendar"], row["is_complete"]) for row in found] == [
        (1, 40, False),
        (0, 0, False),
        (0, 0, False),
    ]


def test_event_counts_when_it_was_decided_in_time(connection: duckdb.DuckDBPyConnection) -> None:
    decided = (on(130), on(131), None)  # 100 days and a waiting time of one month, which is 30 days
    events = tuple(Event("p", "conviction", event_date=on(5 + n), decided_on=day) for n, day in enumerate(decided))
    row = one(
        connection,
        Delivery((PERSON,), events),
        outcomes={"conviction": {"event": "conviction"}},
        follow_up={"days": [100], "waiting_months": 1},
    )
    assert (row["n_events"], row["first_event_day"], row["is_complete"]) == (1, 5, True)


def test_waiting_time_delays_completeness_only_where_decisions_matter(connection: duckdb.DuckDBPyConnection) -> None:
    index_date = REFERENCE - timedelta(days=129)
    events = (
        Event("p", "contact", event_date=index_date + timedelta(days=99)),
        Event("p", "conviction", event_date=index_date + timedelta(days=99), decided_on=REFERENCE),
        Event("p", "conviction", event_date=index_date + timedelta(days=100), decided_on=REFERENCE),
    )
    outcomes = {name: {"event": name} for name in ("contact", "conviction")}
    found = rows(
        connection,
        Delivery((Person("p", index_date=index_date),), events),
        outcomes=outcomes,
        follow_up={"days": [100], "waiting_months": 1},
    )
    # what happened on the last 30 days before the reference date may still be waiting for its decision
    assert [(row["outcome"], row["is_complete"], row["days_calendar"], row["n_events"]) for row in found] == [
        ("contact", True, 100, 1),
        ("conviction", False, 99, 1),
    ]


def test_to_the_end_of_ones_own_follow_up(connection: duckdb.DuckDBPyConnection) -> None:
    people = (PERSON, Person("q", index_date=REFERENCE - timedelta(days=7)), Person("r", index_date=REFERENCE))
    found = rows(connection, Delivery(people, (Event("q", event_day=7),)), follow_up={"until_end": True})
    whole = (REFERENCE - ZERO).days
    assert [(row["window_days"], row["days_calendar"], row["n_events"], row["is_complete"]) for row in found] == [
        (None, whole, 0, True),
        (None, 7, 1, True),
        (None, 0, 0, False),
    ]


def test_outcomes_select_events_by_where(connection: duckdb.DuckDBPyConnection) -> None:
    events = (
        Event("p", "conviction", event_day=3, severity="serious", place="north"),
        Event("p", "conviction", event_day=2, severity="very_serious", place="south"),
        Event("p", "conviction", event_day=1, severity="minor", place="north"),
        Event("p", "conviction", event_day=1, place="north"),
    )
    outcomes = {
        "all": {"event": "conviction"},
        "serious": {"event": "conviction", "where": {"severity": ["serious", "very_serious"]}},
        "serious_north": {"event": "conviction", "where": {"severity": ["serious"], "place": ["north"]}},
    }
    found = rows(connection, Delivery((PERSON,), events), outcomes=outcomes, negative_controls=["victim"], **HUNDRED)
    counts = {row["outcome"]: (row["n_events"], row["first_event_day"]) for row in found}
    assert counts == {"all": (4, 1), "serious": (2, 2), "serious_north": (1, 3), "victim": (0, None)}


def test_where_on_a_column_that_was_not_delivered(connection: duckdb.DuckDBPyConnection) -> None:
    outcomes = {"serious": {"event": "conviction", "where": {"gravity": ["serious"]}}}
    with pytest.raises(DeliveryError, match="not delivered: gravity"):
        rows(connection, Delivery((PERSON,)), outcomes=outcomes)


def test_before_and_after_with_a_wash_in_and_absences_on_both_sides(connection: duckdb.DuckDBPyConnection) -> None:
    events = tuple(Event("p", event_date=on(day)) for day in (-30, -29, 0, 1, 5, 6, 25, 26))
    absences = (Absence("p", on(-40), on(-25)), Absence("p", on(0), on(7)))
    after, before = rows(
        connection,
        Delivery((PERSON,), events, absences),
        design="before_after",
        before_after={"before_days": 30, "after_days": 20, "wash_in_days": 5},
    )
    # before: -29 ... 0; away on -29 ... -25 and on 0. After: 6 ... 25; away on 6 and 7
    assert (before["period"], before["window_days"], before["n_events"]) == ("before", 30, 2)
    assert (before["days_calendar"], before["days_free"]) == (30, 24)
    assert (after["period"], after["window_days"], after["n_events"]) == ("after", 20, 2)
    assert (after["days_calendar"], after["days_free"], after["is_complete"]) == (20, 18, True)


def test_after_is_not_complete_until_the_wash_in_has_passed_too(connection: duckdb.DuckDBPyConnection) -> None:
    around = {"before_days": 30, "after_days": 20, "wash_in_days": 5}
    for days, is_complete in ((24, False), (25, True)):
        person = Person("p", index_date=REFERENCE - timedelta(days=days))
        after, _ = rows(connection, Delivery((person,)), design="before_after", before_after=around)
        assert after["is_complete"] is is_complete
        lost = [step.n_lost for step in read_attrition(connection) if step.name == "complete_follow_up"]
        assert lost == [0, 0 if is_complete else 1]


def test_counts_add_up_and_may_have_unequal_windows(connection: duckdb.DuckDBPyConnection) -> None:
    counts = (
        PersonCount("p", "before", "contact", 2, 365),
        PersonCount("p", "after", "contact", 1, 100),
        PersonCount("p", "after", "contact", 0, 80),
        PersonCount("q", "before", "contact", 4, 365),
    )
    people = (Person("p", index_date=None), Person("q", index_date=None))
    found = rows(connection, Delivery(people, counts=counts), design="before_after")
    columns = ("person_id", "period", "n_events", "days_free", "days_calendar", "is_complete")
    assert [tuple(row[column] for column in columns) for row in found] == [
        ("p", "after", 1, 180, 180, True),
        ("p", "before", 2, 365, 365, True),
        ("q", "after", 0, 0, 0, False),
        ("q", "before", 4, 365, 365, True),
    ]


def test_counts_after_time_zero_fill_a_window_of_exactly_their_length(connection: duckdb.DuckDBPyConnection) -> None:
    people = tuple(Person(name, index_date=None) for name in ("longer", "right", "shorter"))
    counts = tuple(
        PersonCount(name, "after", "contact", 1, days)
        for name, days in (("longer", 400), ("right", 365), ("shorter", 90))
    )
    found = rows(connection, Delivery(people, counts=counts), follow_up={"days": [365], "until_end": True})
    columns = ("person_id", "window_days", "n_events", "days_free", "is_complete")
    assert [tuple(row[column] for column in columns) for row in found] == [
        ("longer", 365, 0, 0, False),  # nobody knows how many of it were in the window
        ("longer", None, 1, 400, True),
        ("right", 365, 1, 365, True),
        ("right", None, 1, 365, True),
        ("shorter", 365, 1, 90, False),
        ("shorter", None, 1, 90, True),
    ]


def test_last_step_says_who_has_the_primary_window(connection: duckdb.DuckDBPyConnection) -> None:
    people = (
        PERSON,
        Person("q", index_date=REFERENCE - timedelta(days=99)),
        Person("r", arm="comparison", index_date=REFERENCE - timedelta(days=100)),
    )
    analysed(connection, Delivery(people), try_out(**HUNDRED))
    analysed(connection, Delivery(people), try_out(**HUNDRED))  # twice is once
    last = [step for step in read_attrition(connection) if step.name == "complete_follow_up"]
    assert [(step.arm, step.n_before, step.n_lost, step.n_after) for step in last] == [
        ("comparison", 1, 0, 1),
        ("treated", 2, 1, 1),
    ]
    assert {step.step for step in last} == {1 + max(step.step for step in read_attrition(connection)) - 1}


def test_last_step_of_a_delivered_value_says_who_was_measured(connection: duckdb.DuckDBPyConnection) -> None:
    people = (Person("p", wellbeing=0.0), Person("q"), Person("r", arm="comparison", wellbeing=1.0))
    outcomes = {"wellbeing": {"value": "wellbeing"}}
    data = analysed(connection, Delivery(people), try_out(outcomes=outcomes))
    assert data.outcomes.is_empty()
    last = [step for step in read_attrition(connection) if step.name == "complete_follow_up"]
    assert [(step.arm, step.n_lost, step.n_after) for step in last] == [("comparison", 0, 1), ("treated", 1, 1)]
