"""Find a Chromium for the browser tests; with ``--install``, get one through the system's package manager.

Prints the path. Exits 1, saying what to do, where there is none and none can be installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    named = os.environ.get("EFFECTMETER_BROWSER")
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install_browser() -> None:
    """Install Chromium where that needs no question: Debian or Ubuntu, as root or with password-less sudo."""
    if shutil.which("apt-get") is None:
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-y", "-q", "chromium"]):
        done = subprocess.run([*prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if done.returncode:
            return


def main() -> int:
    """Find, if asked install, and say."""
    if find_browser() is None and "--install" in sys.argv:
        sys.stderr.write("No Chromium found; installing one through the package manager ...\n")
        install_browser()
    path = find_browser()
    if path is None:
        sys.stderr.write(
            "No Chromium found: the browser tests will be skipped.\n"
            "  next: install Chromium or Chrome, or point EFFECTMETER_BROWSER at one\n"
        )
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
