"""Altair charts of how far a comparison can be trusted: who is left, who overlaps, which trials may be missing.

Here: specifications, as in `reports.charts`. Not here: what is drawn (`reports.check_figures`).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.charts import NARROW, SAID, TOKENS, WIDE, few_ticks, halo, on, said, styled, words_at, x_at, y_at

Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class FlowStep:
    """How many of one arm are left after a step; `words` says the number and what was lost, as printed."""

    arm: str
    is_programme: bool
    left: float
    words: str


@dataclass(frozen=True, slots=True)
class Bin:
    """Both arms' share, in per cent, in one class of the chance to take part; None where the count is masked."""

    low: float
    high: float
    treated: float | None
    comparison: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: its ratio and the standard error of its logarithm."""

    label: str
    ratio: float
    error: float


def flow(steps: Sequence[FlowStep], *, is_narrow: bool = False) -> Any:
    """Draw how many of each arm are left after every step, as bars that shrink, from delivered to analysed."""
    import altair as alt

    width, step = (NARROW, 46) if is_narrow else (WIDE, 40)
    longest = max(item.left for item in steps) or 1.0
    values, tops, place, last = [], [], 8.0, ""
    for item in steps:
        if item.arm != last:
            tops.append({"y": place + 12, "arm": item.arm, "colour": _colour(item.is_programme)})
            place, last = place + 22, item.arm
        values.append(
            {
                "y": place + 12,
                "y0": place + 18,
                "y1": place + 28,
                "x": 0,
                "x1": max(2.0, width * item.left / longest),
                "words": textwrap.shorten(item.words, 42 if is_narrow else 95, placeholder=" …"),
                "colour": _colour(item.is_programme),
            }
        )
        place += step
    y_scale = alt.Scale(domain=[place, 0], nice=False)
    x_scale = alt.Scale(domain=[0, width], nice=False)
    base = on(values).encode(color=alt.Color("colour:N", scale=None))
    layers = [
        base.mark_rect().encode(
            x=alt.X("x:Q", scale=x_scale, axis=None),
            x2="x1:Q",
            y=alt.Y("y0:Q", scale=y_scale, axis=None),
            y2="y1:Q",
        ),
        on(values)
        .mark_text(align="left", baseline="alphabetic", fontSize=12.5)
        .encode(x=x_at(0), y=alt.Y("y:Q", scale=y_scale, axis=None), text="words:N"),
        on(tops)
        .mark_text(align="left", baseline="alphabetic", fontSize=13, fontWeight="bold")
        .encode(
            x=x_at(0),
            y=alt.Y("y:Q", scale=y_scale, axis=None),
            text="arm:N",
            color=alt.Color("colour:N", scale=None),
        ),
    ]
    return styled(alt.layer(*layers).properties(width=width, height=place))


def _colour(is_programme: bool) -> str:
    return TOKENS["programme" if is_programme else "other"]


def overlap(
    bins: Sequence[Bin],
    *,
    treated: str,
    comparison: str,
    x_title: str,
    y_title: str,
    decimal: str,
    is_narrow: bool = False,
) -> Any:
    """Draw how the chance to take part is spread: participants upwards, the comparison group downwards."""
    import altair as alt

    width, height = (NARROW - 40, 220) if is_narrow else (WIDE - 60, 250)
    reach = max([v for item in bins for v in (item.treated, item.comparison) if v is not None], default=1.0) * 1.25
    x = alt.X(
        "low:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(
            title=x_title,
            values=[0, 0.25, 0.5, 0.75, 1],
            labelExpr=f"replace(format(datum.value, '~r'), '.', '{decimal}')",
        ),
    )
    y_scale = alt.Scale(domain=[-reach, reach], nice=False)
    y_axis = alt.Axis(title=y_title, tickCount=5, labelExpr="format(abs(datum.value), '.0f')")
    layers = []
    for sign, is_programme in ((1, True), (-1, False)):
        shares = [(item, item.treated if is_programme else item.comparison) for item in bins]
        values = [
            {
                "low": item.low,
                "high": item.high,
                "zero": 0,
                "share": sign * share,
                "said": f"{SAID}{treated if is_programme else comparison}: {share:.0f} %",
            }
            for item, share in shares
            if share
        ]
        layers.append(
            on(values)
            .mark_rect(color=_colour(is_programme), stroke=TOKENS["paper"], strokeWidth=1)
            .encode(
                x=x, x2="high:Q", y=alt.Y("zero:Q", scale=y_scale, axis=y_axis), y2="share:Q", description=said("said")
            )
        )
    layers.append(
        on([{"zero": 0}]).mark_rule(color=TOKENS["ink"]).encode(y=alt.Y("zero:Q", scale=y_scale, axis=y_axis))
    )
    for place, words, is_programme in ((12, f"▲ {treated}", True), (height - 10, f"▼ {comparison}", False)):
        layers += halo(
            on([{}]),
            {"align": "right", "fontSize": 12.5, "fontWeight": "bold", "color": _colour(is_programme)},
            x=x_at(width - 4),
            y=y_at(place),
            text=words_at(words),
        )
    return styled(alt.layer(*layers).properties(width=width, height=height))


def funnel(
    trials: Sequence[Trial],
    *,
    mean: float,
    x_title: str,
    y_title: str,
    mean_words: str,
    decimal: str,
    is_narrow: bool = False,
) -> Any:
    """Draw each trial's ratio against its precision, with the limits in which 95 of 100 would lie by chance alone.

    Large trials stand at the top. A corner at the foot that is empty on one side may mean that trials are missing.
    """
    import altair as alt

    width, height = (NARROW - 40, 240) if is_narrow else (WIDE - 60, 300)
    foot = max(trial.error for trial in trials) * 1.08
    ends = [math.log(trial.ratio) for trial in trials] + [math.log(mean) + sign * Z95 * foot for sign in (-1, 1)]
    low, high = (max(0.02, math.exp(min([*ends, 0.0])) * 0.95), min(50.0, math.exp(max([*ends, 0.0])) * 1.05))
    ticks = few_ticks(low, high, 4 if is_narrow else 7)
    x_axis = alt.Axis(values=ticks, title=x_title, labelExpr=f"replace(format(datum.value, '~r'), '.', '{decimal}')")
    x_scale = alt.Scale(type="log", domain=[low, high], nice=False, clamp=True)
    y_axis = alt.Axis(title=y_title, tickCount=4, labelExpr=f"replace(format(datum.value, '.1f'), '.', '{decimal}')")
    y_scale = alt.Scale(domain=[0, foot], reverse=True, nice=False)

    def x(field: str) -> Any:
        return alt.X(f"{field}:Q", scale=x_scale, axis=x_axis)

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)

    sides = [[{"x": mean, "y": 0.0}, {"x": mean * math.exp(sign * Z95 * foot), "y": foot}] for sign in (-1, 1)]
    values = [
        {
            "ratio": trial.ratio,
            "error": trial.error,
            "said": f"{SAID}{trial.label}: {trial.ratio:.2f}".replace(".", decimal),
        }
        for trial in trials
    ]
    layers = [on(side).mark_line(color=TOKENS["other"], strokeDash=[5, 3], strokeWidth=1.6).encode(x=x("x"), y=y("y"))
              for side in sides]  # fmt: skip
    layers += [
        on([{"null": 1.0}]).mark_rule(color=TOKENS["muted"], strokeWidth=1.5).encode(x=x("null")),
        on([{"mean": mean}]).mark_rule(color=TOKENS["other"], strokeWidth=1.5).encode(x=x("mean")),
        on(values)
        .mark_point(filled=True, size=60, opacity=0.85, color=TOKENS["programme"])
        .encode(x=x("ratio"), y=y("error"), description=said("said")),
    ]
    layers += halo(
        on([{"mean": mean}]),
        {"align": "left", "dx": 5, "fontSize": 12, "color": TOKENS["other"], "baseline": "top"},
        x=x("mean"),
        y=y_at(2),
        text=words_at(mean_words),
    )
    return styled(alt.layer(*layers).properties(width=width, height=height))
