"""When programmes run by themselves: a schedule per quarter, and a sensor on complete deliveries.

Both ask for the same job with the programme's assets and the quarter as partition, so that a run started by hand, by
the schedule or by a delivery is the same run; two for one delivery do not add up to two releases. What follows when a
run has ended, and what is done again by itself, is in `pipelines.following`.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.chain import Chain
from assets.installation import QUARTERS
from assets.releases import latest_edition
from assets.unchanged import unchanged
from effectmeter.arrivals import QUIET_SECONDS, Arrival, Seen, glance, look, remembered
from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_hash
from effectmeter.quarters import Quarter
from pipelines.alerts import tell
from pipelines.ending import Ended, settle

JOB_NAME = "refresh"
AUTOMATION = "EFFECTMETER_AUTOMATION"
"""``off``: schedule and sensors wait until somebody turns them on in the interface. Otherwise an installation that is
started works by itself."""
Clock = Callable[[], datetime]


def is_on() -> bool:
    """Return whether an installation works by itself from its start."""
    return os.environ.get(AUTOMATION, "on").casefold() != "off"


def sensors_are() -> dg.DefaultSensorStatus:
    """Return how sensors begin."""
    return dg.DefaultSensorStatus.RUNNING if is_on() else dg.DefaultSensorStatus.STOPPED


def clock() -> datetime:
    """Return the time; a test hands in another clock."""
    return datetime.now(UTC)


def quarter_request(chain: Chain, quarter: Quarter, portfolio: dg.AssetKey, run_key: str) -> dg.RunRequest:
    """Return the request to refresh one programme for one quarter, and the portfolio after it."""
    return dg.RunRequest(
        run_key=run_key,
        partition_key=str(quarter),
        asset_selection=[*(asset.key for asset in chain.assets), portfolio],
        asset_check_keys=[key for check in chain.checks for key in check.check_keys],
        tags={"programme": chain.programme, "quarter": str(quarter)},
    )


def files_of(plan: Plan) -> list[str]:
    """Return the files that a plan reads from a delivery."""
    return list(dict.fromkeys(source.file for source in plan.source.values()))


def build_quarterly_schedule(
    chains: Sequence[Chain], plans: Mapping[str, Plan], home: Home, portfolio: dg.AssetKey
) -> dg.ScheduleDefinition:
    """Return the schedule that refreshes all programmes for the quarter that has closed.

    It fires on the fifteenth of the quarter's first month: suppliers need those two weeks. The quarter comes from
    the tick's own time, never from the clock, so that a late daemon refreshes the right one. A programme whose files
    are still being copied is left to the sensor. One without a delivery does run: that it fails is how people hear.
    """

    @dg.schedule(
        name="every_quarter",
        job_name=JOB_NAME,
        cron_schedule="0 6 15 1,4,7,10 *",
        execution_timezone="Europe/Amsterdam",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_on() else dg.DefaultScheduleStatus.STOPPED,
        description="All programmes, for the quarter that has closed.",
    )
    def every_quarter(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        now = context.scheduled_execution_time
        quarter = Quarter.last_complete(now.date())
        context.instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter)])
        requests = []
        for chain in chains:
            found = glance(home.delivery(chain.programme, quarter), files_of(plans[chain.programme]), now)
            if found.state == "arriving":
                context.log.info(f"{chain.programme} {quarter} waits: {found.because}")
            else:
                requests.append(quarter_request(chain, quarter, portfolio, f"schedule/{chain.programme}/{quarter}"))
        return requests

    return every_quarter


def delivered_quarters(home: Home, programme: str) -> list[Quarter]:
    """Return the quarters for which a programme has a delivery folder, oldest first; other folders are passed over."""
    quarters = []
    for folder in sorted((home.root / "deliveries" / programme).glob("*-Q*")):
        try:
            quarters.append(Quarter.parse(folder.name))
        except UsageError:
            continue
    return quarters


def build_delivery_sensor(
    chains: Sequence[Chain],
    plans: Mapping[str, Plan],
    home: Home,
    portfolio: dg.AssetKey,
    clock: Clock = clock,
) -> dg.SensorDefinition:
    """Return the sensor that starts a programme's quarter when its delivery is complete, once per delivery."""

    @dg.sensor(
        name="complete_deliveries",
        job_name=JOB_NAME,
        minimum_interval_seconds=30,
        default_status=sensors_are(),
        description="Starts a programme when its delivery is what its manifest says, or without a manifest when all "
        f"files are there and nothing has changed for {QUIET_SECONDS} s.",
    )
    def complete_deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known, waits, requests, now = remembered(context.cursor), [], [], clock()
        kept: dict[str, dict[str, Any]] = {}
        for chain, quarter in _delivered(chains, home):
            plan, address = plans[chain.programme], f"{chain.programme}/{quarter}"
            before = known.get(address, {})
            found = look(home.delivery(chain.programme, quarter), files_of(plan), now, _seen(before))
            kept[address] = _kept(found, before)
            state = _state(found, plan, has_release=latest_edition(home.releases(chain.programme, quarter)) is not None)
            if found.seen is None or state == before.get("settled"):
                continue
            if found.state == "arriving":
                waits.append(f"{address}: {found.because}")
                continue
            kept[address]["settled"] = state
            if found.state == "mismatched":
                waits.append(f"{address}: {found.because}")
                ended = Ended(chain.programme, quarter, "delivery", found.because)
                for fault in tell(home, settle(home, plan.title.model_dump(), ended, now.date())):
                    context.log.warning(fault)
            elif unchanged(home, plan, quarter) is None:
                key = f"delivery/{address}/{state}"
                requests.append(quarter_request(chain, quarter, portfolio, key))
        for wait in waits:
            context.log.info(wait)
        new = sorted({str(request.partition_key) for request in requests})
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(waits) or "no new complete delivery",
            cursor=json.dumps(kept, sort_keys=True),
            dynamic_partitions_requests=[QUARTERS.build_add_request(new)] if new else [],
        )

    return complete_deliveries


def _state(found: Arrival, plan: Plan, *, has_release: bool) -> str:
    """Return what a delivery is started for once: as long as it was refused, a mended plan is a new reason to try."""
    fingerprint = found.seen.fingerprint if found.seen is not None else ""
    return fingerprint if has_release else f"{fingerprint} {plan_hash(plan)}"


def _delivered(chains: Sequence[Chain], home: Home) -> Iterator[tuple[Chain, Quarter]]:
    """Yield every delivery, older quarters first: a later one is compared with the one before it."""
    pairs = [(quarter, chain) for chain in chains for quarter in delivered_quarters(home, chain.programme)]
    for quarter, chain in sorted(pairs, key=lambda pair: (pair[0], pair[1].programme)):
        yield chain, quarter


def _seen(before: Mapping[str, Any]) -> Seen | None:
    try:
        faults = before["faults"]
        return Seen(str(before["fingerprint"]), float(before["since"]), None if faults is None else tuple(faults))
    except (KeyError, TypeError, ValueError):
        return None


def _kept(found: Arrival, before: Mapping[str, Any]) -> dict[str, Any]:
    settled = {"settled": before["settled"]} if "settled" in before else {}
    return ({} if found.seen is None else asdict(found.seen)) | settled
