"""The trials of a delivery, checked and ready to be pooled, and each trial's own estimate for pictures.

Here: which trials can be used for a measure, and why others cannot. Not here: pooling (`effectmeter.estimators.pooling`
and its neighbours) and rows (`effectmeter.designs.pooled_trials`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import TRIALS_COLUMNS, AnalysisData
from effectmeter.designs.questions import measures_of, primary_outcome
from effectmeter.designs.rows import ReasonedError
from effectmeter.estimators.base import EstimationError, FloatArray
from effectmeter.estimators.pooling import weights
from effectmeter.estimators.pooling_counts import COUNTED, TrialCounts, from_counts, informative
from effectmeter.estimators.sandwich import quantile
from effectmeter.results import RATIO_MEASURES

Mask = NDArray[np.bool_]
_COUNT_COLUMNS = ("events_treated", "n_treated", "events_comparison", "n_comparison")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A trial that says nothing about the measure, and why, in English and Dutch."""

    trial: str
    reason: str
    reason_nl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSet:
    """Trials with what each brings to one measure.

    Attributes
    ----------
    measure
        What is pooled.
    names
        (k,) trials.
    counts
        (k,) counts; not a number where the trial brings an estimate.
    counted
        (k,) whether the trial brings counts.
    estimates, variances
        (k,) published estimates (log scale for ratios) and squared errors; not a number where it brings counts.
    groups
        Per subgroup column (k,) values; None where not delivered.
    left_out
        Trials of the delivery that are not among these, or that weigh nothing.
    """

    measure: str
    names: tuple[str, ...]
    counts: TrialCounts
    counted: Mask
    estimates: FloatArray
    variances: FloatArray
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        """Return k."""
        return len(self.names)

    @property
    def has_counts(self) -> bool:
        """Whether every trial brings counts."""
        return bool(self.counted.all())

    @property
    def is_ratio(self) -> bool:
        """Whether estimates are logs."""
        return self.measure in RATIO_MEASURES

    @property
    def speaks(self) -> Mask:
        """Return which trials have an estimate of their own: not those without any event, for a ratio."""
        return np.asarray(~self.counted | informative(self.counts, self.measure))

    def effects(self) -> tuple[FloatArray, FloatArray]:
        """Return estimates and variances of the trials that speak."""
        y, v = self.estimates.copy(), self.variances.copy()
        some = self.counted & self.speaks
        if some.any():
            y[some], v[some] = from_counts(self.counts.only(some), self.measure)
        return y[self.speaks], v[self.speaks]

    def only(self, keep: Mask) -> TrialSet:
        """Return some of the trials."""
        chosen = np.flatnonzero(keep)
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen),
            counts=self.counts.only(keep),
            counted=self.counted[keep],
            estimates=self.estimates[keep],
            variances=self.variances[keep],
            groups={column: tuple(values[i] for i in chosen) for column, values in self.groups.items()},
        )


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One trial in a forest or funnel picture.

    Attributes
    ----------
    estimate, low, high
        Natural scale, 95 % normal; None for a trial without events in either arm.
    weight
        Share in the pooled mean, 0 to 1.
    n
        Persons in both arms; None where not delivered.
    std_error
        Log scale for ratios: the height in a funnel.
    """

    trial: str
    estimate: float | None
    low: float | None
    high: float | None
    weight: float
    n: int | None
    std_error: float | None = None


def pooled_measure(data: AnalysisData) -> str:
    """Return the measure that the verdict is about."""
    return measures_of(data.plan, primary_outcome(data.plan))[0]


def trial_set(data: AnalysisData, measure: str) -> TrialSet:
    """Read the delivered trials for one measure.

    A trial's four counts are used where they give the measure; else its estimate. A trial that has neither is left out
    and named.

    Raises
    ------
    ReasonedError
        No trials, the same row twice, counts that cannot be, an error that is not above zero, or estimates of another
        measure.
    """
    frame = data.units.get("trials", pl.DataFrame(schema=TRIALS_COLUMNS))
    names = [str(name) for name in frame["trial_id"]]
    if not names:
        raise ReasonedError("no trials were delivered", "Er zijn geen studies aangeleverd.")
    _refuse_doubles(frame)
    names = _told_apart(names)
    counts = {name: _numbers(frame, name) for name in _COUNT_COLUMNS}
    has_counts = np.all([np.isfinite(column) for column in counts.values()], axis=0)
    estimates, errors = _numbers(frame, "estimate"), _numbers(frame, "std_error")
    _refuse_impossible(names, counts, errors)
    counted = has_counts if measure in COUNTED else np.zeros(len(names), dtype=np.bool_)
    given = ~counted & np.isfinite(estimates) & np.isfinite(errors)
    _refuse_other_measures(frame, names, given, measure)
    whole = TrialSet(
        measure=measure,
        names=tuple(names),
        counts=TrialCounts(**counts),
        counted=counted,
        estimates=np.where(given, estimates, np.nan),
        variances=np.where(given, errors**2, np.nan),
        groups={
            column: tuple(None if value is None else str(value) for value in frame[column])
            for column in data.plan.subgroups
            if column in frame.columns
        },
    )
    found = whole.only(counted | given)
    left_out = [
        LeftOut(name, *_why_not(measure, has_numbers=bool(has))) for name, has in zip(names, has_counts, strict=True)
        if name not in found.names
    ]  # fmt: skip
    left_out += [LeftOut(name, *_SILENT) for name, speaks in zip(found.names, found.speaks, strict=True) if not speaks]
    if not len(found):
        raise ReasonedError(f"no trial has {_needed(measure)}", "Geen enkele studie heeft de nodige cijfers.")
    return replace(found, left_out=tuple(left_out))


def trial_points(data: AnalysisData) -> tuple[TrialPoint, ...]:
    """Return a row per trial for a forest picture and a funnel, in the order of the delivery; none where refused."""
    try:
        trials = trial_set(data, pooled_measure(data))
        y, v = trials.effects()
    except EstimationError:
        return ()
    options = data.plan.trials
    share = weights(y, v, method=options.methods[0] if options else "reml_hk") if len(y) else y
    n = trials.counts.n
    shown = math.exp if trials.is_ratio else float
    half = quantile(0.95, None)
    points, place = [], 0
    for number, (name, speaks) in enumerate(zip(trials.names, trials.speaks, strict=True)):
        persons = int(n[number]) if math.isfinite(n[number]) else None
        if not speaks:
            points.append(TrialPoint(name, None, None, None, 0.0, persons))
            continue
        at, error = float(y[place]), math.sqrt(float(v[place]))
        limits = shown(at - half * error), shown(at + half * error)
        points.append(TrialPoint(name, shown(at), *limits, float(share[place]), persons, error))
        place += 1
    return tuple(points)


_SILENT = ("no events in either arm (or in everybody)", "geen voorvallen, of juist bij iedereen")


def _numbers(frame: pl.DataFrame, column: str) -> FloatArray:
    return np.asarray(frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _needed(measure: str) -> str:
    return "counts, or an estimate with its error" if measure in COUNTED else "an estimate with its error"


def _why_not(measure: str, *, has_numbers: bool) -> tuple[str, str]:
    """Return why a trial cannot be used."""
    if has_numbers:
        return f"counts give no {measure}, and there is no estimate", "tellingen, maar geen schatting met een marge"
    return f"it lacks {_needed(measure)}", "de nodige cijfers ontbreken"


def _refuse_doubles(frame: pl.DataFrame) -> None:
    """Raise where one row is there twice, figures and all: it would count twice."""
    double = frame.filter(frame.is_duplicated())["trial_id"].unique(maintain_order=True)
    if len(double):
        shown = ", ".join(f"'{str(name)[:60]}'" for name in double[:5])
        raise ReasonedError(
            f"a trial may be there once, and these are there more often with the same figures: {shown}",
            f"Elke studie mag er één keer in staan. Met dezelfde cijfers staan er vaker: {shown}.",
        )


def _told_apart(names: Sequence[str]) -> list[str]:
    """Return names that differ: two comparisons of one study are two rows, the second called ``name (2)``."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _refuse_impossible(names: Sequence[str], counts: Mapping[str, FloatArray], errors: FloatArray) -> None:
    wrong = np.zeros(len(names), dtype=np.bool_)
    for arm in ("treated", "comparison"):
        events, n = counts[f"events_{arm}"], counts[f"n_{arm}"]
        wrong |= (events < 0) | (events > n) | (n <= 0)
    if wrong.any():
        shown = ", ".join(f"'{name[:60]}'" for name, is_wrong in zip(names, wrong, strict=True) if is_wrong)
        raise ReasonedError(
            f"these trials have an empty arm, or more events than persons: {shown}",
            f"Bij deze studies is een groep leeg, of zijn er meer voorvallen dan mensen: {shown}.",
        )
    if (errors <= 0).any():
        shown = ", ".join(f"'{name[:60]}'" for name, error in zip(names, errors, strict=True) if error <= 0)
        raise ReasonedError(
            f"a standard error must be above zero, and these are not: {shown}",
            f"Een marge moet groter zijn dan nul. Dat is niet zo bij: {shown}.",
        )


def _refuse_other_measures(frame: pl.DataFrame, names: Sequence[str], given: Mask, measure: str) -> None:
    """Raise where an estimate is of another measure; an estimate without a name is of the plan's."""
    other = [
        (name, str(of))
        for name, of, is_given in zip(names, frame["measure"], given, strict=True)
        if is_given and of is not None and str(of) != measure
    ]
    if other:
        found = ", ".join(dict.fromkeys(of for _, of in other))
        raise ReasonedError(
            f"the plan pools {measure}, and {len(other)} trials (first '{other[0][0][:60]}') give {found}: unlike "
            "measures cannot be averaged. Deliver counts, or name that measure in the plan",
            f"Het plan vraagt om {measure}. Maar {len(other)} studies geven {found}. Dat is niet samen te nemen.",
        )
