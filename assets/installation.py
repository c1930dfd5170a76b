"""What every asset is handed: where this installation keeps its things, and the partitions it works in."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from effectmeter.errors import EffectmeterError, UnforeseenError
from effectmeter.home import Home
from effectmeter.machine import of_the_machine

QUARTERS = dg.DynamicPartitionsDefinition(name="quarter")
"""Quarters as people write them (``2026-Q3``). Dynamic, so that a quarter exists from the day its delivery does, and
so that no programme shows a decade of missing partitions."""


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data folder of one team, as a Dagster resource.

    Attributes
    ----------
    root
        Absolute path of ``EFFECTMETER_HOME``.
    retries
        How often a step is tried again when the machine was busy or gave out; a refusal never is. 0 where a person
        waits for the answer.
    wait_seconds
        Before the first of them; twice as long before every next.
    """

    root: str
    retries: int = 0
    wait_seconds: float = 30.0

    @property
    def home(self) -> Home:
        """The folders, by name."""
        return Home(Path(self.root))


def fault_log(home: Home, programme: str) -> Path:
    """Return the file, readable by its owner only, that keeps the traceback of an unforeseen fault."""
    return home.root / "vault" / programme / "faults.log"


@contextmanager
def refusing(
    installation: Installation, programme: str, step: str, context: dg.OpExecutionContext | None = None
) -> Iterator[None]:
    """Turn every fault of a step into a Dagster failure whose text is safe to show, or into another try.

    Our own errors carry no row values by construction. Any other exception may (DuckDB and pandas quote rows), so its
    text goes to a file beside the vault and never to the event log.

    Parameters
    ----------
    context
        Of the step; without one there is no other try.
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:  # noqa: BLE001 - the privacy boundary: no foreign text may pass it
        told = error if isinstance(error, EffectmeterError) else plainly(installation.home, programme, step, error)
        tried = context.retry_number if context is not None else installation.retries
        if told.may_pass and tried < installation.retries:
            assert context is not None
            context.log.warning(f"{told.what}; tried again, {tried + 1} of {installation.retries}")
            raise dg.RetryRequested(installation.retries, installation.wait_seconds * 2**tried) from None
        raise dg.Failure(
            description=str(told),
            metadata={
                "step": step,
                "exit_code": told.exit_code,
                "kind": told.kind,
                "what_to_do": told.next_step or "see above",
            },
            allow_retries=False,
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
    return UnforeseenError(
        f"the step '{step}' met a fault that Effectmeter did not foresee ({type(error).__name__})",
        where=programme,
        next_step=f"the details may quote data, so they are kept beside the vault in {path.name}; "
        "mend the cause or report it to the developers without that file",
    )
