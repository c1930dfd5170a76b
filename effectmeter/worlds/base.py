"""What a synthetic world is: its planted truth and its writer. The worlds themselves are modules beside this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from effectmeter.quarters import Quarter

README_NAME = "LEESMIJ-SYNTHETIC.txt"

_README = """SYNTHETIC - SYNTHETISCH

{programme}: verzonnen gegevens. Niemand in deze bestanden bestaat en geen getal zegt iets over het echte programma.
Made by a computer from a planted truth (docs/explanation/synthetic-worlds.md). Nobody in these files exists, and no
figure says anything about the real programme.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was planted in a world: the answer that a sound analysis must find, within its interval.

    Attributes
    ----------
    programme
        The programme whose shape the world has.
    rate_ratios
        Outcome name in the plan -> planted ratio of rates, programme against no programme, for the treated. Persons:
        per year **not detained**, constant from day 1; for `before_after` the ratio of ratios. Areas and series: as
        their own class says.
    null_outcomes
        Outcomes that the programme does nothing to: negative controls.
    """

    programme: str
    rate_ratios: Mapping[str, float]
    null_outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTruth(Truth):
    """A world of persons.

    Attributes
    ----------
    n_treated, n_comparison, n_clusters
        Persons (families for a family programme) in each arm as delivered, and clusters (both arms together).
    window_days
        The longest window after time zero that is complete for everyone, waiting time included.
    history_days
        How far back everyone's events reach before time zero.
    """

    n_treated: int
    n_comparison: int
    n_clusters: int
    window_days: int
    history_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaTruth(Truth):
    """A world of areas that start at different times, on a fixed calendar: a later quarter only adds periods.

    Attributes
    ----------
    rate_ratios
        The ratio that holds from `build_up` periods after an area's start. Before that it comes step by step, evenly
        on the log scale; with a `build_up` of 1 it holds from the first period.
    mean_differences
        Outcome -> planted difference of a value, likewise.
    cohorts
        First period with the programme -> how many areas started in it.
    n_comparison
        Areas that never take part.
    first_period
        Where the data begin.
    build_up
        Periods until the effect is complete, the first one included.
    """

    mean_differences: Mapping[str, float]
    cohorts: Mapping[str, int]
    n_comparison: int
    first_period: str
    build_up: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTruth(Truth):
    """A world of one series, on a fixed calendar: a later quarter only adds months.

    Attributes
    ----------
    rate_ratios
        The ratio of levels, constant from the start.
    start
        First month with the programme.
    first_period
        Where the data begin.
    trend_per_year
        What happens anyway: relative change per year, before and after the start.
    has_control
        Whether a control series comes along.
    """

    start: str
    first_period: str
    trend_per_year: float
    has_control: bool


@dataclass(frozen=True, slots=True)
class World:
    """One synthetic programme.

    Attributes
    ----------
    truth
        What was planted.
    write
        Writes the delivery of a quarter: ``write(quarter, folder, seed) -> paths``.
    """

    truth: Truth
    write: Callable[[Quarter, Path, int], tuple[Path, ...]]


def write_readme(programme: str, folder: Path) -> Path:
    """Put the file that says SYNTHETIC beside the delivery. No plan names it, so the intake leaves it alone."""
    path = folder / README_NAME
    path.write_bytes(_README.format(programme=programme).encode("utf-8"))
    return path
