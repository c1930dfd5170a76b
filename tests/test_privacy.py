"""Nothing individual and nothing small leaves the vault: not in a release, in Dagster or in a refusal."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from workbench import QUARTER, Workbench, minimal_plan

from assets.bundled import write_deliveries
from assets.installation import Installation, refusing
from assets.releases import latest_edition
from effectmeter.disclosure import Rules
from effectmeter.disclosure_texts import clear_figure
from effectmeter.home import Home
from effectmeter.plan_io import load_plan

PROGRAMME = "integrale-familieaanpak"
PSEUDONYMS = ("person_id", "family_id", "site_id", "block_id", "pair_id")


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(tmp_path_factory.mktemp("families"))
    bench.add_bundled(PROGRAMME)
    write_deliveries(bench.home, QUARTER, [PROGRAMME])
    result = bench.refresh(PROGRAMME)
    assert (result.exit_code, result.refusal) == (0, "")
    return bench


def pseudonyms_of(bench: Workbench) -> set[str]:
    """Return every pseudonym in the form in which it was delivered, in the vault's, and the keyed part of that."""
    from vault.connection import open_vault

    with open_vault(bench.home.vault(PROGRAMME, QUARTER), read_only=True) as connection:
        persons = connection.sql("select * from landing.persons").pl()
    stored = {str(value) for name in PSEUDONYMS if name in persons.columns for value in persons[name].drop_nulls()}
    columns = load_plan(bench.plans / f"{PROGRAMME}.yaml").source["persons"]
    file = bench.home.delivery(PROGRAMME, QUARTER) / columns.file
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    mapped = [columns.columns[name].column for name in PSEUDONYMS if name in columns.columns]
    delivered = {row[name] for name in mapped for row in rows}
    assert not stored & delivered
    found = stored | delivered | {value.rpartition("-")[2] for value in stored}
    return {value for value in found if len(value) >= 4}  # shorter ones are in any text


def outside_the_vault(home: Home) -> Iterator[Path]:
    for folder in (home.release_root, home.dagster):
        yield from (path for path in folder.rglob("*") if path.is_file())


def texts_in_dagster(home: Home) -> list[tuple[str, Any]]:
    """Return every metadata value of assets and checks, with its address; tables cell by cell."""
    import dagster as dg

    found: list[tuple[str, Any]] = []
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        for run in instance.get_runs():
            for event in (entry.dagster_event for entry in instance.all_logs(run.run_id)):
                if event is None:
                    continue
                if event.event_type_value == "ASSET_MATERIALIZATION":
                    materialization = event.step_materialization_data.materialization
                    address, metadata = "/".join(materialization.asset_key.path), materialization.metadata
                elif event.event_type_value == "ASSET_CHECK_EVALUATION":
                    evaluation = event.asset_check_evaluation_data
                    address, metadata = evaluation.check_name, evaluation.metadata
                else:
                    continue
                for name, value in metadata.items():
                    if isinstance(value, dg.TableMetadataValue):
                        found += [
                            (f"{address}: {key}", cell) for row in value.records for key, cell in row.data.items()
                        ]
                    else:
                        found.append((f"{address}: {name}", value.value))
    return found


def test_no_pseudonym_is_in_any_file_outside_the_vault(families: Workbench) -> None:
    pseudonyms = pseudonyms_of(families)
    assert len(pseudonyms) > 1200
    wanted = re.compile(b"|".join(re.escape(value.encode()) for value in sorted(pseudonyms, key=len, reverse=True)))
    leaking = [path.name for path in outside_the_vault(families.home) if wanted.search(path.read_bytes())]
    assert not leaking


def test_row_counts_in_dagster_are_rounded_or_absent(families: Workbench) -> None:
    about_persons = ("landing", "cohort", "outcomes")
    counts = [
        value
        for address, value in texts_in_dagster(families.home)
        if address.endswith("dagster/row_count") and address.split(":")[0].split("/")[-1] in about_persons
    ]
    assert len(counts) == len(about_persons)
    assert all(count >= 10 and count % 5 == 0 for count in counts)


def test_counts_of_rows_and_persons_in_dagster_are_safe(families: Workbench) -> None:
    counted = [
        (address, value)
        for address, value in texts_in_dagster(families.home)
        if address.split(": ")[-1] in {"rows kept", "rows rejected", "lost", "left"} or ": persons " in address
    ]
    assert len(counted) > 20
    unsafe = [address for address, value in counted if not re.fullmatch(r"0|< 10|\d*[05]", str(value))]
    assert not unsafe


def test_figures_of_checks_in_dagster_have_no_small_counts_and_no_share_that_gives_one_back(
    families: Workbench,
) -> None:
    figures = [(a, str(value)) for a, value in texts_in_dagster(families.home) if a.endswith(": figure")]
    assert len(figures) > 30
    for address, figure in figures:
        for part, whole in re.findall(r"([\d,]+) / ([\d,]+)", figure):
            assert int(part) % 5 == 0, address
            assert int(whole) % 5 == 0, address
        assert not re.search(r"< 10 / .*%", figure), address


def test_every_count_that_is_released_is_rounded_and_never_small(families: Workbench) -> None:
    edition = latest_edition(families.home.releases(PROGRAMME, QUARTER))
    assert edition is not None
    for path in sorted((edition / "tables").glob("*.csv")):
        frame = pl.read_csv(path, infer_schema_length=None)
        counts = [name for name in frame.columns if re.match(r"n_|events_|person_years_|persons|families", name)]
        for name in counts:
            values = [float(value) for value in frame[name].drop_nulls() if str(value).strip()]
            assert all(value == 0 or (value >= 10 and value % 5 == 0) for value in values), f"{path.name}: {name}"


def test_all_copies_of_the_effects_hold_the_same_cleared_figures(families: Workbench) -> None:
    edition = latest_edition(families.home.releases(PROGRAMME, QUARTER))
    assert edition is not None
    parquet = pl.read_parquet(edition / "effects.parquet")
    for copy in (pl.read_csv(edition / "effects.csv"), pl.read_csv(edition / "tables" / "effects.csv")):
        for name in ("n_treated", "events_treated", "estimate", "conf_low", "person_years_comparison"):
            assert copy[name].cast(pl.Float64).to_list() == parquet[name].cast(pl.Float64).to_list()


BAD = "zqcanary"
PERSONS = [[f"zqperson{i:03d}", ("treated", "comparison")[i % 2], "2024-03-04"] for i in range(40)]
EVENTS = [[f"zqperson{i:03d}", "arrest", "2024-06-05"] for i in range(0, 40, 3)]


def planted(case: str) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """Return persons, events and extra columns of a delivery with one fault of a kind."""
    persons, events, extra = [list(row) for row in PERSONS], [list(row) for row in EVENTS], []
    match case:
        case "bad date":
            persons[7][2] = BAD
        case "two rows for a person":
            persons[7] = [persons[8][0], "treated", "2024-03-05"]
            persons[8][1] = "comparison"
        case "orphan event":
            events.append([f"{BAD}-9", "arrest", "2024-06-06"])
        case "unknown arm":
            persons[5][1] = BAD
        case "e-mail":
            extra = ["remark"]
            persons = [[*row, f"{BAD}.{i}@example.org"] for i, row in enumerate(persons)]
        case "citizen service number":
            extra = ["number"]
            persons = [[*row, "111222333"] for row in persons]
    return persons, events, extra


@pytest.mark.parametrize(
    "case", ["bad date", "two rows for a person", "orphan event", "unknown arm", "e-mail", "citizen service number"]
)
def test_no_refusal_quotes_a_value(tmp_path: Path, case: str) -> None:
    persons, events, extra = planted(case)
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("planted"))
    bench.deliver("planted", "persons.csv", ["person_id", "arm", "index_date", *extra], persons)
    bench.deliver("planted", "events.csv", ["person_id", "event_type", "event_date"], events)
    result = bench.refresh("planted")
    assert result.exit_code == 1
    assert "next:" in result.refusal
    values = [BAD, "zqperson", "111222333"]
    assert not [value for value in values if value in result.refusal]
    for path in outside_the_vault(bench.home):
        content = path.read_bytes()
        assert not [value for value in values if value.encode() in content], path.name


def test_a_foreign_fault_leaves_no_words_even_when_its_log_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(dg.Failure) as caught, refusing(Installation(root=str(tmp_path)), "p", "cohort"):
        raise ValueError(f"row: {BAD}")
    assert BAD not in str(caught.value.description)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("figure", "cleared"),
    [
        ("3 / 432 (0.694 %)", "< 10 / 430"),
        ("0 / 432 (0 %)", "0 / 430 (0 %)"),
        ("7 / 20 (35 %)", "< 10 / 20"),
        ("174 / 4,400 (3.95 %)", "175 / 4400 (4 %)"),
        ("7 events before the start, 2.1 expected (p = 0.006)", "< 10 events before the start, 2.1 expected"),
        ("99.4 %", "> 91 %"),
        ("0.6 %", "< 9 %"),
    ],
)
def test_a_figure_gives_no_masked_count_back(figure: str, cleared: str) -> None:
    assert clear_figure(figure, Rules(), n=115) == cleared
