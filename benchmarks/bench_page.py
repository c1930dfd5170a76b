"""Writes benchmarks/bench.md from what `bench` measured. Here: ratios, bars, tables. No measuring."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

Found = dict[str, Any]
"""What one run of a stage gave, or all that is known of one size."""
EVENTS_PER_PERSON = 10
MOST_GB = 16.0
"""Of memory for another package: what a large laptop has."""


def ratio(runs: Sequence[Found], clock: str = "cpu") -> float:
    """Return the median ratio to the scan."""
    return statistics.median(run[clock] / max(run[f"scan_{clock}"], 1e-4) for run in runs)


def exponent(sizes: Sequence[Found], stage: str) -> float | None:
    """Return the growth of a stage's processor time between the smallest and the largest size; None for one size."""
    known = [(size["persons"], statistics.median(r["cpu"] for r in size[stage])) for size in sizes if size.get(stage)]
    if len(known) < 2:
        return None
    (n0, t0), (n1, t1) = known[0], known[-1]
    return math.log(t1 / t0) / math.log(n1 / n0)


BARS = {"chain sorted": 40.0, "chain any": 90.0, "rate": 10.0, "cox": 60.0}
_NAMES = {
    "landing any": "landing, events in any order",
    "landing sorted": "landing, events sorted by person",
    "chain any": "cohort and outcomes, any order",
    "chain sorted": "cohort and outcomes, sorted by person",
    "rate": "rate ratio, nine factors, robust error",
    "cox": "Cox, nine factors, robust error",
}


def _counts(sizes: Sequence[Found]) -> str:
    """Return of how many runs the medians are."""
    runs = {len(size[key]) for size in sizes for key in _NAMES if size.get(key) and not key.startswith("landing")}
    return " to ".join(map(str, sorted({min(runs, default=1), max(runs, default=1)}))) + " runs"


def verdict(value: float | None, bar: float, *, is_full: bool) -> str:
    """Return pass or miss; what was not measured at the size of the bar is never a pass."""
    if value is None:
        return "not measured"
    found = "pass" if value <= bar else "miss"
    return found if is_full else f"{found} at this size; not measured at 10^7"


def page(sizes: Sequence[Found], notes: str) -> str:
    """Return the page."""
    last = sizes[-1]
    is_full = last["persons"] >= 10**7
    lines = [
        "# National size",
        "",
        "`make bench` rewrites this page. Ratios are processor time over DuckDB's scan of the same columns in the same",
        f"process, on one thread, medians of {_counts(sizes)}; wall ratios beside them. Landing ran once per size.",
        f"{EVENTS_PER_PERSON} events per person.",
        "",
        "| persons | stage | processor s | x scan | x scan, wall | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    for size in sizes:
        for key, name in _NAMES.items():
            if runs := size.get(key):
                cpu, peak = statistics.median(r["cpu"] for r in runs), max(r["peak"] for r in runs)
                lines.append(
                    f"| {size['persons']:,} | {name} | {cpu:.2f} |"
                    f" {ratio(runs):.0f} | {ratio(runs, 'wall'):.0f} | {peak:.0f} |"
                )
                if added := [run["adding_up_cpu"] for run in runs if "adding_up_cpu" in run]:
                    times = statistics.median(added) / statistics.median(run["scan_cpu"] for run in runs)
                    lines.append(f"| | of which adding persons up | {statistics.median(added):.2f} | {times:.0f} | | |")
    lines += ["", f"## Bars, at {last['persons']:,} persons", "", "| bar | at most | found | |", "|---|---|---|---|"]
    for key, bar in BARS.items():
        value = ratio(last[key]) if last.get(key) else None
        shown = "" if value is None else f"{value:.0f}x"
        lines.append(f"| {_NAMES[key]} | {bar:.0f}x scan | {shown} | {verdict(value, bar, is_full=is_full)} |")
    measured = [run for key in _NAMES for run in last.get(key) or []]
    peaks = [run["peak"] for run in measured] + [run["peak_of_refresh"] for run in last.get("whole") or []]
    peak_gb = max(peaks, default=0.0) / 1024
    lines.append(f"| peak memory | 4 GB | {peak_gb:.2f} GB | {verdict(peak_gb or None, 4.0, is_full=is_full)} |")
    lines.append(_with_adding_up(last, is_full=is_full))
    warm = statistics.median(r["warm_wall"] for r in last["rate"]) if last.get("rate") else None
    shown = "" if warm is None else f"{warm:.3f} s"
    lines.append(f"| a further model on warm cells | 0.3 s | {shown} | {verdict(warm, 0.3, is_full=is_full)} |")
    for key, name in _NAMES.items():
        grown = exponent(sizes, key)
        shown = "" if grown is None else f"{grown:.2f}"
        lines.append(f"| growth exponent: {name} | 1.1 | {shown} | {verdict(grown, 1.1, is_full=is_full)} |")
    drawn = last["bootstrap"][0] if last.get("bootstrap") else None
    shown = (
        ""
        if drawn is None
        else f"{drawn['wall']:.0f} s, error {drawn['std_error'] / drawn['robust']:.2f}x the robust one"
    )
    passed = verdict(None if drawn is None else drawn["wall"], 600.0, is_full=is_full)
    lines += [f"| bootstrap of 1,000 replicates | minutes (10) | {shown} | {passed} |", ""]
    lines += whole_lines(sizes)
    lines += ["## What one would use instead", ""]
    lines += [
        f"Once each, one thread, at most {MOST_GB:.0f} GB, reading the table from disk and starting up included.",
        "",
    ]
    lines += [
        "| persons | what | processor s | peak MB | estimate off by | error off by |",
        "|---|---|---|---|---|---|",
    ]
    for size in sizes:
        for name, other in size["others"].items():
            lines.append(_other_line(size, name, other))
    left = [f"* {size['persons']:,}: {reason}" for size in sizes for reason in size["not_run"]]
    lines += ["", "## What did not run", "", *(left or ["Nothing that was asked for failed."]), "", notes.strip(), ""]
    return "\n".join(lines)


def _with_adding_up(size: Found, *, is_full: bool) -> str:
    """Return the bar of the rate ratio when adding up the cohort, which every model shares, is counted with it."""
    key = "adding_up_cohort_cpu"
    added = [run[key] for run in size.get("chain sorted") or [] if key in run]
    value = None
    if added and (runs := size.get("rate")):
        scanned = statistics.median(run["scan_cpu"] for run in runs)
        value = ratio(runs) + statistics.median(added) / max(scanned, 1e-4)
    shown = "" if value is None else f"{value:.0f}x"
    passed = verdict(value, 10.0, is_full=is_full)
    return f"| the rate ratio with adding up the cohort's persons | 10x scan | {shown} | {passed} |"


def whole_lines(sizes: Sequence[Found]) -> list[str]:
    """Return what a refresh takes, from delivery to report."""
    lines = [
        "## The whole chain",
        "",
        "`effectmeter refresh` from nothing, in a new process, checks and report included.",
        "",
    ]
    lines += ["| persons | processor s | peak MB |", "|---|---|---|"]
    for size in sizes:
        for run in size.get("whole") or []:
            lines.append(f"| {size['persons']:,} | {run['cpu']:.0f} | {run['peak_of_refresh']:.0f} |")
    grown = exponent(sizes, "whole")
    shown = "" if grown is None else f"{grown:.2f}"
    return [*lines, "", f"Growth exponent: {shown} ({verdict(grown, 1.1, is_full=True)} against 1.1).", ""]


def _other_line(size: Found, name: str, other: Found) -> str:
    if "failed" in other:
        return f"| {size['persons']:,} | {name} | {other['failed']} | | | |"
    ours = size.get(other["stage"])
    differences = ["", ""]
    if ours:
        gaps = [abs(other[key] / ours[0][key] - 1.0) for key in ("log_ratio", "std_error")]
        differences = ["" if math.isnan(gap) else f"{gap:.0e}" for gap in gaps]
    return f"| {size['persons']:,} | {name} | {other['cpu']:.1f} | {other['peak']:.0f} | {' | '.join(differences)} |"
