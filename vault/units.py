"""Lays out areas, series and trials for the designs whose units are no persons. The work itself is in ``sql``.

Here periods are counted and the plan is turned into parameters of those statements. Persons are in `vault.cohort` and
`vault.outcomes`.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import polars as pl

import sql
from effectmeter.designs.base import UNIT_COLUMNS
from effectmeter.errors import DeliveryError
from effectmeter.periods import Calendar, canonical
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.shapes import SHAPES
from vault.statements import column_types, filled, parameter_table, store

TABLES = {
    "areas": "cohort.areas",
    "area_periods": "outcomes.area_periods",
    "series": "outcomes.series_periods",
    "trials": "outcomes.trials",
}
"""Frame of a design -> where the vault keeps it."""


def build_areas(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Write ``cohort.areas``: every area with the period in which the programme started there.

    Raises
    ------
    DeliveryError
        Periods or starts that cannot be counted, or a column that the plan names was not delivered.
    """
    calendar = Calendar.of(_labels(connection, "landing.area_counts"))
    starts = connection.sql(
        "select distinct coalesce(adopted_on::varchar, adopted_period) from landing.areas"
    ).fetchall()
    parameter_table(
        connection,
        "plan_starts",
        {"start": "varchar", "period": "bigint"},
        [(start, calendar.index(start)) for (start,) in starts if start is not None],
    )
    delivered = column_types(connection, "landing.areas")
    ring = plan.areas.ring if plan.areas is not None and plan.areas.ring else "ring"
    cluster = plan.cluster or "cluster_id"
    statement = filled(
        "cohort/areas",
        ring=f"areas.{sql.identifier(ring)}" if ring in delivered else "null",
        cluster=f"areas.{sql.identifier(cluster)}" if cluster in delivered else "null",
        named_columns=_named(connection, "areas", area_columns(plan), delivered),
    )
    store(connection, "cohort.areas", statement)


def build_unit_outcomes(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> None:
    """Write the frames of areas, series or trials; a design on persons has none.

    Raises
    ------
    DeliveryError
        Periods or a start that cannot be counted, or a column that the plan names was not delivered.
    """
    frames = SHAPES[plan.design].frames
    if "area_periods" in frames:
        excluded = plan.areas.exclude_periods if plan.areas is not None else []
        _hand_over(connection, plan, quarter, "landing.area_counts", excluded)
        store(connection, TABLES["area_periods"], filled("outcomes/area_periods"))
    if "series" in frames:
        calendar = _hand_over(connection, plan, quarter, "landing.series", [])
        start = plan.series.start if plan.series is not None else None
        binds = {"start": None if start is None else calendar.index(canonical(start))}
        store(connection, TABLES["series"], filled("outcomes/series_periods"), binds)
    if "trials" in frames:
        delivered = column_types(connection, "landing.trials")
        named = _named(connection, "trials", plan.subgroups, delivered)
        store(connection, TABLES["trials"], filled("outcomes/trials", named_columns=named))


def read_units(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, pl.DataFrame]:
    """Return the frames that a plan's design is given, in one fixed order of rows."""
    found: dict[str, pl.DataFrame] = {}
    for frame in SHAPES[plan.design].frames:
        first = ", ".join(sql.identifier(name) for name in list(UNIT_COLUMNS[frame])[:4])
        found[frame] = connection.sql(f"select * from {TABLES[frame]} order by {first}").pl()
    return found


def area_columns(plan: Plan) -> tuple[str, ...]:
    """Return the columns of areas that the plan names beside the standard ones."""
    matched = plan.areas.match_on if plan.areas is not None else []
    named = dict.fromkeys([*plan.adjust_for, *matched, *plan.subgroups])
    return tuple(name for name in named if name not in UNIT_COLUMNS["areas"])


def _labels(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    found = connection.sql(f"select distinct period from {table} where period is not null order by 1").fetchall()
    return [label for (label,) in found]


def _hand_over(
    connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter, table: str, excluded: Iterable[str]
) -> Calendar:
    """Put periods and outcomes in the temporary tables that the statements read."""
    labels = _labels(connection, table)
    calendar = Calendar.of(labels)
    length = plan.series.season_length if plan.series is not None else 12
    left_out = {calendar.index(canonical(label)) for label in excluded}
    rows = []
    for label in labels:
        period = calendar.index(label)
        is_used = period not in left_out and calendar.is_over_by(label, quarter.reference_date)
        rows.append((label, period, calendar.season(label, length), is_used))
    parameter_table(
        connection,
        "plan_periods",
        {"label": "varchar", "period": "bigint", "season": "bigint", "is_used": "boolean"},
        rows,
    )
    asked = plan.outcomes | plan.negative_control_outcomes
    delivered = {row[0] for row in connection.sql(f"select distinct outcome from {table}").fetchall()}
    known_as = [
        # its own name first: an event or column of that name may serve another outcome
        (name, next((word for word in (name, outcome.event, outcome.value) if word in delivered), None))
        for name, outcome in asked.items()
    ]
    (first, outcome), *more = asked.items()
    if not more and outcome.value is not None and len(delivered) == 1:
        known_as = [(first, next(iter(delivered)))]  # the plan names the column, so the label adds nothing
    parameter_table(
        connection,
        "plan_unit_outcomes",
        {"outcome": "varchar", "delivered_as": "varchar"},
        [pair for pair in known_as if pair[1] is not None],
    )
    return calendar


def _named(connection: duckdb.DuckDBPyConnection, table: str, names: Iterable[str], delivered: dict[str, str]) -> str:
    """Return the plan's columns as expressions: numbers where every value is one, else text."""
    missing = sorted(name for name in names if name not in delivered)
    if missing:
        raise DeliveryError(
            f"the plan names columns that were not delivered: {', '.join(missing)}",
            where=table,
            next_step=f"map them under source.{table}.columns, or take them out of the plan",
        )
    expressions = []
    for name in names:
        column = sql.identifier(name)
        test = f"bool_and(try_cast({column}::varchar as double) is not null) filter (where {column} is not null)"
        is_number = connection.sql(f"select {test} from landing.{table}").fetchall()[0][0]
        expressions.append(f",\n    {table}.{column}::{'double' if is_number else 'varchar'} as {column}")
    return "".join(expressions)
