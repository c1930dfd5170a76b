"""The bundled programmes on areas and series, from delivery to ruling: the truth is found, the public claim is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from workbench import QUARTER, Workbench, rows_where

from effectmeter.worlds import WORLDS, write_world

FOUND = {
    "preventie-met-gezag": ("young_suspects", "rate_ratio", "callaway_santanna"),
    "leefbaarheid-en-veiligheid": ("registered_crime", "rate_ratio", "calibrated"),
    "vertrouwensketen": ("pin_fraud", "level_ratio", None),
    "harp": ("parcels_stopped", "level_ratio", None),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[dict[str, Any]]]]:
    bench = Workbench(tmp_path_factory.mktemp("bundled"))
    found = {}
    for programme in FOUND:
        bench.add_bundled(programme)
        write_world(programme, QUARTER, bench.home.delivery(programme, QUARTER))
        bench.estimate(programme)
        found[programme] = bench.effects(programme)
    return found


@pytest.mark.parametrize("programme", FOUND)
def test_the_primary_interval_holds_what_was_planted(
    programme: str, results: dict[str, dict[str, list[dict[str, Any]]]]
) -> None:
    outcome, measure, estimator = FOUND[programme]
    (row,) = rows_where(results[programme]["effects"], analysis="primary")
    assert (row["outcome"], row["measure"], row["status"]) == (outcome, measure, "shown")
    assert estimator is None or row["estimator"] == estimator
    planted = WORLDS[programme].truth.rate_ratios[outcome]
    if programme == "preventie-met-gezag":
        planted = 0.93  # on average, while it grows to 0.90
    assert row["conf_low"] <= planted <= row["conf_high"]


def test_the_second_outcome_of_the_focus_areas_is_better_when_higher(
    results: dict[str, dict[str, list[dict[str, Any]]]],
) -> None:
    (row,) = rows_where(
        results["leefbaarheid-en-veiligheid"]["effects"],
        outcome="liveability",
        measure="mean_difference",
        analysis="secondary",
        subgroup=None,
    )
    assert row["conf_low"] <= 0.03 <= row["conf_high"] and row["conf_low"] > 0


@pytest.mark.parametrize("programme", FOUND)
def test_claims_about_outcomes_are_not_supported_and_claims_of_reach_are(
    programme: str, results: dict[str, dict[str, list[dict[str, Any]]]]
) -> None:
    for claim in results[programme]["claims"]:
        assert (claim["ruling"] == "supported") == (claim["measure"] == "reach")
        assert claim["source"] == "publieke uitspraak"


@pytest.mark.parametrize("programme", FOUND)
def test_no_gate_fails_on_a_world_without_a_threat_that_cannot_be_met(
    programme: str, results: dict[str, dict[str, list[dict[str, Any]]]]
) -> None:
    assert "failed" not in {gate["status"] for gate in results[programme]["gates"]}


def test_a_delivery_without_comparison_areas_is_refused(tmp_path: Path) -> None:
    from effectmeter.errors import DeliveryError

    bench = Workbench(tmp_path)
    bench.add_bundled("leefbaarheid-en-veiligheid")
    folder = bench.home.delivery("leefbaarheid-en-veiligheid", QUARTER)
    write_world("leefbaarheid-en-veiligheid", QUARTER, folder)
    areas = folder / "gebieden.csv"
    areas.write_bytes(areas.read_bytes().replace(b";;", b";2023;"))
    with pytest.raises(DeliveryError, match="areas_treated_and_comparison"):
        bench.estimate("leefbaarheid-en-veiligheid")
