"""Two reporting guidelines as checklists, filled as far as a plan and its release can.

TARGET, for observational studies that emulate a trial: Cashin et al. (2025), JAMA, doi:10.1001/jama.2025.13350, and
BMJ 390:e087179, doi:10.1136/bmj-2025-087179: 21 items in six sections. STROBE, for cohort studies: von Elm et al.
(2007), doi:10.1371/journal.pmed.0040296: 22 items. What an item asks is said in our words; hold a manuscript to
the published lists. Sentences come from `effectmeter.checklist_facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from effectmeter import checklist_facts as facts
from effectmeter.checklist_facts import Released

Guideline = Literal["target", "strobe"]
BY_HAND = "For the authors to write."
_Fact = Callable[[Released], str]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a guideline: what it asks, and which sentences answer."""

    number: str
    section: str
    asks: str
    answers: tuple[_Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """One item with its answer; `is_filled` is False where the authors must write it themselves."""

    number: str
    section: str
    asks: str
    answer: str
    is_filled: bool


_PROTOCOL = (
    ("a", "Eligibility criteria", (facts.eligibility,)),
    ("b", "Strategies that are compared", (facts.strategies,)),
    ("c", "How people are assigned to them", (facts.assignment,)),
    ("d", "Start and end of follow-up", (facts.follow_up,)),
    ("e", "Outcomes", (facts.outcomes,)),
    ("f", "Causal contrasts", (facts.contrasts,)),
    ("g", "Assumptions that identify the effect", (facts.assumptions,)),
    ("h", "Plan of analysis", (facts.analysis,)),
)

_EMULATED: Mapping[str, tuple[_Fact, ...]] = {
    "a": (facts.participants,),
    "b": (facts.data_sources,),
    "c": (facts.assignment, facts.covariates),
    "g": (facts.covariates,),
    "h": (facts.analysis, facts.missing_plan),
}

TARGET: tuple[Item, ...] = (
    Item(
        "1",
        "Abstract",
        "Say that a trial is emulated, from which data, with what result",
        (facts.design, facts.summary),
    ),
    Item("2", "Introduction", "Background, and what is not known", (facts.claims,)),
    Item("3", "Introduction", "The causal question", (facts.question,)),
    Item("4", "Introduction", "Why a trial is emulated, and trials that were an example"),
    Item("5", "Methods", "Data sources", (facts.data_sources,)),
    *(Item(f"6{letter}", "Methods", f"The target trial. {asks}", answers) for letter, asks, answers in _PROTOCOL),
    *(
        Item(f"7{letter}", "Methods", f"Its emulation in the data. {asks}", _EMULATED.get(letter, answers))
        for letter, asks, answers in _PROTOCOL
    ),
    Item("8", "Results", "How many were assessed, eligible and assigned", (facts.participants,)),
    Item("9", "Results", "Characteristics at time zero, by strategy", (facts.baseline,)),
    Item("10", "Results", "Length of follow-up and why it ended", (facts.follow_up,)),
    Item("11", "Results", "Missing data", (facts.missing_plan,)),
    Item("12", "Results", "Outcomes by strategy", (facts.counted,)),
    Item("13", "Results", "Effect estimates with their precision", (facts.estimate,)),
    Item("14", "Results", "Further analyses, and how far the result hangs on choices", (facts.additional,)),
    Item("15", "Discussion", "What the findings mean", (facts.summary,)),
    Item("16", "Discussion", "Limitations, and where trial and emulation differ", (facts.limitations,)),
    Item("17", "Other information", "Ethics approval"),
    Item("18", "Other information", "Registration and protocol", (facts.registration,)),
    Item("19", "Other information", "Sharing of data and code", (facts.sharing,)),
    Item("20", "Other information", "Funding"),
    Item("21", "Other information", "Conflicts of interest"),
)

STROBE: tuple[Item, ...] = (
    Item("1", "Title and abstract", "Name the design; sum up what was done and found", (facts.design, facts.summary)),
    Item("2", "Introduction", "Background and reason", (facts.claims,)),
    Item("3", "Introduction", "Objectives and hypotheses", (facts.question,)),
    Item("4", "Methods", "Key elements of the design", (facts.design, facts.assignment)),
    Item("5", "Methods", "Setting, places and dates", (facts.data_sources, facts.follow_up)),
    Item("6", "Methods", "Who was eligible, how they were found and followed", (facts.eligibility, facts.follow_up)),
    Item("7", "Methods", "Outcomes, exposures, confounders", (facts.outcomes, facts.strategies, facts.covariates)),
    Item("8", "Methods", "Sources and measurement of each variable", (facts.data_sources,)),
    Item("9", "Methods", "What was done against bias", (facts.assumptions,)),
    Item("10", "Methods", "How the size of the study came about"),
    Item("11", "Methods", "How quantities were handled", (facts.covariates,)),
    Item("12", "Methods", "Statistical methods, missing data, sensitivity", (facts.analysis, facts.missing_plan)),
    Item("13", "Results", "Numbers at each stage", (facts.participants,)),
    Item("14", "Results", "Characteristics of those in the study", (facts.baseline,)),
    Item("15", "Results", "Outcome events", (facts.counted,)),
    Item("16", "Results", "Estimates, raw and adjusted, with intervals", (facts.estimate,)),
    Item("17", "Results", "Other analyses", (facts.additional,)),
    Item("18", "Discussion", "Key results", (facts.summary,)),
    Item("19", "Discussion", "Limitations", (facts.limitations,)),
    Item("20", "Discussion", "Cautious interpretation"),
    Item("21", "Discussion", "Whether it holds elsewhere"),
    Item("22", "Other information", "Funding"),
)

GUIDELINES: Mapping[Guideline, tuple[Item, ...]] = {"target": TARGET, "strobe": STROBE}

_SOURCES = {
    "target": "TARGET (Cashin et al. 2025, https://doi.org/10.1001/jama.2025.13350)",
    "strobe": "STROBE (von Elm et al. 2007, https://doi.org/10.1371/journal.pmed.0040296)",
}

_OTHERS = {
    "randomised": " A trial by lot is reported by CONSORT; this list is for comparison.",
    "pooled_trials": " Trials taken together are reported by PRISMA; this list is for comparison.",
}


def filled(guideline: Guideline, it: Released) -> tuple[Filled, ...]:
    """Return every item of a guideline with what plan and release say under it."""
    rows = []
    for item in GUIDELINES[guideline]:
        answer = " ".join(text for text in (fact(it) for fact in item.answers) if text)
        rows.append(Filled(item.number, item.section, item.asks, answer or BY_HAND, bool(answer)))
    return tuple(rows)


def as_markdown(guideline: Guideline, it: Released) -> str:
    """Return a filled checklist as a Markdown page."""
    rows = filled(guideline, it)
    known = sum(row.is_filled for row in rows)
    which = f"{it.plan.title.en}, {it.passport['quarter']}, edition {it.passport['edition']}"
    lines = [
        f"# {guideline.upper()} checklist: {which}",
        "",
        f"After {_SOURCES[guideline]}, in our words. {known} of {len(rows)} rows are filled from the plan and the",
        f"release; the others are for the authors. Cleared values only.{_OTHERS.get(it.plan.design, '')}",
        "",
        "| item | section | asks | answer |",
        "|---|---|---|---|",
    ]
    lines += [f"| {row.number} | {row.section} | {_cell(row.asks)} | {_cell(row.answer)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text that cannot break out of a table's cell, or of Markdown."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
