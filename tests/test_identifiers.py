"""Direct identifiers: what raises the alarm, what must not, and that the SQL counts as the plain reference does."""

from __future__ import annotations

from dataclasses import astuple, fields

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effectmeter.identifiers import BSN_WEIGHTS, SHAPE_PATTERNS, ShapeCounts, count_shapes, judge, passes_eleven_test
from sql import statement

BSNS = [str(number) for number in range(123_000_000, 123_002_000) if passes_eleven_test(str(number))]
SHORT_BSNS = [str(number) for number in range(34_567_000, 34_568_000) if passes_eleven_test(str(number))]

IDENTIFYING = {
    "bsn": ("nummer", BSNS[:40], "citizen service number (BSN)"),
    "bsn, three rows": ("nummer", BSNS[:3], "citizen service number (BSN)"),
    "bsn among words": ("nummer", [*BSNS[:30], "onbekend", "n.v.t."], "citizen service number (BSN)"),
    "bsn with dots": ("x", [f"{b[:4]}.{b[4:6]}.{b[6:]}" for b in BSNS[:12]], "citizen service number (BSN)"),
    "bsn that lost its zero": ("x", SHORT_BSNS[:12], "citizen service number (BSN)"),
    "bsn half wrong": ("x", [*BSNS[:10], *map(str, range(200_000_001, 200_000_009))], "citizen service number (BSN)"),
    "bsn in a text": ("toelichting", ["gezien", f"zie BSN {BSNS[0]} in dossier"], "citizen service number (BSN)"),
    "bsn by name": ("BSN", ["123456789"], "citizen service number (BSN)"),
    "e-mail": ("contact", ["geen", "j.jansen+werk@politie.example.nl"], "e-mail address"),
    "iban": ("rek", ["NL91 ABNA 0417 1643 00"], "IBAN"),
    "iban in text": ("rek", ["op NL91ABNA0417164300 gestort", "geen"], "IBAN"),
    "mobile": ("nr", ["0612345678", "0687654321", "geen"], "phone number"),
    "mobile, country code": ("nr", ["x", *["geen"] * 3, "y", "z", "+31 6 12345678"], "phone number"),
    "landline": ("nr", ["050-1234567", "0592-123456"], "phone number"),
    "phone in text": ("opmerking", [*"abcdefghij", "bel 0612345678, na vijf"], "phone number"),
    "postcode": ("gebied", ["9711 AB", "9712cd", "1012 WX"], "six-character postcode"),
    "birth date by name": ("Geboortedatum", ["01-02-2009"], "full birth date"),
    "date of birth": ("date_of_birth", ["2009-02-01"], "full birth date"),
    "name": ("Achternaam", ["de Vries"], "name of a person"),
    "name of a client": ("naam_cliënt", ["Sanne"], "name of a person"),
    "address": ("Woonadres", ["Dorpsstraat 1"], "address"),
}

HARMLESS = {
    "numbered pseudonyms": ("person_id", [str(number) for number in range(100_000_000, 100_000_500)]),
    "one nine-digit number among words": ("kenmerk", [BSNS[0], "a", "b", "c"]),
    "random hashes": ("person_id", [f"{number:016x}" for number in range(10**15, 10**15 + 10**13, 10**11)]),
    "compact dates": ("datum", [f"2024{month:02d}{day:02d}" for month in range(1, 13) for day in range(1, 29)]),
    "compact dutch dates": ("datum", [f"{day:02d}{month:02d}2024" for month in range(1, 13) for day in range(1, 29)]),
    "police case numbers": ("Bronregistratie", ["PL0100_BVH_2017250824", "PL0100_BVH_2017250495"]),
    "court case numbers": ("parket", ["06-123456-20", "18/123457-21", "05-654321-19"]),
    "places": ("Pleegplaats", ["Groningen", "Haren"]),
    "year of birth under its date's name": ("geboortedatum", ["2009", "2010"]),
    "empty name": ("naam", ["", None, " "]),
    "site name": ("site_name", ["De Schans"]),
    "four-digit postcodes": ("postcode", ["9711", "9712"]),
    "a postcode-like code now and then": ("code", ["1234 AB", *"abcdef"]),
    "ten-digit pseudonyms": ("id", [f"{number:010d}" for number in range(0, 10**10, 10**8 + 7)]),
    "follow-up days": ("follow_up_days", ["365", "730"]),
    "decimals": ("score", ["0.612345678", "1234567.89"]),
}


@pytest.mark.parametrize("case", IDENTIFYING)
def test_identifiers_raise_the_alarm(case: str) -> None:
    column, values, kind = IDENTIFYING[case]
    assert judge(column, count_shapes(values)) == kind


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_no_identifier_does_not(case: str) -> None:
    column, values = HARMLESS[case]
    assert judge(column, count_shapes(values)) is None


def test_an_area_may_have_a_name_but_no_e_mail_address() -> None:
    assert judge("naam", count_shapes(["Korrewegwijk"]), is_about_persons=False) is None
    assert judge("naam", count_shapes(["wijk@gemeente.nl"]), is_about_persons=False) == "e-mail address"


def test_one_random_number_in_eleven_passes_the_eleven_test() -> None:
    n_passed = sum(passes_eleven_test(str(number)) for number in range(100_000_000, 100_011_000))
    assert n_passed == pytest.approx(1000, abs=20)


def _count_in_sql(values: list[str | None]) -> tuple[int, ...]:
    with duckdb.connect() as connection:
        connection.execute("create table delivered (c0 varchar)")
        connection.execute("insert into delivered select unnest($values::varchar[])", {"values": values})
        query = statement("landing/identifier_counts").replace("{table}", "delivered").replace("{columns}", "c0")
        parameters = {**SHAPE_PATTERNS, "weights": list(BSN_WEIGHTS)}
        rows = connection.sql(query, params=parameters).fetchall()
        return tuple(map(int, rows[0][1:])) if rows else (0,) * len(fields(ShapeCounts))


@pytest.mark.parametrize("case", [*IDENTIFYING, *HARMLESS])
def test_sql_counts_as_the_reference(case: str) -> None:
    values = (IDENTIFYING.get(case) or HARMLESS[case])[1]
    assert _count_in_sql(list(values)) == astuple(count_shapes(values))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="0123456789 .-+@ABSNbsnl:/", max_size=18), min_size=1, max_size=30))
def test_sql_counts_as_the_reference_on_anything(values: list[str]) -> None:
    stripped = [value.strip() for value in values]
    assert _count_in_sql(list(stripped)) == astuple(count_shapes(stripped))
