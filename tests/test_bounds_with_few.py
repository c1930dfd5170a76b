"""Few events on one side of a series or in one arm of trials: a bound is told, and it tells nothing of how few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from series_frames import monthly, series_data, series_frame, series_plan
from trial_frames import data_of, trials_frame, trials_plan

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.estimators.sensitivity import BOUND
from effectmeter.findings import Findings
from effectmeter.release import Cleared, clear
from effectmeter.results import EffectRow
from effectmeter.verdicts import rule

START = 36
CLAIM = {"outcome": "fraud", "measure": "level_ratio", "at_most": 0.1, "words": "bijna helemaal gestopt"}


def found_in(data: AnalysisData) -> Findings:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    gates = design.gates(data, comparability, effects)
    shown = apply_gates(effects, gates)
    verdict, claims = rule(data.plan, shown, gates, 0)
    return Findings(effects=shown, gates=gates, claims=claims, verdict=verdict)


def released(data: AnalysisData) -> Cleared:
    return clear(found_in(data), data.plan, data.quarter)


def row_of(rows: Sequence[EffectRow], **what: object) -> EffectRow:
    (row,) = [row for row in rows if all(getattr(row, name) == value for name, value in what.items())]
    return row


def series_with(after: Sequence[int], *, controlled: bool = False, **plan: object) -> AnalysisData:
    """Thirty-six months of about 80 events, and twenty-four with these few in their first months."""
    y = monthly(np.random.default_rng(5))
    y[START:] = 0
    y[START : START + len(after)] = after
    frames = [series_frame(y)]
    if controlled:
        frames.append(series_frame(monthly(np.random.default_rng(6)), is_control=True))
    return series_data(series_plan(**plan), *frames)  # type: ignore[arg-type]


@pytest.mark.parametrize("controlled", [False, True])
def test_a_series_that_stopped_has_a_bound_on_its_main_row(controlled: bool) -> None:
    cleared = released(series_with([], controlled=controlled, claims=[CLAIM]))
    row = cleared.rows[0]
    assert (row.analysis, row.status, row.estimate, row.events_treated) == ("primary", "suppressed", None, None)
    assert row.conf_low is None and 0 < (row.conf_high or 9) < 0.05
    assert cleared.facts.direction == "fewer" and cleared.facts.is_suppressed
    assert [claim.ruling for claim in cleared.claims] == ["supported"]
    assert "hoogstens 0,0" in cleared.tables["verdict"]["sentence_nl"][0]
    percent = row_of(cleared.rows, measure="percent_change", analysis="secondary", subgroup=None)
    assert percent.conf_high == pytest.approx(100 * ((row.conf_high or 0) - 1), abs=1)


@pytest.mark.parametrize("controlled", [False, True])
def test_nothing_released_of_a_series_tells_zero_from_nine(controlled: bool) -> None:
    """The same for 0, 1 and 9 events after the start, wherever they fall: figures, gates, texts and rulings."""
    seen = []
    for after in ([], [1], [0, 0, 0, 9], [3, 3, 3]):
        cleared = released(series_with(after, controlled=controlled, claims=[CLAIM]))
        bounds = [row for row in cleared.rows if row.estimator == BOUND or row.analysis == "primary"]
        assert len(bounds) == 2
        tables = [cleared.tables[name].rows() for name in ("verdict", "claims", "gates", "series_points")]
        seen.append((tables, bounds))
    for other in seen[1:]:
        assert other == seen[0]


def test_the_bound_lies_above_what_is_really_known() -> None:
    for after in ([], [2], [1, 0, 1, 0, 2]):
        rows = found_in(series_with(after)).effects
        bound, primary = row_of(rows, estimator=BOUND), rows[0]
        assert (bound.conf_high or 0) >= (primary.conf_high or 9) * (1 - 1e-9)
        assert (bound.verdict_high or 0) >= (bound.conf_high or 9) * (1 - 1e-9)


def test_no_bound_where_nothing_is_masked_or_both_sides_are_few() -> None:
    assert not [r for r in found_in(series_with([9, 9])).effects if r.estimator == BOUND]
    y = np.zeros(60)
    y[:START:6] = 1
    few = series_data(series_plan(), series_frame(y))
    assert not [r for r in found_in(few).effects if r.estimator == BOUND]
    public = {"minimum_persons": 1, "rounding_base": 1, "reason": "published counts"}
    assert not [r for r in found_in(series_with([3], disclosure=public)).effects if r.estimator == BOUND]


def trials_with(treated: Sequence[int], *, swapped: bool = False) -> AnalysisData:
    columns = {
        "events_treated": list(treated),
        "n_treated": [40] * 5,
        "events_comparison": [12, 15, 9, 14, 11],
        "n_comparison": [41] * 5,
    }
    if swapped:
        columns = {
            name.replace("treated", "x").replace("comparison", "treated").replace("x", "comparison"): values
            for name, values in columns.items()
        }
    return data_of(trials_frame(**columns), trials_plan())


@pytest.mark.parametrize("swapped", [False, True])
def test_trials_without_events_in_an_arm_have_a_bound(swapped: bool) -> None:
    seen = []
    for treated in ([0] * 5, [0, 0, 3, 0, 0], [9, 0, 0, 0, 0]):
        cleared = released(trials_with(treated, swapped=swapped))
        primary = cleared.rows[0]
        assert primary.status == "suppressed" and primary.estimate is None
        seen.append([getattr(primary, name) for name in ("conf_low", "conf_high", "verdict_low", "verdict_high")])
        assert cleared.facts.direction == ("more" if swapped else "fewer")
    assert seen[0] == seen[1] == seen[2]
    low, high = seen[0][:2]
    if swapped:
        assert high is None and low > 3
    else:
        assert low is None and high < 0.3


def test_areas_have_no_bound_from_their_counts_after_the_start_alone() -> None:
    """Areas that differ in level before the start would be said to differ by the programme."""
    import report_units as made
    from report_findings import QUARTER

    plan, findings = made.areas()
    raw = replace(findings.effects[0], analysis="unadjusted", estimator="difference_in_change", events_treated=3.0)
    cleared = clear(replace(findings, effects=(*findings.effects, raw)), plan, QUARTER)
    row = row_of(cleared.rows, analysis="unadjusted")
    assert row.status == "suppressed" and row.conf_high is None and row.conf_low is None
