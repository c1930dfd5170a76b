"""The report in a real Chromium: silent, offline, fits a phone, in light and dark; WCAG 2.2 AA by axe-core."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import report_findings as made
import report_units as units

from effectmeter.edition_history import told
from reports import write_portfolio

pytestmark = pytest.mark.browser


LANGUAGES = ("nl", "en")
PROGRAMMES = ("tarp", "alleen-jij-bepaalt", "integrale-familieaanpak", "wijken", "reeks", "proeven")
PAGES = [f"{name}.{language}" for name in ("index", *PROGRAMMES) for language in LANGUAGES]
SCHEMES = ("light", "dark")
WIDTHS = (320, 768, 1200, 1440)
WIDTHS_OF_AXE = (320, 768, 1440)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both pages of the portfolio and of each programme's newest edition, by name; of one there are two editions."""
    root = tmp_path_factory.mktemp("release")
    first = made.paged(root, *made.trial())
    then = told(json.loads((first / "passport.json").read_text(encoding="utf-8")))
    newest = [made.paged(root, *made.trial(), edition="002", history=[then])]
    others = (made.cohort(), made.families(), units.areas(), units.series(), units.trials())
    newest += [made.paged(root, *other) for other in others]
    write_portfolio(root)
    found = {f"index.{language}": root / f"index.{language}.html" for language in LANGUAGES}
    for place in newest:
        name = place.relative_to(root).parts[0]
        found |= {f"{name}.{language}": place / f"report.{language}.html" for language in LANGUAGES}
    assert list(found) == PAGES
    return found


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def axe_source() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


# of what is in order only the number of rules is asked: finding a way to each of its parts took most of the time
AXE = """axe.run(document, {resultTypes: ['violations'],
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
  .then(found => [found.passes.length, found.violations.map(rule => [rule.id, rule.nodes[0].html])])"""
# the inside of a picture is not read out (role img), and its colours have their own test; of a long table or list the
# first rows, and the first of each kind, stand for the others
PRUNED = """() => {
  const drop = (parts) => document.querySelectorAll(parts).forEach(part => part.remove())
  drop('svg > :not(title):not(desc), tbody tr:nth-child(n+4), dl div:nth-child(n+4), .say li:nth-child(n+4)')
  document.querySelectorAll('.gates, .claims, .changes').forEach(list => {
    const kinds = new Set()
    for (const item of [...list.children]) kinds.has(item.className) ? item.remove() : kinds.add(item.className) })
  document.querySelectorAll('details').forEach(part => { part.open = true }) }"""
POOR = """() => {
  const light = c => { const p = c.match(/[\\d.]+/g).map(Number).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * p[0] + 0.7152 * p[1] + 0.0722 * p[2] }
  const ground = light(getComputedStyle(document.documentElement).backgroundColor)
  const poor = []
  const parts = 'main p, main li, main h2, main h3, main td, main th, main dt, .tag, .mark, a'
  for (const e of document.querySelectorAll(parts)) {
    const ink = light(getComputedStyle(e).color)
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)
    if (ratio < 4.5) poor.push(e.className + ' ' + e.tagName + ' ' + ratio.toFixed(2))
  }
  return poor }"""
SCALES = """[...document.querySelectorAll('figure svg')].filter(s => s.getBoundingClientRect().width)
  .map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width)"""


@dataclass
class Seen:
    """What a browser saw of one page, opened once, in every size and both schemes."""

    address: str
    n_figures: int = 0
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)
    grounds: dict[str, int] = field(default_factory=dict)
    scales: dict[int, list[float]] = field(default_factory=dict)
    poor: dict[str, list[str]] = field(default_factory=dict)
    passed: dict[tuple[int, str], int] = field(default_factory=dict)
    faults: dict[tuple[int, str], list[Any]] = field(default_factory=dict)


@pytest.fixture(scope="module", params=PAGES)
def seen(request: pytest.FixtureRequest, browser: Any, pages: dict[str, Path], axe_source: str) -> Seen:
    """Open a page once and look at it in every size and scheme: what is drawn differs, what is loaded does not."""
    found = Seen(pages[request.param].as_uri())
    page = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda asked: found.asked.append(asked.url))
    page.goto(found.address)
    found.n_figures = page.locator("figure").count()
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
    # widths outside, schemes inside: another width lays the page out anew, another scheme only paints it
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found.sizes[width] = page.evaluate("document.documentElement.scrollWidth")
        found.scales[width] = page.evaluate(SCALES)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        found.grounds[scheme] = sum(int(part) for part in ground[4:-1].split(","))
        found.poor[scheme] = page.evaluate(POOR)
    page.evaluate(PRUNED)
    page.evaluate(axe_source)
    for width in WIDTHS_OF_AXE:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found.passed[width, scheme], found.faults[width, scheme] = page.evaluate(AXE)
    page.close()
    return found


def test_a_page_is_silent_and_asks_for_nothing(seen: Seen) -> None:
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith("data:")] == [seen.address]


def test_a_page_fits_every_width_in_its_scheme(seen: Seen) -> None:
    assert not [(width, size) for width, size in seen.sizes.items() if size > width]
    assert {(ground < 200) == (scheme == "dark") for scheme, ground in seen.grounds.items()} == {True}


def test_one_size_of_each_picture_is_visible_and_legible(seen: Seen) -> None:
    for width, scales in seen.scales.items():
        assert len(scales) == seen.n_figures > 0, width
        assert min(scales) > 0.8, width


def test_texts_have_contrast_in_both_schemes(seen: Seen) -> None:
    assert seen.poor == {scheme: [] for scheme in SCHEMES}


def test_axe_finds_nothing(seen: Seen) -> None:
    assert seen.faults == {(width, scheme): [] for scheme in SCHEMES for width in WIDTHS_OF_AXE}
    assert min(seen.passed.values()) > 15, "axe-core looked at nothing"


def test_axe_would_find_a_fault(browser: Any, pages: dict[str, Path], axe_source: str) -> None:
    page = browser.new_page()
    page.goto(pages["index.nl"].as_uri())
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate("document.querySelector('h1').style.color = '#ccc'")
    page.evaluate(axe_source)
    assert {"html-has-lang", "color-contrast"} <= {rule for rule, _ in page.evaluate(AXE)[1]}
    page.close()


def test_the_keyboard_follows_the_text(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.goto(pages["tarp.en"].as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.evaluate("window.reached = []")
    for _ in range(30):
        page.keyboard.press("Tab")
        page.evaluate("window.reached.push(document.activeElement)")
    follows = "(window.reached[i].compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING) > 0"
    last = "window.reached.findIndex(e => e === document.body)"
    in_order = page.evaluate(
        f"(() => {{ const n = {last}; const all = n < 0 ? window.reached : window.reached.slice(0, n);"
        f" return all.length > 10 && all.slice(1).every((e, i) => {follows}) }})()"
    )
    assert in_order
    page.close()


def test_the_portfolio_filters_and_sorts_and_is_whole_without_a_script(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(pages["index.en"].as_uri())
    rows = page.locator(".overview tbody tr")
    everything = rows.count()
    page.get_by_label("Design").select_option(index=1)
    assert 0 < page.locator(".overview tbody tr:visible").count() < everything
    assert page.locator("section[data-design]:visible").count() == page.locator(".overview tbody tr:visible").count()
    page.get_by_label("Design").select_option(index=0)
    head = page.get_by_role("button", name="Programme")
    for expected in ("ascending", "descending"):
        head.focus()
        page.keyboard.press("Enter")
        assert page.locator("th[aria-sort]").get_attribute("aria-sort") == expected
        titles = [title.lower() for title in page.locator(".overview tbody th").all_inner_texts()]
        assert titles == sorted(titles, reverse=expected == "descending")
    assert page.get_by_role("button", name="Primary figure").count() == 0, "effects are never ranked"
    page.close()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["index.en"].as_uri())
    assert page.locator(".overview tbody tr:visible").count() == everything
    assert not page.locator("form.filters").is_visible()
    context.close()


def test_one_of_several_pictures_can_be_chosen_and_all_are_printed(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(pages["proeven.en"].as_uri())
    figures = page.locator("[data-choose] figure")
    assert figures.count() > 1
    page.get_by_label("Choose a picture").select_option(index=2)
    assert [figure.is_visible() for figure in figures.all()].count(True) == 1
    page.emulate_media(media="print")
    assert all(figure.is_visible() for figure in figures.all())
    page.close()
