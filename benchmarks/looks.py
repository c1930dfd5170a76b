"""How often eight quarterly looks ever call a programme effective, or harmful, that does nothing.

Writes benchmarks/looks.md. Run from the project's root: ``python benchmarks/looks.py [programmes]`` (20,000 take a few
minutes on one core). The estimates are those of the designs, written for many programmes at once: raw risk ratios
with HC3 and t, the score test where an arm has fewer than five events, the bound where it has none; rate ratios with a
robust error; before-after ratios with the cluster jackknife. A look counts only where the gates on size and clusters
let it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from effectmeter.gates.people import FEWEST_CLUSTERS, FEWEST_PERSONS
from effectmeter.looks import verdict_level
from effectmeter.plan import Looks

FloatArray = NDArray[np.float64]

SEED = 20260101
LOOKS = 8
AT_ONCE = 2_000
"""Programmes in memory."""
SCHEMES: dict[str, Looks] = {
    "ordinary 95 %": Looks(method="none"),
    "confidence sequence": Looks(),
    "spending, equal": Looks(method="alpha_spending", planned=LOOKS, first="2025-Q1"),
    "spending, O'Brien-Fleming": Looks(
        method="alpha_spending", planned=LOOKS, first="2025-Q1", spending="obrien_fleming"
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What all programmes show at one look.

    Attributes
    ----------
    distance
        (r,) estimates in standard errors from no effect; 0 where there is none, or where a gate hides it.
    std_error
        (r,) their errors on the log scale; NaN for a bound, which has none.
    df
        (r,) of the t reference; infinite for the normal one.
    """

    distance: FloatArray
    std_error: FloatArray
    df: FloatArray


Story = Callable[[np.random.Generator, int], Iterator[Seen]]
"""Tells what so many programmes show, look after look."""


def risks(n: int, risk: float, ratio: float = 1.0) -> Story:
    """Return persons who enter evenly, n per arm in the end, each with or without an event within the year."""

    def story(rng: np.random.Generator, programmes: int) -> Iterator[Seen]:
        e1, e0, before = np.zeros(programmes), np.zeros(programmes), 0
        for look in range(1, LOOKS + 1):
            now = n * look // LOOKS
            e1 = e1 + rng.binomial(now - before, risk * ratio, programmes)
            e0 = e0 + rng.binomial(now - before, risk, programmes)
            before = now
            p1, p0, pooled = e1 / now, e0 / now, (e1 + e0) / (2 * now)
            with np.errstate(divide="ignore", invalid="ignore"):
                wald = np.sqrt((1 - p1) / (p1 * (now - 1)) + (1 - p0) / (p0 * (now - 1)))
                distance = np.log(p1 / p0) / wald
                score = (p1 - p0) / np.sqrt(pooled * (1 - pooled) * 2 / now)
                rough = np.sqrt(1 / (e1 + 0.5) - 1 / (now + 0.5) + 1 / (e0 + 0.5) - 1 / (now + 0.5))
            few = np.minimum(np.minimum(e1, e0), now - np.maximum(e1, e0)) < 5
            none = (e1 == 0) | (e0 == 0)
            yield Seen(
                np.nan_to_num(np.where(few, score, distance)) * (now >= FEWEST_PERSONS),
                np.where(none, np.nan, np.where(few, rough, wald)),
                np.where(few, np.inf, 2.0 * now - 2),
            )

    return story


def rates(n: int, rate: float, spread: float, ratio: float = 1.0) -> Story:
    """Return n persons per arm, all there from the start, whose own events go on: the looks share the persons."""

    def story(rng: np.random.Generator, programmes: int) -> Iterator[Seen]:
        own = [rng.gamma(1 / spread, spread * rate * side / 4, (programmes, n)) for side in (ratio, 1.0)]
        counts = [np.zeros((programmes, n)) for _ in own]
        for _ in range(LOOKS):
            counts = [total + rng.poisson(quarter) for total, quarter in zip(counts, own, strict=True)]
            sums = [total.sum(axis=1) for total in counts]
            few = np.minimum(*sums) < 5  # the quasi-score takes over; it says less than this does
            with np.errstate(divide="ignore", invalid="ignore"):
                squared = [
                    total.var(axis=1) * n / whole**2 * n / (n - 1) for total, whole in zip(counts, sums, strict=True)
                ]
                error = np.sqrt(squared[0] + squared[1])
                distance = np.log(sums[0] / sums[1]) / error
            yield Seen(
                np.where(few, 0.0, np.nan_to_num(distance)) * (n >= FEWEST_PERSONS),
                np.where(few, np.nan, error),
                np.full(programmes, 2.0 * n - 2),
            )

    return story


def families(g: int, rate: float, spread: float, ratio: float = 1.0) -> Story:
    """Return families who enter evenly, g per arm in the end, with a year before and a year after."""

    def story(rng: np.random.Generator, programmes: int) -> Iterator[Seen]:
        arms = []
        for side in (ratio, 1.0):
            own = rng.gamma(1.0, rate, (programmes, g))
            change = np.exp(rng.normal(0.0, spread, (programmes, g)))
            arms.append((rng.poisson(own).astype(float), rng.poisson(0.8 * side * own * change).astype(float)))
        for look in range(1, LOOKS + 1):
            now = g * look // LOOKS
            parts = [_log_change(before[:, :now], after[:, :now]) for before, after in arms]
            (one, v1, d1), (zero, v0, d0) = parts
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.sqrt(v1 + v0)
                df = (v1 + v0) ** 2 / (v1**2 / d1 + v0**2 / d0)
                distance = np.nan_to_num((one - zero) / error, posinf=0.0, neginf=0.0)
            yield Seen(distance * (now >= FEWEST_CLUSTERS), error, np.maximum(np.nan_to_num(df, nan=1.0), 1.0))

    return story


def _log_change(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return log ratio, squared jackknife error and degrees of freedom per programme, for equal periods."""
    total = before + after
    share = after.sum(axis=1) / np.maximum(total.sum(axis=1), 1.0)
    information = total * (share * (1 - share))[:, None]
    rest = np.maximum(information.sum(axis=1)[:, None] - information, 1e-12)
    influence = (after - total * share[:, None]) / rest
    with np.errstate(divide="ignore"):
        return np.log(share / (1 - share)), (influence**2).sum(axis=1), np.maximum((total > 0).sum(axis=1) - 1.0, 1.0)


@lru_cache(maxsize=100_000)
def _normal_reach(std_error: float | None, scheme: str, look: int) -> float:
    level = verdict_level(std_error, SCHEMES[scheme], look=look)
    return -NormalDist().inv_cdf((1 - level) / 2)


def reach(seen: Seen, scheme: str, look: int) -> FloatArray:
    """Return how many standard errors the verdict's interval goes to each side."""
    from scipy.special import ndtr

    rounded = np.round(seen.std_error, 3)  # the sequence's width hardly moves with the error
    known, place = np.unique(rounded, return_inverse=True)
    normal = np.array([_normal_reach(None if np.isnan(each) else float(each), scheme, look) for each in known])[place]
    heavy = np.isfinite(seen.df)
    result = normal.copy()
    result[heavy] = -stdtrit(seen.df[heavy], ndtr(-normal[heavy]))
    return result


def ever_called(story: Story, programmes: int, seed: int = SEED) -> dict[str, tuple[float, float]]:
    """Return, per way of paying for looks, the shares of programmes ever called effective, and ever called anything."""
    rng = np.random.default_rng(seed)
    total = {scheme: np.zeros(2) for scheme in SCHEMES}
    for first in range(0, programmes, AT_ONCE):
        number = min(AT_ONCE, programmes - first)
        called = {scheme: np.zeros((2, number), dtype=bool) for scheme in SCHEMES}
        for look, seen in enumerate(story(rng, number), start=1):
            for scheme, (fewer, either) in called.items():
                limit = reach(seen, scheme, look)
                fewer |= seen.distance < -limit
                either |= np.abs(seen.distance) > limit
        for scheme, found in called.items():
            total[scheme] += found.sum(axis=1)
    return {scheme: (float(both[0]) / programmes, float(both[1]) / programmes) for scheme, both in total.items()}


NOTHING: dict[str, Story] = {
    "risk 0.30, 40 per arm": risks(40, 0.30),
    "risk 0.30, 120 per arm": risks(120, 0.30),
    "risk 0.30, 1,000 per arm": risks(1000, 0.30),
    "risk 0.05, 120 per arm": risks(120, 0.05),
    "risk 0.05, 1,000 per arm": risks(1000, 0.05),
    "risk 0.01, 250 per arm (rare)": risks(250, 0.01),
    "risk 0.01, 2,000 per arm (rare)": risks(2000, 0.01),
    "rate 1.0 a year, persons differ, 40 per arm": rates(40, 1.0, 1.0),
    "rate 0.1 a year, persons differ, 120 per arm": rates(120, 0.1, 1.0),
    "rate 1.0 a year, persons differ, 250 per arm": rates(250, 1.0, 1.0),
    "before-after, 20 families per arm": families(20, 4.0, 0.3),
    "before-after, 40 families per arm": families(40, 4.0, 0.3),
    "before-after, 40 families per arm, few events": families(40, 0.5, 0.0),
    "before-after, 160 families per arm": families(160, 4.0, 0.3),
}
"""No effect in any of them."""

SOMETHING: dict[str, Story] = {
    "risk 0.30, ratio 0.6, 120 per arm": risks(120, 0.30, 0.6),
    "risk 0.30, ratio 0.6, 250 per arm": risks(250, 0.30, 0.6),
    "risk 0.30, ratio 0.8, 1,000 per arm": risks(1000, 0.30, 0.8),
    "before-after, ratio 0.5, 40 families per arm": families(40, 4.0, 0.3, 0.5),
}
"""What paying for looks costs: the share that is ever called effective."""


def table(stories: dict[str, Story], programmes: int, *, either: bool) -> str:
    """Return a Markdown table, a row per story and a column per scheme."""
    lines = ["| study | " + " | ".join(SCHEMES) + " |", "|" + "---|" * (len(SCHEMES) + 1)]
    for name, story in stories.items():
        found = ever_called(story, programmes)
        cells = [
            f"{100 * fewer:.1f} / {100 * both:.1f}" if either else f"{100 * fewer:.1f}"
            for fewer, both in found.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main(programmes: int) -> None:
    """Run everything and write the page."""
    page = f"""# Eight quarterly looks

Made by `benchmarks/looks.py`: {programmes:,} programmes per row, {LOOKS} looks each, seed {SEED}; the Monte-Carlo error
at 5 % is {100 * (0.05 * 0.95 / programmes) ** 0.5:.2f} points. Looks at which the gates on size and clusters hide the
answer do not count.

## No effect: per cent of programmes ever called effective / ever called effective or harmful

The promise is at most 5. The ordinary interval shows what it is for. The confidence sequence holds for any number of
looks and so uses little of its 5 % in eight; alpha spending is for a plan that knows how often it will look.

{table(NOTHING, programmes, either=True)}

## What it costs: per cent of programmes with an effect that are ever called effective

{table(SOMETHING, programmes, either=False)}
"""
    (Path(__file__).parent / "looks.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
