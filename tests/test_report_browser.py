"""The report in a real Chromium: silent, offline, fits a phone, in light and dark; WCAG 2.2 AA by axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_findings as made
import report_units as units

from reports import write_portfolio

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("release")
    others = (units.areas(), units.series(), units.trials())
    for plan, findings in (made.trial(), made.cohort(), made.families(), *others):
        made.released(root, plan, findings)
    made.released(root, *made.trial(), edition="002")
    return [*write_portfolio(root)[:2], *sorted(root.rglob("report.*.html"))]


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_pages_are_silent_offline_and_fit(browser: Any, pages: list[Path], width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for path in pages:
        asked.clear()
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        assert said == []
        assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) == (scheme == "dark")
    page.close()


@pytest.mark.parametrize("width", [320, 1200])
def test_one_size_of_each_picture_is_visible_and_legible(browser: Any, pages: list[Path], width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for programme in ("alleen-jij-bepaalt", "wijken", "reeks", "proeven"):
        report = next(path for path in pages if programme in str(path) and path.name == "report.nl.html")
        page.goto(report.as_uri())
        shown = page.locator("figure svg:visible").count()
        assert shown == page.locator("figure").count()
        sizes = page.evaluate(
            "[...document.querySelectorAll('figure svg')].filter(s => s.getBoundingClientRect().width)"
            ".map(s => s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
        )
        assert min(sizes) > 0.8, programme
    page.close()


def test_the_keyboard_follows_the_text(browser: Any, pages: list[Path]) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 900})
    page.goto(next(path for path in pages if path.name == "report.en.html").as_uri())
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


def test_texts_have_contrast_in_both_schemes(browser: Any, pages: list[Path]) -> None:
    script = """() => {
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
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(next(path for path in pages if path.name == "report.nl.html").as_uri())
        assert page.evaluate(script) == []
        page.close()


AXE = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
# the inside of a picture is not read out (role img), and its colours have their own test; of a long table the first
# rows stand for the others
PRUNED = """() => {
  document.querySelectorAll('svg > :not(title):not(desc)').forEach(part => part.remove())
  document.querySelectorAll('tbody tr:nth-child(n+4)').forEach(row => row.remove())
  document.querySelectorAll('details').forEach(part => { part.open = true }) }"""


@pytest.fixture(scope="module")
def axe_source() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1440])
def test_axe_finds_nothing(browser: Any, pages: list[Path], axe_source: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    for path in [path for path in pages if ".nl." in path.name and path.parent.name != "002"]:
        page.goto(path.as_uri())
        page.evaluate(PRUNED)
        page.evaluate(axe_source)
        found = page.evaluate(AXE)
        assert len(found["passes"]) > 15, "axe-core looked at nothing"
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == [], path
    context.close()


def test_axe_would_find_a_fault(browser: Any, pages: list[Path], axe_source: str) -> None:
    page = browser.new_page()
    page.goto(pages[0].as_uri())
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate(axe_source)
    assert "html-has-lang" in {rule["id"] for rule in page.evaluate(AXE)["violations"]}
    page.close()


def test_the_portfolio_filters_and_sorts_and_is_whole_without_a_script(browser: Any, pages: list[Path]) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(pages[1].as_uri())
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
    page.goto(pages[1].as_uri())
    assert page.locator(".overview tbody tr:visible").count() == everything
    assert not page.locator("form.filters").is_visible()
    context.close()


def test_one_of_several_pictures_can_be_chosen_and_all_are_printed(browser: Any, pages: list[Path]) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(next(path for path in pages if "proeven" in str(path) and path.name == "report.en.html").as_uri())
    figures = page.locator("[data-choose] figure")
    assert figures.count() > 1
    page.get_by_label("Choose a picture").select_option(index=2)
    assert [figure.is_visible() for figure in figures.all()].count(True) == 1
    page.emulate_media(media="print")
    assert all(figure.is_visible() for figure in figures.all())
    page.close()
