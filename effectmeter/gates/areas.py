"""Gates about areas: enough of them, the same course before the start, alike after weighting, and no spill-over.

Here: the rules for `staggered_areas`. Not here: the estimates that they read (`effectmeter.designs.staggered_areas`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import primary_outcome
from effectmeter.designs.staggered_areas_fits import RATIOS, How, how_of, leads, ring_numbers, rings_are_dated
from effectmeter.designs.staggered_areas_panel import AreaPanel, lay_out
from effectmeter.designs.staggered_areas_rows import served_areas
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.group_time_before import pre_trend_test
from effectmeter.estimators.sensitivity import minimum_detectable_ratio
from effectmeter.gates.base import NOTHING, Finding, comma, facts_of, fold, gate, percent
from effectmeter.gates.comparable import (
    BAD_SMD,
    BALANCE_ALPHA,
    GOOD_EFFECTIVE,
    GOOD_SMD,
    LEAST_EFFECTIVE,
    chance_of_small_smd,
)
from effectmeter.gates.people import ENOUGH_CLUSTERS, FEWEST_CLUSTERS
from effectmeter.gates.power import DETECTION, IMPORTANT_RATIO, smallest_change
from effectmeter.results import Comparability, EffectRow, GateResult, GateStatus

PRE_TREND_P = 0.01
MANY_MISSING = 0.1
"""Share of area-periods without a figure above which the reader is told."""


def _laid_out(data: AnalysisData, outcome: str) -> AreaPanel | EstimationError:
    try:
        return lay_out(data, outcome)
    except EstimationError as fault:
        return fault


def _outcomes(data: AnalysisData) -> list[str]:
    """Return the outcomes that are judged, the primary one first."""
    first = primary_outcome(data.plan)
    names = [name for name in data.plan.outcomes if name not in data.plan.negative_controls or name == first]
    return sorted(names, key=lambda name: name != first)


def _no_panel(fault: EstimationError, pairs: tuple[tuple[str, object], ...]) -> Finding:
    dutch = getattr(fault, "reason_nl", "") or "Deze gegevens laten geen vergelijking toe."
    return Finding("not_evaluated", "-", f"Not evaluated: {fault.what}.", f"Niet te toetsen. {dutch}", pairs)


@gate(
    name="clusters",
    rule="Enough treated and enough comparison areas (or the clusters that hold them). With 10-19 a permutation of "
    "start dates and a sceptical interval stand beside the estimate.",
    threshold=f">= {ENOUGH_CLUSTERS} treated and comparison areas; < {FEWEST_CLUSTERS} fails",
    source="benchmarks/areas_coverage.md",
    hides="the outcome it concerns",
)
def clusters(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on the number of treated and of comparison areas (or of the clusters that hold them)."""
    threshold = facts_of(clusters).threshold
    findings = []
    for outcome in _outcomes(data):
        pairs = (("outcome", outcome),)
        area = _laid_out(data, outcome)
        if isinstance(area, EstimationError):
            findings.append(_no_panel(area, pairs))
            continue
        served = served_areas(area, how_of(data.plan))
        numbers = tuple(len(np.unique(area.panel.cluster[side])) for side in (area.is_treated, served))
        is_two_way = how_of(data.plan).estimator == "twoway_fe"
        findings.append(_clusters_finding(numbers, _left_out(area, is_two_way=is_two_way), pairs))
    return fold("clusters", threshold, findings)


def _left_out(area: AreaPanel, *, is_two_way: bool) -> tuple[str, str]:
    """Say which areas are not compared."""
    words, words_nl = "", ""
    if area.n_always and is_two_way:
        words += f" {area.n_always} areas had started in their first period: they show only the course of time."
        words_nl += f" {area.n_always} gebieden waren al begonnen in de eerste periode. Die tonen alleen de tijd."
    elif area.n_always:
        words += f" {area.n_always} areas had started in their first period and are left out: nothing came before."
        words_nl += f" {area.n_always} gebieden waren al begonnen in de eerste periode. Die tellen niet mee."
    if area.n_rings:
        words += f" {area.n_rings} areas around treated ones are not compared with: the programme may reach them."
        words_nl += f" {area.n_rings} gebieden eromheen zijn niet de vergelijking. Het programma kan daar ook werken."
    missing = 1.0 - float(area.panel.observed.mean())
    if missing > MANY_MISSING:
        words += f" {percent(missing)} of area-periods are missing: if nothing happened there, deliver them as 0."
        words_nl += f" {percent(missing)} van de perioden per gebied ontbreekt. Gebeurde er niets? Lever dan een 0 aan."
    return words, words_nl


def _clusters_finding(
    numbers: tuple[int, ...], left_out: tuple[str, str], pairs: tuple[tuple[str, object], ...]
) -> Finding:
    fewest = min(numbers)
    figure = f"{numbers[0]} treated and {numbers[1]} comparison areas"
    side, side_nl = ("treated", "met programma") if numbers[0] == fewest else ("comparison", "om mee te vergelijken")
    if fewest >= ENOUGH_CLUSTERS:
        return Finding(
            "passed",
            figure,
            f"There are enough areas on both sides.{left_out[0]}",
            f"Er zijn aan beide kanten genoeg gebieden.{left_out[1]}",
            pairs,
        )
    if fewest >= FEWEST_CLUSTERS:
        return Finding(
            "warned",
            figure,
            f"There are {fewest} {side} areas, which is few. The interval allows for that; a "
            "permutation of start dates "
            f"and a sceptical interval stand beside it. With {ENOUGH_CLUSTERS - fewest} more this warning goes."
            f"{left_out[0]}",
            f"Er zijn maar {fewest} gebieden {side_nl}. De marge houdt daar rekening mee. Twee andere "
            "berekeningen staan "
            f"ernaast. Met nog {ENOUGH_CLUSTERS - fewest} gebieden vervalt deze waarschuwing.{left_out[1]}",
            pairs,
        )
    return Finding(
        "failed",
        figure,
        f"Too few: there are {fewest} {side} areas, and {FEWEST_CLUSTERS} is the least. One unusual "
        "area could make the "
        f"whole difference. With {FEWEST_CLUSTERS - fewest} more an estimate can be shown.{left_out[0]}",
        f"Te weinig: er zijn {fewest} gebieden {side_nl}. Minstens {FEWEST_CLUSTERS} is nodig. Eén "
        "bijzonder gebied kan "
        f"nu alles bepalen. Met nog {FEWEST_CLUSTERS - fewest} gebieden kan het wel.{left_out[1]}",
        pairs,
    )


@gate(
    name="pre_trends",
    rule="Treated and comparison areas went the same way before the start: no piece of that time differs, jointly "
    "tested. The largest difference that the data allow is stated, and the effect that a steady drift could fake.",
    threshold=f"no difference before the start (joint test, p >= {PRE_TREND_P:g})",
    source="Roth 2022, doi:10.1257/aeri.20210236: a test that finds nothing is no proof",
    hides="the outcome it concerns",
)
def pre_trends(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on the courses of treated and comparison areas before the start."""
    threshold = facts_of(pre_trends).threshold
    how = how_of(data.plan)
    if how.estimator == "calibrated":
        finding = Finding(
            "not_applicable",
            "-",
            "Comparison areas were weighted until they had the same past: the gate on balance says how well.",
            "De gebieden om mee te vergelijken zijn gewogen op hun verleden. Zie de toets op gelijkheid.",
        )
        return fold("pre_trends", threshold, [finding])
    findings = []
    for outcome in _outcomes(data):
        area = _laid_out(data, outcome)
        pairs = (("outcome", outcome),)
        findings.append(
            _no_panel(area, pairs) if isinstance(area, EstimationError) else _pre_trend_finding(area, how, pairs)
        )
    return fold("pre_trends", threshold, findings)


def _pre_trend_finding(area: AreaPanel, how: How, pairs: tuple[tuple[str, object], ...]) -> Finding:
    try:
        found = leads(area, how)
    except EstimationError as fault:
        return _no_panel(fault, pairs)
    panel = area.panel
    rows, columns = np.nonzero(panel.treated & panel.observed)
    ahead = float((panel.periods[columns] - panel.start[rows]).mean()) + 1.0 if len(rows) else 1.0
    test = pre_trend_test(found, ahead)
    if test is None:
        return Finding(
            "not_evaluated",
            f"{len(found)} periods to compare",
            "Not evaluated: too little came before the start to see a course. Deliver more periods before the start.",
            "Niet te toetsen: er is te weinig van vóór de start om een verloop te zien. Lever meer perioden aan.",
            pairs,
        )
    unit, unit_nl = _in_words(area, how)
    largest, drift = (_shown(value, area, how) for value in (test.largest, test.drift))
    figure = (
        f"joint p = {test.p_value:.2g} over {test.n_tested} pieces; differences up to {largest}{unit} not ruled out"
    )
    missed = (
        f" Differences before the start of up to {largest}{unit} cannot be ruled out. A steady drift that this test "
        f"would miss half the time would look like an effect of {drift}{unit}."
    )
    missed_nl = (
        f" Verschillen van vóór de start tot {comma(largest)}{unit_nl} zijn niet uit te sluiten. Een langzaam "
        f"groeiend verschil valt soms niet op. Dat kan lijken op een effect van {comma(drift)}{unit_nl}."
    )
    if test.p_value < PRE_TREND_P:
        return Finding(
            "failed",
            figure,
            "Treated and comparison areas already went different ways before the start. What follows cannot be told "
            "from that. Other comparison areas are needed, or weights that give them the same past "
            f"(calibrated).{missed}",
            "De gebieden ontwikkelden zich al vóór de start anders. Een effect is daarvan niet te "
            "onderscheiden. Nodig "
            f"zijn andere gebieden om mee te vergelijken, of weging op het verleden (calibrated).{missed_nl}",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        f"Before the start the areas went the same way, as far as can be seen.{missed}",
        f"Vóór de start ging het in de gebieden hetzelfde, voor zover te zien is.{missed_nl}",
        pairs,
    )


def _is_relative(area: AreaPanel, how: How) -> bool:
    return area.kind == "count"


def _in_words(area: AreaPanel, how: How) -> tuple[str, str]:
    return (" %", " %") if _is_relative(area, how) else ("", "")


def _shown(value: float, area: AreaPanel, how: How) -> str:
    """Write a difference: in per cent of the treated areas' level for counts, else in the outcome's own units."""
    if not _is_relative(area, how):
        return f"{value:.2g}"
    if how.estimator == "poisson_fe":
        return f"{100.0 * (math.exp(min(value, 10.0)) - 1.0):.0f}"
    panel = area.panel
    before = panel.observed & ~panel.treated & area.is_treated[:, None]
    level = float(panel.y[before].mean()) if before.any() else 0.0
    return f"{100.0 * value / level:.0f}" if level > 0.0 else f"{value:.2g}"


@gate(
    name="balance",
    rule="Calibrated comparison areas have the treated areas' past, and enough of them carry the weight. A large "
    "difference fails unless so few areas cannot tell it from a small one.",
    threshold=f"SMD < {GOOD_SMD:g} after weighting, > {BAD_SMD:g} fails; effective comparison areas >= "
    f"{percent(GOOD_EFFECTIVE)} of the treated, < {percent(LEAST_EFFECTIVE)} fails",
    source="CohortMethod 6",
    hides="all effects",
)
def balance(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate calibrated comparison areas on what weighting did not make alike, and on how many of them do."""
    threshold = facts_of(balance).threshold
    if how_of(data.plan).estimator != "calibrated":
        finding = Finding(
            "not_applicable",
            "-",
            "Areas are compared with their own past: their levels may differ. See the gate on the "
            "time before the start.",
            "Elk gebied wordt vergeleken met zijn eigen verleden. Het niveau mag verschillen. Zie de "
            "toets op het verloop.",
        )
        return fold("balance", threshold, [finding])
    label = data.plan.contrasts[0][1]
    rows = [row for row in comparability.balance if row.contrast == label]
    effective = dict(comparability.effective_sample_size).get(label)
    weights = dict(zip(comparability.weight_person_id, comparability.weight, strict=True))
    if not rows or effective is None:
        finding = Finding(
            "not_evaluated",
            "-",
            "Not evaluated: the comparison areas could not be weighted. Deliver areas that never "
            "start, in every period.",
            "Niet te toetsen: de gebieden konden niet worden gewogen. Lever gebieden zonder programma aan.",
        )
        return fold("balance", threshold, [finding])
    starts = data.units["areas"].filter(data.units["areas"]["area_id"].is_in(list(weights)))
    n_treated = max(int(starts["adopted"].is_not_null().sum()), 1)
    return fold("balance", threshold, [_balance_finding(rows, effective, n_treated)])


def _balance_finding(rows: Sequence[object], effective: float, n_treated: int) -> Finding:
    worst = max(abs(float(getattr(row, "smd_after"))) for row in rows)  # noqa: B009
    share = effective / n_treated
    figure = f"largest SMD {worst:.2f} over {len(rows)} terms; {effective:.0f} effective areas for {n_treated} treated"
    is_beyond_chance = chance_of_small_smd(worst, len(rows), n_treated, effective) < BALANCE_ALPHA
    if (worst > BAD_SMD and is_beyond_chance) or share < LEAST_EFFECTIVE:
        return Finding(
            "failed",
            figure,
            "No weighting of the comparison areas gives the treated areas' past, or it rests on a handful of them. "
            "Reproduce less (fewer outcomes or `match_on` columns), or deliver more comparison areas.",
            "Met geen enkele weging krijgen de andere gebieden hetzelfde verleden, of de weging rust "
            "op een paar. Vraag "
            "minder gelijkheid, of lever meer gebieden zonder programma aan.",
        )
    if worst >= GOOD_SMD or share < GOOD_EFFECTIVE:
        return Finding(
            "warned",
            figure,
            "After weighting some differences remain, or few comparison areas carry the weight. More "
            "comparison areas "
            "would help.",
            "Na weging blijven er verschillen, of de weging rust op weinig gebieden. Meer gebieden "
            "zonder programma helpen.",
        )
    return Finding(
        "passed",
        figure,
        "After weighting the comparison areas had the same past as the treated ones.",
        "Na weging hadden de andere gebieden hetzelfde verleden.",
    )


@gate(
    name="spill_over",
    rule="Areas right next to treated ones do not differ from areas far away; warns when they do, either way.",
    threshold="the nearest ring does not differ from areas far away; never fails",
    source="displacement literature: Guerette & Bowers 2009, doi:10.1111/j.1745-9125.2009.00177.x",
    hides=NOTHING,
)
def spill_over(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say whether areas next to treated ones changed too: displacement, or a wider benefit."""
    threshold = facts_of(spill_over).threshold
    findings = []
    for outcome in _outcomes(data):
        area = _laid_out(data, outcome)
        numbers = () if isinstance(area, EstimationError) else ring_numbers(area)
        if isinstance(area, EstimationError) or not numbers:
            continue
        row = next(
            (
                row
                for row in effects
                if row.outcome == outcome and row.subgroup == f"ring={numbers[0]:g}" and row.estimate is not None
            ),
            None,
        )
        findings.append(_spill_over_finding(row, rings_are_dated(area)))
    if not findings:
        findings = [
            Finding(
                "not_applicable",
                "-",
                "Which areas lie next to the treated ones was not delivered; with that (column `ring`) it shows "
                "whether they changed too.",
                "Er is niet aangeleverd welke gebieden ernaast liggen. Komt dat erbij, dan is te zien of het "
                "daar ook verandert.",
            )
        ]
    return fold("spill_over", threshold, findings)


def _spill_over_finding(row: EffectRow | None, is_dated: bool) -> Finding:
    if row is None or row.conf_low is None or row.conf_high is None:
        why = (
            (
                "too little was counted in the nearest ring. More areas or periods would do",
                "In de gebieden ernaast is te weinig geteld. Met meer gebieden of perioden kan het wel.",
            )
            if is_dated
            else (
                "it is not known when each ring's exposure began. Deliver `adopted_on` of the ring's areas",
                "Lever per gebied ernaast aan vanaf wanneer het programma dichtbij was.",
            )
        )
        return Finding("not_evaluated", "-", f"Not evaluated: {why[0]}.", f"Niet te toetsen. {why[1]}")
    null = 1.0 if row.is_ratio else 0.0
    figure = f"nearest ring {row.estimate:.3g} ({row.conf_low:.3g} to {row.conf_high:.3g})"
    if row.conf_high < null or row.conf_low > null:
        less = row.conf_high < null
        return Finding(
            "warned",
            figure,
            f"Right next to treated areas there was {'less' if less else 'more'} too than far away. "
            + (
                "The programme may reach its neighbours: the effect on treated areas alone then is too small a story."
                if less
                else "Part of the effect may have moved next door. Count treated areas and their ring together."
            ),
            f"Vlak naast de gebieden met het programma was er ook {'minder' if less else 'meer'} dan verder weg. "
            + (
                "Misschien werkt het programma ook daar."
                if less
                else "Misschien is een deel verplaatst. Tel de gebieden en hun omgeving ook samen."
            ),
        )
    return Finding(
        "passed",
        figure,
        "Right next to treated areas nothing different happened, as far as can be seen.",
        "Vlak naast de gebieden gebeurde niets anders, voor zover te zien is.",
    )


@gate(
    name="power",
    rule="The smallest fall that the data could have shown, and how many more areas would settle the answer. Warns "
    "when a fall by a third could go unseen.",
    threshold=f"smallest detectable ratio >= {IMPORTANT_RATIO:g}; never fails",
    source=f"exp(-{DETECTION:.2f} x standard error): two-sided 5 %, power 80 %",
    hides=NOTHING,
)
def power(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Say what the data could have shown; warns when a fall by a third could have gone unseen."""
    threshold = facts_of(power).threshold
    main = next((row for row in effects if row.analysis == "primary"), None)
    if main is None or main.std_error is None:
        finding = Finding(
            "not_evaluated",
            "-",
            "Not evaluated: there is no estimate with an error to start from. More areas or periods would give one.",
            "Niet te toetsen: er is geen uitkomst met een marge. Met meer gebieden of perioden kan het wel.",
        )
        return fold("power", threshold, [finding])
    if main.measure not in RATIOS:
        smallest = f"{DETECTION * main.std_error:.2g}"
        finding = Finding(
            "not_applicable",
            f"smallest detectable difference {smallest}",
            f"The smallest difference that these data would show four times in five is {smallest}. Whether that is "
            "small is for those who know the outcome.",
            f"Een verschil van {comma(smallest)} is met deze cijfers meestal te zien. Een kleiner verschil vaak niet.",
        )
        return fold("power", threshold, [finding])
    error = main.std_error
    if main.measure == "percent_change":
        error = main.std_error / (100.0 + (main.estimate or 0.0)) if (main.estimate or 0.0) > -100.0 else math.inf
    ratio = minimum_detectable_ratio(error)
    status: GateStatus = "passed" if ratio >= IMPORTANT_RATIO else "warned"
    more, more_nl = _how_many_more(main, error)
    fall = smallest_change(data, main, ratio)
    finding = Finding(
        status,
        f"smallest detectable ratio {ratio:.2f}",
        f"A {fall.word} of less than {fall.percent} % cannot be seen in these data.{more}",
        f"Een {fall.word_nl} van minder dan {fall.percent} % is in deze cijfers niet te zien.{more_nl}",
    )
    return fold("power", threshold, [finding])


def _how_many_more(row: EffectRow, error: float) -> tuple[str, str]:
    """Say how many more areas would settle the estimate as it stands (or, near no effect, a fall by a sixth)."""
    null = 1.0 if row.is_ratio else 0.0
    settled = (row.conf_low is not None and row.conf_low > null) or (row.conf_high is not None and row.conf_high < null)
    if row.n_treated is None or settled or row.estimate is None:
        return "", ""
    ratio = row.estimate if row.is_ratio else 1.0 + row.estimate / 100.0
    size = abs(math.log(ratio)) if ratio > 0.0 else 0.0
    target = max(size, -math.log(IMPORTANT_RATIO) / 2.0) / DETECTION
    more = math.ceil(row.n_treated * ((error / target) ** 2 - 1.0))
    if more <= 0:
        return "", ""
    return (
        f" About {more} more treated areas, with as many more to compare them with, would settle it.",
        f" Met nog ongeveer {more} gebieden met het programma, en net zo veel erbij zonder, is het wel te zeggen.",
    )
