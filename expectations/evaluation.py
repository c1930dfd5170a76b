"""Carrying rules out: suites per table, Great Expectations over the open vault, figures and advice out.

Results come back without a single row value, and a rule that could not be carried out raises: it never counts as
failed.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from expectations.checks import CheckNotEvaluatedError, CheckOutcome
from expectations.database import VaultConnection, missing, second_connection
from expectations.rules import PERCENT, Rule, quoted_table

WITHOUT_VALUES = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""Great Expectations copies offending values into its results unless it is told to copy none."""


def evaluate(connection: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> tuple[CheckOutcome, ...]:
    """Return one outcome per rule, in order.

    Raises
    ------
    CheckNotEvaluatedError
        When a rule could not be carried out.
    """
    with second_connection(connection) as cursor, _quiet():
        results = results_of(cursor, rules)
        unfinished = [rule for rule in rules if has_raised(results[rule.spec.name])]
        if unfinished:
            # Of rules that share a query, the one whose column is missing is to blame.
            culprit = next((rule for rule in unfinished if missing(cursor, rule.needs)), unfinished[0])
            raise _not_evaluated(culprit, missing(cursor, culprit.needs))
    return tuple(_outcome(rule, results[rule.spec.name]) for rule in rules)


def results_of(cursor: duckdb.DuckDBPyConnection, rules: Sequence[Rule]) -> dict[str, Mapping[str, Any]]:
    """Return what Great Expectations says of every rule, by check name, exceptions included."""
    for rule in rules:
        if missing(cursor, ((rule.spec.table, ""),)):
            raise _not_evaluated(rule, ((rule.spec.table, ""),))
    source = _data_source(cursor)
    by_table: dict[str, list[Rule]] = {}
    for rule in rules:
        by_table.setdefault(rule.spec.table, []).append(rule)
    results: dict[str, Mapping[str, Any]] = {}
    for table, of_table in by_table.items():
        results |= _validate(source, table, of_table)
    return results


def _data_source(cursor: duckdb.DuckDBPyConnection) -> Any:
    """Return a Great Expectations data source over an open DuckDB connection."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own imports use what Python deprecates
        import great_expectations
        from great_expectations.data_context.types.base import ProgressBarsConfig
        from sqlalchemy.pool import StaticPool

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    add_source: Any = context.data_sources.add_sql  # its stub does not know `kwargs`, its model does
    return add_source(
        "vault",
        connection_string="duckdb://",
        create_temp_table=False,
        kwargs={"creator": lambda: VaultConnection(cursor), "poolclass": StaticPool},
    )


def _validate(source: Any, table: str, rules: Sequence[Rule]) -> dict[str, Mapping[str, Any]]:
    """Validate one table against the suite of its rules; return the results by check name."""
    import great_expectations

    suite = great_expectations.ExpectationSuite(name=table)
    for rule in rules:
        suite.add_expectation(_expectation(rule))
    asset = source.add_query_asset(table, query=f"select * from {quoted_table(table)}")
    batch = asset.add_batch_definition_whole_table(table).get_batch()
    validated = batch.validate(suite, result_format=WITHOUT_VALUES)
    return {result.expectation_config.meta["check"]: result.to_json_dict() for result in validated.results}


def _expectation(rule: Rule) -> Any:
    import great_expectations.expectations

    from expectations import own_expectations

    home = own_expectations if hasattr(own_expectations, rule.expectation) else great_expectations.expectations
    return getattr(home, rule.expectation)(
        **rule.arguments, severity=rule.spec.severity, meta={"check": rule.spec.name}
    )


def has_raised(result: Mapping[str, Any]) -> bool:
    """Return whether an expectation could not be evaluated: one report, or one per metric that it depends on."""
    info = result["exception_info"]
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(report["raised_exception"] for report in info.values())


def _not_evaluated(rule: Rule, absent: Sequence[tuple[str, str]]) -> CheckNotEvaluatedError:
    columns = absent or rule.needs
    named = ", ".join(f"{table}.{column}" if column else table for table, column in columns)
    return CheckNotEvaluatedError(
        f"the check {rule.spec.name} could not be evaluated: "
        + (f"{named} does not exist" if absent else f"the database refused to compute it on {named}"),
        where=f"{rule.spec.table}.{rule.spec.column}" if rule.spec.column else rule.spec.table,
        next_step="Land the delivery again with this plan; if the fault stays, report the check's name as a defect.",
    )


def _outcome(rule: Rule, result: Mapping[str, Any]) -> CheckOutcome:
    passed = bool(result["success"])
    return CheckOutcome(
        spec=rule.spec,
        passed=passed,
        figure=_figure(rule, result["result"]),
        threshold=rule.threshold or rule.spec.threshold,
        advice_en="" if passed else rule.spec.advice_en,
        advice_nl="" if passed else rule.spec.advice_nl,
    )


def _figure(rule: Rule, found: Mapping[str, Any]) -> str:
    if "unexpected_count" in found:
        n_found = found["unexpected_count"] or 0  # None over an empty table
        n_checked = found["element_count"] - (found.get("missing_count") or 0)
        return f"{n_found:,} / {n_checked:,} ({PERCENT * n_found / max(n_checked, 1):.3g} %)"
    measured = found["observed_value"]
    if measured is None:
        return "; ".join(filter(None, ["nothing to measure", rule.note]))
    match measured:
        case str():
            text = measured
        case int():
            text = f"{measured:,} {rule.unit}"
        case _:
            text = f"{PERCENT * measured:.1f} %" if rule.unit == "%" else f"{measured:.3g} {rule.unit}"
    return "; ".join(filter(None, [text, rule.note]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations from logging what the database said of a failed statement: that may quote a row."""
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
