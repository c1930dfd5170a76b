"""Audit what the lock file names: known holes by pip-audit, and licences against EUPL-1.2. Rewrites ``audit.md``.

pip-audit says "no known vulnerabilities" and exits 0 when the service does not know a package, or leaves it out. So a
version with a known hole goes first: only a service that finds it is believed. Exit codes: 0 everything audited and
sound, 1 a hole or a licence that does not fit, 2 the holes could not be looked up (the licences were, all the same).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "benchmarks" / "audit.md"
PIP_AUDIT = "pip-audit==2.10.1"
CANARY = "jinja2==3.1.2"
"""Has CVE-2024-22195 among others; ours is newer."""
SERVICES = ("pypi", "osv")
_PATIENCE_SECONDS = 600

ACCEPTED = (
    *("0BSD", "Apache", "BSD", "CC0", "EUPL", "HPND", "ISC", "LGPL", "MIT", "Mozilla", "MPL", "PSF"),
    *("Public Domain", "Python Software Foundation", "Unlicense", "Zlib"),
)
"""Licences whose works may be used by one under EUPL-1.2: permissive, file-level copyleft, or named in its appendix."""
REVIEWED = {
    "axe-playwright-python": "MIT by its licence file, which its metadata do not repeat; carries axe-core, MPL-2.0",
    "psycopg2-binary": "LGPL with exceptions by its metadata and licence file; used as it is, through SQLAlchemy",
    "docutils": "public domain and BSD, but for an editor's helper under GPL-3, which nothing imports",
}


@dataclass(frozen=True)
class Found:
    """What a look-up for known holes gave.

    Attributes
    ----------
    service
        Which answered and can be believed; empty when none.
    holes
        Package, version, identifier and the versions that mend it.
    skipped
        What the service did not know.
    why
        Per service that could not be used, what happened.
    """

    service: str
    n_audited: int
    holes: list[tuple[str, str, str, str]]
    skipped: list[str]
    why: list[str]


def locked() -> list[tuple[str, str]]:
    """Return name and version of every package in the lock file but our own."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return sorted((each["name"], each["version"]) for each in lock["package"] if "editable" not in each["source"])


def licence_of(name: str) -> str | None:
    """Return a package's licence as it says itself; None when it is not installed on this kind of machine."""
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    classified = [each.split(" :: ")[-1] for each in told.get_all("Classifier") or [] if each.startswith("License ::")]
    first = (told.get("License") or "").strip().split("\n")[0][:60]
    return told.get("License-Expression") or "; ".join(classified) or first


def fits(name: str, licence: str) -> bool:
    """Return whether a licence can be combined with EUPL-1.2: every part of it, or one of a choice.

    Examples
    --------
    >>> fits("x", "Apache-2.0 OR GPL-3.0"), fits("x", "MIT AND SSPL-1.0"), fits("x", "")
    (True, False, False)
    """
    if name in REVIEWED:
        return True
    parts = re.split(r" AND |; ", licence)
    return all(
        any(one.strip("() ").startswith(ACCEPTED) or "BSD" in one for one in part.split(" OR ")) for part in parts
    )


def uv() -> str:
    """Return the uv of the environment, or the one on the path."""
    own = Path(sys.executable).with_name("uv")
    return str(own) if own.exists() else "uv"


def pip_audit(service: str, requirements: Path) -> tuple[dict[str, Any], str]:
    """Return what pip-audit found, and when it found nothing out, the last line of why."""
    command = [uv(), "tool", "run", PIP_AUDIT, "-s", service, "--no-deps", "--disable-pip", "-f", "json"]
    try:
        ended = subprocess.run(
            [*command, "-r", str(requirements)], capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False
        )
        return json.loads(ended.stdout), ""
    except FileNotFoundError:
        return {}, "uv is not there"
    except subprocess.TimeoutExpired:
        return {}, f"no answer in {_PATIENCE_SECONDS} seconds"
    except json.JSONDecodeError:
        last = [line for line in ended.stderr.splitlines() if line.strip()][-1:]
        return {}, (last or ["no answer"])[0].split("(")[0][:80]


def look_up(folder: Path) -> Found:
    """Ask the services in turn; the lock file is sent to one that knows the canary."""
    why = []
    for service in SERVICES:
        canary = folder / "canary.txt"
        canary.write_text(f"{CANARY}\n", encoding="utf-8")
        told, reason = pip_audit(service, canary)
        (answer,) = told.get("dependencies") or [{}]
        if not answer.get("vulns"):
            why.append(
                f"`{service}`: {'does not know ' + CANARY if 'skip_reason' in answer else reason or 'no answer'}"
            )
            continue
        wanted = folder / "requirements.txt"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in locked()), encoding="utf-8")
        told, reason = pip_audit(service, wanted)
        if not told:
            why.append(f"`{service}`: {reason}")
            continue
        known = [each for each in told["dependencies"] if "vulns" in each]
        holes = [
            (each["name"], each["version"], hole["id"], ", ".join(hole["fix_versions"]) or "none yet")
            for each in known
            for hole in each["vulns"]
        ]
        return Found(
            service, len(known), holes, [each["name"] for each in told["dependencies"] if each not in known], why
        )
    return Found("", 0, [], [], why)


def page(found: Found, packages: list[tuple[str, str]]) -> str:
    """Return the outcome as a page."""
    lines = [
        "# Audit of the dependencies",
        "",
        "<!-- Made by `make audit`. -->",
        "",
        f"On {datetime.now(UTC).date()}, with {PIP_AUDIT}, over the {len(packages)} packages in `uv.lock`.",
        "",
        "## Known holes",
        "",
    ]
    if found.service:
        lines.append(f"{found.n_audited} packages looked up with `{found.service}`: {len(found.holes)} known holes.")
        lines += ["", "| package | version | hole | mended in |", "|---|---|---|---|"] if found.holes else []
        lines += [f"| {' | '.join(hole)} |" for hole in found.holes]
        lines += ["", f"Not known to the service: {', '.join(found.skipped)}."] if found.skipped else []
    else:
        lines.append(
            "**Not looked up**: no service for known holes could be reached, or none that can be believed. Nothing is"
        )
        lines.append("said here about holes. Run `make audit` again where one can be reached.")
        lines.append("")
        lines.append(f"A service is believed when it finds the hole in {CANARY} (CVE-2024-22195). What happened:")
        lines += ["", *(f"* {each}" for each in found.why)]
    return "\n".join([*lines, "", "## Licences", "", *licence_lines(packages)]) + "\n"


def licence_lines(packages: list[tuple[str, str]]) -> list[str]:
    """Return what the packages say of their licences, and which do not fit."""
    licences = [(name, version, licence_of(name)) for name, version in packages]
    unfit = [name for name, _, licence in licences if licence is not None and not fits(name, licence)]
    absent = [name for name, _, licence in licences if licence is None]
    lines = []
    lines.append(
        f"{len(licences) - len(absent)} packages installed, {len(unfit)} with a licence that does not fit EUPL-1.2."
    )
    lines += [f"Does not fit: {', '.join(unfit)}."] if unfit else []
    lines += [f"Not installed on this kind of machine, so not read: {', '.join(absent)}."] if absent else []
    lines += [f"Looked at by hand: {name} ({why})." for name, why in REVIEWED.items() if name in dict(packages)]
    lines += ["", "| package | version | licence as it says itself |", "|---|---|---|"]
    return lines + [f"| {name} | {version} | {licence} |" for name, version, licence in licences if licence is not None]


def main() -> int:
    """Look up, write the page, and say how it ended."""
    packages = locked()
    with tempfile.TemporaryDirectory() as folder:
        found = look_up(Path(folder))
    PAGE.write_text(page(found, packages), encoding="utf-8")
    unfit = [name for name, _ in packages if (told := licence_of(name)) is not None and not fits(name, told)]
    print(f"licences: {len(packages)} packages, {len(unfit)} that do not fit EUPL-1.2 {' '.join(unfit)}".rstrip())
    if not found.service:
        print("known holes: NOT looked up, for no service could be reached that can be believed:", file=sys.stderr)
        print("\n".join(f"  {each}" for each in found.why), file=sys.stderr)
        print(
            "  next: run `make audit` on a machine that reaches one of them; benchmarks/audit.md says so",
            file=sys.stderr,
        )
    else:
        print(f"known holes: {len(found.holes)} in {found.n_audited} packages; see benchmarks/audit.md")
    return 1 if unfit or found.holes else (0 if found.service and not found.skipped else 2)


if __name__ == "__main__":
    sys.exit(main())
