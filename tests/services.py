"""Postgres, and the three processes of an installation, started and ended for a test."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "made-up-for-this-test"
PATIENCE_SECONDS = 240
"""How long anything may take before the test is lost; on an idle machine all of it takes a quarter of that."""


def find_postgres() -> Path | None:
    """Return the folder with Postgres' programs: on the path, else where Debian puts them."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def account() -> str | None:
    """Return the account to run Postgres under: it refuses root's. None where this one will do."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres(programs: Path) -> Iterator[int]:
    """Run an empty Postgres with a password, for this machine only; yield its port."""
    owner = account()
    folder = Path(tempfile.mkdtemp(prefix="effectmeter-postgres-"))
    try:
        password = folder / "password"
        password.write_text(f"{PASSWORD}\n", encoding="ascii")
        if owner is not None:
            for each in (folder, password):
                shutil.chown(each, owner)
        log, port = (folder / "log").open("wb"), free_port()
        start: dict[str, Any] = {"stdout": log, "stderr": subprocess.STDOUT, "user": owner, "cwd": folder}
        subprocess.run(
            [
                *(programs / "initdb", "-D", folder / "data", "--username", "effectmeter", "--pwfile", password),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            **start,
        )
        options = ["-k", str(folder), "-h", "127.0.0.1", "-p", str(port), "-c", "fsync=off"]
        process = subprocess.Popen([programs / "postgres", "-D", folder / "data", *options], **start)
        try:
            wait_until(lambda: _answers(port), [process])
            yield port
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            log.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def service(name: str, environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our services as a service manager would, in a session of its own."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.services", name],
            cwd=ROOT,
            env=dict(environment),
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(is_so: Callable[[], bool], processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until something is so, as long as the processes that it depends on live."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert all(process.poll() is None for process in processes), "a process ended by itself"
        assert time.monotonic() < give_up_at, "it took too long"
        time.sleep(0.25)


def answers_with(address: str, host: str | None = None) -> int:
    """Return the status with which a page answers, 0 for none; asked for under another name where one is given."""
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return 0


def graphql(base: str, query: str, variables: Mapping[str, Any] | None = None) -> Any:
    """Return what the interface answers."""
    body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
    request = urllib.request.Request(f"{base}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
