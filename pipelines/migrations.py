"""``effectmeter migrate``: bring what an older version left to the form of this one, before anything else runs.

Three things have a form. **Dagster's storage** is migrated by Dagster. A **ledger** is what nothing else remembers, so
it is migrated entry by entry, and written wholly or not at all. A **quarter's vault** that no longer fits is rebuilt
from its delivery by a refresh, and a **release** is never written again: what reads it reads every form there was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import typer

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from pipelines.options import HomeOption, JsonOption


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was found of one thing, and what was done.

    Attributes
    ----------
    status
        ``migrated``; ``ready`` (it had the form already); ``rebuild`` (a refresh makes it again); ``refused``.
    """

    what: str
    status: str
    sentence: str


def migrate(home: HomeOption = None, json_: JsonOption = False) -> None:
    """Bring what an older version left to the form of this one. May be run twice; stop the services first.

    Example: effectmeter migrate
    """
    from pipelines.cli import put, put_json

    found = migrate_all(Home.from_environment(home))
    if json_:
        put_json([asdict(each) for each in found])
    else:
        for each in found:
            put(f"{each.status:<9} {each.what}: {each.sentence}")
    raise typer.Exit(1 if any(each.status == "refused" for each in found) else 0)


def migrate_all(home: Home) -> list[Migrated]:
    """Migrate an installation; what is refused does not hold up the rest.

    Returns
    -------
    list of Migrated
        Dagster's storage, every ledger and vault by programme, every release.
    """
    from vault.ledger import ledger_path

    found = [_storage(home)]
    for folder in sorted(path for path in (home.root / "vault").glob("*") if path.is_dir()):
        if ledger_path(home, folder.name).is_file():
            found.append(_told(f"ledger of {folder.name}", partial(_ledger, home, folder.name)))
        for path in sorted(folder.glob("*-Q[1-4].duckdb")):
            found.append(_told(f"vault of {folder.name} {path.stem}", partial(_vault, path)))
    for path in sorted(home.release_root.glob("*/*-Q[1-4]/[0-9]*/passport.json")):
        found.append(_told(f"release {'/'.join(path.parts[-4:-1])}", partial(_release, path.parent)))
    return found


def _told(what: str, do: Callable[[], tuple[str, str]]) -> Migrated:
    try:
        return Migrated(what, *do())
    except EffectmeterError as error:
        return Migrated(what, "refused", str(error))


def _storage(home: Home) -> Migrated:
    """Migrate Dagster's own tables: what ``dagster instance migrate`` does."""
    from pipelines.instance import open_instance

    if not home.dagster.is_dir():
        return Migrated("Dagster's storage", "ready", "there is none yet.")
    with open_instance(home) as instance:
        instance.upgrade()
    return Migrated("Dagster's storage", "ready", "has the form of the Dagster that is installed.")


def _ledger(home: Home, programme: str) -> tuple[str, str]:
    from vault.connection import open_vault
    from vault.forms import FORM, form_of
    from vault.ledger import ledger_path, read_ledger, write_ledger

    with open_vault(ledger_path(home, programme), read_only=True) as connection:
        before = form_of(connection)
    if before == FORM:
        return "ready", f"form {FORM}."
    entries = read_ledger(home, programme)
    write_ledger(home, programme, entries)
    return "migrated", f"from form {before} to {FORM}, {len(entries)} entries."


def _vault(path: Path) -> tuple[str, str]:
    from vault.connection import open_vault
    from vault.forms import FORM, form_of
    from vault.keys import is_plain

    if is_plain(path):
        return "rebuild", "made before vaults were encrypted; the next refresh of this quarter makes it again."
    with open_vault(path, read_only=True) as connection:
        before = form_of(connection)
    if before == FORM:
        return "ready", f"form {FORM}."
    return "rebuild", f"form {before}; the next refresh of this quarter makes it again from its delivery."


def _release(edition: Path) -> tuple[str, str]:
    from assets.releases import read_passport

    return "ready", f"{read_passport(edition)['schema']}; never written again."
