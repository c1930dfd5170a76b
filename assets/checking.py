"""``effectmeter check``: the intake and the landing expectations on a vault of its own, which is thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from effectmeter.errors import EffectmeterError
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

    Raises
    ------
    EffectmeterError
        The delivery was refused, or the machine gave out; never a text of a library.
    """
    from assets.installation import plainly
    from vault.connection import open_earlier, open_throwaway
    from vault.intake import land

    try:
        with (
            open_throwaway(home.vaults(plan.programme)) as connection,
            open_earlier(home.vault(plan.programme, quarter.previous())) as previous,
        ):
            report = land(connection, plan, home.delivery(plan.programme, quarter), quarter)
            outcomes = check_landing(connection, plan, quarter, previous)
    except EffectmeterError:
        raise
    except Exception as error:  # noqa: BLE001 - a foreign text may quote rows
        raise plainly(home, plan.programme, "check", error) from None
    return report, outcomes
