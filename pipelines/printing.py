"""What the command line prints: steps, rows, checks and effects in words for a terminal. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from expectations import CheckOutcome
    from vault.intake import LandingReport

STEPS: Mapping[str, str] = {
    "landing": "reading the delivery",
    "landing_expectations": "checking the delivery",
    "cohort": "choosing who is analysed",
    "outcomes": "counting outcomes",
    "outcomes_expectations": "checking the analysis tables",
    "comparability": "making the groups comparable",
    "effects": "estimating effects",
    "diagnostics": "testing whether they may be shown",
    "release": "clearing what may leave the vault",
    "report": "writing the report",
    "portfolio": "updating the portfolio",
}
"""What each step of a refresh is doing, by the last part of its name in Dagster."""

_EFFECT = "{:<12} {:<20} {:<18} {:<13} {:>8} {:>8} {:>8}  {}"


def step_words(step_key: str) -> str:
    """Return what a step is doing: ``tarp__landing_expectations`` is checking the delivery."""
    name = step_key.split("__", 1)[-1]
    return STEPS.get(name, name.replace("_", " "))


def landed_lines(report: LandingReport) -> Iterator[str]:
    """Yield, per delivered file, what was kept and what was rejected, why, and in which rows; never what they hold."""
    for file in report.files:
        kept = f"{file.n_rows_kept} of {file.n_rows_read} rows kept"
        yield f"{file.table} ({file.file}): {kept}, {file.n_rejected} rejected"
        for reject in file.rejects:
            column = f"{reject.column}: " if reject.column else ""
            first = ", ".join(map(str, reject.first_rows))
            more = ", ..." if reject.n_rows > len(reject.first_rows) else ""
            yield f"  {column}{reject.reason}: {reject.n_rows} (row {first}{more})"


def check_lines(outcomes: Sequence[CheckOutcome], *, is_all: bool) -> Iterator[str]:
    """Yield what failed and what to do about it, the passed checks when asked for, and how many passed."""
    for outcome in outcomes:
        if outcome.passed and not is_all:
            continue
        mark = "ok  " if outcome.passed else ("STOP" if outcome.spec.severity == "critical" else "warn")
        yield f"{mark} {outcome.spec.table}: {outcome.spec.description_en}"
        yield f"     found: {outcome.figure} (allowed: {outcome.threshold}); check {outcome.spec.name}"
        if not outcome.passed:
            yield f"     next: {outcome.advice_en}"
    n_passed = sum(outcome.passed for outcome in outcomes)
    yield f"{n_passed} of {len(outcomes)} checks passed" + ("" if is_all else " (--all lists them)")


def check_records(report: LandingReport, outcomes: Sequence[CheckOutcome]) -> dict[str, Any]:
    """Return the same for a machine."""
    return {
        "files": [
            {
                "table": file.table,
                "file": file.file,
                "n_rows_read": file.n_rows_read,
                "n_rows_kept": file.n_rows_kept,
                "n_rejected": file.n_rejected,
                "rejects": [
                    {
                        "column": reject.column,
                        "reason": reject.reason,
                        "n_rows": reject.n_rows,
                        "first_rows": list(reject.first_rows),
                    }
                    for reject in file.rejects
                ],
            }
            for file in report.files
        ],
        "checks": [
            {
                "check": outcome.spec.name,
                "table": outcome.spec.table,
                "severity": outcome.spec.severity,
                "passed": outcome.passed,
                "figure": outcome.figure,
                "threshold": outcome.threshold,
                "advice": "" if outcome.passed else outcome.advice_en,
            }
            for outcome in outcomes
        ],
    }


def effect_lines(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield effects with how each was made, gates and claims."""
    yield _EFFECT.format("analysis", "outcome", "measure", "window", "estimate", "low", "high", "how").rstrip()
    for row in found["effects"]:
        window = f"{row['window_days']} days" if row["window_days"] else "own follow-up"
        figures = ["-" if row[name] is None else f"{row[name]:.3f}" for name in ("estimate", "conf_low", "conf_high")]
        how = [row[name] for name in ("contrast", "estimand", "estimator", "variance", "denominator", "subgroup")]
        told = ", ".join(str(part) for part in how if part)
        yield _EFFECT.format(row["analysis"], row["outcome"], row["measure"], window, *figures, told)
        if row["status"] != "shown":
            yield f"{'':<13}{str(row['status']).replace('_', ' ')}: {row['reason']}"
    yield ""
    for gate in found["gates"]:
        yield f"gate {gate['gate']}: {str(gate['status']).replace('_', ' ')}. {gate['sentence']}"
    for claim in found["claims"]:
        yield f"claim '{claim['words']}': {str(claim['ruling']).replace('_', ' ')}. {claim['sentence']}"
