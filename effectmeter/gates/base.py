"""What every gate is made of: its description, and a finding per question, folded into as few rows as say the same.

Here: descriptions, findings, their folding, and small words. Not here: any rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from effectmeter.designs.base import AnalysisData
from effectmeter.plan import Plan
from effectmeter.results import Comparability, EffectRow, GateResult, GateStatus

Gate = Callable[[AnalysisData, Comparability, Sequence[EffectRow]], tuple[GateResult, ...]]

NOTHING = "nothing"
"""What a gate hides that never fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """What a gate is, for the reference page and for whoever asks what a threshold is.

    Attributes
    ----------
    rule
        In one or two sentences, with what passes, warns and fails.
    threshold
        As printed beside the figure.
    source
        Where the rule comes from.
    hides
        Which effects are hidden when it fails; `NOTHING` where it never does.
    """

    name: str
    rule: str
    threshold: str = ""
    source: str = ""
    hides: str = "the effects it concerns"


_FACTS: dict[Gate, GateFacts] = {}


def gate(
    *, name: str, rule: str, threshold: str = "", source: str = "", hides: str = "the effects it concerns"
) -> Callable[[Gate], Gate]:
    """Describe a gate: its name in the gates table, its rule, its source, and what it hides when it fails."""
    facts = GateFacts(name=name, rule=rule, threshold=threshold, source=source, hides=hides)

    def described(function: Gate) -> Gate:
        _FACTS[function] = facts
        return function

    return described


def facts_of(function: Gate) -> GateFacts:
    """Return a gate's description; of one without, its name and the first line of its docstring."""
    if function in _FACTS:
        return _FACTS[function]
    line = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    return GateFacts(name=getattr(function, "__name__", "gate"), rule=line)


_SEVERITY: tuple[GateStatus, ...] = ("failed", "warned", "not_evaluated", "passed", "not_applicable")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found for one contrast, outcome and window.

    Attributes
    ----------
    concerns
        (column, value) pairs of the effects table; empty: all effects.
    """

    status: GateStatus
    figure: str
    sentence: str
    sentence_nl: str
    concerns: tuple[tuple[str, object], ...] = ()


def fold(gate: str, threshold: str, findings: Sequence[Finding]) -> tuple[GateResult, ...]:
    """Return the gate's rows: one for all while nothing failed, else one per finding.

    With nothing failed nothing is hidden, so the weightiest finding (the first of those, in plan order) speaks for all.
    Once something failed the reader must see which effects it concerns and which it does not.
    """
    if not findings:
        return ()
    worst = min(findings, key=lambda finding: _SEVERITY.index(finding.status))
    if worst.status != "failed":
        return (_result(gate, threshold, worst, "all"),)
    return tuple(_result(gate, threshold, finding, _concerns(finding)) for finding in findings)


def _concerns(finding: Finding) -> str:
    return ";".join(f"{key}={value}" for key, value in finding.concerns) or "all"


def _result(gate: str, threshold: str, finding: Finding, concerns: str) -> GateResult:
    return GateResult(
        gate=gate,
        status=finding.status,
        figure=finding.figure,
        threshold=threshold,
        sentence=finding.sentence,
        sentence_nl=finding.sentence_nl,
        concerns=concerns,
    )


def contrast_pairs(plan: Plan, label: str) -> tuple[tuple[str, object], ...]:
    """Return the pair that names a contrast; none where there is only one, so that every row is concerned."""
    return (("contrast", label),) if len(plan.contrasts) > 1 else ()


def has_comparison(data: AnalysisData) -> bool:
    """Return whether anyone is in the comparison arm; a before-after design may have none."""
    return bool((data.persons["arm"] == data.plan.arms.comparison).any())


def arms_of(data: AnalysisData, treated: str) -> tuple[str, ...]:
    """Return the arms of a contrast that hold somebody or should."""
    if data.plan.design == "before_after" and not has_comparison(data):
        return (treated,)
    return (treated, data.plan.arms.comparison)


def percent(share: float) -> str:
    """Return a share as a whole percentage; never 100 for less than all, never 0 for more than none."""
    if 0 < share < 1:
        share = min(max(share, 0.01), 0.99) if not 0.01 <= share <= 0.99 else share
    return f"{100 * share:.0f} %"


def comma(figure: str) -> str:
    """Return a figure with the Dutch decimal comma."""
    return figure.replace(".", ",")
