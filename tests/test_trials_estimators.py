"""Pooling of trials against metafor, lm, mantelhaen.test and numerical integration, and at its edges."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from trial_frames import counts_of, golden, published

from effectmeter.estimators.base import Estimate, EstimationError, NoEventsError, SeparationError
from effectmeter.estimators.pooling import (
    asymmetry,
    excess_of_significance,
    heterogeneity,
    pool,
    tau2_dl,
    tau2_pmm,
    tau2_reml,
    weights,
)
from effectmeter.estimators.pooling_counts import (
    TrialCounts,
    collapsed,
    from_counts,
    informative,
    mantel_haenszel,
)
from effectmeter.estimators.pooling_exact import binomial_normal, exact_bound
from effectmeter.estimators.small_samples import score_risk_ratio
from effectmeter.gates.trials import demotes

GOLDEN = golden()
SETS = ("scared", "cbt", "sparse")
MEASURES = {"OR": "odds_ratio", "RR": "risk_ratio", "RD": "risk_difference"}
CASES = [(name, short) for name in SETS for short in MEASURES]


def estimates(name: str, short: str) -> tuple[np.ndarray, np.ndarray]:
    counts = counts_of(published(name))
    return from_counts(counts.only(informative(counts, MEASURES[short])), MEASURES[short])


def is_near(estimate: Estimate, wanted: dict[str, float], *, is_log: bool, rel: float = 1e-7) -> None:
    shown = math.exp if is_log else float
    assert estimate.value == pytest.approx(shown(wanted["estimate"]), rel=rel)
    assert estimate.low == pytest.approx(shown(wanted["low"]), rel=rel)
    assert estimate.high == pytest.approx(shown(wanted["high"]), rel=rel)
    if "std_error" in wanted:
        assert estimate.std_error == pytest.approx(wanted["std_error"], rel=rel)
    if "p_value" in wanted:
        assert estimate.p_value == pytest.approx(wanted["p_value"], rel=max(rel, 1e-6))


# -- against R ---------------------------------------------------------------------------------------------------------


def test_excess_of_significance_is_a_sum_of_unequal_coins() -> None:
    """By hand: three trials whose chances are known, and every way in which two or more of them are significant."""
    v = np.array([0.04, 0.09, 0.25])
    y = -2.0 * np.sqrt(v)
    found = excess_of_significance(y, v)
    mean, tau2 = float((y / v).sum() / (1 / v).sum()), tau2_reml(y, v)
    p = [NormalDist(mean, math.sqrt(each + tau2)).cdf(-1.6448536 * math.sqrt(each)) for each in v]
    assert found.observed == 3 and found.expected == pytest.approx(sum(p), rel=1e-6)
    assert found.p_value == pytest.approx(p[0] * p[1] * p[2], rel=1e-6)
    assert excess_of_significance(-y, v, favours_lower=False) == found
    assert excess_of_significance(-y, v).observed == 0 and excess_of_significance(-y, v).p_value == 1.0


def test_excess_of_significance_seldom_cries_wolf_where_trials_differ() -> None:
    rng, cried = np.random.default_rng(31), 0
    for _ in range(100):
        v = np.exp(rng.normal(np.log(0.16), 0.5, 20))
        cried += excess_of_significance(rng.normal(-0.2, np.sqrt(v + 0.09)), v).p_value < 0.05
    assert cried <= 11  # 5 % and three Monte-Carlo errors


@pytest.mark.parametrize(("name", "short"), CASES)
def test_a_trials_own_estimate_is_metafors(name: str, short: str) -> None:
    y, v = estimates(name, short)
    wanted = GOLDEN[f"{name}_{short}"]
    for number in range(3):
        assert y[number] == pytest.approx(wanted[f"y{number + 1}"], rel=1e-12)
        assert v[number] == pytest.approx(wanted[f"v{number + 1}"], rel=1e-12)


@pytest.mark.parametrize("method", ["reml_hk", "reml_wald", "dl_wald", "pmm_hk"])
@pytest.mark.parametrize(("name", "short"), CASES)
def test_mean_and_prediction_are_metafors(name: str, short: str, method: str) -> None:
    y, v = estimates(name, short)
    wanted = GOLDEN[f"{name}_{short}_{method}"]
    is_log = short != "RD"
    found = pool(y, v, method=method, is_log=is_log)  # type: ignore[arg-type]
    is_near(found, wanted, is_log=is_log)
    assert found.estimator == method
    next_one = pool(y, v, method=method, what="prediction", is_log=is_log)  # type: ignore[arg-type]
    limits = {"estimate": wanted["estimate"], "low": wanted["predict_low"], "high": wanted["predict_high"]}
    is_near(next_one, limits, is_log=is_log)
    assert next_one.variance == "prediction" and next_one.p_value is None
    tau2 = {"dl_wald": tau2_dl, "pmm_hk": tau2_pmm}.get(method, tau2_reml)(y, v)
    assert tau2 == pytest.approx(GOLDEN[f"{name}_{short}_{method}"]["tau2"], rel=1e-6, abs=1e-10)


@pytest.mark.parametrize(("name", "short"), CASES)
def test_heterogeneity_is_metafors(name: str, short: str) -> None:
    found, wanted = heterogeneity(*estimates(name, short)), GOLDEN[f"{name}_{short}"]
    assert found.q == pytest.approx(wanted["q"], rel=1e-9)
    assert found.p_value == pytest.approx(wanted["q_p"], rel=1e-7)
    assert found.tau2_low == pytest.approx(wanted["tau2_low"], rel=1e-5, abs=1e-8)
    assert found.tau2_high == pytest.approx(wanted["tau2_high"], rel=1e-5)
    assert found.i2 == pytest.approx(max(0.0, 1 - (found.n_trials - 1) / found.q))


@pytest.mark.parametrize(("name", "short"), CASES)
def test_mantel_haenszel_is_metafors_and_adds_nothing_to_empty_cells(name: str, short: str) -> None:
    found = mantel_haenszel(counts_of(published(name)), MEASURES[short])
    is_near(found, GOLDEN[f"{name}_{short}_mh"], is_log=short != "RD", rel=1e-9)


def test_mantel_haenszel_is_that_of_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    counts = counts_of(published("scared"))
    tables = np.stack(counts.cells).reshape(2, 2, -1)
    theirs = StratifiedTable(tables)
    ours = mantel_haenszel(counts, "odds_ratio")
    assert ours.value == pytest.approx(theirs.oddsratio_pooled, rel=1e-12)
    assert ours.std_error == pytest.approx(theirs.logodds_pooled_se, rel=1e-12)


@pytest.mark.parametrize(("name", "short"), CASES)
def test_tests_of_asymmetry_are_those_of_lm(name: str, short: str) -> None:
    y, v = estimates(name, short)
    counts = counts_of(published(name))
    counts = counts.only(informative(counts, MEASURES[short]))
    both = [("egger", asymmetry(y, v))]
    if short != "RD":
        both.append(("peters", asymmetry(y, v, events=counts.events, n=counts.n)))
    for test, found in both:
        wanted = GOLDEN[f"{name}_{short}_{test}"]
        assert found.test == test
        assert found.slope == pytest.approx(wanted["slope"], rel=1e-8)
        assert found.std_error == pytest.approx(wanted["std_error"], rel=1e-8)
        assert found.p_value == pytest.approx(wanted["p_value"], rel=1e-7)


@pytest.mark.parametrize("name", ["scared", "sparse"])
@pytest.mark.parametrize("short", ["OR", "RR"])
def test_the_likelihood_of_counts_is_that_of_numerical_integration(name: str, short: str) -> None:
    found = binomial_normal(counts_of(published(name)), MEASURES[short])
    is_near(found, GOLDEN[f"{name}_{short}_exact"], is_log=True, rel=2e-5)
    assert (found.estimator, found.variance, found.std_error) == ("binomial_normal", "profile", None)


def test_the_likelihood_of_counts_is_metafors_conditional_model() -> None:
    found = binomial_normal(counts_of(published("scared")))
    assert math.log(found.value or 0) == pytest.approx(GOLDEN["scared_OR_cmel"]["estimate"], abs=1e-6)


def test_the_exact_common_odds_ratio_is_that_of_mantelhaen_test() -> None:
    wanted = GOLDEN["scared_exact_common"]
    found = exact_bound(counts_of(published("scared")))
    assert found.low == pytest.approx(wanted["low"], rel=1e-4) and found.high == pytest.approx(wanted["high"], rel=1e-4)
    assert found.value == pytest.approx(wanted["estimate"], rel=1e-4)


# -- the guard, and the library trap -----------------------------------------------------------------------------------


def test_hartung_knapp_is_never_narrower_than_wald() -> None:
    """Four trials that agree to the second decimal: the plain interval is 15 times narrower than chance allows."""
    y, v = np.array([-0.31, -0.30, -0.29, -0.30]), np.full(4, 0.04)
    found, following = pool(y, v), pool(y, v, what="prediction")
    is_near(found, GOLDEN["agree_adhoc"], is_log=True)
    assert found.variance == "hartung_knapp" and found.df == 3.0
    assert (following.low, following.high) == pytest.approx((found.low, found.high))
    assert GOLDEN["agree_knha"]["high"] < GOLDEN["agree_z"]["high"] < GOLDEN["agree_adhoc"]["high"]
    same = pool(np.full(5, -0.3), np.full(5, 0.04))
    assert same.std_error == pytest.approx(math.sqrt(0.04 / 5))


def test_hartung_knapp_stays_as_published_where_trials_are_seen_to_differ() -> None:
    """A spread was found, and the squares are a little below it: no correction, as in every other program."""
    y, v = np.array([-0.7, 0.1, 0.0, -0.4, 0.0]), np.array([0.09, 0.09, 0.16, 0.25, 0.01])
    tau2 = tau2_reml(y, v)
    weight = 1.0 / (v + tau2)
    mean = weight @ y / weight.sum()
    own = math.sqrt(float(weight @ (y - mean) ** 2) / (4 * float(weight.sum())))
    assert tau2 > 0 and own < 1.0 / math.sqrt(float(weight.sum()))
    assert pool(y, v).std_error == pytest.approx(own, rel=1e-12)


def test_three_trials_have_a_t_of_two() -> None:
    y, v = np.array([-0.5, 0.1, -0.2]), np.array([0.03, 0.05, 0.02])
    is_near(pool(y, v), GOLDEN["three_knha"], is_log=True)
    prediction = pool(y, v, what="prediction")
    assert prediction.low == pytest.approx(math.exp(GOLDEN["three_knha"]["predict_low"]), rel=1e-7)
    assert prediction.high == pytest.approx(math.exp(GOLDEN["three_knha"]["predict_high"]), rel=1e-7)


def test_prediction_without_differences_is_the_interval_of_the_mean() -> None:
    """The reason for t(k - 1) and not t(k - 2)."""
    y, v = np.array([-0.5, 0.1, -0.2, 0.3]), np.array([0.3, 0.5, 0.2, 0.6])
    assert tau2_reml(y, v) == 0.0
    for method in ("reml_hk", "reml_wald"):
        mean, prediction = (pool(y, v, method=method, what=what) for what in ("mean", "prediction"))  # type: ignore[arg-type]
        assert (mean.low, mean.high) == (prediction.low, prediction.high)


def test_statsmodels_lets_the_variance_between_trials_be_negative_and_we_do_not() -> None:
    """The trap that is stepped around: its `combine_effects` does not cut tau2 at 0."""
    from statsmodels.stats.meta_analysis import combine_effects

    y, v = np.array([-0.3, -0.1, -0.2, -0.25]), np.full(4, 0.2)
    theirs = combine_effects(y, v, method_re="dl")
    assert theirs.tau2 < 0
    assert tau2_dl(y, v) == 0.0
    ours = pool(y, v, method="dl_wald")
    assert ours.std_error == pytest.approx(math.sqrt(0.2 / 4))
    assert theirs.sd_eff_w_re < (ours.std_error or 0)  # too narrow
    differ = np.array([-0.9, 0.1, 0.6, -0.25])
    assert tau2_dl(differ, v / 10) == pytest.approx(combine_effects(differ, v / 10, method_re="dl").tau2)


# -- edges -------------------------------------------------------------------------------------------------------------


def swapped(counts: TrialCounts) -> TrialCounts:
    return TrialCounts(
        events_treated=counts.events_comparison,
        n_treated=counts.n_comparison,
        events_comparison=counts.events_treated,
        n_comparison=counts.n_treated,
    )


@pytest.mark.parametrize("name", SETS)
def test_swapped_arms_invert_every_ratio(name: str) -> None:
    counts = counts_of(published(name))
    for measure in ("odds_ratio", "risk_ratio"):
        used = informative(counts, measure)
        for method in ("reml_hk", "reml_wald", "dl_wald"):
            one, other = (pool(*from_counts(c.only(used), measure), method=method) for c in (counts, swapped(counts)))  # type: ignore[arg-type]
            assert one.value == pytest.approx(1 / (other.value or 0), rel=1e-12)
            assert one.low == pytest.approx(1 / (other.high or 0), rel=1e-12)
        for way in (mantel_haenszel, collapsed):
            one, other = way(counts, measure), way(swapped(counts), measure)
            assert one.value == pytest.approx(1 / (other.value or 0), rel=1e-12)
            assert one.high == pytest.approx(1 / (other.low or 0), rel=1e-12)
        if name != "cbt":
            one, other = binomial_normal(counts, measure), binomial_normal(swapped(counts), measure)
            assert one.value == pytest.approx(1 / (other.value or 0), rel=1e-5)
            assert one.low == pytest.approx(1 / (other.high or 0), rel=1e-5)
    one, other = (mantel_haenszel(c, "risk_difference") for c in (counts, swapped(counts)))
    assert one.value == pytest.approx(-(other.value or 0), rel=1e-12)
    assert one.low == pytest.approx(-(other.high or 0), rel=1e-12)


def test_events_counted_as_non_events_invert_the_odds_ratio() -> None:
    """The sign trap of the published set: its paper counts those who did not reoffend."""
    counts = counts_of(published("cbt"))
    mirrored = replace(
        counts,
        events_treated=counts.n_treated - counts.events_treated,
        events_comparison=counts.n_comparison - counts.events_comparison,
    )
    one, other = (pool(*from_counts(c, "odds_ratio"), method="reml_wald") for c in (counts, mirrored))
    assert one.value == pytest.approx(1 / 1.52592, rel=1e-5)
    assert other.value == pytest.approx(1.52592, rel=1e-5)


def few(events_treated: list[float], events_comparison: list[float]) -> TrialCounts:
    k = len(events_treated)
    return TrialCounts(
        events_treated=np.array(events_treated, dtype=float),
        n_treated=np.array([30.0, 25.0, 41.0][:k]),
        events_comparison=np.array(events_comparison, dtype=float),
        n_comparison=np.array([31.0, 24.0, 40.0][:k]),
    )


def test_an_arm_without_events_has_a_bound() -> None:
    for counts in (few([0, 0, 0], [2, 3, 1]), swapped(few([0, 0, 0], [2, 3, 1]))):
        found = binomial_normal(counts)
        assert found.estimator == "exact_conditional" and found.variance == "exact"
    found = binomial_normal(few([0, 0, 0], [2, 3, 1]))
    assert found.value == 0.0 and found.low is None
    assert found.high == pytest.approx(GOLDEN["bound_exact_common"]["high"], rel=1e-4)
    other = binomial_normal(swapped(few([0, 0, 0], [2, 3, 1])))
    assert other.value is None and other.high is None
    assert other.low == pytest.approx(1 / (found.high or 0), rel=1e-6)
    ratio = binomial_normal(few([0, 0, 0], [2, 3, 1]), "risk_ratio")
    assert 0 < (ratio.high or 0) < 1


def test_the_bound_of_one_trials_risk_ratio_is_that_of_a_binomial() -> None:
    """None of six events among 30 of 61: p <= 1 - 0.025^(1/6), and the bound is wider than the score one."""
    found = exact_bound(few([0], [6]), "risk_ratio")
    share = 1 - 0.025 ** (1 / 6)
    assert found.high == pytest.approx(share / (1 - share) * 31 / 30, rel=1e-9)
    assert (found.high or 0) > (score_risk_ratio(0, 30, 6, 31).high or 0)


def test_no_events_is_a_reason_and_no_number() -> None:
    nothing = few([0, 0, 0], [0, 0, 0])
    for measure in ("odds_ratio", "risk_ratio"):
        for way in (mantel_haenszel, collapsed, binomial_normal, exact_bound):
            with pytest.raises(NoEventsError):
                way(nothing, measure)
    everybody = TrialCounts(
        events_treated=np.array([9.0, 12.0]),
        n_treated=np.array([9.0, 12.0]),
        events_comparison=np.array([8.0, 11.0]),
        n_comparison=np.array([8.0, 11.0]),
    )
    with pytest.raises(EstimationError):
        binomial_normal(everybody)
    with pytest.raises(SeparationError):
        mantel_haenszel(everybody, "odds_ratio")


def test_which_trials_speak_of_which_measure() -> None:
    counts = few([0, 25, 3], [0, 24, 2])
    assert informative(counts, "odds_ratio").tolist() == [False, False, True]
    assert informative(counts, "risk_ratio").tolist() == [False, True, True]
    assert informative(counts, "risk_difference").all()


def test_a_constant_is_added_only_where_a_cell_is_empty() -> None:
    y, v = from_counts(few([0, 3, 4], [2, 5, 6]), "odds_ratio")
    assert y[0] == pytest.approx(math.log(0.5 * 29.5 / (30.5 * 2.5)))
    assert v[0] == pytest.approx(1 / 0.5 + 1 / 30.5 + 1 / 2.5 + 1 / 29.5)
    assert y[1] == pytest.approx(math.log(3 * 19 / (22 * 5)))


def test_what_cannot_be_pooled_says_so() -> None:
    with pytest.raises(EstimationError, match="fewer than two"):
        pool(np.array([0.1]), np.array([0.2]))
    with pytest.raises(EstimationError, match="above zero"):
        pool(np.array([0.1, 0.2]), np.array([0.2, 0.0]))
    with pytest.raises(EstimationError, match="equally large"):
        asymmetry(np.array([0.1, 0.2, 0.4]), np.full(3, 0.2))
    with pytest.raises(EstimationError, match="at least three"):
        asymmetry(np.array([0.1, 0.2]), np.array([0.2, 0.1]))
    with pytest.raises(EstimationError, match="whole"):
        binomial_normal(few([0.4, 1, 2], [1, 2, 3]))
    with pytest.raises(EstimationError, match="give no"):
        from_counts(few([1, 1, 2], [1, 2, 3]), "rate_ratio")


def test_weights_add_up_and_favour_large_trials_less_where_trials_differ() -> None:
    y, v = estimates("cbt", "OR")
    reml, fixed = weights(y, v, method="reml_hk"), weights(y, v, method="mantel_haenszel")
    assert reml.sum() == pytest.approx(1) and fixed.sum() == pytest.approx(1)
    assert reml.max() < fixed.max() / 3


def test_the_intervals_cover_what_was_planted() -> None:
    """Ten trials, tau 0.6: the mean, and the prediction where it is the headline (benchmarks/trials_coverage.md)."""
    rng = np.random.default_rng(5)
    covered, held = [], []
    for _ in range(300):
        truth = rng.normal(-0.3, 0.6, 11)
        v = rng.uniform(0.02, 0.2, 10)
        y = rng.normal(truth[:10], np.sqrt(v))
        mean, prediction = pool(y, v), pool(y, v, what="prediction")
        covered.append((mean.low or 0) <= math.exp(-0.3) <= (mean.high or 0))
        if demotes(heterogeneity(y, v), is_ratio=True):
            held.append((prediction.low or 0) <= math.exp(truth[10]) <= (prediction.high or 0))
    assert np.mean(covered) > 0.92 and len(held) > 200 and np.mean(held) > 0.92
