"""Options that several commands have, each with its help: so that they are called the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Data folder [default: EFFECTMETER_HOME or ./data]", show_default=False)
]
ProgrammesOption = Annotated[
    Path | None,
    typer.Option(
        "--programmes", help="Folder with plans [default: EFFECTMETER_PROGRAMMES or ./programmes]", show_default=False
    ),
]
QuarterOption = Annotated[
    str | None, typer.Option("--quarter", help="YYYY-Qn [default: the last complete quarter]", show_default=False)
]
ProgrammeOption = Annotated[str, typer.Option("--programme", help="Which programme.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]
