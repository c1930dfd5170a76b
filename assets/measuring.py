"""What a step took: time, the most memory, and the counts that its metadata shows. Into Dagster, and into the run log.

Not here: what a step does (`assets.steps`), nor any count that is not cleared already.
"""

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from effectmeter.home import Home
from effectmeter.quarters import Quarter
from effectmeter.runlog import add_line

_KEPT = (
    "dagster/row_count",
    "rows rejected",
    "checks",
    "failed checks",
    "unchanged",
    "edition",
    "masked rows",
    "profiles",
)
_KEPT_FAMILIES = ("gates ", "effects ")
_MEMORY = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


@dataclass(slots=True)
class Measure:
    """What is known of a step that runs.

    Attributes
    ----------
    metadata
        What it will show; counts in it are cleared.
    """

    began: float = field(default_factory=time.monotonic)
    metadata: dict[str, Any] = field(default_factory=dict)

    def taken(self) -> dict[str, Any]:
        """Return time and memory as metadata, which Dagster draws over time."""
        return {"seconds": round(time.monotonic() - self.began, 3), "peak memory (MB)": peak_megabytes()}


@contextmanager
def measured(
    home: Home, programme: str, quarter: Quarter | None, step: str, context: dg.OpExecutionContext
) -> Iterator[Measure]:
    """Measure a step, and write one line about it however it ends; of the portfolio there is no programme."""
    forget_peak()
    measure = Measure()
    how: dict[str, Any] = {"status": "done"}
    try:
        yield measure
        if "unchanged" in measure.metadata:
            how = {"status": "unchanged"}
    except dg.RetryRequested:
        how = {"status": "tried again"}
        raise
    except dg.Failure as failure:
        kind = failure.metadata.get("kind")
        how = {"status": "failed", "kind": str(kind.value) if kind is not None else "software"}
        raise
    except BaseException:
        how = {"status": "killed"}
        raise
    finally:
        taken = measure.taken()
        add_line(
            home,
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "run": context.run_id,
                "programme": programme,
                "quarter": str(quarter or ""),
                "step": step,
                **how,
                "seconds": taken["seconds"],
                "peak_mb": taken["peak memory (MB)"],
                "counts": _counts(measure.metadata),
            },
        )


def _counts(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts and names among what a step shows, as it shows them."""
    return {
        key.removeprefix("dagster/"): value
        for key, value in metadata.items()
        if (key in _KEPT or key.startswith(_KEPT_FAMILIES)) and isinstance(value, int | str)
    }


def forget_peak() -> None:
    """Begin the peak of this process anew, where the system can; elsewhere it is that of the whole process."""
    with suppress(OSError):
        _RESET.write_text("5", encoding="ascii")


def peak_megabytes() -> int:
    """Return the most memory that this process held since `forget_peak`, in megabytes of 2**20 bytes."""
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMORY.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 1024)
