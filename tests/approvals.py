"""A release as a refresh publishes it, made in a second: the last step of the chain on made-up, cleared findings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import report_findings as made
from report_findings import QUARTER

from assets.provenance import who
from assets.publishing import report_step
from assets.releases import latest_edition
from assets.staging import fresh_staging, stage
from effectmeter.home import Home
from effectmeter.passport import build_passport, content_hash
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_hash
from effectmeter.release import clear
from reports import table_hashes

PROGRAMME = "integrale-familieaanpak"


def publish(home: Home, *, by: str = "Anna", changed: bool = False) -> Path:
    """Publish what a refresh by somebody found, and return the newest edition."""
    plan, findings = made.families()
    plan = Plan.model_validate(plan.model_dump(mode="json", by_alias=True))
    if changed:
        findings = replace(findings, checks=findings.checks[:-1])
    cleared = clear(findings, plan, QUARTER)
    digest = plan_hash(plan)
    passport = build_passport(
        cleared,
        plan,
        QUARTER,
        edition="001",
        plan_hash=digest,
        plan_history=[{"hash": digest, "first_used": "2026-10-15", "quarter": "2026-Q3", "changed": []}],
        data={"delivery_hash": "b" * 64, "files": {"persons.csv": "b" * 64}},
        software={
            "effectmeter": "0.1.0",
            "code_hash": "c" * 64,
            "lock_hash": None,
            "python": "3.11.7",
            "libraries": {"polars": "2.1.0"},
        },
        made=who(by),
    )
    passport["content_hash"] = content_hash(passport, table_hashes(cleared))
    folder = home.releases(plan.programme, QUARTER)
    stage(fresh_staging(folder), cleared, passport, plan)
    report_step(home, plan, QUARTER)
    edition = latest_edition(folder)
    assert edition is not None
    return edition


def copied(home: Home, place: Path) -> Home:
    """Return a copy of a home, for a test that changes it."""
    shutil.copytree(home.root, place / "data")
    return Home(place / "data")


@contextmanager
def writable(path: Path) -> Iterator[Path]:
    """Lift the protection of a published file, as somebody who tampers with it would."""
    path.chmod(0o644)
    yield path
