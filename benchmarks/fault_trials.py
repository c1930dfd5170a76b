"""The faults that are tried on a refresh: kills, a full disk, no memory, no rights, a delivery or a clock that changes.

One function per fault: each begins with a copy of the stage, lets something go wrong, and returns the verdict. Not
here: the stage and the verdict (`fault_stage`), nor which moments are tried (`faults`).
"""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fault_stage import Stage, Trial, contents, ending, judge

_NOBODY = 65534


def kill_after(stage: Stage, share: float, n: int) -> Trial:
    """Kill a refresh when it has done such a share of its work, by the processor time that it takes undisturbed."""
    while True:
        home = stage.copy(f"kill-{n}")
        running = stage.start(home)
        running.until_seconds(share * stage.seconds)
        running.kill()
        ended = running.wait()
        if ended.code is None:
            break
        share *= 0.95  # it was done already: not one took exactly as long as another
        shutil.rmtree(home)
    step = ended.steps[-1] if ended.steps else "before the first step"
    trial = judge(stage, home, "kill -9", f"{100 * share:.1f} % of the work: {step}", ended)
    shutil.rmtree(home)
    return trial


def kill_at_step(stage: Stage, n: int) -> Trial:
    """Kill a refresh as its n-th step begins."""
    home = stage.copy(f"step-{n}")
    running = stage.start(home)
    running.until_step(n)
    running.kill()
    ended = running.wait()
    step = running.steps[-1] if running.steps else "?"
    trial = judge(stage, home, "kill -9 at a step", f"as it begins: {step}", ended)
    shutil.rmtree(home)
    return trial


PLACES: dict[str, tuple[str, str]] = {
    "the release gate is passed, the ledger is not written": ("vault.ledger", "write_ledger"),
    "the ledger is written, in its copy": ("vault.ledger", "write_results"),
    "the ledger knows a release that is not staged": ("assets.publishing", "stage"),
    "the release is staged, nothing of it is written": ("reports", "write_release"),
    "the edition is written, and not in its place": ("assets.publishing", "publish"),
    "the edition is in its place, and not confirmed": ("assets.publishing", "report_metadata"),
}
"""Between which two writes a refresh is killed: the function at which it is."""
_AFTER = frozenset({"write_results"})
"""Those that are let run first."""


def kill_between(stage: Stage, place: str) -> Trial:
    """Kill a refresh between two of the writes that make a release and the ledger's knowledge of it."""
    home = stage.copy("between")
    module_name, name = PLACES[place]

    def wait_for_it() -> None:
        module = importlib.import_module(module_name)
        real = getattr(module, name)

        def killed(*arguments: Any, **more: Any) -> None:
            if name in _AFTER:
                real(*arguments, **more)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(module, name, killed)

    trial = judge(stage, home, "kill -9 between two writes", place, stage.refresh(home, wait_for_it))
    if trial.ended != "killed":
        trial.faults.append("it was not killed there")
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
        for each in (stage.folder, *stage.folder.parents):  # nobody must get as far as the stage
            if each.stat().st_uid == 0 and not each.stat().st_mode & 0o001:
                each.chmod(each.stat().st_mode | 0o011)
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
    moment = f"every {20 * (n + 1)} ms while it is read"
    # a whole version that was read in between may rightly have an edition of its own, before the right one
    trial = judge(stage, home, "delivery replaced", moment, ended, editions=("002", "003"))
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
    trial.ended = f"first {ending(one)}; second {ending(second)}"
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
