"""The public claims about "Alleen jij bepaalt wie je bent", put to data such as its only peer-reviewed study found.

Fewer youths with a registration (d = -0.34, a risk ratio of about 0.55 to 0.63) and no effect on the number of
registrations: those who did come into contact came more often.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import QUARTER, only, outcome_frame, persons_frame, plan_for

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.results import ClaimRuling, EffectRow, Verdict
from effectmeter.verdicts import rule

CLAIMS: list[dict[str, Any]] = [
    {"outcome": "contact", "measure": "risk_ratio", "at_most": 0.5, "words": "twee keer minder vaak in contact"},
    {"outcome": "contact", "measure": "risk_ratio", "at_most": 0.33, "words": "drie keer minder vaak"},
    {"outcome": "contact", "measure": "rate_ratio", "at_most": 0.5, "words": "de helft minder registraties"},
    {"outcome": "contact", "measure": "rate_ratio", "at_most": 0.33, "words": "een derde van de registraties"},
    {"reach": "at_least", "value": 1000, "words": "meer dan duizend jongeren"},
]
RISK, FALL = 0.345, 0.58
RATE = 0.60  # registrations a year, in both arms


def youths(design: str, *, n: int) -> AnalysisData:
    """As many registrations in both arms, over fewer youths in the treated one; exact shares, no chance."""
    treated, comparison = round(n * RISK * FALL), round(n * RISK)
    counts = np.zeros(2 * n, dtype=int)
    counts[:treated] = 1
    counts[n : n + comparison] = 1
    rng = np.random.default_rng(1)
    for first, number in ((0, treated), (n, comparison)):
        spare = round(n * RATE) - number
        np.add.at(counts, first + rng.integers(0, number, spare), 1)
    arm = np.repeat(["treated", "comparison"], n)
    first_day = np.where(counts > 0, rng.integers(1, 366, 2 * n).astype(float), np.nan)
    age = np.tile(rng.permutation(np.linspace(10, 18, n)), 2)
    plan = plan_for(
        design,
        outcomes={"contact": {"event": "contact", "measures": ["risk_ratio", "rate_ratio"], "primary": True}},
        adjust_for={"age": "numeric"},
        claims=CLAIMS,
        looks={"method": "none"},
    )
    frame = persons_frame(arm, age=age)
    return AnalysisData(plan, QUARTER, frame, outcome_frame(frame, counts, first_day))


def ruled(data: AnalysisData) -> tuple[tuple[EffectRow, ...], Verdict, tuple[ClaimRuling, ...]]:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    gates = design.gates(data, comparability, effects)
    effects = apply_gates(effects, gates)
    return effects, *rule(data.plan, effects, gates, reach=1100)


@pytest.mark.parametrize(
    ("n", "risk_half", "risk_third"),
    [(150, "not_established", "weaker_than_claimed"), (1500, "weaker_than_claimed", "weaker_than_claimed")],
)
@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_fewer_youths_and_no_fewer_registrations(design: str, n: int, risk_half: str, risk_third: str) -> None:
    effects, verdict, claims = ruled(youths(design, n=n))
    persons = only(tuple(row for row in effects if row.analysis == "primary"))
    assert persons.estimate == pytest.approx(FALL, abs=0.03)
    number = next(row for row in effects if row.measure == "rate_ratio" and row.analysis == "secondary")
    assert number.estimate == pytest.approx(1.0, abs=0.03)
    assert verdict.direction == "fewer"
    assert [claim.ruling for claim in claims] == [
        risk_half,
        risk_third,
        "contradicted",  # on the number no effect was found, and half as many is ruled out
        "contradicted",
        "supported",
    ]
    assert claims[0].sentence.startswith("less often: supported; half as often: ")
    assert claims[2].sentence == "less often: not established; half as often: contradicted by the data"
    assert claims[2].sentence_nl == "minder vaak: niet vastgesteld; half zo vaak: de cijfers spreken dit tegen"


def test_in_so_small_a_study_the_number_is_not_established_either_way() -> None:
    _, verdict, claims = ruled(youths("comparison_cohort", n=60))
    assert [claim.ruling for claim in claims[:3]] == ["not_established", "not_established", "not_established"]
    assert verdict.direction == "inconclusive" or "less often" in claims[0].sentence


def test_families_whose_contacts_did_not_cease() -> None:
    """ "Almost entirely ceased" is a ratio of at most 0.10; a fall by half is supported, and the claim is not."""
    from analysis_frames import families

    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "measures": ["rate_ratio"]}},
        claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.1, "words": "bijna helemaal gestopt"}],
    )
    data = families(
        plan, n_treated=60, n_comparison=80, rates=((8.0, 3.5), (8.0, 7.5)), placebo_rates=((8.0, 8.0), (8.0, 8.0))
    )
    _, verdict, claims = ruled(data)
    assert (verdict.direction, claims[0].ruling) == ("fewer", "weaker_than_claimed")
    assert "almost entirely ceased: not so, the effect is smaller than claimed" in claims[0].sentence
    quiet = families(plan, n_treated=60, n_comparison=80, rates=((8.0, 0.15), (8.0, 7.5)))
    assert ruled(quiet)[2][0].ruling == "supported"


def test_nothing_at_all_after_the_start_has_a_bound_to_be_ruled_on() -> None:
    from analysis_frames import families

    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "measures": ["rate_ratio"]}},
        claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.1, "words": "bijna helemaal gestopt"}],
    )
    data = families(plan, n_treated=60, n_comparison=80, rates=((8.0, 0.0), (8.0, 7.5)))
    assert isinstance(data.outcomes, pl.DataFrame)
    effects, _, claims = ruled(data)
    row = only(effects, analysis="primary")
    assert row.estimate == 0.0 and row.conf_low is None and (row.conf_high or 1) < 0.1
    assert claims[0].ruling in {"supported", "not_established"}
