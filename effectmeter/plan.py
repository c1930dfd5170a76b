"""The analysis plan: what is compared with what, which outcomes, which claims. The authority on the YAML's fields.

Models are strict (`extra="forbid"`); `effectmeter.plan_io` reads files into them and turns every fault into a sentence
with file, field, value, what is allowed and the nearest match. The defaults here are the documented defaults.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

DesignName = Literal[
    "randomised", "comparison_cohort", "before_after", "staggered_areas", "interrupted_series", "pooled_trials"
]
Measure = Literal[
    "risk_ratio",
    "rate_ratio",
    "hazard_ratio",
    "odds_ratio",
    "risk_difference",
    "rate_difference",
    "ratio_of_rate_ratios",
    "mean_difference",
    "percent_change",
    "level_ratio",
    "slope_ratio",
]
Estimand = Literal["itt", "att", "ato", "ate"]
Weighting = Literal["entropy_balance", "overlap", "inverse_probability", "none", "match"]
Variance = Literal["model", "hc1", "hc3", "cr0", "cr1", "cr3"]
TableName = Literal["persons", "events", "absences", "person_counts", "areas", "area_counts", "series", "trials"]


class Strict(BaseModel):
    """Base of every part of a plan: unknown fields are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalText(Strict):
    """A text in Dutch and English."""

    nl: str
    en: str


class Life(Strict):
    """The programme's life; time zero must lie in it."""

    from_: Annotated[date, Field(alias="from")]
    until: date | None = None


class ColumnMap(Strict):
    """Where a standard column comes from, with its value set: delivered value -> our value."""

    column: str
    values: dict[str, str] = {}


class SourceTable(Strict):
    """One delivered file and how its columns map on a standard table. Reading options are only for odd files."""

    file: str
    columns: dict[str, str | ColumnMap] = {}
    sheet: str | None = None
    delimiter: str | None = None
    encoding: Literal["utf-8", "windows-1252", "utf-16", "latin-1"] | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0


class Arms(Strict):
    """The comparison arm and the treated ones; each treated arm is one contrast."""

    comparison: str = "comparison"
    treated: list[str] = ["treated"]


class CovariateSpec(Strict):
    """How a covariate enters the models."""

    type: Literal["numeric", "categorical"] = "numeric"
    degree: int = Field(1, ge=1, le=3)


class Missing(Strict):
    """What counts as missing, and what is done about it."""

    tokens: list[str] = ["", "NA"]
    covariates: Literal["indicator", "exclude"] = "indicator"
    max_share: float = Field(0.2, ge=0, le=1)


class FollowUp(Strict):
    """Windows after time zero. Months are of 365.25 / 12 days, rounded down (12 -> 365, 24 -> 730).

    Neither `months` nor `days` given: 12 months, unless `until_end` is set.
    """

    months: list[int] = []
    days: list[int] = []
    waiting_months: int = 6
    until_end: bool = False

    @property
    def windows_days(self) -> tuple[int, ...]:
        """Return the fixed windows in days, in plan order, the primary one first."""
        if not self.months and not self.days and not self.until_end:
            return (365,)
        return tuple(dict.fromkeys([month_days(month) for month in self.months] + list(self.days)))

    @property
    def waiting_days(self) -> int:
        """Return the waiting time for decisions, in days."""
        return month_days(self.waiting_months)


class BeforeAfter(Strict):
    """Windows around time zero for `before_after`."""

    before_days: int = Field(365, gt=0)
    after_days: int = Field(365, gt=0)
    wash_in_days: int = Field(0, ge=0)


class Outcome(Strict):
    """One outcome: counted from events, or a delivered value."""

    event: str | None = None
    where: dict[str, list[str]] = {}
    value: str | None = None
    scale: Literal["continuous", "binary", "count"] = "continuous"
    measures: list[Measure] = []
    primary: bool = False
    better: Literal["lower", "higher"] = "lower"
    label: LocalText | None = None


class AreaOptions(Strict):
    """Options of `staggered_areas`."""

    comparison: Literal["not_yet_treated", "never_treated", "calibrated"] = "not_yet_treated"
    estimator: Literal["callaway_santanna", "twoway_fe", "poisson_fe"] = "callaway_santanna"
    match_on: list[str] = []
    ring: str | None = None
    exclude_periods: list[str | int] = []


class SeriesOptions(Strict):
    """Options of `interrupted_series`."""

    start: str | int | date | None = None
    effect: Literal["level", "level_and_slope", "none"] = "level"
    season_length: int = 12
    harmonics: int = 2
    dispersion: Literal["quasi"] = "quasi"
    autocorrelation: Literal["ar1", "none"] = "ar1"


class TrialOptions(Strict):
    """Options of `pooled_trials`."""

    methods: list[Literal["reml_hk", "reml_wald", "dl_wald", "mantel_haenszel"]] = ["reml_hk", "mantel_haenszel"]
    measure: Literal["odds_ratio", "risk_ratio"] = "odds_ratio"


class Looks(Strict):
    """How the verdict interval pays for looking every quarter."""

    method: Literal["confidence_sequence", "alpha_spending", "none"] = "confidence_sequence"
    planned: int = Field(8, ge=1, le=80)


class Claim(Strict):
    """A public claim about an outcome, or about reach."""

    words: str
    source: str = ""
    outcome: str | None = None
    measure: Measure | None = None
    at_most: float | None = None
    at_least: float | None = None
    reach: Literal["at_least", "at_most"] | None = None
    value: float | None = None


class Disclosure(Strict):
    """Release rules. Looser than the defaults needs a written reason, which every report shows."""

    minimum_persons: int = 10
    minimum_families: int = 10
    rounding_base: int = 5
    reason: str | None = None


class Expectations(Strict):
    """Bounds that this programme's deliveries are held to."""

    event_rate_per_year: dict[str, tuple[float, float]] = {}
    max_rejected: float = Field(0.005, ge=0, le=1)
    max_drift: float = Field(0.5, gt=0)
    min_linked: float = Field(0.9, ge=0, le=1)


class Plan(Strict):
    """A programme's analysis plan."""

    programme: Annotated[str, Field(pattern=r"[a-z0-9-]+")]
    title: LocalText
    question: LocalText | None = None
    design: DesignName
    synthetic: bool = False
    programme_life: Life | None = None
    source: dict[TableName, SourceTable]
    arms: Arms = Arms()
    eligibility: dict[str, list[Any]] = {}
    adjust_for: dict[str, CovariateSpec] = {}
    missing: Missing = Missing()
    strata: str | None = None
    pairs: str | None = None
    cluster: str | None = None
    estimand: list[Estimand] = []
    weighting: Weighting = "entropy_balance"
    follow_up: FollowUp = FollowUp()
    before_after: BeforeAfter = BeforeAfter()
    variance: list[Variance] = []
    outcomes: dict[str, Outcome] = {}
    negative_controls: list[str] = []
    subgroups: list[str] = []
    areas: AreaOptions | None = None
    series: SeriesOptions | None = None
    trials: TrialOptions | None = None
    looks: Looks = Looks()
    claims: list[Claim] = []
    reference_rates: str | None = None
    disclosure: Disclosure = Disclosure()
    expectations: Expectations = Expectations()
    retention_months: int = 120

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """Return (treated arm, label) per contrast; the label reads ``therapy vs control``."""
        return tuple((arm, f"{arm} vs {self.arms.comparison}") for arm in self.arms.treated)


def month_days(months: int) -> int:
    """Return a number of months in days, rounded down: 12 -> 365, 24 -> 730, 6 -> 182."""
    return int(months * 365.25 / 12)
