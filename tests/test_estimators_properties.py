"""What must hold of every estimator whatever the data: symmetry, invariance, and honest refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effectmeter.estimators import glm
from effectmeter.estimators.balance import (
    balance_table,
    effective_sample_size,
    preference_score,
    smd,
)
from effectmeter.estimators.base import (
    EmptyArmError,
    Estimate,
    EstimationError,
    FloatArray,
    SeparationError,
    Weights,
)
from effectmeter.estimators.before_after import change, difference_in_change
from effectmeter.estimators.before_after_few import difference_in_change_bayes, difference_in_change_permutation
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.estimators.hazard import hazard_ratio
from effectmeter.estimators.incidence import cumulative_incidence
from effectmeter.estimators.penalised import penalised_profile
from effectmeter.estimators.rate import rate_contrast, raw_rate_contrast
from effectmeter.estimators.risk import raw_risk_contrast, risk_contrast
from effectmeter.estimators.small_samples import (
    bayesian_interval,
    effective_counts,
    exact_rate_ratio,
    few_events,
    quasi_score_rate_ratio,
    score_risk_difference,
    score_risk_ratio,
)
from effectmeter.estimators.value import mean_difference
from effectmeter.estimators.weighting import fit_weights
from effectmeter.plan import CovariateSpec, Missing

World = dict[str, FloatArray]


def world(seed: int = 7, n: int = 240) -> World:
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(17.0, 2.0, n), rng.poisson(1.5, n).astype(float)
    t = rng.binomial(1, 1 / (1 + np.exp(0.4 - 0.3 * x2 + 0.1 * (x1 - 17)))).astype(float)
    y = rng.binomial(1, 1 / (1 + np.exp(0.8 + 0.4 * t - 0.3 * x2))).astype(float)
    years = rng.uniform(0.3, 1.0, n)
    counts = rng.poisson(years * np.exp(-0.2 - 0.4 * t + 0.2 * x2)).astype(float)
    fate, end = np.ceil(rng.exponential(300 * np.exp(0.3 * t - 0.2 * x2))), rng.integers(200, 365, n)
    return {
        "X": np.column_stack([x1, x2]), "t": t, "y": y, "years": years, "counts": counts,
        "days": np.minimum(fate, end), "event": (fate <= end).astype(float), "value": 3 + t + x2 + rng.normal(size=n),
        "cluster": rng.integers(0, 20, n).astype(float),
    }  # fmt: skip


WEIGHTING = [
    (None, "ate"),
    (None, "att"),
    ("entropy_balance", "att"),
    ("entropy_balance", "ate"),
    ("overlap", "ato"),
    ("inverse_probability", "att"),
    ("inverse_probability", "ate"),
    ("match", "att"),
]
SYMMETRIC = [pair for pair in WEIGHTING if pair[1] in {"ate", "ato"}]


def all_ratios(w: World, method: str | None, estimand: str, variance: str = "hc3") -> list[Estimate]:
    weights = None if method is None else fit_weights(w["X"], w["t"], method=method, estimand=estimand)
    return [
        risk_contrast(w["y"], w["t"], w["X"], weights=weights, estimand=estimand, variance=variance).ratio,
        rate_contrast(
            w["counts"], w["years"], w["t"], w["X"], weights=weights, estimand=estimand, variance=variance
        ).ratio,
        hazard_ratio(w["days"], w["event"], w["t"], w["X"], weights=weights, variance="hc0"),
    ]  # fmt: skip


def rearranged(w: World, rows: FloatArray) -> World:
    return {name: values[rows.astype(int)] for name, values in w.items()}


@pytest.mark.parametrize(("method", "estimand"), SYMMETRIC)
def test_swapping_arms_inverts_ratios(method: str | None, estimand: str) -> None:
    w = world()
    for one, other in zip(
        all_ratios(w, method, estimand), all_ratios({**w, "t": 1 - w["t"]}, method, estimand), strict=True
    ):
        assert one.value == pytest.approx(1 / other.value, rel=1e-8)  # type: ignore[operator]
        assert one.low == pytest.approx(1 / other.high, rel=1e-7)  # type: ignore[operator]


def test_swapping_arms_does_not_invert_att() -> None:
    w = world()
    one = all_ratios(w, "entropy_balance", "att")[0]
    other = all_ratios({**w, "t": 1 - w["t"]}, "entropy_balance", "att")[0]
    assert abs(one.value * other.value - 1) > 1e-3  # type: ignore[operator]


@pytest.mark.parametrize(("method", "estimand"), WEIGHTING)
def test_row_order_duplicates_and_covariate_scale_do_not_matter(method: str | None, estimand: str) -> None:
    w = world()
    before = all_ratios(w, method, estimand)
    order = np.random.default_rng(1).permutation(len(w["t"])).astype(float)
    shuffled = all_ratios(rearranged(w, order), method, estimand)
    scaled = all_ratios({**w, "X": w["X"] * [1000.0, 0.01] + [5.0, -3.0]}, method, estimand)
    for one, two, three in zip(before, shuffled, scaled, strict=True):
        for other in (two, three):
            assert one.value == pytest.approx(other.value, rel=1e-8)
            assert one.std_error == pytest.approx(other.std_error, rel=1e-6)
    if method != "match":  # doubling changes who is a nearest neighbour's tie, and Efron's ties
        twice = all_ratios(rearranged(w, np.tile(np.arange(len(w["t"])), 2).astype(float)), method, estimand)
        for one, two in list(zip(before, twice, strict=True))[:2]:
            assert one.value == pytest.approx(two.value, rel=1e-8)


def test_rescaling_time_leaves_ratios() -> None:
    w = world()
    days = rate_contrast(w["counts"], w["years"] * 365.25, w["t"], w["X"])
    years = rate_contrast(w["counts"], w["years"], w["t"], w["X"])
    assert days.ratio.value == pytest.approx(years.ratio.value, rel=1e-10)
    assert days.ratio.std_error == pytest.approx(years.ratio.std_error, rel=1e-8)
    assert days.difference.value == pytest.approx(years.difference.value / 365.25, rel=1e-8)  # type: ignore[operator]
    one = hazard_ratio(w["days"], w["event"], w["t"], w["X"])
    assert one.value == pytest.approx(hazard_ratio(w["days"] / 7, w["event"], w["t"], w["X"]).value, rel=1e-10)
    for function in (quasi_score_rate_ratio,):
        a, b = (function(w["counts"], w["years"] * c, w["t"]) for c in (1.0, 365.25))
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-10)


def test_without_covariates_adjusted_equals_raw() -> None:
    w = world()
    none = np.empty((len(w["t"]), 0))
    for variance in ("hc0", "hc3", "cr1", "cr3"):
        raw = raw_risk_contrast(w["y"], w["t"], cluster=w["cluster"], variance=variance)
        adjusted = risk_contrast(w["y"], w["t"], none, cluster=w["cluster"], variance=variance)
        assert raw.ratio.value == pytest.approx(w["y"][w["t"] == 1].mean() / w["y"][w["t"] == 0].mean(), rel=1e-12)
        assert (raw.ratio.value, raw.ratio.low) == (adjusted.ratio.value, adjusted.ratio.low)
        assert (raw.ratio.estimator, adjusted.ratio.estimator) == ("modified_poisson", "g_computation")
    rate = raw_rate_contrast(w["counts"], w["years"], w["t"])
    arm = w["t"] == 1
    assert rate.treated == pytest.approx(w["counts"][arm].sum() / w["years"][arm].sum(), rel=1e-12)


def test_influence_values_give_the_error() -> None:
    w = world()
    for weights, estimand in ((None, "ate"), (fit_weights(w["X"], w["t"], method="overlap", estimand="ato"), "ato")):
        for found in (
            risk_contrast(w["y"], w["t"], w["X"], weights=weights, estimand=estimand, variance="hc0"),
            rate_contrast(w["counts"], w["years"], w["t"], w["X"], weights=weights, estimand=estimand, variance="hc0"),
        ):
            assert found.influence is not None
            assert abs(found.influence.sum()) < 1e-9
            assert np.sqrt((found.influence**2).sum()) == pytest.approx(found.ratio.std_error, rel=1e-10)


def test_wider_level_holds_the_narrower_interval() -> None:
    w = world()
    makers: list[Callable[[float], Estimate]] = [
        lambda level: risk_contrast(w["y"], w["t"], w["X"], level=level).ratio,
        lambda level: rate_contrast(w["counts"], w["years"], w["t"], w["X"], level=level).difference,
        lambda level: hazard_ratio(w["days"], w["event"], w["t"], w["X"], level=level),
        lambda level: mean_difference(w["value"], w["t"], w["X"], level=level),
        lambda level: score_risk_ratio(3, 50, 9, 55, level=level),
        lambda level: score_risk_difference(3, 50, 9, 55, level=level),
        lambda level: quasi_score_rate_ratio(w["counts"], w["years"], w["t"], level=level),
        lambda level: exact_rate_ratio(3, 40.0, 9, 50.0, level=level),
        lambda level: penalised_profile(w["y"][:60], w["t"][:60], w["X"][:60], level=level),
    ]
    for make in makers:
        narrow, wide = make(0.95), make(0.99)
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high  # type: ignore[operator]
        assert wide.value == pytest.approx(narrow.value, rel=1e-12)


# ---- weights


@pytest.mark.parametrize("estimand", ["att", "ate"])
def test_entropy_balance_makes_means_equal(estimand: str) -> None:
    w = world()
    weights = fit_weights(w["X"], w["t"], method="entropy_balance", estimand=estimand)
    one, zero = w["t"] == 1, w["t"] == 0
    target = w["X"][one] if estimand == "att" else w["X"]
    for arm in (one, zero):
        assert np.average(w["X"][arm], axis=0, weights=weights.weight[arm]) == pytest.approx(
            target.mean(axis=0), rel=1e-10
        )
    if estimand == "att":
        assert (weights.weight[one] == 1.0).all()


def test_overlap_weights_balance_exactly() -> None:
    w = world()
    weights = fit_weights(w["X"], w["t"], method="overlap", estimand="ato")
    assert all(abs(row.smd_after) < 1e-10 for row in balance_table(w["X"], ["a", "b"], w["t"], weights.weight))


def test_weights_derivatives_are_those_of_the_weights() -> None:
    # Perturbing one person's weight in the data moves the weights as influence times gradient says: doubling person i.
    w = world(n=400)
    for method, estimand in (("entropy_balance", "att"), ("inverse_probability", "ate"), ("overlap", "ato")):
        found = fit_weights(w["X"], w["t"], method=method, estimand=estimand)
        assert found.parameter_influence is not None and found.weight_gradient is not None
        rows = np.r_[np.arange(400), 17]
        moved = fit_weights(w["X"][rows], w["t"][rows], method=method, estimand=estimand).weight[:400] - found.weight
        predicted = found.weight_gradient @ found.parameter_influence[17]
        assert np.corrcoef(moved, predicted)[0, 1] > 0.99
        assert np.abs(moved - predicted).max() < 0.1 * np.abs(moved).max()


def test_stacking_the_weights_narrows_overlap() -> None:
    w = world(n=600)
    weights = fit_weights(w["X"], w["t"], method="overlap", estimand="ato")
    fixed = Weights(weight=weights.weight, method="overlap", estimand="ate")
    none = np.empty((600, 0))
    stacked = risk_contrast(w["y"], w["t"], none, weights=weights, estimand="ato", variance="hc0").ratio.std_error
    ignored = risk_contrast(w["y"], w["t"], none, weights=fixed, estimand="ate", variance="hc0").ratio.std_error
    assert stacked < ignored  # type: ignore[operator]


def test_separated_arms_have_no_weights() -> None:
    t = np.repeat([1.0, 0.0], 50)
    X = np.column_stack([t + 0.0, np.random.default_rng(1).normal(size=100)])
    for method, estimand in (("entropy_balance", "att"), ("inverse_probability", "ate"), ("match", "att")):
        with pytest.raises(SeparationError):
            fit_weights(X, t, method=method, estimand=estimand)


def test_kind_found_only_in_the_comparison_arm_weighs_nothing() -> None:
    w = world()
    odd = np.zeros(len(w["t"]))
    odd[np.flatnonzero(w["t"] == 0)[:6]] = 1.0
    X = np.column_stack([w["X"], odd])
    for method in ("entropy_balance", "inverse_probability", "match"):
        weights = fit_weights(X, w["t"], method=method, estimand="att")
        assert weights.weight[odd == 1].max() < 1e-6
        assert risk_contrast(w["y"], w["t"], X, weights=weights, estimand="att").ratio.value
    with pytest.raises(SeparationError):
        fit_weights(X, 1 - w["t"], method="entropy_balance", estimand="att")


# ---- separation and empty arms


def test_rare_level_without_events_is_set_aside_not_fatal() -> None:
    w = world()
    odd = np.zeros(len(w["t"]))
    odd[np.flatnonzero(w["y"] == 0)[:8]] = 1.0
    found = risk_contrast(w["y"], w["t"], np.column_stack([w["X"], odd]))
    assert found.ratio.std_error is not None and 0.05 < found.ratio.std_error < 1.0
    fit = glm.fit_glm("binomial", w["y"], np.column_stack([np.ones(len(odd)), w["t"], odd]))
    assert not fit.free[odd == 1].any() and fit.free[odd == 0].all()
    alone = glm.fit_glm("binomial", w["y"][odd == 0], np.column_stack([np.ones(len(odd)), w["t"]])[odd == 0])
    assert fit.beta == pytest.approx(alone.beta, rel=1e-10)


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_large_designs_reach_the_same_maximum(family: glm.Family, monkeypatch: pytest.MonkeyPatch) -> None:
    w = world()
    y = {"binomial": w["y"], "poisson": w["counts"], "gaussian": w["value"]}[family]
    X = np.column_stack([np.ones(len(y)), w["t"], w["X"]])
    offset = np.log(w["years"]) if family == "poisson" else None
    small = glm.fit_glm(family, y, X, offset=offset, weight=w["years"])
    monkeypatch.setattr(glm, "LARGE", 0)
    large = glm.fit_glm(family, y, X, offset=offset, weight=w["years"])
    assert large.beta == pytest.approx(small.beta, rel=1e-10, abs=1e-12)


def test_arm_without_events_or_persons_is_refused() -> None:
    w = world()
    X, t = w["X"], w["t"]
    nobody = np.where(t == 1, 0.0, w["y"])
    for call in (
        lambda: risk_contrast(nobody, t, X),
        lambda: rate_contrast(nobody, w["years"], t, X),
        lambda: hazard_ratio(w["days"], nobody, t, X),
        lambda: risk_contrast(np.where(t == 1, 1.0, w["y"]), t, X),
    ):
        with pytest.raises(SeparationError):
            call()
    with pytest.raises(EmptyArmError):
        risk_contrast(w["y"], np.ones_like(t), X)
    with pytest.raises(EstimationError):
        score_risk_ratio(0, 40, 0, 50)
    with pytest.raises(EstimationError):
        exact_rate_ratio(0, 40, 0, 50)


def test_arm_that_blocks_determine_is_refused() -> None:
    w = world()
    for call in (
        lambda: hazard_ratio(w["days"], w["event"], w["t"], w["X"], strata=w["t"]),
        lambda: hazard_ratio(w["days"], w["event"], w["t"], w["X"][:, :0], strata=w["t"]),
        lambda: risk_contrast(w["y"], w["t"], w["X"], strata=w["t"]),
        lambda: rate_contrast(w["counts"], w["years"], w["t"], w["X"], strata=w["t"]),
        lambda: penalised_profile(w["y"], w["t"], w["X"], strata=w["t"]),
        lambda: hazard_ratio(w["days"], w["event"], w["t"], np.column_stack([w["X"], w["t"]])),
        lambda: mean_difference(w["value"], w["t"], np.column_stack([w["X"], 2 - 3 * w["t"]])),
    ):
        with pytest.raises(SeparationError):
            call()


def test_site_covariate_is_absorbed_by_site_strata() -> None:
    w = world()
    site = w["cluster"] % 4
    with_, without = (
        hazard_ratio(w["days"], w["event"], w["t"], X, strata=site)
        for X in (np.column_stack([w["X"], 0.1 * site]), w["X"])
    )
    assert with_.value == pytest.approx(without.value, rel=1e-9)
    assert with_.std_error == pytest.approx(without.std_error, rel=1e-9)


# ---- few events


def test_bounds_are_never_infinite() -> None:
    t = np.repeat([1.0, 0.0], 50)
    y = np.r_[np.zeros(50), np.ones(6), np.zeros(44)]
    X = np.random.default_rng(3).normal(size=(100, 1))
    makers: list[Callable[[FloatArray], Estimate]] = [
        lambda arm: score_risk_ratio(*effective_counts(y, arm)),
        lambda arm: quasi_score_rate_ratio(y, np.ones(100), arm),
        lambda arm: exact_rate_ratio(y[arm == 1].sum(), 50.0, y[arm == 0].sum(), 50.0),
        lambda arm: penalised_profile(y, arm, X),
        lambda arm: penalised_profile(y, arm, X, family="binomial"),
    ]
    for make in makers:
        none, all_ = make(t), make(1 - t)
        assert none.value == 0.0 and none.low is None and none.high is not None and 0.1 < none.high < 1.1
        assert all_.value is None and all_.high is None and all_.low is not None
        assert all_.low == pytest.approx(1 / none.high, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(5, 80), st.integers(5, 80), st.data())
def test_score_intervals_hold_their_value_and_swap(n1: int, n0: int, data: st.DataObject) -> None:
    x1, x0 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n0))
    if x1 + x0 == 0:
        return
    ratio, swapped = score_risk_ratio(x1, n1, x0, n0), score_risk_ratio(x0, n0, x1, n1)
    if ratio.low is not None and ratio.high is not None:
        assert ratio.low <= ratio.value + 1e-9 and ratio.value <= ratio.high + 1e-9  # type: ignore[operator]
    if ratio.low is not None and swapped.high is not None:
        assert ratio.low * swapped.high == pytest.approx(1.0, rel=1e-6)
    difference = score_risk_difference(x1, n1, x0, n0)
    assert -1.0 <= difference.low <= difference.value + 1e-9 <= difference.high + 2e-9 <= 1.0 + 2e-9  # type: ignore[operator]
    if 0 < x1 < n1 and 0 < x0 < n0:
        assert (difference.low > 0) == (ratio.low > 1.0)  # type: ignore[operator]


def test_score_interval_is_the_test_turned_around() -> None:
    for counts in ((48, 216, 66, 216), (2, 60, 9, 60)):
        found = score_risk_ratio(*counts)
        assert (found.p_value < 0.05) == (found.high < 1.0)  # type: ignore[operator]


def test_few_events() -> None:
    assert few_events(0, 100) and few_events(100, 0)
    assert not few_events(40, 60)
    assert few_events(38, 30, 40, 40) and not few_events(38, 30)


def test_quasi_score_widens_with_overdispersion_and_clusters() -> None:
    rng = np.random.default_rng(1)
    t = np.repeat([1.0, 0.0], 60)
    calm = rng.poisson(0.5, 120).astype(float)
    wild = calm * 0.0
    wild[::6] = calm.reshape(-1, 6).sum(axis=1)
    a, b = (quasi_score_rate_ratio(y, np.ones(120), t) for y in (calm, wild))
    assert a.value == b.value and b.high > a.high  # type: ignore[operator]
    together = quasi_score_rate_ratio(wild, np.ones(120), t, cluster=np.repeat(np.arange(20), 6))
    assert together.high < b.high  # type: ignore[operator]


def test_bayesian_interval_draws_towards_no_effect() -> None:
    w = world()
    plain = risk_contrast(w["y"], w["t"], w["X"]).ratio
    seen = bayesian_interval(plain)
    assert min(1.0, plain.value) < seen.value < max(1.0, plain.value)  # type: ignore[type-var]
    assert seen.std_error < plain.std_error  # type: ignore[operator]


# ---- before and after


def families(seed: int, ratio: float = 0.6) -> tuple[FloatArray, ...]:
    rng = np.random.default_rng(seed)
    t = np.repeat([1.0, 0.0], [19, 60])
    base = rng.gamma(1.0, 5.0, 79)
    before, after = rng.poisson(base), rng.poisson(base * 0.8 * np.where(t == 1, ratio, 1.0))
    return before.astype(float), after.astype(float), np.ones(79), np.ones(79), t


def test_change_is_the_ratio_of_rates_and_empty_families_do_not_matter() -> None:
    before, after, one, _, _ = families(1)
    found = change(before, after, one, one * 2)
    assert found.value == pytest.approx(after.sum() / before.sum() / 2, rel=1e-12)
    more = change(np.r_[before, 0, 0], np.r_[after, 0, 0], np.ones(81), np.full(81, 2.0))
    assert (found.value, found.low, found.df) == (more.value, more.low, more.df)
    with pytest.raises(SeparationError):
        change(before, after * 0, one, one)
    with pytest.raises(EstimationError):
        change(before * 0, after * 0, one, one)


def test_difference_in_change_is_a_ratio_of_ratios_and_members_add_up() -> None:
    before, after, one, _, t = families(2)
    found = difference_in_change(before, after, one, one, t)
    parts = [after[t == arm].sum() / before[t == arm].sum() for arm in (1, 0)]
    assert found.value == pytest.approx(parts[0] / parts[1], rel=1e-12)
    half = [np.repeat(values / 2, 2) for values in (before, after, one, one)]
    split = difference_in_change(*half, np.repeat(t, 2), cluster=np.repeat(np.arange(79), 2))
    assert (split.value, split.low, split.high) == pytest.approx((found.value, found.low, found.high), rel=1e-10)
    swapped = difference_in_change(before, after, one, one, 1 - t)
    assert swapped.low == pytest.approx(1 / found.high, rel=1e-10)  # type: ignore[operator]


def test_few_cluster_companions_agree_with_the_jackknife() -> None:
    data = families(3)
    jackknife = difference_in_change(*data)
    permutation = difference_in_change_permutation(*data, n_permutations=999)
    bayes = difference_in_change_bayes(*data)
    again = difference_in_change_permutation(*data, n_permutations=999)
    assert (permutation.low, permutation.high, permutation.p_value) == (again.low, again.high, again.p_value)
    assert permutation.value == jackknife.value
    for other in (permutation, bayes):
        assert np.log(other.low) == pytest.approx(np.log(jackknife.low), abs=0.35)  # type: ignore[arg-type]
        assert np.log(other.high) == pytest.approx(np.log(jackknife.high), abs=0.35)  # type: ignore[arg-type]
    assert (permutation.p_value < 0.05) == (not permutation.low <= 1 <= permutation.high)  # type: ignore[operator]


def test_bayes_swaps_and_vague_data_give_back_the_prior() -> None:
    before, after, one, _, t = families(4)
    found = difference_in_change_bayes(before, after, one, one, t)
    nothing = difference_in_change_bayes(
        np.array([1.0, 0, 1, 0]), np.array([0.0, 1, 0, 1]), np.ones(4), np.ones(4), np.array([1.0, 1, 0, 0])
    )
    assert nothing.value == pytest.approx(1.0, abs=0.02)
    assert 0.6 < nothing.std_error < 1.0  # type: ignore[operator]
    assert found.std_error < nothing.std_error  # type: ignore[operator]


# ---- balance and design matrix


def test_smd_of_numbers_and_shares() -> None:
    t = np.repeat([1.0, 0.0], 4)
    assert smd(np.array([1.0, 2, 3, 4, 2, 3, 4, 5]), t) == pytest.approx(-1 / np.std([1, 2, 3, 4], ddof=1))
    assert smd(np.array([1.0, 1, 1, 0, 1, 0, 0, 0]), t) == pytest.approx(0.5 / np.sqrt(0.75 * 0.25))
    assert smd(np.ones(8), t) == 0.0
    assert smd(t, t) == 2.0  # no spread within the arms: against the spread of both together


def test_second_order_balance_shows_what_means_hide() -> None:
    rng = np.random.default_rng(1)
    t = np.repeat([1.0, 0.0], 200)
    x = np.r_[rng.normal(0, 2, 200), rng.normal(0, 1, 200)]
    sex = rng.binomial(1, 0.5, 400).astype(float)
    weights = fit_weights(np.column_stack([x, sex]), t)
    rows = {
        row.term: row
        for row in balance_table(np.column_stack([x, sex]), ["x", "sex"], t, weights.weight, second_order=True)
    }
    assert set(rows) == {"x", "sex", "x^2", "x * sex"}
    assert abs(rows["x"].smd_after) < 1e-9 < 0.25 < abs(rows["x^2"].smd_after)


def test_preference_score_and_effective_sample_size() -> None:
    assert preference_score(np.array([0.2]), np.r_[1.0, 0, 0, 0, 0]) == pytest.approx(0.5)
    assert effective_sample_size(np.ones(7)) == 7
    assert effective_sample_size(np.array([1.0, 0, 0])) == 1
    assert effective_sample_size(np.zeros(3)) == 0


def test_design_matrix() -> None:
    persons = pl.DataFrame(
        {
            "age": [16.0, 18.0, None, 17.0],
            "sex": ["m", "f", "m", None],
            "site": ["a", "a", "a", "a"],
            "born": [2000.0, 1998.0, None, 1999.0],
        }
    )
    numeric, categorical = CovariateSpec(), CovariateSpec(type="categorical")
    plan = {"age": CovariateSpec(degree=2), "sex": categorical, "site": categorical, "born": numeric}
    found = build_design_matrix(persons, plan, Missing())
    assert found.terms[:3] == ("age", "age^2", "age missing")
    assert found.keep.all() and len(found.X) == 4
    assert any("born" in note for note in found.notes) and len(found.notes) == len(found.notes_nl)
    excluded = build_design_matrix(persons, {"age": numeric, "sex": categorical}, Missing(covariates="exclude"))
    assert excluded.keep.tolist() == [True, True, False, False]
    assert excluded.X.shape == (2, 1)  # two persons: sex repeats age
    nothing = build_design_matrix(persons, {}, Missing())
    assert nothing.X.shape == (4, 0) and nothing.terms == ()


def test_cumulative_incidence_with_everyone_gone() -> None:
    curve = cumulative_incidence(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0, 1.0]))
    assert curve.day.tolist() == [1, 2, 3]
    assert curve.incidence == pytest.approx([0.25, 0.5, 1.0])
    assert curve.n_at_risk.tolist() == [4, 3, 1] and curve.n_events.tolist() == [1, 1, 1]
    assert np.isnan(curve.low[-1])


def test_cox_is_fast_for_many_persons() -> None:
    rng = np.random.default_rng(1)
    n = 50_000
    X = rng.normal(size=(n, 10))
    t = rng.binomial(1, 0.4, n).astype(float)
    fate = np.ceil(rng.exponential(400 * np.exp(0.3 * t - 0.2 * X[:, 0])))
    found = hazard_ratio(np.minimum(fate, 365), (fate <= 365).astype(float), t, X, cluster=rng.integers(0, 500, n))
    assert np.log(found.value) == pytest.approx(-0.3, abs=4 * (found.std_error or 0))  # type: ignore[arg-type]
