"""Known worlds of persons that a reviewer would ask about: what breaks a comparison, and what only seems to.

Here: the threats and the list of all person worlds. Not here: youths, arms and sound outcomes (`planted_persons`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from effectmeter.plan import Plan
from effectmeter.worlds.planted import WINDOW, Drawn, FloatArray, PlantedWorld, outcome_frame
from effectmeter.worlds.planted_persons import (
    EFFECT,
    RARE_RISK,
    SIZES,
    YEARLY,
    assembled,
    by_entry,
    by_lot,
    cohort_plan,
    draw_youths,
    happened,
    hazards,
    rates,
    risk_of,
    risks,
    scores,
    sites,
    trial_plan,
)

DETECTION = 1.5
_WAITING = 182
_Draw = Callable[[np.random.Generator, int], Drawn]


def selected(rng: np.random.Generator, size: int, *, trait: float) -> Drawn:
    """Let the unmeasured trait decide who takes part: easier youths are picked, and stay easier."""
    who = draw_youths(rng, size)
    arm = by_entry(rng, who, trait=trait)
    return Drawn(assembled(cohort_plan(), rng, who, arm, outcome_frame(*happened(rng, risk_of(who), size))), 1.0)


def turning_point(rng: np.random.Generator, size: int, *, known: bool) -> Drawn:
    """Let those who just turned their lives around take part: nothing in their past shows it.

    With `known` the plan names negative controls, which follow the turn as well.
    """
    who = draw_youths(rng, size)
    turn = (rng.random(size) < 0.4).astype(np.float64)
    arm = by_entry(rng, replace(who, trait=turn - 0.4), trait=2.0)
    easier = np.where(turn == 1.0, 0.35, 1.0)
    rows = outcome_frame(*happened(rng, risk_of(who) * easier, size))
    return Drawn(assembled(cohort_plan(controls=known), rng, who, arm, rows, seen=easier), 1.0)


def watched_closely(rng: np.random.Generator, size: int, *, plan: Callable[[], Plan]) -> Drawn:
    """Have participants' events registered half more often than others', whatever the event."""
    who = draw_youths(rng, size)
    arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
    seen = np.where(arm == 1.0, DETECTION, 1.0)
    rows = outcome_frame(*happened(rng, risk_of(who) * seen, size))
    return Drawn(assembled(plan(), rng, who, arm, rows, seen=seen), 1.0)


def no_overlap(rng: np.random.Generator, size: int) -> Drawn:
    """Pick participants so that hardly anyone in the comparison group is like them."""
    who = draw_youths(rng, size)
    arm = by_entry(rng, who, school=5.0)
    return Drawn(assembled(cohort_plan(), rng, who, arm, outcome_frame(*happened(rng, risk_of(who), size))), 1.0)


def bent(rng: np.random.Generator, size: int) -> Drawn:
    """Let participation and outcome bend with trouble at school, while the plan adjusts for a straight line."""
    who = draw_youths(rng, size)
    who = replace(who, relative=who.relative * np.exp(0.35 * (who.school**2 - 1.0)) * 0.85)
    who = replace(who, before=rng.poisson(YEARLY * who.relative).astype(np.float64))
    arm = by_entry(rng, replace(who, trait=who.school**2 - 1.0), trait=-0.9, school=0.0)
    return Drawn(assembled(cohort_plan(), rng, who, arm, outcome_frame(*happened(rng, risk_of(who), size))), 1.0)


def last_year(rng: np.random.Generator, size: int) -> Drawn:
    """Let contacts in the last year decide who takes part. The plan adjusts for them, so the analysis is right."""
    who = draw_youths(rng, size)
    arm = by_entry(rng, replace(who, trait=np.minimum(who.before, 3.0) - 0.4), trait=0.6)
    return Drawn(assembled(cohort_plan(), rng, who, arm, outcome_frame(*happened(rng, risk_of(who), size))), 1.0)


def immortal(rng: np.random.Generator, size: int, *, known: bool) -> Drawn:
    """Count as participants only those who lived to start: an early contact sends them to the comparison group.

    With `known` the first day of participation is delivered.
    """
    who = draw_youths(rng, size)
    meant = by_entry(rng, who)
    delay = rng.integers(30, 181, size).astype(np.float64)
    number, first = happened(rng, risk_of(who), size)
    arm = np.where((meant == 1.0) & ~(first <= delay), 1.0, 0.0)
    arm[:2] = (1.0, 0.0)
    days: dict[str, Any] = {}
    if known:
        days["start_delay_days"] = [int(d) if a else None for d, a in zip(delay, arm, strict=True)]
    return Drawn(assembled(cohort_plan(), rng, who, arm, outcome_frame(number, first), **days), 1.0)


def lost(rng: np.random.Generator, size: int, *, plan: Callable[[], Plan], only_offenders: bool) -> Drawn:
    """Lose sight of people: of anybody by chance, or only of participants on the day of their contact."""
    who = draw_youths(rng, size)
    arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
    number, first = happened(rng, risk_of(who), size)
    if only_offenders:
        gone = (arm == 1.0) & (number > 0) & (rng.random(size) < 0.33)
        last = np.where(gone, np.nan_to_num(first), WINDOW + 35.0)
    else:
        gone = rng.random(size) < 0.03
        last = np.where(gone, rng.integers(30, WINDOW, size), WINDOW + 35.0)
    seen = np.where(gone & ~(first <= last), 0, number)  # nobody knows what came after
    rows = outcome_frame(
        seen,
        np.where(seen > 0, first, np.nan),
        is_complete=~gone,
        days_calendar=np.minimum(last, WINDOW),
    )
    return Drawn(assembled(plan(), rng, who, arm, rows, potential_follow_up_days=last.astype(np.int64)), 1.0)


def late_decisions(rng: np.random.Generator, size: int, *, plan: Callable[[], Plan], finished: bool) -> Drawn:
    """Count convictions, which become final on average 150 days after the offence.

    `finished`: everybody's window and waiting time are over. Otherwise participants came in later than the others, and
    for a third of them they are not: their convictions are still to come.
    """
    who = draw_youths(rng, size)
    arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
    number, first = happened(rng, risk_of(who), size)
    decided = first + rng.exponential(150.0, size)
    known = rng.integers(WINDOW + _WAITING, WINDOW + 2 * _WAITING, size).astype(np.float64)
    if not finished:
        recent = (arm == 1.0) & (rng.random(size) < 0.5)
        known = np.where(recent, rng.integers(WINDOW, WINDOW + 2 * _WAITING, size), known)
    final = (number > 0) & (decided <= known)
    rows = outcome_frame(
        np.where(final, number, 0), np.where(final, first, np.nan), is_complete=known >= WINDOW + _WAITING
    )
    return Drawn(assembled(plan(), rng, who, arm, rows, potential_follow_up_days=known.astype(np.int64)), 1.0)


def steered(rng: np.random.Generator, size: int) -> Drawn:
    """Subvert the draw: half of those with contacts before who were drawn are sent to the other group."""
    who = draw_youths(rng, size)
    arm = by_lot(rng, size)
    arm = np.where((who.before > 0) & (rng.random(size) < 0.5), 0.0, arm)
    arm[:2] = (1.0, 0.0)
    return Drawn(assembled(trial_plan(), rng, who, arm, outcome_frame(*happened(rng, risk_of(who), size))), 1.0)


def unlinked(rng: np.random.Generator, size: int, *, plan: Callable[[], Plan]) -> Drawn:
    """Fail to find a third of the participants in the register: they seem to have no contacts at all."""
    who = draw_youths(rng, size)
    arm = by_lot(rng, size) if plan().design == "randomised" else by_entry(rng, who)
    number, first = happened(rng, risk_of(who), size)
    linked = rng.random(size) >= np.where(arm == 1.0, 0.33, 0.02)
    number = np.where(linked, number, 0)
    before: FloatArray = np.where(linked, who.before, 0.0)
    who = replace(who, before=before, long_before=np.where(linked, who.long_before, 0.0))
    rows = outcome_frame(number, np.where(number > 0, first, np.nan))
    return Drawn(assembled(plan(), rng, who, arm, rows, linked=linked), 1.0)


_Row = tuple[str, str, str, tuple[int, ...], _Draw]


def _sound(design: str, plan: Callable[..., Plan]) -> list[PlantedWorld]:
    """Return the worlds that trials and cohorts share and whose analysis is right."""
    plain = partial(plan, controls=False)  # negative controls, five more fits, only where the question is about gates
    worlds = [
        PlantedWorld(
            design=design,
            name=name,
            kind="sound",
            planted=planted,
            why=why,
            sizes=sizes,
            unit="persons",
            draw=draw,
            grows=(300, 1000, 5000) if name == "no_effect" else (1000,) if name in {"detention", "effect"} else (),
            decides=name not in {"detention", "late_decisions", "lost_by_chance"},
        )
        for name, planted, why, sizes, draw in (*_sound_measures(plan, plain), *_sound_follow_up(plan, plain))
    ]
    few = PlantedWorld(
        design=design,
        name="sites",
        kind="sound",
        planted="Whole sites of about 25 persons are in one group or the other, and differ by a quarter; no effect.",
        why="With few sites the usual errors are too small; with fewer than ten a side nothing may be shown.",
        sizes=(12, 24, 40, 80),
        unit="sites",
        draw=sites(partial(plain, cluster=True), 1.0),
    )
    return [*worlds, few]


def _sound_measures(plan: Callable[..., Plan], plain: Callable[..., Plan]) -> list[_Row]:
    """Return the worlds of each kind of outcome: name, what is planted, why, sizes, draw."""
    count, time = partial(plain, "rate_ratio"), partial(plain, "hazard_ratio")
    score = partial(plain, "mean_difference")
    return [
        (
            "no_effect",
            "Three in ten have a contact within a year; the programme changes nothing.",
            "A useless programme must not be called effective.",
            SIZES,
            risks(plan, 1.0),
        ),
        (
            "effect",
            f"The programme multiplies everybody's risk of a contact by {EFFECT}.",
            "An effect must be found at its size.",
            SIZES,
            risks(plan, EFFECT),
        ),
        (
            "rare_no_effect",
            "Two in a hundred have the event; no effect.",
            "With few events intervals must not become too short, nor absent.",
            SIZES,
            risks(plain, 1.0, RARE_RISK),
        ),
        (
            "rare_effect",
            "Two in a hundred have the event; half of that with the programme.",
            "With few events intervals must not become too short, nor absent.",
            SIZES,
            risks(plain, 0.5, RARE_RISK),
        ),
        (
            "counts",
            f"Numbers of contacts differ more between persons than chance alone would make them; ratio {EFFECT}.",
            "Counts that cluster in a few persons make naive intervals too short.",
            SIZES,
            rates(count, EFFECT),
        ),
        (
            "times",
            f"The programme multiplies the hazard of a first contact by {EFFECT}.",
            "Times to a first event have a measure of their own.",
            SIZES,
            hazards(time, EFFECT),
        ),
        (
            "scores",
            "A skewed score is 0.4 lower with the programme, a third of its spread.",
            "Delivered values go another way than events.",
            SIZES,
            scores(score, -0.4),
        ),
    ]


def _sound_follow_up(plan: Callable[..., Plan], plain: Callable[..., Plan]) -> list[_Row]:
    """Return the worlds in which people are out of sight in ways that do no harm; columns as above."""
    count = partial(plain, "rate_ratio")
    return [
        (
            "detention",
            "Participants are locked up for a quarter of the year, others for a twentieth; per day free: no effect.",
            "Whoever is locked up has no contacts; time at risk must not count it.",
            SIZES,
            rates(count, 1.0, detained=0.25),
        ),
        (
            "late_decisions",
            "Convictions become final after 150 days on average; every waiting time is over; no effect.",
            "Late decisions that come equally late in both groups do no harm.",
            SIZES,
            partial(late_decisions, plan=plain, finished=True),
        ),
        (
            "lost_by_chance",
            "Three in a hundred are lost sight of, whatever happened to them; no effect.",
            "Harmless drop-out must not hide a study.",
            SIZES,
            partial(lost, plan=plain, only_offenders=False),
        ),
    ]


def _broken(design: str, plan: Callable[..., Plan]) -> list[PlantedWorld]:
    """Return the worlds that trials and cohorts share and whose analysis is wrong."""
    plain, seeing = partial(plan, controls=False), partial(plan, controls=True)
    rows: list[tuple[str, str, str, tuple[str, ...], _Draw]] = [
        (
            "lost_offenders",
            "A third of the participants with a contact are lost sight of on that day; no effect.",
            "Leaving out the briefly followed would make any programme look good.",
            ("follow_up",),
            partial(lost, plan=plain, only_offenders=True),
        ),
        (
            "decisions_to_come",
            "Half of the participants came in so late that the decisions on many of their offences are still to come.",
            "What has not been decided yet is not absent.",
            ("follow_up",),
            partial(late_decisions, plan=plain, finished=False),
        ),
        (
            "watched_closely",
            f"Whatever participants do is registered {DETECTION} times as often; no effect on what they do.",
            "Those in a programme are seen more.",
            ("negative_controls",),
            partial(watched_closely, plan=seeing),
        ),
        (
            "unlinked",
            "A third of the participants cannot be found in the register, of the others two in a hundred; no effect.",
            "Whoever is not found seems to do nothing.",
            ("linkage", "missing", "placebo_period"),
            partial(unlinked, plan=plain),
        ),
    ]
    return [
        PlantedWorld(
            design=design,
            name=name,
            kind="broken",
            planted=planted,
            why=why,
            sizes=SIZES,
            unit="persons",
            draw=draw,
            watched=watched,
        )
        for name, planted, why, watched, draw in rows
    ]


def _world(design: str, name: str, planted: str, why: str, draw: _Draw, *watched: str) -> PlantedWorld:
    return PlantedWorld(
        design=design,
        name=name,
        kind="broken" if watched else "unseen",
        planted=planted,
        why=why,
        sizes=SIZES,
        unit="persons",
        draw=draw,
        watched=watched,
    )


def _cohorts() -> list[PlantedWorld]:
    """Return the worlds that only comparison cohorts have."""
    design = "comparison_cohort"
    fair = PlantedWorld(
        design=design,
        name="last_year",
        kind="sound",
        planted="Contacts in the last year decide who takes part; the plan adjusts for them; no effect.",
        why="The analysis is right, yet the year before the start looks unequal: what does the placebo period do?",
        sizes=SIZES,
        unit="persons",
        draw=last_year,
        decides=False,
    )
    return [
        fair,
        _world(
            design,
            "unmeasured",
            "A trait that nobody measured decides who takes part and what they do; no effect.",
            "The oldest objection to any comparison without a draw.",
            partial(selected, trait=-1.2),
            "placebo_period",
            "negative_controls",
        ),
        _world(
            design,
            "turning_point",
            "Those who just turned their lives around take part; nothing before shows it; no effect.",
            "A cause that begins at the start cannot be seen in the time before: negative controls can.",
            partial(turning_point, known=True),
            "negative_controls",
        ),
        _world(
            design,
            "turning_point_without_controls",
            "The same, and the plan names no negative controls.",
            "What no gate can see must be said aloud.",
            partial(turning_point, known=False),
        ),
        _world(
            design,
            "no_overlap",
            "Participants are in far more trouble at school than anybody in the comparison group; no effect.",
            "Weights cannot make alike what is not.",
            no_overlap,
            "overlap",
            "balance",
        ),
        _world(
            design,
            "bent",
            "Extremes of trouble at school stay out and have more contacts; the plan adjusts for a line; no effect.",
            "Equal means are not equal distributions.",
            bent,
            "balance",
        ),
        _world(
            design,
            "immortal_time",
            "Who had a contact before the first day of participation is counted in the comparison group; no effect.",
            "Participants owe a part of their good record to having had to stay clean to become one.",
            partial(immortal, known=True),
            "time_zero",
        ),
        _world(
            design,
            "immortal_time_without_starts",
            "The same, and the first day of participation is not delivered.",
            "What no gate can see must be said aloud.",
            partial(immortal, known=False),
        ),
        _world(
            design,
            "detention_not_delivered",
            "Participants are locked up for a quarter of the year, and nobody says so; no effect per day free.",
            "What no gate can see must be said aloud.",
            rates(partial(cohort_plan, "rate_ratio", controls=False), 1.0, detained=0.25, known=False),
        ),
    ]


def person_worlds() -> list[PlantedWorld]:
    """Return every world of persons."""
    draw = _world(
        "randomised",
        "steered",
        "Half of those drawn who had contacts before are sent to the other group; no effect.",
        "A draw that was tampered with is no draw.",
        steered,
        "balance",
    )
    return [
        *_sound("randomised", partial(trial_plan)),
        *_broken("randomised", partial(trial_plan)),
        draw,
        *_sound("comparison_cohort", partial(cohort_plan)),
        *_broken("comparison_cohort", partial(cohort_plan)),
        *_cohorts(),
    ]
