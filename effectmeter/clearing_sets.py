"""Secondary suppression: rows that would give another, hidden row away are hidden with it.

Here: subgroups that add up, differences between them, and analyses that leave one trial out. Not here: whether a row is
fit to be shown by itself (`effectmeter.clearing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from effectmeter import disclosure
from effectmeter.clearing_context import FIGURES, ClearedRow, Context, Key, blank, no_years
from effectmeter.results import EffectRow


def with_complements(cleared: Sequence[ClearedRow], context: Context) -> list[ClearedRow]:
    """Suppress a second subgroup where exactly one of a set is, so that the total does not give it back.

    The difference between two subgroups goes as well: with the one that is shown it would give the other.
    """
    result = list(cleared)
    sets: dict[Key, list[int]] = {}
    between: dict[Key, list[int]] = {}
    places: dict[Key, int] = {}
    for index, entry in enumerate(cleared):
        row = entry.row
        if not row.subgroup:
            continue
        column, is_interaction = subgroup_column(row.subgroup)
        question = (column, row.contrast, row.outcome, row.window_days)
        if is_interaction:
            between.setdefault(question, []).append(index)
        elif context.parts is None or column in context.parts:
            # by place and not by method: a level with few events is answered by another one than the rest
            part = (*question, row.measure, row.denominator, row.estimand, row.subgroup)
            place = places[part] = places.get(part, 0) + 1
            sets.setdefault((*part[:-1], place), []).append(index)
    for key, members in sets.items():
        sizes = [_size(result[index].row, context) for index in members]
        hidden = [result[index].is_suppressed for index in members]
        for index, is_hidden in zip(members, disclosure.with_complement(sizes, hidden), strict=True):
            if is_hidden and not result[index].is_suppressed:
                result[index] = ClearedRow(hidden_with_another(result[index].row), True)
        if any(hidden):
            for index in between.get(key[:4], []):
                result[index] = ClearedRow(hidden_with_another(result[index].row), True)
    return result


def _size(row: EffectRow, context: Context) -> float | None:
    n_treated, events = context.treated_of(row)
    return events or n_treated


def subgroup_column(subgroup: str) -> tuple[str, bool]:
    """Return the column that a subgroup is of, and whether the row is the difference between two of its values.

    Examples
    --------
    >>> subgroup_column("sex=f"), subgroup_column("sex: interaction"), subgroup_column("interaction=kind: a vs b")
    (('sex', False), ('sex', True), ('kind', True))
    """
    key, _, value = subgroup.partition("=")
    if ", " in value and "=" in value:
        return f"{key}, {value.partition(', ')[2].partition('=')[0]}", False
    if key == "interaction":
        return value.partition(":")[0], True
    return key.partition(":")[0], ":" in key or "interaction" in value


def without_remainders(cleared: Sequence[ClearedRow], rows: Sequence[EffectRow], context: Context) -> list[ClearedRow]:
    """Mask the counts of a row that leaves one trial out where the whole less this row would be a small cell.

    Of persons every row that leaves a site out loses its counts: the whole less such a row is that site.
    """
    names = ("n_treated", "n_comparison", "events_treated", "events_comparison")
    whole: dict[Key, EffectRow] = {}
    for row in rows:
        if row.subgroup is None and row.analysis in {"primary", "secondary"}:
            whole.setdefault((row.contrast, row.outcome, row.measure, row.window_days), row)
    result = list(cleared)
    for index, row in enumerate(rows):
        total = whole.get((row.contrast, row.outcome, row.measure, row.window_days))
        if not (row.subgroup or "").startswith("without="):
            continue
        if context.unit == "person":
            result[index] = without_counts(row, result[index])
            continue
        if total is None:
            continue
        pairs = [(getattr(total, name), getattr(row, name)) for name in names]
        rests = [of - own for of, own in pairs if of is not None and own is not None]
        if any(disclosure.is_too_few(rest, context.rules.minimum_persons) for rest in rests):
            bare = replace(
                result[index].row,
                n_treated=None,
                n_comparison=None,
                events_treated=None,
                events_comparison=None,
            )
            result[index] = ClearedRow(bare, True)
    return result


def without_counts(row: EffectRow, entry: ClearedRow) -> ClearedRow:
    """Return a row without its counts: beside another analysis they would tell of the few who are in one of the two.

    Figures that were computed from the counts give way to the model's own, to two decimals.
    """
    figures: dict[str, Any] = {name: disclosure.round_figure(getattr(row, name)) for name in FIGURES}
    if entry.row.status != "shown":
        figures = {name: getattr(entry.row, name) for name in FIGURES}
    for name in ("p_value", "p_value_adjusted"):
        figures[name] = getattr(entry.row, name)
    return ClearedRow(
        replace(
            entry.row,
            n_treated=None,
            n_comparison=None,
            events_treated=None,
            events_comparison=None,
            n_clusters_treated=None,
            n_clusters_comparison=None,
            **no_years(),
            **figures,
        ),
        True,
    )


def hidden_with_another(row: EffectRow) -> EffectRow:
    """Return a row without figures and counts, since it would give another group away."""
    return replace(
        row,
        status="suppressed",
        reason="Not shown to protect privacy: with the total it would give another group away.",
        reason_nl="Niet getoond vanwege privacy: samen met het totaal zou het een andere groep verraden.",
        n_treated=None,
        n_comparison=None,
        events_treated=None,
        events_comparison=None,
        n_clusters_treated=None,
        n_clusters_comparison=None,
        **no_years(),
        **blank(),
    )
