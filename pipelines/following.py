"""What follows by itself: telling how runs ended, deadlines, and releases that are to be made again.

Three sensors that start nothing twice. When programmes run in the first place is in `pipelines.automation`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from assets.chain import Chain, group_name
from assets.installation import QUARTERS
from assets.releases import latest_edition
from assets.unchanged import outdated_because
from effectmeter.arrivals import remembered
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.standing import AMSTERDAM, deadline_of
from pipelines.alerts import tell
from pipelines.automation import JOB_NAME, Clock, clock, delivered_quarters, quarter_request, sensors_are
from pipelines.ending import TOLD, Ended, settle

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def how_it_ended(events: Iterable[dg.DagsterEvent]) -> tuple[int, str, str]:
    """Return exit code, kind and text of a run: failed critical checks first, for they are why later steps did not run.

    Code 0, and no texts, for a run in which nothing failed. Texts are those of our own errors and checks only.
    """
    checks, texts, others = [], [], []
    exit_code, kind = 1, ""
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
                figures = evaluation.metadata
                checks.append(
                    f"{evaluation.check_name.replace('_', ' ')}: {figures['figure'].value} "
                    f"(allowed: {figures['threshold'].value})\n  next: {figures['what_to_do'].value}"
                )
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            failure = event.step_failure_data.user_failure_data
            if failure is not None and "exit_code" in failure.metadata:
                exit_code = int(str(failure.metadata["exit_code"].value))
                kind = str(failure.metadata["kind"].value)
                texts.append(str(failure.description))
            elif failure is not None and failure.description is not None:
                others.append(failure.description)
            else:
                others.append(f"the step '{event.step_key}' failed; see the run in `effectmeter ui`")
    found = [*checks, *texts] or others
    if not found:
        return 0, "", ""
    return exit_code, kind or ("checks" if checks else "software"), "\n".join(found)


def published_in(events: Iterable[dg.DagsterEvent]) -> bool:
    """Return whether a run published an edition, and did not only find that one stands."""
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            edition = event.materialization.metadata.get("edition")
            if edition is not None and str(edition.value).endswith("published"):
                return True
    return False


def build_ending_sensors(plans: Mapping[str, Plan], home: Home, clock: Clock = clock) -> list[dg.SensorDefinition]:
    """Return the sensors that remember and tell how Dagster's own runs ended; the command line does so itself."""

    def about(context: dg.RunStatusSensorContext) -> list[tuple[str, Quarter]]:
        run = context.dagster_run
        label = run.tags.get("quarter") or run.tags.get("dagster/partition")
        if TOLD in run.tags or label is None:
            return []
        paths = {key.path[0] for key in run.asset_selection or ()}
        chosen = [run.tags["programme"]] if "programme" in run.tags else sorted(paths & plans.keys())
        return [(programme, Quarter.parse(label)) for programme in chosen if programme in plans]

    def events_of(context: dg.RunStatusSensorContext) -> list[dg.DagsterEvent]:
        kinds = {
            dg.DagsterEventType.ASSET_CHECK_EVALUATION,
            dg.DagsterEventType.STEP_FAILURE,
            dg.DagsterEventType.ASSET_MATERIALIZATION,
        }
        logged = context.instance.all_logs(context.dagster_run.run_id, of_type=kinds)
        return [entry.dagster_event for entry in logged if entry.dagster_event is not None]

    def end(context: dg.RunStatusSensorContext, ended: Ended) -> None:
        title = plans[ended.programme].title.model_dump()
        for fault in tell(home, settle(home, title, ended, clock().astimezone(AMSTERDAM).date())):
            context.log.warning(fault)

    @dg.run_failure_sensor(
        name="tell_failures",
        default_status=sensors_are(),
        description="Remembers that a programme could not be refreshed, shows it in the portfolio, and tells people.",
    )
    def tell_failures(context: dg.RunFailureSensorContext) -> None:
        events = events_of(context)
        for programme, quarter in about(context):
            mine = [event for event in events if (event.step_key or "").startswith(f"{group_name(programme)}__")]
            _, kind, refusal = how_it_ended(mine)
            if kind or "programme" in context.dagster_run.tags:  # of several in one run only those that failed
                lost = "the run broke off; see the run in `effectmeter ui`"
                end(context, Ended(programme, quarter, kind or "machine", refusal or lost))

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="tell_results",
        default_status=sensors_are(),
        description="Tells of new releases, and of a main figure that is hidden from now on.",
    )
    def tell_results(context: dg.RunStatusSensorContext) -> None:
        is_new = published_in(events_of(context))
        for programme, quarter in about(context):
            end(context, Ended(programme, quarter, is_new=is_new))

    return [tell_failures, tell_results]


def build_deadline_sensor(
    plans: Mapping[str, Plan], faults: Mapping[str, str], home: Home, clock: Clock = clock
) -> dg.SensorDefinition:
    """Return the sensor that tells, once a quarter, which programmes have no report when the deadline has passed."""

    @dg.sensor(
        name="deadlines",
        minimum_interval_seconds=600,
        default_status=sensors_are(),
        description="Tells which reports are not there a month after the quarter has closed, and which plans have "
        "faults. Starts nothing.",
    )
    def deadlines(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock().astimezone(AMSTERDAM)
        quarter = Quarter.last_complete(now.date())
        told: dict[str, str] = json.loads(context.cursor or "{}")
        overdue = [
            programme
            for programme in plans
            if now >= deadline_of(quarter) and latest_edition(home.releases(programme, quarter)) is None
        ]
        for programme in overdue:
            if told.get(programme) != str(quarter):
                ended = Ended(programme, quarter, "late")
                title = plans[programme].title.model_dump()
                for fault in tell(home, settle(home, title, ended, now.date(), is_late=True)):
                    context.log.warning(fault)
                told[programme] = str(quarter)
        for programme, text in faults.items():
            if told.get(f"plan {programme}") != text[:200]:
                ended = Ended(programme, quarter, "plan", text)
                for fault in tell(home, settle(home, {"nl": programme, "en": programme}, ended, now.date())):
                    context.log.warning(fault)
                told[f"plan {programme}"] = text[:200]
        said = f"overdue for {quarter}: {', '.join(overdue)}" if overdue else "nothing is overdue"
        return dg.SensorResult(skip_reason=said, cursor=json.dumps(told, sort_keys=True))

    return deadlines


def outdated(home: Home, plan: Plan) -> list[tuple[Quarter, tuple[str, ...]]]:
    """Return the quarters of a programme whose release is to be made again, with why, oldest first.

    A later quarter is compared with the one before it and with nothing else, so that a correction of one quarter goes
    on as far as the next; what was published of any quarter weighs in the ledger, and asks for no new edition.
    """
    found = [(quarter, outdated_because(home, plan, quarter)) for quarter in delivered_quarters(home, plan.programme)]
    return [(quarter, because) for quarter, because in found if because]


def build_outdated_sensor(
    chains: Sequence[Chain], plans: Mapping[str, Plan], home: Home, portfolio: dg.AssetKey
) -> dg.SensorDefinition:
    """Return the sensor that makes releases again after a change of plan, version or earlier quarter, in order."""

    @dg.sensor(
        name="outdated_releases",
        job_name=JOB_NAME,
        minimum_interval_seconds=60,
        default_status=sensors_are(),
        description="Makes a quarter's release again when its plan, Effectmeter's version or the quarter before it has "
        "changed, one quarter of a programme at a time, so that a series stays comparable.",
    )
    def outdated_releases(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        tried = remembered(context.cursor)
        requests, said = [], []
        for chain in chains:
            waiting = outdated(home, plans[chain.programme])
            filters = dg.RunsFilter(tags={"programme": chain.programme}, statuses=_UNDER_WAY)
            if not waiting or context.instance.get_runs_count(filters):
                continue
            for quarter, because in waiting:
                state = _state(home, plans[chain.programme], quarter, because)
                address = f"{chain.programme}/{quarter}"
                if tried.get(address, {}).get("state") == state:
                    continue  # it was tried as it is now, and failed
                tried[address] = {"state": state}
                requests.append(quarter_request(chain, quarter, portfolio, f"again/{address}/{state}"))
                said.append(f"{address}: {', '.join(because)}")
                break
        new = sorted({str(request.partition_key) for request in requests})
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "every release is up to date, or is being made",
            cursor=json.dumps(dict(tried), sort_keys=True),
            dynamic_partitions_requests=[QUARTERS.build_add_request(new)] if new else [],
        )

    return outdated_releases


def _state(home: Home, plan: Plan, quarter: Quarter, because: tuple[str, ...]) -> str:
    """Return what tells one state of affairs from another, so that what fails is not tried for ever."""
    import hashlib
    import importlib.metadata

    from assets.unchanged import previous_of
    from effectmeter.plan_io import plan_hash

    edition = latest_edition(home.releases(plan.programme, quarter))
    parts = [
        plan_hash(plan),
        importlib.metadata.version("effectmeter"),
        str(previous_of(home, plan.programme, quarter)),
        edition.name if edition else "",
        *because,
    ]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
