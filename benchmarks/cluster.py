"""Runs the same programmes in one process and on a cluster of two workers, and compares; writes benchmarks/cluster.md.

``make cluster`` runs twenty programmes of four quarters; ``--programmes`` and ``--quarters`` make it smaller. The
cluster is Dask's own scheduler and workers, as processes on this machine, with the data folder shared between them.

Here: small made-up deliveries, both ways of running, the comparison. Not here: the job (`pipelines.cluster`).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from effectmeter.home import Home
from effectmeter.passport import undated
from effectmeter.quarters import Quarter

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "cluster.md"
LAST = Quarter(2026, 3)
SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__UNKNOWN_TASK_DURATION": "60s"}
"""Of the scheduler. It takes a piece of work that it never saw for half a second's, and then lets a free worker wait
beside a busy one that has several; see docs/how-to/run-on-many-machines.md."""
PERSONS = 400
"""In the first quarter; each next one adds a tenth."""
KEY = "c1" * 32
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Ran:
    """One way of running: how long it took, and where its installation is."""

    seconds: float
    peak_megabytes: int
    home: Home


def quarters_until_last(n: int) -> list[Quarter]:
    """Return the last `n` quarters, oldest first."""
    found = [LAST]
    while len(found) < n:
        found.insert(0, found[0].previous())
    return found


def programme_name(number: int) -> str:
    """Return a programme's name."""
    return f"made-up-{number:02d}"


def write_programmes(folder: Path, home: Home, n: int, quarters: list[Quarter]) -> None:
    """Write plans and deliveries of `n` made-up programmes: trials and cohorts by turns, each with its own people."""
    folder.mkdir(parents=True)
    for number in range(1, n + 1):
        name = programme_name(number)
        plan: dict[str, Any] = {
            "programme": name,
            "title": {"nl": f"Verzonnen programma {number}", "en": f"Made-up programme {number}"},
            "design": "randomised" if number % 2 else "comparison_cohort",
            "synthetic": True,
            "source": {"persons": {"file": "persons.csv"}, "events": {"file": "events.csv"}},
            "adjust_for": {"sex": "categorical", "prior_arrest_12m": "numeric"},
            "follow_up": {"months": [12]},
            "outcomes": {"arrest": {"event": "arrest", "measures": ["risk_ratio", "rate_ratio"], "primary": True}},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
        for later, quarter in enumerate(quarters):
            _deliver(home.delivery(name, quarter), number, quarters[0], int(PERSONS * 1.1**later))


def _deliver(folder: Path, number: int, first: Quarter, n: int) -> None:
    """Write a delivery of `n` persons; those of an earlier, smaller one are the first of them."""
    folder.mkdir(parents=True)
    persons, events = [], []
    for person in range(n):
        random = np.random.default_rng([number, person])
        arm = ("treated", "comparison")[int(random.integers(2))]
        start = first.reference_date - timedelta(days=int(random.integers(420, 800)))
        identifier = f"{number:02d}-{person:05d}"
        persons.append([identifier, arm, start.isoformat(), ("f", "m")[int(random.integers(2))]])
        rate = (1.2 if arm == "comparison" else 0.8) * random.gamma(2.0, 0.5)
        days = random.integers(-365, 366, size=int(random.poisson(2 * rate)))
        events += [[identifier, "arrest", (start + timedelta(days=int(day))).isoformat()] for day in days]
    for name, header, rows in (
        ("persons.csv", ["person_id", "arm", "index_date", "sex"], persons),
        ("events.csv", ["person_id", "event_type", "event_date"], events),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *rows])


def run_in_one_process(programmes: Path, home: Home, quarters: list[Quarter]) -> Ran:
    """Refresh everything with the command line: one process, one after the other."""
    labels = [part for quarter in quarters for part in ("--quarter", str(quarter))]
    return _timed([sys.executable, "-m", "pipelines.cli", "refresh", *labels], programmes, home, {})


def run_on_cluster(programmes: Path, home: Home, quarters: list[Quarter], workers: int = WORKERS) -> Ran:
    """Refresh everything with the job ``refresh_many`` on a scheduler and workers that are there already."""
    from pipelines.instance import offer_quarters

    offer_quarters(home, quarters[-1])
    config = home.root / "run.yaml"
    labels = [str(quarter) for quarter in quarters]
    config.write_text(yaml.safe_dump({"resources": {"quarters": {"config": {"labels": labels}}}}), encoding="utf-8")
    with _cluster(home, programmes, workers) as address:
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "pipelines.definitions"]
        return _timed(
            [*command, "-j", "refresh_many", "-c", str(config)], programmes, home, {"EFFECTMETER_CLUSTER": address}
        )


def _timed(command: list[str], programmes: Path, home: Home, more: dict[str, str]) -> Ran:
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(programmes, home) | more, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"{command[3:]} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return Ran(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, home)


def _environment(programmes: Path, home: Home) -> dict[str, str]:
    return os.environ | {
        "EFFECTMETER_HOME": str(home.root),
        "EFFECTMETER_PROGRAMMES": str(programmes),
        "EFFECTMETER_KEY": KEY,
        "EFFECTMETER_USER": "benchmark",
        "DAGSTER_HOME": str(home.dagster),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }


@contextmanager
def _cluster(home: Home, programmes: Path, workers: int) -> Iterator[str]:
    """Run a Dask scheduler and workers of one thread each, as somebody else's cluster would be running."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    port = address.rpartition(":")[2]
    scheduler = ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    log = home.root / "cluster.log"
    with ExitStack() as stack:
        stream = stack.enter_context(log.open("wb"))
        for command in [scheduler, *[worker] * workers]:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=_environment(programmes, home) | SETTINGS | {"EFFECTMETER_CLUSTER": address},
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        _wait_for_workers(address, workers, log)
        yield address


def _wait_for_workers(address: str, workers: int, log: Path) -> None:
    from distributed import Client

    try:
        with Client(address, timeout=120) as client:
            client.wait_for_workers(workers, timeout=240)
    except OSError as error:
        raise RuntimeError(f"the cluster did not come up: {error}\n{log.read_text()[-2000:]}") from None


def differences(one: Home, other: Home) -> tuple[int, list[str]]:
    """Compare two installations' releases.

    Returns
    -------
    tuple
        How many files were compared, and what differs: ``effects.csv`` and every table byte for byte, passports but for
        what is said of the run itself (who and when).
    """
    compared, found = 0, []
    roots = (one.release_root, other.release_root)
    listed = [sorted(str(path.relative_to(root)) for path in root.rglob("*.csv")) for root in roots]
    passports = [sorted(str(path.relative_to(root)) for path in root.rglob("passport.json")) for root in roots]
    if listed[0] != listed[1] or passports[0] != passports[1]:
        found.append("other files")
    for name in set(listed[0]) & set(listed[1]):
        compared += 1
        if (roots[0] / name).read_bytes() != (roots[1] / name).read_bytes():
            found.append(name)
    for name in set(passports[0]) & set(passports[1]):
        compared += 1
        if undated(json.loads((roots[0] / name).read_text())) != undated(json.loads((roots[1] / name).read_text())):
            found.append(name)
    return compared, found


def main() -> None:
    """Run both ways, compare, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programmes", type=int, default=20)
    parser.add_argument("--quarters", type=int, default=4)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args()
    quarters = quarters_until_last(asked.quarters)
    root = Path(tempfile.mkdtemp(prefix="effectmeter-cluster-"))
    try:
        plans, homes = root / "programmes", (Home(root / "one"), Home(root / "many"))
        write_programmes(plans, homes[0], asked.programmes, quarters)
        shutil.copytree(homes[0].root, homes[1].root)
        print(f"{asked.programmes} programmes x {asked.quarters} quarters, one process ...", flush=True)
        one = run_in_one_process(plans, homes[0], quarters)
        print(f"  {one.seconds:.0f} s; two workers ...", flush=True)
        many = run_on_cluster(plans, homes[1], quarters)
        print(f"  {many.seconds:.0f} s", flush=True)
        compared, found = differences(*homes)
        asked.page.write_text(page(asked.programmes, asked.quarters, one, many, compared, found), encoding="utf-8")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if found:
        sys.exit(f"not the same: {', '.join(sorted(found)[:10])}")


def page(n: int, n_quarters: int, one: Ran, many: Ran, compared: int, found: list[str]) -> str:
    """Return the page."""
    pieces = n * n_quarters
    stored = {
        name: sum(path.stat().st_size for path in (one.home.root / name).rglob("*") if path.is_file()) / pieces / 1e6
        for name in ("deliveries", "vault", "release", "dagster")
    }
    rows = [
        ("one process, one after the other (`effectmeter refresh`)", one.seconds),
        (f"{WORKERS} workers of a Dask cluster (job `refresh_many`)", many.seconds),
    ]
    lines = [
        "# Many programmes on one process and on a cluster",
        "",
        f"Written by `make cluster` on {date.today().isoformat()}, on a machine with {os.cpu_count()} cores: {n} "
        f"made-up programmes of {PERSONS} persons and more, {n_quarters} quarters each; {pieces} programme-quarters "
        "with all steps, checks, reports and the portfolio.",
        "",
        "| how | seconds | seconds per programme-quarter |",
        "|---|---|---|",
        *(f"| {how} | {seconds:.0f} | {seconds / pieces:.1f} |" for how, seconds in rows),
        "",
        f"Speed-up: {one.seconds / many.seconds:.2f} on {WORKERS} workers, start of the workers not counted, start of "
        "both commands counted.",
        "",
        f"The same: {compared} files compared (`effects.csv` and every table byte for byte, passports but for who and "
        f"when); {len(found)} differ.",
        "",
        f"Most memory of one process: {one.peak_megabytes} MB (one process, all programmes).",
        "",
        "On disk per programme-quarter (MB): " + ", ".join(f"{name} {size:.2f}" for name, size in stored.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
