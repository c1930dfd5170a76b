"""Gates about whether other ways of answering give the same answer: other methods, and another time zero.

Here: what is said of it. Not here: the comparison of rows (`effectmeter.estimators.agreement`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from effectmeter.designs.base import AnalysisData
from effectmeter.estimators.agreement import SAME_WITHIN, Agreement
from effectmeter.estimators.agreement import agreement as compare_rows
from effectmeter.gates.base import NOTHING, Finding, comma, contrast_pairs, facts_of, fold, gate
from effectmeter.results import Comparability, EffectRow, GateResult

FROM_START = "time_zero=start_date"
"""Subgroup of rows that count from everyone's own start instead of time zero."""
_MOST_UNCERTAIN = 0.5


def _primary(effects: Sequence[EffectRow], label: str) -> EffectRow | None:
    rows = [row for row in effects if row.analysis == "primary" and row.contrast == label]
    return next((row for row in rows if row.is_ratio), rows[0] if rows else None)


@gate(
    name="agreement",
    rule="The other analyses of the primary question say the same: none lies on the other side of no effect, and none "
    "lies "
    "outside its interval and further off than practice would notice. Warns, and says which one differs.",
    threshold=f"same direction, and inside the interval or within a factor {SAME_WITHIN:g}; never fails",
    source="sensitivity analyses are always computed, and shown when they disagree",
    hides=NOTHING,
)
def agreement(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Say whether the sensitivity analyses agree with the primary one."""
    findings = []
    for _, label in data.plan.contrasts:
        primary = _primary(effects, label)
        pairs = contrast_pairs(data.plan, label)
        others = [row for row in effects if row.subgroup != FROM_START]
        if primary is None or (primary.conf_low is None and primary.conf_high is None):
            findings.append(
                Finding(
                    "not_evaluated",
                    "-",
                    "Not evaluated: the main analysis gave no estimate. More persons or events would give one.",
                    "Niet te toetsen: de hoofdanalyse gaf geen uitkomst. Met meer mensen of voorvallen kan het wel.",
                    pairs,
                )
            )
            continue
        findings.append(_agreement_finding(primary, compare_rows(primary, others), pairs))
    return fold("agreement", facts_of(agreement).threshold, findings)


def _agreement_finding(primary: EffectRow, found: Agreement, pairs: tuple[tuple[str, object], ...]) -> Finding:
    if found.ruling == "not_evaluated":
        return Finding(
            "not_applicable",
            "-",
            "No other analysis of the main question was made.",
            "Van de hoofdvraag is geen andere analyse gemaakt.",
            pairs,
        )
    spread = "-" if found.smallest is None else f"{found.smallest:.2f} to {found.largest:.2f}"
    figure = f"{found.n - len(found.against)} of {found.n} agree; estimates {spread}"
    if found.against:
        names = ", ".join(dict.fromkeys(_name(row) for row in found.against[:3]))
        return Finding(
            "warned",
            figure,
            f"Not every way of calculating gives the same answer. Different: {names}. Find out what makes it differ "
            "before "
            "you rely on the main answer.",
            f"Niet elke manier van rekenen geeft hetzelfde antwoord. Anders is: {names}. Zoek uit hoe dat komt, "
            "voordat u op "
            "het hoofdantwoord bouwt.",
            pairs,
        )
    if found.share_uncertain >= _MOST_UNCERTAIN:
        return Finding(
            "warned",
            figure,
            f"Other analyses point the same way, but in {len(found.uncertain)} of {found.n} chance alone could "
            "explain it. "
            "More persons or events would settle it.",
            f"Andere analyses wijzen dezelfde kant op. Maar bij {len(found.uncertain)} van de {found.n} kan het ook "
            "toeval "
            "zijn. Met meer mensen of voorvallen is het te zeggen.",
            pairs,
        )
    if _straddles(primary, found):
        return Finding(
            "passed",
            figure,
            "Other ways of calculating do not contradict the main one, though some come out on the other side of no "
            "effect. The main answer leaves both sides open too.",
            "Andere manieren van rekenen spreken de hoofduitkomst niet tegen. Wel komen sommige aan de andere kant "
            "van geen effect uit. Ook de hoofduitkomst laat beide kanten open.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "Other ways of calculating give the same answer.",
        "Andere manieren van rekenen geven hetzelfde antwoord.",
        pairs,
    )


def _straddles(primary: EffectRow, found: Agreement) -> bool:
    """Return whether the estimates lie to both sides of no effect, further apart than practice would not notice."""
    if found.smallest is None or found.largest is None:
        return False
    null = 1.0 if primary.is_ratio else 0.0
    if not found.smallest < null < found.largest:
        return False
    return not primary.is_ratio or found.smallest <= 0.0 or found.largest / found.smallest > SAME_WITHIN


def _name(row: EffectRow) -> str:
    """Name an analysis so that it can be found in the effects table."""
    parts = (row.estimator, row.variance, row.estimand, row.subgroup)
    return " ".join(part for part in parts if part)


@gate(
    name="immortal_time",
    rule="Counting from everyone's own start instead of time zero gives the same answer. It is the analysis that "
    "flatters "
    "whoever must survive to start; where it differs, it shows by how much.",
    threshold=f"inside the interval, or within a factor {SAME_WITHIN:g}; never fails",
    source="Suissa 2008, doi:10.1093/aje/kwm324",
    hides=NOTHING,
)
def immortal_time(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Set the analysis from the start of participation beside the one from time zero."""
    findings = []
    for _, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        beside = next((row for row in effects if row.subgroup == FROM_START and row.contrast == label), None)
        findings.append(_immortal_finding(_primary(effects, label), beside, pairs))
    return fold("immortal_time", facts_of(immortal_time).threshold, findings)


def _immortal_finding(
    primary: EffectRow | None, beside: EffectRow | None, pairs: tuple[tuple[str, object], ...]
) -> Finding:
    if beside is None:
        return Finding(
            "not_applicable",
            "-",
            "Nobody's start of participation was delivered, or nobody started later than time zero. Deliver "
            "`start_date` to "
            "have it shown.",
            "De startdatum is niet aangeleverd, of niemand begon later. Lever `start_date` aan, dan is het te zien.",
            pairs,
        )
    if primary is None or primary.estimate is None or beside.estimate is None:
        return Finding(
            "not_evaluated",
            "-",
            "Not evaluated: one of the two analyses gave no estimate. More persons or events would give one.",
            "Niet te toetsen: een van de twee analyses gaf geen uitkomst. Met meer mensen of voorvallen kan het wel.",
            pairs,
        )
    figure = f"{primary.estimate:.2f} from time zero, {beside.estimate:.2f} from the start of participation"
    same_question = replace(beside, analysis="sensitivity", denominator=primary.denominator, measure=primary.measure)
    if compare_rows(primary, [same_question]).ruling == "differ":
        return Finding(
            "warned",
            figure,
            f"Counted from the start of participation the answer would be {beside.estimate:.2f}, not "
            f"{primary.estimate:.2f}. "
            "That way of counting leaves out who never started. Use the main answer; earlier starts would bring both "
            "together.",
            f"Geteld vanaf de start zou het antwoord {comma(f'{beside.estimate:.2f}')} zijn, niet "
            f"{comma(f'{primary.estimate:.2f}')}. Zo tellen laat weg wie nooit begon. Gebruik het hoofdantwoord. Als "
            "deelnemers eerder beginnen, komen beide bij elkaar.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "It makes no difference whether one counts from time zero or from the start of participation.",
        "Het maakt niet uit of je telt vanaf de aanwijzing of vanaf de start.",
        pairs,
    )
