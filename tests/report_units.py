"""Made quarters of designs without persons to build reports from: areas, a series, trials that differ."""

from __future__ import annotations

import math
from typing import Any

from report_findings import QUARTER, checks, gate

from effectmeter.diagnostics import apply_gates
from effectmeter.findings import ArmNumbers, Contributors, Findings
from effectmeter.plan import Plan
from effectmeter.results import EffectRow, GateResult, SeriesPoint, TrialEffect
from effectmeter.verdicts import rule

CONTRAST = "treated vs comparison"


def plan_of(design: str, programme: str, **more: Any) -> Plan:
    source = {
        "staggered_areas": {"areas": {"file": "areas.csv"}, "area_counts": {"file": "counts.csv"}},
        "interrupted_series": {"series": {"file": "series.csv"}},
        "pooled_trials": {"trials": {"file": "trials.csv"}},
    }[design]
    outcome = {"primary": True, "label": {"nl": "woninginbraken", "en": "burglaries"}}
    return Plan.model_validate(
        {
            "programme": programme,
            "title": {"nl": programme.capitalize(), "en": programme.capitalize()},
            "design": design,
            "source": source,
            "outcomes": {"burglary": outcome},
            "looks": {"method": "none"},
        }
        | more
    )


def row_of(plan: Plan, measure: str, log: float, error: float, **more: Any) -> EffectRow:
    """Return a row with an estimate of exp(`log`), or of `log` itself for what is no ratio."""
    back = math.exp if measure.endswith("ratio") else float
    if measure == "percent_change":
        back = _percent
    low, high = back(log - 1.96 * error), back(log + 1.96 * error)
    return EffectRow(
        **{
            "programme": plan.programme,
            "quarter": str(QUARTER),
            "design": plan.design,
            "outcome": "burglary",
            "measure": measure,
            "contrast": CONTRAST,
            "estimand": plan.estimand[0],
            "estimator": "made",
            "variance": "model",
            "analysis": "sensitivity",
            "estimate": back(log),
            "conf_low": low,
            "conf_high": high,
            "verdict_low": low,
            "verdict_high": high,
            "std_error": error,
        }
        | more
    )


def _percent(log: float) -> float:
    return 100 * (math.exp(log) - 1)


def found(plan: Plan, effects: list[EffectRow], gates: tuple[GateResult, ...], reach: int, **more: Any) -> Findings:
    shown = apply_gates(effects, gates)
    verdict, claims = rule(plan, shown, gates, reach)
    return Findings(effects=shown, gates=gates, claims=claims, verdict=verdict, checks=checks(), **more)


def areas(**more: Any) -> tuple[Plan, Findings]:
    """27 areas against 41: a fall, an event study whose last time rests on two areas with few events, two kinds."""
    plan = plan_of("staggered_areas", "wijken", subgroups=["kind"], **more)
    counts = {
        "n_treated": 27, "n_comparison": 41, "n_clusters_treated": 27, "n_clusters_comparison": 41,
        "events_treated": 1234.0, "events_comparison": 2468.0,
        "person_years_treated": 51_234.0, "person_years_comparison": 77_777.0,
    }  # fmt: skip
    effects = [
        row_of(plan, "rate_ratio", -0.19, 0.05, analysis="primary", **counts),
        row_of(plan, "percent_change", -0.19, 0.05, analysis="secondary", **counts),
        row_of(plan, "rate_difference", -0.00471, 0.00093, analysis="secondary", **counts),
        row_of(plan, "rate_ratio", -0.21, 0.06, estimator="poisson_fe", **counts),
        row_of(plan, "rate_ratio", -0.02, 0.06, subgroup="ring=1", **counts | {"n_treated": 12}),
    ]
    for time in range(-4, 5):
        small = {"n_treated": 2, "events_treated": 21.0} if time == 4 else {"n_treated": 27, "events_treated": 137.0}
        effects.append(
            row_of(
                plan,
                "rate_ratio",
                -0.05 * max(time + 1, 0),
                0.06 + 0.01 * abs(time),
                analysis="event_study",
                subgroup=f"event_time={time}",
                **counts | small | {"n_clusters_treated": small["n_treated"]},
            )
        )
    kinds: tuple[tuple[str, float], ...] = (("kind=town", 1226.0), ("kind=village", 8.0))
    for label, events in kinds:
        own = counts | {"events_treated": events, "n_treated": 13}
        effects.append(row_of(plan, "rate_ratio", -0.2, 0.1, analysis="subgroup", subgroup=label, **own))
    effects.append(row_of(plan, "rate_ratio", 0.1, 0.2, analysis="subgroup", subgroup="kind: interaction", **counts))
    gates = (
        gate("clusters", "warned", "17 and 41 areas", ">= 20 treated and comparison areas; < 10 fails",
             "There are 17 areas on one side, with 4 events in the smallest.",
             "Er zijn 17 gebieden aan één kant, met 4 voorvallen in het kleinste."),
        gate("pre_trends", "passed", "joint test p = 0.41", "no difference before the start (joint test, p >= 0.01)",
             "Before the start the areas went the same way.", "Vóór de start gingen de gebieden gelijk op."),
        gate("power", "passed", "smallest detectable ratio 0.87", "smallest detectable ratio >= 0.67; never fails",
             "A fall to 0.87 could be seen.", "Een daling tot 0,87 is te zien."),
    )  # fmt: skip
    numbers = (ArmNumbers(arm="treated", units=27), ArmNumbers(arm="comparison", units=41))
    shares = Contributors(contrast=CONTRAST, outcome="burglary", largest_treated=(0.2, 0.1), largest_comparison=(0.1,))
    return plan, found(plan, effects, gates, 27, numbers=numbers, contributors=(shares,))


def series(*, monthly: float = 40.0, **more: Any) -> tuple[Plan, Findings]:
    """Sixty months before and twenty-four after, about `monthly` a month."""
    plan = plan_of("interrupted_series", "reeks", series={"start": "2024-01"}, **more)
    after, before = 24 * monthly + 3, 60 * monthly * 1.3 + 4
    counts = {"n_treated": 24, "n_comparison": 60, "events_treated": after, "events_comparison": before}
    raw = math.log((after / 24) / (before / 60))
    effects = [
        row_of(plan, "level_ratio", -0.26, 0.05, analysis="primary", estimator="quasi_poisson", **counts),
        row_of(plan, "percent_change", -0.26, 0.05, analysis="secondary", estimator="quasi_poisson", **counts),
        row_of(plan, "level_ratio", -0.22, 0.06, subgroup="trend=none", estimator="quasi_poisson", **counts),
        row_of(plan, "level_ratio", raw, 0.04, analysis="unadjusted", estimator="quasi_poisson", **counts),
        row_of(plan, "percent_change", raw, 0.04, analysis="unadjusted", estimator="quasi_poisson", **counts),
    ]
    points = tuple(
        SeriesPoint(
            outcome="burglary",
            period=place,
            label=f"{2019 + place // 12}-{place % 12 + 1:02d}",
            is_after=place >= 60,
            observed=float(round(monthly * (1.0 if place >= 60 else 1.3) + place % 7 - 3)),
            expected=1.3 * monthly + 0.123,
            conf_low=1.2 * monthly,
            conf_high=1.4 * monthly,
        )
        for place in range(84)
    )
    gates = (
        gate("periods", "passed", "60 before, 24 after", ">= 12 periods before and 8 after, and a year on both sides "
             "where there is a season; < 8 before or < 3 after fails",
             "There are 60 periods before the start and 24 after it.",
             "Er zijn 60 perioden vóór de start en 24 erna."),
        gate("control_series", "not_evaluated", "no control series", "the control's own level ratio holds 1, or lies "
             "within 0.8-1.25", "Not evaluated: there is no control series.", "Niet te toetsen: geen controlereeks."),
        gate("agreement", "passed", "4 of 4 agree; estimates 0.70 to 0.80", "same direction, and inside the interval "
             "or within a factor 1.25; never fails", "They agree.", "Ze zijn het eens."),
    )  # fmt: skip
    numbers = (ArmNumbers(arm="treated", units=24), ArmNumbers(arm="comparison", units=60))
    return plan, found(plan, effects, gates, 24, numbers=numbers, series_points=points)


TRIALS = (
    ("Alder (1999)", 31, 102, 44, 98),
    ("Birch (2003)", 4, 33, 9, 31),
    ("Cedar (2008)", 63, 211, 91, 204),
    ("Dogwood (2014)", 48, 187, 39, 190),
)


def trials(*, differ: bool = True, **more: Any) -> tuple[Plan, Findings]:
    """Four trials, one of them small; where they differ, a next site is the headline."""
    plan = plan_of("pooled_trials", "proeven", trials={"measure": "odds_ratio"}, **more)
    sums = [sum(trial[column] for trial in TRIALS) for column in range(1, 5)]
    counts = {
        "n_treated": sums[1], "n_comparison": sums[3], "events_treated": float(sums[0]),
        "events_comparison": float(sums[2]), "n_clusters_treated": 4, "n_clusters_comparison": 4,
    }  # fmt: skip
    mean, prediction = ("secondary", "primary") if differ else ("primary", "secondary")
    effects = [
        row_of(plan, "odds_ratio", -0.36, 0.5, analysis=prediction, estimator="pmm_hk_prediction",
               variance="prediction", **counts),
        row_of(plan, "odds_ratio", -0.36, 0.14, analysis=mean, estimator="reml_hk", **counts),
        row_of(plan, "odds_ratio", -0.35, 0.12, estimator="mantel_haenszel", **counts),
    ]  # fmt: skip
    effects.sort(key=lambda row: row.analysis != "primary")
    points = []
    for name, e1, n1, e0, n0 in TRIALS:
        rest = {
            "n_treated": sums[1] - n1, "n_comparison": sums[3] - n0, "events_treated": float(sums[0] - e1),
            "events_comparison": float(sums[2] - e0), "n_clusters_treated": 3, "n_clusters_comparison": 3,
        }  # fmt: skip
        effects.append(row_of(plan, "odds_ratio", -0.3, 0.2, subgroup=f"without={name}", estimator="reml_hk", **rest))
        log, error = (
            math.log(e1 * (n0 - e0) / (e0 * (n1 - e1))),
            math.sqrt(sum(1 / c for c in (e1, n1 - e1, e0, n0 - e0))),
        )
        points.append(
            TrialEffect(
                trial=name, measure="odds_ratio", estimate=math.exp(log), conf_low=math.exp(log - 1.96 * error),
                conf_high=math.exp(log + 1.96 * error), weight=0.25, n_treated=n1, n_comparison=n0,
                events_treated=float(e1), events_comparison=float(e0),
            )
        )  # fmt: skip
    gates = (
        gate("heterogeneity", "warned" if differ else "passed", "I2 62 %, tau2 0.21 (0.02-0.90), Q 11.4 on 13 "
             "(p = 0.01)", "I2 < 40 % and, for ratios, tau < 0.69; never fails",
             "The trials differ: 62 % of the differences is not chance; the smallest has 4 events.",
             "De studies verschillen: 62 % is geen toeval; de kleinste heeft 4 voorvallen."),
        gate("number_of_trials", "warned", "4 trials", ">= 5; < 3 fails for methods with a spread between trials; "
             "1 fails", "With 4 trials it is hard to say.", "Met 4 studies is het moeilijk te zeggen."),
    )  # fmt: skip
    numbers = (
        ArmNumbers(arm="treated", units=4, persons=sums[1]),
        ArmNumbers(arm="comparison", units=4, persons=sums[3]),
    )
    return plan, found(plan, effects, gates, 4, numbers=numbers, trial_effects=tuple(points))
