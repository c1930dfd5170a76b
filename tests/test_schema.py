"""The catalogue agrees with the contract, with the result classes and with the committed pages and schemas."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from effectmeter import results
from effectmeter.plan import DesignName, Measure, TableName
from effectmeter.plan_io import plan_template
from effectmeter.plan_yaml import read_yaml
from effectmeter.reference import plan_page, plan_schema, tables_page, write_reference, write_schemas
from effectmeter.schema import DESIGN_TABLES, DUCKDB_TYPES, RESULT_TABLES, STANDARD_TABLES, Role
from effectmeter.schema_results import DESIGNS

ROOT = Path(__file__).parents[1]

CONTRACT_ORDER = """
    programme quarter design outcome measure contrast estimand estimator variance analysis subgroup window_days
    denominator estimate conf_low conf_high conf_level std_error verdict_low verdict_high p_value p_value_adjusted
    n_treated n_comparison events_treated events_comparison person_years_treated person_years_comparison
    n_clusters_treated n_clusters_comparison status reason
""".split()  # noqa: SIM905 - as the contract prints it

CLASSES: dict[str, type] = {
    "effects": results.EffectRow,
    "gates": results.GateResult,
    "claims": results.ClaimRuling,
    "verdict": results.Verdict,
    "attrition": results.AttritionStep,
    "balance": results.BalanceRow,
    "overlap": results.OverlapRow,
    "curves": results.CurvePoint,
    "series_points": results.SeriesPoint,
    "trial_effects": results.TrialEffect,
}
PYTHON_TYPES = {"text": str, "int": int, "float": float, "bool": bool}


def test_effects_have_the_contract_s_columns_in_its_order():
    assert RESULT_TABLES["effects"].names == (*CONTRACT_ORDER, "reason_nl", "figures_of")


@pytest.mark.parametrize("name", CLASSES)
def test_result_classes_and_catalogue_agree(name: str):
    table, hints = RESULT_TABLES[name], get_type_hints(CLASSES[name])
    assert table.names == tuple(field.name for field in fields(CLASSES[name]))
    for column in table.columns:
        options = set(get_args(hints[column.name]) or (hints[column.name],))
        assert (type(None) in options) == column.nullable, column.name
        options.discard(type(None))
        if all(isinstance(option, str) for option in options):
            assert set(column.allowed) == options, column.name
        else:
            assert options == {PYTHON_TYPES[column.type]}, column.name


def test_every_result_table_but_the_checks_has_its_class():
    assert set(RESULT_TABLES) == {*CLASSES, "checks"}


def test_roles_guard_every_count_and_estimate():
    for table in RESULT_TABLES.values():
        for column in table.columns:
            assert column.role in get_args(Role)
            if column.name.startswith(("n_clusters",)):
                assert column.role == "count_clusters"
            elif column.name.startswith("n_"):
                assert column.role in ("count_persons", "count_events"), f"{table.name}.{column.name}"
            elif column.name in ("conf_level", "bin_low", "bin_high", "value"):  # parameters, not findings
                assert column.role == "none"
            elif column.type == "float":
                assert column.role != "none", f"{table.name}.{column.name}"


def test_the_catalogue_is_well_formed():
    for name, table in {**STANDARD_TABLES, **RESULT_TABLES}.items():
        assert name == table.name and table.storage
        assert len(set(table.names)) == len(table.names)
        assert set(table.key) <= set(table.names)
        for column in table.columns:
            assert column.type in DUCKDB_TYPES
            assert column.meaning.endswith("."), f"{name}.{column.name}"
        for group in table.one_of:
            assert all(table.column(column).nullable for column in group)
    assert all(column.role == "none" for table in STANDARD_TABLES.values() for column in table.columns)


def test_plan_and_catalogue_know_the_same_names():
    assert set(STANDARD_TABLES) == set(get_args(TableName))
    assert tuple(DESIGN_TABLES) == get_args(DesignName) == DESIGNS
    assert RESULT_TABLES["effects"].column("measure").allowed == get_args(Measure)
    for needs in DESIGN_TABLES.values():
        assert {*needs.required, *needs.one_of, *needs.optional} <= set(STANDARD_TABLES)


def test_committed_schema_and_pages_are_current(tmp_path: Path):
    for made in (*write_schemas(tmp_path / "schemas"), *write_reference(tmp_path / "docs/reference")):
        committed = ROOT / made.relative_to(tmp_path)
        assert committed.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "run: make docs"


def test_every_field_and_column_is_explained():
    schema, fields_page, columns_page = plan_schema(), plan_page(), tables_page()
    for part in (schema, *schema["$defs"].values()):
        for name, field in part.get("properties", {}).items():
            assert field.get("description"), f"{part.get('title', 'plan')}.{name}"
            assert f"`{name}`" in fields_page
    for table in (*STANDARD_TABLES.values(), *RESULT_TABLES.values()):
        assert f"### {table.name}\n" in columns_page


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda day: day.isoformat() if isinstance(day, date) else None))


@pytest.fixture(scope="module")
def editor() -> jsonschema.Draft202012Validator:
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def plan_values(text: str) -> Any:
    return as_json(read_yaml(text, "plan").value)


@pytest.mark.parametrize("path", sorted((ROOT / "programmes").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_editor_accepts_the_bundled_plans(editor: jsonschema.Draft202012Validator, path: Path):
    editor.validate(plan_values(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("design", DESIGN_TABLES)
def test_an_editor_accepts_new_plans_and_marks_faults(editor: jsonschema.Draft202012Validator, design: str):
    good = plan_values(plan_template(design, "my-programme"))
    editor.validate(good)
    for fault in ({"desing": design}, {"design": "lottery"}, {"weighting": "magic"}, {"looks": {"method": "peek"}}):
        assert not editor.is_valid(good | fault)
