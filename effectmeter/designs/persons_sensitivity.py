"""What is set beside the primary row: other persons, other starts, other treatments of what is missing, calibration.

Here: which rows, with which label in `subgroup` or `estimator`. Not here: other estimands, weights and errors
(`effectmeter.designs.persons`), nor the figures themselves (`effectmeter.estimators.sensitivity`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from effectmeter.designs.assembling import lacks_covariates, share_without_outcome
from effectmeter.designs.persons_rows import Part, Rows, primary_question
from effectmeter.designs.questions import Question, outcome_of
from effectmeter.designs.rows import LEVEL, ReasonedError, not_estimable, with_estimate
from effectmeter.designs.sample import Sample
from effectmeter.estimators.base import Estimate, EstimationError, FloatArray
from effectmeter.estimators.permutation import permutation_contrast, sign_flip_contrast
from effectmeter.estimators.sensitivity import (
    FEWEST_CONTROLS,
    calibrated,
    e_value_row,
    systematic_error,
    tipping_point,
)
from effectmeter.estimators.small_samples import bayesian_interval
from effectmeter.gates.people import ENOUGH_CLUSTERS, ENOUGH_PERSONS
from effectmeter.looks import implied_std_error
from effectmeter.results import EffectRow

MOST_SITES_SHOWN = 20
"""Sites up to which every one is left out in turn and shown; above it only the two extremes are."""
MOST_SITES = 100
"""Sites above which none is left out: no single one can matter."""
FEWEST_SITES = 3
FROM_START = "time_zero=start_date"
Figure = Callable[[Rows, Sample | EstimationError, EffectRow, EffectRow, str], EffectRow | None]
"""Takes the rows, the sample, the primary row, the row to fill and the treated arm; None: there is nothing to say."""
_COMMON = 0.15  # share with the event from which on odds and hazard ratios are no risk ratios (VanderWeele & Ding)


def add_sensitivity(rows: Rows, treated: str, contrast: str) -> None:
    """Add what is set beside the primary row of a contrast; negative controls must be there already."""
    asked, primary = primary_question(rows.data.plan), rows.primary(contrast)
    if asked is None or primary is None:
        return
    sample = rows.sample(treated, asked)
    _small(rows, sample, primary)
    _missing_otherwise(rows, treated, contrast, asked)
    _from_start(rows, treated, contrast, asked)
    _without_each_site(rows, treated, contrast, asked, primary)
    figures: tuple[tuple[str, str, Figure], ...] = (
        ("e_value", "none", _e_values),
        ("tipping_point", "none", _tipping),
        ("empirical_calibration", "calibrated", _calibration),
    )
    for estimator, variance, figure in figures:
        beside = replace(_emptied(primary), analysis="sensitivity", estimator=estimator, variance=variance)
        try:
            row = figure(rows, sample, primary, beside, treated)
        except EstimationError as fault:
            row = not_estimable(beside, fault)
        if row is not None:
            rows.found.append(row)


def _emptied(row: EffectRow) -> EffectRow:
    """Return a row with its question and counts, without any figure."""
    return replace(
        row,
        estimate=None,
        conf_low=None,
        conf_high=None,
        std_error=None,
        verdict_low=None,
        verdict_high=None,
        p_value=None,
        p_value_adjusted=None,
        status="shown",
        reason="",
        reason_nl="",
    )


# ---- few persons, few clusters


def _small(rows: Rows, sample: Sample | EstimationError, primary: EffectRow) -> None:
    """Add the estimate as seen with a sceptical prior, and the arms dealt anew, where persons or clusters are few."""
    if isinstance(sample, EstimationError):
        return
    counts = sample.counts(primary.measure, primary.denominator)
    few_clusters = counts.n_clusters is not None and min(counts.n_clusters) < ENOUGH_CLUSTERS
    beside = replace(_emptied(primary), analysis="sensitivity")
    if (few_clusters or min(counts.n) < ENOUGH_PERSONS) and primary.status == "shown":
        named = replace(beside, estimator="bayes", variance="bayes")
        try:
            rows.found.append(_sceptical(rows, sample, primary, named))
        except EstimationError as fault:
            rows.found.append(not_estimable(named, fault))
    if few_clusters:
        named = replace(beside, estimator="permutation", variance="permutation")
        try:
            rows.found.append(_dealt_anew(rows, sample, named))
        except EstimationError as fault:
            rows.found.append(not_estimable(named, fault))


def _sceptical(rows: Rows, sample: Sample, primary: EffectRow, row: EffectRow) -> EffectRow:
    """Return the primary estimate with a normal prior of no effect: deviation 1 on the log scale, or one deviation."""
    known = Estimate(
        value=primary.estimate,
        std_error=primary.std_error,
        low=primary.conf_low,
        high=primary.conf_high,
        p_value=None,
        level=LEVEL,
        estimator="bayes",
        variance="bayes",
    )
    scale = 1.0 if primary.is_ratio else sample.deviation()
    found = bayesian_interval(known, prior_sd=scale, is_ratio=primary.is_ratio)
    return with_estimate(rows.data, row, found, scale=scale)


def _dealt_anew(rows: Rows, sample: Sample, row: EffectRow) -> EffectRow:
    """Return the permutation's row; hazards as rates of a first event, which they are while they are constant."""
    if row.measure not in {"risk_ratio", "rate_ratio", "hazard_ratio", "mean_difference"} or sample.cluster is None:
        raise ReasonedError(
            "dealing the arms anew is done for ratios of risks, rates and hazards and for means",
            "Deze controle is er niet voor deze maat.",
        )
    # where no lot was drawn there is no draw to repeat among persons of one cluster
    is_flipped = _arms_mixed(sample) and rows.data.plan.design != "randomised"
    if _arms_mixed(sample) and not is_flipped and rows.data.is_added_up:
        raise ReasonedError(
            "so many persons are added up, so that they cannot be dealt anew within clusters one by one",
            "Er zijn zo veel mensen dat zij zijn opgeteld. Dan zijn zij niet een voor een opnieuw te verdelen.",
        )
    answer = sign_flip_contrast if is_flipped else permutation_contrast
    years = {
        "rate_ratio": sample.calendar_years if row.denominator == "calendar_time" else sample.free_years,
        "hazard_ratio": sample.days,
    }.get(row.measure)
    y = sample.n_events if row.measure in {"rate_ratio", "mean_difference"} else sample.event01
    if sample.size is not None:  # sums are all that the residuals of whole clusters need
        at_risk = np.ones(len(y)) if years is None else (years > 0.0).astype(np.float64)
        y, years = sample.added(y * at_risk), sample.added(at_risk if years is None else years)
    who, cluster, strata = sample.in_contrast, sample.cluster, sample.strata

    def at(level: float) -> Estimate:
        return answer(
            y[who],
            sample.treated01[who],
            _own_terms(sample)[who],
            cluster[who],
            size=None if years is None else years[who],
            strata=None if strata is None else strata[who],
            is_ratio=row.is_ratio,
            level=level,
        )

    return with_estimate(rows.data, row, at(LEVEL), refit=at, scale=1.0 if row.is_ratio else sample.deviation())


def _own_terms(sample: Sample) -> FloatArray:
    """Return the covariates (n, k) without the indicators of other arms."""
    keep = [place for place, term in enumerate(sample.terms) if not term.startswith("arm=")]
    return sample.X[:, keep]


def _arms_mixed(sample: Sample) -> bool:
    """Return whether any cluster holds persons of both arms."""
    cluster = sample.cluster if sample.cluster is not None else np.empty(0)
    of_arm = [set(cluster[(sample.treated01 == arm) & sample.in_contrast].tolist()) for arm in (1.0, 0.0)]
    return bool(of_arm[0] & of_arm[1])


# ---- missing covariates, immortal time, sites


def _missing_otherwise(rows: Rows, treated: str, contrast: str, asked: Question) -> None:
    """Add the primary question with missing covariates treated the other way, where any is missing."""
    wider = rows.data.with_missing
    if wider is not None and outcome_of(rows.data.plan, asked.outcome).value is None:
        elsewhere = Rows(wider, rows.method)  # the cohort itself holds nobody who lacks a covariate
        _again(elsewhere, treated, contrast, asked, Part(label="missing=indicator", missing="indicator"))
        rows.found += elsewhere.found
        return
    if not lacks_covariates(rows.data):
        return
    other = "exclude" if rows.data.plan.missing.covariates == "indicator" else "indicator"
    part = Part(label=f"missing={other}", missing=other)  # type: ignore[arg-type]
    _again(rows, treated, contrast, asked, part)


def _from_start(rows: Rows, treated: str, contrast: str, asked: Question) -> None:
    """Add the primary question with time zero at everyone's own start: what immortal time would have given.

    Not a better estimate but a wrong one, which many evaluations give: it leaves out the time between time zero and
    start, in which participants had to stay out of trouble to start at all.
    """
    moved = rows.data.from_start
    if moved is None or outcome_of(rows.data.plan, asked.outcome).value is not None:
        return
    elsewhere = Rows(moved, rows.method)
    _again(elsewhere, treated, contrast, asked, Part(label=FROM_START))
    rows.found += elsewhere.found


def _again(rows: Rows, treated: str, contrast: str, asked: Question, part: Part) -> None:
    sample = rows.sample(treated, asked, part)
    how = rows.specification(sample, asked)
    rows.add(
        sample, asked, contrast, "sensitivity", how, weigh=rows.method.weigh, subgroup=part.label, with_beside=False
    )


def _without_each_site(rows: Rows, treated: str, contrast: str, asked: Question, primary: EffectRow) -> None:
    """Add the primary question with each site left out in turn, nobody named or ranked.

    Sites carry numbers dealt by a key made of the delivery itself: they say nothing of size, effect or name, and change
    with every delivery, so that a site cannot be followed either. The rows carry the counts of the whole question:
    those of the remaining sites would give the counts of the one that is left out. Above `MOST_SITES_SHOWN` sites only
    the lowest and the highest result are shown. Families are no sites.
    """
    column, sample = rows.data.plan.cluster, rows.sample(treated, asked)
    if column is None or column == "family_id" or isinstance(sample, EstimationError) or sample.cluster is None:
        return
    people = rows.data.persons.filter(pl.col("arm").is_in([treated, rows.data.plan.arms.comparison]))
    sites = _shuffled(people["cluster"].drop_nulls().unique().to_list(), sample)
    if not FEWEST_SITES <= len(sites) <= MOST_SITES:
        return
    elsewhere = Rows(rows.data, rows.method)
    for number, site in enumerate(sites, start=1):
        others = (pl.col("cluster") != site).fill_null(value=True)
        _again(elsewhere, treated, contrast, asked, Part(label=f"without=site {number}", within=others))
    found = [_with_counts_of(primary, row) for row in elsewhere.found]
    if len(sites) > MOST_SITES_SHOWN:
        known = sorted((row for row in found if row.estimate is not None), key=lambda row: row.estimate or 0.0)
        found = [
            replace(known[place], subgroup=f"without=one site, {name}")
            for place, name in ((0, "lowest"), (-1, "highest"))
            if known
        ]
    rows.found += found


def _shuffled(sites: list[str], sample: Sample) -> list[str]:
    """Return the sites in an order that nobody without the delivery can know, whatever persons and sites are called.

    Names are pseudonyms under a key of the installation: an order by them would differ between two installations.
    """
    arrays = (sample.event01, sample.n_events, sample.days, sample.treated01, sample.X, sample.size)
    known = [np.ascontiguousarray(array).tobytes() for array in arrays if array is not None]
    key = hashlib.sha256(b"".join(known)).digest()
    places = {site: str(place).encode() for place, site in enumerate(sorted(sites))}
    return sorted(sites, key=lambda site: hashlib.sha256(key + places[site]).digest())


def _with_counts_of(whole: EffectRow, row: EffectRow) -> EffectRow:
    names = ("n", "events", "person_years", "n_clusters")
    return replace(
        row, **{f"{name}_{arm}": getattr(whole, f"{name}_{arm}") for name in names for arm in ("treated", "comparison")}
    )


# ---- figures about the primary row


def _e_values(
    rows: Rows, sample: Sample | EstimationError, primary: EffectRow, row: EffectRow, treated: str
) -> EffectRow | None:
    """Return the E-value of the estimate as `estimate`, that of the limit nearest to no effect as `conf_low`."""
    if isinstance(sample, EstimationError) or primary.status != "shown":
        return None
    if primary.measure.endswith("_difference") and primary.measure != "mean_difference":
        raise ReasonedError(
            "an E-value is about ratios: ask for the ratio of this outcome",
            "Deze maat gaat over verhoudingen. Vraag de verhouding van deze uitkomst.",
        )
    events, n = sum(sample.sides(sample.event01)), sum(sample.sides(np.ones(len(sample.event01))))
    value, limit = e_value_row(
        primary.measure,
        primary.estimate,
        primary.conf_low,
        primary.conf_high,
        is_common=events / max(n, 1.0) > _COMMON,
        scale=sample.deviation(),
    )
    return replace(row, estimate=value, conf_low=limit)


def _tipping(
    rows: Rows, sample: Sample | EstimationError, primary: EffectRow, row: EffectRow, treated: str
) -> EffectRow | None:
    """Return how unlike the others those without an outcome must be to turn the verdict's limit, as `estimate`."""
    if isinstance(sample, EstimationError) or primary.status != "shown":
        return None
    missing = share_without_outcome(rows.data, treated, primary.outcome, primary.window_days)
    if not sum(missing) > 0.0:
        return None
    found = tipping_point(
        primary.verdict_low,
        primary.verdict_high,
        measure=primary.measure,
        missing=missing,
        observed=_levels(sample, primary),
        scale=sample.deviation(),
    )
    if found.factor is None:
        raise ReasonedError(
            "however unlike the others those without an outcome are, they cannot turn the conclusion",
            "Wie ontbreekt, kan de conclusie niet omdraaien, hoe anders zij ook zijn.",
        )
    return replace(row, estimate=found.factor)


def _levels(sample: Sample, primary: EffectRow) -> tuple[float, float]:
    """Return the raw risks or rates of both arms, never 0: half an event where there is none."""
    if primary.measure.startswith("rate"):
        years = sample.calendar_years if primary.denominator == "calendar_time" else sample.free_years
        events, base = sample.sides(sample.n_events), sample.sides(years)
    else:
        events, base = sample.sides(sample.event01), sample.sides(np.ones(len(sample.event01)))
    levels = [max(e, 0.5) / b if b > 0.0 else 1.0 for e, b in zip(events, base, strict=True)]
    return levels[0], levels[1]


def _calibration(
    rows: Rows, sample: Sample | EstimationError, primary: EffectRow, row: EffectRow, treated: str
) -> EffectRow | None:
    """Return the primary estimate with the design's systematic error taken off, from the negative controls."""
    controls = [
        (math.log(each.estimate), each.std_error)
        for each in rows.found
        if each.analysis == "negative_control"
        and each.contrast == primary.contrast
        and each.is_ratio
        and each.estimate
        and each.std_error
    ]
    if len(controls) < FEWEST_CONTROLS or primary.status != "shown" or not primary.is_ratio:
        return None
    error = primary.std_error or implied_std_error(primary.conf_low, primary.conf_high, is_ratio=True, level=LEVEL)
    known = Estimate(
        value=primary.estimate,
        std_error=error,
        low=primary.conf_low,
        high=primary.conf_high,
        p_value=primary.p_value,
        level=LEVEL,
        estimator="empirical_calibration",
        variance="calibrated",
    )
    found = calibrated(known, systematic_error([y for y, _ in controls], [se for _, se in controls]))
    return with_estimate(rows.data, row, found)
