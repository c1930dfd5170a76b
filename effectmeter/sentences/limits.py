"""What you can say and what you cannot say: one list of rules, each with its condition, for both languages.

A rule is a name, a condition on `Facts` and what is said; a test asks each rule both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from effectmeter.sentences import units
from effectmeter.sentences.facts import ClaimFact, Facts
from effectmeter.sentences.numbers import Language, interval, number, period
from effectmeter.sentences.verdict import start_sentence
from effectmeter.sentences.wording import RULINGS
from effectmeter.shapes import Unit


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence with its condition.

    Attributes
    ----------
    say
        Dutch and English; each may ask the facts.
    """

    name: str
    holds: Callable[[Facts], bool]
    nl: Callable[[Facts], str]
    en: Callable[[Facts], str]

    def sentence(self, facts: Facts, language: Language) -> str:
        """Return the sentence in a language."""
        return self.nl(facts) if language == "nl" else self.en(facts)


def _fixed(text: str) -> Callable[[Facts], str]:
    return lambda facts: text


CAN: tuple[Rule, ...] = (
    Rule(
        "works",
        lambda f: f.works,
        lambda f: _works("nl", f),
        lambda f: _works("en", f),
    ),
    Rule(
        "benefit_unsure_cause",
        lambda f: f.is_benefit and not f.works,
        lambda f: f"Het verschil in {f.label['nl']} is groter dan toeval. De oorzaak staat niet vast.",
        lambda f: f"The difference in {f.label['en']} is larger than chance. Its cause is not certain.",
    ),
    Rule(
        "harm",
        lambda f: f.is_harm,
        lambda f: f"Met het programma was er méér {f.label['nl']} dan zonder. Zoek uit hoe dat komt.",
        lambda f: f"With the programme there was more {f.label['en']} than without. Find out why.",
    ),
    Rule(
        "no_effect_of_importance",
        lambda f: f.direction == "no_effect_of_importance",
        _fixed("Een groot effect is uitgesloten: het verschil is hoogstens een derde minder of de helft meer."),
        _fixed("A large effect is ruled out: the difference is at most a third less or half more."),
    ),
    Rule(
        "mean_of_trials",
        lambda f: f.mean is not None and f.direction != "not_shown",
        lambda f: f"Gemiddeld over de studies is de verhouding {_mean(f, 'nl')}. Bij 1 is er geen verschil.",
        lambda f: f"On average over the studies the ratio is {_mean(f, 'en')}. At 1 there is no difference.",
    ),
    Rule(
        "differs_by_place",
        lambda f: f.direction == "inconclusive" and f.is_prediction,
        _fixed("De uitkomst verschilt per plek. Voor een nieuwe plek is er nog geen oordeel."),
        _fixed("The outcome differs from site to site. There is no judgement yet on a new one."),
    ),
    Rule(
        "inconclusive",
        lambda f: f.direction == "inconclusive" and not f.is_prediction,
        _fixed("Het is nog te vroeg voor een oordeel. Er zijn meer gegevens nodig."),
        _fixed("It is too early to judge. More data are needed."),
    ),
    Rule(
        "large_fall_unlikely",
        lambda f: _is_open(f) and _is_ratio(f) and 0.3 <= (f.low or 0) < 1,
        lambda f: f"Een daling van meer dan {_percent_off(f.low)} procent is onwaarschijnlijk.",
        lambda f: f"A fall of more than {_percent_off(f.low)} percent is unlikely.",
    ),
    Rule(
        "large_rise_unlikely",
        lambda f: _is_open(f) and _is_ratio(f) and 1 < (f.high or 9) <= 2,
        lambda f: f"Een stijging van meer dan {_percent_on(f.high)} procent is onwaarschijnlijk.",
        lambda f: f"A rise of more than {_percent_on(f.high)} percent is unlikely.",
    ),
    Rule(
        "raw_risks",
        lambda f: f.raw is not None and f.direction != "not_shown",
        lambda f: f"{_raw('nl', f)}",
        lambda f: f"{_raw('en', f)}",
    ),
    Rule(
        "nothing_shown",
        lambda f: f.direction == "not_shown",
        _fixed("We meten het programma. Dit kwartaal laten de gegevens geen eerlijke vergelijking zien."),
        _fixed("We are measuring the programme. This quarter the data allow no fair comparison to be shown."),
    ),
    Rule(
        "claims_supported",
        lambda f: any(claim.ruling == "supported" for claim in f.claims),
        lambda f: "Deze uitspraak houdt stand: " + _quoted(f, "supported") + ".",
        lambda f: "This statement holds: " + _quoted(f, "supported") + ".",
    ),
    Rule(
        "reach",
        lambda f: f.n_treated is not None,
        lambda f: f"{_about('nl', f)}",
        lambda f: f"{_about('en', f)}",
    ),
)  # fmt: skip
"""What can be said."""

CANNOT: tuple[Rule, ...] = (
    Rule(
        "synthetic",
        lambda f: f.is_synthetic,
        _fixed("Iets over echte mensen. De gegevens zijn verzonnen (SYNTHETIC)."),
        _fixed("Anything about real people. The data are made up (SYNTHETIC)."),
    ),
    Rule(
        "does_not_work",
        lambda f: f.direction in {"inconclusive", "not_shown"},
        _fixed("“Het programma werkt niet.” Niet weten is iets anders dan geen effect."),
        _fixed("“The programme does not work.” Not knowing is not the same as no effect."),
    ),
    Rule(
        "works_inconclusive",
        lambda f: f.direction in {"inconclusive", "not_shown"},
        lambda f: f"“Het programma werkt.” {_unknown(f)[0]}",
        lambda f: f"“The programme works.” {_unknown(f)[1]}",
    ),
    Rule(
        "works_weak_evidence",
        lambda f: f.is_benefit and not f.works,
        _fixed("“Het programma werkt.” Niet alle toetsen die daarvoor nodig zijn, zijn gedaan en in orde."),
        _fixed("“The programme works.” Not every check that this needs was done and passed."),
    ),
    Rule(
        "works_no_difference",
        lambda f: f.is_harm or f.direction == "no_effect_of_importance",
        _fixed("“Het programma werkt.” De cijfers spreken dat tegen."),
        _fixed("“The programme works.” The figures contradict it."),
    ),
    Rule(
        "a_multiple",
        lambda f: f.is_benefit and _is_ratio(f) and f.is_lower_better and (f.high is None or f.high > 0.5),
        _fixed("“Gehalveerd” of “twee keer minder”. De cijfers laten ook een kleiner effect toe."),
        _fixed("“Halved” or “twice less”. The figures also allow a smaller effect."),
    ),
    Rule(
        "claims_not_supported",
        lambda f: any(claim.ruling != "supported" for claim in f.claims),
        lambda f: _refused("nl", f),
        lambda f: _refused("en", f),
    ),
    Rule(
        "only_the_programme",
        lambda f: not f.is_randomised and f.direction != "not_shown",
        lambda f: _ALONE[f.unit][0],
        lambda f: _ALONE[f.unit][1],
    ),
    Rule(
        "who_could_start",
        lambda f: start_sentence(f, "en") != "",
        _fixed("Dat iedereen evenveel kans had om te beginnen. Er zijn geen startdatums aangeleverd."),
        _fixed("That everybody could as well have started. No start dates were delivered to check that."),
    ),
    Rule(
        "what_else_changed",
        lambda f: f.unit == "period" and not f.has_control and f.direction != "not_shown",
        _fixed("Wat er zonder het programma was gebeurd. Er is geen reeks van elders om mee te vergelijken."),
        _fixed("What would have happened without the programme. There is no series from elsewhere to compare with."),
    ),
    Rule(
        "everywhere",
        lambda f: f.gates.get("heterogeneity") == "warned",
        _fixed("Dat het overal zo uitpakt. De studies lopen daarvoor te ver uiteen."),
        _fixed("That it turns out like this everywhere. The studies differ too much for that."),
    ),
    Rule(
        "later",
        lambda f: f.window_days is not None,
        lambda f: f"Hoe het verder gaat na {period(f.window_days, 'nl')}.",
        lambda f: f"What happens after {period(f.window_days, 'en')}.",
    ),
    Rule(
        "one_person",
        lambda f: True,
        lambda f: _ONE[f.unit][0],
        lambda f: _ONE[f.unit][1],
    ),
)  # fmt: skip
"""What cannot be said."""


def can_say(facts: Facts, language: Language) -> list[str]:
    """Return what can be said, most important first."""
    return [rule.sentence(facts, language) for rule in CAN if rule.holds(facts)]


def cannot_say(facts: Facts, language: Language) -> list[str]:
    """Return what cannot be said, most important first."""
    return [rule.sentence(facts, language) for rule in CANNOT if rule.holds(facts)]


def _is_open(facts: Facts) -> bool:
    return facts.direction in {"inconclusive", "no_effect_of_importance"}


def _is_ratio(facts: Facts) -> bool:
    """Return whether the figure says how many times as much; odds say something else."""
    if facts.measure == "odds_ratio":
        return False
    return facts.measure.endswith("ratio") or facts.measure == "ratio_of_rate_ratios"


def _percent_off(ratio: float | None) -> int:
    """Return a ratio below 1 as a fall in whole percents, rounded up: the statement must hold."""
    return -int(-100 * (1 - (ratio or 1)) // 1)


def _percent_on(ratio: float | None) -> int:
    """Return a ratio above 1 as a rise in whole percents, rounded up."""
    return -int(-100 * ((ratio or 1) - 1) // 1)


def _unknown(facts: Facts) -> tuple[str, str]:
    """Return why nobody can say yet that it works."""
    if facts.direction == "not_shown":
        return "Er is geen eerlijke vergelijking te tonen.", "There is no fair comparison to show."
    if facts.is_prediction:
        return "Niet op elke plek is dat zo.", "Not at every site is that so."
    return "Het verschil kan nog toeval zijn.", "The difference may still be chance."


def _raw(language: Language, facts: Facts) -> str:
    """Return the shares with nothing adjusted; where they point the other way, which of the two counts."""
    treated, comparison = facts.raw or (0, 0)
    label = facts.label[language]
    is_other_way = facts.estimate is not None and _is_ratio(facts) and (treated - comparison) * (facts.estimate - 1) < 0
    if facts.unit == "trial":  # added up over trials, which is not what pools them: the two may differ much
        if language == "nl":
            shares = f"{treated} op de 100 deelnemers, {comparison} op de 100 van de anderen ({label})"
            return f"Alle studies bij elkaar opgeteld: {shares}. Het antwoord weegt elke studie apart."
        shares = f"{treated} of 100 participants, {comparison} of 100 in the comparison groups ({label})"
        return f"All studies added up: {shares}. The answer weighs every study by itself."
    if language == "nl":
        said = f"Zonder correctie: {treated} op de 100 deelnemers, {comparison} op de 100 van de anderen ({label})."
        return said + (" De groepen verschilden vooraf. Daarom telt het cijfer mét correctie." if is_other_way else "")
    said = f"Nothing adjusted: {treated} of 100 participants, {comparison} of 100 in the comparison group ({label})."
    return said + (" The groups differed beforehand. So the adjusted figure counts." if is_other_way else "")


def _works(language: Language, facts: Facts) -> str:
    label = facts.label[language]
    if not facts.about_persons:
        found = units.directed(facts, language)
        return found if found.startswith(("Dit", "This")) else ""
    more = facts.direction == "more"
    if language == "nl":
        return f"Het programma werkt: deelnemers hebben {'vaker' if more else 'minder vaak'} te maken met {label}."
    return f"The programme works: participants have {'more' if more else 'less'} {label}."


def _mean(facts: Facts, language: Language) -> str:
    estimate, low, high = facts.mean or (None, None, None)
    return f"{number(estimate, language)} ({interval(low, high, language)})"


_ALONE: dict[Unit, tuple[str, str]] = {
    "person": (
        "Dat alleen het programma het verschil maakt. Wie meedeed, is niet door loting bepaald. "
        "Iets wat niet gemeten is, kan meespelen.",
        "That the programme alone makes the difference. Chance did not decide who took part. "
        "Something that was not measured may play a part.",
    ),
    "area": (
        "Dat alleen het programma het verschil maakt. Waar het begon, is niet door loting bepaald. "
        "Iets wat niet gemeten is, kan meespelen.",
        "That the programme alone makes the difference. Chance did not decide where it began. "
        "Something that was not measured may play a part.",
    ),
    "period": (
        "Dat alleen het programma het verschil maakt. Rond de start kan ook iets anders zijn veranderd.",
        "That the programme alone makes the difference. Something else may have changed around the start.",
    ),
    "trial": (
        "Dat alleen het programma het verschil maakt. Niet in elke studie besliste loting wie meedeed.",
        "That the programme alone makes the difference. Chance did not decide in every study who took part.",
    ),
}
_ONE: dict[Unit, tuple[str, str]] = {
    "person": (
        "Wat het programma voor één persoon of één gezin betekent.",
        "What the programme means for one person or one family.",
    ),
    "area": (
        "Wat het programma voor één gebied of één bewoner betekent.",
        "What the programme means for one area or one resident.",
    ),
    "period": (
        "Wat het programma in één bepaalde maand heeft gedaan.",
        "What the programme did in one particular month.",
    ),
    "trial": (
        "Wat het programma voor één persoon betekent, of op één bepaalde plek.",
        "What the programme means for one person, or at one particular site.",
    ),
}


def _about(language: Language, facts: Facts) -> str:
    treated, others = number(facts.n_treated, language, 0), number(facts.n_comparison, language, 0)
    nl = language == "nl"
    if facts.unit == "area":
        against = f" en {others} om mee te vergelijken" if nl else f" and {others} to compare them with"
        against = against if facts.n_comparison else ""
        if nl:
            return f"Dit gaat over {treated} gebieden met het programma{against}."
        return f"This is about {treated} areas with the programme{against}."
    if facts.unit == "period":
        several = units.PERIODS[facts.period][language][1]
        if nl:
            return f"Dit gaat over {others} {several} vóór de start en {treated} erna."
        return f"This is about {others} {several} before the start and {treated} after it."
    trials = "" if facts.n_trials is None else f"{facts.n_trials} studies"
    if nl:
        start = f"Dit gaat over {trials}, samen met ongeveer" if trials else "Dit gaat over ongeveer"
        against = f" en {others} mensen om mee te vergelijken" if facts.n_comparison else ""
        return f"{start} {treated} deelnemers{against}."
    start = f"This is about {trials}, together with" if trials else "This is about"
    against = f" and {others} people to compare them with" if facts.n_comparison else ""
    return f"{start} {treated} participants{against} (rounded)."


def _named(claim: ClaimFact) -> str:
    return f"“{claim.words}”" + (f" ({claim.arm})" if claim.arm else "")


def _quoted(facts: Facts, ruling: str) -> str:
    return ", ".join(_named(claim) for claim in facts.claims if claim.ruling == ruling)


def _refused(language: Language, facts: Facts) -> str:
    return "; ".join(
        f"{_named(claim)}: {RULINGS[claim.ruling][language]}" for claim in facts.claims if claim.ruling != "supported"
    ) + "."  # fmt: skip
