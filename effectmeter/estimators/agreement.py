"""Whether the analyses of one question agree: the primary row against its sensitivity rows.

Here: the comparison of rows. Not here: what a gate makes of it, nor its sentences (`effectmeter.gates`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from effectmeter.estimators.sensitivity import NO_EFFECT_ESTIMATORS
from effectmeter.results import EffectRow

SAME_WITHIN = 1.25
"""Ratios that differ by less than this factor are the same for practice, whatever their intervals (as 0.8-1.25)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the analyses of one question say together.

    Attributes
    ----------
    ruling
        ``differ`` when at least one contradicts the primary row; ``not_evaluated`` without anything to compare.
    n
        Sensitivity rows compared.
    smallest, largest
        Range of all estimates, the primary one included.
    against
        The rows that contradict the primary row.
    uncertain
        The rows whose interval holds no effect while that of the primary row does not: they do not contradict it.
    """

    ruling: Literal["agree", "differ", "not_evaluated"]
    n: int
    smallest: float | None = None
    largest: float | None = None
    against: tuple[EffectRow, ...] = ()
    uncertain: tuple[EffectRow, ...] = ()

    @property
    def share_uncertain(self) -> float:
        """Return the share of rows in which the effect is no longer certain."""
        return len(self.uncertain) / self.n if self.n else 0.0


def sensitivity_rows(primary: EffectRow, rows: Sequence[EffectRow]) -> list[EffectRow]:
    """Return the other analyses of the primary row's question, on its measure, that give an effect."""
    question = ("contrast", "outcome", "window_days", "measure", "denominator")
    return [
        row
        for row in rows
        if row.analysis == "sensitivity"
        and row.status != "not_estimable"
        and row.estimator not in NO_EFFECT_ESTIMATORS
        and all(getattr(row, name) == getattr(primary, name) for name in question)
    ]


def agreement(primary: EffectRow, rows: Sequence[EffectRow]) -> Agreement:
    """Compare the primary row with the other analyses of its question.

    Parameters
    ----------
    primary
        Its ordinary interval counts, not the wider one over all looks.
    rows
        The effects table, or any part of it; `sensitivity_rows` picks.

    Notes
    -----
    A row contradicts the primary one when (1) both intervals exclude no effect, on opposite sides; or (2) the primary
    interval excludes no effect and the row's estimate lies on the other side of it; or (3) its estimate lies outside
    the primary interval and further from the primary estimate than `SAME_WITHIN` (differences: than half the
    interval's width). The raw comparison is no sensitivity analysis: it is there to show what adjustment did.
    """
    others = sensitivity_rows(primary, rows)
    if not others or (primary.estimate is None and primary.conf_low is None and primary.conf_high is None):
        return Agreement(ruling="not_evaluated", n=0)
    is_ratio = primary.is_ratio
    mine = _scaled(primary, is_ratio)
    against, uncertain = [], []
    for row in others:
        theirs = _scaled(row, is_ratio)
        if _contradicts(mine, theirs, is_ratio):
            against.append(row)
        elif _side(mine) and not _side(theirs):
            uncertain.append(row)
    estimates = [row.estimate for row in (primary, *others) if row.estimate is not None]
    return Agreement(
        ruling="differ" if against else "agree",
        n=len(others),
        smallest=min(estimates, default=None),
        largest=max(estimates, default=None),
        against=tuple(against),
        uncertain=tuple(uncertain),
    )


_Scaled = tuple[float | None, float, float]


def _scaled(row: EffectRow, is_ratio: bool) -> _Scaled:
    """Return estimate and limits with no effect at 0; a missing limit excludes nothing."""

    def at(value: float | None, missing: float) -> float:
        if value is None:
            return missing
        if not is_ratio:
            return value
        return math.log(value) if value > 0.0 else -math.inf

    estimate = None if row.estimate is None else at(row.estimate, 0.0)
    return estimate, at(row.conf_low, -math.inf), at(row.conf_high, math.inf)


def _side(scaled: _Scaled) -> int:
    """Return -1 or 1 where the interval excludes no effect, else 0."""
    return -1 if scaled[2] < 0.0 else 1 if scaled[1] > 0.0 else 0


def _contradicts(mine: _Scaled, theirs: _Scaled, is_ratio: bool) -> bool:
    """Return whether another analysis says something else."""
    if _side(mine) * _side(theirs) < 0:
        return True
    if theirs[0] is None:
        return False
    if _side(mine) and theirs[0] * _side(mine) < 0.0:
        return True
    if mine[0] is None or mine[1] <= theirs[0] <= mine[2]:
        return False
    width = mine[2] - mine[1]
    least = math.log(SAME_WITHIN) if is_ratio else (width / 2.0 if math.isfinite(width) else math.inf)
    return abs(theirs[0] - mine[0]) > least
