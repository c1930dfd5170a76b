"""View models: what a page, a PDF and a chart are given. Frozen, plain, in the reader's language, from cleared values.

Here: the shapes. `reports.build` and `reports.figures` make them; templates, charts and the PDF read them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from effectmeter.sentences import Language


@dataclass(frozen=True, slots=True)
class TableView:
    """A table of texts.

    Attributes
    ----------
    numeric
        Which columns are figures, aligned right.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FigureView:
    """A picture with its name, its description and the table of its numbers.

    Attributes
    ----------
    wide, narrow
        SVG with colour tokens, for a page and for a phone.
    """

    key: str
    title: str
    description: str
    wide: str
    narrow: str
    table: TableView
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepView:
    """One loss between delivered and analysed."""

    lost: str
    reason: str


@dataclass(frozen=True, slots=True)
class ArmView:
    """The way of one arm from delivered to analysed.

    Attributes
    ----------
    unit
        What is counted, where it is not people: areas, months, studies.
    """

    name: str
    is_programme: bool
    delivered: str
    analysed: str
    families: str
    steps: tuple[StepView, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A public claim and its ruling."""

    words: str
    source: str
    key: str
    ruling: str
    sentence: str


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate with its status in words."""

    name: str
    question: str
    key: str
    status: str
    figure: str
    threshold: str
    sentence: str
    concerns: str


@dataclass(frozen=True, slots=True)
class CheckView:
    """A data-quality check."""

    description: str
    is_passed: bool
    status: str
    figure: str
    threshold: str
    advice: str


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One arm's raw change, as a share of what it was."""

    name: str
    is_programme: bool
    percent: str
    width: float
    ratio: str


@dataclass(frozen=True, slots=True)
class AnywayView:
    """What would have happened anyway: both arms' change, and what remains."""

    changes: tuple[ChangeView, ...]
    remains: str


@dataclass(frozen=True, slots=True)
class FactView:
    """A term and its value, for researchers."""

    term: str
    value: str
    is_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A whole report in one language.

    Attributes
    ----------
    tone
        ``good``, ``harm``, ``open``, ``none``: a mark beside the verdict; words say it too.
    approval
        Who approved it and when; empty for a CONCEPT, which has its mark.
    """

    language: Language
    programme: str
    title: str
    question: str
    quarter: str
    edition: str
    reference_date: str
    design: str
    marks: tuple[tuple[str, str], ...]
    approval: str
    is_synthetic: bool
    tone: str
    headline: str
    frequency: str
    synthetic: str
    open_title: str
    open_text: str
    picture: FigureView | None
    strength: int
    strength_words: str
    people: tuple[ArmView, ...]
    flow: FigureView | None
    people_note: str
    can: tuple[str, ...]
    cannot: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    steps: tuple[str, ...]
    outcomes: FigureView | None
    methods: FigureView | None
    agreement: str
    subgroups: FigureView | None
    not_shown: tuple[tuple[str, str], ...]
    curves: tuple[FigureView, ...]
    gates: tuple[GateView, ...]
    balance: FigureView | None
    overlap: FigureView | None
    e_value: str
    tipping: str
    anyway: AnywayView | None
    since: tuple[str, ...]
    history: FigureView | None
    checks: tuple[CheckView, ...]
    quality: str
    research: tuple[FactView, ...]
    all_rows: TableView
    texts: dict[str, str] = field(default_factory=dict)
