"""The programme's answer this quarter: direction, strength of the evidence, and the verdict line.

Here: the rules that turn the primary row and the gates into a verdict. Not here: the claims' rules
(`effectmeter.claims`), nor the rounding and natural frequencies of the published line (release and report).
"""

from __future__ import annotations

from collections.abc import Sequence

from effectmeter.claims import Texts, direction_words, limits, rule_claims
from effectmeter.designs.questions import label_of, outcome_of, primary_measure, primary_outcome, windows_of
from effectmeter.estimators.sensitivity import e_value_row
from effectmeter.gates.base import comma
from effectmeter.plan import Plan
from effectmeter.results import ClaimRuling, Direction, EffectRow, GateResult, Verdict
from effectmeter.sentences.numbers import BEYOND_WORDS

SMALLEST_IMPORTANT_RATIO = 0.67
"""A ratio between this and its inverse (rounded: 1.5) is "no effect of importance"."""
_LARGEST_UNIMPORTANT_RATIO = 1.5
PREDICTION = "prediction"
"""Variance of a row about a next trial or site rather than about the mean of those there were."""

_DUTCH_MEASURES = {
    "risk_ratio": "verhouding van kansen",
    "rate_ratio": "verhouding van aantallen per jaar",
    "hazard_ratio": "verhouding van snelheden",
    "odds_ratio": "odds ratio",
    "level_ratio": "verhouding van niveaus",
    "slope_ratio": "verhouding van hellingen",
    "percent_change": "verandering in procenten",
    "ratio_of_rate_ratios": "verhouding van veranderingen",
    "mean_difference": "verschil in gemiddelde",
    "risk_difference": "verschil in kans",
    "rate_difference": "verschil in aantal per jaar",
}
_CONFOUNDED = frozenset({"comparison_cohort", "before_after"})
"""Designs in which something unmeasured about persons may explain the answer away."""
_HELD = frozenset({"passed", "warned", "not_applicable"})


def rule(
    plan: Plan, effects: Sequence[EffectRow], gates: Sequence[GateResult], reach: int
) -> tuple[Verdict, tuple[ClaimRuling, ...]]:
    """Rule on the programme and on its public claims.

    Parameters
    ----------
    effects
        After `effectmeter.diagnostics.apply_gates`.
    reach
        Participants delivered in the treated arms.
    """
    rows = {label: primary_row([row for row in effects if row.contrast == label]) for _, label in plan.contrasts}
    contrast, row = next(iter(rows.items()))
    direction = "not_shown" if row is None else direction_of(row)
    maryland = maryland_scale(plan, row, effects, gates)
    outcome = primary_outcome(plan)
    is_wanted = direction == ("fewer" if outcome_of(plan, outcome).better == "lower" else "more")
    works = maryland >= 3 and is_wanted and all(gate.status in _HELD for gate in _concerning(row, gates))
    said = {label: _sentences(plan, found, effects, gates) for label, found in rows.items()}
    if len(said) > 1:  # no arm speaks for another
        said = {label: (f"{label}: {text[0]}", f"{label}: {text[1]}") for label, text in said.items()}
    doubt = () if direction == "not_shown" else _unjudged(gates)
    verdict = Verdict(
        direction=direction,
        maryland=maryland,
        works=works,
        outcome=outcome,
        measure=row.measure if row else (primary_measure(plan, outcome) if outcome else ""),
        window_days=row.window_days if row else (windows_of(plan, outcome)[0] if outcome else None),
        sentence=" ".join([*(text[0] for text in said.values()), *doubt[:1]]),
        sentence_nl=" ".join([*(text[1] for text in said.values()), *doubt[1:]]),
        contrast=contrast,
    )
    return verdict, rule_claims(plan, effects, reach)


def primary_row(effects: Sequence[EffectRow]) -> EffectRow | None:
    """Return the row that the verdict reads: the primary one of the first contrast, the ratio before the difference."""
    primary = [row for row in effects if row.analysis == "primary"]
    return next((row for row in primary if row.is_ratio), primary[0] if primary else None)


def other_arms(plan: Plan, effects: Sequence[EffectRow]) -> tuple[tuple[str, Direction], ...]:
    """Return every treated arm but the first with the direction of its own primary row."""
    rows = ((arm, primary_row([row for row in effects if row.contrast == label])) for arm, label in plan.contrasts[1:])
    return tuple((arm, "not_shown" if row is None else direction_of(row)) for arm, row in rows)


def direction_of(row: EffectRow) -> Direction:
    """Say where the verdict interval lies.

    ``fewer`` and ``more`` are the direction of the numbers; whether that is good depends on the outcome's `better`.
    "No effect of importance" is defined for ratios, and for a change in per cent as the ratio that it is.
    """
    if row.status != "shown" or (row.verdict_low is None and row.verdict_high is None):
        return "not_shown"
    low, high = limits(row)
    null = 1.0 if row.is_ratio else 0.0
    if high < null:
        return "fewer"
    if low > null:
        return "more"
    if row.measure == "percent_change":
        low, high = round(1 + low / 100, 12), round(1 + high / 100, 12)
    elif not row.is_ratio:
        return "inconclusive"
    # a course that turns a little each period ends far away: no slope is unimportant by this margin
    small = low >= SMALLEST_IMPORTANT_RATIO and high <= _LARGEST_UNIMPORTANT_RATIO and row.measure != "slope_ratio"
    return "no_effect_of_importance" if small else "inconclusive"


def maryland_scale(plan: Plan, row: EffectRow | None, effects: Sequence[EffectRow], gates: Sequence[GateResult]) -> int:
    """Strength of the evidence, 1 to 5, from the design and from the gates that concern the primary row.

    Drawn by lot 5. Set against a comparison: 4, or 3 when a gate failed. Before and after without one: 2. Pooled
    trials: 5 where the plan says that all of them drew lots, else 3: a mean is no better than what it is made of.

    References
    ----------
    Sherman et al. (1997), Preventing Crime: What Works, What Doesn't, What's Promising, appendix.
    """
    if plan.design == "randomised":
        return 5
    if plan.design == "pooled_trials":
        return 5 if plan.trials is not None and plan.trials.randomised else 3
    if not _has_control(plan, row, effects):
        return 2
    return 3 if any(gate.status == "failed" for gate in _concerning(row, gates)) else 4


def _has_control(plan: Plan, row: EffectRow | None, effects: Sequence[EffectRow]) -> bool:
    """Return whether the effect is set against somebody or something without the programme."""
    if plan.design == "before_after":
        return any(r.measure == "ratio_of_rate_ratios" and r.n_comparison for r in effects)
    if plan.design == "interrupted_series":
        is_controlled = row is not None and row.estimator == "conditional_poisson"
        return is_controlled or any(r.subgroup in {"series=control", "control=none"} for r in effects)
    return True


def _concerning(row: EffectRow | None, gates: Sequence[GateResult]) -> list[GateResult]:
    """Return the gates that concern the primary row; all of them where there is none."""
    return [gate for gate in gates if row is None or gate.applies_to(row)]


def _unjudged(gates: Sequence[GateResult]) -> tuple[str, ...]:
    """Say, in English and Dutch, when nobody can tell whether only those who stayed out of trouble could start.

    A group formed by who started looks better than it is, and without start dates nothing in the figures shows it.
    """
    if not any(gate.gate == "time_zero" and gate.status == "not_evaluated" for gate in gates):
        return ()
    return (
        "Immortal time could not be judged: no start dates were delivered.",
        "Niet te zien is of alleen mensen begonnen met wie nog niets gebeurd was: er zijn geen startdatums.",
    )


def _sentences(
    plan: Plan,
    row: EffectRow | None,
    effects: Sequence[EffectRow],
    gates: Sequence[GateResult],
) -> Texts:
    """Write the verdict line of a contrast."""
    direction: Direction = "not_shown" if row is None else direction_of(row)
    outcome, outcome_nl = label_of(plan, primary_outcome(plan))
    if row is None or direction == "not_shown":
        reason = (
            (row.reason, row.reason_nl) if row else ("There is no primary estimate.", "Er is geen uitkomst berekend.")
        )
        return (
            f"{outcome}: no effect can be shown. {reason[0]}".strip(),
            f"{outcome_nl}: wij kunnen geen effect laten zien. {reason[1]}".strip(),
        )
    figures, figures_nl = _figures(row)
    fall, rise = direction_words(row.measure)
    if row.variance == PREDICTION:
        return _of_a_next_site(plan, row, effects, direction)
    settle = next((gate for gate in gates if gate.gate == "power" and gate.applies_to(row)), None)
    if direction in {"fewer", "more"}:
        words = fall if direction == "fewer" else rise
        unwanted = direction != ("fewer" if outcome_of(plan, row.outcome).better == "lower" else "more")
        harm = (" This is harm.", " Dit is schade.") if unwanted else ("", "")
        explained = _e_value(plan, row)
        return (
            f"{outcome}: {words[0]} with the programme than without it{figures}{harm[0]}{explained[0]}",
            f"{outcome_nl}: met het programma {words[1]} dan zonder{figures_nl}{harm[1]}{explained[1]}",
        )
    if direction == "no_effect_of_importance":
        return (
            f"{outcome}: no effect of importance{figures} It makes neither a third less nor half more.",
            f"{outcome_nl}: geen effect van belang{figures_nl} Het scheelt geen derde minder en ook geen helft meer.",
        )
    needed = (settle.sentence, settle.sentence_nl) if settle else ("", "")
    return (
        f"{outcome}: inconclusive{figures} That is not the same as no effect. {needed[0]}".strip(),
        f"{outcome_nl}: nog niet te zeggen{figures_nl} Dat is iets anders dan: het werkt niet. {needed[1]}".strip(),
    )


def _of_a_next_site(plan: Plan, row: EffectRow, effects: Sequence[EffectRow], direction: Direction) -> Texts:
    """Write the verdict line where trials differ: it is about a next place, and the mean stands beside it."""
    outcome, outcome_nl = label_of(plan, row.outcome)
    figures, figures_nl = _figures(row)
    fall, rise = direction_words(row.measure)
    words = fall if direction == "fewer" else rise
    wanted = "fewer" if outcome_of(plan, row.outcome).better == "lower" else "more"
    harm = (" This is harm.", " Dit is schade.") if direction in {"fewer", "more"} - {wanted} else ("", "")
    said: dict[str, Texts] = {
        "no_effect_of_importance": (
            "no effect of importance is to be expected",
            "is geen effect van belang te verwachten",
        ),
        "inconclusive": (
            "it may go either way, so that it cannot be said beforehand",
            "kan het beide kanten op gaan: dat is niet vooraf te zeggen",
        ),
    }
    text, text_nl = said.get(
        direction, (f"{words[0]} is to be expected than without it", f"is te verwachten: {words[1]} dan zonder")
    )
    mean = next(
        (
            other
            for other in effects
            if other.measure == row.measure
            and other.analysis == "secondary"
            and other.variance != PREDICTION
            and other.subgroup is None
            and other.estimate is not None
        ),
        None,
    )
    beside = ("", "")
    if mean is not None:
        between = _figures(mean)
        beside = (f" The mean of the trials{between[0]}", f" Het gemiddelde van de onderzoeken{between[1]}")
    return (
        f"{outcome}: the trials differ. At a next place with the programme {text}{figures}{harm[0]}{beside[0]}",
        f"{outcome_nl}: de onderzoeken verschillen. Op een volgende plek met het programma "
        f"{text_nl}{figures_nl}{harm[1]}"
        f"{beside[1]}",
    )


def _figures(row: EffectRow) -> Texts:
    """Return the estimate with the interval over all looks, in both languages."""
    words = row.measure.replace("_", " ")
    decimals = 1 if row.measure == "percent_change" else 2

    def told(figure: float | None, beyond: str) -> str:
        return "-" if figure is None else beyond if figure >= BEYOND_WORDS else f"{figure:.{decimals}f}"

    figures = row.estimate, row.verdict_low, row.verdict_high
    estimate, low, high = (told(figure, "more than a million") for figure in figures)
    text = f" ({words} {estimate}; interval over all looks {low} to {high})."
    estimate, low, high = (comma(told(figure, "meer dan een miljoen")) for figure in figures)
    text_nl = f" ({_DUTCH_MEASURES.get(row.measure, words)} {estimate}; marge over alle kwartalen {low} tot {high})."
    return text, text_nl


def _e_value(plan: Plan, row: EffectRow) -> Texts:
    """Say how strong an unmeasured cause would have to be; trials need no such sentence."""
    if plan.design not in _CONFOUNDED or not row.is_ratio or not row.estimate:
        return "", ""
    is_common = bool(row.events_comparison and row.n_comparison and row.events_comparison > 0.15 * row.n_comparison)
    value, nearest = e_value_row(row.measure, row.estimate, row.verdict_low, row.verdict_high, is_common=is_common)
    point, limit = f"{value:.2f}", f"{nearest:.2f}"
    return (
        " To explain this away, something unmeasured must go with both the programme and the outcome by a ratio of "
        f"{point} ({limit} for the limit nearest to no effect).",
        " Kan iets wat niet is gemeten dit verklaren? Dan moet het sterk samenhangen met het programma en met de "
        f"uitkomst: met een verhouding van {comma(point)} ({comma(limit)} voor de grens het dichtst bij "
        "geen effect).",
    )
