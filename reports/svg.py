"""From an Altair chart to an accessible static SVG, and its colours to a palette.

Here: rendering, accessible names, palettes. Not here: what is drawn.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from reports.charts import FONT, SAID, TOKENS

LIGHT: Mapping[str, str] = {
    "ink": "#1c2126",
    "muted": "#59626d",
    "line": "#d8d6cf",
    "programme": "#00629b",
    "other": "#b34700",
    "paper": "#ffffff",
}
"""Ink on paper; blue and vermilion of Okabe and Ito, darkened to 4.5:1 on the page's ground."""

DARK: Mapping[str, str] = {
    "ink": "#eceae5",
    "muted": "#a9b1bb",
    "line": "#3b4149",
    "programme": "#6bb8ec",
    "other": "#f2a05f",
    "paper": "#16191d",
}
"""The same on a dark ground."""


_SAID = re.compile(rf'<(path|rect)\b([^>]*?)\saria-label="{SAID}([^"]*)"([^>]*?)(?:/>|></\1>)')
"""A mark with something to say when it is pointed at: the browser's own tip, without a script."""


def render(chart: Any, *, key: str, title: str, description: str) -> str:
    """Return a chart as SVG with role, title and description; colours are still tokens.

    Parameters
    ----------
    key
        Unique in the page: the ids of title, description and clip paths start with it.
    """
    specification = json.dumps(chart.to_dict(validate=False), sort_keys=True)
    return named(_drawn(specification), key=key, title=title, description=description)


@functools.lru_cache(maxsize=64)
def _drawn(specification: str) -> str:
    """Return the SVG of a Vega-Lite specification; a refresh that changed no figure draws nothing again."""
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(specification)
    return svg


def unvalidated() -> AbstractContextManager[None]:
    """Return a context in which Altair builds charts without checking each part against its schema.

    Checking is most of the time that a report takes; the tests build every chart with it.
    """
    from altair.utils.schemapi import debug_mode

    manager: AbstractContextManager[None] = debug_mode(False)
    return manager


def named(svg: str, *, key: str, title: str, description: str) -> str:
    """Return an SVG with an accessible name, no roles inside, and ids that are its own."""
    svg = _SAID.sub(r"<\1\2\4><title>\3</title></\1>", svg)
    svg = re.sub(r'\s(?:role|aria-[a-z]+|class|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", svg)
    svg = svg.replace('href="#', f'href="#{key}-')
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    width = f' style="max-width:{float(size.group(1)):.0f}px"' if size else ""
    svg = re.sub(r'(<svg\b[^>]*?)\swidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg\b[^>]*?)\sheight="[^"]*"', r"\1", svg, count=1)
    head = f'<svg role="img" aria-labelledby="{key}-title {key}-desc"{width}'
    names = (
        f'<title id="{key}-title">{html.escape(title)}</title><desc id="{key}-desc">{html.escape(description)}</desc>'
    )
    svg = re.sub(r"<svg\b", head, svg, count=1)
    return re.sub(r">", f">{names}", svg, count=1)


def on_page(svg: str) -> str:
    """Return the SVG with the page's CSS variables for colours, and the page's font."""
    for name, token in TOKENS.items():
        svg = svg.replace(token, f"var(--{name})")
    return svg.replace(f'font-family="{FONT}"', "").replace(f"font-family: {FONT};", "")


def on_paper(svg: str, font: str) -> str:
    """Return the SVG in ink on paper, for the PDF."""
    for name, token in TOKENS.items():
        svg = svg.replace(token, LIGHT[name])
    return svg.replace(FONT, font)


def sized(svg: str) -> str:
    """Return the SVG with a size of its own, for who shows it in a box that has none."""
    width, height = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    return re.sub(r"<svg\b", f'<svg width="{width}" height="{height}"', svg, count=1)
