"""The history of a programme's figure: which editions are told, what is drawn of each, and when there is no picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import report_findings as made

from assets.publishing import _before, _history
from effectmeter.edition_history import MOST_EDITIONS, history, plan_changes, telling, told
from effectmeter.home import Home
from effectmeter.passport_schema import Told
from effectmeter.plan_io import load_plan
from effectmeter.quarters import Quarter
from effectmeter.sentences import LANGUAGES, Language
from reports.history import history_figure
from reports.views import FigureView

PLANS = [{"hash": "a" * 64, "changed": []}, {"hash": "b" * 64, "changed": ["looks.method"]}]
TEXT = re.compile(r"<text[^>]*>(.*?)</text>", flags=re.DOTALL)


def passport(quarter: str, edition: str = "001", plan: str = "a" * 64, **figure: Any) -> dict[str, Any]:
    primary = {
        "outcome": "arrest", "measure": "risk_ratio", "contrast": "treated vs comparison", "estimand": "itt",
        "window_days": 365, "estimate": 0.71, "conf_low": 0.5, "conf_high": 0.98, "verdict_low": 0.44,
        "verdict_high": 1.1, "status": "shown", "reason": "", "reason_nl": "", "figures_of": quarter,
    } | figure  # fmt: skip
    return {
        "quarter": quarter,
        "edition": edition,
        "content_hash": f"{quarter}{edition}",
        "plan": {"hash": plan},
        "figures": {"primary": primary},
    }


def point(quarter: str, **changed: Any) -> dict[str, Any]:
    return told(passport(quarter, **changed))


HIDDEN = {
    "estimate": None, "conf_low": None, "conf_high": None, "verdict_low": None, "verdict_high": None,
    "status": "hidden", "reason": "The groups differ.", "reason_nl": "De groepen verschillen.",
}  # fmt: skip


def drawn(*points: dict[str, Any], language: Language = "en") -> FigureView:
    found = history_figure(points, PLANS, language)
    assert found is not None
    return found


def texts(figure: FigureView) -> str:
    return " ".join(TEXT.findall(figure.wide))


def test_a_first_edition_has_no_picture_and_a_second_has() -> None:
    assert history_figure([point("2026-Q3")], PLANS, "nl") is None
    figure = drawn(point("2026-Q2"), point("2026-Q3", estimate=0.62))
    assert [row[0] for row in figure.table.rows] == ["2026-Q2 · edition 001", "2026-Q3 · edition 001"]
    assert {"0.71", "0.62"} <= set(texts(figure).split())


def test_no_picture_where_no_edition_showed_a_ratio() -> None:
    assert history_figure([point("2026-Q2", **HIDDEN), point("2026-Q3", **HIDDEN)], PLANS, "en") is None
    difference = {"measure": "risk_difference", "estimate": -0.1, "conf_low": -0.2, "conf_high": 0.0}
    assert history_figure([point("2026-Q2", **difference), point("2026-Q3", **difference)], PLANS, "en") is None


@pytest.mark.parametrize(
    ("language", "words", "why"),
    [("nl", "niet getoond", "De groepen verschillen."), ("en", "not shown", "The groups differ.")],
)
def test_a_hidden_edition_is_marked_and_says_why(language: Language, words: str, why: str) -> None:
    figure = drawn(point("2026-Q1"), point("2026-Q2", **HIDDEN), point("2026-Q3"), language=language)
    assert figure.table.rows[1][1] == f"{words}: {why}"
    assert words.split()[0] in texts(figure) and f"2026-Q2 · {'uitgave' if language == 'nl' else 'edition'}" in (
        figure.description
    )
    assert words not in drawn(point("2026-Q2"), point("2026-Q3"), language=language).description


def test_another_definition_and_another_plan_are_marked() -> None:
    figure = drawn(point("2026-Q1", window_days=730), point("2026-Q2"), point("2026-Q3", plan="b" * 64))
    assert [row[3] for row in figure.table.rows] == [
        "–",
        "the figure is about something else",
        "the analysis plan has changed (how often we look)",
    ]
    assert "a: the figure" in figure.note and "b: the analysis plan" in figure.note and "grey figure" in figure.note
    assert {"a", "b"} <= set(texts(figure).split()) and "stroke-dasharray" in figure.wide
    same = drawn(point("2026-Q1"), point("2026-Q2"))
    assert {row[3] for row in same.table.rows} == {"–"} and "grey" not in same.note
    assert not {"a", "b"} & set(texts(same).split())


def test_a_figure_of_an_earlier_quarter_is_told_apart() -> None:
    held = drawn(point("2026-Q2"), point("2026-Q3", figures_of="2026-Q2"))
    assert held.table.rows[1][1].endswith("figure of 2026-Q2") and "figure of another quarter" in held.note
    assert "another quarter" not in drawn(point("2026-Q2"), point("2026-Q3")).note


def test_the_title_counts_the_wider_range() -> None:
    clear = {"verdict_low": 0.5, "verdict_high": 0.9}
    title = drawn(point("2026-Q1"), point("2026-Q2", **clear), point("2026-Q3", **clear)).title
    assert title == "What each edition said: at 2 of 3 the wider range lies on one side of 1"


def test_the_axis_is_logarithmic_with_a_line_at_no_effect() -> None:
    from reports.history import _editions
    from reports.history_charts import editions

    points = [point("2026-Q2"), point("2026-Q3")]
    chart = editions(_editions(points, ["", ""], "en"), less="less", more="more", hidden="not shown", decimal=".")
    layers = chart.to_dict()["layer"]
    scales = [layer["encoding"]["y"]["scale"] for layer in layers if "scale" in layer.get("encoding", {}).get("y", {})]
    assert scales and all(scale["type"] == "log" for scale in scales)
    assert any(layer["encoding"].get("y", {}).get("field") == "null" for layer in layers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_twelve_editions_have_room_and_both_sizes(language: Language) -> None:
    points = [point(f"{2024 + i // 4}-Q{i % 4 + 1}", **(HIDDEN if i % 5 == 2 else {})) for i in range(12)]
    figure = drawn(*points, language=language)
    assert figure.narrow.count("2026-Q4") and len(figure.table.rows) == 12


def test_of_a_concept_and_its_approval_one_is_told_and_never_this_edition_itself() -> None:
    first, second = passport("2026-Q1"), passport("2026-Q1", "002")
    second["content_hash"] = first["content_hash"]
    now = passport("2026-Q2")
    assert telling([first, second, now]) == [second, now]
    assert [item["edition"] for item in history([first, second], now)] == ["002"]
    again = passport("2026-Q2", "002") | {"content_hash": now["content_hash"]}
    assert [item["quarter"] for item in history([first, now], again)] == ["2026-Q1"], "made again, as it was"
    assert history([], now) == []


def test_only_the_newest_editions_are_told() -> None:
    before = [passport(f"{2020 + i // 4}-Q{i % 4 + 1}") for i in range(20)]
    found = history(before, passport("2026-Q3"))
    assert len(found) == MOST_EDITIONS - 1 and found[-1]["quarter"] == "2024-Q4"


def test_changes_of_the_plan_add_up_between_editions() -> None:
    plans = [*PLANS, {"hash": "c", "changed": ["adjust_for"]}]
    points = [{"plan_hash": plan} for plan in ("a" * 64, "c", "c", "unknown")]
    assert plan_changes(points, plans)[:3] == [None, ("adjust_for", "looks.method"), None]
    assert plan_changes(points, plans)[3] is not None


def test_the_passports_schema_knows_what_is_told() -> None:
    hidden = passport("2026-Q2", **HIDDEN)
    bare = passport("2026-Q2") | {"figures": {"primary": None}}
    older = passport("2026-Q2")
    del older["figures"]["primary"]["figures_of"]
    for each in (passport("2026-Q2"), hidden, bare, older):
        Told.model_validate(told(each))


def test_a_damaged_edition_is_left_out(tmp_path: Path) -> None:
    home = Home(tmp_path)
    good = passport("2026-Q1")
    for place, words in {"2026-Q1/001": json.dumps(good), "2026-Q2/001": "{}", "2026-Q2/002": "half of"}.items():
        folder = home.release_root / "tarp" / place
        folder.mkdir(parents=True)
        (folder / "passport.json").write_text(words, encoding="utf-8")
    plan = load_plan(Path(__file__).parents[1] / "programmes" / "tarp.yaml")
    before = _before(home, plan, Quarter.parse("2026-Q3"))
    assert [item["quarter"] for item in _history(before, passport("2026-Q3"))] == ["2026-Q1"]


def test_a_page_draws_its_history_after_what_changed_and_a_first_edition_does_not(tmp_path: Path) -> None:
    plan, findings = made.trial()
    first = made.released(tmp_path, plan, findings)
    then = told(json.loads((first / "passport.json").read_text(encoding="utf-8")))
    second = made.released(tmp_path, plan, findings, "002", [then])
    for language in LANGUAGES:
        page = (second / f"report.{language}.html").read_text(encoding="utf-8")
        assert 'id="figure-history"' in page.partition('id="since-h"')[2].partition('id="quality-h"')[0]
        assert 'id="figure-history"' not in (first / f"report.{language}.html").read_text(encoding="utf-8")
    pictures = [path.read_bytes().count(b"/Figure") for path in (first / "report.nl.pdf", second / "report.nl.pdf")]
    assert pictures[1] >= pictures[0]
