"""Forks of one process that has everything imported: a refresh in a fork begins with its first step, not with imports.

Here: what is imported before the first fork, and how far a fork has come. Not here: what is tried in the forks
(`faults`, `broken`).
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress


def import_all_of(run: Callable[[], object]) -> None:
    """Import here whatever `run` imports, which a fork of this process carries out and this process does not.

    A fork has none of its parent's threads, so nothing may run here that starts any. What was imported is left out of
    garbage collections from then on: every fork would go through all of it, and copy the memory that it lies in.
    """
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(reading)
        silence = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(silence, stream)
        with suppress(BaseException):
            run()
        with os.fdopen(writing, "w", encoding="utf-8") as telling:
            telling.write("\n".join(sys.modules))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        names = told.read().split("\n")
    os.waitpid(pid, 0)
    for name in names:
        if name not in sys.modules:
            with suppress(Exception):  # a name that a library gave to something else than a file of its own
                importlib.import_module(name)
    assert threading.active_count() == 1, "a library began a thread when it was imported"
    gc.collect()
    gc.freeze()


def in_fork(run: Callable[[], object]) -> None:
    """Carry out in a fork what may start threads: a later fork of a process that has any may wait for them for ever."""
    if (pid := os.fork()) == 0:
        code = 1
        with suppress(BaseException):
            run()
            code = 0
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert status == 0, "what was carried out in a fork broke off"


def processor_seconds(pid: int) -> float | None:
    """Return the processor time that a process has used, all of its threads together; None once it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of a process, as clock_getcpuclockid(3) gives it
    except OSError:
        return None
