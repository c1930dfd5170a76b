"""A cleared release as a plain document and back, so that the release and the report can be two steps.

Here: both directions, without loss. Not here: where the document is kept. It holds cleared values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import polars as pl

from effectmeter.disclosure import Rules
from effectmeter.natural_frequencies import Frequencies
from effectmeter.release import Cleared
from effectmeter.results import ClaimRuling, EffectRow, GateResult, as_record
from effectmeter.sentences import ClaimFact, Facts

_TYPES: Mapping[str, type[pl.DataType]] = {
    "String": pl.String,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Boolean": pl.Boolean,
}


def to_document(cleared: Cleared) -> dict[str, Any]:
    """Return a cleared release as a document that JSON can hold."""
    return {
        "programme": cleared.programme,
        "quarter": cleared.quarter,
        "is_synthetic": cleared.is_synthetic,
        "rules": asdict(cleared.rules),
        "tables": {
            name: {
                "columns": {column: str(kind) for column, kind in table.schema.items()},
                "rows": [list(row) for row in table.iter_rows()],
            }
            for name, table in cleared.tables.items()
        },
        "rows": [as_record(row) for row in cleared.rows],
        "gates": [as_record(gate) for gate in cleared.gates],
        "claims": [as_record(claim) for claim in cleared.claims],
        "facts": asdict(cleared.facts),
        "frequencies": asdict(cleared.frequencies),
        "descriptions": {name: dict(words) for name, words in cleared.descriptions.items()},
    }


def from_document(document: Mapping[str, Any]) -> Cleared:
    """Return the cleared release that a document holds."""
    facts = dict(document["facts"])
    facts["claims"] = tuple(ClaimFact(**claim) for claim in facts["claims"])
    facts["others"] = tuple(tuple(other) for other in facts["others"])
    for name in ("raw", "mean"):
        facts[name] = None if facts[name] is None else tuple(facts[name])
    return Cleared(
        programme=document["programme"],
        quarter=document["quarter"],
        is_synthetic=document["is_synthetic"],
        rules=Rules(**document["rules"] | {"thresholds": tuple(document["rules"]["thresholds"])}),
        tables={name: _frame(table) for name, table in document["tables"].items()},
        rows=tuple(EffectRow(**row) for row in document["rows"]),
        gates=tuple(GateResult(**gate) for gate in document["gates"]),
        claims=tuple(ClaimRuling(**claim) for claim in document["claims"]),
        facts=Facts(**facts),
        frequencies=Frequencies(**document["frequencies"]),
        descriptions=document["descriptions"],
    )


def _frame(table: Mapping[str, Any]) -> pl.DataFrame:
    schema = {column: _TYPES[kind] for column, kind in table["columns"].items()}
    return pl.DataFrame(table["rows"], schema=schema, orient="row")
