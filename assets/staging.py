"""Between the release gate and the report: the cleared result on disk, so that the report never needs the vault.

The `release` asset leaves it in the staging folder, the `report` asset reads it there. Cleared values only.
"""

import json
from pathlib import Path
from typing import Any

from effectmeter.cleared_document import from_document, to_document
from effectmeter.errors import EffectmeterError
from effectmeter.release import Cleared

NAME = ".cleared.json"


def stage(staging: Path, cleared: Cleared, passport: dict[str, Any]) -> None:
    """Leave a cleared result and its passport in a staging folder."""
    document = {"cleared": to_document(cleared), "passport": passport}
    (staging / NAME).write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def staged(staging: Path) -> tuple[Cleared, dict[str, Any]]:
    """Read a cleared result and its passport back.

    Raises
    ------
    EffectmeterError
        When there is none: the release gate has not run since the last report.
    """
    path = staging / NAME
    if not path.is_file():
        raise EffectmeterError(
            "there is nothing cleared that has not been published yet",
            where=str(staging.parent),
            next_step="materialise 'release' together with 'report'",
        )
    document = json.loads(path.read_text(encoding="utf-8"))
    return from_document(document["cleared"]), document["passport"]


def unstage(staging: Path) -> None:
    """Take the document away again: a release folder holds exactly what the contract names."""
    (staging / NAME).unlink()
