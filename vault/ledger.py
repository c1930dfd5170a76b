"""The ledger of everything that was ever published of a programme: one encrypted file beside its quarters' vaults.

Here: reading and writing it. Not here: what it is used for (`effectmeter.editions`). It holds true counts, so it never
leaves the vault; it outlives the quarters, since an edition that was published can be subtracted for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from effectmeter.audit import Inference
from effectmeter.editions import Entry
from effectmeter.home import Home
from effectmeter.suppressions import Suppression
from vault.connection import open_vault
from vault.forms import form_of, migrated
from vault.results import read_results, write_results

_TABLE = "ledger.entries"


def ledger_path(home: Home, programme: str) -> Path:
    """Return where a programme's ledger lies."""
    return home.root / "vault" / programme / "ledger.duckdb"


def read_ledger(home: Home, programme: str) -> tuple[Entry, ...]:
    """Return everything that was published of a programme, oldest first; nothing before the first release.

    A ledger of an older form is read as one of this form; `write_ledger` then writes it so.
    """
    path = ledger_path(home, programme)
    if not path.exists():
        return ()
    with open_vault(path, read_only=True) as connection:
        return migrated(read_results(connection, _TABLE, Entry), form_of(connection))


def write_ledger(home: Home, programme: str, entries: Sequence[Entry]) -> None:
    """Replace a programme's ledger, wholly or not at all."""
    with open_vault(ledger_path(home, programme)) as connection:
        write_results(connection, _TABLE, entries, Entry)


def record_evidence(
    connection: duckdb.DuckDBPyConnection, audit: Sequence[Inference], suppressions: Sequence[Suppression]
) -> None:
    """Keep in a quarter's vault what an intruder could infer from its release, and why each masked value is masked."""
    write_results(connection, "release.audit", audit, Inference)
    write_results(connection, "release.suppressions", suppressions, Suppression)
