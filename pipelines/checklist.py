"""``effectmeter checklist``: a reporting guideline, filled from the plan and the release."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from effectmeter.home import Home, programmes_folder
from pipelines.options import HomeOption, JsonOption, ProgrammeOption, ProgrammesOption, QuarterOption
from pipelines.programmes import find_plan

if TYPE_CHECKING:
    import polars as pl


def checklist(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    guideline: Annotated[
        Literal["target", "strobe"],
        typer.Option("--guideline", help="target (emulated trials) or strobe (cohorts)."),
    ] = "target",
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Print a TARGET or STROBE checklist, filled from the plan and the release: cleared values only.

    Example: effectmeter checklist --programme alleen-jij-bepaalt --guideline target
    """
    from assets.releases import find_edition, read_passport
    from effectmeter.checklist_facts import Released
    from effectmeter.checklists import as_markdown, filled
    from effectmeter.plan_io import load_plan
    from pipelines.cli import put, put_json, quarter_of

    plan = load_plan(find_plan(programmes_folder(programmes), programme))
    edition = find_edition(Home.from_environment(home), programme, quarter_of(quarter))
    released = Released(plan, read_passport(edition), _tables(edition))
    if json_:
        put_json({"guideline": guideline, "items": [asdict(row) for row in filled(guideline, released)]})
    else:
        put(as_markdown(guideline, released).rstrip("\n"))


def _tables(edition: Path) -> dict[str, pl.DataFrame]:
    import polars as pl

    tables = {path.stem: pl.read_csv(path) for path in sorted((edition / "tables").glob("*.csv"))}
    return tables | {"effects": pl.read_parquet(edition / "effects.parquet")}
