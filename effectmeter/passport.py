"""The evidence passport: one JSON document that says what a release is, what it rests on and what made it.

Here: its contents, from cleared values only. Not here: reading or writing it, nor where hashes and versions come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.release import Cleared
from effectmeter.results import EffectRow, as_record
from effectmeter.sentences import LANGUAGES, headline, verdict_line
from effectmeter.shapes import SHAPES
from effectmeter.verdicts import primary_row

SCHEMA = "effectmeter/passport/1"


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
    is_approved: bool = False,
) -> dict[str, Any]:
    """Return the evidence passport of a release.

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
    is_approved
        Whether a second person approved it; without that it is a CONCEPT.
    """
    row = primary_row(cleared.rows)
    marks = [*(["CONCEPT"] if not is_approved else []), *(["SYNTHETIC"] if plan.synthetic else [])]
    return {
        "schema": SCHEMA,
        "programme": plan.programme,
        "title": {"nl": plan.title.nl, "en": plan.title.en},
        "quarter": str(quarter),
        "reference_date": quarter.reference_date.isoformat(),
        "edition": edition,
        "design": plan.design,
        "synthetic": plan.synthetic,
        "approved": is_approved,
        "marks": marks,
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


def _figure(row: EffectRow | None) -> dict[str, Any] | None:
    """Return the primary row's figures as published."""
    if row is None:
        return None
    names = (
        "outcome", "measure", "contrast", "estimand", "estimator", "variance", "window_days", "estimate", "conf_low",
        "conf_high", "verdict_low", "verdict_high", "n_treated", "n_comparison", "status", "reason", "reason_nl",
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
