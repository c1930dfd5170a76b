"""Difference in differences with staggered starts: effects by cohort and period, and their averages.

Callaway and Sant'Anna's estimator. Each cohort (areas that start together) is compared, from its last period before the
start to each later one, with areas that have not started yet or never will. Nothing is compared with areas that were
treated earlier, which is what makes two-way fixed effects go wrong.

Not here: covariates (`group_time_adjusted`), permutation (`group_time_permutation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from effectmeter.estimators.base import EmptyArmError, EstimationError, FloatArray
from effectmeter.estimators.group_time_panel import BoolArray, Effect, Panel, Shares, combined
from effectmeter.estimators.sandwich import IntArray

Comparison = Literal["not_yet_treated", "never_treated"]
Aggregation = Literal["simple", "dynamic", "cohort", "calendar"]
FEWEST_COMPARISON = 2
"""A cell with fewer comparison areas is skipped: one area shows no spread, and so no error."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The effect on one cohort in one period.

    Attributes
    ----------
    cohort, period
        Calendar indices of the start and of the period.
    att
        Effect; before the start a pretended one.
    n_treated, n_comparison
        Areas with both periods observed.
    """

    cohort: float
    period: float
    att: float
    n_treated: int
    n_comparison: int

    @property
    def event_time(self) -> int:
        """Periods since the start; negative before it."""
        return round(self.period - self.cohort)


@dataclass(slots=True)
class _Sums:
    """Running sums over cells, each cell weighing for its number of treated areas.

    With a cell's weight w and areas i of the cohort, an average effect is ``sum w (dY_i - m_c) / sum w``, m_c the mean
    change of the comparison. So an area's own part is ``w (dY_i - m_c - average)``, cohort sizes being no constants.
    """

    n: int
    num: float = 0.0
    den: float = 0.0
    effect: FloatArray = field(init=False)  # own parts of treated areas, before the average is taken off
    weight: FloatArray = field(init=False)
    level: FloatArray = field(init=False)
    comparison: FloatArray = field(init=False)
    scaled_comparison: FloatArray = field(init=False)
    compared: BoolArray = field(init=False)  # which areas were compared with

    def __post_init__(self) -> None:
        self.compared = np.zeros(self.n, dtype=np.bool_)
        self.effect, self.weight, self.level, self.comparison, self.scaled_comparison = (
            np.zeros(self.n) for _ in range(5)
        )

    def plus(self, other: _Sums, factor: float = 1.0) -> None:
        """Add another's sums."""
        self.num += factor * other.num
        self.den += factor * other.den
        for name in ("effect", "weight", "level", "comparison", "scaled_comparison"):
            getattr(self, name).__iadd__(factor * getattr(other, name))


@dataclass(frozen=True, slots=True)
class CellFit:
    """One cell before it is averaged.

    Attributes
    ----------
    att
        Effect.
    own
        (n_g,) per treated area: what it alone would say of the effect, averaging to `att`.
    other
        (n_c,) influence of each comparison area on `att`.
    freedom
        Parameters that the comparison estimates: 1, or more with covariates.
    """

    att: float
    own: FloatArray
    other: FloatArray
    freedom: int = 1


Fitter = Callable[[FloatArray, FloatArray, IntArray, IntArray], CellFit]
"""Change of the treated, change of the comparison, and which areas they are."""


def plain_cell(treated: FloatArray, comparison: FloatArray, _t: IntArray, _c: IntArray) -> CellFit:
    """Return the difference between two mean changes."""
    expected = float(comparison.sum()) / len(comparison)
    own = treated - expected
    return CellFit(float(own.sum()) / len(own), own, (expected - comparison) / len(comparison))


@dataclass(frozen=True, kw_only=True)
class GroupTime:
    """Every group-time effect of a panel, ready to be averaged.

    Attributes
    ----------
    cells
        In order of cohort and period.
    variance
        ``cr3`` (leave one cluster out), ``cr1`` (the plain sandwich times G / (G - 1)) or ``cr0``.
    served
        (n,) whether an area served as comparison after some start.
    """

    panel: Panel
    cells: tuple[Cell, ...]
    variance: str
    served: BoolArray
    by_event: dict[int, _Sums] = field(repr=False)
    by_cohort: dict[float, _Sums] = field(repr=False)
    by_period: dict[float, _Sums] = field(repr=False)
    by_cell: dict[tuple[float, float], _Sums] = field(repr=False)

    @cached_property
    def is_treated(self) -> BoolArray:
        """(G,) clusters with an area that starts within the panel."""
        result = np.zeros(self.panel.n_clusters, dtype=np.bool_)
        result[self.panel.cluster[np.isfinite(self.panel.start)]] = True
        return result

    def event(self, event_time: int) -> Effect:
        """Return the average effect so many periods after the start."""
        return self._effect(self._found(self.by_event, event_time))

    def areas_at(self, event_time: int) -> tuple[int, int]:
        """Return how many treated and comparison areas contribute so many periods after the start."""
        sums = self._found(self.by_event, event_time)
        return int((sums.weight > 0.0).sum()), int(sums.compared.sum())

    def cohort(self, start: float) -> Effect:
        """Return the average effect on a cohort, over its periods after the start."""
        return self._effect(self._found(self.by_cohort, start))

    def period(self, period: float) -> Effect:
        """Return the average effect in a period, over all areas that had started."""
        return self._effect(self._found(self.by_period, period))

    def cell(self, cell: Cell) -> Effect:
        """Return one cohort's effect in one period; the fit must have been asked to keep cells."""
        return self._effect(self.by_cell[(cell.cohort, cell.period)])

    def overall(self, aggregation: Aggregation = "simple", without: float | None = None) -> Effect:
        """Return one number.

        Parameters
        ----------
        aggregation
            ``simple``: all treated area-periods alike. ``dynamic``: first per time since the start, then these alike.
            ``cohort``: first per cohort, then by number of areas. ``calendar``: first per period, then these alike.
        without
            A cohort to leave out, for ``simple``.
        """
        if aggregation == "dynamic":
            return self._mean([self.event(e) for e in sorted(self.by_event) if e >= 0])
        if aggregation == "calendar":
            return self._mean([self.period(t) for t in sorted(self.by_period)])
        total = _Sums(len(self.panel.start))
        for start, sums in self.by_cohort.items():
            if start != without:
                n_periods = sum(1 for cell in self.cells if cell.cohort == start and cell.event_time >= 0)
                total.plus(sums, 1.0 / n_periods if aggregation == "cohort" else 1.0)
        if total.den == 0.0:
            raise EmptyArmError("no area has a period after its start with anything to compare it with")
        return self._effect(total)

    def _found(self, sums: Mapping[Any, _Sums], key: float) -> _Sums:
        if key not in sums:
            raise EstimationError("there is no area to compare with here")
        return sums[key]

    def _effect(self, sums: _Sums) -> Effect:
        att, mean = sums.num / sums.den, float(sums.level.sum()) / sums.den
        size = self.panel.n_clusters
        own, weight, level = (
            np.bincount(self.panel.cluster, values, size) for values in (sums.effect, sums.weight, sums.level)
        )
        left, factor = np.full(size, sums.den), 1.0
        if self.variance == "cr3":
            left = sums.den - weight
            if float(left.min()) <= 1e-9 * sums.den:
                raise EstimationError("this rests on one area, so that nothing can be said about precision")
        elif self.variance == "cr1":
            factor = float(np.sqrt(size / max(size - 1, 1)))
        other = np.bincount(
            self.panel.cluster, sums.scaled_comparison if self.variance == "cr3" else sums.comparison, size
        )
        return Effect(
            att=att,
            mean=mean,
            att_shares=Shares(
                values=factor * ((own - att * weight) / left + other / sums.den), is_treated=self.is_treated
            ),
            mean_shares=Shares(values=factor * (level - mean * weight) / left, is_treated=self.is_treated),
            estimator="callaway_santanna",
            variance=self.variance,
        )

    def _mean(self, effects: Sequence[Effect]) -> Effect:
        if not effects:
            raise EmptyArmError("no area has a period after its start with anything to compare it with")
        share = 1.0 / len(effects)
        return Effect(
            att=share * sum(effect.att for effect in effects),
            mean=share * sum(effect.mean for effect in effects),
            att_shares=combined([(share, effect.att_shares) for effect in effects]),
            mean_shares=combined([(share, effect.mean_shares) for effect in effects]),
            estimator="callaway_santanna",
            variance=self.variance,
        )


def group_time(
    panel: Panel,
    *,
    comparison: Comparison = "not_yet_treated",
    base: Literal["varying", "universal"] = "varying",
    variance: str = "cr3",
    fitter: Fitter = plain_cell,
    before: bool = True,
    keep_cells: bool = False,
) -> GroupTime:
    """Estimate the effect on every cohort in every period.

    Parameters
    ----------
    panel
        Areas treated in their first observed period say nothing and must be out (see `always_treated`).
    comparison
        ``not_yet_treated``: areas that start later than the period looked at, or never. ``never_treated``: the latter.
    base
        Before the start: against the period before (``varying``) or against the last one before the start
        (``universal``). After the start always the latter.
    fitter
        How one cell is estimated.
    before
        False skips the cells before the start.
    keep_cells
        Keep what each cell's own error needs: memory of areas times cells.

    Raises
    ------
    EmptyArmError
        No area starts within the panel, or none is left to compare with.

    Notes
    -----
    A cell uses the areas observed in both of its periods, so that an area with a gap counts where it can (R's `did`
    drops such areas altogether; without gaps both are the same). Cells with fewer than `FEWEST_COMPARISON` comparison
    areas are skipped.

    The error is that of leaving out one cluster at a time: exact for treated areas (also where a cohort is a single
    area, whose effect then shows its spread around the average), first order for comparison areas.

    References
    ----------
    Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001.
    """
    if not len(panel.cohorts):
        raise EmptyArmError("no area starts within the periods that were delivered")
    work = _Work(panel, comparison, variance, keep_cells=keep_cells)
    for cohort in panel.cohorts:
        anchor = int(np.searchsorted(panel.periods, cohort)) - 1
        for t, against in _pairs(panel.periods, cohort, anchor, base, before=before):
            work.add(float(cohort), t, against, fitter)
    if not work.sums[1]:
        raise EmptyArmError("no area has a period after its start with anything to compare it with")
    work.restore_order()
    return GroupTime(
        panel=panel,
        cells=tuple(work.cells),
        variance=variance,
        served=work.served,
        by_event=work.sums[0],
        by_cohort=work.sums[1],
        by_period=work.sums[2],
        by_cell=work.sums[3],
    )


class _Work:
    """Cells as they come, over areas in order of their start: those that start later are then a run of rows."""

    def __init__(self, panel: Panel, comparison: str, variance: str, *, keep_cells: bool) -> None:
        self.order = np.argsort(panel.start, kind="stable")
        self.start, self.y, self.cluster = panel.start[self.order], panel.y[self.order], panel.cluster[self.order]
        self.periods = panel.periods
        self.seen = ~np.isnan(self.y)
        self.is_complete = bool(self.seen.all())
        self.is_alone = panel.n_clusters == len(self.start)
        self.comparison, self.variance, self.keep_cells = comparison, variance, keep_cells
        self.sums: tuple[dict[Any, _Sums], ...] = ({}, {}, {}, {})
        self.cells: list[Cell] = []
        self.served = np.zeros(len(self.start), dtype=np.bool_)

    def add(self, cohort: float, t: int, against: int, fitter: Fitter) -> None:
        """Estimate one cell, if it can be, and add it to its sums."""
        mine, others = self._sides(cohort, t, against)
        if not len(mine) or len(others) < FEWEST_COMPARISON:
            return
        y = self.y
        change = y[mine, t] - y[mine, against], y[others, t] - y[others, against]
        try:
            fit = fitter(*change, self.order[mine], self.order[others])
        except EstimationError:
            return
        cell = Cell(cohort, float(self.periods[t]), fit.att, len(mine), len(others))
        self.cells.append(cell)
        keys: list[tuple[int, Any]] = [(0, cell.event_time)]
        if cell.event_time >= 0:
            self.served[others] = True
            keys += [(1, cohort), (2, cell.period)]
        if self.keep_cells:
            keys.append((3, (cohort, cell.period)))
        targets = [self.sums[kind].setdefault(key, _Sums(len(self.start))) for kind, key in keys]
        clusters = len(others) if self.is_alone else len(np.unique(self.cluster[others]))
        _add(targets, fit, y[mine, t], mine, others, clusters / max(clusters - fit.freedom, 1))

    def _sides(self, cohort: float, t: int, against: int) -> tuple[IntArray, IntArray]:
        """Return the rows of the cohort and of its comparison that are observed in both periods."""
        first, last = int(np.searchsorted(self.start, cohort)), int(np.searchsorted(self.start, cohort, side="right"))
        latest = np.inf if self.comparison == "never_treated" else max(self.periods[t], self.periods[against])
        side: Literal["left", "right"] = "left" if self.comparison == "never_treated" else "right"
        begin = int(np.searchsorted(self.start, latest, side=side))
        mine, others = np.arange(first, last), np.arange(begin, len(self.start))
        if begin < last:  # before the start the cohort itself has not been treated yet either
            others = np.concatenate([np.arange(begin, max(first, begin)), np.arange(last, len(self.start))])
        if not self.is_complete:
            mine = mine[self.seen[mine, t] & self.seen[mine, against]]
            others = others[self.seen[others, t] & self.seen[others, against]]
        return mine, others

    def restore_order(self) -> None:
        """Put sums back in the order of the panel."""
        back = np.argsort(self.order, kind="stable")
        self.served = self.served[back]
        for by in self.sums:
            for each in by.values():
                for name in ("effect", "weight", "level", "comparison", "scaled_comparison", "compared"):
                    setattr(each, name, getattr(each, name)[back])


def always_treated(panel: Panel) -> BoolArray:
    """Return (n,) the areas whose first observed period is already treated: there is nothing before to compare with."""
    first = np.where(panel.observed.any(axis=1), panel.periods[panel.observed.argmax(axis=1)], np.inf)
    result: BoolArray = panel.start <= first
    return result & np.isfinite(panel.start)


def _pairs(periods: FloatArray, cohort: float, anchor: int, base: str, *, before: bool) -> Iterable[tuple[int, int]]:
    """Yield period and base as positions."""
    if anchor < 0:
        return
    for t in range(len(periods)):
        if periods[t] >= cohort:
            yield t, anchor
        elif before and base == "varying" and t > 0:
            yield t, t - 1
        elif before and base == "universal" and t != anchor:
            yield t, anchor


def _add(
    targets: Sequence[_Sums], fit: CellFit, level: FloatArray, mine: IntArray, others: IntArray, widen: float
) -> None:
    """Add a cell to its sums."""
    size = len(mine)
    for sums in targets:
        sums.num += size * fit.att
        sums.den += size
        sums.effect[mine] += fit.own
        sums.weight[mine] += 1.0
        sums.compared[others] = True
        sums.level[mine] += level
        sums.comparison[others] += size * fit.other
        sums.scaled_comparison[others] += size * widen * fit.other
