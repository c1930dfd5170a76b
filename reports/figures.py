"""Figures with their tables, from cleared rows: verdict picture, forest plots, curves, balance.

Here: which rows make which picture, and its words. Not here: how it is drawn (`reports.charts`, `reports.pictures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from effectmeter.disclosure import decimals_of
from effectmeter.estimators.sensitivity import NO_EFFECT_ESTIMATORS
from effectmeter.labels import term_label
from effectmeter.plan import Plan
from effectmeter.release import Cleared
from effectmeter.results import EffectRow
from effectmeter.sentences import Facts, Language, frequency_sentence
from effectmeter.sentences.methods import estimator_words, subgroup_words
from effectmeter.sentences.numbers import count, interval, number, period
from effectmeter.sentences.units import PERIODS
from effectmeter.sentences.wording import ANALYSES, MEASURES, outcome_label
from effectmeter.shapes import SHAPES, Unit
from effectmeter.verdicts import primary_row
from reports import charts, pictures, svg
from reports.texts import text
from reports.views import FigureView, TableView

_DIFFERENCE_OF = {
    "risk_ratio": "risk_difference",
    "rate_ratio": "rate_difference",
    "odds_ratio": "risk_difference",
    "level_ratio": "percent_change",
}
_MOST_ROWS = 16


def both_sizes(key: str, draw: Callable[[bool, str], str]) -> tuple[str, str]:
    """Return a picture for a page and for a phone; `draw` takes whether it is narrow and the picture's own key."""
    with svg.unvalidated():
        return draw(False, key), draw(True, f"{key}-narrow")


def figures_of(value: float | None, low: float | None, high: float | None, language: Language) -> str:
    """Return an estimate with its interval as printed: ``0,71 (0,52 tot 0,97)``."""
    if value is None and low is None and high is None:
        return "–"
    margin = interval(low, high, language)
    return margin if value is None else f"{number(value, language)} ({margin})"


def places(row: EffectRow) -> int:
    """Return the decimals with which a row is printed."""
    if row.measure == "percent_change":
        return 0
    if row.is_ratio or row.design != "staggered_areas" or row.conf_low is None or row.conf_high is None:
        return 2
    return decimals_of(row.conf_high - row.conf_low)


def verdict_picture(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the verdict in a picture: a hundred figures, two bars, or one interval; None where nothing is shown."""
    facts = cleared.facts
    if facts.with_programme is not None and facts.without_programme is not None:
        if facts.kind == "frequency":
            return _hundred(facts, language)
        if facts.kind in {"rate", "inhabitants", "series"}:
            return _bars(facts, language)
    row = primary_row(cleared.rows)
    if row is None or not row.is_ratio:
        return None
    return forest_figure(
        cleared,
        plan,
        language,
        key="picture_ratio",
        rows=[row],
        name=lambda r: row_label(plan, r, language, with_measure=True),
    )


def _hundred(facts: Facts, language: Language) -> FigureView:
    """Return the verdict in a hundred figures."""
    without = facts.without_programme or 0
    with_words = f"{facts.with_programme} {text('of_every', language, facts.per)}"
    without_words = f"{without} ({interval(facts.without_low, facts.without_high, language, 0)})"
    shrink = facts.per // 100
    fields = (
        (
            text("with_programme", language),
            with_words,
            round((facts.with_programme or 0) / shrink),
            "programme",
            None,
            None,
        ),
        (
            f"{text('without_programme', language)} ({text('estimated', language)})",
            without_words,
            round(without / shrink),
            "other",
            None if facts.without_low is None else round(facts.without_low / shrink),
            None if facts.without_high is None else round(facts.without_high / shrink),
        ),
    )
    title = text("picture_verdict", language)
    sentence = frequency_sentence(facts, language)
    wide, narrow = both_sizes(
        "verdict",
        lambda is_narrow, key: pictures.icon_array(
            key=key, title=title, description=sentence, fields=fields, is_narrow=is_narrow
        ),
    )
    table = _with_and_without(facts, title, language)
    return FigureView("verdict", title, sentence, wide, narrow, table, text("picture_note", language))


def _bars(facts: Facts, language: Language) -> FigureView:
    """Return the verdict on a rate in two bars."""
    title = text("picture_rate", language, number(facts.per, language, 0))
    if facts.kind == "inhabitants":
        title = text("picture_inhabitants", language, number(facts.per, language, 0))
    if facts.kind == "series":
        one = PERIODS["year" if facts.per > 1 else facts.period][language][0]
        title = text("picture_series", language, one)
    sentence = frequency_sentence(facts, language)
    bars = (
        (text("with_programme", language), facts.with_programme or 0, "programme", None, None),
        (
            f"{text('without_programme', language)} ({text('estimated', language)})",
            facts.without_programme or 0,
            "other",
            facts.without_low,
            facts.without_high,
        ),
    )
    wide, narrow = both_sizes(
        "verdict",
        lambda is_narrow, key: pictures.rate_bars(
            key=key, title=title, description=sentence, bars=bars, is_narrow=is_narrow
        ),
    )
    table = _with_and_without(facts, title, language)
    return FigureView("verdict", title, sentence, wide, narrow, table, text("picture_rate_note", language))


def _with_and_without(facts: Facts, title: str, language: Language) -> TableView:
    return TableView(
        caption=title,
        headers=("", _per_what(facts, language), text("margin", language)),
        rows=(
            (text("with_programme", language), str(facts.with_programme), "–"),
            (
                text("without_programme", language),
                str(facts.without_programme),
                interval(facts.without_low, facts.without_high, language, 0),
            ),
        ),
        numeric=(1, 2),
    )


def _per_what(facts: Facts, language: Language) -> str:
    if facts.kind == "series":
        return text("counted_per", language, PERIODS["year" if facts.per > 1 else facts.period][language][0])
    return text("of_every", language, number(facts.per, language, 0))


def row_label(plan: Plan, row: EffectRow, language: Language, *, with_measure: bool) -> str:
    """Return what a row is about: outcome, window, measure, contrast where there are several."""
    label = outcome_label(plan, row.outcome)[language]
    parts = [label[:1].upper() + label[1:]]
    if row.window_days is not None:
        parts.append(period(row.window_days, language))
    if with_measure:
        parts.append(MEASURES[row.measure][language])
    if row.denominator == "calendar_time" and row.measure == "rate_ratio":
        parts.append(text("calendar_time", language))
    if len(plan.arms.treated) > 1:
        parts.append(row.contrast)
    return ", ".join(parts)


def forest_figure(
    cleared: Cleared,
    plan: Plan,
    language: Language,
    *,
    key: str,
    rows: Sequence[EffectRow],
    name: Callable[[EffectRow], str],
) -> FigureView | None:
    """Return a forest plot of ratio rows with its table; None without rows to draw."""
    drawn = [row for row in rows if row.status == "shown" and (row.conf_low is not None or row.conf_high is not None)]
    drawn = drawn[:_MOST_ROWS]
    if not drawn:
        return None
    lines = [
        charts.Interval(
            label=name(row),
            text=figures_of(row.estimate, row.conf_low, row.conf_high, language),
            estimate=row.estimate,
            low=row.conf_low,
            high=row.conf_high,
            wide_low=row.verdict_low,
            wide_high=row.verdict_high,
            is_primary=row.analysis == "primary",
        )
        for row in drawn
    ]
    title = finding(text(key, language), lines, language)
    return forest_view(key, title, lines, _forest_table(cleared, drawn, name, title, language), language)


def forest_view(
    key: str, title: str, lines: Sequence[charts.Interval], table: TableView, language: Language
) -> FigureView:
    """Return a forest plot of lines that are made, over outcomes or over programmes, with the table behind it."""
    description = "; ".join(f"{line.label}: {line.text}" for line in lines)

    def draw(is_narrow: bool, own: str) -> str:
        chart = charts.forest(
            lines, less=text("less", language), more=text("more", language), decimal="," if language == "nl" else ".",
            is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    return FigureView(key, title, description, *both_sizes(key, draw), table)


def finding(title: str, lines: Sequence[charts.Interval], language: Language) -> str:
    """Return a title that says what a forest plot shows: at how many lines the range leaves out no effect."""
    if len(lines) < 2:
        return title
    clear = sum(1 for line in lines if (line.low or 0.0) > 1 or (line.high is not None and line.high < 1))
    return f"{title}: {text('clear_of_one', language, clear, len(lines))}"


def _forest_table(
    cleared: Cleared, rows: Sequence[EffectRow], name: Callable[[EffectRow], str], title: str, language: Language
) -> TableView:
    """Return the numbers behind a forest plot, with the absolute difference beside each ratio."""
    unit = cleared.facts.unit
    heads = ("outcome", "estimate", "interval", "interval_looks", *_HEADS[unit])
    minimum = cleared.rules.minimum_persons if unit in {"person", "trial"} else 0
    body = []
    for row in rows:
        difference = difference_beside(row, cleared.rows)
        body.append(
            (
                name(row),
                number(row.estimate, language),
                interval(row.conf_low, row.conf_high, language),
                interval(row.verdict_low, row.verdict_high, language),
                _absolute(difference, row, language),
                how_many(row.n_treated, language, minimum),
                how_many(row.n_comparison, language, minimum),
            )
        )
    return TableView(title, tuple(text(head, language) for head in heads), tuple(body), tuple(range(1, 7)))


_HEADS: Mapping[Unit, tuple[str, str, str]] = {
    "person": ("difference_per_100", "participants", "comparison"),
    "trial": ("difference_per_100", "participants", "comparison"),
    "area": ("difference_per_1000", "areas_with", "areas_without"),
    "period": ("percent_beside", "periods_after", "periods_before"),
}


def how_many(value: int | None, language: Language, minimum: int) -> str:
    """Return a number of people, a masked one as fewer than the smallest cell; of other units as it is."""
    return number(value, language, 0) if not minimum else count(value, language, minimum)


def _absolute(difference: EffectRow | None, row: EffectRow, language: Language) -> str:
    """Return the absolute difference as printed: per 100 people, per 1,000 inhabitants, or in per cent."""
    if difference is None or difference.estimate is None:
        return "–"
    if difference.measure == "percent_change":
        return f"{number(difference.estimate, language, 0)} %"
    if row.design == "staggered_areas":
        if row.person_years_treated is None:
            return "–"
        per_1000 = 1000 * difference.estimate
        return number(per_1000, language, 1 if abs(per_1000) < 10 else 0)
    return number(100 * difference.estimate, language, 0)


def difference_beside(row: EffectRow, rows: Sequence[EffectRow]) -> EffectRow | None:
    """Return the absolute difference that stands beside a ratio: by the same estimator where there is one.

    With few events ratio and difference have an exact method each, so that their names differ.
    """
    wanted = _DIFFERENCE_OF.get(row.measure)
    same = ("outcome", "contrast", "window_days", "subgroup", "estimand", "denominator")
    analyses = {row.analysis, "secondary"} if row.analysis == "primary" else {row.analysis}
    beside = [
        other
        for other in rows
        if other.measure == wanted
        and other.status == "shown"
        and other.analysis in analyses
        and all(getattr(other, field) == getattr(row, field) for field in same)
    ]
    alike = next((other for other in beside if other.estimator == row.estimator), None)
    if alike is None and beside and row.analysis != "sensitivity" and row.variance != "prediction":
        return beside[0]
    return alike


def outcomes_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the forest plot of all outcomes and windows, each by its first measure, the primary one first.

    Other measures of the same outcome stand in the table of all estimates: in one picture they would only repeat it.
    """
    rows = [
        row
        for row in cleared.rows
        if row.is_ratio and row.analysis in {"primary", "secondary"} and row.estimator not in NO_EFFECT_ESTIMATORS
    ]
    rows = [row for row in rows if row.subgroup is None]
    rows.sort(key=lambda row: row.analysis != "primary")
    first: dict[tuple[str, str, int | None], EffectRow] = {}
    for row in rows:
        first.setdefault((row.contrast, row.outcome, row.window_days), row)
    drawn = list(first.values())
    with_measure = len({row.measure for row in drawn}) > 1
    return forest_figure(
        cleared, plan, language, key="effects", rows=drawn,
        name=lambda row: row_label(plan, row, language, with_measure=with_measure),
    )  # fmt: skip


def methods_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the forest plot of the primary question: other methods for its measure, then its other measures."""
    primary = primary_row(cleared.rows)
    if primary is None:
        return None
    same = [
        row
        for row in cleared.rows
        if row.is_ratio
        and row.estimator not in NO_EFFECT_ESTIMATORS
        and (row.subgroup or "").partition("=")[0] not in _OWN_PICTURE
        and (row.variance != "prediction" or row is primary)
        and (row.outcome, row.window_days, row.contrast) == (primary.outcome, primary.window_days, primary.contrast)
    ]
    whole = [row for row in same if row.subgroup is None]
    rows = [primary]
    rows += [row for row in whole if row.measure == primary.measure and row.analysis == "unadjusted"]
    rows += [row for row in whole if row.measure == primary.measure and row.analysis in {"sensitivity", "secondary"}]
    rows += [row for row in same if row.analysis in {"sensitivity", "secondary"} and row.subgroup is not None]
    rows += [row for row in whole if row.measure != primary.measure and row.analysis == "secondary"]
    if len(rows) < 2:
        return None
    return forest_figure(
        cleared, plan, language, key="methods", rows=rows, name=lambda row: method_words(row, primary, language)
    )


_OWN_PICTURE = frozenset({"without", "without_cohort", "ring"})
"""Rows that other pictures show (`reports.unit_figures`)."""


def method_words(row: EffectRow, primary: EffectRow, language: Language) -> str:
    """Return in what a row differs from the primary one."""
    if row is primary or row.analysis == "unadjusted":
        words = ANALYSES[row.analysis][language]
        return words[:1].upper() + words[1:]
    if row.subgroup is not None:
        words = subgroup_words(row.subgroup, language)
        return words if row.variance == primary.variance else f"{words} ({row.variance.upper()})"
    if primary.variance == "prediction" and row.measure == primary.measure:
        return f"{text('mean_of_trials', language)}: {estimator_words(row.estimator, language)}"
    if row.measure != primary.measure:
        calendar = text("calendar_time", language) if row.denominator == "calendar_time" else ""
        return text("other_measure", language, MEASURES[row.measure][language]) + (f", {calendar}" if calendar else "")
    if row.estimand != primary.estimand:
        return text("other_estimand", language, row.estimand.upper())
    if row.estimator != primary.estimator:
        words = estimator_words(row.estimator, language)
        return words[:1].upper() + words[1:]
    if row.variance != primary.variance:
        return text("other_variance", language, row.variance.upper())
    return text("other_weighting", language)


def subgroups_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the forest plot of subgroups; periods of areas stand in the picture of time since the start."""
    rows = [
        row
        for row in cleared.rows
        if row.is_ratio and row.analysis == "subgroup" and "period=" not in (row.subgroup or "")
    ]
    about = {row_label(plan, row, language, with_measure=False) for row in rows}

    def name(row: EffectRow) -> str:
        words = term_label(plan, subgroup_words(row.subgroup or "", language), language)
        return words if len(about) == 1 else f"{words}; {row_label(plan, row, language, with_measure=False)}"

    return forest_figure(cleared, plan, language, key="subgroups", rows=rows, name=name)


def arm_name(plan: Plan, arm: str, language: Language) -> str:
    """Return an arm in words; with several treated arms, by its own name. Of areas, series and trials their sides."""
    unit = SHAPES[plan.design].unit
    if unit != "person":
        side = "comparison" if arm == plan.arms.comparison else "treated"
        return text(f"arm_{unit}s_{side}", language)
    if arm == plan.arms.comparison:
        return text("comparison", language)
    if arm == "":
        return text("everyone", language)
    if len(plan.arms.treated) > 1:
        return f"{text('participants', language)} ({arm})"
    return text("participants", language)


def curve_figures(cleared: Cleared, plan: Plan, language: Language) -> tuple[FigureView, ...]:
    """Return the cumulative incidence of every outcome with a published curve."""
    frame = cleared.tables["curves"]
    found = []
    for number_, (contrast, outcome) in enumerate(
        frame.select("contrast", "outcome").unique(maintain_order=True).rows()
    ):
        points = [row for row in frame.to_dicts() if (row["contrast"], row["outcome"]) == (contrast, outcome)]
        arms = list(dict.fromkeys(point["arm"] for point in points))
        lines = [_curve_line(plan, arm, [p for p in points if p["arm"] == arm], language) for arm in arms]
        if any(len(line.days) < 2 for line in lines):
            continue
        found.append(_curve_figure(cleared, plan, language, f"curve-{number_}", contrast, outcome, lines))
    return tuple(found)


def _curve_line(plan: Plan, arm: str, points: Sequence[dict[str, Any]], language: Language) -> charts.CurveLine:
    return charts.CurveLine(
        name=arm_name(plan, arm, language),
        is_programme=arm != plan.arms.comparison,
        days=tuple(point["day"] for point in points),
        incidence=tuple(point["incidence"] for point in points),
        at_risk=tuple(point["n_at_risk"] for point in points),
    )


def _curve_figure(
    cleared: Cleared,
    plan: Plan,
    language: Language,
    key: str,
    contrast: str,
    outcome: str,
    lines: list[charts.CurveLine],
) -> FigureView:
    label = outcome_label(plan, outcome)[language]
    label = label[:1].upper() + label[1:]
    months = round(min(line.days[-1] for line in lines) / 30.4375)
    shares = [f"{line.name} {number(100 * line.incidence[-1], language, 0)} %" for line in lines]
    title = text("curve_finding", language, label, months, ", ".join(shares))
    if len(plan.arms.treated) > 1:
        title = f"{title} ({contrast})"
    description = text("curve_title", language, label)

    def draw(is_narrow: bool, own: str) -> str:
        chart = charts.incidence(
            lines, y_title=text("y_percent", language), x_title=text("x_months", language),
            at_risk_title=text("at_risk", language), is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes(key, draw)
    rows = tuple(
        (
            line.name,
            str(day),
            f"{number(100 * share, language, 0)} %",
            count(n, language, cleared.rules.minimum_persons),
        )
        for line in lines
        for day, share, n in zip(line.days, line.incidence, line.at_risk, strict=True)
    )
    heads = tuple(text(head, language) for head in ("arm", "x_days", "share", "at_risk"))
    note = text("curve_note", language, cleared.rules.minimum_persons)
    return FigureView(key, title, description, wide, narrow, TableView(title, heads, rows, (1, 2, 3)), note)
