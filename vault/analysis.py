"""Reads what a design sees of a programme's quarter out of the vault, in one fixed order. Reads only."""

from __future__ import annotations

import duckdb
import polars as pl

import sql
from effectmeter.designs.base import OUTCOMES_COLUMNS, PERSONS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.shapes import PERSON_DESIGNS, SHAPES
from vault.alike import TABLES, added_up, has_table, is_added_up
from vault.cohort import named_columns, read_attrition
from vault.units import read_units

_Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame | None]
"""Persons, outcomes and follow-up, as `AnalysisData` has them."""


def read_analysis_data(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> AnalysisData:
    """Return what the plan's design sees: persons and outcomes, moved in time where that can be, or other units.

    Notes
    -----
    Rows are sorted by every part of their key, so that no estimate depends on the order in which threads finish.
    """
    read = _added_up if is_added_up(connection) else _one_by_one
    (people, windows), *others = TABLES.items()
    moved = [AnalysisData(plan, quarter, *read(connection, plan, *tables)) for tables in others]
    placebo, from_start, with_missing = (data if data.outcomes.height else None for data in moved)
    persons, outcomes, follow_up = read(connection, plan, people, windows)
    return AnalysisData(
        plan,
        quarter,
        persons,
        outcomes,
        follow_up,
        placebo=placebo,
        from_start=from_start,
        with_missing=with_missing,
        units=read_units(connection, plan),
        attrition=read_attrition(connection) if plan.design in PERSON_DESIGNS else (),
    )


def _one_by_one(connection: duckdb.DuckDBPyConnection, plan: Plan, people: str, windows: str) -> _Frames:
    """Return a row per person, and per person, outcome and window."""
    columns = dict.fromkeys([*PERSONS_COLUMNS, *named_columns(plan)])
    of_persons, of_outcomes = (", ".join(map(sql.identifier, each)) for each in (columns, OUTCOMES_COLUMNS))
    order = "person_id, outcome, period, window_days nulls last"
    return (
        connection.sql(f"select {of_persons} from {people} order by person_id").pl(),
        connection.sql(f"select {of_outcomes} from {windows} order by {order}").pl(),
        None,
    )


def _added_up(connection: duckdb.DuckDBPyConnection, plan: Plan, people: str, windows: str) -> _Frames:
    """Return a row per profile, per profile and what happened to those who have it, and what happened per arm."""
    profiles, happened = added_up(people), added_up(windows)
    if not has_table(connection, profiles):
        return pl.DataFrame(schema=PERSONS_COLUMNS), pl.DataFrame(schema=OUTCOMES_COLUMNS), None
    named = "select * replace (person_id::varchar as person_id)"  # in the order in which `vault.alike` stored them
    persons = connection.sql(f"{named} from {profiles}").pl()
    absent = {name: pl.lit(None, kind) for name, kind in PERSONS_COLUMNS.items() if name not in persons.columns}
    return (
        persons.with_columns(**absent),
        connection.sql(f"{named} from {happened}").pl(),
        connection.sql(f"from {happened}_of_arms").pl(),
    )


def read_reach(connection: duckdb.DuckDBPyConnection, plan: Plan) -> int:
    """Return how much was delivered in the treated arms: claims of reach are not about what could be analysed.

    Participants; or areas where the programme started, periods since the start, trials.
    """
    if SHAPES[plan.design].unit != "person":
        from vault.findings import unit_numbers

        return sum(units for arm, units, _ in unit_numbers(connection, plan) if arm in plan.arms.treated)
    found = connection.execute(sql.statement("release/reach"), {"treated": plan.arms.treated}).fetchall()
    return int(found[0][0])
