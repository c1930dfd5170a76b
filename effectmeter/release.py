"""The release gate: everything that was found goes in, only what may leave comes out.

Here: `Cleared` (what may be published), and `pass_gate` from what was found (`effectmeter.findings`) to it. Not here:
the rules (`effectmeter.disclosure`) and their use on each table (`effectmeter.clearing`, `effectmeter.cleared_tables`),
what earlier editions allow (`effectmeter.editions`), nor the evidence passport (`effectmeter.passport`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from effectmeter import cleared_points, cleared_tables
from effectmeter.audit import Inference
from effectmeter.audit_effects import protect
from effectmeter.cleared_tables import frame_of
from effectmeter.clearing import clear_effects, persons_with_event
from effectmeter.clearing_context import ClearedRow, Context, Key
from effectmeter.disclosure import Rules, safe_count, safe_families
from effectmeter.disclosure_texts import Counted
from effectmeter.edition_blocks import blocks_of, effects_key, repeated, row_names
from effectmeter.editions import Decision, Entry, entries_of, settle
from effectmeter.estimators.pooling import PREDICTION
from effectmeter.findings import Findings
from effectmeter.natural_frequencies import Frequencies, frequencies_of
from effectmeter.periods import kind_of
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.results import (
    ClaimRuling,
    Direction,
    EffectRow,
    GateResult,
    SeriesPoint,
    TrialEffect,
    Verdict,
    as_record,
)
from effectmeter.sentences import ClaimFact, Facts, Language, verdict_line
from effectmeter.sentences.facts import Period
from effectmeter.sentences.wording import outcome_label, outcome_predicate
from effectmeter.shapes import SHAPES
from effectmeter.verdicts import other_arms, primary_row, rule

_GATE_ORDER = ("failed", "warned", "not_evaluated", "passed", "not_applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What may be published of a programme's quarter: the only thing that `reports` sees.

    Attributes
    ----------
    tables
        Released frames by name; each ends in `is_suppressed`.
    rows
        The effects table again, as rows.
    facts
        What the report's sentences may know.
    frequencies
        The primary outcome per 100 participants.
    descriptions
        What each data-quality check asks, per language.
    """

    programme: str
    quarter: str
    is_synthetic: bool
    rules: Rules
    tables: Mapping[str, pl.DataFrame]
    rows: tuple[EffectRow, ...]
    gates: tuple[GateResult, ...]
    claims: tuple[ClaimRuling, ...]
    facts: Facts
    frequencies: Frequencies
    descriptions: Mapping[str, Mapping[Language, str]] = field(default_factory=dict)

    @property
    def n_suppressed(self) -> int:
        """Rows with something masked, over all tables."""
        return sum(int(table["is_suppressed"].sum()) for table in self.tables.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What came through the gate, and what has to be kept of it in the vault.

    Attributes
    ----------
    cleared
        May leave.
    settled
        What was found, as it may be published after earlier editions: what was masked is masked of this.
    decisions, shown
        Per block what the earlier editions allowed, and its cells as published. Stay in the vault.
    audit
        What an intruder could infer of every masked or derived count. Stays in the vault.
    """

    cleared: Cleared
    settled: Findings
    decisions: Mapping[str, Decision]
    shown: Mapping[str, Mapping[str, float | None]]
    audit: tuple[Inference, ...] = ()

    def entries(self, *, release: str, plan_hash: str) -> list[Entry]:
        """Return what the ledger has to remember, under the release's content hash."""
        return entries_of(self.decisions, release=release, plan_hash=plan_hash, shown=self.shown)


def clear(findings: Findings, plan: Plan, quarter: Quarter, ledger: Sequence[Entry] = ()) -> Cleared:
    """Return what may be published of a quarter's findings; see `pass_gate`."""
    return pass_gate(findings, plan, quarter, ledger).cleared


def pass_gate(findings: Findings, plan: Plan, quarter: Quarter, ledger: Sequence[Entry] = ()) -> Passed:
    """Pass a quarter's findings through the release gate.

    Parameters
    ----------
    ledger
        Every earlier publication of the programme, oldest first.

    Raises
    ------
    PublicationError
        When the plan loosens the rules without a written reason, or when the audit can narrow a masked count down
        whatever else is masked.
    """
    rules = Rules.of(plan.disclosure)
    findings = _with_stated_windows(findings, plan)
    decisions = settle(blocks_of(findings, plan, rules), ledger, str(quarter), rules)
    settled = _ruled_again(findings, repeated(findings, decisions), plan)
    are_persons = SHAPES[plan.design].unit == "person"
    context = _context(settled, plan, rules)
    effects, audit = protect(settled.effects, clear_effects(settled.effects, context), context, ledger)
    cleared = _cleared(settled, effects, plan, quarter, rules, are_persons)
    return Passed(
        cleared=cleared,
        settled=settled,
        decisions=decisions,
        shown=_shown(decisions, findings.effects, effects, rules),
        audit=audit,
    )


def _with_stated_windows(findings: Findings, plan: Plan) -> Findings:
    """Return the findings with contributors under the window that their rows state.

    A before-after design has one pair of periods per outcome; delivered counts may be of periods of another length than
    the plan's, or of none that all share, and their rows say so.
    """
    if plan.design != "before_after":
        return findings
    stated = {(row.contrast, row.outcome): row.window_days for row in reversed(findings.effects) if not row.subgroup}
    entries = (
        replace(entry, window_days=stated.get((entry.contrast, entry.outcome), entry.window_days))
        for entry in findings.contributors
    )
    return replace(findings, contributors=tuple(entries))


def _ruled_again(findings: Findings, settled: Findings, plan: Plan) -> Findings:
    """Return the findings with verdict and claims that go with the figures to be published, be they old ones."""
    if settled.effects == findings.effects and settled.numbers == findings.numbers:
        return settled
    treated = [entry for entry in settled.numbers if entry.arm in plan.arms.treated]
    counts = [entry.persons if SHAPES[plan.design].unit == "person" else entry.units for entry in treated]
    verdict, claims = rule(plan, settled.effects, settled.gates, sum(count or 0 for count in counts))
    return replace(settled, verdict=verdict, claims=claims)


def _shown(
    decisions: Mapping[str, Decision], rows: Sequence[EffectRow], effects: Sequence[ClearedRow], rules: Rules
) -> dict[str, dict[str, float | None]]:
    """Return the cells of every block as published; None where masked."""
    found: dict[str, dict[str, float | None]] = {
        key: {
            name: None if key.startswith("effects|") else safe_count(count, rules)
            for name, count in decision.block.cells.items()
        }
        for key, decision in decisions.items()
    }
    for name, row, entry in zip(row_names(rows), rows, effects, strict=True):
        cells = found[effects_key(row)]
        for cell in cells:
            kind, role, of = cell.split(":", 2)
            if of == name:
                cells[cell] = getattr(entry.row, f"{'n' if kind == 'n' else 'events'}_{role}")
    return found


def _cleared(
    findings: Findings, cleared: list[ClearedRow], plan: Plan, quarter: Quarter, rules: Rules, are_persons: bool
) -> Cleared:
    """Return every table of a release, from findings that earlier editions allow and rows that may be shown."""
    counted: Counted = "all" if are_persons else "named"
    rows = tuple(entry.row for entry in cleared)
    least = findings.smallest_arm if are_persons else None
    balance = cleared_tables.clear_balance(findings.balance, _persons(findings) if are_persons else {}, rules)
    gates = cleared_tables.clear_gates(findings.gates, rules, least, counted)
    gates = cleared_tables.with_published_differences(gates, balance)
    masked = [each for each in rows if each.analysis == "primary" and each.status == "suppressed"]
    gates = cleared_tables.without_masked_estimates(gates, masked)
    claims = cleared_tables.clear_claims(findings.claims, plan, rows, rules, counted)
    row = primary_row(rows)
    period = _period(findings.series_points)
    frequencies = frequencies_of(row, period=period, effect=plan.series.effect if plan.series else "level")
    facts = replace(_facts(findings, plan, row, frequencies, rows, gates, claims), period=period)
    attrition = cleared_tables.clear_attrition(findings.attrition, rules)
    tables = {
        "effects": _effects_frame(cleared),
        "gates": frame_of("gates", (as_record(gate) | {"is_suppressed": False} for gate in gates)),
        "claims": frame_of("claims", (as_record(claim) | {"is_suppressed": False} for claim in claims)),
        "verdict": _verdict_frame(findings.verdict, facts, frequencies),
        "numbers": _numbers_frame(findings, attrition, rules),
        "attrition": attrition,
        "balance": balance,
        "overlap": cleared_tables.clear_overlap(findings.overlap, rules, are_persons=are_persons),
        "curves": _curves(findings, plan, rules),
        "series_points": cleared_points.clear_series_points(_visible_points(findings), rules),
        "trial_effects": cleared_points.clear_trial_effects(_visible_trials(findings), rules),
        "checks": cleared_tables.clear_checks([as_record(check) for check in findings.checks], rules, least, counted),
    }
    return Cleared(
        programme=plan.programme,
        quarter=str(quarter),
        is_synthetic=plan.synthetic,
        rules=rules,
        tables=tables,
        rows=rows,
        gates=tuple(gates),
        claims=tuple(claims),
        facts=facts,
        frequencies=frequencies,
        descriptions={c.check_name: {"nl": c.description_nl, "en": c.description_en} for c in findings.checks},
    )


def _context(findings: Findings, plan: Plan, rules: Rules) -> Context:
    known = persons_with_event(findings.effects)
    families: dict[Key, tuple[float | None, float | None]] = {}
    leading: dict[Key, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    for entry in findings.contributors:
        key = (entry.contrast, entry.outcome, entry.window_days, entry.subgroup, False)
        families[key] = (entry.families_treated, entry.families_comparison)
        leading[key] = (entry.largest_treated, entry.largest_comparison)
        if entry.persons_treated is not None and entry.persons_comparison is not None:
            known[key] = (entry.persons_treated, entry.persons_comparison)
    unit = SHAPES[plan.design].unit
    return Context(
        rules=rules,
        looks=plan.looks,
        n_parameters=findings.n_parameters or 2 + len(plan.adjust_for),
        clusters_are_families=plan.cluster == "family_id" and unit == "person",
        persons_with_event=known,
        families_with_event=families,
        leading=leading,
        unit=unit,
        parts=frozenset((*plan.subgroups, *_PARTS)),
        largest={
            (entry.contrast, entry.outcome): (entry.largest_treated, entry.largest_comparison)
            for entry in findings.contributors
            if entry.largest_treated or entry.largest_comparison
        },
        within=_within(plan),
        parts_of_areas={
            (entry.outcome, entry.subgroup): (entry.n_areas, entry.n_events)
            for entry in findings.contributors
            if entry.subgroup is not None and entry.n_areas is not None
        },
        sentences=cleared_tables.sentences_of(findings, rules, are_persons=unit == "person"),
    )


def _within(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return per outcome the wider ones: the same event, and conditions that let at least as much through."""
    counted = {name: outcome for name, outcome in plan.outcomes.items() if outcome.value is None}
    return {
        name: tuple(
            wider
            for wider, other in counted.items()
            if wider != name
            and (other.event or wider) == (outcome.event or name)
            and all(key in outcome.where and {*outcome.where[key]} <= {*values} for key, values in other.where.items())
        )
        for name, outcome in counted.items()
    }


_PARTS = ("event_time", "cohort", "period")
"""Parts of the effect on areas that add up to the whole."""


def _period(points: Sequence[SeriesPoint]) -> Period:
    """Return what a series counts by, as its labels show."""
    kind = kind_of(points[0].label) if points else None
    known: dict[str | None, Period] = {"month": "month", "quarter": "quarter", "year": "year", "day": "day"}
    return known.get(kind, "period")


def _visible_points(findings: Findings) -> list[SeriesPoint]:
    """Return the periods of outcomes of which something is shown: counts beside what was expected tell the effect."""
    shown = {row.outcome for row in findings.effects if row.status == "shown"}
    return [point for point in findings.series_points if point.outcome in shown]


def _visible_trials(findings: Findings) -> list[TrialEffect]:
    """Return the trials, unless the gates hide what they say together."""
    row = primary_row(findings.effects)
    return list(findings.trial_effects) if row is not None and row.status == "shown" else []


def _effects_frame(cleared: list[ClearedRow]) -> pl.DataFrame:
    return frame_of("effects", (as_record(entry.row) | {"is_suppressed": entry.is_suppressed} for entry in cleared))


def _persons(findings: Findings) -> dict[str, tuple[int | None, int | None]]:
    """Return the persons per contrast that the balance table is about: the most that any row of it counts."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for row in findings.effects:
        before = found.get(row.contrast, (None, None))
        pair = [
            max((n for n in (old, new) if n is not None), default=None)
            for old, new in zip(before, (row.n_treated, row.n_comparison), strict=True)
        ]
        found[row.contrast] = (pair[0], pair[1])
    return found


def _curves(findings: Findings, plan: Plan, rules: Rules) -> pl.DataFrame:
    """Return the curves of outcomes of which something is shown: a curve would tell what a gate hides."""
    shown = {(row.contrast, row.outcome) for row in findings.effects if row.status == "shown"}
    visible = [point for point in findings.curves if (point.contrast, point.outcome) in shown]
    return cleared_tables.clear_curves(visible, plan, rules)


def _numbers_frame(findings: Findings, attrition: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return what was delivered per arm: of persons as many as the way to the analysis starts with.

    The same number rounded on its own would, beside that, narrow down a loss that is masked. Areas, periods and trials
    are no persons and stay as they are.
    """
    first = attrition.filter(pl.col("step") == pl.col("step").min())
    delivered = dict(zip(first["arm"], first["n_before"], strict=True))
    records = []
    for entry in findings.numbers:
        persons, families = safe_count(entry.persons, rules), safe_families(entry.families, rules)
        persons = None if persons is None else delivered.get(entry.arm, persons)
        is_few = (entry.persons is not None and persons is None) or (entry.families is not None and families is None)
        counts = {"persons": persons, "families": families, "units": entry.units}
        records.append({"arm": entry.arm} | counts | {"is_suppressed": is_few})
    schema = {"arm": pl.String, "persons": pl.Int64, "families": pl.Int64, "units": pl.Int64}
    return pl.DataFrame(records, schema=schema | {"is_suppressed": pl.Boolean})


def _verdict_frame(verdict: Verdict, facts: Facts, frequencies: Frequencies) -> pl.DataFrame:
    """Return the verdict with its figures per 100, and the sentences written again from cleared figures."""
    texts = {"sentence": verdict_line(facts, "en"), "sentence_nl": verdict_line(facts, "nl")}
    ruled = {"direction": facts.direction, "works": facts.works, "is_suppressed": facts.is_suppressed}
    frame = frame_of("verdict", [as_record(verdict) | texts | ruled])
    extra = as_record(frequencies)
    columns = [
        pl.lit(value, dtype=pl.String if name == "kind" else pl.Int64).alias(name) for name, value in extra.items()
    ]
    return frame.with_columns(columns).select(
        *[c for c in frame.columns if c != "is_suppressed"], *extra, "is_suppressed"
    )


def _facts(
    findings: Findings,
    plan: Plan,
    row: EffectRow | None,
    frequencies: Frequencies,
    rows: tuple[EffectRow, ...],
    gates: list[GateResult],
    claims: list[ClaimRuling],
) -> Facts:
    """Gather what the sentences may know."""
    verdict, outcome = findings.verdict, plan.outcomes.get(findings.verdict.outcome)
    direction = _direction(verdict.direction, row)
    settle = next((gate for gate in gates if gate.gate == "power" and (row is None or gate.applies_to(row))), None)
    reason: dict[Language, str] = {}
    if row is None:
        reason = {"en": "There is no primary estimate.", "nl": "Er is geen hoofdcijfer."}
    elif row.status != "shown":
        reason = {"en": row.reason, "nl": row.reason_nl}
    worst: dict[str, str] = {}
    for gate in sorted(gates, key=lambda gate: _GATE_ORDER.index(gate.status)):
        worst.setdefault(gate.gate, gate.status)
    return Facts(
        design=plan.design,
        direction=direction,
        # a masked row's gates were judged on what may not be told
        works=verdict.works and direction == verdict.direction and (row is None or row.status == "shown"),
        maryland=verdict.maryland,
        is_synthetic=plan.synthetic,
        is_lower_better=outcome is None or outcome.better == "lower",
        label=outcome_label(plan, verdict.outcome),
        predicate=outcome_predicate(plan, verdict.outcome),
        window_days=verdict.window_days,
        kind=frequencies.kind,
        measure=verdict.measure,
        per=frequencies.per,
        with_programme=frequencies.with_programme,
        without_programme=frequencies.without_programme,
        without_low=frequencies.without_low,
        without_high=frequencies.without_high,
        estimate=row.estimate if row else None,
        low=row.verdict_low if row else None,
        high=row.verdict_high if row else None,
        n_treated=row.n_treated if row else None,
        n_comparison=row.n_comparison if row else None,
        unit=SHAPES[plan.design].unit,
        n_trials=row.n_clusters_treated if row and plan.design == "pooled_trials" else None,
        has_control=_has_control(plan, rows, row),
        by_lot=plan.design == "randomised" or bool(plan.trials and plan.trials.randomised),
        is_prediction=row is not None and row.variance == PREDICTION,
        mean=_mean(row, rows),
        raw=_raw(row, rows),
        is_suppressed=row is not None and row.status == "suppressed",
        gates=worst,
        settle={"en": settle.sentence, "nl": settle.sentence_nl} if settle else {},
        reason=reason,
        claims=tuple(_claim_fact(plan, claim) for claim in claims),
        arm=plan.arms.treated[0] if len(plan.contrasts) > 1 else "",
        others=other_arms(plan, rows),
    )


def _claim_fact(plan: Plan, claim: ClaimRuling) -> ClaimFact:
    """Return a claim as the sentences see it, with its arm where there are several."""
    arm = next((arm for arm, label in plan.contrasts if label == claim.contrast), "") if len(plan.contrasts) > 1 else ""
    return ClaimFact(words=claim.words, ruling=claim.ruling, arm=arm)


def _has_control(plan: Plan, rows: tuple[EffectRow, ...], row: EffectRow | None) -> bool:
    """Return whether a series was set against a control series; other designs always compare with others."""
    if plan.design != "interrupted_series":
        return True
    return any(other.subgroup == "control=none" for other in rows) or (
        row is not None and row.estimator == "conditional_poisson"
    )


def _mean(primary: EffectRow | None, rows: tuple[EffectRow, ...]) -> tuple[float, float, float] | None:
    """Return the pooled mean that stands beside a prediction; None where the mean is the headline itself."""
    if primary is None or primary.variance != PREDICTION:
        return None
    for row in rows:
        is_mean = row.variance != PREDICTION and row.subgroup is None and row.measure == primary.measure
        limits = (row.estimate, row.conf_low, row.conf_high)
        if is_mean and row.analysis == "secondary" and row.status == "shown" and None not in limits:
            return (float(limits[0] or 0), float(limits[1] or 0), float(limits[2] or 0))
    return None


def _direction(direction: Direction, row: EffectRow | None) -> Direction:
    """Return the verdict's direction, unless its row is suppressed and the bound that remains does not show it.

    A bound that its design worked out speaks for itself: whether the verdict agrees would tell how few events it had.
    """
    if row is None or row.status == "shown" or direction == "not_shown":
        return direction
    shown: Direction = "not_shown"
    if row.verdict_high is not None and row.verdict_high < 1:
        shown = "fewer"
    if row.verdict_low is not None and row.verdict_low > 1:
        shown = "more"
    return shown if shown == direction or SHAPES[row.design].unit in {"period", "trial"} else "not_shown"


def _raw(primary: EffectRow | None, rows: tuple[EffectRow, ...]) -> tuple[int, int] | None:
    """Return both arms' persons per 100 with the outcome, from published counts; None where not shown."""
    if primary is None or SHAPES[primary.design].unit in {"area", "period"}:
        return None
    for row in rows:
        same = (row.contrast, row.outcome, row.window_days) == (primary.contrast, primary.outcome, primary.window_days)
        if (
            same
            and row.measure in {"risk_ratio", "odds_ratio"}
            and row.analysis == "unadjusted"
            and row.status == "shown"
        ):
            cells = (row.events_treated, row.n_treated, row.events_comparison, row.n_comparison)
            if all(cells):
                treated, n_treated, comparison, n_comparison = (float(cell or 0) for cell in cells)
                return round(100 * treated / n_treated), round(100 * comparison / n_comparison)
    return None
