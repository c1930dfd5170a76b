"""Take the pictures that the documentation shows (``make pictures``): of a report, and of Dagster's interface.

Needs a Chromium and a refreshed `tarp` (``make demo``); for the picture of editions also earlier quarters of
`integrale-familieaanpak`, in their order: ``effectmeter worlds`` and ``effectmeter refresh`` with ``--quarter``. Here:
opening pages and photographing them. Not here: any page.
"""

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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PROGRAMME = "tarp"
WITH_EDITIONS = "integrale-familieaanpak"
CHECK = "persons_person_unique"
START_SECONDS = 180
STILL_MS = 2000
"""How long the interface takes to move its parts into place."""
WIDTH, HEIGHT, TALL = 1360, 860, 1300
"""Of the pictures of the interface; a run is opened taller, since its timeline takes a third of the page."""
sys.path.insert(0, str(ROOT / "tests"))


def main() -> int:
    """Photograph the newest English report of `tarp`, and its asset, checks and run in Dagster."""
    from find_browser import find_browser
    from playwright.sync_api import sync_playwright

    browser_path = find_browser()
    if browser_path is None:
        sys.stderr.write("No Chromium found; see tests/find_browser.py\n")
        return 1
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        _report(browser)
        with _interface() as address:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.set_default_timeout(60_000)
            _dagster(page, address)
            _run(page, address)
        browser.close()
    return 0


def _report(browser: Any) -> None:
    """Photograph the first screen of the report, what it says may be said, and its history where there is one."""
    from datetime import date

    from assets.releases import find_edition
    from effectmeter.errors import UsageError
    from effectmeter.home import Home
    from effectmeter.quarters import Quarter

    home, quarter = Home.from_environment(), Quarter.last_complete(date.today())
    page = browser.new_page(viewport={"width": 900, "height": 1150})
    page.goto((find_edition(home, PROGRAMME, quarter) / "report.en.html").as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.locator("#say").screenshot(path=IMAGES / "what-can-be-said.png")
    with suppress(UsageError):
        page.goto((find_edition(home, WITH_EDITIONS, quarter) / "report.en.html").as_uri())
        if page.locator("#figure-history").count():
            page.locator("#since").screenshot(path=IMAGES / "editions.png")
    page.close()


@contextmanager
def _interface() -> Iterator[str]:
    """Serve Dagster's interface on this machine for as long as it is needed, with the sensors asleep."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "ui", "--port", str(port), "--read-only"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"EFFECTMETER_AUTOMATION": "off"},
    )
    try:
        _wait(address, process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise SystemExit(f"the interface did not answer within {START_SECONDS} s; try: effectmeter ui")


def _last_run(address: str) -> str:
    """Return the newest run that made the report of the programme."""
    chosen = "runId assets { key { path } }"
    query = f"{{ runsOrError(filter: {{statuses: [SUCCESS]}}) {{ ... on Runs {{ results {{ {chosen} }} }} }} }}"
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        runs = json.load(answer)["data"]["runsOrError"]["results"]
    wanted = {"key": {"path": [PROGRAMME, "report"]}}
    return next(str(run["runId"]) for run in runs if wanted in run["assets"])


def _photograph(page: Any, name: str) -> None:
    """Photograph a page of the interface, once it stands still, with no folder of this machine in it."""
    from effectmeter.home import Home

    page.wait_for_timeout(STILL_MS)
    script = """root => { const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      for (let n; (n = walker.nextNode());) n.data = n.data.replaceAll(root, 'data') }"""
    page.evaluate(script, str(Home.from_environment().root))
    page.screenshot(path=IMAGES / f"{name}.png", clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})


def _dagster(page: Any, address: str) -> None:
    """Photograph the asset of the report, the picture behind it, and a check."""
    page.goto(f"{address}/assets/{PROGRAMME}/report?view=overview")
    page.get_by_text("Show Markdown").first.wait_for()
    _photograph(page, "dagster-report")
    page.get_by_text("Show Markdown").first.click()
    page.locator("[role=dialog] img").wait_for()
    page.wait_for_timeout(STILL_MS)
    page.locator("[role=dialog]").first.screenshot(path=IMAGES / "dagster-picture.png")
    page.keyboard.press("Escape")

    page.goto(f"{address}/assets/{PROGRAMME}/landing?view=checks")
    page.get_by_placeholder("Filter checks").fill("persons_person")
    page.get_by_text(CHECK).first.click()
    page.get_by_text("what_to_do").first.wait_for()
    _photograph(page, "dagster-checks")


def _run(page: Any, address: str) -> None:
    """Photograph the timeline of a run."""
    page.set_viewport_size({"width": WIDTH, "height": TALL})
    page.goto(f"{address}/runs/{_last_run(address)}")
    page.get_by_text("Hide not started steps").wait_for()
    _photograph(page, "dagster-run")


if __name__ == "__main__":
    sys.exit(main())
