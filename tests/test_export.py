"""The analysis table for R, Stata and SPSS, the notebook and a worked example: each gives the vault's own figures."""

from __future__ import annotations

import importlib.util
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyreadstat
import pytest
from analysis_frames import QUARTER as FRAMES_QUARTER
from analysis_frames import cohort, families, plan_for
from area_frames import area_plan, counted, frames
from area_frames import study as area_study
from series_frames import monthly, series_data, series_frame, series_plan
from trial_frames import data_of, published, trials_plan
from workbench import QUARTER, ROOT, Workbench, rows_where

from effectmeter.analysis_syntax import EXACT, FORMATS, r_syntax, spss_syntax, stata_syntax
from effectmeter.analysis_table import AnalysisTable, analysis_table, safe_name
from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.results import Comparability
from effectmeter.verdicts import primary_row
from pipelines.cli import main
from pipelines.export import write_export

needs_r = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not on this machine")
ADJUSTED = {"age": "numeric", "sex": "categorical"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """TARP with its vault, estimated."""
    from assets.bundled import write_deliveries

    found = Workbench(tmp_path_factory.mktemp("export"))
    found.add_bundled("tarp")
    write_deliveries(found.home, QUARTER, ["tarp"])
    found.estimate("tarp")
    return found


def run(bench: Workbench, *arguments: str) -> int:
    options = ["--home", str(bench.home.root), "--programmes", str(bench.plans), "--quarter", str(QUARTER)]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, *options])
    return int(ended.value.code or 0)


def in_r(folder: Path) -> float:
    done = subprocess.run(["Rscript", "analyse.R"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^estimate (\S+)", done.stdout, re.MULTILINE)
    assert found is not None
    return float(found[1])


def has_r_package(name: str) -> bool:
    code = f'quit(status = !requireNamespace("{name}", quietly = TRUE))'
    return subprocess.run(["Rscript", "-e", code], capture_output=True, check=False).returncode == 0


def study(kind: str) -> AnalysisData:
    """One small study per way of estimating."""
    rng = np.random.default_rng(7)
    if kind == "change":
        return families()
    if kind == "areas":
        start, counts = counted(n_treated=6, n_comparison=8, length=8, cohorts=(4, 5))
        return area_study(area_plan(), frames(start, {"crime": ("count", counts)}))
    if kind == "trials":
        return data_of(published("scared"), trials_plan("reml_hk"))
    if kind == "series":
        return series_data(series_plan(), series_frame(monthly(rng, ratio=0.7)))
    measure = {"risk": "risk_ratio", "odds": "odds_ratio", "rate": "rate_ratio", "hazard": "hazard_ratio"}[kind]
    outcomes = {"contact": {"event": "contact", "measures": [measure], "primary": True}}
    return cohort(plan_for(adjust_for=ADJUSTED, outcomes=outcomes), shift=0.4)


def table_of(data: AnalysisData) -> AnalysisTable:
    design = design_for(data.plan)
    return analysis_table(data, primary_row(design.estimate(data, Comparability(), scope="verdict")))


@needs_r
@pytest.mark.parametrize("kind", ["risk", "odds", "rate", "hazard", "change", "trials"])
def test_r_gives_the_estimate_of_the_vault(kind: str, tmp_path: Path) -> None:
    package = {"hazard": "survival", "trials": "metafor"}.get(kind)
    if package and not has_r_package(package):
        pytest.skip(f"R has no {package}")
    table = table_of(study(kind))
    assert table.model == kind
    assert kind in EXACT
    write_export(table, "proef", FRAMES_QUARTER, tmp_path / "out", "csv")
    assert table.primary is not None
    assert in_r(tmp_path / "out") == pytest.approx(table.primary.estimate, rel=1e-5 if kind == "trials" else 1e-7)


@needs_r
def test_r_comes_near_a_series(tmp_path: Path) -> None:
    table = table_of(study("series"))
    write_export(table, "proef", FRAMES_QUARTER, tmp_path / "out", "csv")
    assert table.primary is not None
    assert in_r(tmp_path / "out") == pytest.approx(table.primary.estimate, rel=0.03)


@pytest.mark.parametrize("kind", ["risk", "rate", "hazard", "change", "trials", "series", "areas"])
def test_every_column_has_a_label_and_every_program_its_commands(kind: str, tmp_path: Path) -> None:
    table = table_of(study(kind))
    for each in FORMATS:
        written = write_export(table, "proef", FRAMES_QUARTER, tmp_path, each)
        assert all(path.stat().st_size for path in written)
    assert set(table.labels) == set(table.frame.columns)
    assert len({name.lower() for name in table.frame.columns}) == table.frame.width
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,31}", name) for name in table.frame.columns)
    for write in (r_syntax, stata_syntax, spss_syntax):
        text = write(table, "table.csv", "csv")
        assert f"{table.measure}: the vault has" in text
        assert all(name in text for name in table.terms)


def test_names_stay_apart_after_shortening() -> None:
    long = "prior_police_contact_24_months_before_referral"
    first = safe_name(long, ())
    second = safe_name(long + "_again", [first])
    assert (len(first), len(second)) == (32, 31)
    assert first != second


def test_the_command_writes_private_files_and_says_what_they_are(
    bench: Workbench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "analysis"
    assert run(bench, "export", "--programme", "tarp", "--to", str(folder)) == 0
    said = capsys.readouterr()
    assert "individual data, 432 rows" in said.err
    files = [Path(line) for line in said.out.splitlines()]
    assert {path.name for path in files} == {
        f"tarp-{QUARTER}.csv", "analyse.R", "analyse.do", "analyse.sps", "README.md",
    }  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in files)


def test_counts_are_the_published_ones_and_pseudonyms_stay_behind(bench: Workbench, tmp_path: Path) -> None:
    from vault.connection import open_vault

    assert run(bench, "export", "--programme", "tarp", "--to", str(tmp_path / "out")) == 0
    frame = pl.read_csv(tmp_path / "out" / f"tarp-{QUARTER}.csv")
    by_arm = dict(frame.group_by("treated").agg(pl.col("event").sum()).iter_rows())
    assert by_arm == {1: 48, 0: 66}
    with open_vault(bench.home.vault("tarp", QUARTER), read_only=True) as connection:
        ids = [row[0] for row in connection.sql("select person_id from cohort.persons").fetchall()]
    written = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())
    assert len(ids) == 432
    assert not [each for each in ids if each in written]


@pytest.mark.parametrize(("kind", "read"), [("dta", pyreadstat.read_dta), ("sav", pyreadstat.read_sav)])
def test_stata_and_spss_get_labels_with_the_same_numbers(
    bench: Workbench, tmp_path: Path, kind: str, read: Any
) -> None:
    for each in ("csv", kind):
        assert run(bench, "export", "--programme", "tarp", "--to", str(tmp_path), "--format", each) == 0
    frame, meta = read(str(tmp_path / f"tarp-{QUARTER}.{kind}"))
    assert pl.read_csv(tmp_path / f"tarp-{QUARTER}.csv").to_numpy() == pytest.approx(frame.to_numpy())
    assert all(meta.column_labels)
    assert meta.variable_value_labels["treated"] == {0: "comparison", 1: "treated"}


@pytest.mark.parametrize("inside", ["release/tarp", "deliveries", "vault/tarp/x"])
def test_individual_data_do_not_go_where_things_are_published(
    bench: Workbench, capsys: pytest.CaptureFixture[str], inside: str
) -> None:
    assert run(bench, "export", "--programme", "tarp", "--to", str(bench.home.root / inside)) == 2
    assert "individual data do not go into this folder" in capsys.readouterr().err


def test_without_a_vault_the_way_to_one_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = Workbench(tmp_path)
    empty.add_bundled("tarp")
    assert run(empty, "export", "--programme", "tarp", "--to", str(tmp_path / "out")) == 2
    assert "effectmeter refresh --programme tarp" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_plan_that_changed_since_is_refused(
    bench: Workbench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "plans"
    changed.mkdir()
    plan = (bench.plans / "tarp.yaml").read_text(encoding="utf-8")
    (changed / "tarp.yaml").write_text(plan.replace("  prio: numeric", "  # prio: numeric"), encoding="utf-8")
    options = ["--home", str(bench.home.root), "--programmes", str(changed), "--quarter", str(QUARTER)]
    with pytest.raises(SystemExit) as ended:
        main(["export", "--programme", "tarp", "--to", str(tmp_path / "out"), *options])
    assert ended.value.code == 1
    assert "Traceback" not in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_notebook_reproduces_the_published_estimates(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("marimo", reason="marimo is in the group docs")
    monkeypatch.setenv("EFFECTMETER_HOME", str(bench.home.root))
    monkeypatch.setenv("EFFECTMETER_PROGRAMMES", str(bench.plans))
    monkeypatch.setenv("EFFECTMETER_QUARTER", str(QUARTER))
    found = _module(ROOT / "notebooks" / "reproduce_tarp.py").app.run()[1]
    assert (found["arrested"], found["allocated"]) == (
        {"treated": 48, "comparison": 66},
        {"treated": 216, "comparison": 216},
    )
    assert found["risk_ratio"] == pytest.approx(48 / 66)
    assert found["hazard_ratio"] == pytest.approx(0.6843, abs=5e-5)
    (primary,) = rows_where(bench.effects("tarp")["effects"], analysis="primary")
    assert found["adjusted_risk_ratio"] == pytest.approx(primary["estimate"], rel=1e-9)


def test_every_guide_has_its_example_and_that_of_tarp_is_current(bench: Workbench) -> None:
    examples = _module(ROOT / "docs" / "make_examples.py")
    for guide, programme in examples.EXAMPLES.items():
        text = (examples.GUIDES / f"{guide}.md").read_text(encoding="utf-8")
        plan = (ROOT / "programmes" / f"{programme}.yaml").read_text(encoding="utf-8")
        assert f"design: {guide.replace('-', '_')}\n" in plan
        assert f"## Worked example: `{programme}`" in text
    text = (examples.GUIDES / "randomised.md").read_text(encoding="utf-8")
    made = examples.with_example(text, examples.example(bench.home, "tarp"))
    assert _figures(made) == _figures(text), "run `make examples`"


def _figures(page: str) -> list[str]:
    """Return a guide without what its gates say: those sentences have tests of their own."""
    return [line for line in page.splitlines() if not line.startswith("gate ")]


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
