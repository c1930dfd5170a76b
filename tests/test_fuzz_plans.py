"""Whatever stands in a plan: it is taken whole, or refused as a plan. Longer: ``make broken`` (EFFECTMETER_FUZZ)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import broken_plans
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effectmeter.errors import PlanError
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan, plan_hash

N_EXAMPLES = int(os.environ.get("EFFECTMETER_FUZZ", "60"))
FUZZ = settings(
    max_examples=N_EXAMPLES,
    derandomize="EFFECTMETER_FUZZ" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
GOOD: dict[str, Any] = yaml.safe_load(broken_plans.GOOD)
ODD = st.sampled_from(
    [
        "",
        " ",
        "~",
        "=1+1",
        "../x",
        "x\0y",
        "\u202e",
        "ｐ",
        "ja",
        "1e999",
        "-0",
        "'",
        '"',
        "{{x}}",
        "a;b=c",
        "\ud7ff",
        "\n",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.text(max_size=12)
    | ODD
    | st.sampled_from(sorted(Plan.model_fields)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | ODD, inner, max_size=4),
    max_leaves=8,
)


def taken_or_refused(text: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proef.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass"))
        try:
            plan = load_plan(path)
        except PlanError as error:
            assert str(error)
            assert "next:" in str(error)
        else:
            assert len(plan_hash(plan)) == 64
            again = Plan.model_validate(plan.model_dump(by_alias=True))
            assert plan_hash(again) == plan_hash(plan)


def addresses(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += addresses(inner, (*here, key))
    return found


def replaced(value: Any, address: tuple[Any, ...], new: Any) -> Any:
    if not address:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[address[0]] = replaced(value[address[0]], address[1:], new)
    return copy


@FUZZ
@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_text_is_no_plan_or_one(text: str | bytes) -> None:
    taken_or_refused(text)


@FUZZ
@given(address=st.sampled_from(addresses(GOOD)), value=VALUES)
def test_a_good_plan_with_any_value_anywhere(address: tuple[Any, ...], value: Any) -> None:
    taken_or_refused(yaml.safe_dump(replaced(GOOD, address, value), allow_unicode=True))


@FUZZ
@given(field=st.sampled_from(sorted(Plan.model_fields)), value=VALUES)
def test_a_good_plan_with_any_block(field: str, value: Any) -> None:
    taken_or_refused(yaml.safe_dump({**GOOD, field: value}, allow_unicode=True))


@FUZZ
@given(at=st.integers(0, len(broken_plans.GOOD)), old=st.integers(0, 40), new=st.text(max_size=10) | ODD)
def test_a_good_plan_with_any_piece_of_text_replaced(at: int, old: int, new: str) -> None:
    taken_or_refused(broken_plans.GOOD[:at] + new + broken_plans.GOOD[at + old :])
