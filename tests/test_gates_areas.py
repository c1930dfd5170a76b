"""The gates of areas: each status, its figure, its words, and what it hides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from area_frames import area_plan, counted, frames, study

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.staggered_areas import StaggeredAreas
from effectmeter.diagnostics import apply_gates
from effectmeter.results import EffectRow, GateResult

DESIGN = StaggeredAreas()


def judged(data: AnalysisData, scope: Scope = "verdict") -> tuple[tuple[EffectRow, ...], dict[str, GateResult]]:
    comparability = DESIGN.compare(data)
    rows = DESIGN.estimate(data, comparability, scope)
    return rows, {gate.gate: gate for gate in DESIGN.gates(data, comparability, rows)}


def data_of(areas: dict[str, Any] | None = None, **planted: Any) -> AnalysisData:
    start, counts = counted(**planted)
    return study(area_plan(areas=areas or {}), frames(start, {"crime": ("count", counts)}))


@pytest.mark.parametrize(
    ("n_treated", "n_comparison", "status"),
    [
        (20, 20, "passed"),
        (19, 60, "warned"),
        (10, 60, "warned"),
        (9, 60, "failed"),
        (40, 9, "failed"),
        (40, 15, "warned"),
    ],
)
def test_clusters(n_treated: int, n_comparison: int, status: str) -> None:
    data = data_of(n_treated=n_treated, n_comparison=n_comparison, cohorts=(6,))
    rows, gates = judged(data)
    gate = gates["clusters"]
    assert gate.status == status
    assert gate.figure == f"{n_treated} treated and {n_comparison} comparison areas"
    if status == "failed":
        assert "With" in gate.sentence and "Met nog" in gate.sentence_nl
        shown = apply_gates(rows, list(gates.values()))
        assert shown[0].status == "hidden" and shown[0].reason_nl


def test_clusters_counts_areas_that_start_later() -> None:
    _, gates = judged(data_of(n_treated=40, n_comparison=0, cohorts=(4, 8), level=30.0))
    assert gates["clusters"].figure == "40 treated and 20 comparison areas"


@pytest.mark.parametrize("estimator", ["callaway_santanna", "poisson_fe", "twoway_fe"])
def test_pre_trends(estimator: str) -> None:
    options = {"estimator": estimator}
    common: dict[str, Any] = {"n_treated": 30, "n_comparison": 60, "length": 14, "cohorts": (8,), "level": 60.0}
    _, sound = judged(data_of(options, **common))
    assert sound["pre_trends"].status == "passed"
    assert "cannot be ruled out" in sound["pre_trends"].sentence and "not ruled out" in sound["pre_trends"].figure
    rows, broken = judged(data_of(options, trend=-0.06, **common), "all")
    gate = broken["pre_trends"]
    assert (gate.status, gate.concerns) == ("failed", "outcome=crime")
    after = apply_gates(rows, list(broken.values()))
    assert after[0].status == "hidden"
    # the course before the start is the evidence: it stays
    course = [row for row in after if row.analysis == "event_study"]
    times = {(row.subgroup or "").startswith("event_time=-"): row.status for row in course}
    assert times == {True: "shown", False: "hidden"}
    _, blind = judged(data_of(options, n_treated=30, n_comparison=60, cohorts=(1,)))
    assert blind["pre_trends"].status == "not_evaluated"


def test_pre_trends_concern_only_their_own_outcome() -> None:
    start, good = counted(n_treated=30, n_comparison=60, length=14, cohorts=(8,), level=60.0)
    _, bad = counted(n_treated=30, n_comparison=60, length=14, cohorts=(8,), level=60.0, trend=-0.06)
    plan = area_plan({"good": {"measures": ["rate_ratio"]}, "bad": {"measures": ["rate_ratio"]}})
    data = study(plan, frames(start, {"good": ("count", good), "bad": ("count", bad)}))
    comparability = DESIGN.compare(data)
    rows = DESIGN.estimate(data, comparability, "verdict")
    shown = apply_gates(rows, DESIGN.gates(data, comparability, rows))
    assert {row.outcome for row in shown if row.status == "hidden"} == {"bad"}


def test_balance_of_calibrated_areas() -> None:
    calibrated = {"comparison": "calibrated"}
    _, gates = judged(data_of(calibrated, n_treated=30, n_comparison=400, cohorts=(4,), level=8.0, length=8))
    assert (gates["balance"].status, gates["pre_trends"].status) == ("passed", "not_applicable")
    start, counts = counted(n_treated=20, n_comparison=40, cohorts=(6,), level=8.0)
    counts[:20] *= 20  # nowhere else is it as busy
    rows, gates = judged(study(area_plan(areas=calibrated), frames(start, {"crime": ("count", counts)})))
    assert gates["balance"].status == "failed"
    assert apply_gates(rows, list(gates.values()))[0].status == "hidden"
    _, gates = judged(data_of(n_treated=20, n_comparison=40))
    assert gates["balance"].status == "not_applicable"


def test_power_says_what_could_have_been_seen() -> None:
    wide, narrow = (
        judged(data_of({"estimator": "poisson_fe"}, n_treated=20, n_comparison=40, level=level, ratio=1.0))[1]["power"]
        for level in (0.5, 60.0)
    )
    assert (wide.status, narrow.status) == ("warned", "passed")
    assert "more treated areas" in wide.sentence and "gebieden met het programma" in wide.sentence_nl
    start, counts = counted(n_treated=20, n_comparison=40)
    plan = area_plan({"score": {"measures": ["mean_difference"]}})
    _, gates = judged(study(plan, frames(start, {"score": ("value", counts)})))
    assert gates["power"].status == "not_applicable" and "difference" in gates["power"].figure


def test_spill_over_without_rings_or_without_any() -> None:
    start, counts = counted(n_treated=20, n_comparison=80, cohorts=(6,), level=30.0)
    ring = np.where(np.arange(100) < 20, 0.0, np.where(np.arange(100) < 40, 1.0, np.nan))
    data = study(area_plan(areas={"ring": "ring"}), frames(start, {"crime": ("count", counts)}, ring=ring))
    _, gates = judged(data)
    assert gates["spill_over"].status == "passed"
    _, gates = judged(data_of())
    assert gates["spill_over"].status == "not_applicable"


def test_police_blocks_as_published_studies_have_them() -> None:
    """Values per block and month, one date, rings, a month left out: treated, next block, two blocks, robust errors."""
    rng = np.random.default_rng(8)
    ring = np.repeat([0.0, 1.0, 2.0, np.nan], [37, 161, 226, 452])
    start = np.where(ring == 0, 4.0, np.nan)
    months = np.array([0, 1, 2, 3, 5, 6, 7, 8])
    after = months[None, :] >= 4
    effect = np.select([ring == 0, ring == 1], [-0.08, -0.013], 0.0)[:, None] * after
    thefts = rng.poisson(0.3, (876, 8)) * 0.25 + effect + 0.5
    plan = area_plan(
        {"thefts": {"value": "thefts", "measures": ["mean_difference"]}},
        areas={"estimator": "twoway_fe", "ring": "ring"},
        variance=["hc1"],
    )
    labels = [f"1994-{month + 4:02d}" for month in months]
    data = study(plan, frames(start, {"thefts": ("value", thefts)}, ring=ring, periods=months, labels=labels))
    rows = DESIGN.estimate(data, DESIGN.compare(data))
    by = {(row.subgroup, row.variance): row for row in rows if row.estimator == "twoway_fe"}
    same, one, two = (by[(key, "hc1")] for key in (None, "ring=1", "ring=2"))
    assert same.estimate == pytest.approx(-0.08, abs=3 * (same.std_error or 0))
    assert one.estimate == pytest.approx(-0.013, abs=3 * (one.std_error or 0))
    assert two.estimate == pytest.approx(0.0, abs=3 * (two.std_error or 0))
    assert by[(None, "cr3")].estimate == same.estimate and by[(None, "cr3")].analysis == "primary"
    # without rings everything else is the reference
    import statsmodels.api as sm

    treated = (after & (ring == 0)[:, None]).astype(float)
    demeaned = treated - treated.mean(axis=1, keepdims=True) - treated.mean(axis=0) + treated.mean()
    plain = sm.OLS(thefts.ravel(), demeaned.ravel()).fit().params[0]
    assert by[("rings_entered=0", "hc1")].estimate == pytest.approx(plain)
