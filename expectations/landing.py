"""What a delivery must be, as it lies in the schema `landing`: the blocking contract, and what is odd but let through.

Most rules come from the catalogue (`effectmeter.schema`) and the plan; those written out here say something about the
world: nobody is convicted before being born. Structural faults (keys, references, value sets, dates, identifiers) are
critical, since no estimate on them means anything; surprises about the world (rates, missing values, linkage) warn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import sql
from effectmeter.plan import Plan
from effectmeter.schema import STANDARD_TABLES, Table
from expectations.landing_events import absences_rules, events_rules, person_counts_rules
from expectations.landing_persons import is_computed, persons_rules
from expectations.landing_units import areas_rules, series_rules, trials_rules
from expectations.rates import counted_outcomes, rate_rules
from expectations.rules import (
    Rule,
    Statement,
    Words,
    complete,
    no_identifiers,
    no_violations,
    not_empty,
    percentage,
    quoted_table,
    slug,
    unique,
    unique_names,
    value_set,
)

_ABOUT_PERSONS = frozenset({"persons", "events", "absences", "person_counts"})
_OPEN = frozenset({"int", "float", "date", "period"})
"""Types of which a value map names only the odd values (0: never); text and yes/no are mapped wholly or not at all."""


def landing_rules(
    plan: Plan, reference_date: date | None = None, previous_rates: Mapping[str, float | None] | None = None
) -> tuple[Rule, ...]:
    """Return every rule on a programme's delivery.

    Parameters
    ----------
    plan
        The analysis plan: names and specs hang on it alone.
    reference_date
        Last day of the quarter; None gives rules whose specs may be read but which cannot be evaluated.
    previous_rates
        Events per person-year in the quarter before, per outcome; empty when there was none.
    """
    tables = [STANDARD_TABLES[name] for name in plan.source]
    rules = [rule for table in tables for rule in _catalogue_rules(plan, table)]
    day = reference_date or date.max
    if "persons" in plan.source:
        rules += persons_rules(plan, day)
    if "events" in plan.source:
        rules += events_rules(day)
    if "absences" in plan.source:
        rules += absences_rules()
    if "person_counts" in plan.source:
        rules += person_counts_rules()
    if {"areas", "area_counts"} <= set(plan.source):
        rules += areas_rules(plan, day)
    if "series" in plan.source:
        rules += series_rules(plan, day)
    if "trials" in plan.source:
        rules += trials_rules(plan)
    if {"events", "person_counts"} & set(plan.source):
        rules += rate_rules(plan, day, previous_rates or {})
    return unique_names(rules)


def _catalogue_rules(plan: Plan, table: Table) -> Iterator[Rule]:
    """Yield what the catalogue says of a table: rows, keys, filled columns, value sets; and no direct identifiers."""
    stored = table.storage
    if table.name not in {"events", "absences"}:  # where nothing happened, there is nothing to deliver
        yield not_empty(stored)
    yield _rows_reconciled(table)
    yield _rejected_share(table, plan.expectations.max_rejected)
    for column in table.columns:
        if not column.nullable:
            yield complete(stored, column.name)
        if column.allowed:
            yield value_set(stored, column.name, column.allowed)
    if table.name == "persons":
        yield unique(stored, ["person_id", "arm"], "person")
    elif table.key:
        yield unique(stored, table.key)
    if table.name in {"events", "trials"} or (table.name == "persons" and _counts_days(plan)):
        yield from (_one_of_filled(stored, *group) for group in table.one_of)
    for column_name, mapped in plan.source[table.name].columns.items():  # type: ignore[index]
        is_known = column_name == "arm" or bool(_allowed(table, column_name))
        if mapped.values and not is_known and not _is_open(plan, table, column_name):
            yield value_set(stored, column_name, sorted({value for value in mapped.values.values() if value}))
    for name in _text_columns(plan, table):
        yield no_identifiers(stored, name, is_about_persons=table.name in _ABOUT_PERSONS)


def _allowed(table: Table, column: str) -> tuple[str, ...]:
    return next((known.allowed for known in table.columns if known.name == column), ())


def _is_open(plan: Plan, table: Table, column: str) -> bool:
    """Return whether a mapped column also takes values that its map does not name."""
    kind = next((known.type for known in table.columns if known.name == column), "text")
    return kind in _OPEN or _is_number(plan, column)


def _counts_days(plan: Plan) -> bool:
    """Return whether time zero or a length of follow-up is needed: events are placed on days, counts are not."""
    return "events" in plan.source and any(outcome.event for outcome in plan.outcomes.values())


def _text_columns(plan: Plan, table: Table) -> tuple[str, ...]:
    """Return the stored columns in which free text, and so an identifier, could hide."""
    own = [column.name for column in table.columns if column.type == "text" and not column.allowed]
    extra: list[str] = []
    if table.name == "persons":
        own.remove("arm")  # held to the plan's arms
        named = [*plan.adjust_for, *plan.subgroups, *plan.eligibility]
        named += [name for name in (plan.strata, plan.pairs, plan.cluster) if name]
        extra = [name for name in named if not _is_number(plan, name) and name not in table.names]
    elif table.name == "events":
        extra = [
            name for outcome in counted_outcomes(plan).values() for name in outcome.where if name not in table.names
        ]
    return tuple(dict.fromkeys([*own, *extra]))


def _is_number(plan: Plan, name: str) -> bool:
    covariate = plan.adjust_for.get(name)
    return (covariate is not None and covariate.type == "numeric") or is_computed(name)


def _one_of_filled(table: str, first: str, second: str) -> Rule:
    short = table.removeprefix("landing.")
    return no_violations(
        slug(short, first, "or", second),
        table,
        Statement(
            "expectations/one_of_filled",
            ((table, first), (table, second)),
            quoted={"table": quoted_table(table), "first": sql.identifier(first), "second": sql.identifier(second)},
        ),
        Words(
            en=f"Every row of {{table}} has {first} or {second}.",
            nl=f"Elke rij van {{table}} heeft {first} of {second}.",
            do_en="Ask the supplier for the rows in which both are empty, or leave them out of the delivery.",
            do_nl="Vraag de leverancier om de rijen waarin beide leeg zijn, of laat die buiten de levering.",
        ),
        column=first,
    )


def _rejected_share(table: Table, maximum: float) -> Rule:
    return no_violations(
        f"{table.name}_rejected_share",
        table.storage,
        Statement(
            "expectations/rejected_share",
            (
                *(("landing.files", column) for column in ("table_name", "n_rows_read", "n_rejected")),
                ("landing.rejects", "reason"),
            ),
            {"table_name": table.name},
        ),
        Words(
            en="At most {threshold} of the delivered rows was rejected.",
            nl="Hoogstens {threshold} van de geleverde rijen is geweigerd.",
            do_en="Run `effectmeter check`: it lists why rows were rejected and which; mend the plan or the file.",
            do_nl="Draai `effectmeter check`: dat noemt waarom en welke rijen; herstel het plan of het bestand.",
        ),
        max_share=maximum,
        threshold=percentage(maximum),
    )


def _rows_reconciled(table: Table) -> Rule:
    return no_violations(
        f"{table.name}_rows_reconciled",
        table.storage,
        Statement(
            "expectations/rows_reconciled",
            tuple(
                ("landing.files", column)
                for column in ("table_name", "n_rows_read", "n_rows_kept", "n_rejected", "n_rows_stored")
            ),
            {"table_name": table.name},
            {"table": quoted_table(table.storage)},
        ),
        Words(
            en="Every delivered row of {table} was either kept or rejected with a reason.",
            nl="Elke geleverde rij van {table} is bewaard of met een reden geweigerd.",
            do_en="Look for an unclosed quotation mark in the file, which swallows the rows after it; land it again.",
            do_nl="Zoek een aanhalingsteken dat niet sluit en de rijen erna opslokt; lees het bestand opnieuw in.",
        ),
    )
