"""Lives as synthetic worlds see them: risk that drifts and ages, events, time inside. No programme, no file lives here.

Time is counted in days from time zero, as in the analysis: day 1 is the first day at risk, day 0 the index date itself.
Risk is constant within bins of `BIN_DAYS`; bin ``k`` holds days ``30 k + 1 .. 30 k + 30``, so bins below 0 lie before
time zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BIN_DAYS = 30
DAYS_PER_YEAR = 365.25
_STRIDE = 1_000_000  # more days than any life, so that person and day make one sortable number
_DAY_SHIFT = 100_000  # makes days before time zero positive


@dataclass(frozen=True, slots=True)
class Spells:
    """Stretches of days that a person is away, sorted by person and day, never overlapping.

    Attributes
    ----------
    person : (k,) int
        Row number of the person.
    begin, end : (k,) int
        First and last day away, both inclusive.
    """

    person: Ints
    begin: Ints
    end: Ints

    def cover(self, person: Ints, day: Ints) -> Bools:
        """Say for each (person, day) whether it lies in a spell."""
        if not len(self.person):
            return np.zeros(len(person), dtype=np.bool_)
        last = np.searchsorted(_key(self.person, self.begin), _key(person, day), side="right") - 1
        found = np.maximum(last, 0)
        is_away: Bools = (last >= 0) & (self.person[found] == person) & (day <= self.end[found])
        return is_away


def ageing(age: Floats, *, peak: float, rise: float, fall: float) -> Floats:
    """Return the risk at an age relative to the peak of the age-crime curve: steep before it, slow after it.

    Parameters
    ----------
    age
        Years.
    peak
        The age of most offences.
    rise, fall
        Years below and above the peak at which the risk is 0.61 of it.
    """
    return np.exp(-0.5 * ((age - peak) / np.where(age < peak, rise, fall)) ** 2)


def drift(
    random: np.random.Generator, n: int, n_bins: int, *, sd: float, correlation: float, after: Floats | None = None
) -> Floats:
    """Return good and bad times: a stationary first-order course of the log risk, mean risk 1.

    Whoever is picked when the course is high will see it fall without any programme: regression to the mean.

    Parameters
    ----------
    n, n_bins
        Shape of the result.
    sd
        Standard deviation on the log scale.
    correlation
        Between one bin and the next.
    after : (n,) float
        The course's last value so far, to continue from it.

    Returns
    -------
    (n, n_bins) float
        Log scale, centred at ``-sd ** 2 / 2``.
    """
    shocks = random.normal(0.0, sd * np.sqrt(1.0 - correlation**2), (n, n_bins))
    course = np.empty((n, n_bins))
    now = random.normal(0.0, sd, n) if after is None else after + 0.5 * sd**2
    for column in range(n_bins):
        now = correlation * now + shocks[:, column]
        course[:, column] = now
    return course - 0.5 * sd**2


def draw_events(random: np.random.Generator, rate_per_year: Floats, first_bin: int) -> tuple[Ints, Ints]:
    """Draw events from a rate per bin; a person has at most one a day, as registers count.

    Parameters
    ----------
    rate_per_year : (n, n_bins) float
        Events per year at risk.
    first_bin
        The number of the first column's bin.

    Returns
    -------
    person, day : (k,) int
        Sorted by person, then day.
    """
    counts = random.poisson(rate_per_year * (BIN_DAYS / DAYS_PER_YEAR))
    row, column = np.nonzero(counts)
    repeats = counts[row, column]
    person = np.repeat(row, repeats).astype(np.int64)
    day = BIN_DAYS * (np.repeat(column, repeats) + first_bin) + random.integers(1, BIN_DAYS + 1, len(person))
    once = np.unique(_key(person, day + _DAY_SHIFT))
    return once // _STRIDE, once % _STRIDE - _DAY_SHIFT


def serve_detention(person: Ints, offence_day: Ints, begin: Ints, n_days: Ints) -> Spells:
    """Lay sentences one after the other, per person.

    An offence that could not have been committed, since its offender was inside, brings no detention; a sentence that
    would begin inside another waits for its end.

    Parameters
    ----------
    person, offence_day, begin, n_days : (k,) int
        One sentence each.
    """
    kept: list[tuple[int, int, int]] = []
    for i in np.lexsort((offence_day, begin, person)):
        who, offence, first, length = int(person[i]), int(offence_day[i]), int(begin[i]), int(n_days[i])
        if kept and kept[-1][0] == who:
            first = max(first, kept[-1][2] + 1)
            if any(p == who and b <= offence <= e for p, b, e in kept[-6:]):
                continue
        kept.append((who, first, first + length - 1))
    table = np.array(kept, dtype=np.int64).reshape(-1, 3)
    return Spells(table[:, 0], table[:, 1], table[:, 2])


def days_free(spells: Spells, n: int, first_bin: int, n_bins: int) -> Ints:
    """Return days not away per person and bin.

    Returns
    -------
    (n, n_bins) int
    """
    free = np.full((n, n_bins), BIN_DAYS, dtype=np.int64)
    starts = BIN_DAYS * (np.arange(n_bins) + first_bin) + 1
    for who, begin, end in zip(spells.person, spells.begin, spells.end, strict=True):
        away = np.minimum(end, starts + BIN_DAYS - 1) - np.maximum(begin, starts) + 1
        free[who] -= np.maximum(away, 0)
    return free


def pick(random: np.random.Generator, log_weight: Floats, n: int) -> Ints:
    """Pick `n` rows without replacement, the chance of each proportional to its weight (Gumbel top-k).

    Returns
    -------
    (n,) int
        Row numbers, ascending.
    """
    lottery = log_weight + random.gumbel(size=len(log_weight))
    return np.sort(np.argsort(-lottery, kind="stable")[:n])


def count_in(person: Ints, day: Ints, n: int, *, after: int, until: int) -> Ints:
    """Count events per person with ``after < day <= until``.

    Returns
    -------
    (n,) int
    """
    return np.bincount(person[(day > after) & (day <= until)], minlength=n).astype(np.int64)


def _key(person: Ints, day: Ints) -> Ints:
    """Return (person, day) pairs as one sortable number."""
    return person * _STRIDE + day
