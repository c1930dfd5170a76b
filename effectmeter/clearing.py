"""Every row of the effects table through the release gate: shown with safe figures, or suppressed with the reason.

Here: which rule of `effectmeter.disclosure` meets which row. Not here: the rules themselves, rows that give each other
away (`effectmeter.clearing_sets`), how its figures are written (`effectmeter.clearing_figures`), nor the other tables
(`effectmeter.cleared_tables`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from effectmeter import disclosure
from effectmeter.clearing_context import ClearedRow, Context, Key, blank, no_years
from effectmeter.clearing_figures import from_counts, rounded, time_base, with_changes
from effectmeter.clearing_sets import with_complements, without_remainders
from effectmeter.disclosure import Pair
from effectmeter.disclosure_texts import Counted, clear_text
from effectmeter.estimators.sensitivity import BOUND, NO_EFFECT_ESTIMATORS
from effectmeter.looks import look_number, verdict_level
from effectmeter.results import EffectRow

_BINOMIAL = frozenset({"risk_ratio", "odds_ratio", "risk_difference", "hazard_ratio"})


def question_key(row: EffectRow) -> Key:
    """Return what a row is about, whatever its measure: rows with one key rest on the same persons."""
    return (row.contrast, row.outcome, row.window_days, row.subgroup, row.analysis == "placebo")


def persons_with_event(rows: Sequence[EffectRow]) -> dict[Key, Pair]:
    """Return the distinct persons with an event per question, from the rows on risks and hazards."""
    found: dict[Key, Pair] = {}
    for row in rows:
        if row.measure not in _BINOMIAL or row.events_treated is None or row.events_comparison is None:
            continue
        before = found.get(question_key(row), (math.inf, math.inf))
        found[question_key(row)] = (min(before[0], row.events_treated), min(before[1], row.events_comparison))
    return found


def clear_effects(rows: Sequence[EffectRow], context: Context) -> list[ClearedRow]:
    """Return all rows as they may be published, secondary suppression included."""
    cleared = with_changes(rows, [clear_row(row, context) for row in rows], context)
    cleared = _with_told_bounds(rows, cleared, context)
    return _told_apart(without_remainders(with_complements(cleared, context), rows, context))


def clear_row(row: EffectRow, context: Context) -> ClearedRow:
    """Return one row as it may be published, by the first rule that refuses it, or rounded.

    Hidden and not estimable rows keep their numbers of persons and lose everything else: events would let a reader
    compute what a gate hides.
    """
    counted = _with_safe_counts(row, context)
    if row.status == "not_estimable" and any(_few_events(row, context)):
        return ClearedRow(_nameless(replace(counted, **_too_few(context), **blank())), True)  # its reason tells a zero
    if row.status != "shown":
        bare = replace(
            counted, events_treated=None, events_comparison=None, **blank(), **no_years(), **_texts(row, context)
        )
        # also where the gate hid a small cell first: the total less the other subgroups would give it
        is_masked = row.status == "suppressed" or _lost_a_count(row, bare, ("n_treated", "n_comparison"))
        return ClearedRow(bare, is_masked or any(_few_events(row, context)))
    refusal = _refusal(row, context)
    if refusal is not None:
        return ClearedRow(
            replace(counted, status="suppressed", reason=refusal[0], reason_nl=refusal[1], **blank()), True
        )
    few = _few_events(row, context)
    if any(few):
        return ClearedRow(_nameless(_with_bound(row, counted, few, context)), True)
    saturated = from_counts(row, counted, context)
    cleared = saturated if saturated is not None else rounded(counted)
    return ClearedRow(
        cleared, _lost_a_count(row, cleared, ("n_treated", "n_comparison", "events_treated", "events_comparison"))
    )


def _refusal(row: EffectRow, context: Context) -> tuple[str, str] | None:
    """Return why nothing of a row may be published, in English and Dutch, or None."""
    rules = context.rules
    if context.unit == "area" and any(_rests_on_few_areas(row, context)):
        return (
            "Not shown to protect privacy: it rests on few events in one or two areas.",
            "Niet getoond vanwege privacy: het gaat om weinig voorvallen in één of twee gebieden.",
        )
    if not context.counts_persons:
        return None
    if any(disclosure.is_too_few(n, rules.minimum_persons) for n in (row.n_treated, row.n_comparison) if n):
        return (
            f"Not shown to protect privacy: one group has fewer than {rules.minimum_persons} people.",
            f"Niet getoond vanwege privacy: één groep telt minder dan {rules.minimum_persons} personen.",
        )
    families = (row.n_clusters_treated, row.n_clusters_comparison) if context.clusters_are_families else ()
    if any(disclosure.is_too_few(n, rules.minimum_families) for n in families if n):
        return (
            f"Not shown to protect privacy: one group has fewer than {rules.minimum_families} families.",
            f"Niet getoond vanwege privacy: één groep telt minder dan {rules.minimum_families} gezinnen.",
        )
    if any(_is_class(row, context)):
        return (
            "Not shown to protect privacy: nearly everyone in one group had this.",
            "Niet getoond vanwege privacy: bijna iedereen in één groep had dit.",
        )
    shares = context.leading.get(question_key(row), ()) if row.events_treated is not None else ()
    if row.measure not in _BINOMIAL and any(disclosure.is_led(share, rules) for share in shares):
        return (
            "Not shown to protect privacy: one or two people or families account for nearly all of it.",
            "Niet getoond vanwege privacy: het komt bijna helemaal van één of twee mensen of gezinnen.",
        )
    smallest = row.n_treated if row.n_comparison is None or row.n_treated is None else row.n_treated + row.n_comparison
    if not disclosure.may_release_model(smallest, context.n_parameters, None, rules):
        return (
            "Not shown to protect privacy: the model has too many parts for so few people.",
            "Niet getoond vanwege privacy: het model heeft te veel onderdelen voor zo weinig mensen.",
        )
    return None


def _rests_on_few_areas(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether its events are few and come from one area or two."""
    known = context.largest.get((row.contrast, row.outcome)) if row.subgroup is None else None
    shares = known or ((), ())
    rules = context.rules
    n_areas, n_events = context.treated_of(row)
    is_part = (row.subgroup or "").partition("=")[0] in _PARTS_OF_AREAS
    if is_part and n_areas is None and row.estimate is not None:
        return True, False  # nobody knows how many areas it rests on
    few_events = disclosure.is_too_few(n_events, rules.minimum_persons) and row.events_treated is None
    return (
        few_events or disclosure.rests_on_few_areas(n_areas or None, n_events, shares[0], rules),
        disclosure.rests_on_few_areas(row.n_comparison or None, row.events_comparison, shares[1], rules),
    )


_PARTS_OF_AREAS = frozenset({"event_time", "cohort", "period"})


def _is_class(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether nearly all of its persons have the event."""
    persons = _persons_behind(row, context)
    return (
        disclosure.is_class_disclosure(persons[0], row.n_treated, context.rules),
        disclosure.is_class_disclosure(persons[1], row.n_comparison, context.rules),
    )


def _persons_behind(row: EffectRow, context: Context) -> tuple[float | None, float | None]:
    """Return the distinct persons with an event in either arm; where not known, events that could be persons."""
    if not context.counts_persons or (row.events_treated is None and row.events_comparison is None):
        return None, None
    if row.measure in _BINOMIAL:
        return row.events_treated, row.events_comparison
    known = context.persons_with_event.get(question_key(row))
    if known is not None:
        return known
    capped = [
        None if events is None or n is None or events > n else events
        for events, n in ((row.events_treated, row.n_treated), (row.events_comparison, row.n_comparison))
    ]
    return capped[0], capped[1]


def _few_events(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether fewer persons, or families, than the smallest cell stand behind its events."""
    minimum = context.rules.minimum_persons
    persons = _persons_behind(row, context)
    events = (row.events_treated, row.events_comparison)
    families = context.families_with_event.get(question_key(row), (None, None))
    few = [
        what is not None
        and (
            disclosure.is_too_few(who, minimum)
            or disclosure.is_too_few(what, minimum)
            or disclosure.is_too_few(of_families, context.rules.minimum_families)
        )
        for who, what, of_families in zip(persons, events, families, strict=True)
    ]
    return few[0], few[1]


def _with_safe_counts(row: EffectRow, context: Context) -> EffectRow:
    """Return the row with its counts rounded or masked; figures untouched."""
    rules = context.rules
    few, is_class, is_small = _few_events(row, context), _is_class(row, context), _small_arms(row, context)
    minimum = rules.minimum_families if context.clusters_are_families else 1
    no_events = [few[arm] or is_class[arm] or is_small[arm] for arm in (0, 1)]
    # years until the first event fall short of the whole by what the events took
    no_years = [is_small[arm] or (row.measure == "hazard_ratio" and no_events[arm]) for arm in (0, 1)]
    counted = replace(
        row,
        n_treated=disclosure.safe_count(row.n_treated, rules),
        n_comparison=disclosure.safe_count(row.n_comparison, rules),
        events_treated=None if no_events[0] else disclosure.safe_count(row.events_treated, rules),
        events_comparison=None if no_events[1] else disclosure.safe_count(row.events_comparison, rules),
        person_years_treated=None if no_years[0] else disclosure.safe_count(row.person_years_treated, rules),
        person_years_comparison=None if no_years[1] else disclosure.safe_count(row.person_years_comparison, rules),
        n_clusters_treated=disclosure.safe_count(row.n_clusters_treated, rules, minimum=minimum),
        n_clusters_comparison=disclosure.safe_count(row.n_clusters_comparison, rules, minimum=minimum),
    )
    if context.unit != "person":
        counted = replace(
            counted, n_clusters_treated=row.n_clusters_treated, n_clusters_comparison=row.n_clusters_comparison
        )
    if not context.counts_persons:
        counted = replace(counted, n_treated=row.n_treated, n_comparison=row.n_comparison)
    return counted


def _small_arms(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether it has too few persons or families to tell anything of, years included."""
    rules = context.rules
    if not context.counts_persons:
        return False, False
    persons, families = (row.n_treated, row.n_comparison), (row.n_clusters_treated, row.n_clusters_comparison)
    small = [
        disclosure.is_too_few(n, rules.minimum_persons)
        or (context.clusters_are_families and disclosure.is_too_few(clusters, rules.minimum_families))
        for n, clusters in zip(persons, families, strict=True)
    ]
    return small[0], small[1]


def _lost_a_count(row: EffectRow, cleared: EffectRow, names: Sequence[str]) -> bool:
    return any(getattr(row, name) is not None and getattr(cleared, name) is None for name in names)


def _texts(row: EffectRow, context: Context) -> dict[str, Any]:
    return {"reason": _reason(row.reason, "en", context), "reason_nl": _reason(row.reason_nl, "nl", context)}


def _reason(text: str, language: str, context: Context) -> str:
    """Return a reason in which every gate's sentence is the cleared one, and the counts of the rest are cleared."""
    for found, cleared in context.sentences.items():
        if found in text:
            return cleared.join(_reason(part, language, context) for part in text.split(found))
    counted: Counted = "all" if context.unit == "person" else "named"
    return clear_text(text, context.rules, language, counted=counted)


def _with_told_bounds(rows: Sequence[EffectRow], cleared: Sequence[ClearedRow], context: Context) -> list[ClearedRow]:
    """Give rows that are suppressed for few events the bound that their design worked out with one below the limit.

    That bound knows of trend, season, control series and trials, and nothing of the events that it stands for. Of
    trials a prediction gets it as well as a mean: which of the two comes first would tell of the events.
    """
    told = {
        (row.contrast, row.outcome): entry.row
        for row, entry in zip(rows, cleared, strict=True)
        if row.estimator == BOUND and entry.row.status == "shown"
    }
    result = list(cleared)
    for index, (row, entry) in enumerate(zip(rows, cleared, strict=True)):
        bound = told.get((row.contrast, row.outcome))
        is_asked = row.analysis in {"primary", "secondary"} and row.subgroup is None
        if bound is None or not is_asked or row.status != "shown" or entry.row.status != "suppressed":
            continue
        limits = {name: getattr(bound, name) for name in _BOUNDS}
        if row.measure == "percent_change":
            limits = {name: _as_change(value) for name, value in limits.items()}
        elif row.measure != bound.measure:
            continue
        if any(_few_events(row, context)) and _refusal(row, context) is None:
            result[index] = ClearedRow(replace(entry.row, **limits), True)
    return result


_BOUNDS = ("conf_low", "conf_high", "verdict_low", "verdict_high")


def _as_change(ratio: float | None) -> float | None:
    return None if ratio is None else disclosure.round_figure(100 * (ratio - 1), 0)


def _too_few(context: Context) -> dict[str, Any]:
    """Return status and reason of a row whose events are too few."""
    limit = context.rules.minimum_persons
    reason = f"Not shown to protect privacy: fewer than {limit} people in one group had this."
    reason_nl = f"Niet getoond vanwege privacy: in één groep gold dit voor minder dan {limit} personen."
    if not context.counts_persons:
        reason = f"Not shown to protect privacy: fewer than {limit} events on one side."
        reason_nl = f"Niet getoond vanwege privacy: aan één kant waren er minder dan {limit} voorvallen."
    return {"status": "suppressed", "reason": reason, "reason_nl": reason_nl}


def _nameless(row: EffectRow) -> EffectRow:
    """Return a row with too few events without the name of what answered: other methods answer 0, 1 to 4, and 5 to 9.

    Which contrast, outcome, estimand and analysis it is still stands there.
    """
    return replace(row, estimator=FEW_EVENTS, variance="none")


def _told_apart(cleared: Sequence[ClearedRow]) -> list[ClearedRow]:
    """Return the rows, nameless ones of one question numbered, so that every row keeps a key of its own."""
    seen: dict[Key, int] = {}
    result = []
    for entry in cleared:
        row = entry.row
        if row.estimator == FEW_EVENTS:
            key = (*question_key(row), row.measure, row.estimand, row.analysis, row.denominator)
            number = seen[key] = seen.get(key, 0) + 1
            entry = ClearedRow(row if number == 1 else replace(row, variance=f"none_{number}"), entry.is_suppressed)
        result.append(entry)
    return result


FEW_EVENTS = "few_events"
"""Estimator of released rows whose events are too few to tell."""


def _with_bound(row: EffectRow, counted: EffectRow, few: tuple[bool, bool], context: Context) -> EffectRow:
    """Return a suppressed row with the one bound that may be given: as if the arm had one below the limit.

    Only where raw counts answer the question: unadjusted rows, and draws. Of areas they do not: the raw row sets
    changes against each other, and its counts are those after the start alone.
    """
    bare = replace(counted, **_too_few(context), **blank())
    binomial = row.measure in _BINOMIAL
    base: tuple[float | None, float | None] = (counted.n_treated, counted.n_comparison)
    if not binomial:
        base = time_base(counted, context)
    raw_answers = (row.analysis == "unadjusted" and context.unit != "area") or row.design == "randomised"
    is_effect = row.is_ratio and row.estimator not in NO_EFFECT_ESTIMATORS
    if not is_effect or not raw_answers or base[0] is None or base[1] is None:
        return bare
    if row.events_treated is None or row.events_comparison is None:
        return bare
    events = tuple(
        0.0 if is_few else value for is_few, value in zip(few, (row.events_treated, row.events_comparison), strict=True)
    )
    pair = (events[0], events[1])
    low, high = disclosure.bound_as_with_few(
        pair, (base[0], base[1]), context.rules, level=row.conf_level, binomial=binomial
    )
    look = look_number(context.looks, row.figures_of)
    wider = verdict_level(None, context.looks, level=row.conf_level, look=look)
    bounds = disclosure.bound_as_with_few(pair, (base[0], base[1]), context.rules, level=wider, binomial=binomial)
    return replace(
        bare,
        conf_low=disclosure.round_figure(low),
        conf_high=disclosure.round_figure(high),
        verdict_low=disclosure.round_figure(bounds[0]),
        verdict_high=disclosure.round_figure(bounds[1]),
    )
