"""What every estimator returns, and the faults it may find in its data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.errors import EffectmeterError

FloatArray = NDArray[np.float64]


class EstimationError(EffectmeterError):
    """The data do not allow this estimate; the row becomes ``not_estimable`` with this sentence."""


class SeparationError(EstimationError):
    """A covariate predicts the outcome, or the arm, perfectly."""


class EmptyArmError(EstimationError):
    """An arm has no persons."""


class NoEventsError(EstimationError):
    """Neither arm has an event."""


class ConvergenceError(EstimationError):
    """The fit did not reach its maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One estimate with its interval.

    Attributes
    ----------
    value
        Natural scale; None when only a bound exists (an arm without events).
    std_error
        Log scale for ratios, natural scale for differences; None for exact and score intervals without one.
    low, high
        Confidence limits at `level`, natural scale; one of them None where the data give only a bound.
    estimator, variance
        Names for the effects table.
    df
        Degrees of freedom of the t reference; None for the normal or a non-Wald interval.
    """

    value: float | None
    std_error: float | None
    low: float | None
    high: float | None
    p_value: float | None
    level: float
    estimator: str
    variance: str
    df: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmContrast:
    """Treated against comparison: what each arm shows, as a ratio and as a difference.

    Attributes
    ----------
    treated, comparison
        Risk per person, or rate per person-year, standardised to the estimand's population.
    influence
        (n,) influence values of the log ratio, summing to about 0; None where there are none.
    """

    treated: float
    comparison: float
    ratio: Estimate
    difference: Estimate
    influence: FloatArray | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights that make the arms comparable, with what the sandwich needs to carry their estimation.

    Attributes
    ----------
    weight
        (n,) per person, 1 or more columns' worth of meaning: treated persons weigh 1 for ATT.
    method
        ``entropy_balance``, ``overlap``, ``inverse_probability``, ``match`` or ``none``.
    estimand
        ``att``, ``ato`` or ``ate``.
    propensity
        (n,) propensity score of a logit on the same terms (also for entropy balance, for overlap plots).
    parameter_influence
        (n, k) influence values of the k weight parameters, whose error is the sum of the rows; None for ``match`` and
        ``none``.
    weight_gradient
        (n, k) derivative of each person's weight to those parameters.
    """

    weight: FloatArray
    method: str
    estimand: str
    propensity: FloatArray | None = field(default=None, repr=False)
    parameter_influence: FloatArray | None = field(default=None, repr=False)
    weight_gradient: FloatArray | None = field(default=None, repr=False)

    def of(self, rows: NDArray[np.generic]) -> Weights:
        """Return the weights of some rows, by number or by a mask; the others' influence on the parameters goes."""
        return replace(
            self,
            weight=self.weight[rows],
            propensity=None if self.propensity is None else self.propensity[rows],
            parameter_influence=None if self.parameter_influence is None else self.parameter_influence[rows],
            weight_gradient=None if self.weight_gradient is None else self.weight_gradient[rows],
        )
