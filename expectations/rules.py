"""Rules: a check together with the Great Expectations expectation that carries it out, as plain data.

The builders here say the same thing about any column (complete, unique, one of a value set); what is said about a
delivery and about the analysis tables lives in `expectations.landing` and `expectations.analysis`. Nothing here imports
Great Expectations, so that the lists of checks can be read without waiting for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sql
from effectmeter.identifiers import BSN_WEIGHTS, SHAPE_PATTERNS
from expectations.checks import CheckSpec, Severity

PERCENT = 100.0
SOME = 1e-12
"""A share that any single row reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One check and how it is carried out.

    Attributes
    ----------
    expectation
        Class name, in Great Expectations or among `expectations.own_expectations`.
    arguments
        Its arguments.
    needs
        (table, column) pairs that it reads: what an error names when the check cannot be carried out.
    unit
        What a measured figure is in, as printed after it; ``%`` prints a share as a percentage.
    threshold
        What passes this time, when that depends on more than the plan; else the spec's.
    note
        Printed after the figure.
    """

    spec: CheckSpec
    expectation: str
    arguments: Mapping[str, Any]
    needs: tuple[tuple[str, str], ...]
    unit: str = ""
    threshold: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a check says, in both languages: what holds, and what to do when it does not."""

    en: str
    nl: str
    do_en: str
    do_nl: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement from ``sql/`` with its quoted identifiers filled in and its values still apart.

    Attributes
    ----------
    reads
        (table, column) pairs.
    quoted
        Placeholder -> quoted identifiers (and, for ``condition``, comparisons of those with ``$parameters``).
    """

    name: str
    reads: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    quoted: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Return the statement as DuckDB takes it."""
        text = sql.statement(self.name)
        for placeholder, quoted in self.quoted.items():
            text = text.replace("{" + placeholder + "}", quoted)
        return text


def slug(*parts: str) -> str:
    """Return a check name from parts of any spelling: ``Politie-contact`` -> ``politie_contact``."""
    return re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")


def quoted_table(name: str) -> str:
    """Quote ``schema.table``."""
    return ".".join(sql.identifier(part) for part in name.split(".", 1))


def percentage(share: float) -> str:
    """Print a share: 0.125 as ``12.5 %``."""
    return f"{PERCENT * share:.4g} %"


def unique_names(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules without repeats: the same check asked for twice (a covariate that is also a subgroup) is one."""
    return tuple({rule.spec.name: rule for rule in reversed(list(rules))}.values())[::-1]


def _spec(
    name: str, table: str, column: str, severity: Severity, threshold: str, words: Words, **fill: object
) -> CheckSpec:
    place = {"table": table, "column": column, "threshold": threshold, **fill}
    plaats = {**place, "threshold": threshold.replace(".", ",")}
    return CheckSpec(
        name=name,
        table=table,
        column=column,
        severity=severity,
        threshold=threshold,
        description_en=words.en.format(**place),
        description_nl=words.nl.format(**plaats),
        advice_en=words.do_en.format(**place),
        advice_nl=words.do_nl.format(**plaats),
    )


def column_rule(
    expectation: str,
    name: str,
    table: str,
    column: str,
    words: Words,
    *,
    severity: Severity = "critical",
    threshold: str = "0 rows",
    **arguments: Any,
) -> Rule:
    """Return a rule on the values of one column by an expectation of Great Expectations."""
    return Rule(
        spec=_spec(name, table, column, severity, threshold, words),
        expectation=expectation,
        arguments={"column": column, **arguments},
        needs=((table, column),),
    )


def complete(table: str, column: str, *, severity: Severity = "critical") -> Rule:
    """Require a value in every row."""
    return column_rule(
        "ExpectColumnValuesToNotBeNull",
        slug(_short(table), column, "complete"),
        table,
        column,
        Words(
            en="{column} is filled in every row of {table}.",
            nl="{column} is ingevuld in elke rij van {table}.",
            do_en="Ask the supplier for {column} where it is empty, or mend the plan's column map.",
            do_nl="Vraag de leverancier om {column} waar die leeg is, of verbeter de kolommen in het plan.",
        ),
        severity=severity,
        threshold="0 rows empty",
    )


def missing_share(table: str, column: str, maximum: float) -> Rule:
    """Require that not too many rows lack a value of a covariate."""
    return column_rule(
        "ExpectColumnValuesToNotBeNull",
        slug(_short(table), column, "missing_share"),
        table,
        column,
        Words(
            en="At most {threshold} of the persons lacks {column}.",
            nl="Hoogstens {threshold} van de personen mist {column}.",
            do_en="Ask the supplier why {column} is empty; while it is, adjusting for it does little.",
            do_nl="Vraag de leverancier waarom {column} leeg is; zolang dat zo is, helpt corrigeren ervoor weinig.",
        ),
        severity="warning",
        threshold=percentage(maximum),
        mostly=1.0 - maximum,
    )


def filled_at_all(table: str, column: str) -> Rule:
    """Require a covariate that the plan adjusts for to be there, for some persons at least."""
    is_age = column == "age_at_index"
    do_en = "Have {column} delivered, or take it out of adjust_for in the plan."
    do_nl = "Laat {column} leveren, of haal die uit adjust_for in het plan."
    if is_age:
        do_en = (
            "Have birth_year delivered: {column} is computed from it, and a delivered column of that name is not used."
        )
        do_nl = "Laat birth_year leveren: {column} wordt daaruit berekend. Een geleverde {column} telt niet."
    return column_rule(
        "ExpectColumnValuesToNotBeNull",
        slug(_short(table), column, "present"),
        table,
        column,
        Words(
            en="The covariate {column}, which the plan adjusts for, is there.",
            nl="De achtergrondvariabele {column}, waarvoor het plan corrigeert, is er.",
            do_en=do_en,
            do_nl=do_nl,
        ),
        threshold="not all rows empty",
        mostly=SOME,
    )


def has_history(table: str, column: str) -> Rule:
    """Require a count of earlier events to be above zero for somebody: else the history was not delivered."""
    reads = ((table, column),)
    quoted = {"table": quoted_table(table), "column": sql.identifier(column)}
    return no_violations(
        slug(_short(table), column, "history"),
        table,
        Statement("expectations/prior_counts_without_history", reads, quoted=quoted),
        Words(
            en="The history that {column} is counted from was delivered.",
            nl="De voorgeschiedenis waaruit {column} wordt geteld, is geleverd.",
            do_en="Have events from before the index date delivered: {column} is counted from them; a "
            "delivered one is not used. While it is 0 for everybody, nothing is adjusted for.",
            do_nl="Laat ook gebeurtenissen van vóór de indexdatum leveren: {column} wordt daaruit geteld. Een "
            "geleverde {column} telt niet. Zolang het voor iedereen 0 is, corrigeert het nergens voor.",
        ),
        column=column,
        severity="warning",
        threshold="above 0 for somebody",
    )


def unique(table: str, columns: Sequence[str], name: str | None = None) -> Rule:
    """Require that no key occurs twice."""
    words = Words(
        en="No two rows of {table} share {key}.",
        nl="Geen twee rijen van {table} hebben dezelfde {key}.",
        do_en="Ask the supplier for one row per {key}; do not choose between the rows yourself.",
        do_nl="Vraag de leverancier om een rij per {key}; kies niet zelf tussen de rijen.",
    )
    single = len(columns) == 1
    return Rule(
        spec=_spec(
            slug(_short(table), name or "_".join(columns), "unique"),
            table,
            columns[0] if single else "",
            "critical",
            "0 rows",
            words,
            key=", ".join(columns),
        ),
        expectation="ExpectColumnValuesToBeUnique" if single else "ExpectCompoundColumnsToBeUnique",
        arguments={"column": columns[0]} if single else {"column_list": list(columns)},
        needs=tuple((table, column) for column in columns),
    )


def value_set(table: str, column: str, allowed: Sequence[str], *, severity: Severity = "critical") -> Rule:
    """Require every value to be one of a set that the catalogue or the plan names."""
    return column_rule(
        "ExpectColumnValuesToBeInSet",
        slug(_short(table), column, "in_value_set"),
        table,
        column,
        Words(
            en="Every {column} in {table} is one of: " + _escaped(", ".join(allowed)) + ".",
            nl="Elke {column} in {table} is een van: " + _escaped(", ".join(allowed)) + ".",
            do_en="Add the delivered spellings of {column} to the plan's value map, or ask what they mean.",
            do_nl="Zet de geleverde spellingen van {column} in het plan, of vraag de leverancier wat ze betekenen.",
        ),
        severity=severity,
        threshold="0 rows outside",
        value_set=list(allowed),
    )


def between(
    name: str,
    table: str,
    column: str,
    words: Words,
    *,
    minimum: float | date | None = None,
    maximum: float | date | None = None,
    severity: Severity = "critical",
) -> Rule:
    """Require every filled value to lie within bounds, themselves included."""
    return column_rule(
        "ExpectColumnValuesToBeBetween",
        name,
        table,
        column,
        words,
        severity=severity,
        min_value=minimum,
        max_value=maximum,
    )


def not_before(name: str, table: str, later: str, earlier: str, words: Words, *, severity: Severity) -> Rule:
    """Require one column to be at least the other in every row where both are filled."""
    return Rule(
        spec=_spec(name, table, later, severity, "0 rows", words),
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": later,
            "column_B": earlier,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
        needs=((table, later), (table, earlier)),
    )


def not_empty(table: str) -> Rule:
    """Require rows."""
    return Rule(
        spec=_spec(
            slug(_short(table), "not_empty"),
            table,
            "",
            "critical",
            ">= 1 row",
            Words(
                en="{table} holds at least one row.",
                nl="{table} bevat minstens een rij.",
                do_en="Look whether the right file was delivered, and which rows were rejected or excluded and why.",
                do_nl="Kijk of het goede bestand is geleverd, en welke rijen waarom zijn geweigerd of uitgesloten.",
            ),
        ),
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": 1},
        needs=((table, ""),),
        unit="rows",
    )


def no_identifiers(table: str, column: str, *, is_about_persons: bool = True) -> Rule:
    """Require a text column without direct identifiers."""
    quoted = sql.identifier(column)
    statement = Statement(
        "landing/identifier_counts",
        ((table, column),),
        {**SHAPE_PATTERNS, "weights": list(BSN_WEIGHTS)},
        # As text, since a plan may name a column that turns out to hold numbers.
        {"table": f"(select {quoted}::varchar as {quoted} from {quoted_table(table)})", "columns": quoted},
    )
    return column_rule(
        "ExpectColumnToHoldNoDirectIdentifiers",
        slug(_short(table), column, "no_direct_identifiers"),
        table,
        column,
        Words(
            en="{column} in {table} holds no BSN, name, e-mail address, phone, IBAN, postcode or birth date.",
            nl="{column} in {table} bevat geen BSN, naam, e-mailadres, telefoon, IBAN, postcode of geboortedatum.",
            do_en="Delete this delivery, report it to the privacy officer, and ask for {column} as a pseudonym.",
            do_nl="Verwijder deze levering, meld haar bij de privacyfunctionaris en vraag om {column} als pseudoniem.",
        ),
        threshold="none",
        statement=statement.text,
        parameters=dict(statement.parameters),
        is_about_persons=is_about_persons,
    )


def no_violations(
    name: str,
    table: str,
    statement: Statement,
    words: Words,
    *,
    column: str = "",
    severity: Severity = "critical",
    max_share: float = 0.0,
    threshold: str = "",
) -> Rule:
    """Require a statement to count no violations, or no more than a share of what it looked at."""
    return Rule(
        spec=_spec(
            name, table, column, severity, threshold or (percentage(max_share) if max_share else "0 rows"), words
        ),
        expectation="ExpectNoViolations",
        arguments={"statement": statement.text, "parameters": dict(statement.parameters), "max_share": max_share},
        needs=statement.reads,
    )


def figure_within(
    name: str,
    table: str,
    statement: Statement,
    words: Words,
    *,
    column: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    threshold: str,
    threshold_now: str = "",
    unit: str = "",
    note: str = "",
) -> Rule:
    """Require a measured figure to lie within bounds: about the world, so always a warning."""
    return Rule(
        spec=_spec(name, table, column, "warning", threshold, words),
        expectation="ExpectFigureToBeBetween",
        arguments={
            "statement": statement.text,
            "parameters": dict(statement.parameters),
            "min_value": minimum,
            "max_value": maximum,
        },
        needs=statement.reads,
        unit=unit,
        threshold=threshold_now,
        note=note,
    )


def reference_closed(table: str, parent: str, key: str) -> Rule:
    """Require every row's person (or area) to exist in the parent table."""
    return no_violations(
        slug(table.replace("landing.", "").replace("outcomes.", ""), key, "exists"),
        table,
        Statement(
            "expectations/reference_closed",
            ((table, key), (parent, key)),
            quoted={"table": quoted_table(table), "parent": quoted_table(parent), "key": sql.identifier(key)},
        ),
        Words(
            en=f"Every {{column}} in {{table}} exists in {parent}.",
            nl=f"Elke {{column}} in {{table}} bestaat in {parent}.",
            do_en="Ask the supplier for both files made in one go, with the same pseudonyms.",
            do_nl="Vraag de leverancier om beide bestanden uit een en dezelfde levering, met dezelfde pseudoniemen.",
        ),
        column=key,
    )


def every_arm_present(table: str, name: str, arms: list[str]) -> Rule:
    """Require persons in every arm that the design needs."""
    return no_violations(
        name,
        table,
        Statement("expectations/every_arm_present", ((table, "arm"),), {"arms": arms}, {"table": quoted_table(table)}),
        Words(
            en="Every arm that the design compares has persons in {table}.",
            nl="Elke groep die het ontwerp vergelijkt heeft personen in {table}.",
            do_en="Look at the plan's arms and value map, and at the rows that were rejected or excluded.",
            do_nl="Kijk naar de groepen en waarden in het plan, en naar wat is geweigerd of uitgesloten.",
        ),
        column="arm",
        threshold="0 arms empty",
    )


def _short(table: str) -> str:
    """Return the prefix of a table's check names; the analysis tables' own names say which half they are of."""
    schema, _, name = table.partition(".")
    return f"{schema}_{name}" if schema == "cohort" or table == "outcomes.trials" else name


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
