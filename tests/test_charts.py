"""Chart specifications, built with Altair's own schema checks on: log axis, line at no effect, named pictures."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reports import charts, check_charts, pictures, svg

ROWS = [
    charts.Interval("police contact, a year", "0.65 (0.57 to 0.74)", 0.65, 0.57, 0.74, 0.53, 0.79, True),
    charts.Interval("a bound only", "at most 0.40", None, None, 0.4),
]
LINES = [
    charts.CurveLine("participants", True, (0, 84, 364), (0.0, 0.1, 0.22), (215, 200, 170)),
    charts.CurveLine("comparison", False, (0, 56, 364), (0.0, 0.1, 0.31), (215, 205, None)),
]


def encodings(spec: Any, name: str) -> list[Any]:
    """Return every encoding of a channel in a specification."""
    if isinstance(spec, dict):
        own = [spec["encoding"][name]] if name in spec.get("encoding", {}) else []
        return own + [found for value in spec.values() for found in encodings(value, name)]
    return [found for value in spec for found in encodings(value, name)] if isinstance(spec, list) else []


@pytest.mark.parametrize("is_narrow", [False, True])
def test_forest_has_a_log_axis_and_a_line_at_one(is_narrow: bool) -> None:
    spec = charts.forest(ROWS, less="less", more="more", decimal=".", is_narrow=is_narrow).to_dict()
    scales = [x["scale"] for x in encodings(spec, "x") if "scale" in x]
    assert scales and all(scale["type"] == "log" and scale["nice"] is False for scale in scales)
    assert len({tuple(scale["domain"]) for scale in scales}) == 1
    assert any(x.get("field") == "null" for x in encodings(spec, "x"))
    assert '"null": 1.0' in json.dumps(spec)
    low, high = scales[0]["domain"]
    assert low < 1 < high


def test_forest_marks_no_point_where_there_is_only_a_bound() -> None:
    spec = charts.forest(ROWS, less="less", more="more", decimal=".").to_dict()
    points = [layer for layer in spec["layer"] if layer["mark"].get("type") == "point"]
    assert "isValid(datum.estimate)" in json.dumps(points)


def test_ticks_hold_one_and_stand_apart() -> None:
    ticks = charts._few(charts._TICKS, 0.05, 20, 5)
    assert 1.0 in ticks and len(ticks) <= 8


def test_incidence_starts_at_zero_and_shows_numbers_at_risk() -> None:
    spec = charts.incidence(LINES, y_title="percent", x_title="months", at_risk_title="at risk").to_dict()
    domains = [y["scale"]["domain"] for y in encodings(spec["vconcat"][0], "y") if "scale" in y]
    assert all(domain[0] == 0 for domain in domains)
    numbers = json.dumps(spec["vconcat"][1])
    assert '"215"' in numbers and '"170"' in numbers


def test_arms_differ_in_more_than_colour() -> None:
    spec = charts.incidence(LINES, y_title="percent", x_title="months", at_risk_title="at risk").to_dict()
    dashes = {
        str(layer["mark"].get("strokeDash")) for layer in spec["vconcat"][0]["layer"] if layer["mark"]["type"] == "line"
    }
    assert len(dashes) == 2


def test_balance_has_the_band_that_counts_as_alike() -> None:
    rows = [charts.Difference("age", 0.4, 0.02)]
    spec = charts.balance(rows, before="before", after="after", x_title="difference", decimal=",").to_dict()
    assert '"a": -0.1, "b": 0.1' in json.dumps(spec)


def test_a_rendered_picture_has_a_name_a_description_and_no_foreign_ids() -> None:
    chart = charts.balance([charts.Difference("age", 0.4, 0.0)], before="b", after="a", x_title="x", decimal=",")
    found = svg.render(chart, key="fig", title="<Title>", description="A & B")
    assert found.startswith('<svg role="img" aria-labelledby="fig-title fig-desc"')
    assert '<title id="fig-title">&lt;Title&gt;</title><desc id="fig-desc">A &amp; B</desc>' in found
    assert all(name.startswith("fig-") for name in re.findall(r'\bid="([^"]+)"', found))
    assert set(re.findall(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", found)) <= set(charts.TOKENS.values())


def test_rendering_is_deterministic() -> None:
    def once() -> str:
        chart = charts.forest(ROWS, less="less", more="more", decimal=".")
        return svg.render(chart, key="k", title="t", description="d")

    assert once() == once()


@pytest.mark.parametrize("palette", [svg.LIGHT, svg.DARK])
def test_colours_have_contrast(palette: dict[str, str]) -> None:
    ground = {"#ffffff": "#fdfcf9", "#16191d": "#15181c"}[palette["paper"]]
    for name in ("ink", "muted", "programme", "other"):
        assert contrast(palette[name], ground) >= 4.5, name


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_hundred_figures_are_drawn_and_the_uncertain_ones_look_it() -> None:
    fields = (("with", "21", 21, "programme", None, None), ("without", "34", 34, "other", 27, 41))
    found = pictures.icon_array(key="v", title="t", description="d", fields=fields, is_narrow=False)
    assert found.count("<use ") == 200
    assert found.count(f'fill="{charts.TOKENS["programme"]}"/>') == 21
    assert found.count("fill-opacity") == 34 - 27
    assert found.count("stroke-dasharray") == 41 - 34


def test_a_mark_says_its_value_when_pointed_at_and_nothing_else_does() -> None:
    chart = charts.forest(ROWS, less="less", more="more", decimal=".")
    found = svg.render(chart, key="fig", title="t", description="d")
    assert re.findall(r"<title>([^<]*)</title>", found) == [f"{ROWS[0].label}: {ROWS[0].text}"]
    assert charts.SAID not in found and "aria-label=" not in found


@pytest.mark.parametrize("is_narrow", [False, True])
def test_funnel_has_a_log_axis_a_line_at_one_and_precise_trials_on_top(is_narrow: bool) -> None:
    trials = [check_charts.Trial(f"trial {i}", 0.5 + 0.2 * i, 0.1 + 0.05 * i) for i in range(6)]
    chart = check_charts.funnel(
        trials, mean=0.8, x_title="x", y_title="y", mean_words="mean", decimal=",", is_narrow=is_narrow
    )
    spec = chart.to_dict()
    assert {x["scale"]["type"] for x in encodings(spec, "x") if "scale" in x} == {"log"}
    assert all(y["scale"]["reverse"] for y in encodings(spec, "y") if "scale" in y)
    assert '"null": 1.0' in json.dumps(spec)


def test_overlap_draws_no_masked_class() -> None:
    bins = [check_charts.Bin(0.0, 0.5, None, 60.0), check_charts.Bin(0.5, 1.0, 70.0, 40.0)]
    chart = check_charts.overlap(bins, treated="with", comparison="without", x_title="x", y_title="y", decimal=".")
    shares = [value["share"] for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == "rect"
              for value in layer["data"]["values"]]  # fmt: skip
    assert shares == [70.0, -60.0, -40.0]


def test_flow_draws_every_step_of_every_arm() -> None:
    steps = [check_charts.FlowStep("with", True, 100.0, "100 in"), check_charts.FlowStep("with", True, 90.0, "90 left")]
    bars = check_charts.flow(steps).to_dict()["layer"][0]["data"]["values"]
    assert [bar["x1"] for bar in bars] == [charts.WIDE, charts.WIDE * 0.9]
