"""Broken plans, made by mutating a good one: its text, its fields and its file name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

GOOD = """\
programme: proef
title: Proef
design: comparison_cohort
source:
  persons: {file: personen.csv, columns: {sex: {column: geslacht, values: {m: male, v: female}}}}
  events: gebeurtenissen.csv
adjust_for: {score: numeric, sex: categorical}
eligibility: {age_at_index: [10, 18]}
follow_up: {months: [12]}
outcomes:
  police_contact: {measures: [risk_ratio], primary: true}
claims:
  - {outcome: police_contact, measure: risk_ratio, at_most: 0.5, words: half, source: x}
expectations: {max_rejected: 0.01}
disclosure: {minimum_persons: 10, minimum_families: 10, rounding_base: 5}
"""


@dataclass(frozen=True, slots=True)
class BrokenPlan:
    """One spoiled plan: its bytes, and words that the refusal must hold."""

    name: str
    content: bytes
    says: str = ""


def _laughs(n: int) -> str:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    return "\n".join([*lines, *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, n))])


_REPLACED: dict[str, tuple[str, str, str]] = {
    "SQL for a programme": ("programme: proef", 'programme: "x\'; drop table landing.persons; --"', "programme"),
    "a path for a programme": ("programme: proef", "programme: ../../etc", "programme"),
    "capitals in the programme": ("programme: proef", "programme: Proef", "programme"),
    "another programme than the file": ("programme: proef", "programme: ander", "carry one name"),
    "look-alike letters in the programme": ("programme: proef", "programme: prоef", "programme"),
    "a very long programme": ("programme: proef", f"programme: {'p' * 5000}", "programme"),
    "no programme": ("programme: proef\n", "", "missing"),
    "an empty programme": ("programme: proef", "programme:", "programme"),
    "a list for a programme": ("programme: proef", "programme: [a, b]", "programme"),
    "a number for a programme": ("programme: proef", "programme: 12", "programme"),
    "no title": ("title: Proef\n", "", "missing"),
    "a title with a control sign": ("title: Proef", 'title: "a\\u0007b"', "title"),
    "a title in one language of two": ("title: Proef", "title: {nl: Proef}", "title"),
    "an unknown design": ("comparison_cohort", "comparison_cohorts", "comparison_cohort"),
    "a design in look-alike letters": ("comparison_cohort", "compаrison_cohort", "design"),
    "no source": (GOOD[GOOD.index("source:") : GOOD.index("adjust_for")], "", "missing"),
    "an unknown table": ("  events:", "  event:", "source"),
    "a file elsewhere": ("personen.csv", "../personen.csv", "file"),
    "an absolute file": ("personen.csv", "/etc/passwd", "file"),
    "a file on a drive": ("personen.csv", "'C:\\personen.csv'", "file"),
    "a file on the web": ("personen.csv", "'https://example.org/p.csv'", "file"),
    "an empty file name": ("personen.csv", "''", "file"),
    "a file name of spaces": ("personen.csv", "'   '", "file"),
    "a file name with NUL": ("personen.csv", '"a\\0b.csv"', "file"),
    "a file name that is too long": ("personen.csv", f"{'p' * 400}.csv", "file"),
    "a number for a source": ("  events: gebeurtenissen.csv", "  events: 3", "source"),
    "a delimiter of two signs": ("{file: personen.csv,", "{file: personen.csv, delimiter: ';;',", "delimiter"),
    "an unknown encoding": ("{file: personen.csv,", "{file: personen.csv, encoding: utf-7,", "encoding"),
    "rows to skip below nought": ("{file: personen.csv,", "{file: personen.csv, skip_rows: -1,", "skip_rows"),
    "a million rows to skip": ("{file: personen.csv,", "{file: personen.csv, skip_rows: 1000000,", "skip_rows"),
    "true for a number": ("{file: personen.csv,", "{file: personen.csv, skip_rows: true,", "skip_rows"),
    "a column name with a semicolon": ("column: geslacht", "column: 'a;b'", "column"),
    "a column name with a line end": ("column: geslacht", 'column: "a\\nb\\u0000"', "column"),
    "an unknown field": ("design:", "desing: x\ndesign:", "design"),
    "an unknown field deep down": ("measures: [risk_ratio]", "measure: [risk_ratio]", "measures"),
    "a field twice": ("design:", "title: Nog een\ndesign:", "twice"),
    "an unknown measure": ("measures: [risk_ratio]", "measures: [risk_ration]", "risk_ratio"),
    "a measure of another design": ("measures: [risk_ratio]", "measures: [slope_ratio]", "measure"),
    "no outcomes": (GOOD[GOOD.index("outcomes:") : GOOD.index("claims")], "", "at least one outcome"),
    "empty outcomes": (
        "outcomes:\n  police_contact: {measures: [risk_ratio], primary: true}",
        "outcomes: {}",
        "outcomes",
    ),
    "an outcome with SQL for a name": ("  police_contact: {", '  "x\'; drop table a; --": {', "outcomes"),
    "a covariate of a degree too high": ("score: numeric", "score: {type: numeric, degree: 9}", "degree"),
    "a covariate of an unknown type": ("score: numeric", "score: number", "numeric"),
    "an eligibility that lets nobody in": ("[10, 18]", "[]", "nobody"),
    "a range the wrong way round": ("[10, 18]", "[18, 10]", "ends before"),
    "months below nought": ("months: [12]", "months: [-12]", "months"),
    "months without end": ("months: [12]", "months: [.inf]", "months"),
    "a number of a thousand digits": ("months: [12]", f"months: [{'9' * 1000}]", "months"),
    "a share above one": ("max_rejected: 0.01", "max_rejected: 5", "max_rejected"),
    "not a number": ("max_rejected: 0.01", "max_rejected: .nan", "max_rejected"),
    "an endless number": ("max_rejected: 0.01", "max_rejected: 1.0e999", "max_rejected"),
    "a claim about an unknown outcome": ("{outcome: police_contact", "{outcome: arrest", "arrest"),
    "a claim without a bound": ("at_most: 0.5, ", "", "at_most"),
    "a claim with both bounds": ("at_most: 0.5", "at_most: 0.5, at_least: 0.1", "at_most"),
    "a ratio of nought": ("at_most: 0.5", "at_most: 0", "above zero"),
    "disclosure looser without a reason": ("minimum_persons: 10", "minimum_persons: 3", "reason"),
    "disclosure of nought": ("rounding_base: 5", "rounding_base: 0", "rounding_base"),
    "a life that ends before it starts": (
        "design:",
        "programme_life: {from: 2024-01-01, until: 2020-01-01}\ndesign:",
        "ends before",
    ),
    "31 February in a plan": ("design:", "programme_life: {from: 2024-02-31}\ndesign:", "date"),
    "a claim as a text": ("claims:\n", "claims: half\nlooks:\n", "claims"),
    "a tag": ("title: Proef", "title: !!python/object/apply:os.system [ls]", "tags"),
    "a tag of its own": ("title: Proef", "title: !secret Proef", "tags"),
    "a binary tag": ("title: Proef", "title: !!binary aGE=", "tags"),
    "an alias": ("title: Proef", "title: *a", "aliases"),
    "an anchor": ("title: Proef", "title: &a Proef", "anchors"),
    "a merge key": ("title: Proef", "<<: {design: randomised}\ntitle: Proef", "<<"),
    "a bracket that stays open": ("[10, 18]", "[10, 18", "YAML"),
    "a tab for indentation": ("  events:", "\tevents:", "YAML"),
    "a list for a key": ("title: Proef", "? [a, b]\n: c\ntitle: Proef", "key"),
}

_WHOLE: dict[str, tuple[bytes, str]] = {
    "an empty plan": (b"", "empty"),
    "a plan of comments": (b"# niets\n", "empty"),
    "a list for a plan": (b"- a\n- b\n", "mapping"),
    "a text for a plan": (b"zomaar woorden\n", "mapping"),
    "a plan of NUL bytes": (b"\0" * 100, "YAML"),
    "a plan of noise": (bytes(range(256)) * 4, "UTF-8"),
    "a plan in UTF-16": (GOOD.encode("utf-16"), "UTF-8"),
    "a plan in Windows-1252": (GOOD.replace("Proef", "Één").encode("cp1252"), "UTF-8"),
    "two plans in one file": (f"{GOOD}---\n{GOOD}".encode(), "YAML"),
    "a plan of a megabyte": (b"a: " + b"x" * 1_000_000, "too large"),
    "a billion laughs": (_laughs(12).encode(), "anchors"),
    "brackets a thousand deep": (b"[" * 50_000, "deeply"),
    "mappings a thousand deep": (b"a: " + b"{a: " * 5_000, "deeply"),
    "fifteen hundred unknown fields": ("\n".join(f"f{n}: {n}" for n in range(1_500)).encode(), "not a field"),
    "JSON with a comma too many": (b'{"programme": "proef",, }', "YAML"),
    "a plan that is a page": (b"<!DOCTYPE html><html></html>", ""),
    "a plan that is a picture": (b"\x89PNG\r\n\x1a\n" + b"\xff" * 50, "UTF-8"),
}


def plans() -> Iterator[BrokenPlan]:
    """Yield every broken plan; the file it goes in is called ``proef.yaml``."""
    for name, (old, new, says) in _REPLACED.items():
        assert GOOD.count(old) >= 1, f"{name}: the good plan does not hold {old!r}"
        yield BrokenPlan(f"plan: {name}", GOOD.replace(old, new, 1).encode(), says)
    for name, (content, says) in _WHOLE.items():
        yield BrokenPlan(f"plan: {name}", content, says)
