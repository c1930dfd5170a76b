"""Verifying a release without the data: whether the folder holds together, and what it says of its approval.

Here: every check, as a sentence. Not here: the command (`pipelines.verify`). It finds whatever was changed, added or
taken away after publication, unless somebody made all hashes anew: against that, compare the hash of the passport with
one that was kept elsewhere (`expected`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from effectmeter.errors import UsageError
from effectmeter.passport import (
    CONCEPT,
    concept_of,
    content_hash,
    is_same_person,
    passport_sha256,
    passport_text,
    require_known,
    seal_of,
)
from effectmeter.passport_schema import faults_of
from reports import RELEASE_FILES, hashes_of
from reports.agreeing import agreement_of

PASSPORT = "passport.json"
Status = Literal["ok", "wrong", "note"]


@dataclass(frozen=True, slots=True)
class Verified:
    """One thing that was looked at.

    Attributes
    ----------
    status
        ``ok``, ``wrong``, or ``note``: something that a reader should know, and that is no fault.
    """

    check: str
    status: Status
    sentence: str


def verify(folder: Path, *, expected: str = "", here: Mapping[str, Any] | None = None) -> tuple[Verified, ...]:
    """Verify a release folder.

    Parameters
    ----------
    expected
        SHA-256 of the passport's file as it was noted when the release was approved; empty when nobody kept it.
    here
        ``code_hash``, ``lock_hash`` and ``plan_hash`` of who verifies, as far as known: told apart in a note.

    Raises
    ------
    UsageError
        There is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            "there is no release folder here",
            where=str(folder),
            allowed="a folder with passport.json, such as release/tarp/2026-Q3/001",
            next_step="give the folder of one edition, or --programme and --quarter",
        )
    return tuple(_found(folder, expected, dict(here or {})))


def _found(folder: Path, expected: str, here: Mapping[str, Any]) -> Iterator[Verified]:
    passport, reason = _read(folder / PASSPORT)
    if passport is None:
        yield Verified("passport", "wrong", f"The passport {reason}. Without it nothing can be verified.")
        return
    yield _ruled("passport", "The passport is whole and unedited.", _passport_faults(folder, passport))
    if expected:
        same = hashlib.sha256((folder / PASSPORT).read_bytes()).hexdigest() == expected.strip().lower()
        said = "The passport is the one that was noted."
        yield _ruled("expected", said, [] if same else ["this is another passport than the one that was noted"])
    yield _ruled(
        "files", f"All {len(passport['files']) + 1} files are there, unchanged.", _file_faults(folder, passport)
    )
    yield _ruled("content", "Tables and passport belong together.", _content_faults(passport))
    yield _ruled(
        "numbers", "CSV, Parquet, Excel, pages and passport give the same numbers.", agreement_of(folder, passport)
    )
    yield _ruled("approval", _approval_said(passport), _approval_faults(folder, passport))
    yield from _notes(passport, here)


def _ruled(check: str, said: str, faults: list[str]) -> Verified:
    if not faults:
        return Verified(check, "ok", said)
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    return Verified(check, "wrong", f"Not as it was published: {'; '.join(faults[:5])}{more}.")


def _read(path: Path) -> tuple[dict[str, Any] | None, str]:
    """Return the passport, or why there is none that can be judged."""
    if not path.is_file() or path.is_symlink():
        return None, "is missing"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None, "cannot be read: it is no JSON"
    require_known(document, str(path.parent))
    faults = faults_of(document)
    if faults:
        return None, f"does not have the form of a passport ({'; '.join(faults[:3])})"
    return document, ""


def _passport_faults(folder: Path, passport: dict[str, Any]) -> list[str]:
    faults = []
    if seal_of(passport) != passport["seal"]:
        faults.append("the passport was edited: its seal does not fit")
    if (folder / PASSPORT).read_bytes() != passport_text(passport).encode():
        faults.append("the passport's file was written anew")
    if folder.name.isdigit() and folder.name != passport["edition"]:
        faults.append(f"the folder is called {folder.name}, the passport is of edition {passport['edition']}")
    return faults


def _file_faults(folder: Path, passport: dict[str, Any]) -> list[str]:
    """Return which files are missing, changed, or too many."""
    known: Mapping[str, str] = passport["files"]
    faults = [f"{name} is not in the passport" for name in RELEASE_FILES if name not in known and name != PASSPORT]
    links = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink()]
    faults += [f"{name} is a link" for name in sorted(links)]
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in known and name not in {PASSPORT, "tables"} and name not in links:
            faults.append(f"{name[:80]} does not belong here")
    there = hashes_of(folder)
    faults += [f"{name} is missing" for name in known if name not in there]
    faults += [f"{name} was changed" for name in known if name in there and there[name] != known[name]]
    return faults


def _content_faults(passport: dict[str, Any]) -> list[str]:
    prefix, suffix = "tables/", ".csv"
    tables = {
        name.removeprefix(prefix).removesuffix(suffix): digest
        for name, digest in passport["files"].items()
        if name.startswith(prefix)
    }
    if content_hash(passport, tables) != passport["content_hash"]:
        return ["what the passport says and the hashes of its tables do not give its content hash"]
    return []


def _approval_said(passport: dict[str, Any]) -> str:
    approval = passport["approval"]
    if approval is None:
        return f"This is a {CONCEPT}: nobody has approved it yet."
    return (
        f"Approved by {approval['by']} (account {approval['account']}) at {approval['at']}, after edition "
        f"{approval['edition']}, which {passport['made']['by']} refreshed."
    )


def _approval_faults(folder: Path, passport: dict[str, Any]) -> list[str]:
    """Return where flag, marks, pages and the hash of what was approved contradict one another."""
    approval, is_concept = passport["approval"], CONCEPT in passport["marks"]
    faults = []
    if passport["approved"] != (approval is not None) or is_concept == passport["approved"]:
        faults.append("approval, mark and flag contradict one another")
    for language in ("nl", "en"):
        page = folder / f"report.{language}.html"
        # the mark's own class, not the word: a title may hold that
        if page.is_file() and (b'class="mark concept"' in page.read_bytes()) != is_concept:
            faults.append(f"report.{language}.html {'lacks' if is_concept else 'carries'} the mark {CONCEPT}")
    if approval is None:
        return faults
    if is_same_person(approval["by"], passport["made"]["by"]):
        faults.append(f"{approval['by']} refreshed it and approved it")
    concept = concept_of(passport)
    if passport_sha256(concept) != approval["passport_sha256"]:
        faults.append("the approval is of another release than this one")
    before = folder.parent / approval["edition"] / PASSPORT
    is_beside = folder.name == passport["edition"] and before.is_file()
    if is_beside and hashlib.sha256(before.read_bytes()).hexdigest() != approval["passport_sha256"]:
        faults.append(f"edition {approval['edition']} beside it is not the one that was approved")
    return faults


def _notes(passport: dict[str, Any], here: Mapping[str, Any]) -> Iterator[Verified]:
    """Yield what is no fault, and what a reader should know."""
    approval = passport["approval"]
    if approval is not None and approval["account"] == passport["made"]["account"]:
        yield Verified(
            "accounts", "note", "Refresh and approval came from one account: the four eyes rest on the names given."
        )
    software, plan = passport["software"], passport["plan"]
    recorded = {"code": software["code_hash"], "lock": software["lock_hash"], "plan": plan["hash"]}
    for name, digest in recorded.items():
        mine = here.get(f"{name}_hash")
        told = "" if mine is None else (" This is the one here." if mine == digest else " It is not the one here.")
        yield Verified(name, "note", f"Made with {name} {digest or 'unknown'}.{told}")
    changes = len(plan["history"]) - 1
    if changes:
        yield Verified("plan history", "note", f"The plan changed {changes} time(s) after it first met outcomes.")
