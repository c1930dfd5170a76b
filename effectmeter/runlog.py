"""The list of what ran: one line per step, added and never changed, for whoever looks after an installation.

Here: writing a line and reading the newest back. A line holds times, memory, names and counts as the interface of
Dagster shows them (rounded, small ones masked): no row, no value, no text of a fault. Not here: what is measured
(`assets.measuring`), what is said of it (`effectmeter doctor`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from effectmeter.home import Home

_NAME = "runs.jsonl"
_MOST_READ = 2_000_000
"""Bytes of the file's end that are looked at: some five thousand steps, years of quarters for a small team."""


def run_log(home: Home) -> Path:
    """Return where the list is."""
    return home.root / _NAME


def add_line(home: Home, line: Mapping[str, Any]) -> None:
    """Add a line. That it cannot be written never stops a step: the list serves the work, not the other way round."""
    text = json.dumps(line, ensure_ascii=False, allow_nan=False, default=str) + "\n"
    with suppress(OSError):
        handle = os.open(run_log(home), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, text.encode())  # in one call, so that two processes do not mix their lines
        finally:
            os.close(handle)


def newest_lines(home: Home) -> list[dict[str, Any]]:
    """Return the newest lines, oldest first; a line that was cut off is passed over."""
    try:
        with run_log(home).open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(size - _MOST_READ, 0))
            text = handle.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        with suppress(ValueError):
            each = json.loads(line)
            if isinstance(each, dict) and "step" in each:
                found.append(each)
    return found
