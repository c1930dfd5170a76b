"""Synthetic worlds of areas and series: true to what was planted, and a later quarter only adds to an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from effectmeter.errors import UsageError
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from effectmeter.quarters import Quarter
from effectmeter.worlds import (
    WORLDS,
    harp,
    leefbaarheid_en_veiligheid,
    preventie_met_gezag,
    vertrouwensketen,
    write_world,
)
from effectmeter.worlds.base import AreaTruth, SeriesTruth
from effectmeter.worlds.courses import counts, effect_on, waves

ROOT = Path(__file__).resolve().parents[1]
QUARTER = Quarter(2026, 3)
ENCODINGS = {
    "preventie-met-gezag": "cp1252",
    "leefbaarheid-en-veiligheid": "utf-8-sig",
    "vertrouwensketen": "cp1252",
    "harp": "utf-8-sig",
}
ADDS_TO = {"gemeenten.csv": False, "gebieden.csv": False}  # everything else grows
SEEDS = range(8)

each_world = pytest.mark.parametrize("programme", sorted(ENCODINGS))


def plan_of(programme: str) -> Plan:
    return load_plan(ROOT / "programmes" / f"{programme}.yaml")


def read(folder: Path, programme: str) -> dict[str, pl.DataFrame]:
    return {
        path.name: pl.read_csv(
            BytesIO(path.read_bytes().decode(ENCODINGS[programme]).encode()), separator=";", infer_schema=False
        )
        for path in sorted(folder.glob("*.csv"))
    }


@each_world
def test_a_later_quarter_adds_and_changes_nothing(programme: str, tmp_path: Path) -> None:
    tables = []
    for quarter in (QUARTER, Quarter(2027, 4)):
        write_world(programme, quarter, tmp_path / str(quarter), seed=5)
        tables.append(read(tmp_path / str(quarter), programme))
    for name, now in tables[0].items():
        later = tables[1][name]
        assert now.join(later, on=now.columns, how="anti", nulls_equal=True).is_empty(), name
        assert (len(later) > len(now)) == ADDS_TO.get(name, True), name


@each_world
def test_the_plan_and_the_truth_speak_of_the_same_programme(programme: str) -> None:
    plan, truth = plan_of(programme), WORLDS[programme].truth
    assert plan.synthetic and plan.programme == truth.programme
    planted = dict(truth.rate_ratios)
    if isinstance(truth, AreaTruth):
        planted |= dict(truth.mean_differences)
        assert plan.claims[0].reach == "at_least" and plan.claims[0].value == sum(truth.cohorts.values())
    if isinstance(truth, SeriesTruth):
        assert plan.series is not None and plan.series.start == truth.start
    assert set(planted) == set(plan.outcomes)
    assert set(truth.null_outcomes) == set(plan.negative_controls)
    assert all(claim.source == "publieke uitspraak" for claim in plan.claims)


@each_world
def test_a_public_claim_about_an_outcome_is_not_what_was_planted(programme: str) -> None:
    planted = WORLDS[programme].truth.rate_ratios
    for claim in plan_of(programme).claims:
        if claim.outcome is not None:
            ratio = planted[claim.outcome]
            assert claim.at_most is None or ratio > claim.at_most
            assert claim.at_least is None or ratio < claim.at_least


@each_world
def test_a_quarter_before_the_world_began_is_refused(programme: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="begins later"):
        write_world(programme, Quarter(2009, 1), tmp_path, seed=1)


@pytest.mark.parametrize("programme", ["preventie-met-gezag", "leefbaarheid-en-veiligheid"])
def test_a_quarter_before_the_start_has_no_treated_period(programme: str, tmp_path: Path) -> None:
    write_world(programme, Quarter(2020, 4), tmp_path, seed=1)
    module: Any = {"p": preventie_met_gezag, "l": leefbaarheid_en_veiligheid}[programme[0]]
    assert not module.simulate(Quarter(2020, 4), 1).is_treated.any()


def geometric_mean(ratio: Callable[[int], float]) -> float:
    return float(np.exp(np.mean([np.log(ratio(seed)) for seed in SEEDS])))


def test_planted_effect_of_preventie_met_gezag_is_found() -> None:
    def ratio(seed: int) -> float:
        world = preventie_met_gezag.simulate(QUARTER, seed)
        since = world.is_treated.cumsum(axis=1)
        full = since >= truth.build_up
        return float(world.young[full].sum() / world.expected_young[full].sum())

    def average(seed: int) -> float:
        world = preventie_met_gezag.simulate(QUARTER, seed)
        return float(world.young[world.is_treated].sum() / world.expected_young[world.is_treated].sum())

    truth = preventie_met_gezag.TRUTH
    # one world: some 60,000 suspects, so that Poisson error is half a per cent
    assert geometric_mean(ratio) == pytest.approx(truth.rate_ratios["young_suspects"], rel=0.01)
    assert 0.91 < geometric_mean(average) < 0.94


def test_municipalities_start_in_two_rounds_the_heaviest_first() -> None:
    world = preventie_met_gezag.simulate(QUARTER, 3)
    starts = world.areas["start"].value_counts().sort("start", nulls_last=True)["count"].to_list()
    assert starts == [27, 20, 70]
    assert world.areas["area"].is_unique().all() and world.areas["area"].str.contains(r"^GM9\d{3}$").all()
    rate = (world.young / world.population)[:, :18].mean(axis=1) * 1000
    first, later, never = rate[:27].mean(), rate[27:47].mean(), rate[47:].mean()
    assert first > never and later > 0.9 * never
    assert 2.0 < never < 5.0  # per 1,000 young people and quarter
    # those of sixty and over are told apart by nothing but chance
    assert world.older.sum() > 5_000


def test_planted_effects_of_the_focus_areas_are_found() -> None:
    truth = leefbaarheid_en_veiligheid.TRUTH

    def ratio(seed: int) -> float:
        world = leefbaarheid_en_veiligheid.simulate(QUARTER, seed)
        return float(world.crimes[world.is_treated].sum() / world.expected_crimes[world.is_treated].sum())

    assert geometric_mean(ratio) == pytest.approx(truth.rate_ratios["registered_crime"], rel=0.01)
    world = leefbaarheid_en_veiligheid.simulate(QUARTER, 2)
    gain = (world.liveability - world.expected_liveability)[world.is_treated]
    assert gain == pytest.approx(truth.mean_differences["liveability"])
    assert world.years == list(range(2014, 2026))  # 2026 is not over
    assert world.is_treated.any(axis=1).sum() == 20 and world.is_treated[:, :9].sum() == 0


def test_focus_areas_are_deprived_and_improve_faster_by_themselves() -> None:
    levels, trends = [], []
    for seed in SEEDS:
        world = leefbaarheid_en_veiligheid.simulate(QUARTER, seed)
        focus = world.areas["is_focus"].to_numpy()
        rate = world.expected_crimes / world.population
        levels.append(rate[focus].mean() / rate[~focus].mean())
        trends.append(np.log(rate[:, -3:].mean(axis=1) / rate[:, :3].mean(axis=1)))
    assert np.mean(levels) > 1.15
    focus_first = [
        trend[leefbaarheid_en_veiligheid.simulate(QUARTER, seed).areas["is_focus"].to_numpy()].mean()
        for seed, trend in zip(SEEDS, trends, strict=True)
    ]
    assert np.mean(focus_first) < np.mean([trend.mean() for trend in trends]) - 0.02


def test_planted_effect_of_the_chain_of_trust_is_found_and_before_against_after_misleads() -> None:
    truth = vertrouwensketen.TRUTH
    worlds = [vertrouwensketen.simulate(QUARTER, seed) for seed in range(30)]

    def mean_log(ratio: Callable[[Any], float]) -> float:
        return float(np.mean([np.log(ratio(world)) for world in worlds]))

    def planted(world: vertrouwensketen.Simulation) -> float:
        return float(world.frauds[0, world.is_after].sum() / world.expected[0, world.is_after].sum())

    def crude(world: vertrouwensketen.Simulation) -> float:
        return float(world.frauds[0, world.is_after].mean() / world.frauds[0, ~world.is_after].mean())

    assert np.exp(mean_log(planted)) == pytest.approx(truth.rate_ratios["pin_fraud"], rel=0.03)
    assert np.exp(mean_log(crude)) < truth.rate_ratios["pin_fraud"] - 0.1


def test_planted_effect_on_parcels_is_found_and_before_against_after_misleads() -> None:
    truth = harp.TRUTH
    worlds = [harp.simulate(QUARTER, seed) for seed in SEEDS]
    planted = [world.parcels[world.is_after].sum() / world.expected[world.is_after].sum() for world in worlds]
    crude = [world.parcels[world.is_after].mean() / world.parcels[~world.is_after].mean() for world in worlds]
    assert np.mean(planted) == pytest.approx(truth.rate_ratios["parcels_stopped"], rel=0.02)
    assert np.mean(crude) > 1.5  # which would make the public claim look true


def test_one_month_of_parcels_was_never_delivered(tmp_path: Path) -> None:
    write_world("harp", QUARTER, tmp_path, seed=5)
    months = read(tmp_path, "harp")["pakketten.csv"]["maand"]
    assert len(months) == 12 * 9 + 9 - 1 and "2020-04" not in months.to_list() and months.max() == "2026-09"


def test_waves_and_counts_of_earlier_periods_do_not_change() -> None:
    short, long = (waves(7, 1, (50, n), sd=0.2, correlation=0.6) for n in (10, 14))
    assert (short == long[:, :10]).all()
    assert (counts(7, 2, np.exp(short)) == counts(7, 2, np.exp(long))[:, :10]).all()
    course = waves(7, 3, (20_000, 8), sd=0.2, correlation=0.6)
    assert course.std(axis=0) == pytest.approx(np.full(8, 0.2), rel=0.03)
    assert np.corrcoef(course[:, 3], course[:, 4])[0, 1] == pytest.approx(0.6, abs=0.02)
    found = counts(7, 4, np.full((40_000, 1), 10.0), dispersion=0.2)
    assert found.mean() == pytest.approx(10, rel=0.02) and found.var() == pytest.approx(10 + 0.2 * 100, rel=0.05)


def test_an_effect_builds_up() -> None:
    assert effect_on(-0.4, np.array([-2, -1, 0, 1, 3, 9]), 4).tolist() == [0.0, 0.0, -0.1, -0.2, -0.4, -0.4]
    assert effect_on(-0.4, np.array([-1, 0]), 1).tolist() == [0.0, -0.4]
