"""The gate on repeated looks: what reading the answer every quarter has used up of the chance of a false alarm.

Here: what is said. Not here: the intervals and the arithmetic (`effectmeter.looks`).
"""

from __future__ import annotations

from collections.abc import Sequence

from effectmeter.designs.base import AnalysisData
from effectmeter.gates.base import NOTHING, Finding, facts_of, fold, gate, percent
from effectmeter.looks import Budget, budget, look_number
from effectmeter.plan import Looks
from effectmeter.results import Comparability, EffectRow, GateResult

ALPHA = 0.05


@gate(
    name="looks",
    rule="Reading an answer every quarter gives false alarms; the interval behind the verdict is wide enough for all "
    "looks "
    "together, as the plan says, and the budget used so far is shown. Warns where the budget is spent or cannot be "
    "told.",
    threshold=f"false alarms over all looks together at most {percent(ALPHA)}; never fails",
    source="Howard et al. 2021, doi:10.1214/20-AOS1991; Lan and DeMets 1983, doi:10.1093/biomet/70.3.659",
    hides=NOTHING,
)
def looks(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Say which look this is and how much of the budget of false alarms is spent."""
    plan = data.plan.looks
    row = next((row for row in effects if row.analysis == "primary" and row.is_ratio), None)
    used = budget(plan, look_number(plan, data.quarter), std_error=row.std_error if row else None)
    return fold("looks", facts_of(looks).threshold, [_finding(plan, used)])


def _finding(plan: Looks, used: Budget) -> Finding:
    if plan.method == "none":
        return _once(used)
    if plan.method == "confidence_sequence":
        return _without_end(used)
    if used.spent is None:
        return Finding(
            "warned",
            f"one of {used.planned} looks",
            f"The plan allows {used.planned} looks, and does not say which one this is. Put the first quarter in the "
            "plan "
            "(`looks.first`), so that they can be counted.",
            f"Volgens het plan kijken wij {used.planned} keer. Het plan zegt niet de hoeveelste keer dit is. Zet het "
            "eerste "
            "kwartaal in het plan (`looks.first`), dan is het te tellen.",
        )
    figure = f"look {used.look} of {used.planned}; {percent(used.spent)} of the budget"
    if used.is_over:
        return Finding(
            "warned",
            figure,
            f"The {used.planned} looks of the plan are used up. From now on only an overwhelming difference counts. A "
            "new "
            "question needs a new plan and new participants.",
            f"De {used.planned} keer uit het plan zijn op. Vanaf nu telt alleen een overweldigend verschil. Een "
            "nieuwe vraag "
            "vraagt om een nieuw plan en nieuwe deelnemers.",
        )
    return Finding(
        "passed",
        figure,
        f"This is look {used.look} of {used.planned}. Of the {percent(ALPHA)} chance of a false alarm that we allow "
        "over all "
        f"looks, {percent(used.spent)} is used.",
        f"Dit is de {used.look}e van {used.planned} keer dat wij kijken. Voor alle keren samen staan wij "
        f"{percent(ALPHA)} "
        f"kans op vals alarm toe. Daarvan is {percent(used.spent)} gebruikt.",
    )


def _once(used: Budget) -> Finding:
    """Judge a study that is looked at once."""
    if used.is_over:
        return Finding(
            "warned",
            f"look {used.look} of 1",
            f"The plan says that these data are looked at once, and this is look {used.look}. The chance of a false "
            "alarm is "
            f"above {percent(ALPHA)}. Choose another method under `looks`.",
            f"Volgens het plan kijken wij één keer. Dit is de {used.look}e keer. De kans op vals alarm is groter dan "
            f"{percent(ALPHA)}. Kies in het plan een andere methode bij `looks`.",
        )
    return Finding(
        "not_applicable",
        "one look",
        "The plan says that these data are looked at once.",
        "Volgens het plan kijken wij één keer naar deze gegevens.",
    )


def _without_end(used: Budget) -> Finding:
    """Say what a confidence sequence holds: it never runs out."""
    always = (
        f"The interval holds however often one looks: over all looks together a false alarm has a chance of at most "
        f"{percent(ALPHA)}.",
        f"De marge klopt, hoe vaak je ook kijkt. Op vals alarm is over alle keren samen hoogstens {percent(ALPHA)} "
        "kans.",
    )
    if used.look is None or used.spent is None:
        return Finding("passed", "any number of looks", *always)
    return Finding(
        "passed",
        f"look {used.look}; {percent(used.spent)} of the budget",
        f"This is look {used.look}. {always[0]} Of that, {percent(used.spent)} is used.",
        f"Dit is de {used.look}e keer dat wij kijken. {always[1]} Daarvan is {percent(used.spent)} gebruikt.",
    )
