"""Comparability as the vault keeps it: one object in Python, four tables in schema ``comparability``."""

from dataclasses import dataclass

import duckdb

from effectmeter.results import BalanceRow, Comparability, OverlapRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonWeight:
    """One person's weight in one contrast."""

    contrast: str
    person_id: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSampleSize:
    """Kish's effective size of the weighted comparison arm of one contrast."""

    contrast: str
    effective_sample_size: float


def write_comparability(connection: duckdb.DuckDBPyConnection, found: Comparability) -> None:
    """Store weights, balance, overlap and effective sample sizes."""
    from vault.results import write_results

    weights = [
        PersonWeight(contrast=contrast, person_id=person, weight=weight)
        for contrast, person, weight in zip(found.weight_contrast, found.weight_person_id, found.weight, strict=True)
    ]
    sizes = [
        EffectiveSampleSize(contrast=contrast, effective_sample_size=size)
        for contrast, size in found.effective_sample_size
    ]
    write_results(connection, "comparability.weights", weights, PersonWeight)
    write_results(connection, "comparability.balance", found.balance, BalanceRow)
    write_results(connection, "comparability.overlap", found.overlap, OverlapRow)
    write_results(connection, "comparability.effective_sample_size", sizes, EffectiveSampleSize)


def read_comparability(connection: duckdb.DuckDBPyConnection) -> Comparability:
    """Read back what `write_comparability` stored."""
    from vault.results import read_results

    weights = read_results(connection, "comparability.weights", PersonWeight)
    sizes = read_results(connection, "comparability.effective_sample_size", EffectiveSampleSize)
    return Comparability(
        balance=read_results(connection, "comparability.balance", BalanceRow),
        overlap=read_results(connection, "comparability.overlap", OverlapRow),
        weight_contrast=tuple(row.contrast for row in weights),
        weight_person_id=tuple(row.person_id for row in weights),
        weight=tuple(row.weight for row in weights),
        effective_sample_size=tuple((row.contrast, row.effective_sample_size) for row in sizes),
    )
