"""What each asset of a chain does: open the vault, call the room that knows how, store, return metadata.

One function per asset, all of one shape: (home, plan, quarter) -> metadata. No step computes anything itself.
Heavy libraries are imported by the rooms inside the functions that use them, so that definitions load quickly.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, TypeAlias

import dagster as dg
import duckdb

from assets.gate import (
    forget_provenance,
    read_checks,
    record_built,
    record_checks,
    record_provenance,
    require_built,
    require_checked,
)
from assets.metadata import attrition_table, column_schema, row_count, safe_count, safe_figure
from assets.provenance import record_plan
from assets.publishing import release_step, report_step
from assets.storage import read_comparability, write_comparability
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.results import ClaimRuling, CurvePoint, EffectRow, GateResult, SeriesPoint, TrialEffect, Verdict
from effectmeter.schema import RESULT_TABLES, STANDARD_TABLES
from expectations import CheckOutcome

Metadata: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[Home, Plan, Quarter], Metadata]


def land_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Read the delivery into the vault."""
    from effectmeter.arrivals import refuse_other_than_announced
    from vault.connection import open_vault
    from vault.intake import land

    files = [source.file for source in plan.source.values()]
    refuse_other_than_announced(home.delivery(plan.programme, quarter), files)
    with open_vault(home.vault(plan.programme, quarter)) as connection:
        forget_provenance(connection)
        report = land(connection, plan, home.delivery(plan.programme, quarter), quarter)
        record_provenance(connection, plan, report.delivery_hash)
    columns = [dg.TableColumn(name) for name in ("table", "rows kept", "rows rejected")]
    records = [
        dg.TableRecord(
            {
                "table": table.table,
                "rows kept": safe_count(table.n_rows_kept, plan),
                "rows rejected": safe_count(table.n_rejected, plan),
            }
        )
        for table in report.files
    ]
    persons = [table.n_rows_kept for table in report.files if table.table == "persons"]
    return row_count(persons[0] if persons else sum(table.n_rows_kept for table in report.files), plan) | {
        "tables": dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns)),
        "rows rejected": safe_count(report.n_rejected, plan),
        "delivery_hash": report.delivery_hash,
    }


def cohort_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Build the cohort from a delivery that passed its checks."""
    from vault.cohort import build_cohort
    from vault.connection import open_vault

    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "landing")
        steps = build_cohort(connection, plan, quarter)
        record_built(connection, plan, "cohort")
    kept = {step.arm: step.n_after for step in steps}
    return (
        row_count(sum(kept.values()), plan)
        | {"attrition": attrition_table(steps, plan)}
        | {f"persons {arm}": safe_count(count, plan) for arm, count in kept.items()}
    )


def outcomes_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Count events and time at risk."""
    from vault.alike import n_profiles
    from vault.connection import open_vault
    from vault.outcomes import build_outcomes

    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "landing")
        require_built(connection, plan, "cohort")
        build_outcomes(connection, plan, quarter)
        record_built(connection, plan, "outcomes")
        rows = connection.sql("select count(*) from outcomes.person_windows").fetchall()[0][0]
        profiles = n_profiles(connection)
    found = row_count(rows, plan) | {"outcomes": ", ".join([*plan.outcomes, *plan.negative_controls])}
    return found if profiles is None else found | {"profiles": profiles}


def comparability_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Weigh the comparison group and measure what that does to balance and overlap."""
    from effectmeter.designs.registry import design_for
    from vault.analysis import read_analysis_data
    from vault.connection import open_vault

    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "landing")
        require_checked(connection, plan, "outcomes")
        found = design_for(plan).compare(read_analysis_data(connection, plan, quarter))
        write_comparability(connection, found)
        record_built(connection, plan, "comparability")
    worst = max((abs(row.smd_after) for row in found.balance if row.kind == "main"), default=None)
    return {
        "dagster/row_count": len(found.balance),
        "largest standardised difference left": "-" if worst is None else f"{worst:.2f}",
    }


def effects_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Estimate everything the plan asks for; nothing is hidden yet, so no figure leaves this step."""
    from effectmeter.designs.curves import incidence_curves
    from effectmeter.designs.points import points_of
    from effectmeter.designs.registry import design_for
    from vault.analysis import read_analysis_data
    from vault.connection import open_vault
    from vault.results import write_results

    record_plan(home, plan, quarter, date.today())
    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "outcomes")
        require_built(connection, plan, "comparability")
        data = read_analysis_data(connection, plan, quarter)
        comparability = read_comparability(connection)
        effects = design_for(plan).estimate(data, comparability)
        write_results(connection, "estimate.estimated", effects, EffectRow)
        write_results(connection, "estimate.curves", incidence_curves(data, comparability), CurvePoint)
        points = points_of(design_for(plan), data)
        write_results(connection, "estimate.series_points", points.series, SeriesPoint)
        write_results(connection, "estimate.trial_effects", points.trials, TrialEffect)
        record_built(connection, plan, "effects")
    analyses = Counter(row.analysis for row in effects)
    return {"dagster/row_count": len(effects)} | {f"rows {name}": count for name, count in sorted(analyses.items())}


def diagnostics_step(home: Home, plan: Plan, quarter: Quarter) -> Metadata:
    """Apply the gates, then rule on claims and verdict with what they leave."""
    from effectmeter.designs.registry import design_for
    from effectmeter.diagnostics import apply_gates
    from effectmeter.verdicts import rule
    from vault.analysis import read_analysis_data, read_reach
    from vault.connection import open_vault
    from vault.results import read_results, write_results

    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "outcomes")
        require_built(connection, plan, "effects")
        data = read_analysis_data(connection, plan, quarter)
        estimated = read_results(connection, "estimate.estimated", EffectRow)
        gates = design_for(plan).gates(data, read_comparability(connection), estimated)
        effects = apply_gates(estimated, gates)
        verdict, claims = rule(plan, effects, gates, read_reach(connection, plan))
        write_results(connection, "estimate.gates", gates, GateResult)
        write_results(connection, "estimate.effects", effects, EffectRow)
        write_results(connection, "estimate.claims", claims, ClaimRuling)
        write_results(connection, "estimate.verdict", [verdict], Verdict)
        record_built(connection, plan, "diagnostics")
    columns = [dg.TableColumn(name) for name in ("gate", "status", "threshold")]
    records = [
        # Figures of gates may hold small counts; the report shows the cleared ones.
        dg.TableRecord({"gate": gate.gate, "status": gate.status, "threshold": gate.threshold})
        for gate in gates
    ]
    statuses, rulings = Counter(row.status for row in effects), Counter(gate.status for gate in gates)
    return (
        {
            "dagster/row_count": len(effects),
            "gates": dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns)),
        }
        | {f"effects {status}": count for status, count in sorted(statuses.items())}
        | {f"gates {status}": count for status, count in sorted(rulings.items())}
    )


def check(home: Home, plan: Plan, quarter: Quarter, table: str) -> tuple[CheckOutcome, ...]:
    """Run a battery of expectations and record it in the vault, where `require_checked` finds it.

    The vault keeps the figures as they are; what is returned goes to Dagster, with figures as a release shows them.
    """
    from expectations import check_analysis, check_landing
    from vault.connection import open_earlier, open_vault

    with open_vault(home.vault(plan.programme, quarter)) as connection:
        if table == "landing":
            with open_earlier(home.vault(plan.programme, quarter.previous())) as previous:
                outcomes = check_landing(connection, plan, quarter, previous)
        else:
            require_built(connection, plan, "outcomes")
            outcomes = check_analysis(connection, plan, quarter)
        record_checks(connection, plan, table, outcomes)
        n = _smallest_arm(connection)
    return tuple(replace(outcome, figure=safe_figure(outcome.figure, plan, n)) for outcome in outcomes)


def checked(home: Home, plan: Plan, quarter: Quarter, table: str) -> tuple[CheckOutcome, ...]:
    """Return what a battery found when it last ran, with figures as a release shows them; nothing when it never did."""
    from expectations import analysis_check_specs, landing_check_specs
    from vault.connection import open_vault

    specs = {spec.name: spec for spec in (landing_check_specs if table == "landing" else analysis_check_specs)(plan)}
    with open_vault(home.vault(plan.programme, quarter), read_only=True) as connection:
        records = read_checks(connection, table)
        n = _smallest_arm(connection)
    if {record.check_name for record in records} != specs.keys():
        return ()
    return tuple(
        CheckOutcome(
            spec=specs[record.check_name],
            passed=record.passed,
            figure=safe_figure(record.figure, plan, n),
            threshold=record.threshold,
            advice_en=record.advice_en,
            advice_nl=record.advice_nl,
        )
        for record in records
    )


def _smallest_arm(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the persons in the smallest arm as delivered; None where persons were counted by the supplier."""
    known = "select 1 from information_schema.tables where table_schema = 'landing' and table_name = 'persons'"
    if not connection.sql(known).fetchall():
        return None
    sizes = connection.sql("select count(*) from landing.persons group by arm order by 1").fetchall()
    return sizes[0][0] if sizes else None


STEPS: dict[str, Step] = {
    "landing": land_step,
    "cohort": cohort_step,
    "outcomes": outcomes_step,
    "comparability": comparability_step,
    "effects": effects_step,
    "diagnostics": diagnostics_step,
    "release": release_step,
    "report": report_step,
}

_SCHEMAS = {
    "landing": ("persons", STANDARD_TABLES),
    "comparability": ("balance", RESULT_TABLES),
    "effects": ("effects", RESULT_TABLES),
    "diagnostics": ("gates", RESULT_TABLES),
    "release": ("effects", RESULT_TABLES),
}


def definition_metadata(name: str) -> Metadata:
    """Return what the UI shows of an asset before it has run: its column schema."""
    if name not in _SCHEMAS:
        return {}
    table, catalogue = _SCHEMAS[name]
    return {"dagster/column_schema": column_schema(catalogue[table])}
