"""Everything Dagster needs to know, assembled in one function; `workspace.yaml` loads `defs` from here.

Tests call `build_definitions` with a folder of their own instead of patching anything.
"""

from pathlib import Path
from typing import TypeAlias

import dagster as dg

from assets.chain import build_chain, build_faulty_plan
from assets.installation import Installation
from assets.portfolio import build_portfolio
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home, plan_files, programmes_folder
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from pipelines.automation import JOB_NAME, Clock, build_delivery_sensor, build_quarterly_schedule, clock
from pipelines.cluster import build_cluster_jobs
from pipelines.following import build_deadline_sensor, build_ending_sensors, build_outdated_sensor

RETRIES = 2
"""How often a run that nobody waits for tries a step again when the machine was busy or gave out."""


Plans: TypeAlias = tuple[dict[str, Plan], dict[str, str]]
"""The sound plans by programme, and the faults of the others by file stem."""


def read_plans(folder: Path) -> Plans:
    """Return the sound plans by programme, and the faults of the others by file stem."""
    plans: dict[str, Plan] = {}
    faults: dict[str, str] = {}
    for path in plan_files(folder):
        try:
            plan = load_plan(path)
        except EffectmeterError as error:
            faults[path.stem] = str(error)
        else:
            plans[plan.programme] = plan
    return plans, faults


def build_definitions(
    programmes: Path | None = None,
    home: Home | None = None,
    *,
    retries: int = 0,
    clock: Clock = clock,
    read: Plans | None = None,
) -> dg.Definitions:
    """Assemble chains, jobs, schedule and sensors for every plan in a folder.

    Parameters
    ----------
    programmes
        Folder with plans; ``EFFECTMETER_PROGRAMMES`` or ``./programmes`` when not given.
    home
        The installation; ``EFFECTMETER_HOME`` or ``./data`` when not given.
    retries
        See `assets.installation.Installation`.
    clock
        What the sensors take for the time.
    read
        What `read_plans` found in the folder, for whoever has read it already.
    """
    home = home or Home.from_environment()
    folder = programmes_folder(programmes)
    plans, faults = read or read_plans(folder)
    chains = [build_chain(plan) for plan in plans.values()]
    portfolio = build_portfolio([chain.programme for chain in chains])
    assets = [asset for chain in chains for asset in chain.assets] + [portfolio]
    job = dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.assets(*assets),
        description="Delivery to report, for the programmes and the quarter of the run.",
    )
    return dg.Definitions(
        assets=assets + [build_faulty_plan(programme, fault) for programme, fault in faults.items()],
        asset_checks=[check for chain in chains for check in chain.checks],
        jobs=[job, *build_cluster_jobs(list(plans), home, folder)],
        schedules=[build_quarterly_schedule(chains, plans, home, portfolio.key)],
        sensors=[
            build_delivery_sensor(chains, plans, home, portfolio.key, clock),
            build_outdated_sensor(chains, plans, home, portfolio.key),
            build_deadline_sensor(plans, faults, home, clock),
            *build_ending_sensors(plans, home, clock),
        ],
        resources={"installation": Installation(root=str(home.root), retries=retries)},
        # One process per run: spawning a step costs seconds of imports, and many programmes are many runs anyway.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Load this installation's definitions; importing the module alone reads no environment and no file."""
    return build_definitions(retries=RETRIES)
