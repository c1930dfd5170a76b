"""Counts delivered in wide form: a column per outcome instead of a row per outcome. Landing tables are always long.

Here it is decided which form a file has, and the statement that turns the one into the other. Typing and judging rows
is in `vault.intake.conversion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from effectmeter.plan import Outcome, Plan
from effectmeter.schema import Table
from sql import identifier

MEASURED_TABLES = ("area_counts", "series")
"""Tables with a row per period and outcome."""
MEASURES = ("outcome", "count", "value")
"""Their columns that a wide file does without."""


@dataclass(frozen=True, slots=True)
class SpreadOutcome:
    """One outcome with a column of its own.

    Attributes
    ----------
    outcome
        As the plan calls it.
    delivered
        The column's name in the file.
    into
        Column of the long table.
    """

    outcome: str
    delivered: str
    into: Literal["count", "value"]


def spread_outcomes(
    plan: Plan, table: Table, header: Sequence[str]
) -> tuple[tuple[SpreadOutcome, ...], tuple[str, ...]]:
    """Return the outcomes that have a column of their own, and the names of those that miss theirs.

    A file is long where it has an `outcome` column. Without one it is wide as soon as one of the plan's outcomes has
    a column: the one its `value` or `event` names, else its own name.

    Returns
    -------
    tuple of SpreadOutcome
        Empty: the file is long.
    tuple of str
        Outcomes without a column in a wide file.
    """
    if table.name not in MEASURED_TABLES or _delivered(plan, table, "outcome", header) is not None:
        return (), ()
    found: list[SpreadOutcome] = []
    missing: list[str] = []
    for name, outcome in (plan.outcomes | plan.negative_control_outcomes).items():
        column = next(
            filter(None, (_delivered(plan, table, word, header) for word in column_names(name, outcome))), None
        )
        if column is None:
            missing.append(name)
        else:
            is_value = outcome.value is not None and table.name == "area_counts"
            found.append(SpreadOutcome(name, column, "value" if is_value else "count"))
    return (tuple(found), tuple(missing)) if found else ((), ())


def column_names(name: str, outcome: Outcome) -> tuple[str, ...]:
    """Return what an outcome's own column may be called, the likeliest first."""
    return tuple(dict.fromkeys(word for word in (outcome.value, outcome.event, name) if word is not None))


def long_rows(table: Table, typed: str, columns: Sequence[tuple[SpreadOutcome, str]]) -> tuple[str, dict[str, str]]:
    """Return the statement that makes a wide typed table long, and its parameters; an empty cell is no row.

    Parameters
    ----------
    typed
        The temporary table of typed rows.
    columns
        Per outcome its column in that table.
    """
    parameters: dict[str, str] = {}
    parts: list[str] = []
    for at, (spread, column) in enumerate(columns):
        parameters[f"outcome{at}"] = spread.outcome
        cells = {"outcome": f"$outcome{at}::varchar", spread.into: identifier(column)}
        kept = {name: cells.get(name, "null" if name in MEASURES else identifier(name)) for name in table.names}
        kept["count"] += "::bigint"
        if "value" in kept:
            kept["value"] += "::double"
        selected = ", ".join(f"{expression} as {identifier(name)}" for name, expression in kept.items())
        parts.append(
            f"select row_number, {at} as place, {selected} from {identifier(typed)} "
            f"where reject_reason is null and {identifier(column)} is not null"
        )
    names = ", ".join(map(identifier, table.names))
    return f"select {names} from ({' union all '.join(parts)}) order by row_number, place", parameters


def _delivered(plan: Plan, table: Table, name: str, header: Sequence[str]) -> str | None:
    """Return the delivered name of a column, when it is there."""
    mapping = plan.source[table.name].columns.get(name)  # type: ignore[index]
    wanted = (mapping.column if mapping else name).strip()
    if wanted in header:
        return wanted
    return next((each for each in header if each.casefold() == wanted.casefold()), None)
