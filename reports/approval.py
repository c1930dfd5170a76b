"""What a release says of its own state: its marks, and who approved it, in words.

Here: the words, for pages, workbook and portfolio. Not here: who may approve, nor how (`pipelines.approve`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from effectmeter.sentences import LANGUAGES, Language
from effectmeter.sentences.numbers import day_in_words
from reports.texts import text


def marks(passport: Mapping[str, Any], language: Language) -> tuple[tuple[str, str], ...]:
    """Return key and text of the marks that a release carries."""
    return tuple((mark.lower(), text(f"{mark.lower()}_mark", language)) for mark in passport["marks"])


def approval_line(passport: Mapping[str, Any], language: Language) -> str:
    """Return who approved a release and on which day; empty for a CONCEPT."""
    approval = passport.get("approval")  # releases of older versions know none
    if approval is None:
        return ""
    day = datetime.fromisoformat(approval["at"]).date()
    return text("approved_by", language, approval["by"], day_in_words(day, language))


def about(passport: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the lines of the workbook's first sheet, in both languages."""
    lines = [f"{passport['title']['nl']} / {passport['title']['en']}"]
    for language in LANGUAGES:
        lines.append(f"{passport['quarter']} · {text('edition', language)} {passport['edition']}")
        lines += [words for _, words in marks(passport, language)]
        lines += [line for line in (approval_line(passport, language),) if line]
    return tuple(lines)
