"""Why each value that was found is not in the release: one line per masked cell, for whoever must account for it.

Here: the rule that explains a masked cell, by the role that the schema catalogue gives its column, over every released
table alike; pure. Not here: the masking (`effectmeter.clearing`, `effectmeter.cleared_tables`). The lines say which
masked cells are small and which were masked along, which a reader must not know: they stay in the vault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from effectmeter import disclosure
from effectmeter.cleared_tables import frame_of
from effectmeter.disclosure import Rules
from effectmeter.findings import Findings
from effectmeter.results import as_record
from effectmeter.schema import RESULT_TABLES
from effectmeter.schema_columns import Role, Table

Rule = Literal["small_cell", "rare_category", "class_disclosure", "row", "complement", "reason", "gate", "merged"]
WHY: Mapping[Rule, str] = {
    "small_cell": "fewer than {n} people, families or events",
    "rare_category": "a category that fewer than {n} people have, or lack",
    "class_disclosure": "nearly everybody in the group had it",
    "row": "another cell of its row may not be shown, and this one would tell it",
    "complement": "with other published figures it would give a masked cell, or a small group, back",
    "reason": "see the reason of the row",
    "gate": "a gate hides it",
    "merged": "steps that each hide too few people are taken together or left out",
}
"""What each rule says of a masked cell."""

_COUNTS: frozenset[Role] = frozenset({"count_persons", "count_events", "count_clusters"})
_MASKABLE: frozenset[Role] = _COUNTS | {"person_time", "model", "proportion"}
_PAIRS = {"events_treated": "n_treated", "events_comparison": "n_comparison"}
_TOLD = ("attrition", "balance", "overlap", "series_points", "trial_effects")
"""Tables whose released rows are the rows that were found."""
_BY_CELL = frozenset({"attrition", "overlap", "series_points"})
"""Of these each column is masked by itself; of others a small cell takes its row along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One masked value: of which table, row and column, by which rule.

    Attributes
    ----------
    row
        The row's key, as ``column=value`` pairs.
    why
        The rule in words, or the row's own reason.
    """

    table: str
    row: str
    column: str
    rule: str
    why: str


def suppressions_of(findings: Findings, tables: Mapping[str, pl.DataFrame], rules: Rules) -> tuple[Suppression, ...]:
    """Return every masked value of a release with the rule that masked it.

    Parameters
    ----------
    findings
        As they went into the gate, in the order of the released rows.
    tables
        As they came out of it.
    """
    found = [*_of_effects(findings, tables["effects"], rules), *_of_numbers(findings, tables["numbers"], rules)]
    for name in _TOLD:
        true = frame_of(name, (as_record(row) for row in getattr(findings, name)))
        found += _of_table(RESULT_TABLES[name], true, tables[name], rules)
    found += _of_curves(findings, tables["curves"], rules)
    for name in ("gates", "checks"):
        found += _of_texts(name, getattr(findings, name), tables[name], rules)
    return tuple(found)


def rule_of(name: str, role: Role, row: Mapping[str, Any], rules: Rules, *, by_cell: bool = False) -> Rule:
    """Return the rule that explains why a value is masked: its own, else its row's, else that of what it adds up to.

    Parameters
    ----------
    row
        True values.
    by_cell
        Whether the table's columns are masked each by itself.

    Examples
    --------
    >>> row = {"n_treated": 4, "n_comparison": 60}
    >>> [rule_of(name, "count_persons", row, Rules()) for name in row]
    ['small_cell', 'row']
    >>> rule_of("n_treated", "count_persons", {"n_treated": 40, "n_comparison": 60}, Rules())
    'complement'
    """
    if role in _COUNTS and disclosure.is_too_few(row[name], rules.minimum_persons):
        return "small_cell"
    if role == "proportion":
        return "rare_category"
    if _is_class(row, rules):
        return "class_disclosure"
    return "row" if not by_cell and _is_few(row, rules) else "complement"


def _is_class(row: Mapping[str, Any], rules: Rules) -> bool:
    return any(disclosure.is_class_disclosure(row.get(part), row.get(of), rules) for part, of in _PAIRS.items())


def _is_few(row: Mapping[str, Any], rules: Rules) -> bool:
    """Return whether a count of a row is small."""
    counts = [value for name, value in row.items() if name.startswith(("n_", "events_", "observed"))]
    return any(disclosure.is_too_few(value, rules.minimum_persons) for value in counts)


def _line(table: str, row: str, column: str, rule: Rule, rules: Rules, why: str = "") -> Suppression:
    said = why or WHY[rule].format(n=rules.minimum_persons)
    return Suppression(table=table, row=row, column=column, rule=rule, why=said)


def _named(key: Sequence[str], row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={row[name]}" for name in key if row[name] is not None)


def _of_table(table: Table, true: pl.DataFrame, shown: pl.DataFrame, rules: Rules) -> Iterator[Suppression]:
    """Yield the masked values of a table whose released rows have the key of those that were found."""
    masked = {_named(table.key, row): row for row in shown.to_dicts()}
    for row in true.drop("is_suppressed").to_dicts():
        name = _named(table.key, row)
        cleared = masked.get(name)
        for column in table.columns:
            if column.role not in _MASKABLE or row[column.name] is None:
                continue
            if cleared is None:
                yield _line(table.name, name, column.name, "gate" if shown.is_empty() else "merged", rules)
            elif cleared[column.name] is None:
                rule = rule_of(column.name, column.role, row, rules, by_cell=table.name in _BY_CELL)
                yield _line(table.name, name, column.name, rule, rules)


def _of_effects(findings: Findings, shown: pl.DataFrame, rules: Rules) -> Iterator[Suppression]:
    """Yield the masked values of the effects table; rows that are not shown give their own reason."""
    table = RESULT_TABLES["effects"]
    key = ("outcome", "measure", "contrast", "estimator", "variance", "analysis", "subgroup", "window_days")
    for found, cleared in zip(findings.effects, shown.to_dicts(), strict=True):
        row = as_record(found)
        for column in table.columns:
            if column.role not in _MASKABLE or row[column.name] is None or cleared[column.name] is not None:
                continue
            rule: Rule = rule_of(column.name, column.role, row, rules)
            if rule != "small_cell" and cleared["status"] != "shown":
                rule = "reason" if cleared["status"] == "suppressed" else "gate"
            why = cleared["reason"] if rule in {"reason", "gate"} else ""
            yield _line("effects", _named(key, row), column.name, rule, rules, why)


def _of_numbers(findings: Findings, shown: pl.DataFrame, rules: Rules) -> Iterator[Suppression]:
    cleared = {row["arm"]: row for row in shown.to_dicts()}
    for entry in findings.numbers:
        for name in ("persons", "families", "units"):
            if getattr(entry, name) is not None and cleared[entry.arm][name] is None:
                yield _line("numbers", f"arm={entry.arm}", name, "small_cell", rules)


def _of_curves(findings: Findings, shown: pl.DataFrame, rules: Rules) -> Iterator[Suppression]:
    """Yield one line per curve of which steps were taken together or left out."""
    key = ("contrast", "outcome", "arm")
    published = {_named(key, row): 0 for row in shown.to_dicts()}
    for row in shown.to_dicts():
        published[_named(key, row)] += 1
    counted: dict[str, int] = {}
    for point in findings.curves:
        name = _named(key, as_record(point))
        counted[name] = counted.get(name, 0) + 1
    for name, n_points in counted.items():
        if published.get(name, 0) < n_points:
            yield _line("curves", name, "incidence", "merged" if name in published else "gate", rules)


def _of_texts(name: str, rows: Sequence[Any], shown: pl.DataFrame, rules: Rules) -> Iterator[Suppression]:
    """Yield the figures and sentences in which a count was masked."""
    table = RESULT_TABLES[name]
    key = ("gate", "concerns") if name == "gates" else ("check_name",)
    texts = [column.name for column in table.columns if column.role == "text"]
    marks = tuple(f"{words} {rules.minimum_persons}" for words in ("<", "fewer than", "minder dan"))
    for found, cleared in zip(rows, shown.to_dicts(), strict=True):
        row = as_record(found)
        for column in texts:
            n_marks = [sum(str(text).count(mark) for mark in marks) for text in (row[column], cleared[column])]
            if n_marks[1] > n_marks[0]:
                yield _line(name, _named(key, row), column, "small_cell", rules)
