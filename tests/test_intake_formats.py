"""Every format and dialect of the contract gives the same landing tables."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyreadstat
import pytest
from pseudonyms import with_delivered_ids

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.connection import open_vault
from vault.intake import LandingReport, land

QUARTER = Quarter(2026, 3)
HEADER = ("pseudoniem", "groep", "index_date", "Linked", "birth_year", "score", "wijk")
ROWS = (
    ("P1", "deelnemer", date(2024, 2, 29), True, 2008, 1.5, "Wûnseradiel"),
    ("P2", "vergelijking", date(2024, 12, 1), False, 2009, -2.0, 'Zuid; "West"'),
    ("P3", "vergelijking", date(2024, 1, 31), None, None, None, "Kort, e.o."),
)
LANDED = [
    ("P1", "treated", date(2024, 2, 29), True, 2008, 1.5),
    ("P2", "comparison", date(2024, 12, 1), False, 2009, -2.0),
    ("P3", "comparison", date(2024, 1, 31), None, None, None),
]
ARM = {"column": "groep", "values": {"deelnemer": "treated", "vergelijking": "comparison"}}


def make_plan(file: str, columns: dict[str, Any] | None = None, **more: Any) -> Plan:
    options = more.pop("options", {})
    source = {
        "persons": {"file": file, "columns": {"person_id": "pseudoniem", "arm": ARM, **(columns or {})}, **options}
    }
    source |= more.pop("source", {"events": "events.csv"})
    return Plan.model_validate(
        {
            "programme": "p",
            "title": "p",
            "design": "comparison_cohort",
            "source": source,
            "adjust_for": {"score": "numeric"},
            "outcomes": {"police_contact": {}},
            **more,
        }
    )


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "events.csv").write_text("person_id,event_type,event_date\nP1,police_contact,2024-03-01\n")
    return folder


NAMES = ("1", "2", "X", *(f"P{number}" for number in range(10)))
"""Persons as these tests deliver them."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path / "vault" / "p" / "q.duckdb") as connection:
        yield connection


def landed(connection: duckdb.DuckDBPyConnection, plan: Plan, delivery: Path) -> tuple[LandingReport, list[Any]]:
    report = land(connection, plan, delivery, QUARTER)
    rows = connection.sql(
        "select person_id, arm, index_date, linked, birth_year, score from landing.persons order by person_id"
    ).fetchall()
    return report, sorted(with_delivered_ids(connection, rows, NAMES), key=lambda row: str(row[0]))


def _text(value: Any, dates: str = "%Y-%m-%d", decimal: str = ".", truth: tuple[str, str] = ("true", "false")) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return truth[0] if value else truth[1]
    if isinstance(value, date):
        return value.strftime(dates)
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _csv(delimiter: str = ",", line_end: str = "\n", **form: Any) -> str:
    def cell(value: Any) -> str:
        text = _text(value, **form)
        quoted = text.replace('"', '""')
        return f'"{quoted}"' if any(sign in text for sign in (delimiter, '"', "\n")) else text

    return line_end.join(delimiter.join(map(cell, row)) for row in (HEADER, *ROWS)) + line_end


DIALECTS = {
    "comma": _csv().encode(),
    "no line end at the end": _csv().rstrip("\n").encode(),
    "utf-8 with mark": codecs.BOM_UTF8 + _csv().encode(),
    "semicolon, windows-1252": _csv(";", "\r\n", dates="%d-%m-%Y", decimal=",").encode("cp1252"),
    "tab, utf-16": _csv("\t", "\r\n").encode("utf-16"),
    "bar, utf-16 without mark": _csv("|").encode("utf-16-le"),
    "big-endian": codecs.BOM_UTF16_BE + _csv().encode("utf-16-be"),
    "old line ends": _csv(line_end="\r").encode(),
    "mixed line ends": _csv().replace("\n", "\r\n", 2).encode(),
    "slashes": _csv(dates="%d/%m/%Y").encode(),
    "short dates": _csv(dates="%-d-%-m-%Y").encode(),
    "compact dates": _csv(dates="%Y%m%d").encode(),
    "timestamps": _csv(dates="%Y-%m-%dT00:00:00.000Z").encode(),
    "dutch timestamps": _csv(dates="%d-%m-%Y 23:59").encode(),
    "ja and nee": _csv(truth=("ja", "Nee")).encode(),
    "J and N": _csv(truth=("J", "N")).encode(),
    "spaces and empty lines": _csv().replace("P2,", " P2 ,").replace("P3", "\n \n\u00a0P3").encode(),
    "excel says which": b"sep=;\r\n" + _csv(";", "\r\n").encode(),
    "empty rows below": _csv(";").encode() + b";;;;;;\n;;;;;;\n",
    "a delimiter at every end": _csv(";").replace("\n", ";\n").encode(),
    "rows end in one delimiter more": _csv(";").replace("\n", ";\n").replace(";\n", "\n", 1).encode(),
    "floats for integers": _csv().replace("2008", "2008.0").replace("2009", "2009.0").encode(),
    "missing token": _csv().replace("P3,vergelijking,2024-01-31,,,", "P3,vergelijking,2024-01-31,NA, NA ,NA").encode(),
    "a remark over two lines": _csv().replace("Wûnseradiel", '"eerste\nregel"').encode(),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_csv_dialects(vault: duckdb.DuckDBPyConnection, delivery: Path, dialect: str) -> None:
    (delivery / "personen.csv").write_bytes(DIALECTS[dialect])
    report, rows = landed(vault, make_plan("personen.csv"), delivery)
    assert rows == LANDED
    assert report.n_rejected == 0
    assert report.files[0].n_rows_read == 3


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("latin-1", ";"), ("utf-16", "\t"), ("windows-1252", "|"), ("utf-8", ",")]
)
def test_what_the_plan_says_is_believed(
    vault: duckdb.DuckDBPyConnection, delivery: Path, encoding: str, delimiter: str
) -> None:
    codec = {"windows-1252": "cp1252"}.get(encoding, encoding)
    text = "bron: ergens\n" + _csv(delimiter, dates="%m/%d/%Y", decimal=",") + "einde\n\n"
    (delivery / "personen.csv").write_bytes(text.encode(codec))
    options = {"encoding": encoding, "delimiter": delimiter, "decimal": ",", "date_format": "mm/dd/yyyy"}
    options |= {"skip_rows": 1, "skip_footer": 1}
    _, rows = landed(vault, make_plan("personen.csv", options=options), delivery)
    assert rows == LANDED


def _frame() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=list(HEADER), orient="row")


def _write_excel(path: Path, first_row: int = 1, sheet: str = "Blad1") -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    if sheet != "Blad1":
        page["A1"] = "uitleg"
        page = book.create_sheet(sheet)
    page.title = sheet
    for down, row in enumerate((HEADER, *ROWS)):
        for right, value in enumerate(row):
            page.cell(first_row + down, 2 + right, value)
    page.cell(first_row + 9, 2, " ")
    book.save(path)


def test_parquet(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    _frame().write_parquet(delivery / "personen.parquet")
    assert landed(vault, make_plan("personen.parquet"), delivery)[1] == LANDED


def test_parquet_with_other_types(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    _frame().with_columns(
        pl.col("index_date").cast(pl.Datetime),
        pl.col("birth_year").cast(pl.Float64),
        pl.col("groep").cast(pl.Categorical),
    ).write_parquet(delivery / "personen.parquet")
    assert landed(vault, make_plan("personen.parquet"), delivery)[1] == LANDED


@pytest.mark.parametrize("options", [{}, {"sheet": "Personen"}], ids=["first sheet", "named sheet"])
def test_excel(vault: duckdb.DuckDBPyConnection, delivery: Path, options: dict[str, str]) -> None:
    _write_excel(delivery / "personen.xlsx", first_row=4, sheet=options.get("sheet", "Blad1"))
    report, rows = landed(vault, make_plan("personen.xlsx", options=options), delivery)
    assert rows == LANDED
    assert report.files[0].n_rows_read == 3


def test_excel_rows_are_numbered_as_in_the_sheet(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    _write_excel(delivery / "personen.xlsx", first_row=4)
    plan = make_plan(
        "personen.xlsx", {"sex": {"column": "wijk", "values": {"Wûnseradiel": "x"}}}, expectations={"max_rejected": 1}
    )
    report, _ = landed(vault, plan, delivery)
    assert report.files[0].rejects[0].first_rows == (6, 7)


def _statistics_frame(*, codes: bool) -> pd.DataFrame:
    frame = pd.DataFrame(ROWS, columns=list(HEADER))
    frame["Linked"] = [1.0, 0.0, None]
    if codes:
        frame["groep"] = [1.0, 2.0, 2.0]
    return frame


@pytest.mark.parametrize("named_by", ["labels", "codes"])
def test_spss(vault: duckdb.DuckDBPyConnection, delivery: Path, named_by: str) -> None:
    labels = {"groep": {1.0: "deelnemer", 2.0: "vergelijking"}}
    pyreadstat.write_sav(_statistics_frame(codes=True), str(delivery / "p.sav"), variable_value_labels=labels)
    columns = {"arm": {**ARM, "values": {1: "treated", 2: "comparison"}}} if named_by == "codes" else {}
    assert landed(vault, make_plan("p.sav", columns), delivery)[1] == LANDED


def test_stata(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    frame = _statistics_frame(codes=False)
    frame["index_date"] = pd.to_datetime(frame["index_date"]).astype("datetime64[ns]")
    frame["groep"] = pd.Categorical(frame["groep"])
    frame.to_stata(delivery / "p.dta", write_index=False, convert_dates={"index_date": "td"})
    assert landed(vault, make_plan("p.dta"), delivery)[1] == LANDED


def test_numbers_that_a_program_wrote_as_floats_meet_their_key(
    vault: duckdb.DuckDBPyConnection, delivery: Path
) -> None:
    (delivery / "p.csv").write_text("person_id,arm,index_date,score\n1.0,1.0,2024-01-01,1\n2.0, 0,2024-01-01,2.0\n")
    (delivery / "events.csv").write_text("person_id,event_type,event_date\n1,police_contact,2024-01-05\n")
    plan = make_plan(
        "p.csv", {"person_id": "person_id", "arm": {"column": "arm", "values": {1: "treated", 0: "comparison"}}}
    )
    assert [row[:2] for row in landed(vault, plan, delivery)[1]] == [("1", "treated"), ("2", "comparison")]
    assert vault.sql("select event_day from landing.events").fetchall() == [(4,)]


def test_only_what_the_plan_needs_is_stored(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "personen.csv").write_text(_csv())
    land(vault, make_plan("personen.csv"), delivery, QUARTER)
    names = {row[0] for row in vault.sql("describe landing.persons").fetchall()}
    assert "wijk" not in names
    assert {"score", "site_id", "follow_up_days", "linked", "sex"} <= names
    land(vault, make_plan("personen.csv", subgroups=["wijk"]), delivery, QUARTER)
    assert ("wijk",) in vault.sql("select column_name from (describe landing.persons)").fetchall()
    text = "person_id,event_type,event_date,severity,remark\nP1,police_contact,2024-03-01,serious,x\n"
    (delivery / "events.csv").write_text(text)
    plan = make_plan("personen.csv", outcomes={"police_contact": {"where": {"severity": ["serious"]}}})
    land(vault, plan, delivery, QUARTER)
    names = {row[0] for row in vault.sql("describe landing.events").fetchall()}
    assert names == {"person_id", "event_type", "event_date", "event_day", "decided_on", "severity"}
    assert vault.sql("select * from landing.absences").fetchall() == []
    assert vault.sql("select * from landing.person_counts").fetchall() == []


def test_event_days(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "personen.csv").write_text(_csv())
    (delivery / "events.csv").write_text(
        "person_id,event_type,event_date,event_day\n"
        "P1,police_contact,2024-03-01,\nP1,police_contact,2024-02-28,77\nP2,police_contact,,12\nX,police_contact,2024-01-01,\n"
    )
    land(vault, make_plan("personen.csv"), delivery, QUARTER)
    days = vault.sql("select person_id, event_day from landing.events").fetchall()
    assert with_delivered_ids(vault, days, NAMES) == [("P1", 1), ("P1", -1), ("P2", 12), ("X", None)]


def test_files_and_hash_are_on_record(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "personen.csv").write_text(_csv())
    first = land(vault, make_plan("personen.csv"), delivery, QUARTER)
    rows = vault.sql("select table_name, n_rows_read, n_rows_kept, n_rejected, sha256 from landing.files").fetchall()
    assert rows == [(file.table, file.n_rows_read, file.n_rows_kept, 0, file.sha256) for file in first.files]
    assert land(vault, make_plan("personen.csv"), delivery, QUARTER) == first
    (delivery / "personen.csv").write_text(_csv().replace("1.5", "1.6"))
    assert land(vault, make_plan("personen.csv"), delivery, QUARTER).delivery_hash != first.delivery_hash


def _area_plan(source: dict[str, Any], **more: Any) -> Plan:
    content = {"programme": "p", "title": "p", "design": "staggered_areas", "source": source}
    return Plan.model_validate({**content, "outcomes": {"fraud": {"event": "Bedrog"}}, **more})


def test_statline_export(vault: duckdb.DuckDBPyConnection, delivery: Path, shared_data: Path) -> None:
    """A real StatLine export per province, year and kind of offence."""
    folder = shared_data / "nl_cbs_misdrijven"
    text = (folder / "cbs_misdrijven_provincie_jaar_soort.csv").read_bytes()
    (delivery / "counts.csv").write_bytes(text)
    (delivery / "areas.csv").write_text("area_id;adopted_period\nDrenthe (PV);2015\nGroningen (PV);\n")
    columns = {"area_id": "RegioS", "period": "Perioden", "outcome": "SoortMisdrijf"}
    columns["count"] = "TotaalGeregistreerdeMisdrijven_1"
    plan = _area_plan({"areas": "areas.csv", "area_counts": {"file": "counts.csv", "columns": columns}})
    report = land(vault, plan, delivery, QUARTER)
    assert [file.n_rows_kept for file in report.files] == [2, 2002]
    first = vault.sql("select area_id, period, outcome, count from landing.area_counts limit 1").fetchall()
    assert first == [("Drenthe (PV)", "2010", "Bedrog", 1730)]
    assert vault.sql("select adopted_period from landing.areas").fetchall() == [("2015",), (None,)]


def test_statline_export_with_title_lines_and_footer(
    vault: duckdb.DuckDBPyConnection, delivery: Path, shared_data: Path
) -> None:
    """Five title lines, a footer, and municipalities, police regions and the country in one column."""
    text = (shared_data / "nl_cbs_misdrijven" / "misdrijven_gemeente_2024.csv").read_bytes()
    (delivery / "gemeenten.csv").write_bytes(text)
    (delivery / "counts.csv").write_text("area_id,period,outcome,count\nx,2024,fraud,1\n")
    source = {
        "areas": {
            "file": "gemeenten.csv",
            "columns": {
                "area_id": "Regio's",
                "adopted_period": {"column": "Regio's", "values": {"Utrecht (gemeente)": "2024"}},
            },
            "skip_rows": 5,
            "skip_footer": 1,
        },
        "area_counts": "counts.csv",
    }
    plan = _area_plan(source, adjust_for={"aantal": "numeric"}, expectations={"max_rejected": 1})
    report = land(vault, plan, delivery, QUARTER)
    assert report.files[0].n_rows_read == 356
    source["areas"]["columns"].pop("adopted_period")
    source["areas"]["columns"]["adopted_on"] = {"column": "aantal", "values": {"805559": "2020-01-01"}}
    plan = _area_plan(source, adjust_for={"aantal": "numeric"}, expectations={"max_rejected": 1})
    land(vault, plan, delivery, QUARTER)
    assert vault.sql("select area_id, aantal, adopted_on from landing.areas").fetchall() == [
        ("Nederland", 805559.0, date(2020, 1, 1))
    ]


def test_police_export(vault: duckdb.DuckDBPyConnection, delivery: Path, shared_data: Path) -> None:
    """A real police export: 28 columns, J/N flags, timestamps, 19 cells over two lines, no identifiers."""
    text = (shared_data / "groningen_bikes" / "groningen_events_first_2000.csv").read_bytes()
    (delivery / "events.csv").write_bytes(text)
    (delivery / "personen.csv").write_text(_csv())
    columns = {
        "person_id": "Bronregistratie",
        "event_type": {"column": "Incidentsoort", "values": {"Diefstal Fiets": "police_contact"}},
        "event_date": "Begin-pleegdatum/tijd",
        "attempt": {"column": "Poging", "values": {"J": "yes", "N": "no"}},
    }
    plan = make_plan(
        "personen.csv",
        source={"events": {"file": "events.csv", "columns": columns}},
        outcomes={"police_contact": {"where": {"attempt": ["no"]}}},
    )
    report = land(vault, plan, delivery, QUARTER)
    assert report.files[1].n_rows_kept == 1981  # 2,000 lines after the header, less the 19 inside cells
    found = vault.sql("select event_type, event_date, attempt from landing.events limit 1").fetchall()
    assert found == [("police_contact", datetime(2017, 9, 20).date(), "no")]
