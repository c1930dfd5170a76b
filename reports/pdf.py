"""The PDF: tagged, PDF/UA-1, from the same view as the page. A picture without alternative text fails the build.

Here: the view as data for the Typst template, and the call. Not here: contents.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from reports import svg
from reports.build import figures_in
from reports.page import ICONS, template_text
from reports.views import FigureView, ReportView

FONT = "Libertinus Serif"
"""Comes with Typst: the same PDF on every machine."""


def render_pdf(view: ReportView) -> bytes:
    """Return a report as PDF."""
    import typst

    data: bytes = typst.compile(
        template_text("report.typ").encode(),
        sys_inputs={"view": json.dumps(_data(view), ensure_ascii=False)},
        ignore_system_fonts=True,
        pdf_standards="ua-1",
        timestamp=0,
    )
    return data


def _data(view: ReportView) -> dict[str, Any]:
    """Return the view as plain data, pictures in ink on paper."""
    data = asdict(view)
    for name in ("picture", "flow", "outcomes", "methods", "subgroups", "balance", "overlap", "history"):
        data[name] = _figure(getattr(view, name))
    data["curves"] = [_figure(curve) for curve in view.curves]
    data["icons"] = ICONS
    data["n_figures"] = len(figures_in(view))
    return data


def _figure(figure: FigureView | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    table = asdict(figure.table)
    return {
        "title": figure.title,
        "alt": f"{figure.title}. {figure.description}",
        "svg": svg.on_paper(figure.wide, FONT),
        "note": figure.note,
        "table": table,
    }
