"""Public claims put to the test: what this quarter's data say of each, and the strongest sentence that can be defended.

Here: the rule table and its sentences, which carry no unrounded counts. Not here: the verdict on the programme
(`effectmeter.verdicts`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from effectmeter.designs.questions import measures_of
from effectmeter.plan import Claim, Plan
from effectmeter.results import ClaimRuling, EffectRow, Ruling
from effectmeter.shapes import SHAPES

Texts = tuple[str, str]
"""The same sentence in English and in Dutch."""

_RULING_WORDS: dict[Ruling, Texts] = {
    "supported": ("supported", "vastgesteld"),
    "weaker_than_claimed": (
        "not so, the effect is smaller than claimed",
        "klopt niet, het effect is kleiner dan gezegd",
    ),
    "not_established": ("not established", "niet vastgesteld"),
    "contradicted": ("contradicted by the data", "de cijfers spreken dit tegen"),
}
_MULTIPLES: dict[float, Texts] = {
    0.1: ("almost entirely ceased", "bijna helemaal gestopt"),
    0.25: ("a quarter as {}", "een kwart zo {}"),
    0.33: ("a third as {}", "een derde zo {}"),
    0.5: ("half as {}", "half zo {}"),
    0.67: ("two thirds as {}", "twee derde zo {}"),
    2.0: ("twice as {}", "twee keer zo {}"),
    3.0: ("three times as {}", "drie keer zo {}"),
}
_LEVELS = frozenset({"mean_difference"})
_AMOUNTS = frozenset({"level_ratio", "percent_change", "rate_difference"})
"""Measures of how much there is, where others say how often something happens."""


def rule_at_most(low: float, high: float, value: float, *, null: float) -> Ruling:
    """Rule on "at most `value`" from a verdict interval.

    Parameters
    ----------
    low, high
        The verdict interval; infinite (or 0 for a ratio) where it has no such limit.
    value
        The claimed size.
    null
        No effect: 1 for ratios, 0 for differences.

    Examples
    --------
    >>> rule_at_most(0.39, 0.86, 0.5, null=1), rule_at_most(0.55, 0.86, 0.5, null=1)
    ('not_established', 'weaker_than_claimed')
    """
    if high <= value:
        return "supported"
    if low > value:
        return "weaker_than_claimed" if high < null else "contradicted"
    return "not_established"


def rule_at_least(low: float, high: float, value: float, *, null: float) -> Ruling:
    """Rule on "at least `value`": the mirror of `rule_at_most`.

    Examples
    --------
    >>> rule_at_least(1.2, 1.8, 2.0, null=1), rule_at_least(0.8, 1.8, 2.0, null=1)
    ('weaker_than_claimed', 'contradicted')
    """
    return rule_at_most(-high, -low, -value, null=-null)


def rule_claims(plan: Plan, effects: Sequence[EffectRow], reach: int) -> tuple[ClaimRuling, ...]:
    """Rule on every claim of the plan, in plan order; on a claim that names no arm once for each treated arm.

    Parameters
    ----------
    effects
        After `effectmeter.diagnostics.apply_gates`: a hidden row means that the claim cannot be tested.
    reach
        Participants delivered in the treated arms; of a design on areas, the areas that started.
    """
    found: list[ClaimRuling] = []
    for claim in plan.claims:
        if claim.reach:
            found.append(_rule_reach(claim, reach, plan))
            continue
        found += [
            _rule_effect(plan, claim, effects, label) for arm, label in plan.contrasts if claim.arm in (None, arm)
        ]
    return tuple(found)


def tested_row(
    plan: Plan, effects: Sequence[EffectRow], outcome: str, measure: str, contrast: str = ""
) -> EffectRow | None:
    """Return the row that a claim is tested on: adjusted, first window, net time before calendar time.

    In a before-after design the effect is the ratio of rate ratios wherever there is a comparison arm, also when the
    plan and the claim speak of a rate ratio. Of pooled trials that differ the first row is the prediction for a next
    place, which a claim about the programme must survive. Without a contrast it is the plan's first.
    """
    wanted, asked = {measure}, contrast or plan.contrasts[0][1]
    contrasts = {asked}
    if plan.design == "before_after":
        if measure == "rate_ratio":
            wanted = {"rate_ratio", "ratio_of_rate_ratios"}
        # without a comparison group the only row is an arm's own change
        contrasts |= {f"{arm} after vs before" for arm, label in plan.contrasts if label == asked}
    return next(
        (
            row
            for row in effects
            if row.outcome == outcome
            and row.contrast in contrasts
            and row.measure in wanted
            and row.analysis in {"primary", "secondary"}
            and row.subgroup is None
        ),
        None,
    )


def _rule_effect(plan: Plan, claim: Claim, effects: Sequence[EffectRow], contrast: str) -> ClaimRuling:
    outcome = claim.outcome or ""
    measure = claim.measure or (measures_of(plan, outcome)[0] if outcome in plan.outcomes else "")
    value = claim.at_most if claim.at_most is not None else claim.at_least
    row = tested_row(plan, effects, outcome, measure, contrast)
    refusal = _why_not_testable(claim, outcome, measure, value, row)
    # who reads a ruling on one of several arms must see which one it is about
    named = f"{contrast}: " if len(plan.contrasts) > 1 else ""

    def ruled(ruling: Ruling, said: Texts) -> ClaimRuling:
        return _ruling(claim, outcome, measure, value, ruling, (named + said[0], named + said[1]), contrast)

    if refusal is not None or row is None or value is None:
        return ruled("cannot_be_tested", refusal or ("", ""))
    null = 1.0 if row.is_ratio else 0.0
    low, high = limits(row)
    rule = rule_at_most if claim.at_most is not None else rule_at_least
    ruling = rule(low, high, value, null=null)
    return ruled(ruling, _sentence(row, value, ruling, low=low, high=high, at_most=claim.at_most is not None))


def rule_on_bound(plan: Plan, claim: ClaimRuling, row: EffectRow) -> ClaimRuling | None:
    """Return a claim's ruling by the bound that alone may be told of its row; None where that does not decide it.

    Parameters
    ----------
    claim
        As ruled on the row's own interval, with which a bound from raw counts must agree.
    row
        As cleared: without an estimate, with at most the bound that its arm would have with more events.
    """
    asked = next((other for other in plan.claims if (other.words, other.outcome) == (claim.words, claim.outcome)), None)
    if asked is None or row.status != "suppressed" or (row.verdict_low is None and row.verdict_high is None):
        return None
    found = _rule_effect(plan, asked, [replace(row, status="shown")], row.contrast)
    by_itself = SHAPES[plan.design].unit in {"period", "trial"}  # worked out by the design, not from raw counts
    decides = found.ruling in {"supported", "contradicted"} and (by_itself or found.ruling == claim.ruling)
    return replace(found, contrast=claim.contrast) if decides else None


def _why_not_testable(
    claim: Claim, outcome: str, measure: str, value: float | None, row: EffectRow | None
) -> Texts | None:
    """Return why a claim cannot be tested, or None."""
    if value is None or not outcome:
        return (
            "Cannot be tested: the claim in the plan names no outcome or no size.",
            "Niet te toetsen: in het plan staat niet over welke uitkomst het gaat, of hoe groot het effect zou zijn.",
        )
    if row is None:
        return (
            f"Cannot be tested: the plan does not ask for '{measure}' of '{outcome}'. Add it to the plan's outcomes.",
            f"Niet te toetsen: het plan vraagt niet om '{measure}' van '{outcome}'. Zet dit bij de "
            "uitkomsten in het plan.",
        )
    if row.status != "shown" or (row.verdict_low is None and row.verdict_high is None):
        return (f"Cannot be tested. {row.reason}".strip(), f"Niet te toetsen. {row.reason_nl}".strip())
    return None


def limits(row: EffectRow) -> tuple[float, float]:
    """Return the verdict interval with its missing limits filled in: a bound is open on its other side."""
    floor = 0.0 if row.is_ratio else -100.0 if row.measure == "percent_change" else -math.inf
    return (
        floor if row.verdict_low is None else row.verdict_low,
        math.inf if row.verdict_high is None else row.verdict_high,
    )


def direction_words(measure: str) -> tuple[Texts, Texts]:
    """Return the words for a fall and for a rise."""
    if measure in _LEVELS:
        return ("lower", "lager"), ("higher", "hoger")
    if measure == "slope_ratio":
        return ("a course that falls more", "een verloop dat sterker daalt"), (
            "a course that rises more",
            "een verloop dat sterker stijgt",
        )
    if measure in _AMOUNTS:
        return ("less", "minder"), ("more", "meer")
    return ("less often", "minder vaak"), ("more often", "vaker")


def _sentence(row: EffectRow, value: float, ruling: Ruling, *, low: float, high: float, at_most: bool) -> Texts:
    """Say what holds and what does not: ``less often: supported; half as often: not established``."""
    null = 1.0 if row.is_ratio else 0.0
    fall, rise = direction_words(row.measure)
    if high < null:
        direction, certainty = fall, "supported"
    elif low > null:
        direction, certainty = rise, "supported"
    else:
        direction, certainty = (fall if at_most else rise), "not_established"
    words = _RULING_WORDS["supported" if certainty == "supported" else "not_established"]
    size = _size_words(row, value, at_most=at_most)
    return (
        f"{direction[0]}: {words[0]}; {size[0]}: {_RULING_WORDS[ruling][0]}",
        f"{direction[1]}: {words[1]}; {size[1]}: {_RULING_WORDS[ruling][1]}",
    )


def _size_words(row: EffectRow, value: float, *, at_most: bool) -> Texts:
    """Put a claimed size in words."""
    much = row.measure in _AMOUNTS or row.measure == "slope_ratio"
    as_ratio = value if row.is_ratio else 1 + value / 100 if row.measure == "percent_change" else None
    known = _MULTIPLES.get(round(as_ratio, 2)) if as_ratio is not None and row.measure != "slope_ratio" else None
    if known is not None:
        return known[0].format("much" if much else "often"), known[1].format("veel" if much else "vaak")
    bound = ("at most", "hoogstens") if at_most else ("at least", "minstens")
    figure, figure_nl = f"{value:g}", f"{value:g}".replace(".", ",")
    if row.measure == "percent_change":
        return _percent_words(value, at_most=at_most)
    if row.measure == "slope_ratio":
        return (
            f"each period {bound[0]} {figure} times what the earlier course would give",
            f"elke periode {bound[1]} {figure_nl} keer wat het verloop van daarvoor zou geven",
        )
    if row.is_ratio and value == 1:
        fall, rise = direction_words(row.measure)
        other = rise if at_most else fall
        return f"not {other[0]}", f"niet {other[1]}"
    if row.is_ratio:
        often = ("much", "veel") if much else ("often", "vaak")
        return f"{bound[0]} {figure} times as {often[0]}", f"{bound[1]} {figure_nl} keer zo {often[1]}"
    return f"a difference of {bound[0]} {figure}", f"een verschil van {bound[1]} {figure_nl}"


def _percent_words(value: float, *, at_most: bool) -> Texts:
    """Put a claimed change in per cent in words: "at most -30" is a fall of at least 30."""
    is_fall = value < 0 or (value == 0 and at_most)
    at_least = is_fall == at_most
    bound = ("at least", "minstens") if at_least else ("at most", "hoogstens")
    kind = ("a fall", "een daling") if is_fall else ("a rise", "een stijging")
    figure, figure_nl = f"{abs(value):g}", f"{abs(value):g}".replace(".", ",")
    return f"{kind[0]} of {bound[0]} {figure} %", f"{kind[1]} van {bound[1]} {figure_nl} procent"


def _rule_reach(claim: Claim, reach: int, plan: Plan) -> ClaimRuling:
    """Count a claim of reach. The published count is rounded; where rounding decides, the claim is not established.

    Areas that take part are public and say nothing about a person: they are counted as they are.
    """
    unit = SHAPES[plan.design].unit
    if claim.value is None:
        return _ruling(
            claim,
            "",
            "reach",
            None,
            "cannot_be_tested",
            ("Cannot be tested: the claim names no number.", "Niet te toetsen: de uitspraak noemt geen aantal."),
        )
    if unit not in ("person", "area"):
        return _ruling(
            claim,
            "",
            "reach",
            claim.value,
            "cannot_be_tested",
            (
                "Cannot be tested: these data do not say who took part.",
                "Niet te toetsen: deze gegevens zeggen niet wie er meededen.",
            ),
        )
    is_public = unit == "area"
    base, smallest = (1, 0) if is_public else (plan.disclosure.rounding_base, plan.disclosure.minimum_persons)
    at_least = claim.reach == "at_least"
    bound = ("at least", "minstens") if at_least else ("at most", "hoogstens")
    wanted = f"{claim.value:g}"
    if reach < smallest:
        said = (f"fewer than {smallest} participants", f"minder dan {smallest} deelnemers")
        if claim.value <= smallest:
            return _ruling(
                claim,
                "",
                "reach",
                claim.value,
                "cannot_be_tested",
                (
                    f"Cannot be tested: there are {said[0]}, and so small a number is not published.",
                    f"Niet te toetsen: het zijn {said[1]}. Zo'n klein aantal maken wij niet bekend.",
                ),
            )
        holds = rounded_holds = not at_least
    else:
        rounded = base * math.floor(reach / base + 0.5) if base > 1 else reach
        said = (
            (f"{rounded} areas", f"{rounded} gebieden")
            if is_public
            else (f"about {rounded} participants", f"ongeveer {rounded} deelnemers")
        )
        holds = reach >= claim.value if at_least else reach <= claim.value
        rounded_holds = rounded >= claim.value if at_least else rounded <= claim.value
    ruling: Ruling = "not_established" if holds != rounded_holds else "supported" if holds else "contradicted"
    words = _RULING_WORDS[ruling]
    return _ruling(
        claim,
        "",
        "reach",
        claim.value,
        ruling,
        (f"Counted: {said[0]}; {bound[0]} {wanted}: {words[0]}", f"Geteld: {said[1]}; {bound[1]} {wanted}: {words[1]}"),
    )


def _ruling(
    claim: Claim,
    outcome: str,
    measure: str,
    value: float | None,
    ruling: Ruling,
    sentence: Texts,
    contrast: str = "",
) -> ClaimRuling:
    return ClaimRuling(
        words=claim.words,
        source=claim.source,
        outcome=outcome,
        measure=measure,
        value=value,
        ruling=ruling,
        sentence=sentence[0],
        sentence_nl=sentence[1],
        contrast=contrast,
    )
