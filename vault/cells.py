"""Reads persons out of the vault as cells, added up in SQL: what a programme of millions hands its estimators.

The same choice of persons as `effectmeter.designs.sample.assemble` makes from rows. Not here: what cells are
(`effectmeter.estimators.cells`), and rows (`vault.analysis`).
"""

from __future__ import annotations

from typing import Any, Literal

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

import sql
from effectmeter.errors import EffectmeterError
from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.plan import Plan
from vault.statements import filled

DAYS_PER_YEAR = 365.25
Kind = Literal["risk", "rate", "hazard"]

_SUMS: dict[Kind, tuple[str, str]] = {
    "risk": ("(windows.n_events > 0)::bigint", "0::bigint"),
    "rate": ("windows.n_events", "windows.days_free"),
}


def read_cells(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    treated: str,
    outcome: str,
    window_days: int | None,
    kind: Kind,
    *,
    alike_in_outcome: bool = False,
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
    alike_in_outcome
        Whether persons of a cell also share what happened, as those of a hazard always do: for the bootstrap.

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
    columns = [sql.identifier(name) for name in [*plan.adjust_for, *labels]]
    keys = "".join(f", persons.{name}" for name in columns)
    is_counted = "windows.days_free > 0 and " if kind == "rate" else ""
    is_counted += "windows.is_complete" if window_days is not None else "windows.days_observed > 0"
    binds = {"arms": [treated, plan.arms.comparison], "outcome": outcome, "window_days": window_days}
    if kind == "hazard":
        profiles, of_day = _by_day(connection, columns, keys, is_counted, binds)
    else:
        events, days = _SUMS[kind]
        own = f", {events} as own_events, {days} as own_days" if alike_in_outcome else ""
        statement = filled("outcomes/cells", keys=keys + own, events=events, days=days, is_counted=is_counted)
        profiles, of_day = connection.execute(statement, binds).pl(), None
    _refuse_what_needs_rows(plan, {name: profiles[name].null_count() for name in [*plan.adjust_for, *labels]})
    if profiles.height == 0:
        raise EffectmeterError(f"nobody can be counted for '{outcome}'", next_step="look at the attrition table")
    side = (profiles["arm"] == treated).to_numpy().astype(np.float64)
    X = np.asarray(build_design_matrix(profiles, plan.adjust_for, plan.missing, side).X, dtype=np.float64)
    cluster, strata = (
        profiles[name].to_numpy().astype(str) if is_used else None
        for name, is_used in (("cluster", plan.cluster), ("stratum", plan.strata))
    )
    if of_day is not None:
        return _of_hazards(of_day, side, X, cluster, strata)
    return Cells(
        n=profiles["n"].to_numpy(),
        y=profiles["y"].to_numpy(),
        t=profiles["t"].to_numpy() / DAYS_PER_YEAR,
        yy=profiles["yy"].to_numpy(),
        yt=profiles["yt"].to_numpy() / DAYS_PER_YEAR,
        tt=profiles["tt"].to_numpy() / DAYS_PER_YEAR**2,
        treated01=side,
        X=X,
        cluster=cluster,
        strata=strata,
    )


def _by_day(
    connection: duckdb.DuckDBPyConnection, columns: list[str], keys: str, is_counted: str, binds: dict[str, Any]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the profiles of whoever is counted, and per place among them, day and how it ended the persons."""
    statement = filled("outcomes/profiles", keys=keys)
    same = " and ".join(f"persons.{name} is not distinct from profiles.{name}" for name in ["arm", *columns])
    profiles = connection.execute(statement, {"arms": binds["arms"]}).pl()
    counted = filled("outcomes/cells_by_day", profiles=statement, same=same, is_counted=is_counted)
    days = connection.execute(counted, binds).pl()
    is_used = np.bincount(days["profile"].to_numpy(), minlength=profiles.height) > 0
    place = (np.cumsum(is_used) - 1)[days["profile"].to_numpy()]
    return profiles.filter(is_used), days.with_columns(pl.Series("profile", place))


def _of_hazards(
    of_day: pl.DataFrame,
    side: FloatArray,
    X: FloatArray,
    cluster: NDArray[np.generic] | None,
    strata: NDArray[np.generic] | None,
) -> Cells:
    """Return cells of persons who are alike in the day and in how it ended too."""
    place, n = of_day["profile"].to_numpy(), of_day["n"].to_numpy().astype(np.float64)
    y, none = n * of_day["ended"].to_numpy(), np.zeros(len(n))
    return Cells(
        n=n,
        y=y,
        t=none,
        yy=y,
        yt=none,
        tt=none,
        treated01=side[place],
        X=X[place],
        cluster=None if cluster is None else cluster[place],
        strata=None if strata is None else strata[place],
        days=of_day["day"].to_numpy().astype(np.float64),
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
