"""The analysed persons of one contrast, outcome and window, as arrays: one by one, or added up.

Here: the arrays, and what is counted from them. Not here: who they are (`effectmeter.designs.assembling`), nor
estimation (`effectmeter.designs.fitting`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.designs.rows import Counts
from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.cells import Cells

DAYS_PER_YEAR = 365.25
NO_LABEL = "-"
"""Label of persons without a stratum or pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The analysed persons of a contrast, outcome and window: one by one, or added up.

    Attributes
    ----------
    treated01
        (c,) 1 for treated.
    X, terms
        (c, k) covariates without intercept, and their names.
    cluster, strata, pair
        (c,) labels, None where the plan has none.
    in_contrast
        (c,) False for persons of other arms, who are there only to tell what blocks and covariates do.
    event01, n_events
        (n,) whether and how often; for a delivered value both are the value.
    days
        (n,) last day at risk for a first event.
    free_years, calendar_years
        (n,) person-years net of absences, and on the calendar.
    has_absences
        Whether the two differ for anyone.
    value
        (n,) delivered value; None for events.
    place, size
        Where persons are added up: (n,) which of the c rows above each of the n below belongs to, and how many persons
        it stands for, alike in what they are and in what happened. Otherwise None: every row is a person, and c is n.
    notes
        A sentence per covariate column that was left out.
    """

    treated01: FloatArray
    X: FloatArray
    terms: tuple[str, ...]
    cluster: NDArray[np.generic] | None
    strata: NDArray[np.generic] | None
    pair: NDArray[np.generic] | None
    event01: FloatArray
    n_events: FloatArray
    days: FloatArray
    free_years: FloatArray
    calendar_years: FloatArray
    has_absences: bool
    in_contrast: NDArray[np.bool_]
    value: FloatArray | None
    place: NDArray[np.intp] | None = None
    size: FloatArray | None = None
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> bytes:
        """Identify arms, covariates and how many have them, so that the same weights are estimated once."""
        n = b"" if self.persons is None else self.persons.tobytes()
        return self.treated01.tobytes() + self.X.tobytes() + n

    @property
    def persons(self) -> FloatArray | None:
        """Return how many persons each row of `X` stands for (c,); None where every row is one."""
        if self.place is None:
            return None
        return np.bincount(self.place, self.size, len(self.treated01)).astype(np.float64)

    def added(self, values: FloatArray) -> FloatArray:
        """Return the sums (c,) over persons of `values` (n,)."""
        if self.place is None or self.size is None:
            return values
        return np.bincount(self.place, self.size * values, len(self.treated01)).astype(np.float64)

    def of_rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return `values` (c,) as (n,): what each row has by what its persons are."""
        return values if self.place is None else values[self.place]

    def sides(self, values: FloatArray) -> tuple[float, float]:
        """Return the sums of `values` (n,) over the treated and the comparison arm."""
        sums = self.added(values)
        comparison = (self.treated01 == 0) & self.in_contrast
        return float(sums[self.treated01 == 1].sum()), float(sums[comparison].sum())

    def deviation(self) -> float:
        """Return the outcome's standard deviation in the contrast; for rates a person's events per mean year."""
        values = self.n_events if self.value is None else self.value
        if self.size is None:
            return float(values[self.in_contrast].std()) or 1.0
        middle = np.average(values, weights=self.size)
        return float(np.sqrt(np.average((values - middle) ** 2, weights=self.size))) or 1.0

    def cells(
        self, kind: Literal["risk", "hazard", "free_time", "calendar_time"], *, alike_in_outcome: bool = False
    ) -> Cells | None:
        """Return what estimators take in place of rows where persons are added up; None where they are not.

        With `alike_in_outcome` persons of a cell also share what happened, as those of a hazard always do: for the
        bootstrap.
        """
        if self.place is None or self.size is None:
            return None
        none = np.zeros(len(self.event01))
        years = {"free_time": self.free_years, "calendar_time": self.calendar_years}.get(kind, none)
        rows = np.flatnonzero((years > 0.0) | (years is none))  # whoever has no time at risk has no rate
        y, t = (self.event01 if years is none else self.n_events)[rows], years[rows]
        apart = [self.days[rows], y] if kind == "hazard" else [y, t] if alike_in_outcome else []
        first, group = _alike(self.place[rows], *apart)
        n, sum_y, sum_t, yy, yt, tt = (
            np.bincount(group, self.size[rows] * values).astype(np.float64)
            for values in (np.ones(len(y)), y, t, y * y, y * t, t * t)
        )
        profile = self.place[rows[first]]
        return Cells(
            n=n,
            y=sum_y,
            t=sum_t,
            yy=yy,
            yt=yt,
            tt=tt,
            treated01=self.treated01[profile],
            X=self.X[profile],
            cluster=None if self.cluster is None else self.cluster[profile],
            strata=None if self.strata is None else self.strata[profile],
            days=self.days[rows[first]] if kind == "hazard" else None,
            profile=profile,
        )

    def counts(self, measure: str, denominator: str | None) -> Counts:
        """Return the counts behind a measure: persons with an event for risks and hazards, events for rates."""
        one, zero = self.sides(np.ones(len(self.event01)))
        n = (int(one), int(zero))
        clusters = None
        if self.cluster is not None:
            of_arm = [len(np.unique(self.cluster[(self.treated01 == arm) & self.in_contrast])) for arm in (1, 0)]
            clusters = (of_arm[0], of_arm[1])
        if measure == "mean_difference":
            return Counts(n=n, n_clusters=clusters)
        if self.value is not None:
            return Counts(n=n, events=self.sides(self.n_events), n_clusters=clusters)
        if measure.startswith("rate"):
            years = self.calendar_years if denominator == "calendar_time" else self.free_years
            return Counts(n=n, events=self.sides(self.n_events), person_years=self.sides(years), n_clusters=clusters)
        years = self.days / DAYS_PER_YEAR if measure == "hazard_ratio" else self.calendar_years
        return Counts(n=n, events=self.sides(self.event01), person_years=self.sides(years), n_clusters=clusters)

    def one_by_one(self) -> Sample:
        """Return the same with a row per person, for what asks for rows."""
        if self.place is None or self.size is None:
            return self
        row = np.repeat(np.arange(len(self.size)), self.size.astype(np.intp))
        profile = self.place[row]

        def labels(of: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
            return None if of is None else of[profile]

        return replace(
            self,
            treated01=self.treated01[profile],
            X=self.X[profile],
            cluster=labels(self.cluster),
            strata=labels(self.strata),
            pair=labels(self.pair),
            in_contrast=self.in_contrast[profile],
            event01=self.event01[row],
            n_events=self.n_events[row],
            days=self.days[row],
            free_years=self.free_years[row],
            calendar_years=self.calendar_years[row],
            place=None,
            size=None,
        )


def _alike(place: NDArray[np.intp], *columns: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first row of each group of rows alike in all of these (g,), and every row's group (n,)."""
    code = place.astype(np.int64)
    for column in columns:
        levels, number = np.unique(column, return_inverse=True)
        code = code * len(levels) + number
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return first, group
