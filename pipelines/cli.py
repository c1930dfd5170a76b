"""The command line. Imports nothing heavy until a command needs it: ``--help`` is instant.

Exit codes: 0 done, 1 plan or delivery at fault, 2 wrong usage, 3 the release gate or an approval refused. A refusal
goes to standard error as plain words; standard output carries results only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer
from typer.core import TyperGroup, TyperOption

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home, programmes_folder
from effectmeter.quarters import Quarter
from pipelines.approve import approve
from pipelines.checklist import checklist
from pipelines.doctor import doctor
from pipelines.export import export
from pipelines.migrations import migrate
from pipelines.options import (
    FromOption,
    HomeOption,
    JsonOption,
    ProgrammeOption,
    ProgrammesOption,
    QuarterOption,
    SeveralProgrammesOption,
    SeveralQuartersOption,
    UntilOption,
)
from pipelines.programmes import find_plan, planned, require_known, stored
from pipelines.purge import purge
from pipelines.verify import verify


class _OneScreen(TyperGroup):
    """The list of commands, which fits a screen: that `--help` helps is what its reader just found out."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)
        if option is not None:
            option.hidden = True
        return option

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)
        for param in params:
            if isinstance(param, TyperOption) and param.name == "show_completion":
                param.help = "Show completion for the current shell."
        return params


app = typer.Typer(
    name="effectmeter",
    cls=_OneScreen,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
)
plan_app = typer.Typer(help="Analysis plans.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")


def quarter_of(label: str | None) -> Quarter:
    """Return the quarter asked for, or the last complete one."""
    return Quarter.parse(label) if label else Quarter.last_complete(date.today())


def quarters_of(labels: Sequence[str], first: str | None, last: str | None) -> list[Quarter]:
    """Return the quarters asked for, oldest first: those named, and those from the first until the last.

    Raises
    ------
    UsageError
        The first comes after the last, there is a last without a first, or there are more than a hundred between them.
    """
    found = {Quarter.parse(label) for label in labels}
    if first is None and last is not None:
        raise UsageError("there is no first quarter", where="--until", next_step="add --from, for example 2025-Q1")
    if first is not None:
        each, end = Quarter.parse(first), quarter_of(last)
        if each > end or (end.year - each.year) > 25:
            raise UsageError(
                f"{each} until {end} is no row of quarters",
                where="--from",
                allowed="the first quarter not after the last, and at most 25 years before it",
            )
        while each <= end:
            found.add(each)
            each = each.next()
    return sorted(found) or [quarter_of(None)]


def say(text: str) -> None:
    """Write to standard error: progress and refusals."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """Write a result to standard output."""
    sys.stdout.write(f"{text}\n")


def put_json(found: Any) -> None:
    """Write a result for a machine: one JSON document, and nothing else, on standard output."""
    put(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1))


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        put(version("effectmeter"))
        raise typer.Exit


@app.callback()
def options(
    is_version_wanted: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Say whether a crime-prevention programme works: from delivery to report."""


@app.command()
def refresh(
    programme: SeveralProgrammesOption = None,
    quarter: SeveralQuartersOption = None,
    first: FromOption = None,
    last: UntilOption = None,
    is_outdated_too: Annotated[
        bool,
        typer.Option("--outdated", help="Also the quarters made with another plan, version or earlier quarter."),
    ] = False,
    is_again: Annotated[
        bool, typer.Option("--again", help="Do every step, also where nothing has changed since the last time.")
    ] = False,
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Run the whole chain: delivery in, report out.

    Example: effectmeter refresh --programme tarp --quarter 2026-Q3
    """
    installation, folder = Home.from_environment(home), programmes_folder(programmes)
    wanted = quarters_of(quarter or [], first, last)
    say(f"refreshing {', '.join(programme or ['all programmes'])} for {', '.join(map(str, wanted))}")
    from pipelines.progress import Progress
    from pipelines.refresh import refresh_all as run

    progress = Progress(len(set(programme or planned(folder))) * len(wanted))
    several = len(wanted) > 1 or is_outdated_too
    results = run(
        installation,
        folder,
        programme or [],
        wanted,
        lambda name, quarter, step: say(progress.line(f"{name} {quarter}" if several else name, step)),
        again=is_again,
        outdated_too=is_outdated_too,
        log=say,
    )
    if not results:
        raise UsageError(f"there are no plans in {folder}", next_step="make one with `effectmeter plan new`")
    report = [_refreshed(installation, result) for result in results]
    if json_:
        put_json({"quarter": str(wanted[-1]), "quarters": [str(each) for each in wanted], "programmes": report})
    else:
        for entry in report:
            _tell(entry)
    raise typer.Exit(max(result.exit_code for result in results))


def _tell(entry: dict[str, Any]) -> None:
    """Print how one programme ended: its verdict on standard output, a refusal on standard error."""
    title = f"\n{entry['programme']} {entry['quarter']}{'  SYNTHETIC' if entry.get('synthetic') else ''}"
    if entry["exit_code"]:
        say(f"{title}\n  refused, nothing published:\n{indent(entry['refusal'], '    ')}")
    else:
        stands = "" if entry["is_new"] else f"  nothing has changed: edition {entry['edition']} stands\n"
        put(f"{title}\n{stands}  {entry['verdict']['en']}\n  {entry['verdict']['nl']}\n  report: {entry['report']}")
        sys.stdout.flush()


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
            "edition": passport["edition"],
            "is_new": result.is_new,
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
    is_all: Annotated[bool, typer.Option("--all", help="List the checks that passed as well.")] = False,
    json_: JsonOption = False,
) -> None:
    """Check a plan and its delivery without estimating anything.

    Example: effectmeter check --programme tarp --quarter 2026-Q3
    """
    from assets.checking import check_delivery
    from effectmeter.plan_io import load_plan
    from pipelines.printing import check_lines, check_records, landed_lines

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    plan = load_plan(find_plan(programmes_folder(programmes), programme))
    say(f"plan {programme}: sound; checking its delivery of {wanted}")
    landed, outcomes = check_delivery(installation, plan, wanted)
    if json_:
        put_json({"programme": programme, "quarter": str(wanted), **check_records(landed, outcomes)})
    else:
        for line in (*landed_lines(landed), *check_lines(outcomes, is_all=is_all)):
            put(line)
    failed = [outcome for outcome in outcomes if not outcome.passed and outcome.spec.severity == "critical"]
    raise typer.Exit(1 if failed else 0)


@app.command()
def effects(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
    is_released: Annotated[bool, typer.Option("--released", help="The cleared copy instead of the vault's.")] = False,
) -> None:
    """Print effects, gates and claims: from the vault, or as released.

    Example: effectmeter effects --programme tarp --quarter 2026-Q3 --json
    """
    from assets.releases import released_effects, vault_effects
    from pipelines.printing import effect_lines

    installation, wanted = Home.from_environment(home), quarter_of(quarter)
    _require_programme(installation, programmes, programme)
    found = (released_effects if is_released else vault_effects)(installation, programme, wanted)
    if json_:
        put_json(found)
    else:
        put("\n".join(effect_lines(found)))


@app.command()
def report(
    programme: ProgrammeOption,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    json_: JsonOption = False,
) -> None:
    """Say where a programme's newest report lies.

    Example: effectmeter report --programme tarp
    """
    from assets.releases import find_edition

    installation = Home.from_environment(home)
    _require_programme(installation, programmes, programme)
    edition = find_edition(installation, programme, quarter_of(quarter))
    files = {language: str(edition / f"report.{language}.html") for language in ("nl", "en")}
    if json_:
        put_json(files)
    else:
        put("\n".join(files.values()))


def _require_programme(home: Home, programmes: Path | None, programme: str) -> None:
    folder = programmes_folder(programmes)
    require_known(programme, planned(folder) | stored(home), folder)


@plan_app.command("new")
def plan_new(
    programme: Annotated[str, typer.Argument(help="Name: lower-case letters, digits and hyphens.")],
    design: Annotated[
        str,
        typer.Option(
            "--design",
            help="randomised, comparison_cohort, before_after, staggered_areas, interrupted_series or pooled_trials.",
        ),
    ],
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
    delivery = Home.from_environment().delivery(programme, quarter_of(None))
    say(f"next: fill it in, put the files in {delivery}, and run `effectmeter check --programme {programme}`")


@app.command(short_help="Put the bundled deliveries into a quarter.")
def worlds(
    programme: SeveralProgrammesOption = None,
    quarter: QuarterOption = None,
    home: HomeOption = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same files.", show_default=False)] = None,
    json_: JsonOption = False,
) -> None:
    """Put the bundled deliveries into a quarter: the synthetic ones made from a seed, the real one copied.

    Example: effectmeter worlds --quarter 2026-Q3
    """
    from assets.bundled import write_deliveries

    def tell(name: str, number: int, total: int) -> None:
        say(f"  {number}/{total} {name}")

    written = write_deliveries(Home.from_environment(home), quarter_of(quarter), programme or [], seed, tell)
    if json_:
        put_json({name: [str(path) for path in files] for name, files in written.items()})
        return
    for name, files in written.items():
        put(f"{name}: {', '.join(path.name for path in files)} in {files[0].parent}")


@app.command()
def ui(
    home: HomeOption = None,
    programmes: ProgrammesOption = None,
    port: Annotated[int, typer.Option("--port", help="Where it listens.")] = 3000,
    is_read_only: Annotated[
        bool, typer.Option("--read-only", help="For viewers: nothing can be started, stopped or changed.")
    ] = False,
    public_name: Annotated[
        list[str] | None,
        typer.Option(
            "--public-name",
            help="Name under which a proxy with a login serves it; may be repeated.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address; another than this machine's is refused.")] = "127.0.0.1",
    is_open: Annotated[
        bool, typer.Option("--without-login", help="Allow another --host, where everybody may do everything.")
    ] = False,
) -> None:
    """Open Dagster on this installation, at http://localhost:3000.

    Example: effectmeter ui --port 3001
    """
    from pipelines.instance import offer_quarters
    from pipelines.ui import WARNING, WORKSPACE, require_local, ui_command, ui_environment

    names = list(public_name or [])
    if not require_local(host, is_open=is_open):
        say(WARNING.format(host=host, port=port))
        names.append(host)
    installation = Home.from_environment(home)
    offer_quarters(installation, quarter_of(None))
    environment = ui_environment(installation, programmes_folder(programmes), names)
    os.chdir(WORKSPACE.parent)
    os.execve(sys.executable, ui_command(host, port, is_read_only=is_read_only), environment)


app.command(short_help="Approve a release that somebody else refreshed.")(approve)
app.command(short_help="Verify a release without the data.")(verify)
app.command(short_help="Delete vaults past their retention period.")(purge)
app.command(short_help="Bring what an older version left to this one's form.")(migrate)
app.command()(export)
app.command(short_help="Look the whole installation over.")(doctor)
app.command(short_help="Print a TARGET or STROBE checklist, filled in.")(checklist)


@contextmanager
def _plainly() -> Iterator[None]:
    """Print our own faults as words with their exit code."""
    try:
        yield
    except EffectmeterError as error:
        say(str(error))
        sys.exit(error.exit_code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, on the arguments of the process when none are given."""
    with _plainly():
        app(None if arguments is None else list(arguments), prog_name="effectmeter")


if __name__ == "__main__":
    main()
