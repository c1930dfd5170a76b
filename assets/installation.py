"""What every asset is handed: where this installation keeps its things, and the partitions it works in."""

import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import dagster as dg

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.machine import of_the_machine

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
    except Exception as error:  # noqa: BLE001 - the privacy boundary: no foreign text may pass it
        told = plainly(home, programme, step, error)
        raise dg.Failure(
            description=str(told), metadata={"step": step, "exit_code": told.exit_code}, allow_retries=False
        ) from None


def plainly(home: Home, programme: str, step: str, error: Exception) -> EffectmeterError:
    """Return a foreign exception as a fault whose text is safe to show, and keep its own text beside the vault."""
    foreseen = of_the_machine(error, f"{programme}, step '{step}'")
    if foreseen is not None:
        return foreseen
    path = fault_log(home, programme)
    # a log that cannot be written must not let the fault out by another door
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat()} {step}\n{traceback.format_exc()}\n")
    return EffectmeterError(
        f"the step '{step}' met a fault that Effectmeter did not foresee ({type(error).__name__})",
        where=programme,
        next_step=f"the details may quote data, so they are kept beside the vault in {path.name}; "
        "mend the cause or report it to the developers without that file",
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
