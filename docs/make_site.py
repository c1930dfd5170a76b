"""Lays out all pages for MkDocs, with their links as they are, and builds the site (``make site``).

Pages lie where their readers look for them: beside the code, in ``docs/``, in ``benchmarks/``. MkDocs wants one folder,
so the pages are copied into one with the same layout, and with every file that they link to. The navigation follows the
folders (https://diataxis.fr); pages in Dutch have a tab of their own. A link that leads nowhere stops the build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site_source"
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md")
TABS = {
    "Tutorials": ("docs/tutorials/first-report.md", "docs/how-to/add-a-programme.md", "docs/tutorials/"),
    "How-to": ("docs/how-to/", "CONTRIBUTING.md"),
    "Reference": ("docs/reference/", "GLOSSARY.md", "docs/dependencies.md", "CHANGELOG.md"),
    "Explanation": ("docs/explanation/", "docs/validation.md", "benchmarks/", "docs/adr/"),
}
"""Tab -> pages and folders, in order; a page is in the first tab that takes it."""

_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def pages(root: Path = ROOT) -> list[str]:
    """Return every page of the site, relative to the project."""
    found = [*TOP, *(path.relative_to(root).as_posix() for path in sorted((root / "docs").rglob("*.md")))]
    return [*found, *(path.relative_to(root).as_posix() for path in sorted((root / "benchmarks").glob("*.md")))]


def linked_files(root: Path, names: Iterable[str]) -> set[str]:
    """Return the files that are no page and that some page links to."""
    found = set()
    for name in names:
        for link in _LINK.findall((root / name).read_text(encoding="utf-8")):
            target = (root / name).parent / link
            if not re.match(r"[a-z]+:", link) and target.suffix != ".md" and target.is_file():
                found.add(target.resolve().relative_to(root).as_posix())
    return found


def navigation(root: Path, names: list[str]) -> list[dict[str, Any]]:
    """Return MkDocs' navigation: home, one tab per kind of page, and one for Dutch."""
    left = [name for name in names if name not in {"README.md", "docs/README.md"}]
    dutch = [name for name in left if name.endswith(".nl.md")]
    left = [name for name in left if name not in dutch]
    tabs: list[dict[str, Any]] = [{"Home": ["README.md", {"All pages": "docs/README.md"}]}]
    for tab, wanted in TABS.items():
        chosen = list(dict.fromkeys(name for want in wanted for name in left if name == want or _is_in(name, want)))
        left = [name for name in left if name not in chosen]
        tabs.append({tab: [{title(root / name): name} for name in chosen]})
    if left:
        raise SystemExit(f"pages without a tab in docs/make_site.py: {', '.join(left)}")
    return [*tabs, {"Nederlands": [{title(root / name): name} for name in dutch]}]


def _is_in(name: str, folder: str) -> bool:
    return folder.endswith("/") and name.startswith(folder)


def title(path: Path) -> str:
    """Return the first heading of a page, without markup."""
    found = _TITLE.search(path.read_text(encoding="utf-8"))
    return re.sub(r"[`*]", "", found[1]) if found else path.stem


def lay_out(root: Path = ROOT, source: Path = SOURCE) -> Path:
    """Copy pages and what they link to; return the settings for MkDocs, written beside them."""
    shutil.rmtree(source, ignore_errors=True)
    names = pages(root)
    for name in [*names, *linked_files(root, names)]:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
    settings = source.parent / "mkdocs.yml"
    given = (root / "mkdocs.yml").read_text(encoding="utf-8")
    places = {"docs_dir": str(source), "nav": navigation(root, names)}
    settings.write_text(given + yaml.safe_dump(places, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return settings


def build(settings: Path, site: Path = ROOT / "site") -> int:
    """Build the site, say of Dutch pages that they are Dutch, and return MkDocs' exit code."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--clean", "-f", str(settings)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run([*command, "--site-dir", str(site)], check=False, env=quiet)
    for page in site.rglob("*.nl.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace('<html lang="en"', '<html lang="nl"', 1), encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(build(lay_out()))
