"""The portfolio: one page over the newest release of every programme. Reads releases only."""

from collections.abc import Sequence

import dagster as dg

from assets.installation import Installation, refusing
from assets.locks import alone_in


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
    def portfolio(installation: Installation) -> dg.MaterializeResult:  # type: ignore[type-arg]
        from reports import write_portfolio

        home = installation.home
        waiting = alone_in(
            home.release_root,
            busy="another process is writing the portfolio",
            next_step="materialise 'portfolio' when that one is done",
        )
        with refusing(home, "portfolio", "portfolio"), waiting:
            # the lock makes the last page written one that knows every release of the runs before it
            pages = write_portfolio(home.release_root)
        return dg.MaterializeResult(metadata={page.name: dg.MetadataValue.path(str(page)) for page in pages})

    return portfolio
