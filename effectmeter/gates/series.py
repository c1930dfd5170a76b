"""Gates of a series with one start: periods, the course before it, pretended starts, control, correlation, power.

Here: the rules. Not here: the estimates they read (`effectmeter.designs.interrupted_series`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import primary_outcome
from effectmeter.designs.series_data import (
    FEWEST_AFTER,
    FEWEST_BEFORE,
    control_of,
    model_of,
    options_of,
    rows_of,
    series_of,
)
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.sensitivity import minimum_detectable_ratio
from effectmeter.estimators.series import Series, analyse
from effectmeter.estimators.series_bends import bend_before
from effectmeter.gates.base import NOTHING, Finding, comma, facts_of, fold, gate
from effectmeter.gates.periods import PLACEBO_HIGH, PLACEBO_LOW, placebo_rule
from effectmeter.gates.power import DETECTION, IMPORTANT_RATIO, smallest_change, std_error_without_effect
from effectmeter.results import Comparability, EffectRow, GateResult, GateStatus

ENOUGH_BEFORE, ENOUGH_AFTER = 12, 8
"""Periods that pass; a whole year on both sides besides, where the model has a season."""
MANY_MISSING = 0.2
"""A larger share of periods missing warns."""
BEND_P = 0.01
STRONG_RHO = 0.5
"""From here on neighbouring periods are strongly alike: benchmarks/series_coverage.md."""
MUCH_WIDER = 1.35
"""An interval that correlation makes this many times as wide is said too: periods count for about half their number.

Around a rate that drifts neighbours are little alike, for long: the chance of every period hides it, and what a fit
leaves over shows less still (Marriott and Pope 1954). With half of the variance drifting at 0.8 over 180 months, 82 %
of 180 series came to 1.5, 96 % to 1.35; of those that keep 20 per cent 12-23 %, that keep 40 per cent 37 %."""
IGNORED_RHO = 0.2
"""From here on it matters that the plan takes neighbouring periods as independent."""

Pairs = tuple[tuple[str, object], ...]


def _outcomes(data: AnalysisData) -> Iterator[tuple[str, Pairs]]:
    """Yield every outcome and the pair that names it, the primary one first."""
    first = primary_outcome(data.plan)
    names = [name for name in data.plan.outcomes if name not in data.plan.negative_controls or name == first]
    for name in sorted(names, key=lambda name: name != first):
        yield name, (("outcome", name),)


def _per_outcome(data: AnalysisData, judged: Callable[[str, Series, Pairs], Finding]) -> list[Finding]:
    """Return a finding per outcome; that there is no series where there is none."""
    findings = []
    for outcome, pairs in _outcomes(data):
        try:
            findings.append(judged(outcome, series_of(data, outcome), pairs))
        except EstimationError as fault:
            findings.append(_no_series(fault, pairs))
    return findings


def _no_series(fault: EstimationError, pairs: Pairs) -> Finding:
    reason = fault.what[:1].upper() + fault.what[1:]
    return Finding(
        "not_evaluated",
        "-",
        f"Not evaluated. {reason}.",
        f"Niet te toetsen. {getattr(fault, 'reason_nl', '')}".strip(),
        pairs,
    )


@gate(
    name="periods",
    rule="Enough periods on both sides of the start to tell a jump from trend and season, and few of them missing.",
    threshold=f">= {ENOUGH_BEFORE} periods before and {ENOUGH_AFTER} after, and a year on both sides where there is a "
    f"season; < {FEWEST_BEFORE} before or < {FEWEST_AFTER} after fails",
    source="after: Cochrane EPOC's least of three; before: the eight of Penfold and Zhang 2013, "
    "doi:10.1016/j.acap.2013.08.002",
    hides="the outcome it concerns",
)
def periods(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on the number of periods before and after the start.

    References
    ----------
    Cochrane Effective Practice and Organisation of Care (2017), Interrupted time series (ITS) analyses.
    Penfold & Zhang (2013), Academic Pediatrics 13, S38-S44, doi:10.1016/j.acap.2013.08.002.
    """
    found = _per_outcome(data, lambda outcome, series, pairs: _enough_periods(data, outcome, series, pairs))
    return fold("periods", facts_of(periods).threshold, found)


def _enough_periods(data: AnalysisData, outcome: str, series: Series, pairs: Pairs) -> Finding:
    after, before = series.n_periods
    options = options_of(data.plan)
    year = options.season_length if options.harmonics and options.season_length > 1 else 0
    missing = 1.0 - len(series.period) / (int(np.ptp(series.period)) + 1)
    figure = f"{before} before, {after} after" + (f", {100 * missing:.0f} % missing" if missing > 0 else "")
    frame = data.units["series"]
    mine = frame.filter((frame["outcome"] == outcome) & ~frame["is_control"])
    unused = mine["period"].n_unique() - len(series.period)
    figure += f", {unused} delivered but not usable (no count, population or control)" if unused > 0 else ""
    if before < FEWEST_BEFORE or after < FEWEST_AFTER:
        return Finding(
            "failed",
            figure,
            f"There are {before} periods before the start and {after} after it: too few to tell a jump from the course "
            f"that was already there. At least {FEWEST_BEFORE} before and {FEWEST_AFTER} after are needed.",
            f"Er zijn {before} perioden vóór de start en {after} erna. Dat is te weinig om een sprong te zien. "
            f"Nodig zijn er minstens {FEWEST_BEFORE} ervoor en {FEWEST_AFTER} erna.",
            pairs,
        )
    short = before < max(ENOUGH_BEFORE, year) or after < max(ENOUGH_AFTER, year)
    if short or missing > MANY_MISSING:
        wanted = max(ENOUGH_BEFORE, year), max(ENOUGH_AFTER, year)
        what = (
            (
                "That is little to tell a jump from trend and season.",
                "Dat is weinig om een sprong te onderscheiden van trend en seizoen.",
            )
            if short
            else ("Many periods in between are missing.", "Er ontbreken veel perioden tussenin.")
        )
        return Finding(
            "warned",
            figure,
            f"There are {before} periods before the start and {after} after it. {what[0]} A series without gaps of at "
            f"least {wanted[0]} before and {wanted[1]} after would do.",
            f"Er zijn {before} perioden vóór de start en {after} erna. {what[1]} Beter is een reeks zonder gaten: "
            f"minstens {wanted[0]} ervoor en {wanted[1]} erna.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        f"There are {before} periods before the start and {after} after it.",
        f"Er zijn {before} perioden vóór de start en {after} erna.",
        pairs,
    )


@gate(
    name="pre_trends",
    rule="Before the start the series (or its ratio to the control) runs along a straight line beside the season: "
    "square and cube of time add nothing, jointly tested. The largest bend that the data allow is stated.",
    threshold=f"no bend before the start (p >= {BEND_P:g})",
    source="Roth 2022, doi:10.1257/aeri.20210236: a test that finds nothing is no proof, so the bend is stated",
    hides="the outcome it concerns",
)
def pre_trends(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on the course before the start: a bend there would be taken for an effect.

    References
    ----------
    Roth (2022), American Economic Review: Insights 4, 305-322, doi:10.1257/aeri.20210236.
    """
    found = _per_outcome(data, lambda _, series, pairs: _bend(data, series, pairs))
    return fold("pre_trends", facts_of(pre_trends).threshold, found)


def _bend(data: AnalysisData, series: Series, pairs: Pairs) -> Finding:
    try:
        bend = bend_before(series, model_of(data.plan))
    except EstimationError:
        return Finding(
            "not_evaluated",
            f"{series.n_periods[1]} periods before",
            "Not evaluated: there are too few periods or events before the start to see its course. A longer time "
            "before the start would show it.",
            "Niet te toetsen: vóór de start zijn er te weinig perioden of voorvallen. Met een langere tijd ervoor kan "
            "het wel.",
            pairs,
        )
    low, high = bend.at_start
    figure = f"p = {bend.p_value:.3f}; bend at the start {low:.2f}-{high:.2f}"
    if bend.p_value < BEND_P:
        return Finding(
            "failed",
            figure,
            "Before the start the series did not run along a straight line. A jump at the start cannot be told from "
            "that course. A control series with the same course would help.",
            "Vóór de start liep de reeks niet langs een rechte lijn. Een sprong is daarvan niet te onderscheiden. Een "
            "controlereeks met hetzelfde verloop zou helpen.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "Before the start no bend is seen. The data still allow one that would multiply the series by "
        f"{low:.2f} to {high:.2f} at the start.",
        "Vóór de start is geen knik te zien. Wel mogelijk is een knik die de reeks bij de start met "
        f"{comma(f'{low:.2f}')} tot {comma(f'{high:.2f}')} vermenigvuldigt.",
        pairs,
    )


@gate(
    name="placebo_period",
    rule="Pretended starts in the time before the programme give no jump. Intervals are widened for their number; "
    "surely not 1 and not near 1 fails, too wide to tell warns.",
    threshold=f"interval holds 1, or estimate within {PLACEBO_LOW:g}-{PLACEBO_HIGH:g}",
    source="the placebo rule of all designs, with Bonferroni's correction for the number of pretended starts",
    hides="the outcome it concerns but the placebo itself",
)
def placebo_period(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on starts that are only pretended, where there can be no effect."""
    pairs: Pairs = (("outcome", primary_outcome(data.plan)),)
    rows = [row for row in effects if row.analysis == "placebo" and row.estimate is not None]
    if not rows:
        finding = Finding(
            "not_evaluated",
            "-",
            f"Not evaluated: there is no room for a pretended start before the real one. At least "
            f"{2 * FEWEST_BEFORE} periods before the start are needed.",
            f"Niet te toetsen: vóór de start is geen plaats voor een proefstart. Nodig zijn minstens "
            f"{2 * FEWEST_BEFORE} perioden ervoor.",
            pairs,
        )
    else:
        ranks = ("failed", "warned", "not_evaluated", "passed")
        found = [(placebo_rule(_for_several(row, len(rows)), pairs), row) for row in rows]
        worst, _ = min(found, key=lambda pair: (ranks.index(pair[0].status), -_off(pair[1])))
        finding = _in_time(worst, len(rows))
    return fold("placebo_period", facts_of(placebo_period).threshold, [finding])


def _off(row: EffectRow) -> float:
    """Return how far a placebo's ratio is from 1, whichever way: of those with one ruling the furthest is the worst."""
    return abs(math.log(row.estimate)) if row.estimate else math.inf


def _for_several(row: EffectRow, number: int) -> EffectRow:
    """Return the row with its interval widened for the number of pretended starts (Bonferroni)."""
    if row.estimate is None or row.estimate <= 0 or not row.conf_low or not row.conf_high:
        return row
    normal = NormalDist()
    factor = normal.inv_cdf(1 - 0.025 / number) / normal.inv_cdf(0.975)
    low, high = (row.estimate * (limit / row.estimate) ** factor for limit in (row.conf_low, row.conf_high))
    return replace(row, conf_low=low, conf_high=high)


def _in_time(finding: Finding, number: int) -> Finding:
    """Say a placebo finding in the words of a series."""
    words = {
        "failed": (
            "With a start that was only pretended, before the real one, the series jumps too. So a jump at the real "
            "start may come from something else. A control series would show it.",
            "Ook bij een proefstart vóór de echte start springt de reeks. De sprong bij de echte start kan dus iets "
            "anders zijn. Een controlereeks kan dat laten zien.",
        ),
        "warned": (
            "With a start that was only pretended the series may jump as well: there are too few events or periods to "
            "tell. A longer time before the start would tell.",
            "Misschien springt de reeks ook bij een proefstart. Er is te weinig geteld om dat te zien. Met een langere "
            "tijd vooraf is het te zien.",
        ),
        "passed": (
            "With a start that was only pretended, before the real one, the series does not jump.",
            "Bij een proefstart vóór de echte start springt de reeks niet.",
        ),
    }
    if finding.status not in words:
        return finding
    figure = finding.figure + (f"; the worst of {number}" if number > 1 else "")
    english, dutch = words[finding.status]
    return replace(finding, figure=figure, sentence=english, sentence_nl=dutch)


@gate(
    name="control_series",
    rule="A control series shows what else changed at the start. Its own level should not change there; a surely "
    "changed control warns, since its own cause may have touched it alone.",
    threshold=f"the control's own level ratio holds 1, or lies within {PLACEBO_LOW:g}-{PLACEBO_HIGH:g}",
    source="Lopez Bernal, Cummins and Gasparrini 2018, doi:10.1093/ije/dyy135",
    hides=NOTHING,
)
def control_series(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say whether there is a control series, and whether it changed at the start itself.

    References
    ----------
    Lopez Bernal, Cummins & Gasparrini (2018), The use of controls in interrupted time series studies of public health
    interventions, doi:10.1093/ije/dyy135.
    """
    findings = []
    for outcome, pairs in _outcomes(data):
        own = next(
            (
                row
                for row in effects
                if row.outcome == outcome and row.analysis == "negative_control" and row.subgroup == "series=control"
            ),
            None,
        )
        findings.append(_control(data, outcome, own, pairs))
    return fold("control_series", facts_of(control_series).threshold, findings)


def _control(data: AnalysisData, outcome: str, own: EffectRow | None, pairs: Pairs) -> Finding:
    delivered = rows_of(data, outcome, control=True).height
    if not delivered:
        return Finding(
            "not_evaluated",
            "no control series",
            "Not evaluated: there is no control series. Whatever else changed at the start is counted as effect. "
            "Deliver the same counts from where the programme did not run.",
            "Niet te toetsen: er is geen controlereeks. Wat bij de start nog meer veranderde, telt dan mee. Lever "
            "dezelfde aantallen van een plek zonder het programma.",
            pairs,
        )
    try:
        is_used = series_of(data, outcome).has_control
    except EstimationError as fault:
        return _no_series(fault, pairs)
    if not is_used or control_of(data, outcome) is None:
        return Finding(
            "warned",
            f"{delivered} periods",
            "The control series cannot be used: it shares too few periods with the series, or counts nothing. The "
            "effect is therefore without control. Deliver it for the same periods.",
            "De controlereeks is niet te gebruiken: te weinig gelijke perioden, of niets geteld. Het effect is daarom "
            "zonder controle. Lever dezelfde perioden aan.",
            pairs,
        )
    if own is None or own.estimate is None or own.conf_low is None or own.conf_high is None:
        return Finding(
            "not_evaluated",
            f"{delivered} periods",
            "Not evaluated: too little was counted in the control series to see whether it changed itself. A larger "
            "control would show it.",
            "Niet te toetsen: in de controlereeks is te weinig geteld. Met een grotere controle is het te zien.",
            pairs,
        )
    figure = f"control {own.estimate:.2f} ({own.conf_low:.2f}-{own.conf_high:.2f})"
    excludes = own.conf_high < 1 or own.conf_low > 1
    if excludes and not PLACEBO_LOW <= own.estimate <= PLACEBO_HIGH:
        return Finding(
            "warned",
            figure,
            f"The control series jumped at the start as well (ratio {own.estimate:.2f}). Either something else changed "
            "everywhere, and the effect rightly leaves it out, or the control was touched alone. A second control "
            "would tell.",
            f"Ook de controlereeks sprong bij de start (verhouding {comma(f'{own.estimate:.2f}')}). Misschien "
            "veranderde er overal iets; dat is dan terecht verrekend. Misschien veranderde alleen de controle. Een "
            "tweede controlereeks kan dat laten zien.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "The control series shows no jump of importance at the start.",
        "De controlereeks laat bij de start geen sprong van belang zien.",
        pairs,
    )


@gate(
    name="autocorrelation",
    rule="How much neighbouring periods are alike beside trend and season. The interval counts with it; where it is "
    "strong no method holds its level exactly, and that is said.",
    threshold=f"correlation of neighbouring periods < {STRONG_RHO:g} ({IGNORED_RHO:g} where the plan ignores it), and "
    f"the interval < {MUCH_WIDER:g} times as wide for it; never fails",
    source="own simulation (benchmarks/series_coverage.md)",
    hides=NOTHING,
)
def autocorrelation(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say how far neighbouring periods are alike.

    References
    ----------
    Marriott & Pope (1954), doi:10.1093/biomet/41.3-4.390; Turner et al. (2021), doi:10.1186/s12874-021-01364-0.
    """
    outcome = primary_outcome(data.plan)
    pairs: Pairs = (("outcome", outcome),)
    model = model_of(data.plan)
    try:
        found = analyse(series_of(data, outcome), replace(model, autocorrelation="ar1"))
        apart = analyse(series_of(data, outcome), replace(model, autocorrelation="none"))
    except EstimationError as fault:
        return fold("autocorrelation", facts_of(autocorrelation).threshold, [_no_series(fault, pairs)])
    if found.fit is None or apart.fit is None:
        finding = Finding(
            "not_evaluated",
            "-",
            "Not evaluated: too little was counted to see whether neighbouring periods are alike. More events would "
            "show it.",
            "Niet te toetsen: er is te weinig geteld om dit te zien. Met meer voorvallen kan het wel.",
            pairs,
        )
    else:
        level = found.design.direction("level")
        errors = [math.sqrt(float(level @ fit.covariance() @ level)) for fit in (found.fit, apart.fit)]
        wider = errors[0] / errors[1] if errors[1] > 0.0 else 1.0
        finding = _alike(found.fit.mean_rho, wider, pairs, is_ignored=model.autocorrelation == "none")
    return fold("autocorrelation", facts_of(autocorrelation).threshold, [finding])


def _alike(rho: float, wider: float, pairs: Pairs, *, is_ignored: bool) -> Finding:
    figure = f"rho {rho:.2f}; interval {wider:.1f} times as wide"
    if is_ignored and rho >= IGNORED_RHO:
        return Finding(
            "warned",
            figure,
            f"Neighbouring periods are alike (correlation {rho:.2f}), and the plan ignores it: the interval is too "
            "narrow. Set autocorrelation: ar1 in the plan.",
            f"Opeenvolgende perioden lijken op elkaar (samenhang {comma(f'{rho:.2f}')}). Het plan rekent daar niet "
            "mee. De marge is dus te klein. Zet autocorrelation: ar1 in het plan.",
            pairs,
        )
    if rho >= STRONG_RHO or wider >= MUCH_WIDER:
        return Finding(
            "warned",
            figure,
            f"Neighbouring periods are alike, strongly or for long (correlation {rho:.2f}). The interval counts with "
            "it, but in short series it may still be somewhat too narrow. A longer series would settle it.",
            f"Opeenvolgende perioden lijken sterk of lang op elkaar (samenhang {comma(f'{rho:.2f}')}). De marge houdt "
            "daar rekening mee. Bij een korte reeks kan zij toch iets te klein zijn. Een langere reeks helpt.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        f"Neighbouring periods are hardly alike beside trend and season (correlation {rho:.2f})."
        if rho < IGNORED_RHO
        else f"Neighbouring periods are somewhat alike (correlation {rho:.2f}); the interval counts with it.",
        f"Opeenvolgende perioden lijken naast trend en seizoen weinig op elkaar (samenhang {comma(f'{rho:.2f}')})."
        if rho < IGNORED_RHO
        else f"Opeenvolgende perioden lijken op elkaar (samenhang {comma(f'{rho:.2f}')}). De marge houdt daar "
        "rekening mee.",
        pairs,
    )


@gate(
    name="power",
    rule="The smallest fall that the series could have shown. Warns when a fall by a third could go unseen.",
    threshold=f"smallest detectable ratio >= {IMPORTANT_RATIO:g}; never fails",
    source=f"exp(-{DETECTION:.2f} x standard error): two-sided 5 %, power 80 %",
    hides=NOTHING,
)
def power(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Say what the series could have shown; warns when a fall by a third could have gone unseen."""
    threshold = facts_of(power).threshold
    row = next((row for row in effects if row.analysis == "primary" and row.is_ratio), None)
    error = std_error_without_effect(row) if row else None
    if row is None or error is None:
        return fold(
            "power",
            threshold,
            [
                Finding(
                    "not_evaluated",
                    "-",
                    "Not evaluated: there is no ratio with an error to start from. More events or periods would give "
                    "one.",
                    "Niet te toetsen: er is geen verhouding met een marge. Met meer voorvallen of perioden is die er "
                    "wel.",
                )
            ],
        )
    smallest = minimum_detectable_ratio(error)
    fall = smallest_change(data, row, smallest)
    status: GateStatus = "passed" if smallest >= IMPORTANT_RATIO else "warned"
    more = ("", "")
    if status == "warned" and math.isfinite(smallest):
        more = (
            " More periods on both sides of the start, or a larger area counted, would show smaller ones.",
            " Met meer perioden, of met tellingen over een groter gebied, is een kleinere te zien.",
        )
    finding = Finding(
        status,
        f"smallest detectable ratio {smallest:.2f}",
        f"A {fall.word} of less than {fall.percent} % cannot be seen in this series.{more[0]}",
        f"Een {fall.word_nl} van minder dan {fall.percent} % is in deze reeks niet te zien.{more[1]}",
    )
    return fold("power", threshold, [finding])
