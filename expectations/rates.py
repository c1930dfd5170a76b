"""Event rates per person-year: above zero, within the plan's bounds, and not drifting from the quarter before.

The quarter before is measured on its own vault with the statements of this quarter's plan, so that a changed definition
of an outcome does not look like a change in the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

import sql
from effectmeter.plan import Outcome, Plan
from effectmeter.quarters import Quarter
from effectmeter.schema import STANDARD_TABLES
from expectations.checks import CheckNotEvaluatedError
from expectations.rules import SOME, Rule, Statement, Words, figure_within, percentage, slug

if TYPE_CHECKING:
    import duckdb

PERSONS, EVENTS, COUNTS = (STANDARD_TABLES[name].storage for name in ("persons", "events", "person_counts"))
NO_EARLIER_QUARTER = "no earlier quarter"


def counted_outcomes(plan: Plan) -> dict[str, Outcome]:
    """Return all counted outcomes: the plan's, the negative controls, and event types that only have a rate bound."""
    bounded = {name: Outcome(event=name) for name in plan.expectations.event_rate_per_year}
    named = {**bounded, **plan.negative_control_outcomes, **plan.outcomes}
    return {name: outcome for name, outcome in named.items() if outcome.event is not None}


def rate_statements(plan: Plan, reference_date: date) -> dict[str, Statement]:
    """Return, per counted outcome, the statement that measures its events per person-year of follow-up."""
    statements: dict[str, Statement] = {}
    for name, outcome in counted_outcomes(plan).items():
        if "events" not in plan.source:
            reads = tuple((COUNTS, column) for column in ("outcome", "count", "days"))
            statements[name] = Statement("expectations/count_rate", reads, {"outcomes": [name, outcome.event]})
            continue
        where = {f"where_{position}": values for position, values in enumerate(outcome.where.values())}
        condition = "".join(
            f"\n      and list_contains(${parameter}, {sql.identifier(column)})"
            for parameter, column in zip(where, outcome.where, strict=True)
        )
        events = ("person_id", "event_type", "event_day", "event_date", *outcome.where)
        persons = ("person_id", "index_date", "follow_up_days")
        statements[name] = Statement(
            "expectations/event_rate",
            (*((EVENTS, column) for column in events), *((PERSONS, column) for column in persons)),
            {"event_type": outcome.event, "reference_date": reference_date.isoformat(), **where},
            {"condition": condition},
        )
    return statements


def rate_rules(plan: Plan, reference_date: date, previous: Mapping[str, float | None]) -> Iterator[Rule]:
    """Yield, per counted outcome, that its rate is believable and that it is what it was last quarter."""
    table = EVENTS if "events" in plan.source else COUNTS
    drift = plan.expectations.max_drift
    for name, statement in rate_statements(plan, reference_date).items():
        bounds = plan.expectations.event_rate_per_year.get(name)
        if bounds is not None:
            yield figure_within(
                slug("rate", name, "within_bounds"),
                table,
                statement,
                Words(
                    en=f"{name}: between {bounds[0]:g} and {bounds[1]:g} events per person-year.",
                    nl=f"{name}: tussen {bounds[0]:g} en {bounds[1]:g} gebeurtenissen per persoonsjaar.",
                    do_en="Look for events that are missing or counted twice; else mend the bounds in the plan.",
                    do_nl="Zoek gebeurtenissen die ontbreken of dubbel zijn; pas anders de grenzen in het plan aan.",
                ),
                minimum=bounds[0],
                maximum=bounds[1],
                threshold=f"{bounds[0]:g} to {bounds[1]:g} per person-year",
                unit="per person-year",
            )
        yield figure_within(
            slug("rate", name, "above_zero"),
            table,
            statement,
            Words(
                en=f"{name}: it happened at least once in somebody's follow-up.",
                nl=f"{name}: het kwam minstens één keer voor in iemands volgperiode.",
                do_en=f"Compare outcomes.{name} in the plan with what the delivery calls it, letter for letter; "
                f"another word is mapped under source.{table.split('.')[-1]}.columns. Else ask where these rows are.",
                do_nl=f"Vergelijk outcomes.{name} in het plan letterlijk met hoe de aanlevering het noemt; een ander "
                f"woord komt onder source.{table.split('.')[-1]}.columns. Vraag anders waar deze rijen zijn.",
            ),
            minimum=SOME,
            threshold="more than 0",
            unit="per person-year",
        )
        before = previous.get(name)
        yield figure_within(
            slug("rate", name, "not_drifting"),
            table,
            statement,
            Words(
                en=f"{name}: the rate per person-year changed at most {{threshold}} since last quarter.",
                nl=f"{name}: het aantal per persoonsjaar veranderde sinds vorig kwartaal hoogstens {{threshold}}.",
                do_en="Ask the supplier what changed in registration or selection since last quarter.",
                do_nl="Vraag de leverancier wat er sinds vorig kwartaal is veranderd in registratie of selectie.",
            ),
            minimum=None if before is None else before * (1.0 - drift),
            maximum=None if before is None else before * (1.0 + drift),
            threshold=percentage(drift),
            threshold_now=""
            if before is None
            else f"{before * (1 - drift):.3g} to {before * (1 + drift):.3g} per person-year",
            unit="per person-year",
            note=NO_EARLIER_QUARTER if before is None else f"last quarter {before:.3g}",
        )


def rates_of(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> dict[str, float | None]:
    """Return events per person-year per counted outcome in another quarter's vault.

    None where that vault lacks a table or column which the plan has come to need since: a changed plan must not stop a
    refresh, and there is nothing to compare with.

    Raises
    ------
    CheckNotEvaluatedError
        When the other vault cannot be read.
    """
    import duckdb

    from expectations.database import missing

    rates: dict[str, float | None] = {}
    try:
        for name, statement in rate_statements(plan, quarter.reference_date).items():
            if missing(connection, statement.reads):
                rates[name] = None
            else:
                rates[name] = connection.execute(statement.text, dict(statement.parameters)).fetchall()[0][0]
    except duckdb.Error:
        # Not chained: DuckDB's own words may quote a row.
        raise CheckNotEvaluatedError(
            f"event rates could not be compared with {quarter}: its vault could not be read",
            where=f"{quarter} vault",
            next_step="Refresh that quarter again: its vault is rebuilt from its delivery.",
        ) from None
    return rates
