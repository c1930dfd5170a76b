"""Reads persons out of the vault as cells, added up in SQL: what a programme of millions hands its estimators.

The same choice of persons as `effectmeter.designs.sample.assemble` makes from rows. Not here: what cells are
(`effectmeter.estimators.cells`), and rows (`vault.analysis`).
"""

from __future__ import annotations

from typing import Literal

import duckdb
import numpy as np

import sql
from effectmeter.errors import EffectmeterError
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.plan import Plan
from vault.statements import filled

DAYS_PER_YEAR = 365.25
Kind = Literal["risk", "rate", "hazard"]

_EVENT = "(windows.n_events > 0)::bigint"
_SUMS: dict[Kind, tuple[str, str, str]] = {
    "risk": (_EVENT, "0::bigint", ""),
    "rate": ("windows.n_events", "windows.days_free", ""),
    "hazard": (_EVENT, "0::bigint", f",\n    windows.days_observed as day,\n    {_EVENT} as ended"),
}


def read_cells(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    treated: str,
    outcome: str,
    window_days: int | None,
    kind: Kind,
) -> Cells:
    """Return the analysed persons of a contrast, outcome and window, added up.

    Parameters
    ----------
    connection
        A vault with its ``cohort`` and ``outcomes`` tables filled.
    treated
        The arm that is compared with the plan's comparison arm.
    window_days
        None: to the end of one's own follow-up.
    kind
        ``risk`` and ``hazard`` are of first events; ``rate`` counts all of them over years net of absences.

    Returns
    -------
    Cells
        Time in years. Estimates from them equal those of rows (`tests/test_cells_in_sql.py`).

    Raises
    ------
    EffectmeterError
        A numeric covariate has powers or missing values (its mean is over persons, so it needs rows), or the plan
        leaves out whoever lacks one; or nobody can be counted.
    """
    labels = [name for name, is_used in (("cluster", plan.cluster), ("stratum", plan.strata)) if is_used]
    keys = "".join(f", persons.{sql.identifier(name)}" for name in [*plan.adjust_for, *labels])
    events, days, ended = _SUMS[kind]
    is_counted = "windows.days_free > 0 and " if kind == "rate" else ""
    is_counted += "windows.is_complete" if window_days is not None else "windows.days_observed > 0"
    statement = filled("outcomes/cells", keys=keys, ended=ended, events=events, days=days, is_counted=is_counted)
    frame = connection.sql(
        statement,
        params={"arms": [treated, plan.arms.comparison], "outcome": outcome, "window_days": window_days},
    ).pl()
    _refuse_what_needs_rows(plan, {name: frame[name].null_count() for name in [*plan.adjust_for, *labels]})
    if frame.height == 0:
        raise EffectmeterError(f"nobody can be counted for '{outcome}'", next_step="look at the attrition table")
    side = (frame["arm"] == treated).to_numpy().astype(np.float64)
    matrix = build_design_matrix(frame, plan.adjust_for, plan.missing, side)
    t = frame["t"].to_numpy() / DAYS_PER_YEAR
    return Cells(
        n=frame["n"].to_numpy(),
        y=frame["y"].to_numpy(),
        t=t,
        yy=frame["yy"].to_numpy(),
        yt=frame["yt"].to_numpy() / DAYS_PER_YEAR,
        tt=frame["tt"].to_numpy() / DAYS_PER_YEAR**2,
        treated01=side,
        X=np.asarray(matrix.X, dtype=np.float64),
        cluster=frame["cluster"].to_numpy().astype(str) if plan.cluster else None,
        strata=frame["stratum"].to_numpy().astype(str) if plan.strata else None,
        days=frame["day"].to_numpy().astype(np.float64) if kind == "hazard" else None,
    )


def _refuse_what_needs_rows(plan: Plan, n_missing: dict[str, int]) -> None:
    """Raise where a column of the design hangs on a mean over persons, or a label on the person alone."""
    for name, missing in n_missing.items():
        spec = plan.adjust_for.get(name)
        if missing or (spec is not None and spec.type == "numeric" and spec.degree > 1):
            raise EffectmeterError(
                f"'{name}' has missing values or powers, which need one row per person",
                where=f"{plan.programme}: adjust_for",
                next_step="estimate this programme from rows, or deliver the covariate complete and as categories",
            )
