"""Trials in the form that the design sees, for tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from analysis_frames import QUARTER

from effectmeter.designs.base import TRIALS_COLUMNS, AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.estimators.pooling_counts import TrialCounts
from effectmeter.plan import Plan
from effectmeter.results import Comparability, EffectRow, GateResult

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = ROOT / "tests" / "references"
COUNTS = ("events_treated", "n_treated", "events_comparison", "n_comparison")
SOURCES = {
    "scared": ROOT / "programmes" / "deliveries" / "scared-straight" / "trials.csv",
    "cbt": ROOT / "programmes" / "deliveries" / "cbt-for-offenders" / "trials.csv",
    "sparse": REFERENCES / "trials_sparse.csv",
}


def trials_frame(**columns: Any) -> pl.DataFrame:
    """Trials with every standard column, null where not given; other columns follow."""
    n = len(next(iter(columns.values())))
    columns = {"trial_id": [f"t{number}" for number in range(n)]} | columns
    standard = {
        name: pl.Series(name, columns.pop(name, [None] * n), dtype=dtype, strict=False)
        for name, dtype in TRIALS_COLUMNS.items()
    }
    return pl.DataFrame(standard).with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})


def published(name: str) -> pl.DataFrame:
    """One of the published sets, or the one with empty cells."""
    return trials_frame(**pl.read_csv(SOURCES[name]).to_dict(as_series=False))


def counts_of(frame: pl.DataFrame) -> TrialCounts:
    return TrialCounts(**{name: frame[name].to_numpy().astype(np.float64) for name in COUNTS})


def trials_plan(*methods: str, measure: str = "odds_ratio", **fields: Any) -> Plan:
    base: dict[str, Any] = {
        "programme": "proef",
        "title": "Proef",
        "design": "pooled_trials",
        "source": {"trials": "t.csv"},
        "looks": {"method": "none"},
        "trials": {"methods": list(methods) or ["reml_hk", "mantel_haenszel"], "measure": measure},
    }
    return Plan.model_validate(base | fields)


def data_of(frame: pl.DataFrame, plan: Plan | None = None) -> AnalysisData:
    return AnalysisData(plan or trials_plan(), QUARTER, units={"trials": frame})


def rows_of(data: AnalysisData, **options: Any) -> tuple[EffectRow, ...]:
    return design_for(data.plan).estimate(data, Comparability(), **options)


def gates_of(data: AnalysisData) -> dict[str, GateResult]:
    """The gates by name; where one has several rows, the first."""
    design = design_for(data.plan)
    results = design.gates(data, Comparability(), design.estimate(data, Comparability()))
    for result in results:
        assert result.figure and result.threshold and result.sentence.endswith(".") and result.sentence_nl.endswith(".")
    return {result.gate: result for result in reversed(results)}


def golden() -> dict[str, dict[str, float]]:
    """R's values by case and quantity."""
    found: dict[str, dict[str, float]] = {}
    with (REFERENCES / "golden_trials.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["case"], {})[row["quantity"]] = float(row["value"])
    return found
