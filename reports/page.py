"""The HTML page: one self-contained file per language, no request to anywhere.

Here: templates and their filters. Not here: contents (`reports.build`).
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from reports import svg
from reports.views import ReportView, TableView

if TYPE_CHECKING:
    from jinja2 import Environment

ICONS = {"passed": "✓", "warned": "!", "failed": "✕", "not_evaluated": "?", "not_applicable": "–"}
"""Marks of a gate's status; the word stands beside each."""


def template_text(name: str) -> str:
    """Return a file of the templates folder."""
    return files("reports").joinpath("templates", name).read_text(encoding="utf-8")


def environment() -> Environment:
    """Return the template engine: everything is escaped; only our own SVG, CSS and script are not."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    engine = Environment(
        loader=FunctionLoader(template_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    engine.filters["picture"] = lambda text: Markup(svg.on_page(text))
    engine.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    script = template_text("enhance.js")
    engine.globals["script"] = Markup(script)
    engine.globals["script_hash"] = "sha256-" + b64encode(sha256(script.encode()).digest()).decode()
    engine.globals["css"] = Markup(_compact(template_text("style.css")))
    return engine


def render_page(view: ReportView) -> str:
    """Return a report as one HTML file."""
    template = environment().get_template("report.html.j2")
    return template.render(view=view, icons=ICONS, checks_table=_checks_table(view)) + "\n"


def _checks_table(view: ReportView) -> TableView:
    words = view.texts
    heads = ("check", "result", "figure", "threshold")
    rows = tuple((check.description, check.status, check.figure, check.threshold) for check in view.checks)
    return TableView(words["all_checks"], tuple(words[head] for head in heads), rows)


def _compact(css: str) -> str:
    return "\n".join(line.strip() for line in css.splitlines() if line.strip())
