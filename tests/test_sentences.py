"""Sentences as pure functions: each rule asked both ways, and no claim that the verdict does not carry."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import report_findings as made

from effectmeter.release import clear
from effectmeter.sentences import (
    LANGUAGES,
    ClaimFact,
    Facts,
    can_say,
    cannot_say,
    frequency_sentence,
    headline,
    needed_sentence,
    settle_sentence,
    verdict_line,
)
from effectmeter.sentences.limits import CAN, CANNOT
from effectmeter.sentences.next_steps import STEPS, Standing, next_steps
from effectmeter.sentences.verdict import FORBIDDEN
from effectmeter.sentences.wording import GATES, RULINGS, STATUS, gate_words
from reports.texts import TEXTS


def facts(**changes: Any) -> Facts:
    return Facts(
        **{
            "design": "comparison_cohort", "direction": "fewer", "works": True, "maryland": 4, "is_synthetic": False,
            "label": {"nl": "contact met de politie", "en": "contact with the police"},
            "predicate": {"nl": "kwamen er| in contact met de politie", "en": "came into contact with the police"},
            "window_days": 365, "kind": "frequency", "measure": "risk_ratio", "with_programme": 21,
            "without_programme": 34,
            "without_low": 27, "without_high": 41, "estimate": 0.62, "low": 0.51, "high": 0.78, "n_treated": 1100,
            "n_comparison": 2205, "raw": (21, 34), "gates": {"size": "passed"},
            "settle": {"nl": "Met nog ongeveer 140 deelnemers weten we het.", "en": "About 140 more would settle it."},
        } | changes
    )  # fmt: skip


CASES = {
    "works": facts(),
    "weak": facts(works=False, maryland=2),
    "harm": facts(direction="more", works=False, estimate=1.5, low=1.2, high=1.9),
    "nothing": facts(direction="no_effect_of_importance", works=False, estimate=0.98, low=0.8, high=1.2),
    "open": facts(direction="inconclusive", works=False, estimate=0.8, low=0.55, high=1.2),
    "areas": facts(design="staggered_areas", unit="area", kind="inhabitants", measure="rate_ratio", per=1000,
                   window_days=None, n_treated=27, n_comparison=40, raw=None, works=False),
    "areas_open": facts(design="staggered_areas", unit="area", kind="ratio", measure="rate_ratio", raw=None,
                        direction="inconclusive", works=False, with_programme=None, low=0.8, high=1.1),
    "areas_values": facts(design="staggered_areas", unit="area", kind="difference", measure="mean_difference",
                          estimate=-0.0052, low=-0.0094, high=-0.001, raw=None, works=False),
    "series": facts(design="interrupted_series", unit="period", kind="series", measure="level_ratio", period="month",
                    per=1, with_programme=40, without_programme=52, without_low=47, without_high=58, window_days=None,
                    n_treated=24, n_comparison=60, raw=None, has_control=False, works=False, maryland=2),
    "series_slope": facts(design="interrupted_series", unit="period", kind="ratio", measure="level_ratio", raw=None,
                          period="month", n_treated=24, n_comparison=60, works=False),
    "trials": facts(design="pooled_trials", unit="trial", kind="frequency", measure="odds_ratio", n_trials=7,
                    window_days=None, direction="more", works=False, estimate=1.7, low=1.0, high=2.9),
    "trials_differ": facts(design="pooled_trials", unit="trial", kind="ratio", measure="odds_ratio", n_trials=58,
                           direction="inconclusive", works=False, is_prediction=True, mean=(0.65, 0.58, 0.74),
                           window_days=None, with_programme=None, low=0.34, high=1.25,
                           gates={"heterogeneity": "warned"}),
    "hidden": facts(direction="not_shown", works=False, kind="none", estimate=None, low=None, high=None, raw=None,
                    reason={"nl": "Te weinig mensen.", "en": "Too few people."}),
}  # fmt: skip


def test_the_verdict_line_is_in_natural_frequencies() -> None:
    assert frequency_sentence(facts(), "nl") == (
        "Van elke 100 deelnemers kwamen er 21 binnen een jaar in contact met de politie; "
        "zonder het programma zouden dat er 34 zijn geweest (27 tot 41)."
    )
    assert frequency_sentence(facts(), "en") == (
        "Of every 100 participants, 21 came into contact with the police within a year; "
        "without the programme 34 would have (27 to 41)."
    )


def test_the_number_needed_stands_beside_where_it_has_an_end() -> None:
    assert needed_sentence(facts(), "en") == "That is one fewer for about every 8 participants (5 to 17)."
    assert needed_sentence(facts(), "nl") == "Dat is er één minder op ongeveer elke 8 deelnemers (5 tot 17)."
    harm = facts(direction="more", works=False, with_programme=40, without_low=27, without_high=38)
    assert needed_sentence(harm, "en") == "That is one more for about every 17 participants (8 to 50)."
    assert needed_sentence(harm, "en") in verdict_line(harm, "en")
    for open_ in (facts(direction="inconclusive"), facts(without_low=21), facts(kind="rate"), facts(without_low=None)):
        assert needed_sentence(open_, "en") == ""


def test_an_outcome_without_a_known_verb_is_told_with_its_label() -> None:
    said = frequency_sentence(facts(predicate={}, label={"nl": "een boete", "en": "a fine"}), "nl")
    assert said.startswith("Van elke 100 deelnemers hadden er 21 binnen een jaar te maken met een boete;")


@pytest.mark.parametrize("kind", [
    facts(kind="rate", measure="rate_ratio"), facts(kind="ratio", measure="hazard_ratio"),
    facts(kind="difference", measure="mean_difference", estimate=-3.4, low=-4.5, high=-2.4),
])  # fmt: skip
def test_every_kind_of_figure_has_its_sentence(kind: Facts) -> None:
    for language in LANGUAGES:
        assert frequency_sentence(kind, language).endswith(".")


def test_figures_are_written_in_the_readers_locale() -> None:
    ratio = facts(kind="ratio", measure="hazard_ratio")
    assert "0,62" in frequency_sentence(ratio, "nl") and "0.62" not in frequency_sentence(ratio, "nl")
    assert "0.62" in frequency_sentence(ratio, "en")


@pytest.mark.parametrize("name", [name for name in CASES if name != "works"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_cause_and_multiples_need_a_verdict_that_works(name: str, language: Any) -> None:
    case = CASES[name]
    said = " ".join([verdict_line(case, language), *can_say(case, language)]).lower()
    said = said.replace("of dit programma helpt", "")
    for word in FORBIDDEN[language]:
        assert not re.search(rf"\b{re.escape(word)}\b", said), (word, said)


def test_works_is_said_when_it_holds() -> None:
    assert "werkt" in headline(facts(), "nl") and "works" in headline(facts(), "en")


def test_a_multiple_is_refused_unless_the_whole_interval_carries_it() -> None:
    assert any("twee keer" in said for said in cannot_say(facts(high=0.78), "nl"))
    assert not any("twee keer" in said for said in cannot_say(facts(low=0.2, high=0.45), "nl"))


def test_inconclusive_is_told_apart_from_no_effect() -> None:
    case = CASES["open"]
    assert "weten nog niet" in headline(case, "nl")
    assert "140" in settle_sentence(case, "nl") and "140" in settle_sentence(case, "en")
    assert any("werkt niet" in said for said in cannot_say(case, "nl"))
    assert not any("werkt niet" in said for said in cannot_say(CASES["works"], "nl"))


def test_harm_is_said_as_loudly() -> None:
    assert "schade" in headline(CASES["harm"], "nl") and "harm" in headline(CASES["harm"], "en")
    better_high = facts(direction="fewer", works=False, is_lower_better=False)
    assert "schade" in headline(better_high, "nl")


def test_nothing_shown_says_why() -> None:
    assert "Te weinig mensen." in verdict_line(CASES["hidden"], "nl")
    assert frequency_sentence(CASES["hidden"], "nl") == ""


def test_more_studies_do_not_settle_what_differs_from_place_to_place() -> None:
    case = CASES["trials_differ"]
    assert "differs from place to place" in settle_sentence(case, "en") and "140" not in settle_sentence(case, "en")
    assert "verschilt per plek" in settle_sentence(case, "nl")


def test_synthetic_is_said_in_words() -> None:
    for language in LANGUAGES:
        assert "SYNTHETIC" in verdict_line(facts(is_synthetic=True), language)
        assert "SYNTHETIC" not in verdict_line(facts(), language)


VARIANTS = [*CASES.values(), facts(unit="area", design="staggered_areas", kind="inhabitants", measure="rate_ratio"),
            facts(is_synthetic=True), facts(design="randomised"), facts(window_days=None),
            facts(low=0.1, high=0.3), facts(n_treated=None), facts(raw=None),
            facts(claims=(ClaimFact(words="half zo vaak", ruling="supported"),)),
            facts(claims=(ClaimFact(words="half zo vaak", ruling="not_established"),)),
            facts(gates={"time_zero": "not_evaluated"})]  # fmt: skip


@pytest.mark.parametrize("rule", [*CAN, *CANNOT], ids=lambda rule: rule.name)
def test_every_rule_holds_somewhere_and_speaks_both_languages(rule: Any) -> None:
    holding = [case for case in VARIANTS if rule.holds(case)]
    assert holding
    if rule.name != "one_person":
        assert len(holding) < len(VARIANTS)
    for case in holding:
        for language in LANGUAGES:
            assert rule.sentence(case, language).endswith(".")


STANDINGS = [Standing(), Standing(is_approved=True), Standing(is_approved=True, n_noticed=2)]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_is_asked_for_somewhere_and_not_everywhere(step: Any) -> None:
    claims = (ClaimFact(words="half zo vaak", ruling="contradicted"),)
    cases = [(case, standing) for case in [*VARIANTS, facts(claims=claims)] for standing in STANDINGS]
    holding = [pair for pair in cases if step.holds(*pair)]
    assert 0 < len(holding) < len(cases)
    for words in (step.nl, step.en):
        assert words.endswith(".")
    assert all(len(part.split()) <= 17 for part in re.split(r"(?<=[.:])\s+", step.nl))


def test_what_to_do_follows_the_verdict() -> None:
    said = {name: " ".join(next_steps(case, Standing(is_approved=True), "en")) for name, case in CASES.items()}
    assert "Discuss this at once" in said["harm"] and "Discuss this at once" not in said["works"]
    assert "Keep the programme as it is" in said["works"] and "Keep the programme" not in said["weak"]
    assert "Do not stop or grow" in said["open"] and "Do not stop or grow" not in said["nothing"]
    assert "another way of comparing" in said["hidden"] and "another way" not in said["open"]
    assert next_steps(facts(is_synthetic=True), Standing(), "nl")[0].startswith("Besluit niets")


def test_what_was_not_shown_is_not_called_chance() -> None:
    assert "“The programme works.” There is no fair comparison to show." in cannot_say(CASES["hidden"], "en")
    assert "“The programme works.” The difference may still be chance." in cannot_say(CASES["open"], "en")


def test_a_raw_difference_that_points_the_other_way_says_which_one_counts() -> None:
    other = facts(direction="no_effect_of_importance", works=False, estimate=0.93, low=0.8, high=1.1, raw=(44, 40))
    assert any("So the adjusted figure counts." in said for said in can_say(other, "en"))
    assert not any("adjusted figure counts" in said for said in can_say(replace(other, raw=(38, 40)), "en"))


def test_with_several_arms_each_is_named_with_its_own_answer() -> None:
    case = facts(arm="therapy", others=(("cash", "more"), ("both", "inconclusive")))
    assert headline(case, "en").startswith("Group “therapy”: ") and headline(case, "nl").startswith("Groep “therapy”: ")
    said = verdict_line(case, "en")
    assert "Group “cash”: more contact with the police than in the comparison group. This is harm." in said
    assert "Group “both”: we do not know yet." in said
    assert "Groep “cash”: meer contact met de politie dan in de vergelijkingsgroep. Dat is schade." in verdict_line(
        case, "nl"
    )
    assert "“" not in verdict_line(facts(), "en")


def test_a_ruling_names_its_arm_where_there_are_several() -> None:
    claims = tuple(ClaimFact(words="halved", ruling="supported", arm=arm) for arm in ("therapy", ""))
    assert "This statement holds: “halved” (therapy), “halved”." in can_say(facts(claims=claims), "en")


def test_a_cohort_without_start_dates_says_so() -> None:
    case = facts(gates={"time_zero": "not_evaluated"})
    assert "no start dates were delivered" in verdict_line(case, "en")
    assert "geen startdatums" in verdict_line(case, "nl")
    assert "start dates" not in verdict_line(replace(case, direction="not_shown"), "en")


def test_a_limit_that_is_stated_holds() -> None:
    said = can_say(facts(direction="inconclusive", works=False, low=0.556, high=1.234), "en")
    assert "A fall of more than 45 percent is unlikely." in said
    assert "A rise of more than 24 percent is unlikely." in said


def test_every_status_and_ruling_has_words() -> None:
    assert gate_words("size", "failed", "nl") == "te weinig"
    assert gate_words("balance", "failed", "nl") == "niet in orde"
    assert gate_words("balance", "not_evaluated", "en") == "not possible"
    for words in [*STATUS.values(), *RULINGS.values(), *TEXTS.values(), *(w for pair in GATES.values() for w in pair)]:
        assert set(words) == set(LANGUAGES) and all(words.values())


def test_dutch_sentences_are_short() -> None:
    plan, findings = made.cohort()
    case = clear(findings, plan, made.QUARTER).facts
    texts = [verdict_line(case, "nl"), *can_say(case, "nl"), *cannot_say(case, "nl"), *(step.nl for step in STEPS)]
    texts += [words["nl"] for key, words in TEXTS.items() if key.endswith(("_note", "_explained"))]
    sentences = [part for text in texts for part in re.split(r"(?<=[.!?;:])\s+", text) if part]
    assert sum(len(part.split()) for part in sentences) / len(sentences) <= 15


NO_PERSONS = ("areas", "areas_open", "areas_values", "series", "series_slope")


@pytest.mark.parametrize("name", NO_PERSONS)
def test_nobody_takes_part_where_there_are_no_persons(name: str) -> None:
    for language, words in (("nl", ("deelnemer", "mensen", "wie meedeed")), ("en", ("participant", "people"))):
        said = " ".join(
            [
                verdict_line(CASES[name], language),  # type: ignore[arg-type]
                *can_say(CASES[name], language),  # type: ignore[arg-type]
                *cannot_say(CASES[name], language),  # type: ignore[arg-type]
            ]
        ).lower()
        assert not [word for word in words if word in said], said


def test_areas_series_and_trials_are_told_in_their_own_numbers() -> None:
    assert frequency_sentence(CASES["areas"], "nl") == (
        "In de gebieden met het programma telden we per jaar 21 op elke 1.000 inwoners (contact met de politie); "
        "zonder het programma zou dat 34 zijn geweest (27 tot 41)."
    )
    assert frequency_sentence(CASES["series"], "en") == (
        "After the start a month counted 40 on average (contact with the police); "
        "without the programme 52 would have been expected (47 to 58)."
    )
    assert "38 procent minder" in frequency_sentence(CASES["series_slope"], "nl")
    assert "in deze studies" in frequency_sentence(CASES["trials"], "nl")
    assert "next site" in frequency_sentence(CASES["trials_differ"], "en")
    assert "0,0052 lager" in frequency_sentence(CASES["areas_values"], "nl")
    assert any("27 gebieden" in said for said in can_say(CASES["areas"], "nl"))
    assert any("60 maanden vóór de start en 24 erna" in said for said in can_say(CASES["series"], "nl"))
    assert any("58 studies" in said for said in can_say(CASES["trials_differ"], "nl"))


def test_a_single_person_is_spoken_of_in_the_singular() -> None:
    assert "kwam er 1 binnen" in frequency_sentence(replace(facts(), with_programme=1), "nl")
