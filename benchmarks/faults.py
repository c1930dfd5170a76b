"""What a refresh survives: fifty kills at random moments and one at every step, a full disk, no memory, no rights ...

Every trial begins with the same data folder: a first edition stands, and a changed delivery waits. Something goes wrong
in the middle of the refresh; then it is looked at what is left, and a plain second refresh runs. ``make faults`` writes
``benchmarks/faults.md``. The same trials, fewer of them, are in ``tests/test_faults.py``.

Trials run in forks of one process that has everything imported, so that a refresh takes seconds and the moments of the
kills fall in the work and not in the start. Results are kept in ``EFFECTMETER_FAULTS`` (a file of lines), so that a run
that was broken off goes on where it was. What the code itself does about faults is not here.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = Path(__file__).with_suffix(".md")
PROGRAMME = "scared-straight"
"""The smallest bundled programme: every step of a chain, in the least time."""
N_KILLS = 50
_SEED = 20260930
_PATIENCE = 1800
_NOBODY = 65534

Prepare = Callable[[], None]
"""Done in the fork before its refresh begins."""


@dataclass(slots=True)
class Ended:
    """How a refresh in a fork ended: its exit code and words, or that it was killed (`code` is None)."""

    code: int | None
    words: str
    steps: list[tuple[float, str]]
    seconds: float


@dataclass(slots=True)
class Trial:
    """What was left after one fault, and after the plain refresh that followed."""

    fault: str
    moment: str
    ended: str
    last_release: str
    vault: str
    again: str
    faults: list[str] = field(default_factory=list)


class Stage:
    """The folder that every trial starts from, and what an undisturbed refresh makes of it."""

    def __init__(self, folder: Path) -> None:
        from assets.bundled import write_deliveries
        from effectmeter.home import Home
        from effectmeter.quarters import Quarter

        self.folder, self.quarter = folder, Quarter(2026, 3)
        self.plans = folder / "programmes"
        self.plans.mkdir(parents=True)
        shutil.copy(ROOT / "programmes" / f"{PROGRAMME}.yaml", self.plans)
        self.before = folder / "before"
        write_deliveries(Home(self.before), self.quarter, [PROGRAMME])
        first = self.refresh(self.before)
        assert first.code == 0, first.words
        delivered = self.delivered(self.before)
        self.changed = b"".join(delivered.read_bytes().splitlines(keepends=True)[:-1])
        self.unchanged = delivered.read_bytes()
        delivered.write_bytes(self.changed)
        self.first_edition = contents(self.releases(self.before) / "001")
        undisturbed = self.copy("undisturbed")
        second = self.refresh(undisturbed)
        assert second.code == 0, second.words
        self.seconds, self.steps = second.seconds, second.steps
        self.wanted = (self.releases(undisturbed) / "002" / "effects.csv").read_bytes()
        self.files = set(contents(self.releases(undisturbed) / "002"))

    def delivered(self, home: Path) -> Path:
        """Return the delivered file in a data folder."""
        return home / "deliveries" / PROGRAMME / str(self.quarter) / "trials.csv"

    def releases(self, home: Path) -> Path:
        """Return the folder of the quarter's editions."""
        return home / "release" / PROGRAMME / str(self.quarter)

    def vault(self, home: Path) -> Path:
        """Return the vault file."""
        return home / "vault" / PROGRAMME / f"{self.quarter}.duckdb"

    def copy(self, name: str) -> Path:
        """Return a fresh copy of the folder that every trial starts from."""
        home = self.folder / name
        shutil.copytree(self.before, home)
        return home

    def start(self, home: Path, prepare: Prepare | None = None) -> Running:
        """Begin a refresh in a fork."""
        return Running(home, self.plans, self.quarter, prepare)

    def refresh(self, home: Path, prepare: Prepare | None = None) -> Ended:
        """Refresh in a fork, and wait for it."""
        return self.start(home, prepare).wait()


class Running:
    """A refresh in a fork; it tells of every step that it begins."""

    def __init__(self, home: Path, plans: Path, quarter: Any, prepare: Prepare | None) -> None:
        self.started = time.monotonic()
        self.told, telling = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.told)
            _refresh_and_exit(home, plans, quarter, prepare, telling)
        os.close(telling)
        self._lines = os.fdopen(self.told, encoding="utf-8")
        self.steps: list[tuple[float, str]] = []

    def kill(self) -> None:
        """End the fork at once, as ``kill -9`` does."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def until_step(self, n: int) -> None:
        """Wait until the fork begins its n-th step."""
        while len(self.steps) < n:
            line = self._lines.readline()
            if not line:
                return
            self._hear(line)

    def wait(self) -> Ended:
        """Wait until the fork has ended; one that hangs is killed."""
        code: int | None = None
        words = ""
        give_up = signal.signal(signal.SIGALRM, lambda *_: self.kill())
        signal.alarm(_PATIENCE)
        for line in self._lines:
            told = self._hear(line)
            if told is not None:
                code, words = told
        os.waitpid(self.pid, 0)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, give_up)
        self._lines.close()
        return Ended(code, words, self.steps, time.monotonic() - self.started)

    def _hear(self, line: str) -> tuple[int, str] | None:
        if not line.endswith("\n"):
            return None  # killed in the middle of telling
        said = json.loads(line)
        if "step" in said:
            self.steps.append((time.monotonic() - self.started, said["step"]))
            return None
        return said["code"], said["words"]


def _refresh_and_exit(home: Path, plans: Path, quarter: Any, prepare: Prepare | None, telling: int) -> None:
    """Refresh in this fork and leave it, without the parent's own clearing up."""

    def tell(**said: Any) -> None:
        os.write(telling, (json.dumps(said) + "\n").encode())

    code, words = 70, ""
    try:
        from effectmeter.home import Home
        from pipelines.refresh import refresh

        with (home.parent / f"{home.name}.log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if prepare is not None:
            prepare()
        (ended,) = refresh(Home(home), plans, [PROGRAMME], quarter, lambda _, step: tell(step=step))
        code, words = ended.exit_code, ended.refusal
    except BaseException as error:  # noqa: BLE001 - whatever comes out is what the trial is about
        from effectmeter.errors import EffectmeterError

        words = str(error) if isinstance(error, EffectmeterError) else f"Traceback ({type(error).__name__}: {error})"
        code = 1 if isinstance(error, EffectmeterError) else 70
    finally:
        with suppress(BaseException):
            tell(code=code, words=words)
        os._exit(0)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder, byte for byte."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def judge(
    stage: Stage, home: Path, fault: str, moment: str, ended: Ended, mend: Callable[[], None] | None = None
) -> Trial:
    """Look at what a fault left, mend what its words say must be mended, refresh plainly, and look again."""
    trial = Trial(fault, moment, _ending(ended), "", "", "")
    if ended.code == 70:
        trial.faults.append(f"words that are not ours: {ended.words[:300]}")
    if ended.code not in (None, 0, 70) and "next:" not in ended.words:
        trial.faults.append("a refusal without a next step")
    if "not foresee" in ended.words:
        trial.faults.append(f"unforeseen: {ended.words[:300]}")
    trial.last_release = _last_release(stage, home, trial.faults)
    trial.vault = _vault(stage, home, trial.faults)
    if mend is not None:
        mend()
    again = stage.refresh(home)
    if again.code != 0:
        trial.again = f"refused ({again.code})"
        trial.faults.append(f"the second refresh: {again.words[:500]}")
        return trial
    newest = sorted(stage.releases(home).glob("[0-9][0-9][0-9]"))[-1]
    is_same = (newest / "effects.csv").read_bytes() == stage.wanted
    trial.again = "same effects.csv" if is_same else "another effects.csv"
    if not is_same or newest.name != "002":
        trial.faults.append(f"edition {newest.name} differs from the undisturbed 002")
    left = [path.name for folder in (stage.vault(home).parent, stage.releases(home)) for path in folder.glob(".*")]
    if left:
        trial.faults.append(f"left behind: {', '.join(sorted(left))}")
    return trial


def _ending(ended: Ended) -> str:
    if ended.code is None:
        return "killed"
    if ended.code == 0:
        return "done"
    first = ended.words.splitlines()[0] if ended.words else ""
    return f"refused: {first.split(': ', 1)[-1][:90]}" if ended.code != 70 else "broke off"


def _last_release(stage: Stage, home: Path, faults: list[str]) -> str:
    if contents(stage.releases(home) / "001") != stage.first_edition:
        faults.append("the first edition changed")
    standing = sorted(stage.releases(home).glob("[0-9][0-9][0-9]"))
    for edition in standing[1:]:
        if set(contents(edition)) != stage.files or (edition / "effects.csv").read_bytes() != stage.wanted:
            faults.append(f"edition {edition.name} is not whole")
    return f"{standing[-1].name}, whole" if not faults else "see below"


def _vault(stage: Stage, home: Path, faults: list[str]) -> str:
    """Read the vault in a fork, since DuckDB must not have run in the process that forks."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        said = "broken: the reader died"
        try:
            from effectmeter.errors import EffectmeterError
            from effectmeter.results import EffectRow
            from vault.connection import open_vault
            from vault.results import read_results

            try:
                with open_vault(stage.vault(home), read_only=True) as connection:
                    read_results(connection, "estimate.effects", EffectRow)
                    for (table,) in connection.sql(
                        "select '\"' || table_schema || '\".\"' || table_name || '\"' from information_schema.tables "
                        "where table_catalog = current_database()"
                    ).fetchall():
                        connection.sql(f"select * from {table}").fetchall()
                said = "whole"
            except EffectmeterError:
                said = "says that it is not"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"broken: {type(error).__name__} {error}"[:300]
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        said = told.read()
    os.waitpid(pid, 0)
    if said.startswith("broken"):
        faults.append(f"vault {said}")
    return said


# ---- the trials -------------------------------------------------------------------------------------------------


def kill_after(stage: Stage, seconds: float, n: int) -> Trial:
    """Kill a refresh so many seconds after its start."""
    home = stage.copy(f"kill-{n}")
    running = stage.start(home)
    time.sleep(seconds)
    running.kill()
    ended = running.wait()
    step = ended.steps[-1][1] if ended.steps else "before the first step"
    trial = judge(stage, home, "kill -9", f"{seconds:.1f} s: {step}", ended)
    shutil.rmtree(home)
    return trial


def kill_at_step(stage: Stage, n: int) -> Trial:
    """Kill a refresh as its n-th step begins."""
    home = stage.copy(f"step-{n}")
    running = stage.start(home)
    running.until_step(n)
    running.kill()
    ended = running.wait()
    step = running.steps[-1][1] if running.steps else "?"
    trial = judge(stage, home, "kill -9 at a step", f"as it begins: {step}", ended)
    shutil.rmtree(home)
    return trial


def full_disk(stage: Stage, room: int) -> Trial | None:
    """Refresh on a file system of memory with so many bytes left; None where this account may not mount one."""
    home = stage.folder / f"full-{room}"
    home.mkdir()
    size = 4 * sum(len(content) + 4096 for content in contents(stage.before).values())
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(home)], check=False, capture_output=True
    )
    if mounting.returncode:
        return None
    try:
        shutil.copytree(stage.before, home, dirs_exist_ok=True)
        space = os.statvfs(home)
        (home / "filler").write_bytes(b"\0" * max(0, space.f_bavail * space.f_frsize - room))
        ended = stage.refresh(home)
        return judge(stage, home, "disk full", f"{room // 1024} kB left", ended, lambda: _make_room(home))
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def _make_room(home: Path) -> None:
    (home / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=500m", str(home)], check=True)


def largest_file(stage: Stage, size: int) -> Trial:
    """Refresh where no file may grow beyond so many bytes: a full disk for whoever may not mount one."""
    home = stage.copy(f"fsize-{size}")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    trial = judge(stage, home, "no file may grow", f"beyond {size // 1024} kB", stage.refresh(home, limit))
    shutil.rmtree(home)
    return trial


def little_memory(stage: Stage, megabytes: int) -> Trial:
    """Refresh with so much more address space than the process has when it begins."""
    home = stage.copy(f"memory-{megabytes}")

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    trial = judge(stage, home, "memory limit", f"{megabytes} MB more than at the start", stage.refresh(home, limit))
    shutil.rmtree(home)
    return trial


def little_memory_in_duckdb(stage: Stage, limit: str) -> Trial:
    """Refresh with a lower ``memory_limit`` in DuckDB."""
    home = stage.copy(f"duckdb-{limit}")

    def connect_small() -> None:
        import duckdb

        real = duckdb.connect

        def small(*args: Any, config: dict[str, Any] | None = None, **more: Any) -> Any:
            return real(*args, config={**(config or {}), "memory_limit": limit}, **more)

        duckdb.connect = small  # type: ignore[assignment]

    trial = judge(stage, home, "memory limit of DuckDB", limit, stage.refresh(home, connect_small))
    shutil.rmtree(home)
    return trial


def read_only(stage: Stage, part: str) -> Trial | None:
    """Refresh by an account that may read everything and not write in one folder."""
    home = stage.copy(f"read-only-{part}")
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY)
        stage.folder.chmod(0o755)
    folder = home / part
    folders = [folder, *(each for each in folder.rglob("*") if each.is_dir())]
    for each in folders:
        each.chmod(0o500)

    def become_nobody() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            os.environ["HOME"] = str(home)

    ended = stage.refresh(home, become_nobody)

    def give_back() -> None:
        for each in folders:
            each.chmod(0o700)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, 0, 0)

    trial = judge(stage, home, "read-only folder", part or "the whole data folder", ended, give_back)
    shutil.rmtree(home)
    return trial


def vanished(stage: Stage, step: int) -> Trial:
    """Take the delivery away before the refresh, or as its n-th step begins."""
    home = stage.copy(f"vanished-{step}")
    delivered = stage.delivered(home)
    away = home / "away.csv"
    if step == 0:
        delivered.rename(away)
    running = stage.start(home)
    if step:
        running.until_step(step)
        delivered.rename(away)
    ended = running.wait()
    moment = f"as step {step} begins" if step else "before the refresh"
    trial = judge(stage, home, "delivery vanished", moment, ended, lambda: _put_back(away, delivered))
    shutil.rmtree(home)
    return trial


def _put_back(away: Path, delivered: Path) -> None:
    away.rename(delivered)


def replaced(stage: Stage, n: int) -> Trial:
    """Replace the delivery over and over while it is read, and leave the right one in the end."""
    home = stage.copy(f"replaced-{n}")
    delivered = stage.delivered(home)
    longer = stage.changed + b"Someone (1999),10,40,12,41\n" * 20_000
    delivered.write_bytes(longer if n % 2 else stage.unchanged)
    running = stage.start(home)
    running.until_step(1)
    stop = time.monotonic() + 3
    while time.monotonic() < stop:
        for content in (longer, stage.changed):
            beside = delivered.with_suffix(".part")
            beside.write_bytes(content)
            beside.replace(delivered)
            time.sleep(0.02 * (n + 1))
    ended = running.wait()
    trial = judge(stage, home, "delivery replaced", f"every {20 * (n + 1)} ms while it is read", ended)
    # a whole version that was read in between may rightly have had an edition of its own
    shutil.rmtree(home)
    return trial


def two_at_once(stage: Stage, seconds: float) -> Trial:
    """Start a second refresh of the same programme and quarter so many seconds after the first."""
    home = stage.copy(f"two-{seconds}")
    first = stage.start(home)
    time.sleep(seconds)
    second = stage.refresh(home)
    one = first.wait()
    trial = judge(stage, home, "two refreshes at once", f"{seconds:g} s apart", second)
    trial.ended = f"first {_ending(one)}; second {_ending(second)}"
    if 0 not in (one.code, second.code):
        trial.faults.append("neither of the two was done")
    shutil.rmtree(home)
    return trial


def clock_that_jumps(stage: Stage, days: int) -> Trial:
    """Let the clock jump between any two looks at it, as Python code sees it."""
    home = stage.copy(f"clock-{days}")

    def jump() -> None:
        import assets.publishing
        import assets.steps

        real, looks = time.time, iter(range(10**9))
        time.time = lambda: real() + (86_400 * days if next(looks) % 2 else 0)

        class Jumping(date):
            @classmethod
            def today(cls) -> date:
                return date.fromtimestamp(real()) + timedelta(days=days if next(looks) % 2 else 0)

        for module in (assets.publishing, assets.steps):
            if hasattr(module, "date"):
                module.date = Jumping  # type: ignore[attr-defined]

    trial = judge(stage, home, "clock that jumps", f"{days:+d} days and back", stage.refresh(home, jump))
    shutil.rmtree(home)
    return trial


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "other content": lambda content: b"this is no database" * 1000,
    "a bit in the header": lambda content: _flipped(content, 300),
    "a bit in the first block": lambda content: _flipped(content, 13_000),
    "a bit in the middle": lambda content: _flipped(content, len(content) // 2),
}
"""How a vault file is damaged."""


def corrupt_vault(stage: Stage, how: str) -> Trial:
    """Refresh on a vault file that was damaged, and follow the refusal's advice."""
    home = stage.copy(f"corrupt-{how.replace(' ', '-')}")
    vault = stage.vault(home)
    vault.write_bytes(DAMAGES[how](vault.read_bytes()))
    ended = stage.refresh(home)
    is_told = ended.code == 1 and "damaged" in ended.words
    trial = judge(
        stage, home, "corrupt vault", how, ended, (lambda: vault.rename(home / "damaged")) if is_told else None
    )
    if is_told:
        trial.again += ", after moving the file away"
    shutil.rmtree(home)
    return trial


# ---- the page ---------------------------------------------------------------------------------------------------


def import_everything() -> None:
    """Import what a refresh needs, and run none of it: a fork cannot use its parent's threads."""
    import duckdb  # noqa: F401
    import great_expectations  # noqa: F401
    import openpyxl  # noqa: F401
    import polars  # noqa: F401
    import scipy.stats  # noqa: F401
    import statsmodels.api  # noqa: F401
    import typst  # noqa: F401
    import vl_convert  # noqa: F401

    import expectations
    import pipelines.refresh
    import reports
    import vault.connection  # noqa: F401

    assert expectations and pipelines.refresh and reports


def all_trials(stage: Stage) -> dict[str, Callable[[], Trial | None]]:
    """Return every trial by a name of its own; one of each kind comes first."""
    generator = random.Random(_SEED)
    shares = sorted(generator.random() for _ in range(N_KILLS))
    vault_kb = stage.vault(stage.before).stat().st_size // 1024
    kinds: list[dict[str, Callable[[], Trial | None]]] = [
        {f"kill {share:.3f}": partial(kill_after, stage, share * stage.seconds, n) for n, share in enumerate(shares)},
        {f"step {n + 1}": partial(kill_at_step, stage, n + 1) for n in range(len(stage.steps))},
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
        f"An undisturbed refresh took {stage.seconds:.1f} s. Kills fall uniformly over that time (seed {_SEED}), and",
        "once as each step begins. A trial is sound when",
        "",
        "* the edition that stood is the same, byte for byte, and any edition beside it is whole;",
        "* every table of the vault can be read, or the vault says that it is damaged;",
        "* a refusal is in our own words and says what to do;",
        "* a plain second refresh publishes the `effects.csv` of an undisturbed one, byte for byte, as edition 002,",
        "  and leaves no working file behind.",
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
    import_everything()
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
