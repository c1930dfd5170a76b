"""The last section of a report, for who must defend it: method, versions, hashes, every estimate.

Here: facts out of plan and passport, and the table of all cleared rows. Not here: anything an alderman needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effectmeter.plan import Plan
from effectmeter.recomputing import recomputed_words
from effectmeter.release import Cleared
from effectmeter.results import EffectRow
from effectmeter.sentences import Language
from effectmeter.sentences.numbers import interval, number, period
from effectmeter.sentences.wording import ANALYSES, DESIGNS, MEASURES, outcome_label
from effectmeter.verdicts import primary_row
from reports.figures import how_many, places
from reports.gate_words import local
from reports.texts import text
from reports.views import FactView, TableView


def research_facts(
    cleared: Cleared, plan: Plan, passport: Mapping[str, Any], language: Language
) -> tuple[FactView, ...]:
    """Return method, disclosure rules, versions and hashes as terms and values."""
    software: Mapping[str, Any] = passport.get("software") or {}
    data: Mapping[str, Any] = passport.get("data") or {}
    history: list[Mapping[str, Any]] = list(passport["plan"]["history"])
    rules = cleared.rules
    row = primary_row(cleared.rows)
    found = [FactView("method", f"{plan.design}: {DESIGNS[plan.design][language]}")]
    if row is not None:
        found.append(
            FactView(
                "estimand",
                ", ".join(name.upper() for name in (*plan.estimand, row.estimand)[: len(plan.estimand) or 1]),
            )
        )
        found.append(FactView("estimator", f"{row.estimator}, {row.variance}", is_code=True))
    if plan.design in {"randomised", "comparison_cohort"}:
        found.append(FactView("weighting", plan.weighting, is_code=True))
        windows = ", ".join(period(days, language) for days in plan.follow_up.windows_days)
        found.append(FactView("window", windows or period(None, language)))
    if plan.adjust_for:
        found.append(FactView("covariates", ", ".join(plan.adjust_for), is_code=True))
    found.append(FactView("looks", f"{plan.looks.method} ({plan.looks.planned})", is_code=True))
    used = next((gate for gate in cleared.gates if gate.gate == "looks"), None)
    if used is not None and used.figure not in {"", "-"}:
        found.append(FactView("looks_used", local(used.figure, language)))
    numbers = (rules.minimum_persons, rules.minimum_families, rules.rounding_base, cleared.n_suppressed)
    found.append(FactView("rules", text("rules_text", language, *numbers)))
    if plan.disclosure.reason:
        found.append(FactView("rules_reason", plan.disclosure.reason))
    found.append(FactView("plan_hash", str(passport["plan"]["hash"]), is_code=True))
    if history:
        found.append(FactView("plan_first", f"{history[0]['first_used']} ({history[0]['quarter']})"))
    for entry in history[1:]:
        found.append(FactView("plan_changed", f"{entry['first_used']}: {', '.join(entry.get('changed', []))}"))
    if passport.get("recomputed"):
        found.append(FactView("recomputed", recomputed_words(passport["recomputed"], language)))
    for term, value in (
        ("data_hash", data.get("delivery_hash")),
        ("code_hash", software.get("code_hash")),
        ("lock_hash", software.get("lock_hash")),
    ):
        if value:
            found.append(FactView(term, str(value), is_code=True))
    versions = {"effectmeter": software.get("effectmeter"), "python": software.get("python")}
    versions |= dict(software.get("libraries") or {})
    known = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if known:
        found.append(FactView("versions", known))
    return tuple(FactView(text(fact.term, language), fact.value, fact.is_code) for fact in found)


def all_rows_table(cleared: Cleared, plan: Plan, language: Language) -> TableView:
    """Return every row of the effects table as released."""
    heads = ("outcome", "measure", "analysis", "estimate", "interval", "interval_looks", "p_value", "n", "shown_or_not")
    body = []
    for row in cleared.rows:
        label = outcome_label(plan, row.outcome)[language]
        about = [label, *([period(row.window_days, language)] if row.window_days else [])]
        about += [part for part in (row.subgroup, row.contrast) if part]
        how = f"{row.estimand}, {row.estimator}, {row.variance}" + (f", {row.denominator}" if row.denominator else "")
        body.append(
            (
                ", ".join(about),
                MEASURES[row.measure][language],
                f"{ANALYSES[row.analysis][language]} ({how})",
                number(row.estimate, language, places(row)),
                interval(row.conf_low, row.conf_high, language, places(row)),
                interval(row.verdict_low, row.verdict_high, language, places(row)),
                p_value(row.p_value, language),
                _sizes(row, cleared, language),
                text(row.status, language),
            )
        )
    return TableView(
        text("all_rows", language), tuple(text(head, language) for head in heads), tuple(body), (3, 4, 5, 6, 7)
    )


def _sizes(row: EffectRow, cleared: Cleared, language: Language) -> str:
    """Return how much a row rests on, per side."""
    if cleared.facts.unit == "trial" and (row.subgroup or "").startswith("without="):
        return f"{number(row.n_clusters_treated, language, 0)} {text('studies', language)}"
    minimum = cleared.rules.minimum_persons if cleared.facts.about_persons else 0
    return " / ".join(how_many(n, language, minimum) for n in (row.n_treated, row.n_comparison))


def p_value(value: float | None, language: Language) -> str:
    """Return a p-value as printed.

    Examples
    --------
    >>> p_value(0.0, "nl"), p_value(0.047, "en"), p_value(None, "en")
    ('< 0,001', '0.047', '–')
    """
    if value is not None and value < 0.001:
        return f"< {number(0.001, language, 3)}"
    return number(value, language, 3)
