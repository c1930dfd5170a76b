"""Known worlds of persons: trials and comparison cohorts, sound ones and broken ones.

Here: youths with an age, a sex, trouble at school (measured), a trait that nobody measured, and a history; how they got
into their arm; what happened to them. Not here: worlds of families (`planted_families`).

What is planted is the ratio: the arm multiplies everybody's risk (or rate, or hazard) by the same number, which is then
the ratio in every population, weighted or not. Threats are planted with about the strength that the verdict calls
important: they alone move the ratio to about 0.67 or 1.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from effectmeter.designs.base import AnalysisData
from effectmeter.plan import Plan
from effectmeter.worlds.planted import (
    QUARTER,
    WINDOW,
    Drawn,
    FloatArray,
    first_of,
    identifiers,
    labels,
    outcome_frame,
    persons_frame,
    plan_of,
)

SIZES = (30, 60, 120, 300, 1000, 5000)
EFFECT = 0.6
RISK = 0.3
RARE_RISK = 0.02
YEARLY = 0.35
"""Contacts per year before time zero."""
CONTROLS = ("victim", "road_accident", "lost_property", "noise_complaint", "burglary_victim")
"""Events that no programme changes."""
_HIGHEST_RISK = 0.62  # times 1.5 it is still a risk
_ADJUST = {"age": "numeric", "sex": "categorical", "school": "numeric", "prior_contact_12m": "numeric"}


@dataclass(frozen=True, slots=True)
class Youths:
    """Persons at time zero.

    Attributes
    ----------
    age, school
        (n,) years; standardised score of trouble at school.
    male
        (n,) 0 or 1.
    trait
        (n,) standard normal: what makes one person's events more frequent than another's, and nobody measured.
    relative
        (n,) frequency of the person's events, relative to the average.
    before, long_before
        (n,) contacts in the last year before time zero, and in the year before that.
    """

    age: FloatArray
    school: FloatArray
    male: FloatArray
    trait: FloatArray
    relative: FloatArray
    before: FloatArray
    long_before: FloatArray

    def __len__(self) -> int:
        return len(self.age)


def draw_youths(rng: np.random.Generator, n: int) -> Youths:
    """Draw persons with their history."""
    age, school, trait = rng.uniform(12.0, 23.0, n), rng.normal(size=n), rng.normal(size=n)
    male = (rng.random(n) < 0.75).astype(np.float64)
    relative = np.exp(0.5 * trait - 0.125 + 0.25 * school - 0.03 + 0.3 * (male - 0.75) - 0.02 * (age - 17.5))
    before, long_before = (rng.poisson(YEARLY * relative).astype(np.float64) for _ in range(2))
    return Youths(age, school, male, trait, relative, before, long_before)


def by_lot(rng: np.random.Generator, n: int) -> FloatArray:
    """Return (n,) 1 for the half that was drawn."""
    return rng.permutation(np.arange(n) % 2).astype(np.float64)


def by_entry(rng: np.random.Generator, who: Youths, *, trait: float = 0.0, school: float = 0.4) -> FloatArray:
    """Return (n,) 1 for participants: about two in five, more of them boys, young, and in trouble at school.

    `trait` is how strongly the unmeasured trait decides who takes part (log odds per standard deviation).
    """
    odds = -0.4 + school * who.school + 0.3 * (who.male - 0.75) - 0.05 * (who.age - 17.5) + trait * who.trait
    chosen = (rng.random(len(who)) < expit(odds)).astype(np.float64)
    chosen[:2] = (1.0, 0.0)  # both arms exist, however small the study
    return chosen


@cache
def trial_plan(measure: str = "risk_ratio", controls: bool = False, cluster: bool = False) -> Plan:
    """Return the plan of a trial."""
    return plan_of("randomised", **_fields(measure, controls, cluster))


@cache
def cohort_plan(measure: str = "risk_ratio", controls: bool = True, cluster: bool = False) -> Plan:
    """Return the plan of a comparison cohort."""
    return plan_of("comparison_cohort", **_fields(measure, controls, cluster))


def _fields(measure: str, controls: bool, cluster: bool) -> dict[str, Any]:
    contact: dict[str, Any] = {"event": "contact"} if measure != "mean_difference" else {"value": "score"}
    return {
        "outcomes": {"contact": contact | {"measures": [measure], "primary": True}},
        "adjust_for": _ADJUST,
        "negative_controls": list(CONTROLS) if controls else [],
        "cluster": "site" if cluster else None,
        "claims": [{"words": "half as often", "outcome": "contact", "at_most": 0.5}]
        if measure != "mean_difference"
        else [],
    }


def frame_of(who: Youths, treated01: FloatArray, *, years_back: int = 0, **columns: Any) -> pl.DataFrame:
    """Return the persons as delivered; moved `years_back` their age and prior counts are those of then."""
    return persons_frame(
        treated01,
        age=who.age - years_back,
        sex=labels(who.male, ("f", "m")),
        school=who.school,
        prior_contact_12m=who.long_before if years_back else who.before,
        **columns,
    )


def happened(rng: np.random.Generator, risk: FloatArray | float, n: int) -> tuple[NDArray[Any], FloatArray]:
    """Return numbers of events and day of the first (nan: none), at least one with the given risk."""
    number = (rng.random(n) < risk) * (1 + rng.poisson(0.4, n))
    return number, first_of(rng, number)


def risk_of(who: Youths, base: float = RISK) -> FloatArray:
    """Return (n,) the risk of a contact within the window without a programme."""
    return np.minimum(base * who.relative, _HIGHEST_RISK)


def control_rows(rng: np.random.Generator, who: Youths, seen: FloatArray | float = 1.0) -> list[pl.DataFrame]:
    """Return the outcomes that nothing changes; `seen` (n,) is how much more often they are registered."""
    rows = []
    for number, name in enumerate(CONTROLS):
        risk = np.minimum((0.2 + 0.05 * number) * who.relative, _HIGHEST_RISK) * seen
        rows.append(outcome_frame(*happened(rng, risk, len(who)), outcome=name))
    return rows


def with_placebo(data: AnalysisData, who: Youths, rng: np.random.Generator, treated01: FloatArray) -> AnalysisData:
    """Return the data with the year before time zero, in which there was no programme."""
    persons = frame_of(who, treated01, years_back=1, **_site(data))
    placebo = AnalysisData(data.plan, QUARTER, persons, outcome_frame(who.before, first_of(rng, who.before)))
    return replace(data, placebo=placebo)


def _site(data: AnalysisData) -> dict[str, Any]:
    return {"cluster": data.persons["cluster"]} if data.plan.cluster else {}


def assembled(
    plan: Plan,
    rng: np.random.Generator,
    who: Youths,
    treated01: FloatArray,
    outcome: pl.DataFrame,
    *,
    seen: FloatArray | float = 1.0,
    **columns: Any,
) -> AnalysisData:
    """Put persons, outcome, negative controls and placebo period together."""
    rows = [outcome, *(control_rows(rng, who, seen) if plan.negative_controls else [])]
    data = AnalysisData(plan, QUARTER, frame_of(who, treated01, **columns), pl.concat(rows))
    return with_placebo(data, who, rng, treated01)


def risks(plan: Callable[[], Plan], ratio: float, base: float = RISK) -> Callable[[np.random.Generator, int], Drawn]:
    """Plant a ratio of risks in a sound study."""

    def draw(rng: np.random.Generator, size: int) -> Drawn:
        who = draw_youths(rng, size)
        arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
        rows = outcome_frame(*happened(rng, risk_of(who, base) * np.where(arm == 1.0, ratio, 1.0), size))
        return Drawn(assembled(plan(), rng, who, arm, rows), ratio)

    return draw


def rates(
    plan: Callable[[], Plan], ratio: float, *, detained: float = 0.0, known: bool = True
) -> Callable[[np.random.Generator, int], Drawn]:
    """Plant a ratio of rates in overdispersed counts; `detained` is the share of time that participants are locked up.

    Whoever is detained can have no contact. With `known` the days are delivered, so that time free is the denominator.
    """

    def draw(rng: np.random.Generator, size: int) -> Drawn:
        who = draw_youths(rng, size)
        arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
        share = np.where(arm == 1.0, detained, detained / 5.0)
        away = np.floor(WINDOW * np.clip(rng.gamma(0.5, 2.0 * share + 1e-12), 0.0, 0.9))
        free = WINDOW - away
        number = rng.poisson(2.0 * YEARLY * who.relative * np.where(arm == 1.0, ratio, 1.0) * free / WINDOW)
        rows = outcome_frame(number, first_of(rng, number), days_free=free if known else None)
        return Drawn(assembled(plan(), rng, who, arm, rows), ratio)

    return draw


def hazards(plan: Callable[[], Plan], ratio: float) -> Callable[[np.random.Generator, int], Drawn]:
    """Plant a ratio of hazards given the covariates; here the trait plays no part, since hazards do not average."""

    def draw(rng: np.random.Generator, size: int) -> Drawn:
        who = draw_youths(rng, size)
        arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
        rate = 0.5 * np.exp(0.3 * who.school + 0.3 * (who.male - 0.75) - 0.02 * (who.age - 17.5))
        day = np.ceil(WINDOW * rng.exponential(1.0, size) / (rate * np.where(arm == 1.0, ratio, 1.0)))
        happens = day <= WINDOW
        rows = outcome_frame(happens.astype(np.int64), np.where(happens, day, np.nan))
        return Drawn(assembled(plan(), rng, who, arm, rows), ratio)

    return draw


def scores(plan: Callable[[], Plan], difference: float) -> Callable[[np.random.Generator, int], Drawn]:
    """Plant a difference in a skewed score, in its own units (its standard deviation is about 1.2)."""

    def draw(rng: np.random.Generator, size: int) -> Drawn:
        who = draw_youths(rng, size)
        arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
        score = 0.4 * who.school + 0.3 * who.male + 0.3 * who.before + rng.exponential(1.0, size) + difference * arm
        rows = outcome_frame(*happened(rng, risk_of(who), size))
        return Drawn(assembled(plan(), rng, who, arm, rows, score=score), difference)

    return draw


def sites(plan: Callable[[], Plan], ratio: float) -> Callable[[np.random.Generator, int], Drawn]:
    """Plant a ratio of risks where whole sites are in one arm; a size counts sites, of about 25 persons each."""

    def draw(rng: np.random.Generator, size: int) -> Drawn:
        of_site = rng.poisson(25.0, size) + 3
        site = np.repeat(np.arange(size), of_site)
        who = draw_youths(rng, len(site))
        own = np.exp(rng.normal(0.0, 0.25, size) - 0.03)[site]
        arm = by_lot(rng, size)[site]
        risk = np.minimum(risk_of(who) * own, 0.9) * np.where(arm == 1.0, ratio, 1.0)
        rows = outcome_frame(*happened(rng, risk, len(site)))
        # what is special about a site was so in the year before as well
        who = replace(who, before=rng.poisson(YEARLY * who.relative * own).astype(np.float64))
        return Drawn(assembled(plan(), rng, who, arm, rows, cluster=identifiers(size, "s").gather(site)), ratio)

    return draw
