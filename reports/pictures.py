"""The verdict as a picture: a hundred figures with the programme, a hundred without. Drawn here, since it is only dots.

Here: SVG with colour tokens. Not here: which numbers (`effectmeter.natural_frequencies`).
"""

from __future__ import annotations

import html

from reports.charts import FONT, TOKENS
from reports.svg import named

_CELL, _TALL = 27, 27
_PERSON = "M0,-10.5a3.4,3.4 0 1,1 -0.01,0ZM-5.2,9.5v-6.6a5.2,5.2 0 0,1 10.4,0v6.6Z"


def icon_array(
    *,
    key: str,
    title: str,
    description: str,
    fields: tuple[tuple[str, str, int, str, int | None, int | None], ...],
    is_narrow: bool,
) -> str:
    """Return two fields of a hundred figures.

    Parameters
    ----------
    fields
        Per field: heading, words under it, filled figures, colour token, and the interval's ends (None where counted).
        Figures between the ends are drawn half: they may or may not be there.
    """  # fmt: skip
    size = 10 * _CELL
    gap = 60
    width = size if is_narrow else 2 * size + gap + 20
    tall = 10 * _TALL + 62
    height = 2 * tall + 14 if is_narrow else tall
    parts = []
    for index, (heading, words, filled, token, low, high) in enumerate(fields):
        text = f'<text x="2" font-family="{FONT}"'
        x, y = (0, index * (tall + 14)) if is_narrow else (index * (size + gap + 20), 0)
        parts.append(
            f'<g transform="translate({x},{y})">'
            f'{text} y="16" font-size="14" fill="{TOKENS["muted"]}">{html.escape(heading)}</text>'
            f'{text} y="44" font-size="26" font-weight="700" fill="{TOKENS[token]}">{html.escape(words)}</text>'
            f'<g transform="translate({_CELL / 2},{64 + _TALL / 2})">{_figures(filled, token, low, high)}</g></g>'
        )
    figure = f'<defs><path id="figure" d="{_PERSON}"/></defs>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{figure}{"".join(parts)}</svg>'
    return named(svg, key=key, title=title, description=description)


def _figures(filled: int, token: str, low: int | None, high: int | None) -> str:
    """Return a hundred figures, row by row: sure ones filled, possible ones outlined in colour, the others pale."""
    sure = filled if low is None else min(low, filled)
    possible = filled if high is None else max(high, filled)
    figures = []
    for index in range(100):
        place = f'x="{index % 10 * _CELL}" y="{index // 10 * _TALL}"'
        if index < sure:
            style = f'fill="{TOKENS[token]}"'
        elif index < filled:
            style = f'fill="{TOKENS[token]}" fill-opacity="0.55" stroke="{TOKENS[token]}" stroke-width="1.2"'
        elif index < possible:
            style = f'fill="none" stroke="{TOKENS[token]}" stroke-width="1.2" stroke-dasharray="2 1.6"'
        else:
            style = f'fill="{TOKENS["line"]}"'
        figures.append(f'<use href="#figure" {place} {style}/>')
    return "".join(figures)


def rate_bars(
    *,
    key: str,
    title: str,
    description: str,
    bars: tuple[tuple[str, int, str, int | None, int | None], ...],
    is_narrow: bool,
) -> str:
    """Return a bar per situation, with the interval as a thin line.

    Parameters
    ----------
    bars
        Per bar: heading, count, colour token, and the interval's ends (None where counted).
    """
    width, left = (280, 62) if is_narrow else (620, 76)
    longest = max(value for _, count, _, _, high in bars for value in (count, high or 0)) or 1
    room = width - left - 8
    parts = []
    for index, (heading, count, token, low, high) in enumerate(bars):
        y, colour = index * 70, TOKENS[token]
        parts.append(
            f'<text x="2" y="{y + 14}" font-family="{FONT}" font-size="14" fill="{TOKENS["muted"]}">'
            f"{html.escape(heading)}</text>"
            f'<text x="{left - 12}" y="{y + 46}" text-anchor="end" font-family="{FONT}" font-size="26" '
            f'font-weight="700" fill="{colour}">{count}</text>'
            f'<rect x="{left}" y="{y + 22}" width="{room * count / longest:.1f}" height="30" rx="2" fill="{colour}"/>'
        )
        if low is not None and high is not None:
            start, end, middle = left + room * low / longest, left + room * high / longest, y + 37
            line = f"M{start:.1f},{middle}H{end:.1f}M{start:.1f},{middle - 7}v14M{end:.1f},{middle - 7}v14"
            for token_, thick in (("paper", 5), ("ink", 2)):
                parts.append(f'<path d="{line}" fill="none" stroke="{TOKENS[token_]}" stroke-width="{thick}"/>')
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {70 * len(bars)}">{"".join(parts)}</svg>'
    return named(svg, key=key, title=title, description=description)
