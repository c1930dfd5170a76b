"""The page's fixed texts in Dutch (B1) and English: headings, explanations, table heads.

Here: words that depend on nothing. Not here: sentences with figures (`effectmeter.sentences`).
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.sentences import Language
from effectmeter.shapes import Unit
from reports.unit_texts import OTHERWISE, UNIT_TEXTS

TEXTS: Mapping[str, Mapping[Language, str]] = {
    **UNIT_TEXTS,
    "report": {"nl": "Effectrapport", "en": "Effect report"},
    "edition": {"nl": "uitgave", "en": "edition"},
    "until": {"nl": "gegevens tot en met", "en": "data up to"},
    "skip": {"nl": "Naar de inhoud", "en": "Skip to content"},
    "contents": {"nl": "Inhoud", "en": "Contents"},
    "question": {"nl": "De vraag", "en": "The question"},
    "answer": {"nl": "Het antwoord", "en": "The answer"},
    "concept_mark": {
        "nl": "CONCEPT: nog niet goedgekeurd door een tweede persoon",
        "en": "CONCEPT: not yet approved by a second person",
    },
    "approved_by": {"nl": "Goedgekeurd door {} op {}.", "en": "Approved by {} on {}."},
    "last_approved": {"nl": "Laatst goedgekeurd", "en": "Last approved"},
    "never_approved": {"nl": "nog geen uitgave", "en": "no edition yet"},
    "older": {
        "nl": "Deze cijfers zijn van {}. Nieuwere cijfers volgen zodra er meer mensen bij zijn gekomen.",
        "en": "These figures are of {}. Newer ones follow once more people have joined, to protect privacy.",
    },
    "synthetic_mark": {"nl": "SYNTHETIC: verzonnen gegevens", "en": "SYNTHETIC: made-up data"},
    "with_programme": {"nl": "Met het programma", "en": "With the programme"},
    "without_programme": {"nl": "Zonder het programma", "en": "Without the programme"},
    "estimated": {"nl": "geschat", "en": "estimated"},
    "of_every": {"nl": "van elke {}", "en": "of every {}"},
    "margin": {"nl": "marge", "en": "margin"},
    "interval_explained": {
        "nl": "Tussen haakjes staat de marge, het 95 %-interval. Bij herhaling van het onderzoek bevat zo'n marge "
        "in 95 van de 100 keer de echte waarde.",
        "en": "The range in brackets is the 95 % interval. If the study were repeated, such a range would hold "
        "the true value 95 times in 100.",
    },
    "looks_explained": {
        "nl": "De stippellijn is een ruimere marge. Die houdt ook stand als we elk kwartaal kijken. "
        "Ons oordeel volgt die.",
        "en": "The dotted line is a wider range. It also holds when we look every quarter. "
        "Our verdict follows that one.",
    },
    "strength": {"nl": "Hoe sterk is het bewijs?", "en": "How strong is the evidence?"},
    "strength_of": {"nl": "{} van 5", "en": "{} of 5"},
    "strength_hidden": {"nl": "; maar er is nu geen cijfer", "en": "; but there is no figure now"},
    "strength_note": {
        "nl": "Dit zegt hoe goed we kunnen vergelijken (schaal van Maryland). Het zegt niet hoe groot het effect is.",
        "en": "This says how well we can compare (Maryland scale). It does not say how large the effect is.",
    },
    "settle": {"nl": "Wat is er nodig voor een oordeel?", "en": "What would settle it?"},
    "why_not": {"nl": "Waarom niet?", "en": "Why not?"},
    "people": {"nl": "Over hoeveel mensen gaat dit?", "en": "How many people is this about?"},
    "people_note": {
        "nl": "Aantallen zijn afgerond op {}. Minder dan {} mensen tonen we niet. Zo is niemand te herkennen.",
        "en": "Numbers are rounded to {}. Fewer than {} people are not shown. So nobody can be recognised.",
    },
    "delivered": {"nl": "Aangeleverd", "en": "Delivered"},
    "analysed": {"nl": "Geteld in het onderzoek", "en": "Counted in the study"},
    "families": {"nl": "gezinnen", "en": "families"},
    "persons": {"nl": "mensen", "en": "people"},
    "lost": {"nl": "vallen af", "en": "leave out"},
    "nobody_lost": {"nl": "Niemand valt af.", "en": "Nobody is left out."},
    "participants": {"nl": "Deelnemers", "en": "Participants"},
    "comparison": {"nl": "Vergelijkingsgroep", "en": "Comparison group"},
    "everyone": {"nl": "Iedereen", "en": "Everyone"},
    "say": {"nl": "Wat kunt u zeggen?", "en": "What can you say?"},
    "can": {"nl": "Dit kunt u zeggen", "en": "You can say"},
    "cannot": {"nl": "Dit kunt u niet zeggen", "en": "You cannot say"},
    "claims": {"nl": "Uitspraken op de proef", "en": "Claims put to the test"},
    "claims_note": {
        "nl": "Dit is eerder in het openbaar over het programma gezegd.",
        "en": "This has been said in public about the programme.",
    },
    "steps": {"nl": "Wat is nu te doen?", "en": "What is to be done now?"},
    "source": {"nl": "Bron", "en": "Source"},
    "effects": {"nl": "Alle uitkomsten", "en": "All outcomes"},
    "effects_note": {
        "nl": "Elk blokje is een verhouding. Links van de lijn is er minder met het programma, rechts meer. "
        "Raakt de streep de lijn bij 1, dan kan het verschil toeval zijn.",
        "en": "Each square is a ratio. Left of the line there is less with the programme, right of it more. "
        "Where the bar touches the line at 1, the difference may be chance.",
    },
    "methods": {"nl": "Dezelfde vraag, anders berekend", "en": "The same question, computed differently"},
    "methods_note": {
        "nl": "Verandert het antwoord met een andere methode? Dan is het minder zeker.",
        "en": "Does the answer change with another method? Then it is less certain.",
    },
    "calendar_time": {"nl": "in kalendertijd", "en": "in calendar time"},
    "other_measure": {"nl": "Andere maat: {}", "en": "Other measure: {}"},
    "other_estimand": {"nl": "Voor een andere groep ({})", "en": "For another group ({})"},
    "other_estimator": {"nl": "Ander model ({})", "en": "Other model ({})"},
    "other_variance": {"nl": "Andere foutmarge ({})", "en": "Other error ({})"},
    "other_weighting": {"nl": "Andere weging", "en": "Other weighting"},
    "subgroups": {"nl": "Deelgroepen", "en": "Subgroups"},
    "subgroups_note": {
        "nl": "Dit is verkennend: verschillen tussen deelgroepen zijn snel toeval.",
        "en": "This explores: differences between subgroups are soon chance.",
    },
    "less": {"nl": "minder", "en": "less"},
    "more": {"nl": "meer", "en": "more"},
    "clear_of_one": {
        "nl": "bij {} van de {} ligt de hele marge aan één kant van 1",
        "en": "at {} of {} the whole range lies on one side of 1",
    },
    "curve_finding": {
        "nl": "{}, minstens één keer in {} maanden: {}",
        "en": "{}, at least once in {} months: {}",
    },
    "areas_too_different": {
        "nl": "lijken te weinig op de gebieden met het programma",
        "en": "are too little like the areas with the programme",
    },
    "areas_not_comparable": {
        "nl": "hebben niet genoeg cijfers van vóór of na de start om mee te tellen",
        "en": "have too few figures from before or after the start to count",
    },
    "balance_finding": {
        "nl": "Het grootste verschil na weging is {} ({})",
        "en": "The largest difference after weighting is {} ({})",
    },
    "overlap": {
        "nl": "Per kans om mee te doen: welk deel van elke groep die kans had",
        "en": "For each chance to take part: which share of each group had it",
    },
    "overlap_finding": {
        "nl": "Voor ongeveer {} van de 100 deelnemers zijn er mensen om mee te vergelijken",
        "en": "For about {} of 100 participants there are people to compare with",
    },
    "overlap_note": {
        "nl": "Kleine aantallen tonen we niet. Staat er boven wel iets en onder niets? Dan is daar geen vergelijking.",
        "en": "Small numbers are not shown. Something above and nothing below? Then there is no comparison there.",
    },
    "overlap_x": {"nl": "kans om mee te doen", "en": "chance to take part"},
    "overlap_y": {"nl": "procent van de groep", "en": "percent of the group"},
    "flow_finding": {"nl": "Geteld van wie is aangeleverd: {}", "en": "Counted of those delivered: {}"},
    "left_after": {"nl": "over na:", "en": "left after:"},
    "reason": {"nl": "reden", "en": "reason"},
    "before_step": {"nl": "vóór deze stap", "en": "before this step"},
    "lost_here": {"nl": "vallen af", "en": "leave out"},
    "left_over": {"nl": "over", "en": "left"},
    "funnel": {
        "nl": "Elke stip is een studie; boven staan de grootste. Het gemiddelde is {}.",
        "en": "Each dot is a study; the largest stand at the top. The mean is {}.",
    },
    "funnel_finding": {
        "nl": "Ontbreken er studies? Van de {} liggen er {} onder het gemiddelde en {} erboven",
        "en": "Are studies missing? Of {} studies, {} lie below the mean and {} above",
    },
    "funnel_y": {"nl": "standaardfout", "en": "standard error"},
    "funnel_note": {
        "nl": "Tussen de streepjeslijnen valt 95 van de 100 studies als alleen toeval verschil maakt. "
        "Is één hoek onderin leeg? Dan zijn er misschien studies niet gepubliceerd.",
        "en": "Between the dashed lines lie 95 of 100 studies if only chance makes a difference. "
        "Is one corner at the foot empty? Then studies may have stayed unpublished.",
    },
    "funnel_few": {
        "nl": "Met minder dan tien studies zegt deze vorm weinig.",
        "en": "With fewer than ten studies this shape says little.",
    },
    "table_of": {"nl": "Tabel", "en": "Table"},
    "one_outcome": {"nl": "Kies een figuur", "en": "Choose a picture"},
    "all_of_them": {"nl": "Alle", "en": "All"},
    "table_behind": {"nl": "De cijfers bij deze figuur", "en": "The figures behind this picture"},
    "curves": {"nl": "Het verloop in de tijd", "en": "The course over time"},
    "curve_title": {"nl": "{}: aandeel dat dit minstens één keer had", "en": "{}: share who had it at least once"},
    "curve_note": {
        "nl": "Elke stap staat voor minstens {} mensen; daartussen is de lijn doorgetrokken.",
        "en": "Each step stands for at least {} people; in between, the line is drawn through.",
    },
    "y_percent": {"nl": "procent", "en": "percent"},
    "x_months": {"nl": "maanden na de start", "en": "months after the start"},
    "x_days": {"nl": "dag", "en": "day"},
    "at_risk": {"nl": "nog zonder, en gevolgd", "en": "still without, and followed"},
    "share": {"nl": "aandeel", "en": "share"},
    "arm": {"nl": "groep", "en": "group"},
    "trust": {"nl": "Kunnen we dit vertrouwen?", "en": "Can we trust it?"},
    "trust_note": {
        "nl": "We toetsen elk kwartaal of de vergelijking eerlijk is. "
        "Een toets die niet in orde is, verbergt het cijfer.",
        "en": "Every quarter we check that the comparison is fair. A check that fails hides the figure.",
    },
    "figure": {"nl": "gevonden", "en": "found"},
    "threshold": {"nl": "eis", "en": "asked"},
    "balance": {"nl": "Lijken de groepen op elkaar?", "en": "Are the groups alike?"},
    "balance_note": {
        "nl": "Binnen de grijze band (0,1) zijn de groepen vrijwel gelijk op dat kenmerk.",
        "en": "Inside the grey band (0.1) the groups are nearly equal on that characteristic.",
    },
    "balance_x": {"nl": "verschil, in standaarddeviaties", "en": "difference, in standard deviations"},
    "before_weighting": {"nl": "vóór weging", "en": "before weighting"},
    "after_weighting": {"nl": "na weging", "en": "after weighting"},
    "e_value": {
        "nl": "Kan iets anders dit verklaren? Alleen iets dat {0} keer zo vaak voorkomt bij deelnemers én de uitkomst "
        "{0} keer zo groot maakt (de E-waarde). Voor de grens van de marge is dat {1}.",
        "en": "Could something else explain this? Only something that goes with both taking part and the outcome by a "
        "ratio of {0} each (the E-value). For the limit of the range it is {1}.",
    },
    "no_effect": {"nl": "Wat was er ook zonder effect gebeurd?", "en": "What would have happened anyway?"},
    "no_effect_note": {
        "nl": "Gezinnen of personen komen vaak in een programma als het het slechtst gaat. "
        "Daarna daalt het meestal vanzelf. Daarom tellen we ook bij een groep zonder programma. "
        "Die groep is op dezelfde manier gekozen.",
        "en": "Families or persons often enter a programme when things are worst. "
        "After that it mostly falls by itself. So we also count in a group without the programme, "
        "chosen in the same way.",
    },
    "ratio": {"nl": "verhouding", "en": "ratio"},
    "raw_change": {"nl": "verandering na de start", "en": "change after the start"},
    "what_remains": {
        "nl": "Wat overblijft: {} keer zo veel als verwacht ({}). Bij 1 is er geen effect.",
        "en": "What remains: {} times as much as expected ({}). At 1 there is no effect.",
    },
    "since": {"nl": "Wat is er veranderd sinds de vorige uitgave?", "en": "What changed since the last edition?"},
    "quality": {"nl": "Hoe goed zijn de gegevens?", "en": "How good are the data?"},
    "quality_all": {
        "nl": "Alle {} controles zijn in orde.",
        "en": "All {} checks passed.",
    },
    "quality_some": {
        "nl": "{} van de {} controles zijn in orde. Hieronder staat wat er is opgevallen.",
        "en": "{} of {} checks passed. Below is what stood out.",
    },
    "all_checks": {"nl": "Alle controles", "en": "All checks"},
    "own_check": {
        "nl": "De eigen controle ‘{}’ op {} is in orde.",
        "en": "Your own check ‘{}’ of {} is in order.",
    },
    "check": {"nl": "controle", "en": "check"},
    "result": {"nl": "uitkomst", "en": "result"},
    "advice": {"nl": "wat te doen", "en": "what to do"},
    "okay": {"nl": "in orde", "en": "passed"},
    "not_okay": {"nl": "let op", "en": "take care"},
    "research": {"nl": "Voor onderzoekers", "en": "For researchers"},
    "method": {"nl": "Opzet", "en": "Design"},
    "estimand": {"nl": "Schatting voor (estimand)", "en": "Estimand"},
    "estimator": {"nl": "Schatter en fout", "en": "Estimator and error"},
    "covariates": {"nl": "Gecorrigeerd voor", "en": "Adjusted for"},
    "weighting": {"nl": "Weging", "en": "Weighting"},
    "looks": {"nl": "Kwartaalmetingen", "en": "Quarterly looks"},
    "window": {"nl": "Gevolgd gedurende", "en": "Followed for"},
    "waiting": {"nl": "Wachttijd voor beslissingen", "en": "Waiting time for decisions"},
    "months": {"nl": "{} maanden", "en": "{} months"},
    "plan_hash": {"nl": "Plan (sha256)", "en": "Plan (sha256)"},
    "plan_first": {"nl": "Plan voor het eerst op uitkomsten gebruikt", "en": "Plan first used on outcomes"},
    "plan_changed": {"nl": "Plan daarna gewijzigd", "en": "Plan changed since"},
    "recomputed": {"nl": "Opnieuw berekend", "en": "Computed again"},
    "data_hash": {"nl": "Levering (sha256)", "en": "Delivery (sha256)"},
    "code_hash": {"nl": "Code (sha256)", "en": "Code (sha256)"},
    "lock_hash": {"nl": "Vastgelegde versies (sha256)", "en": "Lock file (sha256)"},
    "versions": {"nl": "Versies", "en": "Versions"},
    "rules": {"nl": "Regels tegen herkenning", "en": "Disclosure rules"},
    "rules_text": {
        "nl": "minstens {} personen en {} gezinnen per cel; afgerond op {}; {} rijen met iets verborgen",
        "en": "at least {} persons and {} families a cell; rounded to {}; {} rows with something masked",
    },
    "rules_reason": {"nl": "Reden voor ruimere regels", "en": "Reason for looser rules"},
    "all_rows": {"nl": "Alle schattingen", "en": "All estimates"},
    "files": {
        "nl": "Naast dit rapport staan effects.csv, effects.parquet, effects.xlsx en passport.json. "
        "De map tables bevat de tabellen.",
        "en": "Beside this report stand effects.csv, effects.parquet, effects.xlsx and passport.json. "
        "The folder tables holds the tables.",
    },
    "outcome": {"nl": "uitkomst", "en": "outcome"},
    "measure": {"nl": "maat", "en": "measure"},
    "analysis": {"nl": "analyse", "en": "analysis"},
    "estimate": {"nl": "schatting", "en": "estimate"},
    "interval": {"nl": "95 %-interval", "en": "95 % interval"},
    "interval_looks": {"nl": "over alle kwartalen", "en": "over all quarters"},
    "difference_per_100": {"nl": "verschil per 100", "en": "difference per 100"},
    "n": {"nl": "aantal", "en": "number"},
    "p_value": {"nl": "p", "en": "p"},
    "shown_or_not": {"nl": "getoond?", "en": "shown?"},
    "shown": {"nl": "ja", "en": "yes"},
    "hidden": {"nl": "verborgen", "en": "hidden"},
    "suppressed": {"nl": "verborgen (privacy)", "en": "masked (privacy)"},
    "not_estimable": {"nl": "niet te berekenen", "en": "not estimable"},
    "term": {"nl": "kenmerk", "en": "characteristic"},
    "made_by": {
        "nl": "Gemaakt met Effectmeter. Alle cijfers zijn gecontroleerd op herkenbaarheid.",
        "en": "Made with Effectmeter. Every figure has passed disclosure control.",
    },
    "portfolio": {"nl": "Alle programma's", "en": "All programmes"},
    "portfolio_note": {
        "nl": "Per programma de nieuwste uitgave. De volgorde is alfabetisch: dit is geen ranglijst.",
        "en": "The newest edition per programme, in alphabetical order: this is no ranking.",
    },
    "overview": {"nl": "Alle programma's naast elkaar", "en": "All programmes side by side"},
    "programme": {"nl": "programma", "en": "programme"},
    "programmes": {"nl": "Hoofdcijfer per programma", "en": "Primary figure per programme"},
    "history": {"nl": "{}: wat elke uitgave zei", "en": "{}: what each edition said"},
    "history_own": {"nl": "Wat elke uitgave zei", "en": "What each edition said"},
    "history_finding": {
        "nl": "bij {} van de {} ligt de ruimste marge aan één kant van 1",
        "en": "at {} of {} the wider range lies on one side of 1",
    },
    "history_note": {
        "nl": "Elk blokje is het hoofdcijfer van een uitgave. De streep is de marge, de stippellijn de ruimere marge.",
        "en": "Each square is the main figure of an edition. The bar is its range, the dotted line the wider range.",
    },
    "history_grey": {
        "nl": "Een grijs cijfer gaat over iets anders dan het laatste. Die twee zijn niet te vergelijken.",
        "en": "A grey figure is about something else than the last one. The two cannot be compared.",
    },
    "history_held": {
        "nl": "Een open blokje is het cijfer van een ander kwartaal.",
        "en": "An open square is the figure of another quarter.",
    },
    "edition_hidden": {"nl": "niet getoond", "en": "not shown"},
    "figure_of": {"nl": "cijfer van {}", "en": "figure of {}"},
    "changed_here": {"nl": "gewijzigd", "en": "changed"},
    "definition_changed": {"nl": "het cijfer gaat over iets anders", "en": "the figure is about something else"},
    "plan_changed_here": {"nl": "het analyseplan is gewijzigd", "en": "the analysis plan has changed"},
    "portfolio_forest_note": {
        "nl": "Elk programma meet iets anders. De volgorde zegt niets over wat beter is.",
        "en": "Each programme measures something else. The order says nothing about which is better.",
    },
    "none_drawn": {"nl": "Van {} is geen cijfer te tonen.", "en": "Of {} no figure can be shown."},
    "programmes_left": {"nl": "Getoond: {}", "en": "Shown: {}"},
    "evidence": {"nl": "sterkte van het bewijs", "en": "strength of the evidence"},
    "quarter": {"nl": "kwartaal", "en": "quarter"},
    "freshness": {"nl": "actueel?", "en": "up to date?"},
    "fresh": {"nl": "nieuwste kwartaal", "en": "newest quarter"},
    "stale": {"nl": "ouder", "en": "older"},
    "stalled": {
        "nl": "Sinds {} kon er geen nieuwere uitgave komen: {}. De laatste uitgave blijft staan.",
        "en": "Since {} no newer edition could be made: {}. The last edition stands.",
    },
    "marks": {"nl": "let op", "en": "take note"},
    "headline": {"nl": "het antwoord", "en": "the answer"},
    "as_workbook": {"nl": "Alle cijfers in Excel", "en": "All figures in Excel"},
    "book_note": {
        "nl": "Het blad 'effects' bevat elke vrijgegeven schatting. SYNTHETIC betekent: verzonnen gegevens.",
        "en": "The sheet 'effects' holds every cleared estimate. SYNTHETIC means: made-up data.",
    },
    "read_report": {"nl": "Lees het rapport", "en": "Read the report"},
    "other_language": {"nl": "English", "en": "Nederlands"},
    "reach": {"nl": "bereik", "en": "reach"},
    "primary_figure": {"nl": "hoofdcijfer", "en": "primary figure"},
    "page": {"nl": "pagina", "en": "page"},
    "picture_note": {
        "nl": "Elk poppetje is één van de honderd. De marge staat tussen haakjes: zo ver kan het cijfer er door toeval "
        "naast zitten. Lichte en gestippelde poppetjes vallen daarbinnen.",
        "en": "Each figure is one of a hundred. The range stands in brackets: so far may the figure be off by chance. "
        "Pale and dotted figures lie within it.",
    },
    "picture_rate": {
        "nl": "Aantal per jaar op elke {}: met en zonder het programma",
        "en": "Number a year for every {}: with and without the programme",
    },
    "picture_rate_note": {
        "nl": "De dunne streep is de marge: zo ver kan het cijfer er door toeval naast zitten.",
        "en": "The thin line is the range: so far may the figure be off by chance.",
    },
    "picture_ratio": {"nl": "Met het programma tegenover zonder", "en": "With the programme against without"},
    "picture_verdict": {
        "nl": "Twee velden van honderd poppetjes: met en zonder het programma",
        "en": "Two fields of a hundred figures: with and without the programme",
    },
}

STRENGTH: Mapping[int, Mapping[Language, str]] = {
    1: {"nl": "zeer zwak", "en": "very weak"},
    2: {"nl": "zwak: er is geen vergelijkingsgroep", "en": "weak: there is no comparison group"},
    3: {"nl": "redelijk: niet alle toetsen zijn in orde", "en": "fair: not every check passed"},
    4: {"nl": "goed: een eerlijke vergelijkingsgroep", "en": "good: a fair comparison group"},
    5: {"nl": "zeer sterk: het toeval bepaalde wie meedeed", "en": "very strong: chance decided who took part"},
}
"""The Maryland scale in words."""


def texts_of(unit: Unit, language: Language) -> dict[str, str]:
    """Return every fixed text for a report about such units."""
    return {key: words[language] for key, words in {**TEXTS, **OTHERWISE[unit]}.items()}


def text(key: str, language: Language, *values: object) -> str:
    """Return a fixed text, with its blanks filled in order."""
    found = TEXTS[key][language]
    return found.format(*values) if values else found
