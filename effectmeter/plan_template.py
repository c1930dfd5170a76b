"""The commented plan that ``effectmeter plan new`` writes: a text from `effectmeter.templates`, named."""

from __future__ import annotations

import re
from importlib.resources import files

from effectmeter.errors import UsageError
from effectmeter.plan_rules import listed, nearest
from effectmeter.schema import DESIGN_TABLES

_PROGRAMME = re.compile(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?")


def plan_template(design: str, programme: str) -> str:
    """Return a commented plan of a design that validates as it is, ready to be filled in.

    Raises
    ------
    UsageError
        The design or the form of the programme's name is not known.
    """
    if design not in DESIGN_TABLES:
        raise UsageError(
            f"'{design[:40]}' is not a design",
            where="--design",
            allowed=listed(DESIGN_TABLES),
            next_step=nearest(design, DESIGN_TABLES),
        )
    if not _PROGRAMME.fullmatch(programme):
        raise UsageError(
            f"'{programme[:60]}' cannot name a programme",
            where="programme",
            allowed="lower-case letters, digits and hyphens, as in alleen-jij-bepaalt; at most 60",
        )
    text = files("effectmeter.templates").joinpath(f"{design}.yaml").read_text(encoding="utf-8")
    # A name such as 2024 or true would be read as a number or a switch.
    name = (
        programme if re.search(r"[a-z]", programme) and programme not in ("true", "false", "null") else f'"{programme}"'
    )
    return text.replace("programme: @programme@", f"programme: {name}", 1).replace("@programme@", programme)
