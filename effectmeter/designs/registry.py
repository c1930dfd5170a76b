"""Which module answers which design. Adding a design is adding a module and a line here."""

from __future__ import annotations

from effectmeter.designs.base import Design
from effectmeter.designs.before_after import BeforeAfter
from effectmeter.designs.comparison_cohort import ComparisonCohort
from effectmeter.designs.randomised import Randomised
from effectmeter.errors import EffectmeterError, PlanError
from effectmeter.plan import Plan

DESIGNS: dict[str, type[Design]] = {
    "randomised": Randomised,
    "comparison_cohort": ComparisonCohort,
    "before_after": BeforeAfter,
}


def design_for(plan: Plan) -> Design:
    """Return the design that a plan asks for.

    Raises
    ------
    PlanError
        The design is part of the contract but not built yet.
    """
    if plan.design not in DESIGNS:
        fault = EffectmeterError(
            f"the design '{plan.design}' is not built yet",
            where="design",
            allowed=", ".join(DESIGNS),
            next_step="choose one of these designs, or wait for the edition that has it",
        )
        raise PlanError([fault])
    return DESIGNS[plan.design]()
