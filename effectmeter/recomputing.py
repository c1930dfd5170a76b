"""Why a quarter was computed again: what differs between two passports of it, and the sentence that says so.

So that a reader of a series knows which of its editions were made again by another definition, and which by other data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from effectmeter.sentences import Language

_BECAUSE: Mapping[str, Mapping[str, str]] = {
    "delivery": {"nl": "de aanlevering is gewijzigd", "en": "the delivery has changed"},
    "plan": {"nl": "het analyseplan is gewijzigd", "en": "the analysis plan has changed"},
    "version": {"nl": "Effectmeter heeft een nieuwe versie", "en": "Effectmeter has a new version"},
    "software": {"nl": "de software is gewijzigd", "en": "the software has changed"},
    "context": {"nl": "wat ermee is vergeleken, is gewijzigd", "en": "what it is compared with has changed"},
    "repaired": {"nl": "de vorige uitgave was beschadigd", "en": "the edition before it was damaged"},
}


def recomputed_because(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return which edition of the same quarter is made again, and why.

    Parameters
    ----------
    before, now
        Passports: of the newest edition that stands, and of the one that is about to follow it.

    Returns
    -------
    dict
        ``edition``: the one before; ``because``: keys of the reasons, in a fixed order; ``changed``: the dotted fields
        of the plan that differ, where its history knows them.

    Examples
    --------
    >>> def passport(plan, delivery):
    ...     return {"edition": "001", "plan": {"hash": plan, "history": []}, "data": {"delivery_hash": delivery},
    ...             "software": {}, "content_hash": plan + delivery}
    >>> recomputed_because(passport("p", "d"), passport("q", "d"))
    {'edition': '001', 'because': ['plan'], 'changed': []}
    """
    reasons = {
        "delivery": _at(before, "data", "delivery_hash") != _at(now, "data", "delivery_hash"),
        "plan": _at(before, "plan", "hash") != _at(now, "plan", "hash"),
        "version": _at(before, "software", "effectmeter") != _at(now, "software", "effectmeter"),
    }
    because = [reason for reason, holds in reasons.items() if holds]
    if "version" not in because and before["software"] != now["software"]:
        because.append("software")
    if not because:
        because = ["repaired" if before.get("content_hash") == now.get("content_hash") else "context"]
    return {"edition": before["edition"], "because": because, "changed": _changed(before, now)}


def recomputed_words(recomputed: Mapping[str, Any], language: Language) -> str:
    """Return why an edition was made again, as one sentence.

    Examples
    --------
    >>> recomputed_words({"edition": "001", "because": ["plan", "version"], "changed": ["follow_up.months"]}, "en")
    'Follows edition 001, because the analysis plan has changed (follow_up.months) and Effectmeter has a new version.'
    """
    changed = f" ({', '.join(recomputed['changed'])})" if recomputed["changed"] else ""
    parts = [
        _BECAUSE[reason][language] + (changed if reason == "plan" else "")
        for reason in recomputed["because"]
        if reason in _BECAUSE
    ]
    joined = (" en " if language == "nl" else " and ").join(parts)
    if language == "nl":
        return f"Volgt op uitgave {recomputed['edition']}: {joined}."
    return f"Follows edition {recomputed['edition']}, because {joined}."


def _at(passport: Mapping[str, Any], part: str, name: str) -> Any:
    return (passport.get(part) or {}).get(name)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the plan's fields that changed from one passport to the other, by the plan's history."""
    history: Sequence[Mapping[str, Any]] = now["plan"]["history"]
    hashes = [entry["hash"] for entry in history]
    then = before["plan"]["hash"]
    first = hashes.index(then) + 1 if then in hashes else len(history)
    return sorted({field for entry in history[first:] for field in entry.get("changed", [])})
