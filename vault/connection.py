"""Opening a vault: one DuckDB file per programme and quarter, private, never left open, never half written.

Only opening and closing live here. Encryption at rest enters in `_connect` and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from effectmeter.errors import EffectmeterError

_PATIENCE_SECONDS = 3.0
_MOST_MEMORY_GB = 8
_MOST_THREADS = 8


@contextmanager
def open_vault(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a vault, and close it whatever happens.

    Writing makes the file (mode 0600) and its folders (mode 0700) when they are not there. What a killed process left
    behind is settled by DuckDB itself on the next opening: every statement, or transaction, is there wholly or not.

    Raises
    ------
    EffectmeterError
        The vault is not there yet (when reading), is in use by another process, or is damaged.
    """
    if read_only and not path.is_file():
        raise EffectmeterError(
            "there is no vault yet for this programme and quarter",
            where=str(path),
            next_step="run `effectmeter refresh` for this programme and quarter first",
        )
    if not read_only:
        _make_private_folders(path.parent)
    connection = _connect_patiently(path, read_only)
    try:
        if not read_only:
            path.chmod(0o600)
        yield connection
    finally:
        connection.close()
        if not read_only:
            shutil.rmtree(scratch_folder(path), ignore_errors=True)


def scratch_folder(path: Path) -> Path:
    """Return where a vault's temporary files go: beside it, equally private, gone when it is closed."""
    return path.parent / f".{path.name}.scratch"


def scratch_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the scratch folder of an open vault, made if need be."""
    folder = Path(connection.sql("select current_setting('temp_directory')").fetchall()[0][0])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _connect(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect. The seam for encryption: a key per programme turns this into an attach with that key."""
    memory_gb = max(1, min(_MOST_MEMORY_GB, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**31))
    return duckdb.connect(
        str(path),
        read_only=read_only,
        config={
            "threads": min(_MOST_THREADS, os.cpu_count() or 1),
            "memory_limit": f"{memory_gb}GB",
            "temp_directory": str(scratch_folder(path)),
            # a vault stands on a closed network: nothing is fetched, nothing is loaded unasked
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def _connect_patiently(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect, waiting a moment for another process to finish."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _connect(path, read_only)
        except duckdb.Error as error:
            # DuckDB has one exception class for a locked and for a damaged file
            if not _is_in_use(error):
                raise EffectmeterError(
                    "the vault cannot be read: the file is damaged, or was written by a newer version",
                    where=str(path),
                    next_step="move the file away and run `effectmeter refresh`: a vault is rebuilt from its delivery",
                ) from None
            if time.monotonic() > give_up_at:
                raise EffectmeterError(
                    "the vault is in use by another process",
                    where=str(path),
                    next_step="wait until the other run is done, or close the program that has the file open",
                ) from None
        time.sleep(0.1)


def _is_in_use(error: duckdb.Error) -> bool:
    text = str(error)
    return "lock on file" in text or "different configuration" in text or "being used by another process" in text


def _make_private_folders(folder: Path) -> None:
    """Make the programme's folder and the one above it, closed to others; folders further up are not ours to close."""
    made = [each for each in (folder.parent, folder) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in {*made, folder}:
        each.chmod(0o700)
