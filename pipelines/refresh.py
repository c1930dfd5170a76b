"""The same assets as in the UI, run in this process, without a server: what ``effectmeter refresh`` does."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import dagster as dg

from assets.installation import QUARTERS, plainly
from assets.locks import refreshing
from assets.unchanged import AGAIN
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.alerts import tell
from pipelines.definitions import Plans, build_definitions, read_plans
from pipelines.ending import TOLD, Ended, settle
from pipelines.following import how_it_ended, outdated, published_in
from pipelines.instance import open_instance
from pipelines.printing import step_words
from pipelines.programmes import require_known

Listener: TypeAlias = Callable[[str, Quarter, str], None]


def nobody(programme: str, quarter: Quarter, step: str) -> None:
    """Listen to nothing."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How one programme's quarter ended.

    Attributes
    ----------
    exit_code
        0 published, 1 plan or delivery at fault, 3 the release gate refused.
    refusal
        Empty, or what was wrong and what to do, as the researcher reads it.
    kind
        Empty, or what kind of fault it was: a key of `effectmeter.standing.WHY`, or ``busy``.
    is_new
        Whether an edition was published; else the newest stands.
    """

    programme: str
    quarter: Quarter
    exit_code: int
    refusal: str
    kind: str = ""
    is_new: bool = False


def find_programmes(folder: Path, wanted: Sequence[str], read: Plans) -> tuple[list[str], dict[str, str]]:
    """Return the programmes to run and the faults of plans among them; `read` is what `folder` holds.

    Raises
    ------
    UsageError
        When a wanted programme has no plan; names the nearest.
    """
    plans, faults = read
    known = sorted({*plans, *faults})
    for programme in wanted:
        require_known(programme, known, folder)
    chosen = list(dict.fromkeys(wanted)) or known
    return [name for name in chosen if name in plans], {name: faults[name] for name in chosen if name in faults}


class _Progress(logging.Handler):
    """Tells a listener what each step does as it starts; Dagster's own log goes to its database alone."""

    def __init__(self, listener: Callable[[str], None]) -> None:
        super().__init__()
        self._listener = listener

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is not None and event.event_type_value == "STEP_START":
            self._listener(step_words(str(event.step_key)))


def refresh(
    home: Home,
    programmes_folder: Path,
    programmes: Sequence[str],
    quarter: Quarter,
    listener: Callable[[str, str], None] = lambda programme, step: None,
) -> list[Refreshed]:
    """Run the whole chain for some programmes and one quarter; see `refresh_all`."""
    return refresh_all(
        home, programmes_folder, programmes, [quarter], lambda programme, _, step: listener(programme, step)
    )


def refresh_all(
    home: Home,
    programmes_folder: Path,
    programmes: Sequence[str],
    quarters: Sequence[Quarter],
    listener: Listener = nobody,
    *,
    again: bool = False,
    outdated_too: bool = False,
    log: Callable[[str], None] = lambda line: None,
    today: date | None = None,
) -> list[Refreshed]:
    """Run the whole chain for some programmes and quarters, on the installation's Dagster instance.

    Parameters
    ----------
    programmes
        Names; empty for all.
    quarters
        Run oldest first, whatever their order: a quarter is compared with the one before it.
    listener
        Called with programme, quarter and what is being done, as each step starts.
    again
        Do every step, also where a release stands for all that lies there.
    outdated_too
        Also the quarters whose release was made with another plan, version or earlier quarter.
    log
        Called with what the caller should know beside the results, without secrets.

    Returns
    -------
    list of Refreshed
        One per programme and quarter, in order. A programme that fails does not hold up the others, nor does one
        quarter of it the next.
    """
    read = read_plans(programmes_folder)
    plans, _ = read
    sound, faults = find_programmes(programmes_folder, programmes, read)
    today, wanted = today or date.today(), sorted(set(quarters))
    results = [Refreshed(name, quarter, 1, fault, "plan") for name, fault in faults.items() for quarter in wanted[-1:]]
    for result in results:
        _settle(home, {"nl": result.programme, "en": result.programme}, result, today, log)
    definitions = build_definitions(programmes_folder, home, read=read)
    with open_instance(home) as instance:
        for programme in sound:
            plan = plans[programme]
            older = [quarter for quarter, _ in outdated(home, plan)] if outdated_too else []
            for quarter in sorted({*wanted, *older}):
                instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter)])
                result = _one(definitions, instance, home, programme, quarter, listener, again)
                results.append(result)
                _settle(home, plan.title.model_dump(), result, today, log)
            left = (
                [] if outdated_too else [str(quarter) for quarter, _ in outdated(home, plan) if quarter not in wanted]
            )
            if left:
                log(
                    f"{programme}: made with another plan, version or earlier quarter: {', '.join(left)}\n"
                    f"  next: run `effectmeter refresh --programme {programme} --outdated`, so that the series compares"
                )
    return results


def _settle(home: Home, title: Mapping[str, str], result: Refreshed, today: date, log: Callable[[str], None]) -> None:
    ended = Ended(result.programme, result.quarter, result.kind, result.refusal, result.is_new)
    for fault in tell(home, settle(home, title, ended, today)):
        log(fault)


def _one(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    home: Home,
    programme: str,
    quarter: Quarter,
    listener: Listener,
    again: bool,
) -> Refreshed:
    try:
        with refreshing(home, programme, quarter):
            return _run(definitions, instance, programme, quarter, listener, {AGAIN: "yes"} if again else {})
    except EffectmeterError as error:
        return Refreshed(programme, quarter, error.exit_code, str(error), error.kind)
    except Exception as error:  # noqa: BLE001 - of Dagster's own storage, whose texts may quote anything
        told = plainly(home, programme, "refresh", error)
        return Refreshed(programme, quarter, told.exit_code, str(told), told.kind)


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    programme: str,
    quarter: Quarter,
    listener: Listener,
    tags: Mapping[str, str],
) -> Refreshed:
    job = definitions.resolve_implicit_global_asset_job_def()
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.get_all_asset_keys() if key.path[0] == programme] + [dg.AssetKey("portfolio")]

    @dg.logger(config_schema={})
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("effectmeter.progress", logging.DEBUG)
        logger.addHandler(_Progress(lambda step: listener(programme, quarter, step)))
        return logger

    result = (
        job.get_subset(asset_selection=set(keys))
        .with_logger_defs({"progress": progress})
        .execute_in_process(
            instance=instance,
            partition_key=str(quarter),
            raise_on_error=False,
            run_config={"loggers": {"progress": {"config": {}}}},
            tags={"programme": programme, "quarter": str(quarter), TOLD: "yes", **tags},
        )
    )
    if result.success:
        return Refreshed(programme, quarter, 0, "", is_new=published_in(result.all_events))
    exit_code, kind, refusal = how_it_ended(result.all_events)
    return Refreshed(programme, quarter, exit_code or 1, refusal, kind or "software", published_in(result.all_events))
