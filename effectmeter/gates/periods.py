"""Gates about the time before the programme: placebo period, peak selection, and the drop to expect from it.

Here: the rules. Not here: the placebo estimates (the design's `estimate`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import primary_outcome
from effectmeter.gates.base import (
    NOTHING,
    Finding,
    comma,
    contrast_pairs,
    facts_of,
    fold,
    gate,
    has_comparison,
    percent,
)
from effectmeter.results import Comparability, EffectRow, GateResult

PLACEBO_LOW, PLACEBO_HIGH = 0.8, 1.25
PLACEBO_BLIND = 1.5
PLACEBO_OF_A_DRAW = 0.001
"""Where chance decided who took part, a difference before the start is chance too, unless it is beyond belief. The
ordinary rule hid 2 to 12 % of sound trials (`docs/validation.md`); as in balance, size alone only warns there."""


@gate(
    name="placebo_period",
    rule="Before the programme there can be no effect: the same analysis one window earlier gives 1. Surely not 1 and "
    f"not near 1 fails (in a draw: only at p < {PLACEBO_OF_A_DRAW:g}, else it warns); too wide to tell warns.",
    threshold=f"interval holds 1, or estimate within {PLACEBO_LOW:g}-{PLACEBO_HIGH:g}",
    source='simulation: "covers 1" alone fails 5 % of sound studies and passes 40 % of small biased ones',
    hides="every effect but the placebo itself",
)
def placebo_period(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on the period before the programme, where there can be no effect."""
    threshold = facts_of(placebo_period).threshold
    return fold("placebo_period", threshold, _placebo_findings(data, effects))


def _placebo_findings(data: AnalysisData, effects: Sequence[EffectRow]) -> list[Finding]:
    findings = []
    for _, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        rows = [row for row in effects if row.analysis == "placebo" and row.contrast == label and row.is_ratio]
        if not rows and data.placebo is None and data.plan.design == "randomised":
            findings.append(
                Finding(
                    "not_applicable",
                    "-",
                    "No earlier period was delivered; the draw itself makes the groups alike.",
                    "Er is geen eerdere periode aangeleverd. De loting zelf maakt de groepen gelijk.",
                    pairs,
                )
            )
        elif not rows and data.placebo is None:
            findings.append(
                Finding(
                    "not_evaluated",
                    "-",
                    "Not evaluated: there is no earlier period to try it on. Deliver events from further back.",
                    "Niet te toetsen: er is geen eerdere periode om dit te proberen. Lever voorvallen "
                    "van langer geleden aan.",
                    pairs,
                )
            )
        else:
            by_lot = data.plan.design == "randomised"
            findings.append(placebo_rule(rows[0] if rows else None, pairs, by_lot=by_lot))
    return findings


def placebo_rule(row: EffectRow | None, pairs: tuple[tuple[str, object], ...] = (), *, by_lot: bool = False) -> Finding:
    """Judge a placebo estimate: fails when surely not 1 and not near 1; warns when too wide to tell.

    With `by_lot` a difference that chance can explain only warns (`PLACEBO_OF_A_DRAW`).
    """
    if row is None or row.estimate is None or row.conf_low is None or row.conf_high is None:
        return Finding(
            "not_evaluated",
            "-",
            "Not evaluated: too little happened before the programme to compare. More persons, or a longer period "
            "before the start, would allow it.",
            "Niet te toetsen: vóór het programma gebeurde te weinig om te vergelijken. Met meer mensen of een langere "
            "periode vooraf kan het wel.",
            pairs,
        )
    figure = f"{row.estimate:.2f} ({row.conf_low:.2f}-{row.conf_high:.2f})"
    excludes = row.conf_high < 1 or row.conf_low > 1
    if excludes and not PLACEBO_LOW <= row.estimate <= PLACEBO_HIGH:
        if by_lot and row.p_value is not None and row.p_value >= PLACEBO_OF_A_DRAW:
            return Finding(
                "warned",
                figure,
                f"By chance the groups already differed before the start (ratio {row.estimate:.2f}). The draw makes "
                "them alike on average, not every time. Adjust for what happened before the start.",
                f"Door toeval verschilden de groepen al vóór de start (verhouding {comma(f'{row.estimate:.2f}')}). "
                "Loten maakt groepen gemiddeld gelijk, niet elke keer. Houd rekening met wat vóór de start gebeurde.",
                pairs,
            )
        return Finding(
            "failed",
            figure,
            "The groups already went different ways before the programme began (ratio "
            f"{row.estimate:.2f}). Part of what "
            "follows would be mistaken for an effect. A comparison group with the same course before the "
            "start is needed.",
            "De groepen ontwikkelden zich al vóór de start anders (verhouding "
            f"{comma(f'{row.estimate:.2f}')}). Een deel daarvan zou op een effect "
            "lijken. Nodig is een vergelijkingsgroep met hetzelfde verloop vóór de start.",
            pairs,
        )
    if row.conf_high >= PLACEBO_BLIND or row.conf_low <= 1 / PLACEBO_BLIND:
        return Finding(
            "warned",
            figure,
            "Before the programme the groups may have differed: there are too few events to tell. More "
            "persons or a longer "
            "period before the start would tell.",
            "Misschien verschilden de groepen al vóór de start: er zijn te weinig voorvallen om dat te "
            "zien. Met meer personen "
            "of een langere periode vooraf is het te zien.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "Before the programme the groups went the same way.",
        "Vóór de start ging het in beide groepen hetzelfde.",
        pairs,
    )


@gate(
    name="peak_selection",
    rule="Who is picked at the worst moment improves without any programme. Without comparison the effect is hidden "
    "and the "
    "change is shown as a change; with one, the courses before the start agree by the placebo rule.",
    threshold=f"a comparison group picked by the same rule; same course before the start: interval holds 1, or within "
    f"{PLACEBO_LOW:g}-{PLACEBO_HIGH:g}",
    source="Maltz et al. 1980, doi:10.1177/0193841X8000400203",
    hides="every effect; the raw changes and the placebo stay",
)
def peak_selection(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on selection at a peak: whoever is picked when things are at their worst improves without any programme.

    References
    ----------
    Maltz, Gordon, McDowall & McCleary (1980), Evaluation Review 4, 199-225, doi:10.1177/0193841X8000400203.
    """
    if not has_comparison(data):
        return fold(
            "peak_selection",
            "a comparison group picked by the same rule",
            [
                Finding(
                    "failed",
                    "no comparison group",
                    "Participants were picked when things were at their worst, and then things get "
                    "better by themselves. Without a "
                    "comparison group a fall is a change, not an effect. Deliver families or persons "
                    "picked by the same rule.",
                    "Deelnemers zijn gekozen toen het heel slecht ging. Daarna gaat het vaak vanzelf "
                    "beter. Zonder vergelijkingsgroep is "
                    "een daling dus een verandering, geen effect. Lever gezinnen of personen aan die "
                    "volgens dezelfde regel zijn "
                    "gekozen.",
                )
            ],
        )
    threshold = f"same course before the start: interval holds 1, or within {PLACEBO_LOW:g}-{PLACEBO_HIGH:g}"
    if data.placebo is None and not any(row.analysis == "placebo" for row in effects):
        return fold(
            "peak_selection",
            threshold,
            [
                Finding(
                    "not_evaluated",
                    "one period before the start",
                    "Not evaluated: one period before the start does not show its course. Deliver events "
                    "from further back.",
                    "Niet te toetsen: één periode vóór de start laat het verloop niet zien. Lever "
                    "voorvallen van langer geleden "
                    "aan.",
                )
            ],
        )
    return fold("peak_selection", threshold, _placebo_findings(data, effects))


@gate(
    name="expected_drop",
    rule="How much of the change after the start was to be expected without any programme: from comparison families "
    "picked by "
    "the same rule (regression to the mean, ageing, trend), from the period before the picking, or from the plan's "
    "reference. Warns while what is left may be chance.",
    threshold="the change is lower than expected without effect, beyond chance, by every source; never fails",
    source="Davis 1976, American Journal of Epidemiology 104, 493-498; Hauer 1986, Accident Analysis & Prevention 18, "
    "1-12",
    hides=NOTHING,
)
def expected_drop(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say how much of the raw change would have come without any programme."""
    findings = []
    for treated, label in data.plan.contrasts:
        contrast, pairs = f"{treated} after vs before", contrast_pairs(data.plan, label)
        mine = [row for row in effects if row.contrast == contrast and row.outcome == primary_outcome(data.plan)]
        observed = next((row for row in mine if row.analysis == "unadjusted" and row.estimate is not None), None)
        expected = [row for row in mine if row.estimator == "expected_without_effect" and row.estimate]
        findings.append(_expected_finding(observed, expected, pairs))
    return fold("expected_drop", facts_of(expected_drop).threshold, findings)


_SOURCES = {
    "source=comparison": ("comparison families", "de vergelijkingsgroep"),
    "source=earlier_period": ("the period before", "de periode daarvoor"),
    "source=reference": ("the plan's reference", "de cijfers in het plan"),
}


def _expected_finding(
    observed: EffectRow | None, expected: Sequence[EffectRow], pairs: tuple[tuple[str, object], ...]
) -> Finding:
    """Set the observed change beside every expected one; the source that explains most of it decides."""
    if observed is None or observed.estimate is None:
        return Finding(
            "not_evaluated",
            "-",
            "Not evaluated: no change could be computed. More persons or events would give one.",
            "Niet te toetsen: er is geen verandering te berekenen. Met meer mensen of voorvallen kan het wel.",
            pairs,
        )
    if observed.estimate >= 1:
        return Finding(
            "not_applicable",
            f"change {observed.estimate:.2f}",
            "There was no fall, so there is none to explain.",
            "Er was geen daling. Dan valt er geen daling te verklaren.",
            pairs,
        )
    if not expected:
        return Finding(
            "not_evaluated",
            f"change {observed.estimate:.2f}",
            "Not evaluated: how far things would have fallen by themselves cannot be told from the counts by which "
            "people were "
            "picked. Deliver comparison families picked by the same rule, or events from further back, or give "
            "`before_after.reference` in the plan.",
            "Niet te toetsen: hoeveel het vanzelf zou dalen, is niet te zien aan de cijfers waarop mensen zijn "
            "gekozen. Lever "
            "gezinnen aan die volgens dezelfde regel zijn gekozen, of voorvallen van langer geleden. Of zet "
            "`before_after.reference` in het plan.",
            pairs,
        )
    told = [(row, _SOURCES.get(row.subgroup or "", ("", ""))) for row in expected]
    figure = f"change {observed.estimate:.2f}; expected without effect " + ", ".join(
        f"{row.estimate:.2f} ({words[0]})" for row, words in told
    )
    lowest, words = min(told, key=lambda each: each[0].estimate or 0.0)
    level = f"{lowest.estimate:.2f}"
    explained = percent(_share_explained(observed.estimate, lowest.estimate or 1.0))
    if all(_is_beyond(observed, row) for row in expected):
        return Finding(
            "passed",
            figure,
            f"Without any programme a change to {level} times was to be expected (from {words[0]}): {explained} of "
            "the fall. "
            "What is left is more than chance.",
            f"Ook zonder programma was een verandering te verwachten tot {comma(level)} keer zo veel (volgens "
            f"{words[1]}). "
            f"Dat is {explained} van de daling. Wat overblijft, is meer dan toeval.",
            pairs,
        )
    return Finding(
        "warned",
        figure,
        f"Without any programme a change to {level} times was to be expected (from {words[0]}): {explained} of the "
        "fall. "
        "What is left may be chance. More families, and as many to compare them with, would tell.",
        f"Ook zonder programma was een verandering te verwachten tot {comma(level)} keer zo veel (volgens "
        f"{words[1]}). Dat is "
        f"{explained} van de daling. Wat overblijft, kan toeval zijn. Met meer gezinnen in beide groepen is het te "
        "zeggen.",
        pairs,
    )


def _share_explained(observed: float, expected: float) -> float:
    """Return the share of a fall, on the log scale, that was to be expected; all of a fall to nothing is 0."""
    if observed <= 0 or expected >= 1:
        return 0.0
    return min(math.log(expected) / math.log(observed), 1.0)


def _is_beyond(observed: EffectRow, expected: EffectRow) -> bool:
    """Return whether a change is lower than expected beyond chance.

    The reference's interval is that of the observed change itself; other sources have their own error.
    """
    if expected.subgroup == "source=reference":
        return expected.conf_low is not None and (observed.estimate or 0.0) < expected.conf_low
    if not observed.estimate or not observed.std_error:  # nothing happened after the start: only a bound
        return observed.conf_high is not None and observed.conf_high < (expected.conf_low or 0.0)
    error = math.hypot(observed.std_error, expected.std_error or math.inf)
    return math.log(observed.estimate / (expected.estimate or 1.0)) < -NormalDist().inv_cdf(0.975) * error
