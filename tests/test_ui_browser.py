"""A researcher at work in a real Chromium: materialise a quarter, see checks and plot, open the report."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from workbench import Workbench

from assets.bundled import write_deliveries
from assets.releases import latest_edition
from effectmeter.quarters import Quarter

pytestmark = pytest.mark.browser

QUARTER = Quarter.last_complete(date.today())
START_SECONDS = 180
RUN_SECONDS = 240


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(tmp_path_factory.mktemp("ui"))
    bench.add_bundled("tarp")
    write_deliveries(bench.home, QUARTER, ["tarp"])
    return bench


@pytest.fixture(scope="module")
def address(bench: Workbench, browser_path: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "pipelines.cli", "ui", "--port", str(port)),
        *("--home", str(bench.home.root), "--programmes", str(bench.plans)),
    ]
    with (bench.root / "ui.log").open("w") as log:
        # A session of its own, so that the web server, the daemon and their children can be ended together.
        # sensors that wait: what a person starts must not meet a run of the delivery's own
        environment = os.environ | {"EFFECTMETER_AUTOMATION": "off"}
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=environment
        )
    base = f"http://127.0.0.1:{port}"
    try:
        _wait_until_serving(base, process)
        yield base
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_serving(base: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the user interface ended before it served a page"
        try:
            with urllib.request.urlopen(f"{base}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    pytest.fail(f"the user interface did not answer within {START_SECONDS} s")


def _graphql(base: str, query: str) -> Any:
    request = urllib.request.Request(
        f"{base}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def _wait_until_run_ends(base: str) -> str:
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        runs = _graphql(base, "{ runsOrError { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        if runs and runs[0]["status"] in {"SUCCESS", "FAILURE", "CANCELED"}:
            return str(runs[0]["status"])
        time.sleep(1)
    return "STILL RUNNING"


@pytest.fixture(scope="module")
def page(address: str, browser_path: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def test_a_researcher_materialises_a_quarter_and_reads_what_came_out(address: str, page: Any, bench: Workbench) -> None:
    page.goto(f"{address}/locations/effectmeter/asset-groups/tarp")
    page.get_by_text("Materialize all").click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text(str(QUARTER)).first.click()
    page.keyboard.press("Escape")
    page.get_by_text("Launch 1 run").click()
    assert _wait_until_run_ends(address) == "SUCCESS"

    page.goto(f"{address}/assets/tarp/landing?view=checks")
    page.get_by_placeholder("Filter checks").fill("persons_person_unique")
    page.get_by_text("Succeeded").first.wait_for()
    page.get_by_text("persons_person_unique").first.click()
    page.get_by_text("threshold").first.wait_for()

    page.goto(f"{address}/assets/tarp/report?view=overview")
    page.get_by_text("Show Markdown").first.click()
    picture = page.locator("[role=dialog] img")
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 0
    assert picture.get_attribute("alt")

    edition = latest_edition(bench.home.releases("tarp", QUARTER))
    assert edition is not None
    page.goto((edition / "report.nl.html").as_uri())
    assert page.locator("html").get_attribute("lang") == "nl"
    assert page.locator("h1").count() == 1


def test_the_interface_listens_on_this_machine_only(address: str, bench: Workbench) -> None:
    port = int(address.rsplit(":", 1)[1])
    listening = [
        line.split()[1] for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    ours = [entry for entry in listening if entry.endswith(f":{port:04X}")]
    assert ours
    assert {entry.split(":")[0] for entry in ours} == {"0100007F"}


def test_the_interface_answers_its_own_pages_only(address: str) -> None:
    question = f"{address}/graphql?query=%7Bversion%7D"
    with urllib.request.urlopen(question, timeout=60) as answer:
        assert json.load(answer)["data"]["version"]
    for name, value in (("Host", "elsewhere.example"), ("Origin", "http://elsewhere.example")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(question, headers={name: value}), timeout=60)
        assert caught.value.code == 403
        caught.value.close()
