"""The portfolio: one page over the newest release of every programme. Reads releases only."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from assets.installation import Installation, refusing
from assets.locks import alone_in
from assets.measuring import measured
from assets.provenance import code_hash
from effectmeter.home import Home
from effectmeter.standing import NAME as STANDING

PAGES = ("index.nl.html", "index.en.html", "portfolio.xlsx")
_MADE_FROM = ".portfolio.json"


def build_portfolio(programmes: Sequence[str]) -> dg.AssetsDefinition:
    """Return the asset that follows every programme's report."""

    @dg.asset(
        key=dg.AssetKey("portfolio"),
        deps=[dg.AssetKey([programme, "report"]) for programme in programmes],
        group_name="portfolio",
        description="All programmes side by side: verdict, strength of the evidence, freshness. Never a ranking.",
        owners=["team:effectmeter"],
        kinds={"html"},
    )
    def portfolio(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult:  # type: ignore[type-arg]
        operation = context.op_execution_context
        with (
            measured(installation.home, "", None, "portfolio", operation) as measure,
            refusing(installation, "portfolio", "portfolio", operation),
        ):
            if not renew_portfolio(installation.home):
                measure.metadata = {"unchanged": "skipped: no release is newer than the page"}
        root = installation.home.release_root
        pages = {name: dg.MetadataValue.path(str(root / name)) for name in PAGES}
        return dg.MaterializeResult(metadata=pages | measure.metadata | measure.taken())

    return portfolio


def renew_portfolio(home: Home) -> bool:
    """Write the page over all programmes when it is not what the releases say; return whether that was needed.

    Raises
    ------
    BusyError
        Another process is writing it.
    """
    from reports import write_portfolio

    root = home.release_root
    if not any(root.glob("*/*-Q[1-4]/[0-9]*/passport.json")):
        return False  # no release, no page
    # the lock makes the last page written one that knows every release of the runs before it
    with alone_in(
        root,
        busy="another process is writing the portfolio",
        next_step="materialise 'portfolio' when that one is done",
    ):
        made_from, now = root / _MADE_FROM, _sources(root)
        is_whole = all((root / name).is_file() for name in (*PAGES, _MADE_FROM))
        if is_whole and made_from.read_text(encoding="utf-8") == now:
            return False
        write_portfolio(root, code_hash())
        beside = made_from.with_name(f"{_MADE_FROM}.part")
        beside.write_text(now, encoding="utf-8")
        beside.replace(made_from)
    return True


def _sources(root: Path) -> str:
    """Return a hash over all that the page is made from; passports hold the hashes of all else in a release."""
    found = [*root.glob("*/*-Q[1-4]/[0-9]*/passport.json"), *root.glob(f"*/{STANDING}")]
    described = [(str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in sorted(found)]
    return hashlib.sha256(json.dumps([described, code_hash()]).encode()).hexdigest()
