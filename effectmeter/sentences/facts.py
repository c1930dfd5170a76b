"""What the sentences may know of a programme's quarter: cleared values and labels, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from effectmeter.results import Direction, Ruling
from effectmeter.sentences.numbers import Language

Kind = Literal["frequency", "rate", "ratio", "difference", "none"]
"""How the primary outcome can be told: persons per 100, events per 100 persons a year, a mere ratio, a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFact:
    """A public claim with its ruling."""

    words: str
    ruling: Ruling


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
    is_suppressed: bool = False
    gates: Mapping[str, str] = field(default_factory=dict)
    settle: Mapping[Language, str] = field(default_factory=dict)
    reason: Mapping[Language, str] = field(default_factory=dict)
    claims: tuple[ClaimFact, ...] = ()

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
        return self.design == "randomised"
