"""Periods as people write them, counted on a regular calendar: integers, years, quarters, months and days.

A calendar is read off the labels of a delivery: its kind, and its step (the largest that reaches them all, so that a
year series delivered every second year counts 0, 1, 2). A period that was not delivered keeps its number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from effectmeter.errors import DeliveryError

Kind = Literal["number", "year", "quarter", "month", "day"]

_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("quarter", re.compile(r"(\d{4})-Q([1-4])")),
    ("month", re.compile(r"(\d{4})-(0[1-9]|1[0-2])")),
    ("day", re.compile(r"(\d{4})-(\d{2})-(\d{2})")),
    ("number", re.compile(r"-?\d{1,7}")),
)
_PER_YEAR: dict[Kind, int] = {"year": 1, "quarter": 4, "month": 12}
_MONTHS = ("jan", "feb", "mrt|maa|mar", "apr", "mei|may", "jun", "jul", "aug", "sep", "okt|oct", "nov", "dec")
_WRITTEN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), label)
    for pattern, label in (
        (r"(?P<y>(19|20)\d{2})(?P<m>0[1-9]|1[0-2])", "month"),
        (r"(?P<y>\d{4})jj00", "year"),
        (r"(?P<y>\d{4})kw0(?P<q>[1-4])", "quarter"),
        (r"(?P<y>\d{4})mm(?P<m>0[1-9]|1[0-2])", "month"),
        (r"(?P<m>0[1-9]|1[0-2])-(?P<y>\d{4})", "month"),
        (r"(?P<y>\d{4})[- ]?[qk](?P<q>[1-4])", "quarter"),
        (r"[qk](?P<q>[1-4])[- ]?(?P<y>\d{4})", "quarter"),
        (r"(?P<y>\d{4}) +(?P<q>[1-4])e +kwartaal", "quarter"),
        (r"(?P<q>[1-4])e +kwartaal +(?P<y>\d{4})", "quarter"),
        *(
            (pattern, f"{number:02d}")
            for number, word in enumerate(_MONTHS, start=1)
            for pattern in (rf"(?P<y>\d{{4}})[ -]+({word})[a-z]{{0,6}}", rf"({word})[a-z]{{0,6}}[ -]+(?P<y>\d{{4}})")
        ),
    )
)
_KINDS = "whole numbers, years (2024), quarters (2024-Q3), months (2024-09) or days (2024-09-01)"


@dataclass(frozen=True, slots=True)
class Calendar:
    """How the periods of a table are counted.

    Attributes
    ----------
    kind
        What a label says.
    first, step
        Ordinal of the first period, and ordinals per period.

    Examples
    --------
    >>> calendar = Calendar.of(["2023-Q4", "2024-Q2", "2024-Q1"])
    >>> [calendar.index(label) for label in ("2023-Q4", "2024-Q2")], calendar.index_of_day(date(2024, 5, 17))
    ([0, 2], 2)
    """

    kind: Kind
    first: int
    step: int

    @classmethod
    def of(cls, labels: Iterable[str]) -> Calendar:
        """Read the calendar off the labels that were delivered.

        Raises
        ------
        DeliveryError
            No label, or labels of different kinds.
        """
        found = {label: kind_of(label) for label in labels}
        kinds = {kind for kind in found.values() if kind is not None}
        if len(kinds) != 1 or None in found.values():
            raise DeliveryError(
                "periods are written in different ways, or in a way that is not known",
                where="period",
                allowed=_KINDS,
                next_step="write every period of the delivery in the same way",
            )
        kind: Kind = kinds.pop()
        if kind == "number" and all(re.fullmatch(r"(19|20)\d{2}", label) for label in found):
            kind = "year"
        ordinals = sorted(_ordinal(label, kind) for label in found)
        step = math.gcd(*(later - ordinals[0] for later in ordinals)) or 1
        return cls(kind, ordinals[0], step)

    def index(self, label: str) -> int:
        """Return which period a label is, from 0; a label between two periods belongs to the later one.

        Raises
        ------
        DeliveryError
            The label is of another kind.
        """
        kind = kind_of(label)
        if kind == "day" and self.kind != "day":
            return self.index_of_day(date.fromisoformat(label))
        if kind is None or (kind != self.kind and not (kind == "number" and self.kind in ("year", "number"))):
            raise DeliveryError(
                f"a start is not written like the periods of the delivery, which are {self.kind}s",
                where="period",
                allowed=_KINDS,
                next_step="write starts like periods, or as a date",
            )
        return -((self.first - _ordinal(label, self.kind)) // self.step)

    def index_of_day(self, day: date) -> int:
        """Return the period that a day lies in.

        Raises
        ------
        DeliveryError
            The periods are bare numbers, which no date can be placed among.
        """
        if self.kind == "number":
            raise DeliveryError(
                "a date cannot be placed among periods that are bare numbers",
                where="adopted_on or series.start",
                next_step="give the start as a period number",
            )
        written = {
            "year": f"{day.year:04d}",
            "quarter": f"{day.year:04d}-Q{(day.month + 2) // 3}",
            "month": f"{day.year:04d}-{day.month:02d}",
            "day": day.isoformat(),
        }
        return (_ordinal(written[self.kind], self.kind) - self.first) // self.step

    def is_over_by(self, label: str, reference_date: date) -> bool:
        """Return whether a period has ended by the reference date; a bare number always has."""
        if self.kind == "number":
            return True
        return _first_day(_ordinal(label, self.kind) + self.step, self.kind) <= reference_date + timedelta(days=1)

    def season(self, label: str, length: int) -> int:
        """Return the place in the year, from 0, where the calendar has years; else the period modulo `length`."""
        per_year = _PER_YEAR.get(self.kind)
        if per_year is None or per_year % self.step or per_year // self.step != length:
            return self.index(label) % length
        return (_ordinal(label, self.kind) % per_year) // self.step


def canonical(label: str) -> str:
    """Return a period of a plan as the intake writes those of a delivery; what is not recognised stays as it is.

    Examples
    --------
    >>> [canonical(label) for label in ("2024K3", "2024 3e kwartaal", "2024MM09", "202409", "2024*", "spring")]
    ['2024-Q3', '2024-Q3', '2024-09', '2024-09', '2024', 'spring']
    """
    bare = label.strip().rstrip("* ")
    for pattern, kind in _WRITTEN:
        found = pattern.fullmatch(bare)
        if found is not None:
            year = found["y"]
            match kind:
                case "year":
                    return year
                case "quarter":
                    return f"{year}-Q{found['q']}"
                case "month":
                    return f"{year}-{found['m']}"
                case month:
                    return f"{year}-{month}"
    return bare


def kind_of(label: str) -> Kind | None:
    """Return how a label is written; a year reads as a number."""
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(label)), None)


def _ordinal(label: str, kind: Kind) -> int:
    """Return the number of a period on an endless calendar of its kind."""
    if kind in ("number", "year"):
        return int(label)
    if kind == "day":
        return date.fromisoformat(label).toordinal()
    year, _, part = label.replace("Q", "").partition("-")
    return int(year) * _PER_YEAR[kind] + int(part) - 1


def _first_day(ordinal: int, kind: Kind) -> date:
    if kind == "day":
        return date.fromordinal(ordinal)
    per_year = _PER_YEAR[kind]
    year, part = divmod(ordinal, per_year)
    return date(year, 1 + part * (12 // per_year), 1)
