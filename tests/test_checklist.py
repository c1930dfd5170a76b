"""Reporting checklists: whole, filled from released values only, and safe as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from workbench import QUARTER, Workbench, minimal_plan

from effectmeter.checklist_facts import Released
from effectmeter.checklists import BY_HAND, GUIDELINES, Guideline, as_markdown, filled
from effectmeter.plan import Plan
from effectmeter.shapes import SHAPES
from pipelines.cli import main

FIGURE = {
    "outcome": "arrest", "measure": "risk_ratio", "contrast": "treated vs comparison", "estimand": "att",
    "estimator": "g_computation", "variance": "hc3", "window_days": 365, "estimate": 0.74, "conf_low": 0.54,
    "conf_high": 1.02, "verdict_low": 0.5, "verdict_high": 1.1, "n_treated": 215, "n_comparison": None,
    "status": "shown", "reason": "", "reason_nl": "",
}  # fmt: skip
TABLES = {
    "gates": [
        {"gate": "power", "status": "warned", "sentence": "More participants are needed."},
        {"gate": "size", "status": "passed", "sentence": "Large enough."},
        {"gate": "pairs", "status": "not_applicable", "sentence": "No pairs."},
    ],
    "attrition": [
        {"name": "delivered", "arm": "treated", "n_before": 220, "n_lost": 0, "n_after": 220},
        {"name": "linked", "arm": "treated", "n_before": 220, "n_lost": None, "n_after": 215},
    ],
    "balance": [{"kind": "main", "smd_after": -0.12}],
    "effects": [{"analysis": "primary"}, {"analysis": "placebo"}],
    "numbers": [{"arm": "treated", "units": 7}],
}
PASSPORT: dict[str, Any] = {
    "quarter": str(QUARTER),
    "reference_date": "2026-09-30",
    "edition": "001",
    "verdict": {"outcome": "arrest"},
    "verdict_line": {"en": "We do not know yet.", "nl": "We weten het nog niet."},
    "figures": {"primary": FIGURE},
    "plan": {"hash": "abc", "history": [{"first_used": "2026-10-01"}, {"changed": ["adjust_for"]}]},
    "software": {"code_hash": "def"},
    "data": {"delivery_hash": "ghi"},
}


def released(design: str = "comparison_cohort", **passport: Any) -> Released:
    sources = {
        name: {"file": f"{name}.csv"} for name in (*SHAPES[design].needs.required, *SHAPES[design].needs.one_of[:1])
    }
    more: dict[str, Any] = {"series": {"start": "2020-01"}} if design == "interrupted_series" else {}
    measures = list(SHAPES[design].measures[:1])
    outcomes = {"arrest": {"measures": measures, "label": {"nl": "aanhouding", "en": "arrest | <b>"}}}
    plan = Plan.model_validate(minimal_plan("jobs", design, source=sources, outcomes=outcomes, **more))
    frames = {name: pl.DataFrame(rows) for name, rows in TABLES.items()}
    return Released(plan, PASSPORT | passport, frames)


def answers(guideline: Guideline, it: Released) -> dict[str, str]:
    return {row.number: row.answer for row in filled(guideline, it)}


def test_target_has_its_21_items_and_strobe_its_22() -> None:
    numbers = {name: {int(item.number.rstrip("abcdefgh")) for item in items} for name, items in GUIDELINES.items()}
    assert numbers == {"target": set(range(1, 22)), "strobe": set(range(1, 23))}
    letters = [item.number for item in GUIDELINES["target"] if item.number[0] in "67" and len(item.number) == 2]
    assert letters == [f"{number}{letter}" for number in (6, 7) for letter in "abcdefgh"]
    assert len({item.section for item in GUIDELINES["target"]}) == 6


@pytest.mark.parametrize("design", list(SHAPES))
@pytest.mark.parametrize("guideline", list(GUIDELINES))
def test_every_design_gets_every_item_answered_or_left_to_the_authors(design: str, guideline: Guideline) -> None:
    found = filled(guideline, released(design))
    assert all(row.answer and row.is_filled == (row.answer != BY_HAND) for row in found)
    assert sum(row.is_filled for row in found) > len(found) / 2
    assert not [row.number for row in found if "None" in row.answer]


def test_what_only_the_authors_know_is_left_to_them() -> None:
    found = answers("target", released())
    assert {number for number in ("4", "17", "20", "21") if found[number] == BY_HAND} == {"4", "17", "20", "21"}


def test_figures_come_from_the_release_and_masked_ones_stay_masked() -> None:
    found = answers("target", released())
    assert found["13"] == "risk_ratio 0.74, 95 % interval 0.54 to 1.02; over all looks 0.5 to 1.1."
    assert found["12"].startswith("Analysed: 215 treated, masked comparison.")
    assert found["8"] == "treated: 220 delivered, 215 analysed, lost at linked masked"
    assert found["6g"].endswith("Gates: 1 of the 2 that apply passed.")
    assert found["16"] == "power: More participants are needed."
    assert found["18"].endswith("first used on outcomes 2026-10-01. Changed since: adjust_for.")


def test_a_hidden_estimate_is_not_told() -> None:
    hidden = FIGURE | {"estimate": None, "conf_low": None, "status": "hidden", "reason": "the groups hardly overlap"}
    assert answers("target", released(figures={"primary": hidden}))["13"] == "Not shown: the groups hardly overlap."


def test_without_a_primary_row_it_is_for_the_authors() -> None:
    assert answers("strobe", released(figures={"primary": None}))["16"] == BY_HAND


def test_plan_text_cannot_break_the_table() -> None:
    page = as_markdown("target", released())
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert "arrest \\| &lt;b>" in page
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}
    assert "10.1001/jama.2025.13350" in page


def test_the_command_reads_the_release_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("jobs"))
    edition = bench.home.releases("jobs", QUARTER) / "001"
    (edition / "tables").mkdir(parents=True)
    (edition / "passport.json").write_text(json.dumps(PASSPORT), encoding="utf-8")
    pl.DataFrame(TABLES["gates"]).write_csv(edition / "tables" / "gates.csv")
    pl.DataFrame(TABLES["effects"]).write_parquet(edition / "effects.parquet")
    options = ["--home", str(bench.home.root), "--programmes", str(bench.plans), "--quarter", str(QUARTER)]
    for extra in ([], ["--json", "--guideline", "strobe"]):
        with pytest.raises(SystemExit) as ended:
            main(["checklist", "--programme", "jobs", *options, *extra])
        assert not ended.value.code
    out = capsys.readouterr().out
    assert out.startswith("# TARGET checklist: jobs, 2026-Q3, edition 001")
    assert len(json.loads(out[out.index("\n{") :])["items"]) == 22
