"""The command line. Imports nothing heavy until a command needs it: ``--help`` is instant.

Exit codes: 0 done, 1 plan or delivery at fault, 2 wrong usage, 3 the release gate refused. A refusal goes to standard
error as plain words; standard output carries results only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home, programmes_folder
from effectmeter.quarters import Quarter

app = typer.Typer(
    name="effectmeter",
    help="Does a crime-prevention programme work? From an anonymised delivery to an honest effect report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)
plan_app = typer.Typer(help="Analysis plans.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Data folder [default: EFFECTMETER_HOME or ./data]", show_default=False)
]
ProgrammesOption = Annotated[
    Path | None,
    typer.Option(
        "--programmes", help="Folder with plans [default: EFFECTMETER_PROGRAMMES or ./programmes]", show_default=False
    ),
]
QuarterOption = Annotated[
    str | None, typer.Option("--quarter", help="YYYY-Qn [default: the last complete quarter]", show_default=False)
]
ProgrammeOption = Annotated[str, typer.Option("--programme", help="Which programme.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def quarter_of(label: str | None) -> Quarter:
    """Return the quarter asked for, or the last complete one."""
    return Quarter.parse(label) if label else Quarter.last_complete(date.today())


def say(text: str) -> None:
    """Write to standard error: progress and refusals."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """Write a result to standard output."""
    sys.stdout.write(f"{text}\n")


def find_plan(folder: Path, programme: str) -> Path:
    """Return the path of a programme's plan, or say which there are."""
    import difflib

    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if programme not in known:
        near = difflib.get_close_matches(programme, known, n=1)
        raise UsageError(
            f"there is no plan for '{programme[:60]}' in {folder}",
            where="--programme",
            allowed=", ".join(known) or "no plans there yet",
            next_step=f"did you mean '{near[0]}'?" if near else "make one with `effectmeter plan new`",
        )
    return folder / f"{programme}.yaml"


@app.command()
def refresh(
    programme: Annotated[list[str] | None, typer.Option("--programme", help="Which programmes [default: all]")] = None,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the whole chain: delivery in, report out.

    Example: effectmeter refresh --programme tarp --quarter 2026-Q3
    """
    from time import monotonic

    installation, folder, wanted = Home.from_environment(home), programmes_folder(programmes), quarter_of(quarter)
    started = monotonic()
    from pipelines.refresh import refresh as run

    def progress(name: str, step: str) -> None:
        say(f"  {monotonic() - started:5.1f} s  {name}: {step}")

    results = run(installation, folder, programme or [], wanted, progress)
    report = [_refreshed(installation, result) for result in results]
    if json_:
        put(json.dumps({"quarter": str(wanted), "programmes": report}, ensure_ascii=False, indent=1))
    else:
        for entry in report:
            put("")
            put(f"{entry['programme']} {entry['quarter']}{'  SYNTHETIC' if entry.get('synthetic') else ''}")
            if entry["exit_code"]:
                put(f"  refused, nothing published:\n{entry['refusal']}")
            else:
                put(f"  {entry['verdict']['en']}\n  {entry['verdict']['nl']}\n  report: {entry['report']}")
    if not results:
        raise UsageError(f"there are no plans in {folder}", next_step="make one with `effectmeter plan new`")
    raise typer.Exit(max(result.exit_code for result in results))


def _refreshed(home: Home, result: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "programme": result.programme,
        "quarter": str(result.quarter),
        "exit_code": result.exit_code,
        "refusal": result.refusal,
    }
    if result.exit_code == 0:
        from assets.releases import latest_edition, read_passport

        edition = latest_edition(home.releases(result.programme, result.quarter))
        assert edition is not None, "a refresh that succeeded leaves a release"
        passport = read_passport(edition)
        entry |= {
            "synthetic": passport["synthetic"],
            "verdict": passport["verdict_line"],
            "report": str(edition / "report.nl.html"),
        }
    return entry


@app.command()
def check(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Check a plan and its delivery without estimating anything.

    Example: effectmeter check --programme tarp --quarter 2026-Q3
    """
    from assets.checking import check_delivery
    from effectmeter.plan_io import load_plan

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    plan = load_plan(find_plan(programmes_folder(programmes), programme))
    say(f"plan {programme}: sound")
    landed, outcomes = check_delivery(installation, plan, wanted)
    failed = [outcome for outcome in outcomes if not outcome.passed and outcome.spec.severity == "critical"]
    if json_:
        checks = [
            {
                "check": outcome.spec.name,
                "severity": outcome.spec.severity,
                "passed": outcome.passed,
                "figure": outcome.figure,
                "threshold": outcome.threshold,
                "advice": "" if outcome.passed else outcome.advice_en,
            }
            for outcome in outcomes
        ]
        put(
            json.dumps({"programme": programme, "quarter": str(wanted), "checks": checks}, ensure_ascii=False, indent=1)
        )
    else:
        for line in landed:
            put(line)
        for outcome in outcomes:
            mark = "ok  " if outcome.passed else ("STOP" if outcome.spec.severity == "critical" else "warn")
            put(f"{mark} {outcome.spec.name}: {outcome.figure} (allowed: {outcome.threshold})")
            if not outcome.passed:
                put(f"       next: {outcome.advice_en}")
    raise typer.Exit(1 if failed else 0)


@app.command()
def effects(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    json_: JsonOption = False,
    released: Annotated[bool, typer.Option("--released", help="The cleared copy instead of the vault's.")] = False,
) -> None:
    """Print effects, gates and claims: from the vault, or as released.

    Example: effectmeter effects --programme tarp --quarter 2026-Q3 --json
    """
    from assets.releases import released_effects, vault_effects

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    found = (released_effects if released else vault_effects)(installation, programme, wanted)
    if json_:
        put(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    for row in found["effects"]:
        put(_effect_line(row))
    for gate in found["gates"]:
        put(f"gate {gate['gate']}: {gate['status']} - {gate['sentence']}")
    for claim in found["claims"]:
        put(f"claim '{claim['words']}': {claim['ruling']} - {claim['sentence']}")


def _effect_line(row: dict[str, Any]) -> str:
    window = f"{row['window_days']} days" if row["window_days"] else "own follow-up"
    shown = [row[name] for name in ("estimate", "conf_low", "conf_high")]
    figures = " ".join("-" if value is None else f"{value:.3f}" for value in shown)
    what = f"{row['outcome']:<18} {row['measure']:<20} {window:<14}"
    return f"{row['analysis']:<16} {what} {figures:<22} {row['status']}"


@app.command()
def report(
    programme: ProgrammeOption, quarter: QuarterOption = None, home: HomeOption = None, json_: JsonOption = False
) -> None:
    """Say where a programme's newest report lies.

    Example: effectmeter report --programme tarp
    """
    from assets.releases import find_edition

    edition = find_edition(Home.from_environment(home), programme, quarter_of(quarter))
    files = {language: str(edition / f"report.{language}.html") for language in ("nl", "en")}
    put(json.dumps(files) if json_ else "\n".join(files.values()))


@plan_app.command("new")
def plan_new(
    programme: Annotated[str, typer.Argument(help="Name: lower-case letters, digits and hyphens.")],
    design: Annotated[str, typer.Option("--design", help="randomised, comparison_cohort, before_after, ...")],
    programmes: ProgrammesOption = None,
) -> None:
    """Write a commented plan that validates as it is, ready to be filled in.

    Example: effectmeter plan new my-programme --design comparison_cohort
    """
    from effectmeter.plan_io import plan_template

    folder = programmes_folder(programmes)
    path = folder / f"{programme}.yaml"
    text = plan_template(design, programme)
    if path.exists():
        raise UsageError(f"{path} exists already", next_step="choose another name, or edit that plan")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    put(str(path))


@app.command()
def worlds(
    programme: Annotated[list[str] | None, typer.Option("--programme", help="Which [default: all bundled]")] = None,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same files.", show_default=False)] = None,
) -> None:
    """Put the bundled deliveries into a quarter: the synthetic ones made from a seed, the real one copied.

    Example: effectmeter worlds --quarter 2026-Q3
    """
    from assets.bundled import write_deliveries

    for name, files in write_deliveries(
        Home.from_environment(home), quarter_of(quarter), programme or [], seed
    ).items():
        put(f"{name}: {', '.join(path.name for path in files)} in {files[0].parent}")


@app.command()
def ui(
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    port: Annotated[int, typer.Option("--port", help="On localhost only.")] = 3000,
) -> None:
    """Open Dagster on this installation, at http://localhost:3000.

    Example: effectmeter ui --port 3001
    """
    from pipelines.instance import offer_quarters

    installation = Home.from_environment(home)
    offer_quarters(installation, [quarter_of(None)])
    workspace = Path(__file__).resolve().parents[1] / "workspace.yaml"
    environment = os.environ | {
        "DAGSTER_HOME": str(installation.dagster),
        "EFFECTMETER_HOME": str(installation.root),
        "EFFECTMETER_PROGRAMMES": str(programmes_folder(programmes)),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
    os.chdir(workspace.parent)
    os.execve(sys.executable, command, environment)


@contextmanager
def _plainly() -> Iterator[None]:
    """Print our own faults as words with their exit code."""
    try:
        yield
    except EffectmeterError as error:
        say(str(error))
        sys.exit(error.exit_code)


def main() -> None:
    """Run the command line."""
    with _plainly():
        app()


if __name__ == "__main__":
    main()
