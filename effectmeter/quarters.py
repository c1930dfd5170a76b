"""Quarters as people write them: ``2026-Q3``. The reference date is the quarter's last day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from effectmeter.errors import UsageError

_LABEL = re.compile(r"(?P<year>[12]\d{3})-Q(?P<number>[1-4])")


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """One calendar quarter.

    Attributes
    ----------
    year
        Four digits.
    number
        1 to 4.

    Examples
    --------
    >>> str(Quarter.parse("2026-Q3")), Quarter.parse("2026-Q3").reference_date.isoformat()
    ('2026-Q3', '2026-09-30')
    >>> str(Quarter.last_complete(date(2026, 11, 22)))
    '2026-Q3'
    """

    year: int
    number: int

    @classmethod
    def parse(cls, label: str) -> Quarter:
        """Read ``2026-Q3``; anything else is a usage error that says so."""
        match = _LABEL.fullmatch(label)
        if match is None:
            raise UsageError(
                f"'{label[:20]}' is not a quarter", where="--quarter", allowed="YYYY-Qn, for example 2026-Q3"
            )
        return cls(int(match["year"]), int(match["number"]))

    @classmethod
    def containing(cls, day: date) -> Quarter:
        """Return the quarter that a day lies in."""
        return cls(day.year, (day.month - 1) // 3 + 1)

    @classmethod
    def last_complete(cls, today: date) -> Quarter:
        """Return the newest quarter that had closed before `today`."""
        return cls.containing(today).previous()

    @property
    def first_day(self) -> date:
        """First day of the quarter."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def reference_date(self) -> date:
        """Last day of the quarter: what happened after it is not known to this edition."""
        return self.next().first_day - timedelta(days=1)

    def next(self) -> Quarter:
        """Return the quarter after this one."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    def previous(self) -> Quarter:
        """Return the quarter before this one."""
        return Quarter(self.year - 1, 4) if self.number == 1 else Quarter(self.year, self.number - 1)

    def __str__(self) -> str:
        """Return the label, e.g. ``2026-Q3``."""
        return f"{self.year}-Q{self.number}"
