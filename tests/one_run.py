"""One run of some bundled programmes in a process of its own, for `test_same_in_same_out`: what it released, as JSON.

``python one_run.py HOME THREADS PROGRAMME...`` puts the bundled deliveries into HOME, those of ``PROGRAMME:shuffled``
with their rows in another order, runs every step as far as the files of the release go, without Dagster and without
pages, and prints per programme ``effects.csv``, the passport, the vault's unrounded effects, and the worked example
that a guide may show of it.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any


def shuffle(path: Path) -> None:
    """Put a delivered file's rows into another order; its header stays."""
    header, *rows = path.read_bytes().splitlines(keepends=True)
    rows = [row if row.endswith(b"\n") else row + b"\n" for row in rows]
    random.Random(7).shuffle(rows)
    path.write_bytes(header + b"".join(rows))


def run(root: Path, programme: str, *, is_shuffled: bool) -> dict[str, Any]:
    """Run one programme and return what it released."""
    from workbench import QUARTER, Workbench

    from assets.bundled import write_deliveries
    from assets.publishing import release_step
    from assets.releases import STAGING
    from assets.staging import staged
    from effectmeter.plan_io import load_plan
    from reports.files import csv_text, marked

    sys.path.append(str(Path(__file__).resolve().parents[1] / "docs"))
    from make_examples import example

    bench = Workbench(root)
    bench.add_bundled(programme)
    for path in write_deliveries(bench.home, QUARTER, [programme])[programme]:
        if is_shuffled and path.suffix == ".csv":  # beside them lies a text that says that the data are made up
            shuffle(path)
    bench.estimate(programme)
    release_step(bench.home, load_plan(bench.plans / f"{programme}.yaml"), QUARTER)
    cleared, passport = staged(bench.home.releases(programme, QUARTER) / STAGING)[:2]
    return {
        "effects": csv_text(marked(cleared.tables["effects"], is_synthetic=cleared.is_synthetic)),
        "passport": passport,
        "vault": json.dumps(bench.effects(programme)),
        "example": "" if is_shuffled else example(bench.home, programme),
    }


def main() -> None:
    """Run what the command line asks for."""
    import vault.connection

    root, threads, *programmes = sys.argv[1:]
    vault.connection._MOST_THREADS = int(threads)
    found = {}
    for wanted in programmes:
        name, _, order = wanted.partition(":")
        found[name] = run(Path(root), name, is_shuffled=order == "shuffled")
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
