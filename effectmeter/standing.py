"""How it stands with a programme that could not be refreshed: since when, and why, in a sentence for every reader.

Here: the kinds of reasons with their words, the deadlines, and the small file beside a programme's releases that the
page over all programmes reads. It may lie where everybody can read it: it holds no text of a fault, only which kind it
was. Not here: what exactly went wrong (Dagster, `effectmeter doctor` and the alert say that).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from effectmeter.errors import UsageError
from effectmeter.quarters import Quarter

NAME = "standing.json"
AMSTERDAM = ZoneInfo("Europe/Amsterdam")

WHY: Mapping[str, Mapping[str, str]] = {
    "plan": {"nl": "het analyseplan bevat fouten", "en": "the analysis plan has faults"},
    "delivery": {"nl": "de aanlevering is niet bruikbaar", "en": "the delivery cannot be used"},
    "checks": {"nl": "de aanlevering is afgekeurd bij de controle", "en": "the delivery did not pass its checks"},
    "gate": {"nl": "de vrijgave is tegengehouden", "en": "the release gate refused to publish"},
    "machine": {"nl": "er was een storing op de computer", "en": "the computer had a failure"},
    "software": {"nl": "er was een fout in de software", "en": "the software had a fault"},
    "refused": {"nl": "de verwerking is geweigerd", "en": "the work was refused"},
    "late": {"nl": "er is nog geen volledige aanlevering", "en": "there is no complete delivery yet"},
}
"""Why there is no newer release, by kind of fault (`EffectmeterError.kind`, and those that no error tells)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A quarter of which no release could be made.

    Attributes
    ----------
    kind
        A key of `WHY`.
    since, last
        Days on which it failed first and last, without a success in between (ISO 8601).
    """

    quarter: str
    kind: str
    since: str
    last: str

    def why(self, language: str) -> str:
        """Return why, as the second half of a sentence."""
        return WHY.get(self.kind, WHY["refused"])[language]


def read_standings(programme: Path) -> tuple[Standing, ...]:
    """Return the quarters of a programme that could not be released, oldest first.

    Parameters
    ----------
    programme
        The folder of its releases.
    """
    try:
        found = json.loads((programme / NAME).read_text(encoding="utf-8"))
        standings = [Standing(**each) for each in found]
        for each in standings:
            Quarter.parse(each.quarter)
            date.fromisoformat(each.since)
    except (OSError, ValueError, TypeError, UsageError):
        return ()
    return tuple(sorted(standings, key=lambda each: each.quarter))


def stand_still(programme: Path, quarter: Quarter, kind: str, today: date) -> Standing:
    """Note that a quarter could not be released; since when stays what it was."""
    others = [each for each in read_standings(programme) if each.quarter != str(quarter)]
    before = next((each for each in read_standings(programme) if each.quarter == str(quarter)), None)
    standing = Standing(str(quarter), kind, before.since if before else today.isoformat(), today.isoformat())
    _write(programme, [*others, standing])
    return standing


def stand_up(programme: Path, quarter: Quarter) -> bool:
    """Forget that a quarter could not be released, for now it was; return whether there was anything to forget."""
    standings = read_standings(programme)
    kept = [each for each in standings if each.quarter != str(quarter)]
    if len(kept) == len(standings):
        return False
    _write(programme, kept)
    return True


def blocking(programme: Path, released: Quarter) -> Standing | None:
    """Return what keeps a programme from a newer release than that of `released`, or a better one of that quarter.

    What went wrong with an older quarter is no reason to call the newest out of date.
    """
    newer = [each for each in read_standings(programme) if Quarter.parse(each.quarter) >= released]
    return newer[0] if newer else None


def deadline_of(quarter: Quarter) -> datetime:
    """Return when a quarter's report must stand: nine in the morning, a month after the quarter has closed.

    >>> deadline_of(Quarter(2026, 3)).isoformat()
    '2026-11-01T09:00:00+01:00'
    """
    first = quarter.next().first_day
    return datetime(first.year, first.month + 1, 1, 9, tzinfo=AMSTERDAM)


def _write(programme: Path, standings: list[Standing]) -> None:
    path = programme / NAME
    if not standings:
        with suppress(FileNotFoundError):
            path.unlink()
        return
    beside = path.with_name(f".{NAME}.part")
    beside.write_text(json.dumps([asdict(each) for each in standings], indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
