"""Private folders beside a vault that live as long as the process that made them, however it ends.

A scratch folder is held by a lock on the folder itself. A killed process loses its locks but leaves its folder, so a
folder that can be locked belongs to nobody and is cleared away by whoever comes next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".scratch"


@contextmanager
def held(folder: Path, patience: float) -> Iterator[Path | None]:
    """Make a private folder (mode 0700, empty) and hold it for this process alone; gone afterwards.

    Parameters
    ----------
    patience
        Seconds to wait for another process that holds it.

    Yields
    ------
    Path or None
        The folder; None when another process holds it for longer.
    """
    give_up_at = time.monotonic() + patience
    handle = _lock(folder)
    while handle is None:
        if time.monotonic() >= give_up_at:
            yield None
            return
        time.sleep(0.05)
        handle = _lock(folder)
    try:
        _empty(folder)
        yield folder
    finally:
        # first the folder and then the lock: whoever waits finds that what it locked is no longer there
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@contextmanager
def unnamed_file(folder: Path) -> Iterator[Path]:
    """Yield the path of a private file that has no name on disk: it is gone with its process, however that ends.

    Notes
    -----
    Where the system has no ``/proc`` (macOS) the file keeps its name until the block ends.
    """
    handle, name = tempfile.mkstemp(dir=folder)
    named = Path(name)
    opened = Path(f"/proc/self/fd/{handle}")
    try:
        if opened.exists():
            named.unlink()
            yield opened
        else:
            yield named
    finally:
        os.close(handle)
        named.unlink(missing_ok=True)


def clear_stale(folder: Path, keep: Path | None = None) -> list[Path]:
    """Remove the scratch folders in `folder` that nobody holds, which killed processes left; return them."""
    removed = []
    for each in sorted(folder.glob(f".*{SUFFIX}")):
        if each != keep and (handle := _lock(each)) is not None:
            shutil.rmtree(each, ignore_errors=True)
            os.close(handle)
            removed.append(each)
    return removed


def stale(folder: Path) -> list[Path]:
    """Return the scratch folders in `folder` that nobody holds."""
    found = []
    for each in sorted(folder.glob(f".*{SUFFIX}")):
        if (handle := _lock(each)) is not None:
            os.close(handle)
            found.append(each)
    return found


def _lock(folder: Path) -> int | None:
    """Lock a folder, made if need be; None when another process holds it, or has just taken it away."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = folder.stat()
        mine = os.fstat(handle)
        if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
            folder.chmod(0o700)
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()
