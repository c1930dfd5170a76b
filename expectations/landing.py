"""What a delivery must be, as it lies in the schema `landing`: the blocking contract, and what is odd but let through.

Most rules come from the catalogue (`effectmeter.schema`) and the plan; those written out here say something about the
world: nobody is convicted before being born. Structural faults (keys, references, value sets, dates, identifiers) are
critical, since no estimate on them means anything; surprises about the world (rates, missing values, linkage) warn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import sql
from effectmeter.plan import Plan, prior_count
from effectmeter.schema import STANDARD_TABLES, Table
from expectations.rates import counted_outcomes, rate_rules
from expectations.rules import (
    Rule,
    Statement,
    Words,
    between,
    complete,
    figure_within,
    missing_share,
    no_identifiers,
    no_violations,
    not_before,
    not_empty,
    percentage,
    quoted_table,
    slug,
    unique,
    unique_names,
    value_set,
)

PERSONS, EVENTS, ABSENCES, COUNTS = (
    STANDARD_TABLES[name].storage for name in ("persons", "events", "absences", "person_counts")
)
_ABOUT_PERSONS = frozenset({"persons", "events", "absences", "person_counts"})
MAX_LINKAGE_DIFFERENCE = 0.05
"""Arms that differ more than this in the share found in the outcome source differ in outcomes for that reason alone."""


def landing_rules(
    plan: Plan, reference_date: date | None = None, previous_rates: Mapping[str, float | None] | None = None
) -> tuple[Rule, ...]:
    """Return every rule on a programme's delivery.

    Parameters
    ----------
    plan
        The analysis plan: names and specs hang on it alone.
    reference_date
        Last day of the quarter; None gives rules whose specs may be read but which cannot be evaluated.
    previous_rates
        Events per person-year in the quarter before, per outcome; empty when there was none.
    """
    tables = [STANDARD_TABLES[name] for name in plan.source]
    rules = [rule for table in tables for rule in _catalogue_rules(plan, table)]
    day = reference_date or date.max
    if "persons" in plan.source:
        rules += _persons_rules(plan, day)
    if "events" in plan.source:
        rules += _events_rules(day)
    if "absences" in plan.source:
        rules += _absences_rules()
    if "person_counts" in plan.source:
        rules += _person_counts_rules()
    if "area_counts" in plan.source:
        rules += [reference_closed("landing.area_counts", "landing.areas", "area_id")]
    if {"events", "person_counts"} & set(plan.source):
        rules += rate_rules(plan, day, previous_rates or {})
    return unique_names(rules)


def _catalogue_rules(plan: Plan, table: Table) -> Iterator[Rule]:
    """Yield what the catalogue says of a table: rows, keys, filled columns, value sets; and no direct identifiers."""
    stored = table.storage
    if table.name not in {"events", "absences"}:  # where nothing happened, there is nothing to deliver
        yield not_empty(stored)
    yield _rows_reconciled(table)
    yield _rejected_share(table, plan.expectations.max_rejected)
    for column in table.columns:
        if not column.nullable:
            yield complete(stored, column.name)
        if column.allowed:
            yield value_set(stored, column.name, column.allowed)
    if table.name == "persons":
        yield unique(stored, ["person_id", "arm"], "person")
    elif table.key:
        yield unique(stored, table.key)
    if table.name in {"events", "area_counts", "trials"} or (table.name == "persons" and _counts_days(plan)):
        yield from (_one_of_filled(stored, *group) for group in table.one_of)
    for column_name, mapped in plan.source[table.name].columns.items():  # type: ignore[index]
        if mapped.values and column_name != "arm" and not _allowed(table, column_name):
            yield value_set(stored, column_name, sorted({value for value in mapped.values.values() if value}))
    for name in _text_columns(plan, table):
        yield no_identifiers(stored, name, is_about_persons=table.name in _ABOUT_PERSONS)


def _allowed(table: Table, column: str) -> tuple[str, ...]:
    return next((known.allowed for known in table.columns if known.name == column), ())


def _counts_days(plan: Plan) -> bool:
    """Return whether time zero or a length of follow-up is needed: events are placed on days, counts are not."""
    return "events" in plan.source and any(outcome.event for outcome in plan.outcomes.values())


def _text_columns(plan: Plan, table: Table) -> tuple[str, ...]:
    """Return the stored columns in which free text, and so an identifier, could hide."""
    own = [column.name for column in table.columns if column.type == "text" and not column.allowed]
    extra: list[str] = []
    if table.name == "persons":
        own.remove("arm")  # held to the plan's arms
        named = [*plan.adjust_for, *plan.subgroups, *plan.eligibility]
        named += [name for name in (plan.strata, plan.pairs, plan.cluster) if name]
        extra = [name for name in named if not _is_number(plan, name) and name not in table.names]
    elif table.name == "events":
        extra = [
            name for outcome in counted_outcomes(plan).values() for name in outcome.where if name not in table.names
        ]
    return tuple(dict.fromkeys([*own, *extra]))


def _is_number(plan: Plan, name: str) -> bool:
    covariate = plan.adjust_for.get(name)
    return (covariate is not None and covariate.type == "numeric") or is_computed(name)


def is_computed(covariate: str) -> bool:
    """Return whether a covariate is made by the cohort statements rather than delivered."""
    return covariate == "age_at_index" or prior_count(covariate) is not None


def required_arms(plan: Plan) -> list[str]:
    """Return the arms that must have persons: all, but a before-after study may do without a comparison."""
    return [*plan.arms.treated, *([] if plan.design == "before_after" else [plan.arms.comparison])]


def _persons_rules(plan: Plan, reference_date: date) -> Iterator[Rule]:
    yield value_set(PERSONS, "arm", [plan.arms.comparison, *plan.arms.treated])
    yield every_arm_present(PERSONS, "persons_every_arm_present", required_arms(plan))
    yield no_violations(
        "persons_one_arm_each",
        PERSONS,
        Statement("expectations/one_arm_each", ((PERSONS, "person_id"), (PERSONS, "arm"))),
        Words(
            en="Nobody is in two arms.",
            nl="Niemand zit in twee groepen.",
            do_en="Ask the supplier which arm counts for these persons; the arm at time zero is the one.",
            do_nl="Vraag de leverancier welke groep voor deze personen geldt; dat is de groep op tijdstip nul.",
        ),
        column="arm",
    )
    if plan.programme_life is not None:
        yield between(
            "persons_time_zero_in_programme_life",
            PERSONS,
            "index_date",
            Words(
                en="Time zero lies within the programme's life.",
                nl="Tijdstip nul ligt binnen de looptijd van het programma.",
                do_en="Mend programme_life in the plan, or ask the supplier for these persons' day of assignment.",
                do_nl="Verbeter programme_life in het plan, of vraag de leverancier naar de dag van toewijzing.",
            ),
            minimum=plan.programme_life.from_,
            maximum=plan.programme_life.until,
        )
    yield between(
        "persons_time_zero_not_after_reference_date",
        PERSONS,
        "index_date",
        Words(
            en="Nobody enters after the quarter's last day.",
            nl="Niemand stroomt in na de laatste dag van het kwartaal.",
            do_en="Refresh the quarter that this delivery belongs to, or ask for one cut off at the reference date.",
            do_nl="Ververs het kwartaal waar deze levering bij hoort, of vraag een levering tot de peildatum.",
        ),
        maximum=reference_date,
    )
    yield no_violations(
        "persons_time_zero_not_before_birth",
        PERSONS,
        Statement("expectations/time_zero_not_before_birth", ((PERSONS, "index_date"), (PERSONS, "birth_year"))),
        Words(
            en="Nobody enters before their year of birth.",
            nl="Niemand stroomt in voor het geboortejaar.",
            do_en="Ask the supplier to mend birth_year (two digits?) or index_date.",
            do_nl="Vraag de leverancier om birth_year (twee cijfers?) of index_date te herstellen.",
        ),
        column="birth_year",
    )
    yield between(
        "persons_follow_up_not_negative",
        PERSONS,
        "follow_up_days",
        Words(
            en="Nobody is followed for less than nothing.",
            nl="Niemand wordt korter dan nul dagen gevolgd.",
            do_en="Ask the supplier how follow_up_days was counted: from time zero, in days.",
            do_nl="Vraag de leverancier hoe follow_up_days is geteld: vanaf tijdstip nul, in dagen.",
        ),
        minimum=0,
    )
    yield not_before(
        "persons_participation_in_order",
        PERSONS,
        "exit_date",
        "start_date",
        Words(
            en="Participation ends on or after the day it starts.",
            nl="Deelname eindigt op of na de dag waarop ze begint.",
            do_en="Ask the supplier to mend start_date or exit_date; they only serve to show immortal time.",
            do_nl="Vraag de leverancier om start_date of exit_date te herstellen; ze tonen alleen onsterfelijke tijd.",
        ),
        severity="warning",
    )
    for name in dict.fromkeys([*plan.adjust_for, *plan.subgroups]):
        delivered = "birth_year" if name == "age_at_index" else name
        if not is_computed(delivered):
            yield missing_share(PERSONS, delivered, plan.missing.max_share)
    for grouping in (plan.cluster, plan.strata):
        if grouping is not None:
            yield complete(PERSONS, grouping, severity="warning")
    yield from _linkage_rules(plan)


def _linkage_rules(plan: Plan) -> Iterator[Rule]:
    reads = ((PERSONS, "linked"), (PERSONS, "arm"))
    parameters = {"arms": [plan.arms.comparison, *plan.arms.treated]}
    minimum = plan.expectations.min_linked
    yield figure_within(
        "persons_linkage_per_arm",
        PERSONS,
        Statement("expectations/linkage_lowest", reads, parameters),
        Words(
            en="In every arm at least {threshold} of the persons was found in the outcome source.",
            nl="In elke groep is minstens {threshold} van de personen gevonden in de bron van de uitkomsten.",
            do_en="Ask the supplier why the linkage failed; persons that were not found look as if nothing happened.",
            do_nl="Vraag waarom de koppeling mislukte; bij wie niet gevonden is, lijkt het alsof er niets gebeurde.",
        ),
        column="linked",
        minimum=minimum,
        threshold=percentage(minimum),
        unit="%",
    )
    yield figure_within(
        "persons_linkage_alike_between_arms",
        PERSONS,
        Statement("expectations/linkage_difference", reads, parameters),
        Words(
            en="The arms differ at most {threshold} in the share found in the outcome source.",
            nl="De groepen verschillen hoogstens {threshold} in het deel dat in de bron van de uitkomsten is gevonden.",
            do_en="Have both arms linked in the same way and on the same keys; a difference here looks like an effect.",
            do_nl="Laat beide groepen op dezelfde manier koppelen; een verschil hier lijkt op een effect.",
        ),
        column="linked",
        maximum=MAX_LINKAGE_DIFFERENCE,
        threshold=percentage(MAX_LINKAGE_DIFFERENCE),
        unit="%",
    )


def _events_rules(reference_date: date) -> Iterator[Rule]:
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


def _absences_rules() -> Iterator[Rule]:
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


def _person_counts_rules() -> Iterator[Rule]:
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


def reference_closed(table: str, parent: str, key: str) -> Rule:
    """Require every row's person (or area) to exist in the parent table."""
    return no_violations(
        slug(table.replace("landing.", "").replace("outcomes.", ""), key, "exists"),
        table,
        Statement(
            "expectations/reference_closed",
            ((table, key), (parent, key)),
            quoted={"table": quoted_table(table), "parent": quoted_table(parent), "key": sql.identifier(key)},
        ),
        Words(
            en=f"Every {{column}} in {{table}} exists in {parent}.",
            nl=f"Elke {{column}} in {{table}} bestaat in {parent}.",
            do_en="Ask the supplier for both files made in one go, with the same pseudonyms.",
            do_nl="Vraag de leverancier om beide bestanden uit een en dezelfde levering, met dezelfde pseudoniemen.",
        ),
        column=key,
    )


def every_arm_present(table: str, name: str, arms: list[str]) -> Rule:
    """Require persons in every arm that the design needs."""
    return no_violations(
        name,
        table,
        Statement("expectations/every_arm_present", ((table, "arm"),), {"arms": arms}, {"table": quoted_table(table)}),
        Words(
            en="Every arm that the design compares has persons in {table}.",
            nl="Elke groep die het ontwerp vergelijkt heeft personen in {table}.",
            do_en="Look at the plan's arms and value map, and at the rows that were rejected or excluded.",
            do_nl="Kijk naar de groepen en waarden in het plan, en naar wat is geweigerd of uitgesloten.",
        ),
        column="arm",
        threshold="0 arms empty",
    )


def _one_of_filled(table: str, first: str, second: str) -> Rule:
    short = table.removeprefix("landing.")
    return no_violations(
        slug(short, first, "or", second),
        table,
        Statement(
            "expectations/one_of_filled",
            ((table, first), (table, second)),
            quoted={"table": quoted_table(table), "first": sql.identifier(first), "second": sql.identifier(second)},
        ),
        Words(
            en=f"Every row of {{table}} has {first} or {second}.",
            nl=f"Elke rij van {{table}} heeft {first} of {second}.",
            do_en="Ask the supplier for the rows in which both are empty, or leave them out of the delivery.",
            do_nl="Vraag de leverancier om de rijen waarin beide leeg zijn, of laat die buiten de levering.",
        ),
        column=first,
    )


def _rejected_share(table: Table, maximum: float) -> Rule:
    return no_violations(
        f"{table.name}_rejected_share",
        table.storage,
        Statement(
            "expectations/rejected_share",
            (
                *(("landing.files", column) for column in ("table_name", "n_rows_read", "n_rejected")),
                ("landing.rejects", "reason"),
            ),
            {"table_name": table.name},
        ),
        Words(
            en="At most {threshold} of the delivered rows was rejected.",
            nl="Hoogstens {threshold} van de geleverde rijen is geweigerd.",
            do_en="Run `effectmeter check`: it lists why rows were rejected and which; mend the plan or the file.",
            do_nl="Draai `effectmeter check`: dat noemt waarom en welke rijen; herstel het plan of het bestand.",
        ),
        max_share=maximum,
        threshold=percentage(maximum),
    )


def _rows_reconciled(table: Table) -> Rule:
    return no_violations(
        f"{table.name}_rows_reconciled",
        table.storage,
        Statement(
            "expectations/rows_reconciled",
            tuple(
                ("landing.files", column)
                for column in ("table_name", "n_rows_read", "n_rows_kept", "n_rejected", "n_rows_stored")
            ),
            {"table_name": table.name},
            {"table": quoted_table(table.storage)},
        ),
        Words(
            en="Every delivered row of {table} was either kept or rejected with a reason.",
            nl="Elke geleverde rij van {table} is bewaard of met een reden geweigerd.",
            do_en="Look for an unclosed quotation mark in the file, which swallows the rows after it; land it again.",
            do_nl="Zoek een aanhalingsteken dat niet sluit en de rijen erna opslokt; lees het bestand opnieuw in.",
        ),
    )
