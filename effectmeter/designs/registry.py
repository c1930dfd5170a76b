"""Finds the module that answers a plan's design. The list itself is `effectmeter.shapes`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from effectmeter.designs.base import Design
from effectmeter.plan import Plan
from effectmeter.shapes import SHAPES


def design_class(name: str) -> type[Design]:
    """Return a design's class; its module is imported now and not before."""
    module, _, answer = SHAPES[name].answers.partition(":")
    return cast(type[Design], getattr(import_module(module), answer))


def design_for(plan: Plan) -> Design:
    """Return the design that a plan asks for."""
    return design_class(plan.design)()


def all_designs() -> Mapping[str, Design]:
    """Return every design by name, for pages and tests that list them."""
    return {name: design_class(name)() for name in SHAPES}
