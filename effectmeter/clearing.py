"""Every row of the effects table through the release gate: shown with safe figures, or suppressed with the reason.

Here: which rule of `effectmeter.disclosure` meets which row. Not here: the rules themselves, nor the other tables
(`effectmeter.cleared_tables`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

from effectmeter import disclosure
from effectmeter.disclosure import FromCounts, Pair, Rules
from effectmeter.looks import verdict_interval, verdict_level
from effectmeter.plan import Looks
from effectmeter.results import EffectRow

_FIGURES = (
    "estimate", "conf_low", "conf_high", "std_error", "verdict_low", "verdict_high", "p_value", "p_value_adjusted",
)  # fmt: skip
_SATURATED: Mapping[str, tuple[Callable[[Pair, Pair], FromCounts | None], bool]] = {
    "risk_ratio": (disclosure.risk_ratio_from, True),
    "odds_ratio": (disclosure.odds_ratio_from, True),
    "risk_difference": (disclosure.risk_difference_from, True),
    "rate_ratio": (disclosure.rate_ratio_from, False),
    "rate_difference": (disclosure.rate_difference_from, False),
}
"""Measures that two pairs of counts give exactly: how, and whether the second pair is persons (else person-years)."""

_BINOMIAL = frozenset({"risk_ratio", "odds_ratio", "risk_difference", "hazard_ratio"})

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the gate knows beside the row itself.

    Attributes
    ----------
    n_parameters
        Fitted parameters of an adjusted model, intercept and arm included.
    clusters_are_families
        Whether `n_clusters_*` counts families, which have their own smallest cell.
    persons_with_event
        Per question (see `question_key`) the distinct persons behind the events of the two arms: rates count events,
        but the smallest cell counts persons.
    """

    rules: Rules
    looks: Looks
    n_parameters: int = 2
    clusters_are_families: bool = False
    persons_with_event: Mapping[Key, Pair] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClearedRow:
    """An effects row as it may be published, and whether anything in it is masked."""

    row: EffectRow
    is_suppressed: bool


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
    return _with_complements([clear_row(row, context) for row in rows])


def clear_row(row: EffectRow, context: Context) -> ClearedRow:
    """Return one row as it may be published, by the first rule that refuses it, or rounded.

    Hidden and not estimable rows keep their numbers of persons and lose everything else: events would let a reader
    compute what a gate hides.
    """
    rules = context.rules
    counted = _with_safe_counts(row, context)
    if row.status != "shown":
        bare = replace(
            counted, events_treated=None, events_comparison=None, **_blank(), **_no_years(), **_texts(row, rules)
        )
        # also where the gate hid a small cell first: the total less the other subgroups would give it
        return ClearedRow(
            bare, _lost_a_count(row, bare, ("n_treated", "n_comparison")) or any(_few_events(row, context))
        )
    refusal = _refusal(row, context)
    if refusal is not None:
        return ClearedRow(
            replace(counted, status="suppressed", reason=refusal[0], reason_nl=refusal[1], **_blank()), True
        )
    few = _few_events(row, context)
    if any(few):
        return ClearedRow(_with_bound(row, counted, few, context), True)
    saturated = _from_counts(row, counted, context)
    cleared = saturated if saturated is not None else _rounded(counted)
    return ClearedRow(
        cleared, _lost_a_count(row, cleared, ("n_treated", "n_comparison", "events_treated", "events_comparison"))
    )


def _refusal(row: EffectRow, context: Context) -> tuple[str, str] | None:
    """Return why nothing of a row may be published, in English and Dutch, or None."""
    rules = context.rules
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
    smallest = row.n_treated if row.n_comparison is None or row.n_treated is None else row.n_treated + row.n_comparison
    if not disclosure.may_release_model(smallest, context.n_parameters, None, rules):
        return (
            "Not shown to protect privacy: the model has too many parts for so few people.",
            "Niet getoond vanwege privacy: het model heeft te veel onderdelen voor zo weinig mensen.",
        )
    return None


def _is_class(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether nearly all of its persons have the event."""
    persons = _persons_behind(row, context)
    return (
        disclosure.is_class_disclosure(persons[0], row.n_treated, context.rules),
        disclosure.is_class_disclosure(persons[1], row.n_comparison, context.rules),
    )


def _persons_behind(row: EffectRow, context: Context) -> tuple[float | None, float | None]:
    """Return the distinct persons with an event in either arm; where not known, events that could be persons."""
    if row.events_treated is None and row.events_comparison is None:
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
    """Return per arm whether fewer persons than the smallest cell stand behind its events."""
    minimum = context.rules.minimum_persons
    persons = _persons_behind(row, context)
    events = (row.events_treated, row.events_comparison)
    few = [
        disclosure.is_too_few(who, minimum) or disclosure.is_too_few(what, minimum)
        for who, what in zip(persons, events, strict=True)
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
    return replace(
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


def _small_arms(row: EffectRow, context: Context) -> tuple[bool, bool]:
    """Return per arm whether it has too few persons or families to tell anything of, years included."""
    rules = context.rules
    persons, families = (row.n_treated, row.n_comparison), (row.n_clusters_treated, row.n_clusters_comparison)
    small = [
        disclosure.is_too_few(n, rules.minimum_persons)
        or (context.clusters_are_families and disclosure.is_too_few(clusters, rules.minimum_families))
        for n, clusters in zip(persons, families, strict=True)
    ]
    return small[0], small[1]


def _lost_a_count(row: EffectRow, cleared: EffectRow, names: Sequence[str]) -> bool:
    return any(getattr(row, name) is not None and getattr(cleared, name) is None for name in names)


def _blank() -> dict[str, Any]:
    return dict.fromkeys(_FIGURES)


def _no_years() -> dict[str, Any]:
    return {"person_years_treated": None, "person_years_comparison": None}


def _texts(row: EffectRow, rules: Rules) -> dict[str, Any]:
    return {
        "reason": disclosure.clear_text(row.reason, rules, "en"),
        "reason_nl": disclosure.clear_text(row.reason_nl, rules, "nl"),
    }


def _with_bound(row: EffectRow, counted: EffectRow, few: tuple[bool, bool], context: Context) -> EffectRow:
    """Return a suppressed row with the one bound that may be given: as if the arm had one below the limit.

    Only where raw counts answer the question: unadjusted rows, and trials.
    """
    limit = context.rules.minimum_persons
    bare = replace(
        counted,
        status="suppressed",
        reason=f"Not shown to protect privacy: fewer than {limit} people in one group had this.",
        reason_nl=f"Niet getoond vanwege privacy: in één groep gold dit voor minder dan {limit} personen.",
        **_blank(),
    )
    binomial = row.measure in _BINOMIAL
    base = (counted.n_treated, counted.n_comparison)
    if not binomial:
        base = (_years(counted.person_years_treated), _years(counted.person_years_comparison))
    raw_answers = row.analysis == "unadjusted" or row.design == "randomised"
    if not row.is_ratio or not raw_answers or base[0] is None or base[1] is None:
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
    wider = verdict_level(None, context.looks, level=row.conf_level)
    bounds = disclosure.bound_as_with_few(pair, (base[0], base[1]), context.rules, level=wider, binomial=binomial)
    return replace(
        bare,
        conf_low=disclosure.round_figure(low),
        conf_high=disclosure.round_figure(high),
        verdict_low=disclosure.round_figure(bounds[0]),
        verdict_high=disclosure.round_figure(bounds[1]),
    )


def _years(value: float | None) -> int | None:
    return None if value is None else int(value)


def _from_counts(row: EffectRow, counted: EffectRow, context: Context) -> EffectRow | None:
    """Return a saturated row computed again from its published counts, or None when the row is not saturated.

    Saturated is what its own counts give back, whatever the row is called: an adjusted row of a plan without
    covariates is as open as an unadjusted one.
    """
    if row.measure not in _SATURATED or row.estimate is None:
        return None
    compute, on_persons = _SATURATED[row.measure]
    exact = compute(*_pairs(row, on_persons)) if _is_complete(row, on_persons) else None
    if exact is None or not math.isclose(exact.value, row.estimate, rel_tol=1e-4, abs_tol=1e-6):
        return None
    found = compute(*_pairs(counted, on_persons)) if _is_complete(counted, on_persons) else None
    if found is None:
        return replace(_rounded(counted), std_error=None)
    error = found.std_error * disclosure.inflation(row.std_error, exact.std_error)
    reach = NormalDist().inv_cdf((1 + row.conf_level) / 2) * error
    low, high = (
        (found.value * math.exp(-reach), found.value * math.exp(reach))
        if row.is_ratio
        else (found.value - reach, found.value + reach)
    )
    base = _pairs(counted, on_persons)
    scale = 1.0 if row.is_ratio else base[0][1] / base[1][1]
    verdict = verdict_interval(
        found.value, error, low, high, looks=context.looks, is_ratio=row.is_ratio, level=row.conf_level, scale=scale
    )
    distance = abs(math.log(found.value) if row.is_ratio else found.value) / error if error else 0.0
    return replace(
        counted,
        estimate=disclosure.round_figure(found.value, 4),
        conf_low=disclosure.round_figure(low, 4),
        conf_high=disclosure.round_figure(high, 4),
        std_error=disclosure.round_figure(error, 4),
        verdict_low=disclosure.round_figure(verdict[0], 4),
        verdict_high=disclosure.round_figure(verdict[1], 4),
        p_value=disclosure.round_figure(2 * NormalDist().cdf(-distance), 3),
        p_value_adjusted=disclosure.round_figure(row.p_value_adjusted),
    )


def _is_complete(row: EffectRow, on_persons: bool) -> bool:
    base = (row.n_treated, row.n_comparison) if on_persons else (row.person_years_treated, row.person_years_comparison)
    return all(value is not None for value in (row.events_treated, row.events_comparison, *base))


def _pairs(row: EffectRow, on_persons: bool) -> tuple[Pair, Pair]:
    """Return events and base of a row that has them."""
    base = (row.n_treated, row.n_comparison) if on_persons else (row.person_years_treated, row.person_years_comparison)
    return (row.events_treated or 0.0, row.events_comparison or 0.0), (base[0] or 0.0, base[1] or 0.0)


def _rounded(row: EffectRow) -> EffectRow:
    """Return a model's row with two decimals."""
    figures: dict[str, Any] = {name: disclosure.round_figure(getattr(row, name)) for name in _FIGURES}
    for name in ("p_value", "p_value_adjusted"):
        figures[name] = disclosure.round_figure(getattr(row, name), 3)
    return replace(row, **figures)


def _with_complements(cleared: Sequence[ClearedRow]) -> list[ClearedRow]:
    """Suppress a second subgroup where exactly one of a set is, so that the total does not give it back."""
    result = list(cleared)
    families: dict[Key, list[int]] = {}
    for index, entry in enumerate(cleared):
        row = entry.row
        if row.subgroup:
            variable = row.subgroup.split("=", 1)[0]
            families.setdefault(
                (variable, row.contrast, row.outcome, row.measure, row.window_days, row.denominator, row.estimand,
                 row.estimator, row.variance), []
            ).append(index)  # fmt: skip
    for members in families.values():
        sizes = [result[index].row.events_treated or result[index].row.n_treated for index in members]
        hidden = [result[index].is_suppressed for index in members]
        for index, is_hidden in zip(members, disclosure.with_complement(sizes, hidden), strict=True):
            if is_hidden and not result[index].is_suppressed:
                result[index] = ClearedRow(_complement(result[index].row), True)
    return result


def _complement(row: EffectRow) -> EffectRow:
    return replace(
        row,
        status="suppressed",
        reason="Not shown to protect privacy: with the total it would give another group away.",
        reason_nl="Niet getoond vanwege privacy: samen met het totaal zou het een andere groep verraden.",
        n_treated=None,
        n_comparison=None,
        events_treated=None,
        events_comparison=None,
        n_clusters_treated=None,
        n_clusters_comparison=None,
        **_no_years(),
        **_blank(),
    )
