"""One at a time: locks between processes that end with the process that holds them, however it ends.

A lock is on an open folder, so that no lock file stays behind and a killed run blocks nobody.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from effectmeter.errors import BusyError
from effectmeter.home import Home
from effectmeter.quarters import Quarter

PATIENCE_SECONDS = 60.0
"""How long a step waits for another one that is writing a release, or for Dagster's storage to be made."""


@contextmanager
def alone_in(folder: Path, *, busy: str, next_step: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold a folder for this process alone, made if need be.

    Parameters
    ----------
    busy
        What is said when another process holds it for longer than `patience` seconds.

    Raises
    ------
    BusyError
        The folder stays in use.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder, os.O_RDONLY)
    try:
        give_up_at = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up_at:
                    raise BusyError(busy, where=str(folder), next_step=next_step) from None
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


@contextmanager
def refreshing(home: Home, programme: str, quarter: Quarter) -> Iterator[None]:
    """Hold one programme's quarter during a whole refresh; a second refresh of it is refused at once.

    Raises
    ------
    BusyError
        Another process is refreshing the same programme and quarter.
    """
    folder = home.delivery(programme, quarter)
    if not folder.is_dir():  # nothing to hold; the landing step says what is missing
        yield
        return
    with alone_in(
        folder,
        busy=f"{programme} {quarter} is being refreshed by another process",
        next_step="wait until that one is done; its release counts for this delivery as well",
        patience=0,
    ):
        yield
