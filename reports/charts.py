"""Altair charts, one function per picture, from released view models only.

Here: specifications. Not here: rendering and accessible names (`reports.svg`), nor what is drawn (`reports.views`).
Colours are tokens: the page turns them into its light or dark palette, the PDF into ink on paper. Altair is imported
inside the functions; importing this module is free.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import altair as alt

TOKENS: Mapping[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "line": "#030303",
    "programme": "#040404",
    "other": "#050505",
    "paper": "#060606",
}
"""Placeholder colours, replaced after rendering."""

FONT = "Effectmeter"
SAID = "§"
"""The first sign of what a mark says of itself; Vega's own words about marks lack it, and are left out."""
WIDE, NARROW = 620, 272
_NARROW_TEXTS: tuple[tuple[str, int, Literal["bold", "normal"]], ...] = (("label", -39, "bold"), ("text", -9, "normal"))
_TICKS = (0.05, 0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """One line of a forest plot.

    Attributes
    ----------
    text
        Estimate and interval as printed, in the reader's locale.
    low, high, wide_low, wide_high
        The ordinary interval, and the one over all looks; None where it has no such end.
    """

    label: str
    text: str
    estimate: float | None
    low: float | None
    high: float | None
    wide_low: float | None = None
    wide_high: float | None = None
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One arm's cumulative incidence: days, share, and numbers at risk (None: masked)."""

    name: str
    is_programme: bool
    days: tuple[int, ...]
    incidence: tuple[float, ...]
    at_risk: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One covariate's standardised mean difference before and after."""

    label: str
    before: float
    after: float


def _data(values: list[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def _x(pixels: float) -> Any:
    import altair as alt

    return alt.XValue(pixels)  # type: ignore[no-untyped-call]


def _y(pixels: float) -> Any:
    import altair as alt

    return alt.YValue(pixels)  # type: ignore[no-untyped-call]


def _words(words: str) -> Any:
    import altair as alt

    return alt.TextValue(words)


def on(values: list[dict[str, Any]]) -> Any:
    """Return an empty chart on values."""
    import altair as alt

    return alt.Chart(_data(values))


def x_at(pixels: float) -> Any:
    """Return a fixed place from the left."""
    return _x(pixels)


def y_at(pixels: float) -> Any:
    """Return a fixed place from the top."""
    return _y(pixels)


def words_at(words: str) -> Any:
    """Return a fixed text."""
    return _words(words)


def said(field: str) -> Any:
    """Return what a mark says when it is pointed at: a field of texts, see `SAID`."""
    import altair as alt

    return alt.Description(f"{field}:N")


def halo(base: Any, mark: Mapping[str, Any], **places: Any) -> list[Any]:
    """Return a text on a rim of paper, so that a line behind it does not cross it out."""
    rim = {**mark, "color": TOKENS["paper"], "stroke": TOKENS["paper"], "strokeWidth": 4}
    return [base.mark_text(**rim).encode(**places), base.mark_text(**mark).encode(**places)]


def few_ticks(low: float, high: float, most: int) -> list[float]:
    """Return ticks of a log axis around 1."""
    return _few([tick for tick in _TICKS if low <= tick <= high], low, high, most)


def styled(chart: Any) -> Any:
    """Return a chart of another module in the house style."""
    return _styled(chart)


def log_domain(rows: Sequence[Interval]) -> tuple[float, float]:
    """Return a domain around 1 that holds the intervals, no wider than twenty-fold.

    Examples
    --------
    >>> log_domain([Interval("a", "", 0.7, 0.5, 0.98)])
    (0.45, 1.25)
    """
    values = [v for row in rows for v in (row.low, row.high, row.wide_low, row.wide_high, row.estimate) if v and v > 0]
    low, high = min([*values, 0.8]), max([*values, 1.25])
    low, high = max(low * (0.9 if low < 0.8 else 1.0), 0.05), min(high * (1.1 if high > 1.25 else 1.0), 20.0)
    return round(low, 2), round(high, 2)


def forest(rows: Sequence[Interval], *, less: str, more: str, decimal: str, is_narrow: bool = False) -> Any:
    """Draw estimates with their intervals on a log axis, with a line at no effect.

    Parameters
    ----------
    less, more
        Words for either side of the line.
    decimal
        The locale's decimal sign.
    """
    import altair as alt

    width, step = (NARROW, 78) if is_narrow else (WIDE, 34)
    low, high = log_domain(rows)
    left = 0 if is_narrow else 220
    right = width if is_narrow else width - 130
    scale = alt.Scale(type="log", domain=[low, high], nice=False, range=[left + 4, right - 4], clamp=True)
    values = [
        {
            "y": index,
            "label": _two_lines(row.label, 34 if is_narrow else 32, is_padded=is_narrow),
            "text": row.text,
            "estimate": row.estimate,
            "low": row.low if row.low is not None else low,
            "high": row.high if row.high is not None else high,
            "wide_low": row.wide_low if row.wide_low is not None else row.low if row.low is not None else low,
            "wide_high": row.wide_high if row.wide_high is not None else row.high if row.high is not None else high,
            "is_known": row.low is not None or row.high is not None,
            "colour": TOKENS["programme" if row.is_primary else "ink"],
            "said": f"{SAID}{row.label}: {row.text}",
        }
        for index, row in enumerate(rows)
    ]
    # the first row below the words at the top, each next one a step further
    top, height = (92, 92 + step * (len(rows) - 1) + 22) if is_narrow else (42, 42 + step * (len(rows) - 1) + 22)
    y_scale = alt.Scale(domain=[(height - top) / step, -top / step], nice=False)
    base = alt.Chart(_data(values)).encode(y=alt.Y("y:Q", scale=y_scale, axis=None))
    known = base.transform_filter("datum.is_known")
    ticks = _few([tick for tick in _TICKS if low <= tick <= high], low, high, 5 if is_narrow else 8)
    axis = alt.Axis(values=ticks, title=None, labelExpr=f"replace(format(datum.value, '~r'), '.', '{decimal}')")

    def at(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    emphasis = alt.Color("colour:N", scale=None)
    layers = [
        alt.Chart(_data([{"null": 1.0}])).mark_rule(color=TOKENS["muted"], strokeWidth=1.5).encode(x=at("null")),
        known.mark_rule(strokeWidth=1.2, strokeDash=[2, 2]).encode(x=at("wide_low"), x2="wide_high:Q", color=emphasis),
        known.mark_rule(strokeWidth=3).encode(x=at("low"), x2="high:Q", color=emphasis),
        known.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=90, shape="square", opacity=1)
        .encode(x=at("estimate"), color=emphasis, description=said("said")),
    ]
    if is_narrow:
        for field, dy, weight in _NARROW_TEXTS:
            mark = {"align": "left", "baseline": "bottom", "dy": dy, "fontSize": 12.5, "fontWeight": weight}
            layers += halo(base, {**mark, "lineBreak": "\n"}, x=_x(0), text=f"{field}:N")
    else:
        layers += [
            base.mark_text(align="left", fontSize=13, lineBreak="\n", lineHeight=14).encode(x=_x(0), text="label:N"),
            base.mark_text(align="right", fontSize=13).encode(x=_x(width), text="text:N"),
        ]
    layers += _directions(less, more, math.log(1 / low) / math.log(high / low), left, right)
    return _styled(alt.layer(*layers).properties(width=width, height=height))


def _two_lines(label: str, width: int, *, is_padded: bool) -> str:
    """Return a label on at most two lines; padded, on exactly two, so that its last line has a fixed place."""
    lines = textwrap.wrap(label, width, max_lines=2, placeholder=" …")
    return "\n".join([*([""] if is_padded and len(lines) == 1 else []), *lines])


def _directions(less: str, more: str, share: float, left: float, right: float) -> list[Any]:
    """Return the words on either side of the line, at the top."""
    import altair as alt

    middle = left + 4 + share * (right - left - 8)
    top = alt.Chart(_data([{}]))
    return [
        top.mark_text(align="right", fontSize=12, color=TOKENS["muted"], baseline="top").encode(
            x=_x(middle - 8), y=_y(0), text=_words(f"← {less}")
        ),
        top.mark_text(align="left", fontSize=12, color=TOKENS["muted"], baseline="top").encode(
            x=_x(middle + 8), y=_y(0), text=_words(f"{more} →")
        ),
    ]


def _few(ticks: Sequence[float], low: float, high: float, most: int) -> list[float]:
    """Keep 1 and as many other ticks as stand clear of each other."""
    room = math.log(high / low) / most
    kept = [1.0]
    for tick in sorted(ticks, key=lambda value: (value not in {0.5, 2.0}, abs(math.log(value)))):
        if all(abs(math.log(tick / other)) >= room * 0.75 for other in kept):
            kept.append(tick)
    return sorted(kept)


def incidence(
    lines: Sequence[CurveLine], *, y_title: str, x_title: str, at_risk_title: str, is_narrow: bool = False
) -> Any:
    """Draw cumulative incidence per arm in percent, numbers at risk underneath."""
    import altair as alt

    width = NARROW - 40 if is_narrow else WIDE - 60
    end = max(max(line.days) for line in lines) + 2
    top = max(max(line.incidence) for line in lines)
    months = max(1, round(end / 30.4375))
    every = next(step for step in (1, 2, 3, 6, 12, 24, 1000) if months / step <= (4 if is_narrow else 8))
    ticks = [round(month * 365.25 / 12) for month in range(0, months + 1, every)]
    x = alt.X(
        "day:Q",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(values=ticks, labelExpr="format(datum.value / 30.4375, '.0f')", title=x_title),
    )
    ceiling = min(100.0, 100 * max(0.05, math.ceil(top * 1.15 / 0.05) * 0.05))
    layers: list[Any] = []
    for line in lines:
        values = [
            {
                "day": day,
                "share": 100 * share,
                "said": f"{SAID}{line.name}: {100 * share:.0f} % ({day / 30.4375:.0f} {x_title})",
            }
            for day, share in zip(line.days, line.incidence, strict=True)
        ]
        colour = TOKENS["programme" if line.is_programme else "other"]
        chart = alt.Chart(_data(values)).encode(
            x=x,
            y=alt.Y(
                "share:Q", scale=alt.Scale(domain=[0, ceiling], nice=False), axis=alt.Axis(title=y_title, tickCount=5)
            ),
        )
        dash = [1, 0] if line.is_programme else [6, 3]
        layers.append(chart.mark_line(strokeWidth=2.6, color=colour, strokeDash=dash))
        layers.append(
            chart.mark_point(
                filled=True, size=36, opacity=1, color=colour, shape="circle" if line.is_programme else "square"
            ).encode(description=said("said"))
        )
    layers += [_legend(line, index) for index, line in enumerate(lines)]
    curves = alt.layer(*layers).properties(width=width, height=190 if is_narrow else 250)
    return _styled(
        alt.vconcat(curves, _at_risk(lines, ticks, end, width, at_risk_title), spacing=2).resolve_scale(x="independent")
    )


def _legend(line: CurveLine, index: int) -> Any:
    """Return an arm's name in its colour, top left, where a curve that starts at zero leaves room."""
    import altair as alt

    mark = "●" if line.is_programme else "■"
    return (
        alt.Chart(_data([{}]))
        .mark_text(
            align="left", fontSize=12.5, fontWeight="bold", color=TOKENS["programme" if line.is_programme else "other"]
        )
        .encode(x=_x(12), y=_y(14 + 18 * index), text=_words(f"{mark} {line.name}"))
    )


def _at_risk(lines: Sequence[CurveLine], ticks: Sequence[int], end: int, width: int, title: str) -> Any:
    """Return the numbers at risk under the curves: at each tick, the last published one."""
    import altair as alt

    values = []
    for row, line in enumerate(lines):
        for tick in ticks:
            known = [n for day, n in zip(line.days, line.at_risk, strict=True) if day <= tick]
            values.append({"day": tick, "row": row, "n": "" if not known or known[-1] is None else str(known[-1]),
                           "colour": TOKENS["programme" if line.is_programme else "other"]})  # fmt: skip
    x = alt.X("day:Q", scale=alt.Scale(domain=[0, end], nice=False), axis=None)
    y = alt.Y("row:Q", scale=alt.Scale(domain=[-0.7, len(lines) - 0.3], reverse=True, nice=False), axis=None)
    numbers = alt.Chart(_data(values)).mark_text(fontSize=12).encode(
        x=x, y=y, text="n:N",
        color=alt.Color("colour:N", scale=None),
    )  # fmt: skip
    heading = alt.Chart(_data([{}])).mark_text(align="left", fontSize=12, color=TOKENS["muted"], dy=-4).encode(
        x=_x(0), y=_y(0), text=_words(title)
    )  # fmt: skip
    return alt.layer(numbers, heading).properties(width=width, height=18 * len(lines) + 8)


def balance(
    rows: Sequence[Difference], *, before: str, after: str, x_title: str, decimal: str, is_narrow: bool = False
) -> Any:
    """Draw each covariate's difference before and after weighting (a love plot), with the band that counts as alike."""
    import altair as alt

    width, left = (NARROW, 0) if is_narrow else (WIDE, 220)
    # a label has two lines beside its points; above them, on a phone, one
    labels = [
        textwrap.shorten(row.label, 42, placeholder=" …") if is_narrow else _two_lines(row.label, 34, is_padded=False)
        for row in rows
    ]
    step = 38 if is_narrow else 34 if any("\n" in label for label in labels) else 26
    reach = min(max([0.3, *(abs(value) * 1.1 for row in rows for value in (row.before, row.after))]), 1.5)
    scale = alt.Scale(domain=[-reach, reach], nice=False, range=[left + 4, width - 4], clamp=True)
    axis = alt.Axis(title=x_title, tickCount=5, labelExpr=f"replace(format(datum.value, '.1f'), '.', '{decimal}')")
    values = [
        {"y": index, "label": label, "before": row.before, "after": row.after}
        for index, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    base = alt.Chart(_data(values)).encode(
        y=alt.Y("y:Q", scale=alt.Scale(domain=[len(rows) - 0.3, -1.1], nice=False), axis=None)
    )

    def at(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    band = alt.Chart(_data([{"a": -0.1, "b": 0.1}])).mark_rect(color=TOKENS["line"], opacity=0.55)
    zero = alt.Chart(_data([{"zero": 0.0}])).mark_rule(color=TOKENS["muted"])
    top = alt.Chart(_data([{}]))
    middle = left + (width - left) / 2
    baseline = "bottom" if is_narrow else "middle"
    name = {"align": "left", "baseline": baseline, "dy": -7 if is_narrow else 0, "fontSize": 12, "lineBreak": "\n"}
    layers = [
        band.encode(x=at("a"), x2="b:Q"),
        zero.encode(x=at("zero")),
        base.mark_rule(color=TOKENS["line"], strokeWidth=1.5).encode(x=at("before"), x2="after:Q"),
        base.mark_point(size=70, shape="circle", color=TOKENS["other"], strokeWidth=2, opacity=1).encode(
            x=at("before")
        ),
        base.mark_point(size=70, shape="diamond", filled=True, color=TOKENS["programme"], opacity=1).encode(
            x=at("after")
        ),
        *halo(base, name, x=_x(0), text="label:N"),
        top.mark_text(align="right", fontSize=12, color=TOKENS["other"], baseline="top").encode(
            x=_x(middle - 12), y=_y(0), text=_words(f"○ {before}")
        ),
        top.mark_text(align="left", fontSize=12, color=TOKENS["programme"], baseline="top").encode(
            x=_x(middle + 12), y=_y(0), text=_words(f"◆ {after}")
        ),
    ]
    return _styled(alt.layer(*layers).properties(width=width, height=step * len(rows) + 30))


def _styled(chart: Any) -> Any:
    """Return the chart in the house style.

    The configuration is set in place: each of Altair's `configure_...` methods would copy the whole chart.
    """
    import altair as alt

    chart.config = alt.Config(
        font=FONT,
        background="transparent",
        padding={"left": 4, "right": 8, "top": 4, "bottom": 4},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=TOKENS["muted"],
            titleColor=TOKENS["muted"],
            titleFontWeight="normal",
            titleFontSize=12,
            labelFontSize=12,
            gridColor=TOKENS["line"],
            gridOpacity=0.7,
            domainColor=TOKENS["muted"],
            tickColor=TOKENS["muted"],
        ),
        text=alt.MarkConfig(color=TOKENS["ink"]),
    )
    return chart
