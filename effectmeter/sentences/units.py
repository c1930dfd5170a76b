"""Sentences where nobody takes part: areas, a series of periods, trials taken together.

Here: headline and figures in words for those units. Not here: designs on persons (`effectmeter.sentences.verdict`). No
sentence here speaks of participants, but for trials, which have them.
"""

from __future__ import annotations

from effectmeter.sentences.facts import Facts, Period
from effectmeter.sentences.numbers import Language, interval, number

PERIODS: dict[Period, dict[Language, tuple[str, str]]] = {
    "day": {"nl": ("dag", "dagen"), "en": ("day", "days")},
    "month": {"nl": ("maand", "maanden"), "en": ("month", "months")},
    "quarter": {"nl": ("kwartaal", "kwartalen"), "en": ("quarter", "quarters")},
    "year": {"nl": ("jaar", "jaren"), "en": ("year", "years")},
    "period": {"nl": ("periode", "perioden"), "en": ("period", "periods")},
}
"""What a series counts by: one, and several."""

_TOO_UNSURE: dict[Language, str] = {
    "nl": " Dat is te onzeker voor een oordeel.",
    "en": " That is too uncertain to judge.",
}


def where(facts: Facts, language: Language) -> str:
    """Return where the programme is: in its areas, or since its start."""
    if facts.unit == "area":
        return "in de gebieden met het programma" if language == "nl" else "in the areas with the programme"
    return "sinds de start" if language == "nl" else "since the start"


def directed(facts: Facts, language: Language) -> str:
    """Return the headline of a verdict with a direction on areas or a series."""
    nl, label = language == "nl", facts.label[language]
    is_score = facts.measure == "mean_difference"
    if nl:
        word = ("hoger" if facts.direction == "more" else "lager") if is_score else _more(facts, "meer", "minder")
        found = f"lag {label} {word} dan verwacht" if is_score else f"telden we {word} {label} dan verwacht"
    else:
        word = "higher" if facts.direction == "more" else "lower"
        found = f"{label} was {word} than expected" if is_score else f"the count of {label} was {word} than expected"
    place = where(facts, language)
    if facts.is_harm:
        return f"Let op: {place} {found}. Dat is schade." if nl else f"Warning: {place} {found}. This is harm."
    if facts.works:
        return f"Dit programma werkt: {place} {found}." if nl else f"This programme works: {place} {found}."
    rest = (
        "Of dat door het programma komt, is niet zeker."
        if nl
        else "Whether the programme made the difference is not certain."
    )
    return f"{place[:1].upper()}{place[1:]} {found}. {rest}"


def _more(facts: Facts, more: str, less: str) -> str:
    return more if facts.direction == "more" else less


def on_average(facts: Facts, language: Language) -> str:
    """Return the headline where trials differ too much for one answer, but their mean is beyond chance."""
    _, low, high = facts.mean or (1.0, 1.0, 1.0)
    label = facts.label[language]
    if low <= 1 <= high:
        return ""
    if language == "nl":
        word = "minder" if high < 1 else "meer"
        return (
            f"Gemiddeld was er met het programma {word} {label}. Of dat op een volgende plek ook zo is, is niet zeker."
        )
    word = "lower" if high < 1 else "higher"
    return (
        f"On average the risk of {label} was {word} with the programme. Whether a next site sees that is not certain."
    )


def per_inhabitants(facts: Facts, language: Language) -> str:
    """Return the events per so many inhabitants a year, and those expected."""
    label, per = facts.label[language], number(facts.per, language, 0)
    margin = interval(facts.without_low, facts.without_high, language, 0)
    with_, without = facts.with_programme, facts.without_programme
    if language == "nl":
        first = f"In de gebieden met het programma telden we per jaar {with_} op elke {per} inwoners ({label})"
        if facts.direction == "inconclusive":
            return f"{first}. Zonder het programma was dat naar schatting {without} ({margin}).{_TOO_UNSURE['nl']}"
        return f"{first}; zonder het programma zou dat {without} zijn geweest ({margin})."
    first = f"In the areas with the programme we counted {with_} a year for every {per} inhabitants ({label})"
    if facts.direction == "inconclusive":
        return f"{first}. Without the programme it would have been about {without} ({margin}).{_TOO_UNSURE['en']}"
    return f"{first}; without the programme it would have been {without} ({margin})."


def per_period(facts: Facts, language: Language) -> str:
    """Return what a period of the series counted, and what was expected."""
    label = facts.label[language]
    one = PERIODS["year" if facts.per > 1 else facts.period][language][0]
    margin = interval(facts.without_low, facts.without_high, language, 0)
    with_ = number(facts.with_programme, language, 0)
    without = number(facts.without_programme, language, 0)
    if language == "nl":
        first = f"Na de start telde een {one} gemiddeld {with_} ({label})"
        if facts.direction == "inconclusive":
            return f"{first}. Zonder het programma was {without} verwacht ({margin}).{_TOO_UNSURE['nl']}"
        return f"{first}; zonder het programma was {without} verwacht ({margin})."
    first = f"After the start a {one} counted {with_} on average ({label})"
    if facts.direction == "inconclusive":
        return f"{first}. Without the programme {without} was expected ({margin}).{_TOO_UNSURE['en']}"
    return f"{first}; without the programme {without} would have been expected ({margin})."


def change(ratio: float | None, language: Language) -> str:
    """Return a ratio as a change in words.

    Examples
    --------
    >>> change(0.83, "nl"), change(1.2, "en"), change(2.5, "nl"), change(1.001, "en")
    ('17 procent minder', '20 percent higher', '2,5 keer zo veel', 'equal')
    """
    nl = language == "nl"
    if ratio is None:
        return "–"
    percent = round(100 * (ratio - 1))
    if percent == 0:
        return "even veel" if nl else "equal"
    if ratio >= 2:
        times = number(ratio, language, 1)
        return f"{times} keer zo veel" if nl else f"{times} times as high"
    if nl:
        return f"{abs(percent)} procent {'minder' if percent < 0 else 'meer'}"
    return f"{abs(percent)} percent {'lower' if percent < 0 else 'higher'}"


def ratio(facts: Facts, language: Language) -> str:
    """Return the change on areas or a series in per cent, where nothing better can be said."""
    label, nl = facts.label[language], language == "nl"
    ends = [change(value, language) for value in (facts.low, facts.high) if value is not None]
    margin = f" tussen {ends[0]} en {ends[1]}" if nl and len(ends) == 2 else ""
    if not nl and len(ends) == 2:
        margin = f" between {ends[0]} and {ends[1]}"
    place = where(facts, language) if facts.unit == "area" else ("direct na de start" if nl else "at the start")
    start = f"{place[:1].upper()}{place[1:]}"
    if facts.estimate is None:
        bound = interval(facts.low, facts.high, language)
        return (
            f"{start} was {label} {bound} keer zo veel als verwacht."
            if nl
            else f"{start} the count of {label} was {bound} times what was expected."
        )
    unsure = _TOO_UNSURE[language] if facts.direction == "inconclusive" else ""
    found = change(facts.estimate, language)
    if nl:
        beside = f" De marge ligt{margin}." if margin else ""
        what = f"even veel {label} als" if found == "even veel" else f"{found} {label} {_than(found)}"
        return f"{start} telden we {what} verwacht.{beside}{unsure}"
    beside = f" The range is{margin}." if margin else ""
    what = "equal to what was" if found == "equal" else f"{found} than"
    return f"{start} the count of {label} was {what} expected.{beside}{unsure}"


def _than(found: str) -> str:
    return "als" if "keer" in found else "dan"


def difference(facts: Facts, language: Language) -> str:
    """Return a difference in values between areas."""
    if facts.estimate is None:
        return ""
    label, places = facts.label[language], _decimals(facts)
    margin, size = interval(facts.low, facts.high, language, places), number(abs(facts.estimate), language, places)
    unsure = _TOO_UNSURE[language] if facts.direction == "inconclusive" else ""
    if language == "nl":
        way = "lager" if facts.estimate < 0 else "hoger"
        place = where(facts, "nl")
        return f"{place[:1].upper()}{place[1:]} lag {label} {size} {way} dan verwacht (verschil {margin}).{unsure}"
    way = "lower" if facts.estimate < 0 else "higher"
    return f"In the areas with the programme {label} was {size} {way} than expected (difference {margin}).{unsure}"


def _decimals(facts: Facts) -> int:
    """Return the decimals that the interval's width deserves."""
    from effectmeter.disclosure import decimals_of

    return decimals_of(None if facts.low is None or facts.high is None else facts.high - facts.low)


def next_place(facts: Facts, language: Language) -> str:
    """Return where a next trial may come out, when the trials differ too much for one mean."""
    low, high = facts.without_low, facts.without_high
    if facts.kind == "frequency" and low is not None and high is not None:
        per, with_ = number(facts.per, language, 0), facts.with_programme
        if language == "nl":
            return (
                f"Van elke {per} deelnemers in deze studies hadden er {with_} te maken met {facts.label['nl']}. "
                f"Zonder het programma waren dat er gemiddeld {facts.without_programme}. "
                f"Maar de studies lopen uiteen: op een volgende plek kunnen dat er {low} tot {high} zijn."
            )
        return (
            f"Of every {per} participants in these studies, {with_} were recorded with {facts.label['en']}. "
            f"Without the programme it would have been {facts.without_programme} on average. "
            f"But the studies differ: at a next site it may be {low} to {high}."
        )
    margin = interval(facts.low, facts.high, language)
    if language == "nl":
        return (
            f"De studies lopen uiteen. Op een volgende plek ligt de verhouding tussen met en zonder programma "
            f"op {margin}. Bij 1 is het gelijk."
        )
    return f"The studies differ. At a next site the ratio with and without the programme is {margin}. At 1 it is equal."


def of_trials(facts: Facts, language: Language) -> str:
    """Return the mean over trials that can only be told as a ratio, or the bound where not even that can."""
    label, margin = facts.label[language], interval(facts.low, facts.high, language)
    told = margin if facts.estimate is None else f"{number(facts.estimate, language)} ({margin})"
    if facts.measure == "odds_ratio":
        if language == "nl":
            return (
                f"De studies samen geven een verhouding van kansen (odds ratio) van {told}. "
                f"Boven 1 is er met het programma meer {label}, onder 1 minder."
            )
        return (
            f"Together the studies give an odds ratio of {told}. "
            f"Above 1 there is more {label} with the programme, below 1 less."
        )
    if language == "nl":
        return f"In de studies samen was {told} de verhouding met en zonder programma. Bij 1 is het gelijk."
    return f"In the studies together the ratio with and without the programme was {told}. At 1 it is equal."
