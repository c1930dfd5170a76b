"""All that a quarter found, gathered from the vault for the release gate. Nothing here decides what may leave."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

import sql
from effectmeter.plan import Plan
from effectmeter.release import ArmNumbers, Contributors, Findings, QualityCheck
from effectmeter.results import (
    AttritionStep,
    BalanceRow,
    ClaimRuling,
    CurvePoint,
    EffectRow,
    GateResult,
    OverlapRow,
    Verdict,
)
from vault.results import read_results


def read_findings(connection: duckdb.DuckDBPyConnection, plan: Plan, checks: Sequence[QualityCheck]) -> Findings:
    """Return everything that was found, unrounded.

    Parameters
    ----------
    checks
        The recorded data checks of this delivery.
    """
    (verdict,) = read_results(connection, "estimate.verdict", Verdict)
    numbers = connection.sql(sql.statement("release/numbers")).fetchall()
    return Findings(
        effects=read_results(connection, "estimate.effects", EffectRow),
        gates=read_results(connection, "estimate.gates", GateResult),
        claims=read_results(connection, "estimate.claims", ClaimRuling),
        verdict=verdict,
        attrition=read_results(connection, "cohort.attrition", AttritionStep),
        balance=read_results(connection, "comparability.balance", BalanceRow),
        overlap=read_results(connection, "comparability.overlap", OverlapRow),
        curves=read_results(connection, "estimate.curves", CurvePoint),
        checks=tuple(checks),
        numbers=tuple(ArmNumbers(arm=arm, persons=persons, families=families) for arm, persons, families in numbers),
        contributors=_contributors(connection, plan),
    )


def _contributors(connection: duckdb.DuckDBPyConnection, plan: Plan) -> tuple[Contributors, ...]:
    """Return the persons behind the events of each contrast, outcome and window.

    Before and after count as two cells: the smaller one decides for the contrast between arms.
    """
    counted = {
        (arm, outcome, period, window): n
        for arm, outcome, period, window, n in connection.sql(sql.statement("release/contributors")).fetchall()
    }
    keys = {(outcome, window) for _, outcome, _, window in counted}
    periods = {period for _, _, period, _ in counted}
    found: list[Contributors] = []
    for outcome, window in sorted(keys, key=str):
        for treated, contrast in plan.contrasts:
            pair = [
                min(counted.get((arm, outcome, period, window), 0) for period in periods)
                for arm in (treated, plan.arms.comparison)
            ]
            found.append(
                Contributors(
                    contrast=contrast,
                    outcome=outcome,
                    window_days=window,
                    persons_treated=pair[0],
                    persons_comparison=pair[1],
                )
            )
        if {"before", "after"} <= periods:
            for arm in (*plan.arms.treated, plan.arms.comparison):
                found.append(
                    Contributors(
                        contrast=f"{arm} after vs before",
                        outcome=outcome,
                        window_days=window,
                        persons_treated=counted.get((arm, outcome, "after", window), 0),
                        persons_comparison=counted.get((arm, outcome, "before", window), 0),
                    )
                )
    return tuple(found)


def read_file_hashes(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the SHA-256 of every delivered file by its name."""
    found = connection.sql('select "file", sha256 from landing.files order by "file"').fetchall()
    return {str(name): str(digest) for name, digest in found}
