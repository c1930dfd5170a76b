"""What a researcher sees of a step in the Dagster UI: row counts, column schemas, pictures. Nothing individual.

Counts of persons are shown the way the release gate shows them, rounded to 5 and never below 10: metadata is kept in
Dagster's own database, outside the vault.
"""

import base64
from collections.abc import Sequence

import dagster as dg

from effectmeter.plan import Plan
from effectmeter.results import AttritionStep
from effectmeter.schema import Table


def safe_count(count: int, plan: Plan) -> str:
    """Return a count of persons as the release gate would show it.

    Examples
    --------
    >>> from effectmeter.plan import Plan
    >>> plan = Plan.model_construct()
    >>> safe_count(432, plan), safe_count(3, plan), safe_count(0, plan)
    ('430', '< 10', '0')
    """
    rules = plan.disclosure
    if count == 0:
        return "0"
    if count < rules.minimum_persons:
        return f"< {rules.minimum_persons}"
    return str(rules.rounding_base * round(count / rules.rounding_base))


def column_schema(table: Table) -> dg.TableSchema:
    """Return a catalogue table as Dagster shows columns."""
    return dg.TableSchema(
        columns=[dg.TableColumn(column.name, column.type, description=column.meaning) for column in table.columns]
    )


def attrition_table(steps: Sequence[AttritionStep], plan: Plan) -> dg.TableMetadataValue:
    """Return the way from delivered to analysed as a table, with safe counts."""
    records = [
        dg.TableRecord(
            {
                "step": step.name,
                "arm": step.arm or "-",
                "lost": safe_count(step.n_lost, plan),
                "left": safe_count(step.n_after, plan),
                "reason": step.reason,
            }
        )
        for step in steps
    ]
    columns = [dg.TableColumn(name) for name in ("step", "arm", "lost", "left", "reason")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def picture(svg: str, alternative_text: str) -> dg.MarkdownMetadataValue:
    """Return an SVG as markdown that the Dagster UI renders (behind its *Show Markdown* link)."""
    data = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{alternative_text}](data:image/svg+xml;base64,{data})")
