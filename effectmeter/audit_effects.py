"""The effects table under attack: its counts and ties as the audit wants them, and what is hidden when one gives way.

Here: `protect`, which audits the cleared rows, hides more where a small group could be had by subtraction, and audits
again. The ties: subgroups and those without a value add up to the whole; what happens in a short window happens in the
long one; an outcome is part of a wider one; events are no fewer than the persons who have them, and those no more than
the group; what was counted last time is part of what is counted now. Not here: the linear programmes
(`effectmeter.audit`).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from effectmeter.audit import Count, Inference, Target, Tie, infer, rounded_limits
from effectmeter.clearing_context import ClearedRow, Context, Key
from effectmeter.clearing_sets import hidden_with_another, subgroup_column, without_counts
from effectmeter.edition_blocks import effects_key, row_names
from effectmeter.editions import Entry
from effectmeter.errors import PublicationError
from effectmeter.results import EffectRow

ROLES = ("treated", "comparison")
_RISKS = frozenset({"risk_ratio", "odds_ratio", "risk_difference", "hazard_ratio"})


@dataclass
class _Model:
    """Counts, ties and targets as they are gathered."""

    counts: dict[str, Count] = field(default_factory=dict)
    true: dict[str, float] = field(default_factory=dict)
    ties: list[Tie] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Cell:
    """One count of a question in one arm: all rows that quote it, and what they show together."""

    question: Key
    role: str
    kind: str
    true: float
    shown: float | None
    rows: tuple[int, ...]

    @property
    def name(self) -> str:
        """Return the cell's name in the model."""
        return "|".join(str(part) for part in (*self.question, self.role, self.kind))


def protect(
    rows: Sequence[EffectRow], cleared: Sequence[ClearedRow], context: Context, ledger: Sequence[Entry] = ()
) -> tuple[list[ClearedRow], tuple[Inference, ...]]:
    """Audit the cleared rows, hide more where that is needed, and return them with what an intruder could infer.

    Only designs on persons: areas, periods and trials are public, and their events have rules of their own.

    Parameters
    ----------
    rows
        The same rows with their true counts.

    Raises
    ------
    PublicationError
        A small count can be inferred whatever is hidden beside it.
    """
    result = list(cleared)
    if context.unit != "person" or context.rules.minimum_persons <= 1:
        return result, ()
    applied: set[str] = set()
    while True:
        model, remedies = _model(rows, result, context, ledger)
        found = infer(list(model.counts.values()), model.ties, model.targets, context.rules)
        unsafe = [target for target, inference in zip(model.targets, found, strict=True) if not inference.is_safe]
        if not unsafe:
            return result, found
        chosen = {next((remedy for remedy in target.remedies if remedy not in applied), "") for target in unsafe}
        if chosen == {""}:
            raise PublicationError(
                f"{len(unsafe)} small counts could be inferred from what would be published",
                where="the effects table",
                allowed=f"no group under {context.rules.minimum_persons} known to within fewer values than that",
                next_step="ask for fewer subgroups, windows or outcomes that are parts of each other in the plan",
            )
        for remedy in chosen - {""}:
            applied.add(remedy)
            for index, act in remedies[remedy]:
                result[index] = act(rows[index], result[index])


def _cells(rows: Sequence[EffectRow], cleared: Sequence[ClearedRow]) -> dict[tuple[Key, str, str], list[_Cell]]:
    """Return the counts per question, arm and kind: the one most rows quote first, other populations' after it."""
    found: dict[tuple[Key, str, str], dict[float, list[int]]] = {}
    for index, row in enumerate(rows):
        question = _question(row)
        for role in ROLES:
            for kind, name in (("n", f"n_{role}"), ("p" if row.measure in _RISKS else "e", f"events_{role}")):
                value = getattr(row, name)
                if value is not None:
                    found.setdefault((question, role, kind), {}).setdefault(float(value), []).append(index)
    result = {}
    for key, values in found.items():
        name = f"n_{key[1]}" if key[2] == "n" else f"events_{key[1]}"
        ordered = sorted(values, key=lambda value: min(values[value]))
        result[key] = [
            _Cell(
                *key,
                true=value,
                shown=next((v for i in values[value] if (v := getattr(cleared[i].row, name)) is not None), None),
                rows=tuple(values[value]),
            )
            for value in ordered
        ]
    return result


def _question(row: EffectRow) -> Key:
    return (row.contrast, row.outcome, row.window_days, row.subgroup, row.analysis == "placebo")


def _model(
    rows: Sequence[EffectRow], cleared: Sequence[ClearedRow], context: Context, ledger: Sequence[Entry]
) -> tuple[_Model, Mapping[str, list]]:  # type: ignore[type-arg]
    cells = _cells(rows, cleared)
    model, remedies = _Model(), _remedies(rows)
    for variants in cells.values():
        cell = variants[0]
        least = context.rules.minimum_persons
        low, high = rounded_limits(cell.shown, context.rules, mask=least - 1 if cell.true < least else None)
        model.counts[cell.name], model.true[cell.name] = Count(cell.name, low, high), cell.true
    _within_groups(cells, model)
    _of_other_people(cells, model, context)
    _of_parts(cells, model, context)
    for part, whole in (*_windows(cells), *_outcomes(cells, context)):
        _nested(cells, part, whole, model, context)
    _of_last_edition(rows, cells, model, context, ledger)
    for variants in cells.values():
        cell = variants[0]
        if cell.shown is None and cell.true < context.rules.minimum_persons:
            model.targets.append(Target(cell.name, {cell.name: 1.0}, cell.true, _others(cells, cell)))
    return model, remedies


def _remedies(rows: Sequence[EffectRow]) -> dict[str, list]:  # type: ignore[type-arg]
    """Return what can be hidden, by name: a question as a whole, or the counts of one row."""
    found: dict[str, list] = {}  # type: ignore[type-arg]
    for index, row in enumerate(rows):
        whole = [(index, lambda _, entry: ClearedRow(hidden_with_another(entry.row), True))]
        found.setdefault(f"question|{_question(row)}", []).extend(whole)
        found[f"counts|{index}"] = [(index, lambda row, entry: without_counts(row, entry))]
    return found


def _within_groups(cells: Mapping[tuple[Key, str, str], list[_Cell]], model: _Model) -> None:
    """Tie events to persons with one, and those to the group: a numerator is no more than its denominator."""
    for question, role, kind in cells:
        name = cells[question, role, kind][0].name
        for larger in {"p": ("n", "e"), "e": (), "n": ()}[kind]:
            whole = cells.get((question, role, larger))
            if whole is not None and whole[0].true >= model.true[name]:
                model.ties.append(Tie({whole[0].name: 1.0, name: -1.0}, 0.0, float("inf")))


def _of_other_people(cells: Mapping[tuple[Key, str, str], list[_Cell]], model: _Model, context: Context) -> None:
    """Target what two analyses of one question differ by: those with missing values, or who started later."""
    least = context.rules.minimum_persons
    for variants in cells.values():
        first = variants[0]
        for number, other in enumerate(variants[1:]):
            step = abs(other.true - first.true)
            if other.shown is None or first.shown is None or step >= least:
                continue
            name = f"{first.name}|other {number}"
            model.counts[name] = Count(name, *rounded_limits(other.shown, context.rules))
            sign = 1.0 if other.true > first.true else -1.0
            model.targets.append(
                Target(
                    f"{name} less the first", {name: sign, first.name: -sign}, step,
                    tuple(f"counts|{index}" for index in other.rows),
                )
            )  # fmt: skip


def _of_parts(cells: Mapping[tuple[Key, str, str], list[_Cell]], model: _Model, context: Context) -> None:
    """Tie subgroups, and those without a value, to the whole."""
    sets: dict[tuple[Key, str, str, str], list[_Cell]] = {}
    for (question, role, kind), variants in cells.items():
        if not question[3]:
            continue
        column, is_between = subgroup_column(question[3])
        if not is_between and (context.parts is None or column in context.parts) and not question[4]:
            whole = (*question[:3], None, question[4])
            sets.setdefault((whole, role, kind, column), []).append(variants[0])
    for (whole, role, kind, column), parts in sets.items():
        total = cells.get((whole, role, kind))
        if total is None or total[0].true < sum(part.true for part in parts):
            continue
        missing = f"{total[0].name}|without {column}"
        rest = total[0].true - sum(part.true for part in parts)
        model.counts[missing], model.true[missing] = Count(missing, 0, float("inf")), rest
        model.ties.append(Tie({part.name: 1.0 for part in parts} | {missing: 1.0, total[0].name: -1.0}))
        if 0 < rest < context.rules.minimum_persons:
            remedies = tuple(f"question|{part.question}" for part in sorted(parts, key=lambda part: part.true))
            model.targets.append(Target(missing, {missing: 1.0}, rest, remedies))


def _windows(cells: Mapping[tuple[Key, str, str], list[_Cell]]) -> Iterator[tuple[tuple[Key, str, str], ...]]:
    """Yield (short, long) for windows that follow each other."""
    by_rest: dict[tuple[Key, str, str], list[int]] = {}
    for question, role, kind in cells:
        if kind != "n" and question[2] is not None and not question[4]:
            rest = ((question[0], question[1], None, question[3], question[4]), role, kind)
            by_rest.setdefault(rest, []).append(question[2])
    for (question, role, kind), windows in by_rest.items():
        ordered = sorted(windows)
        for short, long in itertools.pairwise(ordered):
            part, whole = ((*question[:2], days, *question[3:]) for days in (short, long))
            yield (part, role, kind), (whole, role, kind)


def _outcomes(
    cells: Mapping[tuple[Key, str, str], list[_Cell]], context: Context
) -> Iterator[tuple[tuple[Key, str, str], ...]]:
    """Yield (part, whole) for outcomes that count some of another's events."""
    for question, role, kind in cells:
        for wider in context.within.get(question[1], ()):
            whole = ((question[0], wider, *question[2:]), role, kind)
            if kind != "n" and whole in cells:
                yield (question, role, kind), whole


def _nested(
    cells: Mapping[tuple[Key, str, str], list[_Cell]],
    part: tuple[Key, str, str],
    whole: tuple[Key, str, str],
    model: _Model,
    context: Context,
) -> None:
    """Tie a count to one that holds it, and target what the second has more, unless the groups are not alike.

    Who was followed long enough for the short window only is in the short count and not in the long one.
    """
    inner, outer = cells[part][0], cells[whole][0]
    small, large = (cells.get((key[0], key[1], "n")) for key in (part, whole))
    if small is None or large is None or abs(small[0].true - large[0].true) >= context.rules.minimum_persons:
        return
    rest = outer.true - inner.true
    if rest < 0:
        return
    name = f"{outer.name}|beyond {inner.name}"
    model.counts[name] = Count(name, 0, float("inf"))
    model.ties.append(Tie({inner.name: 1.0, name: 1.0, outer.name: -1.0}))
    if rest < context.rules.minimum_persons and inner.shown is not None and outer.shown is not None:
        primary, other = (inner, outer) if _is_first(cells, inner, outer) else (outer, inner)
        remedies = (f"question|{other.question}", f"question|{primary.question}")
        model.targets.append(Target(name, {name: 1.0}, rest, remedies))


def _is_first(cells: Mapping[tuple[Key, str, str], list[_Cell]], one: _Cell, other: _Cell) -> bool:
    """Return whether a cell's question stands before another's: the primary question stands first."""
    return min(one.rows) < min(other.rows)


def _others(cells: Mapping[tuple[Key, str, str], list[_Cell]], cell: _Cell) -> tuple[str, ...]:
    """Return the questions that a masked count may be protected by: its siblings, the smallest first."""
    question = cell.question
    column = subgroup_column(question[3])[0] if question[3] else None
    related = [
        variants[0]
        for (other, role, kind), variants in cells.items()
        if (role, kind) == (cell.role, cell.kind)
        and other[0] == question[0]
        and other != question
        and variants[0].shown is not None
        and (
            (other[1:3] == question[1:3] and other[3] and column and subgroup_column(other[3])[0] == column)
            or (other[3] == question[3] and (other[1] == question[1] or other[2] == question[2]))
        )
    ]
    ordered = sorted(related, key=lambda other: (not other.question[3], other.true))
    return tuple(dict.fromkeys(f"question|{other.question}" for other in ordered))


def _of_last_edition(
    rows: Sequence[EffectRow],
    cells: Mapping[tuple[Key, str, str], list[_Cell]],
    model: _Model,
    context: Context,
    ledger: Sequence[Entry],
) -> None:
    """Tie every count to what was published of it before, as an intruder would who takes it that nobody leaves."""
    names = row_names(rows)
    history: dict[str, list[Entry]] = {}
    for entry in ledger:
        if entry.is_published:
            history.setdefault(entry.block, []).append(entry)
    for variants in cells.values():
        cell = variants[0]
        before = cell
        for number, entry in enumerate(reversed(history.get(effects_key(rows[cell.rows[0]]), []))):
            address = f"{'n' if cell.kind == 'n' else 'e'}:{cell.role}:{names[cell.rows[0]]}"
            true, shown = (json.loads(text).get(address) for text in (entry.cells, entry.shown))
            if true is None or true == before.true:
                continue
            if true > before.true:
                break  # people left: what is left is no part of what was
            name = f"{cell.name}|{entry.quarter}|{number}"
            mask = context.rules.minimum_persons - 1 if true < context.rules.minimum_persons else None
            model.counts[name] = Count(name, *rounded_limits(shown, context.rules, mask=mask))
            newer = before.name if before is cell else before.question[0]
            model.ties.append(Tie({newer: 1.0, name: -1.0}, 0.0, float("inf")))
            step = before.true - true
            if step < context.rules.minimum_persons and shown is not None and before.shown is not None:
                remedies = (f"question|{cell.question}",) if before is cell else ()
                model.targets.append(Target(f"{newer} since {name}", {newer: 1.0, name: -1.0}, step, remedies))
            before = replace(cell, question=(name,), true=true, shown=shown)
