"""The forest plot over programmes, from the passports of their newest releases alone.

Here: which passports make it, and its words. Not here: drawing (`reports.charts`), finding passports, nor the picture
of one programme's editions (`reports.history`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from effectmeter.sentences import Language
from effectmeter.sentences.wording import MEASURES
from reports import charts
from reports.figures import figures_of, finding, forest_view
from reports.texts import text
from reports.views import FigureView, TableView


def programmes_figure(passports: Sequence[Mapping[str, Any]], language: Language) -> FigureView | None:
    """Return the forest plot over programmes, by title: never in the order of their effect. None without a ratio."""
    found = sorted(passports, key=lambda passport: str(passport["title"][language]).lower())
    drawn = [(line, passport) for passport in found if (line := _line(passport, language)) is not None]
    if not drawn:
        return None
    lines = [line for line, _ in drawn]
    title = finding(text("programmes", language), lines, language)
    rows = tuple(
        (line.label, line.text, MEASURES[passport["figures"]["primary"]["measure"]][language])
        for line, passport in drawn
    )
    heads = tuple(text(head, language) for head in ("programme", "primary_figure", "measure"))
    figure = forest_view("programmes", title, lines, TableView(title, heads, rows, (1,)), language)
    hidden = len(found) - len(drawn)
    note = text("portfolio_forest_note", language) + (f" {text('none_drawn', language, hidden)}" if hidden else "")
    return replace(figure, note=note)


def _line(passport: Mapping[str, Any], language: Language) -> charts.Interval | None:
    """Return a passport's primary effect as a line of a forest plot; None where it is hidden or no ratio."""
    primary = passport["figures"]["primary"] or {}
    low, high = primary.get("conf_low"), primary.get("conf_high")
    if "ratio" not in str(primary.get("measure", "")) or (low is None and high is None):
        return None
    return charts.Interval(
        # made-up data carry their mark in the picture too
        label=f"{passport['title'][language]}{' (SYNTHETIC)' if passport['synthetic'] else ''}",
        text=figures_of(primary.get("estimate"), low, high, language),
        estimate=primary.get("estimate"),
        low=low,
        high=high,
        wide_low=primary.get("verdict_low"),
        wide_high=primary.get("verdict_high"),
        is_primary=True,
    )
