"""The last two steps of a chain: through the release gate into a staging folder, and from there into place."""

import hashlib
import shutil
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from assets.gate import read_checks, require_built, require_checked
from assets.metadata import picture
from assets.provenance import record_plan, software, who
from assets.releases import STAGING, editions_before, latest_edition, next_edition_name, read_passport
from assets.staging import (
    clean,
    fresh_staging,
    keep_for_approval,
    passing,
    publish,
    release_hashes,
    stage,
    staged,
    writing,
)
from effectmeter.edition_history import history, told
from effectmeter.editions import reconcile
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import plan_hash
from effectmeter.quarters import Quarter
from effectmeter.recomputing import recomputed_because
from effectmeter.since import since


def release_step(home: Home, plan: Plan, quarter: Quarter) -> dict[str, Any]:
    """Pass the findings through the release gate; what comes out waits in the staging folder with its passport."""
    folder = home.releases(plan.programme, quarter)
    # held together: two quarters that pass the gate at once would not see each other's counts in the ledger
    with passing(home, plan.programme), writing(folder):
        return _release(home, plan, quarter)


def _release(home: Home, plan: Plan, quarter: Quarter) -> dict[str, Any]:
    from effectmeter.findings import QualityCheck
    from effectmeter.passport import build_passport, content_hash
    from effectmeter.release import pass_gate
    from effectmeter.suppressions import suppressions_of
    from reports import table_hashes
    from vault.connection import open_vault
    from vault.findings import read_file_hashes, read_findings
    from vault.ledger import read_ledger, record_evidence, write_ledger

    folder = home.releases(plan.programme, quarter)
    known = read_ledger(home, plan.programme)
    ledger = reconcile(known, *release_hashes(home, plan.programme, quarter))
    with open_vault(home.vault(plan.programme, quarter)) as connection:
        require_checked(connection, plan, "landing")
        require_checked(connection, plan, "outcomes")
        require_built(connection, plan, "diagnostics")
        recorded = [*read_checks(connection, "landing"), *read_checks(connection, "outcomes")]
        names = set(QualityCheck.__dataclass_fields__)
        checks = [
            QualityCheck(**{name: getattr(record, name) for name in names if hasattr(record, name)})
            for record in recorded
        ]
        passed = pass_gate(read_findings(connection, plan, checks), plan, quarter, ledger)
        cleared = passed.cleared
        masked = suppressions_of(passed.settled, cleared.tables, cleared.rules)
        record_evidence(connection, passed.audit, masked)
        files = read_file_hashes(connection)
    passport = build_passport(
        cleared,
        plan,
        quarter,
        edition=next_edition_name(folder),
        plan_hash=plan_hash(plan),
        plan_history=record_plan(home, plan, quarter, date.today()),
        data={"delivery_hash": recorded[0].delivery_hash, "files": files},
        software=software(),
        made=who(),
    )
    passport["content_hash"] = content_hash(passport, table_hashes(cleared))
    entries = [*ledger, *passed.entries(release=passport["content_hash"], plan_hash=plan_hash(plan))]
    if entries != list(known):
        write_ledger(home, plan.programme, entries)  # before the release: a release that no ledger knows could leak
    stage(fresh_staging(folder), cleared, passport, plan)
    shown = [row for row in cleared.rows if row.status == "shown"]
    return {
        "dagster/row_count": len(cleared.rows),
        "effects released with figures": len(shown),
        "masked rows": cleared.n_suppressed,
        "content_hash": passport["content_hash"],
        "approval": "CONCEPT, until somebody else approves it; unless nothing changed since an edition was approved",
        "verdict": passport["verdict_line"]["en"],
        "oordeel": passport["verdict_line"]["nl"],
        "gates": _gates_table(passport["gates"]),
    }


def report_step(home: Home, plan: Plan, quarter: Quarter) -> dict[str, Any]:
    """Render the report from the staged, cleared result and move the release into place in one rename."""
    from reports import balance_svg, forest_svg, write_release

    folder = home.releases(plan.programme, quarter)
    staging = folder / STAGING
    with writing(folder):
        cleared, passport = staged(staging)
        newest = latest_edition(folder)
        if newest is not None and _says_the_same(newest, passport):
            if not read_passport(newest)["approved"]:
                keep_for_approval(staging)
            shutil.rmtree(staging)
            edition, what = newest, f"unchanged: edition {newest.name} stands"
        else:
            # numbered here and not by the release gate: another run may have published since
            passport["edition"] = next_edition_name(folder)
            if newest is not None:
                passport["recomputed"] = recomputed_because(read_passport(newest), passport)
            before = _before(home, plan, quarter)
            passport["since"] = _since(before, passport)
            passport["history"] = _history(before, passport)
            clean(staging)
            write_release(staging, cleared, passport, plan)
            keep_for_approval(staging)
            edition = publish(staging, passport["edition"])
            what = f"edition {edition.name} published"
    drawn = {"effects": forest_svg(cleared, plan), "balance": balance_svg(cleared, plan)}
    pictures = {name: picture(*svg_and_text) for name, svg_and_text in drawn.items() if svg_and_text is not None}
    # the answer first, then the pictures: the interface shows them in this order
    told = report_metadata(edition)
    answer = {name: told.pop(name) for name in ("verdict", "oordeel")}
    return answer | pictures | told | {"edition": what}


def _before(home: Home, plan: Plan, quarter: Quarter) -> list[dict[str, Any]]:
    """Return the passports of the editions that a release follows, newest first: a damaged one holds nothing up."""
    found = []
    for edition in editions_before(home, plan.programme, quarter):
        with suppress(OSError, ValueError):
            found.append(read_passport(edition))
    return found


def _since(before: list[dict[str, Any]], passport: dict[str, Any]) -> dict[str, Any] | None:
    """Return how a release differs from the newest one before it that says what it must."""
    for earlier in before:
        with suppress(KeyError, TypeError):
            return since(earlier, passport)
    return None


def _history(before: list[dict[str, Any]], passport: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the editions before said of the main figure, oldest first."""
    legible = []
    for earlier in reversed(before):
        with suppress(KeyError, TypeError, AttributeError):
            told(earlier)
            legible.append(earlier)
    return history(legible, passport)


def _says_the_same(newest: Path, passport: dict[str, Any]) -> bool:
    """Return whether an edition says what a run found, and is still as it was published."""
    from reports import hashes_of

    there = read_passport(newest)
    return bool(there["content_hash"] == passport["content_hash"]) and there.get("files") == hashes_of(newest)


def report_metadata(edition: Path) -> dict[str, Any]:
    """Return what the UI shows of an edition: its verdict, its approval, and where its files lie."""
    passport = read_passport(edition)
    approval = passport.get("approval")  # releases of older versions know none
    return {
        "verdict": passport["verdict_line"]["en"],
        "oordeel": passport["verdict_line"]["nl"],
        "report (en)": dg.MetadataValue.path(str(edition / "report.en.html")),
        "report (nl)": dg.MetadataValue.path(str(edition / "report.nl.html")),
        "effects table": dg.MetadataValue.path(str(edition / "effects.csv")),
        "approval": f"approved by {approval['by']} at {approval['at']}" if approval else "CONCEPT: not yet approved",
        "passport": hashlib.sha256((edition / "passport.json").read_bytes()).hexdigest(),
    }


def _gates_table(gates: list[dict[str, Any]]) -> dg.TableMetadataValue:
    columns = ("gate", "status", "figure", "threshold", "sentence")
    records = [dg.TableRecord({name: str(gate[name]) for name in columns}) for gate in gates]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in columns]))
