"""From a cleared release to a report view: each section's content, in one language.

Here: selection and order. Not here: sentences (`effectmeter.sentences`), figures (`reports.figures`), layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from effectmeter.edition_history import told
from effectmeter.labels import term_label, with_labels
from effectmeter.plan import Plan
from effectmeter.release import Cleared
from effectmeter.results import EffectRow, GateResult
from effectmeter.sentences import (
    Language,
    answer_in_words,
    can_say,
    cannot_say,
    headline,
    settle_sentence,
)
from effectmeter.sentences.methods import subgroup_words
from effectmeter.sentences.next_steps import Standing, next_steps
from effectmeter.sentences.numbers import count, day_in_words, interval, number
from effectmeter.sentences.since import since_sentences
from effectmeter.sentences.units import PERIODS
from effectmeter.sentences.verdict import synthetic_sentence
from effectmeter.sentences.wording import DESIGNS, RULINGS, gate_name, gate_question, gate_words, outcome_label
from effectmeter.verdicts import primary_row
from reports import check_figures, figures
from reports.approval import approval_line, marks
from reports.gate_words import local
from reports.history import history_figure
from reports.research import all_rows_table, research_facts
from reports.texts import STRENGTH, text, texts_of
from reports.trust import agreement_sentence, e_value_sentence, tipping_sentence
from reports.unit_figures import unit_figures
from reports.views import (
    AnywayView,
    ArmView,
    ChangeView,
    CheckView,
    ClaimView,
    FigureView,
    GateView,
    ReportView,
    StepView,
)

_TONES = {
    "fewer": "good",
    "more": "harm",
    "no_effect_of_importance": "open",
    "inconclusive": "open",
    "not_shown": "none",
}
_GATE_ORDER = ("failed", "warned", "not_evaluated", "passed", "not_applicable")


def build_report(cleared: Cleared, plan: Plan, passport: Mapping[str, Any], language: Language) -> ReportView:
    """Return everything that a report says, in one language."""
    facts = cleared.facts
    return ReportView(
        language=language,
        programme=plan.programme,
        title=_of(plan.title, language),
        question=_of(plan.question, language) if plan.question else "",
        quarter=cleared.quarter,
        edition=str(passport["edition"]),
        reference_date=day_in_words(date.fromisoformat(passport["reference_date"]), language),
        design=DESIGNS[plan.design][language],
        marks=marks(passport, language),
        approval=approval_line(passport, language),
        is_synthetic=cleared.is_synthetic,
        tone="good" if facts.is_benefit else "harm" if facts.is_harm else _TONES[facts.direction],
        headline=headline(facts, language),
        frequency=" ".join(filter(None, (answer_in_words(facts, language), _age(cleared, language)))),
        synthetic=synthetic_sentence(language) if cleared.is_synthetic else "",
        open_title=text("why_not" if facts.direction == "not_shown" else "settle", language),
        open_text=with_labels(settle_sentence(facts, language), plan, language),
        picture=figures.verdict_picture(cleared, plan, language),
        strength=facts.maryland,
        strength_words=STRENGTH[facts.maryland][language]
        + (text("strength_hidden", language) if facts.direction == "not_shown" else ""),
        people=_people(cleared, plan, language),
        flow=check_figures.flow_figure(cleared, plan, language),
        people_note=_people_note(cleared, plan, language),
        can=tuple(can_say(facts, language)),
        cannot=tuple(cannot_say(facts, language)),
        claims=_claims(cleared, plan, language),
        steps=_steps(cleared, passport, language),
        outcomes=figures.outcomes_figure(cleared, plan, language),
        methods=figures.methods_figure(cleared, plan, language),
        agreement=agreement_sentence(cleared, language),
        subgroups=figures.subgroups_figure(cleared, plan, language),
        not_shown=_not_shown(cleared, plan, language),
        curves=(*figures.curve_figures(cleared, plan, language), *unit_figures(cleared, plan, language)),
        gates=_gates(cleared, plan, language),
        balance=check_figures.balance_figure(cleared, plan, language),
        overlap=check_figures.overlap_figure(cleared, plan, language),
        e_value=e_value_sentence(cleared, plan, language),
        tipping=tipping_sentence(cleared, language),
        anyway=_anyway(cleared, plan, language),
        since=_since(cleared, plan, passport, language),
        history=history_figure([*passport.get("history", ()), told(passport)], passport["plan"]["history"], language),
        checks=_checks(cleared, plan, language),
        quality=_quality(cleared, language),
        research=research_facts(cleared, plan, passport, language),
        all_rows=all_rows_table(cleared, plan, language),
        texts=texts_of(facts.unit, language),
    )


def figures_in(view: ReportView) -> tuple[FigureView, ...]:
    """Return every figure of a report, in reading order."""
    found = (
        view.picture,
        view.flow,
        view.outcomes,
        view.methods,
        view.subgroups,
        *view.curves,
        view.balance,
        view.overlap,
        view.history,
    )
    return tuple(figure for figure in found if figure is not None)


def _of(words: Any, language: Language) -> str:
    return str(words.nl if language == "nl" else words.en)


def _age(cleared: Cleared, language: Language) -> str:
    """Return of which quarter the figures are, where too little was new since to show newer ones."""
    row = primary_row(cleared.rows)
    return "" if row is None or row.figures_of == cleared.quarter else text("older", language).format(row.figures_of)


def _since(cleared: Cleared, plan: Plan, passport: Mapping[str, Any], language: Language) -> tuple[str, ...]:
    """Return what changed since the edition before, and why."""
    row = primary_row(cleared.rows)
    return since_sentences(
        passport.get("since"),
        language,
        quarter=cleared.quarter,
        reference_date=date.fromisoformat(passport["reference_date"]),
        direction=cleared.facts.direction,
        maryland=cleared.facts.maryland,
        claims=cleared.claims,
        row=row,
        people={found["arm"]: found["persons"] for found in cleared.tables["numbers"].to_dicts()},
        names={arm: figures.arm_name(plan, arm, language) for arm in (*plan.arms.treated, plan.arms.comparison)},
        unit=cleared.facts.unit,
        decimals=2 if row is None else figures.places(row),
        has_decisions="events" in plan.source and "decided_on" in plan.source["events"].columns,
    )


def _people(cleared: Cleared, plan: Plan, language: Language) -> tuple[ArmView, ...]:
    """Return each arm's way from delivered to analysed; of areas, series and trials how many there are."""
    if cleared.facts.unit != "person":
        return _units(cleared, plan, language)
    minimum = cleared.rules.minimum_persons
    steps = cleared.tables["attrition"].sort("step", maintain_order=True).to_dicts()
    numbers = {row["arm"]: row for row in cleared.tables["numbers"].to_dicts()}
    arms = list(dict.fromkeys([*(row["arm"] for row in steps), *numbers]))
    arms.sort(key=lambda arm: (arm != "", arm == plan.arms.comparison))
    found = []
    for arm in arms:
        own = [row for row in steps if row["arm"] == arm]
        delivered = own[0]["n_before"] if own else numbers[arm]["persons"]
        analysed = own[-1]["n_after"] if own else None
        families = numbers.get(arm, {}).get("families")
        found.append(
            ArmView(
                name=figures.arm_name(plan, arm, language),
                is_programme=arm in plan.arms.treated,
                delivered=count(delivered, language, minimum),
                analysed=count(analysed, language, minimum),
                families="" if families is None else f"{number(families, language, 0)} {text('families', language)}",
                steps=tuple(
                    StepView(
                        count(row["n_lost"], language, minimum),
                        with_labels(row["reason_nl" if language == "nl" else "reason"], plan, language),
                    )
                    for row in own
                    if row["n_lost"] != 0
                ),
            )
        )
    return tuple(found)


def _people_note(cleared: Cleared, plan: Plan, language: Language) -> str:
    """Return how counts are protected, and why more areas may be compared with than never started."""
    rules, facts = cleared.rules, cleared.facts
    if rules.minimum_persons <= 1:
        return text("already_published", language)
    note = texts_of(facts.unit, language)["people_note"].format(rules.rounding_base, rules.minimum_persons)
    if facts.unit != "area" or facts.n_comparison is None:
        return note
    never = cleared.tables["numbers"].filter(pl.col("arm") == plan.arms.comparison)["units"].sum()
    return f"{note} {text('not_yet', language)}" if facts.n_comparison > never else note


def _units(cleared: Cleared, plan: Plan, language: Language) -> tuple[ArmView, ...]:
    """Return per side how many areas, periods or trials there are, and how many of them count."""
    facts, minimum = cleared.facts, cleared.rules.minimum_persons
    names = {"area": text("areas", language), "trial": text("studies", language), "period": ""}
    word = names.get(facts.unit) or PERIODS[facts.period][language][1]
    found = []
    rows = {row["arm"]: row for row in cleared.tables["numbers"].to_dicts()}
    for arm in (*plan.arms.treated, plan.arms.comparison):
        is_programme = arm != plan.arms.comparison
        row = rows.get(arm)
        if row is None:
            continue
        analysed = facts.n_treated if is_programme else facts.n_comparison
        people = ""
        if facts.unit == "trial":
            analysed = facts.n_trials
            if row["persons"] is not None or row["is_suppressed"]:
                people = f"{count(row['persons'], language, minimum)} {text('persons', language)}"
        found.append(
            ArmView(
                name=figures.arm_name(plan, arm, language),
                is_programme=is_programme,
                delivered=number(row["units"], language, 0),
                analysed="–" if analysed is None else number(analysed, language, 0),
                families=people,
                steps=_areas_left_out(row["units"], analysed, plan, is_programme, language),
                unit=word,
            )
        )
    return tuple(found)


def _areas_left_out(
    delivered: int, analysed: int | None, plan: Plan, is_programme: bool, language: Language
) -> tuple[StepView, ...]:
    """Return how many areas do not count and why; of trials and periods another part says so."""
    if plan.areas is None or analysed is None or analysed >= delivered:
        return ()
    is_calibrated = plan.areas.comparison == "calibrated" and not is_programme
    reason = text("areas_too_different" if is_calibrated else "areas_not_comparable", language)
    return (StepView(number(delivered - analysed, language, 0), reason),)


def _claims(cleared: Cleared, plan: Plan, language: Language) -> tuple[ClaimView, ...]:
    return tuple(
        ClaimView(
            words=claim.words,
            source=claim.source,
            key=claim.ruling,
            ruling=RULINGS[claim.ruling][language],
            sentence=_sentence(with_labels(claim.sentence_nl if language == "nl" else claim.sentence, plan, language)),
        )
        for claim in cleared.claims
    )


def _steps(cleared: Cleared, passport: Mapping[str, Any], language: Language) -> tuple[str, ...]:
    """Return what is to be done next."""
    noticed = int((~cleared.tables["checks"]["passed"]).sum())
    return tuple(next_steps(cleared.facts, Standing(bool(passport["approved"]), noticed), language))


def _sentence(words: str) -> str:
    """Return a text as a sentence: capital first, full stop last."""
    words = words.strip()
    return words if not words else words[0].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def _not_shown(cleared: Cleared, plan: Plan, language: Language) -> tuple[tuple[str, str], ...]:
    """Return the questions of which nothing is shown, with the reason; one line per reason."""
    found: dict[str, dict[str, None]] = {}
    for row in cleared.rows:
        if row.status != "shown" and row.analysis in {"primary", "secondary", "subgroup"} and row.is_ratio:
            label = figures.row_label(plan, row, language, with_measure=row.status == "not_estimable")
            if row.subgroup:
                group = term_label(plan, subgroup_words(row.subgroup, language), language)
                label = f"{label} ({group})"
            reason = with_labels(row.reason_nl if language == "nl" else row.reason, plan, language)
            found.setdefault(reason, {})[label] = None
    return tuple(("; ".join(labels), reason) for reason, labels in found.items())


def _gates(cleared: Cleared, plan: Plan, language: Language) -> tuple[GateView, ...]:
    """Return the gates, those that say something first."""
    ordered = sorted(cleared.gates, key=lambda gate: _GATE_ORDER.index(gate.status))
    return tuple(
        GateView(
            name=gate_name(gate.gate, language, cleared.facts.unit),
            question=gate_question(gate.gate, language, cleared.facts.unit),
            key=gate.status,
            status=gate_words(gate.gate, gate.status, language),
            figure=with_labels(local(gate.figure, language), plan, language),
            threshold=with_labels(local(gate.threshold, language), plan, language),
            sentence=with_labels(_gate_sentence(gate, cleared, language), plan, language),
            concerns="" if gate.concerns == "all" else _concern(gate.concerns, plan, language),
        )
        for gate in ordered
    )


def _gate_sentence(gate: GateResult, cleared: Cleared, language: Language) -> str:
    """Return what a gate says; of other methods in words that are not names of estimators."""
    if gate.gate == "agreement" and gate.status in {"passed", "warned"}:
        said = agreement_sentence(cleared, language)
        if said:
            return said
    return gate.sentence_nl if language == "nl" else gate.sentence


def _concern(concerns: str, plan: Plan, language: Language) -> str:
    """Return which effects a gate concerns, in words."""
    pairs = dict(pair.split("=", 1) for pair in concerns.split(";"))
    if "outcome" in pairs:
        pairs["outcome"] = outcome_label(plan, pairs["outcome"])[language]
    if "window_days" in pairs:
        days = pairs["window_days"]
        pairs["window_days"] = f"{days} {'dagen' if language == 'nl' else 'days'}" if days != "None" else ""
    return ", ".join(value for value in pairs.values() if value)


def _anyway(cleared: Cleared, plan: Plan, language: Language) -> AnywayView | None:
    """Return both arms' raw change and what remains of it, for before-after designs."""
    if plan.design != "before_after":
        return None
    primary = primary_row(cleared.rows)
    rows = [row for row in cleared.rows if row.analysis == "unadjusted" and row.contrast.endswith(" after vs before")]
    if primary is not None:
        rows = [row for row in rows if row.outcome == primary.outcome and row.denominator == primary.denominator]
    changes = tuple(_change(row, plan, language) for row in rows if row.status == "shown" and row.estimate is not None)
    if not changes:
        return None
    remains = ""
    if primary is not None and primary.status == "shown" and primary.measure == "ratio_of_rate_ratios":
        margin = interval(primary.verdict_low, primary.verdict_high, language)
        remains = text("what_remains", language, number(primary.estimate, language), margin)
    return AnywayView(changes, remains)


def _change(row: EffectRow, plan: Plan, language: Language) -> ChangeView:
    arm = row.contrast.removesuffix(" after vs before")
    ratio = row.estimate or 0.0
    percent = 100 * (ratio - 1)
    return ChangeView(
        name=figures.arm_name(plan, arm, language),
        is_programme=arm != plan.arms.comparison,
        percent=f"{'+' if percent > 0 else ''}{number(percent, language, 0)} %",
        width=min(abs(percent), 100.0),
        ratio=figures.figures_of(row.estimate, row.conf_low, row.conf_high, language),
    )


def _checks(cleared: Cleared, plan: Plan, language: Language) -> tuple[CheckView, ...]:
    """Return the data-quality checks, those that failed first; each says what it asks, also where it passed."""
    described = cleared.descriptions
    rows: Sequence[dict[str, Any]] = cleared.tables["checks"].sort("passed", maintain_order=True).to_dicts()

    def says(words: str) -> str:
        return with_labels(words, plan, language)

    return tuple(
        CheckView(
            description=says(described.get(row["check_name"], {}).get(language, "") or _asked(row, language)),
            is_passed=row["passed"],
            status=text("okay" if row["passed"] else "not_okay", language),
            figure=says(local(row["figure"], language)),
            threshold=says(local(row["threshold"], language)),
            advice="" if row["passed"] else says(row[f"advice_{language}"]),
        )
        for row in rows
    )


def _asked(row: Mapping[str, Any], language: Language) -> str:
    """Return what a check of somebody's own asks, where it came without words."""
    return text("own_check", language, str(row["check_name"]).replace("_", " "), row["table_name"])


def _quality(cleared: Cleared, language: Language) -> str:
    checks = cleared.tables["checks"]
    passed = int(checks["passed"].sum())
    if checks.height == 0:
        return ""
    if passed == checks.height:
        return text("quality_all", language, passed)
    return text("quality_some", language, passed, checks.height)
