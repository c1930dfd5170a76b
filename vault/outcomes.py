"""Counts events and time at risk per person, outcome and window. The work itself is in ``sql/outcomes``.

Here the plan is turned into parameters of those statements. Who is analysed is decided in `vault.cohort`.
"""

from __future__ import annotations

from typing import Any

import duckdb

import sql
from effectmeter.errors import DeliveryError
from effectmeter.plan import Outcome, Plan
from effectmeter.quarters import Quarter
from effectmeter.shapes import PERSON_DESIGNS
from vault.alike import add_up
from vault.cohort import (
    counted_outcomes,
    event_types_with_history,
    hand_over_arms,
    placebo_shift,
    primary_window_days,
)
from vault.statements import all_or_nothing, column_types, filled, parameter_table, store
from vault.units import build_unit_outcomes

COMPLETE_FOLLOW_UP = "complete_follow_up"
"""The informational last step of the attrition table; nobody leaves the cohort at it."""

_NO_LAST_DAY = 10**6
"""Later than any day of anybody's follow-up."""

Window = tuple[str, int | None, int, int | None]
"""Period, window in days, first and last day since time zero; None: to the end of one's own follow-up."""


def build_outcomes(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> None:
    """Count events and time at risk for every person of the cohort, and for the placebo where there is one.

    Parameters
    ----------
    connection
        A vault with its ``landing`` and ``cohort`` tables filled.
    plan
        The analysis plan.
    quarter
        The edition; its last day is the reference date.

    Raises
    ------
    DeliveryError
        A column that an outcome's ``where`` names was not delivered.

    Notes
    -----
    Writes ``outcomes.person_windows``, ``outcomes.placebo_windows``, ``outcomes.start_windows`` and
    ``outcomes.missing_windows``, or the tables of `vault.units`, and adds the step `complete_follow_up` to
    ``cohort.attrition``. Delivered values (``value:`` in the plan) are columns of ``cohort.persons``, not rows here.
    Where there are very many persons, `vault.alike` adds them up.
    """
    with all_or_nothing(connection):
        connection.execute("create schema if not exists outcomes")
        build_unit_outcomes(connection, plan, quarter)
        asked = counted_outcomes(plan) if plan.design in PERSON_DESIGNS else {}
        by_counts = _delivered_as_counts(connection, asked)
        by_events = {name: outcome for name, outcome in asked.items() if name not in by_counts}

        _look_at(connection, "cohort.persons")
        _count_events(connection, plan, quarter, "outcomes.person_windows", by_events, _windows(plan))
        _take_counts(connection, plan, by_counts)

        history = event_types_with_history(connection, plan)
        repeated = {name: outcome for name, outcome in by_events.items() if outcome.event in history}
        earlier = repeated if placebo_shift(plan) is not None else {}
        for table, people, outcomes in (
            ("outcomes.placebo_windows", "cohort.placebo_persons", earlier),
            ("outcomes.start_windows", "cohort.start_persons", by_events),
            ("outcomes.missing_windows", "cohort.persons_with_missing", by_events),
        ):
            if outcomes and _is_filled(connection, people):
                _look_at(connection, people)
                _count_events(connection, plan, quarter, table, outcomes, _primary_windows(plan))
            else:
                store(connection, table, "from outcomes.person_windows limit 0")
        _add_last_step(connection, plan)
        connection.execute("drop view temp.persons_in_view")
        add_up(connection, plan)


def _delivered_as_counts(connection: duckdb.DuckDBPyConnection, asked: dict[str, Outcome]) -> dict[str, str]:
    """Return the outcomes that were delivered as counts, with the name they were delivered under."""
    found = connection.sql("select distinct outcome from landing.person_counts").fetchall()
    delivered = {row[0] for row in found}
    own_name = {name: name for name in asked if name in delivered}
    event_name = {name: outcome.event for name, outcome in asked.items() if outcome.event in delivered}
    return {name: named for name, named in (event_name | own_name).items() if named is not None}


def _is_filled(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    return bool(connection.sql(f"select 1 from {table} limit 1").fetchall())


def _look_at(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute(
        "create or replace temp view persons_in_view as"
        " select rowid as person, person_id, index_date, shift_days, follow_up_days, potential_follow_up_days"
        f" from {table}"
    )


def _windows(plan: Plan) -> list[Window]:
    """Return the plan's windows."""
    if plan.design == "before_after":
        around = plan.before_after
        first_day = 1 + around.wash_in_days
        return [
            ("before", around.before_days, 1 - around.before_days, 0),
            ("after", around.after_days, first_day, around.wash_in_days + around.after_days),
        ]
    windows: list[Window] = [("follow_up", days, 1, days) for days in plan.follow_up.windows_days]
    return [*windows, ("follow_up", None, 1, None)] if plan.follow_up.until_end else windows


def _primary_windows(plan: Plan) -> list[Window]:
    """Return the windows of the primary comparison: one, or before and after."""
    windows = _windows(plan)
    return windows if plan.design == "before_after" else windows[:1]


def _count_events(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    quarter: Quarter,
    table: str,
    outcomes: dict[str, Outcome],
    windows: list[Window],
) -> None:
    """Put one row per person, outcome and window in `table`."""
    columns = list(dict.fromkeys(column for outcome in outcomes.values() for column in outcome.where))
    known = {name.casefold() for name in column_types(connection, "landing.events")}
    missing = [column for column in columns if column.casefold() not in known]
    if missing:
        raise DeliveryError(
            f"outcomes select on columns that were not delivered: {', '.join(missing)}",
            where="events",
            next_step="map them under source.events.columns, or take them out of the outcome's `where`",
        )
    parameter_table(
        connection,
        "plan_outcomes",
        {"outcome": "varchar", "event_type": "varchar"},
        [(name, outcome.event) for name, outcome in outcomes.items()],
    )
    parameter_table(
        connection,
        "plan_filters",
        {"for_outcome": "varchar"} | {f"allowed {column}": "varchar[]" for column in columns},
        [(name, *(outcome.where.get(column) for column in columns)) for name, outcome in outcomes.items()],
    )
    parameter_table(
        connection,
        "plan_windows",
        {
            "position": "integer",
            "period": "varchar",
            "window_days": "bigint",
            "first_day": "bigint",
            "last_day": "bigint",
        },
        [(position, *window) for position, window in enumerate(windows)],
    )
    earliest_day, latest_day = _reach(connection, windows)
    binds: dict[str, Any] = {
        "reference_date": quarter.reference_date,
        "waiting_days": plan.follow_up.waiting_days,
        "earliest_day": earliest_day,
        "latest_day": latest_day,
    }
    parts = {"filters": _filters(columns)} | _counts(windows)
    store(connection, table, filled("outcomes/person_windows", **parts), binds)


def _reach(connection: duckdb.DuckDBPyConnection, windows: list[Window]) -> tuple[int, int]:
    """Return the first and last day since the delivered time zero that any window of anybody in view reaches."""
    found = connection.sql("select min(shift_days), max(shift_days) from persons_in_view").fetchall()
    least, most = (shift or 0 for shift in found[0])
    last_days = [_NO_LAST_DAY if last_day is None else last_day for _, _, _, last_day in windows]
    return min(first_day for _, _, first_day, _ in windows) - most, max(last_days) - least


def _counts(windows: list[Window]) -> dict[str, str]:
    """Return the parts of the statement that count every window in one pass, and pick the row's own again."""
    counts, n_events, first_days = "", [], []
    for position, (_, _, first_day, last_day) in enumerate(windows):
        last = "known_until_day" if last_day is None else str(last_day)
        own = f"filter (event_day between {first_day} and {last} and coalesce(decided_in_time_for_day <= {last}, true))"
        counts += f",\n        count(*) {own} as events_{position}"
        counts += f",\n        min(event_day) {own} as first_day_{position}"
        n_events.append(f"when {position} then events_{position}")
        first_days.append(f"when {position} then first_day_{position}")
    return {
        "counts": counts,
        "n_events": f"case observations.position {' '.join(n_events)} end",
        "first_event_day": f"case observations.position {' '.join(first_days)} end",
    }


def _filters(columns: list[str]) -> str:
    """Return the condition that an event has the values that its outcome asks for, where it asks for any."""
    conditions = [
        f"(outcomes_to_count.{allowed} is null"
        f" or list_contains(outcomes_to_count.{allowed}, events.{delivered}::varchar))"
        for allowed, delivered in ((sql.identifier(f"allowed {column}"), sql.identifier(column)) for column in columns)
    ]
    return "\n        and ".join(conditions) or "true"


def _take_counts(connection: duckdb.DuckDBPyConnection, plan: Plan, by_counts: dict[str, str]) -> None:
    """Add the outcomes that were delivered as counts."""
    windows = [
        (
            "after" if period == "follow_up" else period,
            period,
            window_days,
            period != "follow_up" or window_days is None,
        )
        for period, window_days, _, _ in _windows(plan)
    ]
    parameter_table(
        connection,
        "plan_counted_outcomes",
        {"outcome": "varchar", "counted_as": "varchar"},
        list(by_counts.items()),
    )
    parameter_table(
        connection,
        "plan_count_windows",
        {"delivered_period": "varchar", "period": "varchar", "window_days": "bigint", "is_any_length": "boolean"},
        windows,
    )
    connection.execute(f"insert into outcomes.person_windows\n{filled('outcomes/person_counts')}")


def _add_last_step(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Say how many of the cohort have their whole primary window; they are counted here, not removed."""
    connection.execute("delete from cohort.attrition where name = $name", {"name": COMPLETE_FOLLOW_UP})
    if plan.design not in PERSON_DESIGNS or not plan.outcomes:
        return
    hand_over_arms(connection, plan)
    window_days = primary_window_days(plan)
    value = plan.outcomes[plan.primary_outcome].value
    if value is None:
        is_complete = "windows.is_complete"
        reason = "Not followed at all" if window_days is None else "Not followed for the whole period (yet)"
        reason_nl = "Niet gevolgd" if window_days is None else "(Nog) niet de hele periode gevolgd"
    else:
        is_complete = f"persons.{sql.identifier(value)} is not null"
        reason, reason_nl = "Outcome not measured", "Uitkomst niet gemeten"
    connection.execute(
        f"insert into cohort.attrition\n{filled('outcomes/complete_follow_up', is_complete=is_complete)}",
        {
            "outcome": plan.primary_outcome,
            "window_days": window_days,
            "name": COMPLETE_FOLLOW_UP,
            "reason": reason,
            "reason_nl": reason_nl,
        },
    )
