"""When the machine gives out: a full disk, no memory, no rights. Which exceptions mean that, and what is said of it.

Recognised by class and by the words of the operating system, so that no library need be imported here. What is said
never holds the exception's own text, which may quote rows. Which faults are a delivery's or a plan's is not here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from effectmeter.errors import EffectmeterError, MachineError

_STANDS = "nothing was published, and the last release stands"
_DISK = "the disk is full"
_MEMORY = "there is not enough memory"
_RIGHTS = "the folder may not be written"
_BROKEN = "the disk could not be read or written"
_NEXT = {
    _DISK: f"make room (a refresh needs about three times its delivery), and refresh again; {_STANDS}",
    _MEMORY: f"close other programs or give this one more memory, and refresh again; {_STANDS}",
    _RIGHTS: f"give this account the right to write there, and refresh again; {_STANDS}",
    _BROKEN: f"mend the disk or its rights, and refresh again; {_STANDS}",
}
_BY_NUMBER = {
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.EFBIG: _DISK,
    errno.ENOMEM: _MEMORY,
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
}
_BY_WORDS = {
    "no space left on device": _DISK,
    "disk quota exceeded": _DISK,
    "file too large": _DISK,
    "database or disk is full": _DISK,
    "max_temp_directory_size": _DISK,
    "cannot allocate memory": _MEMORY,
    "can't start new thread": _MEMORY,
    "failed to allocate": _MEMORY,
    "could not allocate": _MEMORY,
    "resource temporarily unavailable": _MEMORY,
    "read-only file system": _RIGHTS,
    "permission denied": _RIGHTS,
    "readonly database": _RIGHTS,
    "disk i/o error": _BROKEN,
    "input/output error": _BROKEN,
    "unable to open database file": _BROKEN,
    "could not write": _BROKEN,
    "could not read": _BROKEN,
}
_OF_LIBRARIES = ("duckdb", "_duckdb", "sqlite3", "sqlalchemy", "polars", "dagster")
"""Libraries whose words are looked at: elsewhere the same words may be somebody's data."""


def of_the_machine(error: BaseException, where: str = "") -> MachineError | None:
    """Return what to say when a disk, memory or rights gave out; None when it was something else.

    Parameters
    ----------
    where
        What was being done.
    """
    for each in _chain(error):
        what = _what(each)
        if what is not None:
            return MachineError(f"{what}{_file(each)}", where=where, next_step=_NEXT[what], may_pass=what != _RIGHTS)
    return None


def _what(error: BaseException) -> str | None:
    if isinstance(error, EffectmeterError):
        return None
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or errno.EIO, _BROKEN)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":
        return _DISK if "max_temp_directory_size" in str(error) else _MEMORY
    is_ours = type(error).__module__.split(".")[0] in _OF_LIBRARIES or type(error) is RuntimeError
    words = str(error).casefold() if is_ours else ""
    return next((what for mark, what in _BY_WORDS.items() if mark in words), None)


def _file(error: BaseException) -> str:
    """Return the operating system's own words: they name a file and a cause, and hold no data."""
    if not isinstance(error, OSError):
        return ""
    where = f", {error.filename}" if isinstance(error.filename, str) else ""
    return f" ({os.strerror(error.errno or errno.EIO)}{where})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and what caused it, the outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
