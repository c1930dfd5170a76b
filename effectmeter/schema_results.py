"""The catalogue's result tables, column by column, with disclosure roles; read them through `effectmeter.schema`.

The dataclasses in `effectmeter.results` have the same fields; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping

from effectmeter.schema_columns import Column, Table
from effectmeter.shapes import SHAPES

DESIGNS = tuple(SHAPES)
"""The designs of the contract."""

_CONTRAST = Column("contrast", "text", "Treated arm against comparison arm, as in 'therapy vs control'.")
_OUTCOME = Column("outcome", "text", "Name of the outcome in the plan.")
_MEASURE = Column(
    "measure",
    "text",
    "What is estimated.",
    allowed=(
        "risk_ratio",
        "rate_ratio",
        "hazard_ratio",
        "odds_ratio",
        "risk_difference",
        "rate_difference",
        "ratio_of_rate_ratios",
        "mean_difference",
        "percent_change",
        "level_ratio",
        "slope_ratio",
    ),
)

_EFFECTS = Table(
    "effects",
    "one estimate: contrast, outcome, window, measure, estimand, estimator, variance, analysis, denominator, subgroup",
    (
        Column("programme", "text", "Short name of the programme."),
        Column("quarter", "text", "Quarter of the edition, as in 2026-Q3."),
        Column(
            "design",
            "text",
            "How treated and comparison are set against each other.",
            allowed=DESIGNS,
        ),
        _OUTCOME,
        _MEASURE,
        _CONTRAST,
        Column("estimand", "text", "For whom the effect holds.", allowed=("itt", "att", "ato", "ate")),
        Column("estimator", "text", "The method that gave the estimate: docs/explanation/estimators.md lists them."),
        Column("variance", "text", "The standard error: model, hc3, cr1, stacked and so on."),
        Column(
            "analysis",
            "text",
            "The place of the row in the study.",
            allowed=(
                "primary",
                "secondary",
                "unadjusted",
                "sensitivity",
                "placebo",
                "negative_control",
                "subgroup",
                "event_study",
            ),
        ),
        Column("subgroup", "text", "Subgroup, as in 'sex=f'; empty for everyone.", nullable=True),
        Column(
            "window_days",
            "int",
            "Length of follow-up; empty when everyone is followed to their own end.",
            nullable=True,
            unit="days",
        ),
        Column(
            "denominator",
            "text",
            "Which time counts: net of absences, or by the calendar.",
            nullable=True,
            allowed=("free_time", "calendar_time"),
        ),
        Column("estimate", "float", "The estimate, on the measure's own scale.", nullable=True, role="model"),
        Column("conf_low", "float", "Lower confidence limit.", nullable=True, role="model"),
        Column("conf_high", "float", "Upper confidence limit.", nullable=True, role="model"),
        Column("conf_level", "float", "Level of the confidence interval."),
        Column("std_error", "float", "Standard error; of a ratio on the log scale.", nullable=True, role="model"),
        Column("verdict_low", "float", "Lower limit that holds over all looks.", nullable=True, role="model"),
        Column("verdict_high", "float", "Upper limit that holds over all looks.", nullable=True, role="model"),
        Column("p_value", "float", "Two-sided p-value of no effect.", nullable=True, role="model"),
        Column("p_value_adjusted", "float", "The p-value after Holm's correction.", nullable=True, role="model"),
        Column("n_treated", "int", "Treated persons analysed.", nullable=True, unit="persons", role="count_persons"),
        Column(
            "n_comparison", "int", "Comparison persons analysed.", nullable=True, unit="persons", role="count_persons"
        ),
        Column(
            "events_treated",
            "float",
            "Treated: persons with an event for risks and hazards, events for rates.",
            nullable=True,
            role="count_events",
        ),
        Column(
            "events_comparison",
            "float",
            "Comparison: persons with an event for risks and hazards, events for rates.",
            nullable=True,
            role="count_events",
        ),
        Column(
            "person_years_treated",
            "float",
            "Time at risk of the treated.",
            nullable=True,
            unit="years",
            role="person_time",
        ),
        Column(
            "person_years_comparison",
            "float",
            "Time at risk of the comparison.",
            nullable=True,
            unit="years",
            role="person_time",
        ),
        Column("n_clusters_treated", "int", "Clusters among the treated.", nullable=True, role="count_clusters"),
        Column("n_clusters_comparison", "int", "Clusters in the comparison.", nullable=True, role="count_clusters"),
        Column(
            "status",
            "text",
            "Whether the estimate may be shown.",
            allowed=("shown", "hidden", "suppressed", "not_estimable"),
        ),
        Column("reason", "text", "Why it is not shown; empty when it is.", role="text"),
        Column("reason_nl", "text", "The same in Dutch.", role="text"),
    ),
    storage="estimate.effects",
    is_released=True,
)

_RESULTS = (
    _EFFECTS,
    Table(
        "gates",
        "one gate and what it concerns",
        (
            Column("gate", "text", "Name of the gate."),
            Column(
                "status",
                "text",
                "Its ruling; only failed hides effects.",
                allowed=("passed", "warned", "failed", "not_evaluated", "not_applicable"),
            ),
            Column("figure", "text", "What was found.", role="text"),
            Column("threshold", "text", "What it was held against."),
            Column("sentence", "text", "The ruling in a sentence.", role="text"),
            Column("sentence_nl", "text", "The same in Dutch.", role="text"),
            Column("concerns", "text", "Which effects: all, or column=value pairs joined by semicolons."),
        ),
        storage="estimate.gates",
        is_released=True,
    ),
    Table(
        "claims",
        "one public claim",
        (
            Column("words", "text", "The claim as it was made."),
            Column("source", "text", "Who made it, and where."),
            Column("outcome", "text", "The outcome it is about; empty for a claim about reach."),
            Column("measure", "text", "The measure it is about; reach for a claim about reach."),
            Column("value", "float", "The bound that was claimed.", nullable=True),
            Column(
                "ruling",
                "text",
                "What this quarter's data say of it.",
                allowed=("supported", "weaker_than_claimed", "not_established", "contradicted", "cannot_be_tested"),
            ),
            Column("sentence", "text", "The strongest sentence that can be defended.", role="text"),
            Column("sentence_nl", "text", "The same in Dutch.", role="text"),
        ),
        storage="estimate.claims",
        is_released=True,
    ),
    Table(
        "verdict",
        "the programme's quarter",
        (
            Column(
                "direction",
                "text",
                "The answer on the primary outcome.",
                allowed=("fewer", "more", "no_effect_of_importance", "inconclusive", "not_shown"),
            ),
            Column("maryland", "int", "Strength of the evidence on the Maryland scale, 1 to 5."),
            Column("works", "bool", "Whether 'it works' may be said."),
            Column("outcome", "text", "The primary outcome."),
            Column("measure", "text", "Its main measure."),
            Column("window_days", "int", "Its window; empty for everyone's own end.", nullable=True, unit="days"),
            Column("sentence", "text", "The verdict line.", role="text"),
            Column("sentence_nl", "text", "The same in Dutch.", role="text"),
        ),
        storage="estimate.verdict",
        is_released=True,
    ),
    Table(
        "attrition",
        "one step from delivered to analysed, per arm",
        (
            Column("step", "int", "Position of the step."),
            Column("name", "text", "Name of the step."),
            Column("arm", "text", "The arm; empty while it is not known."),
            Column("n_before", "int", "Persons before the step.", unit="persons", role="count_persons"),
            Column("n_lost", "int", "Persons lost in the step.", unit="persons", role="count_persons"),
            Column("n_after", "int", "Persons after the step.", unit="persons", role="count_persons"),
            Column("reason", "text", "Why they are not analysed."),
            Column("reason_nl", "text", "The same in Dutch."),
        ),
        key=("step", "arm"),
        storage="cohort.attrition",
        is_released=True,
    ),
    Table(
        "balance",
        "one covariate term of a contrast",
        (
            _CONTRAST,
            Column("term", "text", "The covariate, level, square or product."),
            Column("kind", "text", "What kind of term.", allowed=("main", "square", "product")),
            Column("mean_treated", "float", "Mean among the treated.", role="proportion"),
            Column("mean_comparison_before", "float", "Mean in the comparison, unweighted.", role="proportion"),
            Column("mean_comparison_after", "float", "Mean in the comparison, weighted.", role="proportion"),
            Column("smd_before", "float", "Standardised mean difference, unweighted.", role="model"),
            Column("smd_after", "float", "Standardised mean difference, weighted.", role="model"),
        ),
        key=("contrast", "term", "kind"),
        storage="comparability.balance",
        is_released=True,
    ),
    Table(
        "overlap",
        "one bin of the preference score of a contrast",
        (
            _CONTRAST,
            Column("bin_low", "float", "Lower edge of the bin, included."),
            Column("bin_high", "float", "Upper edge of the bin."),
            Column("n_treated", "int", "Treated persons in the bin.", unit="persons", role="count_persons"),
            Column("n_comparison", "int", "Comparison persons in the bin.", unit="persons", role="count_persons"),
        ),
        key=("contrast", "bin_low"),
        storage="comparability.overlap",
        is_released=True,
    ),
    Table(
        "curves",
        "one day of an arm's cumulative incidence",
        (
            _CONTRAST,
            _OUTCOME,
            Column("arm", "text", "The arm."),
            Column("day", "int", "Days since time zero.", unit="days"),
            Column("incidence", "float", "Share with a first event by that day.", role="proportion"),
            Column("conf_low", "float", "Lower confidence limit.", role="proportion"),
            Column("conf_high", "float", "Upper confidence limit.", role="proportion"),
            Column("n_at_risk", "int", "Persons still at risk.", unit="persons", role="count_persons"),
            Column(
                "n_events",
                "int",
                "Persons with their first event on this day; released: so far.",
                unit="persons",
                role="count_events",
            ),
        ),
        key=("contrast", "outcome", "arm", "day"),
        storage="estimate.curves",
        is_released=True,
    ),
    Table(
        "checks",
        "one expectation on one table",
        (
            Column("check_name", "text", "Name of the expectation."),
            Column("table_name", "text", "The table it looks at."),
            Column("severity", "text", "critical blocks, warning does not.", allowed=("critical", "warning")),
            Column("passed", "bool", "Whether the data met it."),
            Column("figure", "text", "What was found: counts and shares, never a value.", role="text"),
            Column("threshold", "text", "What it was held against."),
            Column("advice_en", "text", "What to do when it fails."),
            Column("advice_nl", "text", "The same in Dutch."),
            Column("delivery_hash", "text", "Which delivery was looked at."),
        ),
        key=("check_name", "delivery_hash"),
        storage="quality.checks",
        is_released=True,
    ),
)
RESULT_TABLES: Mapping[str, Table] = {table.name: table for table in _RESULTS}
"""The tables of results, by name; released ones carry a disclosure role per column."""
