"""What is deleted when its time has come: vaults, scratch, logs and deliveries; and a whole programme with its key.

Here: which files those are, and deleting them. Releases are never deleted: they hold nothing of anybody. The ledger of
what was published stays as long as the key, since an edition can be subtracted from another one for ever. What is said
of it to people is in `pipelines.purge`.
"""

from __future__ import annotations

import calendar
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from vault.connection import scratch_folder
from vault.keys import forget_key, key_files
from vault.scratch import clear_stale, held, stale

What = Literal["vault", "scratch", "log", "delivery", "ledger", "key"]
LOG = "faults.log"
LEDGER = "ledger.duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """One thing that is deleted, or would be.

    Attributes
    ----------
    n_bytes
        Size on disk.
    """

    programme: str
    what: What
    path: Path
    n_bytes: int


def kept_until(quarter: Quarter, retention_months: int) -> date:
    """Return the last day on which a quarter is kept: so many months after its reference date.

    >>> kept_until(Quarter(2026, 3), 5).isoformat()
    '2027-02-28'
    """
    last = quarter.reference_date
    months = last.year * 12 + last.month - 1 + retention_months
    year, month = months // 12, months % 12 + 1
    return date(year, month, calendar.monthrange(year, month)[1])


def quarters_of(home: Home, programme: str) -> list[Quarter]:
    """Return the quarters of which there is a vault or a delivery, oldest first."""
    labels = [path.stem for path in home.vaults(programme).glob("[12]???-Q[1-4].duckdb")]
    labels += [path.name for path in (home.root / "deliveries" / programme).glob("[12]???-Q[1-4]") if path.is_dir()]
    return sorted({Quarter.parse(label) for label in labels})


def purge_quarters(
    home: Home, programme: str, quarters: list[Quarter], *, with_deliveries: bool, is_dry: bool
) -> list[Purged]:
    """Delete the vaults of some quarters, their deliveries when asked, and whatever killed processes left.

    Raises
    ------
    EffectmeterError
        One of the vaults is being written.
    """
    found = [each for quarter in quarters for each in _of_quarter(home, programme, quarter, with_deliveries)]
    found += [_thing(programme, "scratch", path) for path in stale(home.vaults(programme))]
    if not is_dry:
        for quarter in quarters:
            with _alone(home.vault(programme, quarter)):
                _delete([each for each in found if quarter_of(each.path) == quarter])
        clear_stale(home.vaults(programme))
    return found


def purge_log(home: Home, programme: str, retention_months: int, today: date, *, is_dry: bool) -> list[Purged]:
    """Delete the log of unforeseen faults, which may quote data, when nothing was written to it for so long."""
    path = home.vaults(programme) / LOG
    if not path.is_file():
        return []
    written = Quarter.containing(date.fromtimestamp(path.stat().st_mtime))
    found = [_thing(programme, "log", path)] if kept_until(written, retention_months) < today else []
    if not is_dry:
        _delete(found)
    return found


def purge_programme(home: Home, programme: str, *, with_deliveries: bool, is_dry: bool) -> list[Purged]:
    """Delete everything individual of a programme with its key: copies of its vaults elsewhere become unreadable too.

    The key goes first: whatever interrupts this, nothing that is left can be read.

    Raises
    ------
    EffectmeterError
        One of its vaults is being written; nothing was deleted.
    """
    folder = home.vaults(programme)
    found = [_thing(programme, "key", path) for path in key_files(home, programme)]
    found += [_thing(programme, "vault", path) for path in sorted(folder.glob("[12]???-Q[1-4].duckdb*"))]
    found += [_thing(programme, "ledger", path) for path in sorted(folder.glob(f"{LEDGER}*"))]
    found += [_thing(programme, "log", path) for path in (folder / LOG,) if path.is_file()]
    found += [_thing(programme, "scratch", path) for path in stale(folder)]
    if with_deliveries and (home.root / "deliveries" / programme).is_dir():
        found.append(_thing(programme, "delivery", home.root / "deliveries" / programme))
    if not is_dry:
        for path in folder.glob("*.duckdb"):
            with _alone(path):
                pass
        forget_key(home, programme)
        _delete(found)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return found


def quarter_of(path: Path) -> Quarter | None:
    """Return the quarter that a vault or a delivery belongs to, by its name."""
    try:
        return Quarter.parse(path.name.split(".")[0])
    except UsageError:
        return None


def _of_quarter(home: Home, programme: str, quarter: Quarter, with_deliveries: bool) -> Iterator[Purged]:
    vault = home.vault(programme, quarter)
    # an older version could leave a log of changes beside it; what its release was made from goes with it
    for path in (vault, *(vault.with_name(f"{vault.name}{ending}") for ending in (".wal", ".inputs.json"))):
        if path.is_file():
            yield _thing(programme, "vault", path)
    delivery = home.delivery(programme, quarter)
    if with_deliveries and delivery.is_dir():
        yield _thing(programme, "delivery", delivery)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a vault's scratch, so that nobody writes it meanwhile; refuse when somebody does."""
    if not path.parent.is_dir():
        yield
        return
    with held(scratch_folder(path), 0) as scratch:
        if scratch is None:
            raise EffectmeterError(
                "this vault is being written; it was not deleted",
                where=str(path),
                next_step="wait until the run is done, and purge again",
            )
        yield


def _thing(programme: str, what: What, path: Path) -> Purged:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return Purged(programme=programme, what=what, path=path, n_bytes=sum(each.lstat().st_size for each in files))


def _delete(found: list[Purged]) -> None:
    for each in found:
        if each.path.is_dir() and not each.path.is_symlink():
            shutil.rmtree(each.path)
        else:
            each.path.unlink(missing_ok=True)
