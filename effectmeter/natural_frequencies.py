"""The primary outcome as people can picture it: of every 100 participants, so many; without the programme, so many.

Of areas: events per 1,000 inhabitants a year. Of a series: events a month, and what was expected.

Here: from one cleared row to counts per 100. Not here: the sentence (`effectmeter.sentences`), the picture (`reports`).
"""

from __future__ import annotations

from dataclasses import dataclass

from effectmeter.results import EffectRow
from effectmeter.sentences.facts import Kind, Period

_FEWEST_TO_PICTURE = 5  # per 100; below it, tell per 1,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequencies:
    """The primary figure per `per` participants, inhabitants, or (of a series) periods.

    Attributes
    ----------
    with_programme
        As counted among participants.
    without_programme, without_low, without_high
        What the estimate implies for the same participants without the programme, with the interval over all looks.
    """

    kind: Kind
    per: int = 100
    with_programme: int | None = None
    without_programme: int | None = None
    without_low: int | None = None
    without_high: int | None = None


def frequencies_of(row: EffectRow | None, *, period: Period = "period", effect: str = "level") -> Frequencies:
    """Return how a cleared row can be told.

    Parameters
    ----------
    period
        What a series counts by.
    effect
        Of a series: where the slope may change too, the change at the start says nothing of the months after it.

    Examples
    --------
    >>> row = EffectRow(
    ...     programme="p", quarter="2026-Q3", design="randomised", outcome="arrest", measure="risk_ratio",
    ...     contrast="a vs b", estimand="itt", estimator="g_computation", variance="hc3", analysis="primary",
    ...     estimate=0.62, verdict_low=0.5, verdict_high=0.78, n_treated=200, n_comparison=200, events_treated=42,
    ...     events_comparison=68)
    >>> found = frequencies_of(row)
    >>> found.with_programme, found.without_programme, found.without_low, found.without_high
    (21, 34, 27, 42)
    """
    if row is None or row.status != "shown":
        has_bound = row is not None and (row.verdict_low, row.verdict_high) != (None, None)
        return Frequencies(kind="ratio" if has_bound else "none")
    if row.design == "interrupted_series":
        return _of_series(row, period) if effect == "level" else Frequencies(kind="ratio")
    observed = _observed(row)
    if row.estimate is None or observed is None:
        return Frequencies(kind="difference" if row.measure.endswith("difference") else "ratio")
    if row.measure == "mean_difference":
        return Frequencies(kind="difference")
    kind: Kind = "frequency" if row.measure.startswith(("risk", "odds")) else "rate"
    if row.design == "staggered_areas":
        kind = "inhabitants"
    others = [_implied(row, observed, value) for value in (row.estimate, row.verdict_high, row.verdict_low)]
    known = [value for value in (observed, others[0]) if value is not None]
    sizes = (1_000, 10_000, 100_000) if kind == "inhabitants" else (100, 1_000)
    per = next((size for size in sizes if max(known) * size >= _FEWEST_TO_PICTURE), sizes[-1])
    cap = per if kind == "frequency" else None
    return Frequencies(
        kind=kind,
        per=per,
        with_programme=_per(observed, per, cap),
        without_programme=_per(others[0], per, cap),
        without_low=_per(others[1], per, cap),
        without_high=_per(others[2], per, cap),
    )


def _of_series(row: EffectRow, period: Period) -> Frequencies:
    """Return the events that a period after the start counted, and those expected; a year's where a month has few."""
    if (
        not row.events_treated
        or not row.n_treated
        or not row.estimate
        or row.measure not in {"level_ratio", "rate_ratio"}
    ):
        return Frequencies(kind="ratio")
    observed = row.events_treated / row.n_treated
    per = _PER_YEAR.get(period, 1) if observed < 2 * _FEWEST_TO_PICTURE else 1
    others = [_implied(row, observed, value) for value in (row.estimate, row.verdict_high, row.verdict_low)]
    return Frequencies(
        kind="series",
        per=per,
        with_programme=_per(observed, per, None),
        without_programme=_per(others[0], per, None),
        without_low=_per(others[1], per, None),
        without_high=_per(others[2], per, None),
    )


_PER_YEAR: dict[str, int] = {"month": 12, "quarter": 4}


def _observed(row: EffectRow) -> float | None:
    """Return the participants' risk, or rate a year, from published counts; None for measures without one."""
    base: float | None
    if row.measure in {"risk_ratio", "risk_difference", "odds_ratio"}:
        base = row.n_treated
    elif row.measure in {"rate_ratio", "rate_difference", "ratio_of_rate_ratios"}:
        base = row.person_years_treated
    else:
        return None
    return row.events_treated / base if row.events_treated is not None and base else None


def _implied(row: EffectRow, observed: float, effect: float | None) -> float | None:
    """Return the risk or rate that an effect of this size implies without the programme."""
    if effect is None or (row.is_ratio and effect <= 0):
        return None
    if row.measure == "odds_ratio":
        odds = observed / (1 - observed) / effect if observed < 1 else None
        return None if odds is None else odds / (1 + odds)
    return observed / effect if row.is_ratio else observed - effect


def _per(value: float | None, per: int, cap: int | None) -> int | None:
    if value is None:
        return None
    count = max(round(value * per), 0)
    return count if cap is None else min(count, cap)
