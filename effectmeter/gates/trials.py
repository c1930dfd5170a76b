"""Gates on trials taken together: how many, whether they agree, whether small ones tell another story, and power.

Here: the rules. Not here: pooling itself (`effectmeter.estimators.pooling`) and which row becomes the headline
(`effectmeter.designs.pooled_trials`, by `demotes`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import outcome_of, primary_outcome
from effectmeter.designs.trial_set import TrialSet, pooled_measure, trial_set
from effectmeter.estimators import pooling
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.pooling import Heterogeneity
from effectmeter.estimators.sandwich import quantile
from effectmeter.gates.base import NOTHING, Finding, facts_of, fold, gate
from effectmeter.gates.power import IMPORTANT_RATIO, smallest_change
from effectmeter.looks import implied_std_error
from effectmeter.results import Comparability, EffectRow, GateResult, GateStatus

ENOUGH_TRIALS, FEWEST_TRIALS = 5, 3
"""With two trials the spread between them is one difference; from five on its estimate is worth something."""
LARGE_I2 = 0.4
LARGE_TAU = math.log(2)
FEWEST_FOR_ASYMMETRY = 10
"""With fewer trials a funnel test has no power (Sterne et al. 2011)."""
ASYMMETRY_P = 0.1
EXCESS_P = 0.05
"""Together the two tests warned in 8-18 % of sound sets of 40 trials. Where small trials were published for their
result Peters' alone missed one set of 40 in six; together they missed none of a hundred (`docs/validation.md`)."""
_SPREADING = ("reml_hk", "reml_wald", "dl_wald", "pmm_hk")
_POWER = 0.8


def demotes(found: Heterogeneity, *, is_ratio: bool) -> bool:
    """Return whether trials differ so much that the prediction interval is the headline and not the mean.

    I2 of 40 % or more, or (ratios) a standard deviation between trials of ln 2: true effects a factor of two apart as a
    matter of course. I2 alone says nothing of the size of the differences, tau alone nothing of chance.
    """
    return found.i2 >= LARGE_I2 or (is_ratio and found.tau >= LARGE_TAU)


@gate(
    name="number_of_trials",
    rule="Five trials or more pass, three or four warn. Two fail for methods that need the spread between trials; one "
    "or none fails for all. Trials that cannot be used are named, and warn.",
    threshold=f">= {ENOUGH_TRIALS}; < {FEWEST_TRIALS} fails for methods with a spread between trials; 1 fails",
    source="Gonnermann et al. (2015), doi:10.1002/sim.6447: no interval holds its level with two trials that differ",
)
def number_of_trials(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on the number of trials: two say nothing of how trials differ, and one is not a pooled analysis.

    With two trials only the methods that need the spread between trials fail; a common effect is still a fact about
    these two.
    """
    threshold = facts_of(number_of_trials).threshold
    trials = _trials(data)
    if isinstance(trials, EstimationError):
        return fold("number_of_trials", threshold, [_not_evaluated(trials)])
    k = int(trials.speaks.sum())
    lost, lost_nl = _left_out(trials)
    figure = f"{k} trials" + (f"; {len(trials.left_out)} left out" if trials.left_out else "")
    if k <= 1:
        finding = Finding(
            "failed",
            figure,
            f"There is one trial at most: nothing can be taken together.{lost} With {FEWEST_TRIALS - k} more trials it "
            "can.",
            f"Er is hoogstens één studie. Dan valt er niets samen te nemen.{lost_nl} Lever er minstens "
            f"{FEWEST_TRIALS - k} bij.",
        )
        return fold("number_of_trials", threshold, [finding])
    if k < FEWEST_TRIALS:
        return fold("number_of_trials", threshold, _two(figure, lost, lost_nl, effects))
    return fold("number_of_trials", threshold, [_enough(k, figure, trials, lost, lost_nl)])


def _two(figure: str, lost: str, lost_nl: str, effects: Sequence[EffectRow]) -> list[Finding]:
    """Return what two trials mean: a failure per method that needs their spread, a warning for the others."""
    found = []
    for method in dict.fromkeys(row.estimator for row in effects if row.analysis != "subgroup"):
        concerns = (("estimator", method),)
        if method.removesuffix(f"_{pooling.PREDICTION}") in _SPREADING:
            say = (
                f"Two trials cannot say how far trials differ.{lost} With one more trial this can be shown.",
                f"Twee studies zeggen niet hoe ver studies uiteenlopen.{lost_nl} Met nog één studie kan het wel.",
            )
            found.append(Finding("failed", figure, *say, concerns))
        else:
            say = (
                f"There are two trials. What they share says little about a third.{lost} More trials would help.",
                f"Er zijn maar twee studies. Die zeggen weinig over een derde.{lost_nl} Meer studies helpen.",
            )
            found.append(Finding("warned", figure, *say, concerns))
    return found


def _enough(k: int, figure: str, trials: TrialSet, lost: str, lost_nl: str) -> Finding:
    """Return what three trials or more mean."""
    if k < ENOUGH_TRIALS:
        return Finding(
            "warned",
            figure,
            f"With {k} trials it is hard to say how far trials differ.{lost} With {ENOUGH_TRIALS - k} more this "
            "warning goes.",
            f"Met {k} studies is moeilijk te zeggen hoe ver ze uiteenlopen.{lost_nl} Met nog {ENOUGH_TRIALS - k} erbij "
            "vervalt deze waarschuwing.",
        )
    if trials.left_out:
        return Finding(
            "warned",
            figure,
            f"There are enough trials, but not all could be used.{lost} Deliver their figures.",
            f"Er zijn genoeg studies, maar niet alle telden mee.{lost_nl} Lever de cijfers daarvan aan.",
        )
    return Finding("passed", figure, "There are enough trials.", "Er zijn genoeg studies.")


@gate(
    name="heterogeneity",
    rule="I2 of 40 % or more, or for ratios a standard deviation between trials of ln 2 or more, warns: the prediction "
    "interval is then the headline and the mean stands beside it.",
    threshold=f"I2 < {100 * LARGE_I2:.0f} % and, for ratios, tau < {LARGE_TAU:.2f}; never fails",
    source="OHDSI EvidenceSynthesis; Higgins & Thompson (2002), doi:10.1002/sim.1186",
    hides=NOTHING,
)
def heterogeneity(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say how far trials differ; where they differ much, the prediction interval is the headline."""
    threshold = facts_of(heterogeneity).threshold
    trials = _trials(data)
    if isinstance(trials, EstimationError):
        return fold("heterogeneity", threshold, [_not_evaluated(trials)])
    try:
        found = pooling.heterogeneity(*trials.effects())
    except EstimationError:
        finding = Finding(
            "not_evaluated",
            "-",
            "Not evaluated: it takes two trials to differ. Deliver more trials.",
            "Niet te toetsen: daarvoor zijn minstens twee studies nodig. Lever meer studies aan.",
        )
        return fold("heterogeneity", threshold, [finding])
    share = f"{100 * found.i2:.0f}"
    figure = (
        f"I2 {share} %, tau2 {found.tau2:.4f} ({found.tau2_low:.4f}-{found.tau2_high:.4f}), tau {found.tau:.2f}, "
        f"Q {found.q:.2f} on {found.n_trials - 1} (p = {found.p_value:.2g})"
    )
    if demotes(found, is_ratio=trials.is_ratio):
        finding = Finding(
            "warned",
            figure,
            f"The trials differ more than chance explains: {share} % of the differences is not chance. The mean "
            "describes none of them, so the range for a next trial comes first. Split the trials by what makes them "
            "differ.",
            f"De studies lopen verder uiteen dan door toeval: {share} % van de verschillen is geen toeval. Het "
            "gemiddelde past dan bij geen ervan. Daarom staat voorop waar een volgende studie kan uitkomen. Splits de "
            "studies naar wat ze anders maakt.",
        )
    else:
        finding = Finding(
            "passed",
            figure,
            f"The trials differ little more than chance explains ({share} % is not chance). With few trials a "
            "difference is easily missed; more trials would show it.",
            f"De studies lopen weinig verder uiteen dan door toeval ({share} % is geen toeval). Bij weinig studies is "
            "een verschil snel gemist. Meer studies maken dat zichtbaar.",
        )
    return fold("heterogeneity", threshold, [finding])


@gate(
    name="small_studies",
    rule="From ten trials on: whether small trials found something else than large ones (Peters' test for counts, else "
    f"Egger's; p < {ASYMMETRY_P:g} warns), and whether more of them are significantly in favour than trials of their "
    f"size can be (p < {EXCESS_P:g} warns).",
    threshold=f"p >= {ASYMMETRY_P:g}, of too much good news p >= {EXCESS_P:g}, from {FEWEST_FOR_ASYMMETRY} trials on; "
    "never fails",
    source="Sterne et al. (2011), doi:10.1136/bmj.d4002; Stanley et al. (2021), doi:10.1002/jrsm.1512",
    hides=NOTHING,
)
def small_studies(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Warn when small trials tell another story than large ones, as they do when only good news was published.

    Peters' test where all trials bring counts and the measure is an odds ratio or a risk ratio, else Egger's; and the
    excess of significant trials, which sees a selection by result that leaves the funnel even.
    """
    threshold = facts_of(small_studies).threshold
    trials = _trials(data)
    if isinstance(trials, EstimationError):
        return fold("small_studies", threshold, [_not_evaluated(trials)])
    k = int(trials.speaks.sum())
    if k < FEWEST_FOR_ASYMMETRY:
        finding = Finding(
            "not_evaluated",
            f"{k} trials",
            f"Not evaluated: with fewer than {FEWEST_FOR_ASYMMETRY} trials it cannot be seen whether small trials "
            "tell another story. Look for unpublished trials.",
            f"Niet te toetsen: daarvoor zijn {FEWEST_FOR_ASYMMETRY} studies nodig. Zoek ook naar studies die niet zijn "
            "gepubliceerd.",
        )
        return fold("small_studies", threshold, [finding])
    return fold("small_studies", threshold, [_publication_finding(data, trials)])


def _publication_finding(data: AnalysisData, trials: TrialSet) -> Finding:
    """Judge a set of trials by how their size goes with their result, and by how much good news there is."""
    counts = trials.counts.only(trials.speaks)
    by_size = trials.has_counts and trials.measure in ("odds_ratio", "risk_ratio")
    y, v = trials.effects()
    lower = outcome_of(data.plan, primary_outcome(data.plan)).better == "lower"
    excess = pooling.excess_of_significance(y, v, favours_lower=lower)
    figure = f"in favour at 5 %: {excess.observed} where {excess.expected:.1f} were to be expected "
    figure += f"(p = {excess.p_value:.2g})"
    try:
        found = pooling.asymmetry(y, v, events=counts.events if by_size else None, n=counts.n if by_size else None)
    except EstimationError:
        found = None
    if found is not None:
        figure = (
            f"{found.test.capitalize()}: p = {found.p_value:.2g}, slope {found.slope:.3g} ({found.std_error:.3g}); "
            + figure
        )
    if found is not None and found.p_value < ASYMMETRY_P:
        return Finding(
            "warned",
            figure,
            "Small trials found something else than large ones. Perhaps disappointing trials were not published; the "
            "mean is then too rosy. Look for unpublished trials.",
            "Kleine studies vonden iets anders dan grote. Misschien zijn tegenvallers niet gepubliceerd. Dan is het "
            "gemiddelde te mooi. Zoek naar studies die niet zijn gepubliceerd.",
        )
    if excess.p_value < EXCESS_P:
        return Finding(
            "warned",
            figure,
            "More trials are clearly in favour than trials of this size can be. Perhaps disappointing trials were not "
            "published; the mean is then too rosy. Look for unpublished trials.",
            "Er zijn meer gunstige studies dan bij deze omvang kan. Misschien zijn tegenvallers niet gepubliceerd. Dan "
            "is het gemiddelde te mooi. Zoek naar studies die niet zijn gepubliceerd.",
        )
    if found is None:
        return Finding(
            "not_evaluated",
            figure,
            "Not evaluated: the trials are all equally large. Trials of other sizes are needed.",
            "Niet te toetsen: alle studies zijn even groot. Er zijn studies van andere omvang nodig.",
        )
    return Finding(
        "passed",
        figure,
        "Small trials do not clearly tell another story than large ones.",
        "Kleine studies vertellen niet duidelijk iets anders dan grote.",
    )


@gate(
    name="power",
    rule="The smallest fall that the trials could have shown together, and how many more trials would settle it. "
    "Warns when a fall by a third could go unseen.",
    threshold=f"smallest detectable ratio >= {IMPORTANT_RATIO:g}; never fails",
    source="the mean's own error and t reference: two-sided 5 %, power 80 %",
    hides=NOTHING,
)
def power_of_trials(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Say what these trials could have shown together, and how many more would settle it; never fails.

    From the mean's error, with the t reference where it has one: 2.80 standard errors are enough for none but many
    trials. More persons in the same trials would not take away what lies between them, so it counts in trials.
    """
    threshold = facts_of(power_of_trials).threshold
    row = next((row for row in effects if _is_mean(row)), None)
    error = None
    if row is not None and row.is_ratio:
        error = row.std_error or implied_std_error(row.conf_low, row.conf_high, is_ratio=True)
    if row is None or error is None:
        finding = Finding(
            "not_evaluated",
            "-",
            "Not evaluated: there is no ratio with an error to start from. More trials with events would give one.",
            "Niet te toetsen: er is geen verhouding met een marge om van uit te gaan. Met meer studies is die er wel.",
        )
        return fold("power", threshold, [finding])
    smallest = math.exp(-_detection(row) * error)
    more, more_nl = _how_many_more(row, error)
    fall = smallest_change(data, row, smallest)
    status: GateStatus = "passed" if smallest >= IMPORTANT_RATIO else "warned"
    finding = Finding(
        status,
        f"smallest detectable ratio {smallest:.2f}",
        f"A {fall.word} of less than {fall.percent} % cannot be seen in these trials together.{more}",
        f"Een {fall.word_nl} van minder dan {fall.percent} % is in deze studies samen niet te zien.{more_nl}",
    )
    return fold("power", threshold, [finding])


def _is_mean(row: EffectRow) -> bool:
    """Return whether a row is the plan's pooled mean: the primary one, or the one that heterogeneity demoted."""
    return row.analysis in ("primary", "secondary") and row.variance != pooling.PREDICTION and row.subgroup is None


def _detection(row: EffectRow) -> float:
    """Return how many errors an effect must be away to be found with 80 % power at 5 %."""
    from scipy import stats

    df = None
    if row.variance == "hartung_knapp" and row.n_clusters_treated:
        df = max(row.n_clusters_treated - 1.0, 1.0)
    return quantile(0.95, df) + float(stats.norm.ppf(_POWER) if df is None else stats.t.ppf(_POWER, df))


def _how_many_more(row: EffectRow, error: float) -> tuple[str, str]:
    """Say how many more trials would settle the estimate as it stands (or, near 1, a fall by a sixth)."""
    if not row.n_clusters_treated or (row.conf_low or 0) > 1 or (row.conf_high or 2) < 1:
        return "", ""
    size = abs(math.log(row.estimate)) if row.estimate else 0.0
    target = max(size, -math.log(IMPORTANT_RATIO) / 2) / _detection(row)
    more = math.ceil(row.n_clusters_treated * ((error / target) ** 2 - 1))
    if more <= 0:
        return "", ""
    if row.analysis == "secondary":  # the trials differ, and the answer is about a next place
        return (
            f" About {more} more trials like these would settle their mean, not what a next place may see.",
            f" Met nog ongeveer {more} van zulke studies is het gemiddelde bekend. Een volgende plek blijft onzeker.",
        )
    return (
        f" About {more} more trials like these would settle it.",
        f" Met nog ongeveer {more} van zulke studies is het wel te zeggen.",
    )


def _trials(data: AnalysisData) -> TrialSet | EstimationError:
    try:
        return trial_set(data, pooled_measure(data))
    except EstimationError as fault:
        return fault


def _not_evaluated(fault: EstimationError) -> Finding:
    dutch = getattr(fault, "reason_nl", "") or "De cijfers laten dit niet toe."
    return Finding(
        "not_evaluated",
        "-",
        f"Not evaluated: {fault.what.rstrip('.')}. With that mended it can be.",
        f"Niet te toetsen. {dutch} Daarna kan het wel.",
    )


def _left_out(trials: TrialSet) -> tuple[str, str]:
    """Name up to three trials that were left out, with their reason."""
    if not trials.left_out:
        return "", ""
    shown = trials.left_out[:3]
    rest = len(trials.left_out) - len(shown)
    names = "; ".join(f"{item.trial[:60]} ({item.reason})" for item in shown)
    names_nl = "; ".join(f"{item.trial[:60]} ({item.reason_nl})" for item in shown)
    return (
        f" Left out: {names}{f' and {rest} more' if rest else ''}.",
        f" Niet gebruikt: {names_nl}{f' en nog {rest}' if rest else ''}.",
    )
