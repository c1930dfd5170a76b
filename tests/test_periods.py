"""Periods as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from effectmeter.errors import DeliveryError
from effectmeter.periods import Calendar


@pytest.mark.parametrize(
    ("labels", "kind", "indices"),
    [
        (["3", "1", "4"], "number", [2, 0, 3]),
        (["2003", "2007", "2005"], "year", [0, 2, 1]),  # every second year
        (["2003", "2004", "2007"], "year", [0, 1, 4]),
        (["2023-Q4", "2024-Q1", "2025-Q1"], "quarter", [0, 1, 5]),
        (["2023-12", "2024-01", "2024-03"], "month", [0, 1, 3]),
        (["2024-01-01", "2024-01-08", "2024-01-29"], "day", [0, 1, 4]),
        (["-2", "0", "2"], "number", [0, 1, 2]),
    ],
)
def test_labels_are_counted_on_a_regular_calendar(labels: list[str], kind: str, indices: list[int]) -> None:
    calendar = Calendar.of(labels)
    assert calendar.kind == kind
    assert [calendar.index(label) for label in labels] == indices


def test_a_start_between_two_periods_belongs_to_the_later_one() -> None:
    assert Calendar.of(["2003", "2005", "2007"]).index("2004") == 1
    assert Calendar.of(["2003", "2005", "2007"]).index("1990") == -6


def test_a_day_lies_in_its_period() -> None:
    assert Calendar.of(["2023-Q4", "2024-Q1"]).index_of_day(date(2024, 4, 1)) == 2
    assert Calendar.of(["2023-11", "2023-12"]).index("2024-01-31") == 2
    with pytest.raises(DeliveryError, match="bare numbers"):
        Calendar.of(["1", "2"]).index_of_day(date(2024, 4, 1))


def test_a_period_is_over_on_its_last_day() -> None:
    calendar = Calendar.of(["2026-Q2", "2026-Q3"])
    assert calendar.is_over_by("2026-Q3", date(2026, 9, 30))
    assert not calendar.is_over_by("2026-Q3", date(2026, 9, 29))
    assert not Calendar.of(["2025", "2026"]).is_over_by("2026", date(2026, 9, 30))
    assert Calendar.of(["7", "8"]).is_over_by("8", date(2026, 9, 30))


def test_the_season_follows_the_calendar() -> None:
    assert Calendar.of(["2024-05", "2024-06"]).season("2024-05", 12) == 4
    assert Calendar.of(["2024-Q2", "2024-Q3"]).season("2025-Q1", 4) == 0
    assert Calendar.of(["1", "2"]).season("14", 12) == 1


@pytest.mark.parametrize("labels", [[], ["2024-Q1", "2024-01"], ["spring"]])
def test_mixed_or_unknown_labels_are_refused(labels: list[str]) -> None:
    with pytest.raises(DeliveryError, match="different ways"):
        Calendar.of(labels)


def test_a_start_of_another_kind_is_refused() -> None:
    with pytest.raises(DeliveryError, match="not written like"):
        Calendar.of(["2024-Q1", "2024-Q2"]).index("2024-01")
