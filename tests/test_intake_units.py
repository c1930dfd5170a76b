"""Areas, series and trials as researchers deliver them: long or wide, in every way that periods are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from effectmeter.errors import DeliveryError
from effectmeter.periods import canonical, kind_of
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.connection import open_vault
from vault.intake import LandingReport, land

QUARTER = Quarter(2026, 3)
COUNTS = "select area_id, period, outcome, count, value, population from landing.area_counts"
SERIES = "select period, outcome, count, population, is_control from landing.series"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path / "vault" / "p" / "q.duckdb") as connection:
        yield connection


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "areas.csv").write_text("area_id,adopted_period\nA,2\nB,\n")
    return folder


def area_plan(outcomes: dict[str, Any], counts: dict[str, Any] | None = None, **more: Any) -> Plan:
    source = {"areas": {"file": "areas.csv"}, "area_counts": {"file": "counts.csv", **(counts or {})}}
    source["areas"] |= more.pop("of_areas", {})
    content = {"programme": "p", "title": "p", "design": "staggered_areas", "source": source, "outcomes": outcomes}
    return Plan.model_validate({**content, **more})


def series_plan(outcomes: dict[str, Any], columns: dict[str, Any] | None = None) -> Plan:
    source = {"series": {"file": "series.csv", "columns": columns or {}}}
    return Plan.model_validate(
        {"programme": "p", "title": "p", "design": "interrupted_series", "source": source, "outcomes": outcomes}
    )


def landed(vault: duckdb.DuckDBPyConnection, plan: Plan, delivery: Path, text: str, query: str = COUNTS) -> list[Any]:
    (delivery / ("counts.csv" if query == COUNTS else "series.csv")).write_text(text)
    land(vault, plan, delivery, QUARTER)
    return vault.sql(query).fetchall()


LONG = [("A", "1", "theft", 5, None, 100.0), ("A", "1", "score", None, 3.5, 100.0), ("B", "1", "theft", 7, None, 90.0)]
OUTCOMES = {"theft": {"event": "diefstal"}, "score": {"value": "cijfer", "better": "higher"}}


def test_long_and_wide_give_the_same_table(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    long = "area_id,period,outcome,count,value,population\nA,1,theft,5,,100\nA,1,score,,3.5,100\nB,1,theft,7,,90\n"
    assert landed(vault, area_plan(OUTCOMES), delivery, long) == LONG
    wide = 'area_id;period;diefstal;cijfer;population\nA;1;5;"3,5";100\nB;1;7;;90\n'
    assert landed(vault, area_plan(OUTCOMES), delivery, wide) == LONG
    stored = vault.sql(
        "select n_rows_read, n_rows_kept, n_rows_stored from landing.files where table_name = 'area_counts'"
    )
    assert stored.fetchall() == [(2, 2, 3)]


def test_a_wide_column_may_be_mapped_or_bear_the_outcomes_own_name(
    vault: duckdb.DuckDBPyConnection, delivery: Path
) -> None:
    plan = area_plan({"theft": {}, "score": {"value": "cijfer"}}, {"columns": {"theft": "Aantal", "cijfer": "Punt"}})
    text = "area_id,period,aantal,Punt,population\nA,1,5,3.5,100\nB,1,7,,90\n"
    assert landed(vault, plan, delivery, text) == LONG


def test_one_outcome_needs_no_outcome_column(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    plan = area_plan({"theft": {"event": "diefstal"}})
    assert landed(vault, plan, delivery, "area_id,period,count\nA,1,5\n") == [("A", "1", "theft", 5, None, None)]


def test_a_wide_row_with_nothing_in_it_is_rejected(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    plan = area_plan(OUTCOMES, expectations={"max_rejected": 1})
    text = "area_id,period,diefstal,cijfer\nA,1,5,1\nA,2,,\nA,3,5.5,1\n"
    assert len(landed(vault, plan, delivery, text)) == 2
    rejects = vault.sql("select row_number, column_name, reason from landing.rejects order by 1").fetchall()
    assert rejects == [(3, "diefstal or cijfer", "empty required cell"), (4, "diefstal", "not a whole number")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("area_id,period,diefstal\nA,1,5\n", "a column for outcome score"),
        ("area_id,period,n\nA,1,5\n", r"outcome \(or a column per outcome: theft, score\)"),
        ("area_id,period,outcome\nA,1,theft\n", "none of count, value"),
    ],
)
def test_what_cannot_be_found_is_named(text: str, said: str, vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    with pytest.raises(DeliveryError, match=said):
        landed(vault, area_plan(OUTCOMES), delivery, text)


def test_negative_controls_are_columns_too(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    plan = area_plan({"theft": {}}, negative_controls=["fraud"])
    rows = landed(vault, plan, delivery, "area_id,period,theft,fraud\nA,1,5,2\n")
    assert [row[2:4] for row in rows] == [("theft", 5), ("fraud", 2)]


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("1", "1"),
        ("-3", "-3"),
        ("01", "1"),
        ("2024", "2024"),
        ("2024*", "2024"),
        ("2024JJ00", "2024"),
        ("2024-Q3", "2024-Q3"),
        ("2024K3", "2024-Q3"),
        ("2024q3", "2024-Q3"),
        ("2024 Q3", "2024-Q3"),
        ("Q3 2024", "2024-Q3"),
        ("2024KW03", "2024-Q3"),
        ("2024 3e kwartaal", "2024-Q3"),
        ("2024 3e kwartaal*", "2024-Q3"),
        ("3e kwartaal 2024", "2024-Q3"),
        ("2024-09", "2024-09"),
        ("2024MM09", "2024-09"),
        ("202409", "2024-09"),
        ("09-2024", "2024-09"),
        ("2024 september", "2024-09"),
        ("mrt 2024", "2024-03"),
        ("May 2024", "2024-05"),
        ("2024-09-17", "2024-09-17"),
        ("17-09-2024", "2024-09-17"),
        ("2024-09-01", "2024-09"),
        ("30-09-2024", "2024-09"),
        ("2023/24", None),
        ("2024-Q5", None),
        ("2024 5e kwartaal", None),
        ("2024-13", None),
        ("2024MM13", None),
        ("lente 2024", None),
        ("2024 lentes", None),
        ("99999999", None),
    ],
)
def test_periods(written: str, label: str | None, vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    plan = area_plan({"theft": {}}, expectations={"max_rejected": 1})
    rows = landed(vault, plan, delivery, f"area_id;period;theft\nA;{written};5\n")
    assert [row[1] for row in rows] == ([] if label is None else [label])
    if label is not None and kind_of(label) != "day" and "-01" not in written and not written.startswith(("0", "30")):
        assert canonical(written) == label  # a plan may write periods in the same ways


def test_days_that_are_not_all_the_first_of_a_month_stay_days(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    text = "area_id,period,theft\nA,2024-01-01,5\nA,2024-01-08,5\n"
    rows = landed(vault, area_plan({"theft": {}}), delivery, text)
    assert [row[1] for row in rows] == ["2024-01-01", "2024-01-08"]


def test_a_year_among_its_quarters_is_refused(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    text = "area_id,period,theft\nA,2024,5\nA,2024-Q1,5\nA,2024 2e kwartaal,3\n"
    with pytest.raises(DeliveryError, match=r"different kinds: quarters \(2 rows\), years \(1 rows\)") as raised:
        landed(vault, area_plan({"theft": {}}), delivery, text)
    assert "counts.csv" in str(raised.value) and raised.value.next_step


@pytest.mark.parametrize("never", ["0", "9999", "Inf"])
def test_a_value_map_names_what_means_never(never: str, vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "areas.csv").write_text(f"area_id,eerste\nA,2006\nB,{never}\nC,2004.0\n")
    columns = {"adopted_period": {"column": "eerste", "values": {never: ""}}}
    landed(vault, area_plan({"theft": {}}, of_areas={"columns": columns}), delivery, "area_id,period,theft\nA,2004,5\n")
    assert vault.sql("select adopted_period from landing.areas").fetchall() == [("2006",), (None,), ("2004",)]


def test_columns_that_areas_are_matched_on_may_have_decimal_commas(
    vault: duckdb.DuckDBPyConnection, delivery: Path
) -> None:
    (delivery / "areas.csv").write_text("area_id;adopted_on;dichtheid;soort\nA;01-07-2022;3,25;stad\nB;;1,5;dorp\n")
    plan = area_plan({"theft": {}}, areas={"match_on": ["dichtheid", "soort"]})
    landed(vault, plan, delivery, "area_id,period,theft\nA,2004,5\n")
    assert vault.sql("select dichtheid, soort from landing.areas").fetchall() == [("3.25", "stad"), ("1.5", "dorp")]


def test_one_panel_file_may_serve_as_both_tables(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    text = "area_id,adopted_period,rijk,period,theft\nA,2,1.5,1,5\nA,2,1.5,2,6\nB,,2,1,7\nB,,2,2,8\n"
    plan = area_plan({"theft": {}}, of_areas={"file": "counts.csv"}, adjust_for={"rijk": "numeric"})
    assert len(landed(vault, plan, delivery, text)) == 4
    assert vault.sql("select area_id, adopted_period, rijk from landing.areas").fetchall() == [
        ("A", "2", 1.5),
        ("B", None, 2.0),
    ]
    # another file's repeats are a fault that an expectation reports
    (delivery / "areas.csv").write_text("area_id,adopted_period,rijk\nA,2,1.5\nA,2,1.5\nB,,2\n")
    landed(vault, area_plan({"theft": {}}, adjust_for={"rijk": "numeric"}), delivery, text)
    assert vault.sql("select count(*) from landing.areas").fetchall() == [(3,)]


def test_series_long_wide_and_without_a_control(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    columns = {"period": "maand", "is_control": {"column": "haven", "values": {"Rotterdam": False, "Antwerpen": True}}}
    plan = series_plan({"fraud": {"event": "pincodefraude"}}, columns)
    text = "maand;haven;pincodefraude;population\n2024-01;Rotterdam;5;100\n2024-01;Antwerpen;7;200\n"
    assert landed(vault, plan, delivery, text, SERIES) == [
        ("2024-01", "fraud", 5, 100.0, False),
        ("2024-01", "fraud", 7, 200.0, True),
    ]
    plan = series_plan({"fraud": {}, "theft": {}}, {"count": "n"})
    assert landed(vault, plan, delivery, "period,outcome,n\n2024-01,fraud,5\n2024-01,theft,2\n", SERIES) == [
        ("2024-01", "fraud", 5, None, False),
        ("2024-01", "theft", 2, None, False),
    ]
    assert landed(vault, series_plan({"fraud": {}}), delivery, "period,count\n2024MM01,5\n", SERIES) == [
        ("2024-01", "fraud", 5, None, False)
    ]


def test_trials_keep_their_subgroups(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "trials.csv").write_text(
        'studie;"log OR";se;leeftijd\nFinckenauer;"0,53";"0,2";jong\nLewis;"-1,1";"0,4";oud\n'
    )
    columns = {"trial_id": "studie", "estimate": "log OR", "std_error": "se"}
    plan = Plan.model_validate(
        {
            "programme": "p",
            "title": "p",
            "design": "pooled_trials",
            "source": {"trials": {"file": "trials.csv", "columns": columns}},
            "subgroups": ["leeftijd"],
        }
    )
    land(vault, plan, delivery, QUARTER)
    assert vault.sql("select trial_id, estimate, std_error, n_treated, leeftijd from landing.trials").fetchall() == [
        ("Finckenauer", 0.53, 0.2, None, "jong"),
        ("Lewis", -1.1, 0.4, None, "oud"),
    ]


def test_wide_areas_from_excel(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    pl.DataFrame(
        {"area_id": ["A", "B"], "period": [2024, 2024], "diefstal": [5.0, 7.0], "cijfer": [3.5, None]}
    ).write_excel(delivery / "counts.xlsx")
    land(vault, area_plan(OUTCOMES, {"file": "counts.xlsx"}), delivery, QUARTER)
    assert [row[:5] for row in vault.sql(COUNTS).fetchall()] == [
        ("A", "2024", "theft", 5, None),
        ("A", "2024", "score", None, 3.5),
        ("B", "2024", "theft", 7, None),
    ]


def _land_shared(vault: duckdb.DuckDBPyConnection, tmp_path: Path, file: Path, plan: dict[str, Any]) -> LandingReport:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / file.name).write_bytes(file.read_bytes())
    content = {"programme": "p", "title": "p", "design": "staggered_areas", **plan}
    return land(vault, Plan.model_validate(content), folder, QUARTER)


def test_employment_panel_with_a_value_column(
    vault: duckdb.DuckDBPyConnection, tmp_path: Path, shared_data: Path
) -> None:
    file = shared_data / "mpdta" / "mpdta.csv"
    first = {"column": "first.treat", "values": {"0": ""}}
    plan = {
        "source": {
            "areas": {"file": file.name, "columns": {"area_id": "countyreal", "adopted_period": first}},
            "area_counts": {"file": file.name, "columns": {"area_id": "countyreal", "period": "year"}},
        },
        "adjust_for": {"lpop": "numeric"},
        "outcomes": {"employment": {"value": "lemp", "measures": ["mean_difference"]}},
        "areas": {"comparison": "never_treated"},
    }
    _land_shared(vault, tmp_path, file, plan)
    starts = vault.sql("select adopted_period, count(*) from landing.areas group by 1 order by 1 nulls last").fetchall()
    assert starts == [("2004", 20), ("2006", 40), ("2007", 131), (None, 309)]
    found = vault.sql(
        "select outcome, count(*), count(count), round(sum(value), 6) from landing.area_counts group by 1"
    )
    assert found.fetchall() == [("employment", 2500, 0, round(pl.read_csv(file)["lemp"].sum(), 6))]


def test_blocks_with_a_column_per_offence(vault: duckdb.DuckDBPyConnection, tmp_path: Path, shared_data: Path) -> None:
    file = shared_data / "seattle_dmi" / "seattledmi.parquet"
    treated = pl.scan_parquet(file).group_by("ID").agg(pl.col("Intervention").max()).collect()
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / file.name).write_bytes(file.read_bytes())
    treated.select("ID", start=pl.when(pl.col("Intervention") > 0).then(13)).write_csv(folder / "areas.csv")
    plan = {
        "programme": "p",
        "title": "p",
        "design": "staggered_areas",
        "source": {
            "areas": {"file": "areas.csv", "columns": {"area_id": "ID", "adopted_period": "start"}},
            "area_counts": {"file": file.name, "columns": {"area_id": "ID", "period": "time"}},
        },
        "outcomes": {"felony": {"event": "i_felony"}, "any_crime": {}},
    }
    land(vault, Plan.model_validate(plan), folder, QUARTER)
    counts = vault.sql("select outcome, count(*), sum(count)::bigint from landing.area_counts group by 1 order by 1")
    frame = pl.read_parquet(file)
    expected = [("any_crime", len(frame), frame["any_crime"].sum()), ("felony", len(frame), frame["i_felony"].sum())]
    assert counts.fetchall() == expected
    assert vault.sql("select count(adopted_period) from landing.areas").fetchall() == [(39,)]
