"""One programme's chain of assets, from delivery to report. Thin: open, call, store, attach metadata.

The factory builds the same eight assets and two batteries of checks for every plan, so that health, freshness and
history are seen per programme. What a step *does* lives in `vault`, `effectmeter`, `expectations` and `reports`.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from assets import steps
from assets.installation import QUARTERS, Installation, refusing
from assets.measuring import measured
from assets.unchanged import AGAIN, note_inputs, unchanged
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.standing import stand_up
from expectations import CheckOutcome, CheckSpec, analysis_check_specs, landing_check_specs

REPORT_DEADLINE = dg.FreshnessPolicy.cron(
    deadline_cron="0 9 1 2,5,8,11 *", lower_bound_delta=timedelta(days=30), timezone="Europe/Amsterdam"
)
"""A month after a quarter has closed its report must stand."""

DESCRIPTIONS = {
    "landing": "The delivery, read, mapped to the standard tables and typed. Rejected rows are counted by reason.",
    "cohort": "Who is analysed, from when: eligibility, time zero, prior counts. Every loss is counted step by step.",
    "outcomes": "Events and time at risk per person, outcome and window, net of detention and other absences.",
    "comparability": "Weights that make the arms comparable; balance before and after; overlap.",
    "effects": "Every estimate of the plan: primary, unadjusted, sensitivity, placebo, subgroups. Nothing hidden yet.",
    "diagnostics": "The gates: which estimates may be shown, and why the others may not. Claims and verdict.",
    "release": "The release gate: only cleared aggregates leave the vault. Staged beside the releases.",
    "report": "The report in Dutch and English with its files, moved into place in one rename.",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """The definitions of one programme."""

    programme: str
    assets: tuple[dg.AssetsDefinition, ...]
    checks: tuple[dg.AssetChecksDefinition, ...]


def group_name(programme: str) -> str:
    """Return the Dagster group of a programme: group names know no hyphen."""
    return programme.replace("-", "_")


def build_chain(plan: Plan) -> Chain:
    """Return the assets and checks of one programme.

    Parameters
    ----------
    plan
        A valid plan. Faulty ones get `build_faulty_plan`.
    """
    names = list(DESCRIPTIONS)
    keys = {name: dg.AssetKey([plan.programme, name]) for name in names}
    assets = tuple(
        _asset(plan, name, keys[name], upstream=[keys[names[position - 1]]] if position else [])
        for position, name in enumerate(names)
    )
    checks = (
        _checks(plan, "landing", keys["landing"], landing_check_specs(plan)),
        _checks(plan, "outcomes", keys["outcomes"], analysis_check_specs(plan)),
    )
    return Chain(plan.programme, assets, checks)


def _asset(plan: Plan, name: str, key: dg.AssetKey, upstream: list[dg.AssetKey]) -> dg.AssetsDefinition:
    step = steps.STEPS[name]

    @dg.asset(
        key=key,
        deps=upstream,
        group_name=group_name(plan.programme),
        partitions_def=QUARTERS,
        description=f"{DESCRIPTIONS[name]}\n\n**{plan.title.en}** ({plan.design})"
        + ("\n\nSYNTHETIC data" if plan.synthetic else ""),
        owners=["team:effectmeter"],
        kinds={"python", "duckdb"} if name != "report" else {"html"},
        tags={"design": plan.design, "synthetic": str(plan.synthetic).lower()},
        freshness_policy=REPORT_DEADLINE if name == "report" else None,
        metadata=steps.definition_metadata(name),
    )
    def build(context: dg.AssetExecutionContext, installation: Installation) -> dg.MaterializeResult:  # type: ignore[type-arg]
        home, quarter = installation.home, Quarter.parse(context.partition_key)
        operation = context.op_execution_context
        with (
            measured(home, plan.programme, quarter, name, operation) as measure,
            refusing(installation, plan.programme, name, operation),
        ):
            stands = _stands(home, plan, quarter, operation)
            if stands is None:
                measure.metadata = step(home, plan, quarter)
            else:
                measure.metadata = _as_before(operation, key, str(quarter)) | _skipped(stands)
            if name == "report":
                stand_up(home.release_root / plan.programme, quarter)
                if stands is None:
                    note_inputs(home, plan, quarter)
        return dg.MaterializeResult(metadata=measure.metadata | measure.taken())

    return build


def _stands(home: Home, plan: Plan, quarter: Quarter, context: dg.OpExecutionContext) -> str | None:
    """Return the edition that stands for all that lies there now; None when there is work, or it was asked for."""
    return None if AGAIN in context.run.tags else unchanged(home, plan, quarter)


def _as_before(context: dg.OpExecutionContext, key: dg.AssetKey, quarter: str) -> dict[str, Any]:
    """Return what the step showed when it last did something, so that the interface goes on showing it."""
    before = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[quarter]), limit=1
    ).records
    materialization = before[0].asset_materialization if before else None
    return dict(materialization.metadata) if materialization is not None else {}


def _skipped(edition: str) -> dict[str, Any]:
    return {
        "unchanged": f"skipped: edition {edition} was made from this delivery, plan, software and earlier quarter",
        "edition": f"unchanged: edition {edition} stands",
    }


def _check_specs(key: dg.AssetKey, specs: tuple[CheckSpec, ...]) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        # Partitioned checks are a preview in the pinned version; without them one quarter's check would stand for all,
        # and executing a check from the interface would not know its quarter.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                spec.name,
                asset=key,
                description=spec.description_en,
                blocking=spec.severity == "critical",
                partitions_def=QUARTERS,
            )
            for spec in specs
        ]


def _checks(plan: Plan, name: str, key: dg.AssetKey, specs: tuple[CheckSpec, ...]) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{group_name(plan.programme)}__{name}_expectations", specs=_check_specs(key, specs), can_subset=True
    )
    def check(context: dg.AssetCheckExecutionContext, installation: Installation) -> Iterator[dg.AssetCheckResult]:
        home, quarter = installation.home, Quarter.parse(context.partition_key)
        selected = {check_key.name for check_key in context.selected_asset_check_keys}
        operation, words = context.op_execution_context, f"{name} expectations"
        with (
            measured(home, plan.programme, quarter, words.replace(" ", "_"), operation) as measure,
            refusing(installation, plan.programme, words, operation),
        ):
            stands = _stands(home, plan, quarter, operation)
            outcomes = steps.checked(home, plan, quarter, name) if stands is not None else ()
            if stands is not None and outcomes:
                measure.metadata = _skipped(stands)
            else:
                outcomes = steps.check(home, plan, quarter, name)
            failed = [outcome.spec.name for outcome in outcomes if not outcome.passed]
            measure.metadata |= {"checks": len(outcomes), "failed checks": ", ".join(failed)}
        for outcome in outcomes:
            if outcome.spec.name in selected:
                yield _result(outcome, key)

    return check


def _result(outcome: CheckOutcome, key: dg.AssetKey) -> dg.AssetCheckResult:
    is_critical = outcome.spec.severity == "critical"
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=outcome.spec.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if is_critical else dg.AssetCheckSeverity.WARN,
        description=_said(outcome),
        metadata={
            "figure": outcome.figure,
            "threshold": outcome.threshold,
            "what_to_do": "nothing" if outcome.passed else outcome.advice_en,
            "wat_te_doen": "niets" if outcome.passed else outcome.advice_nl,
        },
    )


def _said(outcome: CheckOutcome) -> str:
    """Return what a check found and what to do about it: also of one that passed, or a reader wonders what it saw."""
    if outcome.passed:
        return f"In order: found {outcome.figure}, asked {outcome.threshold}. Nothing to do."
    return f"Found {outcome.figure}, asked {outcome.threshold}. {outcome.advice_en}"


def build_faulty_plan(programme: str, fault: str) -> dg.AssetsDefinition:
    """Return an asset that says what is wrong with a plan, so that one faulty plan neither hides nor stops the rest."""

    @dg.asset(
        key=dg.AssetKey([programme, "plan"]),
        group_name=group_name(programme),
        partitions_def=QUARTERS,
        description=f"This plan has faults; mend them and reload.\n\n```\n{fault}\n```",
        owners=["team:effectmeter"],
    )
    def plan() -> None:
        raise dg.Failure(description=fault, allow_retries=False)

    return plan
