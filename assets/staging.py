"""Between the release gate and the report: the cleared result on disk, so that the report never needs the vault.

The `release` asset leaves it in the staging folder, the `report` asset reads it there. Cleared values only.
"""

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter

from effectmeter.disclosure import Rules
from effectmeter.errors import EffectmeterError
from effectmeter.natural_frequencies import Frequencies
from effectmeter.release import Cleared
from effectmeter.results import ClaimRuling, EffectRow, GateResult
from effectmeter.sentences import Facts

FOLDER = "cleared"


def _parts() -> dict[str, TypeAdapter[Any]]:
    return {
        "rules": TypeAdapter(Rules),
        "rows": TypeAdapter(tuple[EffectRow, ...]),
        "gates": TypeAdapter(tuple[GateResult, ...]),
        "claims": TypeAdapter(tuple[ClaimRuling, ...]),
        "facts": TypeAdapter(Facts),
        "frequencies": TypeAdapter(Frequencies),
        "programme": TypeAdapter(str),
        "quarter": TypeAdapter(str),
        "is_synthetic": TypeAdapter(bool),
    }


def write_cleared(staging: Path, cleared: Cleared) -> None:
    """Leave a cleared result in a staging folder."""
    folder = staging / FOLDER
    (folder / "tables").mkdir(parents=True)
    for name, table in cleared.tables.items():
        table.write_parquet(folder / "tables" / f"{name}.parquet")
    for name, adapter in _parts().items():
        (folder / f"{name}.json").write_bytes(adapter.dump_json(getattr(cleared, name)))


def read_cleared(staging: Path) -> Cleared:
    """Read a cleared result back from a staging folder.

    Raises
    ------
    EffectmeterError
        When there is none: the release gate has not run since the last report.
    """
    folder = staging / FOLDER
    if not folder.is_dir():
        raise EffectmeterError(
            "there is nothing cleared that has not been published yet",
            where=str(staging.parent),
            next_step="materialise 'release' together with 'report'",
        )
    parts = {name: adapter.validate_json((folder / f"{name}.json").read_bytes()) for name, adapter in _parts().items()}
    tables = {path.stem: pl.read_parquet(path) for path in sorted((folder / "tables").glob("*.parquet"))}
    return Cleared(tables=tables, **parts)
