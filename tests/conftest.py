"""Fixtures that several test files share."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from find_browser import find_browser

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


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
