"""What the persons of a delivery must be: their arm, time zero, background, and whether they were looked up alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from effectmeter.plan import Plan, prior_count
from effectmeter.schema import STANDARD_TABLES
from expectations.rules import (
    Rule,
    Statement,
    Words,
    between,
    complete,
    every_arm_present,
    figure_within,
    missing_share,
    no_violations,
    not_before,
    percentage,
    value_set,
)

PERSONS = STANDARD_TABLES["persons"].storage
MAX_LINKAGE_DIFFERENCE = 0.05
"""Arms that differ more than this in the share found in the outcome source differ in outcomes for that reason alone."""


def is_computed(covariate: str) -> bool:
    """Return whether a covariate is made by the cohort statements rather than delivered."""
    return covariate == "age_at_index" or prior_count(covariate) is not None


def required_arms(plan: Plan) -> list[str]:
    """Return the arms that must have persons: all, but a before-after study may do without a comparison."""
    return [*plan.arms.treated, *([] if plan.design == "before_after" else [plan.arms.comparison])]


def persons_rules(plan: Plan, reference_date: date) -> Iterator[Rule]:
    """Yield what must hold of the persons of a delivery."""
    yield from _arm_rules(plan)
    yield from _time_zero_rules(plan, reference_date)
    yield from _participation_rules()
    yield from _background_rules(plan)
    yield from _linkage_rules(plan)


def _arm_rules(plan: Plan) -> Iterator[Rule]:
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


def _time_zero_rules(plan: Plan, reference_date: date) -> Iterator[Rule]:
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


def _participation_rules() -> Iterator[Rule]:
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


def _background_rules(plan: Plan) -> Iterator[Rule]:
    for name in dict.fromkeys([*plan.adjust_for, *plan.subgroups]):
        delivered = "birth_year" if name == "age_at_index" else name
        if not is_computed(delivered):
            yield missing_share(PERSONS, delivered, plan.missing.max_share)
    for grouping in (plan.cluster, plan.strata):
        if grouping is not None:
            yield complete(PERSONS, grouping, severity="warning")


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
