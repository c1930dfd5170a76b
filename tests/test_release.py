"""The gate as a whole: what goes in comes out rounded, masked, or not at all."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
import report_findings as made

from effectmeter.cleared_document import from_document, to_document
from effectmeter.findings import Contributors
from effectmeter.passport import approved, build_passport, concept_of, sealed
from effectmeter.release import Cleared, clear
from effectmeter.schema import RESULT_TABLES


@pytest.fixture(scope="module")
def cohort() -> Cleared:
    plan, findings = made.cohort()
    return clear(findings, plan, made.QUARTER)


def test_tables_have_the_catalogues_columns_in_order(cohort: Cleared) -> None:
    for name in ("effects", "gates", "claims", "attrition", "balance", "overlap", "curves", "checks"):
        assert cohort.tables[name].columns == [c.name for c in RESULT_TABLES[name].columns] + ["is_suppressed"]


def test_every_count_column_is_a_multiple_of_five_and_never_small(cohort: Cleared) -> None:
    roles = {"count_persons", "count_events", "count_clusters", "person_time"}
    for name, table in RESULT_TABLES.items():
        if name not in cohort.tables:
            continue
        for column in table.columns:
            if column.role in roles:
                values = cohort.tables[name][column.name].drop_nulls().to_list()
                assert all(value % 5 == 0 for value in values), (name, column.name)
                if column.role in {"count_persons", "count_events"}:
                    assert all(value == 0 or value >= 10 for value in values), (name, column.name)


def test_no_exact_count_survives(cohort: Cleared) -> None:
    text = json.dumps(to_document(cohort))
    for exact in ("1098", "2204", "231,", "1131", "1,098", "1.098"):
        assert exact not in text


def test_attrition_adds_up_after_rounding(cohort: Cleared) -> None:
    for row in cohort.tables["attrition"].to_dicts():
        assert row["n_before"] == row["n_after"] + (row["n_lost"] or 0)
    masked = cohort.tables["attrition"].filter(pl.col("n_lost").is_null())
    assert masked["is_suppressed"].all() and masked.height == 2


def test_a_masked_bin_takes_another_with_it(cohort: Cleared) -> None:
    treated = cohort.tables["overlap"]["n_treated"]
    assert treated[0] is None
    assert treated.null_count() == 2


def test_curves_start_at_zero_and_never_fall(cohort: Cleared) -> None:
    for _, arm in cohort.tables["curves"].group_by("arm"):
        assert arm["incidence"][0] == 0 and arm["day"][0] == 0
        assert arm["incidence"].is_sorted() and arm["n_events"].is_sorted()
        assert arm["day"].max() == 730


def test_hidden_effects_leave_no_curve_and_no_verdict() -> None:
    plan, findings = made.cohort(balanced=False)
    cleared = clear(findings, plan, made.QUARTER)
    assert cleared.facts.direction == "not_shown"
    assert not cleared.facts.works
    assert cleared.tables["curves"].is_empty()
    assert cleared.tables["effects"]["estimate"].null_count() == cleared.tables["effects"].height
    assert {row["ruling"] for row in cleared.tables["claims"].to_dicts()} == {"cannot_be_tested", "supported"}


def test_a_claim_on_a_suppressed_figure_is_withdrawn() -> None:
    plan, findings = made.cohort()
    rows = [
        replace(row, events_treated=5.0) if row.outcome == "police_contact" and row.window_days == 365 else row
        for row in findings.effects
    ]
    cleared = clear(replace(findings, effects=tuple(rows)), plan, made.QUARTER)
    assert findings.claims[0].ruling != "cannot_be_tested"
    assert cleared.claims[0].ruling == "cannot_be_tested"
    assert cleared.facts.direction == "not_shown" and not cleared.facts.works


def test_gates_tell_rounded_counts() -> None:
    plan, findings = made.families()
    cleared = clear(findings, plan, made.QUARTER)
    gate = next(gate for gate in cleared.gates if gate.gate == "clusters")
    assert gate.figure == "15 and 60 clusters", "19 must not read as the 20 that are asked"
    assert "19" not in gate.sentence and "19" not in gate.sentence_nl


def test_families_few_in_number_hide_the_effect() -> None:
    plan, findings = made.families()
    few = tuple(replace(row, n_clusters_treated=8) for row in findings.effects)
    cleared = clear(replace(findings, effects=few), plan, made.QUARTER)
    assert {row.status for row in cleared.rows if row.contrast == "treated vs comparison"} == {"suppressed"}


def test_persons_behind_events_count_where_the_vault_tells_them() -> None:
    plan, findings = made.families()
    few = tuple(replace(entry, persons_treated=7) for entry in findings.contributors)
    assert clear(findings, plan, made.QUARTER).rows[0].status == "shown"
    assert clear(replace(findings, contributors=few), plan, made.QUARTER).rows[0].status == "suppressed"


def test_people_behind_counts_are_those_of_the_period_that_a_row_states() -> None:
    """Delivered counts may be of a year where the plan asks for two: who stands behind them counts all the same."""
    plan, findings = made.families()
    elsewhere = tuple(replace(entry, persons_treated=7, window_days=365) for entry in findings.contributors)
    assert {row.window_days for row in findings.effects} == {730}
    assert clear(replace(findings, contributors=elsewhere), plan, made.QUARTER).rows[0].status == "suppressed"
    of_none = tuple(replace(row, window_days=None) for row in findings.effects)
    shared = replace(findings, effects=of_none, contributors=elsewhere)
    assert clear(shared, plan, made.QUARTER).rows[0].status == "suppressed", "no period that all share"
    plan, findings = made.cohort()
    first = findings.effects[0]
    other = Contributors(contrast=first.contrast, outcome=first.outcome, window_days=1, families_treated=7.0)
    cleared = clear(replace(findings, contributors=(other,)), plan, made.QUARTER)
    assert cleared.rows[0].status == "shown", "of other designs each window is a question of its own"


def test_a_release_survives_the_way_through_json(cohort: Cleared) -> None:
    again = from_document(json.loads(json.dumps(to_document(cohort))))
    assert again.rows == cohort.rows and again.facts == cohort.facts and again.gates == cohort.gates
    assert all(again.tables[name].equals(table) for name, table in cohort.tables.items())


def test_the_passport_says_what_the_release_is(cohort: Cleared) -> None:
    plan, _ = made.cohort()
    passport = build_passport(cohort, plan, made.QUARTER, edition="002", plan_hash="abc", data={"delivery_hash": "d"})
    assert passport["synthetic"] is True and passport["approved"] is False
    assert passport["marks"] == ["CONCEPT", "SYNTHETIC"]
    assert "SYNTHETIC" in passport["verdict_line"]["nl"]
    assert passport["figures"]["primary"]["n_treated"] == 1100
    json.dumps(passport, allow_nan=False)
    concept = sealed(passport, {"report.nl.html": "a", "effects.csv": "b"})
    after = approved(concept, edition="003", by="Bert", account="bert", at="2026-10-15T12:00:00+00:00")
    assert after["marks"] == ["SYNTHETIC"]
    assert concept_of(sealed(after, {"report.nl.html": "c", "effects.csv": "b"})) == concept
