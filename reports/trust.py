"""Sentences under "Can we trust it?" that come from rows, not from gates: other methods and causes, who is missing.

Here: what those rows say, in words. Not here: the gates (`reports.build`), nor the pictures (`reports.figures`).
"""

from __future__ import annotations

import math

from effectmeter.estimators.agreement import agreement
from effectmeter.estimators.sensitivity import e_value, e_value_of_limit
from effectmeter.plan import Plan
from effectmeter.release import Cleared
from effectmeter.results import EffectRow
from effectmeter.sentences import Language
from effectmeter.sentences.numbers import number
from effectmeter.shapes import SHAPES
from effectmeter.verdicts import primary_row
from reports.figures import method_words
from reports.texts import text

_APART = ("ring", "time_zero")
"""Rows that answer another question: what happened around, or after everyone's own start."""


def agreement_sentence(cleared: Cleared, language: Language) -> str:
    """Return whether the other ways of calculating say the same, from published figures; empty without any."""
    primary = primary_row(cleared.rows)
    if primary is None or primary.status != "shown":
        return ""
    rows = [row for row in cleared.rows if row.status == "shown" and not _is_apart(row)]
    found = agreement(primary, rows)
    if found.ruling == "not_evaluated" or found.smallest is None or found.largest is None:
        return ""
    if found.against:
        names = "; ".join(dict.fromkeys(method_words(row, primary, language) for row in found.against[:4]))
        return text("agreement_some", language, found.n, len(found.against), names)
    key = "agreement_one" if found.n == 1 else "agreement_all"
    ends = (number(found.smallest, language), number(found.largest, language))
    said = text(key, language, *(ends[:1] if found.n == 1 else (found.n, *ends)))
    return said + (text("agreement_unsure", language, len(found.uncertain)) if found.uncertain else "")


def _is_apart(row: EffectRow) -> bool:
    return (row.subgroup or "").partition("=")[0] in _APART or row.variance == "prediction"


def e_value_sentence(cleared: Cleared, plan: Plan, language: Language) -> str:
    """Return how strong an unmeasured cause would have to be; trials and open verdicts need no such sentence.

    Said of persons only: it is about who takes part.
    """
    row, facts = primary_row(cleared.rows), cleared.facts
    if row is None or SHAPES[plan.design].unit != "person" or plan.design == "randomised":
        return ""
    if not row.is_ratio or not row.estimate or row.status != "shown":
        return ""
    if not (facts.is_benefit or facts.is_harm):
        return ""
    low = 0.0 if row.verdict_low is None else row.verdict_low
    high = math.inf if row.verdict_high is None else row.verdict_high
    limit = e_value_of_limit(low, high)
    return text("e_value", language, number(e_value(row.estimate), language, 1), number(limit, language, 1))


def tipping_sentence(cleared: Cleared, language: Language) -> str:
    """Return how unlike the others those without an outcome must be; empty where nobody's outcome is missing."""
    primary = primary_row(cleared.rows)
    for row in cleared.rows:
        if row.estimator != "tipping_point" or primary is None or row.contrast != primary.contrast:
            continue
        if row.status == "shown" and row.estimate is not None:
            key = "tipping_scale" if row.measure == "mean_difference" else "tipping"
            return text(key, language, number(row.estimate, language, 1))
        if row.status == "not_estimable":
            return row.reason_nl if language == "nl" else row.reason
    return ""
