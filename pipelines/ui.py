"""Opening the user interface: on this machine only, unless somebody says in so many words that it is otherwise."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from effectmeter.errors import UsageError
from pipelines.webserver import NAMES

if TYPE_CHECKING:
    from effectmeter.home import Home

LOCAL = "127.0.0.1"
WORKSPACE = Path(__file__).resolve().parents[1] / "workspace.yaml"
WARNING = (
    "WARNING: the interface has no login of its own. Everybody who can reach {host} on port {port} can read what\n"
    "  Dagster keeps, and start and stop runs unless it is read-only. A login: docs/how-to/put-behind-a-login.md"
)


def require_local(host: str, *, is_open: bool) -> bool:
    """Return whether `host` is this machine itself; refuse any other that was not asked for in so many words.

    Raises
    ------
    UsageError
        The interface would be reachable from elsewhere, without a login.
    """
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = host == "localhost"
    if not is_local and not is_open:
        raise UsageError(
            "the interface has no login, so it listens on this machine only",
            where="--host",
            allowed=f"{LOCAL}, localhost, ::1",
            next_step="let a proxy with a login pass requests on (docs/how-to/put-behind-a-login.md); on a closed "
            "network where everybody may do everything, add --without-login",
        )
    return is_local


def ui_command(host: str, port: int, *, is_read_only: bool) -> list[str]:
    """Return the command that serves the interface.

    A reader gets the web server alone, which refuses every change. Who may change things gets ``dagster dev``: the
    daemon as well, for schedule, sensor and queue.
    """
    mode = [] if is_read_only else ["dev"]
    last = ["--read-only"] if is_read_only else []
    return [
        sys.executable,
        "-m",
        "pipelines.webserver",
        *mode,
        "-w",
        str(WORKSPACE),
        "-h",
        host,
        "-p",
        str(port),
        *last,
    ]


def ui_environment(home: Home, programmes: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the environment in which the interface runs: this process's own, pointed at the installation.

    Parameters
    ----------
    names
        Names under which a browser may ask for it, beside this machine's own.
    """
    return os.environ | {
        "DAGSTER_HOME": str(home.dagster),
        "EFFECTMETER_HOME": str(home.root),
        "EFFECTMETER_PROGRAMMES": str(programmes),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        NAMES: ",".join(names),
    }
