"""``effectmeter check``: the intake and the landing expectations on a vault of its own, which is thrown away."""

import tempfile
from pathlib import Path

from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from expectations import CheckOutcome, check_landing


def check_delivery(home: Home, plan: Plan, quarter: Quarter) -> tuple[list[str], tuple[CheckOutcome, ...]]:
    """Land a delivery in a temporary vault and check it.

    Returns
    -------
    tuple
        One line per delivered table, and the check outcomes.
    """
    from vault.connection import open_vault
    from vault.intake import land

    folder = home.root / "vault" / plan.programme
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    previous = home.vault(plan.programme, quarter.previous())
    # Beside the vault and not in the system's temporary folder: it holds individual data until it is thrown away.
    with tempfile.TemporaryDirectory(prefix=".check-", dir=folder) as temporary:
        with open_vault(Path(temporary) / "check.duckdb") as connection:
            report = land(connection, plan, home.delivery(plan.programme, quarter), quarter)
            outcomes = check_landing(connection, plan, quarter, previous if previous.exists() else None)
        lines = [f"{table.table}: {table.n_rows_kept} rows kept, {table.n_rejected} rejected" for table in report.files]
    return lines, outcomes
