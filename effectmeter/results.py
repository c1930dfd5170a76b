"""What the method hands out: rows of the effects table, gates, claims, and what stands beside them.

Every class is frozen and maps one to one on a table of the catalogue in `effectmeter.schema`. Texts come in both
languages; the English one carries the contract's plain name (`reason`, `sentence`), the Dutch one ends in ``_nl``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

EffectStatus = Literal["shown", "hidden", "suppressed", "not_estimable"]
GateStatus = Literal["passed", "warned", "failed", "not_evaluated", "not_applicable"]
Ruling = Literal["supported", "weaker_than_claimed", "not_established", "contradicted", "cannot_be_tested"]
Direction = Literal["fewer", "more", "no_effect_of_importance", "inconclusive", "not_shown"]

RATIO_MEASURES = frozenset(
    {"risk_ratio", "rate_ratio", "hazard_ratio", "odds_ratio", "ratio_of_rate_ratios", "level_ratio", "slope_ratio"}
)
"""Measures whose null value is 1 and whose standard error is on the log scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One row of the effects table (`estimate.effects`); the data contract fixes the names and their order.

    Attributes
    ----------
    estimate, conf_low, conf_high
        On the measure's own scale. For an arm without events `conf_low` or `conf_high` is the bound and the other is
        None; differences are per person or per person-year.
    std_error
        Log scale for ratios.
    verdict_low, verdict_high
        The interval that holds over all quarterly looks.
    window_days
        None when every person is followed to the end of their own follow-up.
    events_treated, events_comparison
        Persons with an event for risks and hazards; events for rates.
    figures_of
        Quarter whose figures these are; `quarter` unless the release gate repeats an earlier edition's.
    """

    programme: str
    quarter: str
    design: str
    outcome: str
    measure: str
    contrast: str
    estimand: str
    estimator: str
    variance: str
    analysis: str
    subgroup: str | None = None
    window_days: int | None = None
    denominator: str | None = None
    estimate: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    conf_level: float = 0.95
    std_error: float | None = None
    verdict_low: float | None = None
    verdict_high: float | None = None
    p_value: float | None = None
    p_value_adjusted: float | None = None
    n_treated: int | None = None
    n_comparison: int | None = None
    events_treated: float | None = None
    events_comparison: float | None = None
    person_years_treated: float | None = None
    person_years_comparison: float | None = None
    n_clusters_treated: int | None = None
    n_clusters_comparison: int | None = None
    status: EffectStatus = "shown"
    reason: str = ""
    reason_nl: str = ""
    figures_of: str = ""

    def __post_init__(self) -> None:
        if not self.figures_of:
            object.__setattr__(self, "figures_of", self.quarter)

    @property
    def is_ratio(self) -> bool:
        """Whether no effect is 1 (a ratio) rather than 0 (a difference)."""
        return self.measure in RATIO_MEASURES


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """One gate, which says whether the estimates it concerns may be shown.

    Attributes
    ----------
    gate
        Name, e.g. ``size``, ``clusters``, ``follow_up``.
    figure, threshold
        As printed, e.g. ``"48 and 51 persons"`` and ``">= 60 in both arms"``: one string may hold several numbers.
    concerns
        ``all``, or ``key=value`` pairs on columns of the effects table joined by ``;``
        (``outcome=conviction;window_days=365``). A failed gate hides the rows that match all pairs.
    """

    gate: str
    status: GateStatus
    figure: str
    threshold: str
    sentence: str
    sentence_nl: str
    concerns: str = "all"

    def applies_to(self, row: EffectRow) -> bool:
        """Return whether `row` is among the effects that this gate concerns."""
        if self.concerns == "all":
            return True
        pairs = (pair.split("=", 1) for pair in self.concerns.split(";"))
        return all(str(getattr(row, key)) == value for key, value in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRuling:
    """A public claim and what this quarter's data say of it.

    Attributes
    ----------
    contrast
        Which arms it was ruled on (``therapy vs control``); empty for a claim about reach. A claim that names no arm
        is ruled on once for each treated arm.
    """

    words: str
    source: str
    outcome: str
    measure: str
    value: float | None
    ruling: Ruling
    sentence: str
    sentence_nl: str
    contrast: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The programme's answer this quarter, from the verdict interval of the primary outcome.

    Attributes
    ----------
    direction
        `not_shown` when a failed gate hides the primary effect.
    maryland
        Strength of the evidence, 1 to 5, from design and gates.
    works
        True only at Maryland >= 3, no failed gate, and `fewer`.
    contrast
        Which arms direction, `maryland` and `works` are about: the first of the plan.
    sentence, sentence_nl
        The verdict line, unrounded: the release gate's sentence rules write the published one. With several treated
        arms it has a sentence for each, with its name.
    """

    direction: Direction
    maryland: int
    works: bool
    outcome: str
    measure: str
    window_days: int | None
    sentence: str
    sentence_nl: str
    contrast: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttritionStep:
    """One step from delivered to analysed, per arm (arm ``""`` when not yet known)."""

    step: int
    name: str
    arm: str
    n_before: int
    n_lost: int
    n_after: int
    reason: str
    reason_nl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRow:
    """Standardised mean differences of one covariate term, before and after weighting or adjustment."""

    contrast: str
    term: str
    kind: Literal["main", "square", "product"]
    mean_treated: float
    mean_comparison_before: float
    mean_comparison_after: float
    smd_before: float
    smd_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRow:
    """One bin of the preference score (Walker et al. 2013): counts per arm."""

    contrast: str
    bin_low: float
    bin_high: float
    n_treated: int
    n_comparison: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Cumulative incidence of a first event at a day since time zero (1 minus Kaplan-Meier, weighted where it is)."""

    contrast: str
    outcome: str
    arm: str
    day: int
    incidence: float
    conf_low: float
    conf_high: float
    n_at_risk: int
    n_events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """One period of a series, as counted and as expected without the programme.

    Attributes
    ----------
    period
        Position on the calendar; gaps stay gaps.
    observed
        Events counted.
    expected, conf_low, conf_high
        Events expected without the programme, with their interval; before the start what the model gives.
    """

    outcome: str
    period: int
    label: str
    is_after: bool
    observed: float | None
    expected: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEffect:
    """One trial's own estimate, beside the pooled one.

    Attributes
    ----------
    estimate, conf_low, conf_high
        On the measure's own scale; None for a trial that says nothing about it.
    weight
        Share in the pooled mean, 0 to 1.
    """

    trial: str
    measure: str
    estimate: float | None
    conf_low: float | None
    conf_high: float | None
    weight: float
    n_treated: int | None = None
    n_comparison: int | None = None
    events_treated: float | None = None
    events_comparison: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparability:
    """What the comparability step found: weights per person, balance and overlap.

    Attributes
    ----------
    weights
        Contrast, person and weight: three parallel tuples; empty for designs without weights.
    effective_sample_size
        Per contrast, of the weighted comparison arm (Kish).
    """

    balance: tuple[BalanceRow, ...] = ()
    overlap: tuple[OverlapRow, ...] = ()
    weight_contrast: tuple[str, ...] = ()
    weight_person_id: tuple[str, ...] = ()
    weight: tuple[float, ...] = ()
    effective_sample_size: tuple[tuple[str, float], ...] = ()


def as_record(row: Any) -> dict[str, Any]:
    """Return a result as a plain mapping in field order, ready for a table or JSON."""
    return {field.name: getattr(row, field.name) for field in fields(row)}
