"""Which form a vault file has, so that an older one is migrated or rebuilt, and a newer one is left alone.

A number in the file itself says it: the value of a macro, which is no table that anybody would read for data. A file
without one is of form 1. Quarters' vaults of an older form are read as far as their tables still fit, and rebuilt from
their delivery where they do not. A ledger cannot be rebuilt, so every change of its form has a step in `LEDGER_STEPS`.

Here: forms and steps. Not here: when a file is stamped (`vault.connection`), nor the command that migrates everything
(`pipelines.migrations`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from effectmeter.editions import Entry
from effectmeter.errors import EffectmeterError

FORM = 2
"""Of the files that this version writes."""
_MACRO = "effectmeter_form"


def form_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the form of an open vault."""
    try:
        return int(connection.sql(f"select {_MACRO}()").fetchall()[0][0])
    except duckdb.CatalogException:
        return 1


def stamp(connection: duckdb.DuckDBPyConnection) -> None:
    """Say in an open vault that it has the form of this version."""
    connection.execute(f"create or replace macro {_MACRO}() as {FORM}")


def require_known(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a vault that a newer version wrote, before anything in it is read or changed.

    Raises
    ------
    EffectmeterError
        Its form is newer than `FORM`.
    """
    found = form_of(connection)
    if found > FORM:
        is_ledger = path.stem == "ledger"
        raise EffectmeterError(
            f"this {'ledger' if is_ledger else 'vault'} was written by a newer version of Effectmeter (form {found}); "
            "nothing was changed",
            where=str(path),
            allowed=f"forms up to {FORM}",
            next_step="install that version again (docs/how-to/upgrade.md); "
            + ("do not move the ledger away: it cannot be rebuilt" if is_ledger else "or put back the older file"),
        )


def migrated(entries: Sequence[Entry], form: int) -> tuple[Entry, ...]:
    """Return a ledger's entries in the form of this version."""
    for step in range(form, FORM):
        entries = [LEDGER_STEPS[step](entry) for entry in entries]
    return tuple(entries)


def _with_who(entry: Entry) -> Entry:
    """Give every group a third field, of who they are: form 1 knew only how many persons and families."""
    groups = {name: [*group, None][:3] for name, group in json.loads(entry.groups).items()}
    return replace(entry, groups=json.dumps(groups, sort_keys=True))


LEDGER_STEPS: Mapping[int, Callable[[Entry], Entry]] = {1: _with_who}
"""From each form to the next. A step never loses an entry, and may be done twice."""
