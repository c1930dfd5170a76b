"""What columns, tables and fields are called in reports: the plan's own label, a known one, or the name in words.

Here: the catalogue, and putting labels in the place of names in a text. Not here: names of outcomes, gates and measures
(`effectmeter.sentences.wording`). Tables that leave the vault keep the names: a researcher joins by them. Dutch labels
take "de", so that they fit where a name stood ("elke persoonscode").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from effectmeter.plan import Plan
from effectmeter.plan_fields import prior_count
from effectmeter.sentences.numbers import Language, number
from effectmeter.sentences.wording import KINDS, outcome_label

Words = Mapping[Language, str]


def _w(nl: str, en: str) -> Words:
    return {"nl": nl, "en": en}


COLUMNS: Mapping[str, Words] = {
    "age": _w("leeftijd", "age"),
    "age_at_index": _w("leeftijd bij de start", "age at the start"),
    "birth_year": _w("jaar van geboorte", "year of birth"),
    "sex": _w("sekse", "sex"),
    "school_absence": _w("afwezigheid op school", "absence from school"),
    "index_date": _w("startdatum van de telling", "date the count starts"),
    "start_date": _w("eerste dag", "first day"),
    "end_date": _w("laatste dag", "last day"),
    "exit_date": _w("laatste dag in het programma", "last day in the programme"),
    "follow_up_days": _w("tijd dat iemand is gevolgd", "time followed"),
    "follow_up_end": _w("laatste dag van het volgen", "last day followed"),
    "person_id": _w("persoonscode", "person code"),
    "family_id": _w("gezinscode", "family code"),
    "site_id": _w("locatiecode", "site code"),
    "block_id": _w("lotingsgroep", "block of the draw"),
    "pair_id": _w("code van het paar", "pair code"),
    "cluster_id": _w("groepscode", "cluster code"),
    "area_id": _w("gebiedscode", "area code"),
    "trial_id": _w("naam van de studie", "name of the trial"),
    "event_type": _w("soort gebeurtenis", "kind of event"),
    "event_date": _w("datum van de gebeurtenis", "date of the event"),
    "event_day": _w("dag van de gebeurtenis", "day of the event"),
    "decided_on": _w("datum van het besluit", "date of the decision"),
    "adopted_on": _w("startdatum in het gebied", "date it began in the area"),
    "adopted_period": _w("startperiode in het gebied", "period it began in the area"),
    "is_control": _w("aanduiding van de controlereeks", "mark of the control series"),
    "window_days": _w("lengte van de volgtijd", "length of follow-up"),
    "n_events": _w("telling van gebeurtenissen", "number of events"),
    "days_free": _w("tijd in vrijheid", "days at liberty"),
    "days_calendar": _w("tijd in kalenderdagen", "calendar days"),
    "events_treated": _w("telling met het programma", "number with the programme"),
    "events_comparison": _w("telling zonder het programma", "number without the programme"),
    "n_treated": _w("groepsgrootte met het programma", "group size with the programme"),
    "n_comparison": _w("groepsgrootte zonder het programma", "group size without the programme"),
    "std_error": _w("standaardfout", "standard error"),
    "person_years": _w("gevolgde tijd in jaren", "years followed"),
    "low_income": _w("aandeel met een laag inkomen", "share with a low income"),
    "linked": _w("aanduiding of iemand is gevonden", "mark whether somebody was found"),
    "arm": _w("groep", "arm"),
    "youth": _w("aandeel jongeren", "share of young people"),
    "social_rent": _w("aandeel sociale huur", "share of social housing"),
    "very_serious": _w("zeer ernstig", "very serious"),
}  # fmt: skip
"""Columns of the standard tables, and covariates that many programmes have."""

TABLES: Mapping[str, Words] = {
    "landing.persons": _w("het bestand met personen", "the file of persons"),
    "landing.events": _w("het bestand met gebeurtenissen", "the file of events"),
    "landing.absences": _w("het bestand met afwezigheid", "the file of absences"),
    "landing.person_counts": _w("het bestand met tellingen per persoon", "the file of counts per person"),
    "landing.areas": _w("het bestand met gebieden", "the file of areas"),
    "landing.area_counts": _w("het bestand met tellingen per gebied", "the file of counts per area"),
    "landing.series": _w("het bestand met de reeks", "the file of the series"),
    "landing.trials": _w("het bestand met studies", "the file of trials"),
    "cohort.persons": _w("de onderzochte groep", "the group studied"),
    "cohort.areas": _w("de lijst van onderzochte gebieden", "the list of areas studied"),
    "outcomes.person_windows": _w("de telling per persoon", "the count per person"),
    "outcomes.area_periods": _w("de telling per gebied", "the count per area"),
    "outcomes.series_periods": _w("de telling per periode", "the count per period"),
    "outcomes.trials": _w("de lijst van studies", "the list of trials"),
}
"""Tables of the vault that checks speak of."""

FIELDS: Mapping[str, Words] = {
    "title": _w("de titel", "the title"),
    "question": _w("de vraag", "the question"),
    "design": _w("de opzet", "the design"),
    "programme_life": _w("de looptijd", "the programme's life"),
    "source": _w("waar de gegevens staan", "where the data are"),
    "arms": _w("wie met wie wordt vergeleken", "who is compared with whom"),
    "eligibility": _w("wie meetelt", "who is in"),
    "adjust_for": _w("waarvoor we corrigeren", "what is adjusted for"),
    "missing": _w("hoe we omgaan met wat ontbreekt", "how missing data are treated"),
    "estimand": _w("voor wie we het effect schatten", "for whom the effect is estimated"),
    "weighting": _w("de weging", "the weighting"),
    "follow_up": _w("hoe lang we mensen volgen", "how long people are followed"),
    "before_after": _w("de perioden voor en na", "the periods before and after"),
    "outcomes": _w("de uitkomsten", "the outcomes"),
    "negative_controls": _w("uitkomsten zonder verband", "unrelated outcomes"),
    "subgroups": _w("de deelgroepen", "the subgroups"),
    "labels": _w("de namen in het rapport", "the names in the report"),
    "areas": _w("hoe we gebieden vergelijken", "how areas are compared"),
    "series": _w("hoe we de reeks bekijken", "how the series is read"),
    "trials": _w("hoe we studies samennemen", "how trials are taken together"),
    "looks": _w("hoe vaak we kijken", "how often we look"),
    "claims": _w("de uitspraken", "the claims"),
    "disclosure": _w("de regels tegen herkenning", "the disclosure rules"),
    "expectations": _w("de eisen aan de gegevens", "the demands on the data"),
}
"""Fields of a plan."""

_VALUES: Mapping[str, Mapping[str, Words]] = {
    "sex": {
        "f": _w("vrouw", "female"), "v": _w("vrouw", "female"), "m": _w("man", "male"),
        "female": _w("vrouw", "female"), "male": _w("man", "male"),
    },
}  # fmt: skip
_POWERS: Mapping[str, Words] = {"^2": _w(" (kwadraat)", " (squared)"), "^3": _w(" (derde macht)", " (cubed)")}
_CODES: Mapping[str, Words] = {
    "missing.max_share of the plan": _w("het deel in het plan", "the share in the plan"),
    "`negative_controls`": _w("‘negative controls’", "‘negative controls’"),
}
_MISSING: Words = _w("ontbreekt", "missing")
_PRIOR = re.compile(r"(?<!\w)prior_[A-Za-z0-9_]+?_[1-9]\d{0,2}m(?!\w)")


def column_label(plan: Plan, name: str, language: Language) -> str:
    """Return what a column or a kind of event is called: the plan's label, a known one, or its name in words."""
    own = plan.labels.get(name)
    if own is not None:
        return own.nl if language == "nl" else own.en
    if name in plan.outcomes and plan.outcomes[name].label is not None:
        return outcome_label(plan, name)[language]
    known = COLUMNS.get(name) or KINDS.get(name)
    if known is not None:
        return known[language]
    prior = prior_count(name)
    if prior is not None:
        event, months = column_label(plan, prior[0], language), number(prior[1], language, 0)
        return (
            f"{event} in de {months} maanden ervóór" if language == "nl" else f"{event} in the {months} months before"
        )
    return name.replace("_", " ")


def term_label(plan: Plan, term: str, language: Language) -> str:
    """Return a term of a model in words: its columns by their labels, powers and missing values said.

    Parameters
    ----------
    term
        As balance tables and subgroups name it: ``age_at_index^2``, ``sex=f``, ``school_absence missing``.
    """
    said = term
    for column, values in _VALUES.items():
        for value, words in values.items():
            said = re.sub(rf"(?<!\w){column}(=|: ){value}(?!\w)", rf"{column}\g<1>{words[language]}", said)
    said = _replaced(said, _names(plan), plan, language)
    for power, words in _POWERS.items():
        said = said.replace(power, words[language])
    return said.replace("=", ": ").replace(" * ", " × ").replace(" missing", f" {_MISSING[language]}").replace("_", " ")


def with_labels(said: str, plan: Plan, language: Language) -> str:
    """Return a sentence with labels in the place of the names of columns and tables.

    A name of one plain word ("sex") is replaced only where it must be a name: between quotes or brackets, or where a
    sentence of ours has a name.
    """
    names = _names(plan)
    told = _replaced(said, [name for name in names if not name.isalpha()], plan, language)
    plain = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if name.isalpha())
    if plain:
        told = re.sub(
            rf"(?<=[‘'(])(?:{plain})(?=[’'()=^ ]|$)|^(?:{plain})(?= is | in )|"
            rf"(?<=achtergrondvariabele )(?:{plain})(?=,)|(?<=covariate )(?:{plain})(?=,)|"
            rf"(?<=doelgroep: )(?:{plain})(?= is )|(?<=eligible: )(?:{plain})(?= is )|"
            rf"(?<=[Ee]lke )(?:{plain})(?= )|(?<=[Ee]very )(?:{plain})(?= )|"
            rf"(?<=mist )(?:{plain})(?=\.)|(?<=misses )(?:{plain})(?=\.)",
            lambda found: column_label(plan, found[0], language),
            told,
        )
    for power, words in _POWERS.items():
        told = told.replace(power, words[language])
    told = told.replace(" missing)", f" {_MISSING[language]})")
    for code, words in _CODES.items():
        told = told.replace(code, words[language])
    return told[:1].upper() + told[1:] if told != said and told.endswith(".") else told


def field_labels(fields: Iterable[str], language: Language) -> str:
    """Return dotted fields of a plan in words, each part of the plan once.

    Examples
    --------
    >>> field_labels(["looks.method", "looks.planned", "claims"], "en")
    'how often we look, the claims'
    """
    parts = dict.fromkeys(field.partition(".")[0] for field in fields)
    return ", ".join(FIELDS[part][language] if part in FIELDS else part.replace("_", " ") for part in parts)


def _names(plan: Plan) -> tuple[str, ...]:
    own = [*plan.labels, *plan.adjust_for, *plan.eligibility, *plan.subgroups, *plan.outcomes, plan.cluster or ""]
    return tuple(dict.fromkeys(name for name in (*own, *COLUMNS, *KINDS) if len(name) > 1))


def _replaced(said: str, names: Iterable[str], plan: Plan, language: Language) -> str:
    told = _PRIOR.sub(lambda found: column_label(plan, found[0], language), said)
    for table, words in TABLES.items():
        told = re.sub(rf"(?<!\w){re.escape(table)}(?!\w)", words[language], told)
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w.])(?:{known})(?!\w)", lambda found: column_label(plan, found[0], language), told)
