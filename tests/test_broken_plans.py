"""Every broken plan is refused with its place, what is wrong and what to do; none is taken, and none takes long."""

from __future__ import annotations

from pathlib import Path

import broken_plans
import pytest

from effectmeter.errors import PlanError
from effectmeter.plan_io import load_plan


def refusal(folder: Path, content: bytes) -> str:
    path = folder / "proef.yaml"
    path.write_bytes(content)
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    return str(caught.value)


def test_the_plan_that_the_others_are_made_of_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "proef.yaml"
    path.write_text(broken_plans.GOOD, encoding="utf-8")
    assert load_plan(path).programme == "proef"


@pytest.mark.parametrize("plan", list(broken_plans.plans()), ids=lambda plan: plan.name)
def test_a_broken_plan_is_refused_with_a_way_out(tmp_path: Path, plan: broken_plans.BrokenPlan) -> None:
    said = refusal(tmp_path, plan.content)
    assert "proef.yaml" in said
    assert plan.says in said
    assert "next:" in said
    assert "Traceback" not in said
    assert len(said) < 20_000


def test_a_plan_with_faults_without_end_names_the_first(tmp_path: Path) -> None:
    said = refusal(tmp_path, broken_plans.GOOD.encode() + b"\n".join(b"x%d: 1" % n for n in range(200)))
    assert said.count("is not a field here") == 40
    assert "and 160 faults more" in said
