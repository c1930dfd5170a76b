"""A published estimate, step by step, out of a vault that is opened for reading only.

``make notebook`` shows it; ``.venv/bin/python notebooks/reproduce_tarp.py`` runs it as a script. It needs the vault of
`tarp` (``make demo``) and its key, and the quarter in ``EFFECTMETER_QUARTER`` when that is not the last complete one.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="TARP, step by step")


@app.cell
def _():
    import marimo as mo

    mo.md(
        """
        # Money after prison: from the vault to the published figure

        Rossi, Berk and Lenihan (1980) followed 432 men for a year after prison. Half of them, by lot, got financial
        aid. 48 of 216 were arrested with aid, 66 of 216 without. This notebook makes the published figures from the
        vault that the report is made from, with nothing but counting and textbook models.

        What it shows is not cleared for publication: it is for those who may open the vault.
        """
    )
    return (mo,)


@app.cell
def _():
    import os
    from datetime import date

    from effectmeter.home import Home, programmes_folder
    from effectmeter.plan_io import load_plan
    from effectmeter.quarters import Quarter

    home = Home.from_environment()
    label = os.environ.get("EFFECTMETER_QUARTER")
    quarter = Quarter.parse(label) if label else Quarter.last_complete(date.today())
    plan = load_plan(programmes_folder(None) / "tarp.yaml")
    return home, plan, quarter


@app.cell
def _(mo):
    mo.md("""
    ## 1. Open the vault

    Encrypted, one file per programme and quarter. Opened for reading it stays as it is, whoever writes meanwhile.
    """)
    return


@app.cell
def _(home, plan, quarter):
    from effectmeter.results import EffectRow
    from vault.analysis import read_analysis_data
    from vault.connection import open_vault
    from vault.results import read_results

    with open_vault(home.vault("tarp", quarter), read_only=True) as connection:
        data = read_analysis_data(connection, plan, quarter)
        effects = read_results(connection, "estimate.effects", EffectRow)
    return data, effects


@app.cell
def _(mo):
    mo.md("""
    ## 2. Count

    One row per man, one per man and outcome. An arrest counts on days 1 to 364: 52 weeks.
    """)
    return


@app.cell
def _(data):
    import polars as pl

    men = data.persons.join(data.outcomes.filter(pl.col("window_days") == 364), on="person_id")
    counts = (
        men.with_columns(arrested=pl.col("n_events") > 0)
        .group_by("arm")
        .agg(men=pl.len(), arrested=pl.col("arrested").sum())
        .sort("arm", descending=True)
    )
    counts
    return counts, men, pl


@app.cell
def _(mo):
    mo.md("""
    ## 3. The raw risk ratio: 48/216 against 66/216
    """)
    return


@app.cell
def _(counts):
    arrested = dict(zip(counts["arm"], counts["arrested"], strict=True))
    allocated = dict(zip(counts["arm"], counts["men"], strict=True))
    risk_ratio = (arrested["treated"] / allocated["treated"]) / (arrested["comparison"] / allocated["comparison"])
    risk_ratio
    return allocated, arrested, risk_ratio


@app.cell
def _(mo):
    mo.md("""
    ## 4. The hazard ratio, adjusted for what was known at release

    Cox's model with Efron's ties, on age, race, work experience, marriage, parole and earlier convictions. Fitted here
    with statsmodels alone, not with the software's own code.
    """)
    return


@app.cell
def _(men, plan):
    import numpy as np
    from statsmodels.duration.hazard_regression import PHReg

    covariates = men.select(list(plan.adjust_for)).to_numpy().astype(float)
    aid = (men["arm"] == "treated").to_numpy().astype(float)
    cox = PHReg(
        men["days_observed"].to_numpy().astype(float),
        np.column_stack([aid, covariates]),
        status=(men["n_events"] > 0).to_numpy().astype(int),
        ties="efron",
    ).fit()
    hazard_ratio = float(np.exp(cox.params[0]))
    hazard_ratio
    return aid, covariates, hazard_ratio, np


@app.cell
def _(mo):
    mo.md("""
    ## 5. The headline: the risk ratio, adjusted

    A logistic model predicts every man's risk twice, with and without aid; the mean of the one over the mean of the
    other is the primary estimate (g-computation).
    """)
    return


@app.cell
def _(aid, covariates, men, np):
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    def columns(allocated_to):
        return np.column_stack([np.ones(len(allocated_to)), allocated_to, covariates])

    logistic = GLM((men["n_events"] > 0).to_numpy().astype(float), columns(aid), family=Binomial()).fit()
    with_aid, without = (logistic.predict(columns(np.full(len(aid), arm))).mean() for arm in (1.0, 0.0))
    adjusted_risk_ratio = float(with_aid / without)
    adjusted_risk_ratio
    return (adjusted_risk_ratio,)


@app.cell
def _(mo):
    mo.md("""
    ## 6. Side by side with the vault

    The vault's rows are unrounded. The report shows them rounded, the raw ratio from rounded counts.
    """)
    return


@app.cell
def _(adjusted_risk_ratio, allocated, arrested, effects, hazard_ratio, pl, risk_ratio):
    def in_vault(measure, analysis):
        return next(row.estimate for row in effects if row.measure == measure and row.analysis == analysis)

    rows = [
        ("risk ratio, raw", 0.7273, risk_ratio, in_vault("risk_ratio", "unadjusted")),
        ("hazard ratio, adjusted", 0.6843, hazard_ratio, in_vault("hazard_ratio", "secondary")),
        ("risk ratio, adjusted", None, adjusted_risk_ratio, in_vault("risk_ratio", "primary")),
    ]
    comparison = pl.DataFrame(rows, schema=["figure", "published", "here", "vault"], orient="row")
    for arm in ("treated", "comparison"):
        print(f"{arm}: {arrested[arm]} of {allocated[arm]} arrested")
    for figure, published, here, vault in rows:
        print(f"{figure}: published {published or '-'}, here {here:.4f}, vault {vault:.4f}")
    comparison
    return (comparison,)


if __name__ == "__main__":
    app.run()
