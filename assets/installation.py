"""What every asset is handed: where this installation keeps its things, and the partitions it works in."""

import errno
import functools
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import dagster as dg

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home

QUARTERS = dg.DynamicPartitionsDefinition(name="quarter")
"""Quarters as people write them (``2026-Q3``). Dynamic, so that a quarter exists from the day its delivery does, and
so that no programme shows a decade of missing partitions."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data folder of one team, as a Dagster resource.

    Attributes
    ----------
    root
        Absolute path of ``EFFECTMETER_HOME``.
    """

    root: str

    @property
    def home(self) -> Home:
        """The folders, by name."""
        return Home(Path(self.root))


def fault_log(home: Home, programme: str) -> Path:
    """Return the file, readable by its owner only, that keeps the traceback of an unforeseen fault."""
    return home.root / "vault" / programme / "faults.log"


@contextmanager
def refusing(home: Home, programme: str, step: str) -> Iterator[None]:
    """Turn every fault of a step into a Dagster failure whose text is safe to show.

    Our own errors carry no row values by construction. Any other exception may (DuckDB and pandas quote rows), so its
    text goes to a file beside the vault and never to the event log.
    """
    try:
        yield
    except EffectmeterError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"step": step, "exit_code": error.exit_code, "what_to_do": error.next_step or "see above"},
            allow_retries=False,
        ) from None
    except dg.Failure:
        raise
    except OSError as error:
        # its own words name a path and a cause, never a row
        raise dg.Failure(
            description=_of_the_machine(error, programme, step), metadata={"step": step, "exit_code": 1},
            allow_retries=False,
        ) from None  # fmt: skip
    except Exception as error:  # noqa: BLE001 - the privacy boundary: no foreign text may pass it
        path = fault_log(home, programme)
        # a log that cannot be written must not let the fault out by another door
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            with path.open("a", encoding="utf-8") as log:
                log.write(f"{datetime.now(UTC).isoformat()} {step}\n{traceback.format_exc()}\n")
        description = (
            f"{programme}: the step '{step}' met a fault that Effectmeter did not foresee ({type(error).__name__}).\n"
            f"  next: the details may quote data, so they are kept beside the vault in {path.name}; "
            "mend the cause or report it to the developers without that file"
        )
        raise dg.Failure(
            description=description, metadata={"step": step, "exit_code": 1}, allow_retries=False
        ) from None


def _of_the_machine(error: OSError, programme: str, step: str) -> str:
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return (
        f"{programme}: the step '{step}' could not read or write: {os.strerror(error.errno or errno.EIO)}{where}\n"
        "  next: mend the disk or its rights and refresh again; nothing was published, and the last release stands"
    )


def safely(programme: str, step: str) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate an asset function (with an ``installation`` argument) with `refusing`."""

    def wrap(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            installation = kwargs["installation"]
            assert isinstance(installation, Installation)
            with refusing(installation.home, programme, step):
                return function(*args, **kwargs)

        return wrapped

    return wrap
