"""Every known world, by design; a design without its module has its worlds waiting.

To add a world: a function that draws it, and an entry in the list of its module. What is planted and why is said there
and printed in ``docs/validation.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

from effectmeter.errors import UsageError
from effectmeter.shapes import SHAPES
from effectmeter.worlds.planted import PlantedWorld
from effectmeter.worlds.planted_areas import area_worlds
from effectmeter.worlds.planted_families import family_worlds
from effectmeter.worlds.planted_series import series_worlds
from effectmeter.worlds.planted_threats import person_worlds
from effectmeter.worlds.planted_trials import trial_worlds

_LISTS: tuple[Callable[[], list[PlantedWorld]], ...] = (
    person_worlds,
    family_worlds,
    area_worlds,
    series_worlds,
    trial_worlds,
)


@cache
def planted_worlds() -> dict[str, PlantedWorld]:
    """Return every world whose design can answer, by its address, in a fixed order."""
    return {world.address: world for every in _LISTS for world in every() if _answers(world.design)}


def planted_world(address: str) -> PlantedWorld:
    """Return a world by its address ``design/name``.

    Raises
    ------
    UsageError
        No world has this address.
    """
    worlds = planted_worlds()
    if address not in worlds:
        raise UsageError(f"no known world is called '{address[:60]}'", where="worlds", allowed=", ".join(worlds))
    return worlds[address]


@cache
def _answers(design: str) -> bool:
    return find_spec(SHAPES[design].answers.partition(":")[0]) is not None
