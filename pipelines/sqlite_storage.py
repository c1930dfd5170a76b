"""Dagster's runs and events in SQLite, as Dagster keeps them, through connections that stay open.

Dagster opens and closes a file for every event, and the last to close a file brings it to rest on disk: a small refresh
of 270 events spent more time on that than on statistics. Here a process keeps what it has opened. Files and tables are
the same, so that other processes (the user interface, the daemon) read and write them in Dagster's own way.

Not here: the settings (`pipelines/dagster.yaml`), and Postgres, which has no such trouble (docs/adr/0021).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection

_MOST_RUNS_OPEN = 8
"""Every run has a file of its own; those written longest ago are closed."""
_PATIENCE_SECONDS = 30


def storages(dagster_home: Path) -> dict[str, Any]:
    """Return the part of an instance's settings that puts these classes in place of Dagster's, on the same files."""
    own = {"run_storage": (KeptRuns, "history"), "event_log_storage": (KeptEvents, "history/runs")}
    chosen: dict[str, Any] = {
        name: {
            "module": kind.__module__,
            "class": kind.__name__,
            "config": {"base_dir": str(dagster_home / folder)},
        }
        for name, (kind, folder) in own.items()
    }
    schedules = {"module": "dagster._core.storage.schedules", "class": "SqliteScheduleStorage"}
    return chosen | {"schedule_storage": schedules | {"config": {"base_dir": str(dagster_home / "schedules")}}}


def _engine(address: str) -> Engine:
    """Return an engine that keeps one connection; it waits for other processes, and lets threads take turns."""
    engine = create_engine(
        address, pool_size=1, max_overflow=4, connect_args={"timeout": _PATIENCE_SECONDS, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _: Any) -> None:
        # what is committed survives the process; only a power cut may take the last lines of a run's history with it,
        # never the release, which is written to disk by itself
        connection.execute("pragma synchronous = normal")

    return engine


class KeptEvents(SqliteEventLogStorage):
    """Events, with the files of the last few runs kept open."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptEvents:
        """Make it from an instance's settings."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.pop(shard, None) or _engine(self.conn_string_for_shard(shard))
            self._engines[shard] = engine
            while len(self._engines) > _MOST_RUNS_OPEN:
                self._engines.popitem(last=False)[1].dispose()
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


class KeptRuns(SqliteRunStorage):
    """Runs, with their file kept open."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engine = _engine(conn_string)
        super().__init__(conn_string, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> KeptRuns:
        """Make it from an instance's settings."""
        kept = cls.from_local(inst_data=inst_data, **config_value)
        assert isinstance(kept, KeptRuns)
        return kept

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection, and commit what was done on it."""
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        self._engine.dispose()
        super().dispose()
