"""What happened to the persons of a delivery: events, absences, and counts where no events were delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from effectmeter.schema import STANDARD_TABLES
from expectations.rules import (
    Rule,
    Statement,
    Words,
    between,
    no_violations,
    not_before,
    quoted_table,
    reference_closed,
)

PERSONS, EVENTS, ABSENCES, COUNTS = (
    STANDARD_TABLES[name].storage for name in ("persons", "events", "absences", "person_counts")
)


def events_rules(reference_date: date) -> Iterator[Rule]:
    """Yield what must hold of events: of known persons, in time, once."""
    yield reference_closed(EVENTS, PERSONS, "person_id")
    yield between(
        "events_not_after_reference_date",
        EVENTS,
        "event_date",
        Words(
            en="No event happened after the quarter's last day.",
            nl="Geen gebeurtenis is van na de laatste dag van het kwartaal.",
            do_en="Refresh the quarter that this delivery belongs to, or ask for one cut off at the reference date.",
            do_nl="Ververs het kwartaal waar deze levering bij hoort, of vraag een levering tot de peildatum.",
        ),
        maximum=reference_date,
    )
    yield no_violations(
        "events_not_before_birth",
        EVENTS,
        Statement(
            "expectations/event_not_before_birth",
            ((EVENTS, "event_date"), (EVENTS, "person_id"), (PERSONS, "birth_year")),
        ),
        Words(
            en="No event lies before the person's year of birth.",
            nl="Geen gebeurtenis ligt voor het geboortejaar van de persoon.",
            do_en="Ask the supplier whether events hang on the right person, and whether dates were mended by default.",
            do_nl="Vraag de leverancier of gebeurtenissen bij de juiste persoon staan en of datums klopten.",
        ),
        column="event_date",
    )
    yield not_before(
        "events_decided_not_before_event",
        EVENTS,
        "decided_on",
        "event_date",
        Words(
            en="No decision is older than what it decides on.",
            nl="Geen beslissing is ouder dan het feit waarover ze gaat.",
            do_en="Ask the supplier whether event_date is the day of the offence, as it must be.",
            do_nl="Vraag de leverancier of event_date de pleegdatum is; dat moet.",
        ),
        severity="critical",
    )
    yield no_violations(
        "events_within_follow_up",
        EVENTS,
        Statement("expectations/event_within_follow_up", ((EVENTS, "event_day"), (PERSONS, "follow_up_days"))),
        Words(
            en="No event lies after the end of the person's follow-up.",
            nl="Geen gebeurtenis ligt na het einde van de periode waarin de persoon is gevolgd.",
            do_en="Ask the supplier whether follow_up_days is right; events after it are not counted.",
            do_nl="Vraag de leverancier of follow_up_days klopt; latere gebeurtenissen tellen niet mee.",
        ),
        column="event_day",
        severity="warning",
    )
    yield no_violations(
        "events_not_duplicated",
        EVENTS,
        Statement("expectations/duplicate_rows", ((EVENTS, ""),), quoted={"table": quoted_table(EVENTS)}),
        Words(
            en="No event row is an exact copy of another.",
            nl="Geen rij met een gebeurtenis is een exacte kopie van een andere.",
            do_en="Ask the supplier whether these are separate events on one day or a join gone wrong.",
            do_nl="Vraag de leverancier of dit losse feiten op een dag zijn, of een mislukte koppeling.",
        ),
        severity="warning",
    )
    yield _not_delivered_twice(EVENTS)


def absences_rules() -> Iterator[Rule]:
    """Yield what must hold of spells in which somebody is not at risk."""
    yield reference_closed(ABSENCES, PERSONS, "person_id")
    yield not_before(
        "absences_end_after_start",
        ABSENCES,
        "end_date",
        "start_date",
        Words(
            en="Every absence ends on or after the day it starts.",
            nl="Elke afwezigheid eindigt op of na de dag waarop ze begint.",
            do_en="Ask the supplier to mend these spells; leave end_date empty while an absence lasts.",
            do_nl="Vraag de leverancier om dit te herstellen; laat end_date leeg zolang de afwezigheid duurt.",
        ),
        severity="critical",
    )
    columns = ("person_id", "start_date", "end_date")
    yield no_violations(
        "absences_do_not_overlap",
        ABSENCES,
        Statement("expectations/absences_do_not_overlap", tuple((ABSENCES, column) for column in columns)),
        Words(
            en="Nobody starts an absence before an earlier one ended.",
            nl="Niemand begint een afwezigheid voordat een eerdere voorbij is.",
            do_en="Ask the supplier to join spells that overlap; a day away counts once.",
            do_nl="Vraag de leverancier om overlappende perioden samen te voegen; een dag afwezig telt een keer.",
        ),
    )
    columns = ("person_id", "start_date", "reason")
    yield no_violations(
        "absences_alive_at_time_zero",
        ABSENCES,
        Statement(
            "expectations/alive_at_time_zero",
            (*((ABSENCES, column) for column in columns), (PERSONS, "person_id"), (PERSONS, "index_date")),
        ),
        Words(
            en="Nobody died before time zero.",
            nl="Niemand is overleden voor de indexdatum.",
            do_en="Ask the supplier which of the two dates is right; who had died cannot take part or be compared.",
            do_nl="Vraag de leverancier welke van de twee datums klopt; wie overleden is, kan niet meedoen.",
        ),
        threshold="0 persons",
    )


def person_counts_rules() -> Iterator[Rule]:
    """Yield what must hold of counts per person and period."""
    yield reference_closed(COUNTS, PERSONS, "person_id")
    for column, minimum, en, nl in (
        ("count", 0, "No count is below zero.", "Geen aantal is lager dan nul."),
        ("days", 1, "Every count is over at least one day.", "Elk aantal gaat over minstens een dag."),
    ):
        yield between(
            f"person_counts_{column}_at_least_{minimum}",
            COUNTS,
            column,
            Words(
                en=en,
                nl=nl,
                do_en="Ask the supplier how {column} was made; drop periods in which nobody was observed.",
                do_nl="Vraag de leverancier hoe {column} is gemaakt; laat perioden zonder waarneming weg.",
            ),
            minimum=minimum,
        )
    columns = ("person_id", "period", "outcome")
    yield no_violations(
        "person_counts_both_periods",
        COUNTS,
        Statement("expectations/counts_both_periods", tuple((COUNTS, column) for column in columns)),
        Words(
            en="Every person with a count before has one after, and the other way round.",
            nl="Wie een aantal vooraf heeft, heeft er ook een achteraf, en omgekeerd.",
            do_en="Ask the supplier for the other period, also where the count is zero.",
            do_nl="Vraag de leverancier om de andere periode, ook als het aantal nul is.",
        ),
        column="period",
        severity="warning",
    )
    yield no_violations(
        "person_counts_not_duplicated",
        COUNTS,
        Statement("expectations/duplicate_rows", ((COUNTS, ""),), quoted={"table": quoted_table(COUNTS)}),
        Words(
            en="No row with a count is an exact copy of another.",
            nl="Geen rij met een aantal is een exacte kopie van een andere.",
            do_en="Rows of a person and period add up: ask the supplier whether these are parts, or copies.",
            do_nl="Rijen van een persoon en periode worden opgeteld: vraag of dit delen zijn, of kopieën.",
        ),
        severity="warning",
    )
    yield _not_delivered_twice(COUNTS)


def _not_delivered_twice(table: str) -> Rule:
    return no_violations(
        f"{table.removeprefix('landing.')}_not_delivered_twice",
        table,
        Statement("expectations/delivered_twice", ((table, ""),), quoted={"table": quoted_table(table)}),
        Words(
            en="The table is no copy of itself: not every row is there twice or more.",
            nl="De tabel is geen kopie van zichzelf: niet elke rij staat er twee of meer keer in.",
            do_en="Ask the supplier for the file once over; here everything would be counted twice.",
            do_nl="Vraag de leverancier om het bestand één keer; nu zou alles dubbel tellen.",
        ),
    )
