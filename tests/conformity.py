"""What the data contract promises of every effects table, whatever was delivered."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any


def _words(text: str) -> list[str]:
    return text.split()


COLUMNS = _words(
    "programme quarter design outcome measure contrast estimand estimator variance analysis subgroup window_days "
    "denominator estimate conf_low conf_high conf_level std_error verdict_low verdict_high p_value p_value_adjusted "
    "n_treated n_comparison events_treated events_comparison person_years_treated person_years_comparison "
    "n_clusters_treated n_clusters_comparison status reason"
)
ALLOWED: dict[str, list[str | None]] = {
    "measure": [
        *_words("risk_ratio rate_ratio hazard_ratio odds_ratio risk_difference rate_difference ratio_of_rate_ratios"),
        *_words("mean_difference percent_change level_ratio slope_ratio"),
    ],
    "analysis": [
        *_words("primary secondary unadjusted sensitivity placebo negative_control subgroup event_study"),
    ],
    "status": [*_words("shown hidden suppressed not_estimable")],
    "denominator": [None, "free_time", "calendar_time"],
}
GATE_STATUSES = {"passed", "warned", "failed", "not_evaluated", "not_applicable"}
_NAMES_A_ROW = COLUMNS[3:13]


def assert_conforms(found: dict[str, list[dict[str, Any]]], *, contrasts: int = 1) -> None:
    """Hold effects and gates against the contract; each promise names the row that breaks it."""
    rows = found["effects"]
    for row in rows:
        _row_conforms(row)
    twice = [
        key for key, count in Counter(tuple(row[name] for name in _NAMES_A_ROW) for row in rows).items() if count > 1
    ]
    assert not twice, twice
    assert sum(row["analysis"] == "primary" for row in rows) == contrasts
    assert rows[0]["analysis"] == "primary"
    if rows[0]["design"] in ("randomised", "comparison_cohort"):
        _textbook_rows(rows)
    assert {gate["status"] for gate in found["gates"]} <= GATE_STATUSES


def _row_conforms(row: dict[str, Any]) -> None:
    assert list(row)[: len(COLUMNS)] == COLUMNS
    name = " / ".join(str(row[column]) for column in _NAMES_A_ROW)
    for column, values in ALLOWED.items():
        assert row[column] in values, name
    assert bool(row["reason"]) == (row["status"] != "shown"), name
    numbers = [row["estimate"], row["conf_low"], row["conf_high"]]
    assert (row["status"] == "not_estimable") == all(value is None for value in numbers), name
    assert all(value is None or math.isfinite(value) for value in row.values() if isinstance(value, float)), name
    slack = 1e-9 * max(1.0, *(abs(value) for value in numbers if value is not None)) if any(numbers) else 1e-9
    for inner, outer in (("estimate", "conf_low"), ("conf_low", "verdict_low")):
        if row[inner] is not None and row[outer] is not None:
            assert row[outer] <= row[inner] + slack, name
    for inner, outer in (("estimate", "conf_high"), ("conf_high", "verdict_high")):
        if row[inner] is not None and row[outer] is not None:
            assert row[outer] >= row[inner] - slack, name


def _textbook_rows(rows: list[dict[str, Any]]) -> None:
    """Every adjusted row has an unadjusted one and exactly one with the textbook's model error beside it."""
    question = ("outcome", "measure", "contrast", "window_days", "denominator")
    keys = {tuple(row[name] for name in question) for row in rows if row["analysis"] in ("primary", "secondary")}
    for key in keys:
        same = [row for row in rows if tuple(row[name] for name in question) == key]
        assert any(row["analysis"] == "unadjusted" for row in same), key
        (model,) = [row for row in same if row["variance"] == "model"]
        hazard = key[1] == "hazard_ratio"
        assert model["estimator"] == ("cox_efron" if hazard else "outcome_regression"), key
