"""Names in words: outcomes, gates, rulings, designs, measures. Dutch on B1.

Here: tables of words. Not here: sentences with conditions.
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.plan import Plan
from effectmeter.sentences.numbers import Language
from effectmeter.shapes import SHAPES

Words = Mapping[Language, str]

PREDICATES: Mapping[str, Words] = {
    "police_contact": {"nl": "kwamen er| in contact met de politie", "en": "came into contact with the police"},
    "justice_contact": {
        "nl": "kwamen er| in contact met politie of justitie",
        "en": "came into contact with police or justice",
    },
    "conviction": {"nl": "werden er| veroordeeld", "en": "were convicted"},
    "arrest": {"nl": "werden er| aangehouden", "en": "were arrested"},
    "rearrest": {"nl": "werden er| opnieuw aangehouden", "en": "were arrested again"},
    "victim_registration": {"nl": "werden er| slachtoffer", "en": "became a victim"},
}
"""What persons with an event of this name did. An outcome narrowed by `where` uses its label instead."""

KINDS: Mapping[str, Words] = {
    "police_contact": {"nl": "contact met de politie", "en": "contact with the police"},
    "justice_contact": {"nl": "contact met politie of justitie", "en": "contact with police or justice"},
    "conviction": {"nl": "veroordeling", "en": "conviction"},
    "arrest": {"nl": "aanhouding", "en": "arrest"},
    "rearrest": {"nl": "nieuwe aanhouding", "en": "new arrest"},
    "serious": {"nl": "ernstig delict", "en": "serious offence"},
    "victim_registration": {"nl": "slachtofferschap", "en": "victimisation"},
}
"""Known outcomes and kinds of event."""

GATES: Mapping[str, tuple[Words, Words]] = {
    "size": ({"nl": "Aantal mensen", "en": "Number of people"},
             {"nl": "Zijn het er genoeg?", "en": "Are there enough of them?"}),
    "clusters": ({"nl": "Aantal groepen", "en": "Number of groups"},
                 {"nl": "Zijn er genoeg gezinnen of locaties?", "en": "Are there enough families or sites?"}),
    "time_zero": ({"nl": "Start van de telling", "en": "Start of the count"},
                  {"nl": "Begint de telling voor iedereen eerlijk?", "en": "Does the count start fairly for all?"}),
    "follow_up": ({"nl": "Lang genoeg gevolgd", "en": "Followed long enough"},
                  {"nl": "Is iedereen lang genoeg gevolgd?", "en": "Was everyone followed long enough?"}),
    "balance": ({"nl": "Vergelijkbare groepen", "en": "Comparable groups"},
                {"nl": "Lijken de groepen op elkaar?", "en": "Are the groups alike?"}),
    "overlap": ({"nl": "Overlap", "en": "Overlap"},
                {"nl": "Zijn er genoeg mensen die op elkaar lijken?", "en": "Are there enough people who are alike?"}),
    "placebo_period": ({"nl": "Periode vóór de start", "en": "Period before the start"},
                       {"nl": "Gingen de groepen vóór de start gelijk op?",
                        "en": "Did the groups go the same way before the start?"}),
    "negative_controls": ({"nl": "Uitkomsten zonder verband", "en": "Unrelated outcomes"},
                          {"nl": "Blijft gelijk wat gelijk moet blijven?", "en": "Does stay equal what should?"}),
    "peak_selection": ({"nl": "Gekozen op een piek", "en": "Chosen at a peak"},
                       {"nl": "Zou de daling er ook zonder programma zijn?",
                        "en": "Would the fall have come without the programme?"}),
    "power": ({"nl": "Kleinste zichtbare effect", "en": "Smallest visible effect"},
              {"nl": "Hoe klein mag een effect zijn om het te zien?", "en": "How small an effect could we see?"}),
    "pre_trends": ({"nl": "Verloop vooraf", "en": "Earlier trends"},
                   {"nl": "Was het verloop vooraf gelijk?", "en": "Were the earlier trends alike?"}),
    "spill_over": ({"nl": "Verplaatsing", "en": "Displacement"},
                   {"nl": "Verschuift het probleem naar de buren?", "en": "Does the problem move next door?"}),
    "autocorrelation": (
        {"nl": "Samenhang in de tijd", "en": "Likeness in time"},
        {"nl": "Lijkt elke periode op de vorige?", "en": "Is each period like the one before?"},
    ),
    "control": (
        {"nl": "Controlereeks", "en": "Control series"},
        {"nl": "Bleef het elders gelijk?", "en": "Did it stay the same elsewhere?"},
    ),
    "control_series": (
        {"nl": "Controlereeks", "en": "Control series"},
        {"nl": "Bleef het elders gelijk?", "en": "Did it stay the same elsewhere?"},
    ),
    "periods": (
        {"nl": "Aantal perioden", "en": "Number of periods"},
        {"nl": "Is er lang genoeg geteld?", "en": "Was it counted for long enough?"},
    ),
    "number_of_trials": ({"nl": "Aantal studies", "en": "Number of trials"},
                         {"nl": "Zijn er genoeg studies?", "en": "Are there enough trials?"}),
    "small_studies": ({"nl": "Kleine en grote studies", "en": "Small and large trials"},
                      {"nl": "Vertellen kleine studies hetzelfde als grote?",
                       "en": "Do small trials tell the same story as large ones?"}),
    "heterogeneity": ({"nl": "Verschillen tussen studies", "en": "Differences between studies"},
                      {"nl": "Wijzen de studies dezelfde kant op?", "en": "Do the studies agree?"}),
    "missing": ({"nl": "Ontbrekende gegevens", "en": "Missing data"},
                {"nl": "Is van genoeg mensen alles bekend?", "en": "Is everything known of enough people?"}),
    "pairs": ({"nl": "Hele paren", "en": "Whole pairs"},
              {"nl": "Zijn van elk paar beide personen te volgen?", "en": "Can both of each pair be followed?"}),
    "linkage": ({"nl": "Gevonden in de bron", "en": "Found in the source"},
                {"nl": "Is van beide groepen een even groot deel gevonden?",
                 "en": "Was as much of both groups found?"}),
    "immortal_time": ({"nl": "Vanaf de eigen start", "en": "From one's own start"},
                      {"nl": "Maakt het uit vanaf welke dag wij tellen?",
                       "en": "Does it matter from which day we count?"}),
    "expected_drop": ({"nl": "Daling die vanzelf komt", "en": "The fall that comes anyway"},
                      {"nl": "Hoeveel zou er ook zonder programma dalen?",
                       "en": "How much would have fallen without the programme?"}),
    "agreement": ({"nl": "Andere manieren van rekenen", "en": "Other ways of calculating"},
                  {"nl": "Geven andere manieren hetzelfde antwoord?", "en": "Do other ways give the same answer?"}),
    "looks": ({"nl": "Vaker kijken", "en": "Repeated looks"},
              {"nl": "Is de marge ruim genoeg voor elk kwartaal?",
               "en": "Is the margin wide enough for every quarter?"}),
}  # fmt: skip
"""Name and question of every gate."""

STATUS: Mapping[str, Words] = {
    "passed": {"nl": "in orde", "en": "passed"},
    "warned": {"nl": "let op", "en": "take care"},
    "failed": {"nl": "niet in orde", "en": "failed"},
    "too_few": {"nl": "te weinig", "en": "too few"},
    "not_evaluated": {"nl": "niet mogelijk", "en": "not possible"},
    "not_applicable": {"nl": "niet van toepassing", "en": "does not apply"},
    "not_run": {"nl": "niet gedaan", "en": "not run"},
}
"""The status of a gate in words."""

RULINGS: Mapping[str, Words] = {
    "supported": {"nl": "klopt met de cijfers", "en": "supported"},
    "weaker_than_claimed": {"nl": "zwakker dan beweerd", "en": "weaker than claimed"},
    "not_established": {"nl": "niet aangetoond", "en": "not established"},
    "contradicted": {"nl": "in strijd met de cijfers", "en": "contradicted"},
    "cannot_be_tested": {"nl": "niet te toetsen", "en": "cannot be tested"},
}
"""The ruling on a claim in words."""

DESIGNS: Mapping[str, Words] = {name: shape.words for name, shape in SHAPES.items()}
"""What the design compares."""

MEASURES: Mapping[str, Words] = {
    "risk_ratio": {"nl": "kans (verhouding)", "en": "risk ratio"},
    "rate_ratio": {"nl": "aantal per jaar (verhouding)", "en": "rate ratio"},
    "hazard_ratio": {"nl": "tempo (hazard ratio)", "en": "hazard ratio"},
    "odds_ratio": {"nl": "odds ratio", "en": "odds ratio"},
    "ratio_of_rate_ratios": {"nl": "verandering (verhouding)", "en": "ratio of changes"},
    "risk_difference": {"nl": "verschil in kans", "en": "risk difference"},
    "rate_difference": {"nl": "verschil per jaar", "en": "rate difference"},
    "mean_difference": {"nl": "verschil in gemiddelde", "en": "mean difference"},
    "percent_change": {"nl": "verandering in procenten", "en": "percent change"},
    "level_ratio": {"nl": "niveau (verhouding)", "en": "level ratio"},
    "slope_ratio": {"nl": "helling (verhouding)", "en": "slope ratio"},
}
"""What is estimated."""

ANALYSES: Mapping[str, Words] = {
    "primary": {"nl": "hoofdvraag", "en": "primary"},
    "secondary": {"nl": "nevenvraag", "en": "secondary"},
    "unadjusted": {"nl": "zonder correctie", "en": "unadjusted"},
    "sensitivity": {"nl": "andere methode", "en": "sensitivity"},
    "placebo": {"nl": "vóór de start", "en": "placebo"},
    "negative_control": {"nl": "controle-uitkomst", "en": "negative control"},
    "subgroup": {"nl": "deelgroep", "en": "subgroup"},
    "event_study": {"nl": "per periode", "en": "event study"},
}
"""The place of a row in the study."""


def outcome_label(plan: Plan, name: str) -> Words:
    """Return an outcome's label: the plan's, else a known one, else its name in words."""
    outcome = plan.outcomes.get(name)
    if outcome is not None and outcome.label is not None:
        return {"nl": outcome.label.nl, "en": outcome.label.en}
    if name in KINDS:
        return KINDS[name]
    words = name.replace("_", " ")
    return {"nl": words, "en": words}


def outcome_predicate(plan: Plan, name: str) -> Words:
    """Return what persons with the outcome did; empty where only the label is known."""
    outcome = plan.outcomes.get(name)
    if outcome is None or outcome.where or not outcome.event:
        return {}
    return PREDICATES.get(outcome.event, {})


def gate_words(gate: str, status: str, language: Language) -> str:
    """Return a gate's status in words; too few is told apart from other failures."""
    key = "too_few" if status == "failed" and gate in {"size", "clusters"} else status
    return STATUS[key][language]


_OTHERWISE: Mapping[tuple[str, str], tuple[Words, Words]] = {
    ("area", "clusters"): (
        {"nl": "Aantal gebieden", "en": "Number of areas"},
        {"nl": "Zijn er genoeg gebieden?", "en": "Are there enough areas?"},
    ),
    ("area", "balance"): (
        {"nl": "Vergelijkbare gebieden", "en": "Comparable areas"},
        {"nl": "Lijken de gebieden op elkaar?", "en": "Are the areas alike?"},
    ),
    ("area", "pre_trends"): (
        {"nl": "Verloop vooraf", "en": "Earlier trends"},
        {"nl": "Gingen de gebieden vóór de start gelijk op?", "en": "Did the areas go the same way before the start?"},
    ),
    ("period", "placebo_period"): (
        {"nl": "Proefstart", "en": "Pretended start"},
        {"nl": "Springt de reeks ook zonder programma?", "en": "Does the series jump without the programme too?"},
    ),
    ("period", "pre_trends"): (
        {"nl": "Verloop vooraf", "en": "Earlier trend"},
        {"nl": "Was er al een knik vóór de start?", "en": "Was there a bend before the start already?"},
    ),
}
"""Name and question of a gate that asks something else of areas, or of a series."""


def gate_name(gate: str, language: Language, unit: str = "person") -> str:
    """Return a gate's name in words."""
    if (unit, gate) in _OTHERWISE:
        return _OTHERWISE[unit, gate][0][language]
    return GATES[gate][0][language] if gate in GATES else gate.replace("_", " ").capitalize()


def gate_question(gate: str, language: Language, unit: str = "person") -> str:
    """Return the question that a gate answers; empty for one without."""
    if (unit, gate) in _OTHERWISE:
        return _OTHERWISE[unit, gate][1][language]
    return GATES[gate][1][language] if gate in GATES else ""
