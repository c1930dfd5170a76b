"""Many programmes at once, on the machines of a Dask cluster that share the data folder: the job ``refresh_many``.

Programmes know nothing of each other, so each is one piece of work that any worker may take. The quarters of one
programme are not: each is held against the rates of the quarter before it and against all that was ever published, so
they run in order, in one piece. What a piece does is what ``effectmeter refresh`` does, each quarter a run of its own
with its assets, checks and alerts. Why this way and not another: docs/adr/0022.

Here: the job, and where its cluster is. Not here: how to size a cluster (docs/how-to/run-on-many-machines.md).
"""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg

from assets.chain import group_name
from effectmeter.home import Home
from effectmeter.quarters import Quarter

CLUSTER = "EFFECTMETER_CLUSTER"
"""Address of a Dask scheduler, ``tcp://host:8786``. The job is there when this is set."""
JOB_NAME = "refresh_many"
ONE_AT_A_TIME = {"effectmeter/cluster": "yes"}
"""The queue lets one such run through at a time: Dask knows a piece of work by its name, which two runs would share."""


class Quarters(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Which quarters to refresh.

    Attributes
    ----------
    labels
        Such as ``2026-Q3``; none for the last complete quarter.
    """

    labels: list[str] = []  # noqa: RUF012 - pydantic copies a model's defaults

    def wanted(self, today: date) -> list[Quarter]:
        """Return the quarters, oldest first."""
        return sorted({Quarter.parse(label) for label in self.labels}) or [Quarter.last_complete(today)]


def build_cluster_jobs(programmes: Sequence[str], home: Home, folder: Path) -> list[dg.JobDefinition]:
    """Return the job over all programmes where there is a cluster, and none elsewhere.

    Parameters
    ----------
    programmes
        Those with a sound plan.
    folder
        Where their plans are; the same on every worker, as is the data folder.
    """
    address = os.environ.get(CLUSTER)
    if not address or not programmes:
        return []
    from dagster_dask import dask_executor

    pieces = [_piece(programme, home, folder) for programme in programmes]

    @dg.job(
        name=JOB_NAME,
        executor_def=dask_executor.configured({"cluster": {"existing": {"address": address}}}),
        resource_defs={"quarters": Quarters()},
        tags=ONE_AT_A_TIME,
        description="All programmes, for one quarter or several, spread over the workers of a Dask cluster.",
    )
    def refresh_many() -> None:
        for piece in pieces:
            piece()

    return [refresh_many]


def _piece(programme: str, home: Home, folder: Path) -> dg.OpDefinition:
    @dg.op(name=group_name(programme), required_resource_keys={"quarters"}, out=dg.Out(dg.Nothing))
    def refresh_programme(context: dg.OpExecutionContext) -> None:
        from pipelines.refresh import refresh_all

        wanted = context.resources.quarters.wanted(date.today())
        results = refresh_all(home, folder, [programme], wanted, log=context.log.warning)
        failed = [result for result in results if result.exit_code]
        if failed:
            # every quarter was tried, and who is to know has been told: this only colours the run
            raise dg.Failure(
                description="\n".join(f"{result.quarter}: {result.refusal}" for result in failed),
                metadata={"exit_code": max(result.exit_code for result in failed), "kind": failed[0].kind},
                allow_retries=False,
            )

    return refresh_programme
