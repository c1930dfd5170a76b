"""Builds the cohort: who is analysed, from when, and why the others are not. The work itself is in ``sql/cohort``.

Here the plan is turned into parameters of those statements. Events and time at risk are in `vault.outcomes`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

import sql
from effectmeter.errors import DeliveryError, EffectmeterError, PlanError
from effectmeter.plan import Outcome, Plan, month_days, prior_count
from effectmeter.quarters import Quarter
from effectmeter.results import AttritionStep
from effectmeter.shapes import PERSON_DESIGNS, SHAPES
from vault.statements import all_or_nothing, column_types, filled, parameter_table, store
from vault.units import build_areas

_ALWAYS_THERE = frozenset({"person_id", "arm", "linked", "index_date", "follow_up_days"})
_TAKEN = frozenset({"family", "potential_follow_up_days", "start_delay_days", "shift_days"})
_FOLLOWED_UP = frozenset({"randomised", "comparison_cohort"})
_NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER")


def build_cohort(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> tuple[AttritionStep, ...]:
    """Decide who is analysed, and count everyone who is not.

    Parameters
    ----------
    connection
        A vault with its ``landing`` tables filled.
    plan
        The analysis plan.
    quarter
        The edition; its last day is the reference date.

    Returns
    -------
    tuple of AttritionStep
        Per arm, from delivered to analysed; the same rows as ``cohort.attrition``. The arm ``""`` holds everyone whose
        arm the plan does not know. Empty for designs without persons.

    Raises
    ------
    DeliveryError
        A column that the plan names was not delivered.
    PlanError
        A covariate has the name of a column of the cohort that means something else.

    Notes
    -----
    Writes ``cohort.persons``, ``cohort.placebo_persons`` (empty where no placebo can be made),
    ``cohort.start_persons`` (empty where nobody's start is known to be late), ``cohort.persons_with_missing`` (empty
    unless the plan leaves out whoever lacks a covariate), ``cohort.areas`` for designs on areas, and
    ``cohort.attrition``. Outcomes of an earlier cohort are removed: they belong to other persons.
    """
    with all_or_nothing(connection):
        for schema in ("cohort", "outcomes"):
            connection.execute(f"create schema if not exists {schema}")
        for stale in ("person_windows", "placebo_windows", "start_windows", "missing_windows"):
            connection.execute(f"drop table if exists outcomes.{stale}")
        _hand_over(connection, plan)
        _store_candidates(connection, plan, quarter, shift_days=0)
        _store_losses(connection, plan, quarter)
        if "areas" in SHAPES[plan.design].frames:
            build_areas(connection, plan)
        store(connection, "cohort.persons", filled("cohort/persons"))
        _store_with_missing(connection, plan)
        store(connection, "cohort.attrition", filled("cohort/attrition"))
        shift_days = placebo_shift_days(connection, plan)
        if shift_days is None:
            store(connection, "cohort.placebo_persons", "from cohort.persons limit 0")
        else:
            _store_candidates(connection, plan, quarter, shift_days=shift_days)
            store(connection, "cohort.placebo_persons", filled("cohort/placebo_persons"))
        _store_from_start(connection, plan, quarter)
        for temporary in ("candidates", "losses"):
            connection.execute(f"drop table temp.{temporary}")
    return read_attrition(connection) if plan.design in PERSON_DESIGNS else ()


def read_attrition(connection: duckdb.DuckDBPyConnection) -> tuple[AttritionStep, ...]:
    """Return ``cohort.attrition``, arms in alphabetical order, steps from first to last."""
    rows = connection.sql("select * from cohort.attrition order by arm, step").fetchall()
    names = AttritionStep.__dataclass_fields__
    return tuple(AttritionStep(**dict(zip(names, row, strict=True))) for row in rows)


def named_columns(plan: Plan) -> tuple[str, ...]:
    """Return the persons columns that the plan asks for by name: covariates, subgroups, eligibility, values."""
    if plan.design not in PERSON_DESIGNS:
        return ()  # the names are then about areas or trials (`vault.units`)
    values = (outcome.value for outcome in plan.outcomes.values() if outcome.value is not None)
    return tuple(dict.fromkeys([*plan.adjust_for, *plan.subgroups, *plan.eligibility, *values]))


def is_computed(name: str) -> bool:
    """Return whether a covariate is computed from dates and events rather than delivered."""
    return name == "age_at_index" or prior_count(name) is not None


def placebo_shift_days(connection: duckdb.DuckDBPyConnection, plan: Plan) -> int | None:
    """Return how many days the placebo's time zero lies before the true one; None where there can be no placebo."""
    return placebo_shift(plan) if event_types_with_history(connection, plan) else None


def placebo_shift(plan: Plan) -> int | None:
    """Return how far time zero must move back for the primary window to end where it began; None without a window."""
    if plan.design not in PERSON_DESIGNS:
        return None
    wash_in_days = plan.before_after.wash_in_days if plan.design == "before_after" else 0
    window_days = primary_window_days(plan)
    return None if window_days is None else wash_in_days + window_days


def event_types_with_history(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[str, ...]:
    """Return the outcomes' event types that were delivered from far enough before time zero to be a placebo.

    Notes
    -----
    Any event before time zero will do, except with `before_after`: there the placebo has a "before" of its own, so that
    history must reach back beyond the placebo's time zero.
    """
    shift_days = placebo_shift(plan)
    if shift_days is None:
        return ()
    wanted = {outcome.event for outcome in counted_outcomes(plan).values() if outcome.event is not None}
    latest_day = -shift_days if plan.design == "before_after" else -1
    statement = filled("cohort/event_types_with_history")
    return tuple(
        event_type
        for event_type in sorted(wanted)
        if connection.execute(statement, {"event_type": event_type, "latest_day": latest_day}).fetchall()
    )


def counted_outcomes(plan: Plan) -> dict[str, Outcome]:
    """Return every outcome that is counted rather than delivered as a value, negative controls included."""
    asked = plan.outcomes | plan.negative_control_outcomes
    return {name: outcome for name, outcome in asked.items() if outcome.value is None}


def primary_window_days(plan: Plan) -> int | None:
    """Return the primary window; None when everyone is followed to the end of their own follow-up."""
    if plan.design == "before_after":
        return plan.before_after.after_days
    return next(iter(plan.follow_up.windows_days), None)


def hand_over_arms(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Put the plan's arms in a temporary table; designs without persons have none."""
    arms = [plan.arms.comparison, *plan.arms.treated] if plan.design in PERSON_DESIGNS else []
    parameter_table(connection, "plan_arms", {"arm": "varchar"}, [[arm] for arm in arms])


def _hand_over(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    hand_over_arms(connection, plan)
    parameter_table(
        connection,
        "plan_steps",
        {
            "step": "integer",
            "name": "varchar",
            "criterion": "integer",
            "label": "varchar",
            "reason": "varchar",
            "reason_nl": "varchar",
        },
        [(position, *step) for position, step in enumerate(_plan_steps(plan), start=1)],
    )
    parameter_table(
        connection,
        "plan_eligibility",
        {
            "criterion": "integer",
            "kind": "varchar",
            "low_number": "double",
            "high_number": "double",
            "low_date": "date",
            "high_date": "date",
            "words": "varchar[]",
            "numbers": "double[]",
        },
        [(position, *_criterion(plan, name)) for position, name in enumerate(plan.eligibility, start=1)],
    )
    parameter_table(
        connection,
        "plan_priors",
        {"position": "integer", "event_type": "varchar", "days": "integer"},
        [
            (position, event_type, month_days(months))
            for position, (event_type, months) in enumerate(_priors(plan).values(), start=1)
        ],
    )


def _priors(plan: Plan) -> dict[str, tuple[str, int]]:
    """Return event type and months of every prior count that the plan names."""
    read = {name: prior_count(name) for name in named_columns(plan)}
    return {name: prior for name, prior in read.items() if prior is not None}


def _store_with_missing(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Write the cohort with those whom only a missing covariate left out, so that both treatments can be reported."""
    left_out = "select 1 from losses join plan_steps using (step) where plan_steps.name = 'covariates_complete' limit 1"
    is_asked = plan.design in _FOLLOWED_UP and bool(connection.sql(left_out).fetchall())
    statement = filled("cohort/persons_with_missing") if is_asked else "from cohort.persons limit 0"
    store(connection, "cohort.persons_with_missing", statement)


def _store_from_start(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> None:
    """Write the cohort with time zero at everyone's own start, where starting took some time for anyone."""
    late = "select 1 from cohort.persons where coalesce(start_delay_days, 0) <> 0 and index_date is not null limit 1"
    if plan.design not in _FOLLOWED_UP or not connection.sql(late).fetchall():
        store(connection, "cohort.start_persons", "from cohort.persons limit 0")
        return
    _store_candidates(connection, plan, quarter, shift_days=0, from_start=True)
    store(connection, "cohort.start_persons", filled("cohort/start_persons"), {"comparison": plan.arms.comparison})


def _store_candidates(
    connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter, *, shift_days: int, from_start: bool = False
) -> None:
    delivered = column_types(connection, "landing.persons")
    _require(plan, delivered)
    named = _named_expressions(plan, delivered)
    # a covariate may be called `stratum` when the plan has no strata: it is then that column
    roles = {role: named.pop(role, _delivered_or_null(column)) for role, column in _roles(plan).items()}
    statement = filled(
        "cohort/candidates",
        **roles,
        prior_columns="".join(
            f",\n        max(n_events) filter (where position = {position}) as {sql.identifier(name)}"
            for position, name in enumerate(_priors(plan), start=1)
        ),
        named_columns="".join(f",\n    {expression} as {sql.identifier(name)}" for name, expression in named.items()),
    )
    binds = {"reference_date": quarter.reference_date, "shift_days": shift_days, "from_start": from_start}
    store(connection, "candidates", statement, binds, is_temporary=True)


def _store_losses(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> None:
    life = plan.programme_life
    missing = [f"{sql.identifier(name)} is null" for name in plan.adjust_for]
    is_excluding = plan.missing.covariates == "exclude" and missing
    statement = filled(
        "cohort/losses",
        eligibility_values="[" + ", ".join(f"{sql.identifier(name)}::varchar" for name in plan.eligibility) + "]",
        covariate_is_missing=" or ".join(missing) if is_excluding else "false",
    )
    binds = {
        "reference_date": quarter.reference_date,
        "life_from": life.from_ if life else None,
        "life_until": life.until if life else None,
    }
    store(connection, "losses", statement, binds, is_temporary=True)


def _roles(plan: Plan) -> dict[str, str | None]:
    """Return the columns of the cohort that the plan fills with a delivered column of its choice."""
    if plan.design not in PERSON_DESIGNS:
        return {"cluster": None, "stratum": None, "pair": None}
    return {"cluster": plan.cluster, "stratum": plan.strata, "pair": plan.pairs}


def _delivered_or_null(column: str | None) -> str:
    return "null::varchar" if column is None else f"persons.{sql.identifier(column)}::varchar"


def _named_expressions(plan: Plan, delivered: dict[str, str]) -> dict[str, str]:
    """Return an expression per column that the plan names, typed: numbers are doubles, categories text."""
    roles = _roles(plan)
    kinds = {name.casefold(): kind for name, kind in delivered.items()}
    values = {outcome.value for outcome in plan.outcomes.values()}
    expressions = {}
    for name in named_columns(plan):
        if name in _ALWAYS_THERE or roles.get(name) == name:
            continue
        if name == "age_at_index":
            source, kind = "(year(persons.index_date) - persons.birth_year)", "double"
        elif is_computed(name):
            source, kind = f"coalesce(priors.{sql.identifier(name)}, 0)", "double"
        else:
            source = f"persons.{sql.identifier(name)}"
            landed = kinds[name.casefold()]
            kind = "double" if name in values or landed.startswith(_NUMBERS) else landed
            kind = "date" if kind == "DATE" else "double" if kind == "double" else "varchar"
        if name in plan.adjust_for:
            kind = "double" if plan.adjust_for[name].type == "numeric" else "varchar"
        # A value that is no number becomes missing, and is counted as such, instead of a fault that quotes it.
        expressions[name] = f"try_cast({source} as {kind})"
    return expressions


def _require(plan: Plan, delivered: dict[str, str]) -> None:
    """Refuse columns that were not delivered, or that would be taken for another."""
    free = {role for role, column in _roles(plan).items() if column is None or column == role}
    taken = _ALWAYS_THERE | _TAKEN | _roles(plan).keys()
    clashes = [name for name in named_columns(plan) if name.casefold() in taken and name not in _ALWAYS_THERE | free]
    if clashes:
        raise PlanError(
            [
                EffectmeterError(
                    f"'{name}' is also the name of a column of the cohort that means something else",
                    where=f"{plan.programme}.yaml: adjust_for, subgroups, eligibility or outcomes",
                    next_step=f"give it another name under source.persons.columns, for example {name}_delivered",
                )
                for name in clashes
            ]
        )
    known = {name.casefold() for name in delivered}
    wanted = [name for name in named_columns(plan) if not is_computed(name)]
    wanted += [name for name in _roles(plan).values() if name is not None]
    missing = sorted({name for name in wanted if name.casefold() not in known})
    if missing:
        raise DeliveryError(
            f"the plan names columns that were not delivered: {', '.join(missing)}",
            where="persons",
            next_step="map them under source.persons.columns, or take them out of the plan",
        )


_Step = tuple[str, int, str, str, str]
"""Name and criterion as ``sql/cohort/losses.sql`` knows them, label, reason, Dutch reason."""


def _plan_steps(plan: Plan) -> list[_Step]:
    """Return the steps from delivered to analysed, in the order in which they are asked."""
    steps: list[_Step] = [
        ("delivered", 0, "delivered", "Delivered", "Aangeleverd"),
        (
            "arm_in_plan",
            0,
            "arm_in_plan",
            "Group is not compared in this plan",
            "Groep wordt in dit plan niet vergeleken",
        ),
    ]
    if plan.programme_life is not None:
        steps.append(
            (
                "time_zero_in_programme_life",
                0,
                "time_zero_in_programme_life",
                "Started outside the programme's life",
                "Begonnen buiten de looptijd van het programma",
            )
        )
    steps.append(
        (
            "time_zero_by_reference_date",
            0,
            "time_zero_by_reference_date",
            "Started after the last day of the quarter",
            "Begonnen na de laatste dag van het kwartaal",
        )
    )
    for position, name in enumerate(plan.eligibility, start=1):
        en, nl = _in_words(plan, name)
        steps.append(
            (
                "eligible",
                position,
                f"eligible_{name}",
                f"Not eligible: {name} is not {en}, or unknown",
                f"Hoort niet bij de doelgroep: {name} is niet {nl}, of onbekend",
            )
        )
    steps.append(
        (
            "linked",
            0,
            "linked",
            "Not found in the source of the outcomes",
            "Niet gevonden in de bron van de uitkomsten",
        )
    )
    if plan.missing.covariates == "exclude" and plan.adjust_for:
        steps.append(
            (
                "covariates_complete",
                0,
                "covariates_complete",
                "A background characteristic is missing",
                "Een achtergrondkenmerk ontbreekt",
            )
        )
    return steps


def _criterion(plan: Plan, name: str) -> tuple[Any, ...]:
    """Return an eligibility rule as a row of plan_eligibility, without its position."""
    bounds = plan.eligible_range(name)
    if bounds is None:
        allowed = plan.eligibility[name]
        numbers = [float(value) for value in allowed if isinstance(value, (int, float))]
        return "values", None, None, None, None, [str(value) for value in allowed], numbers
    if isinstance(bounds[0], date):
        return "date", None, None, *bounds, [], []
    return "number", *bounds, None, None, [], []


def _in_words(plan: Plan, name: str) -> tuple[str, str]:
    """Return what an eligibility rule asks for, in English and Dutch."""
    bounds = plan.eligible_range(name)
    if bounds is None:
        allowed = [str(value) for value in plan.eligibility[name]]
        return " or ".join(allowed), " of ".join(allowed)
    return "from {} to {}".format(*bounds), "van {} tot en met {}".format(*bounds)
