"""The figures and thresholds of gates and checks in Dutch: they are made in English, as the contract has them.

Here: whole phrases first, then common words. Not here: sentences, which gates write in both languages themselves. A
text that cannot be put in Dutch altogether stays English: half of each is worse than either.
"""

from __future__ import annotations

import re

from effectmeter.sentences import Language

_PHRASES: tuple[tuple[str, str], ...] = (
    (r"one time zero per person", "één startmoment per persoon"),
    (r"none missing", "niets ontbreekt"),
    (r"missing\.max_share of the plan per characteristic; outcomes (\d+ %); arms within (\d+) points",
     r"per kenmerk hoogstens het deel in het plan; uitkomsten \1; groepen hoogstens \2 procentpunt uiteen"),
    (r"([\d.<> ]+ %) and ([\d.<> ]+ %) without '([^']+)'", r"\1 en \2 zonder '\3'"),
    (r"largest SMD ([\d.]+) over (\d+) terms; (\d+) effective areas for (\d+) treated",
     r"grootste SMD \1 over \2 kenmerken; \3 effectieve gebieden bij \4 deelnemende"),
    (r"largest SMD ([\d.]+) over (\d+) terms", r"grootste SMD \1 over \2 kenmerken"),
    (r"correlation of neighbouring periods < ([\d.]+) \(([\d.]+) where the plan ignores it\), and the interval "
     r"< ([\d.]+) times as wide for it; never fails",
     r"samenhang van opeenvolgende perioden < \1 (\2 als het plan die negeert), en de marge daardoor < \3 keer zo "
     r"breed; keurt nooit af"),
    (r"interval ([\d.]+) times as wide", r"marge \1 keer zo breed"),
    (r"`linked` not delivered", "niet aangeleverd wie is gevonden"),
    (r"linked shares within (\d+) points; > (\d+) fails",
     r"verschil in gevonden hoogstens \1 procentpunt; > \2 keurt af"),
    (r"([\d.<> ]+ %) and ([\d.<> ]+ %) linked", r"\1 en \2 gevonden"),
    (r"in favour at 5 %: (\d+) where ([\d.]+) were to be expected", r"gunstig bij 5 %: \1, te verwachten \2"),
    (r"p >= ([\d.]+), (?:or )?of too much good news p >= ([\d.]+), from (\d+) trials on; never fails",
     r"p >= \1, bij te veel goed nieuws p >= \2, vanaf \3 studies; keurt nooit af"),
    (r"([\d.]+) from time zero, ([\d.]+) from the start of participation",
     r"\1 vanaf de start van de telling, \2 vanaf de eerste dag"),
    (r">= (\d+) periods before and (\d+) after, and a year on both sides where there is a season; "
     r"< (\d+) before or < (\d+) after fails",
     r">= \1 perioden vóór de start en \2 erna, en een jaar aan beide kanten bij een seizoen; "
     r"< \3 ervóór of < \4 erna keurt af"),
    (r">= (\d+ %) of the pairs whole; never fails", r">= \1 van de paren is heel; keurt nooit af"),
    (r"(\S+) of (\S+) pairs whole; (.+) without the comparison person, (.+) without the treated person, "
     r"(.+) without both, (.+) no pairs of two",
     r"\1 van \2 paren heel; \3 zonder vergelijking, \4 zonder deelnemer, \5 zonder beiden, \6 geen tweetal"),
    (r"no pairs delivered", "geen paren aangeleverd"),
    (r"(\d+) before, (\d+) after, ([\d.]+ %) missing", r"\1 vóór, \2 na, \3 ontbreekt"),
    (r"(\d+) before, (\d+) after", r"\1 vóór, \2 na"),
    (r"correlation of neighbouring periods < ([\d.]+) \(([\d.]+) where the plan ignores it\); never fails",
     r"samenhang van opeenvolgende perioden < \1 (\2 als het plan die negeert); keurt nooit af"),
    (r"the control's own level ratio holds 1, or lies within ([\d.]+)-([\d.]+)",
     r"de marge van de controlereeks bevat 1, of de schatting ligt tussen \1 en \2"),
    (r"control ([\d.]+ \([\d.]+-[\d.]+\))", r"controlereeks \1"),
    (r"bend at the start", "knik bij de start"),
    (r"no bend before the start", "geen knik vóór de start"),
    (r"the worst of (\d+)", r"de slechtste van \1"),
    (r"no difference before the start \(joint test, p >= ([\d.]+)\)",
     r"geen verschil vóór de start (één toets, p >= \1)"),
    (r"the nearest ring does not differ from areas far away; never fails",
     "de dichtste ring verschilt niet van gebieden ver weg; keurt nooit af"),
    (r">= (\d+) treated and comparison areas; < (\d+) fails",
     r">= \1 gebieden met en zonder programma; < \2 keurt af"),
    (r">= (\d+); < (\d+) fails for methods with a spread between trials; 1 fails",
     r">= \1; < \2 keurt methoden af die met verschillen rekenen; 1 keurt af"),
    (r"I2 < (\d+ %) and, for ratios, tau < ([\d.]+); never fails",
     r"I2 < \1 en, bij verhoudingen, tau < \2; keurt nooit af"),
    (r"p >= ([\d.]+) from (\d+) trials on; never fails", r"p >= \1, vanaf \2 studies; keurt nooit af"),
    (r"(Q [\d.]+) on (\d+)", r"\1 bij \2"),
    (r"slope", "helling"),
    (r"same direction, and inside the interval or within a factor ([\d.]+); never fails",
     r"dezelfde kant op, en binnen de marge of binnen een factor \1; keurt nooit af"),
    (r"inside the interval, or within a factor ([\d.]+); never fails",
     r"binnen de marge, of binnen een factor \1; keurt nooit af"),
    (r"(\d+) of (\d+) agree; estimates ([\d.]+) to ([\d.]+)", r"\1 van \2 eens; schattingen \3 tot \4"),
    (r"false alarms over all looks together at most (\d+ %); never fails",
     r"vals alarm over alle keren samen hoogstens \1; keurt nooit af"),
    (r"looks? (\d+) of (\d+); (\d+ %) of the budget", r"keer \1 van \2; \3 van het budget"),
    (r"look (\d+); (\d+ %) of the budget", r"keer \1; \2 van het budget"),
    (r"look (\d+)", r"keer \1"),
    (r"one of (\d+) looks", r"één van \1 keer"),
    (r"linked shares within (\d+) points", r"verschil in gevonden hoogstens \1 procentpunt"),
    (r"the change is lower than expected without effect, beyond chance, by every source; never fails",
     "de verandering is groter dan verwacht zonder effect, bij elke bron; keurt nooit af"),
    (r"change ([\d.]+); expected without effect ", r"verandering \1; verwacht zonder effect "),
    (r"^change ([\d.]+)$", r"verandering \1"),
    (r"\(comparison families\)", "(gezinnen om mee te vergelijken)"),
    (r"\(the period before\)", "(de periode daarvoor)"),
    (r"\(the plan's reference\)", "(cijfers in het plan)"),
    (r"(\d+) treated and (\d+) comparison areas", r"\1 gebieden met en \2 zonder programma"),
    (r"joint p = ([\d.]+) over (\d+) pieces", r"samen p = \1 over \2 delen"),
    (r"differences up to ([\d.]+ %) not ruled out", r"verschillen tot \1 niet uit te sluiten"),
    (r"any number of looks", "zo vaak kijken als nodig"),
    (r"effective comparison (?:areas|group) >= (\d+ %) of the (?:treated|treated n|participants), < (\d+ %) fails",
     r"effectieve vergelijking >= \1 van de deelnemende, < \2 keurt af"),
    (r"SMD < ([\d.]+) after weighting, > ([\d.]+) fails", r"SMD < \1 na weging, > \2 keurt af"),
    (r"ring (\d+): ", r"ring \1: "),
    (r"no control series", "geen controlereeks"),
    (r"no comparison group", "geen vergelijkingsgroep"),
    (r"one period before the start", "één periode vóór de start"),
    (r"(\d+) periods to compare", r"\1 perioden om te vergelijken"),
    (r"smallest detectable difference", "kleinste zichtbare verschil"),
    (r"largest pre-period deviation", "grootste afwijking vooraf"),
)  # fmt: skip

_DUTCH = {
    "smallest detectable ratio": "kleinste zichtbare verhouding",
    "largest SMD": "grootste SMD",
    "effective comparison group": "effectieve vergelijkingsgroep",
    "of the comparison group": "van de vergelijkingsgroep",
    "of the participants": "van de deelnemers",
    "no difference beyond chance": "geen verschil groter dan toeval",
    "short follow-up has its expected events": "kort gevolgden hebben de verwachte voorvallen",
    "short follow-up": "kort gevolgd",
    "complete per arm": "volledig per groep",
    "interval holds 1": "de marge bevat 1",
    "or estimate within": "of schatting tussen",
    "same course before the start": "hetzelfde verloop vóór de start",
    "at preference score": "met voorkeursscore",
    "events before the start of participation as expected": "voorvallen vóór de deelname zoals verwacht",
    "started after time zero": "begonnen na de start van de telling",
    "after weighting": "na weging",
    "in both arms": "in beide groepen",
    "of both arms": "van beide groepen",
    "of participants": "van de deelnemers",
    "participants": "deelnemers",
    "never fails": "keurt nooit af",
    "fails": "keurt af",
    "warns": "geeft een waarschuwing",
    "persons": "personen",
    "areas": "gebieden",
    "trials": "studies",
    "periods": "perioden",
    "left out": "weggelaten",
    "the worst of": "de slechtste van",
    "bend at the start": "knik bij de start",
    "no bend before the start": "geen knik vóór de start",
    "no control series": "geen controlereeks",
    "slope": "helling",
    "agree": "zijn het eens",
    "estimates": "schattingen",
    "of the budget": "van het budget",
    "clusters": "groepen",
    "complete": "volledig",
    "expected": "verwacht",
    "events": "voorvallen",
    "outcomes": "uitkomsten",
    "not all rows empty": "niet alle rijen leeg",
    "rows empty": "lege rijen",
    "rows outside": "rijen erbuiten",
    "arms empty": "lege groepen",
    "rows": "rijen",
    "row": "rij",
    "none": "geen",
    "or within": "of tussen",
    "before the start": "vóór de start",
    "from 5 outcomes on": "vanaf 5 uitkomsten",
    "and": "en",
    "of": "van",
    "for": "voor",
    "or": "of",
}
"""The words of gates' figures and thresholds."""

_ENGLISH = "|".join(rf"(?<!\w){re.escape(words)}(?!\w)" for words in sorted(_DUTCH, key=len, reverse=True))
_ONLY_ENGLISH = re.compile(
    r"\b(?:the|and|or|with|without|where|within|before|after|to|on|at|by|from|least|most|both|side|sides|year|years|"
    r"estimate|interval|areas|periods|trials|persons|holds?|lies|plan|row|rows|per arm|shares?|than|does|did|not|"
    r"missing|treated|comparison|pieces|looks|control|level|period|ratio holds)\b",
    re.IGNORECASE,
)


def local(figure: str, language: Language) -> str:
    """Return a gate's or a check's figure in the reader's language, with decimal commas.

    Examples
    --------
    >>> local(">= 60 in both arms; < 30 fails", "nl"), local("3.5 of the moon", "nl"), local("rho 0.15", "nl")
    ('>= 60 in beide groepen; < 30 keurt af', '3,5 of the moon', 'rho 0,15')
    """
    if language == "en":
        return figure
    told = figure
    for phrase, dutch in _PHRASES:
        told = re.sub(phrase, dutch, told)
    # one pass: what has become Dutch is not taken for English again ("or" becomes "of", and "of" becomes "van")
    told = told if told != figure else re.sub(_ENGLISH, lambda found: _DUTCH[found[0]], told)
    if _ONLY_ENGLISH.search(told):
        told = figure
    return re.sub(r"(?<=\d)\.(?=\d)", ",", told)
