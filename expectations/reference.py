"""The reference page of all checks, written from the rules themselves. A test holds the committed page to it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from effectmeter.plan import Plan
from expectations.analysis import analysis_rules
from expectations.checks import CheckSpec
from expectations.landing import landing_rules

_MADE = "<!-- Made by `make docs` from the code; edit that, not this page. -->"
_INTRODUCTION = """\
# Expectations

{made}

Every delivery, and every analysis table made from it, is held to these checks before anything is estimated. A
**critical** check that fails stops the chain: nothing is published and the last release stays as it was. A **warning**
is shown in the report and in Dagster, and stops nothing. A check that could not be evaluated, for instance because a
column is missing, raises: that says nothing about the data, so it is never counted as failed.

Which checks a programme has follows from its plan alone: one battery per delivered table, one check per covariate,
grouping and counted outcome. Below are those of a plan that uses everything, with a covariate `covariate`, an event
column `severity`, an outcome `outcome` and a cluster `site_id`. Figures are counts, shares and rates, never a value of
a row: `3 / 1,000 (0.3 %)` is three faulty rows of the thousand that could be checked.
"""


def expectations_page() -> str:
    """Return the page as Markdown."""
    by_events = _example_plan("events", "absences")
    by_counts = _example_plan("person_counts")
    parts = [_INTRODUCTION.format(made=_MADE).strip()]
    for title, plans in (
        ("Persons", (by_events, by_counts)),
        ("Areas", (_unit_plan("staggered_areas", "areas", "area_counts"),)),
        ("Series", (_unit_plan("interrupted_series", "series"),)),
        ("Trials", (_unit_plan("pooled_trials", "trials"),)),
    ):
        landing = {rule.spec.name: rule.spec for plan in plans for rule in landing_rules(plan)}
        parts += [f"## {title}: the delivery", _table(landing.values())]
        parts += [f"## {title}: the analysis tables", _table(rule.spec for rule in analysis_rules(plans[0]))]
    return "\n\n".join(parts) + "\n"


def write_expectations_page(folder: Path) -> Path:
    """Write ``expectations.md`` into `folder` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "expectations.md"
    path.write_text(expectations_page(), encoding="utf-8")
    return path


def _example_plan(*tables: str) -> Plan:
    where = {"where": {"severity": ["serious"]}} if "events" in tables else {}
    return Plan.model_validate(
        {
            "programme": "example",
            "title": "Example",
            "design": "comparison_cohort",
            "programme_life": {"from": "2019-01-01"},
            "source": {
                "persons": {
                    "file": "persons.csv",
                    "columns": {"sex": {"column": "sex", "values": {"m": "m", "v": "f"}}},
                },
                **{table: f"{table}.csv" for table in tables},
            },
            "adjust_for": {"covariate": "categorical"},
            "outcomes": {"outcome": {"event": "conviction", **where}},
            "cluster": "site_id",
            "expectations": {"event_rate_per_year": {"outcome": [0.0, 5.0]}},
        }
    )


def _unit_plan(design: str, *tables: str) -> Plan:
    areas = {"adjust_for": {"covariate": "numeric"}, "programme_life": {"from": "2019-01-01"}}
    return Plan.model_validate(
        {
            "programme": "example",
            "title": "Example",
            "design": design,
            "source": {table: f"{table}.csv" for table in tables},
            "outcomes": {"outcome": {}},
            **(areas if "areas" in tables else {}),
        }
    )


def _table(specs: Iterable[CheckSpec]) -> str:
    lines = [
        "| check | severity | what holds | passes | what to do when it fails |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{spec.name}` | {spec.severity} | {spec.description_en} | {spec.threshold} | {spec.advice_en} |"
        for spec in specs
    ]
    return "\n".join(lines)
