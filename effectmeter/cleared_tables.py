"""The tables beside the effects through the release gate: gates, claims, attrition, balance, overlap, curves, checks.

Here: one function per table, dataclasses in, a Polars frame with `is_suppressed` out, columns in catalogue order. Not
here: the effects table (`effectmeter.clearing`) and the verdict (`effectmeter.release`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from effectmeter import disclosure
from effectmeter.claims import rule_on_bound, tested_row
from effectmeter.disclosure import Rules, Step
from effectmeter.disclosure_texts import Counted, clear_figure, clear_text, percentages_in
from effectmeter.findings import Findings
from effectmeter.plan import Plan
from effectmeter.results import AttritionStep, BalanceRow, ClaimRuling, CurvePoint, EffectRow, GateResult, OverlapRow
from effectmeter.results import as_record as record_of
from effectmeter.schema import RESULT_TABLES

_TYPES: Mapping[str, type[pl.DataType]] = {"text": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}


def frame_of(table: str, records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return records as a frame with the catalogue's columns and types, and `is_suppressed` last."""
    columns = RESULT_TABLES[table].columns
    schema = {column.name: _TYPES.get(column.type, pl.String) for column in columns} | {"is_suppressed": pl.Boolean}
    rows = [{name: record.get(name) for name in schema} for record in records]
    return pl.DataFrame(rows, schema=schema)


def clear_gates(
    gates: Sequence[GateResult], rules: Rules, n: float | None = None, counted: Counted = "all"
) -> list[GateResult]:
    """Return the gates with the counts in their figures and sentences rounded or masked.

    Parameters
    ----------
    n
        Persons in the smallest arm, which percentages are taken to be of.
    counted
        Which numbers are counts.
    """
    return [_clear_gate(gate, rules, n, "named" if gate.gate in _ABOUT_ROWS else counted) for gate in gates]


def _clear_gate(gate: GateResult, rules: Rules, n: float | None, counted: Counted) -> GateResult:
    size = n if counted == "all" and gate.gate not in _OF_CHANGES else None
    # a sentence tells a share as its figure does; what is asked for stays as it is
    shares = percentages_in(gate.figure) - percentages_in(gate.threshold)
    return replace(
        gate,
        figure=clear_figure(gate.figure, rules, n=size, counted=counted),
        sentence=clear_text(gate.sentence, rules, "en", n=size, counted=counted, shares=shares),
        sentence_nl=clear_text(gate.sentence_nl, rules, "nl", n=size, counted=counted, shares=shares),
    )


def sentences_of(findings: Findings, rules: Rules, *, are_persons: bool) -> dict[str, str]:
    """Return what the gates say, as found and as cleared, in both languages: rows that they hide repeat it."""
    least = findings.smallest_arm if are_persons else None
    cleared = clear_gates(findings.gates, rules, least, "all" if are_persons else "named")
    pairs = [
        pair
        for gate, safe in zip(findings.gates, cleared, strict=True)
        for pair in ((gate.sentence, safe.sentence), (gate.sentence_nl, safe.sentence_nl))
    ]
    return {found: safe for found, safe in sorted(pairs, key=lambda pair: -len(pair[0])) if found}


_ABOUT_ROWS = frozenset({"agreement", "looks"})
"""Gates that count analyses or quarters, in every design."""
_OF_CHANGES = frozenset({"expected_drop"})
"""Gates whose percentages are of a change, not of people."""


def without_masked_estimates(gates: Sequence[GateResult], masked: Sequence[EffectRow]) -> list[GateResult]:
    """Return the gates, those that quote or judge a masked estimate without what they say of it.

    A range of estimates, the error that power is computed from, or that there was no fit at all would tell a zero.

    Parameters
    ----------
    masked
        Primary rows that are suppressed.
    """
    return [
        replace(gate, **_NOT_TOLD) if gate.gate in _OF_ESTIMATES and any(map(gate.applies_to, masked)) else gate
        for gate in gates
    ]


_OF_ESTIMATES = frozenset({"agreement", "power", "autocorrelation", "immortal_time", "heterogeneity", "small_studies"})
_NOT_TOLD: dict[str, Any] = {
    "status": "not_evaluated",
    "figure": "-",
    "sentence": "Not told to protect privacy: it would give the masked estimate away. More events would change this.",
    "sentence_nl": "Niet getoond vanwege privacy: het zou een verborgen cijfer verraden. Met meer voorvallen kan het "
    "wel.",
}


def clear_claims(
    claims: Sequence[ClaimRuling],
    plan: Plan,
    cleared: Sequence[EffectRow],
    rules: Rules,
    counted: Counted = "all",
) -> list[ClaimRuling]:
    """Return the rulings; one that rests on a suppressed figure is withdrawn, since it would give that figure away.

    Where a bound may be told in its place, and decides the claim, the ruling stands on that bound.
    """
    result = []
    for claim in claims:
        row = tested_row(plan, cleared, claim.outcome, claim.measure, claim.contrast) if claim.outcome else None
        told = None if row is None else rule_on_bound(plan, claim, row)
        if told is not None:
            claim = told
        elif row is not None and row.status == "suppressed":
            claim = replace(
                claim,
                ruling="cannot_be_tested",
                sentence=f"Cannot be tested. {row.reason}",
                sentence_nl=f"Niet te toetsen. {row.reason_nl}",
            )
        else:
            claim = replace(
                claim,
                sentence=clear_text(claim.sentence, rules, "en", counted=counted),
                sentence_nl=clear_text(claim.sentence_nl, rules, "nl", counted=counted),
            )
        result.append(claim)
    return result


def clear_attrition(steps: Sequence[AttritionStep], rules: Rules) -> pl.DataFrame:
    """Return the way from delivered to analysed, totals recomputed from what remains and what each step lost.

    A masked loss adds nothing to the number before it: the chain then says no more than "fewer than ten".
    """
    records: dict[int, dict[str, Any]] = {}
    for arm in dict.fromkeys(step.arm for step in steps):
        following: int | None = None
        chain = [(index, step) for index, step in enumerate(steps) if step.arm == arm]
        for index, step in sorted(chain, key=lambda entry: entry[1].step, reverse=True):
            after = disclosure.safe_count(step.n_after, rules) if following is None else following
            lost = 0 if step.n_lost == 0 else disclosure.safe_count(step.n_lost, rules)
            before = None if after is None else after + (lost or 0)
            records[index] = record_of(step) | {
                "n_before": before,
                "n_lost": lost,
                "n_after": after,
                "is_suppressed": lost is None or after is None,
            }
            following = before
    return frame_of("attrition", (records[index] for index in sorted(records)))


def clear_balance(
    rows: Sequence[BalanceRow], n: Mapping[str, tuple[int | None, int | None]], rules: Rules
) -> pl.DataFrame:
    """Return differences and means with two decimals; a mean that a few people make is masked.

    Parameters
    ----------
    n
        Persons per contrast (treated, comparison), as counted.
    """
    records = []
    for row in rows:
        treated, comparison = n.get(row.contrast, (None, None))
        is_few = (
            _is_rare(row.mean_treated, treated, rules)
            or _is_rare(row.mean_comparison_before, comparison, rules)
            or _is_rare(row.mean_comparison_after, comparison, rules)
        )
        sizes = {"mean_treated": treated, "mean_comparison_before": comparison, "mean_comparison_after": comparison}
        means = {
            name: None if is_few else disclosure.round_share(getattr(row, name), size, rules)
            for name, size in sizes.items()
        }
        records.append(record_of(row) | means | _differences(row, means, is_few) | {"is_suppressed": is_few})
    return frame_of("balance", records)


def _differences(row: BalanceRow, means: Mapping[str, float | None], is_few: bool) -> dict[str, float | None]:
    """Return standardised differences: of a share from the published shares, of a masked one to a tenth.

    With the means shown in fives, an exact difference to two decimals would give the exact shares back.
    """
    exact = {"smd_before": row.smd_before, "smd_after": row.smd_after}
    pairs = {
        "smd_before": ("mean_treated", "mean_comparison_before"),
        "smd_after": ("mean_treated", "mean_comparison_after"),
    }
    raw = (row.mean_treated, row.mean_comparison_before, row.mean_comparison_after)
    if not all(0 <= mean <= 1 for mean in raw):
        return {name: disclosure.round_figure(value) for name, value in exact.items()}
    result: dict[str, float | None] = {}
    for name, (one, other) in pairs.items():
        step = getattr(row, one) - getattr(row, other)
        shown = (means[one], means[other])
        if is_few or shown[0] is None or shown[1] is None or abs(step) < 1e-9:
            result[name] = disclosure.round_figure(exact[name], 1)
        else:
            result[name] = disclosure.round_figure((shown[0] - shown[1]) * exact[name] / step)
    return result


def with_published_differences(gates: Sequence[GateResult], balance: pl.DataFrame) -> list[GateResult]:
    """Return the gates, the largest difference that one quotes being the one of the published table."""
    shown = {row["term"]: abs(row["smd_after"]) for row in reversed(balance.to_dicts()) if row["smd_after"] is not None}

    def quoted(match: re.Match[str]) -> str:
        value = shown.get(match.group(2))
        return match.group(0) if value is None else f"SMD {value:.2f} ({match.group(2)})"

    return [replace(gate, figure=re.sub(r"SMD (\d+\.\d+) \(([^()]+)\)", quoted, gate.figure)) for gate in gates]


def _is_rare(mean: float, n: int | None, rules: Rules) -> bool:
    """Return whether a mean could be the share of a category that fewer than the smallest cell have, or lack."""
    if n is None or not 0 <= mean <= 1:
        return False
    return mean * n < rules.minimum_persons or (1 - mean) * n < rules.minimum_persons


def clear_overlap(rows: Sequence[OverlapRow], rules: Rules, *, are_persons: bool = True) -> pl.DataFrame:
    """Return the bins of the preference score with safe counts, a second bin hidden where one is; areas as they are."""
    if not are_persons:
        return frame_of("overlap", (record_of(row) | {"is_suppressed": False} for row in rows))
    records = [record_of(row) | {"is_suppressed": False} for row in rows]
    for contrast in dict.fromkeys(row.contrast for row in rows):
        members = [index for index, row in enumerate(rows) if row.contrast == contrast]
        for name in ("n_treated", "n_comparison"):
            counts = [getattr(rows[index], name) for index in members]
            few = [disclosure.is_too_few(count, rules.minimum_persons) for count in counts]
            for index, count, is_hidden in zip(members, counts, disclosure.with_complement(counts, few), strict=True):
                records[index][name] = None if is_hidden else disclosure.safe_count(count, rules)
                records[index]["is_suppressed"] = bool(records[index]["is_suppressed"]) or is_hidden
    return frame_of("overlap", records)


def clear_curves(points: Sequence[CurvePoint], plan: Plan, rules: Rules) -> pl.DataFrame:
    """Return the curves' steps that hide enough persons each, from zero at time zero; two decimals."""
    records: list[dict[str, Any]] = []
    end = _last_day(points, plan)
    grid = 14 if end <= 200 else 28 if end <= 800 else 91
    for key in dict.fromkeys((point.contrast, point.outcome, point.arm) for point in points):
        members = sorted(
            (point for point in points if (point.contrast, point.outcome, point.arm) == key), key=lambda p: p.day
        )
        blank = {"contrast": key[0], "outcome": key[1], "arm": key[2]}
        at_start = disclosure.safe_count(members[0].n_at_risk, rules)
        zero = {"day": 0, "incidence": 0.0, "conf_low": 0.0, "conf_high": 0.0, "n_at_risk": at_start, "n_events": 0}
        records.append(blank | zero | {"is_suppressed": at_start is None})
        total = 0.0
        for step in disclosure.curve_steps(_steps(members), rules, grid_days=grid):
            point = members[step.index]
            if point.incidence > rules.largest_class_share:
                break
            total += step.n_events
            # two decimals of 216 persons are finer than counts in fives; limits move along, or they would tell
            shift = (disclosure.round_share(point.incidence, members[0].n_at_risk, rules) or 0.0) - point.incidence
            figures = {
                name: disclosure.round_figure(min(max(getattr(point, name) + shift, 0.0), 1.0))
                for name in ("incidence", "conf_low", "conf_high")
            }
            counts = {
                "n_at_risk": disclosure.safe_count(step.n_at_risk, rules),
                "n_events": disclosure.round_count(total, rules.rounding_base),
            }
            records.append(blank | {"day": min(step.day, end)} | figures | counts | {"is_suppressed": False})
    return frame_of("curves", records)


def _steps(points: Sequence[CurvePoint]) -> list[Step]:
    """Return what happened at each point; a point's events are those of its day."""
    return [Step(point.day, point.n_at_risk, point.n_events, index) for index, point in enumerate(points)]


def _last_day(points: Sequence[CurvePoint], plan: Plan) -> int:
    """Return the end of the curves: the plan's window around the last point, which itself is someone's day."""
    last = max((point.day for point in points), default=0)
    windows = [window for window in plan.follow_up.windows_days if window >= last]
    return min(windows) if windows else 28 * -(-last // 28)


def clear_checks(
    checks: Sequence[Mapping[str, Any]], rules: Rules, n: float | None = None, counted: Counted = "all"
) -> pl.DataFrame:
    """Return the data-quality checks with counts in their figures rounded or masked; `n`, `counted` as for gates.

    Of areas, periods and trials the rows that a check counts are public; people and events that it names are not.
    """
    return frame_of(
        "checks",
        (
            {**check, "figure": clear_figure(str(check["figure"]), rules, n=n, counted=counted), "is_suppressed": False}
            for check in checks
        ),
    )
