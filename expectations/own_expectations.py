"""Our own Great Expectations expectations. Importing this module imports Great Expectations, which takes seconds.

All of them evaluate one row of aggregates that a statement computes inside DuckDB, so that no row of a person enters
Great Expectations.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.compatibility.pydantic import Field
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from effectmeter.identifiers import ShapeCounts, judge

METRIC = "effectmeter.aggregate"


class Aggregate(TableMetricProvider):
    """The one row that a statement computes, column by column; empty when there was nothing to count."""

    metric_name = METRIC
    value_keys = ("statement", "parameters")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(
        cls,  # noqa: N805  Great Expectations calls it as a class method
        execution_engine: SqlAlchemyExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, Any]:
        parameters = dict(metric_value_kwargs["parameters"])
        with execution_engine.get_connection() as connection:
            row = connection.exec_driver_sql(metric_value_kwargs["statement"], parameters).one_or_none()
        return {} if row is None else dict(row._mapping)


class _OnAggregate(BatchExpectation):
    statement: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    metric_dependencies: ClassVar[tuple[str, ...]] = (METRIC,)
    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id",)


class ExpectNoViolations(_OnAggregate):
    """At most a share of what a statement checked violates its rule; nothing at all unless `max_share` is given."""

    max_share: float = 0.0

    success_keys: ClassVar[tuple[str, ...]] = ("statement", "parameters", "max_share")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        found = metrics[METRIC]
        return {
            "success": found["violations"] <= self.max_share * found["checked"],
            "result": {"element_count": found["checked"], "unexpected_count": found["violations"]},
        }


class ExpectColumnToHoldNoDirectIdentifiers(_OnAggregate):
    """The shapes of a column's distinct values, counted by a statement, are not those of a direct identifier.

    The rules are those of `effectmeter.identifiers`, which the intake applies to a delivery before storing it; here
    they are applied to what was stored.
    """

    column: str
    is_about_persons: bool = True

    success_keys: ClassVar[tuple[str, ...]] = ("column", "statement", "parameters", "is_about_persons")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        counts = {name: n for name, n in metrics[METRIC].items() if name != "column_name"}
        kind = judge(self.column, ShapeCounts(**counts), is_about_persons=self.is_about_persons) if counts else None
        return {"success": kind is None, "result": {"observed_value": kind or "none"}}


class ExpectFigureToBeBetween(_OnAggregate):
    """The figure that a statement measures lies within bounds; one that could not be measured passes, and says so."""

    min_value: float | None = None
    max_value: float | None = None

    success_keys: ClassVar[tuple[str, ...]] = ("statement", "parameters", "min_value", "max_value")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        figure = metrics[METRIC]["figure"]
        too_low = figure is not None and self.min_value is not None and figure < self.min_value
        too_high = figure is not None and self.max_value is not None and figure > self.max_value
        return {"success": not too_low and not too_high, "result": {"observed_value": figure}}
