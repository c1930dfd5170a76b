"""The folder that every fault is tried on, a refresh of it in a fork, and the verdict on what a fault left.

Every trial begins with the same data folder: a first edition stands, and a changed delivery waits. Here: that folder
(`Stage`), a refresh in a fork (`Running`) and what is asked of the leftovers (`judge`). Not here: the faults
(`fault_trials`), nor the page (`faults`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forks import processor_seconds

ROOT = Path(__file__).resolve().parents[1]
PROGRAMME = "scared-straight"
"""The smallest bundled programme: every step of a chain, in the least time."""
_PATIENCE = 1800

Prepare = Callable[[], None]
"""Done in the fork before its refresh begins."""


@dataclass(slots=True)
class Ended:
    """How a refresh in a fork ended: its exit code and words, or that it was killed (`code` is None).

    Attributes
    ----------
    steps
        What it had begun, in words.
    seconds
        Of the processor, up to its end.
    signal
        The one that it died of, if any.
    """

    code: int | None
    words: str
    steps: list[str]
    seconds: float
    signal: int = 0


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


def try_out() -> None:
    """Refresh once in this process, in a folder of its own: what that imports is imported before any fork."""
    from assets.bundled import write_deliveries
    from effectmeter.home import Home
    from effectmeter.quarters import Quarter
    from pipelines.refresh import refresh

    with tempfile.TemporaryDirectory(prefix="effectmeter-try-") as folder:
        plans = Path(folder) / "programmes"
        plans.mkdir()
        shutil.copy(ROOT / "programmes" / f"{PROGRAMME}.yaml", plans)
        home, quarter = Home(Path(folder) / "data"), Quarter(2026, 3)
        write_deliveries(home, quarter, [PROGRAMME])
        refresh(home, plans, [PROGRAMME], quarter)


class Running:
    """A refresh in a fork; it tells of every step that it begins."""

    def __init__(self, home: Path, plans: Path, quarter: Any, prepare: Prepare | None) -> None:
        self.told, telling = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.told)
            _refresh_and_exit(home, plans, quarter, prepare, telling)
        os.close(telling)
        self._lines = os.fdopen(self.told, encoding="utf-8")
        self.steps: list[str] = []

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

    def until_seconds(self, seconds: float) -> None:
        """Wait until the fork has used so much processor time, or has ended.

        A moment by the clock on the wall would fall early in a refresh that has to share the processor.
        """
        while (used := processor_seconds(self.pid)) is not None and used < seconds:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return
            time.sleep(0.001)

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
        _, status, usage = os.wait4(self.pid, 0)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, give_up)
        self._lines.close()
        died_of = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return Ended(code, words, self.steps, usage.ru_utime + usage.ru_stime, died_of)

    def _hear(self, line: str) -> tuple[int, str] | None:
        if not line.endswith("\n"):
            return None  # killed in the middle of telling
        said = json.loads(line)
        if "step" in said:
            self.steps.append(said["step"])
            return None
        return said["code"], said["words"]


def _refresh_and_exit(home: Path, plans: Path, quarter: Any, prepare: Prepare | None, telling: int) -> None:
    """Refresh in this fork and leave it, without the parent's own clearing up."""

    def tell(**said: Any) -> None:
        os.write(telling, (json.dumps(said) + "\n").encode())

    code, words = 70, ""
    try:
        from effectmeter.home import Home
        from pipelines.refresh import refresh_all

        with (home.parent / f"{home.name}.log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if prepare is not None:
            prepare()
        # every step, although nothing has changed since the release that stands
        (ended,) = refresh_all(
            Home(home), plans, [PROGRAMME], [quarter], lambda _, __, step: tell(step=step), again=True
        )
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
    stage: Stage,
    home: Path,
    fault: str,
    moment: str,
    ended: Ended,
    mend: Callable[[], None] | None = None,
    editions: Sequence[str] = ("002",),
) -> Trial:
    """Look at what a fault left, mend what its words say must be mended, refresh plainly, and look again.

    In the end the newest edition must be one of `editions`, with the figures of an undisturbed refresh.
    """
    trial = Trial(fault, moment, ending(ended).replace(f"{home}/", ""), "", "", "")
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
    if not is_same or newest.name not in editions:
        trial.faults.append(f"edition {newest.name} is not the undisturbed {' or '.join(editions)}")
    if unknown := _unknown_releases(stage, home):
        trial.faults.append(f"the ledger: {unknown}")
    left = [path.name for folder in (stage.vault(home).parent, stage.releases(home)) for path in folder.glob(".*")]
    if left:
        trial.faults.append(f"left behind: {', '.join(sorted(left))}")
    return trial


def ending(ended: Ended) -> str:
    """Return in a few words how a refresh ended."""
    if ended.code is None:
        return "killed" if ended.signal == signal.SIGKILL else f"died ({signal.Signals(ended.signal).name})"
    if ended.code == 0:
        return "done"
    first = ended.words.splitlines()[0] if ended.words else ""
    return f"refused: {first.split(': ', 1)[-1]}" if ended.code != 70 else "broke off"


def _last_release(stage: Stage, home: Path, faults: list[str]) -> str:
    if contents(stage.releases(home) / "001") != stage.first_edition:
        faults.append("the first edition changed")
    standing = sorted(stage.releases(home).glob("[0-9][0-9][0-9]"))
    for edition in standing[1:]:
        if set(contents(edition)) != stage.files or (edition / "effects.csv").read_bytes() != stage.wanted:
            faults.append(f"edition {edition.name} is not whole")
    return f"{standing[-1].name}, whole" if not faults else "see below"


def _vault(stage: Stage, home: Path, faults: list[str]) -> str:
    """Return whether the vault can be read, or says that it cannot."""

    def read() -> str:
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
        except EffectmeterError:
            return "says that it is not"
        return "whole"

    said = in_a_fork(read)
    if said.startswith("broken"):
        faults.append(f"vault {said}")
    return said


def _unknown_releases(stage: Stage, home: Path) -> str:
    """Return what the ledger holds of releases that do not exist, or lacks of those that do; empty where they agree."""

    def compare() -> str:
        from assets.staging import release_hashes
        from effectmeter.home import Home
        from vault.ledger import read_ledger

        published, _ = release_hashes(Home(home), PROGRAMME, stage.quarter)
        known = {entry.release for entry in read_ledger(Home(home), PROGRAMME)}
        return f"{len(known - published)} releases that do not exist" if known - published else ""

    return in_a_fork(compare)


def in_a_fork(look: Callable[[], str]) -> str:
    """Return what a function says in a fork, since DuckDB must not have run in the process that forks."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        said = "broken: the reader died"
        try:
            said = look()
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"broken: {type(error).__name__} {error}"[:300]
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        said = told.read()
    os.waitpid(pid, 0)
    return said
