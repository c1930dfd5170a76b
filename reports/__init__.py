"""View models, charts, sentences, pages: built from cleared releases only. Cannot open a vault.

What is public: writing a release's folder, and the page over all releases. Altair, vl-convert, Typst and Jinja are
imported when something is written, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effectmeter.plan import Plan
    from effectmeter.release import Cleared
    from reports.views import FigureView

__all__ = [
    "RELEASE_FILES",
    "balance_svg",
    "forest_svg",
    "hashes_of",
    "table_hashes",
    "write_portfolio",
    "write_release",
]

RELEASE_FILES = (
    "report.nl.html",
    "report.en.html",
    "report.nl.pdf",
    "report.en.pdf",
    "effects.csv",
    "effects.parquet",
    "effects.xlsx",
    "passport.json",
)
"""What a release folder holds beside ``tables/*.csv``; nothing else."""


def write_release(folder: Path, cleared: Cleared, passport: Mapping[str, Any], plan: Plan) -> tuple[Path, ...]:
    """Write a whole release into a folder that exists and is empty, and return its files.

    Parameters
    ----------
    folder
        A staging folder: it is moved into place by who calls.
    cleared
        What the release gate let through.
    passport
        See `effectmeter.passport.build_passport`.
    plan
        For titles and the method section; texts in it are escaped wherever they are set.
    """
    from effectmeter.passport import passport_text, sealed
    from effectmeter.sentences import LANGUAGES
    from reports import files
    from reports.approval import about
    from reports.build import build_report
    from reports.page import render_page
    from reports.pdf import render_pdf

    synthetic = cleared.is_synthetic
    effects = files.marked(cleared.tables["effects"], is_synthetic=synthetic)
    files.write_csv(effects, folder / "effects.csv")
    files.write_parquet(effects, folder / "effects.parquet")
    tables = {name: files.marked(table, is_synthetic=synthetic) for name, table in cleared.tables.items()}
    files.write_excel(
        tables, folder / "effects.xlsx", title=f"{plan.programme} {cleared.quarter}", about=about(passport)
    )
    (folder / "tables").mkdir()
    for name, table in tables.items():
        files.write_csv(table, folder / "tables" / f"{name}.csv")
    for language in LANGUAGES:
        view = build_report(cleared, plan, passport, language)
        (folder / f"report.{language}.html").write_text(render_page(view), encoding="utf-8")
        (folder / f"report.{language}.pdf").write_bytes(render_pdf(view))
    closed = sealed(passport, hashes_of(folder))
    (folder / "passport.json").write_text(passport_text(closed), encoding="utf-8")
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a release but its passport and hidden files, by name within the folder."""
    import hashlib

    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "passport.json" and not path.name.startswith(".")
    }


def table_hashes(cleared: Cleared) -> dict[str, str]:
    """Return the SHA-256 that each table of a release will have as CSV, by the table's name."""
    import hashlib

    from reports.files import csv_text, marked

    return {
        name: hashlib.sha256(csv_text(marked(table, is_synthetic=cleared.is_synthetic)).encode()).hexdigest()
        for name, table in cleared.tables.items()
    }


def write_portfolio(root: Path, version: str = "") -> tuple[Path, ...]:
    """Write the page over all programmes, per language, into the folder of all releases.

    With the software's `version` pictures that would be the same are not drawn again.
    """
    from reports.portfolio import write_portfolio as write

    return write(root, version)


def forest_svg(cleared: Cleared, plan: Plan) -> tuple[str, str] | None:
    """Return the forest plot of all outcomes as SVG in ink on paper with its description; None without one."""
    from reports.figures import outcomes_figure

    return _on_paper(outcomes_figure(cleared, plan, "en"))


def balance_svg(cleared: Cleared, plan: Plan) -> tuple[str, str] | None:
    """Return the balance plot as SVG in ink on paper with its description; None without one."""
    from reports.check_figures import balance_figure

    return _on_paper(balance_figure(cleared, plan, "en"))


def _on_paper(figure: FigureView | None) -> tuple[str, str] | None:
    from reports import svg

    return None if figure is None else (svg.sized(svg.on_paper(figure.wide, "sans-serif")), figure.description)
