"""Trials taken together, through the public interface: a plan and a delivery in, effects out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from trial_frames import COUNTS, SOURCES
from workbench import Workbench, rows_where

METHODS = ["reml_hk", "reml_wald", "dl_wald", "mantel_haenszel"]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def plan(programme: str, **more: Any) -> dict[str, Any]:
    return {
        "programme": programme,
        "title": {"nl": programme, "en": programme},
        "design": "pooled_trials",
        "source": {"trials": "trials.csv"},
        "trials": {"methods": METHODS},
        "looks": {"method": "none"},
    } | more


def run(
    bench: Workbench, columns: Sequence[str], rows: Sequence[Sequence[Any]], **more: Any
) -> dict[str, list[dict[str, Any]]]:
    bench.add_plan(plan("studies", **more))
    bench.deliver("studies", "trials.csv", columns, rows)
    bench.estimate("studies")
    return bench.effects("studies")


def delivered(name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    frame = pl.read_csv(SOURCES[name])
    return frame.columns, frame.rows()


def only(rows: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (row,) = rows_where(rows, **wanted)
    return row


def is_about(row: dict[str, Any], value: float, low: float, high: float, abs_: float = 0.005) -> None:
    assert [row["estimate"], row["conf_low"], row["conf_high"]] == pytest.approx([value, low, high], abs=abs_)
    assert row["status"] == "shown"


@pytest.mark.parametrize("programme", ["scared-straight", "cbt-for-offenders"])
def test_the_bundled_examples_give_what_was_published(bench: Workbench, programme: str) -> None:
    from workbench import QUARTER

    from assets.bundled import write_deliveries

    bench.add_bundled(programme)
    write_deliveries(bench.home, QUARTER, [programme])
    bench.estimate(programme)
    found = bench.effects(programme)
    effects = rows_where(found["effects"], measure="odds_ratio", subgroup=None)
    main = only(effects, analysis="primary")
    (claim,) = found["claims"]
    if programme == "scared-straight":
        is_about(main, 1.71, 1.01, 2.90)
        is_about(only(effects, estimator="mantel_haenszel"), 1.68, 1.20, 2.36)
        is_about(only(effects, estimator="dl_wald"), 1.72, 1.13, 2.62)
        assert main["estimator"] == "reml_hk" and claim["ruling"] == "contradicted"
    else:
        is_about(only(effects, estimator="reml_wald"), 0.655, 0.582, 0.738)
        is_about(only(effects, estimator="reml_wald_prediction"), 0.655, 1 / 2.91, 1 / 0.80)
        assert main["estimator"] == "pmm_hk_prediction" and claim["ruling"] == "not_established"
        gate = only(found["gates"], gate="heterogeneity")
        assert gate["status"] == "warned" and "tau2 0.1046" in gate["figure"] and "Q 213.69" in gate["figure"]


def test_renamed_columns_and_swapped_arms_invert_the_ratios(bench: Workbench) -> None:
    _, rows = delivered("scared")
    names = ["studie", "controle_n", "controle_recidive", "programma_n", "programma_recidive"]
    mapped = dict(zip(("n_treated", "events_treated", "n_comparison", "events_comparison"), names[1:], strict=True))
    found = run(
        bench,
        names,
        [(name, n0, c, n1, a) for name, a, n1, c, n0 in rows],
        source={"trials": {"file": "trials.csv", "columns": {"trial_id": "studie"} | mapped}},
    )
    effects = rows_where(found["effects"], measure="odds_ratio", subgroup=None)
    is_about(only(effects, estimator="mantel_haenszel"), 1 / 1.6821, 1 / 2.3614, 1 / 1.1983, 5e-5)
    is_about(only(effects, estimator="reml_hk"), 1 / 1.708, 1 / 2.898, 1 / 1.0067, 2e-4)


def test_published_estimates_and_mixed_rows(bench: Workbench) -> None:
    columns = ["trial_id", *COUNTS, "measure", "estimate", "std_error"]
    rows = [
        ("a", 19, 46, 4, 35, "", "", ""),
        ("b", 16, 94, 8, 67, "", "", ""),
        ("c", "", "", "", "", "odds_ratio", 0.7381, 0.4537),
        ("d", "", "", "", "", "odds_ratio", 1.3218, 0.6212),
    ]
    found = run(bench, columns, rows)
    main = only(found["effects"], analysis="primary")
    assert main["status"] == "shown" and main["n_treated"] is None and main["n_clusters_treated"] == 4
    assert only(found["effects"], estimator="mantel_haenszel")["status"] == "not_estimable"


def test_estimates_alone(bench: Workbench) -> None:
    rows = [("a", "hazard_ratio", -0.31, 0.12), ("b", "hazard_ratio", -0.05, 0.2), ("c", "hazard_ratio", -0.2, 0.15)]
    columns = ["trial_id", "measure", "estimate", "std_error"]
    found = run(bench, columns, rows, trials={"methods": ["reml_hk"], "measure": "hazard_ratio"})
    main = only(found["effects"], analysis="primary")
    assert main["measure"] == "hazard_ratio" and 0.75 < main["estimate"] < 0.85


def test_subgroups_are_columns_of_trials(bench: Workbench) -> None:
    columns, rows = delivered("scared")
    groups = ["young", "old", "young", "old", "old", "young", "old"]
    found = run(
        bench,
        [*columns, "age_group"],
        [(*row, group) for row, group in zip(rows, groups, strict=True)],
        subgroups=["age_group"],
    )
    assert only(found["effects"], subgroup="age_group=young")["n_clusters_treated"] == 3
    assert only(found["effects"], subgroup="age_group: interaction")["p_value"] > 0.05


def test_an_arm_without_events_gets_a_bound_and_no_events_a_reason(bench: Workbench) -> None:
    columns, _ = delivered("scared")
    found = run(bench, columns, [(f"t{k}", 0, 40, k + 2, 41) for k in range(5)])
    main = only(found["effects"], analysis="primary")
    assert main["estimate"] == 0.0 and main["conf_low"] is None and main["conf_high"] < 1
    found = run(bench, columns, [(f"t{k}", 0, 40, 0, 41) for k in range(5)])
    main = only(found["effects"], analysis="primary")
    assert main["status"] == "not_estimable" and main["reason"] and main["reason_nl"]


def test_doubled_rows_never_count_twice(bench: Workbench) -> None:
    """Refused by an expectation or by the design: not a second seven trials."""
    from effectmeter.errors import EffectmeterError

    columns, rows = delivered("scared")
    try:
        found = run(bench, columns, [*rows, *rows])
    except EffectmeterError:
        return
    for row in found["effects"]:
        assert row["status"] != "shown" or row["n_clusters_treated"] <= 7
