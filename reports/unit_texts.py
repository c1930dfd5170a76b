"""Fixed texts of designs without persons, in Dutch (B1) and English: their own, and what they say otherwise.

Here: words that depend on nothing. Not here: texts of every design (`reports.texts`).
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.sentences import Language
from effectmeter.shapes import Unit

Words = Mapping[Language, str]

UNIT_TEXTS: Mapping[str, Words] = {
    "event_study": {"nl": "{}: effect per periode sinds de start", "en": "{}: effect per period since the start"},
    "event_study_text": {
        "nl": "{} perioden vóór de start en {} erna; periode {}: {}",
        "en": "{} periods before the start and {} after it; period {}: {}",
    },
    "event_study_note": {
        "nl": "Links van de stippellijn is er nog geen programma. Daar hoort geen verschil te zijn. "
        "Lange strepen betekenen: onzeker.",
        "en": "Left of the dotted line there is no programme yet. There should be no difference there. "
        "Long bars mean: uncertain.",
    },
    "periods_since": {"nl": "perioden sinds de start", "en": "periods since the start"},
    "start": {"nl": "start", "en": "start"},
    "areas_with": {"nl": "gebieden met", "en": "areas with"},
    "areas_without": {"nl": "gebieden zonder", "en": "areas without"},
    "rings": {"nl": "In de gebieden eromheen", "en": "In the areas around"},
    "left_out": {"nl": "Steeds één weggelaten", "en": "One left out at a time"},
    "whole": {"nl": "Alles samen", "en": "All together"},
    "trials": {"nl": "De studies één voor één: {}", "en": "The studies one by one: {}"},
    "trial": {"nl": "studie", "en": "study"},
    "weight": {"nl": "gewicht", "en": "weight"},
    "trials_note": {
        "nl": "De volgorde is die van de levering: dit is geen ranglijst.",
        "en": "The order is that of the delivery: this is no ranking.",
    },
    "trials_masked": {
        "nl": "Van {} studies tonen we geen cijfers, omdat het om weinig mensen gaat.",
        "en": "Of {} studies no figures are shown, since they are about few people.",
    },
    "mean_of_trials": {"nl": "Gemiddeld", "en": "On average"},
    "next_trial": {"nl": "Op een volgende plek", "en": "At a next site"},
    "series": {"nl": "{} per {}: geteld, en verwacht zonder programma",
               "en": "{} per {}: counted, and expected without the programme"},
    "series_text": {
        "nl": "Na de start geteld: {}. Verwacht zonder programma: {}.",
        "en": "Counted after the start: {}. Expected without the programme: {}.",
    },
    "series_note": {
        "nl": "De streepjeslijn is wat we verwachten zonder het programma, de band eromheen is de marge. "
        "Kleine aantallen tonen we niet.",
        "en": "The dashed line is what we expect without the programme; the band around it is the range. "
        "Small numbers are not shown.",
    },
    "picture_inhabitants": {
        "nl": "Aantal per jaar op elke {} inwoners: met en zonder het programma",
        "en": "Number a year for every {} inhabitants: with and without the programme",
    },
    "picture_series": {
        "nl": "Aantal per {} na de start: geteld, en verwacht zonder het programma",
        "en": "Number per {} after the start: counted, and expected without the programme",
    },
    "counted_per": {"nl": "aantal per {}", "en": "number per {}"},
    "counted": {"nl": "geteld", "en": "counted"},
    "expected": {"nl": "verwacht zonder programma", "en": "expected without the programme"},
    "period": {"nl": "periode", "en": "period"},
    "when": {"nl": "wanneer", "en": "when"},
    "before": {"nl": "vóór de start", "en": "before the start"},
    "after": {"nl": "na de start", "en": "after the start"},
    "periods_after": {"nl": "perioden na", "en": "periods after"},
    "periods_before": {"nl": "perioden vóór", "en": "periods before"},
    "percent_beside": {"nl": "in procenten", "en": "in per cent"},
    "difference_per_1000": {"nl": "verschil per 1.000 inwoners", "en": "difference per 1,000 inhabitants"},
    "arm_areas_treated": {"nl": "Gebieden met het programma", "en": "Areas with the programme"},
    "arm_areas_comparison": {"nl": "Gebieden om mee te vergelijken", "en": "Areas to compare with"},
    "arm_periods_treated": {"nl": "Na de start", "en": "After the start"},
    "arm_periods_comparison": {"nl": "Vóór de start", "en": "Before the start"},
    "arm_trials_treated": {"nl": "Met het programma", "en": "With the programme"},
    "arm_trials_comparison": {"nl": "Zonder het programma", "en": "Without the programme"},
    "already_published": {
        "nl": "Deze aantallen waren al openbaar. Daarom zijn ze niet afgerond.",
        "en": "These numbers were public already. So they are not rounded.",
    },
    "not_yet": {
        "nl": "Een gebied dat later begint, telt tot die tijd mee in de vergelijking.",
        "en": "An area that starts later counts in the comparison until then.",
    },
    "areas": {"nl": "gebieden", "en": "areas"},
    "studies": {"nl": "studies", "en": "studies"},
    "reach_areas": {"nl": "gebieden", "en": "areas"},
    "reach_periods": {"nl": "perioden na de start", "en": "periods after the start"},
    "reach_trials": {"nl": "studies", "en": "studies"},
    "looks_used": {"nl": "Gebruikt van de kans op vals alarm", "en": "Used of the chance of a false alarm"},
    "agreement_all": {
        "nl": "{} andere berekeningen: alle zeggen hetzelfde ({} tot {}).",
        "en": "{} other ways of calculating: all say the same ({} to {}).",
    },
    "agreement_one": {
        "nl": "Eén andere berekening: die zegt hetzelfde ({}).",
        "en": "One other way of calculating: it says the same ({}).",
    },
    "agreement_some": {
        "nl": "Andere berekeningen: {}. Met een ander antwoord: {} ({}). Het antwoord is dus minder zeker.",
        "en": "Other ways of calculating: {}. With another answer: {} ({}). So the answer is less certain.",
    },
    "agreement_unsure": {
        "nl": " Bij {} daarvan kan het verschil toeval zijn.",
        "en": " In {} of them the difference may be chance.",
    },
    "tipping": {
        "nl": "Van een deel van de mensen ontbreekt de uitkomst. Ons oordeel verandert pas als zij {} keer zo sterk "
        "afwijken van de anderen.",
        "en": "Of some people the outcome is missing. Our verdict changes only if they differ from the others by a "
        "factor of {}.",
    },
    "tipping_scale": {
        "nl": "Van een deel van de mensen ontbreekt de uitkomst. Ons oordeel verandert pas als zij {} "
        "standaarddeviaties (stapjes van de gewone spreiding) afwijken van de anderen.",
        "en": "Of some people the outcome is missing. Our verdict changes only if they differ from the others by {} "
        "standard deviations.",
    },
}  # fmt: skip
"""Texts by key, beside those of `reports.texts`."""

_EVENTS: Words = {
    "nl": "Aantallen voorvallen zijn afgerond op {}. Minder dan {} tonen we niet. Zo is niemand te herkennen.",
    "en": "Numbers of events are rounded to {}. Fewer than {} are not shown. So nobody can be recognised.",
}

OTHERWISE: Mapping[Unit, Mapping[str, Words]] = {
    "person": {},
    "area": {
        "people": {"nl": "Over hoeveel gebieden gaat dit?", "en": "How many areas is this about?"},
        "people_note": _EVENTS,
        "nobody_lost": {"nl": "Geen gebied valt af.", "en": "No area is left out."},
        "curves": {"nl": "Het verloop vóór en na de start", "en": "The course before and after the start"},
        "strength_note": {
            "nl": "Dit zegt hoe goed we kunnen vergelijken (schaal van Maryland). Het zegt niet hoe groot het "
            "effect is.",
            "en": "This says how well we can compare (Maryland scale). It does not say how large the effect is.",
        },
        "balance": {"nl": "Lijken de gebieden op elkaar?", "en": "Are the areas alike?"},
    },
    "period": {
        "people": {"nl": "Over hoeveel perioden gaat dit?", "en": "How many periods is this about?"},
        "people_note": _EVENTS,
        "nobody_lost": {"nl": "", "en": ""},
        "delivered": {"nl": "aangeleverd", "en": "delivered"},
        "curves": {"nl": "Het verloop vóór en na de start", "en": "The course before and after the start"},
        "effects_note": {
            "nl": "Elk blokje is een verhouding: geteld na de start, gedeeld door verwacht. "
            "Links van de lijn is het minder dan verwacht, rechts meer. "
            "Raakt de streep de lijn bij 1, dan kan het verschil toeval zijn.",
            "en": "Each square is a ratio: counted after the start, divided by expected. "
            "Left of the line it is less than expected, right of it more. "
            "Where the bar touches the line at 1, the difference may be chance.",
        },
    },
    "trial": {
        "people": {"nl": "Over hoeveel studies gaat dit?", "en": "How many studies is this about?"},
        "nobody_lost": {"nl": "", "en": ""},
        "curves": {"nl": "De studies", "en": "The studies"},
    },
}  # fmt: skip
"""What a report says otherwise for another unit; keys of `reports.texts`."""
