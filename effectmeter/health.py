"""What `effectmeter doctor` finds: one sentence and one thing to do for each, in Dutch and English.

Here: the findings, and how what steps took is summed up from the run log. Not here: looking (`pipelines.examinations`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["fine", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    level
        ``fine``; ``note``: something to know or to do in time; ``fault``: something does not work, or is not safe.
    area
        What it is about, in one word: ``keys``, ``disk`` ...
    en, nl
        What was found.
    do_en, do_nl
        What to do; empty when nothing is.
    """

    level: Level
    area: str
    en: str
    nl: str
    do_en: str = ""
    do_nl: str = ""

    def words(self, language: str) -> str:
        """Return what was found."""
        return self.nl if language == "nl" else self.en

    def advice(self, language: str) -> str:
        """Return what to do."""
        return self.do_nl if language == "nl" else self.do_en


def last_runs(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return, per programme, the lines of its newest run; pages over all programmes are left out.

    Parameters
    ----------
    lines
        Of the run log, oldest first.
    """
    runs: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for line in lines:
        if line.get("programme"):
            runs.setdefault(str(line["programme"]), {}).setdefault(str(line.get("run")), []).append(line)
    return {programme: list(found.values())[-1] for programme, found in sorted(runs.items())}


def run_finding(programme: str, run: Sequence[Mapping[str, Any]]) -> Finding:
    """Return how a programme's newest run ended, what it took, and what took longest.

    Examples
    --------
    >>> run_finding("tarp", [{"step": "landing", "status": "done", "seconds": 2.0, "peak_mb": 300, "quarter": "2026-Q3",
    ...                       "at": "2026-10-15T06:00:00+00:00"}]).en
    'tarp 2026-Q3: done on 2026-10-15 in 2.0 s, at most 300 MB; slowest: landing 2.0 s'
    """
    ended = next((line for line in reversed(run) if line.get("status") in ("failed", "killed")), run[-1])
    unchanged = sum(line.get("status") == "unchanged" for line in run)
    slowest = sorted(run, key=lambda line: -float(line.get("seconds") or 0.0))[:3]
    took = sum(float(line.get("seconds") or 0.0) for line in run)
    peak = max(int(line.get("peak_mb") or 0) for line in run)
    steps = ", ".join(f"{line['step'].replace('_', ' ')} {float(line.get('seconds') or 0.0):.1f} s" for line in slowest)
    about, day = f"{programme} {ended.get('quarter', '')}", str(ended.get("at", ""))[:10]
    if ended.get("status") in ("failed", "killed"):
        step = str(ended["step"]).replace("_", " ")
        command = f"effectmeter refresh --programme {programme} --quarter {ended.get('quarter')}"
        return Finding(
            "fault",
            "runs",
            f"{about}: the last run failed on {day} at '{step}'",
            f"{about}: de laatste keer mislukte op {day} bij '{step}'",
            f"run `{command}` and read what it says",
            f"voer `{command}` uit en lees wat er staat",
        )
    if unchanged == len(run):
        return Finding(
            "fine",
            "runs",
            f"{about}: unchanged on {day}, skipped in {took:.1f} s",
            f"{about}: onveranderd op {day}, overgeslagen in {took:.1f} s",
        )
    return Finding(
        "fine",
        "runs",
        f"{about}: done on {day} in {took:.1f} s, at most {peak} MB; slowest: {steps}",
        f"{about}: klaar op {day} in {took:.1f} s, hoogstens {peak} MB; het langst: {steps}",
    )
