"""``effectmeter purge``: delete what is past its retention period, and say what was deleted."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home, programmes_folder
from effectmeter.quarters import Quarter
from pipelines.programmes import find_plan, planned, require_known, stored


def purge(
    programme: Annotated[
        list[str] | None, typer.Option("--programme", help="Which; may be repeated [default: all]", show_default=False)
    ] = None,
    quarter: Annotated[
        str | None,
        typer.Option("--quarter", help="YYYY-Qn: this one, however recent, of one programme.", show_default=False),
    ] = None,
    with_deliveries: Annotated[
        bool, typer.Option("--deliveries", help="The delivered files of those quarters as well.")
    ] = False,
    with_key: Annotated[
        bool,
        typer.Option("--with-key", help="A whole programme, its key first: no copy of its vaults can be read again."),
    ] = False,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
    home: Annotated[
        Path | None,
        typer.Option("--home", help="Data folder [default: EFFECTMETER_HOME or ./data]", show_default=False),
    ] = None,
    programmes: Annotated[
        Path | None,
        typer.Option(
            "--programmes",
            help="Folder with plans [default: EFFECTMETER_PROGRAMMES or ./programmes]",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")] = False,
) -> None:
    """Delete vaults past their retention period (`retention_months` of the plan). Releases stay.

    Example: effectmeter purge --dry-run
    """
    from pipelines.cli import put, put_json, say

    installation, folder = Home.from_environment(home), programmes_folder(programmes)
    names = list(dict.fromkeys(programme or []))
    for name in names:
        require_known(name, planned(folder) | stored(installation), folder)
    if (quarter is not None or with_key) and len(names) != 1:
        raise UsageError(
            "which programme is meant must be said",
            where="--quarter" if quarter is not None else "--with-key",
            next_step="add --programme, once",
        )
    if quarter is not None and with_key:
        raise UsageError("a key is of all quarters", where="--with-key", next_step="leave out --quarter")
    if with_key:
        found, notes = _whole(installation, names[0], with_deliveries, is_dry)
    else:
        chosen = Quarter.parse(quarter) if quarter else None
        found, notes = _past(
            installation,
            folder,
            names or sorted(stored(installation) | planned(folder)),
            chosen,
            with_deliveries,
            is_dry,
        )
    if json_:
        put_json({"dry_run": is_dry, "deleted": found, "notes": notes})
        return
    for note in notes:
        say(note)
    words = "would delete" if is_dry else "deleted"
    for each in found:
        put(f"{words} {each['what']} of {each['programme']}: {each['path']} ({each['bytes']:,} bytes)")
    if not found:
        put("nothing is past its retention period")


def _past(
    home: Home, folder: Path, names: list[str], chosen: Quarter | None, with_deliveries: bool, is_dry: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Purge what is past its time, or one quarter; a programme whose plan is gone or broken is named, and kept."""
    from effectmeter.plan_io import load_plan
    from vault.purge import kept_until, purge_log, purge_quarters, quarters_of

    found, notes, today = [], [], date.today()
    for name in names:
        if chosen is not None:
            found += purge_quarters(home, name, [chosen], with_deliveries=with_deliveries, is_dry=is_dry)
            continue
        try:
            months = load_plan(find_plan(folder, name)).retention_months
        except EffectmeterError:
            notes.append(
                f"{name}: kept, for no sound plan says how long it may be; "
                f"delete it with --programme {name} and --quarter or --with-key"
            )
            continue
        past = [quarter for quarter in quarters_of(home, name) if kept_until(quarter, months) < today]
        found += purge_quarters(home, name, past, with_deliveries=with_deliveries, is_dry=is_dry)
        found += purge_log(home, name, months, today, is_dry=is_dry)
    return _records(found), notes


def _whole(home: Home, name: str, with_deliveries: bool, is_dry: bool) -> tuple[list[dict[str, Any]], list[str]]:
    from vault.keys import is_in_environment
    from vault.purge import purge_programme

    found = purge_programme(home, name, with_deliveries=with_deliveries, is_dry=is_dry)
    notes = [f"{name}: its releases stand; what was published before is no longer known to a next refresh"]
    if is_in_environment(name):
        notes.append(f"{name}: its key is in the environment; copies can be read until it is destroyed there")
    return _records(found), notes


def _records(found: list[Any]) -> list[dict[str, Any]]:
    return [
        {"programme": each.programme, "what": each.what, "path": str(each.path), "bytes": each.n_bytes}
        for each in found
    ]
