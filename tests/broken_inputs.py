"""Broken deliveries, made by mutating good ones: one per design, several hundred ways to spoil them.

Every value that a refusal must not repeat holds the word in `CANARY`, or stands in `Case.secrets`. What each case must
come to is in `Case.expected`. Broken plans are in `broken_plans`; who runs the cases: ``test_broken_deliveries.py``
and ``benchmarks/broken.py``.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

CANARY = "kanarie"
Expected = Literal["intake", "checks", "accepted"]
"""Refused by the intake, refused by a blocking check, or taken as it is."""
Rows = list[list[str]]
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """One spoiled delivery.

    Attributes
    ----------
    write
        Puts the delivery in a folder; returns what it changes in the plan.
    secrets
        Texts, besides those with the canary, that no output may hold.
    """

    name: str
    design: str
    expected: Expected
    plan: Mapping[str, Any]
    write: Callable[[Path], None]
    secrets: tuple[str, ...] = field(default=())


# ---- good deliveries --------------------------------------------------------------------------------------------


def table(rows: Sequence[Sequence[Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def rows_of(content: bytes) -> Rows:
    return list(csv.reader(io.StringIO(content.decode())))


def person_rows() -> Rows:
    generator = random.Random(1)
    header = ["person_id", "arm", "index_date", "birth_year", "sex", "site_id", "score"]
    return [header] + [
        [
            f"{CANARY}-{chr(97 + n % 26)}{n:03d}",
            "treated" if n % 2 else "comparison",
            f"202{3 + n % 2}-{1 + n % 12:02d}-{1 + n % 27:02d}",
            str(2005 + n % 6),
            "mv"[n % 3 == 0],
            f"huis-{CANARY}-{n % 4}",
            f"{generator.gauss(10, 2):.2f}",
        ]
        for n in range(80)
    ]


def event_rows(persons: Rows) -> Rows:
    rows = [["person_id", "event_type", "event_date", "severity"]]
    for n, person in enumerate(persons[1:]):
        if n % 3:
            year, month, _ = person[2].split("-")
            rows.append([person[0], "police_contact", f"{int(year) + 1}-{month}-11", "serious" if n % 2 else "light"])
    return rows


def _good() -> dict[str, tuple[dict[str, Any], str, Files]]:
    """Return per design the plan, the name of the main file, and the files."""
    persons = person_rows()
    people = [["person_id", "arm"], *([f"{CANARY}-{n:03d}", "treated"] for n in range(40))]
    counts = [["person_id", "period", "outcome", "days", "count"]] + [
        [row[0], period, "police_contact", "365", str((n + bool(period == "before")) % 4)]
        for n, row in enumerate(people[1:])
        for period in ("before", "after")
    ]
    areas = [["area_id", "adopted_on"]] + [
        [f"{CANARY}dorp {chr(65 + n)}", f"{2015 + n % 3}-01-01" if n % 2 else ""] for n in range(16)
    ]
    area_counts = [["area_id", "period", "outcome", "population", "count"]] + [
        [row[0], str(year), "suspects", str(9000 + 100 * n), str(40 + (7 * n + year) % 13)]
        for n, row in enumerate(areas[1:])
        for year in range(2010, 2021)
    ]
    series = [["period", "outcome", "is_control", "count"]] + [
        [f"{year}-{month:02d}", "parcels", "false", str(60 + (month * 5 + year) % 17)]
        for year in range(2018, 2024)
        for month in range(1, 13)
    ]
    trials = [["trial_id", "events_treated", "n_treated", "events_comparison", "n_comparison"]] + [
        [f"{CANARY.title()} ({1970 + n})", str(10 + n), str(40 + 2 * n), str(8 + n), str(41 + n)] for n in range(9)
    ]
    return {
        "comparison_cohort": (
            {
                "source": {
                    "persons": {
                        "file": "personen.csv",
                        "columns": {"sex": {"column": "sex", "values": {"m": "male", "v": "female"}}},
                    },
                    "events": "gebeurtenissen.csv",
                },
                "adjust_for": {"score": "numeric", "sex": "categorical"},
                "cluster": "site_id",
                "outcomes": {"police_contact": {"measures": ["risk_ratio"]}},
            },
            "personen.csv",
            {"personen.csv": table(persons), "gebeurtenissen.csv": table(event_rows(persons))},
        ),
        "before_after": (
            {
                "source": {"persons": "personen.csv", "person_counts": "tellingen.csv"},
                "outcomes": {"police_contact": {"measures": ["rate_ratio"]}},
            },
            "tellingen.csv",
            {"personen.csv": table(people), "tellingen.csv": table(counts)},
        ),
        "staggered_areas": (
            {
                "source": {"areas": "gebieden.csv", "area_counts": "aantallen.csv"},
                "outcomes": {"suspects": {"measures": ["rate_ratio"]}},
            },
            "aantallen.csv",
            {"gebieden.csv": table(areas), "aantallen.csv": table(area_counts)},
        ),
        "interrupted_series": (
            {
                "source": {"series": "reeks.csv"},
                "series": {"start": "2021-01"},
                "outcomes": {"parcels": {"measures": ["level_ratio"]}},
            },
            "reeks.csv",
            {"reeks.csv": table(series)},
        ),
        "pooled_trials": (
            {
                "source": {"trials": "onderzoeken.csv"},
                "trials": {"measure": "odds_ratio"},
                "outcomes": {"reoffending": {"measures": ["odds_ratio"]}},
            },
            "onderzoeken.csv",
            {"onderzoeken.csv": table(trials)},
        ),
    }


GOOD = _good()


def plan_of(design: str, programme: str, **more: Any) -> dict[str, Any]:
    """Return a good plan of a design."""
    content, _, _ = GOOD[design]
    return {"programme": programme, "title": programme, "design": design, **content, **more}


# ---- one file, spoiled as bytes or as rows ----------------------------------------------------------------------


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _with(change: Callable[[Rows], Any]) -> Callable[[bytes], bytes]:
    """Make a change to rows one to a file."""

    def spoil(content: bytes) -> bytes:
        rows = rows_of(content)
        changed = change(rows)
        return table(rows if changed is None else changed)

    return spoil


def _cell(value: str, row: int = 3, column: int = -1) -> Callable[[bytes], bytes]:
    def change(rows: Rows) -> None:
        rows[row][column] = value

    return _with(change)


def _column(value: str, column: int = -1) -> Callable[[bytes], bytes]:
    def change(rows: Rows) -> None:
        for row in rows[1:]:
            row[column] = value

    return _with(change)


def _extra(name: str, value: str) -> Callable[[bytes], bytes]:
    return _with(lambda rows: [[*rows[0], name], *([*row, value] for row in rows[1:])])


def _header(change: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    return _with(lambda rows: [change(rows[0]), *rows[1:]])


def _redelimited(delimiter: str) -> Callable[[bytes], bytes]:
    return lambda content: (
        table(rows_of(content), delimiter) if len(delimiter) == 1 else content.replace(b",", delimiter.encode())
    )


def _recoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda content: content.decode().encode(encoding)


LOOK_ALIKE = str.maketrans("aeopcx", "аеорсх")
EVERY_FILE: dict[str, tuple[Callable[[bytes], bytes], Expected]] = {
    "as it should be": (lambda b: b, "accepted"),
    "empty": (lambda b: b"", "intake"),
    "spaces and line ends": (lambda b: b" \n\n \t\n", "intake"),
    "a byte order mark and nothing else": (lambda b: b"\xef\xbb\xbf", "intake"),
    "only a header": (lambda b: _lines(b)[0], "intake"),
    "no header": (lambda b: b"".join(_lines(b)[1:]), "intake"),
    "header twice": (lambda b: b + _lines(b)[0], "intake"),
    "the file twice in itself": (lambda b: b + b, "intake"),
    "cut off in a row": (lambda b: b[: b.rindex(b",") - 1], "intake"),
    "cut off in a quoted value": (lambda b: b + f'"{CANARY}, en'.encode(), "intake"),
    "a NUL byte in a cell": (lambda b: b[:-3] + b"\0" + b[-3:], "intake"),
    "nothing but NUL bytes": (lambda b: b"\0" * 4096, "intake"),
    "noise": (lambda b: random.Random(7).randbytes(20_000), "intake"),
    "gzip": (lambda b: gzip.compress(b, mtime=0), "intake"),
    "a picture": (lambda b: b"\x89PNG\r\n\x1a\n" + random.Random(8).randbytes(3000), "intake"),
    "a PDF": (lambda b: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "intake"),
    "a page that says not found": (lambda b: b"<!DOCTYPE html>\n<html><body>404</body></html>\n", "intake"),
    "JSON": (lambda b: b'[{"person_id": 1, "arm": "treated"},\n {"person_id": 2}]\n', "intake"),
    "XML": (lambda b: b'<?xml version="1.0"?>\n<rows><row id="1"/></rows>\n', "intake"),
    "UTF-16": (_recoded("utf-16"), "accepted"),
    "UTF-16 without a mark": (_recoded("utf-16-le"), "accepted"),
    "UTF-16 with half a character": (lambda b: b.decode().encode("utf-16")[:-1], "intake"),
    "UTF-32": (_recoded("utf-32"), "intake"),
    "EBCDIC": (_recoded("cp500"), "intake"),
    "UTF-7": (lambda b: b.decode().replace("_", "é").encode("utf-7"), "intake"),
    "bytes of no encoding": (lambda b: b[:-3] + b"\x81\x8d\xff" + b[-3:], "intake"),
    "UTF-8 with a mark": (lambda b: b"\xef\xbb\xbf" + b, "accepted"),
    "two byte order marks": (lambda b: b"\xef\xbb\xbf\xef\xbb\xbf" + b, "accepted"),
    "semicolons": (_redelimited(";"), "accepted"),
    "tabs": (_redelimited("\t"), "accepted"),
    "bars": (_redelimited("|"), "accepted"),
    "tildes": (_redelimited("~"), "intake"),
    "two colons": (_redelimited("::"), "intake"),
    "half commas, half semicolons": (
        lambda b: b"".join(_lines(b)[:5]) + b"".join(_lines(b)[5:]).replace(b",", b";"),
        "intake",
    ),
    "sep= says bar, and it is not": (lambda b: b"sep=|\n" + b, "intake"),
    "sep= with a letter": (lambda b: "sep=é\n".encode() + b, "intake"),
    "sep= with a quote": (lambda b: b'sep="\n' + b, "intake"),
    "a title above the header": (lambda b: b"Export van 1 april\n" + b, "intake"),
    "a total below": (lambda b: b + b"Totaal,,,\n", "intake"),
    "Windows line ends": (lambda b: b.replace(b"\n", b"\r\n"), "accepted"),
    "old Macintosh line ends": (lambda b: b.replace(b"\n", b"\r"), "accepted"),
    "line ends of three kinds": (lambda b: b.replace(b"\n", b"\r\n", 3).replace(b"\n", b"\n\r", 1), "accepted"),
    "empty lines between": (lambda b: b.replace(b"\n", b"\n\n"), "accepted"),
    "no line end at the end": (lambda b: b.rstrip(b"\n"), "accepted"),
    "a delimiter at every end": (lambda b: b.replace(b"\n", b",\n"), "accepted"),
    "columns in another order": (_with(lambda rows: [row[::-1] for row in rows]), "accepted"),
    "header in capitals": (_header(lambda names: [name.upper() for name in names]), "accepted"),
    "header in look-alike letters": (_header(lambda names: [name.translate(LOOK_ALIKE) for name in names]), "intake"),
    "header with invisible spaces": (_header(lambda names: [f"{name}\u200b" for name in names]), "intake"),
    "header with hard spaces around it": (_header(lambda names: [f"\u00a0{name}\u00a0" for name in names]), "accepted"),
    "header with control signs": (_header(lambda names: [f"{names[0]}\x07", *names[1:]]), "intake"),
    "quotes before a column name": (lambda b: b'""' + b, "intake"),
    "a column name twice": (_header(lambda names: [names[1], *names[1:]]), "intake"),
    "a column name twice but for capitals": (_extra("PERIOD", "x"), "accepted"),
    "first column missing": (_with(lambda rows: [row[1:] for row in rows]), "intake"),
    "last column missing": (_with(lambda rows: [row[:-1] for row in rows]), "intake"),
    "first column nameless": (_header(lambda names: ["", *names[1:]]), "intake"),
    "all rows one cell to the right": (_with(lambda rows: [rows[0], *(["", *row] for row in rows[1:])]), "intake"),
    "one row one cell to the right": (_with(lambda rows: rows[4].insert(0, "")), "intake"),
    "one row a cell too few": (_with(lambda rows: rows[4].pop()), "intake"),
    "a thousand cells in one row": (_with(lambda rows: rows[4].extend([CANARY] * 1000)), "intake"),
    "a stray quote in a cell": (lambda b: b[:-3] + b'"' + b[-3:], "intake"),
    "a quote that opens and never closes": (
        lambda b: b"".join([*_lines(b)[:2], b'"', *_lines(b)[2:]]),
        "intake",
    ),
    "single quotes around values": (lambda b: b.replace(b",", b"','").replace(b"\n", b"'\n'"), "intake"),
    "SQL for a column name": (_extra('x"); drop schema landing cascade; --', CANARY), "accepted"),
    "a formula for a column name": (_extra('=HYPERLINK("http://x")', CANARY), "accepted"),
    "markup for a column name": (_extra("<script>alert(1)</script>", CANARY), "accepted"),
    "a very long column name": (_extra("x" * 50_000, CANARY), "accepted"),
    "three thousand columns": (
        _with(lambda rows: [[*row, *(f"k{n}" if not at else "" for n in range(3000))] for at, row in enumerate(rows)]),
        "intake",
    ),
    "one very long line": (lambda b: b + b"x" * 9_000_000, "intake"),
    "no line end in nine million characters": (lambda b: b",".join([b"person_id"] * 900_000), "intake"),
    "a required cell empty": (_cell("", column=0), "intake"),
    "the first column empty": (_column("", column=0), "intake"),
    "a word for a number": (_cell(f"veel-{CANARY}"), "intake"),
    "words for all numbers": (_column(f"veel-{CANARY}"), "intake"),
    "an endless number": (_cell("1e999"), "intake"),
    "not a number": (_cell("NaN"), "intake"),
    "infinity": (_cell("Infinity"), "intake"),
    "a number with a unit": (_cell("12 keer"), "intake"),
    "a formula for a number": (_cell("=1+1"), "intake"),
    "a hexadecimal number": (_cell("0x1F"), "intake"),
    "Arabic digits": (_cell("١٢"), "intake"),
    "full-width digits": (_cell("１２"), "intake"),
    "a number of sixty digits": (_cell("9" * 60), "intake"),
    "a negative number": (_cell("-5"), "checks"),
    "a fraction": (_cell("3.5"), "intake"),
    "a megabyte in one cell": (_cell(CANARY * 150_000), "intake"),
    "a line end in a number": (_cell("1\n2"), "intake"),
    "text that runs from right to left": (_cell("\u202e12"), "intake"),
}
"""What may happen to any CSV file: to the main file of every design. What is expected holds unless `OTHERWISE` says."""

OTHERWISE: dict[tuple[str, str], Expected] = {
    ("staggered_areas", "the file twice in itself"): "checks",  # one row in 353 is below the limit; the doubles are not
    # a score is any number
    ("comparison_cohort", "a number of sixty digits"): "accepted",
    ("comparison_cohort", "a fraction"): "accepted",
    ("comparison_cohort", "a negative number"): "accepted",
    ("interrupted_series", "UTF-7"): "accepted",  # all of it is ASCII but for a column that may be absent
    ("pooled_trials", "last column missing"): "checks",  # a trial may be delivered as an estimate instead
}
"""(design, mutation) -> what it comes to there."""


# ---- what may happen to persons and their events ----------------------------------------------------------------

PERSONS, EVENTS = "personen.csv", "gebeurtenissen.csv"
AT = {name: at for at, name in enumerate(person_rows()[0])}


def _each(column: str, change: Callable[[int, str], str]) -> Callable[[bytes], bytes]:
    def spoil(rows: Rows) -> None:
        for n, row in enumerate(rows[1:]):
            row[AT[column]] = change(n, row[AT[column]])

    return _with(spoil)


def _one(column: str, value: str) -> Callable[[bytes], bytes]:
    return _cell(value, column=AT[column])


def _bsn(n: int) -> str:
    """Return a number of nine digits that passes the eleven-test, as a citizen service number does."""
    start = [int(digit) for digit in f"{12345678 + 37 * n:08d}"]
    last = sum(weight * digit for weight, digit in zip(range(9, 1, -1), start, strict=True)) % 11
    return "".join(map(str, [*start, last])) if last < 10 else _bsn(n + 1000)


PEOPLE: dict[str, tuple[str, Callable[[bytes], bytes], Expected, tuple[str, ...]]] = {
    "31 February": (PERSONS, _one("index_date", "31-02-2024"), "intake", ("31-02-2024",)),
    "year 26": (PERSONS, _one("index_date", "0026-03-01"), "intake", ("0026-03-01",)),
    "year 9999": (PERSONS, _one("index_date", "9999-12-31"), "intake", ("9999-12-31",)),
    "a year of two digits": (PERSONS, _one("index_date", "01-03-24"), "intake", ("01-03-24",)),
    "month first": (PERSONS, _one("index_date", "03/25/2024"), "intake", ("03/25/2024",)),
    "a date as Excel counts it": (PERSONS, _one("index_date", "45352"), "intake", ("45352",)),
    "all dates as Excel counts them": (PERSONS, _each("index_date", lambda n, _: str(45352 + n)), "intake", ("45353",)),
    "a date in words": (PERSONS, _one("index_date", "1 maart 2024"), "intake", ("1 maart 2024",)),
    "month 13": (PERSONS, _one("index_date", "2024-13-01"), "intake", ("2024-13-01",)),
    "a date with a time zone": (PERSONS, _one("index_date", "2024-03-01T00:00:00+02:00"), "accepted", ()),
    "no dates": (PERSONS, _each("index_date", lambda n, _: ""), "intake", ()),
    "time zero in the future": (PERSONS, _each("index_date", lambda n, _: "2031-01-01"), "checks", ("2031-01-01",)),
    "an unknown arm": (PERSONS, _one("arm", f"{CANARY}-arm"), "checks", ()),
    "an arm in look-alike letters": (PERSONS, _one("arm", "treаted"), "checks", ("treаted",)),
    "an arm with spaces and capitals": (PERSONS, _one("arm", " Treated "), "accepted", ()),
    "one arm only": (PERSONS, _each("arm", lambda n, _: "treated"), "checks", ()),
    "one person in an arm": (PERSONS, _each("arm", lambda n, _: "comparison" if n else "treated"), "accepted", ()),
    "no arm": (PERSONS, _one("arm", ""), "intake", ()),
    "all of one sex": (PERSONS, _each("sex", lambda n, _: "m"), "accepted", ()),
    "a sex that the plan does not know": (PERSONS, _one("sex", f"x{CANARY}"), "intake", ()),
    "all scores the same": (PERSONS, _each("score", lambda n, _: "5"), "accepted", ()),
    "no scores": (PERSONS, _each("score", lambda n, _: ""), "accepted", ()),
    "scores with a decimal comma": (PERSONS, _each("score", lambda n, old: old.replace(".", ",")), "accepted", ()),
    "scores with commas and points": (
        PERSONS,
        _each("score", lambda n, old: old.replace(".", ",") if n % 2 else old),
        "intake",
        (),
    ),
    "thousands or decimals": (PERSONS, _each("score", lambda n, _: f"{1 + n % 9},{100 + n}"), "intake", ()),
    "scores of different sizes by 300 noughts": (PERSONS, _one("score", "1e300"), "accepted", ()),
    "born in 208": (PERSONS, _one("birth_year", "208"), "intake", ()),
    "born after time zero": (PERSONS, _each("birth_year", lambda n, _: "2030"), "checks", ()),
    "a birth date for a birth year": (
        PERSONS,
        _each("birth_year", lambda n, old: f"{old}-0{1 + n % 9}-1{n % 9}"),
        "intake",
        ("2006-02-11",),
    ),
    "a person twice": (PERSONS, _with(lambda rows: [*rows, rows[1]]), "checks", ()),
    "a person in both arms": (
        PERSONS,
        _with(lambda rows: [*rows, [rows[1][0], "treated", *rows[1][2:]]]),
        "checks",
        (),
    ),
    "the same pseudonym but for capitals": (
        PERSONS,
        _with(lambda rows: [*rows, [rows[1][0].upper(), *rows[1][1:]]]),
        "accepted",
        (),
    ),
    "pseudonyms in look-alike letters": (
        PERSONS,
        _each("person_id", lambda n, old: old.translate(LOOK_ALIKE)),
        "checks",
        (f"{CANARY}-a000".translate(LOOK_ALIKE),),
    ),
    "every pseudonym the same": (PERSONS, _each("person_id", lambda n, _: f"{CANARY}-x"), "checks", ()),
    "citizen service numbers": (PERSONS, _each("person_id", lambda n, _: _bsn(n)), "intake", (_bsn(0), _bsn(40))),
    "a column with e-mail addresses": (PERSONS, _extra("contact", f"jan@{CANARY}.nl"), "intake", ()),
    "a column with telephone numbers": (PERSONS, _extra("tel", "06-12345678"), "intake", ("12345678",)),
    "a column with names": (PERSONS, _extra("achternaam", f"De {CANARY.title()}"), "intake", ()),
    "a column with bank accounts": (PERSONS, _extra("rekening", "NL91ABNA0417164300"), "intake", ("NL91",)),
    "a column with postcodes": (PERSONS, _extra("pc6", "1012AB"), "intake", ("1012AB",)),
    "a formula for a site": (PERSONS, _one("site_id", f'=cmd|"/c {CANARY}"!A1'), "accepted", ()),
    "markup for a site": (PERSONS, _one("site_id", f"<img src=x onerror={CANARY}>"), "accepted", ()),
    "SQL for a site": (PERSONS, _one("site_id", f"'; drop table landing.persons; -- {CANARY}"), "accepted", ()),
    "a template for a site": (PERSONS, _one("site_id", f"{{{{ 7*7 }}}} {CANARY}"), "accepted", ()),
    "a site of one": (PERSONS, _each("site_id", lambda n, _: f"{CANARY}-{n}"), "accepted", ()),
    "one site for all": (PERSONS, _each("site_id", lambda n, _: CANARY), "accepted", ()),
    "two persons": (PERSONS, _with(lambda rows: rows[:3]), "checks", ()),  # the others' events are of nobody
    "events of persons who are not there": (
        EVENTS,
        _with(lambda rows: [*rows, *([f"{CANARY}-{n}", "police_contact", "2024-05-01", "light"] for n in range(30))]),
        "checks",
        (),
    ),
    "no events": (EVENTS, _with(lambda rows: rows[:1]), "accepted", ()),
    "events file empty": (EVENTS, lambda b: b"", "intake", ()),
    "no event of the outcome": (EVENTS, _column(f"{CANARY}-type", column=1), "accepted", ()),  # and warned about
    "an event without a person": (EVENTS, _cell("", column=0), "intake", ()),
    "an event on 31 February": (EVENTS, _cell("31-02-2024", column=2), "intake", ("31-02-2024",)),
    "events before the war": (EVENTS, _column("1899-01-01", column=2), "intake", ("1899-01-01",)),
    "events in the future": (EVENTS, _column("2099-01-01", column=2), "checks", ("2099-01-01",)),
    "every event many times": (EVENTS, _with(lambda rows: [rows[0], *rows[1:] * 60]), "checks", ()),
    "persons and events swapped": (PERSONS, lambda b: GOOD["comparison_cohort"][2][EVENTS], "intake", ()),
}

ABSENCES = [["person_id", "start_date", "end_date", "reason"]]


def _absences(rows: Sequence[Sequence[str]]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        _write(folder, {**GOOD["comparison_cohort"][2], "afwezig.csv": table([*ABSENCES, *rows])})

    return write


def _absence_cases() -> Iterator[Case]:
    plan = {"source": {**GOOD["comparison_cohort"][0]["source"], "absences": "afwezig.csv"}}
    ids = [row[0] for row in person_rows()[1:]]
    dead = [[person, "2022-01-01", "", "deceased"] for person in ids]
    ways: dict[str, tuple[Expected, list[list[str]]]] = {
        "everyone dead before time zero": ("checks", dead),
        "an absence that ends before it starts": ("checks", [[ids[0], "2024-05-01", "2024-01-01", "detention"]]),
        "an unknown reason of absence": ("checks", [[ids[0], "2024-05-01", "2024-06-01", f"{CANARY}-reden"]]),
        "an absence of nobody": ("checks", [[f"{CANARY}-zzz", "2024-05-01", "2024-06-01", "detention"]]),
        "absent the whole time": ("accepted", [[person, "2000-01-01", "2030-01-01", "detention"] for person in ids]),
        "a thousand absences at once": ("checks", [[ids[0], "2024-05-01", "2024-06-01", "detention"]] * 1000),
    }
    for name, (expected, rows) in ways.items():
        yield Case(f"absences: {name}", "comparison_cohort", expected, plan, _absences(rows))


# ---- other formats ----------------------------------------------------------------------------------------------


def _frame() -> Any:
    import polars as pl

    rows = person_rows()
    frame = pl.DataFrame(rows[1:], schema=rows[0], orient="row")
    return frame.with_columns(pl.col("birth_year").cast(pl.Int64), pl.col("score").cast(pl.Float64))


def _parquet(path: Path, change: Callable[[Any], Any] = lambda frame: frame) -> None:
    change(_frame()).write_parquet(path)


def _nested(frame: Any) -> Any:
    import polars as pl

    return frame.with_columns(pl.concat_list("score", "score").alias("score"), pl.struct("arm").alias("arm"))


def _excel(path: Path, change: Callable[[Any], None] = lambda page: None) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = "Personen"
    for row in person_rows():
        page.append(row)
    change(page)
    book.save(path)


def _zip_bomb(path: Path, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as member:
            for _ in range(size // 2**20):
                member.write(b"0" * 2**20)


def _laughing(path: Path) -> None:
    """Write a workbook whose shared texts are entities of entities: a billion laughs."""
    _excel(path)
    entities = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/sharedStrings.xml"] = (
        f'<?xml version="1.0"?><!DOCTYPE sst [{entities}]>'
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>&a9;</t></si></sst>'
    ).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _spss(path: Path, change: Callable[[Any], Any] = lambda frame: frame, **more: Any) -> None:
    import pyreadstat

    pyreadstat.write_sav(change(_frame().to_pandas()), str(path), **more)


def _stata(path: Path, change: Callable[[Any], Any] = lambda frame: frame) -> None:
    change(_frame().to_pandas()).to_stata(path, write_index=False)


def _spoiled(path: Path, make: Callable[[Path], None], spoil: Callable[[bytes], bytes]) -> None:
    make(path)
    path.write_bytes(spoil(path.read_bytes()))


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _scrambled(content: bytes) -> bytes:
    """Change every fortieth byte after the mark at the start."""
    spoiled = bytearray(content)
    for at in range(64, len(spoiled), 40):
        spoiled[at] ^= 0x5A
    return bytes(spoiled)


def _one_arm(frame: Any) -> Any:
    import polars as pl

    return frame.with_columns(pl.lit("treated").alias("arm"))


def _set(page: Any, cell: str, value: Any) -> None:
    page[cell] = value


FORMATS: dict[str, tuple[str, Callable[[Path], None], Expected]] = {
    "Parquet as it should be": ("p.parquet", _parquet, "accepted"),
    "Parquet cut in half": ("p.parquet", lambda p: _spoiled(p, _parquet, _half), "intake"),
    "Parquet without its end": ("p.parquet", lambda p: _spoiled(p, _parquet, lambda b: b[:-4]), "intake"),
    "Parquet scrambled": ("p.parquet", lambda p: _spoiled(p, _parquet, _scrambled), "intake"),
    "Parquet without rows": ("p.parquet", lambda p: _parquet(p, lambda f: f.head(0)), "intake"),
    "Parquet with a column less": ("p.parquet", lambda p: _parquet(p, lambda f: f.drop("arm")), "intake"),
    "Parquet with lists and structures": ("p.parquet", lambda p: _parquet(p, _nested), "intake"),
    "Parquet with one arm": ("p.parquet", lambda p: _parquet(p, _one_arm), "checks"),
    "Parquet that is CSV": ("p.parquet", lambda p: p.write_bytes(table(person_rows())) and None, "intake"),
    "Parquet with bytes for texts": (
        "p.parquet",
        lambda p: _parquet(p, lambda f: f.with_columns(f["person_id"].cast(bytes))),
        "accepted",
    ),
    "Excel as it should be": ("p.xlsx", _excel, "accepted"),
    "Excel cut in half": ("p.xlsx", lambda p: _spoiled(p, _excel, _half), "intake"),
    "Excel scrambled": ("p.xlsx", lambda p: _spoiled(p, _excel, _scrambled), "intake"),
    "Excel with an empty sheet": ("p.xlsx", lambda p: _excel(p, lambda s: s.delete_rows(1, 200)), "intake"),
    "Excel with a header alone": ("p.xlsx", lambda p: _excel(p, lambda s: s.delete_rows(2, 200)), "intake"),
    "Excel with a formula for a cell": ("p.xlsx", lambda p: _excel(p, lambda s: _set(s, "G5", "=1/0")), "accepted"),
    "Excel with an error for a cell": ("p.xlsx", lambda p: _excel(p, lambda s: _set(s, "G5", "#DIV/0!")), "accepted"),
    "Excel with a header of two rows": ("p.xlsx", lambda p: _excel(p, lambda s: s.insert_rows(1)), "accepted"),
    "Excel with joined cells": ("p.xlsx", lambda p: _excel(p, lambda s: s.merge_cells("A2:A9")), "intake"),
    "Excel with a title above": (
        "p.xlsx",
        lambda p: _excel(p, lambda s: (s.insert_rows(1), _set(s, "A1", "Export"))[0]),
        "intake",
    ),
    "Excel that is CSV": ("p.xlsx", lambda p: p.write_bytes(table(person_rows())) and None, "intake"),
    "Excel locked with a password": (
        "p.xlsx",
        lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4096) and None,
        "intake",
    ),
    "Excel that is a zip of something else": (
        "p.xlsx",
        lambda p: zipfile.ZipFile(p, "w").writestr("readme.txt", CANARY),
        "intake",
    ),
    "Excel that unpacks to far too much": ("p.xlsx", lambda p: _zip_bomb(p, 40 * 2**20), "intake"),
    "Excel with a billion laughs": ("p.xlsx", _laughing, "intake"),
    "SPSS as it should be": ("p.sav", _spss, "accepted"),
    "SPSS cut in half": ("p.sav", lambda p: _spoiled(p, _spss, _half), "intake"),
    "SPSS scrambled": ("p.sav", lambda p: _spoiled(p, _spss, _scrambled), "intake"),
    "SPSS without rows": ("p.sav", lambda p: _spss(p, lambda f: f.head(0)), "intake"),
    "SPSS with a column less": ("p.sav", lambda p: _spss(p, lambda f: f.drop(columns="arm")), "intake"),
    "SPSS that says it has a billion rows": (
        "p.sav",
        lambda p: _spoiled(p, _spss, lambda b: b[:80] + (10**9).to_bytes(4, "little") + b[84:]),
        "intake",
    ),
    "SPSS that is CSV": ("p.sav", lambda p: p.write_bytes(table(person_rows())) and None, "intake"),
    "Stata as it should be": ("p.dta", _stata, "accepted"),
    "Stata cut in half": ("p.dta", lambda p: _spoiled(p, _stata, _half), "intake"),
    "Stata scrambled": ("p.dta", lambda p: _spoiled(p, _stata, _scrambled), "intake"),
    "Stata without rows": ("p.dta", lambda p: _stata(p, lambda f: f.head(0)), "intake"),
    "Stata with a column less": ("p.dta", lambda p: _stata(p, lambda f: f.drop(columns="arm")), "intake"),
    "Stata that is noise": (
        "p.dta",
        lambda p: p.write_bytes(b"s" + random.Random(9).randbytes(5000)) and None,
        "intake",
    ),
    "an ending that is not read": ("p.ods", lambda p: p.write_bytes(b"PK\x03\x04") and None, "intake"),
    "no ending": ("p", lambda p: p.write_bytes(table(person_rows())) and None, "intake"),
    "a folder for a file": ("p.csv", lambda p: p.mkdir(), "intake"),
    "a link to nowhere": ("p.csv", lambda p: p.symlink_to("nowhere.csv"), "intake"),
    "a link to itself": ("p.csv", lambda p: p.symlink_to("p.csv"), "intake"),
    "a link out of the delivery": ("p.csv", lambda p: p.symlink_to("/etc/passwd"), "intake"),
    "a pipe for a file": ("p.csv", lambda p: __import__("os").mkfifo(p), "intake"),
    "a file that is not there": ("p.csv", lambda p: None, "intake"),
}


# ---- all of them ------------------------------------------------------------------------------------------------


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _spoiled_file(design: str, name: str, spoil: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        files = GOOD[design][2]
        _write(folder, {**files, name: spoil(files[name])})

    return write


def _other_format(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        _write(folder, {EVENTS: GOOD["comparison_cohort"][2][EVENTS]})
        make(folder / name)

    return write


def cases() -> Iterator[Case]:
    """Yield every broken delivery, and the few good ones that show the others to be spoiled by their mutation alone."""
    for design, (_, main, _) in GOOD.items():
        for name, (spoil, expected) in EVERY_FILE.items():
            verdict = OTHERWISE.get((design, name), expected)
            yield Case(f"{design}: {name}", design, verdict, {}, _spoiled_file(design, main, spoil))
    for name, (file, spoil, expected, secrets) in PEOPLE.items():
        write = _spoiled_file("comparison_cohort", file, spoil)
        yield Case(f"persons: {name}", "comparison_cohort", expected, {}, write, secrets)
    yield from _absence_cases()
    source = GOOD["comparison_cohort"][0]["source"]
    for name, (file, make, expected) in FORMATS.items():
        plan = {"source": {**source, "persons": {**source["persons"], "file": file}}}
        yield Case(f"file: {name}", "comparison_cohort", expected, plan, _other_format(file, make))
