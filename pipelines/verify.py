"""``effectmeter verify``: does a release hold together? For anybody, without the data, the vault or its key."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home, programmes_folder
from pipelines.options import HomeOption, JsonOption, ProgrammesOption, QuarterOption


def verify(
    path: Annotated[Path | None, typer.Argument(help="Folder of one edition.", show_default=False)] = None,
    programme: Annotated[
        str | None, typer.Option("--programme", help="Its newest edition, instead of a folder.", show_default=False)
    ] = None,
    quarter: QuarterOption = None,
    expect: Annotated[
        str, typer.Option("--expect", help="SHA-256 of passport.json, as `approve` gave it.", show_default=False)
    ] = "",
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Verify a release without the data: every file, every number, the approval.

    Example: effectmeter verify data/release/tarp/2026-Q3/002
    """
    from assets.releases import find_edition
    from pipelines.cli import put, put_json, quarter_of
    from reports.verification import verify as run

    if (path is None) == (programme is None):
        raise UsageError(
            "say which release: a folder, or --programme and --quarter",
            next_step="effectmeter verify --programme tarp --quarter 2026-Q3",
        )
    folder = path or find_edition(Home.from_environment(home), str(programme), quarter_of(quarter))
    found = run(folder, expected=expect, here=known_here(folder, programmes_folder(programmes)))
    is_whole = all(entry.status != "wrong" for entry in found)
    if json_:
        put_json({"release": str(folder), "verified": is_whole, "checks": [asdict(entry) for entry in found]})
    else:
        for entry in found:
            put(f"{entry.status:<6}{entry.check}: {entry.sentence}")
        put(f"{folder}: {'verified' if is_whole else 'NOT as it was published'}")
    raise typer.Exit(0 if is_whole else 1)


def known_here(folder: Path, programmes: Path) -> dict[str, Any]:
    """Return the hashes of this checkout's code, lock and plan, to be told beside those of the release."""
    import json

    from assets.provenance import software
    from effectmeter.plan_io import load_plan, plan_hash

    made_here = software()
    found = {name: made_here[name] for name in ("code_hash", "lock_hash")}
    try:
        programme = str(json.loads((folder / "passport.json").read_text(encoding="utf-8"))["programme"])
        plans = {path.stem: path for path in programmes.glob("*.yaml")}
        if programme in plans:
            found["plan_hash"] = plan_hash(load_plan(plans[programme]))
    except (OSError, ValueError, KeyError, TypeError, EffectmeterError):
        pass  # what is wrong with the passport is told by its own check
    return found
