"""What the gates do to the effects: hide what a failed gate concerns, and correct the rest for their number.

Here: `apply_gates` and Holm's correction. Not here: the gates themselves (`effectmeter.gates`) and what may be
said of what remains (`effectmeter.verdicts`, `effectmeter.claims`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from effectmeter.results import EffectRow, GateResult

COMPARABILITY_GATES = frozenset(
    {"balance", "overlap", "placebo_period", "negative_controls", "peak_selection", "pre_trends"}
)
"""Gates that say whether the arms may be compared. The rows that show that they may not stay visible."""

_EVIDENCE = frozenset({"placebo", "negative_control"})
_DESCRIPTIVE_GATES = frozenset({"peak_selection", "clusters"})
_SAME_QUESTION = {
    "risk_difference": "risk_ratio",
    "rate_difference": "rate_ratio",
    "percent_change": "rate_ratio",
    "level_ratio": "rate_ratio",
}
"""Measures that ask what a ratio asks, in other words."""
_DIFFERENCES = frozenset({"risk_difference", "rate_difference", "percent_change"})


def apply_gates(effects: Sequence[EffectRow], gates: Sequence[GateResult]) -> tuple[EffectRow, ...]:
    """Hide every row that a failed gate concerns, with the gate's sentence, and fill in the corrected p-values.

    Only ``failed`` hides. Placebo and negative-control rows, and event-study rows before the start, survive a failed
    comparability gate, since they are its evidence. The raw change of a before-after design, and what change to expect
    without effect, survive a failed `peak_selection` or `clusters` gate: they are shown as changes, never as an effect.
    A row that is not estimable keeps its own reason.
    """
    failed = [gate for gate in gates if gate.status == "failed"]
    return tuple(_hidden(row, failed) for row in with_adjusted_p(effects))


def is_hidden_by(gate: GateResult, row: EffectRow) -> bool:
    """Return whether `gate`, when failed, hides `row`."""
    before_the_start = row.analysis == "event_study" and (row.subgroup or "").startswith("event_time=-")
    if (row.analysis in _EVIDENCE or before_the_start) and gate.gate in COMPARABILITY_GATES:
        return False
    describes = row.analysis == "unadjusted" or row.estimator == "expected_without_effect"
    if row.design == "before_after" and describes and gate.gate in _DESCRIPTIVE_GATES:
        return False
    return gate.applies_to(row)


def _hidden(row: EffectRow, failed: Sequence[GateResult]) -> EffectRow:
    """Return the row, hidden with the sentences of all failed gates that concern it."""
    reasons = [gate for gate in failed if is_hidden_by(gate, row)]
    if not reasons or row.status != "shown":
        return row
    return replace(
        row,
        status="hidden",
        reason=" ".join(dict.fromkeys(gate.sentence for gate in reasons)),
        reason_nl=" ".join(dict.fromkeys(gate.sentence_nl for gate in reasons)),
    )


def with_adjusted_p(effects: Sequence[EffectRow]) -> tuple[EffectRow, ...]:
    """Fill `p_value_adjusted`: Holm over the secondary rows; over the primary rows where several arms are treated.

    An absolute difference tests the same hypothesis as its ratio: it counts once and takes its ratio's corrected value,
    that of the primary row where it stands beside that one.
    """
    adjusted: dict[int, float] = {}
    tested = [row for row in effects if row.analysis in ("primary", "secondary")]
    first = {_question(row) for row in tested if row.analysis == "primary"}
    for is_primary in (True, False):
        members = [row for row in tested if (_question(row) in first) == is_primary]
        leaders = {
            _question(row): row for row in reversed(members) if row.p_value is not None and not _follows(row, members)
        }
        for question, value in zip(leaders, holm(_p(row) for row in leaders.values()), strict=True):
            adjusted.update(
                {id(row): value for row in members if _question(row) == question and row.p_value is not None}
            )
    return tuple(replace(row, p_value_adjusted=adjusted[id(row)]) if id(row) in adjusted else row for row in effects)


def _p(row: EffectRow) -> float:
    return 1.0 if row.p_value is None else row.p_value


def _question(row: EffectRow) -> tuple[object, ...]:
    """Return what a row tests: a ratio and its absolute difference share one question."""
    measure = _SAME_QUESTION.get(row.measure, row.measure)
    return (row.contrast, row.outcome, row.window_days, measure, row.denominator, row.subgroup)


def _follows(row: EffectRow, members: Sequence[EffectRow]) -> bool:
    """Return whether a difference has its ratio, with a p-value, in the same family."""
    return row.measure in _DIFFERENCES and any(
        other.measure not in _DIFFERENCES and _question(other) == _question(row) and other.p_value is not None
        for other in members
    )


def holm(p_values: Iterable[float]) -> list[float]:
    """Correct p-values for their number: the chance of one false alarm among them stays alpha.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = list(p_values)
    corrected = [1.0] * len(values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        running = max(running, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = running
    return corrected
