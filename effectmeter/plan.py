"""The analysis plan: what is compared with what, which outcomes, which claims. The authority on the YAML's fields.

Models are strict (`extra="forbid"`). Shorthands that the data contract allows (`estimand: att`, `sex: categorical`,
`persons: personen.csv`) are written out here, and so are the defaults that depend on the design, so that readers of a
plan meet one shape only. Rules that span several fields live in `effectmeter.plan_rules`; reading files and turning
faults into sentences lives in `effectmeter.plan_io`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, field_validator, model_validator

from effectmeter.plan_fields import (
    AreaOptions,
    Day,
    Local,
    LocalText,
    Name,
    Names,
    Number,
    SeriesOptions,
    Strict,
    Text,
    Texts,
    TrialOptions,
    Whole,
    as_list,
    as_text,
    iso_date,
    local_file,
    whole_number,
)
from effectmeter.plan_fields import prior_count as prior_count
from effectmeter.plan_rules import check_rules
from effectmeter.shapes import SHAPES

if TYPE_CHECKING:
    DesignName = str
else:
    DesignName = Literal[tuple(SHAPES)]
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

_DEFAULT_VALUE_MEASURES: Mapping[str, list[Measure]] = {
    "continuous": ["mean_difference"],
    "binary": ["risk_ratio"],
    "count": ["rate_ratio"],
}


class Life(Strict):
    """The programme's life; time zero must lie in it."""

    from_: Annotated[Day, Field(alias="from")]
    """First day on which someone could enter."""
    until: Day | None = None
    """Last day; empty while the programme runs."""


class ColumnMap(Strict):
    """Where a standard column comes from, with its value set: delivered value -> our value."""

    column: Name
    """The column's name in the delivered file."""
    values: dict[str, Text] = {}
    """Delivered value -> our value; an empty target means missing. ``1`` also matches a delivered ``1.0``."""

    @field_validator("values", mode="before")
    @classmethod
    def _values_as_text(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        written = {as_text(key): "" if target is None else target for key, target in values.items()}
        for key in list(written):
            whole = whole_number(key)
            if whole is not None:  # `1.0` in the plan meets `1` in the delivery
                written.setdefault(whole, written[key])
        return written


def _column_map(value: Any) -> Any:
    return {"column": as_text(value)} if isinstance(value, (str, int, float)) else value


Column = Annotated[ColumnMap, BeforeValidator(_column_map, json_schema_input_type=ColumnMap | str)]


class SourceTable(Strict):
    """One delivered file and how its columns map on a standard table. Reading options are only for odd files."""

    file: Text = Field(min_length=1, max_length=255)
    """The file's name inside the delivery folder: csv, parquet, xlsx, sav or dta."""
    columns: dict[Name, Column] = {}
    """Standard column -> delivered column; columns that already carry the standard name need no line here."""
    sheet: Text | None = None
    """Excel: the sheet; the first when empty."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """CSV: the separator; found when empty."""
    encoding: Literal["utf-8", "windows-1252", "utf-16", "latin-1"] | None = None
    """CSV: the encoding; found when empty."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign; found when empty."""
    date_format: Text | None = None
    """Dates, as in ``%d-%m-%Y``; found when empty."""
    skip_rows: Whole = Field(0, ge=0, le=10_000)
    """Lines above the header."""
    skip_footer: Whole = Field(0, ge=0, le=10_000)
    """Lines below the last row."""

    @field_validator("file")
    @classmethod
    def _inside_the_delivery(cls, name: str) -> str:
        return local_file(name)


def _source_table(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


Source = Annotated[SourceTable, BeforeValidator(_source_table, json_schema_input_type=SourceTable | str)]


class Arms(Strict):
    """The comparison arm and the treated ones; each treated arm is one contrast."""

    comparison: Name = "comparison"
    """The arm that the others are compared with."""
    treated: Names = Field(["treated"], min_length=1)
    """One or more treated arms."""


class CovariateSpec(Strict):
    """How a covariate enters the models; ``sex: categorical`` is short for its type alone."""

    type: Literal["numeric", "categorical"] = "numeric"
    """``numeric`` or ``categorical``."""
    degree: Whole = Field(1, ge=1, le=3)
    """Numeric: 2 adds the square, 3 the cube."""


def _covariate(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else {} if value is None else value


Covariate = Annotated[
    CovariateSpec, BeforeValidator(_covariate, json_schema_input_type=CovariateSpec | Literal["numeric", "categorical"])
]


class Missing(Strict):
    """What counts as missing, and what is done about it."""

    tokens: Texts = ["", "NA"]
    """Delivered texts that mean missing."""
    covariates: Literal["indicator", "exclude"] = "indicator"
    """``indicator`` keeps the person and adds a term; ``exclude`` leaves the person out. Both are reported per arm."""
    max_share: Number = Field(0.2, ge=0, le=1)
    """A covariate with a larger share missing is warned about."""


class FollowUp(Strict):
    """Windows after time zero. Months are of 365.25 / 12 days, rounded down (12 -> 365, 24 -> 730).

    Neither `months` nor `days` given: 12 months, unless `until_end` is set.
    """

    months: Annotated[
        list[Annotated[Whole, Field(ge=1, le=600)]], BeforeValidator(as_list, json_schema_input_type=list[int] | int)
    ] = []
    """Windows in months, the primary one first."""
    days: Annotated[
        list[Annotated[Whole, Field(ge=1, le=20_000)]], BeforeValidator(as_list, json_schema_input_type=list[int] | int)
    ] = []
    """Windows in days, after those in months."""
    waiting_months: Whole = Field(6, ge=0, le=120)
    """How long a decision (a conviction) may take after the window; only for event types with ``decided_on``."""
    until_end: bool = False
    """Follow everyone to the end of their own follow-up: rates and hazards only."""

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


class ReferenceRate(Strict):
    """The population from which people were picked, for the drop to expect without any programme."""

    mean: Number = Field(gt=0)
    """Events of the primary outcome per year and family (or other cluster), or per person without clusters."""
    dispersion: Number = Field(ge=0)
    """By how much units differ: the variance of their own rates over the squared mean. 0: all have the same rate."""
    source: Text = ""
    """Where both figures come from."""


class BeforeAfter(Strict):
    """Windows around time zero for `before_after`."""

    before_days: Whole = Field(365, gt=0, le=20_000)
    """Days before time zero."""
    after_days: Whole = Field(365, gt=0, le=20_000)
    """Days after time zero and wash-in."""
    wash_in_days: Whole = Field(0, ge=0, le=20_000)
    """Days after time zero that count for neither period."""
    reference: ReferenceRate | None = None
    """Mean and dispersion from outside, to say what drop to expect when people are picked at their worst."""


class Outcome(Strict):
    """One outcome: counted from events, or a delivered value. Neither given: the event of the outcome's own name."""

    event: Name | None = None
    """The event type that is counted."""
    where: dict[Name, Texts] = {}
    """Only events with one of these values: ``{severity: [serious, very_serious]}``."""
    value: Name | None = None
    """The persons column that holds the outcome, instead of `event`."""
    scale: Literal["continuous", "binary", "count"] = "continuous"
    """Of a delivered value."""
    measures: Annotated[list[Measure], BeforeValidator(as_list, json_schema_input_type=list[Measure] | Measure)] = []
    """The first is the outcome's main measure; empty takes the design's default."""
    primary: bool = False
    """The one outcome that the verdict is about; without any, the first."""
    better: Literal["lower", "higher"] = "lower"
    """Which direction is the improvement."""
    label: Local | None = None
    """What the report calls it."""


_OUTCOME = LocalText(nl="uitkomst", en="outcome")
_OPTIONS: Mapping[str, type[Strict]] = {"areas": AreaOptions, "series": SeriesOptions, "trials": TrialOptions}


def _outcome(value: Any) -> Any:
    return {} if value is None else value


class Looks(Strict):
    """How the verdict interval pays for looking every quarter."""

    method: Literal["confidence_sequence", "alpha_spending", "none"] = "confidence_sequence"
    """``none`` only for a study that is looked at once."""
    planned: Whole = Field(8, ge=1, le=80)
    """How many quarterly looks are foreseen."""
    spending: Literal["equal", "obrien_fleming"] = "equal"
    """Of `alpha_spending`: equal shares, or little at first and more towards the last planned look (needs `first`)."""
    first: Annotated[str, Field(pattern=r"^[12]\d{3}-Q[1-4]$")] | None = None
    """The quarter of the first look, as in ``2026-Q1``; every quarter from then on counts as a look."""


class Claim(Strict):
    """A public claim about an outcome (`outcome`, `at_most` or `at_least`) or about reach (`reach`, `value`)."""

    words: Text = Field(min_length=1)
    """The claim as it was made."""
    source: Text = ""
    """Who made it, and where."""
    outcome: Name | None = None
    """The outcome it is about."""
    measure: Measure | None = None
    """The measure it is about; empty takes the outcome's main one."""
    arm: Name | None = None
    """The treated arm it is about; empty: each of them, ruled on one by one."""
    at_most: Number | None = None
    """The claim holds when the measure is this or lower."""
    at_least: Number | None = None
    """The claim holds when the measure is this or higher."""
    reach: Literal["at_least", "at_most"] | None = None
    """A claim about how many took part, instead of an outcome."""
    value: Number | None = None
    """How many, for a claim about reach."""


class Disclosure(Strict):
    """Release rules. Looser than the defaults needs a written reason, which every report shows."""

    minimum_persons: Whole = Field(10, ge=1, le=1000)
    """Smallest count of persons that may be published."""
    minimum_families: Whole = Field(10, ge=1, le=1000)
    """Smallest count of families that may be published."""
    rounding_base: Whole = Field(5, ge=1, le=100)
    """Published counts are multiples of this."""
    reason: Text | None = None
    """Why the rules are looser than the defaults."""


class Expectations(Strict):
    """Bounds that this programme's deliveries are held to."""

    event_rate_per_year: dict[Name, tuple[Number, Number]] = {}
    """Per outcome or event type: the lowest and highest believable events per person-year."""
    max_rejected: Number = Field(0.005, ge=0, le=1)
    """A delivery with a larger share of rejected rows is refused."""
    max_drift: Number = Field(0.5, gt=0)
    """Largest relative change of an event rate since last quarter before a warning."""
    min_linked: Number = Field(0.9, ge=0, le=1)
    """Smallest share of persons found in the outcome source before a warning."""


class Plan(Strict):
    """A programme's analysis plan."""

    programme: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=60)]
    """Short name: lower-case letters, digits, hyphens. Also the file's name, the folders' and the asset group's."""
    title: Local
    """What people call the programme."""
    question: Local | None = None
    """The question that this plan answers."""
    design: DesignName
    """How treated and comparison are set against each other."""
    synthetic: bool = False
    """The delivery is made up; every page says so."""
    programme_life: Life | None = None
    """When the programme ran; time zero must lie in it."""
    source: dict[TableName, Source] = Field(min_length=1)
    """Delivered file per standard table."""
    arms: Arms = Arms()
    """Which arm is compared with which."""
    eligibility: dict[Name, list[int | float | date | str]] = {}
    """Who is in: two numbers or two dates are an inclusive range, anything else a list of allowed values."""
    adjust_for: dict[Name, Covariate] = {}
    """Covariates. ``age_at_index`` and ``prior_<event>_<n>m`` are computed, not delivered."""
    missing: Missing = Missing()
    """Missing data."""
    strata: Name | None = None
    """Persons column with the block of a stratified randomisation: fixed effects."""
    pairs: Name | None = None
    """Persons column with the matched pair."""
    cluster: Name | None = None
    """Persons column within which people resemble each other: site, family."""
    estimand: Annotated[list[Estimand], BeforeValidator(as_list, json_schema_input_type=list[Estimand] | Estimand)] = []
    """For whom the effect is estimated; several: the first is primary; empty takes the design's default."""
    weighting: Weighting = "entropy_balance"
    """How the comparison group is made comparable; ``none`` is outcome regression alone."""
    follow_up: FollowUp = FollowUp()
    """How long people are followed."""
    before_after: BeforeAfter = BeforeAfter()
    """The two periods of design `before_after`."""
    variance: Annotated[list[Variance], BeforeValidator(as_list, json_schema_input_type=list[Variance] | Variance)] = []
    """Extra rows with another standard error."""
    outcomes: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=60)],
        Annotated[Outcome, BeforeValidator(_outcome, json_schema_input_type=Outcome | None)],
    ] = {}
    """What is looked at."""
    negative_controls: Names = []
    """Event types (or outcomes) that the programme cannot have changed."""
    subgroups: Names = []
    """Persons columns by whose values the primary effect is split."""
    labels: dict[Name, Local] = {}
    """What columns and kinds of event are called in reports; known names have a label already."""
    areas: AreaOptions | None = None
    """Options of design `staggered_areas`."""
    series: SeriesOptions | None = None
    """Options of design `interrupted_series`."""
    trials: TrialOptions | None = None
    """Options of design `pooled_trials`."""
    looks: Looks = Looks()
    """How the verdict pays for looking every quarter."""
    claims: list[Claim] = []
    """Public claims that are put to the test."""
    reference_rates: Text | None = None
    """A CSV beside the plan with expected rates: outcome, sex, age, year, rate_per_1000."""
    disclosure: Disclosure = Disclosure()
    """Rules for what may leave the vault."""
    expectations: Expectations = Expectations()
    """Bounds that deliveries are held to."""
    retention_months: Whole = Field(120, ge=1, le=1200)
    """How long the vault keeps a quarter."""

    @field_validator("reference_rates")
    @classmethod
    def _beside_the_plan(cls, name: str | None) -> str | None:
        return None if name is None else local_file(name)

    @field_validator("eligibility", mode="before")
    @classmethod
    def _dates_in_ranges(cls, eligibility: Any) -> Any:
        """Write a single value as a list, and ISO dates as dates, so that a range shows itself as one."""
        if not isinstance(eligibility, Mapping):
            return eligibility
        return {
            key: [as_text(item) if isinstance(item, bool) else iso_date(item) for item in as_list(rule)]
            if rule is not None
            else rule
            for key, rule in eligibility.items()
        }

    @model_validator(mode="after")
    def _complete(self) -> Plan:
        """Fill in the defaults that hang on the design, then hold the plan against the rules that span fields."""
        fill: dict[str, Any] = {}
        if not self.estimand:
            fill["estimand"] = list(SHAPES[self.design].estimands)
        options = SHAPES[self.design].options
        if options and getattr(self, options) is None:
            fill[options] = _OPTIONS[options]()
        # trials are about one outcome, which their table does not name
        outcomes = self.outcomes or ({"outcome": Outcome(label=_OUTCOME)} if self.design == "pooled_trials" else {})
        has_primary = any(outcome.primary for outcome in outcomes.values())
        first = None if has_primary else next(iter(outcomes), None)
        pooled = (fill.get("trials") or self.trials or TrialOptions()).measure
        fill["outcomes"] = {
            name: _written_out(name, outcome, self.design, pooled, primary=outcome.primary or name == first)
            for name, outcome in outcomes.items()
        }
        fill["claims"] = [_claim_measure(claim, fill["outcomes"]) for claim in self.claims]
        for field, value in fill.items():
            object.__setattr__(self, field, value)  # frozen for everybody else
        check_rules(self)
        return self

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """Return (treated arm, label) per contrast; the label reads ``therapy vs control``."""
        return tuple((arm, f"{arm} vs {self.arms.comparison}") for arm in self.arms.treated)

    @property
    def primary_outcome(self) -> str:
        """Return the name of the outcome that the verdict is about; empty for designs without outcomes."""
        return next((name for name, outcome in self.outcomes.items() if outcome.primary), "")

    @property
    def negative_control_outcomes(self) -> dict[str, Outcome]:
        """Return the negative controls as outcomes: the plan's own of that name, else the event type counted."""
        measures = [cast(Measure, measure) for measure in SHAPES[self.design].default_measures[:1]]
        return {
            name: self.outcomes.get(name, Outcome(event=name, measures=measures)) for name in self.negative_controls
        }

    def eligible_range(self, column: str) -> tuple[Any, Any] | None:
        """Return the inclusive bounds when the rule on `column` is a range: two numbers or two dates, else None."""
        rule = self.eligibility[column]
        if len(rule) != 2:
            return None
        if all(isinstance(item, date) for item in rule) or all(isinstance(item, (int, float)) for item in rule):
            return rule[0], rule[1]
        return None


def _written_out(name: str, outcome: Outcome, design: DesignName, pooled: str, *, primary: bool) -> Outcome:
    event = name if outcome.event is None and outcome.value is None else outcome.event
    default = cast(Sequence[Measure], SHAPES[design].default_measures or (pooled,))
    if outcome.value is not None:
        default = _DEFAULT_VALUE_MEASURES[outcome.scale]
    measures = list(dict.fromkeys(outcome.measures)) or list(default)
    return outcome.model_copy(update={"event": event, "measures": measures, "primary": primary})


def _claim_measure(claim: Claim, outcomes: Mapping[str, Outcome]) -> Claim:
    if claim.measure is not None or claim.outcome is None or claim.outcome not in outcomes:
        return claim
    return claim.model_copy(update={"measure": next(iter(outcomes[claim.outcome].measures), None)})


def month_days(months: int) -> int:
    """Return a number of months in days, rounded down: 12 -> 365, 24 -> 730, 6 -> 182."""
    return int(months * 365.25 / 12)
