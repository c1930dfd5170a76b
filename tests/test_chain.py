"""The whole chain through the public interface: published numbers out, refusals that change nothing."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest
from workbench import QUARTER, ROOT, Workbench, minimal_plan, rows_where

from assets.bundled import write_deliveries
from assets.releases import latest_edition, read_passport, released_effects

RELEASE_FILES = {
    "report.nl.html",
    "report.en.html",
    "report.nl.pdf",
    "report.en.pdf",
    "effects.csv",
    "effects.parquet",
    "effects.xlsx",
    "passport.json",
    "tables",
}


@pytest.fixture(scope="module")
def tarp(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(tmp_path_factory.mktemp("tarp"))
    bench.add_bundled("tarp")
    write_deliveries(bench.home, QUARTER, ["tarp"])
    result = bench.refresh("tarp")
    assert (result.exit_code, result.refusal) == (0, "")
    return bench


def test_tarp_gives_the_published_risks(tarp: Workbench) -> None:
    (row,) = rows_where(tarp.effects("tarp")["effects"], analysis="unadjusted", measure="risk_ratio")
    assert (row["events_treated"], row["n_treated"]) == (48, 216)
    assert (row["events_comparison"], row["n_comparison"]) == (66, 216)
    assert row["estimate"] == pytest.approx(0.7273, abs=5e-5)
    assert row["window_days"] == 364


def test_tarp_gives_the_published_hazard_ratio(tarp: Workbench) -> None:
    rows = rows_where(tarp.effects("tarp")["effects"], measure="hazard_ratio", estimator="cox_efron", variance="model")
    (row,) = rows
    assert row["estimate"] == pytest.approx(0.6843, abs=5e-5)
    assert row["std_error"] == pytest.approx(0.1914, abs=5e-5)


def test_a_release_folder_holds_exactly_the_files_of_the_contract(tarp: Workbench) -> None:
    edition = latest_edition(tarp.home.releases("tarp", QUARTER))
    assert edition is not None
    assert {path.name for path in edition.iterdir()} == RELEASE_FILES
    assert not [path for path in edition.parent.iterdir() if path.name.startswith(".")]


def test_the_vault_is_readable_by_its_owner_only(tarp: Workbench) -> None:
    vault = tarp.home.vault("tarp", QUARTER)
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.parent.stat().st_mode) == 0o700


def test_a_second_run_changes_nothing(tarp: Workbench) -> None:
    before = latest_edition(tarp.home.releases("tarp", QUARTER))
    assert tarp.refresh("tarp").exit_code == 0
    assert latest_edition(tarp.home.releases("tarp", QUARTER)) == before


def test_released_counts_are_rounded_and_ratios_follow_from_them(tarp: Workbench) -> None:
    rows = released_effects(tarp.home, "tarp", QUARTER)["effects"]
    (row,) = rows_where(rows, analysis="unadjusted", measure="risk_ratio")
    assert {row[name] % 5 for name in ("n_treated", "events_treated", "n_comparison", "events_comparison")} == {0}
    assert row["estimate"] == pytest.approx((50 / 215) / (65 / 215), abs=0.005)


def test_no_pseudonym_leaves_the_vault(tarp: Workbench) -> None:
    edition = latest_edition(tarp.home.releases("tarp", QUARTER))
    assert edition is not None
    with (ROOT / "programmes" / "deliveries" / "tarp" / "persons.csv").open() as stream:
        pseudonyms = {row["person_id"] for row in csv.DictReader(stream)}
    logs = [path for path in (tarp.home.dagster).rglob("*") if path.is_file()]
    for path in [path for path in edition.rglob("*") if path.is_file()] + logs:
        content = path.read_bytes()
        found = [pseudonym for pseudonym in pseudonyms if pseudonym.encode() in content]
        assert not found, f"{path.name} holds {len(found)} pseudonyms"


def test_the_passport_says_what_the_release_was_made_from(tarp: Workbench) -> None:
    edition = latest_edition(tarp.home.releases("tarp", QUARTER))
    assert edition is not None
    passport = read_passport(edition)
    for key in ("gates", "figures", "content_hash", "verdict_line"):
        assert passport[key], key
    for part, key in (("plan", "hash"), ("data", "delivery_hash"), ("data", "files"), ("software", "lock_hash")):
        assert passport[part][key], (part, key)


def test_a_faulty_delivery_is_refused_and_the_last_release_stands(tarp: Workbench) -> None:
    before = latest_edition(tarp.home.releases("tarp", QUARTER))
    assert before is not None
    content = {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
    events = tarp.home.delivery("tarp", QUARTER) / "events.csv"
    sound = events.read_bytes()
    events.write_bytes(sound + b"nobody-known,arrest,70\n")
    try:
        result = tarp.refresh("tarp")
    finally:
        events.write_bytes(sound)
    assert result.exit_code == 1
    assert "next:" in result.refusal
    assert "nobody-known" not in result.refusal
    assert latest_edition(tarp.home.releases("tarp", QUARTER)) == before
    assert {path: path.read_bytes() for path in content} == content
    assert tarp.refresh("tarp").exit_code == 0


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("empty"))
    bench.deliver("empty", "persons.csv", ["person_id", "arm", "follow_up_days"], [["a", "treated", 365]])
    result = bench.refresh("empty")
    assert result.exit_code == 1
    assert "events.csv" in result.refusal
    assert "Traceback" not in result.refusal


def test_direct_identifiers_are_refused_and_not_stored(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("leak"))
    rows = [[f"p{i}", ("treated", "comparison")[i % 2], 365, f"person{i}@example.org"] for i in range(80)]
    bench.deliver("leak", "persons.csv", ["person_id", "arm", "follow_up_days", "contact"], rows)
    bench.deliver("leak", "events.csv", ["person_id", "event_type", "event_day"], [["p1", "arrest", 3]])
    result = bench.refresh("leak")
    assert result.exit_code == 1
    assert "contact" in result.refusal
    assert "example.org" not in result.refusal
    vault = bench.home.vault("leak", QUARTER)
    assert not vault.exists() or b"example.org" not in vault.read_bytes()


def recid_rows(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "recid_nc" / "recid.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("potential", ["follow", "durat"])
def test_prison_work_programme_is_the_published_null(tmp_path: Path, shared_data: Path, potential: str) -> None:
    """Rodriguez' Cox model: HR 1.0543 (0.8832-1.2587), 552 events, 80,013 months; ``cens = 1`` means censored.

    Delivered both ways that such files come: with everybody's potential follow-up, or with the time to return or
    censoring as the follow-up.
    """
    bench = Workbench(tmp_path)
    covariates = ["priors", "tserved", "felon", "drugs", "black", "married", "educ", "age"]
    month = 30
    rows = recid_rows(shared_data)
    bench.add_plan(
        minimal_plan(
            "recid",
            "comparison_cohort",
            source={
                "persons": {
                    "file": "persons.csv",
                    "columns": {"arm": {"column": "workprg", "values": {1: "treated", 0: "comparison"}}},
                },
                "events": {"file": "events.csv"},
            },
            outcomes={"return": {"event": "return", "measures": ["hazard_ratio", "rate_ratio"]}},
            adjust_for=dict.fromkeys(covariates, "numeric"),
            follow_up={"until_end": True},
        )
    )
    bench.deliver(
        "recid",
        "persons.csv",
        ["person_id", "workprg", "follow_up_days", *covariates],
        [
            [f"r{i}", row["workprg"], month * int(row[potential]), *(row[c] for c in covariates)]
            for i, row in enumerate(rows)
        ],
    )
    bench.deliver(
        "recid",
        "events.csv",
        ["person_id", "event_type", "event_day"],
        [[f"r{i}", "return", month * int(row["durat"])] for i, row in enumerate(rows) if row["cens"] == "0"],
    )
    result = bench.refresh("recid")
    assert (result.exit_code, result.refusal) == (0, "")
    (row,) = rows_where(bench.effects("recid")["effects"], estimator="cox_efron", variance="model")
    assert row["events_treated"] + row["events_comparison"] == 552
    years = row["person_years_treated"] + row["person_years_comparison"]
    assert years == pytest.approx(80_013 * month / 365.25, abs=0.5)
    assert row["estimate"] == pytest.approx(1.054341, abs=5e-5)
    assert row["conf_low"] == pytest.approx(0.8831665, abs=5e-5)
    assert row["conf_high"] == pytest.approx(1.258691, abs=5e-5)


def test_a_faulty_plan_does_not_stop_the_others(tmp_path: Path) -> None:
    from pipelines.refresh import refresh

    bench = Workbench(tmp_path)
    bench.add_bundled("tarp")
    (bench.plans / "broken.yaml").write_text("programme: broken\ndesign: randomized\n", encoding="utf-8")
    write_deliveries(bench.home, QUARTER, ["tarp"])
    results = {result.programme: result for result in refresh(bench.home, bench.plans, [], QUARTER)}
    assert results["tarp"].exit_code == 0
    assert results["broken"].exit_code == 1
    assert "randomised" in results["broken"].refusal


def test_effects_print_as_json_without_a_single_not_a_number(tarp: Workbench) -> None:
    text = json.dumps(tarp.effects("tarp"))
    assert "NaN" not in text
    assert "Infinity" not in text
