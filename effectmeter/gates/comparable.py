"""Gates about whether the arms may be compared: balance, overlap, negative controls.

Here: the rules. Not here: weights and balance figures themselves (the design's `compare`), nor the time before the
start (`effectmeter.gates.periods`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from effectmeter.designs.base import AnalysisData, n_persons, sizes
from effectmeter.estimators.base import EstimationError, FloatArray
from effectmeter.gates.base import Finding, contrast_pairs, facts_of, fold, gate, percent
from effectmeter.gates.people import FEWEST_CLUSTERS
from effectmeter.results import BalanceRow, Comparability, EffectRow, GateResult

BALANCE_ALPHA = 0.01
"""Familywise chance of failing a sound study. At 5 % one perfect trial in twenty would be hidden."""
GOOD_SMD, BAD_SMD = 0.1, 0.25
GOOD_EFFECTIVE, LEAST_EFFECTIVE = 0.5, 0.2
GOOD_OVERLAP, LEAST_OVERLAP = 0.2, 0.1
PREFERENCE_LOW, PREFERENCE_HIGH = 0.3, 0.7
FEWEST_CONTROLS = 5
_EXACT_SMD = 1e-6  # a mean that weights were made to reproduce
LARGEST_EASE = 0.25

_OWN_GROUNDS = {
    "randomised": (
        "The plan names none; the draw itself makes the groups alike.",
        "Het plan noemt er geen. De loting zelf maakt de groepen gelijk.",
    ),
    "before_after": (
        "The plan names none; each family is compared with itself, and the course before the start is checked.",
        "Het plan noemt er geen. Elk gezin wordt met zichzelf vergeleken. Het verloop vóór de start is getoetst.",
    ),
    "staggered_areas": (
        "The plan names none; each area is compared with its own past, and the course before the start is checked.",
        "Het plan noemt er geen. Elk gebied wordt met zijn eigen verleden vergeleken. Het verloop vooraf is getoetst.",
    ),
}
"""Designs that do not lean on negative controls, and why."""

_NO_COVARIATES = (
    "Not evaluated: the plan names no characteristics to compare the groups on. Name them under `adjust_for`.",
    "Niet te toetsen: het plan noemt geen kenmerken om de groepen op te vergelijken. Zet ze in het plan bij "
    "`adjust_for`.",
)


@gate(
    name="balance",
    rule="Differences between drawn groups are no larger than chance makes them (Bonferroni over all terms); their "
    "mere "
    "size only warns.",
    threshold=f"no difference beyond chance (Bonferroni, p >= {BALANCE_ALPHA:g}); SMD > {BAD_SMD:g} warns",
    source="simulation: 94 % of perfect trials with 60 per arm and 15 covariates exceed 0.25 somewhere",
)
def balance_randomised(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate a trial on differences that chance allocation does not make; mere size of a difference only warns."""
    threshold = facts_of(balance_randomised).threshold
    if not data.plan.adjust_for:
        return fold("balance", threshold, [Finding("not_evaluated", "-", *_NO_COVARIATES)])
    findings = []
    for treated, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        rows = [row for row in comparability.balance if row.contrast == label and row.kind == "main"]
        tests = _chance_tests(data, treated)
        if not rows or not tests:
            findings.append(_not_computed(pairs))
            continue
        largest = max(abs(row.smd_before) for row in rows)
        smallest_p = min(1.0, min(tests) * len(tests))
        figure = f"largest SMD {largest:.2f} over {len(rows)} terms; Bonferroni p = {smallest_p:.2g}"
        if smallest_p < BALANCE_ALPHA:
            findings.append(
                Finding(
                    "failed",
                    figure,
                    "The groups differ more than a fair draw can explain. Find out how people were "
                    "allocated, or deliver everyone "
                    "who was allocated; if the draw was not fair, use the design for a comparison group.",
                    "De groepen verschillen meer dan een eerlijke loting kan verklaren. Zoek uit hoe er "
                    "is geloot, of lever iedereen "
                    "aan die heeft meegeloot. Was de loting niet eerlijk, kies dan de opzet met een "
                    "vergelijkingsgroep.",
                    pairs,
                )
            )
        elif largest > BAD_SMD:
            findings.append(
                Finding(
                    "warned",
                    figure,
                    "By chance the groups differ somewhat in at least one characteristic. The adjusted "
                    "figure allows for it. "
                    "More participants would make such differences smaller.",
                    "Door toeval verschillen de groepen wat in minstens één kenmerk. Het gecorrigeerde "
                    "cijfer houdt daar rekening mee. "
                    "Met meer deelnemers worden zulke verschillen kleiner.",
                    pairs,
                )
            )
        else:
            findings.append(
                Finding(
                    "passed",
                    figure,
                    "The draw made groups that are alike in what was measured.",
                    "De loting gaf groepen die op elkaar lijken in wat is gemeten.",
                    pairs,
                )
            )
    return fold("balance", threshold, findings)


def _chance_tests(data: AnalysisData, treated: str) -> list[float]:
    """Return a p-value per covariate term: regression on the arm within strata, with errors by cluster."""
    from effectmeter.estimators.design_matrix import build_design_matrix

    people = data.persons.filter(pl.col("arm").is_in([treated, data.plan.arms.comparison]))
    try:
        matrix = build_design_matrix(people, data.plan.adjust_for, data.plan.missing, size=sizes(people))
    except EstimationError:
        return []
    keep = np.asarray(matrix.keep, dtype=bool)
    arm, size = (people["arm"] == treated).to_numpy()[keep].astype(np.float64), sizes(people)[keep]
    X = np.asarray(matrix.X)
    X = X[keep] if len(X) == len(keep) else X
    strata = people["stratum"].fill_null("").to_numpy()[keep] if data.plan.strata else None
    cluster = people["cluster"].fill_null("").to_numpy()[keep] if data.plan.cluster else None
    if not 0 < arm.sum() < len(arm):
        return []
    if cluster is not None and min(len(np.unique(cluster[arm == side])) for side in (0, 1)) < FEWEST_CLUSTERS:
        return []  # an error from so few clusters is far too small; the gate on clusters hides what it concerns
    return [chance_p_value(X[:, column], arm, strata, cluster, size) for column in range(X.shape[1])]


def chance_p_value(
    term: FloatArray,
    treated01: FloatArray,
    strata: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    size: FloatArray | None = None,
) -> float:
    """P-value of a covariate's difference between arms within strata, robust to unequal spread and to clusters.

    Frisch-Waugh: arm and term are centred within strata, then the sandwich of the slope; t reference. A row stands for
    `size` (n,) persons, one by default.
    """
    from scipy.special import stdtr

    groups = np.unique(strata, return_inverse=True)[1] if strata is not None else np.zeros(len(term), dtype=np.intp)
    n = np.ones(len(term)) if size is None else size
    members = np.bincount(groups, n)
    arm: FloatArray = treated01 - (np.bincount(groups, n * treated01) / members)[groups]
    y: FloatArray = term - (np.bincount(groups, n * term) / members)[groups]
    information = float(n @ arm**2)
    if information <= 1e-12 or float(n @ y**2) <= 1e-12:
        return 1.0
    slope = float((n * arm) @ y) / information
    leverage = arm**2 / information + 1 / members[groups]
    influence: FloatArray
    if cluster is None:
        influence = np.sqrt(n) * arm * (y - arm * slope) / np.sqrt(np.maximum(1 - leverage, 1e-8))
        df = round(float(n.sum())) - len(members) - 1
    else:
        unit = np.unique(cluster, return_inverse=True)[1]
        number = int(unit.max()) + 1
        influence = np.bincount(unit, n * arm * (y - arm * slope)).astype(np.float64)
        influence = influence * math.sqrt(number / max(number - 1, 1))
        df = number - 1
    error = math.sqrt(float(influence @ influence)) / information
    if df < 1:
        return 1.0
    if error <= 1e-9 * abs(slope):  # the term says who was treated
        return 0.0
    return float(2 * stdtr(df, -abs(slope) / error))


@gate(
    name="balance",
    rule="Every weighted difference is small, squares and products too where weights make means exact, and enough of "
    "the "
    "comparison group remains. A large difference fails unless so few persons cannot tell it from a small one.",
    threshold=f"SMD < {GOOD_SMD:g} after weighting, > {BAD_SMD:g} fails; effective comparison group >= "
    f"{percent(GOOD_EFFECTIVE)} of the participants, < {percent(LEAST_EFFECTIVE)} fails",
    source="CohortMethod 6 (OHDSI)",
)
def balance_weighted(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate a weighted comparison on the differences that remain, and on how many of the comparison group do."""
    threshold = facts_of(balance_weighted).threshold
    if not data.plan.adjust_for:
        return fold("balance", threshold, [Finding("not_evaluated", "-", *_NO_COVARIATES)])
    effective = dict(comparability.effective_sample_size)
    findings = []
    for treated, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        rows = [row for row in comparability.balance if row.contrast == label]
        n_treated = n_persons(data.persons.filter(pl.col("arm") == treated))
        if not rows or not n_treated or label not in effective:
            findings.append(_not_computed(pairs))
            continue
        findings.append(_weighted_finding(rows, n_treated, effective[label], pairs))
    return fold("balance", threshold, findings)


def _weighted_finding(
    rows: Sequence[BalanceRow], n_treated: int, effective: float, pairs: tuple[tuple[str, object], ...]
) -> Finding:
    """Judge one contrast by its worst term and its effective sample size.

    Weights that make means exact say nothing by them, so squares and products are judged too; other weights, such as
    inverse probability, are judged by the covariates themselves.
    """
    main = [row for row in rows if row.kind == "main"]
    if any(abs(row.smd_after) > _EXACT_SMD for row in main):
        rows = main
    largest = max(abs(row.smd_after) for row in rows)
    worst = max(rows, key=lambda row: abs(row.smd_after)).term
    p_value = chance_of_small_smd(largest, len(rows), n_treated, effective)
    share = effective / n_treated
    figure = (
        f"largest SMD {largest:.2f} ({worst}); effective comparison group {effective:.0f} for {n_treated} participants"
    )
    if share < LEAST_EFFECTIVE:
        return Finding(
            "failed",
            figure,
            f"Too few in the comparison group are like the participants: they count for {effective:.0f} "
            "persons. A comparison "
            "group that resembles the participants more, or is larger, would change this.",
            "Te weinig mensen in de vergelijkingsgroep lijken op de deelnemers: zij tellen voor "
            f"{effective:.0f} personen. Een "
            "grotere groep, of een groep die meer op de deelnemers lijkt, lost dit op.",
            pairs,
        )
    if largest > BAD_SMD and p_value < BALANCE_ALPHA:
        return Finding(
            "failed",
            figure,
            f"Even after weighting, participants and comparison group differ too much ('{worst}'). A "
            "comparison group that "
            "resembles the participants more would change this.",
            f"Ook na weging verschillen deelnemers en vergelijkingsgroep te veel ('{worst}'). Met een "
            "groep die meer op de "
            "deelnemers lijkt, kan het wel.",
            pairs,
        )
    if largest >= GOOD_SMD or share < GOOD_EFFECTIVE:
        return Finding(
            "warned",
            figure,
            "After weighting the groups are roughly, not fully alike, or the comparison group has "
            "shrunk. A larger comparison "
            "group would help.",
            "Na weging lijken de groepen ongeveer op elkaar, maar niet helemaal, of er blijft weinig over van de "
            "vergelijkingsgroep. Een grotere vergelijkingsgroep helpt.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "After weighting the groups are alike in everything that was measured.",
        "Na weging lijken de groepen op elkaar in alles wat is gemeten.",
        pairs,
    )


def chance_of_small_smd(largest: float, n_terms: int, n_treated: int, effective: float) -> float:
    """Return the chance, over all terms (Bonferroni), of a difference this large where it is really `GOOD_SMD`."""
    error = math.sqrt(1 / max(n_treated, 1) + 1 / max(effective, 1e-9))
    return min(1.0, n_terms * (1 - NormalDist().cdf((largest - GOOD_SMD) / error)))


def _not_computed(pairs: tuple[tuple[str, object], ...]) -> Finding:
    return Finding(
        "not_evaluated",
        "-",
        "Not evaluated: the groups could not be weighted or compared. More persons, or fewer characteristics under "
        "`adjust_for`, would allow it.",
        "Niet te toetsen: de groepen konden niet worden gewogen of vergeleken. Met meer mensen, of minder kenmerken "
        "bij "
        "`adjust_for`, kan het wel.",
        pairs,
    )


@gate(
    name="overlap",
    rule="Enough of both arms could as well have been in the other: their preference scores lie in the middle.",
    threshold=f">= {percent(GOOD_OVERLAP)} of both arms at preference score 0.3-0.7; < {percent(LEAST_OVERLAP)} fails",
    source="Walker et al. 2013, doi:10.2147/CER.S40357",
)
def overlap(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on how many in both arms could as well have been in the other (preference score 0.3 to 0.7).

    References
    ----------
    Walker et al. (2013), Comparative Effectiveness Research 3, 11-20, doi:10.2147/CER.S40357.
    """
    threshold = facts_of(overlap).threshold
    if not data.plan.adjust_for:
        return fold("overlap", threshold, [Finding("not_evaluated", "-", *_NO_COVARIATES)])
    findings = []
    for _, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        bins = [row for row in comparability.overlap if row.contrast == label]
        totals = sum(row.n_treated for row in bins), sum(row.n_comparison for row in bins)
        if not all(totals):
            findings.append(_not_computed(pairs))
            continue
        middle = [row for row in bins if PREFERENCE_LOW < (row.bin_low + row.bin_high) / 2 < PREFERENCE_HIGH]
        shares = sum(row.n_treated for row in middle) / totals[0], sum(row.n_comparison for row in middle) / totals[1]
        figure = f"{percent(shares[0])} of participants and {percent(shares[1])} of the comparison group"
        if min(shares) >= GOOD_OVERLAP:
            findings.append(
                Finding(
                    "passed",
                    figure,
                    "Enough people in both groups could as well have been in the other.",
                    "Genoeg mensen hadden net zo goed in de andere groep kunnen zitten.",
                    pairs,
                )
            )
        elif min(shares) >= LEAST_OVERLAP:
            findings.append(
                Finding(
                    "warned",
                    figure,
                    "Few people in one of the groups could as well have been in the other. The result "
                    "rests on them. A comparison "
                    "group picked by the programme's own entry rules would help.",
                    "Weinig mensen hadden net zo goed in de andere groep kunnen zitten. Op hen rust de uitkomst. Een "
                    "vergelijkingsgroep volgens de eigen regels van het programma helpt.",
                    pairs,
                )
            )
        else:
            findings.append(
                Finding(
                    "failed",
                    figure,
                    "The groups are too different: hardly anyone could have been in the other. Pick the "
                    "comparison group by the "
                    "programme's own entry rules.",
                    "De groepen verschillen te veel: bijna niemand had in de andere groep kunnen zitten. Kies een "
                    "vergelijkingsgroep volgens de eigen regels van het programma.",
                    pairs,
                )
            )
    return fold("overlap", threshold, findings)


@gate(
    name="negative_controls",
    rule="Outcomes that the programme cannot change show no effect: their expected absolute systematic error is small.",
    threshold=f"EASE < {LARGEST_EASE:g}, from {FEWEST_CONTROLS} outcomes on",
    source="Schuemie et al. 2018, doi:10.1073/pnas.1708282114",
    hides="every effect but the negative controls themselves",
)
def negative_controls(
    data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]
) -> tuple[GateResult, ...]:
    """Gate on outcomes that the programme cannot change: the error that the design itself makes."""
    threshold = facts_of(negative_controls).threshold
    if data.plan.design in _OWN_GROUNDS and not data.plan.negative_controls:
        return fold("negative_controls", threshold, [Finding("not_applicable", "-", *_OWN_GROUNDS[data.plan.design])])
    findings = []
    for _, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        rows = [row for row in effects if row.analysis == "negative_control" and row.contrast == label]
        pairs_of = [
            (math.log(row.estimate), row.std_error) for row in rows if row.is_ratio and row.estimate and row.std_error
        ]
        if len(pairs_of) < FEWEST_CONTROLS:
            findings.append(
                Finding(
                    "not_evaluated",
                    f"{len(pairs_of)} outcomes",
                    f"Not evaluated: {FEWEST_CONTROLS} outcomes that the programme cannot change are "
                    f"needed, {len(pairs_of)} could be used. Name them under `negative_controls` and deliver them.",
                    f"Niet te toetsen: hiervoor zijn {FEWEST_CONTROLS} uitkomsten nodig waar het "
                    "programma niets aan kan veranderen. "
                    f"Bruikbaar: {len(pairs_of)}. Zet ze in het plan bij `negative_controls` en lever ze aan.",
                    pairs,
                )
            )
            continue
        error = expected_absolute_systematic_error(
            np.array([pair[0] for pair in pairs_of]), np.array([pair[1] for pair in pairs_of])
        )
        figure = f"EASE {error:.2f} over {len(pairs_of)} outcomes"
        if error < LARGEST_EASE:
            findings.append(
                Finding(
                    "passed",
                    figure,
                    "Where no effect is possible, hardly any is found.",
                    "Waar geen effect kan zijn, vinden wij er bijna geen.",
                    pairs,
                )
            )
        else:
            findings.append(
                Finding(
                    "failed",
                    figure,
                    "The comparison finds effects where there can be none, so the groups differ in "
                    "something unmeasured. A "
                    "comparison group picked by the same rule is needed.",
                    "Deze vergelijking vindt effecten waar die niet kunnen zijn. De groepen verschillen "
                    "dus in iets wat niet is "
                    "gemeten. Nodig is een vergelijkingsgroep volgens dezelfde regel.",
                    pairs,
                )
            )
    return fold("negative_controls", threshold, findings)


def expected_absolute_systematic_error(log_estimates: FloatArray, std_errors: FloatArray) -> float:
    """Mean size of the systematic error, on the log scale, that outcomes without effect reveal.

    Notes
    -----
    Systematic errors are taken as N(mu, tau^2), estimates as N(error, se^2); mu and tau by maximum likelihood; the
    result is E|N(mu, tau^2)|.

    References
    ----------
    Schuemie et al. (2018), PNAS 115, 2571-2577, doi:10.1073/pnas.1708282114.
    """
    from scipy.optimize import minimize_scalar

    def mean_at(tau: float) -> tuple[float, FloatArray]:
        variance = std_errors**2 + tau**2
        return float(np.sum(log_estimates / variance) / np.sum(1 / variance)), variance

    def deviance(tau: float) -> float:
        mean, variance = mean_at(tau)
        return float(np.sum(np.log(variance) + (log_estimates - mean) ** 2 / variance))

    tau = float(minimize_scalar(deviance, bounds=(0.0, 3.0), method="bounded").x)
    mu = mean_at(tau)[0]
    if tau < 1e-4:
        return abs(mu)
    normal = NormalDist()
    return tau * math.sqrt(2 / math.pi) * math.exp(-(mu**2) / (2 * tau**2)) + mu * (1 - 2 * normal.cdf(-mu / tau))
