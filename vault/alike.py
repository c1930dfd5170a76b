"""Adds up persons who are alike, where a cohort holds very many: designs then see profiles instead of people.

A model needs no more of persons than how many had which covariates and what happened to how many of them
(`effectmeter.estimators.cells`). Here: when, and the tables of ``alike`` in the vault. Not here: what designs make of
them (`effectmeter.designs.assembling`), nor reading them (`vault.analysis`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

import sql
from effectmeter.designs.base import SIZE
from effectmeter.plan import Plan
from vault.cohort import counted_outcomes
from vault.statements import filled, store

MANY_PERSONS = 100_000
"""Persons of a cohort from which on they are added up. Below it the error of a rate can be jackknifed person by person
(``hc3``), which is worth something there, and rows are quick enough."""
LEAST_PERSONS_EACH = 2
"""Persons per profile below which adding up saves too little to be worth another table."""

TABLES = {
    "cohort.persons": "outcomes.person_windows",
    "cohort.placebo_persons": "outcomes.placebo_windows",
    "cohort.start_persons": "outcomes.start_windows",
    "cohort.persons_with_missing": "outcomes.missing_windows",
}
"""The tables of persons that a design sees, each with what happened to them."""
_DESIGNS = frozenset({"randomised", "comparison_cohort"})


def add_up(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Store the profiles of the cohort and what happened to them, if there are many persons and few profiles.

    Parameters
    ----------
    connection
        A vault with its ``cohort`` and ``outcomes`` tables filled.

    Notes
    -----
    Writes, per table of `TABLES` that holds anybody, ``alike.<its name>``, ``alike.<its windows>`` and
    ``alike.<its windows>_of_arms``; removes those of an earlier cohort.
    """
    connection.execute("drop schema if exists alike cascade")
    if not _can_be_added_up(connection, plan):
        return
    connection.execute("create schema alike")
    keys, size = _keys(plan), sql.identifier(SIZE)
    for people, windows in TABLES.items():
        if not connection.sql(f"select 1 from {windows} limit 1").fetchall():
            continue
        profiles, happened = added_up(people), added_up(windows)
        store(connection, profiles, filled("alike/persons", people=people, keys=", ".join(keys), size=size))
        same = _belonging(keys, by_hash=hashes_differ(connection, profiles, keys))
        store(connection, "asked", filled("alike/asked", windows=windows), is_temporary=True)
        counted = filled("alike/counted", people=people, profiles=profiles, windows=windows, same=same)
        store(connection, "counted", counted, is_temporary=True)
        store(connection, happened, filled("alike/windows", size=size))
        store(connection, f"{happened}_of_arms", filled("alike/follow_up", profiles=profiles, size=size))
        connection.execute("drop table temp.counted; drop table temp.asked")


def added_up(table: str) -> str:
    """Return where the counterpart of a table of ``cohort`` or ``outcomes`` stands.

    Examples
    --------
    >>> added_up("cohort.persons")
    'alike.persons'
    """
    return f"alike.{table.partition('.')[2]}"


def is_added_up(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the vault holds profiles."""
    return has_table(connection, added_up("cohort.persons"))


def n_profiles(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return to how many profiles the cohort's persons are added up; None where they are not."""
    if not is_added_up(connection):
        return None
    return int(connection.sql(f"select count(*) from {added_up('cohort.persons')}").fetchall()[0][0])


def _can_be_added_up(connection: duckdb.DuckDBPyConnection, plan: Plan) -> bool:
    """Return whether the cohort is large, and its question one that profiles can answer."""
    asks_for_rows = plan.pairs or any(each.value for each in plan.outcomes.values())
    asked = counted_outcomes(plan) if plan.design in _DESIGNS else {}
    if plan.design not in _DESIGNS or asks_for_rows or not asked:
        return False
    n = int(connection.sql("select count(*) from cohort.persons").fetchall()[0][0])
    if n < MANY_PERSONS:
        return False
    if plan.cluster and connection.sql("select 1 from cohort.persons where cluster is null limit 1").fetchall():
        return False  # who has no cluster is one of their own
    counted = f"select count(distinct hash({', '.join(_keys(plan))})) from cohort.persons"
    return n >= LEAST_PERSONS_EACH * int(connection.sql(counted).fetchall()[0][0])


def _belonging(keys: Sequence[str], *, by_hash: bool) -> str:
    """Return the condition under which one of ``persons`` has one of ``profiles``, over quoted columns.

    Everybody has a profile, so that hashes which no two profiles share tell which a person has, in half the time that
    matching ten columns takes.
    """
    if by_hash:
        hashes = (f"hash({', '.join(f'{table}.{key}' for key in keys)})" for table in ("persons", "profiles"))
        return " = ".join(hashes)
    return " and ".join(f"persons.{key} is not distinct from profiles.{key}" for key in keys)


def hashes_differ(connection: duckdb.DuckDBPyConnection, profiles: str, keys: Sequence[str]) -> bool:
    """Return whether no two profiles have one hash."""
    counted = f"select count(*) = count(distinct hash({', '.join(keys)})) from {profiles}"
    return bool(connection.sql(counted).fetchall()[0][0])


def _keys(plan: Plan) -> list[str]:
    """Return the columns, quoted, in which persons of a profile are alike; who was eligible is settled by then."""
    used = {"cluster": plan.cluster, "stratum": plan.strata}
    own = ["arm", "linked", *(name for name, is_used in used.items() if is_used)]
    return [sql.identifier(name) for name in dict.fromkeys([*own, *plan.adjust_for, *plan.subgroups])]


def has_table(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Return whether ``schema.table`` is there."""
    named = "select 1 from duckdb_tables() where schema_name = ? and table_name = ?"
    return bool(connection.execute(named, table.split(".")).fetchall())
