"""What an evidence passport must look like: the model behind ``schemas/passport.schema.json``.

Here: names and types of the fields. Not here: what stands in them (`effectmeter.passport`), nor whether it is true
(`reports.verification`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$")]
Edition = Annotated[str, StringConstraints(pattern=r"^\d{3}$")]
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


class Passport(_Part):
    """The evidence passport of one release."""

    schema_: Literal["effectmeter/passport/1"] = Field(alias="schema")
    programme: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    title: Words
    quarter: Annotated[str, StringConstraints(pattern=r"^\d{4}-Q[1-4]$")]
    reference_date: str
    edition: Edition
    made: Made
    design: str
    synthetic: bool
    approved: bool
    marks: list[Literal["CONCEPT", "SYNTHETIC"]]
    approval: Approval | None
    verdict: dict[str, Any]
    headline: Words
    verdict_line: Words
    figures: dict[str, Any]
    gates: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    checks: dict[str, int]
    plan: PlanPart
    data: DataPart
    software: Software
    disclosure: dict[str, Any]
    content_hash: Sha256
    files: dict[FileName, Sha256]
    seal: Sha256


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
