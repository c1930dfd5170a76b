"""The one Dagster instance of an installation: the command line writes into what the user interface shows."""

import os
from importlib.resources import files
from typing import Any

import dagster as dg
import yaml
from dagster._core.instance.ref import InstanceRef
from sqlalchemy.exc import SQLAlchemyError

from assets.installation import QUARTERS
from assets.locks import alone_in
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.automation import delivered_quarters
from pipelines.sqlite_storage import storages


def prepare_dagster_home(home: Home) -> None:
    """Make the instance's folder, with our settings, on first use; see every time that nobody else can look into it.

    Runs, events and what steps print (Dagster's compute logs) all lie below it.
    """
    home.dagster.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.dagster.stat().st_mode & 0o077:
        home.dagster.chmod(0o700)
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        beside = settings.with_name(f".dagster.yaml.{os.getpid()}")
        beside.write_text(files(__package__).joinpath("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
        beside.replace(settings)


def open_instance(home: Home) -> dg.DagsterInstance:
    """Open the installation's Dagster instance, making it on first use.

    Raises
    ------
    EffectmeterError
        The data folder cannot be written.
    """
    try:
        prepare_dagster_home(home)
        # Dagster makes its tables when a storage is first touched; two processes that do so at once trip each other up
        with alone_in(
            home.dagster,
            busy="another process is setting up Dagster's storage",
            next_step="wait until it is done, then try again",
        ):
            instance = dg.DagsterInstance.from_ref(
                InstanceRef.from_dir(str(home.dagster), overrides=_own_storages(home))
            )
            for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
                assert storage is not None
    except OSError as error:
        raise EffectmeterError(
            f"the data folder cannot be written ({os.strerror(error.errno or 0)})",
            where=str(home.root),
            next_step="give this account the right to write there, or choose another folder with --home",
        ) from None
    except SQLAlchemyError:  # its texts quote statements and what was written with them
        raise EffectmeterError(
            "Dagster's storage cannot be read or written: the disk is full, or a file there is damaged",
            where=str(home.dagster),
            next_step="make room on the disk and try again; `effectmeter doctor` says what else may be wrong",
        ) from None
    return instance


def _own_storages(home: Home) -> dict[str, Any]:
    """Return our storages in SQLite, unless somebody has chosen others in the settings (Postgres, on a server)."""
    chosen = yaml.safe_load((home.dagster / "dagster.yaml").read_text(encoding="utf-8")) or {}
    return {} if any(name.endswith("storage") for name in chosen) else storages(home.dagster)


def offer_quarters(home: Home, last_complete: Quarter) -> list[Quarter]:
    """Let the user interface offer the last complete quarter and every quarter that has a delivery; return them."""
    folders = (home.root / "deliveries").glob("*")
    delivered = {quarter for folder in folders for quarter in delivered_quarters(home, folder.name)}
    quarters = sorted(delivered | {last_complete})
    with open_instance(home) as instance:
        instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter) for quarter in quarters])
    return quarters
