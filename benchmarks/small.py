"""What a small installation takes: one programme of 432 people, from a cold start and warm (``make small``).

Wall time is what a person waits; processor time is what the work costs, and says more on a machine that others use.
Every figure is the better of two runs, except the first refresh, which is one.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "small.md"
QUARTER = "2026-Q3"
PROGRAMME = "tarp"

_CHILD = """
import sys, json, time
began = time.perf_counter(), time.process_time()
from pathlib import Path
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.refresh import refresh_all
home, plans, quarter = Home(Path(sys.argv[1])), Path(sys.argv[2]), Quarter.parse(sys.argv[3])
found = []
for again in (False, False, True):
    (result,) = refresh_all(home, plans, [sys.argv[4]], [quarter], again=again)
    assert result.exit_code == 0, result.refusal
    found.append([time.perf_counter() - began[0], time.process_time() - began[1]])
    began = time.perf_counter(), time.process_time()
print(json.dumps(found))
"""
_LOCATION = "from pipelines.definitions import build_definitions; build_definitions().get_repository_def()"


def timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Return wall time, processor time and output of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):  # the doctor finds what it finds
        sys.exit(done.stderr)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, done.stdout


def better(measure: Callable[[], tuple[float, float, str]]) -> tuple[float, float]:
    """Return the better of two runs, wall and processor apart."""
    runs = [measure() for _ in range(2)]
    return min(run[0] for run in runs), min(run[1] for run in runs)


def measured(folder: Path) -> list[tuple[str, float, tuple[float, float]]]:
    """Return what is measured, the bar in seconds, and (wall, processor) seconds."""
    plans, home = folder / "programmes", folder / "data"
    plans.mkdir()
    shutil.copy(ROOT / "programmes" / f"{PROGRAMME}.yaml", plans)
    environment = os.environ | {"EFFECTMETER_HOME": str(home), "EFFECTMETER_PROGRAMMES": str(plans)}
    effectmeter = [sys.executable, "-m", "pipelines.cli"]
    subprocess.run(
        [*effectmeter, "worlds", "--programme", PROGRAMME, "--quarter", QUARTER],
        cwd=ROOT, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    rows = [("`effectmeter --help`", 0.5, better(lambda: timed([*effectmeter, "--help"], environment)))]
    location = [sys.executable, "-c", _LOCATION]
    rows.append(("Dagster's code location, loaded", 5.0, better(lambda: timed(location, environment))))
    child = [sys.executable, "-c", _CHILD, str(home), str(plans), QUARTER, PROGRAMME]
    first, unchanged, again = json.loads(timed(child, environment)[2].splitlines()[-1])
    rows.append(("first refresh in a new process", 25.0, (first[0], first[1])))
    rows.append(("second in the same process, nothing changed: skipped", 5.0, (unchanged[0], unchanged[1])))
    rows.append(("third in the same process, every step done again", 5.0, (again[0], again[1])))
    rows.append(("`effectmeter doctor`", 2.0, better(lambda: timed([*effectmeter, "doctor"], environment))))
    return rows


def main() -> None:
    """Measure, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder))
    load = os.getloadavg()[0]
    lines = [
        "# What a small installation takes",
        "",
        "<!-- Made by `make small`; edit benchmarks/small.py, not this page. -->",
        "",
        f"One programme (`{PROGRAMME}`, 432 people), {os.cpu_count()} cores, load {load:.1f}.",
        "Processor time is what the work costs; on a machine with nothing else to do a person waits about as long.",
        "",
        "| what | at most (s) | waited (s) | processor (s) |",
        "|---|---|---|---|",
        *(f"| {what} | {bar:g} | {wall:.2f} | {cpu:.2f} |" for what, bar, (wall, cpu) in rows),
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
