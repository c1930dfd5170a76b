"""Who is analysed, from when, and why the others are not: examples counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest
from oracle import Delivery, Event, Person, analysed, land, try_out

from effectmeter.designs.base import OUTCOMES_COLUMNS, PERSONS_COLUMNS
from effectmeter.errors import DeliveryError, PlanError
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.schema import DUCKDB_TYPES, STANDARD_TABLES
from vault.analysis import read_analysis_data
from vault.cohort import build_cohort, read_attrition

QUARTER = Quarter(2021, 3)  # ends on 30 September 2021


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def test_every_loss_is_counted_at_the_first_step_that_is_not_passed(connection: duckdb.DuckDBPyConnection) -> None:
    plan = try_out(
        programme_life={"from": date(2019, 1, 1), "until": date(2021, 12, 31)},
        eligibility={"age_at_index": [10, 18]},
        adjust_for={"score": "numeric"},
        missing={"covariates": "exclude"},
    )
    fine = Person("", birth_year=2005, score=1.0)
    people = (
        replace(fine, person_id="analysed"),
        replace(fine, person_id="analysed at 10", birth_year=2010),
        replace(fine, person_id="in another arm", arm="other"),
        replace(fine, person_id="in no arm", arm=None),
        replace(fine, person_id="before the programme", index_date=date(2018, 12, 31)),
        replace(fine, person_id="in the future", index_date=date(2021, 10, 1)),
        replace(fine, person_id="too young", birth_year=2011),
        replace(fine, person_id="of unknown age", birth_year=None),
        replace(fine, person_id="not linked", linked=False),
        replace(fine, person_id="without score", score=None),
        replace(fine, person_id="too young, not linked, without score", birth_year=2015, linked=False, score=None),
        replace(fine, person_id="compared", arm="comparison", linked=True),
    )
    land(connection, Delivery(people))

    steps = build_cohort(connection, plan, QUARTER)

    assert [(step.name, step.n_before, step.n_lost, step.n_after) for step in steps if step.arm == "treated"] == [
        ("delivered", 9, 0, 9),
        ("arm_in_plan", 9, 0, 9),
        ("time_zero_in_programme_life", 9, 1, 8),
        ("time_zero_by_reference_date", 8, 1, 7),
        ("eligible_age_at_index", 7, 3, 4),
        ("linked", 4, 1, 3),
        ("covariates_complete", 3, 1, 2),
    ]
    assert [(step.name, step.n_lost, step.n_after) for step in steps if step.arm == ""] == [
        ("delivered", 0, 2),
        ("arm_in_plan", 2, 0),
    ]
    assert [step.n_after for step in steps if step.arm == "comparison"] == [1] * 7
    assert steps == read_attrition(connection)
    found = connection.sql("select person_id from cohort.persons order by person_id").fetchall()
    assert found == [("analysed",), ("analysed at 10",), ("compared",)]


def test_reasons_are_sentences_in_both_languages_and_name_what_the_plan_asks(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    land(connection, Delivery((Person("p"),)))
    plan = try_out(eligibility={"age_at_index": [10, 18], "sex": ["f", "m", "x"]})
    reasons = {step.name: (step.reason, step.reason_nl) for step in build_cohort(connection, plan, QUARTER)}
    assert reasons["eligible_age_at_index"] == (
        "Not eligible: age_at_index is not from 10 to 18, or unknown",
        "Hoort niet bij de doelgroep: age_at_index is niet van 10 tot en met 18, of onbekend",
    )
    assert "f or m or x" in reasons["eligible_sex"][0]
    assert all(en and nl and en != nl for en, nl in reasons.values())


def test_prior_counts_look_back_whole_days_up_to_and_including_time_zero(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    events = tuple(Event("p", event_day=day) for day in (1, 0, 0, -364, -365, -729, -730))
    events += (Event("p", "conviction", event_day=-1), Event("stranger", event_day=-1))
    plan = try_out(adjust_for={"prior_contact_12m": {}, "prior_contact_24m": {}, "prior_conviction_1m": {}})
    data = analysed(connection, Delivery((Person("p"), Person("quiet")), events), plan)
    columns = ["prior_contact_12m", "prior_contact_24m", "prior_conviction_1m"]
    # 12 months are 365 days: -364 ... 0. 24 months are 730.
    assert data.persons.select(columns).rows() == [(3.0, 5.0, 1.0), (0.0, 0.0, 0.0)]


def test_age_is_that_of_the_calendar_year_since_no_birth_date_is_ever_delivered(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    people = (
        Person("born 2005", birth_year=2005, index_date=date(2020, 12, 31)),
        Person("no birth year"),
        Person("no date", index_date=None, follow_up_days=10, birth_year=2005),
    )
    data = analysed(connection, Delivery(people), try_out(adjust_for={"age_at_index": {}}))
    assert data.persons["age_at_index"].to_list() == [15.0, None, None]


def test_eligibility_reads_dates_numbers_and_values(connection: duckdb.DuckDBPyConnection) -> None:
    people = (
        Person("a", index_date=date(2020, 3, 1), sex="f", score=2.0),
        Person("b", index_date=date(2020, 2, 29), sex="f", score=2.0),
        Person("c", index_date=date(2020, 3, 1), sex="v", score=2.0),
        Person("d", index_date=date(2020, 3, 1), sex="f", score=2.5),
    )
    plan = try_out(eligibility={"index_date": ["2020-03-01", "2020-04-01"], "sex": ["f", "m"], "score": [1, 2, 3]})
    data = analysed(connection, Delivery(people), plan)
    assert data.persons["person_id"].to_list() == ["a"]
    assert data.persons["index_date"].to_list() == [date(2020, 3, 1)]


def test_frames_have_the_agreed_columns_and_types(connection: duckdb.DuckDBPyConnection) -> None:
    plan = try_out(
        adjust_for={"sex": "categorical", "score": {}, "prior_contact_12m": {}},
        subgroups=["sex", "block_id"],
        cluster="site_id",
        strata="block_id",
        pairs="pair_id",
        outcomes={"contact": {"event": "contact"}, "wellbeing": {"value": "wellbeing"}},
    )
    person = Person("p", site_id="s", block_id="b", pair_id="q", family_id="f", wellbeing=3.5)
    data = analysed(connection, Delivery((person,), (Event("p", event_day=-5),)), plan)
    assert data.placebo is not None
    for frames in (data, data.placebo):
        assert dict(list(frames.persons.schema.items())[: len(PERSONS_COLUMNS)]) == PERSONS_COLUMNS
        assert frames.persons.columns[len(PERSONS_COLUMNS) :] == [
            "sex",
            "score",
            "prior_contact_12m",
            "block_id",
            "wellbeing",
        ]
        assert frames.persons.row(0)[2:6] == ("s", "b", "q", "f")
        assert dict(frames.outcomes.schema) == OUTCOMES_COLUMNS
    # a delivered value is a column of persons, never a row of outcomes
    assert set(data.outcomes["outcome"]) == {"contact"}


def test_potential_follow_up_is_the_least_of_what_is_known(connection: duckdb.DuckDBPyConnection) -> None:
    index_date = QUARTER.reference_date - timedelta(days=100)
    people = (
        Person("by date", index_date=index_date),
        Person("by days", index_date=None, follow_up_days=364),
        Person("days shorter", index_date=index_date, follow_up_days=40),
        Person("date shorter", index_date=index_date, follow_up_days=400),
        Person("unknown", index_date=None),
    )
    data = analysed(connection, Delivery(people), try_out())
    found = dict(data.persons.select("person_id", "potential_follow_up_days").rows())
    assert found == {"by date": 100, "by days": 364, "days shorter": 40, "date shorter": 100, "unknown": None}


def test_placebo_is_the_same_cohort_one_window_earlier(connection: duckdb.DuckDBPyConnection) -> None:
    plan = try_out(
        adjust_for={"age_at_index": {}, "prior_contact_12m": {}},
        eligibility={"age_at_index": [15, 16]},
        follow_up={"days": [100, 365]},
    )
    person = Person("p", index_date=date(2020, 2, 1), birth_year=2005)
    events = tuple(Event("p", event_day=day) for day in (-464, -100, -99, 0, 1))
    data = analysed(connection, Delivery((person,), events), plan)
    assert data.placebo is not None
    # 100 days before 1 February 2020 is in 2019: a year younger, and out of the age range; still of the cohort
    assert data.placebo.persons.select("age_at_index", "prior_contact_12m").rows() == [(14.0, 2.0)]
    row = data.placebo.outcomes.row(0, named=True)
    assert (row["window_days"], row["n_events"], row["first_event_day"]) == (100, 2, 1)
    assert (row["is_complete"], row["days_calendar"]) == (True, 100)
    assert data.placebo.outcomes.height == 1  # the primary window only


def test_placebo_of_before_after_compares_two_earlier_periods(connection: duckdb.DuckDBPyConnection) -> None:
    plan = try_out(design="before_after", before_after={"before_days": 30, "after_days": 20, "wash_in_days": 5})
    # time zero moves 25 days: before is -54 ... -25, after is -19 ... 0
    days = (-55, -54, -25, -24, -20, -19, 0, 1)
    data = analysed(connection, Delivery((Person("p"),), tuple(Event("p", event_day=day) for day in days)), plan)
    assert data.placebo is not None
    counts = data.placebo.outcomes.select("period", "n_events", "days_free", "is_complete").rows()
    assert counts == [("after", 2, 20, True), ("before", 2, 30, True)]


@pytest.mark.parametrize(
    ("days", "fields"),
    [
        ((1, 5, 0), {}),
        ((-5, 3), {"follow_up": {"until_end": True}}),
        ((-5, 3), {"design": "before_after", "before_after": {"before_days": 30, "after_days": 20}}),
    ],
    ids=["no history", "no fixed window", "history does not reach the placebo's own before"],
)
def test_without_history_or_window_there_is_no_placebo(
    connection: duckdb.DuckDBPyConnection, days: tuple[int, ...], fields: dict[str, object]
) -> None:
    events = tuple(Event("p", event_day=day) for day in days)
    assert analysed(connection, Delivery((Person("p"),), events), try_out(**fields)).placebo is None


def test_missing_columns_are_named_with_what_to_do(connection: duckdb.DuckDBPyConnection) -> None:
    land(connection, Delivery((Person("p"),)))
    plan = try_out(adjust_for={"motivation": {}}, cluster="club", subgroups=["sex"])
    with pytest.raises(DeliveryError, match="not delivered: club, motivation") as fault:
        build_cohort(connection, plan, QUARTER)
    assert "source.persons.columns" in fault.value.next_step


@pytest.mark.parametrize(
    "fields",
    [
        {"adjust_for": {"family": {}}},
        {"adjust_for": {"Pair": {}}},
        {"cluster": "site_id", "adjust_for": {"cluster": {}}},
    ],
)
def test_covariate_under_the_name_of_another_column_is_refused(
    connection: duckdb.DuckDBPyConnection, fields: dict[str, object]
) -> None:
    land(connection, Delivery((Person("p"),)))
    with pytest.raises(PlanError, match="means something else"):
        build_cohort(connection, try_out(**fields), QUARTER)


def test_covariate_may_be_called_stratum_when_no_stratum_is_planned(connection: duckdb.DuckDBPyConnection) -> None:
    land(connection, Delivery((Person("p", block_id="north"),)))
    connection.execute("alter table landing.persons rename column block_id to stratum")
    for fields in ({"adjust_for": {"stratum": "categorical"}}, {"strata": "stratum", "subgroups": ["stratum"]}):
        plan = try_out(**fields)
        build_cohort(connection, plan, QUARTER)
        assert connection.sql("select stratum from cohort.persons").fetchall() == [("north",)]


def test_value_that_is_no_number_is_missing_and_never_quoted(connection: duckdb.DuckDBPyConnection) -> None:
    plan = try_out(adjust_for={"sex": "numeric"}, missing={"covariates": "exclude"})
    land(connection, Delivery((Person("p", sex="secret"), Person("q", sex="1"))))
    steps = build_cohort(connection, plan, QUARTER)
    assert [(step.n_lost, step.n_after) for step in steps if step.arm == "treated"][-1] == (1, 1)
    assert connection.sql("select sex from cohort.persons").fetchall() == [(1.0,)]


def test_names_are_quoted(connection: duckdb.DuckDBPyConnection) -> None:
    land(connection, Delivery((Person("p", score=4.0),)))
    connection.execute('alter table landing.persons rename column score to "aantal keren (school)"')
    data_plan = try_out(adjust_for={"aantal keren (school)": {}})
    build_cohort(connection, data_plan, QUARTER)
    assert connection.sql('select "aantal keren (school)" from cohort.persons').fetchall() == [(4.0,)]


def test_new_cohort_takes_the_outcomes_of_the_old_one_away(connection: duckdb.DuckDBPyConnection) -> None:
    plan, delivery = try_out(), Delivery((Person("p"), Person("q")), (Event("p", event_day=-3),))
    first = analysed(connection, delivery, plan)
    again = analysed(connection, delivery, plan)
    assert first.persons.equals(again.persons) and first.outcomes.equals(again.outcomes)
    build_cohort(connection, plan, QUARTER)
    with pytest.raises(duckdb.CatalogException):
        read_analysis_data(connection, plan, QUARTER)


def test_failure_leaves_the_cohort_as_it_was(connection: duckdb.DuckDBPyConnection) -> None:
    before = analysed(connection, Delivery((Person("p"),)), try_out())
    with pytest.raises(DeliveryError):
        build_cohort(connection, try_out(adjust_for={"nowhere": {}}), QUARTER)
    after = read_analysis_data(connection, try_out(), QUARTER)
    assert before.outcomes.equals(after.outcomes)


def test_designs_without_persons_have_no_cohort(connection: duckdb.DuckDBPyConnection) -> None:
    plan = Plan.model_validate(
        {
            "programme": "trials",
            "title": {"nl": "Onderzoeken", "en": "Trials"},
            "design": "pooled_trials",
            "source": {"trials": {"file": "t.csv"}},
        }
    )
    columns = ", ".join(f"null::{DUCKDB_TYPES[c.type]} as {c.name}" for c in STANDARD_TABLES["trials"].columns)
    connection.execute("create schema if not exists landing")
    connection.execute(f"create table landing.trials as select {columns} limit 0")
    data = analysed(connection, Delivery(), plan)
    assert build_cohort(connection, plan, QUARTER) == ()
    assert data.persons.is_empty() and data.outcomes.is_empty() and data.placebo is None


def test_counting_from_the_start_leaves_immortal_time_and_never_starters_out(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    day = timedelta(days=1)
    zero = date(2020, 1, 1)
    people = (
        Person("late", start_date=zero + 60 * day),
        Person("never"),
        Person("other", arm="comparison"),
    )
    events = (
        Event("late", event_date=zero + 30 * day),
        Event("other", event_date=zero + 30 * day),
        Event("late", event_date=zero + 60 * day + 200 * day),
    )
    data = analysed(connection, Delivery(people, events), try_out())
    assert data.from_start is not None
    moved = data.from_start.outcomes.filter(outcome="contact", window_days=365)
    found = {row["person_id"]: (row["n_events"], row["first_event_day"]) for row in moved.to_dicts()}
    assert found == {"late": (1, 200), "other": (1, 30)}
    stayed = data.outcomes.filter(outcome="contact", window_days=365)
    assert dict(zip(stayed["person_id"], stayed["n_events"], strict=True)) == {"late": 2, "never": 0, "other": 1}


def test_without_late_starts_there_is_nothing_to_count_from(connection: duckdb.DuckDBPyConnection) -> None:
    people = (Person("a", start_date=date(2020, 1, 1)), Person("b", arm="comparison"))
    assert analysed(connection, Delivery(people), try_out()).from_start is None


def test_whom_a_missing_covariate_leaves_out_is_there_for_the_other_treatment(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    plan = try_out(adjust_for={"sex": "categorical"}, missing={"covariates": "exclude"})
    people = (Person("a", sex="m"), Person("b"), Person("c", arm="comparison", sex="f"), Person("d", arm="elsewhere"))
    data = analysed(connection, Delivery(people, (Event("b", event_date=date(2020, 2, 1)),)), plan)
    assert data.persons["person_id"].to_list() == ["a", "c"]
    assert data.with_missing is not None
    assert data.with_missing.persons["person_id"].to_list() == ["a", "b", "c"]
    assert data.with_missing.outcomes.filter(person_id="b", window_days=365)["n_events"].to_list() == [1]
    everybody = analysed(connection, Delivery(people[::2]), plan)
    assert everybody.with_missing is None
