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

SeveralQuartersOption = Annotated[
    list[str] | None,
    typer.Option("--quarter", help="YYYY-Qn; may be repeated [default: the last complete quarter]", show_default=False),
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="YYYY-Qn: this quarter and those after it.", show_default=False)
]
UntilOption = Annotated[
    str | None,
    typer.Option("--until", help="The last of them [default: the last complete quarter]", show_default=False),
]


def _programmes_from(incomplete: str) -> list[str]:
    """Return the programmes that a shell may offer after ``--programme``."""
    from effectmeter.home import programmes_folder
    from pipelines.programmes import planned

    return sorted(name for name in planned(programmes_folder(None)) if name.startswith(incomplete))


ProgrammeOption = Annotated[str, typer.Option("--programme", help="Which programme.", autocompletion=_programmes_from)]
SeveralProgrammesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--programme",
        help="Which; may be repeated [default: all]",
        show_default=False,
        autocompletion=_programmes_from,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]
