"""When programmes run by themselves: a schedule per quarter, and a sensor on complete deliveries.

Both ask for the same job with the programme's assets and the quarter as partition, so that a run started by hand, by
the schedule or by a delivery is the same run. The sensor's and the schedule's requests for one delivery do not add
up to two releases: an unchanged delivery changes nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import dagster as dg

from assets.chain import Chain
from assets.installation import QUARTERS
from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter

JOB_NAME = "refresh"
QUIET_SECONDS = 60
"""A delivery is complete when every file of the plan is there and none has changed for this long."""


def quarter_request(chain: Chain, quarter: Quarter, portfolio: dg.AssetKey, run_key: str) -> dg.RunRequest:
    """Return the request to refresh one programme for one quarter, and the portfolio after it."""
    return dg.RunRequest(
        run_key=run_key,
        partition_key=str(quarter),
        asset_selection=[*(asset.key for asset in chain.assets), portfolio],
        asset_check_keys=[key for check in chain.checks for key in check.check_keys],
        tags={"programme": chain.programme, "quarter": str(quarter)},
    )


def build_quarterly_schedule(chains: Sequence[Chain], portfolio: dg.AssetKey) -> dg.ScheduleDefinition:
    """Return the schedule that refreshes all programmes for the quarter that has closed.

    It fires on the fifteenth of the quarter's first month: suppliers need those two weeks. The quarter comes from
    the tick's own time, never from the clock, so that a late daemon refreshes the right one.
    """

    @dg.schedule(
        name="every_quarter",
        job_name=JOB_NAME,
        cron_schedule="0 6 15 1,4,7,10 *",
        execution_timezone="Europe/Amsterdam",
        description="All programmes, for the quarter that has closed.",
    )
    def every_quarter(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        quarter = Quarter.last_complete(context.scheduled_execution_time.date())
        context.instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter)])
        return [quarter_request(chain, quarter, portfolio, f"schedule/{chain.programme}/{quarter}") for chain in chains]

    return every_quarter


def complete_fingerprint(folder: Path, plan: Plan, now: datetime) -> str | None:
    """Return a fingerprint of a delivery once it is complete, else None.

    Names, sizes and times of change only: a sensor that hashed every file at every tick would read each delivery
    thousands of times.
    """
    files = [folder / table.file for table in plan.source.values()]
    if not all(file.is_file() for file in files):
        return None
    stats = [file.stat() for file in files]
    if any(now.timestamp() - stat.st_mtime < QUIET_SECONDS for stat in stats):
        return None
    described = [[file.name, stat.st_size, stat.st_mtime_ns] for file, stat in zip(files, stats, strict=True)]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


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
    chains: Sequence[Chain], plans: Mapping[str, Plan], home: Home, portfolio: dg.AssetKey
) -> dg.SensorDefinition:
    """Return the sensor that starts a programme's quarter when its delivery is complete, once per delivery."""

    @dg.sensor(
        name="complete_deliveries",
        job_name=JOB_NAME,
        minimum_interval_seconds=30,
        description=f"Starts a programme when all files of its delivery are there and quiet for {QUIET_SECONDS} s.",
    )
    def complete_deliveries(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen: dict[str, str] = json.loads(context.cursor or "{}")
        now = datetime.now().astimezone()
        requests = []
        for chain in chains:
            for quarter in delivered_quarters(home, chain.programme):
                folder = home.delivery(chain.programme, quarter)
                fingerprint = complete_fingerprint(folder, plans[chain.programme], now)
                address = f"{chain.programme}/{quarter}"
                if fingerprint is None or seen.get(address) == fingerprint:
                    continue
                seen[address] = fingerprint
                requests.append(quarter_request(chain, quarter, portfolio, f"delivery/{address}/{fingerprint}"))
        if not requests:
            return dg.SkipReason("no new complete delivery")
        new = sorted({str(request.partition_key) for request in requests})
        return dg.SensorResult(
            run_requests=requests,
            cursor=json.dumps(seen, sort_keys=True),
            dynamic_partitions_requests=[QUARTERS.build_add_request(new)],
        )

    return complete_deliveries
