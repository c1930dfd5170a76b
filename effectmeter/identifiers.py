"""What a direct identifier looks like: citizen service number, e-mail, phone, IBAN, postcode, birth date, name, street.

Rules only: patterns, weights, thresholds and column names, and the judgement over counts. Counting in a table is done
elsewhere (`sql/landing/identifier_counts.sql` for a delivery); `count_shapes` is the slow, plain reference for it.

A false alarm stops a delivery and a miss puts a name in the vault, so every rule asks for evidence that chance does not
give: one random number in eleven passes the eleven-test, and pseudonyms may look like postcodes or phone numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "citizen service number (BSN)",
    "e-mail address",
    "phone number",
    "IBAN",
    "six-character postcode",
    "full birth date",
    "name of a person",
    "address",
]

BSN_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
"""The eleven-test: the weighted sum of the nine digits (zeros in front) is a multiple of 11."""
BSN_MINIMUM_SHARE = 0.5
"""Of the distinct values shaped like a number, the share that must pass: chance gives one in eleven."""
BSN_ENOUGH_VALUES = 10
"""With fewer distinct numbers than this, all must pass and they must be at least half of the column."""
BSN_PATTERN = r"[0-9]{8,9}|[0-9]{4}[. ][0-9]{2}[. ][0-9]{3}|[0-9]{3}[. -][0-9]{3}[. -][0-9]{3}"
"""Whole value: how a number is written. Digits that can be a calendar date (`COMPACT_DATE_PATTERN`) do not count."""
BSN_LABELLED_PATTERN = r"(?i)(^|[^a-z])(bsn|sofi|burgerservice)[a-z]*[^a-z0-9]{0,3}[0-9]{8,9}($|[^0-9])"
"""Anywhere in a value: a number that says what it is."""
COMPACT_DATE_PATTERN = (
    r"(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])|(0[1-9]|[12][0-9]|3[01])(0[1-9]|1[0-2])(19|20)[0-9]{2}"
)
"""Whole value: a calendar date without separators, in either order."""
FULL_DATE_PATTERN = (
    r"(19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}([T ].*)?"
    r"|[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ]((19|20)[0-9]{2}|[0-9]{2})([T ].*)?"
    r"|" + COMPACT_DATE_PATTERN
)
"""Whole value: a calendar date with a day in it."""
EMAIL_PATTERN = r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
"""Anywhere in a value; one is enough."""
IBAN_PATTERN = (
    r"(^|[^A-Za-z0-9])(NL[0-9]{2} ?[A-Z]{4} ?[0-9]{4} ?[0-9]{4} ?[0-9]{2}|BE[0-9]{2}( ?[0-9]{4}){3}"
    r"|DE[0-9]{2}( ?[0-9]{4}){4} ?[0-9]{2}|ES[0-9]{2}( ?[0-9]{4}){5}|GB[0-9]{2} ?[A-Z]{4}( ?[0-9]{4}){3} ?[0-9]{2}"
    r"|PL[0-9]{2}( ?[0-9]{4}){6}|TR[0-9]{2}( ?[0-9]{4}){5} ?[0-9]{2})($|[^A-Za-z0-9])"
)
"""Anywhere in a value; one is enough."""
PHONE_SURE_PATTERN = (
    r"(^|[^0-9+])\+31[ -]?(\(0\))?[ -]?[1-9]([ -]?[0-9]){8}($|[^0-9])"
    r"|[A-Za-z]:? (0[1-9][0-9]{8}|06[ -][0-9]{8}|0[1-9][0-9]-[0-9]{7}|0[1-9][0-9]{2}-[0-9]{6})($|[ .,;)])"
)
"""Anywhere in a value; one is enough: with the country code, or inside a text."""
PHONE_PATTERN = (
    r"0031[1-9][0-9]{8}|0[1-9][0-9]{8}|06[ -][0-9]{8}|06([ -][0-9]{2}){4}|06 [0-9]{4} [0-9]{4}"
    r"|\(?0[1-9][0-9]\)?[ -][0-9]{3} ?[0-9]{4}|\(?0[1-9][0-9]{2}\)?[ -][0-9]{3} ?[0-9]{3}"
)
"""Whole value: a Dutch number without country code. Pseudonyms can look like this, so a share is asked."""
PHONE_MINIMUM_SHARE = 0.2
POSTCODE_PATTERN = r"[1-9][0-9]{3} ?([A-RT-Za-rt-z][A-Za-z]|[Ss][BCE-RT-Zbce-rt-z])( +[A-Za-z' -]+)?"
"""Whole value: four digits and two letters (never SA, SD, SS), with or without the town. Codes can look so too."""
POSTCODE_MINIMUM_SHARE = 0.5

BSN_COLUMNS = frozenset({"bsn", "bsnnummer", "burgerservicenummer", "sofinummer", "sofi", "citizenservicenumber"})
BIRTH_DATE_COLUMNS = frozenset(
    {
        "geboortedatum", "datumgeboorte", "geboortedag", "gebdatum", "gebdat", "geboren", "geborenop", "verjaardag",
        "birthdate", "dateofbirth", "dob", "birthday", "bdate", "born", "bornon",
    }
)  # fmt: skip
NAME_COLUMNS = frozenset(
    {
        "naam", "namen", "volledigenaam", "voornaam", "voornamen", "achternaam", "geslachtsnaam", "roepnaam",
        "voorletters", "voorletter", "tussenvoegsel", "tussenvoegsels", "meisjesnaam", "initialen",
        "name", "names", "fullname", "firstname", "lastname", "surname", "givenname", "familyname", "forename",
        "middlename", "maidenname", "initials",
    }
)  # fmt: skip
NAME_SUBJECTS = (
    "client", "clienten", "clint", "deelnemer", "jongere", "kind", "ouder", "moeder", "vader", "verdachte", "persoon",
    "betrokkene", "justitiabele", "slachtoffer", "leerling", "participant", "person", "child", "parent", "mother",
    "father", "suspect", "offender", "victim", "pupil", "youth", "subject", "patient",
)  # fmt: skip
"""``naam_deelnemer`` and ``client name`` are names; ``site_name`` and ``schoolnaam`` are not."""
ADDRESS_COLUMNS = frozenset(
    {
        "adres", "woonadres", "huisadres", "thuisadres", "straat", "straatnaam", "huisnummer", "huisnr", "address",
        "homeaddress", "street", "streetname", "housenumber",
    }
)  # fmt: skip
POSTCODE_COLUMNS = frozenset({"postcode", "postcode6", "pc6", "postalcode", "zipcode", "zip", "woonpostcode"})
PHONE_COLUMNS = frozenset({"telefoon", "telefoonnummer", "telnr", "tel", "mobiel", "mobielnummer", "phone", "mobile"})


@dataclass(frozen=True, slots=True)
class ShapeCounts:
    """How many distinct, filled values of a column have which shape.

    Attributes
    ----------
    n_values
        Distinct values after trimming, empty ones left out.
    n_bsn_shaped, n_bsn_passed
        Shaped like a citizen service number and no date; of these, passing the eleven-test.
    """

    n_values: int
    n_with_letter: int
    n_full_date: int
    n_bsn_shaped: int
    n_bsn_passed: int
    n_bsn_labelled: int
    n_email: int
    n_iban: int
    n_phone_sure: int
    n_phone: int
    n_postcode: int


SHAPE_PATTERNS = {
    "bsn": BSN_PATTERN,
    "bsn_labelled": BSN_LABELLED_PATTERN,
    "compact_date": COMPACT_DATE_PATTERN,
    "full_date": FULL_DATE_PATTERN,
    "email": EMAIL_PATTERN,
    "iban": IBAN_PATTERN,
    "phone_sure": PHONE_SURE_PATTERN,
    "phone": PHONE_PATTERN,
    "postcode": POSTCODE_PATTERN,
}
"""The patterns by the parameter names of the counting statement; they mean the same in RE2 and in Python."""


def passes_eleven_test(text: str) -> bool:
    """Return whether a text of eight or nine digits, separators allowed, can be a citizen service number.

    Examples
    --------
    >>> passes_eleven_test("111222333"), passes_eleven_test("111222334"), passes_eleven_test("000000000")
    (True, False, False)
    """
    digits = re.sub(r"[ .-]", "", text)
    if not re.fullmatch(r"[0-9]{8,9}", digits) or int(digits) == 0:
        return False
    return sum(weight * int(digit) for weight, digit in zip(BSN_WEIGHTS, digits.zfill(9), strict=True)) % 11 == 0


def compact_name(column: str) -> str:
    """Return a column name as the name lists write it: small letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", column.casefold())


def judge(column: str, counts: ShapeCounts, *, is_about_persons: bool = True) -> Kind | None:
    """Return the kind of direct identifier that a column holds, or None.

    Parameters
    ----------
    column
        Name as delivered.
    counts
        Shapes of its values.
    is_about_persons
        Whether a row is about a person (`persons`, `events`, ...); an area or a trial may have a name and a street.
    """
    if counts.n_values == 0:
        return None
    by_content = _judge_content(counts)
    if by_content is not None:
        return by_content
    name = compact_name(column)
    if name in BSN_COLUMNS and counts.n_bsn_shaped:
        return "citizen service number (BSN)"
    if name in POSTCODE_COLUMNS and counts.n_postcode:
        return "six-character postcode"
    if name in PHONE_COLUMNS and counts.n_phone:
        return "phone number"
    if name in BIRTH_DATE_COLUMNS and counts.n_full_date:
        return "full birth date"
    if is_about_persons and counts.n_with_letter and is_name_column(name):
        return "name of a person"
    if is_about_persons and name in ADDRESS_COLUMNS:
        return "address"
    return None


def is_name_column(column: str) -> bool:
    """Return whether a column name says that it holds names of persons.

    Examples
    --------
    >>> [is_name_column(name) for name in ("Naam deelnemer", "client_name", "site_name", "Pleegplaats")]
    [True, True, False, False]
    """
    name = compact_name(column)
    compounds = {form for who in NAME_SUBJECTS for form in (f"{who}naam", f"naam{who}", f"{who}name", f"name{who}")}
    return name in NAME_COLUMNS or name in compounds


def _judge_content(counts: ShapeCounts) -> Kind | None:
    if counts.n_bsn_labelled or _are_bsns(counts):
        return "citizen service number (BSN)"
    if counts.n_email:
        return "e-mail address"
    if counts.n_iban:
        return "IBAN"
    if counts.n_phone_sure or counts.n_phone >= max(1, PHONE_MINIMUM_SHARE * counts.n_values):
        return "phone number"
    if counts.n_postcode >= max(1, POSTCODE_MINIMUM_SHARE * counts.n_values):
        return "six-character postcode"
    return None


def _are_bsns(counts: ShapeCounts) -> bool:
    if counts.n_bsn_shaped >= BSN_ENOUGH_VALUES:
        return counts.n_bsn_passed >= BSN_MINIMUM_SHARE * counts.n_bsn_shaped
    is_most_of_column = 2 * counts.n_bsn_shaped >= counts.n_values
    return 0 < counts.n_bsn_shaped == counts.n_bsn_passed and is_most_of_column


def count_shapes(values: Iterable[str | None]) -> ShapeCounts:
    """Count the shapes of a column's distinct, filled values: the plain reference for the statement in `sql/`."""
    distinct = {value.strip() for value in values if value is not None and value.strip()}
    bsn_shaped = {
        value
        for value in distinct
        if re.fullmatch(BSN_PATTERN, value, re.ASCII) and not re.fullmatch(COMPACT_DATE_PATTERN, value)
    }

    def whole(pattern: str) -> int:
        return sum(re.fullmatch(pattern, value) is not None for value in distinct)

    def anywhere(pattern: str) -> int:
        return sum(re.search(pattern, value) is not None for value in distinct)

    return ShapeCounts(
        n_values=len(distinct),
        n_with_letter=anywhere(r"[A-Za-z]"),
        n_full_date=whole(FULL_DATE_PATTERN),
        n_bsn_shaped=len(bsn_shaped),
        n_bsn_passed=sum(map(passes_eleven_test, bsn_shaped)),
        n_bsn_labelled=anywhere(BSN_LABELLED_PATTERN),
        n_email=anywhere(EMAIL_PATTERN),
        n_iban=anywhere(IBAN_PATTERN),
        n_phone_sure=anywhere(PHONE_SURE_PATTERN),
        n_phone=whole(PHONE_PATTERN),
        n_postcode=whole(POSTCODE_PATTERN),
    )
