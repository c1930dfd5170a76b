"""The evidence passport: one JSON document that says what a release is, what it rests on and what made it.

Here: its contents, from cleared values only; its hashes, its seal and its approval. Not here: reading or writing it,
nor where hashes of files and versions come from. What it must look like is in `effectmeter.passport_schema`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from effectmeter.errors import EffectmeterError
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.release import Cleared
from effectmeter.results import EffectRow, as_record
from effectmeter.sentences import LANGUAGES, headline, verdict_line
from effectmeter.shapes import SHAPES
from effectmeter.verdicts import primary_row

FORM = 1
"""Of the passports that this version writes. A new field that may be absent keeps the form; any other change is a new
one, and then older forms stay readable: releases are never written again."""
SCHEMA = f"effectmeter/passport/{FORM}"

CONCEPT = "CONCEPT"

OF_THE_RUN = ("edition", "made", "recomputed", "since", "history", "approved", "marks", "approval", "files", "seal")
"""The fields that belong to one run and its approval, not to what was found. Beside them ``first_used`` and ``quarter``
in the plan's history: the day, and the quarter, that a plan met outcomes. The rest of a passport, and all of
``effects.csv``, is the same for the same delivery, plan and code; see `undated`."""

RENDERED = ("effects.xlsx", "report.en.html", "report.en.pdf", "report.nl.html", "report.nl.pdf")
"""The files that show edition, mark and approval. All others are the same bytes before and after an approval."""


def build_passport(
    cleared: Cleared,
    plan: Plan,
    quarter: Quarter,
    *,
    edition: str,
    plan_hash: str,
    plan_history: Sequence[Mapping[str, Any]] = (),
    data: Mapping[str, Any] | None = None,
    software: Mapping[str, Any] | None = None,
    made: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the evidence passport of a release as it leaves the gate: a CONCEPT, until `approved` says otherwise.

    Parameters
    ----------
    edition
        ``001``, ``002``, ...
    plan_hash, plan_history
        Of the plan as used, and every version that met outcome data, oldest first.
    data
        Hashes of the delivery and its files; no counts.
    software
        Versions and hashes of all that had a hand in the numbers.
    made
        Who refreshed, on which account, when: ``by``, ``account``, ``at``.
    """
    row = primary_row(cleared.rows)
    marks = [CONCEPT, *(["SYNTHETIC"] if plan.synthetic else [])]
    return {
        "schema": SCHEMA,
        "programme": plan.programme,
        "title": {"nl": plan.title.nl, "en": plan.title.en},
        "quarter": str(quarter),
        "reference_date": quarter.reference_date.isoformat(),
        "edition": edition,
        "made": dict(made or {}),
        "recomputed": None,
        "since": None,
        "history": [],
        "design": plan.design,
        "synthetic": plan.synthetic,
        "approved": False,
        "marks": marks,
        "approval": None,
        "verdict": {
            "direction": cleared.facts.direction,
            "works": cleared.facts.works,
            "maryland": cleared.facts.maryland,
            "outcome": cleared.tables["verdict"]["outcome"][0],
            "window_days": cleared.facts.window_days,
            "better": "lower" if cleared.facts.is_lower_better else "higher",
        },
        "headline": {language: headline(cleared.facts, language) for language in LANGUAGES},
        "verdict_line": {language: verdict_line(cleared.facts, language) for language in LANGUAGES},
        "figures": {
            "primary": _figure(row),
            "reach": _reach(cleared, plan),
            "reach_unit": SHAPES[plan.design].unit,
            "numbers": _records(cleared, "numbers"),
        },
        "gates": [as_record(gate) for gate in cleared.gates],
        "claims": [as_record(claim) for claim in cleared.claims],
        "checks": _counted_checks(cleared),
        "plan": {"hash": plan_hash, "history": [dict(entry) for entry in plan_history]},
        "data": dict(data or {}),
        "software": dict(software or {}),
        "disclosure": {
            "minimum_persons": cleared.rules.minimum_persons,
            "minimum_families": cleared.rules.minimum_families,
            "rounding_base": cleared.rules.rounding_base,
            "reason": plan.disclosure.reason,
            "n_suppressed": cleared.n_suppressed,
        },
    }


def require_known(passport: Any, where: str) -> None:
    """Refuse a passport that a newer version wrote, before anything is said of its release.

    Raises
    ------
    EffectmeterError
        Its form is newer than `FORM`. What is no passport at all is let through: who reads it says what it lacks.
    """
    form = str(passport.get("schema", "") if isinstance(passport, Mapping) else "").rpartition("/")[2]
    if form.isdecimal() and int(form) > FORM:
        raise EffectmeterError(
            f"this release was written by a newer version of Effectmeter (passport of form {int(form)})",
            where=where,
            allowed=f"forms up to {FORM}",
            next_step="install that version, or a later one (docs/how-to/upgrade.md); the release is untouched",
        )


def undated(passport: Mapping[str, Any]) -> dict[str, Any]:
    """Return a passport without what belongs to the run (`OF_THE_RUN`): the same for the same delivery, plan and code.

    Of the plan's history remain the changes, in their order.
    """
    kept = {key: value for key, value in passport.items() if key not in {*OF_THE_RUN, "content_hash"}}
    history = passport["plan"]["history"]
    kept["plan"] = {"hash": passport["plan"]["hash"], "changes": [entry["changed"] for entry in history]}
    return kept


def content_hash(passport: Mapping[str, Any], tables: Mapping[str, str]) -> str:
    """Return a hash of what a release says, whatever the day.

    Parameters
    ----------
    tables
        SHA-256 of every table as released (the bytes of ``tables/<name>.csv``), by name.
    """
    return _digest({"passport": undated(passport), "tables": dict(tables)})


def passport_text(passport: Mapping[str, Any]) -> str:
    """Return a passport as its file holds it: JSON that a person can read."""
    return json.dumps(passport, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def sealed(passport: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Return a passport with the SHA-256 of every other file of its release, closed with a hash of itself.

    The seal tells of a passport that was edited by hand. It is no signature: who can compute it can also forge it, so
    that whoever must rule that out keeps the hash of the passport elsewhere.
    """
    complete = {key: value for key, value in passport.items() if key != "seal"}
    complete["files"] = {name: files[name] for name in sorted(files)}
    return complete | {"seal": _digest(complete)}


def seal_of(passport: Mapping[str, Any]) -> str:
    """Return the seal that a passport ought to have."""
    return _digest({key: value for key, value in passport.items() if key != "seal"})


def approved(concept: Mapping[str, Any], *, edition: str, by: str, account: str, at: str) -> dict[str, Any]:
    """Return the passport of the edition that follows an approval; `sealed` closes it once its files are written.

    Parameters
    ----------
    concept
        The passport that was approved, as it lies in its release. Its hash goes into the new one, with the hashes of
        the files that change, so that `concept_of` can make it again.
    by, account, at
        Who approved it, on which account, when (UTC, ISO 8601).
    """
    approval = {
        "by": by,
        "account": account,
        "at": at,
        "edition": concept["edition"],
        "passport_sha256": passport_sha256(concept),
        "files": {name: digest for name, digest in concept["files"].items() if name in RENDERED},
    }
    marks = [mark for mark in concept["marks"] if mark != CONCEPT]
    # the order of the fields stays, since the hash is of the file's bytes
    changed = {"edition": edition, "approved": True, "marks": marks, "approval": approval}
    return {key: changed.get(key, value) for key, value in concept.items()}


def concept_of(passport: Mapping[str, Any]) -> dict[str, Any]:
    """Return the passport that was approved, made again from the approved one: what ``passport_sha256`` is the hash of.

    So that the approval can be verified by who holds one edition only.
    """
    approval = passport["approval"]
    changed = {
        "edition": approval["edition"],
        "approved": False,
        "marks": [CONCEPT, *passport["marks"]],
        "approval": None,
    }
    concept = {key: changed.get(key, value) for key, value in passport.items()}
    return sealed(concept, {**passport["files"], **approval["files"]})


def passport_sha256(passport: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a passport's file."""
    return hashlib.sha256(passport_text(passport).encode()).hexdigest()


def is_same_person(one: str, other: str) -> bool:
    """Return whether two names are one person's, however they are spaced and capitalised.

    Examples
    --------
    >>> is_same_person("Anna  de Vries", "anna de vries"), is_same_person("anna", "bert")
    (True, False)
    """
    first, second = (" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in (one, other))
    return first == second


def _digest(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _figure(row: EffectRow | None) -> dict[str, Any] | None:
    """Return the primary row's figures as published."""
    if row is None:
        return None
    names = (
        "outcome", "measure", "contrast", "estimand", "estimator", "variance", "window_days", "estimate", "conf_low",
        "conf_high", "verdict_low", "verdict_high", "n_treated", "n_comparison", "status", "reason", "reason_nl",
        "figures_of",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names}


def _reach(cleared: Cleared, plan: Plan) -> int | None:
    """Return the participants delivered, from published counts; None where one of them is masked.

    Or the areas with the programme, the periods since the start, the trials: those are no persons.
    """
    numbers = cleared.tables["numbers"]
    if SHAPES[plan.design].unit != "person":
        units = numbers.filter(numbers["arm"].is_in(plan.arms.treated))["units"]
        return None if units.is_empty() or units.has_nulls() else int(units.sum())
    persons = numbers.filter(numbers["arm"].is_in(plan.arms.treated))["persons"]
    return None if persons.is_empty() or persons.has_nulls() else int(persons.sum())


def _records(cleared: Cleared, table: str) -> list[dict[str, Any]]:
    return cleared.tables[table].to_dicts()


def _counted_checks(cleared: Cleared) -> dict[str, int]:
    """Return how many checks there were and how many of them passed."""
    checks = cleared.tables["checks"]
    return {"run": checks.height, "passed": int(checks["passed"].sum())}
