"""Pictures that were drawn before: on a page about a hundred programmes, one of which is new, one is drawn.

Here: what is kept of pictures between two writings of a page. Not here: the pictures themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.figures import both_sizes

NAME = ".drawn.json"
"""Beside the page: what a picture was drawn from, as a hash, and both its sizes. It may be thrown away."""


class Drawn:
    """Pictures by what they were drawn from.

    Parameters
    ----------
    root
        The folder of the page.
    version
        Of the software that draws: another one draws everything again. Empty: nothing is kept.
    """

    def __init__(self, root: Path, version: str) -> None:
        self._path, self._version = root / NAME, version
        self._before = _read(self._path) if version else {}
        self._now: dict[str, tuple[str, str]] = {}

    def sizes(self, *made_from: Any) -> Callable[[str, Callable[[bool, str], str]], tuple[str, str]]:
        """Return `reports.figures.both_sizes` that remembers; `made_from` is all that the picture hangs on."""
        known = hashlib.sha256(json.dumps([self._version, made_from], sort_keys=True).encode()).hexdigest()

        def both(key: str, draw: Callable[[bool, str], str]) -> tuple[str, str]:
            found = self._before.get(known) or both_sizes(key, draw)
            self._now[known] = found
            return found

        return both

    def keep(self) -> None:
        """Write what this page took, and forget the rest."""
        if self._version and self._now != self._before:
            beside = self._path.with_name(f"{NAME}.{os.getpid()}.part")
            beside.write_text(json.dumps(self._now), encoding="utf-8")
            beside.replace(self._path)


def _read(path: Path) -> dict[str, tuple[str, str]]:
    """Return what was kept; nothing where it cannot be read as such: then everything is drawn again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(known): (str(wide), str(narrow)) for known, (wide, narrow) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
