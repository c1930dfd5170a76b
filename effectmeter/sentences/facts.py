"""What the sentences may know of a programme's quarter: cleared values and labels, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from effectmeter.results import Direction, Ruling
from effectmeter.sentences.numbers import Language
from effectmeter.shapes import Unit

Kind = Literal["frequency", "rate", "inhabitants", "series", "ratio", "difference", "none"]
"""How the primary outcome can be told: persons per 100, events per 100 persons a year, events per 1,000 inhabitants a
year, events per period of a series, a mere ratio, a difference."""

Period = Literal["day", "month", "quarter", "year", "period"]
"""What a series counts by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFact:
    """A public claim with its ruling."""

    words: str
    ruling: Ruling
    arm: str = ""
    """Which treated arm it was ruled on; empty where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One programme's quarter as the sentences see it.

    Attributes
    ----------
    label
        The primary outcome per language, a noun without article: "contact met de politie".
    predicate
        What a person with the outcome did, per language: "kwamen in contact met de politie"; empty when only the
        label is known. In Dutch split at "|" around the number: "kwamen er| in contact met de politie".
    with_programme, without_programme, without_low, without_high
        Per `per` participants; the last two are the interval over all quarterly looks.
    estimate, low, high
        The primary figure and its interval over all looks.
    gates
        Worst status per gate.
    settle, reason
        Sentence per language: what would settle it; why nothing is shown.
    raw
        Persons per 100 with the outcome (participants, comparison), nothing adjusted; None when not shown.
    unit
        What `n_treated` and `n_comparison` count: persons (also of trials), areas, or periods after and before.
    period
        What a series counts by.
    n_trials
        Trials taken together.
    has_control
        Whether there is anything to compare with.
    by_lot
        Whether chance decided who was treated.
    is_prediction
        Whether the interval is where a next trial may fall, since the trials differ too much for one mean.
    mean
        The pooled mean with its interval, beside a prediction.
    arm
        The treated arm that all of this is about; empty where there is only one.
    others
        Every other treated arm with its own direction.
    """

    design: str
    direction: Direction
    works: bool
    maryland: int
    is_synthetic: bool
    is_lower_better: bool = True
    label: Mapping[Language, str]
    predicate: Mapping[Language, str] = field(default_factory=dict)
    window_days: int | None = None
    kind: Kind = "none"
    measure: str = ""
    per: int = 100
    with_programme: int | None = None
    without_programme: int | None = None
    without_low: int | None = None
    without_high: int | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n_treated: int | None = None
    n_comparison: int | None = None
    raw: tuple[int, int] | None = None
    unit: Unit = "person"
    period: Period = "period"
    n_trials: int | None = None
    has_control: bool = True
    by_lot: bool = False
    is_prediction: bool = False
    mean: tuple[float, float, float] | None = None
    is_suppressed: bool = False
    gates: Mapping[str, str] = field(default_factory=dict)
    settle: Mapping[Language, str] = field(default_factory=dict)
    reason: Mapping[Language, str] = field(default_factory=dict)
    claims: tuple[ClaimFact, ...] = ()
    arm: str = ""
    others: tuple[tuple[str, Direction], ...] = ()

    @property
    def is_harm(self) -> bool:
        """Whether the outcome went the unwanted way beyond chance."""
        return self.direction == ("more" if self.is_lower_better else "fewer")

    @property
    def is_benefit(self) -> bool:
        """Whether the outcome went the wanted way beyond chance."""
        return self.direction == ("fewer" if self.is_lower_better else "more")

    @property
    def has_failed_gate(self) -> bool:
        """Whether any gate failed."""
        return "failed" in self.gates.values()

    @property
    def is_randomised(self) -> bool:
        """Whether chance decided who took part."""
        return self.by_lot or self.design == "randomised"

    @property
    def about_persons(self) -> bool:
        """Whether there are participants to speak of."""
        return self.unit in {"person", "trial"}
