"""Figures of designs without persons, from cleared tables: event study, series, trials one by one, areas around.

Here: which rows make which picture, and its words. Not here: figures of every design (`reports.figures`), drawing
(`reports.unit_charts`, `reports.charts`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from effectmeter.plan import Plan
from effectmeter.release import Cleared
from effectmeter.results import EffectRow
from effectmeter.sentences import Language
from effectmeter.sentences.methods import subgroup_words
from effectmeter.sentences.numbers import count, interval, number
from effectmeter.sentences.units import PERIODS
from effectmeter.sentences.wording import MEASURES, outcome_label
from effectmeter.verdicts import primary_row
from reports import charts, svg, unit_charts
from reports.check_figures import funnel_figure
from reports.figures import both_sizes, figures_of, forest_figure, places
from reports.texts import text
from reports.views import FigureView, TableView


def unit_figures(cleared: Cleared, plan: Plan, language: Language) -> tuple[FigureView, ...]:
    """Return the pictures that only designs on areas, series and trials have, in reading order."""
    found = (
        series_figure(cleared, plan, language),
        event_study_figure(cleared, plan, language),
        rings_figure(cleared, plan, language),
        trials_figure(cleared, plan, language),
        funnel_figure(cleared, plan, language),
        left_out_figure(cleared, plan, language),
    )
    return tuple(figure for figure in found if figure is not None)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def event_study_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the effect per time since the start, times before it included; None without at least two of them."""
    primary = primary_row(cleared.rows)
    rows = [row for row in cleared.rows if row.analysis == "event_study" and (row.subgroup or "").startswith("event_t")]
    if primary is not None:
        rows = [row for row in rows if row.outcome == primary.outcome]
    if not rows:
        return None
    measure = primary.measure if primary and any(r.measure == primary.measure for r in rows) else rows[0].measure
    first = rows[0]
    rows = [row for row in rows if (row.measure, row.estimator) == (measure, first.estimator)]
    timed = sorted(
        ((int(row.subgroup.partition("=")[2]), row) for row in rows if row.subgroup), key=lambda pair: pair[0]
    )
    drawn = [
        unit_charts.TimedEffect(time, row.estimate, row.conf_low, row.conf_high)
        for time, row in timed
        if row.status == "shown" and (row.conf_low is not None or row.conf_high is not None)
    ]
    if len(drawn) < 2:
        return None
    is_ratio = first.is_ratio
    title = text("event_study", language, _capital(outcome_label(plan, first.outcome)[language]))
    before, after = (sum(1 for row in drawn if (row.time < 0) == is_before) for is_before in (True, False))
    last = next(row for row in reversed(timed) if row[1].status == "shown")
    shown = _figures(last[1], language)
    description = text("event_study_text", language, before, after, last[0], shown)

    def draw(is_narrow: bool, own: str) -> str:
        chart = unit_charts.event_study(
            drawn,
            is_ratio=is_ratio,
            x_title=text("periods_since", language),
            y_title=MEASURES[measure][language],
            start=text("start", language),
            decimal="," if language == "nl" else ".",
            is_narrow=is_narrow,
        )
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("event-study", draw)
    heads = ("periods_since", "estimate", "interval", "areas_with", "areas_without", "shown_or_not")
    body = tuple(
        (
            number(time, language, 0),
            _one(row, row.estimate, language),
            _range(row, language),
            number(row.n_treated, language, 0),
            number(row.n_comparison, language, 0),
            text(row.status, language),
        )
        for time, row in timed
    )
    table = TableView(title, tuple(text(head, language) for head in heads), body, (1, 2, 3, 4))
    note = text("event_study_note", language) if before else ""
    return FigureView("event-study", title, description, wide, narrow, table, note)


def _one(row: EffectRow, value: float | None, language: Language) -> str:
    return number(value, language, places(row))


def _range(row: EffectRow, language: Language) -> str:
    return interval(row.conf_low, row.conf_high, language, places(row))


def _figures(row: EffectRow, language: Language) -> str:
    return f"{_one(row, row.estimate, language)} ({_range(row, language)})"


def rings_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return what happened in the areas around those with the programme."""
    rows = [row for row in cleared.rows if row.is_ratio and (row.subgroup or "").startswith("ring=")]
    return forest_figure(
        cleared, plan, language, key="rings", rows=rows, name=lambda row: subgroup_words(row.subgroup or "", language)
    )


def left_out_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the answer with each trial, site or starting group left out in turn, in the order of the delivery."""
    primary = primary_row(cleared.rows)
    if primary is None:
        return None
    rows = [
        row
        for row in cleared.rows
        if row.is_ratio
        and row.measure == primary.measure
        and row.outcome == primary.outcome
        and (row.subgroup or "").partition("=")[0] in {"without", "without_cohort"}
    ]
    if not rows:
        return None
    return forest_figure(
        cleared,
        plan,
        language,
        key="left_out",
        rows=[primary, *rows],
        name=lambda row: text("whole", language) if row is primary else subgroup_words(row.subgroup or "", language),
    )


def trials_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return a forest plot of every trial beside the pooled answer, in the order of the delivery: no ranking."""
    frame = cleared.tables.get("trial_effects")
    primary = primary_row(cleared.rows)
    if frame is None or frame.is_empty() or primary is None or not primary.is_ratio:
        return None
    trials = frame.to_dicts()
    lines = [
        charts.Interval(
            label=trial["trial"],
            text=figures_of(trial["estimate"], trial["conf_low"], trial["conf_high"], language),
            estimate=trial["estimate"],
            low=trial["conf_low"],
            high=trial["conf_high"],
        )
        for trial in trials
    ]
    drawn = [line for line in lines if line.low is not None and line.high is not None]
    if not drawn:
        return None
    pooled = [_pooled(row, language) for row in _together(cleared, primary)]
    title = text("trials", language, MEASURES[primary.measure][language])
    masked = len(lines) - len(drawn)
    description = "; ".join(f"{line.label}: {line.text}" for line in pooled)
    note = text("trials_note", language) + (f" {text('trials_masked', language, masked)}" if masked else "")

    def draw(is_narrow: bool, own: str) -> str:
        chart = charts.forest(
            [*drawn, *pooled], less=text("less", language), more=text("more", language),
            decimal="," if language == "nl" else ".", is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("trials", draw)
    minimum = cleared.rules.minimum_persons
    heads = ("trial", "estimate", "interval", "weight", "participants", "comparison")
    body = [
        (
            trial["trial"],
            number(trial["estimate"], language),
            interval(trial["conf_low"], trial["conf_high"], language),
            "–" if trial["weight"] is None else f"{number(100 * trial['weight'], language, 0)} %",
            _people(trial["n_treated"], trial, language, minimum),
            _people(trial["n_comparison"], trial, language, minimum),
        )
        for trial in trials
    ]
    table = TableView(title, tuple(text(head, language) for head in heads), tuple(body), (1, 2, 3, 4, 5))
    return FigureView("trials", title, description, wide, narrow, table, note)


def _people(value: int | None, trial: dict[str, Any], language: Language, minimum: int) -> str:
    """Return persons of a trial; a dash where the trial did not tell them."""
    return "–" if value is None and not trial["is_suppressed"] else count(value, language, minimum)


def _together(cleared: Cleared, primary: EffectRow) -> list[EffectRow]:
    """Return the mean and where a next trial may come out, whichever of them is the headline."""
    rows = [
        row
        for row in cleared.rows
        if row.measure == primary.measure
        and row.subgroup is None
        and row.analysis in {"primary", "secondary"}
        and row.status == "shown"
    ]
    return sorted(rows, key=lambda row: row.variance == "prediction")


def _pooled(row: EffectRow, language: Language) -> charts.Interval:
    return charts.Interval(
        label=text("next_trial" if row.variance == "prediction" else "mean_of_trials", language),
        text=figures_of(row.estimate, row.conf_low, row.conf_high, language),
        estimate=row.estimate,
        low=row.conf_low,
        high=row.conf_high,
        wide_low=row.verdict_low,
        wide_high=row.verdict_high,
        is_primary=True,
    )


def series_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the series of the primary outcome with what was expected without the programme."""
    frame = cleared.tables.get("series_points")
    primary = primary_row(cleared.rows)
    if frame is None or frame.is_empty() or primary is None:
        return None
    rows = [row for row in frame.to_dicts() if row["outcome"] == primary.outcome]
    points = [
        unit_charts.PeriodPoint(
            row["period"], row["label"], row["is_after"], row["observed"], row["expected"], row["conf_low"],
            row["conf_high"],
        )
        for row in rows
    ]  # fmt: skip
    if sum(point.observed is not None for point in points) < 3:
        return None
    size = min((later.place - point.place for point, later in pairwise(points)), default=1)
    one, several = PERIODS[cleared.facts.period][language]
    if any(" – " in point.label for point in points):
        one = f"{size} {several}"
    label = outcome_label(plan, primary.outcome)[language]
    title = text("series", language, _capital(label), one)
    after = [point for point in points if point.is_after and point.observed is not None and point.expected is not None]
    sums = [round(sum(values)) for values in ([p.observed or 0 for p in after], [p.expected or 0 for p in after])]
    description = text("series_text", language, *(number(value, language, 0) for value in sums))

    def draw(is_narrow: bool, own: str) -> str:
        chart = unit_charts.series(
            points,
            y_title=text("counted_per", language, one),
            counted=text("counted", language),
            expected=text("expected", language),
            start=text("start", language),
            is_narrow=is_narrow,
        )
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("series", draw)
    minimum = cleared.rules.minimum_persons
    body = tuple(
        (
            point.label,
            text("after" if point.is_after else "before", language),
            count(None if point.observed is None else round(point.observed), language, minimum),
            number(point.expected, language, 0),
            interval(point.low, point.high, language, 0) if point.is_after else "–",
        )
        for point in points
    )
    heads = tuple(text(head, language) for head in ("period", "when", "counted", "expected", "interval"))
    note = text("series_note", language)
    return FigureView("series", title, description, wide, narrow, TableView(title, heads, body, (2, 3, 4)), note)
