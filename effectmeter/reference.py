"""Pages and schemas written from the models and the catalogue, so that nobody keeps them by hand.

`write_schemas` makes the JSON Schema that an editor uses while a plan is written; `plan_page` and `tables_page` are the
reference pages. A test holds the committed files to what these functions give.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from effectmeter.passport import OF_THE_RUN, RENDERED
from effectmeter.passport_schema import passport_schema
from effectmeter.plan import Plan
from effectmeter.schema import DESIGN_TABLES, RESULT_TABLES, STANDARD_TABLES, Table

_MADE = "<!-- Made by `make docs` from the code; edit that, not this page. -->"


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of an analysis plan."""
    schema = Plan.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Effectmeter analysis plan",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write the JSON Schemas of plan and passport into `folder` and return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = {"plan.schema.json": plan_schema(), "passport.schema.json": passport_schema()}
    for name, schema in schemas.items():
        (folder / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return tuple(folder / name for name in schemas)


def write_reference(folder: Path) -> tuple[Path, ...]:
    """Write ``plan.md``, ``tables.md`` and ``release.md`` into `folder` and return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"plan.md": plan_page(), "tables.md": tables_page(), "release.md": release_page()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(folder / name for name in pages)


def plan_page() -> str:
    """Return the reference of every field of a plan, as Markdown."""
    schema = plan_schema()
    parts = [
        "# The analysis plan, field by field",
        _MADE,
        "One YAML file per programme in `programmes/`, named after the programme. A field that is not in these tables"
        " is a fault, and so is one that is written twice. `effectmeter plan new` writes a commented start,"
        " `effectmeter check` checks a plan and its delivery.",
        _fields_table(schema),
        "## Tables that a design needs",
        _rows(
            ("design", "required", "one of these, for outcomes that are counted", "may come along"),
            [
                (f"`{design}`", _codes(needs.required), _codes(needs.one_of), _codes(needs.optional))
                for design, needs in DESIGN_TABLES.items()
            ],
        ),
    ]
    for name, part in schema["$defs"].items():
        if "properties" in part:
            parts += [f"## {name}", _markdown(part.get("description", "")), _fields_table(part)]
    return "\n\n".join(part for part in parts if part) + "\n"


def release_page() -> str:
    """Return the reference of a release's files and of its passport, as Markdown."""
    schema = passport_schema()
    rows = [
        (f"`{name}`", field["description"], "yes" if name in OF_THE_RUN else "")
        for name, field in schema["properties"].items()
    ]
    parts = [
        "# A release, file by file",
        _MADE,
        "`release/<programme>/<quarter>/<edition>/` holds `report.nl.html`, `report.en.html`, `report.nl.pdf`,"
        " `report.en.pdf`, `effects.csv`, `effects.parquet`, `effects.xlsx`, `passport.json` and `tables/*.csv`, and"
        " nothing else. Its files are for reading only. Beside the editions `awaiting-approval.json` may lie: the"
        " cleared result that the newest CONCEPT was written from, which an approval writes the next edition from.",
        "## The same in, the same out",
        "The same delivery, plan, code and libraries give the same bytes of `effects.csv`, of every table, and of the"
        " passport, apart from what belongs to the run: the fields marked below, and `first_used` and `quarter` in the"
        " plan's history (when a plan first met outcomes). The number of threads, the home folder, the key and the seed"
        " of Python's hashes make no difference. Nor does the order of the rows in a delivery, to the figures; the"
        " delivery's own hash is of its bytes, so `data` and `content_hash` differ then. Pages, PDF and workbook are"
        " the same bytes for the same passport.",
        f"`effects.xlsx` and the reports show edition, mark and approval ({_codes(RENDERED)}). All other files are the"
        " same bytes before and after an approval.",
        "## The passport, field by field",
        "Its JSON Schema is `schemas/passport.schema.json`. Hashes are SHA-256, in hexadecimal.",
        _rows(("field", "meaning", "of the run"), rows),
    ]
    return "\n\n".join(parts) + "\n"


def tables_page() -> str:
    """Return the reference of standard and result tables, as Markdown."""
    parts = [
        "# Tables, column by column",
        _MADE,
        "## What a delivery holds",
        "`?` may be absent or empty. Where a table is open, other columns may come along; only those that the plan uses"
        " are kept.",
        *(_table_part(table) for table in STANDARD_TABLES.values()),
        "## What comes out",
        "The last column says what the release gate does with a figure before it leaves the vault.",
        *(_table_part(table) for table in RESULT_TABLES.values()),
    ]
    return "\n\n".join(parts) + "\n"


def _table_part(table: Table) -> str:
    remarks = [f"One row is {table.grain}. Stored as `{table.storage}`."]
    if table.key:
        remarks.append(f"Unique by {_codes(table.key)}.")
    remarks += [f"At least one of {_codes(group)} is needed." for group in table.one_of]
    if table.is_open:
        remarks.append("Open.")
    header = ["column", "type", "meaning"] + (["release gate"] if table.is_released else [])
    rows = []
    for column in table.columns:
        meaning = column.meaning + (f" One of {_codes(column.allowed)}." if column.allowed else "")
        meaning += f" Unit: {column.unit}." if column.unit else ""
        row = [f"`{column.name}`" + ("?" if column.nullable else ""), column.type, meaning]
        rows.append(row + ([column.role] if table.is_released else []))
    return f"### {table.name}\n\n{' '.join(remarks)}\n\n{_rows(header, rows)}"


def _fields_table(part: dict[str, Any]) -> str:
    required = part.get("required", [])
    rows = []
    for name, field in part["properties"].items():
        default = "needed" if name in required else f"`{json.dumps(field['default'])}`" if "default" in field else ""
        meaning = _markdown(field.get("description", ""))
        allowed = _enumerated(field)
        rows.append((f"`{name}`", default, meaning + (f" One of {_codes(allowed)}." if allowed else "")))
    return _rows(("field", "default", "meaning"), rows)


def _enumerated(field: dict[str, Any]) -> list[str]:
    """Return the words that a field, or an item of it, may be."""
    if "enum" in field:
        return list(field["enum"])
    options = [*field.get("anyOf", []), field.get("items", {})]
    return next((found for option in options if option and (found := _enumerated(option))), [])


def _markdown(docstring: str) -> str:
    return " ".join(docstring.split()).replace("``", "`")


def _codes(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _rows(header: Any, rows: Any) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
