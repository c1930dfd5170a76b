"""A whole release on disk: its files, what the page holds, and what it must never hold."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import report_findings as made

from reports import RELEASE_FILES, forest_svg, write_portfolio
from reports.figures import both_sizes
from reports.files import without_formulas
from reports.page import template_text

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("release")
    hostile = made.trial_plan(
        programme="hostile",
        title={"nl": HOSTILE, "en": HOSTILE},
        question={"nl": '" onload="x', "en": "#panic('typst') $x$ *b*"},
        claims=[
            {"outcome": "arrest", "measure": "risk_ratio", "at_most": 0.5, "words": "=1+1" + HOSTILE, "source": "@x"}
        ],
    )
    for plan, findings in (made.trial(), made.cohort(), made.families(), made.trial(hostile)):
        made.released(root, plan, findings)
    return root


def page(root: Path, programme: str, language: str = "nl") -> str:
    return (root / programme / "2026-Q3" / "001" / f"report.{language}.html").read_text(encoding="utf-8")


class Outline(HTMLParser):
    """Tags with their attributes, and the cells of every table by its caption."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._caption = ""
        if tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        if tag in {"td", "th", "caption"}:
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "caption":
            self._caption = self._text.strip()
        if tag in {"td", "th"}:
            self.tables[self._caption][-1].append(self._text.strip())


def only_script_is_ours(html: str) -> None:
    """One script, ours to the letter, and the only one that the page's own policy lets run: it embeds no figures."""
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, flags=re.DOTALL)
    assert scripts == [("", template_text("enhance.js"))]
    digest = base64.b64encode(hashlib.sha256(scripts[0][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html and "default-src 'none'" in html
    assert "unsafe-eval" not in html


PROGRAMMES = ("tarp", "alleen-jij-bepaalt", "integrale-familieaanpak", "hostile")


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_the_folder_holds_exactly_its_files(releases: Path, programme: str) -> None:
    folder = releases / programme / "2026-Q3" / "001"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    tables = {name for name in found if name.startswith("tables/")}
    assert found - tables == set(RELEASE_FILES)
    assert tables and all(name.endswith(".csv") for name in tables)


@pytest.mark.parametrize("programme", PROGRAMMES)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_page_asks_for_nothing_and_says_its_language(releases: Path, programme: str, language: str) -> None:
    html = page(releases, programme, language)
    outline = Outline(html)
    assert ("html", {"lang": language}) in outline.tags
    for tag, attributes in outline.tags:
        assert tag not in {"iframe", "object", "embed", "img"}
        for name in ("src", "href"):
            assert not (attributes.get(name) or "#").startswith(("http", "//", "file"))
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in html and "url(http" not in html
    only_script_is_ours(html)


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_every_figure_has_a_name_and_a_table(releases: Path, programme: str) -> None:
    html = page(releases, programme)
    outline = Outline(html)
    ids = [attributes["id"] for _, attributes in outline.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    pictures = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert pictures
    for picture in pictures:
        assert picture["role"] == "img"
        assert set((picture["aria-labelledby"] or "").split()) <= set(ids)
    for figure in re.findall(r"<figure.*?</figure>", html, flags=re.DOTALL):
        assert "<figcaption" in figure and "<table" in figure and "<caption" in figure
    named = {name for _, attributes in outline.tags for name in (attributes.get("aria-labelledby") or "").split()}
    assert named <= set(ids)


@pytest.mark.parametrize("programme", PROGRAMMES)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_what_a_mark_says_stands_in_the_table_of_its_picture(releases: Path, programme: str, language: str) -> None:
    tips = 0
    for figure in re.findall(r"<figure.*?</figure>", page(releases, programme, language), flags=re.DOTALL):
        if not re.match(r'<figure id="figure-(effects|methods|subgroups|curve)', figure):
            continue
        picture, table = figure.split("<details>")
        cells = set(re.findall(r"[-−]?\d+(?:[.,]\d+)*", re.sub(r"<[^>]*>", " ", table)))
        for tip in re.findall(r"<title>([^<]*)</title>", picture):
            tips += 1
            figures = tip.rpartition(": ")[2].partition(" %")[0]
            assert set(re.findall(r"\d+(?:[.,]\d+)*", figures)) <= cells, tip
    assert tips


def test_marks_stand_where_they_must(releases: Path) -> None:
    synthetic, real = page(releases, "alleen-jij-bepaalt"), page(releases, "tarp")
    assert "SYNTHETIC" in re.search(r"<title>(.*?)</title>", synthetic)[1]  # type: ignore[index]
    assert synthetic.count("CONCEPT") >= 2 and "CONCEPT" in real
    assert "SYNTHETIC" not in real
    for name, expected in (("alleen-jij-bepaalt", "SYNTHETIC"), ("tarp", "")):
        folder = releases / name / "2026-Q3" / "001"
        for path in [folder / "effects.csv", *(folder / "tables").glob("*.csv")]:
            assert {row["synthetic"] for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())} <= {
                expected
            }
        assert set(pl.read_parquet(folder / "effects.parquet")["synthetic"]) == {expected}


def test_texts_of_a_plan_cannot_become_markup_or_formulas(releases: Path) -> None:
    for language in ("nl", "en"):
        html = page(releases, "hostile", language)
        assert HOSTILE not in html and "&lt;script&gt;" in html
    folder = releases / "hostile" / "2026-Q3" / "001"
    files = [path.read_text(encoding="utf-8").splitlines() for path in folder.rglob("*.csv")]
    cells = [cell for lines in files for row in csv.reader(lines) for cell in row]
    assert not any(re.match(r"[=@\t\r]|[+-](?!\d)", cell) for cell in cells if cell != "-")
    assert any(cell.startswith("'=1+1") for cell in cells)


def test_formulas_are_made_harmless_and_numbers_left_alone() -> None:
    frame = pl.DataFrame({"a": ["=cmd", "+1", "-x", "@y", "fine"], "b": [-1.0, 2.0, 3.0, 4.0, 5.0]})
    safe = without_formulas(frame)
    assert safe["a"].to_list() == ["'=cmd", "'+1", "'-x", "'@y", "fine"]
    assert safe["b"].to_list() == frame["b"].to_list()


@pytest.mark.parametrize(("language", "sign"), [("nl", ","), ("en", ".")])
def test_numbers_on_the_page_are_those_of_the_csv(releases: Path, language: str, sign: str) -> None:
    folder = releases / "alleen-jij-bepaalt" / "2026-Q3" / "001"
    released = pl.read_csv(folder / "effects.csv")
    title = {"nl": "Alle schattingen", "en": "All estimates"}[language]
    rows = Outline(page(releases, "alleen-jij-bepaalt", language)).tables[title][1:]
    assert len(rows) == released.height
    for cells, row in zip(rows, released.to_dicts(), strict=True):
        for cell, name in ((cells[3], "estimate"), (cells[4].split(" ")[0], "conf_low")):
            expected = "–" if row[name] is None else f"{row[name]:.2f}".replace("-", "−").replace(".", sign)
            if row["status"] == "shown":
                assert cell == expected


def test_excel_and_parquet_hold_the_same_table(releases: Path) -> None:
    folder = releases / "alleen-jij-bepaalt" / "2026-Q3" / "001"
    parquet = pl.read_parquet(folder / "effects.parquet")
    excel = pl.read_excel(folder / "effects.xlsx", sheet_name="effects")
    assert excel.columns == parquet.columns and excel.height == parquet.height
    assert excel["estimate"].cast(pl.Float64).to_list() == parquet["estimate"].to_list()


def test_the_same_release_gives_the_same_bytes(releases: Path, tmp_path: Path) -> None:
    plan, findings = made.families()
    again = made.released(tmp_path, plan, findings)
    first = releases / plan.programme / "2026-Q3" / "001"
    for path in sorted(first.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(first)).read_bytes(), path.name


@pytest.mark.parametrize("programme", ["tarp", "alleen-jij-bepaalt"])
def test_the_pdf_is_tagged_titled_and_bookmarked(releases: Path, programme: str) -> None:
    from pypdf import PdfReader

    path = releases / programme / "2026-Q3" / "001" / "report.nl.pdf"
    reader = PdfReader(path)
    root = reader.root_object
    assert b"pdfuaid" in path.read_bytes() and root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "nl" and root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert reader.metadata is not None and "2026-Q3" in str(reader.metadata.title)
    kinds: dict[str, list[Any]] = {}
    waiting = [root["/StructTreeRoot"]]
    while waiting:
        part = waiting.pop().get_object()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            kinds.setdefault(str(part.get("/S", "")), []).append(part)
            waiting += [part["/K"]] if "/K" in part else []
    assert {"/H1", "/H2", "/P", "/Table", "/TH", "/TD", "/Figure"} <= set(kinds)
    pictures = len(re.findall(r"<figure id=", page(releases, programme)))
    assert len(kinds["/Figure"]) == pictures
    assert all(len(str(part["/Alt"])) > 20 for part in kinds["/Figure"])
    titles = [str(item.title) for item in reader.outline if not isinstance(item, list)]
    deeper = [
        str(item.title) for part in reader.outline if isinstance(part, list) for item in part if hasattr(item, "title")
    ]
    assert "Kunnen we dit vertrouwen?" in titles + deeper
    assert all("/StructParents" in sheet for sheet in reader.pages)


def test_the_workbook_opens_on_a_sheet_to_read_and_holds_only_what_was_released(releases: Path) -> None:
    book = write_portfolio(releases)[-1]
    sheets = pl.read_excel(book, sheet_id=0, has_header=False)
    assert list(sheets) == ["Lees dit eerst", "Read this first", "effects"]
    first = [str(cell) for row in sheets["Lees dit eerst"].iter_rows() for cell in row if cell is not None]
    assert "Geld na detentie (TARP)" in first and any("SYNTHETIC" in cell for cell in first)
    released = sum(
        pl.read_parquet(releases / name / "2026-Q3" / "001" / "effects.parquet").height for name in PROGRAMMES
    )
    assert sheets["effects"].height == released + 1
    assert book.read_bytes() == write_portfolio(releases)[-1].read_bytes()


def test_a_failed_gate_shows_no_figure_and_says_why(tmp_path: Path) -> None:
    plan, findings = made.cohort(balanced=False)
    html = (made.released(tmp_path, plan, findings) / "report.nl.html").read_text(encoding="utf-8")
    assert "geen effect laten zien" in html and "verschillen deelnemers en vergelijkingsgroep te veel" in html
    assert 'id="figure-effects"' not in html and 'id="figure-verdict"' not in html
    assert "niet in orde" in html


def test_before_after_shows_both_raw_changes(releases: Path) -> None:
    html = page(releases, "integrale-familieaanpak")
    assert "Wat was er ook zonder effect gebeurd?" in html
    assert "−48 %" in html and "−37 %" in html
    assert 'id="anyway"' not in page(releases, "tarp")


def test_the_portfolio_reads_passports_and_ranks_nobody(releases: Path) -> None:
    pages = write_portfolio(releases)
    assert [path.name for path in pages] == ["index.nl.html", "index.en.html", "portfolio.xlsx"]
    html = pages[0].read_text(encoding="utf-8")
    titles = re.findall(r'<h2 id="p\d+">(.*?)</h2>', html)
    assert titles == sorted(titles, key=str.lower) and len(titles) == len(PROGRAMMES)
    for target in re.findall(r'href="([^"#]+\.html)"', html):
        assert (releases / target).exists()
    assert HOSTILE not in html


def test_the_portfolio_takes_the_newest_edition(tmp_path: Path) -> None:
    plan, findings = made.families()
    made.released(tmp_path, plan, findings)
    newer = made.released(tmp_path, plan, findings, edition="002")
    (newer.parent / ".staging").mkdir()
    html = write_portfolio(tmp_path)[1].read_text(encoding="utf-8")
    assert "/002/report.en.html" in html and "/001/report" not in html
    # the older one stands in the picture of what each edition said
    assert 'id="figure-history-' in html and "edition 001" in html


def test_the_portfolio_draws_again_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, findings = made.families()
    made.released(tmp_path, plan, findings)
    made.released(tmp_path, plan, findings, edition="002")
    drawn: list[str] = []
    monkeypatch.setattr("reports.drawn.both_sizes", lambda key, draw: drawn.append(key) or both_sizes(key, draw))
    plain = [path.read_bytes() for path in write_portfolio(tmp_path)]
    of_both_languages, kept = len(drawn), tmp_path / ".drawn.json"
    assert of_both_languages == 2 and not kept.exists()

    def drawn_by(version: str) -> int:
        drawn.clear()
        assert [path.read_bytes() for path in write_portfolio(tmp_path, version)] == plain
        return len(drawn)

    assert [drawn_by(version) for version in ("1", "1", "2", "2")] == [2, 0, 2, 0]
    for spoiled in ("", "[1]", '{"x": 1}', "null"):
        kept.write_text(spoiled)
        assert drawn_by("2") == 2
    made.released(tmp_path, plan, findings, edition="003")
    write_portfolio(tmp_path, "2")
    assert len(json.loads(kept.read_text())) == 2  # what is no longer shown is forgotten


def test_an_approval_is_no_edition_more_in_a_programmes_history(tmp_path: Path) -> None:
    from effectmeter.edition_history import telling
    from reports.portfolio import _editions, _passport

    for edition, content in {"001": "a", "002": "a", "003": "b", "004": "a"}.items():
        (folder := tmp_path / "p" / "2026-Q3" / edition).mkdir(parents=True)
        passport = {"quarter": "2026-Q3", "edition": edition, "content_hash": content}
        (folder / "passport.json").write_text(json.dumps(passport), encoding="utf-8")
    assert [passport["edition"] for passport in telling([_passport(path) for path in _editions(tmp_path / "p")])] == [
        "002",
        "003",
        "004",
    ]


def test_the_passport_is_what_the_page_shows(releases: Path) -> None:
    passport = json.loads((releases / "tarp" / "2026-Q3" / "001" / "passport.json").read_text(encoding="utf-8"))
    html = page(releases, "tarp")
    assert passport["headline"]["nl"] in html
    assert passport["plan"]["hash"] in html and passport["data"]["delivery_hash"] in html


def test_the_forest_plot_for_the_run_page_is_ink_on_paper() -> None:
    from effectmeter.release import clear

    plan, findings = made.trial()
    found = forest_svg(clear(findings, plan, made.QUARTER), plan)
    assert found is not None
    assert "var(--" not in found[0] and "#0202" not in found[0]
    assert re.match(r'<svg width="\d', found[0]), "without a size the interface draws it as a stamp"
