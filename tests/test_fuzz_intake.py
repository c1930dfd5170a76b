"""Whatever is delivered: every row is kept or rejected, or the file is refused in our words; no cell is ever quoted.

Longer: ``make broken`` (EFFECTMETER_FUZZ).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import broken_inputs
import duckdb
import pytest
from broken_inputs import CANARY, GOOD, plan_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from effectmeter.errors import EffectmeterError
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.connection import open_vault
from vault.intake import land

QUARTER = Quarter(2026, 3)
N_EXAMPLES = int(os.environ.get("EFFECTMETER_FUZZ", "20"))
FUZZ = settings(
    max_examples=N_EXAMPLES,
    derandomize="EFFECTMETER_FUZZ" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
DESIGNS = st.sampled_from(sorted(GOOD))
ODD = st.sampled_from(
    [b'"', b'""', b",", b";", b"\n", b"\r", b"\r\n", b"\t", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"\x81", b"\xc3"]
    + [
        word.encode()
        for word in ("é", "\u2028", "\u202e", "=1+1", "1e999", "-", "٣", "sep=;\n", "31-02-2024", "'", "NA")
    ]
)
CELLS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(["", " ", "NA", "treated", "before", "2024", "2024-Q1", "2024-01", "true", "1,5", "1.234", "=1+1"]),
)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path_factory.mktemp("fuzz") / "vault" / "p" / "q.duckdb") as connection:
        yield connection


def taken_or_refused(vault: duckdb.DuckDBPyConnection, design: str, content: bytes, max_rejected: float = 1.0) -> None:
    _, main, files = GOOD[design]
    plan = Plan.model_validate(plan_of(design, "p", expectations={"max_rejected": max_rejected}))
    with tempfile.TemporaryDirectory() as folder:
        for name, good in files.items():
            (Path(folder) / name).write_bytes(content if name == main else good)
        try:
            report = land(vault, plan, Path(folder), QUARTER)
        except EffectmeterError as error:
            assert CANARY not in str(error).casefold().replace("kanariedorp", CANARY)
            assert "next:" in str(error)
            assert "defect of Effectmeter" not in str(error)
            return
    for file in report.files:
        assert file.n_rows_read == file.n_rows_kept + file.n_rejected
        stored = vault.sql(f"select count(*) from landing.{file.table}").fetchall()[0][0]
        assert stored == file.n_rows_kept


@FUZZ
@given(design=DESIGNS, content=st.binary(max_size=400))
def test_any_bytes(vault: duckdb.DuckDBPyConnection, design: str, content: bytes) -> None:
    taken_or_refused(vault, design, content)


@FUZZ
@given(
    design=DESIGNS,
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), ODD | st.binary(max_size=4)), min_size=1, max_size=6),
)
def test_a_good_file_with_pieces_replaced(
    vault: duckdb.DuckDBPyConnection, design: str, edits: list[tuple[float, int, bytes]]
) -> None:
    content = GOOD[design][2][GOOD[design][1]]
    for where, length, new in edits:
        at = int(where * len(content))
        content = content[:at] + new + content[at + length :]
    taken_or_refused(vault, design, content)


@FUZZ
@given(design=DESIGNS, data=st.data())
def test_a_good_header_with_any_cells(vault: duckdb.DuckDBPyConnection, design: str, data: st.DataObject) -> None:
    header = broken_inputs.rows_of(GOOD[design][2][GOOD[design][1]])[0]
    width = len(header)
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8))
    content = "\n".join(",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in [header, *rows])
    taken_or_refused(vault, design, content.encode("utf-8", errors="surrogatepass"))
