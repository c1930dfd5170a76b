"""DuckDB statements, one per file, with bound ``$name`` parameters; and the loader, nothing else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """Return the statement in ``<name>.sql`` (sub-folders as ``cohort/persons``)."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def identifier(name: str) -> str:
    """Quote a column or table name for DuckDB. The only way an identifier enters a statement."""
    return '"' + name.replace('"', '""') + '"'
