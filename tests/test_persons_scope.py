"""Scope "verdict": the same primary row, its companion, the controls and the placebo, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from analysis_frames import cohort, events_at, outcome_frame, plan_for

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
@pytest.mark.parametrize("measures", [["risk_ratio"], ["risk_ratio", "risk_difference"], ["hazard_ratio"]])
def test_verdict_scope_gives_the_rows_that_the_verdict_and_the_gates_read(design: str, measures: list[str]) -> None:
    plan = plan_for(
        design,
        adjust_for={"age": {"type": "numeric"}},
        subgroups=["sex"],
        negative_controls=["victim"],
        outcomes={"contact": {"event": "contact", "measures": measures}},
    )
    data = cohort(plan)
    rng = np.random.default_rng(5)
    victim = outcome_frame(data.persons, *events_at(500, 0.3, rng), outcome="victim")
    before = outcome_frame(data.persons, *events_at(500, 0.4, rng))
    data = replace(
        data,
        outcomes=pl.concat([data.outcomes, victim]),
        placebo=AnalysisData(plan, data.quarter, data.persons, before),
    )
    answer = design_for(plan)
    comparability = answer.compare(data)
    short = answer.estimate(data, comparability, scope="verdict")
    everything = answer.estimate(data, comparability)
    assert short[0] == everything[0] and short[0].analysis == "primary"
    assert {row.analysis for row in short} <= {"primary", "secondary", "negative_control", "placebo"}
    assert [row for row in short if row.analysis in {"negative_control", "placebo"}] == [
        row for row in everything if row.analysis in {"negative_control", "placebo"}
    ]
    assert len(short) <= 4
