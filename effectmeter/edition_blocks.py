"""A quarter's findings as blocks for the ledger, and back: what is published together, and on which counts it rests.

Here: which findings make a block, its cells, and what a repeated block looks like. Not here: when a block may change
(`effectmeter.editions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar, get_type_hints

from effectmeter.cleared_tables import clear_curves
from effectmeter.clearing import question_key
from effectmeter.clearing_context import blank, no_years
from effectmeter.clearing_sets import subgroup_column
from effectmeter.disclosure import Rules
from effectmeter.disclosure_texts import Counted, counts_in
from effectmeter.editions import Block, Decision, Group
from effectmeter.findings import ArmNumbers, Findings, QualityCheck
from effectmeter.plan import Plan
from effectmeter.results import (
    AttritionStep,
    BalanceRow,
    CurvePoint,
    EffectRow,
    GateResult,
    OverlapRow,
    SeriesPoint,
    TrialEffect,
    as_record,
)
from effectmeter.shapes import SHAPES

Row = TypeVar("Row")
_ROLES = ("treated", "comparison")


def effects_key(row: EffectRow) -> str:
    """Return the block that a row of the effects table belongs to: its question, whatever the measure."""
    contrast, outcome, window, subgroup, is_placebo = question_key(row)
    return "|".join(("effects", contrast, outcome, str(window or ""), subgroup or "", "placebo" if is_placebo else ""))


def row_names(rows: Iterable[EffectRow]) -> list[str]:
    """Return a name per row that is unique in its block."""
    seen: dict[tuple[str, str], int] = {}
    names = []
    for row in rows:
        name = "|".join((row.measure, row.estimand, row.estimator, row.variance, row.analysis, row.denominator or ""))
        again = seen[effects_key(row), name] = seen.get((effects_key(row), name), 0) + 1
        names.append(name if again == 1 else f"{name}|{again}")
    return names


def blocks_of(findings: Findings, plan: Plan, rules: Rules) -> list[Block]:
    """Return everything of a quarter that quotes counts, in blocks."""
    is_person = SHAPES[plan.design].unit == "person"
    blocks = _effects(findings, plan)
    blocks += _texts(findings, "all" if is_person else "named", _smallest(findings) if is_person else None)
    blocks += [
        Block(
            key=f"series|{point.outcome}|{point.label}",
            cells={} if point.observed is None else {"x::observed": point.observed},
            content=(as_record(point),),
        )
        for point in findings.series_points
    ]
    blocks += [
        Block(key=f"trial|{trial.trial}", cells=_counts(trial, "x", _TRIAL), content=(as_record(trial),))
        for trial in findings.trial_effects
    ]
    return blocks + (_arms(findings) + _contrasts(findings, plan, rules) if is_person else [])


def repeated(findings: Findings, decisions: Mapping[str, Decision]) -> Findings:
    """Return the findings with every block as it is to be published: anew, or as it last was."""
    names = row_names(findings.effects)
    pairs = zip(findings.effects, names, strict=True)
    past = {
        key: _named_rows(decision.content)
        for key, decision in decisions.items()
        if key.startswith("effects|") and not _is_current(decision)
    }

    def taken(kind: str, row_type: type[Row], rows: Sequence[Row], key: Any) -> tuple[Row, ...]:
        return tuple(
            made
            for name in dict.fromkeys(f"{kind}|{key(row)}" for row in rows)
            for made in _made(decisions[name].content if name in decisions else None, row_type, rows, name, kind, key)
        )

    gates = taken("gate", GateResult, findings.gates, _gate_name)
    said = _said_before(findings.gates, gates)
    return replace(
        findings,
        effects=tuple(_retold(_effect(row, name, decisions[effects_key(row)], past), said) for row, name in pairs),
        attrition=_of_arms(findings.attrition, decisions, "attrition", AttritionStep),
        numbers=_of_arms(findings.numbers, decisions, "numbers", ArmNumbers),
        overlap=taken("overlap", OverlapRow, findings.overlap, lambda row: row.contrast),
        balance=taken("balance", BalanceRow, findings.balance, lambda row: row.contrast),
        curves=taken("curves", CurvePoint, findings.curves, lambda row: f"{row.contrast}|{row.outcome}"),
        series_points=taken("series", SeriesPoint, findings.series_points, lambda row: f"{row.outcome}|{row.label}"),
        trial_effects=taken("trial", TrialEffect, findings.trial_effects, lambda row: row.trial),
        gates=gates,
        checks=taken("check", QualityCheck, findings.checks, _check_name),
    )


def _said_before(now: Sequence[GateResult], settled: Sequence[GateResult]) -> dict[str, str]:
    """Return what a gate says now and what is repeated of it, where that differs."""
    before = {_gate_name(gate): gate for gate in settled}
    pairs = [(gate, before[_gate_name(gate)]) for gate in now if _gate_name(gate) in before]
    return {
        new: old
        for gate, kept in pairs
        for new, old in ((gate.sentence, kept.sentence), (gate.sentence_nl, kept.sentence_nl))
        if new and new != old
    }


def _retold(row: EffectRow, said: Mapping[str, str]) -> EffectRow:
    """Return a row whose reason is in the words of the gates that are published, be they an earlier edition's."""
    for now, before in said.items():
        if now in row.reason or now in row.reason_nl:
            row = replace(row, reason=row.reason.replace(now, before), reason_nl=row.reason_nl.replace(now, before))
    return row


def _effects(findings: Findings, plan: Plan) -> list[Block]:
    is_person = SHAPES[plan.design].unit == "person"
    families = {entry.arm: entry.families for entry in findings.numbers}
    people = _People(findings)
    behind = {
        (entry.contrast, entry.outcome, entry.window_days, entry.subgroup): (
            entry.persons_treated,
            entry.persons_comparison,
        )
        for entry in findings.contributors
    }
    members: dict[str, list[tuple[str, EffectRow]]] = {}
    for name, row in zip(row_names(findings.effects), findings.effects, strict=True):
        members.setdefault(effects_key(row), []).append((name, row))
    blocks = []
    for key, rows in members.items():
        first = rows[0][1]
        cells: dict[str, float] = {}
        for name, row in rows:
            for role in _ROLES:
                n, events = getattr(row, f"n_{role}"), getattr(row, f"events_{role}")
                if is_person and n is not None:
                    cells[f"n:{role}:{name}"] = float(n)
                if events is not None and row.status == "shown":
                    cells[f"{'e' if is_person else 'x'}:{role}:{name}"] = float(events)
        persons = behind.get((first.contrast, first.outcome, first.window_days, first.subgroup), (None, None))
        for role, who in zip(_ROLES, persons, strict=True):
            if is_person and who is not None:
                cells[f"e:{role}:persons"] = float(who)
        groups: dict[str, Group] = {}
        for role, arm in zip(_ROLES, _arms_of(first.contrast, plan), strict=True) if is_person else ():
            sizes = [n for _, row in rows if (n := getattr(row, f"n_{role}")) is not None]
            clusters = [n for _, row in rows if (n := getattr(row, f"n_clusters_{role}")) is not None]
            of_arm = families.get(arm) if first.subgroup is None else None
            of_families = max(clusters, default=None) if plan.cluster == "family_id" else of_arm
            fingerprint = people.of(arm, first.outcome, first.window_days, first.subgroup)
            groups[role] = (max(sizes, default=None), of_families, fingerprint)
        blocks.append(
            Block(
                key=key,
                groups=groups,
                cells=cells,
                content=[as_record(row) for _, row in rows],
                parent=effects_key(replace(first, subgroup=None)) if first.subgroup else "",
                siblings="|".join((*key.split("|")[:4], subgroup_column(first.subgroup)[0])) if first.subgroup else "",
            )
        )
    return blocks


class _People:
    """Who stands behind a question, as fingerprints; where a part is not known, the whole that it is a part of."""

    def __init__(self, findings: Findings) -> None:
        self._known = {
            (found.arm, found.outcome, found.window_days, found.subgroup): found.fingerprint
            for found in findings.populations
        }

    def of(
        self, arm: str, outcome: str | None = None, window_days: int | None = None, subgroup: str | None = None
    ) -> str | None:
        """Return the fingerprint of the smallest group that is known to hold all that is asked for."""
        asked = ((arm, outcome, window_days, subgroup), (arm, outcome, window_days, None), (arm, None, None, None))
        return next((self._known[key] for key in asked if key in self._known), None)


def _arms_of(contrast: str, plan: Plan) -> tuple[str, str]:
    """Return the arms that a contrast sets against each other; before and after are the same people."""
    for treated, label in plan.contrasts:
        if label == contrast:
            return treated, plan.arms.comparison
    arm = contrast.removesuffix(" after vs before")
    return arm, arm


def _texts(findings: Findings, counted: Counted, n: float | None) -> list[Block]:
    """Return the figures of gates and checks that quote counts; others change freely."""
    quoted = [(f"gate|{_gate_name(gate)}", gate.figure, as_record(gate)) for gate in findings.gates]
    quoted += [(f"check|{_check_name(check)}", check.figure, as_record(check)) for check in findings.checks]
    return [
        Block(key=key, cells={f"x::{i}": count for i, count in enumerate(counts)}, content=(record,))
        for key, figure, record in quoted
        if (counts := counts_in(figure, n=n, counted=counted))
    ]


def _gate_name(gate: GateResult) -> str:
    return f"{gate.gate}|{gate.concerns}|{gate.status}"


def _check_name(check: QualityCheck) -> str:
    return f"{check.check_name}|{check.passed}"


_TRIAL = ("n_treated", "n_comparison", "events_treated", "events_comparison")


def _counts(row: Any, kind: str, names: Sequence[str]) -> dict[str, float]:
    return {f"{kind}::{name}": float(value) for name in names if (value := getattr(row, name)) is not None}


def _arms(findings: Findings) -> list[Block]:
    """Return per arm how many were delivered and how many of them were lost on the way."""
    blocks = []
    for arm in dict.fromkeys([*(s.arm for s in findings.attrition), *(e.arm for e in findings.numbers)]):
        steps = [step for step in findings.attrition if step.arm == arm]
        numbers = [entry for entry in findings.numbers if entry.arm == arm]
        cells = {f"n:{arm}:lost {step.step}": float(step.n_lost) for step in steps}
        if steps:
            cells[f"n:{arm}:left"] = float(max(steps, key=lambda step: step.step).n_after)
        for entry in numbers:
            counts = {"persons": entry.persons, "families": entry.families}
            cells |= {f"n:{arm}:{what}": float(count) for what, count in counts.items() if count is not None}
        people = (numbers[0].persons, numbers[0].families) if numbers else (None, None)
        content = [as_record(step) | {"_": "attrition"} for step in steps]
        content += [as_record(entry) | {"_": "numbers"} for entry in numbers]
        blocks.append(Block(key=f"persons|{arm}", groups={arm: people}, cells=cells, content=content))
    return blocks


def _contrasts(findings: Findings, plan: Plan, rules: Rules) -> list[Block]:
    """Return overlap and balance per contrast, and curves per contrast and outcome."""
    blocks = []
    sizes, people = _sizes(findings), _People(findings)
    for contrast in dict.fromkeys(row.contrast for row in findings.overlap):
        bins = [row for row in findings.overlap if row.contrast == contrast]
        cells = {f"n:{role}:{b.bin_low:.3f}": float(getattr(b, f"n_{role}")) for b in bins for role in _ROLES}
        groups: dict[str, Group] = {
            role: (float(sum(getattr(b, f"n_{role}") for b in bins)), None, people.of(arm))
            for role, arm in zip(_ROLES, _arms_of(contrast, plan), strict=True)
        }
        blocks.append(
            Block(key=f"overlap|{contrast}", groups=groups, cells=cells, content=[as_record(b) for b in bins])
        )
    for contrast in dict.fromkeys(row.contrast for row in findings.balance):
        rows = [row for row in findings.balance if row.contrast == contrast]
        n = sizes.get(contrast, (None, None))
        cells = {f"n:{role}:": float(size) for role, size in zip(_ROLES, n, strict=True) if size is not None}
        for row in rows:
            for role, mean, size in zip(_ROLES, (row.mean_treated, row.mean_comparison_before), n, strict=True):
                if size and 0 <= mean <= 1:
                    cells[f"n:{role}:{row.term} {row.kind}"] = float(round(mean * size))
        arms = _arms_of(contrast, plan)
        groups = {role: (size, None, people.of(arm)) for role, size, arm in zip(_ROLES, n, arms, strict=True)}
        blocks.append(
            Block(key=f"balance|{contrast}", groups=groups, cells=cells, content=[as_record(row) for row in rows])
        )
    for contrast, outcome in dict.fromkeys((point.contrast, point.outcome) for point in findings.curves):
        points = [point for point in findings.curves if (point.contrast, point.outcome) == (contrast, outcome)]
        blocks.append(_curve(contrast, outcome, points, plan, rules, people))
    return blocks


def _curve(
    contrast: str, outcome: str, points: Sequence[CurvePoint], plan: Plan, rules: Rules, people: _People
) -> Block:
    """Return a curve: its cells are the persons with an event up to each day that is published."""
    cells: dict[str, float] = {}
    groups: dict[str, Group] = {}
    cleared = clear_curves(points, plan, rules)
    for arm in dict.fromkeys(point.arm for point in points):
        own = sorted((point for point in points if point.arm == arm), key=lambda point: point.day)
        groups[arm] = (float(own[0].n_at_risk), None, people.of(arm))
        cells[f"n:{arm}:"] = float(own[0].n_at_risk)
        for day in cleared.filter(cleared["arm"] == arm)["day"].to_list():
            if day:
                cells[f"e:{arm}:{day}"] = float(sum(point.n_events for point in own if point.day <= day))
    return Block(
        key=f"curves|{contrast}|{outcome}", groups=groups, cells=cells, content=[as_record(point) for point in points]
    )


def _sizes(findings: Findings) -> dict[str, tuple[int | None, int | None]]:
    found: dict[str, tuple[int | None, int | None]] = {}
    for row in findings.effects:
        if row.subgroup is None:
            found.setdefault(row.contrast, (row.n_treated, row.n_comparison))
    return found


def _smallest(findings: Findings) -> float | None:
    counted = [entry.persons for entry in findings.numbers if entry.persons is not None]
    return min(counted, default=None)


def _named_rows(content: Sequence[Mapping[str, Any]]) -> dict[str, EffectRow]:
    rows = [_row(EffectRow, record) for record in content]
    return dict(zip(row_names(rows), rows, strict=True))


def _row(row_type: type[Row], record: Mapping[str, Any]) -> Row:
    """Return a record as its dataclass; lists were tuples, and what a newer version dropped is left out."""
    known = {field.name for field in fields(row_type)}  # type: ignore[arg-type]
    hints = get_type_hints(row_type)
    return row_type(
        **{
            name: tuple(value) if isinstance(value, list) and "tuple" in str(hints[name]) else value
            for name, value in record.items()
            if name in known
        }
    )


def _effect(row: EffectRow, name: str, decision: Decision, past: Mapping[str, Mapping[str, EffectRow]]) -> EffectRow:
    """Return a row as it is to be published; a gate that hides it now hides it also where its figures are old ones."""
    key = effects_key(row)
    if decision.state in {"new", "renewed"} or (decision.state == "same" and _is_current(decision)):
        return row
    before = past.get(key, {}).get(name)
    if before is not None and before.status == "shown" and row.status == "shown":
        return replace(before, quarter=row.quarter)
    counts = ("n_treated", "n_comparison", "n_clusters_treated", "n_clusters_comparison")
    old: dict[str, Any] = {count: None if before is None else getattr(before, count) for count in counts}
    old["figures_of"] = row.quarter if before is None else before.figures_of
    without = replace(row, **old, events_treated=None, events_comparison=None, **no_years(), **blank())
    if row.status != "shown":
        return without
    return replace(
        without,
        status="suppressed",
        reason="Not shown to protect privacy: too little is new since the last edition.",
        reason_nl="Niet getoond vanwege privacy: er is te weinig nieuw sinds de vorige uitgave.",
    )


def _is_current(decision: Decision) -> bool:
    return len(decision.content) == len(decision.block.content) and all(
        a is b for a, b in zip(decision.content, decision.block.content, strict=True)
    )


def _of_arms(rows: Sequence[Row], decisions: Mapping[str, Decision], what: str, row_type: type[Row]) -> tuple[Row, ...]:
    """Return the rows about each arm, of the quarter that its block is of."""
    arms = dict.fromkeys(row.arm for row in rows)  # type: ignore[attr-defined]
    if all((found := decisions.get(f"persons|{arm}")) is None or _is_current(found) for arm in arms):
        return tuple(rows)
    left = {
        arm: [_row(row_type, record) for record in decisions[f"persons|{arm}"].content if record.get("_") == what]
        for arm in arms
    }
    in_order = [left[row.arm].pop(0) for row in rows if left[row.arm]]  # type: ignore[attr-defined]
    return (*in_order, *(row for rest in left.values() for row in rest))


def _made(
    content: Sequence[Mapping[str, Any]] | None,
    row_type: type[Row],
    rows: Sequence[Row],
    name: str,
    kind: str,
    key: Any,
) -> Sequence[Row]:
    if content is None:
        return [row for row in rows if f"{kind}|{key(row)}" == name]
    return [_row(row_type, record) for record in content]
