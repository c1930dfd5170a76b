"""``effectmeter export``: the analysis table for R, Stata or SPSS, with labels and the commands to go with it.

Here: the command, the files and their rights. Which columns there are is in `effectmeter.analysis_table`; the commands
for the three programs are in `effectmeter.analysis_syntax`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from effectmeter.errors import UsageError
from effectmeter.home import Home, programmes_folder
from effectmeter.quarters import Quarter
from pipelines.options import HomeOption, JsonOption, ProgrammeOption, ProgrammesOption, QuarterOption
from pipelines.programmes import find_plan

if TYPE_CHECKING:
    from effectmeter.analysis_table import AnalysisTable
    from effectmeter.plan import Plan

Format = Literal["csv", "dta", "sav", "parquet"]

WARNING = """\
These are individual data, {n} rows, outside the vault and no longer encrypted. Whoever can read the folder can read
them. Nothing in it may be published or passed on; delete it when you are done."""

_README = """\
# Analysis table of {programme}, {quarter}

{warning}

The table holds who was analysed for the primary outcome, as the estimator saw them: one row per {unit}. Pseudonyms are
replaced by running numbers. Of the vault's primary row:

    {measure} {estimate}, 95 % interval {low} to {high}
    estimator {estimator}, standard error {variance}, estimand {estimand}

`analyse.R`, `analyse.do` and `analyse.sps` hold the commands that make it again. {exactly} Their intervals can differ a
little: the vault's error also carries that weights were estimated, and is corrected for small numbers.

| column | meaning |
|---|---|
{columns}
"""
_EXACTLY = """\
Their estimate is the same, unless an arm has so
few events that the vault took a method for few events."""
_NEARLY = "They come near it: the vault's own\nmethod has no twin in these programs."


def export(
    programme: ProgrammeOption,
    to: Annotated[Path, typer.Option("--to", help="Folder for the files; made when it is not there.")],
    quarter: QuarterOption = None,
    kind: Annotated[Format, typer.Option("--format", help="csv, dta (Stata), sav (SPSS) or parquet.")] = "csv",
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Write the analysis table for R, Stata or SPSS: individual data.

    Example: effectmeter export --programme tarp --to analysis --format dta
    """
    from effectmeter.plan_io import load_plan
    from pipelines.cli import put, put_json, quarter_of, say

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    folder = to.expanduser().resolve()
    _require_outside(folder, installation)
    plan_file = find_plan(programmes_folder(programmes), programme)
    table = read_table(installation, load_plan(plan_file), wanted)
    files = write_export(table, programme, wanted, folder, kind)
    say(WARNING.format(n=table.frame.height))
    if json_:
        put_json({"files": [str(path) for path in files], "rows": table.frame.height, "is_individual": True})
    else:
        put("\n".join(str(path) for path in files))


def read_table(home: Home, plan: Plan, quarter: Quarter) -> AnalysisTable:
    """Return the analysis table out of a vault, which is opened for reading only.

    Raises
    ------
    DeliveryError
        The vault was made from another plan than the one as it is now, or is not finished.
    """
    from assets.gate import require_built
    from assets.releases import require_vault
    from effectmeter.analysis_table import analysis_table
    from effectmeter.results import EffectRow
    from effectmeter.verdicts import primary_row
    from vault.analysis import read_analysis_data
    from vault.connection import open_vault
    from vault.results import read_results

    with open_vault(require_vault(home, plan.programme, quarter), read_only=True) as connection:
        require_built(connection, plan, "diagnostics")
        data = read_analysis_data(connection, plan, quarter)
        effects = read_results(connection, "estimate.effects", EffectRow)
    return analysis_table(data, primary_row(effects))


def write_export(table: AnalysisTable, programme: str, quarter: Quarter, folder: Path, kind: Format) -> list[Path]:
    """Write table, commands and explanation, readable by their owner alone; return the paths.

    A folder that is made here is closed to others; the rights of one that stood there are its owner's business.
    """
    from effectmeter.analysis_syntax import r_syntax, spss_syntax, stata_syntax

    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o700)
    name = f"{programme}-{quarter}.{kind}"
    draft = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))  # mode 0700
    try:
        _write_table(table, draft / name, kind)
        texts = {
            "analyse.R": r_syntax(table, name, kind),
            "analyse.do": stata_syntax(table, name, kind),
            "analyse.sps": spss_syntax(table, name, kind),
            "README.md": _readme(table, programme, quarter),
        }
        for file, text in texts.items():
            (draft / file).write_text(text, encoding="utf-8")
        for path in draft.iterdir():
            path.chmod(0o600)
        return [(draft / file).replace(folder / file) for file in (name, *texts)]
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_table(table: AnalysisTable, path: Path, kind: Format) -> None:
    if kind == "csv":
        table.frame.write_csv(path)
    elif kind == "parquet":
        table.frame.write_parquet(path)
    else:
        import pyreadstat

        write = pyreadstat.write_dta if kind == "dta" else pyreadstat.write_sav
        write(
            table.frame.to_pandas(),
            str(path),
            column_labels={name: label[:80] for name, label in table.labels.items()},
            variable_value_labels={name: dict(values) for name, values in table.value_labels.items()},
        )


def _readme(table: AnalysisTable, programme: str, quarter: Quarter) -> str:
    from effectmeter.analysis_syntax import EXACT

    row = table.primary
    unit = {"areas": "area and period", "series": "period", "trials": "trial"}.get(table.model, "person")

    def shown(value: float | None) -> str:
        return "none" if value is None else f"{value:.6g}"

    return _README.format(
        programme=programme,
        quarter=quarter,
        warning=WARNING.format(n=table.frame.height),
        unit=unit,
        measure=table.measure,
        estimate=shown(row.estimate if row else None),
        low=shown(row.conf_low if row else None),
        high=shown(row.conf_high if row else None),
        estimator=row.estimator if row else "none",
        variance=row.variance if row else "none",
        estimand=row.estimand if row else "none",
        exactly=_EXACTLY if table.model in EXACT else _NEARLY,
        columns="\n".join(f"| `{name}` | {table.labels[name]} |" for name in table.frame.columns),
    )


def _require_outside(folder: Path, home: Home) -> None:
    """Refuse the folders from which things are published, or read as deliveries."""
    for taken in (home.release_root, home.root / "deliveries", home.root / "vault"):
        if folder == taken or taken in folder.parents:
            raise UsageError(
                "individual data do not go into this folder",
                where=f"--to {folder}",
                allowed="a folder of your own, outside the data folder's release, deliveries and vault",
                next_step="choose another folder, on an encrypted disk",
            )
