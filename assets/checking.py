"""``effectmeter check``: the intake and the landing expectations on a vault of its own, which is thrown away."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from expectations import CheckOutcome, check_landing

if TYPE_CHECKING:
    from vault.intake import LandingReport


def check_delivery(home: Home, plan: Plan, quarter: Quarter) -> tuple[LandingReport, tuple[CheckOutcome, ...]]:
    """Land a delivery in a temporary vault and check it.

    Returns
    -------
    tuple
        What became of the delivered rows, and the check outcomes.
    """
    from vault.connection import open_vault
    from vault.intake import land

    folder = home.root / "vault" / plan.programme
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    previous = home.vault(plan.programme, quarter.previous())
    # Beside the vault and not in the system's temporary folder: it holds individual data until it is thrown away.
    with (
        tempfile.TemporaryDirectory(prefix=".check-", dir=folder) as temporary,
        open_vault(Path(temporary) / "check.duckdb") as connection,
    ):
        report = land(connection, plan, home.delivery(plan.programme, quarter), quarter)
        outcomes = check_landing(connection, plan, quarter, previous if previous.exists() else None)
    return report, outcomes
