"""Pictures over releases, from their passports alone: programmes side by side, and one programme's editions in time.

Here: which passports make which picture, and its words. Not here: drawing (`reports.charts`), finding passports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from effectmeter.sentences import Language
from effectmeter.sentences.wording import MEASURES
from reports import charts, svg
from reports.figures import both_sizes, figures_of, finding
from reports.texts import text
from reports.views import FigureView, TableView


def programmes_figure(passports: Sequence[Mapping[str, Any]], language: Language) -> FigureView | None:
    """Return the forest plot over programmes, by title: never in the order of their effect. None without a ratio."""
    found = sorted(passports, key=lambda passport: str(passport["title"][language]).lower())
    # made-up data carry their mark in the picture too
    named = [
        (f"{passport['title'][language]}{' (SYNTHETIC)' if passport['synthetic'] else ''}", passport)
        for passport in found
    ]
    figure = _forest("programmes", text("programmes", language), text("programme", language), named, language)
    if figure is None:
        return None
    hidden = len(named) - len(figure.table.rows)
    note = text("portfolio_forest_note", language) + (f" {text('none_drawn', language, hidden)}" if hidden else "")
    return replace(figure, note=note)


def history_figure(
    passports: Sequence[Mapping[str, Any]], title: str, key: str, language: Language
) -> FigureView | None:
    """Return what a programme's editions said, oldest first; None with fewer than two that show a ratio."""
    named = [
        (f"{passport['quarter']} · {text('edition', language)} {passport['edition']}", passport)
        for passport in passports
    ]
    figure = _forest(key, text("history", language, title), text("edition", language), named, language)
    return figure if figure is not None and len(figure.table.rows) > 1 else None


def interval_of(passport: Mapping[str, Any], label: str, language: Language) -> charts.Interval | None:
    """Return a passport's primary effect as a line of a forest plot; None where it is hidden or no ratio."""
    primary = passport["figures"]["primary"] or {}
    low, high = primary.get("conf_low"), primary.get("conf_high")
    if "ratio" not in str(primary.get("measure", "")) or (low is None and high is None):
        return None
    return charts.Interval(
        label=label,
        text=figures_of(primary.get("estimate"), low, high, language),
        estimate=primary.get("estimate"),
        low=low,
        high=high,
        wide_low=primary.get("verdict_low"),
        wide_high=primary.get("verdict_high"),
        is_primary=True,
    )


def _forest(
    key: str, words: str, head: str, named: Sequence[tuple[str, Mapping[str, Any]]], language: Language
) -> FigureView | None:
    pairs = [(interval_of(passport, name, language), passport) for name, passport in named]
    drawn = [(line, passport) for line, passport in pairs if line is not None]
    if not drawn:
        return None
    lines = [line for line, _ in drawn]
    title = finding(words, lines, language)
    description = "; ".join(f"{line.label}: {line.text}" for line in lines)

    def draw(is_narrow: bool, own: str) -> str:
        chart = charts.forest(
            lines, less=text("less", language), more=text("more", language), decimal="," if language == "nl" else ".",
            is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes(key, draw)
    rows = tuple(
        (line.label, line.text, MEASURES[passport["figures"]["primary"]["measure"]][language])
        for line, passport in drawn
    )
    table = TableView(title, (head, text("primary_figure", language), text("measure", language)), rows, (1,))
    return FigureView(key, title, description, wide, narrow, table)
