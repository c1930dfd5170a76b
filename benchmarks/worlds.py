"""Measures the whole method on known worlds and writes docs/validation.md. ``make worlds`` runs it.

Run from the project's root: ``python benchmarks/worlds.py``. It may be stopped at any moment: what was measured is kept
in ``.cache/worlds`` (one file per cell, in parts of 50 studies) and the next run goes on where this one stopped. Every
study has its own seed, so the figures do not depend on the order, the number of processes or the stops.

Here: which cells, with how many studies, and running them. Not here: the worlds (`effectmeter.worlds.planted_worlds`),
the judging (`effectmeter.worlds.judged`), the page (`worlds_page`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from worlds_page import enough_to_see

from effectmeter.worlds.judged import Tally, tally_of_looks, tally_of_studies
from effectmeter.worlds.planted import PlantedWorld
from effectmeter.worlds.planted_worlds import planted_world, planted_worlds

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "worlds"
PAGE = ROOT / "docs" / "validation.md"
RULER = 2
"""To be raised when the judging changes, so that older figures are not taken for newer ones."""
PART = 50
FULL, OTHER = 1000, 200
"""Studies per cell of a sound world whose figures decide a default; of other sound worlds, and at the largest size."""
THREATS, THREATS_STATED = 200, 100
"""Studies per cell of a broken world at the sizes for which gates must see it; where it is only stated."""
LOOKED, LOOKED_OTHER = 200, 100
"""Studies per cell of eight looks, at one size of each design and at others. Which schedule is the default was decided
by benchmarks/looks.py, with 20,000 programmes a row; here whole studies with their gates are held against it."""
DOUBTED = 3000
"""Studies of a sound cell whose intervals held less than they must at first: so many that chance can be told apart."""
HIDDEN = 50
"""Studies per cell where there are so few units that all is hidden."""
SLOW = frozenset({"persons", "trials", "months"})
"""Units whose worlds with rare events, and whose sizes outside `DECIDING`, are fitted by exact and profile intervals,
which take long. Which interval is the default there was decided by the benchmarks coverage.py, series_coverage.py and
trials_coverage.py, which measure nothing else: such cells count as `OTHER`."""
DECIDING = {"persons": (300, 1000), "months": (60,)}
"""Sizes of most studies; units that are not named take every size."""
QUICK = 50
_LARGE_SIZE = 3000
_LEAST_SHOWN = {"persons": 60, "areas": 20, "families": 20, "sites": 20}
"""Sizes, both arms together, below which the gates on size and clusters hide everything."""
_METHOD = ("designs", "estimators", "gates", "verdicts.py", "claims.py", "looks.py", "diagnostics.py")


@dataclass(frozen=True, slots=True)
class Cell:
    """A world at a size, judged once at its end (``end``) or at eight quarterly looks (``looks``)."""

    address: str
    size: int
    mode: str
    replicates: int

    @property
    def path(self) -> Path:
        """Return where its figures are kept."""
        return CACHE / f"{self.address.replace('/', '-')}-{self.size}-{self.mode}.json"

    @property
    def parts(self) -> range:
        """Return the numbers of its parts of `PART` studies."""
        return range(-(-self.replicates // PART))

    @property
    def key(self) -> str:
        """Return what the figures depend on besides the method."""
        return f"{planted_world(self.address).version}.{RULER}"


def replicates_of(world: PlantedWorld, size: int, mode: str) -> int:
    """Return how many studies a cell has in the full run."""
    if mode == "looks":
        return LOOKED if (world.name, size) == ("no_effect", world.grows[0]) else LOOKED_OTHER
    if size < _LEAST_SHOWN.get(world.unit, 0):
        return HIDDEN
    if world.kind != "sound":
        return THREATS if size >= enough_to_see(world) else THREATS_STATED
    is_slow = world.name.startswith("rare") or size not in DECIDING.get(world.unit, (size,))
    is_other = not world.decides or size >= _LARGE_SIZE or (is_slow and world.unit in SLOW)
    return OTHER if is_other else FULL


def cells(
    only: Iterable[str] = (), *, at: Iterable[int] = (), most: int | None = None, quick: bool = False
) -> list[Cell]:
    """Return the cells to be run, in the order of the page."""
    wanted, wanted_sizes = list(only), set(at)
    most = None if most is None else -(-most // PART) * PART  # whole parts, so that a later run can go on
    found = []
    for address, world in planted_worlds().items():
        if wanted and not any(word in address for word in wanted):
            continue
        sizes = world.sizes[len(world.sizes) // 2 :][:1] if quick else world.sizes
        for mode, of_mode in (("end", sizes), ("looks", () if quick else world.grows)):
            for size in (size for size in of_mode if not wanted_sizes or size in wanted_sizes):
                n = QUICK if quick else replicates_of(world, size, mode)
                found.append(Cell(address, size, mode, min(n, most or n)))
    return found


def method_version() -> str:
    """Return a fingerprint of the code that is judged."""
    digest = hashlib.sha256()
    for name in _METHOD:
        path = ROOT / "effectmeter" / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(slots=True)
class Measured:
    """What is known of a cell: its sums, which parts they hold, how long they took and of which method."""

    tally: Tally
    parts: set[int]
    seconds: float
    methods: set[str]

    @classmethod
    def read(cls, cell: Cell) -> Measured:
        """Read a cell's file; empty when there is none, or one of another version of the world."""
        try:
            record = json.loads(cell.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = {}
        if record.get("key") != cell.key:
            return cls(Tally(), set(), 0.0, set())
        return cls(Tally.of_record(record["tally"]), set(record["parts"]), record["seconds"], set(record["methods"]))

    def write(self, cell: Cell) -> None:
        """Write a cell's file whole or not at all."""
        record: dict[str, Any] = {
            "key": cell.key,
            "parts": sorted(self.parts),
            "seconds": round(self.seconds, 2),
            "methods": sorted(self.methods),
            "tally": self.tally.as_record(),
        }
        cell.path.parent.mkdir(parents=True, exist_ok=True)
        beside = cell.path.with_suffix(".part")
        beside.write_text(json.dumps(record), encoding="utf-8")
        beside.replace(cell.path)


def run_part(cell: Cell, part: int) -> tuple[Tally, float]:
    """Judge the studies of one part; runs in a process of its own."""
    began = time.process_time()  # not the clock: the machine may have other work
    studies = range(part * PART, min((part + 1) * PART, cell.replicates))
    tally = (tally_of_looks if cell.mode == "looks" else tally_of_studies)(
        planted_world(cell.address), cell.size, studies
    )
    return tally, time.process_time() - began


def run(asked: list[Cell], *, processes: int, fresh: bool, minutes: float | None) -> dict[Cell, Measured]:
    """Run what is missing, the first parts of all cells first, and return everything that is known."""
    method = method_version()
    known = {cell: Measured.read(cell) for cell in asked}
    if fresh:
        known |= {
            cell: Measured(Tally(), set(), 0.0, set()) for cell, found in known.items() if found.methods - {method}
        }
    tasks = [(cell, part) for cell in asked for part in cell.parts if part not in known[cell].parts]
    # a rough table early, looks after it, then cell by cell
    tasks.sort(key=lambda task: (task[1] // 2 if task[1] < 4 else 2, task[0].mode == "looks", -task[0].replicates))
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = "1"  # before the processes begin: they share the cores among themselves
    context = multiprocessing.get_context("spawn")
    waiting: dict[Future[tuple[Tally, float]], tuple[Cell, int]] = {}
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        following = iter(tasks)
        left = Counter(cell for cell, _ in tasks)
        while True:
            while len(waiting) < 2 * processes and time.monotonic() < ends:
                task = next(following, None)
                if task is None:
                    break
                waiting[pool.submit(run_part, *task)] = task
            if not waiting:
                break
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                cell, part = waiting.pop(done)
                tally, seconds = done.result()
                left[cell] -= 1
                if tally.count["crashed"] == tally.n:  # nothing was measured: not kept, so that it is tried again
                    print(f"{cell.address} {cell.size}: nothing but faults {tally.faults}", file=sys.stderr, flush=True)
                    continue
                found = known[cell]
                found.tally.add(tally)
                found.parts.add(part)
                found.seconds += seconds
                found.methods.add(method)
                found.write(cell)
                _say(cell, known, left, processes)
    return known


def _say(cell: Cell, known: dict[Cell, Measured], left: Counter[Cell], processes: int) -> None:
    """Print what was done and about how long the rest takes."""
    rest = sum(part_seconds(other, known) * number for other, number in left.items() if number > 0) / processes
    found = known[cell]
    print(
        f"{cell.address} {cell.size} {cell.mode}: {found.tally.n} studies, "
        f"{1000 * found.seconds / max(found.tally.n, 1):.0f} ms each; {sum(left.values())} parts left, "
        f"about {rest / 60:.0f} minutes",
        file=sys.stderr,
        flush=True,
    )


def part_seconds(cell: Cell, known: dict[Cell, Measured]) -> float:
    """Return how long a part of a cell takes: as measured, else as like ones did, else a guess."""
    design = cell.address.partition("/")[0]

    def mean(cells: Iterator[Cell]) -> float:
        found = [known[other] for other in cells if known[other].tally.n]
        return sum(each.seconds for each in found) / sum(each.tally.n for each in found) if found else 0.0

    each = (
        mean(iter([cell]))
        or mean(
            other for other in known if (other.size, other.mode) == (cell.size, cell.mode) and design in other.address
        )
        or mean(other for other in known if other.mode == cell.mode)
        or 0.1
    )
    return each * min(PART, cell.replicates)


def _stop(number: int, frame: object) -> None:
    for child in multiprocessing.active_children():
        child.terminate()
    sys.exit(f"stopped by signal {number}; what was measured is kept")


def main() -> None:
    """Run, and write the page."""
    signal.signal(signal.SIGTERM, _stop)
    options = argparse.ArgumentParser(description="Measure the method on known worlds; writes docs/validation.md.")
    options.add_argument("--only", action="append", default=[], help="worlds whose address has this text; repeatable")
    options.add_argument("--size", action="append", type=int, default=[], help="only this size; repeatable")
    options.add_argument("--processes", type=int, default=2, help="processes side by side (2)")
    options.add_argument("--replicates", type=int, help="at most so many studies per cell")
    options.add_argument("--minutes", type=float, help="begin nothing new after so many minutes")
    options.add_argument("--fresh", action="store_true", help="measure again what an older version of the method gave")
    options.add_argument("--quick", action="store_true", help=f"{QUICK} studies per world at one size; writes no page")
    options.add_argument("--page", action="store_true", help="only write the page from what was measured")
    asked = options.parse_args()
    chosen = cells(asked.only, at=asked.size, most=asked.replicates, quick=asked.quick)
    if not asked.page:
        known = run(chosen, processes=asked.processes, fresh=asked.fresh, minutes=asked.minutes)
        if not asked.quick and asked.replicates is None:
            from worlds_page import below_coverage

            doubted = [replace(cell, replicates=DOUBTED) for cell, _ in below_coverage(known)]
            run(doubted, processes=asked.processes, fresh=asked.fresh, minutes=asked.minutes)
        broken = [f"{cell.address} {cell.size}: {m.tally.faults}" for cell, m in known.items() if m.tally.faults]
        print(*broken, sep="\n", file=sys.stderr)
    if not asked.quick:
        from worlds_page import page

        everything = {cell: Measured.read(cell) for cell in cells()}
        PAGE.write_text(page({c: m for c, m in everything.items() if m.tally.n}, method_version()), encoding="utf-8")
        print(PAGE)


if __name__ == "__main__":
    main()
