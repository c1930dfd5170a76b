"""Take the pictures that the documentation shows, from the bundled real example (``make pictures``).

Needs a Chromium and a refreshed `tarp` (``make demo``).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))


def main() -> int:
    """Photograph the first screen of the newest English report of `tarp`."""
    from datetime import date

    from find_browser import find_browser
    from playwright.sync_api import sync_playwright

    from assets.releases import find_edition
    from effectmeter.home import Home
    from effectmeter.quarters import Quarter

    browser_path = find_browser()
    if browser_path is None:
        sys.stderr.write("No Chromium found; see tests/find_browser.py\n")
        return 1
    edition = find_edition(Home.from_environment(), "tarp", Quarter.last_complete(date.today()))
    target = ROOT / "docs" / "images" / "report.png"
    target.parent.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 900, "height": 1150})
        page.goto((edition / "report.en.html").as_uri())
        page.screenshot(path=target)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
