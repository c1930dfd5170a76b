"""The pseudonyms of a delivery, hashed again under the programme's key: nobody can join two programmes on a person.

Here: which columns hold pseudonyms, and the table that takes each delivered id to the vault's. Codes of areas, trials
and series are public and stay as they are. So does a column that the plan uses as a category (a covariate, a subgroup,
a criterion): its values have a meaning. The key itself is in `vault.keys`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import duckdb

from effectmeter.errors import EffectmeterError
from effectmeter.plan import Plan
from effectmeter.schema import STANDARD_TABLES, Column
from sql import identifier, statement
from vault.connection import PSEUDONYM_KEY
from vault.intake.columns import PERSON_TABLES, extras

_BLOCK_BYTES = 64
"""Of SHA-256: keys are padded to it."""

Places = Mapping[tuple[str, str], str]
"""Which temporary table (``id``, ``pseudonym``) translates which table and column."""


@contextmanager
def pseudonymised(connection: duckdb.DuckDBPyConnection, plan: Plan, tables: Sequence[str]) -> Iterator[Places]:
    """Yield what every id in the typed tables becomes; the translation is thrown away afterwards.

    Parameters
    ----------
    connection
        A vault open for writing, with a temporary table ``typed_<table>`` for each of `tables`.

    Raises
    ------
    EffectmeterError
        The connection carries no key: it was not opened as a vault.

    Notes
    -----
    One distinct id is hashed once; rows take their pseudonym from a join, so that the work is linear in the rows. An id
    that stands in another table but not among the persons gets a pseudonym after theirs, so that it still is found out.
    """
    kinds = _kinds(plan, tables)
    if kinds:
        _hand_over_key(connection)
    places: dict[tuple[str, str], str] = {}
    made: list[str] = []
    try:
        for kind, columns in kinds.items():
            name = f"pseudonyms_of_{kind}"
            made.append(name)
            connection.execute(
                f"create or replace temp table {identifier(name)} as "
                + statement("landing/pseudonyms").replace("{ids}", _ids(columns)),
                {"salt": f"{plan.programme}:{kind}:"},
            )
            places |= dict.fromkeys(columns, name)
        yield places
    finally:
        with suppress(duckdb.Error):
            for name in made:
                connection.execute(f"drop table if exists temp.{identifier(name)}")
            for variable in ("pseudonym_inner", "pseudonym_outer"):
                connection.execute(f"reset variable {variable}")


def translated(places: Places, table: str, columns: Sequence[str], rows: str) -> str:
    """Return the query of a table's columns over the relation `rows`, with ids translated."""
    expressions = []
    joins = []
    for at, column in enumerate(columns):
        name = places.get((table, column))
        if name is None:
            expressions.append(f"delivered.{identifier(column)}")
            continue
        expressions.append(f"p{at}.pseudonym as {identifier(column)}")
        joins.append(f" left join temp.{identifier(name)} as p{at} on p{at}.id = delivered.{identifier(column)}")
    return f"select {', '.join(expressions)} from {rows} as delivered{''.join(joins)}"


def _kinds(plan: Plan, tables: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return, per kind of entity, the tables and columns that hold its ids; persons' own table first."""
    categories = {*plan.adjust_for, *plan.subgroups, *plan.eligibility}
    roles = {role for role in (plan.cluster, plan.strata, plan.pairs) if role is not None}
    found: dict[str, list[tuple[str, str]]] = {}
    for name in PERSON_TABLES:
        if name not in tables:
            continue
        own: tuple[Column, ...] = STANDARD_TABLES[name].columns
        for column in own:
            if column.pseudonym_of and column.name not in categories:
                found.setdefault(column.pseudonym_of, []).append((name, column.name))
        if name == "persons":
            for column in extras(plan, STANDARD_TABLES[name]):
                if column.name in roles - categories:
                    found.setdefault(f"column {column.name}", []).append((name, column.name))
    return found


def _ids(columns: Sequence[tuple[str, str]]) -> str:
    """Return the query of all distinct ids: those of the first table, then those that only others hold."""
    (first, column), *others = columns
    known = f"select distinct {identifier(column)} as id from {identifier('typed_' + first)} where {_kept(column)}"
    if not others:
        return f"select id, 0 as place from ({known})"
    strangers = " union all ".join(
        f"select {identifier(other)} as id from {identifier('typed_' + table)} where {_kept(other)} "
        f"and {identifier(other)} not in ({known})"
        for table, other in others
    )
    return f"select id, 0 as place from ({known}) union all select distinct id, 1 as place from ({strangers})"


def _kept(column: str) -> str:
    return f"reject_reason is null and {identifier(column)} is not null"


def _hand_over_key(connection: duckdb.DuckDBPyConnection) -> None:
    """Pad the key as HMAC does, and give it to the session as bound values."""
    key = connection.sql(f"select getvariable('{PSEUDONYM_KEY}')").fetchall()[0][0]
    if not isinstance(key, bytes):
        raise EffectmeterError(
            "pseudonyms cannot be hashed: this database was not opened as a vault",
            next_step="open it with vault.connection.open_vault",
        )
    padded = key.ljust(_BLOCK_BYTES, b"\0")
    for variable, pad in (("pseudonym_inner", 0x36), ("pseudonym_outer", 0x5C)):
        connection.execute(f"set variable {variable} = $key", {"key": bytes(byte ^ pad for byte in padded)})
