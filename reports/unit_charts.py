"""Altair charts of areas and series: the effect per time since the start, and a series with what was expected.

Here: specifications, as in `reports.charts`. Not here: what is drawn (`reports.unit_figures`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.charts import NARROW, TOKENS, WIDE, few_ticks, log_domain, on, styled, words_at, x_at, y_at
from reports.charts import Interval as Interval


@dataclass(frozen=True, slots=True)
class TimedEffect:
    """The effect at one time since the start; negative times lie before it. Limits None: masked, or no such end."""

    time: int
    estimate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PeriodPoint:
    """One period of a series; None: masked or not known."""

    place: int
    label: str
    is_after: bool
    observed: float | None
    expected: float | None
    low: float | None
    high: float | None


def event_study(
    rows: Sequence[TimedEffect],
    *,
    is_ratio: bool,
    x_title: str,
    y_title: str,
    start: str,
    decimal: str,
    is_narrow: bool = False,
) -> Any:
    """Draw effects with their intervals per time since the start, a line at no effect, and a line at the start."""
    import altair as alt

    width = NARROW - 40 if is_narrow else WIDE - 70
    low, high = _y_domain(rows, is_ratio)
    null = 1.0 if is_ratio else 0.0
    scale = alt.Scale(type="log" if is_ratio else "linear", domain=[low, high], nice=False, clamp=True)
    label = f"replace(format(datum.value, '{'~r' if is_ratio else '~g'}'), '.', '{decimal}')"
    ticks = {"values": few_ticks(low, high, 5)} if is_ratio else {"tickCount": 5}
    y_axis = alt.Axis(title=y_title, labelExpr=label, **ticks)
    times = [row.time for row in rows]
    x_scale = alt.Scale(domain=[min([*times, -1]) - 0.7, max([*times, 0]) + 0.7], nice=False)
    x_axis = alt.Axis(title=x_title, tickMinStep=1, format="d", tickCount=6 if is_narrow else 12)
    values = [
        {
            "time": row.time,
            "estimate": row.estimate,
            "low": low if row.low is None else row.low,
            "high": high if row.high is None else row.high,
            "colour": TOKENS["programme" if row.time >= 0 else "muted"],
        }
        for row in rows
        if row.low is not None or row.high is not None
    ]
    base = on(values).encode(x=alt.X("time:Q", scale=x_scale, axis=x_axis))
    colour = alt.Color("colour:N", scale=None)

    def at(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=scale, axis=y_axis)

    layers = [
        on([{"null": null}]).mark_rule(color=TOKENS["muted"], strokeWidth=1.5).encode(y=at("null")),
        on([{"time": -0.5}])
        .mark_rule(color=TOKENS["ink"], strokeDash=[4, 3])
        .encode(x=alt.X("time:Q", scale=x_scale, axis=x_axis)),
        base.mark_rule(strokeWidth=2.4).encode(y=at("low"), y2="high:Q", color=colour),
        base.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=60, opacity=1, shape="square")
        .encode(y=at("estimate"), color=colour),
        on([{"time": -0.5}])
        .mark_text(align="left", dx=4, fontSize=12, color=TOKENS["muted"], baseline="top")
        .encode(x=alt.X("time:Q", scale=x_scale, axis=x_axis), y=y_at(2), text=words_at(start)),
    ]
    return styled(alt.layer(*layers).properties(width=width, height=200 if is_narrow else 260))


def _y_domain(rows: Sequence[TimedEffect], is_ratio: bool) -> tuple[float, float]:
    """Return the axis: around no effect, as wide as the estimates ask and not as the widest interval does."""
    if is_ratio:
        drawn = [Interval("", "", row.estimate, row.low, row.high) for row in rows]
        return log_domain(drawn)
    values = [v for row in rows for v in (row.estimate, row.low, row.high) if v is not None]
    reach = max([abs(value) for value in values], default=1.0) * 1.1 or 1.0
    return -reach, reach


def series(
    points: Sequence[PeriodPoint],
    *,
    y_title: str,
    counted: str,
    expected: str,
    start: str,
    is_narrow: bool = False,
) -> Any:
    """Draw what was counted per period, what was expected without the programme with its band, and the start."""
    import altair as alt

    width = NARROW - 40 if is_narrow else WIDE - 60
    first = next((point.place for point in points if point.is_after), None)
    every = max(1, -(-len(points) // (4 if is_narrow else 9)))
    ticks = [point.place for point in points][::every]
    names = {str(point.place): point.label.split(" – ")[0] for point in points}
    lookup = "{" + ", ".join(f"'{place}': '{_quoted(label)}'" for place, label in names.items()) + "}"
    x_axis = alt.Axis(values=ticks, labelExpr=f"({lookup})[format(datum.value, 'd')]", title=None, labelOverlap=True)
    places = [point.place for point in points]
    x = alt.X("place:Q", scale=alt.Scale(domain=[min(places) - 0.5, max(places) + 0.5], nice=False), axis=x_axis)
    known = [v for p in points for v in (p.observed, p.expected, p.high) if v is not None]
    y_scale = alt.Scale(domain=[0, max(known, default=1.0) * 1.18], nice=True)
    y_axis = alt.Axis(title=y_title, tickCount=5)

    def at(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)

    after = [
        {"place": p.place, "expected": p.expected, "low": p.low, "high": p.high}
        for p in points
        if p.is_after and None not in (p.expected, p.low, p.high)
    ]
    seen = [{"place": p.place, "observed": p.observed} for p in points if p.observed is not None]
    fitted = [{"place": p.place, "expected": p.expected} for p in points if p.expected is not None]
    layers = [
        on(after).mark_area(color=TOKENS["other"], opacity=0.22).encode(x=x, y=at("low"), y2="high:Q"),
        on(fitted).mark_line(color=TOKENS["other"], strokeWidth=2.2, strokeDash=[6, 3]).encode(x=x, y=at("expected")),
        on(seen).mark_line(color=TOKENS["programme"], strokeWidth=1, opacity=0.55).encode(x=x, y=at("observed")),
        on(seen).mark_point(filled=True, size=26, opacity=1, color=TOKENS["programme"]).encode(x=x, y=at("observed")),
    ]
    if first is not None:
        line = on([{"place": first - 0.5}])
        layers.append(line.mark_rule(color=TOKENS["ink"], strokeDash=[4, 3]).encode(x=x))
        layers.append(
            line.mark_text(align="left", dx=4, fontSize=12, color=TOKENS["muted"], baseline="bottom").encode(
                x=x, y=y_at((190 if is_narrow else 250) - 4), text=words_at(start)
            )
        )
    for row, (mark, words, token) in enumerate((("●", counted, "programme"), ("┅", expected, "other"))):
        layers.append(
            on([{}])
            .mark_text(align="left", fontSize=12, fontWeight="bold", color=TOKENS[token], baseline="top")
            .encode(x=x_at(6), y=y_at(2 + 16 * row), text=words_at(f"{mark} {words}"))
        )
    return styled(alt.layer(*layers).properties(width=width, height=190 if is_narrow else 250))


def _quoted(label: str) -> str:
    """Return a period's label as part of an expression: labels are delivered texts."""
    return "".join(sign for sign in label if sign.isalnum() or sign in " -./")
