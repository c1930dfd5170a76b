"""The verdict line: a headline, and the same in natural frequencies ("of every 100 participants, 21 ...").

Here: what the report says first. Not here: the lists of what can
and cannot be said (`effectmeter.sentences.limits`). A causal word appears only where `Facts.works` holds.
"""

from __future__ import annotations

from effectmeter.sentences import units
from effectmeter.sentences.facts import Facts
from effectmeter.sentences.numbers import Language, interval, number, period

FORBIDDEN: dict[Language, tuple[str, ...]] = {
    "nl": (
        "werkt",
        "leidt tot",
        "bewezen",
        "bewijst",
        "zorgt voor",
        "dankzij",
        "halveert",
        "gehalveerd",
        "keer minder",
    ),
    "en": ("works", "leads to", "proven", "proves", "causes", "thanks to", "halves", "halved", "times less"),
}
"""Words that claim a cause or a multiple; only a verdict with its gates passed may use them."""


_OTHERS: dict[str, tuple[str, str]] = {
    "fewer": ("minder {} dan in de vergelijkingsgroep.", "less {} than in the comparison group."),
    "more": ("meer {} dan in de vergelijkingsgroep.", "more {} than in the comparison group."),
    "no_effect_of_importance": ("geen verschil van belang.", "no difference of importance."),
    "inconclusive": ("dat weten we nog niet.", "we do not know yet."),
    "not_shown": ("we kunnen geen effect laten zien.", "we cannot show an effect."),
}


def headline(facts: Facts, language: Language) -> str:
    """Return the answer in one short sentence; with several treated arms it names the one that it is about."""
    answer = _headline(facts, language)
    if not facts.arm:
        return answer
    return f"{'Groep' if language == 'nl' else 'Group'} “{facts.arm}”: {answer}"


def others_sentence(facts: Facts, language: Language) -> str:
    """Return what is known of every other treated arm; empty where there is only one."""
    said = []
    unwanted = "more" if facts.is_lower_better else "fewer"
    for arm, direction in facts.others:
        words = _OTHERS[direction][language == "en"].format(facts.label[language])
        harm = "" if direction != unwanted else " Dat is schade." if language == "nl" else " This is harm."
        said.append(f"{'Groep' if language == 'nl' else 'Group'} “{arm}”: {words}{harm}")
    return " ".join(said)


def start_sentence(facts: Facts, language: Language) -> str:
    """Say that nobody can tell who could start; empty where start dates told it, or nothing is shown."""
    if facts.gates.get("time_zero") != "not_evaluated" or facts.direction == "not_shown":
        return ""
    return (
        "Of alleen mensen begonnen met wie nog niets gebeurd was, weten wij niet: er zijn geen startdatums."
        if language == "nl"
        else "Whether only those still out of trouble could start is not known: no start dates were delivered."
    )


def _headline(facts: Facts, language: Language) -> str:
    label, nl = facts.label[language], language == "nl"
    if facts.direction == "not_shown":
        return "We kunnen dit kwartaal geen effect laten zien." if nl else "We cannot show an effect this quarter."
    if facts.direction == "inconclusive" and facts.is_prediction and units.on_average(facts, language):
        return units.on_average(facts, language)
    if facts.direction == "inconclusive":
        return "We weten nog niet of dit programma helpt." if nl else "We do not know yet whether this programme helps."
    if facts.direction == "no_effect_of_importance":
        return (
            f"Dit programma maakt geen verschil van belang voor {label}."
            if nl
            else f"This programme makes no difference of importance to {label}."
        )
    if not facts.about_persons:
        return units.directed(facts, language)
    more_or_less = ("minder", "fewer or less") if facts.direction == "fewer" else ("meer", "more")
    if facts.measure == "mean_difference":
        more_or_less = ("lager", "lower") if facts.direction == "fewer" else ("hoger", "higher")
    return _directed(facts, label, more_or_less[0] if nl else more_or_less[1].split(" or ")[-1], language)


def _directed(facts: Facts, label: str, word: str, language: Language) -> str:
    """Return the headline of a verdict with a direction: harm, benefit, or benefit whose cause is not sure."""
    nl = language == "nl"
    is_score = facts.measure == "mean_difference"
    often = ("vaker", "more frequent") if facts.direction == "more" else ("minder vaak", "less frequent")
    if facts.is_harm:
        return (
            f"Let op: met dit programma {'is' if is_score else 'kwam'} {label} "
            f"{word if is_score else often[0] + ' voor'}. Dat is schade."
            if nl
            else f"Warning: with this programme {label} was {word if is_score else often[1]}. This is harm."
        )
    if facts.works:
        return (
            f"Dit programma werkt: {label} {'is ' + word if is_score else 'komt ' + often[0] + ' voor'}."
            if nl
            else f"This programme works: {label} is {word if is_score else often[1]}."
        )
    often_nl, often_en = (word, word) if is_score else often
    return (
        f"{_capital(label)} {'was' if is_score else 'kwam'} bij deelnemers {often_nl}{'' if is_score else ' voor'}. "
        "Of dat door het programma komt, is niet zeker."
        if nl
        else f"{_capital(label)} was {often_en} among participants. "
        "Whether the programme made the difference is not certain."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def answer_in_words(facts: Facts, language: Language) -> str:
    """Return what stands below the headline: the figures in words, the other arms, and what nobody could judge."""
    said = (
        frequency_sentence(facts, language),
        needed_sentence(facts, language),
        others_sentence(facts, language),
        start_sentence(facts, language),
    )
    return " ".join(part for part in said if part)


def frequency_sentence(facts: Facts, language: Language) -> str:
    """Return the figures in words; empty where nothing may be shown."""
    if facts.direction == "not_shown" or facts.kind == "none":
        return ""
    if facts.is_prediction:
        return units.next_place(facts, language)
    told = facts.with_programme is not None and facts.without_programme is not None
    if facts.kind == "inhabitants" and told:
        return units.per_inhabitants(facts, language)
    if facts.kind == "series" and told:
        return units.per_period(facts, language)
    if facts.kind in {"frequency", "rate"} and facts.with_programme is not None and facts.without_programme is not None:
        first = _of_every(facts, language)
        return f"{first}; {_without(facts, language)}." if facts.direction != "inconclusive" else (
            f"{first}. {_unsure(facts, language)}"
        )  # fmt: skip
    if facts.kind == "difference":
        return _difference(facts, language) if facts.about_persons else units.difference(facts, language)
    if facts.unit == "trial":
        return units.of_trials(facts, language)
    return _ratio(facts, language) if facts.about_persons else units.ratio(facts, language)


def needed_sentence(facts: Facts, language: Language) -> str:
    """Return for how many participants there is one fewer, or one more; empty where it may be either.

    The number needed to treat or to harm, from the figures of the sentence before it. Where the interval holds no
    difference that number has no end, and none is told.

    References
    ----------
    Altman (1998), Confidence intervals for the number needed to treat, doi:10.1136/bmj.317.7168.1309.
    """
    known = (facts.with_programme, facts.without_programme, facts.without_low, facts.without_high)
    if facts.kind != "frequency" or facts.is_prediction or facts.direction not in {"fewer", "more"} or None in known:
        return ""
    sign = 1 if facts.direction == "fewer" else -1
    differences = sorted(sign * ((count or 0) - (facts.with_programme or 0)) for count in known[1:])
    if differences[0] < 1:
        return ""
    least, about, most = (number(round(facts.per / size), language, 0) for size in reversed(differences))
    if language == "nl":
        word = "minder" if facts.direction == "fewer" else "meer"
        return f"Dat is er één {word} op ongeveer elke {about} deelnemers ({least} tot {most})."
    word = "fewer" if facts.direction == "fewer" else "more"
    return f"That is one {word} for about every {about} participants ({least} to {most})."


def _of_every(facts: Facts, language: Language) -> str:
    count, label = facts.with_programme or 0, facts.label[language]
    per = number(facts.per, language, 0)
    if facts.kind == "rate":
        return (
            f"Op elke {per} deelnemers telden we per jaar {count} keer {label}"
            if language == "nl"
            else f"For every {per} participants we counted {label} {count} times a year"
        )
    within = _within(facts.window_days, language) if facts.unit != "trial" else ""
    among = "" if facts.unit != "trial" else {"nl": " in deze studies", "en": " in these studies"}[language]
    predicate = facts.predicate.get(language, "")
    if language == "nl":
        verb, _, rest = (predicate or "hadden er| te maken met " + label).partition("|")
        if count == 1:
            verb = verb.replace("kwamen", "kwam").replace("werden", "werd").replace("hadden", "had")
        return " ".join(f"Van elke {per} deelnemers{among} {verb} {count} {within}{rest}".split())
    verb = predicate or f"were recorded with {label}"
    if count == 1:
        verb = verb.replace("were ", "was ", 1)
    return f"Of every {per} participants{among}, {count} {verb} {within}".rstrip()


def _within(days: int | None, language: Language) -> str:
    if days is None:
        return "in de tijd dat we hen volgden" if language == "nl" else "while we followed them"
    return f"{'binnen' if language == 'nl' else 'within'} {period(days, language)}"


def _without(facts: Facts, language: Language) -> str:
    margin = interval(facts.without_low, facts.without_high, language, 0)
    count = facts.without_programme
    if language == "nl":
        if facts.kind == "rate":
            return f"zonder het programma zou dat {count} keer zijn geweest ({margin})"
        return f"zonder het programma {'zou' if count == 1 else 'zouden'} dat er {count} zijn geweest ({margin})"
    return f"without the programme {count} would have ({margin})" if facts.kind == "frequency" else (
        f"without the programme it would have been {count} times ({margin})"
    )  # fmt: skip


def _unsure(facts: Facts, language: Language) -> str:
    low, high = facts.without_low, facts.without_high
    times = " keer" if facts.kind == "rate" else ""
    if language == "nl":
        return (
            f"Zonder het programma waren dat er naar schatting {facts.without_programme}{times}. "
            f"Maar het kunnen er ook {low} tot {high} zijn: dat is te onzeker voor een oordeel."
        )
    times = " times" if facts.kind == "rate" else ""
    return (
        f"Without the programme it would have been about {facts.without_programme}{times}. "
        f"It may also be {low} to {high}: too uncertain to judge."
    )


def _ratio(facts: Facts, language: Language) -> str:
    """Return the sentence of an outcome that can only be told as a ratio."""
    label, margin = facts.label[language], interval(facts.low, facts.high, language)
    if facts.estimate is None:
        return (
            f"De verhouding met en zonder het programma is {margin}."
            if language == "nl"
            else f"The ratio with and without the programme is {margin}."
        )
    estimate = number(facts.estimate, language)
    if language == "nl":
        return f"Met het programma was er {estimate} keer zo veel {label} als zonder ({margin}). Bij 1 is het gelijk."
    return f"With the programme there was {estimate} times as much {label} as without ({margin}). At 1 it is equal."


def _difference(facts: Facts, language: Language) -> str:
    """Return the sentence of a difference in means."""
    label, margin = facts.label[language], interval(facts.low, facts.high, language)
    if facts.estimate is None:
        return ""
    size = number(abs(facts.estimate), language)
    if language == "nl":
        way = "lager" if facts.estimate < 0 else "hoger"
        return f"Deelnemers scoorden gemiddeld {size} {way} op {label} (verschil {margin})."
    way = "lower" if facts.estimate < 0 else "higher"
    return f"Participants scored {size} {way} on {label} on average (difference {margin})."


def settle_sentence(facts: Facts, language: Language) -> str:
    """Return what would settle an open question; empty when nothing is open or nothing is known."""
    if facts.direction == "inconclusive" and facts.is_prediction:
        # what a next place sees does not narrow with more trials: it is how places differ
        return (
            "Meer studies lossen dit niet op: de uitkomst verschilt per plek. Zoek uit waardoor dat komt, en meet op "
            "de plek zelf."
            if language == "nl"
            else "More studies would not settle this: the outcome differs from place to place. Find out why, and "
            "measure it at the place itself."
        )
    if facts.direction == "inconclusive":
        return facts.settle.get(language, "")
    if facts.direction == "not_shown":
        return facts.reason.get(language, "")
    return ""


def verdict_line(facts: Facts, language: Language) -> str:
    """Return headline and figures in one line, SYNTHETIC said in words."""
    said = [headline(facts, language), answer_in_words(facts, language)]
    if facts.direction == "not_shown":
        said.append(facts.reason.get(language, ""))
    if facts.is_synthetic:
        said.append(synthetic_sentence(language))
    return " ".join(part for part in said if part)


def synthetic_sentence(language: Language) -> str:
    """Say in words that the data are made up."""
    return (
        "Dit zijn verzonnen cijfers (SYNTHETIC): ze zeggen niets over echte mensen."
        if language == "nl"
        else "These are made-up data (SYNTHETIC): they say nothing about real people."
    )
