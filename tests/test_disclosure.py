"""The release rules, each asked both ways: what must be masked, and what must not."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import report_findings as made

from effectmeter import disclosure, disclosure_texts
from effectmeter.clearing import clear_effects, clear_row, persons_with_event
from effectmeter.clearing_context import Context
from effectmeter.disclosure import Rules, Step
from effectmeter.errors import PublicationError
from effectmeter.plan import Disclosure, Looks
from effectmeter.results import EffectRow

RULES = Rules()
CONTEXT = Context(rules=RULES, looks=Looks(method="none"))


def risk_row(e1: int, n1: int, e0: int, n0: int, **changes: object) -> EffectRow:
    rows = made.risk_rows(made.trial_plan(), outcome="arrest", window=364, counts=(e1, n1, e0, n0))
    return replace(rows[0], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "published"), [(0, None), (9, None), (10, 10), (12, 10), (13, 15), (216, 215)])
def test_counts_are_masked_below_ten_and_rounded_to_five(count: int, published: int | None) -> None:
    assert disclosure.safe_count(count, RULES) == published


def test_no_published_count_lies_between_one_and_nine() -> None:
    for count in range(200):
        published = disclosure.safe_count(count, RULES)
        assert published is None or (published >= 10 and published % 5 == 0)


def test_looser_rules_need_a_written_reason() -> None:
    with pytest.raises(PublicationError, match="without a written reason"):
        Rules.of(Disclosure(minimum_persons=5))
    assert Rules.of(Disclosure(minimum_persons=5, reason="Published register")).minimum_persons == 5
    assert Rules.of(Disclosure(minimum_persons=20)).minimum_persons == 20


def test_only_the_event_category_is_a_class_disclosure() -> None:
    assert disclosure.is_class_disclosure(91, 100, RULES)
    assert not disclosure.is_class_disclosure(90, 100, RULES)
    assert not disclosure.is_class_disclosure(0, 100, RULES)


def test_dominance_asks_for_the_largest_one_and_two() -> None:
    assert disclosure.is_dominated([51, 49], RULES)
    assert disclosure.is_dominated([46, 46, 8], RULES)
    assert not disclosure.is_dominated([30, 30, 30, 10], RULES)


@pytest.mark.parametrize(("n", "parameters", "smallest", "allowed"), [
    (20, 10, 15, True), (19, 10, 15, False), (200, 10, 9, False), (200, 10, 10, True), (None, 10, None, True),
])  # fmt: skip
def test_models_need_freedom_and_no_tiny_cell(
    n: int | None, parameters: int, smallest: int | None, allowed: bool
) -> None:
    assert disclosure.may_release_model(n, parameters, smallest, RULES) is allowed


def test_a_saturated_ratio_comes_from_rounded_counts() -> None:
    cleared = clear_row(risk_row(48, 216, 66, 216), CONTEXT).row
    assert (cleared.events_treated, cleared.n_treated, cleared.events_comparison) == (50, 215, 65)
    assert cleared.estimate == round((50 / 215) / (65 / 215), 4)
    assert cleared.estimate != round(48 / 66, 4)


def test_exact_counts_cannot_be_had_back_from_the_released_ratio() -> None:
    """At four decimals an exact ratio gives 48/216 and 66/216 back; the released one gives the rounded counts."""
    cleared = clear_row(risk_row(48, 216, 66, 216), CONTEXT).row
    assert cleared.estimate is not None and cleared.std_error is not None
    fitting = [
        (a, b, n)
        for n in range(213, 218)
        for a, b in itertools.product(range(48, 53), range(63, 68))
        if round((a / n) / (b / n), 4) == cleared.estimate
        and round(math.sqrt(1 / a - 1 / n + 1 / b - 1 / n), 4) == cleared.std_error
    ]
    assert (48, 66, 216) not in fitting
    assert fitting == [(50, 65, 215)]


def test_two_deliveries_that_round_alike_are_released_alike() -> None:
    first, second = (
        clear_row(risk_row(48, 216, 66, 216), CONTEXT).row,
        clear_row(risk_row(51, 214, 64, 215), CONTEXT).row,
    )
    assert first == second


def test_a_model_row_without_covariates_is_treated_as_the_saturated_row_it_is() -> None:
    cleared = clear_row(risk_row(48, 216, 66, 216, analysis="primary", estimator="g_computation"), CONTEXT).row
    assert cleared.estimate == round((50 / 215) / (65 / 215), 4)


def test_an_adjusted_row_has_two_decimals() -> None:
    cleared = clear_row(risk_row(48, 216, 66, 216, analysis="primary", estimate=0.71287), CONTEXT).row
    assert cleared.estimate == 0.71
    assert cleared.std_error == round(cleared.std_error or 0, 2)


def test_clustering_keeps_its_wider_error() -> None:
    row = risk_row(48, 216, 66, 216)
    wider = replace(row, std_error=(row.std_error or 0) * 1.5, variance="cr1")
    plain, clustered = clear_row(row, CONTEXT).row, clear_row(wider, CONTEXT).row
    assert clustered.std_error == pytest.approx(1.5 * (plain.std_error or 0), abs=1e-4)


@pytest.mark.parametrize("events", [0, 1, 8, 9])
def test_the_bound_of_an_arm_with_few_events_does_not_tell_how_few(events: int) -> None:
    row = risk_row(max(events, 1), 216, 66, 216, events_treated=float(events), estimate=0.02, conf_high=0.1)
    entry, nine = clear_row(row, CONTEXT), clear_row(risk_row(9, 216, 66, 216), CONTEXT)
    assert entry == nine
    assert entry.is_suppressed
    assert entry.row.status == "suppressed"
    assert entry.row.estimate is None and entry.row.events_treated is None
    assert entry.row.conf_low is None and entry.row.conf_high is not None


def test_an_adjusted_cohort_row_gets_no_raw_bound() -> None:
    row = risk_row(3, 216, 66, 216, analysis="primary", design="comparison_cohort")
    assert clear_row(row, CONTEXT).row.conf_high is None


def test_ten_events_are_enough() -> None:
    entry = clear_row(risk_row(10, 216, 66, 216), CONTEXT)
    assert entry.row.status == "shown" and not entry.is_suppressed


def test_nearly_everyone_with_the_event_is_hidden() -> None:
    assert clear_row(risk_row(196, 216, 66, 216), CONTEXT).row.status == "suppressed"
    assert clear_row(risk_row(190, 216, 66, 216), CONTEXT).row.status == "shown"


def test_few_families_hide_a_row_and_few_sites_do_not() -> None:
    row = risk_row(48, 216, 66, 216, n_clusters_treated=9, n_clusters_comparison=60)
    assert clear_row(row, replace(CONTEXT, clusters_are_families=True)).row.status == "suppressed"
    assert clear_row(row, CONTEXT).row.status == "shown"


def test_a_rate_is_judged_by_persons_and_not_by_events() -> None:
    rate = risk_row(40, 216, 66, 216, measure="rate_ratio", person_years_treated=200.0, person_years_comparison=190.0)
    risk = risk_row(6, 216, 66, 216)
    alone = clear_row(rate, CONTEXT)
    known = replace(CONTEXT, persons_with_event=persons_with_event([risk, rate]))
    assert alone.row.status == "shown"
    assert clear_row(rate, known).row.status == "suppressed"


def test_a_hidden_row_tells_no_events() -> None:
    row = risk_row(48, 216, 66, 216, status="hidden", reason="Too few: 12 persons and 4 persons.")
    cleared = clear_row(row, CONTEXT).row
    assert cleared.n_treated == 215
    assert (cleared.events_treated, cleared.estimate, cleared.conf_low, cleared.p_value) == (None, None, None, None)
    assert cleared.reason == "Too few: 10 persons and fewer than 10 persons."


def test_a_second_subgroup_is_hidden_with_the_first() -> None:
    rows = [
        risk_row(events, 100, 30, 100, analysis="subgroup", subgroup=f"age={name}")
        for name, events in (("low", 4), ("middle", 20), ("high", 40))
    ]
    status = [entry.row.status for entry in clear_effects(rows, CONTEXT)]
    assert status == ["suppressed", "suppressed", "shown"]
    assert [entry.row.status for entry in clear_effects(rows[1:], CONTEXT)] == ["shown", "shown"]


def test_clearing_twice_changes_nothing_more() -> None:
    rows = [risk_row(48, 216, 66, 216), risk_row(48, 216, 66, 216, analysis="primary", estimate=0.7129)]
    once = [entry.row for entry in clear_effects(rows, CONTEXT)]
    twice = [entry.row for entry in clear_effects(once, CONTEXT)]
    assert [(row.n_treated, row.events_treated, row.estimate) for row in once] == [
        (row.n_treated, row.events_treated, row.estimate) for row in twice
    ]


def test_every_curve_step_hides_enough_persons_while_enough_remain() -> None:
    raw = [Step(day, 60 - day, 1, day) for day in range(1, 60)]
    steps = disclosure.curve_steps(raw, RULES, grid_days=7)
    assert all(step.n_events >= 10 and step.n_at_risk >= 10 for step in steps)
    assert sum(step.n_events for step in steps) == 50
    assert disclosure.curve_steps(raw[:9], RULES, grid_days=7) == []


@pytest.mark.parametrize(("text", "language", "cleared"), [
    ("216 and 9 persons", "", "215 and < 10 persons"),
    ("With about 7 more it can be shown.", "en", "With about fewer than 10 more it can be shown."),
    ("maar 19 groepen", "nl", "maar 15 groepen"),
    ("97.4 % and 100 % complete", "", "97 % and 100 % complete"),
    ("within 364 days", "en", "within 364 days"),
    ("largest SMD 0.041 (prior_police_contact_24m)", "", "largest SMD 0.04 (prior_police_contact_24m)"),
    ("verhouding 0,582", "nl", "verhouding 0,58"),
    ("1,216 persons", "en", "1215 persons"),
    ("0 of 432 rows", "", "0 of 430 rows"),
    ("largest SMD 0.06 (age^2 * sex)", "", "largest SMD 0.06 (age^2 * sex)"),
    (">= 60 in both arms; < 30 fails", "", ">= 60 in both arms; < 30 fails"),
])  # fmt: skip
def test_counts_in_sentences_are_cleared_and_other_figures_are_not(text: str, language: str, cleared: str) -> None:
    assert disclosure_texts.clear_text(text, RULES, language) == cleared


def test_a_count_that_was_too_small_does_not_read_as_enough() -> None:
    assert disclosure_texts.clear_text("19 and 61 clusters", RULES) == "15 and 60 clusters"
    assert disclosure_texts.clear_text("9 and 61 clusters", RULES) == "< 10 and 60 clusters"


def test_no_published_count_reads_as_enough_when_it_is_not_nor_tells_it_within_two() -> None:
    """Beside a gate that warns below 20, a published 20 would leave 18 and 19 only."""
    for threshold in RULES.thresholds:
        behind: dict[int | None, list[int]] = {}
        for count in range(10, 100):
            if count < threshold:
                behind.setdefault(disclosure.safe_count(count, RULES), []).append(count)
        assert all(shown is not None and shown < threshold for shown in behind)
        assert min(len(counts) for counts in behind.values()) >= 3


def test_a_small_cell_that_a_gate_hid_is_not_the_total_less_its_siblings() -> None:
    row = {"analysis": "subgroup", "subgroup": "sex=f", "status": "hidden", "reason": "too few"}
    hidden = risk_row(4, 100, 30, 100, **row)
    sibling = risk_row(44, 116, 36, 116, analysis="subgroup", subgroup="sex=m")
    cleared = clear_effects([hidden, sibling], CONTEXT)
    assert [entry.row.status for entry in cleared] == ["hidden", "suppressed"]
    assert cleared[1].row.events_treated is None


def test_an_arm_of_too_few_families_tells_neither_events_nor_years() -> None:
    row = risk_row(30, 60, 40, 80, n_clusters_treated=8, n_clusters_comparison=20, person_years_treated=60.0)
    cleared = clear_row(row, replace(CONTEXT, clusters_are_families=True)).row
    assert (cleared.status, cleared.events_treated, cleared.person_years_treated) == ("suppressed", None, None)


def test_years_until_few_first_events_are_masked_with_them() -> None:
    row = risk_row(4, 216, 66, 216, measure="hazard_ratio", person_years_treated=213.1, person_years_comparison=185.0)
    cleared = clear_row(row, CONTEXT).row
    assert (cleared.person_years_treated, cleared.person_years_comparison) == (None, 185)
