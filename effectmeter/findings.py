"""All that a quarter found, unrounded, as the vault hands it to the release gate.

Here: the dataclasses. Not here: reading them (`vault.findings`), nor what may leave (`effectmeter.release`).
"""

from __future__ import annotations

from dataclasses import dataclass

from effectmeter.results import (
    AttritionStep,
    BalanceRow,
    ClaimRuling,
    CurvePoint,
    EffectRow,
    GateResult,
    OverlapRow,
    SeriesPoint,
    TrialEffect,
    Verdict,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmNumbers:
    """What was delivered in an arm: persons and families, or areas, periods or trials; None where there are none."""

    arm: str
    persons: int | None = None
    families: int | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributors:
    """Who stands behind the events of a question: distinct persons and families per arm, and who brings most.

    Rows on risks tell it themselves; for rates, before-after designs and areas, the vault must.

    Attributes
    ----------
    families_treated, families_comparison
        Families with an event; None where none were delivered.
    largest_treated, largest_comparison
        Shares of the arm's events that the largest contributor brings, and the one after it: areas, families, or
        persons where no families are known.
    n_areas, n_events
        Of a part of the treated areas (`subgroup`): how many they are, and their events; None where values came.
    """

    contrast: str
    outcome: str
    window_days: int | None = None
    subgroup: str | None = None
    persons_treated: float | None = None
    persons_comparison: float | None = None
    families_treated: float | None = None
    families_comparison: float | None = None
    largest_treated: tuple[float, ...] = ()
    largest_comparison: tuple[float, ...] = ()
    n_areas: int | None = None
    n_events: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Who stands behind a question in an arm, without saying who: the ledger compares it with who stood there before.

    Attributes
    ----------
    outcome, window_days
        The question; both None: the arm's whole cohort.
    subgroup
        Part of them, as the effects table names it; None: everyone.
    fingerprint
        The same for the same people, whatever their order, and for no others.
    """

    arm: str
    outcome: str | None
    window_days: int | None
    subgroup: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCheck:
    """One data-quality check as it came out; the catalogue's table `checks`, with its description."""

    check_name: str
    table_name: str
    severity: str
    passed: bool
    figure: str
    threshold: str
    description_en: str = ""
    description_nl: str = ""
    advice_en: str = ""
    advice_nl: str = ""
    delivery_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a quarter found, unrounded. Stays in the vault.

    Attributes
    ----------
    effects
        After the gates were applied (`effectmeter.diagnostics.apply_gates`).
    n_parameters
        Parameters of the adjusted model; None: one per covariate of the plan, arm and intercept.
    """

    effects: tuple[EffectRow, ...]
    gates: tuple[GateResult, ...]
    claims: tuple[ClaimRuling, ...]
    verdict: Verdict
    attrition: tuple[AttritionStep, ...] = ()
    balance: tuple[BalanceRow, ...] = ()
    overlap: tuple[OverlapRow, ...] = ()
    curves: tuple[CurvePoint, ...] = ()
    series_points: tuple[SeriesPoint, ...] = ()
    trial_effects: tuple[TrialEffect, ...] = ()
    checks: tuple[QualityCheck, ...] = ()
    numbers: tuple[ArmNumbers, ...] = ()
    contributors: tuple[Contributors, ...] = ()
    populations: tuple[Population, ...] = ()
    n_parameters: int | None = None

    @property
    def smallest_arm(self) -> float | None:
        """Persons in the smallest arm; None when nobody counted them."""
        sizes = [size for row in self.effects for size in (row.n_treated, row.n_comparison) if size is not None]
        counted = [entry.persons for entry in self.numbers if entry.persons is not None]
        return min([*counted, *sizes], default=None)
