"""The folder with plans: what is a plan there, and what is said when nobody may look into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from effectmeter.errors import EffectmeterError
from effectmeter.home import plan_files
from effectmeter.plan_io import load_plans
from pipelines.definitions import read_plans
from pipelines.programmes import planned


def test_plans_by_name_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml", ".c.yaml", "d.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in plan_files(tmp_path)] == ["a.yaml", "b.yaml"]
    assert plan_files(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("reader", [plan_files, planned, read_plans, load_plans])
def test_a_folder_that_may_not_be_read_is_named(
    reader: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, pattern: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "glob", refuse)
    with pytest.raises(EffectmeterError, match="permission denied") as refused:
        reader(tmp_path)
    assert str(tmp_path) in str(refused.value) and "next: give this account the right" in str(refused.value)
