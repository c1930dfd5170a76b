"""All programmes side by side, from the passports of their newest releases and nothing else. No ranking.

Here: finding passports, one row per programme, the page. Not here: any figure that a release does not carry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from effectmeter.edition_history import MOST_EDITIONS, telling, told
from effectmeter.passport import require_known
from effectmeter.quarters import Quarter
from effectmeter.sentences import LANGUAGES, Language
from effectmeter.sentences.numbers import count, day_in_words, number
from effectmeter.sentences.wording import DESIGNS, MEASURES, RULINGS
from effectmeter.standing import blocking
from reports.approval import approval_line
from reports.drawn import Drawn
from reports.figures import figures_of
from reports.history import history_figure
from reports.page import environment
from reports.portfolio_book import write_book
from reports.portfolio_figures import programmes_figure
from reports.texts import STRENGTH, TEXTS, text
from reports.views import FigureView


@dataclass(frozen=True, slots=True)
class ProgrammeView:
    """One programme's newest release.

    Attributes
    ----------
    approval
        Who approved it and when; empty for a CONCEPT.
    approved
        Of a CONCEPT, the newest edition that was approved: what it is called, and its page. None where there is none.
    history
        What its editions said in the course of time; None with fewer than two that showed a figure.
    stalled
        Since when no newer release could be made, and why; empty where nothing went wrong.
    """

    title: str
    quarter: str
    edition: str
    marks: tuple[tuple[str, str], ...]
    headline: str
    tone: str
    figure: str
    design: str
    reach: str
    strength: int
    strength_words: str
    claims: tuple[tuple[str, str, str], ...]
    is_stale: bool
    link: str
    approval: str
    approved: tuple[str, str] | None
    history: FigureView | None
    stalled: str


def newest_releases(root: Path) -> list[Path]:
    """Return each programme's newest edition of its newest quarter, by programme name."""
    programmes = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [editions[-1] for programme in programmes if (editions := _editions(programme))]


def _editions(programme: Path) -> list[Path]:
    """Return a programme's editions of all quarters, oldest first."""
    return sorted(path.parent for path in programme.glob("*/*/passport.json") if not path.parent.name.startswith("."))


def _passport(edition: Path) -> dict[str, Any]:
    passport: dict[str, Any] = json.loads((edition / "passport.json").read_text(encoding="utf-8"))
    require_known(passport, str(edition))
    return passport


def _last_approved(root: Path, folder: Path, language: Language) -> tuple[str, str] | None:
    """Return what a programme's newest approved edition is called, and where its page is."""
    for edition in reversed(_editions(folder.parents[1])):
        passport = _passport(edition)
        if passport["approved"]:
            name = f"{passport['quarter']} · {text('edition', language)} {passport['edition']}"
            return name, _page(root, edition, language)
    return None


def _page(root: Path, edition: Path, language: Language) -> str:
    return f"{edition.relative_to(root).as_posix()}/report.{language}.html"


def portfolio_rows(root: Path, language: Language, drawn: Drawn) -> list[ProgrammeView]:
    """Return the programmes with a release, in alphabetical order of title."""
    releases = [(folder, _passport(folder)) for folder in newest_releases(root)]
    newest = max((Quarter.parse(passport["quarter"]) for _, passport in releases), default=None)
    rows = [_row(root, folder, passport, newest, language, drawn) for folder, passport in releases]
    return sorted(rows, key=lambda row: row.title.lower())


def _row(
    root: Path, folder: Path, passport: Mapping[str, Any], newest: Quarter | None, language: Language, drawn: Drawn
) -> ProgrammeView:
    verdict, primary = passport["verdict"], passport["figures"]["primary"] or {}
    limits = (primary.get("estimate"), primary.get("conf_low"), primary.get("conf_high"))
    minimum = passport["disclosure"]["minimum_persons"]
    return ProgrammeView(
        title=passport["title"][language],
        quarter=passport["quarter"],
        edition=passport["edition"],
        marks=tuple((mark.lower(), mark) for mark in passport["marks"]),
        headline=passport["headline"][language],
        tone=_tone(passport),
        figure=_figure(primary, limits, language),
        design=DESIGNS[passport["design"]][language] if passport["design"] in DESIGNS else "",
        reach=_reach(passport["figures"], language, minimum),
        strength=verdict["maryland"],
        strength_words=STRENGTH[verdict["maryland"]][language],
        claims=tuple(
            (_claim_words(claim, passport), claim["ruling"], RULINGS[claim["ruling"]][language])
            for claim in passport["claims"]
        ),
        is_stale=newest is not None and Quarter.parse(passport["quarter"]) < newest,
        link=_page(root, folder, language),
        approval=approval_line(passport, language),
        approved=None if passport["approved"] else _last_approved(root, folder, language),
        history=_history(folder, passport, language, drawn),
        stalled=_stalled(folder.parents[1], Quarter.parse(passport["quarter"]), language),
    )


def _history(folder: Path, passport: Mapping[str, Any], language: Language, drawn: Drawn) -> FigureView | None:
    """Return what a programme's editions said in the course of time."""
    programme, title = folder.parents[1], passport["title"][language]
    points = [told(edition) for edition in telling([_passport(path) for path in _editions(programme)])]
    points, plans, key = points[-MOST_EDITIONS:], passport["plan"]["history"], f"history-{programme.name}"
    sizes = drawn.sizes(points, plans, language, key, title)
    return history_figure(points, plans, language, key=key, about=title, sizes=sizes)


def _stalled(programme: Path, released: Quarter, language: Language) -> str:
    """Return since when no newer release could be made, and why; empty where nothing went wrong."""
    standing = blocking(programme, released)
    if standing is None:
        return ""
    since = day_in_words(date.fromisoformat(standing.since), language)
    return text("stalled", language, since, standing.why(language))


def _claim_words(claim: Mapping[str, Any], passport: Mapping[str, Any]) -> str:
    """Return a claim, with the arms it was ruled on where that is said of more than one."""
    several = len({other.get("contrast") for other in passport["claims"]} - {"", None}) > 1
    return f"{claim['words']} ({claim['contrast']})" if several and claim.get("contrast") else str(claim["words"])


def _tone(passport: Mapping[str, Any]) -> str:
    """Return the mark beside a row: harm by the direction that is harm for this outcome, not by more alone."""
    verdict = passport["verdict"]
    if verdict["works"]:
        return "good"
    harm = "more" if verdict.get("better", "lower") == "lower" else "fewer"
    return "harm" if verdict["direction"] == harm else "open"


def _figure(
    primary: Mapping[str, Any], limits: tuple[float | None, float | None, float | None], language: Language
) -> str:
    """Return the primary figure with what it measures: designs differ, and an odds ratio is no risk ratio."""
    shown = figures_of(*limits, language)
    measure = primary.get("measure", "")
    if shown == "–" or measure not in MEASURES:
        return shown
    return f"{shown}; {MEASURES[measure][language]}"


def _reach(figures: Mapping[str, Any], language: Language, minimum: int) -> str:
    """Return how many take part: people, areas, periods since the start, or studies."""
    unit = figures.get("reach_unit", "person")
    if unit == "person":
        return count(figures["reach"], language, minimum)
    words = text(f"reach_{unit}s", language)
    return "–" if figures["reach"] is None else f"{number(figures['reach'], language, 0)} {words}"


def write_portfolio(root: Path, version: str = "") -> tuple[Path, ...]:
    """Write a page per language and the workbook into the folder of all releases, and return them.

    With the software's `version` pictures of programmes that stand as they stood are not drawn again.
    """
    written, views, drawn = [], {}, Drawn(root, version)
    releases = newest_releases(root)
    for language in LANGUAGES:
        rows = views[language] = portfolio_rows(root, language, drawn)
        html = environment().get_template("portfolio.html.j2").render(
            rows=rows, t={key: found[language] for key, found in TEXTS.items()}, language=language,
            other="en" if language == "nl" else "nl", title=text("portfolio", language),
            figure=programmes_figure([_passport(folder) for folder in releases], language),
            filters=_filters(rows, language),
        )  # fmt: skip
        # beside it and renamed: a reader, or another run, never meets half a file
        beside = root / f".index.{language}.{os.getpid()}.part"
        beside.write_text(html + "\n", encoding="utf-8")
        written.append(beside.replace(root / f"index.{language}.html"))
    beside = root / f".portfolio.{os.getpid()}.part"
    write_book(views, releases, beside)
    drawn.keep()
    return (*written, beside.replace(root / "portfolio.xlsx"))


def _filters(
    rows: Sequence[ProgrammeView], language: Language
) -> tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]:
    """Return what the table can be narrowed by: name, words, and the choices that are there."""
    designs = tuple((design, design) for design in sorted({row.design for row in rows if row.design}))
    strengths = tuple((str(n), text("strength_of", language, n)) for n in sorted({row.strength for row in rows}))
    return (
        ("design", text("method", language), designs),
        ("strength", text("evidence", language), strengths),
        ("fresh", text("freshness", language), tuple((key, text(key, language)) for key in ("fresh", "stale"))),
    )
