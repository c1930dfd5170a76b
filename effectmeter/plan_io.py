"""Plans from files: reading, checking, hashing. A fault says file, line, field, value, what is allowed, what next.

The fields are `effectmeter.plan`'s, the rules between them are in `effectmeter.plan_rules`, the YAML is read by
`effectmeter.plan_yaml`.
"""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from effectmeter.errors import EffectmeterError, PlanError
from effectmeter.home import plan_files
from effectmeter.plan import Plan
from effectmeter.plan_rules import RulesError, listed, nearest
from effectmeter.plan_template import plan_template
from effectmeter.plan_yaml import MAXIMUM_BYTES, Document, read_yaml

__all__ = ["load_plan", "load_plans", "plan_content", "plan_hash", "plan_template"]

_MOST_FAULTS = 40
"""More at once help nobody; whoever mends these sees the rest."""
_QUOTED = re.compile(r"'([^']*)'")
_KINDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "list_type": "must be a list: [a, b]",
    "tuple_type": "must be a list of two: [lowest, highest]",
    "dict_type": "must be a mapping: key: value",
    "model_type": "must be a mapping: key: value",
    "date_type": "must be a date, written yyyy-mm-dd",
    "date_parsing": "must be a date, written yyyy-mm-dd",
    "date_from_datetime_parsing": "must be a date, written yyyy-mm-dd",
    "date_from_datetime_inexact": "must be a date, written yyyy-mm-dd",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_PATTERNS = {
    "programme": "lower-case letters, digits and hyphens, as in alleen-jij-bepaalt",
    "outcomes": "letters, digits and underscores, as in police_contact",
}


def load_plan(path: Path) -> Plan:
    """Read an analysis plan.

    Parameters
    ----------
    path
        The YAML file; its name without ``.yaml`` is the programme's.

    Raises
    ------
    PlanError
        With every fault found, each with file and line.
    """
    document = _read(path)
    faults = [_fault(path, document, address, what, line=line) for address, line, what in document.faults]
    if not isinstance(document.value, dict):
        faults.append(
            EffectmeterError(
                "the plan is empty" if document.value is None else "a plan is a mapping of fields, and this is not",
                where=f"{path}:1",
                next_step="start from 'effectmeter plan new'",
            )
        )
        raise _all(faults)
    try:
        plan = Plan.model_validate(document.value)
    except ValidationError as invalid:
        faults += _faults(path, document, invalid)
        raise _all(faults) from None
    if plan.programme != path.stem:
        faults.append(
            _fault(
                path,
                document,
                ("programme",),
                f"the programme is '{plan.programme}' and the file is '{path.name}': they carry one name",
                next_step=f"write 'programme: {path.stem}', or call the file {plan.programme}.yaml",
            )
        )
    if faults:
        raise _all(faults)
    return plan


def load_plans(folder: Path) -> dict[str, Plan]:
    """Read every ``*.yaml`` plan in a folder, by programme, in order of name.

    Raises
    ------
    PlanError
        With the faults of all plans together, or when the folder is missing or has no plans.
    """
    paths = plan_files(folder)
    if not paths:
        missing = "there is no such folder" if not folder.is_dir() else "there are no plans (*.yaml) here"
        raise _all(
            [
                EffectmeterError(
                    missing,
                    where=str(folder),
                    next_step="give the folder with --programmes, or run 'effectmeter plan new'",
                )
            ]
        )
    plans: dict[str, Plan] = {}
    faults: list[EffectmeterError] = []
    for path in paths:
        try:
            plans[path.stem] = load_plan(path)
        except PlanError as error:
            faults += error.faults
    if faults:
        raise _all(faults)
    return plans


def plan_content(plan: Plan) -> dict[str, Any]:
    """Return the plan with every default written out, as JSON values: what the hash covers and reports compare.

    Without `labels` it is what it was before plans had any: a new version is no new plan.
    """
    content: dict[str, Any] = plan.model_dump(mode="json", by_alias=True)
    return content if content["labels"] else {key: value for key, value in content.items() if key != "labels"}


def plan_hash(plan: Plan) -> str:
    """Return the sha256 of the plan's content: comments, layout, key order and shorthands do not change it."""
    canonical = json.dumps(plan_content(plan), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise _all(
            [
                EffectmeterError(
                    f"cannot be read: {error.strerror or 'unknown reason'}",
                    where=str(path),
                    next_step="check the name and the rights, or make it with 'effectmeter plan new'",
                )
            ]
        ) from None
    if len(content) > MAXIMUM_BYTES:
        raise _all(
            [
                EffectmeterError(
                    "is too large for a plan", where=str(path), allowed=f"at most {MAXIMUM_BYTES // 1000} kB"
                )
            ]
        )
    try:
        return read_yaml(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError:
        raise _all(
            [EffectmeterError("is not UTF-8 text", where=str(path), next_step="save the plan as UTF-8")]
        ) from None
    except EffectmeterError as fault:
        raise _all([fault]) from None


def _all(faults: list[EffectmeterError]) -> PlanError:
    """Return the faults as one, in the order of the lines they are on; those of one plan stay together."""
    ordered = sorted(faults, key=_place)
    n_more = len(ordered) - _MOST_FAULTS
    if n_more > 0:
        more = EffectmeterError(f"and {n_more:,} faults more", where=_place(ordered[_MOST_FAULTS])[0])
        ordered = [*ordered[:_MOST_FAULTS], more]
    is_told = all(fault.next_step for fault in ordered)
    return PlanError(ordered, next_step="" if is_told else "mend these lines of the plan, and run the command again")


def _place(fault: EffectmeterError) -> tuple[str, int]:
    """Return file and line of ``plan.yaml:12: field``."""
    found = re.match(r"(.*?\.yaml):(\d+)", fault.where)
    return (found[1], int(found[2])) if found else (fault.where, 0)


def _fault(
    path: Path,
    document: Document,
    address: tuple[str | int, ...],
    what: str,
    *,
    allowed: str = "",
    next_step: str = "",
    line: int | None = None,
) -> EffectmeterError:
    dotted = ".".join(str(part) for part in address)
    where = f"{path}:{line or document.line(address)}"
    return EffectmeterError(what, where=f"{where}: {dotted}" if dotted else where, allowed=allowed, next_step=next_step)


def _faults(path: Path, document: Document, invalid: ValidationError) -> Iterator[EffectmeterError]:
    for error in invalid.errors(include_url=False):
        broken = error.get("ctx", {}).get("error")
        if isinstance(broken, RulesError):
            for rule in broken.broken:
                yield _fault(path, document, rule.path, rule.what, allowed=rule.allowed, next_step=rule.next_step)
        else:
            yield _translated(path, document, error)


def _translated(path: Path, document: Document, error: ErrorDetails) -> EffectmeterError:
    """Write one of pydantic's errors as a fault that a researcher can act on."""
    kind = error["type"]
    context = error.get("ctx", {})
    is_key = error["loc"][-1:] == ("[key]",)
    address = _written(document.value, tuple(part for part in error["loc"] if part != "[key]"), kind)
    value = address[-1] if is_key and address else error["input"]
    shown = _shortened(value)
    if kind == "missing":
        what = f"'{address[-1]}' is missing"
        return _fault(path, document, address, what, next_step=f"add '{address[-1]}:'")
    if kind == "extra_forbidden":
        names = _field_names(address[:-1])
        what = f"'{address[-1]}' is not a field here"
        return _fault(path, document, address, what, allowed=listed(names), next_step=nearest(str(address[-1]), names))
    if kind == "literal_error":
        names = _QUOTED.findall(str(context.get("expected", "")))
        return _fault(
            path,
            document,
            address,
            f"{shown} is not known here",
            allowed=listed(names),
            next_step=nearest(str(value), names),
        )
    if kind == "string_pattern_mismatch":
        allowed = _PATTERNS.get(str(address[0]), "a text on one line, without ';' or '='")
        return _fault(path, document, address, f"{shown} has characters that do not belong here", allowed=allowed)
    if kind == "value_error":
        return _fault(path, document, address, f"{context.get('error')}, and it is {shown}")
    message = _KINDS.get(kind) or re.sub("^(Input|String) should", "must", error["msg"])
    return _fault(path, document, address, f"{message}, and it is {shown}", allowed=_allowed_for(address))


def _written(value: Any, loc: tuple[str | int, ...], kind: str) -> tuple[str | int, ...]:
    """Return the part of pydantic's address that is written in the file (it adds the names of types)."""
    address: list[str | int] = []
    for part in loc:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif not (kind == "missing" and part == loc[-1]):
            continue
        address.append(part)
    return tuple(address)


def _shortened(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)[:60]
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if len(repr(value)) > 60 else repr(value)
    text = str(value)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _annotation_at(address: tuple[str | int, ...]) -> Any:
    """Return the type that the plan has at an address; None where it has no say."""
    current: Any = Plan
    for part in address:
        current = _bare(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {field.alias or name: field for name, field in current.model_fields.items()}
            if part not in fields:
                return None
            current = fields[str(part)].annotation
        elif get_origin(current) in (dict, list):
            current = get_args(current)[-1]
        else:
            return None
    return _bare(current)


def _bare(annotation: Any) -> Any:
    """Strip ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType) and type(None) in get_args(annotation):
            annotation = next(option for option in get_args(annotation) if option is not type(None))
        else:
            return annotation


def _field_names(address: tuple[str | int, ...]) -> list[str]:
    model = _annotation_at(address)
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [field.alias or name for name, field in model.model_fields.items()]
    return []


def _allowed_for(address: tuple[str | int, ...]) -> str:
    annotation = _annotation_at(address)
    if get_origin(annotation) is list:
        annotation = _bare(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return listed([str(word) for word in get_args(annotation)])
    return listed(_field_names(address))
