"""What a researcher sees of a step in the Dagster UI: row counts, column schemas, pictures. Nothing individual.

Counts of persons are shown the way the release gate shows them, rounded to 5 and never below 10: metadata is kept in
Dagster's own database, outside the vault.
"""

import base64
from collections.abc import Sequence

import dagster as dg

from effectmeter import disclosure
from effectmeter.disclosure import Rules
from effectmeter.disclosure_texts import clear_figure
from effectmeter.plan import Plan
from effectmeter.results import AttritionStep
from effectmeter.schema import Table
from effectmeter.shapes import SHAPES


def safe_count(count: int, plan: Plan) -> str:
    """Return a count of persons or rows as the release gate would show it.

    Examples
    --------
    >>> from effectmeter.plan import Plan
    >>> plan = Plan.model_construct()
    >>> safe_count(432, plan), safe_count(3, plan), safe_count(0, plan)
    ('430', '< 10', '0')
    """
    shown = disclosure.safe_count(count, rules_of(plan))
    if count and shown is None:
        return f"< {rules_of(plan).minimum_persons}"
    return str(shown or 0)


def row_count(count: int, plan: Plan) -> dict[str, int]:
    """Return a table's row count, rounded, under the name that Dagster draws over time; nothing when it is small.

    The tables of the vault have a row per person, so that two exact counts tell how many were lost between them.
    """
    shown = disclosure.safe_count(count, rules_of(plan))
    return {} if shown is None else {"dagster/row_count": shown}


def safe_figure(figure: str, plan: Plan, n: int | None = None) -> str:
    """Return a check's figure as the release gate would show it; `n` is the smallest arm, for percentages.

    Areas, periods and trials are public: of designs on them only figures that name people or events are masked.
    """
    is_person = SHAPES[plan.design].unit == "person"
    return clear_figure(figure, rules_of(plan), n=n, counted="all" if is_person else "named")


def rules_of(plan: Plan) -> Rules:
    """Return the plan's disclosure rules. A missing reason for loose ones is the release gate's to refuse."""
    settings, strict = plan.disclosure, Rules()
    may_be_loose = bool((settings.reason or "").strip())
    chosen = {
        name: getattr(settings, name) if may_be_loose else max(getattr(settings, name), getattr(strict, name))
        for name in ("minimum_persons", "minimum_families", "rounding_base")
    }
    return Rules(**chosen)


def column_schema(table: Table) -> dg.TableSchema:
    """Return a catalogue table as Dagster shows columns."""
    return dg.TableSchema(
        columns=[dg.TableColumn(column.name, column.type, description=column.meaning) for column in table.columns]
    )


def attrition_table(steps: Sequence[AttritionStep], plan: Plan) -> dg.TableMetadataValue:
    """Return the way from delivered to analysed as a table: the very numbers that the release would show."""
    from effectmeter.cleared_tables import clear_attrition

    few = f"< {rules_of(plan).minimum_persons}"
    records = [
        dg.TableRecord(
            {
                "step": step["name"],
                "arm": step["arm"] or "-",
                "lost": few if step["n_lost"] is None else str(step["n_lost"]),
                "left": few if step["n_after"] is None else str(step["n_after"]),
                "reason": step["reason"],
            }
        )
        for step in clear_attrition(steps, rules_of(plan)).to_dicts()
    ]
    columns = [dg.TableColumn(name) for name in ("step", "arm", "lost", "left", "reason")]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def picture(svg: str, alternative_text: str) -> dg.MarkdownMetadataValue:
    """Return an SVG as markdown that the Dagster UI renders (behind its *Show Markdown* link)."""
    data = base64.b64encode(svg.encode()).decode()
    return dg.MetadataValue.md(f"![{alternative_text}](data:image/svg+xml;base64,{data})")
