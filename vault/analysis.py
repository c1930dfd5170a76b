"""Reads what a design sees of a programme's quarter out of the vault, in one fixed order. Reads only."""

from __future__ import annotations

import duckdb
import polars as pl

import sql
from effectmeter.designs.base import OUTCOMES_COLUMNS, PERSONS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.shapes import PERSON_DESIGNS, SHAPES
from vault.cohort import named_columns, read_attrition
from vault.units import read_units


def read_analysis_data(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> AnalysisData:
    """Return what the plan's design sees: persons and outcomes, moved in time where that can be, or other units.

    Notes
    -----
    Rows are sorted by every part of their key, so that no estimate depends on the order in which threads finish.
    """
    moved = {
        name: AnalysisData(plan, quarter, _persons(connection, plan, people), outcomes)
        for name, people, windows in (
            ("placebo", "cohort.placebo_persons", "outcomes.placebo_windows"),
            ("from_start", "cohort.start_persons", "outcomes.start_windows"),
            ("with_missing", "cohort.persons_with_missing", "outcomes.missing_windows"),
        )
        if (outcomes := _outcomes(connection, windows)).height
    }
    return AnalysisData(
        plan,
        quarter,
        _persons(connection, plan, "cohort.persons"),
        _outcomes(connection, "outcomes.person_windows"),
        placebo=moved.get("placebo"),
        from_start=moved.get("from_start"),
        with_missing=moved.get("with_missing"),
        units=read_units(connection, plan),
        attrition=read_attrition(connection) if plan.design in PERSON_DESIGNS else (),
    )


def _persons(connection: duckdb.DuckDBPyConnection, plan: Plan, table: str) -> pl.DataFrame:
    columns = dict.fromkeys([*PERSONS_COLUMNS, *named_columns(plan)])
    listed = ", ".join(sql.identifier(name) for name in columns)
    return connection.sql(f"select {listed} from {table} order by person_id").pl()


def _outcomes(connection: duckdb.DuckDBPyConnection, table: str) -> pl.DataFrame:
    listed = ", ".join(sql.identifier(name) for name in OUTCOMES_COLUMNS)
    return connection.sql(
        f"select {listed} from {table} order by person_id, outcome, period, window_days nulls last"
    ).pl()


def read_reach(connection: duckdb.DuckDBPyConnection, plan: Plan) -> int:
    """Return how much was delivered in the treated arms: claims of reach are not about what could be analysed.

    Participants; or areas where the programme started, periods since the start, trials.
    """
    if SHAPES[plan.design].unit != "person":
        from vault.findings import unit_numbers

        return sum(units for arm, units, _ in unit_numbers(connection, plan) if arm in plan.arms.treated)
    found = connection.execute(sql.statement("release/reach"), {"treated": plan.arms.treated}).fetchall()
    return int(found[0][0])
