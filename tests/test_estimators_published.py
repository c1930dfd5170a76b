"""Published numbers of real studies, and the traps in statsmodels that we go around."""

from __future__ import annotations

import math
import warnings
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.before_after import change
from effectmeter.estimators.hazard import fit_cox, hazard_ratio
from effectmeter.estimators.rate import rate_contrast
from effectmeter.estimators.risk import raw_risk_contrast
from effectmeter.estimators.sensitivity import e_value, e_value_of_limit, minimum_detectable_ratio
from effectmeter.estimators.small_samples import score_risk_difference, score_risk_ratio

REFERENCES = Path(__file__).parent / "references"


def rossi() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    frame = pl.read_csv(REFERENCES / "rossi.csv")
    covariates = frame.select("age", "race", "wexp", "mar", "paro", "prio").to_numpy().astype(np.float64)
    week, arrest, fin = (frame[name].to_numpy().astype(np.float64) for name in ("week", "arrest", "fin"))
    return week, arrest, fin, covariates


def test_tarp_risk_ratio() -> None:
    _, arrest, fin, _ = rossi()
    found = raw_risk_contrast(arrest, fin)
    assert (arrest[fin == 1].sum(), arrest[fin == 0].sum(), len(fin)) == (48, 66, 432)
    assert found.ratio.value == pytest.approx(48 / 66, rel=1e-12)
    assert found.treated == pytest.approx(48 / 216, rel=1e-12)
    assert found.difference.value == pytest.approx(-18 / 216, rel=1e-12)


def test_tarp_hazard_ratio() -> None:
    week, arrest, fin, covariates = rossi()
    found = hazard_ratio(7 * week, arrest, fin, covariates, variance="model")
    assert math.log(found.value or 0) == pytest.approx(-0.3794, abs=5e-5)
    assert found.std_error == pytest.approx(0.1914, abs=5e-5)
    assert found.p_value == pytest.approx(0.0474, abs=5e-5)
    fit = fit_cox(week, arrest, np.column_stack([fin, covariates]))
    assert fit.log_likelihood == pytest.approx(-658.7477, abs=5e-5)


def test_koopman_1984_printed_example() -> None:
    # 36/40 against 16/80: Koopman prints 2.94 to 7.15, without the N / (N - 1) that widens ours a little.
    found = score_risk_ratio(36, 40, 16, 80)
    assert found.low == pytest.approx(2.94, abs=0.01)
    assert found.high == pytest.approx(7.15, abs=0.02)


def test_newcombe_1998_printed_example() -> None:
    # 56/70 less 48/80, method 5 (Miettinen and Nurminen): 0.0528 to 0.3382, doi:10.1002/(SICI)1097-0258(19980430)17:8
    found = score_risk_difference(56, 70, 48, 80)
    assert (round(found.low or 0, 4), round(found.high or 0, 4)) == (0.0528, 0.3382)


def test_e_values_of_vanderweele_and_ding() -> None:
    assert e_value(0.5) == pytest.approx(3.41, abs=0.005)
    assert e_value(1 / 3) == pytest.approx(5.45, abs=0.005)
    assert e_value(2.0) == e_value(0.5)
    assert e_value_of_limit(0.8, 1.1) == 1.0
    assert e_value_of_limit(0.3, 0.5) == e_value(0.5)
    assert minimum_detectable_ratio(0.1) == pytest.approx(math.exp(-0.28))


# ---- Traps. Each of these fails on the day that statsmodels mends its ways, and then our own version may go.


def test_trap_glm_hc3_is_silently_hc0() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    t = np.repeat([1.0, 0.0], 30)
    y = rng.poisson(0.8, 60).astype(float)
    model = sm.GLM(y, sm.add_constant(t), family=sm.families.Poisson())
    theirs = {kind: float(model.fit(cov_type=kind).bse[1]) for kind in ("HC0", "HC1", "HC3")}
    assert theirs["HC1"] == theirs["HC3"] == theirs["HC0"]
    none = np.empty((60, 0))
    ours = [rate_contrast(y, np.ones(60), t, none, variance=kind).ratio.std_error for kind in ("hc0", "hc1", "hc3")]
    assert ours[0] == pytest.approx(theirs["HC0"], rel=1e-6)
    assert ours[0] < ours[1] < ours[2]  # type: ignore[operator]


def test_trap_phreg_clusters_use_breslow_residuals_under_efron() -> None:
    from statsmodels.duration.hazard_regression import PHReg

    frame = pl.read_csv(REFERENCES / "persons.csv")
    x = frame.select("treated", "age", "priors", "sex").to_numpy().astype(float)
    days, event, site = (frame[name].to_numpy().astype(float) for name in ("days", "first_event", "site"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = PHReg(days, x - x.mean(axis=0), status=event, ties="efron").fit(groups=site)
    ours = hazard_ratio(days, event, x[:, 0], x[:, 1:], cluster=site, variance="cr0")
    assert theirs.params[0] == pytest.approx(math.log(ours.value or 0), rel=1e-6)
    assert abs(theirs.bse[0] / (ours.std_error or 0) - 1) > 0.002  # ours equals R's to 1e-8, see the golden tests


def test_trap_conditional_poisson_drops_clusters_that_do_not_change() -> None:
    from statsmodels.discrete.conditional_models import ConditionalPoisson

    before, after = np.array([2.0, 3, 4, 1, 5, 2, 3, 1]), np.array([1.0, 3, 2, 1, 3, 2, 3, 0])
    post = np.tile([0.0, 1.0], 8)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ConditionalPoisson(np.column_stack([before, after]).ravel(), post, groups=np.repeat(range(8), 2)).fit()
    ones = np.ones(8)
    ours = change(before, after, ones, ones)
    assert ours.value == pytest.approx(after.sum() / before.sum(), rel=1e-12)
    assert math.exp(float(theirs.params[0])) < (ours.value or 0) - 0.05


def test_trap_score_interval_of_a_difference_is_not_newcombes() -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    high = confint_proportions_2indep(56, 70, 48, 80, method="score", compare="diff", correction=True)[1]
    assert abs(high - 0.3382) > 0.005
    assert score_risk_difference(56, 70, 48, 80).high == pytest.approx(0.3382, abs=5e-5)


def test_score_interval_of_a_ratio_agrees_with_statsmodels() -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    for counts in ((48, 216, 66, 216), (5, 40, 9, 44), (36, 40, 16, 80)):
        theirs = confint_proportions_2indep(*counts, method="score", compare="ratio", correction=True)
        ours = score_risk_ratio(*counts)
        assert ours.low == pytest.approx(theirs[0], rel=1e-8)
        assert ours.high == pytest.approx(theirs[1], rel=1e-8)


def test_estimators_do_not_import_statsmodels_at_the_top() -> None:
    for module in files("effectmeter.estimators").iterdir():
        if module.name.endswith(".py"):
            for line in module.read_text(encoding="utf-8").splitlines():
                assert not line.startswith(("import statsmodels", "from statsmodels", "import scipy", "from scipy"))
