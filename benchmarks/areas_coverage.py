"""How often 95 % intervals of area effects hold the truth with few treated areas: what chose the errors.

Writes benchmarks/areas_coverage.md. Run from the project's root: ``python benchmarks/areas_coverage.py [repetitions]``
(1,000 take about half an hour on one core). What is planted: `effectmeter.worlds.planted_areas`, half of the areas
treated on three dates; for calibration, areas whose level decides both their past and whether they are treated.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from effectmeter.designs.staggered_areas_fits import How, effect_of, leads
from effectmeter.designs.staggered_areas_panel import lay_out
from effectmeter.estimators.base import EstimationError, FloatArray
from effectmeter.estimators.calibration import CalibratedPart, calibrate, calibrated_effect
from effectmeter.estimators.group_time_before import pre_trend_test
from effectmeter.estimators.group_time_panel import Effect
from effectmeter.estimators.group_time_permutation import permutation
from effectmeter.worlds.planted_areas import constant, growing

SEED = 20260401
SIZES = (20, 40, 80)
VARIANCES = ("cr0", "cr1", "cr3")
Found = dict[str, tuple[bool, float, float]]


def counted(rng: np.random.Generator, size: int, estimator: str, ratio: float) -> Found:
    """Return per error: whether the interval holds the truth, the estimate's gap, and the error."""
    drawn = constant(rng, size, ratio=ratio) if estimator != "growing" else growing(rng, size)
    area = lay_out(drawn.data, "contact")
    how = How(estimator="callaway_santanna" if estimator == "growing" else estimator)
    found = {}
    for variance in VARIANCES:
        effect = effect_of(area, How(estimator=how.estimator, variance=variance))
        found[variance] = _held(effect, drawn.truth)
    if how.estimator == "callaway_santanna":
        dealt = permutation(area.panel, is_ratio=True, draws=199)
        low, high = dealt.low or 0.0, dealt.high or math.inf
        found["permutation"] = (low <= drawn.truth <= high, math.log((dealt.value or 1.0) / drawn.truth), math.nan)
    if how.estimator in {"callaway_santanna", "poisson_fe"} and estimator != "growing":
        test = pre_trend_test(leads(area, how), 1.0)
        # shown as the share of sound worlds that the gate fails
        found["pre-trends fail"] = (test is not None and test.p_value < 0.01, 0.0, math.nan)
    return found


def calibrated(
    rng: np.random.Generator, size: int, _estimator: str, ratio: float
) -> dict[str, tuple[bool, float, float]]:
    """Return the same for calibrated areas: `size` / 2 treated among 300, eight periods before and four after."""
    n1, n0, periods = size // 2, 300, 12
    level = rng.normal(0.0, 0.6, n1 + n0)
    order = np.argsort(-(level + rng.normal(0.0, 1.5, n1 + n0)))  # busy areas are treated more often
    lasting = rng.normal(0.0, 0.1, (n1 + n0, periods)).cumsum(axis=1) * 0.5
    mean = 8.0 * np.exp(level[:, None] + lasting + 0.1 * np.sin(np.arange(periods)))
    one, zero = order[:n1], order[n1:]
    mean[one, 8:] *= ratio
    counts: FloatArray = rng.poisson(mean).astype(np.float64)
    part = CalibratedPart(
        calibration=calibrate(counts[one, :8], counts[zero, :8]),
        treated=counts[one, 8:].sum(axis=1),
        comparison=counts[zero, 8:].sum(axis=1),
        unit_treated=one,
        unit_comparison=zero,
        exposure=4.0 * n1,
    )
    return {"linearised": _held(calibrated_effect([part], n1 + n0), ratio)}


def _held(effect: Effect, truth: float) -> tuple[bool, float, float]:
    ratio = effect.ratio()
    inside = (ratio.low or 0.0) <= truth <= (ratio.high or math.inf)
    return inside, math.log((ratio.value or 1.0) / truth), ratio.std_error or math.nan


CASES: tuple[tuple[str, str, float, Callable[..., Found]], ...] = (
    ("Callaway-Sant'Anna, effect 0.75", "callaway_santanna", 0.75, counted),
    ("Callaway-Sant'Anna, effect that grows, four in five treated", "growing", 1.0, counted),
    ("Poisson, effect 0.75", "poisson_fe", 0.75, counted),
    ("two-way fixed effects, no effect", "twoway_fe", 1.0, counted),
    ("calibrated, effect 0.75", "calibrated", 0.75, calibrated),
)


def table(repetitions: int) -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| study | treated areas | error | holds the truth | Monte-Carlo error | mean error / spread of estimates |",
        "|---|---|---|---|---|---|",
    ]
    for words, estimator, ratio, case in CASES:
        for size in SIZES:
            found: dict[str, list[tuple[bool, float, float]]] = {}
            for repetition in range(repetitions):
                rng = np.random.default_rng([SEED, size, repetition])
                try:
                    for name, one in case(rng, size, estimator, ratio).items():
                        found.setdefault(name, []).append(one)
                except EstimationError:
                    found.setdefault("none", []).append((False, 0.0, math.nan))
            treated = round(0.8 * size) if estimator == "growing" else size // 2
            for name, results in found.items():
                share = float(np.mean([held for held, _, _ in results]))
                spread = float(np.std([gap for _, gap, _ in results]))
                errors = np.array([error for _, _, error in results])
                known = np.isfinite(errors).all() and spread > 0
                ratio_words = f"{errors.mean() / spread:.2f}" if known else "-"
                noise = math.sqrt(share * (1.0 - share) / len(results))
                lines.append(f"| {words} | {treated} | {name} | {share:.3f} | {noise:.3f} | {ratio_words} |")
            print("\n".join(lines[-len(found) :]), flush=True)
    return lines


def main() -> None:
    """Simulate and write the table."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    text = (
        f"Made by `python benchmarks/areas_coverage.py {repetitions}`: {repetitions} draws per line, 95 % intervals of "
        "a ratio.\n`cr3` leaves out one cluster at a time, with t and Welch's degrees of freedom: treated and "
        "comparison areas each have their\nown spread. It is the default. `pre-trends fail` is the share of sound "
        "worlds that the gate fails (p < 0.01; at most six\npieces of the time before the start, one per six treated "
        "areas)."
    )
    lines = [
        "# Intervals of area effects with few treated areas",
        "",
        text,
        "",
        *table(repetitions),
    ]
    Path("benchmarks/areas_coverage.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
