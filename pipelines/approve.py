"""``effectmeter approve``: a second person lets a release go out without the mark CONCEPT."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.options import HomeOption, JsonOption, ProgrammeOption, QuarterOption


def approve(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    edition: Annotated[
        str | None, typer.Option("--edition", help="Which you have read [default: the newest]", show_default=False)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", help="Who approves [default: EFFECTMETER_USER or your account]", show_default=False),
    ] = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Approve a release that somebody else refreshed: the next edition carries your name instead of CONCEPT.

    Example: effectmeter approve --programme tarp --quarter 2026-Q3 --by "Anna de Vries"
    """
    from assets.approval import approve_release, show_in_portfolio
    from pipelines.cli import put, put_json, quarter_of, say

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    made = approve_release(installation, programme, wanted, edition=edition, by=by)
    show_in_portfolio(installation)
    record_in_dagster(installation, programme, wanted, made)
    found = approved_record(made)
    if json_:
        put_json(found)
        return
    put(f"approved by {found['by']}: {programme} {wanted}, edition {found['edition']}\n  report: {found['report']}")
    put(f"  SHA-256 of its passport: {found['passport_sha256']}")
    say("next: keep that hash where the release is not, so that `effectmeter verify --expect` can hold it to it")


def approved_record(edition: Path) -> dict[str, Any]:
    """Return what an approval came to, for a machine."""
    from assets.releases import read_passport

    passport = read_passport(edition)
    return {
        "programme": passport["programme"],
        "quarter": passport["quarter"],
        "edition": passport["edition"],
        **{name: passport["approval"][name] for name in ("by", "account", "at")},
        "approved_edition": passport["approval"]["edition"],
        "approved_passport_sha256": passport["approval"]["passport_sha256"],
        "passport_sha256": hashlib.sha256((edition / "passport.json").read_bytes()).hexdigest(),
        "report": str(edition / "report.nl.html"),
    }


def record_in_dagster(home: Home, programme: str, quarter: Quarter, edition: Path) -> None:
    """Show the approved edition in the user interface, where there is one that this account may write in.

    The approval is in the release; the interface only repeats it.
    """
    if not (home.dagster / "dagster.yaml").exists():
        return
    import dagster as dg

    from assets.publishing import report_metadata
    from pipelines.instance import open_instance

    with suppress(Exception), open_instance(home) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=dg.AssetKey([programme, "report"]),
                partition=str(quarter),
                description=f"edition {edition.name} approved",
                metadata=report_metadata(edition),
            )
        )
