"""What a reader meets in the place of a column's name: the plan's label, else a known one, else its name in words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_findings as made

from effectmeter.labels import COLUMNS, FIELDS, TABLES, column_label, field_labels, term_label, with_labels
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan, plan_content, plan_hash
from effectmeter.schema import STANDARD_TABLES
from effectmeter.sentences import LANGUAGES

ROOT = Path(__file__).parents[1]


def plan(**changes: object) -> Plan:
    return made.cohort_plan(**changes)


def test_the_plans_label_comes_first_then_a_known_one_then_the_name_in_words() -> None:
    own = plan(labels={"age_at_index": {"nl": "leeftijd bij aanmelding", "en": "age at referral"}})
    assert column_label(own, "age_at_index", "nl") == "leeftijd bij aanmelding"
    assert column_label(plan(), "age_at_index", "nl") == "leeftijd bij de start"
    assert column_label(plan(), "odd_column", "nl") == "odd column"


def test_earlier_events_say_their_months_and_kinds_of_event_have_a_name() -> None:
    assert column_label(plan(), "prior_police_contact_24m", "nl") == "contact met de politie in de 24 maanden ervóór"
    own = plan(labels={"burglary": {"nl": "inbraak", "en": "burglary"}})
    assert column_label(own, "prior_burglary_12m", "en") == "burglary in the 12 months before"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Hoort niet bij de doelgroep: age_at_index is niet van 10 tot en met 18, of onbekend",
         "Hoort niet bij de doelgroep: leeftijd bij de start is niet van 10 tot en met 18, of onbekend"),
        ("Ook na weging verschillen de groepen te veel ('sex').",
         "Ook na weging verschillen de groepen te veel ('sekse')."),
        ("De achtergrondvariabele sex, waarvoor het plan corrigeert, is er.",
         "De achtergrondvariabele sekse, waarvoor het plan corrigeert, is er."),
        ("person_id is ingevuld in elke rij van landing.persons.",
         "Persoonscode is ingevuld in elke rij van het bestand met personen."),
        ("grootste SMD 0,06 (age_at_index^2)", "grootste SMD 0,06 (leeftijd bij de start (kwadraat))"),
        ("Er zijn geen startdatums. Over sex of age zegt dit niets.",
         "Er zijn geen startdatums. Over sex of age zegt dit niets."),
    ],
)  # fmt: skip
def test_names_in_sentences(said: str, words: str) -> None:
    assert with_labels(said, plan(), "nl") == words


def test_terms_of_models_in_words() -> None:
    assert term_label(plan(), "age_at_index^2", "en") == "age at the start (squared)"
    assert term_label(plan(), "sex=f", "nl") == "sekse: vrouw"
    assert term_label(plan(), "school_absence missing", "nl") == "afwezigheid op school ontbreekt"


def test_every_field_of_a_plan_has_words_and_parts_are_said_once() -> None:
    known = set(Plan.model_fields) - {"programme", "synthetic", "strata", "pairs", "cluster", "variance"}
    assert known - set(FIELDS) <= {"reference_rates", "retention_months"}
    assert field_labels(["looks.method", "looks.planned"], "nl") == "hoe vaak we kijken"


def test_every_standard_column_that_is_no_plain_word_has_a_label() -> None:
    names = {column.name for table in STANDARD_TABLES.values() for column in table.columns if "_" in column.name}
    assert names - set(COLUMNS) == set()
    assert {f"landing.{name}" for name in STANDARD_TABLES} <= set(TABLES)


def test_a_plan_without_labels_has_the_hash_that_it_had() -> None:
    bare = plan()
    assert "labels" not in plan_content(bare)
    assert plan_hash(bare) != plan_hash(plan(labels={"sex": "geslacht"}))


class Told(HTMLParser):
    """What a page says outside code, styles and scripts, up to the part for researchers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside = ""
        self.feed(html.partition('id="research"')[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in {"style", "script", "code"}:
            self.words.append(data)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_manager_meets_no_name_of_a_column(tmp_path: Path, language: str) -> None:
    place = made.paged(tmp_path, *made.cohort(balanced=False))
    told = " ".join(Told((place / f"report.{language}.html").read_text(encoding="utf-8")).words)
    assert len(told) > 2000
    assert re.findall(r"\b[a-z]+_[a-z0-9_]+|\w\^\d", told) == []


def test_bundled_plans_name_what_no_catalogue_can_know() -> None:
    tarp = load_plan(ROOT / "programmes" / "tarp.yaml")
    assert set(tarp.adjust_for) == set(tarp.labels)
