"""Opening Dagster's storage: what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from pipelines.instance import open_instance


def test_a_storage_that_gives_out_is_told_in_words_and_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: str) -> None:
        raise OperationalError("PRAGMA main.table_info", {"secret": "value"}, Exception("disk I/O error"))

    monkeypatch.setattr(dg.DagsterInstance, "from_config", full)
    with pytest.raises(EffectmeterError, match="the disk is full") as refused:
        open_instance(Home(tmp_path))
    assert "PRAGMA" not in str(refused.value) and "value" not in str(refused.value)
    assert "next: make room" in str(refused.value)
