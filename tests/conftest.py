"""Fixtures that several test files share."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

import effectmeter  # noqa: F401 - before numpy: how many threads it may take is said there

sys.path.insert(0, str(Path(__file__).parent))

from find_browser import find_browser

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


LONGEST = (
    "test_cluster.py",
    "test_report_browser.py",
    "test_ui_browser.py",
    "test_same_in_same_out.py",
    "test_persons_attacks.py",
    "test_added_up.py",
    "test_chain.py",
    "test_postgres.py",
    "test_areas_interface.py",
    "test_faults.py",
    "test_public_hard_cases.py",
    "test_persons_rows.py",
    "test_seventh_design.py",
    "test_definitions_again.py",
    "test_faults_machine.py",
)
"""Files that take longest. They begin first, so that none of them is left to run alone while other cores wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest in front; the rest stay in the order of their names."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(autouse=True)
def no_instance_of_an_earlier_test() -> Iterator[None]:
    """Dagster keeps the storage of an instance that was entered and never left where the next loading of definitions
    finds it, dead by then. A test begins without, whatever ran before it in the same process."""
    base = sys.modules.get("dagster._core.storage.defs_state.base")
    if base is not None:
        base._current_storage.set(None)
    yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real studies that are not part of the project; tests on them are skipped where the folder is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder with real studies (../shared/data) is not here")
    return SHARED


@pytest.fixture(scope="session")
def forks() -> ForkServerContext:
    """Processes that are forked from one that has everything imported: killing one costs no start of Python."""
    context = multiprocessing.get_context("forkserver")
    rooms = ["expectations", "assets.steps", "vault.intake", "effectmeter.designs.registry", "pipelines.refresh"]
    context.set_forkserver_preload(rooms)
    return context


@pytest.fixture(scope="session")
def browser_path() -> str:
    """A Chromium on this machine. CI sets EFFECTMETER_REQUIRE_BROWSER, so that there nothing is skipped."""
    path = find_browser()
    if path is None:
        message = "no Chromium found: install one, or set EFFECTMETER_BROWSER to its path"
        if os.environ.get("EFFECTMETER_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return path
