"""The power gate: the smallest ratio that the data could have shown, and how many more would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import outcome_of
from effectmeter.estimators.sensitivity import minimum_detectable_ratio
from effectmeter.gates.base import NOTHING, Finding, contrast_pairs, facts_of, fold, gate
from effectmeter.results import Comparability, EffectRow, GateResult, GateStatus

DETECTION = 2.80
"""1.96 + 0.84: two-sided 5 %, power 80 %."""
IMPORTANT_RATIO = 0.67


@dataclass(frozen=True, slots=True)
class SmallestChange:
    """The smallest change that could have been seen, in words: a fall, or a rise where more is better."""

    word: str
    word_nl: str
    figure: str

    @property
    def percent(self) -> int:
        """The same as a share of what was to be expected: who is no statistician reads no ratios."""
        return round(100 * abs(1 - float(self.figure)))


def smallest_change(data: AnalysisData, row: EffectRow, ratio: float) -> SmallestChange:
    """Return the smallest detectable ratio, below 1, as the change that the programme is for."""
    if outcome_of(data.plan, row.outcome).better == "higher" and ratio > 0.0:
        return SmallestChange("rise", "stijging", f"{1.0 / ratio:.2f}")
    return SmallestChange("fall", "daling", f"{ratio:.2f}")


def std_error_without_effect(row: EffectRow) -> float | None:
    """Return the log-scale error that the row would have with no effect, keeping its design effect.

    From the pooled risk or rate of both arms; what clustering, weighting and overdispersion add to (or adjustment takes
    from) the textbook error at the observed counts is kept as a factor.
    """
    if row.std_error is None or not row.is_ratio:
        return None
    e1, e0, n1, n0 = row.events_treated, row.events_comparison, row.n_treated, row.n_comparison
    if not e1 or not e0 or not n1 or not n0:
        return row.std_error
    is_risk = row.measure in {"risk_ratio", "odds_ratio"}
    if is_risk:
        observed, share = 1 / e1 - 1 / n1 + 1 / e0 - 1 / n0, (e1 + e0) / (n1 + n0)
        null = (1 - share) / share * (1 / n1 + 1 / n0)
    else:
        t1, t0 = row.person_years_treated or n1, row.person_years_comparison or n0
        rate = (e1 + e0) / (t1 + t0)
        observed, null = 1 / e1 + 1 / e0, 1 / (rate * t1) + 1 / (rate * t0)
    if observed <= 0 or null <= 0:
        return row.std_error
    return row.std_error * math.sqrt(null / observed)


@gate(
    name="power",
    rule="The smallest fall that the data could have shown, from the error under no effect with clustering kept, and "
    "how "
    "many more would settle the answer. Warns when a fall by a third could go unseen.",
    threshold=f"smallest detectable ratio >= {IMPORTANT_RATIO:g}; never fails",
    source=f"exp(-{DETECTION:.2f} x standard error): two-sided 5 %, power 80 %",
    hides=NOTHING,
)
def power(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Say what the data could have shown; warns when a fall by a third could have gone unseen."""
    threshold = facts_of(power).threshold
    findings = []
    for _, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        row = next((r for r in effects if r.analysis == "primary" and r.contrast == label and r.is_ratio), None)
        error = std_error_without_effect(row) if row else None
        if row is None or error is None:
            findings.append(
                Finding(
                    "not_evaluated",
                    "-",
                    "Not evaluated: there is no ratio with an error to start from. More persons or events would give "
                    "one.",
                    "Niet te toetsen: er is geen verhouding met een marge om van uit te gaan. Met meer mensen of "
                    "voorvallen is die er wel.",
                    pairs,
                )
            )
            continue
        smallest = minimum_detectable_ratio(error)
        more, more_nl = _how_many_more(row, error)
        figure = f"smallest detectable ratio {smallest:.2f}"
        fall = smallest_change(data, row, smallest)
        sentence = f"A {fall.word} of less than {fall.percent} % cannot be seen in these data.{more}"
        sentence_nl = f"Een {fall.word_nl} van minder dan {fall.percent} % is in deze cijfers niet te zien.{more_nl}"
        status: GateStatus = "passed" if smallest >= IMPORTANT_RATIO else "warned"
        findings.append(Finding(status, figure, sentence, sentence_nl, pairs))
    return fold("power", threshold, findings)


def _how_many_more(row: EffectRow, error: float) -> tuple[str, str]:
    """Say how many more participants, or families, would settle the estimate as it stands (near 1: a fall by a sixth).

    Where people come in clusters it is clusters that must be more: more persons in the same ones say little new.
    """
    if row.n_treated is None or (row.conf_low is not None and row.conf_low > 1) or (row.conf_high or 2) < 1:
        return "", ""
    size = abs(math.log(row.estimate)) if row.estimate else 0.0
    target = max(size, -math.log(IMPORTANT_RATIO) / 2) / DETECTION
    clusters = row.n_clusters_treated or 0
    step = 1 if clusters else 10
    more = math.ceil((clusters or row.n_treated) * ((error / target) ** 2 - 1) / step) * step
    if more <= 0:
        return "", ""
    if clusters:
        return (
            f" About {more} more groups (such as families or sites), with as many more to compare them with, would "
            "settle it.",
            f" Met nog ongeveer {more} groepen (zoals gezinnen of locaties), en net zo veel meer om mee te "
            "vergelijken, "
            "is het wel te zeggen.",
        )
    return (
        f" About {more} more participants, with as many more to compare them with, would settle it.",
        f" Met nog ongeveer {more} deelnemers, en net zo veel meer mensen om mee te vergelijken, is het wel te zeggen.",
    )
