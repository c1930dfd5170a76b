"""The interval over all quarterly looks keeps its promise, and never is narrower than the ordinary one."""

from __future__ import annotations

import importlib.util
import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from analysis_frames import families, only, plan_for

from effectmeter.designs.registry import design_for
from effectmeter.estimators.before_after import difference_in_change
from effectmeter.looks import (
    budget,
    false_alarm_probability,
    look_number,
    mixture_multiplier,
    verdict_interval,
    verdict_level,
    wald_bounds,
)
from effectmeter.plan import Looks
from effectmeter.quarters import Quarter

SEQUENCE = Looks()
NONE = Looks(method="none")
SPENDING = Looks(method="alpha_spending", planned=8)


def test_false_alarms_over_eight_looks_stay_below_five_per_cent() -> None:
    rng = np.random.default_rng(11)
    looks = np.arange(1, 9) * 25.0
    sums = rng.normal(size=(4000, 8)) * 5.0
    error = 1 / np.sqrt(looks)
    means = np.cumsum(sums, axis=1) / looks
    naive = (np.abs(means / error) > 1.96).any(axis=1).mean()
    limits = np.array([mixture_multiplier(float(e)) for e in error])
    sequence = (np.abs(means / error) > limits).any(axis=1).mean()
    spending = (np.abs(means / error) > 2.734).any(axis=1).mean()
    assert naive > 0.12  # what the interval over all looks is for
    assert sequence < 0.05 and spending < 0.05


def test_the_multiplier_is_least_near_the_error_it_is_tuned_for() -> None:
    at = {error: mixture_multiplier(error) for error in (0.05, 0.1, 0.2, 0.4, 0.8)}
    assert min(at.values()) == at[0.2]
    assert at[0.2] == pytest.approx(3.035, abs=0.001)


@pytest.mark.parametrize("scale", [0.1, 5.0])
def test_differences_are_tuned_on_their_own_scale(scale: float) -> None:
    assert mixture_multiplier(0.2 * scale, scale=scale) == pytest.approx(mixture_multiplier(0.2))


def test_alpha_spending_shares_alpha_over_the_planned_looks() -> None:
    assert verdict_level(0.3, SPENDING) == pytest.approx(1 - 0.05 / 8)
    low, high = verdict_interval(1.0, 0.1, 0.82, 1.22, looks=SPENDING)
    assert high == pytest.approx(math.exp(2.734 * 0.1), abs=1e-3)
    assert low == pytest.approx(1 / (high or 1))


def test_no_correction_gives_the_ordinary_interval() -> None:
    assert verdict_interval(0.7, 0.1, 0.58, 0.85, looks=NONE) == (0.58, 0.85)


def test_a_t_reference_is_kept() -> None:
    normal = verdict_interval(0.7, 0.2, *wald_bounds(0.7, 0.2, is_ratio=True, level=0.95), looks=SEQUENCE)
    t = verdict_interval(0.7, 0.2, *wald_bounds(0.7, 0.2, is_ratio=True, level=0.95, df=9), looks=SEQUENCE, df=9)
    assert (t[0] or 0) < (normal[0] or 0) < (normal[1] or 0) < (t[1] or 0)


def test_other_intervals_are_asked_again_at_a_wider_level() -> None:
    asked: list[float] = []

    def refit(level: float) -> tuple[float | None, float | None]:
        asked.append(level)
        return 0.2, 1.4

    assert verdict_interval(0.6, None, 0.4, 0.9, looks=SEQUENCE, refit=refit) == (0.2, 1.4)
    assert asked[0] > 0.95


def test_a_bound_stays_a_bound() -> None:
    assert verdict_interval(0.0, None, None, 0.3, looks=SEQUENCE, refit=lambda level: (None, 0.5)) == (None, 0.5)
    assert verdict_interval(None, None, None, None, looks=SEQUENCE) == (None, None)


def test_never_inside_the_ordinary_interval() -> None:
    assert verdict_interval(0.6, None, 0.4, 0.9, looks=SEQUENCE, refit=lambda level: (0.5, 0.8)) == (0.4, 0.9)


# -- spending and the budget -------------------------------------------------------------------------------------------

FLEMING = Looks(method="alpha_spending", planned=8, first="2025-Q1", spending="obrien_fleming")
EQUAL = Looks(method="alpha_spending", planned=8, first="2025-Q1")


@pytest.mark.parametrize("plan", [EQUAL, FLEMING])
def test_a_schedule_spends_all_of_alpha_and_no_more(plan: Looks) -> None:
    spent = [1 - verdict_level(0.2, plan, look=look) for look in range(1, 9)]
    assert sum(spent) == pytest.approx(0.05, abs=1e-7)
    assert all(later >= sooner - 1e-12 for sooner, later in itertools.pairwise(spent))
    after = 1 - verdict_level(0.2, plan, look=9)
    assert after < 1e-8  # nothing is left, and the interval is still an interval
    low, high = verdict_interval(0.5, 0.1, 0.41, 0.61, looks=plan, look=9)
    assert (low or 0) < 0.3 and (high or 0) > 0.85


def test_the_first_look_of_obrien_and_fleming_is_strict_and_the_last_one_mild() -> None:
    first, last = (verdict_level(0.2, FLEMING, look=look) for look in (1, 8))
    assert first > 0.9999999 and last < 0.99
    assert verdict_level(0.2, EQUAL, look=1) == verdict_level(0.2, SPENDING) == pytest.approx(1 - 0.05 / 8)


@pytest.mark.parametrize(("quarter", "number"), [("2025-Q1", 1), ("2026-Q3", 7), ("2027-Q1", 9), ("2024-Q2", 1)])
def test_looks_are_counted_from_the_first(quarter: str, number: int) -> None:
    assert look_number(EQUAL, quarter) == number
    assert look_number(SPENDING, quarter) is None


def test_the_look_reaches_the_verdict_of_a_row() -> None:
    rows = []
    for quarter in (Quarter(2025, 1), Quarter(2026, 4)):
        plan = plan_for("before_after", cluster="family_id", looks=FLEMING.model_dump())
        data = replace(families(plan, n_treated=60, n_comparison=60), quarter=quarter)
        design = design_for(data.plan)
        rows.append(only(design.estimate(data, design.compare(data), scope="verdict"), analysis="primary"))
    early, late = rows
    assert (early.conf_high, early.estimate) == (late.conf_high, late.estimate)
    assert (early.verdict_high or 0) > 1 > (late.verdict_high or 9)


@pytest.mark.parametrize(("k", "published"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193)])
def test_false_alarms_of_repeated_tests_as_published(k: int, published: float) -> None:
    """Armitage, McPherson & Rowe (1969), table 2: 5 % tests at k equally spaced looks."""
    assert false_alarm_probability([1.959964] * k, range(1, k + 1)) == pytest.approx(published, abs=0.0006)


def test_pococks_boundary_spends_exactly_five_per_cent() -> None:
    assert false_alarm_probability([2.413] * 5, range(1, 6)) == pytest.approx(0.05, abs=0.0003)


def test_what_a_sequence_has_spent_is_what_a_simulation_finds() -> None:
    rng = np.random.default_rng(7)
    shares = np.arange(1, 9) / 8
    error = 0.15 / np.sqrt(shares)
    walk = np.cumsum(rng.normal(size=(40_000, 8)) / np.sqrt(8), axis=1) / np.sqrt(shares)
    limits = np.array([mixture_multiplier(float(each)) for each in error])
    found = (np.abs(walk) > limits).any(axis=1).mean() / 0.05
    assert budget(SEQUENCE, 8, std_error=0.15).spent == pytest.approx(found, abs=0.03)


def test_the_budget_only_grows_and_a_sequence_never_runs_out() -> None:
    for plan in (SEQUENCE, EQUAL, FLEMING):
        spent = [budget(plan, look, std_error=1 / math.sqrt(4 * look)).spent or 0.0 for look in range(1, 9)]
        assert all(later >= sooner for sooner, later in itertools.pairwise(spent))
    assert (budget(SEQUENCE, 80, std_error=0.05).spent or 9) < 1
    assert budget(EQUAL, 8).spent == 1.0 and not budget(EQUAL, 8).is_over and budget(EQUAL, 9).is_over
    assert budget(SEQUENCE, None).spent is None and budget(NONE, 2).is_over


# -- eight looks, with the estimates that the designs use --------------------------------------------------------------

_SPEC = importlib.util.spec_from_file_location("looks_benchmark", Path(__file__).parents[1] / "benchmarks" / "looks.py")
assert _SPEC is not None and _SPEC.loader is not None
BENCHMARK = importlib.util.module_from_spec(_SPEC)
sys.modules["looks_benchmark"] = BENCHMARK
_SPEC.loader.exec_module(BENCHMARK)
PROGRAMMES = 2000


@pytest.mark.parametrize(
    "name",
    [
        "risk 0.30, 40 per arm",
        "risk 0.01, 250 per arm (rare)",
        "risk 0.05, 1,000 per arm",
        "rate 1.0 a year, persons differ, 40 per arm",
        "before-after, 20 families per arm",
        "before-after, 40 families per arm, few events",
    ],
)
def test_of_programmes_without_effect_at_most_five_per_cent_are_ever_called_anything(name: str) -> None:
    found = BENCHMARK.ever_called(BENCHMARK.NOTHING[name], PROGRAMMES)
    for scheme, (fewer, either) in found.items():
        if scheme != "ordinary 95 %":
            assert fewer <= 0.03 and either <= 0.05, scheme


def test_the_ordinary_interval_would_call_one_in_six_something() -> None:
    found = BENCHMARK.ever_called(BENCHMARK.NOTHING["risk 0.30, 1,000 per arm"], PROGRAMMES)
    assert found["ordinary 95 %"][1] > 0.12


def test_the_benchmark_estimates_as_the_design_does() -> None:
    """The shortcut of the simulation against the estimator itself, at its last look."""
    rng = np.random.default_rng(3)
    seen = list(BENCHMARK.families(30, 4.0, 0.3)(rng, 3))[-1]
    rng = np.random.default_rng(3)
    arms = []
    for side in (1.0, 1.0):
        own = rng.gamma(1.0, 4.0, (3, 30))
        change = np.exp(rng.normal(0.0, 0.3, (3, 30)))
        arms.append((rng.poisson(own).astype(float), rng.poisson(0.8 * side * own * change).astype(float)))
    for programme in range(3):
        before, after = (np.r_[arms[0][k][programme], arms[1][k][programme]] for k in (0, 1))
        found = difference_in_change(before, after, np.ones(60), np.ones(60), np.repeat([1.0, 0.0], 30))
        assert math.log(found.value or 0) / (found.std_error or 1) == pytest.approx(seen.distance[programme])
        assert found.df == pytest.approx(seen.df[programme])


def test_the_committed_page_keeps_the_promise() -> None:
    page = (Path(__file__).parents[1] / "benchmarks" / "looks.md").read_text(encoding="utf-8")
    rows = [line.split("|")[2:-1] for line in page.splitlines() if " / " in line and line.startswith("| ")]
    assert len(rows) == len(BENCHMARK.NOTHING) and "20,000 programmes" in page
    for cells in rows:
        for cell in cells[1:]:
            assert all(float(figure) <= 5.0 for figure in cell.split("/"))
