"""What the clearing of effects rows passes around: what the gate knows, a row as cleared, a row without its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from effectmeter.disclosure import Pair, Rules
from effectmeter.plan import Looks
from effectmeter.results import EffectRow
from effectmeter.shapes import Unit

FIGURES = (
    "estimate", "conf_low", "conf_high", "std_error", "verdict_low", "verdict_high", "p_value", "p_value_adjusted",
)  # fmt: skip
"""Columns that hold what was estimated."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the gate knows beside the row itself.

    Attributes
    ----------
    n_parameters
        Fitted parameters of an adjusted model, intercept and arm included.
    clusters_are_families
        Whether `n_clusters_*` counts families, which have their own smallest cell.
    persons_with_event
        Per question (see `question_key`) the distinct persons behind the events of the two arms: rates count events,
        but the smallest cell counts persons.
    unit
        What `n_treated` counts. Areas, periods and trials are no persons: their numbers are shown as they are, and
        persons are protected through the events alone.
    parts
        Columns of subgroups that add up to the whole, so that one hidden part takes another along; None: every one.
    families_with_event
        Per question the families behind the events of the two arms, where families were delivered.
    leading
        Per question the shares of each arm's events that the two bring who bring most.
    largest
        Per contrast and outcome of areas: the shares of each arm's events that its largest areas bring.
    parts_of_areas
        Per outcome and part of the treated areas (a time since the start, a starting group, a period): areas and
        events, for rows that do not say it themselves.
    within
        Per outcome the wider outcomes that count all of its events.
    sentences
        What gates say, as found and as cleared: the reasons of the rows that they hide are made of it.
    """

    rules: Rules
    looks: Looks
    n_parameters: int = 2
    clusters_are_families: bool = False
    persons_with_event: Mapping[Key, Pair] = field(default_factory=dict)
    families_with_event: Mapping[Key, tuple[float | None, float | None]] = field(default_factory=dict)
    leading: Mapping[Key, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    unit: Unit = "person"
    parts: frozenset[str] | None = None
    largest: Mapping[tuple[str, str], tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    parts_of_areas: Mapping[tuple[str, str], tuple[int, float | None]] = field(default_factory=dict)
    within: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts_persons(self) -> bool:
        """Whether `n_treated` and `n_comparison` are persons."""
        return self.unit in {"person", "trial"}

    def treated_of(self, row: EffectRow) -> tuple[int | None, float | None]:
        """Return the treated units and events that a row rests on, from elsewhere where it does not tell."""
        if row.n_treated is None and row.events_treated is None and row.subgroup is not None:
            return self.parts_of_areas.get((row.outcome, row.subgroup), (None, None))
        return row.n_treated, row.events_treated


@dataclass(frozen=True, slots=True)
class ClearedRow:
    """An effects row as it may be published, and whether anything in it is masked."""

    row: EffectRow
    is_suppressed: bool


def blank() -> dict[str, Any]:
    """Return a row's figures, emptied."""
    return dict.fromkeys(FIGURES)


def no_years() -> dict[str, Any]:
    """Return a row's person-time, emptied."""
    return {"person_years_treated": None, "person_years_comparison": None}
