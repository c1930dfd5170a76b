"""Figures of how far a comparison can be trusted, with their tables: attrition, balance, overlap, funnel.

Here: which cleared rows make which picture, and its words. Not here: drawing (`reports.check_charts`).
"""

from __future__ import annotations

import math
from typing import Any

from effectmeter.labels import term_label, with_labels
from effectmeter.plan import Plan
from effectmeter.release import Cleared
from effectmeter.sentences import Language
from effectmeter.sentences.numbers import count, number
from effectmeter.sentences.wording import MEASURES
from effectmeter.verdicts import primary_row
from reports import charts, check_charts, svg
from reports.figures import arm_name, both_sizes
from reports.texts import text
from reports.views import FigureView, TableView

_FEWEST_TRIALS = 5
"""Of fewer trials a funnel has no shape."""
_TRIALS_TO_READ = 10
"""Of fewer trials its shape says little: Sterne and others (2011), doi:10.1136/bmj.d4002."""


def flow_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the way of each arm from delivered to analysed; None where nobody is lost or a number is masked."""
    rows = cleared.tables["attrition"].sort("step", maintain_order=True).to_dicts()
    arms = sorted({row["arm"] for row in rows}, key=lambda arm: (arm == plan.arms.comparison, arm))
    if not any(row["n_lost"] for row in rows) or any(row["n_after"] is None or row["n_before"] is None for row in rows):
        return None
    minimum = cleared.rules.minimum_persons
    reason = "reason_nl" if language == "nl" else "reason"

    def said(row: dict[str, Any]) -> str:
        return with_labels(row[reason], plan, language)

    steps, ends = [], []
    for arm in arms:
        own = [row for row in rows if row["arm"] == arm]
        name, is_programme = arm_name(plan, arm, language), arm in plan.arms.treated
        lost = [row for row in own if row["n_lost"] != 0]
        start, end = own[0]["n_before"], own[-1]["n_after"]
        words = [f"{count(start, language, minimum)} {text('delivered', language).lower()}"]
        words += [
            f"{count(row['n_after'], language, minimum)} {text('left_after', language)} {said(row).rstrip('.')}"
            for row in lost[:-1]
        ]
        words.append(f"{count(end, language, minimum)} {text('analysed', language).lower()}")
        sizes = [start, *(row["n_after"] for row in lost[:-1]), end]
        steps += [
            check_charts.FlowStep(name, is_programme, float(size), word)
            for size, word in zip(sizes, words, strict=True)
        ]
        ends.append(f"{name} {count(end, language, minimum)} / {count(start, language, minimum)}")
    title = text("flow_finding", language, ", ".join(ends))
    description = "; ".join(f"{step.arm}: {step.words}" for step in steps)

    def draw(is_narrow: bool, own: str) -> str:
        return svg.render(check_charts.flow(steps, is_narrow=is_narrow), key=own, title=title, description=description)

    wide, narrow = both_sizes("flow", draw)
    body = tuple(
        (
            arm_name(plan, row["arm"], language),
            said(row),
            *(count(row[name], language, minimum) for name in ("n_before", "n_lost", "n_after")),
        )
        for row in rows
    )
    heads = tuple(text(head, language) for head in ("arm", "reason", "before_step", "lost_here", "left_over"))
    return FigureView("flow", title, description, wide, narrow, TableView(title, heads, body, (2, 3, 4)))


def overlap_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return how the chance to take part is spread in both arms of the first contrast; None without it."""
    contrast = plan.contrasts[0][1]
    rows = [row for row in cleared.tables["overlap"].to_dicts() if row["contrast"] == contrast]
    totals = [sum(row[name] or 0 for row in rows) for name in ("n_treated", "n_comparison")]
    if len(rows) < 2 or not all(totals):
        return None
    bins = [
        check_charts.Bin(
            row["bin_low"], row["bin_high"], _share(row["n_treated"], totals[0]), _share(row["n_comparison"], totals[1])
        )
        for row in rows
    ]
    shared = sum(item.treated or 0.0 for item in bins if item.comparison)
    title = text("overlap_finding", language, number(shared, language, 0))
    treated, comparison = (
        arm_name(plan, arm, language) for arm in (rows[0]["contrast"].split(" vs ")[0], plan.arms.comparison)
    )
    description = text("overlap", language)

    def draw(is_narrow: bool, own: str) -> str:
        chart = check_charts.overlap(
            bins, treated=treated, comparison=comparison, x_title=text("overlap_x", language),
            y_title=text("overlap_y", language), decimal="," if language == "nl" else ".", is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("overlap", draw)
    minimum = cleared.rules.minimum_persons
    body = tuple(
        (
            f"{number(row['bin_low'], language)} – {number(row['bin_high'], language)}",
            count(row["n_treated"], language, minimum),
            count(row["n_comparison"], language, minimum),
        )
        for row in rows
    )
    heads = (text("overlap_x", language), treated, comparison)
    table = TableView(title, heads, body, (1, 2))
    return FigureView("overlap", title, description, wide, narrow, table, text("overlap_note", language))


def _share(value: float | None, total: float) -> float | None:
    return None if value is None else 100 * value / total


def funnel_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return every trial's ratio against its precision; None with fewer than five trials that can be drawn."""
    frame = cleared.tables.get("trial_effects")
    primary = primary_row(cleared.rows)
    mean = next(
        (
            row.estimate
            for row in cleared.rows
            if primary is not None
            and row.measure == primary.measure
            and row.subgroup is None
            and row.analysis in {"primary", "secondary"}
            and row.status == "shown"
            and row.estimate
        ),
        None,
    )
    if frame is None or primary is None or not primary.is_ratio or mean is None:
        return None
    trials = [_trial(row) for row in frame.to_dicts()]
    drawn = [trial for trial in trials if trial is not None]
    if len(drawn) < _FEWEST_TRIALS:
        return None
    below = sum(1 for trial in drawn if trial.ratio < mean)
    title = text("funnel_finding", language, len(drawn), below, len(drawn) - below)
    description = text("funnel", language, number(mean, language))
    decimal = "," if language == "nl" else "."

    def draw(is_narrow: bool, own: str) -> str:
        chart = check_charts.funnel(
            drawn, mean=mean, x_title=MEASURES[primary.measure][language], y_title=text("funnel_y", language),
            mean_words=text("mean_of_trials", language), decimal=decimal, is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("funnel", draw)
    body = tuple((item.label, number(item.ratio, language), number(item.error, language)) for item in drawn)
    heads = (text("trial", language), text("estimate", language), text("funnel_y", language))
    note = text("funnel_note" if len(drawn) >= _TRIALS_TO_READ else "funnel_few", language)
    return FigureView("funnel", title, description, wide, narrow, TableView(title, heads, body, (1, 2)), note)


def _trial(row: dict[str, Any]) -> check_charts.Trial | None:
    """Return a trial with the standard error that its interval implies; None where it cannot be drawn."""
    ratio, low, high = row["estimate"], row["conf_low"], row["conf_high"]
    if not ratio or not low or not high or high <= low:
        return None
    return check_charts.Trial(row["trial"], ratio, math.log(high / low) / (2 * check_charts.Z95))


def balance_figure(cleared: Cleared, plan: Plan, language: Language) -> FigureView | None:
    """Return the love plot of the first contrast's main terms."""
    frame = cleared.tables["balance"]
    contrast = plan.contrasts[0][1]
    rows = [row for row in frame.to_dicts() if row["kind"] == "main" and row["contrast"] == contrast]
    rows = [row for row in rows if row["smd_before"] is not None and row["smd_after"] is not None]
    if not rows:
        return None
    rows.sort(key=lambda row: -abs(row["smd_before"]))
    drawn = [
        charts.Difference(term_label(plan, row["term"], language), row["smd_before"], row["smd_after"])
        for row in rows[:24]
    ]
    worst = max(drawn, key=lambda row: abs(row.after))
    title = text("balance_finding", language, number(worst.after, language), worst.label)
    description = text("balance", language)

    def draw(is_narrow: bool, own: str) -> str:
        chart = charts.balance(
            drawn, before=text("before_weighting", language), after=text("after_weighting", language),
            x_title=text("balance_x", language), decimal="," if language == "nl" else ".", is_narrow=is_narrow,
        )  # fmt: skip
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = both_sizes("balance", draw)
    table = TableView(
        title,
        (text("term", language), text("before_weighting", language), text("after_weighting", language)),
        tuple((row.label, number(row.before, language), number(row.after, language)) for row in drawn),
        (1, 2),
    )
    return FigureView("balance", title, description, wide, narrow, table, text("balance_note", language))
