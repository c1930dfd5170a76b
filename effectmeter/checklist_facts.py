"""What a plan and a release have to say under each heading of a reporting guideline, in sentences.

Cleared values only: the passport and the tables of a release, never the vault. Which item of which guideline asks for
what is in `effectmeter.checklists`. A sentence that cannot be written comes back empty: then somebody must write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from effectmeter.plan import Plan
from effectmeter.shapes import PERSON_DESIGNS, SHAPES


@dataclass(frozen=True, slots=True)
class Released:
    """A plan with one edition of its release.

    Attributes
    ----------
    passport
        ``passport.json``.
    tables
        ``tables/*.csv`` by name.
    """

    plan: Plan
    passport: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame] = field(repr=False)

    @property
    def figure(self) -> Mapping[str, Any]:
        """Return the primary row as published; empty without one."""
        return self.passport["figures"]["primary"] or {}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a released table's rows; none when it was not released."""
        return self.tables[table].to_dicts() if table in self.tables else []


def design(it: Released) -> str:
    """Name the design, and a made-up delivery."""
    words = SHAPES[it.plan.design].words["en"]
    made_up = " The data are synthetic." if it.plan.synthetic else ""
    return f"Design {it.plan.design}: {words}.{made_up}"


def question(it: Released) -> str:
    """State the question of the plan."""
    return it.plan.question.en if it.plan.question is not None else ""


def claims(it: Released) -> str:
    """Say which public claims gave rise to the study."""
    return "; ".join(f"'{claim.words}' ({claim.source or 'no source given'})" for claim in it.plan.claims)


def summary(it: Released) -> str:
    """Give the verdict line."""
    return str(it.passport["verdict_line"]["en"])


def data_sources(it: Released) -> str:
    """Name the delivered tables, their files and the quarter."""
    files = ", ".join(f"{table} from {source.file}" for table, source in it.plan.source.items())
    digest = it.passport.get("data", {}).get("delivery_hash")
    seal = f" Delivery hash {digest}." if digest else ""
    return f"Delivered for {it.passport['quarter']} (events up to {it.passport['reference_date']}): {files}.{seal}"


def eligibility(it: Released) -> str:
    """Say who could be in."""
    rules = [f"{name}: {_listed(rule)}" for name, rule in it.plan.eligibility.items()]
    life = it.plan.programme_life
    if life is not None:
        rules.append(f"time zero from {life.from_} to {life.until or 'now'}")
    return "; ".join(rules) or "No rule of eligibility: everyone who was delivered."


def strategies(it: Released) -> str:
    """Name what is compared with what."""
    if it.plan.design == "interrupted_series":
        start = it.plan.series.start if it.plan.series is not None else None
        return f"Periods from {start} on, against what they would have been."
    return "; ".join(f"{arm} against {it.plan.arms.comparison}" for arm in it.plan.arms.treated)


_ASSIGNED = {
    "randomised": "By lot; analysed as allocated.",
    "comparison_cohort": "Not by lot. As if by lot among people alike in what is adjusted for.",
    "before_after": "Not by lot. Everyone's own period before is the comparison, beside that of the comparison arm.",
    "staggered_areas": "Not by lot. Areas that have not begun stand for those that have.",
    "interrupted_series": "Not by lot. The series' own past, and a control series where there is one.",
    "pooled_trials": "Within each trial, as that trial did.",
}


def assignment(it: Released) -> str:
    """Say how units came into their arm, as the design takes it."""
    return _ASSIGNED.get(it.plan.design, "")


def follow_up(it: Released) -> str:
    """Say from when until when."""
    if it.plan.design not in PERSON_DESIGNS:
        return ""
    if it.plan.design == "before_after":
        spans = it.plan.before_after
        return f"{spans.before_days} days before and {spans.after_days} after, {spans.wash_in_days} days between."
    windows = ", ".join(f"{days} days" for days in it.plan.follow_up.windows_days)
    end = "to the end of everyone's own follow-up" if it.plan.follow_up.until_end else ""
    return f"From time zero (index_date): {'; '.join(filter(None, (windows, end)))}."


def outcomes(it: Released) -> str:
    """List outcomes with their measures, the primary one first named."""
    primary = it.passport["verdict"]["outcome"]
    listed = []
    for name, outcome in it.plan.outcomes.items():
        label = outcome.label.en if outcome.label is not None else name
        mark = " (primary)" if name == primary else ""
        listed.append(f"{label}{mark}: {', '.join(outcome.measures) or 'default measures'}, {outcome.better} is better")
    controls = f" Negative controls: {', '.join(it.plan.negative_controls)}." if it.plan.negative_controls else ""
    return f"{'; '.join(listed)}.{controls}" if listed else ""


def contrasts(it: Released) -> str:
    """Name the causal contrast and whom it is about."""
    names = {
        "itt": "intention to treat: everyone as allocated",
        "att": "the effect on those treated",
        "ato": "the effect on those who could have been in either arm",
        "ate": "the effect if everyone were treated against nobody",
    }
    estimand = it.figure.get("estimand")
    return f"{it.figure['contrast']}, {it.figure['measure']}, {names.get(estimand, estimand)}." if estimand else ""


def covariates(it: Released) -> str:
    """List what is adjusted for."""
    listed = [f"{name} ({spec.type})" for name, spec in it.plan.adjust_for.items()]
    return f"Adjusted for: {', '.join(listed)}." if listed else "Nothing is adjusted for."


_ASSUMED = {
    "randomised": "The lot was not tampered with; leaving follow-up has nothing to do with the outcome.",
    "comparison_cohort": "No confounding beyond what is adjusted for; overlap; one version of the programme; leaving "
    "follow-up has nothing to do with the outcome.",
    "before_after": "Without the programme both arms would have changed by the same factor.",
    "staggered_areas": "Without the programme treated and comparison areas would have moved in parallel; nothing is "
    "done ahead of the start; no spill-over beyond the rings.",
    "interrupted_series": "Trend and season would have gone on; nothing else began at the start.",
    "pooled_trials": "Each trial is sound by itself; the trials found are not the ones that happened to succeed.",
}


def assumptions(it: Released) -> str:
    """State the identifying assumptions, and how many of the gates that test them passed."""
    statuses = [row["status"] for row in it.rows("gates") if row["status"] != "not_applicable"]
    tested = f" Gates: {statuses.count('passed')} of the {len(statuses)} that apply passed." if statuses else ""
    return f"{_ASSUMED.get(it.plan.design, '')}{tested}"


def analysis(it: Released) -> str:
    """Name estimator, error, weighting and the treatment of repeated looks."""
    if not it.figure:
        return ""
    weighting = f", weighting {it.plan.weighting}" if it.plan.design == "comparison_cohort" else ""
    looks = it.plan.looks
    often = "looked at once" if looks.method == "none" else f"{looks.planned} looks planned ({looks.method})"
    return f"{it.figure['estimator']}, standard error {it.figure['variance']}{weighting}; {often}."


def missing_plan(it: Released) -> str:
    """Say what is done about missing covariates."""
    if it.plan.design not in PERSON_DESIGNS or it.plan.design == "before_after":
        return ""
    how = {"indicator": "an indicator and a mean stand for them", "exclude": "the person is left out"}
    return f"Missing covariates: {how[it.plan.missing.covariates]}."


def participants(it: Released) -> str:
    """Give the flow from delivered to analysed, rounded as released."""
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for row in it.rows("attrition"):
        by_arm.setdefault(row.get("arm") or "arm unknown", []).append(row)
    if by_arm:
        flows = []
        for arm, rows in by_arm.items():
            lost = [f"{row['name']} {_count(row['n_lost'])}" for row in rows if row["n_lost"] != 0]
            ends = f"{_count(rows[0]['n_before'])} delivered, {_count(rows[-1]['n_after'])} analysed"
            flows.append(f"{arm}: {ends}, lost at {', '.join(lost) or 'no step'}")
        return "; ".join(flows)
    units = SHAPES[it.plan.design].unit
    return "; ".join(f"{row['arm']}: {_count(row['units'])} {units}s" for row in it.rows("numbers"))


def baseline(it: Released) -> str:
    """Point to the table of covariates by arm, with the largest difference left."""
    rows = [row for row in it.rows("balance") if row["kind"] == "main"]
    left = [abs(row["smd_after"]) for row in rows if row["smd_after"] is not None]
    if not rows:
        return ""
    most = f"; largest standardised difference after adjustment {max(left):.2f}" if left else ""
    return f"tables/balance.csv: {len(rows)} characteristics by arm{most}."


def counted(it: Released) -> str:
    """Point to where outcomes by arm are, as released."""
    sizes = [f"{_count(it.figure.get(name))} {words}" for name, words in _SIZES.items() if it.figure]
    return f"Analysed: {', '.join(sizes)}. Events by arm and outcome: effects.csv." if sizes else ""


_SIZES = {"n_treated": "treated", "n_comparison": "comparison"}


def estimate(it: Released) -> str:
    """Give the primary estimate as released, or why it is not shown."""
    row = it.figure
    if not row:
        return ""
    if row["estimate"] is None:
        return f"Not shown: {row['reason'] or row['status']}."
    return (
        f"{row['measure']} {row['estimate']:g}, 95 % interval {_number(row['conf_low'])} to "
        f"{_number(row['conf_high'])}; over all looks {_number(row['verdict_low'])} to {_number(row['verdict_high'])}."
    )


def additional(it: Released) -> str:
    """Count the further analyses in the release."""
    kinds: dict[str, int] = {}
    for row in it.rows("effects"):
        if row["analysis"] != "primary":
            kinds[row["analysis"]] = kinds.get(row["analysis"], 0) + 1
    listed = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in sorted(kinds.items()))
    return f"In effects.csv: {listed} rows." if listed else ""


def limitations(it: Released) -> str:
    """Name the gates that did not pass, each with its sentence."""
    rows = [row for row in it.rows("gates") if row["status"] in {"failed", "warned"}]
    return " ".join(f"{row['gate']}: {row['sentence']}" for row in rows)


def registration(it: Released) -> str:
    """Give the plan's hash, when it first met outcomes, and later changes."""
    plan = it.passport["plan"]
    history = plan["history"]
    first = f", first used on outcomes {history[0]['first_used']}" if history else ""
    changed = [name for entry in history[1:] for name in entry.get("changed", [])]
    return f"Plan hash {plan['hash']}{first}. Changed since: {', '.join(changed) or 'nothing'}."


def sharing(it: Released) -> str:
    """Say what can be had: cleared tables, the programme's code and its hash; the individual data not."""
    software = it.passport.get("software", {})
    return (
        "Released: effects.csv, tables/*.csv, passport.json. Code: Effectmeter, EUPL-1.2, hash "
        f"{software.get('code_hash', 'unknown')}. The individual data stay in the vault."
    )


def _listed(rule: list[Any]) -> str:
    if len(rule) == 2 and not any(isinstance(item, str) for item in rule):
        return f"{rule[0]} to {rule[1]}"
    return ", ".join(map(str, rule))


def _count(value: Any) -> str:
    return "masked" if value is None else f"{value:g}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
