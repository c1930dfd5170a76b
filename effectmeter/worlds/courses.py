"""Courses of counts as synthetic worlds of areas and series see them: calendars, waves, season, counts. No programme.

Everything is drawn period by period, each period from a generator of its own: a later quarter adds periods and leaves
the earlier ones as they were, as a real register does.
"""

from __future__ import annotations

import numpy as np

from effectmeter.errors import UsageError
from effectmeter.quarters import Quarter
from effectmeter.worlds.histories import Floats, Ints


def quarters_until(first: Quarter, last: Quarter, programme: str) -> list[Quarter]:
    """Return the quarters from the first to the last, both included.

    Raises
    ------
    UsageError
        The last lies before the first.
    """
    found = []
    while first <= last:
        found.append(first)
        first = first.next()
    _refuse_none(found, programme)
    return found


def months_until(first_year: int, last: Quarter, programme: str) -> list[str]:
    """Return the months ``yyyy-mm`` from January of a year to the last of a quarter.

    Raises
    ------
    UsageError
        The quarter lies before that year.
    """
    months = [
        f"{year}-{month:02d}"
        for year in range(first_year, last.year + 1)
        for month in range(1, 13)
        if (year, month) <= (last.year, 3 * last.number)
    ]
    _refuse_none(months, programme)
    return months


def waves(seed: int, stream: int, shape: tuple[int, int], *, sd: float, correlation: float) -> Floats:
    """Return good and bad times on the log scale: stationary first-order courses that a later period only lengthens.

    Parameters
    ----------
    stream
        Tells one use of the seed from another.
    shape
        Courses and periods.
    sd
        Of every value.
    correlation
        Between a period and the next.

    Returns
    -------
    (n_courses, n_periods) float
        Mean 0.
    """
    n_courses, n_periods = shape
    course = np.empty(shape)
    now = np.zeros(n_courses)
    for period in range(n_periods):
        shock = np.random.default_rng([seed, stream, period]).normal(0.0, sd, n_courses)
        now = shock if period == 0 else correlation * now + np.sqrt(1.0 - correlation**2) * shock
        course[:, period] = now
    return course


def counts(seed: int, stream: int, expected: Floats, *, dispersion: float = 0.0) -> Ints:
    """Draw counts around their expectation.

    Parameters
    ----------
    expected : (n_courses, n_periods) float
    dispersion
        Variance of a gamma factor with mean 1, drawn for every count; 0 is Poisson.

    Returns
    -------
    (n_courses, n_periods) int
    """
    found = np.empty(expected.shape, dtype=np.int64)
    for period in range(expected.shape[1]):
        random = np.random.default_rng([seed, stream, period])
        factor = random.gamma(1.0 / dispersion, dispersion, len(expected)) if dispersion else 1.0
        found[:, period] = random.poisson(expected[:, period] * factor)
    return found


def effect_on(log_effect: float, since_start: Ints, build_up: int) -> Floats:
    """Return the planted effect per period: nothing before the start, all of it after `build_up` periods.

    Parameters
    ----------
    since_start
        Periods since the start: 0 is the first with the programme, negative is before it.
    """
    return log_effect * np.clip((since_start + 1) / build_up, 0.0, 1.0)


def _refuse_none(periods: list[str] | list[Quarter], programme: str) -> None:
    if not periods:
        raise UsageError(
            f"the synthetic world of {programme} begins later than this quarter",
            where="--quarter",
            next_step="ask for a quarter some years after the programme's start",
        )
