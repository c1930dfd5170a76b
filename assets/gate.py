"""The gate in the data: a step runs only on a delivery whose blocking checks have passed.

Dagster blocks downstream assets within one run only; somebody who materialises the cohort alone the next day would
pass it by. So the check results are kept in the vault with the hash of the delivery and of the plan that they were
found on, and every step asks here first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from assets.metadata import safe_figure
from effectmeter.errors import DeliveryError, EffectmeterError
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_hash
from expectations import CheckOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One check as the vault keeps it, in ``quality.landing_checks`` or ``quality.outcomes_checks``."""

    check_name: str
    table_name: str
    severity: str
    passed: bool
    figure: str
    threshold: str
    description_en: str
    description_nl: str
    advice_en: str
    advice_nl: str
    delivery_hash: str
    plan_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What lies in ``landing``: which delivery, read by which plan (``quality.provenance``, one row)."""

    delivery_hash: str
    plan_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a step made, and from what (``quality.built``, one row per step)."""

    step: str
    delivery_hash: str
    plan_hash: str


def forget_provenance(connection: duckdb.DuckDBPyConnection) -> None:
    """Forget what lies in ``landing``, before something else does: a run killed half-way must leave no gate open."""
    connection.execute("drop table if exists quality.provenance")


def record_provenance(connection: duckdb.DuckDBPyConnection, plan: Plan, delivery_hash: str) -> None:
    """Note which delivery and plan the landing tables come from."""
    from vault.results import write_results

    here = Provenance(delivery_hash=delivery_hash, plan_hash=plan_hash(plan))
    write_results(connection, "quality.provenance", [here])


def record_built(connection: duckdb.DuckDBPyConnection, plan: Plan, step: str) -> None:
    """Note that a step's tables come from what lies in ``landing`` now."""
    from vault.results import write_results

    here = read_provenance(connection, plan)
    others = [row for row in _built(connection) if row.step != step]
    built = Built(step=step, delivery_hash=here.delivery_hash, plan_hash=here.plan_hash)
    write_results(connection, "quality.built", [*others, built])


def require_built(connection: duckdb.DuckDBPyConnection, plan: Plan, step: str) -> None:
    """Refuse to go on from tables that an earlier delivery, or another plan, left behind.

    Raises
    ------
    DeliveryError
        Names the step that has to run first.
    """
    here = read_provenance(connection, plan)
    if Built(step=step, delivery_hash=here.delivery_hash, plan_hash=here.plan_hash) not in _built(connection):
        raise DeliveryError(
            f"'{step}' has not been made from the delivery as it is now",
            where=plan.programme,
            next_step=f"materialise '{step}' and what follows it",
        )


def _built(connection: duckdb.DuckDBPyConnection) -> tuple[Built, ...]:
    from vault.results import read_results

    try:
        return read_results(connection, "quality.built", Built)
    except EffectmeterError:
        return ()


def read_provenance(connection: duckdb.DuckDBPyConnection, plan: Plan) -> Provenance:
    """Return what lies in ``landing``, or refuse when that is nothing or belongs to another plan."""
    from vault.results import read_results

    try:
        found = read_results(connection, "quality.provenance", Provenance)
    except EffectmeterError:
        found = ()
    if not found:
        raise DeliveryError(
            "the delivery has not been read yet", where=plan.programme, next_step="materialise 'landing' first"
        )
    if found[0].plan_hash != plan_hash(plan):
        raise DeliveryError(
            "the plan has changed since the delivery was read",
            where=plan.programme,
            next_step="materialise the whole chain again, from 'landing'",
        )
    return found[0]


def record_checks(
    connection: duckdb.DuckDBPyConnection, plan: Plan, battery: str, outcomes: Sequence[CheckOutcome]
) -> None:
    """Keep a battery's results beside the delivery they were found on. `battery` is ``landing`` or ``outcomes``."""
    from vault.results import write_results

    provenance = read_provenance(connection, plan)
    records = [
        CheckRecord(
            check_name=outcome.spec.name,
            table_name=outcome.spec.table,
            severity=outcome.spec.severity,
            passed=outcome.passed,
            figure=outcome.figure,
            threshold=outcome.threshold,
            description_en=outcome.spec.description_en,
            description_nl=outcome.spec.description_nl,
            advice_en=outcome.advice_en,
            advice_nl=outcome.advice_nl,
            delivery_hash=provenance.delivery_hash,
            plan_hash=provenance.plan_hash,
        )
        for outcome in outcomes
    ]
    write_results(connection, f"quality.{battery}_checks", records)


def read_checks(connection: duckdb.DuckDBPyConnection, battery: str) -> tuple[CheckRecord, ...]:
    """Return a battery's recorded results; none when it has not run."""
    from vault.results import read_results

    try:
        return read_results(connection, f"quality.{battery}_checks", CheckRecord)
    except EffectmeterError:
        return ()


def require_checked(connection: duckdb.DuckDBPyConnection, plan: Plan, battery: str) -> None:
    """Refuse to go on unless the battery ran on this very delivery and nothing critical failed.

    Raises
    ------
    DeliveryError
        Names the failed checks with their figures, or says that the checks have yet to run.
    """
    provenance = read_provenance(connection, plan)
    records = read_checks(connection, battery)
    current = [
        record
        for record in records
        if (record.delivery_hash, record.plan_hash) == (provenance.delivery_hash, provenance.plan_hash)
    ]
    if not current:
        raise DeliveryError(
            f"the checks on '{battery}' have not run on this delivery",
            where=plan.programme,
            next_step=f"materialise '{battery}' together with its checks",
        )
    failed = [record for record in current if record.severity == "critical" and not record.passed]
    if failed:
        raise DeliveryError(
            "blocked by failed checks: "
            + "; ".join(
                f"{record.check_name} ({safe_figure(record.figure, plan)}, allowed {record.threshold})"
                for record in failed
            ),
            where=plan.programme,
            next_step=failed[0].advice_en,
        )
