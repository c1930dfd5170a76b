"""Figures as the reader writes them: 0,58 and 1.100 in Dutch, 0.58 and 1,100 in English.

Here: numbers, intervals, periods. Not here: what they mean.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

Language = Literal["nl", "en"]
LANGUAGES: tuple[Language, ...] = ("nl", "en")

_COUNTED: dict[Language, tuple[str, ...]] = {
    "nl": ("nul", "een", "twee", "drie", "vier", "vijf"),
    "en": ("zero", "one", "two", "three", "four", "five"),
}


BEYOND_WORDS = 1_000_000
"""A ratio or difference of this size says only that there is no limit to speak of."""


def number(value: float | None, language: Language, decimals: int = 2) -> str:
    """Return a figure in the reader's locale; a dash for none. Decimals of more than a million tell nobody anything.

    Examples
    --------
    >>> number(0.5834, "nl"), number(1100, "nl", 0), number(1100, "en", 0), number(None, "en"), number(-0.25, "en")
    ('0,58', '1.100', '1,100', '–', '−0.25')
    """
    if value is None:
        return "–"
    if decimals > 0 and value >= BEYOND_WORDS:
        return "meer dan een miljoen" if language == "nl" else "more than a million"
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    text = text.replace("-", "−")
    return text.translate(str.maketrans(",.", ".,")) if language == "nl" else text


def interval(low: float | None, high: float | None, language: Language, decimals: int = 2) -> str:
    """Return an interval in words; one that is open on a side says so.

    Examples
    --------
    >>> interval(0.39, 0.86, "nl"), interval(None, 0.4, "en"), interval(1.2, None, "nl")
    ('0,39 tot 0,86', 'at most 0.40', 'minstens 1,20')
    """
    if low is None and high is None:
        return "–"
    if low is None:
        return f"{'hoogstens' if language == 'nl' else 'at most'} {number(high, language, decimals)}"
    if high is None:
        return f"{'minstens' if language == 'nl' else 'at least'} {number(low, language, decimals)}"
    joined = "tot" if language == "nl" else "to"
    return f"{number(low, language, decimals)} {joined} {number(high, language, decimals)}"


def period(days: int | None, language: Language) -> str:
    """Return a window in words.

    Examples
    --------
    >>> period(365, "nl"), period(730, "en"), period(182, "nl"), period(364, "en"), period(28, "en")
    ('een jaar', 'two years', '6 maanden', 'a year', '28 days')
    """
    if days is None:
        return "de hele periode" if language == "nl" else "the whole period"
    years = round(days / 365.25)
    if years >= 1 and abs(days - 365.25 * years) <= 2 * years:
        if years == 1:
            return "een jaar" if language == "nl" else "a year"
        counted = _COUNTED[language][years] if years < len(_COUNTED[language]) else str(years)
        return f"{counted} jaar" if language == "nl" else f"{counted} years"
    months = round(days / 30.4375)
    if months >= 2 and abs(days - 30.4375 * months) <= 1.5:
        return f"{months} {'maanden' if language == 'nl' else 'months'}"
    return f"{days} {'dagen' if language == 'nl' else 'days'}"


_MONTHS: dict[Language, tuple[str, ...]] = {
    "nl": ("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
           "november", "december"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"),
}  # fmt: skip


def day_in_words(day: date, language: Language) -> str:
    """Return a date as people write it.

    Examples
    --------
    >>> day_in_words(date(2026, 9, 30), "nl")
    '30 september 2026'
    """
    return f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"


def count(value: int | None, language: Language, minimum: int = 10) -> str:
    """Return a number of people; a masked one reads as fewer than the smallest cell."""
    fewer = f"{'minder dan' if language == 'nl' else 'fewer than'} {minimum}"
    return fewer if value is None else number(value, language, 0)
