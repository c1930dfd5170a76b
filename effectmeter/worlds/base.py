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


@dataclass(frozen=True, slots=True)
class Truth:
    """What was planted in a world: the answer that a sound analysis must find, within its interval.

    Attributes
    ----------
    programme
        The programme whose shape the world has.
    rate_ratios
        Outcome name in the plan -> planted ratio of rates per year **not detained**, programme against no programme,
        for the treated, constant from day 1. For `before_after`: the ratio of ratios.
    null_outcomes
        Outcomes that the programme does nothing to: negative controls.
    n_treated, n_comparison, n_clusters
        Persons (families for a family programme) in each arm as delivered, and clusters (both arms together).
    window_days
        The longest window after time zero that is complete for everyone, waiting time included.
    history_days
        How far back everyone's events reach before time zero.
    """

    programme: str
    rate_ratios: Mapping[str, float]
    null_outcomes: tuple[str, ...]
    n_treated: int
    n_comparison: int
    n_clusters: int
    window_days: int
    history_days: int


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
