"""What makes the command line pleasant: help that fits a screen, completion, what is left to do, JSON."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workbench import ROOT

from pipelines.cli import app
from pipelines.commands_page import commands
from pipelines.printing import STEPS
from pipelines.progress import Progress, duration

COMMANDS = dict(commands())
LINES, COLUMNS = 24, 80


@pytest.mark.parametrize("command", ["", "plan", *COMMANDS])
def test_help_fits_a_screen(command: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": str(COLUMNS)})
    lines = said.output.rstrip().splitlines()
    assert said.exit_code == 0
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS


def test_the_list_of_commands_breaks_no_sentence_off() -> None:
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": str(COLUMNS)})
    assert [line for line in said.output.splitlines() if line.startswith("  ") and line.endswith("...")] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"ui", "plan new"}])
def test_a_machine_may_read_every_result(name: str) -> None:
    assert "--json" in {option for param in COMMANDS[name].params for option in param.opts}


def completed(shell: str, words: str, position: int) -> str:
    environment = os.environ | {
        "_EFFECTMETER_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(position),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "EFFECTMETER_PROGRAMMES": str(ROOT / "programmes"),
    }
    effectmeter = Path(sys.executable).with_name("effectmeter")
    command = [str(effectmeter)] if effectmeter.exists() else [sys.executable, "-m", "pipelines.cli"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_programmes(shell: str) -> None:
    assert "refresh" in completed(shell, "effectmeter ref", 1)
    offered = completed(shell, "effectmeter check --programme ta", 3)
    assert "tarp" in offered
    assert "harp" not in offered


def test_what_is_left_is_said_once_enough_is_done() -> None:
    clock = iter(float(second) for second in range(0, 1000, 10))
    progress = Progress(2, clock=lambda: next(clock))
    lines = [progress.line(name, step) for name in ("one", "two") for step in STEPS]
    assert lines[0] == "   10.0 s  1/2 one: reading the delivery".replace("reading the delivery", next(iter(STEPS)))
    assert "left" not in lines[1]
    # halfway: eleven steps took 120 s, as many are to come
    assert lines[len(STEPS)].startswith(f"  {10 * (len(STEPS) + 1):5.1f} s  2/2 two")
    assert lines[len(STEPS)].endswith("about 2 min left")
    assert lines[-1].endswith(("s left", "min left"))


def test_a_programme_that_stops_early_counts_as_done() -> None:
    clock = iter([0.0, 10.0, 20.0])
    progress = Progress(2, clock=lambda: next(clock))
    progress.line("one", "reading the delivery")
    assert progress.line("two", "reading the delivery").endswith("about 20 s left")


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "10 s"), (61, "2 min"), (3599, "1 h 0 min"), (3601, "1 h 10 min"), (7200, "2 h 0 min")]
)
def test_durations_are_in_the_unit_of_a_person(seconds: float, words: str) -> None:
    assert duration(seconds) == words
