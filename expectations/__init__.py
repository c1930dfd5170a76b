"""Great Expectations suites and our own expectations, run inside the vault. No Dagster.

What is public: which checks a plan has (known without opening data, and without importing Great Expectations, which
takes seconds), and running them on an open vault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from expectations.analysis import analysis_rules
from expectations.checks import CheckNotEvaluatedError, CheckOutcome, CheckSpec, Severity
from expectations.landing import landing_rules

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "CheckNotEvaluatedError",
    "CheckOutcome",
    "CheckSpec",
    "Severity",
    "analysis_check_specs",
    "check_analysis",
    "check_landing",
    "landing_check_specs",
]


def landing_check_specs(plan: Plan) -> tuple[CheckSpec, ...]:
    """Return every check on a programme's delivery, from the plan alone."""
    return tuple(rule.spec for rule in landing_rules(plan))


def analysis_check_specs(plan: Plan) -> tuple[CheckSpec, ...]:
    """Return every check on a programme's cohort and outcome tables, from the plan alone."""
    return tuple(rule.spec for rule in analysis_rules(plan))


def check_landing(
    connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter, previous: duckdb.DuckDBPyConnection | None
) -> tuple[CheckOutcome, ...]:
    """Hold a landed delivery against its contract.

    Parameters
    ----------
    connection
        An open vault; what it has not committed is not seen.
    previous
        The vault of the quarter before, open for reading, for drift; None when there is none.

    Returns
    -------
    tuple
        One outcome per spec of `landing_check_specs`, in that order.

    Raises
    ------
    CheckNotEvaluatedError
        When a check could not be carried out: that is no verdict on the data.
    """
    from expectations.evaluation import evaluate
    from expectations.rates import rates_of

    before = {} if previous is None else rates_of(previous, plan, quarter.previous())
    return evaluate(connection, landing_rules(plan, quarter.reference_date, before))


def check_analysis(connection: duckdb.DuckDBPyConnection, plan: Plan, quarter: Quarter) -> tuple[CheckOutcome, ...]:
    """Hold the cohort and outcome tables against theirs; one outcome per spec of `analysis_check_specs`, in order."""
    from expectations.evaluation import evaluate

    return evaluate(connection, analysis_rules(plan))
