"""Which programmes an installation knows, and what is said of one that it does not. Reads names only."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from effectmeter.errors import UsageError
from effectmeter.home import Home, plan_files


def require_known(programme: str, known: Collection[str], folder: Path) -> None:
    """Refuse a programme that is not among `known`, with the nearest that is.

    Raises
    ------
    UsageError
        Names what there is, and what to do when there is nothing.
    """
    if programme in known:
        return
    from effectmeter.plan_rules import listed, nearest  # with them come the models of a plan, which take their time

    raise UsageError(
        f"there is no plan for '{programme[:60]}' in {folder}",
        where="--programme",
        allowed=listed(sorted(known)) or "no plans there yet",
        next_step=nearest(programme, known) or "make a plan with `effectmeter plan new`",
    )


def find_plan(folder: Path, programme: str) -> Path:
    """Return the path of a programme's plan, or say which there are."""
    require_known(programme, planned(folder), folder)
    return folder / f"{programme}.yaml"


def planned(folder: Path) -> set[str]:
    """Return the programmes that have a plan in a folder."""
    return {path.stem for path in plan_files(folder)}


def stored(home: Home) -> set[str]:
    """Return the programmes of which there is a vault or a release, also when their plan has gone."""
    folders = [*(home.root / "vault").glob("*"), *home.release_root.glob("*")]
    return {folder.name for folder in folders if folder.is_dir() and not folder.name.startswith(".")}
