"""Other areas dealt the treated ones' part, and weighed anew each time: a p-value for calibrated comparison areas.

Here: the deals and the interval. Not here: the weights (`effectmeter.estimators.calibration`), nor start dates dealt
anew without weights (`effectmeter.estimators.group_time_permutation`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.calibration import calibrate
from effectmeter.estimators.group_time_permutation import crossing

MOST_DRAWS, FEWEST_DRAWS = 199, 39
"""With 39 deals 5 % can just be told."""
_WORK = 20_000_000
"""Areas times constraints times deals that are tried: larger panels get fewer deals."""
_SEED = 20210101  # the same data give the same interval


@dataclass(frozen=True, slots=True, kw_only=True)
class DealtPart:
    """One cohort with the areas that it was compared with, the treated ones first.

    Attributes
    ----------
    n_treated
        How many are treated.
    variables
        (n, m) what was reproduced.
    total
        (n,) events after the start.
    weight
        (n - n_treated,) the real weights.
    """

    n_treated: int
    variables: FloatArray = field(repr=False)
    total: FloatArray = field(repr=False)
    weight: FloatArray = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deals:
    """What every deal gave, the real one first.

    Attributes
    ----------
    seen, expected
        (2, draws + 1) events of the drawn areas, and of the others as weighed: first those of areas that were not
        really treated, then those of areas that were.
    """

    seen: FloatArray = field(repr=False)
    expected: FloatArray = field(repr=False)

    def p_value(self, effect: float) -> float:
        """Return the share of deals at least as far from 0, once the effect (log) has been taken out."""
        without = math.exp(-effect)
        sizes = [np.maximum(sums[0] + without * sums[1], 1e-12) for sums in (self.seen, self.expected)]
        distance = np.abs(np.log(sizes[0] / sizes[1]))
        return float(((distance[1:] >= distance[0] - 1e-12).sum() + 1.0) / distance.size)

    def estimate(self, level: float = 0.95) -> Estimate:
        """Return the calibrated ratio with the interval of effects that the deals do not reject.

        Estimator and variance ``permutation``. A limit is None where no effect is rejected.
        """
        centre = math.log(self.seen[1, 0] / self.expected[0, 0])
        low, high = (crossing(self.p_value, centre, side * 0.25, 1.0 - level) for side in (-1.0, 1.0))
        return Estimate(
            value=math.exp(centre),
            std_error=None,
            low=None if low is None else math.exp(low),
            high=None if high is None else math.exp(high),
            p_value=self.p_value(0.0),
            level=level,
            estimator="permutation",
            variance="permutation",
        )


def deal(parts: Sequence[DealtPart]) -> Deals:
    """Deal the treated areas' part anew, weights and all.

    Raises
    ------
    SeparationError
        Nothing was counted after the start, with or without the programme.
    EstimationError
        Too few areas to deal to.

    Notes
    -----
    As many areas as are treated are drawn from treated and comparison areas together, and the others weighed until they
    have the drawn ones' past; for an effect r, what really treated areas counted is divided by r first. p is the share
    of deals whose log ratio lies at least as far from 0. It is the placebo test of synthetic controls, for many treated
    areas. Exact where any area could have been treated; weights of areas that no others resemble are as near as they
    come, in deals as in earnest.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), doi:10.1198/jasa.2009.ap08746; Robbins, Saunders & Kilmer (2017),
    doi:10.1080/01621459.2016.1213634.
    """
    work = sum(part.variables.size for part in parts)
    draws = int(min(MOST_DRAWS, max(FEWEST_DRAWS, _WORK // max(work, 1))))
    if any(len(part.total) < part.n_treated + 3 for part in parts):
        raise EstimationError("there are too few areas to deal the programme to")
    rng = np.random.default_rng(_SEED)
    seen, expected = np.zeros((2, draws + 1)), np.zeros((2, draws + 1))
    for part in parts:
        is_real = np.arange(len(part.total)) < part.n_treated
        for draw in range(draws + 1):
            drawn = is_real if draw == 0 else rng.permutation(is_real)
            weight = part.weight if draw == 0 else calibrate(part.variables[drawn], part.variables[~drawn]).weight
            for row, who in enumerate((~is_real, is_real)):
                seen[row, draw] += float(part.total[drawn & who].sum())
                expected[row, draw] += float(weight @ np.where(who, part.total, 0.0)[~drawn])
    if not (seen[1, 0] > 0.0 and expected[0, 0] > 0.0):
        raise SeparationError("nothing was counted after the start, with or without the programme")
    return Deals(seen=seen, expected=expected)
