"""What changed since the edition before, in words: first what was said, then why that is no longer the same.

Each sentence has its condition; without an edition before there is one sentence. Here: words about what
`effectmeter.since` found. Not here: that comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from effectmeter.labels import field_labels
from effectmeter.results import ClaimRuling, EffectRow
from effectmeter.sentences.numbers import Language, day_in_words, interval, number
from effectmeter.sentences.wording import RULINGS, gate_name

_WORDS: Mapping[str, Mapping[Language, str]] = {
    "first": {
        "nl": "Dit is de eerste uitgave. Er is nog niets om mee te vergelijken.",
        "en": "This is the first edition. There is nothing yet to compare it with.",
    },
    "same": {
        "nl": "De conclusie is dezelfde als in {} (uitgave {}).",
        "en": "The conclusion is the same as in {} (edition {}).",
    },
    "moved": {
        "nl": "De conclusie is veranderd. In {} (uitgave {}) was die: “{}”",
        "en": "The conclusion has changed. In {} (edition {}) it was: “{}”",
    },
    "figure": {"nl": "Het cijfer was {} ({}). Nu is het {} ({}).", "en": "The figure was {} ({}). Now it is {} ({})."},
    "figure_same": {"nl": "Het cijfer is gelijk gebleven.", "en": "The figure has not changed."},
    "figure_held": {
        "nl": "Het cijfer is nog dat van {}. Een nieuw cijfer zou te veel zeggen over wie erbij kwam of wegging.",
        "en": "The figure is still that of {}. A new one would tell too much of who joined or left.",
    },
    "figure_gone": {
        "nl": "Toen was er een cijfer. Nu is het niet te tonen.",
        "en": "There was a figure then. It cannot be shown now.",
    },
    "figure_new": {
        "nl": "Er is nu een cijfer. Toen was dat er nog niet.",
        "en": "There is a figure now. There was none then.",
    },
    "figure_other": {
        "nl": "Het cijfer gaat nu over iets anders. De twee zijn niet te vergelijken.",
        "en": "The figure is about something else now. The two cannot be compared.",
    },
    "strength": {"nl": "De bewijskracht was {} van 5. Nu is die {}.", "en": "The evidence was {} of 5. Now it is {}."},
    "claim": {
        "nl": "De uitspraak “{}” was: {}. Nu is die: {}.",
        "en": "The claim “{}” was: {}. Now it is: {}.",
    },
    "longer": {
        "nl": "De gegevens lopen nu tot en met {}. Toen was dat {}.",
        "en": "The data now run until {}. Then that was {}.",
    },
    "decisions": {
        "nl": "Daardoor tellen ook besluiten mee die later kwamen.",
        "en": "So decisions that came later count as well.",
    },
    "people": {"nl": "{}: eerst {} mensen aangeleverd, nu {}.", "en": "{}: {} people delivered then, {} now."},
    "corrected": {
        "nl": "Voor hetzelfde kwartaal zijn andere gegevens aangeleverd.",
        "en": "Other data were delivered for the same quarter.",
    },
    "plan": {"nl": "Het analyseplan is gewijzigd.", "en": "The analysis plan has changed."},
    "plan_fields": {"nl": "Het analyseplan is gewijzigd: {}.", "en": "The analysis plan has changed: {}."},
    "software": {
        "nl": "De software waarmee is gerekend, is gewijzigd.",
        "en": "The software that computed it has changed.",
    },
    "repaired": {
        "nl": "De vorige uitgave was beschadigd en is opnieuw gemaakt.",
        "en": "The edition before was damaged and has been made again.",
    },
    "gate_lost": {
        "nl": "De toets ‘{}’ is niet meer gehaald.",
        "en": "The test ‘{}’ is no longer passed.",
    },
    "gate_won": {
        "nl": "De toets ‘{}’ is niet langer een bezwaar.",
        "en": "The test ‘{}’ no longer stands in the way.",
    },
    "nothing": {
        "nl": "Aan gegevens, plan en software is niets veranderd.",
        "en": "Nothing changed in the data, the plan or the software.",
    },
}


def since_sentences(
    found: Mapping[str, Any] | None,
    language: Language,
    *,
    quarter: str,
    reference_date: date,
    direction: str,
    maryland: int,
    claims: Sequence[ClaimRuling],
    row: EffectRow | None,
    people: Mapping[str, int | None],
    names: Mapping[str, str],
    unit: str,
    decimals: int,
    has_decisions: bool,
) -> tuple[str, ...]:
    """Return what is said of the edition before and of what changed since.

    Parameters
    ----------
    found
        What `effectmeter.since.since` returned; None for a first edition.
    quarter, reference_date, direction, maryland, claims, row, people
        Of this edition: its verdict and rulings, the primary row, and cleared numbers per arm.
    names
        The arms in words.
    unit
        What is followed: ``person``, ``area``, ``period``, ``trial``.
    decimals
        Of the primary figure.
    has_decisions
        Whether dates of decisions are delivered, so that an outcome may wait for them.
    """

    def say(key: str, *parts: object) -> str:
        return _WORDS[key][language].format(*parts)

    if found is None:
        return (say("first"),)
    place = found["quarter"], found["edition"]
    first = (
        say("same", *place) if direction == found["direction"] else say("moved", *place, found["headline"][language])
    )
    why = [
        *_longer(found, reference_date, language, has_decisions=has_decisions),
        *_people(found, people, names, unit, language),
        *_reasons(found, language, is_same_quarter=found["quarter"] == quarter),
    ]
    gates = [
        say(f"gate_{how}", gate_name(gate, language, unit)) for how in ("lost", "won") for gate in found[f"gates_{how}"]
    ]
    strength = [] if maryland == found["maryland"] else [say("strength", found["maryland"], maryland)]
    figure = _figure(found, row, quarter, language, decimals)
    return (first, *figure, *strength, *_claims(found, claims, language), *gates, *(why or [say("nothing")]))


def _reasons(found: Mapping[str, Any], language: Language, *, is_same_quarter: bool) -> Iterator[str]:
    """Say what differed in what the edition was made from; another quarter has another delivery of itself."""
    because, fields = found["because"], field_labels(found["changed"], language)
    if "delivery" in because and is_same_quarter:
        yield _WORDS["corrected"][language]
    if "plan" in because:
        yield _WORDS["plan_fields"][language].format(fields) if fields else _WORDS["plan"][language]
    if "version" in because or "software" in because:
        yield _WORDS["software"][language]
    if "repaired" in because:
        yield _WORDS["repaired"][language]


def _claims(found: Mapping[str, Any], claims: Sequence[ClaimRuling], language: Language) -> Iterator[str]:
    """Say of each public claim that was ruled on before how its ruling changed."""
    before = {(claim["words"], claim["contrast"]): claim["ruling"] for claim in found["claims"]}
    for claim in claims:
        then = before.get((claim.words, claim.contrast))
        if then is not None and then != claim.ruling:
            yield _WORDS["claim"][language].format(
                claim.words, RULINGS[then][language], RULINGS[claim.ruling][language]
            )


def _figure(
    found: Mapping[str, Any], row: EffectRow | None, quarter: str, language: Language, decimals: int
) -> Sequence[str]:
    """Say how the main figure moved."""
    before = found["figure"]
    was = before is not None and before["estimate"] is not None and before["status"] == "shown"
    if row is None or row.estimate is None or row.status != "shown":
        return [_WORDS["figure_gone"][language]] if was else []
    if not was:
        return [_WORDS["figure_new"][language]]
    if any(before[name] != getattr(row, name) for name in ("outcome", "measure", "window_days")):
        return [_WORDS["figure_other"][language]]
    if row.figures_of != quarter:
        return [_WORDS["figure_held"][language].format(row.figures_of)]
    then = (
        number(before["estimate"], language, decimals),
        interval(before["conf_low"], before["conf_high"], language, decimals),
    )
    now = number(row.estimate, language, decimals), interval(row.conf_low, row.conf_high, language, decimals)
    return [_WORDS["figure_same"][language] if then == now else _WORDS["figure"][language].format(*then, *now)]


def _longer(
    found: Mapping[str, Any], reference_date: date, language: Language, *, has_decisions: bool
) -> Iterator[str]:
    before = date.fromisoformat(found["reference_date"])
    if before < reference_date:
        yield _WORDS["longer"][language].format(day_in_words(reference_date, language), day_in_words(before, language))
        if has_decisions:
            yield _WORDS["decisions"][language]


def _people(
    found: Mapping[str, Any], people: Mapping[str, int | None], names: Mapping[str, str], unit: str, language: Language
) -> Iterator[str]:
    """Say of each arm how many were delivered, where that changed; both numbers are published ones."""
    for arm, name in names.items():
        before, now = found["people"].get(arm), people.get(arm)
        if unit == "person" and before is not None and now is not None and before != now:
            yield _WORDS["people"][language].format(name, number(before, language, 0), number(now, language, 0))
