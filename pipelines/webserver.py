"""Dagster's own web server and its ``dagster dev``, with our guard around the server; both run as programs.

``python -m pipelines.webserver ...`` takes the arguments of ``dagster-webserver``, and ``python -m pipelines.webserver
dev ...`` those of ``dagster dev``. `pipelines.ui` starts them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

NAMES = "EFFECTMETER_UI_NAMES"
"""Environment variable with the names, comma between, under which a proxy serves the interface."""


def served_names() -> frozenset[str]:
    """Return the names under which the interface answers: this machine's own, and those that were added."""
    from pipelines.guard import LOOPBACK

    return LOOPBACK | {name.strip().lower() for name in os.environ.get(NAMES, "").split(",") if name.strip()}


def run_webserver() -> None:
    """Run ``dagster-webserver`` with the arguments of this process, behind the guard."""
    from starlette.middleware import Middleware

    from pipelines.guard import Guard

    # the hook that the server's class offers for this; its command line takes no class of ours
    server: Any = import_module("dagster_webserver.webserver").DagsterWebserver
    plain = server.build_middleware

    def guarded(own: Any) -> list[Middleware]:
        return [Middleware(Guard, names=served_names()), *plain(own)]

    server.build_middleware = guarded
    import_module("dagster_webserver.cli").main()


def run_dev() -> None:
    """Run ``dagster dev`` (web server, daemon and code server together), with our web server in place of the plain."""
    dev: Any = import_module("dagster._cli.dev")
    plain = dev.open_ipc_subprocess

    def ours(parts: Sequence[str], **more: Any) -> Any:
        return plain(["pipelines.webserver" if part == "dagster_webserver" else part for part in parts], **more)

    dev.open_ipc_subprocess = ours
    import_module("dagster._cli").main()


if __name__ == "__main__":
    run_dev() if sys.argv[1:2] == ["dev"] else run_webserver()
