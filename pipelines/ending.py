"""When a refresh of a programme has ended, well or not: what is remembered, what is shown, and who is told.

The same for a refresh from the command line and for a run of Dagster. What is remembered lies beside the releases
(`effectmeter.standing`), which themselves never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from assets.portfolio import renew_portfolio
from assets.releases import editions, latest_edition, read_passport
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.notices import Notice
from effectmeter.quarters import Quarter
from effectmeter.standing import WHY, stand_still

TOLD = "effectmeter/told"
"""A run with this tag is settled by who started it, so that nobody is told twice."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one programme's quarter ended.

    Attributes
    ----------
    kind
        Empty when it went well, else a key of `effectmeter.standing.WHY`, or ``busy``.
    refusal
        Empty, or what was wrong and what to do, as the researcher reads it.
    is_new
        Whether an edition was published.
    """

    programme: str
    quarter: Quarter
    kind: str = ""
    refusal: str = ""
    is_new: bool = False


def settle(home: Home, title: Mapping[str, str], ended: Ended, today: date, *, is_late: bool = False) -> list[Notice]:
    """Remember how a refresh ended, and return what is to be told of it.

    Parameters
    ----------
    title
        The programme's, by language.
    is_late
        Whether nothing ran and the deadline passed, which is told in other words than a failure.
    """
    if ended.kind == "busy":  # another process is at it, and will say how that ended
        return []
    if ended.kind:
        programme = home.release_root / ended.programme
        if has_release(programme):
            with suppress(OSError):  # a machine that cannot write cannot remember; who is told still is
                stand_still(programme, ended.quarter, ended.kind, today)
                with suppress(EffectmeterError):  # another one is writing the page, and will do so again
                    renew_portfolio(home)
        why = WHY.get(ended.kind, WHY["refused"])
        return [
            Notice(
                "late" if is_late else "failed", ended.programme, str(ended.quarter), title, why, details=ended.refusal
            )
        ]
    return _of_success(home, title, ended) if ended.is_new else []


def has_release(programme: Path) -> bool:
    """Return whether a programme has an edition of any quarter."""
    return any(editions(folder) for folder in programme.glob("*-Q[1-4]"))


def _of_success(home: Home, title: Mapping[str, str], ended: Ended) -> list[Notice]:
    edition = latest_edition(home.releases(ended.programme, ended.quarter))
    if edition is None:
        return []
    passport = read_passport(edition)
    notices = [Notice("done", ended.programme, str(ended.quarter), title, passport["verdict_line"])]
    before = edition_before(home, ended.programme, ended.quarter)
    if before is not None and _is_shown(read_passport(before)) and not _is_shown(passport):
        primary = passport["figures"]["primary"] or {}
        reason = primary.get("reason") or "see the report."
        why = {"en": reason, "nl": primary.get("reason_nl") or "zie het verslag."}
        notices.append(Notice("hidden", ended.programme, str(ended.quarter), title, why))
    return notices


def _is_shown(passport: Mapping[str, Any]) -> bool:
    return (passport["figures"]["primary"] or {}).get("status") == "shown"


def edition_before(home: Home, programme: str, quarter: Quarter) -> Path | None:
    """Return the edition before a quarter's newest: of that quarter, else the newest of an earlier one."""
    of_quarter = editions(home.releases(programme, quarter))
    if len(of_quarter) > 1:
        return of_quarter[-2]
    earlier = sorted(path.name for path in (home.release_root / programme).glob("*-Q[1-4]") if path.name < str(quarter))
    found = [latest_edition(home.releases(programme, Quarter.parse(name))) for name in reversed(earlier)]
    return next((edition for edition in found if edition is not None), None)
