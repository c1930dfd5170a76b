"""Reports and portfolio of designs without persons: their words, their pictures, and no ranking."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
import report_findings as persons
import report_units as made
from test_report import Outline

from effectmeter.release import clear
from reports import RELEASE_FILES, charts, unit_charts, write_portfolio
from reports.build import _areas_left_out
from reports.figures import difference_beside
from reports.gate_words import local

PROGRAMMES = ("wijken", "reeks", "proeven")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release")
    for plan, findings in (made.areas(), made.series(), made.trials(), persons.trial(), persons.families()):
        persons.released(root, plan, findings)
    return root


def page(root: Path, programme: str, language: str = "nl") -> str:
    return (root / programme / "2026-Q3" / "001" / f"report.{language}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_the_release_is_whole(releases: Path, programme: str) -> None:
    folder = releases / programme / "2026-Q3" / "001"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(RELEASE_FILES) <= found
    assert {"tables/series_points.csv", "tables/trial_effects.csv"} <= found
    assert (folder / "report.nl.pdf").read_bytes().startswith(b"%PDF-1.7")


@pytest.mark.parametrize("programme", PROGRAMMES)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_picture_has_a_name_and_a_table(releases: Path, programme: str, language: str) -> None:
    html = page(releases, programme, language)
    outline = Outline(html)
    ids = [attributes["id"] for _, attributes in outline.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert pictures
    for picture in pictures:
        assert picture["role"] == "img" and set((picture["aria-labelledby"] or "").split()) <= set(ids)
    for figure in re.findall(r"<figure.*?</figure>", html, flags=re.DOTALL):
        assert "<figcaption" in figure and "<table" in figure and "<caption" in figure


@pytest.mark.parametrize(("programme", "figures"), [
    ("wijken", ("event-study", "rings")), ("reeks", ("series",)), ("proeven", ("trials", "left_out")),
])  # fmt: skip
def test_each_design_has_its_own_pictures(releases: Path, programme: str, figures: tuple[str, ...]) -> None:
    html = page(releases, programme)
    for key in figures:
        assert f'id="figure-{key}"' in html
    others = {"event-study", "rings", "series", "trials", "left_out"} - set(figures)
    assert not [key for key in others if f'id="figure-{key}"' in html]


@pytest.mark.parametrize("programme", ["wijken", "reeks"])
def test_nobody_takes_part_in_an_area_or_a_series(releases: Path, programme: str) -> None:
    for language, words in (("nl", ("deelnemer", "mensen")), ("en", ("participant", "people"))):
        text = re.sub(r"<style.*?</style>|<[^>]+>", " ", page(releases, programme, language), flags=re.DOTALL).lower()
        assert not [word for word in words if word in text]


def test_the_pages_say_how_much_they_are_about(releases: Path) -> None:
    assert "Over hoeveel gebieden gaat dit?" in page(releases, "wijken")
    assert "27 gebieden met het programma en 41 om mee te vergelijken" in page(releases, "wijken")
    assert "60 maanden vóór de start en 24 erna" in page(releases, "reeks")
    assert "4 studies, samen met ongeveer" in page(releases, "proeven")
    assert "op elke 1.000 inwoners" in page(releases, "wijken")
    assert "was 52 verwacht" in page(releases, "reeks")
    assert "op een volgende plek" in page(releases, "proeven")


def test_other_methods_are_summed_up(releases: Path) -> None:
    assert "Eén andere berekening: die zegt hetzelfde" in page(releases, "reeks")
    plan, findings = made.series()
    against = tuple(
        replace(row, estimate=1.5, conf_low=1.3, conf_high=1.7) if row.subgroup == "trend=none" else row
        for row in findings.effects
    )
    from reports.trust import agreement_sentence

    said = agreement_sentence(clear(replace(findings, effects=against), plan, persons.QUARTER), "nl")
    assert "Met een ander antwoord: 1 (Zonder trend)" in said


def test_trials_stand_in_the_order_of_the_delivery(releases: Path) -> None:
    title = "De studies één voor één: odds ratio"
    rows = Outline(page(releases, "proeven")).tables[title][1:]
    assert [cells[0] for cells in rows] == [name for name, *_ in made.TRIALS]


def test_figures_about_the_figure_are_in_no_forest() -> None:
    plan, findings = persons.trial()
    beside = [
        replace(findings.effects[0], analysis="sensitivity", estimator=name, estimate=3.21, conf_low=1.11)
        for name in ("e_value", "tipping_point")
    ]
    cleared = clear(replace(findings, effects=(*findings.effects, *beside)), plan, persons.QUARTER)
    from reports.figures import methods_figure, outcomes_figure
    from reports.trust import tipping_sentence

    for figure in (outcomes_figure(cleared, plan, "nl"), methods_figure(cleared, plan, "nl")):
        assert figure is not None and "3,21" not in figure.description
    assert "3,2 keer" in tipping_sentence(cleared, "nl")


def test_the_absolute_difference_stays_when_few_events_have_a_method_of_their_own() -> None:
    _, findings = persons.trial()
    few = tuple(replace(row, estimator="score") if row.measure == "risk_ratio" else row for row in findings.effects)
    primary = next(row for row in few if row.analysis == "primary" and row.measure == "risk_ratio")
    found = difference_beside(primary, few)
    assert found is not None and found.measure == "risk_difference"
    assert difference_beside(replace(primary, analysis="sensitivity"), few) is None


def test_the_portfolio_mixes_designs_and_ranks_nobody(releases: Path) -> None:
    pages = write_portfolio(releases)
    html = pages[0].read_text(encoding="utf-8")
    titles = re.findall(r'<h2 id="p\d+">(.*?)</h2>', html)
    assert titles == sorted(titles, key=str.lower) and len(titles) == 5
    assert "27 gebieden" in html and "24 perioden na de start" in html and "4 studies" in html
    assert "odds ratio" in html and "niveau (verhouding)" in html


def test_small_counts_are_in_no_file(releases: Path) -> None:
    for programme in PROGRAMMES:
        for path in (releases / programme / "2026-Q3" / "001" / "tables").glob("*.csv"):
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
                for name in ("events_treated", "events_comparison", "observed"):
                    if row.get(name):
                        assert float(row[name]) >= 10 and float(row[name]) % 5 == 0, (programme, path.name, name)


@pytest.mark.parametrize("is_ratio", [True, False])
@pytest.mark.parametrize("is_narrow", [True, False])
def test_an_event_study_marks_no_effect_and_the_start(is_ratio: bool, is_narrow: bool) -> None:
    rows = [unit_charts.TimedEffect(time, 1.1 if is_ratio else 0.1, 0.4, None) for time in range(-3, 4)]
    spec = unit_charts.event_study(
        rows, is_ratio=is_ratio, x_title="x", y_title="y", start="start", decimal=",", is_narrow=is_narrow
    ).to_dict()
    text = str(spec)
    assert f"'null': {1.0 if is_ratio else 0.0}" in text and "'time': -0.5" in text
    assert ("'type': 'log'" in text) == is_ratio


def test_a_series_draws_what_was_expected_only_with_its_band_after_the_start() -> None:
    points = [unit_charts.PeriodPoint(i, f"2024-{i + 1:02d}", i >= 6, 40.0, 50.0, 45.0, 55.0) for i in range(12)]
    spec = unit_charts.series(points, y_title="y", counted="c", expected="e", start="s").to_dict()
    area = next(layer for layer in spec["layer"] if layer["mark"].get("type") == "area")
    assert [value["place"] for value in area["data"]["values"]] == list(range(6, 12))
    assert charts.TOKENS["other"] in str(area)


def test_a_threshold_is_dutch_altogether_or_english_altogether() -> None:
    assert local("I2 < 40 % and, for ratios, tau < 0.69; never fails", "nl") == (
        "I2 < 40 % en, bij verhoudingen, tau < 0,69; keurt nooit af"
    )
    assert local("some new rule with words that nobody knows", "nl") == "some new rule with words that nobody knows"


@pytest.mark.parametrize(
    ("areas", "is_programme", "reason"),
    [
        ("calibrated", False, "146: lijken te weinig op de gebieden met het programma"),
        ("calibrated", True, "146: hebben niet genoeg cijfers van vóór of na de start om mee te tellen"),
        ("never_treated", False, "146: hebben niet genoeg cijfers van vóór of na de start om mee te tellen"),
    ],
)
def test_areas_that_do_not_count_have_a_reason(areas: str, is_programme: bool, reason: str) -> None:
    plan, _ = made.areas()
    assert plan.areas is not None
    plan = plan.model_copy(update={"areas": plan.areas.model_copy(update={"comparison": areas})})
    (step,) = _areas_left_out(160, 14, plan, is_programme, "nl")
    assert f"{step.lost}: {step.reason}" == reason
    assert _areas_left_out(160, 160, plan, is_programme, "nl") == ()
    assert _areas_left_out(160, 190, plan, is_programme, "nl") == ()  # areas before their own start count too


def test_what_was_to_be_expected_is_told_in_one_language() -> None:
    figure = "change 0.60; expected without effect 0.81 (comparison families), 0.56 (the period before)"
    told = "verandering 0,60; verwacht zonder effect 0,81 (gezinnen om mee te vergelijken), 0,56 (de periode daarvoor)"
    assert (local(figure, "nl"), local(figure, "en")) == (told, figure)
