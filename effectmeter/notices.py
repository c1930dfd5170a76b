"""What is told to who looks after an installation when nobody is looking: the texts, in Dutch and English.

Here: which events there are, and the words for each. Nothing individual can be in them: titles of plans, quarters,
kinds of faults, sentences of a release, and the text of a refusal, which by construction (`effectmeter.errors`)
repeats nothing from a delivery. Not here: to whom, and how it is sent (`pipelines.alerts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Event = Literal["failed", "hidden", "late", "done"]
EVENTS: tuple[Event, ...] = get_args(Event)
"""A refresh failed; a gate hides the headline number that was shown before; the deadline passed; a release came."""
UNLESS_TOLD = ("failed", "hidden", "late")
"""Which are told when nothing else is set: nobody reads good news four times a year times a hundred."""

_SUBJECT: Mapping[Event, Mapping[str, str]] = {
    "failed": {"nl": "{title} {quarter}: geen nieuwe uitgave", "en": "{title} {quarter}: no new release"},
    "hidden": {"nl": "{title} {quarter}: hoofdcijfer nu verborgen", "en": "{title} {quarter}: main figure now hidden"},
    "late": {"nl": "{title} {quarter}: te laat", "en": "{title} {quarter}: overdue"},
    "done": {"nl": "{title} {quarter}: nieuwe uitgave", "en": "{title} {quarter}: new release"},
}
_BODY: Mapping[Event, Mapping[str, str]] = {
    "failed": {
        "nl": "Er kwam geen nieuwe uitgave van {title} voor {quarter}.\nDe reden: {why}.\n"
        "De laatste uitgave blijft staan.",
        "en": "There is no new release of {title} for {quarter}.\nWhy: {why}.\nThe last release stands.",
    },
    "hidden": {
        "nl": "De nieuwe uitgave van {title} voor {quarter} toont het hoofdcijfer niet meer.\nDe reden: {why}",
        "en": "The new release of {title} for {quarter} no longer shows its main figure.\nWhy: {why}",
    },
    "late": {
        "nl": "Het verslag van {title} voor {quarter} had er moeten zijn.\nDe reden: {why}.\n"
        "De laatste uitgave blijft staan.",
        "en": "The report of {title} for {quarter} is overdue.\nWhy: {why}.\nThe last release stands.",
    },
    "done": {
        "nl": "Er is een nieuwe uitgave van {title} voor {quarter}.\n{why}",
        "en": "There is a new release of {title} for {quarter}.\n{why}",
    },
}
_NEXT: Mapping[Event, Mapping[str, str]] = {
    "failed": {
        "nl": "Wat nu: herstel de oorzaak en vernieuw opnieuw. `effectmeter doctor` kijkt alles na.",
        "en": "Next: mend the cause and refresh again. `effectmeter doctor` looks everything over.",
    },
    "hidden": {
        "nl": "Wat nu: lees in het verslag welke toets niet is gehaald.",
        "en": "Next: read in the report which test was not passed.",
    },
    "late": {
        "nl": "Wat nu: vraag de leverancier wanneer de bestanden komen.",
        "en": "Next: ask the supplier when the files will come.",
    },
    "done": {
        "nl": "Wat nu: lees het verslag en laat een ander het goedkeuren.",
        "en": "Next: read the report, and let somebody else approve it.",
    },
}
_DETAILS = {"nl": "Precies (Engels):", "en": "In full:"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell.

    Attributes
    ----------
    title
        The programme's, by language.
    why
        By language; a clause for ``failed`` and ``late``, a sentence for the others.
    details
        The refusal as the command line prints it; empty when there is none.
    """

    event: Event
    programme: str
    quarter: str
    title: Mapping[str, str]
    why: Mapping[str, str]
    details: str = ""

    def subject(self, language: str) -> str:
        """Return one line."""
        words = _SUBJECT[self.event][language].format(title=self.title[language], quarter=self.quarter)
        return " ".join(f"Effectmeter: {words}".split())

    def body(self, language: str) -> str:
        """Return the message, as plain text."""
        said = _BODY[self.event][language].format(
            title=self.title[language], quarter=self.quarter, why=self.why[language]
        )
        parts = [said, _NEXT[self.event][language]]
        if self.details:
            parts.append(f"{_DETAILS[language]}\n{self.details}")
        return "\n\n".join(parts) + "\n"

    def document(self, language: str) -> dict[str, Any]:
        """Return the message for a machine; ``text`` is what chat services show."""
        return {
            "event": self.event,
            "programme": self.programme,
            "quarter": self.quarter,
            "subject": self.subject(language),
            "text": f"{self.subject(language)}\n\n{self.body(language)}",
        }
