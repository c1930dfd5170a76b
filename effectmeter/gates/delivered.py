"""Gates about what was delivered: missing characteristics and outcomes, and who was found in the outcomes' source.

Here: shares per arm. Not here: how long people could be followed (`effectmeter.gates.people`), nor what missing
outcomes would have to be to turn the answer (the design's ``tipping_point`` rows, which are quoted).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import outcome_of
from effectmeter.gates.base import Finding, arms_of, comma, contrast_pairs, facts_of, fold, gate, percent
from effectmeter.results import Comparability, EffectRow, GateResult

FEW_MISSING = 0.05
LARGEST_DIFFERENCE = 0.05
"""Between arms, as a share: more may be no accident."""
HIDING_DIFFERENCE = 0.2
"""A difference in the linked share that no outcome model can carry. On planted worlds a third not found against two in
a hundred gave effects to programmes that had none, with every other gate passed (`docs/validation.md`: `unlinked`)."""
_ADJUSTED = frozenset({"randomised", "comparison_cohort"})


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
    return fold("missing", facts_of(missing).threshold, findings)


def _characteristics(data: AnalysisData, arms: Sequence[str], pairs: tuple[tuple[str, object], ...]) -> list[Finding]:
    """Judge the characteristic that is missing most; persons left out for it count as missing."""
    asked = [name for name in data.plan.adjust_for if name in data.persons.columns]
    if data.plan.design not in _ADJUSTED or not asked:
        return []
    left_out = _lost_at(data, "covariates_complete", arms)
    shares = {name: [_share_null(data, arm, name) for arm in arms] for name in asked}
    if left_out is not None and max(left_out) > 0:
        shares = {"at least one": left_out}
    worst = max(shares, key=lambda name: max(shares[name]))
    most = max(shares[worst])
    gap = max((max(each) - min(each) for each in shares.values()), default=0.0)
    figure = f"{' and '.join(percent(share) for share in shares[worst])} without '{worst}'"
    if most == 0.0:
        return [
            Finding("passed", "none missing", "No characteristic is missing.", "Er ontbreken geen kenmerken.", pairs)
        ]
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
    figure = f"{' and '.join(percent(share) for share in shares)} without an outcome"
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
            f"Too many outcomes are missing: up to {percent(most)} in one group, and {percent(limit)} is the most. "
            "Those "
            "without one may differ from the rest. Collect more outcomes.",
            f"Er ontbreken te veel uitkomsten: tot {percent(most)} in één groep. Hoogstens {percent(limit)} mag. Wie "
            "geen "
            "uitkomst heeft, kan anders zijn dan de rest. Verzamel meer uitkomsten.",
            concerns,
        )
    tipping = _tipping(rows)
    return Finding(
        "warned",
        figure,
        f"Outcomes are missing for up to {percent(most)} in one group. {tipping[0]} More outcomes would take this "
        "away.",
        f"In één groep ontbreekt de uitkomst bij {percent(most)} van de mensen. {tipping[1]} Met meer uitkomsten "
        "vervalt "
        "dit.",
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
    return people[column].null_count() / people.height if column in people.columns else 1.0


def _lost_at(data: AnalysisData, step: str, arms: Sequence[str]) -> list[float] | None:
    """Return the share of each arm lost at a step on the way to the analysis; None where the step is not there."""
    steps = {found.arm: found for found in data.attrition if found.name == step}
    if not any(arm in steps for arm in arms):
        return None
    return [steps[arm].n_lost / max(steps[arm].n_before, 1) if arm in steps else 0.0 for arm in arms]


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
    kept = [data.persons.filter(pl.col("arm") == arm)["linked"].fill_null(value=True).mean() for arm in arms]
    shares = [float(share) if isinstance(share, (int, float)) else 1.0 for share in kept]
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
