"""The catalogue: every standard table of a delivery and every result table, column by column, in one place.

Intake, expectations, storage, export, disclosure control and the reference pages read it; nobody keeps a second list.
What a column means is said here once. No data, no checks, no SQL.
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.schema_columns import DUCKDB_TYPES, Column, ColumnType, Role, Table
from effectmeter.schema_results import RESULT_TABLES
from effectmeter.shapes import SHAPES, DesignNeeds

__all__ = [
    "DESIGN_TABLES",
    "DUCKDB_TYPES",
    "RESULT_TABLES",
    "STANDARD_TABLES",
    "Column",
    "ColumnType",
    "DesignNeeds",
    "Role",
    "Table",
]


DESIGN_TABLES: Mapping[str, DesignNeeds] = {name: shape.needs for name, shape in SHAPES.items()}
"""Per design, the standard tables."""

_STANDARD = (
    Table(
        "persons",
        "one person",
        (
            Column("person_id", "text", "Pseudonym of the person, unique in the delivery.", pseudonym_of="person"),
            Column("arm", "text", "The group the person belongs to: one of the plan's arms."),
            Column(
                "index_date",
                "date",
                "Time zero: eligibility, assignment and start of follow-up coincide on this day.",
                nullable=True,
            ),
            Column("start_date", "date", "First day of actual participation; never defines the arm.", nullable=True),
            Column("exit_date", "date", "Last day of actual participation; never defines the arm.", nullable=True),
            Column(
                "follow_up_days",
                "int",
                "Days of follow-up after time zero, for data without calendar dates.",
                nullable=True,
                unit="days",
            ),
            Column("linked", "bool", "Whether the person was found in the outcome source.", nullable=True),
            Column(
                "site_id", "text", "Place where the programme is given: a cluster.", nullable=True, pseudonym_of="site"
            ),
            Column(
                "family_id", "text", "Family the person belongs to: a cluster.", nullable=True, pseudonym_of="family"
            ),
            Column("block_id", "text", "Block of a stratified randomisation.", nullable=True, pseudonym_of="block"),
            Column("pair_id", "text", "Matched pair.", nullable=True, pseudonym_of="pair"),
            Column("birth_year", "int", "Year of birth; a birth date is never delivered.", nullable=True),
            Column("sex", "text", "Sex, as delivered or as the plan maps it.", nullable=True),
        ),
        key=("person_id",),
        one_of=(("index_date", "follow_up_days"),),
        is_open=True,
        storage="landing.persons",
    ),
    Table(
        "events",
        "one event",
        (
            Column("person_id", "text", "Pseudonym; the person must be in persons.", pseudonym_of="person"),
            Column("event_type", "text", "Kind of event, the name that outcomes use."),
            Column("event_date", "date", "Day of the offence or contact, not of its registration.", nullable=True),
            Column(
                "event_day",
                "int",
                "Day counted from time zero: 1 is the first day at risk, 0 or less is before it.",
                nullable=True,
                unit="days",
            ),
            Column("decided_on", "date", "Day on which a conviction became final.", nullable=True),
        ),
        one_of=(("event_date", "event_day"),),
        is_open=True,
        storage="landing.events",
    ),
    Table(
        "absences",
        "one spell in which a person is not at risk",
        (
            Column("person_id", "text", "Pseudonym; the person must be in persons.", pseudonym_of="person"),
            Column("start_date", "date", "First day of the spell."),
            Column("end_date", "date", "Last day of the spell, itself included; empty while it lasts.", nullable=True),
            Column(
                "reason",
                "text",
                "Why the person is not at risk; death also ends observation.",
                allowed=("detention", "abroad", "deceased"),
            ),
        ),
        storage="landing.absences",
    ),
    Table(
        "person_counts",
        "one count for a person, period and outcome; several add up",
        (
            Column("person_id", "text", "Pseudonym; the person must be in persons.", pseudonym_of="person"),
            Column("period", "text", "Before or after time zero.", allowed=("before", "after")),
            Column("outcome", "text", "Name of the outcome, or its event type."),
            Column("count", "int", "Events in the period.", unit="events"),
            Column("days", "int", "Days at risk in the period.", unit="days"),
        ),
        storage="landing.person_counts",
    ),
    Table(
        "areas",
        "one area",
        (
            Column("area_id", "text", "Code of the area, unique in the delivery."),
            Column("adopted_on", "date", "Day on which the programme started there; empty is never.", nullable=True),
            Column("adopted_period", "period", "Period in which it started there; empty is never.", nullable=True),
            Column("ring", "int", "Distance: 0 treated, 1 and up ever further away, empty far away.", nullable=True),
            Column("cluster_id", "text", "Cluster of areas.", nullable=True),
        ),
        key=("area_id",),
        one_of=(("adopted_on", "adopted_period"),),
        is_open=True,
        storage="landing.areas",
    ),
    Table(
        "area_counts",
        "one area, period and outcome",
        (
            Column("area_id", "text", "Code of the area; it must be in areas."),
            Column("period", "period", "Integer, YYYY, YYYY-Qn, YYYY-MM or a date."),
            Column("outcome", "text", "Name of the outcome."),
            Column("count", "int", "Events in the area and period.", nullable=True, unit="events"),
            Column("value", "float", "A value instead of a count.", nullable=True),
            Column("population", "float", "Inhabitants.", nullable=True, unit="persons"),
        ),
        key=("area_id", "period", "outcome"),
        one_of=(("count", "value"),),
        storage="landing.area_counts",
    ),
    Table(
        "series",
        "one period and outcome",
        (
            Column("period", "period", "Integer, YYYY, YYYY-Qn, YYYY-MM or a date."),
            Column("outcome", "text", "Name of the outcome."),
            Column("count", "int", "Events in the period.", unit="events"),
            Column("population", "float", "Population at risk: the offset.", nullable=True, unit="persons"),
            Column("is_control", "bool", "Whether the row belongs to the control series.", nullable=True),
        ),
        storage="landing.series",
    ),
    Table(
        "trials",
        "one trial, or one measure of it",
        (
            Column("trial_id", "text", "Name of the trial."),
            Column("events_treated", "int", "Treated persons with the unwanted outcome.", nullable=True),
            Column("n_treated", "int", "Treated persons.", nullable=True),
            Column("events_comparison", "int", "Comparison persons with the unwanted outcome.", nullable=True),
            Column("n_comparison", "int", "Comparison persons.", nullable=True),
            Column("measure", "text", "Measure of a published estimate.", nullable=True),
            Column("estimate", "float", "Published estimate; a ratio on the log scale.", nullable=True),
            Column("std_error", "float", "Its standard error, on the same scale.", nullable=True),
        ),
        one_of=(("events_treated", "estimate"),),
        storage="landing.trials",
    ),
)
STANDARD_TABLES: Mapping[str, Table] = {table.name: table for table in _STANDARD}
"""The tables of a delivery, by name."""
