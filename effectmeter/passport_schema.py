"""What an evidence passport must look like: the model behind ``schemas/passport.schema.json``.

Here: names and types of the fields. Not here: what stands in them (`effectmeter.passport`), nor whether it is true
(`reports.verification`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$")]
Edition = Annotated[str, StringConstraints(pattern=r"^\d{3,}$")]
QuarterName = Annotated[str, StringConstraints(pattern=r"^\d{4}-Q[1-4]$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
FileName = Annotated[str, StringConstraints(pattern=r"^(tables/)?[a-z_]+(\.(nl|en))?\.(html|pdf|csv|parquet|xlsx)$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Words(_Part):
    """One text in both languages."""

    nl: str
    en: str


class Made(_Part):
    """Who refreshed, on which account of the operating system, when (UTC)."""

    by: Name
    account: Name
    at: Moment


class Recomputed(_Part):
    """Which edition this one follows, and why: keys of reasons, and fields of the plan that differ."""

    edition: Edition
    because: list[Literal["delivery", "plan", "version", "software", "context", "repaired"]] = Field(min_length=1)
    changed: list[str]


class Approval(Made):
    """Who approved, and what: edition, hash of its passport, and hashes of the files that the approval changed."""

    edition: Edition
    passport_sha256: Sha256
    files: dict[FileName, Sha256]


class PlanUse(_Part):
    """One version of the plan that met outcome data."""

    hash: Sha256
    first_used: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    quarter: str
    changed: list[str]


class PlanPart(_Part):
    """The plan's hash, and every version before it."""

    hash: Sha256
    history: list[PlanUse] = Field(min_length=1)


class DataPart(_Part):
    """The delivery's hash and those of its files; no counts."""

    delivery_hash: Sha256
    files: dict[str, str]


class Software(_Part):
    """What had a hand in the numbers."""

    effectmeter: str
    code_hash: Sha256
    lock_hash: Sha256 | None
    python: str
    libraries: dict[str, str]


class Told(_Part):
    """What an edition before said of the main figure, as published, and by which plan."""

    quarter: QuarterName
    edition: Edition
    plan_hash: Sha256
    figures_of: QuarterName
    outcome: str | None
    measure: str | None
    contrast: str | None
    estimand: str | None
    window_days: int | None
    estimate: float | None
    conf_low: float | None
    conf_high: float | None
    verdict_low: float | None
    verdict_high: float | None
    status: Literal["shown", "hidden", "suppressed", "not_estimable"]
    reason: str | None
    reason_nl: str | None


class Passport(_Part):
    """The evidence passport of one release."""

    schema_: Literal["effectmeter/passport/1"] = Field(alias="schema", description="form of this document")
    programme: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] = Field(description="which programme")
    title: Words = Field(description="its title")
    quarter: QuarterName = Field(description="which quarter")
    reference_date: str = Field(description="last day of the quarter")
    edition: Edition = Field(description="number within the quarter; also the folder's name")
    made: Made = Field(description="who refreshed, on which account, when (UTC)")
    recomputed: Recomputed | None = Field(
        None, description="which edition of the quarter this one follows, and why; empty for the first"
    )
    since: dict[str, Any] | None = Field(
        None, description="what the edition before said, and what became different; empty for a programme's first"
    )
    history: list[Told] = Field(
        [], description="what the editions before said of the main figure, oldest first; empty for a programme's first"
    )
    design: str = Field(description="how is compared")
    synthetic: bool = Field(description="whether the data are made up")
    approved: bool = Field(description="whether a second person approved it")
    marks: list[Literal["CONCEPT", "SYNTHETIC"]] = Field(description="what stands on every page")
    approval: Approval | None = Field(
        description="who approved, on which account, when; the edition that was read, the SHA-256 of its passport and "
        "of those of its files that the approval changed. Empty for a CONCEPT"
    )
    verdict: dict[str, Any] = Field(description="direction, whether it works, strength of the evidence")
    headline: Words = Field(description="first sentence of the report")
    verdict_line: Words = Field(description="the verdict in one line")
    figures: dict[str, Any] = Field(description="the main figure, reach, and numbers per arm, as published")
    gates: list[dict[str, Any]] = Field(description="every test that an estimate had to pass")
    claims: list[dict[str, Any]] = Field(description="every public claim and the ruling on it")
    checks: dict[str, int] = Field(description="how many checks of the delivery were run and passed")
    plan: PlanPart = Field(description="hash of the plan, and every version of it that met outcomes")
    data: DataPart = Field(description="hashes of the delivery and its files")
    software: Software = Field(description="versions, and hashes of code and lock")
    disclosure: dict[str, Any] = Field(description="the rules for small numbers, and how many values they hid")
    content_hash: Sha256 = Field(description="hash of all above that does not belong to the run, and of every table")
    files: dict[FileName, Sha256] = Field(description="SHA-256 of every other file in the folder")
    seal: Sha256 = Field(description="hash of the passport without this field")


def passport_schema() -> dict[str, Any]:
    """Return the JSON Schema of a passport."""
    schema = Passport.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Effectmeter evidence passport",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def faults_of(passport: Any) -> list[str]:
    """Return where a document departs from the schema, field by field; nothing for a passport."""
    try:
        Passport.model_validate(passport)
    except ValidationError as error:
        return [f"{'.'.join(map(str, fault['loc'])) or 'passport'}: {fault['msg']}" for fault in error.errors()]
    return []
