"""What a refresh survives: fifty kills at random moments and one at every step, a full disk, no memory, no rights ...

Every trial begins with the same data folder: a first edition stands, and a changed delivery waits. Something goes wrong
in the middle of the refresh; then it is looked at what is left, and a plain second refresh runs. ``make faults`` writes
``benchmarks/faults.md``. The same trials, fewer of them, are in ``tests/test_faults.py``.

Here: which trials there are, and the page. Not here: the faults (`fault_trials`), the stage and the verdict
(`fault_stage`). Trials run in forks of one process that has everything imported, so that the moments of the kills fall
in the work and not in the start. Results are kept in ``EFFECTMETER_FAULTS`` (a file of lines), so that a run that was
broken off goes on where it was.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from fault_stage import PROGRAMME, Stage, Trial, try_out  # noqa: E402
from fault_trials import (  # noqa: E402
    DAMAGES,
    PLACES,
    clock_that_jumps,
    corrupt_vault,
    full_disk,
    kill_after,
    kill_at_step,
    kill_between,
    largest_file,
    little_memory,
    little_memory_in_duckdb,
    read_only,
    replaced,
    two_at_once,
    vanished,
)
from forks import import_all_of  # noqa: E402

PAGE = Path(__file__).with_suffix(".md")
N_KILLS = 50
_SEED = 20260930


def all_trials(stage: Stage) -> dict[str, Callable[[], Trial | None]]:
    """Return every trial by a name of its own; one of each kind comes first."""
    generator = random.Random(_SEED)
    shares = sorted(generator.random() for _ in range(N_KILLS))
    vault_kb = stage.vault(stage.before).stat().st_size // 1024
    kinds: list[dict[str, Callable[[], Trial | None]]] = [
        {f"kill {n + 1} at {share:.3f}": partial(kill_after, stage, share, n) for n, share in enumerate(shares)},
        {f"step {n + 1}": partial(kill_at_step, stage, n + 1) for n in range(len(stage.steps))},
        {f"between {place}": partial(kill_between, stage, place) for place in PLACES},
        {f"disk {n}": partial(full_disk, stage, int(n * vault_kb) * 1024) for n in (0.5, 0, 0.1, 1, 1.5, 2.5, 4)},
        {f"file {n}": partial(largest_file, stage, int(n * vault_kb) * 1024) for n in (0.5, 0.01, 1.1)},
        {f"memory {n}": partial(little_memory, stage, n) for n in (128, 32, 512, 1024)},
        {f"duckdb {n}": partial(little_memory_in_duckdb, stage, n) for n in ("4MB", "1MB", "16MB")},
        {f"rights {n}": partial(read_only, stage, n) for n in ("vault", "", "release", "dagster", "deliveries")},
        {f"vanished {n}": partial(vanished, stage, n) for n in (1, 0, 2, 5)},
        {f"replaced {n}": partial(replaced, stage, n) for n in range(3)},
        {f"two {n}": partial(two_at_once, stage, n) for n in (0.5, 0.0, 3.0)},
        {f"clock {n}": partial(clock_that_jumps, stage, n) for n in (-4000, 4000, -1, 1)},
        {f"corrupt {n}": partial(corrupt_vault, stage, n) for n in DAMAGES},
    ]
    first = {name: run for kind in kinds for name, run in list(kind.items())[:1]}
    return first | {name: run for kind in reversed(kinds) for name, run in kind.items() if name not in first}


def page(stage: Stage, trials: Sequence[Trial], skipped: int) -> str:
    """Return the committed page."""
    n_sound = sum(not trial.faults for trial in trials)
    lines = [
        "# What a refresh survives",
        "",
        f"Made by `make faults` on `{PROGRAMME}`, {date.today().isoformat()}: {len(trials)} trials, {n_sound} sound.",
        f"An undisturbed refresh took {stage.seconds:.1f} s of the processor. Kills are SIGKILL to a whole refresh in",
        f"a process of its own: {N_KILLS} at moments uniform over that time (seed {_SEED}), one as each step begins,",
        "and one between any two writes of ledger and release. A trial is sound when",
        "",
        "* the edition that stood is the same, byte for byte, and any edition beside it is whole;",
        "* every table of the vault can be read, or the vault says that it is damaged;",
        "* a refusal is in our own words and says what to do;",
        "* a plain second refresh publishes the `effects.csv` of an undisturbed one, byte for byte, as edition 002,",
        "  leaves no working file behind, and no release in the ledger that does not exist.",
        "",
    ]
    if skipped:
        lines += [f"{skipped} trials were left out: this account may not mount a file system.", ""]
    lines += ["| fault | trials | sound |", "|---|---:|---:|"]
    for fault in dict.fromkeys(trial.fault for trial in trials):
        own = [trial for trial in trials if trial.fault == fault]
        lines.append(f"| {fault} | {len(own)} | {sum(not trial.faults for trial in own)} |")
    lines += [
        "",
        "| fault | moment | the refresh | last release | vault | plain refresh after it |",
        "|---|---|---|---|---|---|",
    ]
    for trial in trials:
        cells = (trial.fault, trial.moment, trial.ended, trial.last_release, trial.vault, trial.again)
        lines.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |")
    broken = [trial for trial in trials if trial.faults]
    if broken:
        lines += ["", "## Not sound", ""]
        lines += [f"* {trial.fault}, {trial.moment}: {'; '.join(trial.faults)}" for trial in broken]
    return "\n".join(lines) + "\n"


def main(wanted: Sequence[str]) -> int:
    """Run all trials that have no result yet, or those whose name begins with a given word, and write the page."""
    kept = Path(os.environ.get("EFFECTMETER_FAULTS", ROOT / "data" / "benchmarks" / "faults.jsonl"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    import_all_of(try_out)
    with tempfile.TemporaryDirectory(prefix="effectmeter-faults-") as folder:
        stage = Stage(Path(folder) / "stage")
        trials = all_trials(stage)
        done = _results(kept)
        for name, run in trials.items():
            if name in done or (wanted and not name.startswith(tuple(wanted))):
                continue
            trial = run()
            told = {"name": name, "trial": None if trial is None else asdict(trial)}
            with kept.open("a", encoding="utf-8") as results:
                results.write(json.dumps(told) + "\n")
            done[name] = trial
            if trial is not None:
                print("ok " if not trial.faults else "BAD", name, "|", trial.ended, "|", trial.again, flush=True)
                for fault in trial.faults:
                    print("    ", fault, flush=True)
        found = [trial for name in trials if (trial := done.get(name)) is not None]
        PAGE.write_text(page(stage, found, len(trials) - len(found)), encoding="utf-8")
    if len(done) == len(trials):
        kept.unlink()
    return 0 if not any(trial.faults for trial in found) else 1


def _results(kept: Path) -> dict[str, Trial | None]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    told = [json.loads(line) for line in lines]
    return {each["name"]: None if each["trial"] is None else Trial(**each["trial"]) for each in told}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
