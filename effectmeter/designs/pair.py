"""How a sample is analysed, and what comes of it: the words between designs and estimators."""

from __future__ import annotations

from dataclasses import dataclass

from effectmeter.estimators.base import Estimate, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """How a sample is analysed.

    Attributes
    ----------
    is_adjusted
        False: the raw comparison.
    variance
        ``hc3``, ``cr3`` ... or ``model``.
    denominator
        ``free_time`` or ``calendar_time`` for rates.
    """

    estimand: str
    variance: str
    is_adjusted: bool = True
    weights: Weights | None = None
    denominator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A measure's estimate, the difference beside it, and the outcome's size in the comparison arm (`scale`)."""

    main: Estimate
    beside: Estimate | None = None
    scale: float = 1.0
