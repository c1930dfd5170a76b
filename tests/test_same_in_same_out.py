"""The same in, the same out: threads, hash seed, home folder, key and order of the rows make no difference.

And what comes out is what the guides of the designs show as their worked examples.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workbench import ROOT

sys.path.append(str(ROOT / "docs"))

from make_examples import EXAMPLES, GUIDES, with_example

from effectmeter.passport import OF_THE_RUN, undated

PROGRAMMES = {
    "tarp": "randomised",
    "alleen-jij-bepaalt": "comparison_cohort",
    "integrale-familieaanpak": "before_after",
    "preventie-met-gezag": "staggered_areas",
    "vertrouwensketen": "interrupted_series",
    "cbt-for-offenders": "pooled_trials",
}
"""One bundled programme per design."""

UNTOUCHED = "scared-straight"
"""Delivered in the same order to both."""

OF_THE_DELIVERY = ("data",)
"""What the passport says of the delivery's bytes, which another order of its rows changes."""

Runs = tuple[dict[str, Any], dict[str, Any]]


def start(root: Path, threads: int, *, order: str = "") -> subprocess.Popen[str]:
    """Start a run of all programmes in a process with its own threads, hash seed and keys."""
    one = str(threads)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        "PYTHONHASHSEED": one,
        "EFFECTMETER_KEY": one * 64,
        "EFFECTMETER_USER": f"tester-{one}",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), one),
    }
    command = [sys.executable, str(ROOT / "tests" / "one_run.py"), str(root), one]
    command += [*(f"{programme}{order}" for programme in PROGRAMMES), UNTOUCHED]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=root)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two runs of everything at once: one thread and rows as delivered; two threads and rows in another order."""
    started = [
        start(tmp_path_factory.mktemp("one"), 1),
        start(tmp_path_factory.mktemp("another-and-longer-name"), 2, order=":shuffled"),
    ]
    said = [process.communicate(timeout=900)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    one, two = (json.loads(text) for text in said)
    return one, two


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_effects_are_the_same_bytes(runs: Runs, programme: str) -> None:
    one, two = (run[programme]["effects"] for run in runs)
    assert one == two


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_passports_differ_in_what_belongs_to_the_run_and_the_order_of_rows_only(runs: Runs, programme: str) -> None:
    one, two = (undated(run[programme]["passport"]) for run in runs)
    assert one["data"]["files"].keys() == two["data"]["files"].keys()
    for passport in (one, two):
        for field in OF_THE_DELIVERY:
            del passport[field]
    assert json.dumps(one) == json.dumps(two)


@pytest.mark.parametrize("programme", PROGRAMMES)
def test_the_unrounded_estimates_agree_to_nine_digits(runs: Runs, programme: str) -> None:
    """Sums of floating-point numbers may depend on the number of threads in their last digits, and in no others."""
    one, two = (json.loads(run[programme]["vault"]) for run in runs)
    for name in ("effects", "gates", "claims"):
        assert len(one[name]) == len(two[name])
        for row, other in zip(one[name], two[name], strict=True):
            for key, value in row.items():
                expected = pytest.approx(other[key], rel=1e-9, abs=1e-12) if isinstance(value, float) else other[key]
                assert value == expected, (name, key)


def test_the_same_delivery_gives_the_same_passport_but_for_the_run(runs: Runs) -> None:
    """With the rows as they are, nothing but who and when may differ."""
    passports = [run[UNTOUCHED]["passport"] for run in runs]
    one, two = ({key: value for key, value in each.items() if key not in OF_THE_RUN} for each in passports)
    assert json.dumps(one) == json.dumps(two)
    assert passports[0]["made"]["by"] != passports[1]["made"]["by"]
    assert runs[0][UNTOUCHED]["effects"] == runs[1][UNTOUCHED]["effects"]


@pytest.mark.parametrize("guide", EXAMPLES)
def test_the_worked_example_in_every_guide_is_what_the_software_makes(runs: Runs, guide: str) -> None:
    page = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    assert with_example(page, runs[0][EXAMPLES[guide]]["example"]) == page, "run `make examples`"


@pytest.mark.parametrize("entrance", ["pipelines.definitions", "pipelines.cli"])
def test_linear_algebra_takes_one_thread_however_many_cores_there_are(entrance: str) -> None:
    """More threads wait for each other on long, narrow matrices, and change the last digits."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run(
        [sys.executable, "-c", _THREADS_OF_NUMPY, entrance],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    if not found.stdout:
        pytest.skip("this numpy does not bring OpenBLAS with it")
    assert set(found.stdout.split()) == {"1"}


_THREADS_OF_NUMPY = """
import ctypes, importlib, pathlib, sys
importlib.import_module(sys.argv[1])
import numpy
for library in (pathlib.Path(numpy.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas*"):
    print(ctypes.CDLL(str(library)).scipy_openblas_get_num_threads64_())
"""
