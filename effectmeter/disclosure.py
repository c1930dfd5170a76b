"""The rules that keep persons and families unrecognisable, as small pure functions on counts and figures.

Here: when a count is too small, how counts are rounded, what may be said of a ratio or a curve. Not here: texts that
quote counts (`effectmeter.disclosure_texts`), which columns of which table a rule applies to (`effectmeter.clearing`,
`effectmeter.release`), nor reading or writing.

References
----------
Hundepool et al. (2012), Statistical Disclosure Control, Wiley; the ESSnet guidelines for checking output; ACRO and
OpenSAFELY for the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from effectmeter.errors import PublicationError
from effectmeter.plan import Disclosure

_DEFAULTS = Disclosure()

Pair = tuple[float, float]
"""(treated, comparison)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The thresholds of the release gate; each has a source in the module's references.

    Attributes
    ----------
    minimum_persons, minimum_families
        Smallest cell that may be published: distinct persons and distinct families behind it.
    rounding_base
        Published counts are multiples of it.
    largest_class_share
        The event category of a row may not hold more than this share of it.
    largest_contributor, largest_two
        The share of a sum of events that one person, or two, may bring.
    minimum_residual_df
        A model with fewer residual degrees of freedom tells too much about single persons.
    fewest_areas
        A sum over fewer areas than this is one area's count for who knows the other.
    thresholds
        What gates ask for, for all to read. A count below one is never rounded up to it: 20 beside a gate that asks for
        20 and warns would leave 18 and 19 only.
    """

    minimum_persons: int = 10
    minimum_families: int = 10
    rounding_base: int = 5
    largest_class_share: float = 0.9
    largest_contributor: float = 0.5
    largest_two: float = 0.9
    minimum_residual_df: int = 10
    fewest_areas: int = 3
    thresholds: tuple[int, ...] = (20, 30, 60)

    @classmethod
    def of(cls, settings: Disclosure) -> Rules:
        """Return the plan's rules; looser than the defaults is refused without a written reason.

        Raises
        ------
        PublicationError
            When a setting is looser than its default and the plan gives no reason.
        """
        looser = [
            name
            for name in ("minimum_persons", "minimum_families", "rounding_base")
            if getattr(settings, name) < getattr(_DEFAULTS, name)
        ]
        if looser and not (settings.reason or "").strip():
            raise PublicationError(
                f"the release rules are looser than the defaults without a written reason: {', '.join(looser)}",
                where="disclosure",
                allowed=", ".join(f"{name} at least {getattr(_DEFAULTS, name)}" for name in looser),
                next_step="raise them, or write the reason in `disclosure.reason`; every report shows it",
            )
        return cls(
            minimum_persons=settings.minimum_persons,
            minimum_families=settings.minimum_families,
            rounding_base=settings.rounding_base,
        )


def round_count(count: float, base: int) -> int:
    """Round to the nearest multiple of `base`, halves up.

    Examples
    --------
    >>> [round_count(n, 5) for n in (0, 2, 3, 48, 216, 432)]
    [0, 0, 5, 50, 215, 430]
    """
    return base * math.floor(count / base + 0.5) if base > 1 else math.floor(count + 0.5)


def safe_count(count: float | None, rules: Rules, *, minimum: int | None = None) -> int | None:
    """Return a count as it may be published: rounded, or None when it is below the smallest cell (zero included).

    A smallest cell of 1 is none: a plan may say so, with its reason, of counts that were published already.

    Examples
    --------
    >>> rules = Rules()
    >>> safe_count(48, rules), safe_count(9, rules), safe_count(0, rules), safe_count(None, rules)
    (50, None, None, None)
    >>> safe_count(19, rules), safe_count(20, rules), safe_count(59, rules)
    (15, 20, 55)
    """
    if count is None or is_too_few(count, rules.minimum_persons if minimum is None else minimum):
        return None
    rounded = round_count(count, rules.rounding_base)
    crossed = any(count < threshold <= rounded for threshold in rules.thresholds)
    return rounded - rules.rounding_base if crossed else rounded


def safe_families(count: float | None, rules: Rules) -> int | None:
    """Return a number of families as it may be published."""
    return safe_count(count, rules, minimum=rules.minimum_families)


def is_too_few(count: float | None, minimum: int) -> bool:
    """Return whether a known count lies below the smallest cell; an unknown one is no cell."""
    return count is not None and minimum > 1 and count < minimum


def is_class_disclosure(events: float | None, n: float | None, rules: Rules) -> bool:
    """Return whether knowing that someone is in the group nearly tells that they had the event.

    The reverse, nearly nobody has it, may be published: most people have no conviction.

    Examples
    --------
    >>> is_class_disclosure(19, 20, Rules()), is_class_disclosure(18, 20, Rules()), is_class_disclosure(1, 20, Rules())
    (True, False, False)
    """
    return events is not None and n is not None and n > 0 and events / n > rules.largest_class_share


def is_dominated(contributions: Sequence[float], rules: Rules) -> bool:
    """Return whether one person, or two, bring too much of a sum of events.

    Examples
    --------
    >>> is_dominated([6, 1, 1, 1], Rules()), is_dominated([1] * 12, Rules())
    (True, False)
    """
    total = sum(contributions)
    return total > 0 and is_led(sorted((each / total for each in contributions), reverse=True), rules)


def is_led(shares: Sequence[float], rules: Rules) -> bool:
    """Return whether the largest share of a sum, or the largest two, are too much of it; `shares` largest first."""
    return bool(shares) and (shares[0] > rules.largest_contributor or sum(shares[:2]) > rules.largest_two)


def rests_on_few_areas(n_areas: float | None, n_events: float | None, largest: Sequence[float], rules: Rules) -> bool:
    """Return whether a sum of events over areas is small and rests on one area or two.

    Small is less than the smallest cell for each of `fewest_areas`. A larger sum tells nothing of few persons, whatever
    area it comes from; one that was not counted (a delivered value) may be small.

    Parameters
    ----------
    largest
        Shares of the sum that the largest area and the one after it bring; empty when not known.

    Examples
    --------
    >>> rules = Rules()
    >>> [rests_on_few_areas(n, events, (), rules) for n, events in ((2, 24), (2, 240), (5, 24))]
    [True, False, False]
    >>> rests_on_few_areas(5, 24, (0.6, 0.1), rules), rests_on_few_areas(5, 240, (0.6, 0.1), rules)
    (True, False)
    """
    if n_events is not None and n_events >= rules.fewest_areas * rules.minimum_persons:
        return False
    is_few = n_areas is not None and n_areas < rules.fewest_areas
    return is_few or is_led(largest, rules)


def may_release_model(n: float | None, n_parameters: int, smallest_fitted: float | None, rules: Rules) -> bool:
    """Return whether a fitted model's figures may leave: enough left over, and no parameter fitted to a few.

    Parameters
    ----------
    n
        Units in the model; None when not known, which leaves the other condition.
    n_parameters
        Fitted parameters, the intercept included.
    smallest_fitted
        Smallest number of persons that a parameter rests on (the smaller arm's events, a rare category).
    """
    has_freedom = n is None or n - n_parameters >= rules.minimum_residual_df
    return has_freedom and not is_too_few(smallest_fitted, rules.minimum_persons)


def round_figure(value: float | None, decimals: int = 2) -> float | None:
    """Round a model's figure; never to minus zero, and what is not finite is no figure.

    Examples
    --------
    >>> round_figure(0.6843), round_figure(-0.001), round_figure(float("inf"))
    (0.68, 0.0, None)
    """
    if value is None or not math.isfinite(value):
        return None
    return round(value, decimals) + 0.0


def round_p(value: float | None) -> float | None:
    """Round a p-value as reports need it and no further: two decimals, the smallest ones upwards to 0.005 or 0.001.

    Examples
    --------
    >>> [round_p(value) for value in (0.04743, 0.0031, 0.0000012, 1.0, None)]
    [0.05, 0.005, 0.001, 1.0, None]
    """
    if value is None or not math.isfinite(value):
        return None
    return 0.001 if value <= 0.001 else 0.005 if value <= 0.005 else max(round(value, 2), 0.01)


def decimals_of(width: float | None) -> int:
    """Return how many decimals a difference deserves: two digits of its interval's width, never fewer than two.

    Differences between areas are per inhabitant or on a scale of their own: two decimals may be all zeros.

    Examples
    --------
    >>> [decimals_of(width) for width in (3.2, 0.07, 0.0021, None, 0.0)]
    [2, 3, 4, 2, 2]
    """
    if width is None or not math.isfinite(width) or width <= 0:
        return 2
    return min(max(2, 1 - math.floor(math.log10(width))), 8)


def round_share(value: float | None, n: float | None, rules: Rules) -> float | None:
    """Round a share of `n` persons, or a mean from 0 to 1 that may be one, as its count is rounded; to two decimals.

    Two decimals alone tell the exact count of any group under a hundred.

    Examples
    --------
    >>> round_share(48 / 216, 216, Rules()), round_share(0.41, 40, Rules()), round_share(23.456, 40, Rules())
    (0.23, 0.38, 23.46)
    """
    if value is None or not n or not 0 <= value <= 1:
        return round_figure(value)
    return round_figure(min(round_count(value * n, rules.rounding_base) / n, 1.0))


@dataclass(frozen=True, slots=True)
class FromCounts:
    """A raw contrast computed from published counts.

    Attributes
    ----------
    value
        Ratio or difference.
    std_error
        Log scale for ratios.
    """

    value: float
    std_error: float


def risk_ratio_from(events: Pair, n: Pair) -> FromCounts | None:
    """Return the ratio of two risks from published counts (treated, comparison).

    Examples
    --------
    >>> found = risk_ratio_from((50, 65), (215, 215))
    >>> round(found.value, 4), round(found.std_error, 4)
    (0.7692, 0.1615)
    """
    if min(events) <= 0 or min(n) <= 0:
        return None
    variance = sum(1 / cell - 1 / total for cell, total in zip(events, n, strict=True))
    return FromCounts((events[0] / n[0]) / (events[1] / n[1]), math.sqrt(max(variance, 0.0)))


def risk_difference_from(events: Pair, n: Pair) -> FromCounts | None:
    """Return the difference of two risks from published counts (treated, comparison)."""
    if min(n) <= 0:
        return None
    risks = [cell / total for cell, total in zip(events, n, strict=True)]
    variance = sum(max(risk * (1 - risk), 0.0) / total for risk, total in zip(risks, n, strict=True))
    return FromCounts(risks[0] - risks[1], math.sqrt(variance))


def odds_ratio_from(events: Pair, n: Pair) -> FromCounts | None:
    """Return the ratio of two odds from published counts (treated, comparison)."""
    cells = (events[0], n[0] - events[0], events[1], n[1] - events[1])
    if min(cells) <= 0:
        return None
    return FromCounts(cells[0] * cells[3] / (cells[1] * cells[2]), math.sqrt(sum(1 / cell for cell in cells)))


def rate_ratio_from(events: Pair, years: Pair) -> FromCounts | None:
    """Return the ratio of two rates from published events and person-years (treated, comparison)."""
    if min(events) <= 0 or min(years) <= 0:
        return None
    return FromCounts((events[0] / years[0]) / (events[1] / years[1]), math.sqrt(1 / events[0] + 1 / events[1]))


def rate_difference_from(events: Pair, years: Pair) -> FromCounts | None:
    """Return the difference of two rates per person-year from published events and person-years."""
    if min(years) <= 0:
        return None
    rates = [cell / time for cell, time in zip(events, years, strict=True)]
    variance = sum(cell / time**2 for cell, time in zip(events, years, strict=True))
    return FromCounts(rates[0] - rates[1], math.sqrt(variance))


def inflation(exact_error: float | None, simple_error: float | None) -> float:
    """Return how much wider the real error is than the one from counts alone, to one decimal.

    Clustering and repeated events widen an error; counts alone do not show it. One decimal is too coarse to give the
    exact counts back.

    Examples
    --------
    >>> inflation(0.1621, 0.1612), inflation(0.24, 0.16), inflation(None, 0.16)
    (1.0, 1.5, 1.0)
    """
    if not exact_error or not simple_error or not math.isfinite(exact_error):
        return 1.0
    return max(round(exact_error / simple_error, 1), 0.1)


def bound_as_with_few(
    events: Pair, base: Pair, rules: Rules, *, level: float, binomial: bool
) -> tuple[float | None, float | None]:
    """Return the one bound (low, high) on a ratio when an arm has too few events: as if it had one below the limit.

    The exact bound would give the zero away. Both arms with few events: nothing can be said.

    Parameters
    ----------
    events
        True events (treated, comparison).
    base
        Published persons (`binomial`) or person-years.

    Examples
    --------
    >>> low, high = bound_as_with_few((0, 60), (200, 200), Rules(), level=0.95, binomial=True)
    >>> low, round(high, 2), bound_as_with_few((7, 60), (200, 200), Rules(), level=0.95, binomial=True)[1] == high
    (None, 0.29, True)
    """
    few = [cell < rules.minimum_persons for cell in events]
    if all(few) or not any(few):
        return None, None
    shown = (
        rules.minimum_persons - 1 if few[0] else round_count(events[0], rules.rounding_base),
        rules.minimum_persons - 1 if few[1] else round_count(events[1], rules.rounding_base),
    )
    found = (risk_ratio_from if binomial else rate_ratio_from)(shown, base)
    if found is None:
        return None, None
    reach = NormalDist().inv_cdf((1 + level) / 2) * found.std_error
    if few[0]:
        return None, found.value * math.exp(reach)
    return found.value * math.exp(-reach), None


def with_complement(cells: Sequence[float | None], hidden: Sequence[bool]) -> list[bool]:
    """Hide a second cell where exactly one is hidden, so that the total does not give it back.

    The second one is the smallest of those that remain; cells of None are not in the total and stay as they are.

    Examples
    --------
    >>> with_complement([4, 30, 12], [True, False, False])
    [True, False, True]
    >>> with_complement([4, 6, 12], [True, True, False])
    [True, True, False]
    """
    result = list(hidden)
    if sum(result) != 1:
        return result
    remaining = [
        (cell, index) for index, (cell, is_hidden) in enumerate(zip(cells, hidden, strict=True))
        if not is_hidden and cell is not None
    ]  # fmt: skip
    if remaining:
        result[min(remaining)[1]] = True
    return result


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a survival curve: what happened up to and including a day.

    Attributes
    ----------
    n_events
        Persons with a first event since the step before.
    """

    day: int
    n_at_risk: float
    n_events: float
    index: int


def curve_steps(steps: Iterable[Step], rules: Rules, *, grid_days: int) -> list[Step]:
    """Merge a curve's steps until each hides enough persons, on a grid of days, while enough remain at risk.

    The last published step takes what is left over, so that the curve ends where it should. A step lands on the grid
    day at or after its events: an exact day can be someone's.

    Examples
    --------
    >>> raw = [Step(day, 100 - day, 1, day) for day in range(1, 61)]
    >>> [(step.day, step.n_events) for step in curve_steps(raw, Rules(), grid_days=7)]
    [(14, 14.0), (28, 14.0), (42, 14.0), (63, 18.0)]
    """
    gathered: list[Step] = []
    pending = 0.0
    usable = [step for step in steps if step.n_at_risk >= rules.minimum_persons]
    for position, step in enumerate(usable):
        pending += step.n_events
        day = grid_days * math.ceil(step.day / grid_days)
        following = usable[position + 1].day if position + 1 < len(usable) else None
        if following is not None and following <= day:
            continue
        if pending >= rules.minimum_persons:
            gathered.append(Step(day, step.n_at_risk, pending, step.index))
            pending = 0.0
        elif following is None and gathered:
            last = gathered.pop()
            gathered.append(Step(day, step.n_at_risk, last.n_events + pending, step.index))
    return gathered
