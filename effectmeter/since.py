"""What the edition before said, and what became different: a part of the passport, from two passports alone.

So that every report can tell how its conclusion moved and why, and can be rendered again without the edition before.
Here: the comparison. Not here: its sentences (`effectmeter.sentences.since`), nor why one quarter was computed twice
(`effectmeter.recomputing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effectmeter.recomputing import recomputed_because

_FIGURE = ("outcome", "measure", "window_days", "estimate", "conf_low", "conf_high", "status")


def since(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the edition before said, and what differs now.

    Parameters
    ----------
    before, now
        Passports: of the newest edition that stands, of this quarter or else of an earlier one, and of the one that is
        about to follow it. Both hold cleared figures only.

    Returns
    -------
    dict
        ``quarter``, ``edition``, ``reference_date``, ``direction``, ``maryland``, ``headline``, ``figure``, ``people``
        and ``claims`` of the one before; ``gates_lost`` and ``gates_won``, which failed only now, and only then;
        ``because`` and ``changed``, as `effectmeter.recomputing.recomputed_because` has them.
    """
    lost, won = _failed(now) - _failed(before), _failed(before) - _failed(now)
    primary = before["figures"]["primary"] or {}
    return {
        "quarter": before["quarter"],
        "edition": before["edition"],
        "reference_date": before["reference_date"],
        "direction": before["verdict"]["direction"],
        "maryland": before["verdict"]["maryland"],
        "headline": dict(before["headline"]),
        "figure": {name: primary.get(name) for name in _FIGURE} if primary else None,
        "people": {row["arm"]: row["persons"] for row in before["figures"]["numbers"]},
        "claims": [
            {name: claim.get(name, "") for name in ("words", "contrast", "ruling")} for claim in before["claims"]
        ],
        "gates_lost": sorted(lost),
        "gates_won": sorted(won),
        **recomputed_because(before, now),
    }


def _failed(passport: Mapping[str, Any]) -> set[str]:
    return {gate["gate"] for gate in passport["gates"] if gate["status"] == "failed"}
