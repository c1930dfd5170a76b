"""``effectmeter doctor``: what is not as it should be with an installation, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from effectmeter.health import Finding
from effectmeter.home import Home, programmes_folder
from pipelines.options import HomeOption, JsonOption, ProgrammesOption

_MARKS = {"fine": "ok  ", "note": "note", "fault": "FAULT"}


def doctor(
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    language: Annotated[Literal["en", "nl"], typer.Option("--language", help="en or nl.")] = "en",
    json_: JsonOption = False,
) -> None:
    """Look the whole installation over: versions, keys, rights, disk, deliveries, releases, last runs.

    Example: effectmeter doctor --language nl
    """
    from pipelines.cli import put, put_json
    from pipelines.examinations import Scene

    scene = Scene(Home.from_environment(home), programmes_folder(programmes), datetime.now(UTC))
    found = findings(scene)
    is_well = not any(each.level == "fault" for each in found)
    if json_:
        put_json({"well": is_well, "findings": [asdict(each) for each in found]})
    else:
        put("\n".join(lines(found, language)))
    raise typer.Exit(0 if is_well else 1)


def findings(scene: object) -> list[Finding]:
    """Return all that was found; an examination that fails itself is a finding too, without its words."""
    from pipelines import examinations as machine
    from pipelines import examinations_programmes as per_programme

    assert isinstance(scene, machine.Scene)
    examinations: Sequence[Callable[[machine.Scene], Iterable[Finding]]] = (
        machine.versions,
        machine.folders,
        machine.disk,
        machine.dagster_storage,
        machine.alerts,
        per_programme.plans,
        per_programme.keys,
        per_programme.left_behind,
        per_programme.deliveries,
        per_programme.releases,
        per_programme.kept_too_long,
        per_programme.runs,
    )
    found: list[Finding] = []
    for examine in examinations:
        try:
            found.extend(examine(scene))
        except Exception as error:  # noqa: BLE001 - the words of another library may quote anything
            subject, kind = examine.__name__.replace("_", " "), type(error).__name__
            en, nl = f"this could not be looked at ({kind})", f"dit kon niet worden bekeken ({kind})"
            found.append(Finding("fault", subject, en, nl, "tell the developers", "meld het aan de ontwikkelaars"))
    return found


def lines(found: Sequence[Finding], language: str) -> list[str]:
    """Return the findings as lines for a terminal: faults last, where they are read."""
    order = {"fine": 0, "note": 1, "fault": 2}
    said = []
    for each in sorted(found, key=lambda each: order[each.level]):
        said.append(f"{_MARKS[each.level]:<5} {each.area}: {each.words(language)}")
        if each.advice(language):
            said.append(f"      {'wat nu' if language == 'nl' else 'next'}: {each.advice(language)}")
    return said
