"""Synthetic programmes with a planted truth, for demonstration and for tests.

One module per world; this module is the list of them. What is planted, and why:
``docs/explanation/synthetic-worlds.md``. Real bundled data are not here but in ``programmes/deliveries``.

To add a world: a module with `TRUTH` and `write`, and one line in `WORLDS`.
"""

from __future__ import annotations

from pathlib import Path

from effectmeter.errors import UsageError
from effectmeter.quarters import Quarter
from effectmeter.worlds import (
    alleen_jij_bepaalt,
    harp,
    integrale_familieaanpak,
    leefbaarheid_en_veiligheid,
    preventie_met_gezag,
    vertrouwensketen,
)
from effectmeter.worlds.base import AreaTruth, PersonTruth, SeriesTruth, Truth, World

__all__ = [
    "DEFAULT_SEED",
    "WORLDS",
    "AreaTruth",
    "PersonTruth",
    "SeriesTruth",
    "Truth",
    "World",
    "world_truth",
    "write_world",
]

DEFAULT_SEED = 20_260_930
"""The seed of the bundled demonstration."""

WORLDS: dict[str, World] = {
    module.TRUTH.programme: World(module.TRUTH, module.write)
    for module in (
        alleen_jij_bepaalt,
        integrale_familieaanpak,
        preventie_met_gezag,
        leefbaarheid_en_veiligheid,
        vertrouwensketen,
        harp,
    )
}


def write_world(programme: str, quarter: Quarter, folder: Path, seed: int = DEFAULT_SEED) -> tuple[Path, ...]:
    """Write a programme's synthetic delivery for a quarter; the same seed gives the same bytes.

    Nothing lies after the quarter's reference date, so the demonstration never ages. With the same seed, the next
    quarter's delivery holds the same persons, shifted by a quarter; areas and series stand on a fixed calendar, since
    their plans name dates, and the next quarter's delivery adds to what the earlier one held.

    Parameters
    ----------
    programme
        A name in `WORLDS`.
    quarter
        The quarter whose last day is the reference date.
    folder
        Where the files go; made when it is not there. Files of the same name are replaced.
    seed
        Any non-negative integer.

    Returns
    -------
    tuple of Path
        The delivery files, and last the file that says SYNTHETIC.

    Raises
    ------
    UsageError
        No world has this name.
    """
    return _world(programme).write(quarter, folder, seed)


def world_truth(programme: str) -> Truth:
    """Return what was planted in a programme's world."""
    return _world(programme).truth


def _world(programme: str) -> World:
    if programme not in WORLDS:
        raise UsageError(
            f"no synthetic world is called '{programme[:60]}'", where="worlds", allowed=", ".join(sorted(WORLDS))
        )
    return WORLDS[programme]
