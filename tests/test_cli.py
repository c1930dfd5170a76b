"""The command line as a person meets it: exit codes, what goes where, and sentences that say what to do next."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from workbench import QUARTER, Workbench, minimal_plan

from assets.bundled import write_deliveries
from effectmeter.schema import DESIGN_TABLES
from pipelines.cli import main
from pipelines.printing import STEPS, step_words

Q = ("--quarter", str(QUARTER))
SOURCE = {
    "persons": {
        "file": "persons.csv",
        "columns": {"arm": {"column": "arm", "values": {"treated": "treated", "comparison": "comparison"}}},
    },
    "events": "events.csv",
}
EVERY_COMMAND = ("refresh", "check", "effects", "report", "plan new", "worlds", "ui")


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands in this process, on a folder of its own."""

    def __init__(self, bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench = bench
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = self._capsys.readouterr()
        code = ended.value.code
        return Said(0 if code is None else int(code), captured.out, captured.err)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    bench = Workbench(tmp_path)
    bench.add_bundled("tarp")
    monkeypatch.setenv("EFFECTMETER_HOME", str(bench.home.root))
    monkeypatch.setenv("EFFECTMETER_PROGRAMMES", str(bench.plans))
    monkeypatch.setenv("COLUMNS", "200")
    return Shell(bench, capsys)


def deliver_people(bench: Workbench, *, faulty_rows: tuple[int, ...] = (), n: int = 240) -> None:
    """Deliver a small randomised programme, some of whose persons carry an arm that the plan does not know."""
    bench.add_plan(minimal_plan("jobs", source=SOURCE))
    arms = ["treated", "comparison"]
    people = [(f"p{i}", "mystery" if i in faulty_rows else arms[i % 2], "2024-01-01") for i in range(n)]
    events = [(f"p{i}", "arrest", "2024-03-01") for i in range(n) if i % 3 == 0]
    bench.deliver("jobs", "persons.csv", ["person_id", "arm", "index_date"], people)
    bench.deliver("jobs", "events.csv", ["person_id", "event_type", "event_date"], events)


@pytest.mark.parametrize("command", EVERY_COMMAND)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself_with_an_example(shell: Shell, command: str, flag: str) -> None:
    said = shell(*command.split(), flag)
    assert said.code == 0
    assert f"Example: effectmeter {command}" in said.out
    assert said.err == ""


def test_the_version_is_printed(shell: Shell) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", shell("--version").out)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("chek",), "'check'"),
        (("check", "--programm", "tarp"), "--programme"),
        (("check",), "--programme"),
        (("check", "--programme", "tarpp"), "did you mean 'tarp'?"),
        (("refresh", "--programme", "tarpp"), "did you mean 'tarp'?"),
        (("effects", "--programme", "tarpp"), "did you mean 'tarp'?"),
        (("effects", "--programme", "../tarp"), "did you mean 'tarp'?"),
        (("report", "--programme", "tarpp"), "did you mean 'tarp'?"),
        (("worlds", "--programme", "tarpp"), "did you mean 'tarp'?"),
        (("check", "--programme", "tarp", "--quarter", "2026Q3"), "2026-Q3"),
        (("effects", "--programme", "tarp", "--quarter", "third"), "YYYY-Qn"),
        (("plan", "new", "My Programme", "--design", "randomised"), "lower-case letters"),
        (("plan", "new", "jobs", "--design", "randomized"), "did you mean 'randomised'?"),
        (("plan", "new", "tarp", "--design", "randomised"), "exists already"),
        (("ui", "--port", "many"), "--port"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_was_meant(shell: Shell, arguments: tuple[str, ...], names: str) -> None:
    said = shell(*arguments)
    assert (said.code, said.out) == (2, "")
    assert names in said.err
    assert "Traceback" not in said.err


def test_the_help_names_every_design_there_is(shell: Shell) -> None:
    out = " ".join(shell("plan", "new", "--help").out.split())
    assert all(design in out for design in DESIGN_TABLES)


@pytest.mark.parametrize("design", list(DESIGN_TABLES))
def test_a_new_plan_is_sound_and_names_its_next_step(shell: Shell, design: str) -> None:
    made = shell("plan", "new", "jobs", "--design", design)
    assert (made.code, Path(made.out.strip())) == (0, shell.bench.plans / "jobs.yaml")
    assert "effectmeter check --programme jobs" in made.err
    checked = shell("check", "--programme", "jobs", *Q)
    assert checked.code == 1
    assert "plan jobs: sound" in checked.err
    assert "there is no delivery" in checked.err


@pytest.mark.parametrize(("command", "what"), [("effects", "vault"), ("report", "release")])
def test_results_before_any_refresh_are_refused_with_the_way_to_get_them(shell: Shell, command: str, what: str) -> None:
    said = shell(command, "--programme", "tarp", *Q)
    assert said.code == 2
    assert f"there is no {what} of tarp for {QUARTER}" in said.err
    assert "tarp was never refreshed" in said.err
    assert f"effectmeter refresh --programme tarp --quarter {QUARTER}" in said.err


def test_another_quarter_names_those_that_are_there(shell: Shell) -> None:
    (shell.bench.home.releases("tarp", QUARTER) / "001").mkdir(parents=True)
    said = shell("report", "--programme", "tarp", "--quarter", "2019-Q1")
    assert (said.code, f"allowed: {QUARTER}" in said.err) == (2, True)


def test_a_programme_whose_plan_went_keeps_its_report(shell: Shell) -> None:
    (shell.bench.home.releases("gone", QUARTER) / "001").mkdir(parents=True)
    said = shell("report", "--programme", "gone", *Q, "--json")
    assert said.code == 0
    assert set(json.loads(said.out)) == {"nl", "en"}


def test_check_counts_rows_kept_and_rejected_with_reason_and_row_but_no_content(shell: Shell) -> None:
    deliver_people(shell.bench, faulty_rows=(3,))
    said = shell("check", "--programme", "jobs", *Q)
    assert said.code == 0, said
    assert "persons (persons.csv): 239 of 240 rows kept, 1 rejected" in said.out
    assert "  arm: value not in the plan's value set: 1 (row 5)" in said.out
    assert "  person_id: the person's own row was rejected: 1 (row 3)" in said.out
    assert "mystery" not in said.out + said.err
    assert re.search(r"\d+ of \d+ checks passed", said.out)


def test_too_many_rejected_rows_are_refused_with_every_reason(shell: Shell) -> None:
    deliver_people(shell.bench, faulty_rows=(3, 4, 5))
    said = shell("check", "--programme", "jobs", *Q)
    assert (said.code, said.out) == (1, "")
    assert "3 of 240 rows rejected" in said.err
    assert "(first: 5, 6, 7)" in said.err
    assert "next:" in said.err
    assert "mystery" not in said.err


def test_check_as_json_is_one_document_with_rejects_and_checks(shell: Shell) -> None:
    deliver_people(shell.bench, faulty_rows=(3,))
    said = shell("check", "--programme", "jobs", *Q, "--json")
    found = json.loads(said.out)
    assert (found["programme"], found["quarter"]) == ("jobs", str(QUARTER))
    assert found["files"][0]["rejects"] == [
        {"column": "arm", "reason": "value not in the plan's value set", "n_rows": 1, "first_rows": [5]}
    ]
    assert {check["severity"] for check in found["checks"]} == {"critical", "warning"}


def test_check_warns_of_an_outcome_that_the_delivery_spells_otherwise(shell: Shell) -> None:
    deliver_people(shell.bench)
    shell.bench.add_plan(minimal_plan("jobs", outcomes={"arrest": {"event": "arrests", "measures": ["risk_ratio"]}}))
    said = shell("check", "--programme", "jobs", *Q)
    assert said.code == 0
    assert "rate_arrest_above_zero" in said.out
    assert "source.events.columns" in said.out


def test_check_lists_passed_checks_when_asked(shell: Shell) -> None:
    deliver_people(shell.bench)
    few, many = shell("check", "--programme", "jobs", *Q), shell("check", "--programme", "jobs", *Q, "--all")
    assert "persons_person_unique" in many.out
    assert "persons_person_unique" not in few.out


def test_a_faulty_plan_is_refused_with_all_its_faults_and_the_others_go_on(shell: Shell) -> None:
    faulty = minimal_plan("jobs", design="randomized", adjust_fr={}, follow_up={"months": ["twelve"]})
    shell.bench.add_plan(faulty)
    write_deliveries(shell.bench.home, QUARTER, ["tarp"])
    said = shell("refresh", *Q)
    assert said.code == 1
    for fault in ("did you mean 'randomised'?", "did you mean 'adjust_for'?", "follow_up.months"):
        assert fault in said.err
    assert "jobs 2026-Q3\n  refused, nothing published:\n" in said.err
    assert "tarp 2026-Q3" in said.out
    assert "nothing published" not in said.out
    assert "tarp: checking the delivery" in said.err

    effects = shell("effects", "--programme", "tarp", *Q)
    assert "outcome_regression" in effects.out
    assert "gate size: passed." in effects.out
    for extra in ((), ("--released",)):
        found = json.loads(shell("effects", "--programme", "tarp", *Q, "--json", *extra).out)
        assert set(found) == {"effects", "gates", "claims"}
        assert len(found["effects"]) > 4
    for path in shell("report", "--programme", "tarp", *Q).out.splitlines():
        assert Path(path).is_file()


def test_refresh_as_json_carries_the_refusal(shell: Shell) -> None:
    said = shell("refresh", "--programme", "tarp", *Q, "--json")
    (entry,) = json.loads(said.out)["programmes"]
    assert (said.code, entry["exit_code"]) == (1, 1)
    assert "there is no delivery" in entry["refusal"]
    effects = shell("effects", "--programme", "tarp", *Q)
    assert (effects.code, "effectmeter refresh" in effects.err) == (1, True)


def test_worlds_writes_the_bundled_files_and_says_where(shell: Shell) -> None:
    said = shell("worlds", "--programme", "tarp", *Q)
    assert said.out.strip() == f"tarp: events.csv, persons.csv in {shell.bench.home.delivery('tarp', QUARTER)}"


def test_every_step_of_a_refresh_has_words(shell: Shell) -> None:
    from pipelines.definitions import build_definitions

    keys = build_definitions(shell.bench.plans, shell.bench.home).resolve_asset_graph().get_all_asset_keys()
    steps = {key.path[-1] for key in keys if key.path[0] == "tarp"}
    assert steps - {"delivery"} <= set(STEPS)
    assert step_words("integrale_familieaanpak__landing_expectations") == "checking the delivery"


def test_help_does_not_wait_for_anything_heavy() -> None:
    heavy = ("dagster", "duckdb", "polars", "great_expectations", "numpy")
    code = f"import sys, pipelines.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
