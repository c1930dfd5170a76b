"""Counts inside sentences and printed figures: rounded or masked as a table's cells are.

Here: which numbers in a text are counts of people or events, and what becomes of them. Not here: the rules themselves
(`effectmeter.disclosure`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Literal

from effectmeter.disclosure import Rules, round_count, safe_count

Counted = Literal["all", "named"]
"""Which whole numbers are counts of people: all but those with another unit; or only those that name people or events,
as in designs on areas, series and trials."""

_NUMBER = {
    "nl": re.compile(r"(?<![\w.,/^-])([1-9]\d{0,2}(?:\.\d{3})+|\d+(?:,\d+)?)(?![\w/]|[.,]\d)(\s?%)?"),
    "en": re.compile(r"(?<![\w.,/^-])([1-9]\d{0,2}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\w/]|[.,]\d)(\s?%)?"),
}
_RANGE_END = {"nl": re.compile(r"(?<=\d)-(\d+,\d{3,})"), "en": re.compile(r"(?<=\d)-(\d+\.\d{3,})")}
_NOT_PERSONS = re.compile(
    r"\s*(?:days?|dag(?:en)?|weeks?|weken|months?|maand(?:en)?|years?|jaar|jaren|covariates?|kenmerk(?:en)?|windows?|"
    r"outcomes?|uitkomst(?:en)?|looks?|times|keer|columns?|kolom(?:men)?|terms?|termen|could be used|"
    r"areas?|gebied(?:en)?|periods?|periode[ns]?|quarters?|kwarta(?:al|len)|trials?|studies|study|studie|"
    r"analys[ei]s|analyses|methods?|methode[ns]?|ways?|manier(?:en)?)\b",
    re.IGNORECASE,
)
_PEOPLE_OR_EVENTS = re.compile(
    r"\s*(?:(?:and|en|of|to|tot|against|tegen)\s+[\d.,]+\s*)?(?:\w+\s)?(?:people|persons?|participants?|youths?|mensen|"
    r"personen|deelnemers?|jongeren|events?|voorval(?:len)?|crimes?|delicten|incident(?:s|en)?|registrations?|"
    r"registraties?|registratie|counts?|tellingen)\b",
    re.IGNORECASE,
)
_A_STATISTIC = re.compile(
    r"(?:\bp|[=<>≥≤±]|ratio|verhouding|least|minstens|most|hoogstens|\bper|every|elke|scale|schaal|Bruikbaar:)\s*$"
)
_MASKED = {"": "< {}", "en": "fewer than {}", "nl": "minder dan {}"}


_OF_A_TOTAL = re.compile(r"([\d,]+) / ([\d,]+) \([\d.]+ %\)")
_GIVES_A_COUNT_BACK = re.compile(r" \((?:p [=<] [\d.]+|[\d.]+ %)\)")


def safe_percentage(percentage: float, n: float | None, rules: Rules) -> str:
    """Return a percentage of `n` persons as it may be published: as open as the count that it stands for, no more.

    Of 340 persons 99.4 % is all but two: the bound says only that fewer than ten are missing. None and all stay, as
    zero does. Other percentages come from the rounded count. Without `n` there are no decimals and nothing more.

    Examples
    --------
    >>> [safe_percentage(share, 340, Rules()) for share in (99.4, 0.6, 0, 100, 52.3)]
    ['> 97 %', '< 3 %', '0 %', '100 %', '53 %']
    >>> safe_percentage(99.4, None, Rules()), safe_percentage(40, 8, Rules())
    ('99 %', '-')
    """
    if n is None or percentage in (0, 100) or not 0 < percentage < 100:
        return f"{percentage:.0f} %"
    if n < rules.minimum_persons:
        return "-"
    limit, count = 100 * rules.minimum_persons / n, percentage * n / 100
    if count < rules.minimum_persons:
        return f"< {min(math.ceil(limit), 100)} %"
    if n - count < rules.minimum_persons:
        return f"> {max(math.floor(100 - limit), 0)} %"
    whole = round_count(n, rules.rounding_base)
    return f"{100 * min(round_count(count, rules.rounding_base), whole) / whole:.0f} %"


def clear_figure(text: str, rules: Rules, *, n: float | None = None, counted: Counted = "all") -> str:
    """Return a figure of a check or a gate as `clear_text` does, without what would give a masked count back.

    Parameters
    ----------
    n
        Persons in the smallest group that a percentage can be of.
    counted
        Which numbers are counts.

    Examples
    --------
    >>> clear_figure("3 / 432 (0.7 %)", Rules()), clear_figure("48 / 432 (11.1 %)", Rules())
    ('< 10 / 430', '50 / 430 (12 %)')
    >>> clear_figure("7 events before the start, 2.1 expected (p = 0.006)", Rules())
    '< 10 events before the start, 2.1 expected'
    >>> clear_figure("99.4 %", Rules(), n=340)
    '> 97 %'
    """

    def with_own_share(match: re.Match[str]) -> str:
        part, total = (int(number.replace(",", "")) for number in match.groups())
        shown, whole = safe_count(part, rules), safe_count(total, rules)
        if not shown or not whole:
            return f"{part} / {total} ({0 if part == 0 else 1} %)"
        return f"{part} / {total} ({100 * min(shown / whole, 1):.0f} %)"

    own = _OF_A_TOTAL.sub(with_own_share, text)
    cleared = clear_text(own, rules, n=n if own == text else None, counted=counted)
    return _GIVES_A_COUNT_BACK.sub("", cleared) if re.search(r"< \d+(?![\d.]| %)", cleared) else cleared


def percentages_in(figure: str) -> frozenset[float]:
    """Return the percentages that a figure quotes.

    Examples
    --------
    >>> sorted(percentages_in("87 % and 99.5 % complete; 3 events"))
    [87.0, 99.5]
    """
    return frozenset(float(number.replace(",", "")) for number, sign in _NUMBER["en"].findall(figure) if sign)


def _in_words(percentage: str, language: str) -> str:
    """Return a percentage from a figure as a sentence says it.

    Examples
    --------
    >>> _in_words("> 97 %", "nl"), _in_words("< 3 %", "en"), _in_words("-", "en"), _in_words("> 97 %", "")
    ('meer dan 97 %', 'less than 3 %', 'a part', '> 97 %')
    """
    words = _BOUNDS.get(language, {})
    return words.get(percentage[0], percentage[0]) + percentage[1:]


_BOUNDS = {
    "en": {"<": "less than", ">": "more than", "-": "a part"},
    "nl": {"<": "minder dan", ">": "meer dan", "-": "een deel"},
}


def counts_in(text: str, *, n: float | None = None, counted: Counted = "all") -> list[float]:
    """Return the counts that a figure quotes, shares of `n` persons as the count that they stand for.

    Examples
    --------
    >>> counts_in("216 and 9 persons, p = 0.02"), counts_in("97.5 %", n=40), counts_in("7 areas", counted="named")
    ([216.0, 9.0], [39.0], [])
    """
    found: list[float] = []
    for match in _NUMBER["en"].finditer(text):
        number, after = match.group(1).replace(",", ""), text[match.end() :]
        if match.group(2):
            found += [] if n is None else [float(round(float(number) * n / 100))]
        elif "." not in number and not _NOT_PERSONS.match(after) and not _A_STATISTIC.search(text[: match.start()]):
            found += [float(number)] if counted == "all" or _PEOPLE_OR_EVENTS.match(after) else []
    return found


def clear_text(
    text: str,
    rules: Rules,
    language: str = "",
    *,
    n: float | None = None,
    counted: Counted = "all",
    shares: Collection[float] | None = None,
) -> str:
    """Return a sentence or figure with its counts rounded or masked, and other numbers to two decimals.

    Whole numbers count as counts of persons unless a unit (days, months, %) or a comparison sign says otherwise. Zero
    stays, since "none" is what most checks are glad to report.

    Parameters
    ----------
    language
        ``nl`` or ``en``, for decimal signs and words; empty for a figure, which is written the English way.
    n
        Persons that percentages are of, where they are of persons.
    counted
        Which numbers are counts: in designs on areas, series and trials only those that name people or events.
    shares
        The percentages that are of persons: of a sentence those of its figure. None: all.

    Examples
    --------
    >>> clear_text("19 and 61 clusters", Rules())
    '15 and 60 clusters'
    >>> clear_text("48 and 7 persons within 364 days, p = 0.00321", Rules())
    '50 and < 10 persons within 364 days, p = 0.00'
    >>> clear_text("97,43 % van 1.216 personen", Rules(), "nl")
    '97 % van 1215 personen'
    >>> clear_text("7 trials, 4 and 61 events, Q 9.1 on 6, 12 areas", Rules(), counted="named")
    '7 trials, < 10 and 60 events, Q 9.1 on 6, 12 areas'
    >>> clear_text("Only 87 % were followed; 95 % is the least.", Rules(), "en", n=15, shares=[87.0])
    'Only more than 33 % were followed; 95 % is the least.'
    >>> clear_text("tau2 0.0312 (0.0041-0.2519)", Rules())
    'tau2 0.03 (0.00-0.25)'
    """
    decimal_sign = "," if language == "nl" else "."

    def replaced(match: re.Match[str]) -> str:
        number, percent = match.group(1), match.group(2) or ""
        if percent:
            share = float(number.replace(",", "."))
            return _in_words(safe_percentage(share, n if shares is None or share in shares else None, rules), language)
        if decimal_sign in number:
            value, decimals = float(number.replace(",", ".")), len(number.split(decimal_sign)[1])
            return f"{value:.{min(decimals, 2)}f}".replace(".", decimal_sign)
        before, after = ranges[: match.start()], ranges[match.end() :]
        if counted == "named" and not _PEOPLE_OR_EVENTS.match(after):
            return match.group(0)
        if _NOT_PERSONS.match(after) or _A_STATISTIC.search(before):
            return match.group(0)
        count = int(re.sub(r"[.,]", "", number))
        if count == 0:
            return match.group(0)
        if count < rules.minimum_persons:
            return _MASKED[language].format(rules.minimum_persons)
        return str(safe_count(count, rules))

    def end_of_range(match: re.Match[str]) -> str:
        return f"-{float(match.group(1).replace(',', '.')):.2f}".replace(".", decimal_sign)

    ranges = _RANGE_END["nl" if language == "nl" else "en"].sub(end_of_range, text)
    return _NUMBER["nl" if language == "nl" else "en"].sub(replaced, ranges)
