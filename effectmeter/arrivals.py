"""Whether a delivery has arrived whole: by the supplier's manifest, else by a quiet period.

Here: what a folder says of that, and why it does not say yes. Names, sizes and times only; a file is read for its hash
when a manifest names one. Not here: who asks, when (`pipelines.automation`), and what is in the files (`vault.intake`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from effectmeter.errors import DeliveryError

MANIFESTS = ("manifest.json", "delivery.yaml")
"""What a manifest is called; the first that is there counts."""
QUIET_SECONDS = 60
"""Without a manifest a delivery is complete when nothing in it has changed for so long, watched or by its own times."""
_MOST_BYTES = 1_000_000
_COPYING = re.compile(r"~\$.*|.*\.(part|partial|filepart|tmp|temp|crdownload|download|swp|aria2)", re.IGNORECASE)
"""Names under which programs write a file that is not whole yet, or that somebody has open."""

State = Literal["absent", "arriving", "complete", "mismatched"]


class _Named(BaseModel):
    """One file of a manifest."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=255)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}$")


class Manifest(BaseModel):
    """What a supplier says was sent: ``{"files": [{"name": ..., "bytes": ..., "sha256": ...}]}``."""

    model_config = ConfigDict(extra="ignore")

    files: list[_Named] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a watcher remembers of one delivery between two looks.

    Attributes
    ----------
    since
        When it was first seen as it is now; seconds since 1970.
    faults
        What its manifest says against it as it is now, so that large files are read once; None before they were.
    """

    fingerprint: str
    since: float
    faults: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a look found.

    Attributes
    ----------
    because
        Why it is not complete, in plain words; names of files, nothing of what is in them.
    """

    state: State
    seen: Seen | None = None
    because: str = ""


def look(folder: Path, files: Sequence[str], now: datetime, before: Seen | None = None) -> Arrival:
    """Return how far a delivery is.

    Parameters
    ----------
    folder
        Where it is dropped.
    files
        The files that the plan reads from it.
    before
        What the last look remembered; None for the first.

    Notes
    -----
    A copy may keep the times of its original, and a network share may have a clock of its own. So without a manifest
    a watcher waits until it has itself seen nothing change for `QUIET_SECONDS`. Sizes and names count, not times alone.
    """
    if not folder.is_dir():
        return Arrival("absent", None, "there is no delivery yet")
    fingerprint = _fingerprint(folder, files)
    same = before is not None and before.fingerprint == fingerprint
    seen = before if before is not None and same else Seen(fingerprint, now.timestamp())
    is_quiet = now.timestamp() - seen.since >= QUIET_SECONDS
    copying = _copying(folder, files)
    if copying:
        return Arrival("arriving", seen, f"{copying[0]} is still being copied, or open in another program")
    if _manifest_path(folder) is not None:
        faults = seen.faults if seen.faults is not None else manifest_faults(folder, files)
        seen = Seen(fingerprint, seen.since, faults)
        if not faults:
            return Arrival("complete", seen)
        return Arrival("mismatched" if is_quiet else "arriving", seen, "; ".join(faults))
    absent = [name for name in files if not (folder / name).is_file()]
    if absent:
        return Arrival("arriving", seen, f"{', '.join(absent)} not there yet")
    empty = [name for name in files if (folder / name).stat().st_size == 0]
    if empty:
        return Arrival("arriving", seen, f"{', '.join(empty)} still empty")
    if not is_quiet:
        return Arrival("arriving", seen, f"files that changed less than {QUIET_SECONDS} seconds ago may still grow")
    return Arrival("complete", seen)


def glance(folder: Path, files: Sequence[str], now: datetime) -> Arrival:
    """Return how far a delivery is for who looks only once: quiet by the files' own times."""
    newest = max((_changed(folder / name) for name in files), default=0.0)
    return look(folder, files, now, Seen(_fingerprint(folder, files), newest) if folder.is_dir() else None)


def refuse_other_than_announced(folder: Path, files: Sequence[str]) -> None:
    """Refuse a delivery that is not what its manifest says; without a manifest nothing is said.

    Raises
    ------
    DeliveryError
        Names the files that are missing, of another size or of another content.
    """
    path = _manifest_path(folder)
    faults = manifest_faults(folder, files) if path is not None else ()
    if path is not None and faults:
        raise DeliveryError(
            "; ".join(faults),
            where=path.name,
            next_step="wait until everything is copied; else ask the supplier for files and manifest that belong "
            "together, and put both in the folder",
        )


def manifest_faults(folder: Path, files: Sequence[str]) -> tuple[str, ...]:
    """Return what a manifest says against the files beside it; nothing when all are there as announced.

    Contents are compared when all sizes agree, and not before: a file that still grows need not be read for that.
    """
    path = _manifest_path(folder)
    if path is None:
        return ()
    try:
        manifest = read_manifest(path)
    except ValueError:
        return (f"{path.name} is not a manifest: it needs 'files', each with 'name', 'bytes' and 'sha256'",)
    named = {each.name: each for each in manifest.files}
    if any("/" in name or "\\" in name or name in ("..", ".") for name in set(named) - set(files)):
        return (f"{path.name} names files in other folders",)
    faults = [f"{path.name} does not name {name}, which the plan reads" for name in files if name not in named]
    faults += [f"{name} is not there, and {path.name} names it" for name in named if not (folder / name).is_file()]
    there = [each for name, each in named.items() if (folder / name).is_file()]
    for each in there:
        size = (folder / each.name).stat().st_size
        if size != each.bytes:
            faults.append(f"{each.name} is {'smaller' if size < each.bytes else 'larger'} than {path.name} says")
    if not faults:
        faults += [
            f"{each.name} has another content than {path.name} says"
            for each in there
            if _sha256(folder / each.name) != each.sha256.lower()
        ]
    return tuple(faults)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; `ValueError` when it is none (also when only a part of it has been copied)."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large for a manifest")
        text = path.read_text(encoding="utf-8-sig")
        return Manifest.model_validate(json.loads(text) if path.suffix == ".json" else yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError, OSError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None


def _manifest_path(folder: Path) -> Path | None:
    return next((folder / name for name in MANIFESTS if (folder / name).is_file()), None)


def _copying(folder: Path, files: Sequence[str]) -> list[str]:
    """Return files under a passing name: of a copy under way (rsync's begin with a dot), or of an open workbook."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file()
        and (_COPYING.fullmatch(path.name) or (path.name.startswith(".") and any(name in path.name for name in files)))
    )


def _fingerprint(folder: Path, files: Sequence[str]) -> str:
    """Return a hash over names, sizes and times of change: to hash contents at every look would read them for ever."""
    described = []
    for name in sorted({*files, *MANIFESTS, *_copying(folder, files)}):
        try:
            stat = (folder / name).stat()
        except OSError:
            continue
        described.append([name, stat.st_size, stat.st_mtime_ns])
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def remembered(cursor: str | None) -> dict[str, Mapping[str, object]]:
    """Return what a watcher wrote down, by programme and quarter; nothing of what an older version did."""
    try:
        found = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}
