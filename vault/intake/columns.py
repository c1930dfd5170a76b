"""Which columns a plan needs of a delivered table, of what type, and under which delivered name they are found.

Only these are stored: what the plan does not need is read, searched for identifiers, and let go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from effectmeter.errors import DeliveryError
from effectmeter.plan import Plan
from effectmeter.schema import Column, ColumnType, Table
from vault.intake.delivered import can_be_shown, near_misses
from vault.intake.raw_table import RawTable
from vault.intake.spread import MEASURED_TABLES, MEASURES, SpreadOutcome, column_names, spread_outcomes

PERSON_TABLES = ("persons", "events", "absences", "person_counts")
"""Tables whose rows are about persons."""
_COMPUTED = re.compile(r"age_at_index|prior_.+_\d+m")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column of a landing table.

    Attributes
    ----------
    is_required
        A row without a value is rejected.
    is_key
        Says which word the rejection uses.
    raw
        Column of the raw table, or None when it was not delivered.
    values
        Value set of the plan: delivered value -> ours.
    constant
        What to fill in when the column was not delivered and can only mean one thing.
    spread
        Outcomes that a wide file holds in this column.
    """

    name: str
    type: ColumnType
    is_required: bool
    is_key: bool = False
    raw: str | None = None
    delivered: str = ""
    values: tuple[tuple[str, str], ...] = ()
    constant: str | None = None
    spread: tuple[SpreadOutcome, ...] = ()


def wanted_columns(plan: Plan, table: Table, raw: RawTable, where: str) -> tuple[Wanted, ...]:
    """Return the columns to land, each with the delivered column it comes from.

    Raises
    ------
    DeliveryError
        Columns are missing, all of them named, with the near misses among what was delivered.
    """
    mapped = plan.source[table.name].columns  # type: ignore[index]
    spread, without = spread_outcomes(plan, table, raw.header)
    found: list[Wanted] = []
    faults: list[str] = []
    standard = [column for column in table.columns if not spread or column.name not in MEASURES]
    for column, is_standard in [*((each, True) for each in standard), *((e, False) for e in extras(plan, table))]:
        mapping = mapped.get(column.name)
        delivered = mapping.column if mapping else column.name
        position = _position(delivered, raw.header, where)
        constant = None if position is not None or mapping else _constant(plan, table, column)
        if position is None and constant is None and (mapping or not column.nullable or not is_standard):
            faults.append(_missing(column.name, delivered, raw.header) + _or_wide(plan, table, column))
        found.append(
            Wanted(
                column.name,
                column.type,
                is_required=is_standard and not column.nullable,
                is_key=column.name.endswith("_id"),
                raw=None if position is None else f"c{position}",
                delivered="" if position is None else raw.header[position],
                values=_value_set(plan, table, column, dict(mapping.values) if mapping else {}),
                constant=constant,
            )
        )
    faults += [f"a column for outcome {name}, as the other outcomes have" for name in without]
    delivered_names = {each.name for each in found if each.raw is not None}
    faults += [
        f"none of {', '.join(group)} (at least one is needed)"
        for group in required_groups(plan, table)
        if not spread and not delivered_names & set(group)
    ]
    if faults:
        raise DeliveryError(
            f"missing columns of table {table.name}: {'; '.join(faults)}",
            where=where,
            next_step=f"add them to the file, or map them under source.{table.name}.columns in the plan",
        )
    return (*found, *_spread_columns(spread, found, raw.header))


def _spread_columns(
    spread: Sequence[SpreadOutcome], found: Sequence[Wanted], header: Sequence[str]
) -> Iterator[Wanted]:
    """Yield one column per delivered column that holds outcomes; two outcomes may share one."""
    taken = {each.name for each in found}
    for delivered in dict.fromkeys(each.delivered for each in spread):
        here = tuple(each for each in spread if each.delivered == delivered)
        is_count = all(each.into == "count" for each in here)
        yield Wanted(
            f"{delivered} (outcome)" if delivered in taken else delivered,
            "int" if is_count else "float",
            is_required=False,
            raw=f"c{header.index(delivered)}",
            delivered=delivered,
            spread=here,
        )


def expected_names(plan: Plan, table: Table) -> tuple[str, ...]:
    """Return every delivered name that the plan hopes for, to recognise a header by."""
    mapped = plan.source[table.name].columns  # type: ignore[index]
    standard = [column.name for column in (*table.columns, *extras(plan, table))]
    named = plan.outcomes | plan.negative_control_outcomes if table.name in MEASURED_TABLES else {}
    own = [word for name, outcome in named.items() for word in column_names(name, outcome)]
    return (*standard, *(mapping.column for mapping in mapped.values()), *own)


def required_groups(plan: Plan, table: Table) -> tuple[tuple[str, ...], ...]:
    """Return the groups of columns of which one must be there; persons need a time only where events are placed in it.

    Counts per person carry their own time, and a delivered value (a score, a weight) has none.
    """
    if table.name == "persons" and "events" not in plan.source:
        return ()
    return table.one_of


def extras(plan: Plan, table: Table) -> tuple[Column, ...]:
    """Return the columns beyond the standard ones that the plan uses of this table."""
    named: dict[str, Column] = {}
    for name, kind in _extra_names(plan, table):
        if name not in table.names and not _COMPUTED.fullmatch(name):
            named.setdefault(name, Column(name, kind, "Named by the plan.", nullable=True))
    return tuple(named.values())


def _extra_names(plan: Plan, table: Table) -> Iterator[tuple[str, ColumnType]]:
    if table.name in ("persons", "areas"):
        for name, spec in plan.adjust_for.items():
            yield name, "float" if spec.type == "numeric" else "text"
    if table.name == "persons":
        for outcome in plan.outcomes.values():
            if outcome.value is not None:
                yield outcome.value, "float"
        for name, rule in plan.eligibility.items():
            yield name, _rule_type(rule)
        for role in (plan.strata, plan.pairs, plan.cluster, *plan.subgroups):
            if role is not None:
                yield role, "text"
    if table.name == "areas" and plan.areas is not None:
        for name in plan.areas.match_on:
            yield name, "text"
        if plan.areas.ring is not None:
            yield plan.areas.ring, "int"
    if table.name in ("areas", "trials"):
        for name in (*plan.subgroups, *((plan.cluster,) if plan.cluster and table.name == "areas" else ())):
            yield name, "text"
    if table.name == "events":
        for outcome in plan.outcomes.values():
            for name in outcome.where:
                yield name, "text"


def _rule_type(rule: Sequence[object]) -> ColumnType:
    if rule and all(isinstance(item, date) for item in rule):
        return "date"
    is_number = all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in rule)
    return "float" if rule and is_number else "text"


def _position(delivered: str, header: Sequence[str], where: str) -> int | None:
    """Return where a column stands: by its exact name, else regardless of capitals."""
    wanted = delivered.strip()
    if wanted in header:
        return header.index(wanted)
    folded = [position for position, name in enumerate(header) if name.casefold() == wanted.casefold()]
    if len(folded) > 1:
        raise DeliveryError(
            f"several columns are called {delivered}, but for capitals",
            where=where,
            next_step="write the name in the plan exactly as in the file",
        )
    return folded[0] if folded else None


def _missing(name: str, delivered: str, header: Sequence[str]) -> str:
    near = [each for each in near_misses(delivered, header) if can_be_shown(each)]
    called = name if delivered == name else f"{name} (called '{delivered}' by the plan)"
    return f"{called}; near misses: {', '.join(near)}" if near else called


def _or_wide(plan: Plan, table: Table, column: Column) -> str:
    if column.name != "outcome" or table.name not in MEASURED_TABLES:
        return ""
    return f" (or a column per outcome: {', '.join(plan.outcomes)})"


def _constant(plan: Plan, table: Table, column: Column) -> str | None:
    if column.name == "arm" and plan.design == "before_after":
        return plan.arms.treated[0]
    if column.name == "outcome" and len(plan.outcomes) == 1:
        return next(iter(plan.outcomes))
    return "false" if column.name == "is_control" else None


def _value_set(plan: Plan, table: Table, column: Column, values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((key.strip(), target.strip()) for key, target in values.items())
