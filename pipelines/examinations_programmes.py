"""What `effectmeter doctor` looks at for every programme: plan, key, deliveries, releases, and what ran last."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from assets.releases import STAGING, latest_edition, read_passport
from assets.unchanged import outdated_because
from effectmeter.arrivals import glance
from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.health import Finding, last_runs, run_finding
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from effectmeter.quarters import Quarter
from effectmeter.runlog import newest_lines
from effectmeter.standing import WHY, deadline_of, read_standings
from pipelines.examinations import Scene


def plans_of(scene: Scene) -> tuple[dict[str, Plan], dict[str, str]]:
    """Return the sound plans by programme, and the faults of the others by file stem."""
    plans: dict[str, Plan] = {}
    faults: dict[str, str] = {}
    for path in sorted(scene.programmes.glob("[!.]*.yaml")):
        try:
            plan = load_plan(path)
        except EffectmeterError as error:
            faults[path.stem] = str(error)
        else:
            plans[plan.programme] = plan
    return plans, faults


def plans(scene: Scene) -> Iterator[Finding]:
    """Look whether every plan is sound."""
    sound, faults = plans_of(scene)
    for name, fault in faults.items():
        first = fault.splitlines()[0]
        yield Finding(
            "fault", "plans", f"{name}: {first}", f"{name}: het analyseplan bevat fouten ({first})",
            f"run `effectmeter check --programme {name}` and mend what it names",
            f"voer `effectmeter check --programme {name}` uit en herstel wat er staat",
        )  # fmt: skip
    if not sound and not faults:
        yield Finding(
            "fault", "plans", f"there are no plans in {scene.programmes}",
            f"er zijn geen plannen in {scene.programmes}",
            "make one with `effectmeter plan new`", "maak er een met `effectmeter plan new`",
        )  # fmt: skip
    elif not faults:
        yield Finding("fine", "plans", f"{len(sound)} plans are sound", f"{len(sound)} plannen zijn in orde")


def keys(scene: Scene) -> Iterator[Finding]:
    """Look whether every programme's key is there, is private, and opens its newest vault."""
    from vault.connection import open_vault
    from vault.keys import is_plain, key_of

    n_opened = 0
    for folder in sorted((scene.home.root / "vault").glob("*")):
        vaults = sorted(folder.glob("[12]???-Q[1-4].duckdb"))
        if not vaults:
            continue
        try:
            if is_plain(vaults[-1]):
                yield Finding(
                    "fault", "keys", f"{folder.name}: its newest vault is not encrypted",
                    f"{folder.name}: de nieuwste kluis is niet versleuteld",
                    f"run `effectmeter refresh --programme {folder.name} --quarter {vaults[-1].stem}`",
                    f"voer `effectmeter refresh --programme {folder.name} --quarter {vaults[-1].stem}` uit",
                )  # fmt: skip
                continue
            key_of(scene.home, folder.name, may_make=False)
            with open_vault(vaults[-1], read_only=True):
                n_opened += 1
        except EffectmeterError as error:
            yield Finding(
                "fault", "keys", f"{folder.name}: {error.what}",
                f"{folder.name}: de sleutel of de kluis is niet in orde",
                error.next_step, f"zie docs/how-to/keys-and-access.md (Engels: {error.next_step})",
            )  # fmt: skip
    if n_opened:
        yield Finding(
            "fine", "keys", f"the keys of {n_opened} programmes open their newest vaults",
            f"de sleutels van {n_opened} programma's openen hun nieuwste kluis",
        )  # fmt: skip


def left_behind(scene: Scene) -> Iterator[Finding]:
    """Look for what killed processes left: scratch folders that nobody holds, and half written releases."""
    from vault.scratch import stale

    found = [path for folder in (scene.home.root / "vault").glob("*") if folder.is_dir() for path in stale(folder)]
    for path in found:
        yield Finding(
            "note", "left behind", f"{path} is of a process that was killed", f"{path} is van een afgebroken proces",
            "nothing: the next refresh of that programme clears it away",
            "niets: de volgende verwerking van dat programma ruimt het op",
        )  # fmt: skip
    for staging in sorted(scene.home.release_root.glob(f"*/*-Q[1-4]/{STAGING}")):
        programme, quarter = staging.parents[1].name, staging.parent.name
        if _is_held(staging.parent):
            continue  # a refresh is writing there now
        yield Finding(
            "note", "left behind", f"{programme} {quarter}: a release was begun and not finished; the last one stands",
            f"{programme} {quarter}: een uitgave is niet afgemaakt; de laatste blijft staan",
            f"run `effectmeter refresh --programme {programme} --quarter {quarter}`",
            f"voer `effectmeter refresh --programme {programme} --quarter {quarter}` uit",
        )  # fmt: skip


def _is_held(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def deliveries(scene: Scene) -> Iterator[Finding]:
    """Look for deliveries that wait: not whole, not as announced, or never refreshed."""
    for programme, plan in plans_of(scene)[0].items():
        refused = {each.quarter for each in read_standings(scene.home.release_root / programme) if each.kind != "late"}
        wanted = list(dict.fromkeys(source.file for source in plan.source.values()))
        for folder in sorted((scene.home.root / "deliveries" / programme).glob("[12]???-Q[1-4]")):
            quarter = Quarter.parse(folder.name)
            edition = latest_edition(scene.home.releases(programme, quarter))
            if edition is not None and _newest(folder) <= (edition / "passport.json").stat().st_mtime:
                continue  # nothing has come since
            found = glance(folder, wanted, scene.now)
            if found.state != "complete":
                yield Finding(
                    "note" if found.state == "arriving" else "fault", "deliveries",
                    f"{programme} {quarter} waits: {found.because}", f"{programme} {quarter} wacht: {found.because}",
                    "wait for the supplier's copy to end, or ask for the files again",
                    "wacht tot alles is gekopieerd, of vraag de bestanden opnieuw",
                )  # fmt: skip
            elif str(quarter) not in refused:  # else `releases` says what is to be done
                yield Finding(
                    "note", "deliveries", f"{programme} {quarter} is complete and has no release of it yet",
                    f"{programme} {quarter} is compleet en heeft nog geen uitgave",
                    f"run `effectmeter refresh --programme {programme} --quarter {quarter}`, or wait for the sensor",
                    f"voer `effectmeter refresh --programme {programme} --quarter {quarter}` uit, of wacht even",
                )  # fmt: skip


def _newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.iterdir() if path.is_file()), default=0.0)


def releases(scene: Scene) -> Iterator[Finding]:
    """Look for what is overdue, what failed, what waits for a second person, and what is to be made again."""
    quarter = Quarter.last_complete(scene.now.date())
    for programme, plan in plans_of(scene)[0].items():
        folder = scene.home.release_root / programme
        standings = {each.quarter: each for each in read_standings(folder)}
        for each in standings.values():
            yield Finding(
                "fault", "releases",
                f"{programme} {each.quarter}: no newer release since {each.since}: {WHY[each.kind]['en']}",
                f"{programme} {each.quarter}: sinds {each.since} geen nieuwere uitgave: {WHY[each.kind]['nl']}",
                f"run `effectmeter refresh --programme {programme} --quarter {each.quarter}` and read what it says",
                f"voer `effectmeter refresh --programme {programme} --quarter {each.quarter}` uit en lees wat er staat",
            )  # fmt: skip
        newest = latest_edition(scene.home.releases(programme, quarter))
        if newest is None and str(quarter) not in standings and scene.now >= deadline_of(quarter):
            yield Finding(
                "fault", "releases", f"{programme} {quarter} is overdue since {deadline_of(quarter).date()}",
                f"{programme} {quarter} is te laat sinds {deadline_of(quarter).date()}",
                "ask the supplier when the files will come", "vraag de leverancier wanneer de bestanden komen",
            )  # fmt: skip
        if newest is not None and not read_passport(newest)["approved"]:
            yield Finding(
                "note", "releases", f"{programme} {quarter}, edition {newest.name}, waits for a second person",
                f"{programme} {quarter}, uitgave {newest.name}, wacht op goedkeuring door een tweede persoon",
                f"let somebody else read it and run `effectmeter approve --programme {programme} --quarter {quarter}`",
                f"een ander leest het en voert `effectmeter approve --programme {programme} --quarter {quarter}` uit",
            )  # fmt: skip
        old = [each for each in _released(folder) if outdated_because(scene.home, plan, each)]
        if old:
            named = ", ".join(map(str, old))
            yield Finding(
                "note", "releases", f"{programme}: made with another plan, version or earlier quarter: {named}",
                f"{programme}: gemaakt met een ander plan, andere versie of ander eerder kwartaal: {named}",
                f"run `effectmeter refresh --programme {programme} --outdated`, so that the series compares",
                f"voer `effectmeter refresh --programme {programme} --outdated` uit, zodat de reeks vergelijkbaar is",
            )  # fmt: skip


def _released(folder: Path) -> Iterator[Quarter]:
    for path in sorted(folder.glob("[12]???-Q[1-4]")):
        try:
            yield Quarter.parse(path.name)
        except UsageError:
            continue


def runs(scene: Scene) -> Iterator[Finding]:
    """Say how each programme's last run ended, and what took longest."""
    for programme, run in last_runs(newest_lines(scene.home)).items():
        yield run_finding(programme, run)


def kept_too_long(scene: Scene) -> Iterator[Finding]:
    """Look for vaults past their retention period."""
    from vault.purge import kept_until, quarters_of

    today: date = scene.now.date()
    for programme, plan in plans_of(scene)[0].items():
        past = [each for each in quarters_of(scene.home, programme) if kept_until(each, plan.retention_months) < today]
        if past:
            named = ", ".join(map(str, past))
            yield Finding(
                "fault", "retention", f"{programme}: {named} should have been deleted",
                f"{programme}: {named} had verwijderd moeten zijn", "run `effectmeter purge`",
                "voer `effectmeter purge` uit",
            )  # fmt: skip
