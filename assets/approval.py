"""The second pair of eyes: approving a release makes the next edition of it, without the mark CONCEPT.

It works on releases only, so that who approves needs neither the vault nor its key. Words are in `reports.approval`.
"""

import shutil
from pathlib import Path
from typing import Any

from assets.locks import alone_in
from assets.provenance import code_hash, who
from assets.releases import editions, find_edition, next_edition_name, read_passport
from assets.staging import AWAITING, awaiting, publish, writing
from effectmeter.errors import PublicationError, UsageError
from effectmeter.home import Home
from effectmeter.passport import approved, is_same_person
from effectmeter.plan_io import plan_hash
from effectmeter.quarters import Quarter

APPROVING = ".approving"


def approve_release(home: Home, programme: str, quarter: Quarter, *, edition: str | None, by: str | None) -> Path:
    """Approve a programme's newest edition, and return the edition that carries the approval.

    Parameters
    ----------
    edition
        Its number, with or without zeros before it; the newest without one.
    by
        Who approves; see `assets.provenance.who`.

    Raises
    ------
    UsageError
        No such release or edition, or no name that a report could print.
    PublicationError
        It may not be approved: by this person, or not any more, or not as it lies there.
    """
    newest = find_edition(home, programme, quarter)
    person = who(by)
    folder = newest.parent
    with writing(folder):
        chosen = _chosen(folder, edition)
        _require_approvable(chosen, editions(folder)[-1], person)
        made = _make(folder, chosen, person)
        (folder / AWAITING).unlink(missing_ok=True)
    return made


def show_in_portfolio(home: Home) -> tuple[Path, ...]:
    """Write the page over all programmes again, so that it shows an approval at once."""
    from reports import write_portfolio

    with alone_in(
        home.release_root,
        busy="another process is writing the portfolio",
        next_step="the approval stands; the next refresh writes the portfolio again",
    ):
        return write_portfolio(home.release_root, code_hash())


def _chosen(folder: Path, edition: str | None) -> Path:
    """Return the edition asked for, or say which there are."""
    found = editions(folder)
    if edition is None:
        return found[-1]
    wanted = [path for path in found if edition.isascii() and edition.isdigit() and int(path.name) == int(edition)]
    if not wanted:
        raise UsageError(
            f"there is no edition '{edition[:10]}' of this quarter",
            where="--edition",
            allowed=", ".join(path.name for path in found),
            next_step="leave --edition out for the newest",
        )
    return wanted[0]


def _require_approvable(chosen: Path, newest: Path, person: dict[str, str]) -> None:
    """Refuse an edition that is not as it was published, that is old, approved, or this person's own."""
    from reports.verification import verify

    wrong = [found.sentence for found in verify(chosen) if found.status == "wrong"]
    if wrong:
        raise PublicationError(
            f"edition {chosen.name} cannot be verified. {' '.join(wrong)}",
            where=str(chosen),
            next_step="find out who changed it, and refresh: that publishes a whole one as the next edition",
        )
    approval = read_passport(newest).get("approval")
    if approval is not None and chosen.name in {newest.name, approval["edition"]}:
        raise PublicationError(
            f"edition {newest.name} has been approved already, by {approval['by']} at {approval['at']}",
            where=str(newest),
            next_step="nothing needs doing; a release that changes needs an approval of its own",
        )
    if chosen != newest:
        raise PublicationError(
            f"edition {chosen.name} is not the newest: that is {newest.name}",
            where=str(chosen),
            next_step=f"read edition {newest.name}, and approve that one",
        )
    made = read_passport(chosen)["made"]
    if any(is_same_person(person["by"], made[name]) for name in ("by", "account")):
        raise PublicationError(
            f"{made['by']} refreshed this release, and nobody approves their own",
            where=str(chosen),
            next_step="ask a second person to read it and to run `effectmeter approve` (with --by and their own name)",
        )


def _make(folder: Path, chosen: Path, person: dict[str, str]) -> Path:
    """Write the approved edition beside the others, and move it into place in one rename."""
    from reports import hashes_of, write_release

    kept, concept = awaiting(folder), read_passport(chosen)
    staging = folder / APPROVING
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        if kept is None or plan_hash(kept[1]) != concept["plan"]["hash"]:
            raise _unlike(chosen, f"{AWAITING} is not there or belongs to another release")
        cleared, plan = kept
        # what is approved is what was read: the edition can be made again from what was kept, byte for byte
        write_release(staging, cleared, concept, plan)
        if _passport_bytes(staging) != _passport_bytes(chosen):
            raise _unlike(chosen, "this version of Effectmeter writes other files than those that lie there")
        shutil.rmtree(staging)
        staging.mkdir()
        name = next_edition_name(folder)
        passport = approved(concept, edition=name, **person)
        write_release(staging, cleared, passport, plan)
        _require_same_figures(concept, hashes_of(staging), chosen)
        return publish(staging, name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _passport_bytes(folder: Path) -> bytes:
    """Return the passport's file, which holds the hash of every other one."""
    return (folder / "passport.json").read_bytes()


def _require_same_figures(concept: dict[str, Any], files: dict[str, str], chosen: Path) -> None:
    from effectmeter.passport import RENDERED

    changed = [name for name, digest in concept["files"].items() if name not in RENDERED and files[name] != digest]
    if changed:
        raise _unlike(chosen, f"{', '.join(changed)} would change by the approval")


def _unlike(chosen: Path, why: str) -> PublicationError:
    return PublicationError(
        f"edition {chosen.name} cannot be made again as it lies there: {why}",
        where=str(chosen),
        next_step="have it refreshed once more, read the edition that comes of it, and approve that one",
    )
