"""The report's sentences in Dutch (B1) and English, from cleared values only. One set of rules for both languages.

`facts` what sentences may know; `numbers` figures in the reader's locale; `wording` names of outcomes, gates, rulings;
`verdict` the verdict line; `limits` what can and cannot be said. Pure functions; no rounding, no HTML.
"""

from effectmeter.sentences.facts import ClaimFact, Facts
from effectmeter.sentences.limits import can_say, cannot_say
from effectmeter.sentences.numbers import LANGUAGES, Language
from effectmeter.sentences.verdict import (
    answer_in_words,
    frequency_sentence,
    headline,
    needed_sentence,
    settle_sentence,
    verdict_line,
)

__all__ = [
    "LANGUAGES",
    "ClaimFact",
    "Facts",
    "Language",
    "answer_in_words",
    "can_say",
    "cannot_say",
    "frequency_sentence",
    "headline",
    "needed_sentence",
    "settle_sentence",
    "verdict_line",
]
