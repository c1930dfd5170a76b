"""The audit: what an intruder could infer of every count that is not shown, by linear programming.

Here: counts with the limits that a reader may take for granted, what ties them together, and the interval of a count or
a difference that follows (`infer`). Not here: which counts and ties a release has (`effectmeter.audit_effects`).

Every number that leaves says something of the true count behind it: a rounded one gives five possible values, a masked
one ten, and totals, parts, windows and editions tie them together. The smallest and the largest value that all of it
allows are two linear programmes. Counts are whole and the ties are sums, so that the corners of the allowed region are
whole numbers and nothing is lost by leaving wholeness out.

References
----------
Fischetti and Salazar-Gonzalez (2000), Models and algorithms for optimizing cell suppression in tabular data with linear
constraints, JASA 95, doi:10.1080/01621459.2000.10474282 (the intruder's two programmes per cell).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from effectmeter.disclosure import Rules


@dataclass(frozen=True, slots=True)
class Count:
    """A true count and the limits that its published form gives; `high` may be infinite."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tie:
    """``low <= sum of coefficient x count <= high``."""

    terms: Mapping[str, float]
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """A count, or a difference of counts, that must not be narrowed.

    Attributes
    ----------
    true
        Its value, which the intruder does not know.
    remedies
        What may be hidden to protect it, the least loss first.
    """

    name: str
    terms: Mapping[str, float]
    true: float
    remedies: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What an intruder can say of a target: it lies from `low` to `high`.

    Attributes
    ----------
    high
        None: without end.
    """

    target: str
    low: int
    high: int | None
    true: float
    is_safe: bool


def infer(
    counts: Sequence[Count], ties: Sequence[Tie], targets: Sequence[Target], rules: Rules
) -> tuple[Inference, ...]:
    """Return the interval of every target, and whether it is wide enough.

    Wide enough is as many values as "fewer than ten" leaves open: ten. A difference that is itself at least the
    smallest cell needs no width.

    Examples
    --------
    A table of which the total and one cell are shown to the unit gives the other:

    >>> counts = [Count("a", 30, 30), Count("b", 0, 9), Count("total", 34, 34)]
    >>> ties = [Tie({"a": 1, "b": 1, "total": -1})]
    >>> found = infer(counts, ties, [Target("b", {"b": 1}, 4)], Rules())[0]
    >>> found.low, found.high, found.is_safe
    (4, 4, False)
    """
    found = []
    parts = _connected(counts, ties)
    of_count = {count.name: index for index, part in enumerate(parts) for count in part[0]}
    for target in targets:
        indices = {of_count[name] for name in target.terms}
        members = [count for index in indices for count in parts[index][0]]
        own_ties = [tie for index in indices for tie in parts[index][1]]
        low, high = _range(members, own_ties, target)
        is_wide = high is None or high - low >= rules.minimum_persons - 1
        is_large = target.true >= rules.minimum_persons and len(target.terms) > 1
        found.append(Inference(target=target.name, low=low, high=high, true=target.true, is_safe=is_wide or is_large))
    return tuple(found)


def rounded_limits(shown: float | None, rules: Rules, *, mask: float | None = None) -> tuple[float, float]:
    """Return the true counts that may stand behind a published one; of a masked one, none to `mask`.

    Examples
    --------
    >>> rounded_limits(50, Rules()), rounded_limits(10, Rules()), rounded_limits(20, Rules())
    ((48, 52), (10, 12), (20, 22))
    >>> rounded_limits(15, Rules()), rounded_limits(None, Rules(), mask=9)
    ((13, 19), (0, 9))
    """
    if shown is None:
        return 0, math.inf if mask is None else mask
    base = rules.rounding_base
    low, high = math.ceil(shown - base / 2), math.ceil(shown + base / 2) - 1
    for threshold in rules.thresholds:
        if low < threshold <= shown:
            low = threshold
        if shown < threshold <= shown + base:
            high = threshold - 1
    return max(low, rules.minimum_persons if rules.minimum_persons > 1 else 0), high


def _connected(counts: Sequence[Count], ties: Sequence[Tie]) -> list[tuple[list[Count], list[Tie]]]:
    """Return counts and ties in groups that have nothing to do with each other: many small programmes, not one."""
    parent = {count.name: count.name for count in counts}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for tie in ties:
        first, *others = tie.terms
        for other in others:
            parent[root(other)] = root(first)
    groups: dict[str, tuple[list[Count], list[Tie]]] = {}
    for count in counts:
        groups.setdefault(root(count.name), ([], []))[0].append(count)
    for tie in ties:
        groups[root(next(iter(tie.terms)))][1].append(tie)
    return list(groups.values())


def _range(counts: Sequence[Count], ties: Sequence[Tie], target: Target) -> tuple[int, int | None]:
    """Return the smallest and largest value of a target.

    Raises
    ------
    ValueError
        No true counts can stand behind what was published: the model of the release is wrong, and nothing it says of
        safety holds.
    """
    place = {count.name: index for index, count in enumerate(counts)}
    goal = np.zeros(len(counts))
    for name, factor in target.terms.items():
        goal[place[name]] += factor
    rows, limits = [np.zeros(len(counts))], [0.0]  # one that holds always, for counts without ties
    for tie in ties:
        row = np.zeros(len(counts))
        for name, factor in tie.terms.items():
            row[place[name]] += factor
        for sign, bound in ((1.0, tie.high), (-1.0, -tie.low)):
            if math.isfinite(bound):
                rows.append(sign * row)
                limits.append(bound)
    from scipy.optimize import linprog  # not before it is needed: definitions load without it

    matrix = np.array(rows)
    bounds = [(count.low, None if math.isinf(count.high) else count.high) for count in counts]
    ends: list[float | None] = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * goal, A_ub=matrix, b_ub=limits, bounds=bounds, method="highs")
        if solved.status not in {0, 3}:
            raise ValueError(f"{target.name}: no counts fit what is published")
        ends.append(sign * float(solved.fun or 0.0) if solved.status == 0 else None)
    low = -math.inf if ends[0] is None else math.ceil(ends[0] - 1e-6)
    return int(max(low, -(10**9))), None if ends[1] is None else math.floor(ends[1] + 1e-6)
