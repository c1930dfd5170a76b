"""Between the release gate and the report: the cleared result on disk, so that the report never needs the vault.

The `release` asset leaves it in the staging folder, the `report` asset reads it there, writes the release around it and
moves the whole into place. Cleared values only. Both hold the quarter's folder meanwhile (see `writing`).
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assets.locks import alone_in
from assets.releases import STAGING, read_passport
from effectmeter.cleared_document import from_document, to_document
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.release import Cleared

NAME = ".cleared.json"
AWAITING = "awaiting-approval.json"
"""Beside a quarter's editions: the cleared result that the newest CONCEPT was written from, until it is approved."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a quarter's release folder: two runs that wrote in it at once would mix their editions."""
    with alone_in(
        folder,
        busy="another process is writing a release here",
        next_step="wait until it is done, then run this step again",
    ):
        yield


@contextmanager
def passing(home: Home, programme: str) -> Iterator[None]:
    """Hold a programme while one of its quarters passes the release gate: each must see what the others publish."""
    with alone_in(
        home.release_root / programme,
        busy=f"another quarter of {programme} is passing the release gate",
        next_step="wait until it is done, then run this step again",
    ):
        yield


def release_hashes(home: Home, programme: str, quarter: Quarter) -> tuple[set[str], set[str]]:
    """Return the content hashes of a programme's editions, and of what waits to be published in its other quarters.

    What waits in this quarter is about to be replaced.
    """
    root = home.release_root / programme
    published = {read_passport(path.parent)["content_hash"] for path in root.glob("*-Q[1-4]/[0-9]*/passport.json")}
    waiting = {
        json.loads(path.read_text(encoding="utf-8"))["passport"]["content_hash"]
        for path in root.glob(f"*-Q[1-4]/{STAGING}/{NAME}")
        if path.parents[1].name != str(quarter)
    }
    return published, waiting


def fresh_staging(folder: Path) -> Path:
    """Return an empty staging folder, clearing what a killed run left there."""
    staging = folder / STAGING
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True)
    return staging


def stage(staging: Path, cleared: Cleared, passport: dict[str, Any], plan: Plan) -> None:
    """Leave a cleared result with its passport and plan for the report, whole or not at all."""
    document = {
        "cleared": to_document(cleared),
        "passport": passport,
        "plan": plan.model_dump(mode="json", by_alias=True),
    }
    beside = staging / f"{NAME}.part"
    beside.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    beside.replace(staging / NAME)


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


def keep_for_approval(staging: Path) -> None:
    """Keep what a CONCEPT is written from, so that its approval needs neither the vault nor the key."""
    beside = staging.parent / f".{AWAITING}.part"
    shutil.copyfile(staging / NAME, beside)
    beside.replace(staging.parent / AWAITING)


def awaiting(folder: Path) -> tuple[Cleared, Plan] | None:
    """Return the cleared result and the plan that a quarter's newest CONCEPT was written from; None without one."""
    try:
        document = json.loads((folder / AWAITING).read_text(encoding="utf-8"))
        return from_document(document["cleared"]), Plan.model_validate(document["plan"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def clean(staging: Path) -> None:
    """Take away what a report that was killed half-way wrote beside the cleared result."""
    for path in staging.iterdir():
        if path.name == NAME:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def publish(staging: Path, name: str) -> Path:
    """Move a finished staging folder into its final place in one rename, and return that place.

    Everything is on disk before the rename, so that after a power cut an edition is whole or not there. Its files are
    for reading only from then on; its folders are not, so that who may delete a release still can.
    """
    (staging / NAME).unlink(missing_ok=True)  # a release folder holds exactly what the contract names
    final = staging.with_name(name)
    if final.exists():
        raise EffectmeterError(
            f"edition {name} is there already, and an edition is never overwritten",
            where=str(final),
            next_step="materialise 'release' together with 'report'; the next edition gets the next number",
        )
    for path in [*staging.rglob("*"), staging]:
        _sync(path)
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o444)
    staging.rename(final)
    _sync(final.parent)
    return final


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
