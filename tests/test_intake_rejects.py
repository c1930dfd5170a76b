"""Rejected rows are counted by reason and row, refused deliveries say why, and no cell is ever quoted."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from pseudonyms import with_delivered_ids

from effectmeter.errors import DeliveryError, IdentifierError
from effectmeter.identifiers import passes_eleven_test
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.connection import open_vault, scratch_of
from vault.intake import delivered, land

QUARTER = Quarter(2026, 3)
HEADER = "person_id,arm,index_date,linked,birth_year,follow_up_days,score,sex"
GOOD = "P0,treated,2024-01-01,true,2008,365,1.5,m"
SECRET = "Geheim-4711"


def make_plan(file: str = "persons.csv", max_rejected: float = 1.0, **more: Any) -> Plan:
    columns = {"sex": {"column": "sex", "values": {"m": "male", "v": "female"}}}
    content = {
        "programme": "p",
        "title": "p",
        "design": "comparison_cohort",
        "source": {"persons": {"file": file, "columns": columns}, "events": "events.csv"},
        "adjust_for": {"score": "numeric"},
        "outcomes": {"police_contact": {}},
        "expectations": {"max_rejected": max_rejected},
    }
    return Plan.model_validate({**content, **more})


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "events.csv").write_text("person_id,event_type,event_date\nP0,police_contact,2024-03-01\n")
    return folder


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path / "vault" / "p" / "q.duckdb") as connection:
        yield connection


def rejects(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str | None, str]]:
    return connection.sql("select table_name, row_number, column_name, reason from landing.rejects").fetchall()


ROWS_AT_FAULT = {
    "no person": (GOOD.replace("P0", " "), "person_id", "missing key"),
    "person is a missing token": (GOOD.replace("P0", "NA"), "person_id", "missing key"),
    "no arm": (GOOD.replace("treated", ""), "arm", "empty required cell"),
    "no such day": (GOOD.replace("2024-01-01", "31-02-2024"), "index_date", "not a date between 1900 and 2100"),
    "not a leap year": (GOOD.replace("2024-01-01", "2023-02-29"), "index_date", "not a date between 1900 and 2100"),
    "year 0026": (GOOD.replace("2024-01-01", "0026-01-01"), "index_date", "not a date between 1900 and 2100"),
    "two-digit year": (GOOD.replace("2024-01-01", "01-01-24"), "index_date", "not a date between 1900 and 2100"),
    "month first": (GOOD.replace("2024-01-01", "01/31/2024"), "index_date", "not a date between 1900 and 2100"),
    "words for a date": (GOOD.replace("2024-01-01", "onbekend"), "index_date", "not a date between 1900 and 2100"),
    "no yes or no": (GOOD.replace("true", "misschien"), "linked", "not a yes or no"),
    "no year": (GOOD.replace("2008", "208"), "birth_year", "not a year between 1900 and 2100"),
    "no whole number": (GOOD.replace("365", "365.5"), "follow_up_days", "not a whole number"),
    "no number": (GOOD.replace("1.5", "veel"), "score", "not a number"),
    "infinite": (GOOD.replace("1.5", "1e999"), "score", "not a number"),
    "not in the value set": (GOOD.replace(",m", ",x"), "sex", "value not in the plan's value set"),
    "no time zero": (
        GOOD.replace("2024-01-01", "").replace("365", ""),
        "index_date or follow_up_days",
        "empty required cell",
    ),
    "a column too few": ("P9,treated,2024-01-01,true,2008,365,1.5", None, "wrong number of columns"),
    "a column too many": (GOOD + ",x", None, "wrong number of columns"),
    "many columns too many": (GOOD + ",x,y,z,w", None, "wrong number of columns"),
    "an unterminated quote": (GOOD.replace("true", '"true'), None, "quotes do not pair up"),
}


@pytest.mark.parametrize("case", ROWS_AT_FAULT)
def test_a_row_at_fault_is_rejected_alone(vault: duckdb.DuckDBPyConnection, delivery: Path, case: str) -> None:
    row, column, reason = ROWS_AT_FAULT[case]
    good = [GOOD.replace("P0", f"P{number}") for number in (1, 2, 3)]
    (delivery / "persons.csv").write_text("\n".join([HEADER, GOOD, good[0], "", row, *good[1:]]) + "\n")
    report = land(vault, make_plan(), delivery, QUARTER)
    assert [each for each in rejects(vault) if each[0] == "persons"] == [("persons", 5, column, reason)]
    persons = vault.sql("select person_id from landing.persons").fetchall()
    names = ("P0", "P1", "P2", "P3")
    assert with_delivered_ids(vault, persons, names) == [(name,) for name in names]
    assert (report.files[0].n_rows_read, report.files[0].n_rows_kept) == (5, 4)


def test_a_missing_token_in_a_covariate_is_no_reject(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text(f"{HEADER}\n{GOOD.replace('1.5', ' -9 ')}\n")
    land(vault, make_plan(missing={"tokens": ["-9"]}), delivery, QUARTER)
    assert vault.sql("select score, sex from landing.persons").fetchall() == [(None, "male")]


def test_rows_between_two_stray_quotes_are_not_lost(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    rows = [GOOD.replace("P0", f"P{number}") for number in range(2000)]
    rows[10] = rows[10].replace("true", '"true')
    rows[1500] = rows[1500].replace("true", 'true"')
    rows[1700] += ",extra,extra"
    (delivery / "persons.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    report = land(vault, make_plan(), delivery, QUARTER)
    assert report.files[0].n_rows_kept == 1997
    assert [row for _, row, _, _ in rejects(vault)] == [12, 1502, 1702]
    assert vault.sql("select count(distinct person_id) from landing.persons").fetchall() == [(1997,)]


def test_row_numbers_count_lines_in_cells(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    lines = [HEADER + ",remark", GOOD + ',"een\ntwee\n\ndrie"', GOOD + ",x,y,z", GOOD.replace("treated", "") + ",x"]
    (delivery / "persons.csv").write_text("\n".join(lines) + "\n")
    land(vault, make_plan(), delivery, QUARTER)
    assert [row for table, row, _, _ in rejects(vault) if table == "persons"] == [6, 7]


def test_who_is_rejected_takes_their_events_along(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text(f"{HEADER}\n{GOOD}\n{GOOD.replace('P0', 'P1').replace('1.5', 'x')}\n")
    (delivery / "events.csv").write_text(
        "person_id,event_type,event_date\nP1,police_contact,2024-03-01\nP0,police_contact,2024-03-02\n"
    )
    land(vault, make_plan(max_rejected=0.5), delivery, QUARTER)
    persons = vault.sql("select person_id from landing.events").fetchall()
    assert with_delivered_ids(vault, persons, ["P0", "P1"]) == [("P0",)]
    assert rejects(vault)[1] == ("events", 2, "person_id", "the person's own row was rejected")


def test_too_many_rejects_refuse_the_delivery_and_leave_the_last(
    vault: duckdb.DuckDBPyConnection, delivery: Path
) -> None:
    path = delivery / "persons.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    land(vault, make_plan(max_rejected=0.25), delivery, QUARTER)
    bad = [GOOD.replace("1.5", SECRET), GOOD.replace("2024", SECRET), GOOD.replace("1.5", SECRET)]
    path.write_text("\n".join([HEADER, GOOD, *bad]) + "\n")
    with pytest.raises(DeliveryError) as caught:
        land(vault, make_plan(max_rejected=0.25), delivery, QUARTER)
    text = str(caught.value)
    assert "3 of 4 rows" in text
    assert "score: not a number, 2 rows (first: 3, 5)" in text
    assert "index_date: not a date" in text
    assert "25.00%" in text
    assert SECRET not in text
    assert vault.sql("select count(*) from landing.persons").fetchall() == [(1,)]
    assert vault.sql("select name from (show all tables) where temporary").fetchall() == []


def test_exactly_the_allowed_share_passes(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    rows = [GOOD] * 199 + [GOOD.replace("1.5", "x")]
    (delivery / "persons.csv").write_text("\n".join([HEADER, *rows]))
    land(vault, make_plan(max_rejected=0.005), delivery, QUARTER)
    (delivery / "persons.csv").write_text("\n".join([HEADER, *rows[1:]]))
    with pytest.raises(DeliveryError, match="1 of 199"):
        land(vault, make_plan(max_rejected=0.005), delivery, QUARTER)


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b"\n \n\n", "no header"),
    "header only": (HEADER.encode() + b"\n", "no rows"),
    "double header": (f"{HEADER},arm\n{GOOD},x\n".encode(), "twice: arm"),
    "header doubled but for capitals": (
        f"{HEADER},Score,SCORE\n{GOOD},1,2\n".replace("score,", "", 1).encode(),
        "capitals",
    ),
    "nul bytes": (f"{HEADER}\n{GOOD}\0\n".encode(), "NUL"),
    "unknown encoding": (f"{HEADER}\n{GOOD}".encode() + b"\x81\x8d\xff\n", "encoding"),
    "missing column": (f"{HEADER}\n{GOOD}\n".replace("arm", "arms").encode(), "arm; near misses: arms"),
    "no time zero column": (
        f"{HEADER}\n{GOOD}\n".replace("index_date", "a").replace("follow_up_days", "b").encode(),
        "none of index_date, follow_up_days",
    ),
    "a workbook": (b"PK\x03\x04" + b"0" * 100, "content is excel"),
    "a parquet file": (b"PAR1" + b"0" * 100, "content is parquet"),
    "two ways to read numbers": (
        f"{HEADER}\n".encode() + GOOD.replace("1.5", '"1,500"').encode() + b"\n",
        "two ways",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_files(vault: duckdb.DuckDBPyConnection, delivery: Path, case: str) -> None:
    content, words = REFUSED[case]
    (delivery / "persons.csv").write_bytes(content)
    with pytest.raises(DeliveryError, match=words) as caught:
        land(vault, make_plan(), delivery, QUARTER)
    assert caught.value.next_step
    assert not list(scratch_of(vault).iterdir())


@pytest.mark.parametrize("name", ["persons.parquet", "persons.xlsx", "persons.xls", "persons.sav", "persons.dta"])
def test_damaged_files_are_refused_without_their_librarys_words(
    vault: duckdb.DuckDBPyConnection, delivery: Path, name: str
) -> None:
    starts = {".parquet": b"PAR1", ".xlsx": b"PK\x03\x04", ".xls": b"\xd0\xcf\x11\xe0", ".sav": b"$FL2", ".dta": b"s"}
    (delivery / name).write_bytes(starts[Path(name).suffix] + SECRET.encode() * 50)
    with pytest.raises(DeliveryError) as caught:
        land(vault, make_plan(name), delivery, QUARTER)
    assert "cannot be read" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "Persoons.csv").write_text(f"{HEADER}\n{GOOD}\n")
    with pytest.raises(DeliveryError, match=r"persons\.csv .* was not delivered.*Persoons\.csv") as caught:
        land(vault, make_plan(), delivery, QUARTER)
    assert str(delivery) in str(caught.value)
    with pytest.raises(DeliveryError, match="no delivery for this quarter"):
        land(vault, make_plan(), delivery / "elsewhere", QUARTER)
    with pytest.raises(DeliveryError, match="not read"):
        (delivery / "persons.ods").write_text("x")
        land(vault, make_plan("persons.ods"), delivery, QUARTER)


def test_a_link_out_of_the_delivery_is_refused(
    vault: duckdb.DuckDBPyConnection, delivery: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(f"{HEADER}\n{GOOD}\n")
    (delivery / "persons.csv").symlink_to(outside)
    with pytest.raises(DeliveryError, match="outside the delivery folder"):
        land(vault, make_plan(), delivery, QUARTER)
    for name in ("../outside.csv", str(outside), "..\\outside.csv", "sub/../../outside.csv"):
        with pytest.raises(DeliveryError, match="outside the delivery folder"):
            delivered.find_all(delivery, {"persons": make_plan().source["persons"].model_copy(update={"file": name})})


def test_a_workbook_that_unpacks_to_too_much(
    vault: duckdb.DuckDBPyConnection, delivery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivered, "_MOST_UNPACKED_BYTES", 100_000)
    with zipfile.ZipFile(delivery / "persons.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    with pytest.raises(DeliveryError, match="unpacks to more"):
        land(vault, make_plan("persons.xlsx"), delivery, QUARTER)


def test_a_sheet_that_is_not_there(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    pl.DataFrame({"a": [1]}).write_excel(delivery / "persons.xlsx", worksheet="Personen")
    source = {"persons": {"file": "persons.xlsx", "sheet": "personnen"}, "events": "events.csv"}
    with pytest.raises(DeliveryError, match="no sheet 'personnen'; this is there: Personen"):
        land(vault, make_plan(source=source), delivery, QUARTER)


def test_a_file_replaced_while_it_is_read(
    vault: duckdb.DuckDBPyConnection, delivery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = delivery / "persons.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    honest = delivered.sha256_of

    def replaced_after(each: Path) -> str:
        digest = honest(each)
        if each == path:
            path.write_text(f"{HEADER}\n{GOOD}\n{GOOD}\n")
        return digest

    monkeypatch.setattr(delivered, "sha256_of", replaced_after)
    with pytest.raises(DeliveryError, match="replaced while it was being read"):
        land(vault, make_plan(), delivery, QUARTER)
    assert vault.sql("select * from (show all tables) where schema = 'landing'").fetchall() == []


BSNS = [str(number) for number in range(123_000_000, 123_000_400) if passes_eleven_test(str(number))]
IDENTIFIERS = {
    "bsn in a column nobody asked for": ("nummer", BSNS, "citizen service number"),
    "e-mail": ("contact", ["iemand@example.org"] * len(BSNS), "e-mail"),
    "birth date by name": ("Geboortedatum", ["01-02-2009"] * len(BSNS), "full birth date"),
    "birth date by its values": ("gd", [f"{n % 27 + 1:02d}-03-{2006 + n % 6}" for n in range(len(BSNS))], "birth date"),
    "name": ("Voornaam", ["Sanne"] * len(BSNS), "name of a person"),
    "postcode": ("gebied", ["9711 AB"] * len(BSNS), "postcode"),
}


@pytest.mark.parametrize("case", IDENTIFIERS)
def test_direct_identifiers_are_refused_and_not_stored(
    vault: duckdb.DuckDBPyConnection, delivery: Path, tmp_path: Path, case: str
) -> None:
    column, values, kind = IDENTIFIERS[case]
    rows = [f"{GOOD.replace('P0', f'P{number}')},{value}" for number, value in enumerate(values)]
    (delivery / "persons.csv").write_text("\n".join([f"{HEADER},{column}", *rows]))
    with pytest.raises(IdentifierError) as caught:
        land(vault, make_plan(), delivery, QUARTER)
    text = str(caught.value)
    assert f"column '{column}'" in text
    assert kind in text
    assert not any(value in text for value in values)
    vault.execute("checkpoint")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "vault").rglob("*") if path.is_file())
    assert not any(value.encode() in stored for value in values)


def test_identifiers_are_named_before_missing_columns(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text("naam\nSanne\n")
    with pytest.raises(IdentifierError, match="'naam'"):
        land(vault, make_plan(), delivery, QUARTER)


def test_a_birth_date_is_no_birth_year(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text(f"{HEADER}\n{GOOD.replace('2008', '2008-03-01')}\n")
    with pytest.raises(IdentifierError, match="'birth_year' holds a full birth date"):
        land(vault, make_plan(), delivery, QUARTER)


def test_dates_of_care_are_no_birth_dates(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    rows = [f"{GOOD},{2018 + n % 6}-0{n % 9 + 1}-11,{20180101 + n % 6 * 10_000}" for n in range(40)]
    (delivery / "persons.csv").write_text("\n".join([f"{HEADER},aanmelding,intake", *rows]))
    assert land(vault, make_plan(), delivery, QUARTER).files[0].n_rows_kept == 40


def test_a_file_without_header_is_not_quoted(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text(f"P0,arm@huis.nl,123456782\nP1,arm2@huis.nl,{SECRET}\n")
    with pytest.raises(DeliveryError) as caught:
        land(vault, make_plan(), delivery, QUARTER)
    assert not any(word in str(caught.value) for word in ("huis", "123456782", SECRET))


def test_before_after_without_an_arm_is_all_treated(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    (delivery / "persons.csv").write_text("person_id,family_id\n1,F1\n2,F1\n")
    (delivery / "counts.csv").write_text("person_id;period;count;days\n1;before;3;365\n1;after;1.0;365\n")
    source = {"persons": "persons.csv", "person_counts": "counts.csv"}
    plan = make_plan(design="before_after", source=source, adjust_for={}, outcomes={"contact": {}})
    land(vault, plan, delivery, QUARTER)
    assert vault.sql("select distinct arm from landing.persons").fetchall() == [("treated",)]
    counts = vault.sql("select period, outcome, count, days from landing.person_counts").fetchall()
    assert counts == [("before", "contact", 3, 365), ("after", "contact", 1, 365)]


def test_arms_go_by_their_names_whatever_the_capitals(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    rows = [GOOD, GOOD.replace("treated", "Comparison"), GOOD.replace("treated", "elsewhere")]
    (delivery / "persons.csv").write_text("\n".join([HEADER, *rows]))
    land(vault, make_plan(), delivery, QUARTER)
    # an arm that the plan does not know is for the expectations to report
    assert vault.sql("select arm from landing.persons").fetchall() == [("treated",), ("comparison",), ("elsewhere",)]


def test_a_folder_with_odd_signs(vault: duckdb.DuckDBPyConnection, delivery: Path) -> None:
    odd = delivery.parent / "a [b]* c?"
    shutil.copytree(delivery, odd)
    (odd / "persons [1].csv").write_text(f"{HEADER}\n{GOOD}\n")
    assert land(vault, make_plan("persons [1].csv"), odd, QUARTER).files[0].n_rows_kept == 1
    pl.DataFrame([GOOD.split(",")], schema=HEADER.split(","), orient="row").write_parquet(odd / "persons*.parquet")
    assert land(vault, make_plan("persons*.parquet"), odd, QUARTER).files[0].n_rows_kept == 1
