"""What a release was made with, and by whom: code, lock, versions, person, and the plan's history for its programme.

Hashes are of content, so that the same delivery, plan and code are recognised as the same, whatever the day.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_content, plan_hash
from effectmeter.quarters import Quarter

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("effectmeter", "sql", "vault", "expectations", "reports", "assets", "pipelines")
LIBRARIES = ("dagster", "duckdb", "polars", "great-expectations", "statsmodels", "numpy", "scipy", "altair")


def code_hash() -> str:
    """Return a hash over every source file of the rooms, in path order, computed once for files that nobody touches."""
    files = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if "__pycache__" not in path.parts and path.is_file():
                stat = path.stat()
                files.append((path, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return _hash_of(tuple(files))


@functools.lru_cache(maxsize=1)
def _hash_of(files: tuple[tuple[Path, int, int, int], ...]) -> str:
    """Return the hash of files; size, time and number tell one state of a file from another."""
    digest = hashlib.sha256()
    for path, *_ in files:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@functools.cache
def version(package: str) -> str:
    """Return the version of an installed package; a process does not change what it has loaded."""
    return importlib.metadata.version(package)


def software() -> dict[str, Any]:
    """Return versions and hashes of everything that had a hand in the numbers."""
    lock = ROOT / "uv.lock"
    return {
        "effectmeter": version("effectmeter"),
        "code_hash": code_hash(),
        "lock_hash": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


USER = "EFFECTMETER_USER"
_NAME = re.compile(r"[^\W_][\w .,'@+-]{0,79}")


def who(by: str | None = None) -> dict[str, str]:
    """Return who does this (``by``), on which account of the operating system (``account``), and when (``at``, UTC).

    Parameters
    ----------
    by
        A name; without one that of ``EFFECTMETER_USER``, else of the account.

    Raises
    ------
    UsageError
        The name is empty, longer than 80 characters, or holds signs that names do not have.
    """
    account = _account()
    name = " ".join((by if by is not None else os.environ.get(USER) or account).split())
    if not _NAME.fullmatch(name):
        raise UsageError(
            "this is no name that a report could print",
            where="--by" if by is not None else USER,
            allowed="letters, digits, spaces and . , ' @ + - _, beginning with a letter or digit, at most 80",
            next_step="give the name, or the login name, of the person who does this",
        )
    return {"by": name, "account": account, "at": datetime.now(UTC).isoformat(timespec="seconds")}


def _account() -> str:
    """Return the account that this process runs on, as the system knows it; no variable can change that."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # another system, or a container that has no name for its user
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


def record_plan(home: Home, plan: Plan, quarter: Quarter, today: date) -> list[dict[str, Any]]:
    """Note the plan's hash the first time that it meets outcome data; return the whole history, oldest first.

    A plan that changes after it has seen outcomes is no longer a plan made in advance; every report says so. Each entry
    holds ``hash``, ``first_used`` (date), ``quarter`` and ``changed`` (the dotted fields that differ from the entry
    before it).
    """
    path = home.root / "vault" / plan.programme / "plan-history.json"
    history: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    digest = plan_hash(plan)
    if not any(entry["hash"] == digest for entry in history):
        content = plan_content(plan)
        before = history[-1]["plan"] if history else content
        history.append(
            {
                "hash": digest,
                "first_used": today.isoformat(),
                "quarter": str(quarter),
                "changed": sorted(_changed(before, content)),
                "plan": content,
            }
        )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(history, ensure_ascii=False, indent=1), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.replace(path)
    return [{key: value for key, value in entry.items() if key != "plan"} for entry in history]


def _changed(before: Any, after: Any, path: str = "") -> list[str]:
    """Return the dotted fields in which two plans differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            field
            for key in sorted({*before, *after})
            for field in _changed(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if before == after else [path]
