"""Opening a vault: one encrypted DuckDB file per programme and quarter, private, never left open, never half written.

A writer works on a copy of the file, in a scratch folder of its own, and moves it over the vault when it closes. So the
file under a vault's name is never written: readers read it for as long as they like, at the same time as a writer, and
a killed writer leaves it as it was (docs/adr/0012). Keys are in `vault.keys`.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

import duckdb

from effectmeter.errors import BusyError, EffectmeterError
from effectmeter.home import Home
from vault.forms import require_known, stamp
from vault.keys import Key, is_plain, key_of, record_key
from vault.scratch import SUFFIX, clear_stale, held

PSEUDONYM_KEY = "pseudonym_key"
"""Session variable of a connection that writes: the key under which the landing hashes pseudonyms."""
_FILE_KEY = "file_key"
_PATIENCE_SECONDS = 3.0
_MOST_MEMORY_GB = 3
"""Of DuckDB, which puts the rest on disk, encrypted (docs/adr/0025)."""
_MOST_THREADS = 8
_WORKING = "working.duckdb"
_DAMAGE = ("encryption key", "AES tag", "Corrupt", "not a valid DuckDB", "checksum")
"""DuckDB's words for a file that is not as it was written; it has no class of exceptions for it."""
_checked: set[tuple[str, int, int, int]] = set()
"""Files of extensions (name, inode, size, time) whose signature DuckDB has checked in this process."""
_FICLONE = 0x40049409
"""Linux' request for a copy that shares blocks with the original until one of them changes."""


@contextmanager
def open_vault(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a vault, and close it whatever happens.

    Parameters
    ----------
    path
        ``<home>/vault/<programme>/<quarter>.duckdb``; the key is that programme's.
    read_only
        A reader sees the vault as it was when it was opened, whatever is written meanwhile.

    Raises
    ------
    EffectmeterError
        The vault is not there yet (when reading), is being written by another process (when writing), is damaged, or
        the key is lost or wrong. Nothing was changed then.

    Notes
    -----
    Writing makes the file (mode 0600) and its folders (mode 0700) when they are not there. When the caller fails, what
    it had committed is kept. A vault without encryption, made by an older version, is not read; it is replaced as soon
    as a writer succeeds from an empty one.
    """
    with _reading(path) if read_only else _writing(path) as connection:
        yield connection


@contextmanager
def open_earlier(path: Path) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Open the vault of an earlier quarter for reading; None where there is none that this version reads."""
    if not path.is_file() or is_plain(path):
        yield None
        return
    with _reading(path) as connection:
        yield connection


@contextmanager
def open_throwaway(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty vault that is encrypted as the others in a programme's folder, and never kept."""
    _make_private_folders(folder)
    clear_stale(folder)
    with held(folder / f".check-{secrets.token_hex(8)}{SUFFIX}", _PATIENCE_SECONDS) as scratch:
        assert scratch is not None, "a new random name is nobody's"
        key = _key(folder / "x", may_make=True)
        connection = _connect(scratch / _WORKING, key, scratch, read_only=False)
        try:
            yield connection
        finally:
            connection.close()


def scratch_folder(path: Path) -> Path:
    """Return where a writer keeps its copy and its temporary files: beside the vault, gone when it is closed."""
    return path.parent / f".{path.name}{SUFFIX}"


def scratch_of(connection: duckdb.DuckDBPyConnection) -> Path:
    """Return the folder for temporary files of an open vault, made if need be."""
    folder = Path(connection.sql("select current_setting('temp_directory')").fetchall()[0][0])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not path.is_file():
        raise EffectmeterError(
            "there is no vault yet for this programme and quarter",
            where=str(path),
            next_step="run `effectmeter refresh` for this programme and quarter first",
        )
    if is_plain(path):
        raise EffectmeterError(
            "this vault was made by an older version, without encryption; it is not read",
            where=str(path),
            next_step="run `effectmeter refresh` for this programme and quarter: an encrypted one takes its place",
        )
    key = _key(path, may_make=False)
    with _reader_scratch(path) as scratch:
        connection = _opened(path, path, key, scratch, read_only=True)
        try:
            yield connection
        except duckdb.Error as error:
            if _is_damage(error):
                raise _told(error, path) from None
            raise
        finally:
            connection.close()


@contextmanager
def _reader_scratch(path: Path) -> Iterator[Path | None]:
    """Hold a folder for what does not fit in memory; None in a folder where nothing may be written."""
    name = path.parent / f".{path.name}.reading-{secrets.token_hex(8)}{SUFFIX}"
    if not os.access(path.parent, os.W_OK):
        yield None
        return
    with held(name, _PATIENCE_SECONDS) as scratch:
        yield scratch


@contextmanager
def _writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    key = _key(path, may_make=True)
    _make_private_folders(path.parent)
    own = scratch_folder(path)
    clear_stale(path.parent, keep=own)
    with held(own, _PATIENCE_SECONDS) as scratch:
        if scratch is None:
            raise BusyError(
                "the vault is in use by another process that writes it",
                where=str(path),
                next_step="wait until the other run is done; reading it is possible all the while",
            )
        working = scratch / _WORKING
        is_continued = path.exists() and not is_plain(path)
        if is_continued:
            _copy(path, working)
        connection = _opened(working, path, key, scratch, read_only=False)
        working.chmod(0o600)
        record_key(*_whose(path), key)
        try:
            yield connection
        except BaseException as error:
            # what the caller committed stands, unless it began from nothing in the place of an older version's vault
            with suppress(duckdb.Error, OSError, EffectmeterError):
                if is_continued or not path.exists():
                    _publish(connection, working, path)
            if isinstance(error, duckdb.Error) and _is_damage(error):
                raise _told(error, path) from None
            raise
        else:
            _publish(connection, working, path, is_whole=True)
        finally:
            connection.close()


def _publish(connection: duckdb.DuckDBPyConnection, working: Path, path: Path, *, is_whole: bool = False) -> None:
    """Bring the working copy to rest and move it over the vault; stamp its form when the writer came to its end."""
    with suppress(duckdb.TransactionException):
        connection.execute("rollback")
    try:
        if is_whole:
            stamp(connection)
        connection.execute("force checkpoint vault")
        connection.close()
    except duckdb.Error as error:
        raise EffectmeterError(
            f"the vault could not be written ({type(error).__name__}); it stands as it was before this step",
            where=str(path),
            next_step="check that the disk has room for two copies of the vault, and run the step again",
        ) from None
    log = working.with_name(f"{working.name}.wal")
    if log.exists():
        raise EffectmeterError(
            "the vault could not be brought to rest; it stands as it was before this step",
            where=str(path),
            next_step="check that the disk has room for two copies of the vault, and run the step again",
        )
    working.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _opened(
    database: Path, path: Path, key: Key, scratch: Path | None, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """Connect, and tell in words of ours what is wrong with the vault called `path`."""
    try:
        connection = _connect(database, key, scratch, read_only=read_only)
        try:
            require_known(connection, path)
        except BaseException:
            connection.close()
            raise
    except duckdb.Error as error:
        raise _told(error, path) from None
    return connection


def _connect(database: Path, key: Key, scratch: Path | None, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Connect to an empty database in memory, and attach the encrypted file to it as the default.

    The key goes in as a bound value, through a session variable that is unset again: it stands in no statement, and so
    in no message or log that quotes one.
    """
    memory_gb = max(1, min(_MOST_MEMORY_GB, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**31))
    extension = _extension()
    found = Path(extension).stat()
    as_checked = (extension, found.st_ino, found.st_size, found.st_mtime_ns)
    connection = duckdb.connect(
        ":memory:",
        config={
            # its signature is checked once per process; the library that was checked stays in the process, and a second
            # check of twenty megabytes would only take as long as opening the rest
            "allow_unsigned_extensions": as_checked in _checked,
            "threads": min(_MOST_THREADS, os.cpu_count() or 1),
            "memory_limit": f"{memory_gb}GB",
            "temp_directory": str(scratch / "temporary") if scratch is not None else "",
            # a vault stands on a closed network: nothing is fetched, nothing is loaded unasked
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        # DuckDB's own cipher is no match for a forger, so it writes encrypted files through OpenSSL, which comes with
        # the extension for the web; the web itself stays shut
        connection.load_extension(extension)
        _checked.add(as_checked)
        connection.execute("set allow_unsigned_extensions = false")  # for good: it cannot be set to true again
        connection.execute("set disabled_filesystems = 'HTTPFileSystem,S3FileSystem,HuggingFaceFileSystem'")
        connection.execute("set temp_file_encryption = true")
        connection.execute(f"set variable {_FILE_KEY} = $key", {"key": key.derived("vault file").hex()})
        quoted = str(database).replace("'", "''")
        mode = "read_only, " if read_only else ""
        connection.execute(f"attach '{quoted}' as vault ({mode}encryption_key getvariable('{_FILE_KEY}'))")
        connection.execute(f"reset variable {_FILE_KEY}")
        connection.execute("use vault")
        if not read_only:
            connection.execute(f"set variable {PSEUDONYM_KEY} = $key", {"key": key.derived("pseudonyms")})
    except BaseException:
        connection.close()
        raise
    return connection


def _extension() -> str:
    """Return the extension's file in its own package: DuckDB checks its signature, and nothing is installed."""
    folder = files("duckdb_extension_httpfs").joinpath("extensions", f"v{duckdb.__version__}")
    return str(folder.joinpath("httpfs.duckdb_extension"))


def _is_damage(error: duckdb.Error) -> bool:
    return any(words in str(error) for words in _DAMAGE)


def _told(error: duckdb.Error, path: Path) -> EffectmeterError:
    if "lock on file" in str(error):
        return BusyError(
            "the vault is in use by another program",
            where=str(path),
            next_step="close the program that has the file open for writing",
        )
    return EffectmeterError(
        "the vault cannot be read: the file is damaged, was written by a newer version, or is locked by another key",
        where=str(path),
        next_step="put back the key or the file from its copy; or move the file away and run `effectmeter refresh`: "
        "a vault is rebuilt from its delivery",
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a file; at no cost on a file system that lets two files share their blocks."""
    target.touch(mode=0o600)
    with source.open("rb") as here, target.open("r+b") as there:
        try:
            fcntl.ioctl(there.fileno(), _FICLONE, here.fileno())
        except OSError:
            shutil.copyfile(source, target)


def _key(path: Path, *, may_make: bool) -> Key:
    return key_of(*_whose(path), may_make=may_make)


def _whose(path: Path) -> tuple[Home, str]:
    """Return whose vault a path is: ``<home>/vault/<programme>/<file>``."""
    return Home(path.parents[2]), path.parent.name


def _make_private_folders(folder: Path) -> None:
    """Make the programme's folder and the one above it, closed to others; folders further up are not ours to close."""
    made = [each for each in (folder.parent, folder) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in {*made, folder}:
        each.chmod(0o700)
