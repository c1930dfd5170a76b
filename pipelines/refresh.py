"""The same assets as in the UI, run in this process, without a server: what ``effectmeter refresh`` does."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from assets.installation import QUARTERS, plainly
from assets.locks import refreshing
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.quarters import Quarter
from pipelines.definitions import build_definitions, read_plans
from pipelines.instance import open_instance
from pipelines.printing import step_words
from pipelines.programmes import require_known


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How one programme's quarter ended.

    Attributes
    ----------
    exit_code
        0 published, 1 plan or delivery at fault, 3 the release gate refused.
    refusal
        Empty, or what was wrong and what to do, as the researcher reads it.
    """

    programme: str
    quarter: Quarter
    exit_code: int
    refusal: str


def find_programmes(folder: Path, wanted: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the programmes to run and the faults of plans among them.

    Raises
    ------
    UsageError
        When a wanted programme has no plan; names the nearest.
    """
    plans, faults = read_plans(folder)
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
    """Run the whole chain for some programmes and one quarter, on the installation's Dagster instance.

    Parameters
    ----------
    programmes
        Names; empty for all.
    listener
        Called with programme and what is being done, as each step starts.

    Returns
    -------
    list of Refreshed
        One per programme, in order. A programme that fails does not hold up the others.
    """
    sound, faults = find_programmes(programmes_folder, programmes)
    results = [Refreshed(name, quarter, 1, fault) for name, fault in faults.items()]
    definitions = build_definitions(programmes_folder, home)
    with open_instance(home) as instance:
        instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter)])
        for programme in sound:
            try:
                with refreshing(home, programme, quarter):
                    results.append(_run(definitions, instance, programme, quarter, listener))
            except EffectmeterError as error:
                results.append(Refreshed(programme, quarter, error.exit_code, str(error)))
            except Exception as error:  # noqa: BLE001 - of Dagster's own storage, whose texts may quote anything
                told = plainly(home, programme, "refresh", error)
                results.append(Refreshed(programme, quarter, told.exit_code, str(told)))
    return results


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    programme: str,
    quarter: Quarter,
    listener: Callable[[str, str], None],
) -> Refreshed:
    job = definitions.resolve_implicit_global_asset_job_def()
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.get_all_asset_keys() if key.path[0] == programme] + [dg.AssetKey("portfolio")]

    @dg.logger(config_schema={})
    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("effectmeter.progress", logging.DEBUG)
        logger.addHandler(_Progress(lambda step: listener(programme, step)))
        return logger

    result = (
        job.get_subset(asset_selection=set(keys))
        .with_logger_defs({"progress": progress})
        .execute_in_process(
            instance=instance,
            partition_key=str(quarter),
            raise_on_error=False,
            run_config={"loggers": {"progress": {"config": {}}}},
            tags={"programme": programme, "quarter": str(quarter)},
        )
    )
    if result.success:
        return Refreshed(programme, quarter, 0, "")
    return Refreshed(programme, quarter, *_refusal(result))


def _refusal(result: dg.ExecuteInProcessResult) -> tuple[int, str]:
    """Return exit code and text: failed critical checks first, for they are why a later step did not run."""
    texts: list[str] = []
    exit_code = 1
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR:
            figures = evaluation.metadata
            texts.append(
                f"{evaluation.check_name.replace('_', ' ')}: {figures['figure'].value} "
                f"(allowed: {figures['threshold'].value})\n  next: {figures['what_to_do'].value}"
            )
    for event in result.get_step_failure_events():
        failure = event.step_failure_data.user_failure_data
        if failure is None or failure.description is None:
            if not texts:  # a failed check also fails the step that carried it out
                texts.append(f"the step '{event.step_key}' failed; see the run in `effectmeter ui`")
            continue
        if "exit_code" in failure.metadata:
            exit_code = int(str(failure.metadata["exit_code"].value))
            texts.append(failure.description)
        elif not texts:
            texts.append(failure.description)
    return exit_code, "\n".join(texts)
