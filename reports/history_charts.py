"""The chart of a programme's editions: quarters from left to right, each with its figure and margins.

Here: the specification. Not here: which editions, and the words (`reports.history`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.charts import (
    SAID,
    TOKENS,
    WIDE,
    Interval,
    few_ticks,
    halo,
    log_domain,
    on,
    said,
    styled,
    words_at,
    x_at,
    y_at,
)

_HEIGHT, _LEFT, _RIGHT = 230, 46, 66


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition in the picture.

    Attributes
    ----------
    places
        Words under the axis, each on a line of its own: year, quarter, and edition where a quarter has several.
    line
        Its figure as a line of a forest plot, the primary one for the edition that is read; without limits where
        nothing is shown.
    is_comparable
        Whether its figure is about the same as that of the newest edition.
    is_held
        Whether it showed the figure of an earlier quarter.
    mark
        A letter where plan or definition changed since the edition before it.
    """

    places: tuple[str, ...]
    line: Interval
    is_comparable: bool = True
    is_held: bool = False
    mark: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether there is anything to draw."""
        return self.line.low is not None or self.line.high is not None


def editions(found: Sequence[Edition], *, less: str, more: str, hidden: str, decimal: str) -> Any:
    """Draw each edition's figure with its margins on a log axis, quarters from left to right, with a line at no effect.

    Parameters
    ----------
    less, more
        Words for either side of the line.
    hidden
        What stands where nothing is shown.
    decimal
        The locale's decimal sign.
    """
    import altair as alt

    low, high = log_domain([item.line for item in found])
    width = WIDE - _LEFT - _RIGHT
    step = width / len(found)
    values = [_value(item, step * (index + 0.5), low, high) for index, item in enumerate(found)]
    ticks = few_ticks(low, high, 6)
    scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
    axis = alt.Axis(values=ticks, title=None, labelExpr=f"replace(format(datum.value, '~r'), '.', '{decimal}')")
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None)

    def at(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    base = on(values).encode(x=x)
    shown, colour = base.transform_filter("datum.is_shown"), alt.Color("colour:N", scale=None)
    dots = shown.transform_filter("isValid(datum.estimate)")
    foot = {"baseline": "top", "fontSize": 12, "lineBreak": "\n", "color": TOKENS["muted"], "dy": 8}
    value = {"align": "left", "dx": 8, "fontSize": 12}
    layers = [
        on([{"null": 1.0}]).mark_rule(color=TOKENS["muted"], strokeWidth=1.5).encode(y=at("null")),
        *_marks(found, step, x),
        shown.mark_rule(strokeWidth=1.2, strokeDash=[2, 2]).encode(y=at("wide_low"), y2="wide_high:Q", color=colour),
        shown.mark_rule(strokeWidth=3).encode(y=at("low"), y2="high:Q", color=colour),
        dots.mark_point(filled=True, size=90, shape="square", opacity=1).encode(
            y=at("estimate"), color=colour, description=said("said")
        ),
        dots.transform_filter("datum.is_held")
        .mark_point(filled=True, size=26, shape="square", opacity=1, color=TOKENS["paper"])
        .encode(y=at("estimate")),
        *halo(dots, value, y=at("estimate"), text="value:N"),
        *halo(
            base.transform_filter("!datum.is_shown"),
            {"fontSize": 12, "color": TOKENS["muted"], "lineBreak": "\n", "baseline": "middle"},
            y=at("one"), text=words_at(hidden.replace(" ", "\n")),
        ),
        base.mark_text(**foot).encode(y=y_at(_HEIGHT), text="places:N"),
        *_sides(less, more, at, width),
    ]  # fmt: skip
    return styled(alt.layer(*layers).properties(width=width, height=_HEIGHT))


def _value(item: Edition, x: float, low: float, high: float) -> dict[str, Any]:
    line = item.line
    ends = {"low": line.low if line.low is not None else low, "high": line.high if line.high is not None else high}
    wide = {
        "wide_low": line.wide_low if line.wide_low is not None else ends["low"],
        "wide_high": line.wide_high if line.wide_high is not None else ends["high"],
    }
    return {
        "x": x,
        "one": 1.0,
        "places": "\n".join(item.places),
        "estimate": line.estimate,
        "value": line.text.partition(" ")[0],
        **ends,
        **wide,
        "is_shown": item.is_shown,
        "is_held": item.is_held,
        "colour": TOKENS["programme" if item.line.is_primary else "ink" if item.is_comparable else "muted"],
        "said": f"{SAID}{line.label}: {line.text}",
    }


def _marks(found: Sequence[Edition], step: float, x: Any) -> list[Any]:
    """Return a line with a letter before every edition whose plan or definition changed."""
    values = [{"x": index * step, "mark": item.mark} for index, item in enumerate(found) if item.mark]
    if not values:
        return []
    base = on(values).encode(x=x)
    return [
        base.mark_rule(color=TOKENS["muted"], strokeDash=[5, 4]),
        *halo(base, {"fontSize": 13, "fontWeight": "bold", "baseline": "bottom", "dy": -3}, y=y_at(0), text="mark:N"),
    ]


def _sides(less: str, more: str, at: Any, width: float) -> list[Any]:
    """Return the words on either side of the line, to the right of it."""
    base = on([{"one": 1.0}])
    mark = {"align": "left", "fontSize": 12, "color": TOKENS["muted"], "baseline": "middle"}
    return [
        base.mark_text(**mark, dy=dy).encode(x=x_at(width + 6), y=at("one"), text=words_at(words))
        for dy, words in ((-10, f"↑ {more}"), (11, f"↓ {less}"))
    ]
