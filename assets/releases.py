"""Releases on disk: finding them, and moving a finished one into place in a single rename.

A release folder is immutable. It is written under a name that starts with a dot, beside its final place, and renamed
when it is whole; a killed run leaves at most such a folder behind, which the next run clears away.
"""

import json
from pathlib import Path
from typing import Any

from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.passport import require_known
from effectmeter.quarters import Quarter
from effectmeter.results import ClaimRuling, EffectRow, GateResult, as_record

STAGING = ".staging"


def editions(folder: Path) -> list[Path]:
    """Return a quarter's editions, oldest first."""
    found = (path for path in folder.glob("[0-9][0-9][0-9]*") if path.name.isdecimal() and path.is_dir())
    return sorted(found, key=lambda path: int(path.name))  # the thousandth comes after 999


def latest_edition(folder: Path) -> Path | None:
    """Return a quarter's newest edition, or None."""
    found = editions(folder)
    return found[-1] if found else None


def editions_before(home: Home, programme: str, quarter: Quarter) -> list[Path]:
    """Return the editions that a new one follows, newest first: its quarter's own, then those of earlier quarters."""
    quarters = sorted((home.release_root / programme).glob("*-Q[1-4]"), key=lambda path: path.name, reverse=True)
    return [edition for path in quarters if path.name <= str(quarter) for edition in reversed(editions(path))]


def find_edition(home: Home, programme: str, quarter: Quarter) -> Path:
    """Return the newest edition of a programme's quarter, or say that there is none."""
    edition = latest_edition(home.releases(programme, quarter))
    if edition is None:
        released = sorted(path.name for path in (home.release_root / programme).glob("*-Q[1-4]"))
        raise _not_refreshed("release", programme, quarter, released)
    return edition


def _not_refreshed(what: str, programme: str, quarter: Quarter, there: list[str]) -> UsageError:
    return UsageError(
        f"there is no {what} of {programme} for {quarter}",
        where="--quarter",
        allowed=", ".join(there) or f"no quarter yet: {programme} was never refreshed",
        next_step=f"run `effectmeter refresh --programme {programme} --quarter {quarter}`",
    )


def read_passport(edition: Path) -> dict[str, Any]:
    """Return an edition's evidence passport; refuse that of a newer version."""
    passport: dict[str, Any] = json.loads((edition / "passport.json").read_text(encoding="utf-8"))
    require_known(passport, str(edition))
    return passport


def next_edition_name(folder: Path) -> str:
    """Return the name of the edition after the newest: ``001``, ``002``, ..."""
    newest = latest_edition(folder)
    return f"{int(newest.name) + 1 if newest else 1:03d}"


def require_vault(home: Home, programme: str, quarter: Quarter) -> Path:
    """Return the vault of a programme's quarter, or say that there is none."""
    path = home.vault(programme, quarter)
    if not path.exists():
        there = sorted(file.stem for file in path.parent.glob("*-Q[1-4].duckdb"))
        raise _not_refreshed("vault", programme, quarter, there)
    return path


def vault_effects(home: Home, programme: str, quarter: Quarter) -> dict[str, list[dict[str, Any]]]:
    """Return effects, gates and claims as they lie in the vault: unrounded, hidden rows with their values."""
    from vault.connection import open_vault
    from vault.results import read_results

    with open_vault(require_vault(home, programme, quarter), read_only=True) as connection:
        return {
            "effects": [as_record(row) for row in read_results(connection, "estimate.effects", EffectRow)],
            "gates": [as_record(row) for row in read_results(connection, "estimate.gates", GateResult)],
            "claims": [as_record(row) for row in read_results(connection, "estimate.claims", ClaimRuling)],
        }


def released_effects(home: Home, programme: str, quarter: Quarter) -> dict[str, list[dict[str, Any]]]:
    """Return effects, gates and claims as released: rounded, hidden and suppressed values empty."""
    import polars as pl

    edition = find_edition(home, programme, quarter)
    effects = pl.read_parquet(edition / "effects.parquet")
    tables = {name: pl.read_csv(edition / "tables" / f"{name}.csv") for name in ("gates", "claims")}
    return {"effects": effects.to_dicts()} | {name: table.to_dicts() for name, table in tables.items()}
