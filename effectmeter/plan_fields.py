"""What the fields of a plan are made of: texts, names, numbers, dates, and the options of designs still to come.

`effectmeter.plan` puts the plan together; no rule about a whole plan lives here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_WHOLE_NUMBER = re.compile(r"(?P<whole>-?\d+)\.0+")
_PRIOR_COUNT = re.compile(r"prior_(?P<event>.+)_(?P<months>[1-9]\d{0,2})m")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def as_text(value: Any) -> Any:
    """Write a scalar as a delivery would: 1.0 as ``1``, true as ``true``; leave the rest for the model to judge."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str) and "\n" in value:
        return " ".join(value.split())  # a block text in the YAML
    return value.isoformat() if isinstance(value, date) else value


def as_list(value: Any) -> Any:
    """Write a single value as a list of one."""
    return value if isinstance(value, (list, tuple)) or value is None else [value]


def _not_a_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed here, not true or false")
    return value


def _not_a_number(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        raise ValueError("a date is needed here, written yyyy-mm-dd")
    return value


def local_file(name: str) -> str:
    """Refuse a file name that leaves its folder."""
    if name.startswith(("/", "\\", "~")) or ".." in re.split(r"[/\\]", name) or ":" in name or not name.strip():
        raise ValueError("must be a file name inside the folder: no absolute path, no '..', no drive, not empty")
    return name


def iso_date(item: Any) -> Any:
    """Read an ISO date written as text; leave anything else."""
    if isinstance(item, str) and _ISO_DATE.fullmatch(item):
        try:
            return date.fromisoformat(item)
        except ValueError:
            return item
    return item


def whole_number(text: Any) -> str | None:
    """Return ``1`` for the text ``1.0``; None for anything else."""
    match = _WHOLE_NUMBER.fullmatch(text) if isinstance(text, str) else None
    return None if match is None else match["whole"]


def prior_count(name: str) -> tuple[str, int] | None:
    """Read ``prior_<event>_<n>m`` as (event type, months); None for any other covariate.

    Examples
    --------
    >>> prior_count("prior_police_contact_24m")
    ('police_contact', 24)
    """
    match = _PRIOR_COUNT.fullmatch(name)
    return None if match is None else (match["event"], int(match["months"]))


Scalar = str | int | float | bool | date
Text = Annotated[
    str, BeforeValidator(as_text, json_schema_input_type=Scalar), Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=1000)
]
"""A text; numbers, dates and true/false as YAML reads them are written out as text."""
Name = Annotated[
    str,
    BeforeValidator(as_text, json_schema_input_type=Scalar),
    Field(pattern=r"^[^\x00-\x1f\x7f;=]+$", max_length=200),
]
"""A column, arm or event type. No ``;`` or ``=``: those separate the parts of an address in the gates table."""
Names = Annotated[list[Name], BeforeValidator(as_list, json_schema_input_type=list[Name] | Name)]
Texts = Annotated[list[Text], BeforeValidator(as_list, json_schema_input_type=list[Text] | Text)]
Whole = Annotated[int, BeforeValidator(_not_a_switch)]
Number = Annotated[float, BeforeValidator(_not_a_switch)]
Day = Annotated[date, BeforeValidator(_not_a_number)]


class Strict(BaseModel):
    """Base of every part of a plan: unknown fields are faults, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        """Read ``claims:`` with nothing behind it as a field that is not there, so that its default holds."""
        if not isinstance(value, Mapping):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: item for key, item in value.items() if item is not None or key not in known}


class LocalText(Strict):
    """A text in Dutch and in English; a single text serves both languages."""

    nl: Text = Field(min_length=1)
    """Dutch, at level B1."""
    en: Text = Field(min_length=1)
    """English."""


def _both_languages(value: Any) -> Any:
    text = as_text(value)
    return {"nl": text, "en": text} if isinstance(text, str) else value


Local = Annotated[LocalText, BeforeValidator(_both_languages, json_schema_input_type=LocalText | str)]


class AreaOptions(Strict):
    """Options of `staggered_areas`."""

    comparison: Literal["not_yet_treated", "never_treated", "calibrated"] = "not_yet_treated"
    """Which areas serve as comparison."""
    estimator: Literal["callaway_santanna", "twoway_fe", "poisson_fe"] = "callaway_santanna"
    """How the effect is estimated."""
    match_on: Names = []
    """Columns that calibrated comparison areas agree on."""
    ring: Name | None = None
    """Column with the distance ring around treated areas, for spill-over."""
    exclude_periods: Texts = []
    """Periods left out."""


class SeriesOptions(Strict):
    """Options of `interrupted_series`."""

    start: Text | None = None
    """The first period with the programme."""
    effect: Literal["level", "level_and_slope"] = "level"
    """What may change at the start."""
    season_length: Whole = Field(12, ge=1, le=366)
    """Periods per year."""
    harmonics: Whole = Field(2, ge=0, le=12)
    """Pairs of sine and cosine for the season."""
    dispersion: Literal["quasi"] = "quasi"
    """How overdispersion is met."""
    autocorrelation: Literal["ar1", "none"] = "ar1"
    """How neighbouring periods hang together."""


class TrialOptions(Strict):
    """Options of `pooled_trials`."""

    methods: Annotated[
        list[Literal["reml_hk", "reml_wald", "dl_wald", "mantel_haenszel"]], BeforeValidator(as_list)
    ] = ["reml_hk", "mantel_haenszel"]
    """The first is primary."""
    measure: Literal["odds_ratio", "risk_ratio", "rate_ratio", "hazard_ratio", "mean_difference", "risk_difference"] = (
        "odds_ratio"
    )
    """What is pooled."""
    randomised: bool = False
    """Whether chance decided who was treated in all of the trials: only then is the evidence of the strongest kind."""
