"""What areas, series and trials must be, as delivered: starts, periods, counts. Persons have modules of their own.

Where a period stands in time is read off its label in ``sql/expectations/periods.sql``, which other statements take in.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import sql
from effectmeter.periods import canonical
from effectmeter.plan import Outcome, Plan
from effectmeter.schema import STANDARD_TABLES
from expectations.checks import Severity
from expectations.rules import (
    Rule,
    Statement,
    Words,
    between,
    column_rule,
    complete,
    no_violations,
    not_before,
    quoted_table,
    reference_closed,
    slug,
)

AREAS, COUNTS, SERIES, TRIALS = (STANDARD_TABLES[name].storage for name in ("areas", "area_counts", "series", "trials"))
_TRIAL_COUNTS = ("events_treated", "n_treated", "events_comparison", "n_comparison")
_START = "coalesce(adopted_on::varchar, adopted_period::varchar)"
_STARTS = ((AREAS, "adopted_on"), (AREAS, "adopted_period"))


def areas_rules(plan: Plan, reference_date: date) -> Iterator[Rule]:
    """Yield what must hold of areas and what was counted in them."""
    yield from _starts_rules(plan)
    for name in dict.fromkeys([*plan.adjust_for, *(plan.areas.match_on if plan.areas is not None else [])]):
        yield complete(AREAS, name, severity="warning")
    yield reference_closed(COUNTS, AREAS, "area_id")
    yield from _outcomes_delivered(plan, COUNTS)
    yield from _counted_rules(COUNTS)
    yield from _periods_rules(plan, COUNTS, reference_date)
    columns = ("area_id", "outcome", "period")
    yield no_violations(
        "area_counts_balanced",
        COUNTS,
        Statement("expectations/area_counts_balanced", (*((COUNTS, name) for name in columns), (AREAS, "area_id"))),
        Words(
            en="Every area has a count or value in every period.",
            nl="Elk gebied heeft in elke periode een aantal of waarde.",
            do_en="Ask for what is missing, also where the count is zero; areas with gaps are partly left out.",
            do_nl="Vraag om wat ontbreekt, ook als het aantal nul is; anders telt zo'n gebied deels niet mee.",
        ),
        severity="warning",
    )


def _starts_rules(plan: Plan) -> Iterator[Rule]:
    not_yet = plan.areas is not None and plan.areas.comparison == "not_yet_treated"
    never = plan.areas is not None and plan.areas.comparison == "never_treated"
    way_out = (
        (
            " Or, where areas start at different times, write `comparison: not_yet_treated` under `areas` in the plan.",
            " Of zet, als gebieden na elkaar beginnen, `comparison: not_yet_treated` onder `areas` in het plan.",
        )
        if never
        else ("", "")
    )
    yield no_violations(
        "areas_treated_and_comparison",
        AREAS,
        Statement("expectations/area_starts", _STARTS, {"not_yet": not_yet}),
        Words(
            en="At least one area started with the programme, and at least one can be compared with it.",
            nl="Minstens een gebied is begonnen, en met minstens een gebied is dat te vergelijken.",
            do_en="Have areas delivered that never started, with an empty start; map a code such as 0 to ''."
            + way_out[0],
            do_nl="Laat gebieden leveren die nooit begonnen, met een lege start; zet codes als 0 in het plan op ''."
            + way_out[1],
        ),
        threshold="both",
    )
    if plan.programme_life is not None:
        yield between(
            "areas_start_in_programme_life",
            AREAS,
            "adopted_on",
            Words(
                en="No area started outside the programme's life.",
                nl="Geen gebied begon buiten de looptijd van het programma.",
                do_en="Mend programme_life in the plan, or ask the supplier for the day on which these areas started.",
                do_nl="Verbeter programme_life in het plan, of vraag de leverancier naar de dag van de start.",
            ),
            minimum=plan.programme_life.from_,
            maximum=plan.programme_life.until,
        )
    yield no_violations(
        "areas_start_of_the_same_kind",
        AREAS,
        _on_starts("area_starts_of_other_kind"),
        Words(
            en="Every start is written like the periods, or as a date; a date only where periods are no bare numbers.",
            nl="Elke start is geschreven zoals de perioden, of als datum; niet als datum bij kale nummers.",
            do_en="Map numbers that mean never (0, 9999) to '' under source.areas.columns.adopted_period.values; where "
            "0 means before the data, map it to the first period.",
            do_nl="Zet getallen die nooit betekenen (0, 9999) op '' onder source.areas.columns.adopted_period.values. "
            "Betekent 0 dat het eerder begon, zet die dan op de eerste periode.",
        ),
    )
    yield no_violations(
        "areas_start_within_the_data",
        AREAS,
        _on_starts("area_starts_within_data"),
        Words(
            en="At least one area started after the first period and not after the last.",
            nl="Minstens een gebied begon na de eerste periode en niet na de laatste.",
            do_en="Look whether starts are written like the periods; ask for periods from before and after the start.",
            do_nl="Kijk of de start net zo geschreven is als de perioden. Vraag om perioden van voor en na de start.",
        ),
        threshold="1 area",
    )
    yield no_violations(
        "areas_start_has_periods_before",
        AREAS,
        _on_starts("area_starts_before_data"),
        Words(
            en="Every area that started has a period before its start.",
            nl="Elk gebied dat begon heeft een periode van voor de start.",
            do_en="Ask for earlier periods; areas that started before the data are left out.",
            do_nl="Vraag om eerdere perioden; gebieden die eerder begonnen dan de gegevens tellen niet mee.",
        ),
        severity="warning",
    )


def series_rules(plan: Plan, reference_date: date) -> Iterator[Rule]:
    """Yield what must hold of a series and its control series."""
    columns = ("period", "outcome", "is_control")
    yield no_violations(
        "series_once",
        SERIES,
        Statement(
            "expectations/series_once",
            tuple((SERIES, column) for column in columns),
            quoted={"table": quoted_table(SERIES)},
        ),
        Words(
            en="Every period is there once, per outcome and series.",
            nl="Elke periode staat er een keer in, per uitkomst en reeks.",
            do_en="Ask for one row per period; where several series are meant, mark the control with is_control.",
            do_nl="Vraag om een rij per periode; zijn er meer reeksen, merk de controlereeks dan met is_control.",
        ),
    )
    yield from _outcomes_delivered(plan, SERIES)
    yield from _counted_rules(SERIES)
    yield from _periods_rules(plan, SERIES, reference_date)
    start = plan.series.start if plan.series is not None else None
    words = [word for name, outcome in plan.outcomes.items() for word in _words_of(name, outcome)]
    yield no_violations(
        "series_before_and_after",
        SERIES,
        Statement(
            "expectations/series_before_and_after",
            tuple((SERIES, column) for column in columns),
            {"start": None if start is None else canonical(start), "words": words},
            {"periods": _periods(SERIES), "start": _fragment("select $start::varchar where $start::varchar <> ''")},
        ),
        Words(
            en="The series has periods before the programme's start, and from the start on.",
            nl="De reeks heeft perioden van voor de start van het programma, en van erna.",
            do_en="Give series.start in the plan, written like the periods; or ask for the periods that are missing.",
            do_nl="Geef series.start in het plan, geschreven zoals de perioden; of vraag om wat ontbreekt.",
        ),
        column="period",
        threshold="0 outcomes without",
    )
    yield no_violations(
        "series_control_has_the_same_periods",
        SERIES,
        Statement("expectations/series_control_periods", tuple((SERIES, column) for column in columns)),
        Words(
            en="The series and its control series have the same periods.",
            nl="De reeks en de controlereeks hebben dezelfde perioden.",
            do_en="Ask for the periods that one of the two lacks.",
            do_nl="Vraag om de perioden die een van beide mist.",
        ),
        column="is_control",
        severity="warning",
    )


def trials_rules(plan: Plan) -> Iterator[Rule]:
    """Yield what must hold of published trials."""
    yield no_violations(
        "trials_once",
        TRIALS,
        Statement(
            "expectations/trials_once",
            ((TRIALS, "trial_id"), (TRIALS, "measure")),
            quoted={"table": quoted_table(TRIALS)},
        ),
        Words(
            en="Every trial is there once (once per measure, where estimates were delivered).",
            nl="Elk onderzoek staat er een keer in (een keer per maat, als schattingen zijn geleverd).",
            do_en="Give each trial its own trial_id; add arms of one trial together, so that nobody counts twice.",
            do_nl="Geef elk onderzoek een eigen trial_id; voeg groepen van een onderzoek samen: niemand telt dubbel.",
        ),
        column="trial_id",
    )
    yield no_violations(
        "trials_at_least_two",
        TRIALS,
        Statement("expectations/trials_enough", ((TRIALS, "trial_id"),)),
        Words(
            en="There are at least two trials.",
            nl="Er zijn minstens twee onderzoeken.",
            do_en="Add trials; one trial is described by its own report, there is nothing to pool.",
            do_nl="Voeg onderzoeken toe; bij een onderzoek valt er niets samen te voegen.",
        ),
        threshold="2 trials",
    )
    yield no_violations(
        "trials_complete",
        TRIALS,
        Statement(
            "expectations/trials_counts_complete",
            tuple((TRIALS, column) for column in (*_TRIAL_COUNTS, "estimate", "std_error")),
        ),
        Words(
            en="Every trial has all four counts, or an estimate with its standard error.",
            nl="Elk onderzoek heeft alle vier de aantallen, of een schatting met standaardfout.",
            do_en="Look the missing figure up in the publication, or leave the trial out and say so.",
            do_nl="Zoek het ontbrekende getal op in de publicatie, of laat het onderzoek weg en zeg dat.",
        ),
    )
    for arm in ("treated", "comparison"):
        yield _at_least_zero(TRIALS, f"events_{arm}")
        yield _above_zero(TRIALS, f"n_{arm}")
        if plan.trials is None or plan.trials.measure != "rate_ratio":  # n is then time at risk
            yield _pair_rule(f"n_{arm}", f"events_{arm}")
    yield _above_zero(TRIALS, "std_error")


def _pair_rule(persons: str, events: str) -> Rule:
    return not_before(
        slug("trials", events, "at_most", persons),
        TRIALS,
        persons,
        events,
        Words(
            en=f"No trial has more {events} than {persons}.",
            nl=f"Geen onderzoek heeft meer {events} dan {persons}.",
            do_en="Count persons with the outcome, not how often it happened; look whether columns were swapped.",
            do_nl="Tel personen met de uitkomst, niet hoe vaak die voorkwam; kijk of kolommen verwisseld zijn.",
        ),
        severity="critical",
    )


def _outcomes_delivered(plan: Plan, table: str) -> Iterator[Rule]:
    """Yield that every outcome of the plan occurs: without the primary one there is nothing to answer."""
    for name, outcome in (plan.outcomes | plan.negative_control_outcomes).items():
        severity: Severity = "critical" if outcome.primary else "warning"
        yield no_violations(
            slug(table.removeprefix("landing."), name, "delivered"),
            table,
            Statement(
                "expectations/outcome_delivered",
                ((table, "outcome"),),
                {"words": _words_of(name, outcome)},
                {"table": quoted_table(table)},
            ),
            Words(
                en=f"The delivery has rows of the outcome {name}.",
                nl=f"De levering heeft rijen van de uitkomst {name}.",
                do_en=f"Compare outcomes.{name} in the plan with the words in the column outcome, letter for letter.",
                do_nl=f"Vergelijk outcomes.{name} in het plan letterlijk met de woorden in de kolom outcome.",
            ),
            column="outcome",
            severity=severity,
            threshold="1 row",
        )


def _words_of(name: str, outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(word for word in (name, outcome.event, outcome.value) if word is not None))


def _counted_rules(table: str) -> Iterator[Rule]:
    yield _at_least_zero(table, "count")
    yield _above_zero(table, "population")


def _at_least_zero(table: str, column: str) -> Rule:
    return between(
        slug(table.removeprefix("landing."), column, "not_negative"),
        table,
        column,
        Words(
            en="No {column} is below zero.",
            nl="Geen {column} is lager dan nul.",
            do_en="Ask the supplier what a negative {column} means; codes for missing go under missing.tokens.",
            do_nl="Vraag wat een negatieve {column} betekent; codes voor ontbrekend horen bij missing.tokens.",
        ),
        minimum=0,
    )


def _above_zero(table: str, column: str) -> Rule:
    return column_rule(
        "ExpectColumnValuesToBeBetween",
        slug(table.removeprefix("landing."), column, "above_zero"),
        table,
        column,
        Words(
            en="Every {column} is above zero.",
            nl="Elke {column} is groter dan nul.",
            do_en="Leave {column} empty where it is not known; leave out rows about nobody.",
            do_nl="Laat {column} leeg als die niet bekend is; laat rijen weg die over niemand gaan.",
        ),
        min_value=0,
        strict_min=True,
    )


def _periods_rules(plan: Plan, table: str, reference_date: date) -> Iterator[Rule]:
    short = table.removeprefix("landing.")
    excluded = plan.areas.exclude_periods if plan.areas is not None else []
    yield no_violations(
        slug(short, "periods_are_over"),
        table,
        Statement(
            "expectations/periods_after_reference_date",
            ((table, "period"),),
            {"reference_date": reference_date.isoformat()},
            {"periods": _periods(table), "table": quoted_table(table)},
        ),
        Words(
            en="Every period is over on the quarter's last day.",
            nl="Elke periode is voorbij op de laatste dag van het kwartaal.",
            do_en="Look whether the delivery belongs to this quarter; periods that are not over are left out.",
            do_nl="Kijk of de levering bij dit kwartaal hoort; perioden die nog lopen tellen niet mee.",
        ),
        column="period",
        severity="warning",
    )
    yield no_violations(
        slug(short, "periods_without_gaps"),
        table,
        Statement(
            "expectations/periods_without_gaps",
            ((table, "period"),),
            {"excluded": [canonical(label) for label in excluded]},
            {"periods": _periods(table)},
        ),
        Words(
            en="No period is missing between the first and the last.",
            nl="Tussen de eerste en de laatste ontbreekt geen periode.",
            do_en="Ask for the missing periods, also where nothing happened; a gap stays a gap in the analysis.",
            do_nl="Vraag om de perioden die ontbreken, ook als er niets gebeurde; een gat blijft een gat.",
        ),
        column="period",
        severity="warning",
        threshold="0 periods",
    )


def _on_starts(statement: str) -> Statement:
    return Statement(
        f"expectations/{statement}",
        (*_STARTS, (COUNTS, "period")),
        quoted={
            "periods": _periods(COUNTS),
            "starts": _fragment(f"select distinct {_START} from {quoted_table(AREAS)} where {_START} is not null"),
        },
    )


def _periods(table: str) -> str:
    return _fragment(f"select distinct period::varchar from {quoted_table(table)} where period is not null")


def _fragment(labels: str) -> str:
    return sql.statement("expectations/periods").replace("{labels}", labels)
