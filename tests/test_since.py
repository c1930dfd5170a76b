"""What changed since the edition before: every sentence both with and without its condition, in both languages."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.publishing import _before, _since
from assets.releases import editions_before
from effectmeter.home import Home
from effectmeter.plan_io import load_plan
from effectmeter.quarters import Quarter
from effectmeter.results import ClaimRuling, EffectRow
from effectmeter.sentences import LANGUAGES, Language
from effectmeter.sentences.since import since_sentences
from effectmeter.since import since

BEFORE: dict[str, Any] = {
    "content_hash": "then",
    "quarter": "2026-Q2",
    "edition": "002",
    "reference_date": "2026-06-30",
    "verdict": {"direction": "inconclusive", "maryland": 3},
    "claims": [{"words": "twee keer minder", "contrast": "t vs c", "ruling": "not_established"}],
    "headline": {"nl": "We weten het nog niet.", "en": "We do not know yet."},
    "figures": {
        "primary": {
            "outcome": "police_contact",
            "measure": "risk_ratio",
            "window_days": 365,
            "estimate": 0.8,
            "conf_low": 0.5,
            "conf_high": 1.2,
            "status": "shown",
        },
        "numbers": [{"arm": "treated", "persons": 430}, {"arm": "comparison", "persons": None}],
    },
    "gates": [{"gate": "size", "status": "failed"}, {"gate": "follow_up", "status": "passed"}],
    "plan": {"hash": "p1", "history": [{"hash": "p1", "changed": []}]},
    "data": {"delivery_hash": "d1"},
    "software": {"effectmeter": "1", "code_hash": "c1"},
}

HISTORY = [*BEFORE["plan"]["history"], {"hash": "p2", "changed": ["looks.method"]}]


def row(**changed: Any) -> EffectRow:
    made: dict[str, Any] = {
        "programme": "p",
        "quarter": "2026-Q3",
        "figures_of": "2026-Q3",
        "design": "comparison_cohort",
        "outcome": "police_contact",
        "measure": "risk_ratio",
        "contrast": "treated vs comparison",
        "estimand": "att",
        "estimator": "g_computation",
        "variance": "hc3",
        "analysis": "primary",
        "window_days": 365,
        "estimate": 0.7,
        "conf_low": 0.5,
        "conf_high": 0.9,
    }
    return EffectRow(**(made | changed))


def claim(ruling: str) -> ClaimRuling:
    return ClaimRuling(
        words="twee keer minder",
        source="",
        outcome="police_contact",
        measure="risk_ratio",
        value=0.5,
        ruling=ruling,  # type: ignore[arg-type]
        sentence="",
        sentence_nl="",
        contrast="t vs c",
    )


def said(
    language: Language = "en",
    now: dict[str, Any] | None = None,
    *,
    first: bool = False,
    quarter: str = "2026-Q3",
    until: date = date(2026, 9, 30),
    direction: str = "inconclusive",
    maryland: int = 3,
    ruling: str = "not_established",
    before: dict[str, Any] | None = None,
    primary: EffectRow | None = None,
    people: dict[str, int | None] | None = None,
    has_decisions: bool = False,
    unit: str = "person",
) -> str:
    found = None if first else since(before or BEFORE, changed() if now is None else now)
    return " | ".join(
        since_sentences(
            found,
            language,
            quarter=quarter,
            reference_date=until,
            direction=direction,
            maryland=maryland,
            claims=[claim(ruling)],
            row=row() if primary is None else primary,
            people={"treated": 430, "comparison": None} if people is None else people,
            names={"treated": "Participants", "comparison": "Comparison"},
            unit=unit,
            decimals=2,
            has_decisions=has_decisions,
        )
    )


def changed(**parts: Any) -> dict[str, Any]:
    return copy.deepcopy(BEFORE) | {"content_hash": "now"} | parts


def test_first_edition_says_only_that() -> None:
    assert said(first=True) == "This is the first edition. There is nothing yet to compare it with."


def test_conclusion_same_or_moved_with_what_it_was() -> None:
    assert said().startswith("The conclusion is the same as in 2026-Q2 (edition 002).")
    moved = said(direction="fewer")
    assert "has changed" in moved and "“We do not know yet.”" in moved and "the same" not in moved


@pytest.mark.parametrize(
    ("primary", "words"),
    [
        (row(), "The figure was 0.80 (0.50 to 1.20). Now it is 0.70 (0.50 to 0.90)."),
        (row(estimate=0.8, conf_low=0.5, conf_high=1.2), "The figure has not changed."),
        (row(figures_of="2026-Q1"), "The figure is still that of 2026-Q1."),
        (row(status="hidden", estimate=None), "There was a figure then. It cannot be shown now."),
        (row(measure="rate_ratio"), "The two cannot be compared."),
        (row(window_days=730), "The two cannot be compared."),
    ],
)
def test_how_the_figure_moved(primary: EffectRow, words: str) -> None:
    figures = ("The figure was", "has not changed", "still that of", "cannot be shown", "cannot be compared")
    text = said(primary=primary)
    assert words in text
    assert sum(figure in text for figure in figures) == 1


def test_a_figure_that_was_not_there_before() -> None:
    hidden = copy.deepcopy(BEFORE)
    hidden["figures"]["primary"] |= {"status": "hidden", "estimate": None}
    for before in (hidden, changed(figures={"primary": None, "numbers": []})):
        assert "There is a figure now." in said(before=before)
        assert "figure" not in said(before=before, primary=row(status="hidden", estimate=None))
    assert "There is a figure now." not in said()


def test_strength_and_rulings_that_changed() -> None:
    assert "The evidence was 3 of 5. Now it is 4." in said(maryland=4) and "of 5" not in said()
    assert "“twee keer minder” was: not established. Now it is: supported." in said(ruling="supported")
    assert "The claim" not in said()


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (changed(plan={"hash": "p2", "history": HISTORY}),
         "The analysis plan has changed: how often we look."),
        (changed(plan={"hash": "p2", "history": []}), "The analysis plan has changed."),
        (changed(software={"effectmeter": "2", "code_hash": "c1"}), "The software that computed it has changed."),
        (changed(software={"effectmeter": "1", "code_hash": "c2"}), "The software that computed it has changed."),
    ],
)  # fmt: skip
def test_plan_and_software_are_reasons(now: dict[str, Any], words: str) -> None:
    assert words in said(now=now)
    assert words not in said()


def test_gates_that_turned() -> None:
    lost = said(now=changed(gates=[{"gate": "size", "status": "failed"}, {"gate": "follow_up", "status": "failed"}]))
    won = said(now=changed(gates=[{"gate": "size", "status": "warned"}, {"gate": "follow_up", "status": "passed"}]))
    assert "is no longer passed" in lost and "stands in the way" not in lost
    assert "no longer stands in the way" in won and "is no longer passed" not in won
    assert "is no longer passed" not in said() and "stands in the way" not in said()


def test_longer_follow_up_and_later_decisions() -> None:
    assert "run until 30 September 2026" in said() and "decisions" not in said()
    assert "decisions that came later" in said(has_decisions=True)
    same = said(quarter="2026-Q2", until=date(2026, 6, 30), has_decisions=True)
    assert "run until" not in same and "decisions" not in same and "Nothing changed" in same


def test_corrected_data_only_within_a_quarter() -> None:
    now = changed(data={"delivery_hash": "d2"})
    assert "Other data were delivered" in said(now=now, quarter="2026-Q2", until=date(2026, 6, 30))
    assert "Other data" not in said(now=now)


def test_people_per_arm_only_where_both_numbers_are_published() -> None:
    text = said(people={"treated": 460, "comparison": 500})
    assert "Participants: 430 people delivered then, 460 now." in text and "Comparison:" not in text
    assert "delivered then" not in said()
    assert "delivered then" not in said(people={"treated": 460, "comparison": None}, unit="area")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_short(language: Language) -> None:
    now = changed(
        data={"delivery_hash": "d2"},
        software={"effectmeter": "2", "code_hash": "c1"},
        plan={"hash": "p2", "history": []},
        gates=[{"gate": "follow_up", "status": "failed"}],
    )
    text = said(language, now, direction="fewer", people={"treated": 460, "comparison": None}, has_decisions=True)
    sentences = [part for line in text.split(" | ") for part in line.replace("”", "").split(". ")]
    assert all(len(sentence.split()) <= 15 for sentence in sentences)


def test_an_edition_that_was_damaged_is_the_reason() -> None:
    same = said(
        quarter="2026-Q2", until=date(2026, 6, 30), before=changed(content_hash="c"), now=changed(content_hash="c")
    )
    assert "damaged and has been made again" in same and "Nothing changed" not in same
    assert "damaged" not in said()


def test_editions_before_newest_first_and_never_later_ones(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert editions_before(home, "p", Quarter.parse("2026-Q3")) == []
    for place in ("2025-Q4/001", "2026-Q2/001", "2026-Q2/002", "2026-Q3/001", "2026-Q4/001"):
        (home.release_root / "p" / place).mkdir(parents=True)
    found = [
        edition.relative_to(home.release_root / "p").as_posix()
        for edition in editions_before(home, "p", Quarter.parse("2026-Q3"))
    ]
    assert found == ["2026-Q3/001", "2026-Q2/002", "2026-Q2/001", "2025-Q4/001"]


def test_a_damaged_edition_before_does_not_hold_up_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    texts = {"2026-Q1/001": json.dumps(BEFORE), "2026-Q2/001": "{}", "2026-Q2/002": "half of a passp"}
    for place, text in texts.items():
        folder = home.release_root / "tarp" / place
        folder.mkdir(parents=True)
        (folder / "passport.json").write_text(text, encoding="utf-8")
    plan = load_plan(Path(__file__).parents[1] / "programmes" / "tarp.yaml")
    found = _since(_before(home, plan, Quarter.parse("2026-Q3")), copy.deepcopy(BEFORE))
    assert found is not None and found["headline"] == BEFORE["headline"]
