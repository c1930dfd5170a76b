"""The picture of what a programme's editions said, with its table: from what passports tell of them, and nothing else.

Here: which editions are drawn, and the words. Not here: drawing (`reports.history_charts`), nor what is kept of an
edition (`effectmeter.edition_history`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from effectmeter.edition_history import is_same_question, plan_changes
from effectmeter.labels import field_labels
from effectmeter.sentences import Language
from effectmeter.sentences.wording import MEASURES
from reports import charts, svg
from reports.figures import both_sizes, figures_of
from reports.history_charts import Edition, editions
from reports.texts import text
from reports.views import FigureView, TableView

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
Sizes = Callable[[str, Callable[[bool, str], str]], tuple[str, str]]


def history_figure(
    points: Sequence[Mapping[str, Any]],
    plans: Sequence[Mapping[str, Any]],
    language: Language,
    *,
    key: str = "history",
    about: str = "",
    sizes: Sizes = both_sizes,
) -> FigureView | None:
    """Return what every edition said of the main figure; None for a first edition, or where none showed a ratio.

    Parameters
    ----------
    points
        Editions as `effectmeter.edition_history.told` has them, oldest first; the last is the one that is read.
    plans
        The history of the plan in the newest passport.
    about
        The programme, on a page about several.
    sizes
        Draws both sizes, or has them already (`reports.drawn`).
    """
    if len(points) < 2:
        return None
    changes = list(_changes(points, plans, language))
    found = _editions(points, changes, language)
    drawn = [item.line for item in found if item.is_shown and item.is_comparable]
    if not drawn:
        return None
    title = _title(drawn, len(points), about, language)
    description = "; ".join(f"{item.line.label}: {item.line.text}" for item in found)
    words = {"less": text("less", language), "more": text("more", language)}
    decimal = "," if language == "nl" else "."

    def draw(is_narrow: bool, own: str) -> str:
        # too many columns for a phone: there each edition is a line
        chart = (
            charts.forest([item.line for item in found], **words, decimal=decimal, is_narrow=True)
            if is_narrow
            else editions(found, **words, hidden=text("edition_hidden", language), decimal=decimal)
        )
        return svg.render(chart, key=own, title=title, description=description)

    wide, narrow = sizes(key, draw)
    heads = ("edition", "primary_figure", "measure", "changed_here")
    rows = tuple(
        (item.line.label, _whole(point, item, language), _measure(point, language), change or "–")
        for point, item, change in zip(points, found, changes, strict=True)
    )
    table = TableView(title, tuple(text(head, language) for head in heads), rows)
    return FigureView(key, title, description, wide, narrow, table, _note(found, changes, language))


def _title(drawn: Sequence[charts.Interval], n: int, about: str, language: Language) -> str:
    """Return a title that says the finding: in how many editions the wider margin left out no effect."""
    clear = sum(
        1 for line in drawn if (line.wide_low or 0.0) > 1 or (line.wide_high is not None and line.wide_high < 1)
    )
    what = text("history", language, about) if about else text("history_own", language)
    return f"{what}: {text('history_finding', language, clear, n)}"


def _editions(points: Sequence[Mapping[str, Any]], changes: Sequence[str], language: Language) -> list[Edition]:
    several = {quarter for quarter, n in Counter(point["quarter"] for point in points).items() if n > 1}
    found, n_marks = [], 0
    for index, (point, change) in enumerate(zip(points, changes, strict=True)):
        year, quarter = str(point["quarter"]).split("-")
        extra = (f"({point['edition']})",) if point["quarter"] in several else ()
        mark = _LETTERS[n_marks] if change else ""
        n_marks += bool(change)
        found.append(
            Edition(
                places=(year, quarter, *extra),
                line=_line(point, mark, language, is_this=index == len(points) - 1),
                is_comparable=is_same_question(point, points[-1]),
                is_held=point["figures_of"] != point["quarter"],
                mark=mark,
            )
        )
    return found


def _line(point: Mapping[str, Any], mark: str, language: Language, *, is_this: bool) -> charts.Interval:
    label = f"{point['quarter']} · {text('edition', language)} {point['edition']}{f' ({mark})' if mark else ''}"
    if not _is_drawn(point):
        return charts.Interval(label, text("edition_hidden", language), None, None, None)
    return charts.Interval(
        label=label,
        text=figures_of(point["estimate"], point["conf_low"], point["conf_high"], language),
        estimate=point["estimate"],
        low=point["conf_low"],
        high=point["conf_high"],
        wide_low=point["verdict_low"],
        wide_high=point["verdict_high"],
        is_primary=is_this,
    )


def _is_drawn(point: Mapping[str, Any]) -> bool:
    is_ratio = "ratio" in str(point["measure"])
    return is_ratio and point["status"] == "shown" and not point["conf_low"] is point["conf_high"] is None


def _whole(point: Mapping[str, Any], item: Edition, language: Language) -> str:
    """Return an edition's figure as the table has it: with the quarter it is of, or why it is not shown."""
    if item.is_shown:
        return item.line.text + (f"; {text('figure_of', language, point['figures_of'])}" if item.is_held else "")
    shown = figures_of(point["estimate"], point["conf_low"], point["conf_high"], language)
    if point["status"] == "shown" and shown != "–":
        return shown  # no ratio: it has no place on the axis
    reason = point["reason_nl" if language == "nl" else "reason"]
    return f"{text('edition_hidden', language)}{f': {reason}' if reason else ''}"


def _measure(point: Mapping[str, Any], language: Language) -> str:
    return MEASURES[point["measure"]][language] if point["measure"] in MEASURES else "–"


def _changes(
    points: Sequence[Mapping[str, Any]], plans: Sequence[Mapping[str, Any]], language: Language
) -> Iterator[str]:
    """Say of each edition what was defined otherwise than in the one before; nothing where all is the same."""
    for before, now, fields in zip([None, *points], points, plan_changes(points, plans), strict=False):
        other = before is not None and not is_same_question(before, now)
        said = [text("definition_changed", language)] if other else []
        if fields is not None:
            said.append(
                text("plan_changed_here", language) + (f" ({field_labels(fields, language)})" if fields else "")
            )
        yield "; ".join(said)


def _note(found: Sequence[Edition], changes: Sequence[str], language: Language) -> str:
    """Return what the signs in the picture mean, of those that are in it."""
    said = [text("history_note", language)]
    said += [f"{item.mark}: {change}." for item, change in zip(found, changes, strict=True) if item.mark]
    if any(item.is_shown and not item.is_comparable for item in found):
        said.append(text("history_grey", language))
    if any(item.is_shown and item.is_held for item in found):
        said.append(text("history_held", language))
    return " ".join(said)
