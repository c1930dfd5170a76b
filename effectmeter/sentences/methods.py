"""Estimators and sensitivity analyses in words, for who is no statistician. Dutch on B1.

Here: in what another row differs from the primary one. Not here: names of gates, measures and outcomes
(`effectmeter.sentences.wording`).
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.sentences.numbers import Language

ESTIMATORS: Mapping[str, Mapping[Language, str]] = {
    "g_computation": {"nl": "twee situaties voorspeld per persoon", "en": "both situations predicted per person"},
    "modified_poisson": {"nl": "regressie op de kans", "en": "regression of the risk"},
    "poisson": {"nl": "regressie op aantallen", "en": "regression of counts"},
    "negative_binomial": {"nl": "regressie op aantallen met uitschieters", "en": "regression of uneven counts"},
    "cox_efron": {"nl": "tijd tot het eerste voorval", "en": "time to the first event"},
    "aipw": {"nl": "weging en regressie samen", "en": "weighting and regression together"},
    "outcome_regression": {"nl": "alleen regressie", "en": "regression alone"},
    "regression": {"nl": "alleen regressie", "en": "regression alone"},
    "weighting": {"nl": "alleen weging", "en": "weighting alone"},
    "matching": {"nl": "in paren vergeleken", "en": "compared in pairs"},
    "mcnemar": {"nl": "paren die verschillen", "en": "pairs that differ"},
    "conditional_poisson": {"nl": "de verandering van ieder zelf", "en": "everyone's own change"},
    "gee_exchangeable": {"nl": "met samenhang binnen groepen", "en": "with likeness inside groups"},
    "callaway_santanna": {"nl": "elke startgroep apart vergeleken", "en": "each starting group compared by itself"},
    "poisson_fe": {"nl": "elk gebied met zichzelf, op aantallen", "en": "each area with itself, on counts"},
    "twoway_fe": {"nl": "elk gebied met zichzelf, op waarden", "en": "each area with itself, on values"},
    "calibrated": {"nl": "gewogen vergelijkingsgebieden", "en": "weighted comparison areas"},
    "difference_in_change": {"nl": "verandering tegenover verandering", "en": "change against change"},
    "quasi_poisson": {"nl": "trend en seizoen doorgetrokken", "en": "trend and season carried on"},
    "reml_hk": {"nl": "studies mogen verschillen, voorzichtige marge", "en": "trials may differ, cautious range"},
    "reml_wald": {"nl": "studies mogen verschillen", "en": "trials may differ"},
    "dl_wald": {"nl": "studies mogen verschillen, oudere methode", "en": "trials may differ, older method"},
    "mantel_haenszel": {"nl": "alsof alle studies hetzelfde meten", "en": "as if all trials measure the same"},
    "binomial_normal": {"nl": "precies bij weinig voorvallen", "en": "exact with few events"},
    "collapsed": {"nl": "alle mensen opgeteld", "en": "all people added up"},
    "permutation": {"nl": "door te husselen", "en": "by shuffling"},
    "bayes": {"nl": "met een voorzichtige aanname vooraf", "en": "with a cautious assumption beforehand"},
    "penalised_logit": {"nl": "regressie voor weinig voorvallen", "en": "regression for few events"},
    "score": {"nl": "voor weinig voorvallen", "en": "for few events"},
    "quasi_score": {"nl": "voor weinig voorvallen", "en": "for few events"},
    "empirical_calibration": {
        "nl": "bijgesteld met uitkomsten zonder verband",
        "en": "adjusted with unrelated outcomes",
    },
    "expected_without_effect": {"nl": "verwacht zonder effect", "en": "expected without effect"},
    "e_value": {"nl": "E-waarde", "en": "E-value"},
    "few_events": {"nl": "te weinig voorvallen om te noemen", "en": "too few events to tell"},
    "bound_with_few": {"nl": "grens die nog te noemen is", "en": "bound that may be told"},
    "tipping_point": {"nl": "kantelpunt", "en": "tipping point"},
}
"""How it was computed, in a few words; what is not here is called by its own name."""

_SUFFIXES: Mapping[str, Mapping[Language, str]] = {
    "_prediction": {"nl": "waar een volgende studie kan uitkomen", "en": "where a next trial may come out"},
    "_bayes": {"nl": "met een voorzichtige aanname vooraf", "en": "with a cautious assumption beforehand"},
    "_permutation": {"nl": "door te husselen", "en": "by shuffling"},
}

_CHANGES: Mapping[str, Mapping[Language, str]] = {
    "without=one site, lowest": {"nl": "Zonder één locatie: laagste uitkomst", "en": "Without one site: lowest result"},
    "without=one site, highest": {
        "nl": "Zonder één locatie: hoogste uitkomst",
        "en": "Without one site: highest result",
    },
    "one_left_out=lowest": {"nl": "Eén weggelaten: laagste uitkomst", "en": "One left out: lowest result"},
    "one_left_out=highest": {"nl": "Eén weggelaten: hoogste uitkomst", "en": "One left out: highest result"},
    "before=earlier_period": {"nl": "Tegenover een eerdere periode", "en": "Against an earlier period"},
    "trend=none": {"nl": "Zonder trend", "en": "Without a trend"},
    "control=none": {"nl": "Zonder controlereeks", "en": "Without the control series"},
    "effect=level": {"nl": "Alleen een sprong", "en": "A jump only"},
    "effect=level_and_slope": {"nl": "Sprong en andere helling, hele periode", "en": "Jump and slope, whole period"},
    "missing=exclude": {"nl": "Zonder mensen met ontbrekende gegevens", "en": "Without people with missing data"},
    "missing=indicator": {"nl": "Met ontbrekend als apart kenmerk", "en": "With missing as a characteristic"},
    "time_zero=start_date": {"nl": "Geteld vanaf de eerste dag in het programma", "en": "Counted from the first day"},
    "aggregation=dynamic": {"nl": "Gemiddeld over de tijd sinds de start", "en": "Averaged over time since the start"},
    "aggregation=cohort": {"nl": "Gemiddeld over startgroepen", "en": "Averaged over starting groups"},
    "aggregation=group": {"nl": "Gemiddeld over startgroepen", "en": "Averaged over starting groups"},
    "aggregation=calendar": {"nl": "Gemiddeld over de kalender", "en": "Averaged over the calendar"},
    "aggregation=whole_period": {"nl": "Over de hele tijd na de start", "en": "Over the whole time after the start"},
    "aggregation=last_period": {"nl": "In de laatste periode", "en": "In the last period"},
    "comparison=never_treated": {"nl": "Alleen gebieden die nooit begonnen", "en": "Only areas that never started"},
    "comparison=not_yet_treated": {"nl": "Ook gebieden die later begonnen", "en": "Also areas that started later"},
}
_KEYS: Mapping[str, Mapping[Language, str]] = {
    "harmonics": {"nl": "Ander seizoenspatroon ({})", "en": "Another season ({})"},
    "wash_in": {"nl": "Zonder de eerste {} perioden na de start", "en": "Without the first {} periods after the start"},
    "without": {"nl": "Zonder {}", "en": "Without {}"},
    "without_site": {"nl": "Zonder locatie {}", "en": "Without site {}"},
    "without_cohort": {"nl": "Zonder wie begon in {}", "en": "Without those started in {}"},
    "rings_entered": {"nl": "Met {} ringen in het model", "en": "With {} rings in the model"},
    "pretended_start": {"nl": "Proefstart {}", "en": "Pretended start {}"},
    "event_time": {"nl": "Periode {}", "en": "Period {}"},
    "cohort": {"nl": "Begonnen in {}", "en": "Started in {}"},
    "ring": {"nl": "Ring {} om het gebied", "en": "Ring {} around the area"},
    "site": {"nl": "Locatie {}", "en": "Site {}"},
    "estimand": {"nl": "Voor een andere groep ({})", "en": "For another group ({})"},
}


def estimator_words(name: str, language: Language) -> str:
    """Return how an estimator works, in a few words.

    Examples
    --------
    >>> estimator_words("reml_hk_prediction", "en"), estimator_words("new_method", "en")
    ('where a next trial may come out', 'new method')
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name][language]
    for suffix, words in _SUFFIXES.items():
        if name.endswith(suffix):
            return words[language]
    return name.replace("_", " ")


def subgroup_words(subgroup: str, language: Language) -> str:
    """Return a row's address among others of the same question in words.

    Examples
    --------
    >>> [subgroup_words(key, "en") for key in ("wash_in=2", "sex=f", "sex: interaction")]
    ['Without the first 2 periods after the start', 'sex: f', 'sex: difference between the groups']
    """
    if subgroup in _CHANGES:
        return _CHANGES[subgroup][language]
    key, _, value = subgroup.partition("=")
    if key == "wash_in" and value == "1":
        return (
            "Zonder de eerste periode na de start" if language == "nl" else "Without the first period after the start"
        )
    if key == "without" and value.startswith("site ") and language == "nl":
        return f"Zonder locatie {value.removeprefix('site ')}"
    if key in _KEYS:
        return _KEYS[key][language].format(value.replace("_", " "))
    if key == "interaction":
        return f"{value} ({'verschil' if language == 'nl' else 'difference'})"
    if ":" in key:
        what = "verschil tussen de groepen" if language == "nl" else "difference between the groups"
        return f"{key.partition(':')[0].replace('_', ' ')}: {what}"
    return f"{key.replace('_', ' ')}: {value}" if value else key.replace("_", " ")
