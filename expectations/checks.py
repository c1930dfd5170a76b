"""What a check is and what it found: shapes only. Nothing here knows Great Expectations, DuckDB or a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from effectmeter.errors import EffectmeterError

Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSpec:
    """One expectation, known from the plan alone.

    Attributes
    ----------
    name
        ``[a-z0-9_]+``, stable between quarters; the name of the Dagster check.
    table
        ``schema.table`` that is at fault when the check fails.
    column
        The column it is about; empty when it is about the table or several columns.
    severity
        ``critical`` stops what comes after; ``warning`` does not.
    threshold
        What passes, as printed.
    advice_en, advice_nl
        What to do when it fails.
    """

    name: str
    table: str
    column: str
    severity: Severity
    description_en: str
    description_nl: str
    threshold: str
    advice_en: str
    advice_nl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """What one check found.

    Attributes
    ----------
    figure, threshold
        As printed: counts, shares and rates, never a value of a row.
    advice_en, advice_nl
        What to do next; empty when the check passed.
    """

    spec: CheckSpec
    passed: bool
    figure: str
    threshold: str
    advice_en: str
    advice_nl: str


class CheckNotEvaluatedError(EffectmeterError):
    """A check could not be carried out. That says nothing about the data, so it neither passes nor fails.

    Names the check, the table and the column; what the database said is left out, since it may quote a row.
    """
