"""What `effectmeter doctor` looks at, one function per subject. Reads only, imports what it needs, no network.

Subjects about this machine and about Dagster. Those about programmes are in `pipelines.examinations_programmes`.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from effectmeter.errors import UsageError
from effectmeter.health import Finding
from effectmeter.home import Home

ROOT = Path(__file__).resolve().parents[1]
_LEAST_FREE = 2**30
_REFRESH_NEEDS = 3
"""A refresh needs about three times its delivery: the vault, a copy of it, and what is sorted on disk."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at.

    Attributes
    ----------
    now
        With its time zone.
    lock
        The lock file; None where the program was installed without one.
    """

    home: Home
    programmes: Path
    now: datetime
    lock: Path | None = ROOT / "uv.lock"


def versions(scene: Scene) -> Iterator[Finding]:
    """Hold what is installed against the lock file: other versions may give other numbers."""
    if scene.lock is None or not scene.lock.is_file():
        yield Finding(
            "note", "versions", "there is no lock file to hold versions against",
            "er is geen lock-bestand om versies mee te vergelijken",
        )  # fmt: skip
        return
    locked = tomllib.loads(scene.lock.read_text(encoding="utf-8"))["package"]
    other = []
    wanted: dict[str, set[str]] = {}
    for package in locked:
        if "version" in package and package["name"] != "effectmeter":
            wanted.setdefault(package["name"], set()).add(package["version"])
    for name, allowed in sorted(wanted.items()):
        try:
            if version(name) not in allowed:
                other.append(f"{name} {version(name)} ({' / '.join(sorted(allowed))})")
        except PackageNotFoundError:
            continue  # of another system, or of a group that is not installed here
    if other:
        yield Finding(
            "fault", "versions", f"other versions than the lock names: {', '.join(other)}",
            f"andere versies dan in het lock-bestand: {', '.join(other)}",
            "run `make install`", "voer `make install` uit",
        )  # fmt: skip
    else:
        yield Finding("fine", "versions", "versions are those of the lock", "de versies kloppen met het lock-bestand")


def folders(scene: Scene) -> Iterator[Finding]:
    """Look whether the data folder can be written, and whether others can look into what is private."""
    root = scene.home.root
    if not root.is_dir():
        yield Finding(
            "note", "folders", f"there is no data folder yet at {root}", f"er is nog geen gegevensmap op {root}",
            "it is made by the first refresh; or name another with --home",
            "de eerste verwerking maakt hem; of noem een andere met --home",
        )  # fmt: skip
        return
    if not os.access(root, os.W_OK | os.X_OK):
        yield Finding(
            "fault", "folders", f"{root} cannot be written", f"in {root} kan niet worden geschreven",
            "give this account the right to write there", "geef dit account schrijfrecht op die map",
        )  # fmt: skip
    private = [*(root / "vault").glob("*"), root / "vault", root / "keys", scene.home.dagster]
    private += [*(root / "keys").glob("*.key"), *(root / "vault").glob("*/*.duckdb"), root / "runs.jsonl"]
    open_ = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_:
        mode = "700" if path.is_dir() else "600"
        yield Finding(
            "fault", "folders", f"others can read {path}", f"anderen kunnen {path} lezen",
            f"run `chmod {mode} {path}`, and ask who may have copied it",
            f"voer `chmod {mode} {path}` uit en vraag wie het kan hebben gekopieerd",
        )  # fmt: skip
    if not open_:
        yield Finding(
            "fine", "folders", "vaults, keys and logs are private", "kluizen, sleutels en logboeken zijn afgeschermd"
        )


def disk(scene: Scene) -> Iterator[Finding]:
    """Hold the room that is left against what the largest delivery will ask for."""
    root = next(each for each in (scene.home.root, *scene.home.root.parents) if each.exists())
    free = shutil.disk_usage(root).free
    sizes: dict[Path, int] = {}
    for path in (scene.home.root / "deliveries").glob("*/*/*"):
        if path.is_file():
            sizes[path.parent] = sizes.get(path.parent, 0) + path.stat().st_size
    needed = max(_LEAST_FREE, _REFRESH_NEEDS * max(sizes.values(), default=0))
    room = f"{free / 2**30:.1f} GB"
    if free < needed:
        yield Finding(
            "fault", "disk", f"{room} is left on the disk, and a refresh may need {needed / 2**30:.1f} GB",
            f"er is nog {room} vrij op de schijf; een verwerking kan {needed / 2**30:.1f} GB vragen",
            "make room, or move the data folder", "maak ruimte, of verplaats de gegevensmap",
        )  # fmt: skip
    else:
        yield Finding("fine", "disk", f"{room} is left on the disk", f"er is nog {room} vrij op de schijf")


def dagster_storage(scene: Scene) -> Iterator[Finding]:
    """Look whether Dagster's own tables are of the version that is installed, and its settings those of ours."""
    settings = scene.home.dagster / "dagster.yaml"
    if not settings.is_file():
        yield Finding("note", "dagster", "Dagster has not been used here yet", "Dagster is hier nog niet gebruikt")
        return
    ours = files("pipelines").joinpath("dagster.yaml").read_text(encoding="utf-8")
    if settings.read_text(encoding="utf-8") != ours:
        yield Finding(
            "note", "dagster", f"{settings} is not what this version would write",
            f"{settings} is anders dan deze versie het zou schrijven",
            "compare it with pipelines/dagster.yaml; delete it to get that one at the next refresh",
            "vergelijk het met pipelines/dagster.yaml; verwijder het om dat bij de volgende verwerking te krijgen",
        )  # fmt: skip
    heads = _heads()
    behind = []
    for path in (scene.home.dagster / "history" / "runs.db", scene.home.dagster / "schedules" / "schedules.db"):
        if not path.is_file():
            continue
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)) as connection:
                found = {row[0] for row in connection.execute("select version_num from alembic_version")}
        except sqlite3.Error:
            behind.append(f"{path.name} (not readable)")
            continue
        if heads and not found & heads:
            behind.append(path.name)
    if behind:
        yield Finding(
            "fault", "dagster", f"Dagster's storage is of another version: {', '.join(behind)}",
            f"de opslag van Dagster is van een andere versie: {', '.join(behind)}",
            f"stop the interface and run `DAGSTER_HOME={scene.home.dagster} dagster instance migrate`",
            f"stop de interface en voer `DAGSTER_HOME={scene.home.dagster} dagster instance migrate` uit",
        )  # fmt: skip
    else:
        yield Finding(
            "fine", "dagster", "Dagster's storage is of this version", "de opslag van Dagster is van deze versie"
        )


def _heads() -> set[str]:
    """Return the newest revisions of Dagster's tables, from the names in its package: importing it takes seconds."""
    spec = find_spec("dagster")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    revisions, before = set(), set()
    for folder in folders:
        for path in (Path(folder) / "_core" / "storage" / "alembic" / "versions").glob("*.py"):
            text = path.read_text(encoding="utf-8")
            revisions |= set(re.findall(r"^revision\s*=\s*[\"'](\w+)[\"']", text, re.MULTILINE))
            for line in re.findall(r"^down_revision\s*=(.*)$", text, re.MULTILINE):
                before |= set(re.findall(r"[\"'](\w+)[\"']", line))
    return revisions - before


def alerts(scene: Scene) -> Iterator[Finding]:
    """Look whether somebody hears of a failure."""
    from pipelines.alerts import read_settings

    try:
        settings = read_settings(scene.home)
    except UsageError as error:
        yield Finding(
            "fault", "alerts", f"nobody can be told: {error.what} ({error.where})",
            f"niemand krijgt bericht: een instelling klopt niet ({error.where})",
            error.next_step or f"allowed: {error.allowed}", "zie docs/how-to/get-alerts.md",
        )  # fmt: skip
        return
    ways = ["e-mail"] * settings.has_email + ["webhook"] * bool(settings.webhook_url)
    if ways:
        yield Finding(
            "fine",
            "alerts",
            f"failures are told by {' and '.join(ways)}",
            f"storingen worden gemeld: {', '.join(ways)}",
        )
    else:
        yield Finding(
            "note", "alerts", "nobody is told when a refresh fails",
            "niemand krijgt bericht als een verwerking mislukt",
            "set an address: docs/how-to/get-alerts.md", "stel een adres in: docs/how-to/get-alerts.md",
        )  # fmt: skip
