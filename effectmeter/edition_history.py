"""What the editions before said of the main figure: a part of the passport, from the passports of those editions alone.

So that every report can draw how its figure moved, and can be rendered again without the editions before. Here: what is
kept of an edition, and which editions tell something of their own. Not here: the picture (`reports.history`), nor why
the conclusion moved since the last one (`effectmeter.since`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

MOST_EDITIONS = 12
"""Of more, the newest are told: three years of quarters."""

_DEFINITION = ("outcome", "measure", "contrast", "estimand", "window_days")
"""What a figure is about: two that differ in one of these cannot be compared."""
_FIGURE = ("estimate", "conf_low", "conf_high", "verdict_low", "verdict_high", "status", "reason", "reason_nl")


def told(passport: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of an edition in the history of its programme: cleared figures only.

    Examples
    --------
    >>> passport = {"quarter": "2026-Q3", "edition": "001", "plan": {"hash": "p"}, "figures": {"primary": None}}
    >>> told(passport)["status"], told(passport)["figures_of"]
    ('not_estimable', '2026-Q3')
    """
    primary: Mapping[str, Any] = passport["figures"]["primary"] or {"status": "not_estimable"}
    return {
        "quarter": passport["quarter"],
        "edition": passport["edition"],
        "plan_hash": passport["plan"]["hash"],
        # unknown to releases of older versions
        "figures_of": primary.get("figures_of") or passport["quarter"],
        **{name: primary.get(name) for name in (*_DEFINITION, *_FIGURE)},
    }


def history(before: Sequence[Mapping[str, Any]], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the editions before one said, oldest first, without that one.

    Parameters
    ----------
    before
        Passports of the editions before, oldest first.
    now
        The passport of the edition that is about to follow them.
    """
    return [told(passport) for passport in telling([*before, now])[:-1]][-(MOST_EDITIONS - 1) :]


def telling(passports: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the editions that say something of their own: of a CONCEPT and its approval, the approval.

    Parameters
    ----------
    passports
        Of one programme, oldest first.
    """
    found: list[Mapping[str, Any]] = []
    for passport in passports:
        content = passport.get("content_hash")  # unknown to releases of older versions
        if found and content and (passport["quarter"], content) == (found[-1]["quarter"], found[-1]["content_hash"]):
            found.pop()
        found.append(passport)
    return found


def is_same_question(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether the figures of two editions are about the same."""
    return all(one[name] == other[name] for name in _DEFINITION)


def plan_changes(
    points: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]]
) -> list[tuple[str, ...] | None]:
    """Return per edition which fields of the plan differ from the edition before it; None where it is the same plan.

    Parameters
    ----------
    points
        Editions as `told` has them, oldest first.
    plans
        The history of the plan in the newest passport, oldest first: ``hash`` and ``changed`` of each version.

    Examples
    --------
    >>> plan_changes([{"plan_hash": "p"}, {"plan_hash": "q"}, {"plan_hash": "q"}],
    ...              [{"hash": "p", "changed": []}, {"hash": "q", "changed": ["looks.method"]}])
    [None, ('looks.method',), None]
    """
    places = {entry["hash"]: place for place, entry in enumerate(plans)}
    found: list[tuple[str, ...] | None] = [None]
    for before, now in pairwise(points):
        if before["plan_hash"] == now["plan_hash"]:
            found.append(None)
            continue
        first, last = sorted(places.get(point["plan_hash"], -1) for point in (before, now))
        between = plans[first + 1 : last + 1]
        found.append(tuple(sorted({field for entry in between for field in entry.get("changed", [])})))
    return found
