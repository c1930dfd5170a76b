"""Gates about what was delivered: missing characteristics and outcomes, broken pairs, and who was found in the source.

Here: shares per arm. Not here: how long people could be followed (`effectmeter.gates.people`), nor what missing
outcomes would have to be to turn the answer (the design's ``tipping_point`` rows, which are quoted).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData, n_persons, sizes
from effectmeter.designs.questions import outcome_of, primary_outcome, windows_of
from effectmeter.gates.base import NOTHING, Finding, arms_of, comma, contrast_pairs, facts_of, fold, gate, percent
from effectmeter.gates.people import counted_persons
from effectmeter.results import Comparability, EffectRow, GateResult

FEW_MISSING = 0.05
WHOLE_PAIRS = 0.95
LARGEST_DIFFERENCE = 0.05
"""Between arms, as a share: more may be no accident."""
HIDING_DIFFERENCE = 0.2
"""A difference in the linked share that no outcome model can carry. On planted worlds a third not found against two in
a hundred gave effects to programmes that had none, with every other gate passed (`docs/validation.md`: `unlinked`)."""
_ADJUSTED = frozenset({"randomised", "comparison_cohort"})
_NONE = "none missing"


@gate(
    name="missing",
    rule="Characteristics and delivered outcomes are there for nearly everyone, in each arm alike. Characteristics "
    "missing for "
    "more than the plan allows, or far more in one arm, warn. Outcomes missing for more than 5 % warn, with how "
    "extreme they "
    "must be to turn the answer; for more than the plan allows they fail.",
    threshold=f"missing.max_share of the plan per characteristic; outcomes {percent(FEW_MISSING)}; arms within "
    f"{100 * LARGEST_DIFFERENCE:.0f} points",
    source="National Research Council 2010, doi:10.17226/12955",
    hides="the outcome that is missing",
)
def missing(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on missing characteristics and on missing outcome values, per arm."""
    findings = []
    for treated, label in data.plan.contrasts:
        arms, pairs = arms_of(data, treated), contrast_pairs(data.plan, label)
        findings += _characteristics(data, arms, pairs)
        for name in data.plan.outcomes:
            value = outcome_of(data.plan, name).value
            if value is not None:
                rows = [row for row in effects if row.contrast == label and row.outcome == name]
                findings.append(_outcome(data, arms, name, value, rows, pairs))
    if not findings:
        findings = [
            Finding(
                "not_applicable",
                "-",
                "The plan uses no characteristics and no delivered values that could be missing.",
                "Het plan gebruikt geen kenmerken of waarden die kunnen ontbreken.",
            )
        ]
    return fold("missing", facts_of(missing).threshold, _together(findings))


def _together(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Return one finding that names all that is missing; where one failed, each says for itself what it concerns."""
    missed = [finding for finding in findings if finding.figure != _NONE]
    if len(missed) < 2 or any(finding.status in ("failed", "not_applicable") for finding in findings):
        return findings
    warned = [finding for finding in missed if finding.status == "warned"]
    return [
        Finding(
            "warned" if warned else "passed",
            "; ".join(dict.fromkeys(finding.figure for finding in missed)),
            " ".join(dict.fromkeys(finding.sentence for finding in warned or missed)),
            " ".join(dict.fromkeys(finding.sentence_nl for finding in warned or missed)),
        )
    ]


def _characteristics(data: AnalysisData, arms: Sequence[str], pairs: tuple[tuple[str, object], ...]) -> list[Finding]:
    """Judge the characteristic that is missing most; persons left out for it count as missing."""
    asked = [name for name in data.plan.adjust_for if name in data.persons.columns]
    if data.plan.design not in _ADJUSTED or not asked:
        return []
    left_out = _lost_at(data, "covariates_complete", arms)
    shares = {name: [_share_null(data, arm, name) for arm in arms] for name in asked}
    if left_out is not None and max(left_out) > 0:
        shares = {"at least one": left_out}
    gaps = {name: max(each) - min(each) for name, each in shares.items()}
    worst = max(shares, key=lambda name: max(shares[name]))
    if max(shares[worst]) <= data.plan.missing.max_share:
        # few lack it, so what may warn is a difference between the arms: name the characteristic that differs most
        worst = max(shares, key=lambda name: (gaps[name] > LARGEST_DIFFERENCE, max(shares[name])))
    most, gap = max(shares[worst]), gaps[worst]
    figure = f"{' and '.join(percent(share) for share in shares[worst])} without '{worst}'"
    if most == 0.0:
        return [Finding("passed", _NONE, "No characteristic is missing.", "Er ontbreken geen kenmerken.", pairs)]
    if most > data.plan.missing.max_share or gap > LARGEST_DIFFERENCE:
        return [
            Finding(
                "warned",
                figure,
                f"A characteristic is missing for many people, or far more in one group ('{worst}', up to "
                f"{percent(most)}). "
                "What is not known cannot be made alike. Deliver it for more people, or choose another characteristic.",
                f"Een kenmerk ontbreekt bij veel mensen, of veel vaker in één groep ('{worst}', tot {percent(most)}). "
                "Wat niet bekend is, kunnen wij niet gelijk maken. Lever het voor meer mensen aan, of kies een ander "
                "kenmerk.",
                pairs,
            )
        ]
    return [
        Finding(
            "passed",
            figure,
            "Characteristics are missing for few people, and as often in both groups.",
            "Kenmerken ontbreken bij weinig mensen, en in beide groepen even vaak.",
            pairs,
        )
    ]


def _outcome(
    data: AnalysisData,
    arms: Sequence[str],
    outcome: str,
    value: str,
    rows: Sequence[EffectRow],
    pairs: tuple[tuple[str, object], ...],
) -> Finding:
    """Judge one delivered outcome."""
    shares = [_share_null(data, arm, value) for arm in arms]
    most, limit = max(shares), data.plan.missing.max_share
    figure = f"{' and '.join(percent(share) for share in shares)} without '{outcome}'" if most > 0 else _NONE
    concerns = (*pairs, ("outcome", outcome))
    if most <= FEW_MISSING:
        return Finding(
            "passed",
            figure,
            "Nearly everyone has an outcome.",
            "Van bijna iedereen is de uitkomst bekend.",
            concerns,
        )
    if most > max(limit, FEW_MISSING):
        return Finding(
            "failed",
            figure,
            f"Too many outcomes are missing ('{outcome}'): up to {percent(most)} in one group, and {percent(limit)} is "
            "the most. Those without one may differ from the rest. Collect more outcomes.",
            f"Er ontbreken te veel uitkomsten ('{outcome}'): tot {percent(most)} in één groep. Hoogstens "
            f"{percent(limit)} mag. Wie geen uitkomst heeft, kan anders zijn dan de rest. Verzamel meer uitkomsten.",
            concerns,
        )
    tipping = _tipping(rows)
    return Finding(
        "warned",
        figure,
        f"Outcomes are missing ('{outcome}') for up to {percent(most)} in one group. {tipping[0]} More outcomes would "
        "take this away.",
        f"In één groep ontbreekt de uitkomst ('{outcome}') bij {percent(most)} van de mensen. {tipping[1]} Met meer "
        "uitkomsten vervalt dit.",
        concerns,
    )


def _tipping(rows: Sequence[EffectRow]) -> tuple[str, str]:
    """Quote how extreme the missing must be; say so where nothing could be computed."""
    row = next((row for row in rows if row.estimator == "tipping_point"), None)
    if row is None:
        return (
            "How extreme they must be to turn the answer was not computed.",
            "Niet berekend is hoe extreem die moeten zijn om het antwoord te veranderen.",
        )
    if row.estimate is None:
        return (
            "No value of theirs could turn the answer.",
            "Wat die uitkomsten ook waren: het antwoord blijft gelijk.",
        )
    is_difference = row.measure.endswith("_difference") and row.measure.startswith("mean")
    unit = ("standard deviations", "standaardafwijkingen") if is_difference else ("times", "keer zo veel")
    figure = f"{row.estimate:.1f}"
    return (
        f"They must differ from the rest by {figure} {unit[0]}, in the worst direction in both groups, to turn the "
        "answer.",
        f"Zij moeten {comma(figure)} {unit[1]} afwijken van de rest, in beide groepen de ongunstige kant op, om het "
        "antwoord te veranderen.",
    )


def _share_null(data: AnalysisData, arm: str, column: str) -> float:
    """Return the share of an arm without a value; all of it where the column is not there."""
    people = data.persons.filter(pl.col("arm") == arm)
    if people.height == 0:
        return 0.0
    return n_persons(people.filter(pl.col(column).is_null())) / n_persons(people) if column in people.columns else 1.0


def _lost_at(data: AnalysisData, step: str, arms: Sequence[str]) -> list[float] | None:
    """Return the share of each arm lost at a step on the way to the analysis; None where the step is not there."""
    steps = {found.arm: found for found in data.attrition if found.name == step}
    if not any(arm in steps for arm in arms):
        return None
    return [steps[arm].n_lost / max(steps[arm].n_before, 1) if arm in steps else 0.0 for arm in arms]


@gate(
    name="pairs",
    rule="Matched pairs are compared whole: one treated and one comparison person, both counted. A pair that lacks one "
    "of them drops out, and those that remain may differ from it. Warns when many drop, and says on which side "
    "somebody is missing.",
    threshold=f">= {percent(WHOLE_PAIRS)} of the pairs whole; never fails",
    source="Agresti and Min 2004, doi:10.1093/biostatistics/5.3.429: McNemar's test sees whole pairs only",
    hides=NOTHING,
)
def pairs(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on the pairs that drop from the comparison of pairs, by the side that is missing."""
    facts = facts_of(pairs)
    if not data.plan.pairs:
        return fold(
            "pairs",
            facts.threshold,
            [Finding("not_applicable", "-", "The plan names no pairs.", "Het plan noemt geen paren.")],
        )
    outcome = primary_outcome(data.plan)
    counted = counted_persons(data, outcome, windows_of(data.plan, outcome)[0])
    people = data.persons.select("arm", "pair").with_columns(counted["is_counted"])
    return fold(
        "pairs",
        facts.threshold,
        [
            _pairs_finding(
                people.filter(pl.col("pair").is_not_null()), arms_of(data, treated), contrast_pairs(data.plan, label)
            )
            for treated, label in data.plan.contrasts
        ],
    )


def _pairs_finding(people: pl.DataFrame, arms: Sequence[str], concerns: tuple[tuple[str, object], ...]) -> Finding:
    """Judge the pairs of a contrast; of sets of another size nobody is picked to stand for the others."""
    sides = [
        ((pl.col("arm") == arm) & pl.col("is_counted")).sum().alias(side) for side, arm in zip("tc", arms, strict=True)
    ]
    sets = people.filter(pl.col("arm").is_in(list(arms))).group_by("pair").agg(sides)
    n, whole = sets.height, sets.filter((pl.col("t") == 1) & (pl.col("c") == 1)).height
    if n == 0:
        return Finding(
            "not_evaluated",
            "no pairs delivered",
            "Not evaluated: nobody has a pair. Deliver the pair of every person to have pairs compared.",
            "Niet te toetsen: niemand hoort bij een paar. Lever per persoon het paar aan, dan kan het wel.",
            concerns,
        )
    no_treated = sets.filter((pl.col("t") == 0) & (pl.col("c") > 0)).height
    no_comparison = sets.filter((pl.col("c") == 0) & (pl.col("t") > 0)).height
    neither = sets.filter((pl.col("t") == 0) & (pl.col("c") == 0)).height
    larger = n - whole - no_treated - no_comparison - neither
    figure = (
        f"{whole} of {n} pairs whole; {no_comparison} without the comparison person, {no_treated} without the treated "
        f"person, {neither} without both, {larger} no pairs of two"
    )
    if whole == n:
        return Finding("passed", figure, "Every pair is whole.", "Elk paar is compleet.", concerns)
    lost = (
        f"{n - whole} of {n} pairs drop from the comparison of pairs. Missing are: the comparison person of "
        f"{no_comparison}, the treated person of {no_treated}, both of {neither}. Sets of more than two: {larger}.",
        f"{n - whole} van de {n} paren tellen niet mee als paar. Bij {no_comparison} ontbreekt de vergelijking. "
        f"Bij {no_treated} ontbreekt de deelnemer, bij {neither} allebei. Groter dan twee: {larger}.",
    )
    if whole >= WHOLE_PAIRS * n:
        return Finding("passed", figure, *lost, concerns)
    return Finding(
        "warned",
        figure,
        f"{lost[0]} Those that remain may differ from the rest. Follow and deliver both persons of every pair.",
        f"{lost[1]} De rest kan anders zijn. Volg van elk paar beide personen, en lever beiden aan.",
        concerns,
    )


@gate(
    name="linkage",
    rule="As many of one arm as of the other were found in the source of the outcomes: who is not found seems to stay "
    "out of "
    "trouble.",
    threshold=f"linked shares within {100 * LARGEST_DIFFERENCE:.0f} points; > {100 * HIDING_DIFFERENCE:.0f} fails",
    source="Harron et al. 2017, doi:10.1093/ije/dyx177; known worlds for the size that fails",
    hides="every effect",
)
def linkage(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on a linked share that differs between arms."""
    findings = []
    for treated, label in data.plan.contrasts:
        arms, pairs = arms_of(data, treated), contrast_pairs(data.plan, label)
        linked = _linked(data, arms)
        if linked is None:
            findings.append(
                Finding(
                    "not_applicable",
                    "`linked` not delivered",
                    "The delivery does not say who was found in the source of the outcomes; everyone counts as found. "
                    "Deliver `linked` to have it checked.",
                    "De levering zegt niet wie in de bron van de uitkomsten is gevonden. Iedereen telt als gevonden. "
                    "Lever "
                    "`linked` aan, dan is het te toetsen.",
                    pairs,
                )
            )
        else:
            findings.append(_linkage_finding(linked, pairs))
    return fold("linkage", facts_of(linkage).threshold, findings)


def _linked(data: AnalysisData, arms: Sequence[str]) -> list[float] | None:
    """Return the share of each arm that was found; None where the delivery does not say."""
    said = data.persons.filter(pl.col("arm").is_in(arms))["linked"]
    lost = _lost_at(data, "linked", arms)
    if said.null_count() == said.len() and not (lost and max(lost) > 0):
        return None
    of_arm = [data.persons.filter(pl.col("arm") == arm) for arm in arms]
    shares = [
        float(np.average(people["linked"].fill_null(value=True).to_numpy(), weights=sizes(people)))
        if people.height
        else 1.0
        for people in of_arm
    ]
    return shares if lost is None else [share * (1 - gone) for share, gone in zip(shares, lost, strict=True)]


def _linkage_finding(shares: Sequence[float], pairs: tuple[tuple[str, object], ...]) -> Finding:
    figure = f"{' and '.join(percent(share) for share in shares)} linked"
    gap = max(shares) - min(shares)
    if gap > LARGEST_DIFFERENCE:
        return Finding(
            "failed" if gap > HIDING_DIFFERENCE else "warned",
            figure,
            f"In one group {100 * gap:.0f} points fewer were found in the source of the outcomes. Who is not found "
            "seems to "
            "stay out of trouble. Ask the supplier why, and have the search done again in the same way for both.",
            f"In één groep zijn {100 * gap:.0f} procentpunt minder mensen gevonden in de bron van de uitkomsten. Wie "
            "niet is "
            "gevonden, lijkt niets te doen. Vraag de leverancier waarom, en laat voor beide groepen op dezelfde "
            "manier zoeken.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "About as many of both groups were found in the source of the outcomes.",
        "Van beide groepen is ongeveer een even groot deel gevonden in de bron van de uitkomsten.",
        pairs,
    )
