"""The documentation site: built strictly, whole without a network, every link in it leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from workbench import ROOT


def make_site() -> Any:
    spec = importlib.util.spec_from_file_location("make_site", ROOT / "docs" / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Links(HTMLParser):
    """Collects what a page links to, and what it fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.fetched: set[str] = set()
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = given.get("lang") or ""
        if tag == "a" and given.get("href"):
            self.links.add(str(given["href"]))
        if tag in {"script", "img", "iframe"} and given.get("src"):
            self.fetched.add(str(given["src"]))
        if tag == "link" and given.get("rel") != "canonical" and given.get("href"):
            self.fetched.add(str(given["href"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Links]:
    pytest.importorskip("material", reason="mkdocs-material is in the group docs")
    folder = tmp_path_factory.mktemp("site")
    maker = make_site()
    assert maker.build(maker.lay_out(source=folder / "source" / "pages"), folder / "site") == 0
    found = {}
    for page in (folder / "site").rglob("*.html"):
        if page.name != "404.html":  # a server's page, with paths from its root
            found[page] = Links()
            found[page].feed(page.read_text(encoding="utf-8"))
    return found


def test_every_page_is_in_one_tab() -> None:
    maker = make_site()
    tabs = maker.navigation(ROOT, maker.pages())
    assert [next(iter(tab)) for tab in tabs] == [
        "Home", "Tutorials", "How-to", "Reference", "Explanation", "Nederlands",
    ]  # fmt: skip
    listed = [
        entry if isinstance(entry, str) else next(iter(entry.values()))
        for tab in tabs
        for entry in next(iter(tab.values()))
    ]
    assert sorted(listed) == sorted(set(maker.pages()))


def test_links_within_the_site_lead_somewhere(site: dict[Path, Links]) -> None:
    assert len(site) > 40
    broken = [
        f"{page.name}: {link}"
        for page, found in site.items()
        for link in found.links
        if not urlsplit(link).scheme
        and urlsplit(link).path
        and not (page.parent / unquote(urlsplit(link).path)).exists()
    ]
    assert broken == []


def test_nothing_is_fetched_from_elsewhere(site: dict[Path, Links]) -> None:
    assert {link for found in site.values() for link in found.fetched if re.match(r"(?:https?:)?//", link)} == set()


def test_pages_say_their_language(site: dict[Path, Links]) -> None:
    languages = {page.name: found.language for page, found in site.items()}
    assert languages["read-a-report.nl.html"] == "nl"
    assert languages["read-a-report.html"] == "en"


def test_dutch_for_managers_is_short() -> None:
    text = (ROOT / "docs" / "tutorials" / "read-a-report.nl.md").read_text(encoding="utf-8")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*|#]", r"\1 ", text)
    sentences = [each.split() for each in re.split(r"[.?!:](?:\s|$)", plain)]
    lengths = [len(words) for words in sentences if words]
    assert sum(lengths) / len(lengths) <= 15
