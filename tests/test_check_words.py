"""What Dagster says of a check: what it found and asked, and what is to be done, also where nothing is."""

from __future__ import annotations

from assets.chain import _said
from expectations import CheckOutcome, CheckSpec


def outcome(*, passed: bool) -> CheckOutcome:
    spec = CheckSpec(
        name="persons_person_unique",
        table="landing.persons",
        column="person_id",
        severity="critical",
        threshold="0 rows",
        description_en="No two rows of landing.persons share person_id, arm.",
        description_nl="Geen twee rijen van landing.persons hebben dezelfde person_id, arm.",
        advice_en="Ask the supplier which of the rows holds.",
        advice_nl="Vraag de leverancier welke van de rijen geldt.",
    )
    return CheckOutcome(
        spec=spec,
        passed=passed,
        figure="0 / 430 (0 %)" if passed else "15 / 430 (3 %)",
        threshold="0 rows",
        advice_en="" if passed else spec.advice_en,
        advice_nl="" if passed else spec.advice_nl,
    )


def test_a_check_that_passed_says_what_it_saw() -> None:
    assert _said(outcome(passed=True)) == "In order: found 0 / 430 (0 %), asked 0 rows. Nothing to do."


def test_a_check_that_failed_says_what_to_do() -> None:
    said = _said(outcome(passed=False))
    assert said == "Found 15 / 430 (3 %), asked 0 rows. Ask the supplier which of the rows holds."
