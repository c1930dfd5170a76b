"""The vault's pseudonyms and the delivered ids behind them, for tests that know what was delivered."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from effectmeter.home import Home
from vault.keys import key_of


def digits(key: bytes, delivered: str) -> str:
    """Return the keyed part of a pseudonym, by Python's own HMAC."""
    return hmac.new(key, delivered.encode(), "sha256").hexdigest()[:16]


def pseudonym_key(home: Home, programme: str) -> bytes:
    return key_of(home, programme, may_make=False).derived("pseudonyms")


def with_delivered_ids(
    connection: duckdb.DuckDBPyConnection, rows: Iterable[Sequence[Any]], ids: Iterable[str]
) -> list[tuple[Any, ...]]:
    """Return rows with the delivered id in the place of its pseudonym; the connection is one that writes."""
    key = connection.sql("select getvariable('pseudonym_key')").fetchall()[0][0]
    known = {digits(key, each): each for each in ids}

    def back(value: Any) -> Any:
        return known.get(value.partition("-")[2], value) if isinstance(value, str) else value

    return [tuple(back(value) for value in row) for row in rows]
