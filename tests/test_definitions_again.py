"""What happens when a refresh is asked for again: nothing where nothing changed, and what a change touches."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from workbench import QUARTER, Workbench

from assets.releases import editions, latest_edition, read_passport
from assets.unchanged import unchanged
from effectmeter.errors import UsageError
from effectmeter.plan_io import load_plan
from effectmeter.runlog import newest_lines
from effectmeter.standing import read_standings
from pipelines.cli import quarters_of
from pipelines.following import outdated
from pipelines.refresh import Refreshed, refresh_all

BEFORE = QUARTER.previous()
FIGURES = {BEFORE: 12, QUARTER: 14}
TODAY = date(2026, 10, 15)


def plan(**more: Any) -> dict[str, Any]:
    return {
        "programme": "proef",
        "title": {"nl": "Proef", "en": "Trial"},
        "design": "pooled_trials",
        "synthetic": True,
        "source": {"trials": "t.csv"},
        "looks": {"method": "none"},
        "outcomes": {"arrest": {"event": "arrest", "measures": ["odds_ratio"], "primary": True}},
    } | more


def deliver(bench: Workbench, quarter: Any, events: int) -> None:
    header = ["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison"]
    rows = [[f"t{i}", events + i, 100, 2 * events - i, 100] for i in range(5)]
    bench.deliver("proef", "t.csv", header, rows, quarter=quarter)


def refresh(bench: Workbench, *quarters: Any, **more: Any) -> list[Refreshed]:
    return refresh_all(bench.home, bench.plans, ["proef"], list(quarters), today=TODAY, **more)


def statuses(bench: Workbench) -> dict[str, str]:
    """How each step of the newest run ended."""
    lines = newest_lines(bench.home)
    return {line["step"]: line["status"] for line in lines if line["run"] == lines[-1]["run"]}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """Two quarters, asked for in the wrong order, and refreshed in the right one."""
    bench = Workbench(tmp_path_factory.mktemp("again"))
    bench.add_plan(plan())
    for quarter, events in FIGURES.items():
        deliver(bench, quarter, events)
    results = refresh(bench, QUARTER, BEFORE)
    assert [(each.quarter, each.exit_code, each.refusal) for each in results] == [(BEFORE, 0, ""), (QUARTER, 0, "")]
    assert all(each.is_new for each in results)
    return bench


def test_every_step_is_measured_and_none_is_done_twice(bench: Workbench) -> None:
    first = statuses(bench)
    assert set(first.values()) == {"done"}
    assert set(first) >= {"landing", "landing_expectations", "effects", "report", "portfolio"}
    assert all(line["seconds"] > 0 and line["peak_mb"] > 50 for line in newest_lines(bench.home))
    (again,) = refresh(bench, QUARTER)
    assert (again.exit_code, again.is_new) == (0, False)
    assert set(statuses(bench).values()) == {"unchanged"}
    assert len(editions(bench.home.releases("proef", QUARTER))) == 1


def test_a_corrected_quarter_touches_the_next_and_a_changed_plan_all(bench: Workbench) -> None:
    now = load_plan(bench.plans / "proef.yaml")
    assert outdated(bench.home, now) == []
    deliver(bench, BEFORE, 16)
    assert unchanged(bench.home, now, BEFORE) is None
    assert unchanged(bench.home, now, QUARTER) is not None
    (corrected,) = refresh(bench, BEFORE)
    assert corrected.is_new
    assert read_passport(_newest(bench, BEFORE))["recomputed"]["because"] == ["delivery"]
    assert outdated(bench.home, now) == [(QUARTER, ("earlier_quarter",))]

    bench.add_plan(plan(trials={"measure": "odds_ratio", "methods": ["mantel_haenszel"]}))
    now = load_plan(bench.plans / "proef.yaml")
    assert [because[0] for _, because in outdated(bench.home, now)] == ["plan", "plan"]
    results = refresh(bench, QUARTER, outdated_too=True)
    assert [(each.quarter, each.exit_code) for each in results] == [(BEFORE, 0), (QUARTER, 0)]
    passport = read_passport(_newest(bench, QUARTER))
    assert passport["recomputed"]["because"] == ["plan"]
    assert passport["recomputed"]["changed"] == ["trials.methods"]
    page = (_newest(bench, QUARTER) / "report.en.html").read_text(encoding="utf-8")
    assert "because the analysis plan has changed (trials.methods)" in page
    assert outdated(bench.home, now) == []


def test_a_failure_leaves_the_last_release_with_a_banner_until_it_is_mended(bench: Workbench) -> None:
    edition, whole = _newest(bench, QUARTER), (bench.home.delivery("proef", QUARTER) / "t.csv").read_bytes()
    before = {path: path.read_bytes() for path in edition.rglob("*") if path.is_file()}
    (bench.home.delivery("proef", QUARTER) / "t.csv").unlink()
    (failed,) = refresh(bench, QUARTER)
    assert (failed.exit_code, failed.kind) == (1, "delivery")
    (standing,) = read_standings(bench.home.release_root / "proef")
    assert (standing.quarter, standing.since) == (str(QUARTER), "2026-10-15")
    page = bench.home.release_root / "index.{}.html"
    english, dutch = (Path(str(page).format(each)).read_text(encoding="utf-8") for each in ("en", "nl"))
    assert "Since 15 October 2026 no newer edition could be made: the delivery cannot be used." in english
    assert "Sinds 15 oktober 2026" in dutch
    assert _newest(bench, QUARTER) == edition
    assert {path: path.read_bytes() for path in before} == before
    assert str(bench.home.root) not in english

    (bench.home.delivery("proef", QUARTER) / "t.csv").write_bytes(whole)
    (mended,) = refresh(bench, QUARTER)
    assert (mended.exit_code, mended.is_new) == (0, False)
    assert read_standings(bench.home.release_root / "proef") == ()
    assert "no newer edition could be made" not in Path(str(page).format("en")).read_text(encoding="utf-8")


def test_the_run_log_holds_no_row(bench: Workbench) -> None:
    kept = {"at", "run", "programme", "quarter", "step", "status", "kind", "seconds", "peak_mb", "counts"}
    for line in newest_lines(bench.home):
        assert line.keys() <= kept
        assert "t1" not in json.dumps(line["counts"])


def _newest(bench: Workbench, quarter: Any) -> Path:
    edition = latest_edition(bench.home.releases("proef", quarter))
    assert edition is not None
    return edition


def test_the_plan_above_is_a_plan(tmp_path: Path) -> None:
    (tmp_path / "proef.yaml").write_text(yaml.safe_dump(plan()), encoding="utf-8")
    assert load_plan(tmp_path / "proef.yaml").programme == "proef"


@pytest.mark.parametrize(
    ("labels", "first", "last", "found"),
    [
        (["2026-Q3", "2026-Q1"], None, None, "2026-Q1 2026-Q3"),
        ([], "2025-Q3", "2026-Q2", "2025-Q3 2025-Q4 2026-Q1 2026-Q2"),
        (["2024-Q1"], "2026-Q1", "2026-Q1", "2024-Q1 2026-Q1"),
    ],
)
def test_quarters_are_asked_for_by_name_or_as_a_row(
    labels: list[str], first: str | None, last: str | None, found: str
) -> None:
    assert " ".join(map(str, quarters_of(labels, first, last))) == found


@pytest.mark.parametrize(("first", "last"), [(None, "2026-Q1"), ("2026-Q2", "2026-Q1"), ("1900-Q1", "2026-Q1")])
def test_a_row_of_quarters_that_is_none_is_wrong_usage(first: str | None, last: str) -> None:
    with pytest.raises(UsageError):
        quarters_of([], first, last)
