"""Every masked value of a release has one reason on record, found from its true value and the role of its column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import report_findings as made
import report_units as units

from effectmeter.disclosure import Rules
from effectmeter.findings import Findings
from effectmeter.plan import Plan
from effectmeter.release import Passed, pass_gate
from effectmeter.results import as_record
from effectmeter.schema import RESULT_TABLES
from effectmeter.suppressions import WHY, Suppression, suppressions_of

RULES = Rules()
MASKABLE = {"count_persons", "count_events", "count_clusters", "person_time", "model", "proportion"}
Made = Callable[[], tuple[Plan, Findings]]


def told(find: Made) -> tuple[Findings, Passed, tuple[Suppression, ...]]:
    plan, findings = find()
    passed = pass_gate(findings, plan, made.QUARTER)
    return findings, passed, suppressions_of(passed.settled, passed.cleared.tables, passed.cleared.rules)


def few() -> tuple[Plan, Findings]:
    plan, findings = made.trial()
    first = findings.effects[0]
    rows = [replace(row, events_treated=4.0) if row.outcome == first.outcome else row for row in findings.effects]
    return plan, replace(findings, effects=tuple(rows))


@pytest.mark.parametrize("find", [made.trial, made.cohort, made.families, few, units.areas, units.series, units.trials])
def test_every_masked_value_has_one_reason(find: Made) -> None:
    findings, passed, found = told(find)
    keys = [(each.table, each.row, each.column) for each in found if each.table not in {"effects", "checks", "gates"}]
    assert len(keys) == len(set(keys))
    for name in ("effects", "attrition", "balance", "overlap", "trial_effects"):
        masked = 0
        columns = [column.name for column in RESULT_TABLES[name].columns if column.role in MASKABLE]
        true = [as_record(row) for row in getattr(findings, name)]
        for row, cleared in zip(true, passed.cleared.tables[name].to_dicts(), strict=True):
            masked += sum(row[column] is not None and cleared[column] is None for column in columns)
        assert sum(each.table == name for each in found) == masked, name
    assert all(each.why and each.rule in WHY for each in found)


def test_reasons_say_what_is_small_and_what_was_masked_along() -> None:
    findings, _, found = told(made.cohort)
    bins = {f"contrast={row.contrast}, bin_low={row.bin_low}": row for row in findings.overlap}
    rules = {each.rule for each in found if each.table == "overlap"}
    assert rules == {"small_cell", "complement"}
    for each in found:
        if each.table == "overlap":
            assert (getattr(bins[each.row], each.column) < RULES.minimum_persons) == (each.rule == "small_cell")
    assert {each.why for each in found if each.rule == "small_cell"} == {"fewer than 10 people, families or events"}


def test_a_suppressed_effect_gives_its_own_reason_and_a_hidden_one_its_gate() -> None:
    _, passed, found = told(few)
    row = passed.cleared.rows[0]
    assert row.status == "suppressed"
    estimate = next(each for each in found if each.table == "effects" and each.column == "estimate")
    assert (estimate.rule, estimate.why) == ("reason", row.reason)
    events = next(each for each in found if each.table == "effects" and each.column == "events_treated")
    assert events.rule == "small_cell"
    _, passed, found = told(lambda: made.cohort(balanced=False))
    reasons = {row.reason for row in passed.cleared.rows if row.status == "hidden"}
    assert {each.why for each in found if each.table == "effects" and each.rule == "gate"} == reasons
