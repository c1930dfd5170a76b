"""Three made quarters to build reports from: a trial, a cohort whose balance failed, and families before and after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from effectmeter.claims import rule_claims
from effectmeter.diagnostics import apply_gates
from effectmeter.findings import ArmNumbers, Contributors, Findings, QualityCheck
from effectmeter.passport import build_passport, passport_text
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.release import Cleared, clear
from effectmeter.results import AttritionStep, BalanceRow, CurvePoint, EffectRow, GateResult, OverlapRow
from effectmeter.sentences import LANGUAGES
from effectmeter.verdicts import rule
from reports import write_release
from reports.build import build_report
from reports.page import render_page

QUARTER = Quarter.parse("2026-Q3")


def trial_plan(**changes: Any) -> Plan:
    return Plan.model_validate(
        {
            "programme": "tarp",
            "title": {"nl": "Geld na detentie (TARP)", "en": "Aid for released prisoners (TARP)"},
            "question": {
                "nl": "Worden mannen die na hun vrijlating geld krijgen, minder vaak aangehouden?",
                "en": "Are men who receive money after their release arrested less often?",
            },
            "design": "randomised",
            "source": {"persons": {"file": "persons.csv"}, "events": {"file": "events.csv"}},
            "adjust_for": {name: {"type": "numeric"} for name in ("age", "race", "wexp", "mar", "paro", "prio")},
            "estimand": ["itt"],
            "follow_up": {"days": [364]},
            "outcomes": {
                "arrest": {
                    "event": "arrest",
                    "measures": ["risk_ratio", "hazard_ratio"],
                    "primary": True,
                    "label": {"nl": "aanhouding", "en": "arrest"},
                }
            },
            "looks": {"method": "none"},
            "claims": [
                {
                    "outcome": "arrest",
                    "measure": "risk_ratio",
                    "at_most": 0.5,
                    "words": "half zo vaak aangehouden",
                    "source": "een folder",
                }
            ],
        }
        | changes
    )


def cohort_plan(**changes: Any) -> Plan:
    return Plan.model_validate(
        {
            "programme": "alleen-jij-bepaalt",
            "title": {"nl": "Alleen jij bepaalt wie je bent", "en": "You alone decide who you are"},
            "question": {
                "nl": "Komen jongeren die meedoen minder vaak in contact met de politie dan vergelijkbare jongeren?",
                "en": "Do youths who take part come into contact with the police less often than comparable youths?",
            },
            "design": "comparison_cohort",
            "synthetic": True,
            "source": {"persons": {"file": "personen.csv"}, "events": {"file": "registraties.csv"}},
            "adjust_for": {name: {"type": "numeric"} for name in ("age_at_index", "prior_police_contact_24m", "sex")},
            "cluster": "site_id",
            "estimand": ["att", "ato"],
            "follow_up": {"months": [12, 24]},
            "outcomes": {
                "police_contact": {
                    "event": "police_contact",
                    "measures": ["risk_ratio", "rate_ratio"],
                    "primary": True,
                },
                "conviction": {"event": "conviction", "measures": ["risk_ratio"]},
                "serious": {
                    "event": "conviction",
                    "where": {"severity": ["serious"]},
                    "measures": ["risk_ratio"],
                    "label": {"nl": "veroordeling voor een ernstig misdrijf", "en": "conviction for a serious offence"},
                },
            },
            "subgroups": ["sex"],
            "claims": [
                {
                    "outcome": "police_contact",
                    "measure": "risk_ratio",
                    "at_most": 0.5,
                    "words": "twee keer minder vaak in contact met de politie",
                    "source": "SBO, Een gezamenlijke oproep aan het nieuwe kabinet",
                },
                {"reach": "at_least", "value": 1000, "words": "meer dan duizend jongeren", "source": "idem"},
            ],
        }
        | changes
    )


def families_plan(**changes: Any) -> Plan:
    return Plan.model_validate(
        {
            "programme": "integrale-familieaanpak",
            "title": {"nl": "Integrale familieaanpak", "en": "Integrated family approach"},
            "design": "before_after",
            "synthetic": True,
            "source": {"persons": {"file": "gezinsleden.csv"}, "events": {"file": "registraties.csv"}},
            "cluster": "family_id",
            "estimand": ["att"],
            "before_after": {"before_days": 730, "after_days": 730},
            "outcomes": {
                "justice_contact": {
                    "event": "justice_contact",
                    "measures": ["ratio_of_rate_ratios", "rate_ratio"],
                    "primary": True,
                    "label": {"nl": "contact met politie of justitie", "en": "justice contact"},
                }
            },
        }
        | changes
    )


def risk_rows(
    plan: Plan, *, outcome: str, window: int, counts: tuple[int, int, int, int], **more: Any
) -> list[EffectRow]:
    """Return the raw and the adjusted risk ratio and difference of an outcome; `more` changes the adjusted rows."""
    e1, n1, e0, n0 = counts
    contrast = plan.contrasts[0][1]
    shared = {
        "programme": plan.programme,
        "quarter": str(QUARTER),
        "design": plan.design,
        "outcome": outcome,
        "contrast": contrast,
        "estimand": plan.estimand[0],
        "window_days": window,
        "n_treated": n1,
        "n_comparison": n0,
        "events_treated": float(e1),
        "events_comparison": float(e0),
    }
    ratio, error = (e1 / n1) / (e0 / n0), math.sqrt(1 / e1 - 1 / n1 + 1 / e0 - 1 / n0)
    difference = e1 / n1 - e0 / n0
    spread = math.sqrt(e1 * (n1 - e1) / n1**3 + e0 * (n0 - e0) / n0**3)
    raw = {"estimator": "modified_poisson", "variance": "hc3", "analysis": "unadjusted"}
    rows = [
        EffectRow(**shared, **raw, measure="risk_ratio", **_figures(math.log(ratio), error, True)),
        EffectRow(**shared, **raw, measure="risk_difference", **_figures(difference, spread, False)),
    ]
    shift = more.pop("shift", 0.02)
    adjusted = {"estimator": "g_computation", "variance": "hc3", "analysis": "secondary"} | more
    rows.append(
        EffectRow(**shared, **adjusted, measure="risk_ratio", **_figures(math.log(ratio) - shift, error * 0.97, True))
    )
    rows.append(
        EffectRow(**shared, **adjusted, measure="risk_difference", **_figures(difference - shift / 4, spread, False))
    )
    return rows


def _figures(center: float, error: float, is_ratio: bool, wider: float = 1.4) -> dict[str, float]:
    back = math.exp if is_ratio else float
    reach = 1.96 * error
    return {
        "estimate": back(center),
        "conf_low": back(center - reach),
        "conf_high": back(center + reach),
        "verdict_low": back(center - wider * reach),
        "verdict_high": back(center + wider * reach),
        "std_error": error,
        "p_value": math.erfc(abs(center) / error / math.sqrt(2)),
    }


def hazard_row(plan: Plan, outcome: str, window: int, counts: tuple[int, int, int, int]) -> EffectRow:
    return EffectRow(
        programme=plan.programme,
        quarter=str(QUARTER),
        design=plan.design,
        outcome=outcome,
        measure="hazard_ratio",
        contrast=plan.contrasts[0][1],
        estimand=plan.estimand[0],
        estimator="cox_efron",
        variance="model",
        analysis="sensitivity",
        window_days=window,
        denominator="calendar_time",
        estimate=0.68429,
        conf_low=0.47024,
        conf_high=0.99577,
        verdict_low=0.47024,
        verdict_high=0.99577,
        std_error=0.19138,
        p_value=0.04743,
        n_treated=counts[1],
        events_treated=counts[0],
        n_comparison=counts[3],
        events_comparison=counts[2],
        person_years_treated=190.123,
        person_years_comparison=180.456,
    )


def gate(name: str, status: str, figure: str, threshold: str, en: str, nl: str, concerns: str = "all") -> GateResult:
    return GateResult(
        gate=name,
        status=status,
        figure=figure,
        threshold=threshold,
        sentence=en,
        sentence_nl=nl,
        concerns=concerns,
    )  # type: ignore[arg-type]


def curve_points(contrast: str, outcome: str, arm: str, n: int, events: int, window: int) -> list[CurvePoint]:
    """Return events spread over a window, a little more of them early."""
    days = sorted({max(1, int(window * ((i + 1) / events) ** 1.15)) for i in range(events)})
    return [
        CurvePoint(
            contrast=contrast,
            outcome=outcome,
            arm=arm,
            day=day,
            incidence=(i + 1) / n,
            conf_low=max((i + 1) / n - 0.04, 0),
            conf_high=(i + 1) / n + 0.04,
            n_at_risk=n - i,
            n_events=1,
        )
        for i, day in enumerate(days)
    ]


def checks(n: int = 9, failing: int = 1) -> tuple[QualityCheck, ...]:
    return tuple(
        QualityCheck(
            check_name=f"check_{i}",
            table_name="persons",
            severity="warning" if i < failing else "critical",
            passed=i >= failing,
            figure="3 of 1216 rows" if i < failing else "0",
            threshold="0",
            description_en=f"Every person has one row ({i})",
            description_nl=f"Elke persoon heeft één rij ({i})",
            advice_en="Ask the supplier.",
            advice_nl="Vraag het de leverancier.",
        )
        for i in range(n)
    )


def attrition(
    treated: str, comparison: str, delivered: tuple[int, int], analysed: tuple[int, int]
) -> tuple[AttritionStep, ...]:
    steps = []
    for arm, start, end in ((treated, delivered[0], analysed[0]), (comparison, delivered[1], analysed[1])):
        lost = start - end
        few = min(4, lost)
        steps += [
            AttritionStep(
                step=1,
                name="eligibility",
                arm=arm,
                n_before=start,
                n_lost=lost - few,
                n_after=end + few,
                reason="Not within the ages of the plan.",
                reason_nl="Niet binnen de leeftijd van het plan.",
            ),
            AttritionStep(
                step=2,
                name="linked",
                arm=arm,
                n_before=end + few,
                n_lost=few,
                n_after=end,
                reason="Not found in the register.",
                reason_nl="Niet gevonden in het register.",
            ),
        ]
    return tuple(steps)


def trial(plan: Plan | None = None) -> tuple[Plan, Findings]:
    """TARP: 48 of 216 arrested with aid, 66 of 216 without."""
    plan = plan or trial_plan()
    counts = (48, 216, 66, 216)
    effects = [
        *risk_rows(plan, outcome="arrest", window=364, counts=counts, analysis="primary"),
        hazard_row(plan, "arrest", 364, counts),
    ]
    effects = [replace(row, verdict_low=row.conf_low, verdict_high=row.conf_high) for row in effects]
    gates = (
        gate(
            "size",
            "passed",
            "216 and 216 persons",
            ">= 60 in both arms; < 30 fails",
            "Both groups are large enough.",
            "Beide groepen zijn groot genoeg.",
        ),
        gate(
            "follow_up",
            "passed",
            "100 % and 100 % complete",
            ">= 95 % complete per arm",
            "Nearly everyone could be followed long enough.",
            "Bijna iedereen is lang genoeg te volgen.",
        ),
        gate(
            "balance",
            "passed",
            "largest SMD 0.17",
            "no difference beyond chance",
            "The lottery made equal groups.",
            "De loting maakte gelijke groepen.",
        ),
        gate(
            "clusters",
            "not_applicable",
            "-",
            ">= 20 in both arms",
            "Persons are counted one by one.",
            "Personen tellen los.",
        ),
        gate(
            "placebo_period",
            "not_evaluated",
            "-",
            "interval holds 1",
            "Not evaluated: there are no events before the start.",
            "Niet te toetsen: er zijn geen gegevens van vóór de start.",
        ),
        gate(
            "power",
            "warned",
            "smallest detectable ratio 0.62",
            "smallest detectable ratio >= 0.67; never fails",
            "The smallest fall that could be seen is to 0.62 times the rate without the programme. "
            "About 140 more participants would settle it.",
            "De kleinste daling die te zien zou zijn, is tot 0,62 keer zo veel. "
            "Met nog ongeveer 140 deelnemers is het wel te zeggen.",
        ),
    )
    return plan, _found(
        plan,
        effects,
        gates,
        attrition=attrition("treated", "comparison", (216, 216), (216, 216)),
        balance=_balance(plan, ("age", "race", "wexp", "mar", "paro", "prio"), weighted=False),
        curves=tuple(
            curve_points("treated vs comparison", "arrest", "treated", 216, 48, 364)
            + curve_points("treated vs comparison", "arrest", "comparison", 216, 66, 364)
        ),
        checks=checks(),
        numbers=(ArmNumbers(arm="treated", persons=216), ArmNumbers(arm="comparison", persons=216)),
    )


def cohort(plan: Plan | None = None, *, balanced: bool = True) -> tuple[Plan, Findings]:
    """A synthetic cohort with a benefit; with `balanced=False` its balance gate fails and hides everything."""
    plan = plan or cohort_plan()
    effects = [
        *risk_rows(
            plan, outcome="police_contact", window=365, counts=(231, 1098, 750, 2204), analysis="primary", shift=-0.05
        ),
        *risk_rows(plan, outcome="police_contact", window=730, counts=(330, 1010, 900, 2010), shift=-0.05),
        *risk_rows(plan, outcome="conviction", window=365, counts=(88, 1098, 210, 2204)),
        *risk_rows(plan, outcome="serious", window=365, counts=(7, 1098, 31, 2204)),
        *risk_rows(
            plan,
            outcome="police_contact",
            window=365,
            counts=(180, 700, 560, 1400),
            analysis="subgroup",
            subgroup="sex=m",
        ),
        *risk_rows(
            plan, outcome="police_contact", window=365, counts=(6, 398, 190, 804), analysis="subgroup", subgroup="sex=f"
        ),
    ]
    good = balanced
    gates = (
        gate(
            "size",
            "passed",
            "1098 and 2204 persons",
            ">= 60 in both arms; < 30 fails",
            "Both groups are large enough.",
            "Beide groepen zijn groot genoeg.",
        ),
        gate(
            "clusters",
            "passed",
            "24 and 31 clusters",
            ">= 20 in both arms",
            "There are enough groups in both arms.",
            "Er zijn aan beide kanten genoeg groepen.",
        ),
        gate(
            "balance",
            "passed" if good else "failed",
            "largest SMD 0.04 (sex)" if good else "largest SMD 0.41 (sex)",
            "SMD < 0.1 after weighting, > 0.25 fails",
            "The groups are alike."
            if good
            else "Even after weighting, participants and comparison group differ too much ('sex').",
            "De groepen lijken op elkaar."
            if good
            else "Ook na weging verschillen deelnemers en vergelijkingsgroep te veel ('sex').",
        ),
        gate(
            "overlap",
            "warned",
            "18 % of participants and 22 % of the comparison group",
            ">= 20 % of both arms",
            "Few people are alike.",
            "Weinig mensen lijken op elkaar.",
        ),
        gate(
            "power",
            "passed",
            "smallest detectable ratio 0.81",
            ">= 0.67; never fails",
            "A fall to 0.81 could be seen.",
            "Een daling tot 0,81 is te zien.",
        ),
    )
    terms = ("age_at_index", "sex", "prior_police_contact_24m", "prior_conviction_24m", "school_absence")
    return plan, _found(
        plan,
        effects,
        gates,
        attrition=attrition("treated", "comparison", (1131, 2300), (1098, 2204)),
        balance=_balance(plan, terms, weighted=True),
        overlap=tuple(
            OverlapRow(
                contrast="treated vs comparison",
                bin_low=i / 10,
                bin_high=(i + 1) / 10,
                n_treated=[4, 30, 80, 160, 240, 230, 180, 110, 50, 14][i],
                n_comparison=[300, 420, 420, 380, 290, 200, 110, 60, 20, 4][i],
            )
            for i in range(10)
        ),
        curves=tuple(
            curve_points("treated vs comparison", "police_contact", "treated", 1010, 330, 730)
            + curve_points("treated vs comparison", "police_contact", "comparison", 2010, 900, 730)
        ),
        checks=checks(14, 2),
        numbers=(ArmNumbers(arm="treated", persons=1131), ArmNumbers(arm="comparison", persons=2300)),
    )


def families(plan: Plan | None = None) -> tuple[Plan, Findings]:
    """19 families against 60: a large raw change in both."""
    plan = plan or families_plan()
    shared = {
        "programme": plan.programme,
        "quarter": str(QUARTER),
        "design": plan.design,
        "outcome": "justice_contact",
        "estimand": "att",
        "estimator": "conditional_poisson",
        "variance": "cr3",
        "window_days": 730,
        "denominator": "free_time",
    }

    def change(arm: str, after: int, before: int, n: int, clusters: int) -> EffectRow:
        ratio = (after / (2 * n)) / (before / (2 * n))
        return EffectRow(
            **shared,
            measure="rate_ratio",
            contrast=f"{arm} after vs before",
            analysis="unadjusted",
            n_treated=n,
            n_comparison=n,
            events_treated=float(after),
            events_comparison=float(before),
            person_years_treated=2.0 * n,
            person_years_comparison=2.0 * n,
            n_clusters_treated=clusters,
            n_clusters_comparison=clusters,
            **_figures(math.log(ratio), 0.14, True),
        )

    effects = [
        EffectRow(
            **shared,
            measure="ratio_of_rate_ratios",
            contrast="treated vs comparison",
            analysis="primary",
            n_treated=76,
            n_comparison=241,
            events_treated=118.0,
            events_comparison=480.0,
            person_years_treated=140.3,
            person_years_comparison=466.1,
            n_clusters_treated=19,
            n_clusters_comparison=60,
            **_figures(math.log(0.81), 0.17, True),
        ),
        change("treated", 118, 231, 76, 19),
        change("comparison", 480, 760, 241, 60),
    ]
    gates = (
        gate(
            "clusters",
            "warned",
            "19 and 60 clusters",
            ">= 20 in both arms; < 10 fails",
            "There are only 19 groups (such as families or sites) on one side. With 1 more this warning goes.",
            "Aan één kant zijn er maar 19 groepen (zoals gezinnen of locaties). "
            "Met nog 1 groepen vervalt deze waarschuwing.",
        ),
        gate(
            "peak_selection",
            "passed",
            "1.04 (0.80-1.35)",
            "interval holds 1",
            "Both groups had the same course.",
            "Beide groepen hadden hetzelfde verloop.",
        ),
        gate(
            "power",
            "warned",
            "smallest detectable ratio 0.58",
            ">= 0.67; never fails",
            "The smallest fall that could be seen is to 0.58. About 90 more participants would settle it.",
            "De kleinste daling die te zien zou zijn, is tot 0,58. "
            "Met nog ongeveer 90 deelnemers is het wel te zeggen.",
        ),
    )
    contributors = (
        Contributors(
            contrast="treated vs comparison",
            outcome="justice_contact",
            window_days=730,
            persons_treated=41,
            persons_comparison=150,
        ),
        Contributors(
            contrast="treated after vs before",
            outcome="justice_contact",
            window_days=730,
            persons_treated=41,
            persons_comparison=60,
        ),
        Contributors(
            contrast="comparison after vs before",
            outcome="justice_contact",
            window_days=730,
            persons_treated=150,
            persons_comparison=190,
        ),
    )
    return plan, _found(
        plan,
        effects,
        gates,
        attrition=attrition("treated", "comparison", (76, 241), (76, 241)),
        checks=checks(),
        numbers=(
            ArmNumbers(arm="treated", persons=76, families=19),
            ArmNumbers(arm="comparison", persons=241, families=60),
        ),
        contributors=contributors,
    )


def _balance(plan: Plan, terms: tuple[str, ...], *, weighted: bool) -> tuple[BalanceRow, ...]:
    return tuple(
        BalanceRow(
            contrast=plan.contrasts[0][1],
            term=term,
            kind="main",
            mean_treated=1.4 + i,
            mean_comparison_before=1.1 + i,
            mean_comparison_after=1.39 + i,
            smd_before=0.42 / (i + 1) * (-1) ** i if weighted else 0.16 / (i + 1),
            smd_after=0.041 * (-1) ** i / (i + 1) if weighted else 0.16 / (i + 1),
        )
        for i, term in enumerate(terms)
    )


def _found(plan: Plan, effects: list[EffectRow], gates: tuple[GateResult, ...], **more: Any) -> Findings:
    shown = apply_gates(effects, gates)
    reach = more["numbers"][0].persons
    verdict, claims = rule(plan, shown, gates, reach)
    assert len(claims) == len(rule_claims(plan, shown, reach))
    return Findings(effects=shown, gates=gates, claims=claims, verdict=verdict, **more)


def released(
    folder: Path, plan: Plan, findings: Findings, edition: str = "001", history: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write a whole release under `folder` as the pipeline would, and return its place."""
    place, cleared, passport = _at_the_gate(folder, plan, findings, edition, history)
    write_release(place, cleared, passport, plan)
    return place


def paged(
    folder: Path, plan: Plan, findings: Findings, edition: str = "001", history: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write what of a release a browser shows, and what the portfolio reads: a third of the work of a whole one."""
    place, cleared, passport = _at_the_gate(folder, plan, findings, edition, history)
    for language in LANGUAGES:
        page = render_page(build_report(cleared, plan, passport, language))
        (place / f"report.{language}.html").write_text(page, encoding="utf-8")
    cleared.tables["effects"].write_parquet(place / "effects.parquet")
    (place / "passport.json").write_text(passport_text(passport), encoding="utf-8")
    return place


def _at_the_gate(
    folder: Path, plan: Plan, findings: Findings, edition: str, history: Sequence[dict[str, Any]]
) -> tuple[Path, Cleared, dict[str, Any]]:
    cleared = clear(findings, plan, QUARTER)
    passport = build_passport(
        cleared,
        plan,
        QUARTER,
        edition=edition,
        plan_hash="a" * 64,
        plan_history=[{"hash": "a" * 64, "first_used": "2026-10-15", "quarter": "2026-Q3", "changed": []}],
        data={"delivery_hash": "b" * 64},
        software={"effectmeter": "0.1.0", "python": "3.11.7", "code_hash": "c" * 64, "libraries": {"polars": "2.1.0"}},
    )
    passport["history"] = list(history)
    place = folder / plan.programme / str(QUARTER) / edition
    place.mkdir(parents=True)
    return place, cleared, passport
