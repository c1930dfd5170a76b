"""Whether a release stands for what lies there now: same delivery, plan, software and earlier quarter.

A step asks here first, and does nothing when the answer is yes. What was used is in the passport; what a passport
cannot say (which state of the vault belongs to it) is in a small file beside the vault, written when a report is done.
Hashes only.
"""

import functools
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from assets.provenance import software, version
from assets.releases import STAGING, latest_edition, read_passport
from assets.staging import AWAITING
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_hash
from effectmeter.quarters import Quarter

AGAIN = "effectmeter/again"
"""A run with this tag does every step, whatever stands."""


def inputs_file(home: Home, programme: str, quarter: Quarter) -> Path:
    """Return the file that says which state of the vault a quarter's newest release was made from."""
    vault = home.vault(programme, quarter)
    return vault.with_name(f"{vault.name}.inputs.json")


def note_inputs(home: Home, plan: Plan, quarter: Quarter) -> None:
    """Note, when a report is done, what its release was made from."""
    edition = latest_edition(home.releases(plan.programme, quarter))
    if edition is None:
        return
    path = inputs_file(home, plan.programme, quarter)
    beside = path.with_name(f".{path.name}.part")
    document = {
        "content_hash": read_passport(edition)["content_hash"],
        "vault": _state(home.vault(plan.programme, quarter)),
        "previous": previous_of(home, plan.programme, quarter),
    }
    beside.write_text(json.dumps(document), encoding="utf-8")
    beside.chmod(0o600)
    beside.replace(path)


def unchanged(home: Home, plan: Plan, quarter: Quarter) -> str | None:
    """Return the edition that stands for the delivery, plan and software as they are; None when there is work to do.

    Anything out of the ordinary (a file that was touched, a key that is not there, a half written release) is work to
    do: the steps know what to say of it.
    """
    from reports import hashes_of

    folder = home.releases(plan.programme, quarter)
    edition, noted = latest_edition(folder), _noted(home, plan.programme, quarter)
    if edition is None or noted is None or (folder / STAGING).exists():
        return None
    try:
        passport = read_passport(edition)
        if outdated_because(home, plan, quarter) or passport["content_hash"] != noted["content_hash"]:
            return None
        is_same = (
            noted["vault"] == _state(home.vault(plan.programme, quarter))
            and passport["software"] == software()
            and passport["data"]["delivery_hash"] == _delivered(home, plan, quarter)
            and passport["files"] == hashes_of(edition)
            and (passport["approved"] or (folder / AWAITING).is_file())
            and _has_its_key(home, plan.programme)
        )
    except (OSError, ValueError, KeyError, EffectmeterError):
        return None
    return edition.name if is_same else None


def outdated_because(home: Home, plan: Plan, quarter: Quarter) -> tuple[str, ...]:
    """Return why a quarter's release is to be made again although its delivery is the same: no file of it is read.

    Returns
    -------
    tuple of str
        ``plan``, ``version`` (of Effectmeter), ``earlier_quarter`` (whose delivery this one was compared with);
        nothing when it is up to date, or when there is no release that knows what it was made from.
    """
    edition, noted = (
        latest_edition(home.releases(plan.programme, quarter)),
        _noted(home, plan.programme, quarter),
    )
    if edition is None or noted is None:
        return ()
    passport = read_passport(edition)
    made_with, history = passport["plan"], home.vaults(plan.programme) / "plan-history.json"
    n_plans = len(json.loads(history.read_text(encoding="utf-8"))) if history.is_file() else 0
    reasons = {
        "plan": made_with["hash"] != plan_hash(plan) or len(made_with["history"]) != n_plans,
        "version": passport["software"].get("effectmeter") != version("effectmeter"),
        "earlier_quarter": noted["previous"] != previous_of(home, plan.programme, quarter),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def previous_of(home: Home, programme: str, quarter: Quarter) -> str | None:
    """Return what tells one state of the quarter before from another: the landing checks compare with its rates."""
    before = quarter.previous()
    vault, noted = home.vault(programme, before), _noted(home, programme, before)
    if not vault.is_file():
        return None
    edition = latest_edition(home.releases(programme, before))
    if noted is not None and edition is not None and noted["vault"] == _state(vault):
        passport = read_passport(edition)
        return f"{passport['data']['delivery_hash']} {passport['plan']['hash']}"
    return "not released: " + " ".join(map(str, _state(vault)))


def _noted(home: Home, programme: str, quarter: Quarter) -> Mapping[str, Any] | None:
    try:
        found = json.loads(inputs_file(home, programme, quarter).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"content_hash", "vault", "previous"} <= found.keys() else None


def _state(vault: Path) -> list[int]:
    try:
        stat = vault.stat()
    except OSError:
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _delivered(home: Home, plan: Plan, quarter: Quarter) -> str:
    """Return the hash of a delivery, computed once for files that nobody touches."""
    folder = home.delivery(plan.programme, quarter)
    stats = []
    for source in plan.source.values():
        stat = (folder / source.file).stat()
        stats.append((source.file, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return _hash_of_files(folder, tuple((table, source.file) for table, source in plan.source.items()), tuple(stats))


@functools.lru_cache(maxsize=256)
def _hash_of_files(folder: Path, files: tuple[tuple[str, str], ...], stats: tuple[Any, ...]) -> str:
    """Return the hash that the intake gives a delivery; `stats` tell one state of its files from another."""
    from vault.intake.delivered import DeliveredFile, delivery_hash, sha256_of

    return delivery_hash(
        [DeliveredFile(table, name, folder / name, "", sha256_of(folder / name), 0) for table, name in files]
    )


def _has_its_key(home: Home, programme: str) -> bool:
    from vault.keys import key_of

    with suppress(EffectmeterError):
        key_of(home, programme, may_make=False)
        return True
    return False
