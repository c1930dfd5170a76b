"""Does completeness depend on the outcome? Observed events among the briefly followed against what the others predict.

Here: the comparison and its exact test. Not here: which persons are short, and what follows from it
(`effectmeter.gates.people`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_EXACT = 3000  # persons; beyond it the normal limit is as good and the convolution slow


@dataclass(frozen=True, slots=True)
class Surplus:
    """Events observed and expected.

    Attributes
    ----------
    observed
        Persons with an event within their own follow-up.
    expected
        Sum of the probabilities (1 - Kaplan-Meier of the reference persons) at everyone's own follow-up.
    p_value
        Two-sided; the larger of the exact Poisson-binomial one and the normal one that allows for a reference group
        which is itself a sample.
    probabilities, reference_variance
        What the test is made of.
    """

    observed: int
    expected: float
    p_value: float
    probabilities: NDArray[np.float64]
    reference_variance: float

    @classmethod
    def together(cls, parts: Sequence[Surplus]) -> Surplus:
        """Add up arms that were compared apart."""
        return surplus_from(
            sum(part.observed for part in parts),
            np.concatenate([part.probabilities for part in parts]),
            sum(part.reference_variance for part in parts),
        )


def surplus_of_events(
    follow_up_days: NDArray[Any],
    first_event_day: NDArray[Any],
    reference_first_event_day: NDArray[Any],
    *,
    size: NDArray[np.float64] | int = 1,
    reference_size: NDArray[np.float64] | int = 1,
) -> Surplus:
    """Compare the briefly followed with persons who were followed at least as long.

    Parameters
    ----------
    follow_up_days
        (n,) how long each of the briefly followed could be followed, days.
    first_event_day
        (n,) day of the first event, nan without one.
    reference_first_event_day
        (m,) the same for persons followed beyond all of `follow_up_days`: nobody is censored before, so that their
        Kaplan-Meier curve is their empirical distribution.
    size, reference_size
        (n,) and (m,) how many persons each row stands for, one by default.
    """

    def persons(days: NDArray[Any], size: NDArray[np.float64] | int) -> NDArray[np.float64]:
        return np.repeat(np.asarray(days, dtype=np.float64), np.asarray(size, dtype=np.intp))

    follow_up, first = persons(follow_up_days, size), persons(first_event_day, size)
    reference = persons(reference_first_event_day, reference_size)
    days = np.sort(reference[np.isfinite(reference)])
    counts = np.searchsorted(days, follow_up, side="right").astype(np.float64)
    # no reference person with an event so early may be chance: half an event keeps it from being impossible
    probabilities = np.where(counts > 0, counts / len(reference), 0.5 / (len(reference) + 1))
    # each reference person's share in the expected number: how many of the short would have seen this person's event
    order = np.sort(follow_up)
    seen = np.where(
        np.isfinite(reference), len(order) - np.searchsorted(order, np.nan_to_num(reference), side="left"), 0
    )
    observed = int(np.sum(np.isfinite(first) & (first <= follow_up)))
    return surplus_from(observed, probabilities, float(np.var(seen)) / len(reference))


def surplus_from(observed: int, probabilities: NDArray[np.float64], reference_variance: float) -> Surplus:
    """Test an observed number of events against its probabilities."""
    expected = float(probabilities.sum())
    variance = float((probabilities * (1 - probabilities)).sum())
    total = math.sqrt(variance + reference_variance)
    distance = max(abs(observed - expected) - 0.5, 0.0)
    normal = 1.0 if total == 0 and distance == 0 else 0.0 if total == 0 else 2 * NormalDist().cdf(-distance / total)
    exact = _poisson_binomial_p(observed, probabilities) if len(probabilities) <= _LARGEST_EXACT else normal
    return Surplus(observed, expected, max(exact, normal), probabilities, reference_variance)


def _poisson_binomial_p(observed: int, probabilities: NDArray[np.float64]) -> float:
    """Two-sided p-value: twice the smaller tail of the sum of unequal coin tosses."""
    mass = np.zeros(len(probabilities) + 1)
    mass[0] = 1.0
    for number, probability in enumerate(probabilities, start=1):
        mass[1 : number + 1] = mass[1 : number + 1] * (1 - probability) + mass[:number] * probability
        mass[0] *= 1 - probability
    return float(min(1.0, 2 * min(mass[: observed + 1].sum(), mass[observed:].sum())))
