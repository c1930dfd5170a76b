"""Several hundred broken deliveries and plans through the command line: what is said, how long, how much memory, leaks.

Each case runs in a fork of one process that has everything imported: ``effectmeter check``, and on whatever that
refuses ``effectmeter refresh``. ``make broken`` writes ``benchmarks/broken.md``; results are kept in
``EFFECTMETER_BROKEN``, so that a run that was broken off goes on where it was. The cases are in
``tests/broken_inputs.py`` and ``broken_plans.py``; the large ones, which tests have in small, are here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "benchmarks")]

import broken_inputs  # noqa: E402
import broken_plans  # noqa: E402
from broken_inputs import CANARY, Case  # noqa: E402
from forks import import_all_of, in_fork  # noqa: E402

PAGE = Path(__file__).with_suffix(".md")
PROGRAMME = "proef"
QUARTER = "2026-Q3"
_PATIENCE = 1800
_WORDS_NOT_OURS = ("Traceback", "not foresee", "defect of Effectmeter", "Error:")
_BEFORE = (f"plan {PROGRAMME}: sound", "refreshing ")
"""What both commands say before anything is known."""
_FUZZ = "300"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one case.

    Attributes
    ----------
    verdict
        ``refused`` or ``accepted``.
    exit_code
        Of the last command: the refresh of what is refused, the check of what is accepted.
    seconds
        Processor time of all commands together.
    megabytes
        Largest resident memory, what was imported before included.
    """

    name: str
    wanted: str
    verdict: str
    exit_code: int
    seconds: float
    megabytes: int
    said: str
    faults: tuple[str, ...]


# ---- the large ones ---------------------------------------------------------------------------------------------


def _rejects(folder: Path) -> None:
    """Write ten million rows of which none can be read."""
    files = broken_inputs.GOOD["comparison_cohort"][2]
    (folder / broken_inputs.EVENTS).write_bytes(files[broken_inputs.EVENTS])
    with (folder / broken_inputs.PERSONS).open("wb") as file:
        file.write(files[broken_inputs.PERSONS].splitlines(keepends=True)[0])
        for start in range(0, 10_000_000, 100_000):
            file.write(
                b"".join(b"%s-%d,treated,31-02-2024,x,y,z,w\n" % (CANARY.encode(), start + n) for n in range(100_000))
            )


def _long_line(before: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        files = broken_inputs.GOOD["comparison_cohort"][2]
        (folder / broken_inputs.EVENTS).write_bytes(files[broken_inputs.EVENTS])
        with (folder / broken_inputs.PERSONS).open("wb") as file:
            file.write(before)
            for _ in range(2048):
                file.write(b"x" * 2**20)

    return write


def _bomb(folder: Path) -> None:
    files = broken_inputs.GOOD["comparison_cohort"][2]
    (folder / broken_inputs.EVENTS).write_bytes(files[broken_inputs.EVENTS])
    broken_inputs._zip_bomb(folder / "p.xlsx", 5 * 2**30)


def large() -> Iterator[Case]:
    """Yield the cases that are too large for the tests."""
    source = broken_inputs.GOOD["comparison_cohort"][0]["source"]
    excel = {"source": {**source, "persons": {**source["persons"], "file": "p.xlsx"}}}
    header = broken_inputs.GOOD["comparison_cohort"][2][broken_inputs.PERSONS].splitlines(keepends=True)[0]
    yield Case("large: ten million rejected rows", "comparison_cohort", "intake", {}, _rejects)
    yield Case("large: a row of 2 GB", "comparison_cohort", "intake", {}, _long_line(header))
    yield Case("large: a header of 2 GB", "comparison_cohort", "intake", {}, _long_line(b""))
    yield Case("large: a workbook that unpacks to 5 GB", "comparison_cohort", "intake", excel, _bomb)


# ---- one case, and what is imported before the first -------------------------------------------------------------


def try_out() -> None:
    """Check a good delivery of every design and format, and refresh one that a check refuses."""
    every = list(broken_inputs.cases())
    good = [case for case in every if "as it should be" in case.name]
    refused = next(case for case in every if case.expected == "checks")
    with tempfile.TemporaryDirectory(prefix="effectmeter-try-") as scratch:
        for n, (command, case) in enumerate([*(("check", each) for each in good), ("refresh", refused)]):
            folder = Path(scratch) / str(n)
            (folder / "programmes").mkdir(parents=True)
            _deliver(case, folder)
            with suppress(SystemExit):
                _run_command(command, folder)


def _deliver(case: Case, folder: Path) -> None:
    """Put a case's delivery and plan in a folder."""
    delivery = folder / "data" / "deliveries" / PROGRAMME / QUARTER
    delivery.mkdir(parents=True)
    case.write(delivery)
    plan = broken_inputs.plan_of(case.design, PROGRAMME, **case.plan)
    (folder / "programmes" / f"{PROGRAMME}.yaml").write_text(yaml.safe_dump(plan, allow_unicode=True), encoding="utf-8")


def run_delivery(case: Case, template: Path, folder: Path) -> Outcome:
    """Check a broken delivery; refresh it too when it is refused."""
    _prepare(template, folder)
    in_fork(lambda: _deliver(case, folder))  # some formats are written by libraries with threads
    secrets = [CANARY, *case.secrets]
    return _run(case.name, "accepted" if case.expected == "accepted" else "refused", folder, secrets)


def run_plan(plan: broken_plans.BrokenPlan, template: Path, folder: Path) -> Outcome:
    """Check and refresh a broken plan, with no delivery at all."""
    _prepare(template, folder)
    (folder / "programmes" / f"{PROGRAMME}.yaml").write_bytes(plan.content)
    return _run(plan.name, "refused", folder, [])


def _prepare(template: Path, folder: Path) -> None:
    shutil.copytree(template, folder / "data")
    (folder / "programmes").mkdir()


def _run(name: str, wanted: str, folder: Path, secrets: Sequence[str]) -> Outcome:
    faults: list[str] = []
    code, seconds, megabytes, said = _command("check", folder)
    verdict = "accepted" if code == 0 else "refused"
    if verdict == "refused":
        code, more, peak, words = _command("refresh", folder)
        seconds, megabytes, said = seconds + more, max(megabytes, peak), said + words
        if code != 1:
            faults.append(f"exit code {code}")
        if "next:" not in said:
            faults.append("no next step")
        if list((folder / "data" / "release").rglob("passport.json")):
            faults.append("something was published")
        faults += [f"leaked into {where}" for where in _leaks(folder, said, secrets)]
    if verdict != wanted:
        faults.append(f"should be {wanted}")
    faults += [f"says '{word}'" for word in _WORDS_NOT_OURS if word in said]
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith(_BEFORE)]
    first = next((line for line in lines if line.startswith("STOP")), lines[0] if lines else "").replace(
        f"{folder}/", ""
    )
    return Outcome(name, wanted, verdict, code, round(seconds, 1), megabytes, first, tuple(faults))


def _command(command: str, folder: Path) -> tuple[int, float, int, str]:
    """Run a command in a fork; return exit code, processor seconds, peak megabytes and all that was said."""
    output = folder / f"{command}.out"
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            with output.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            try:
                _run_command(command, folder)
                code = 0
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 0 if left.code is None else 70
        except BaseException:  # noqa: BLE001 - as the interpreter would
            import traceback

            traceback.print_exc()
        finally:
            with suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    usual = signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.alarm(_PATIENCE)
    _, status, usage = os.wait4(pid, 0)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, usual)
    said = output.read_text(encoding="utf-8", errors="replace")
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, said


def _run_command(command: str, folder: Path) -> None:
    from pipelines.cli import main

    where = ["--home", str(folder / "data"), "--programmes", str(folder / "programmes")]
    main([command, "--programme", PROGRAMME, "--quarter", QUARTER, *where])


def _leaks(folder: Path, said: str, secrets: Sequence[str]) -> Iterator[str]:
    """Yield where a value of the delivery has come that it should not: words, Dagster, releases."""
    words = [secret.casefold().encode() for secret in secrets]
    places = [("the words", said.casefold().encode())]
    for part in ("dagster", "release"):
        places += [(part, path.read_bytes().lower()) for path in (folder / "data" / part).rglob("*") if path.is_file()]
    yield from dict.fromkeys(where for where, content in places if any(word in content for word in words))


# ---- the page ---------------------------------------------------------------------------------------------------


def memory_class(megabytes: int) -> str:
    """Return in which class a peak falls."""
    return next((f"< {limit} GB" for limit in (0.5, 1, 2, 4) if megabytes < limit * 1024), "4 GB or more")


def page(outcomes: Sequence[Outcome], fuzzed: str, n_missing: int) -> str:
    """Return the committed page."""
    refused = sum(outcome.verdict == "refused" for outcome in outcomes)
    broken = [outcome for outcome in outcomes if outcome.faults]
    lines = [
        "# Broken deliveries and plans",
        "",
        f"Made by `make broken`, {date.today().isoformat()}: {len(outcomes)} cases, {refused} refused,",
        f"{len(outcomes) - refused} rightly accepted, {len(broken)} not as they should be. Each ran through",
        "`effectmeter check`, and what that refused through `effectmeter refresh` as well. A refusal counts when it",
        "ends in exit code 1 with a next step, publishes nothing, holds no foreign words, and no value of the delivery",
        "is in what was said, in Dagster's files or in a release.",
        "",
        "Seconds are of the processor, both commands together, start-up aside; memory is the peak of the process,",
        "of which about 0.5 GB is the imported libraries.",
        "",
        f"Fuzzing (Hypothesis, {_FUZZ} examples per property): {fuzzed}.",
        "",
    ]
    if n_missing:
        lines += [f"{n_missing} cases have not run yet.", ""]
    lines += [
        "| case | verdict | exit code | seconds | memory | leaks | first words |",
        "|---|---|---:|---:|---|---:|---|",
    ]
    for outcome in outcomes:
        n_leaks = sum(fault.startswith("leaked") for fault in outcome.faults)
        said = outcome.said[:100].replace("|", "/").replace("<", "&lt;") if outcome.verdict == "refused" else ""
        memory = memory_class(outcome.megabytes)
        figures = f"{outcome.exit_code} | {outcome.seconds} | {memory} | {n_leaks}"
        lines.append(f"| {outcome.name} | {outcome.verdict} | {figures} | {said} |")
    if broken:
        lines += ["", "## Not as they should be", ""]
        lines += [f"* {outcome.name}: {'; '.join(outcome.faults)}" for outcome in broken]
    return "\n".join(lines) + "\n"


def fuzz() -> str:
    """Run the fuzz tests with many examples; return how that ended."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/test_fuzz_plans.py", "tests/test_fuzz_intake.py"]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"EFFECTMETER_FUZZ": _FUZZ}, capture_output=True, text=True, check=False
    )
    return ended.stdout.strip().splitlines()[-1] if ended.stdout.strip() else f"exit code {ended.returncode}"


def main(wanted: Sequence[str]) -> int:
    """Run every case without a result, or those whose name begins with a given word, and write the page."""
    kept = Path(os.environ.get("EFFECTMETER_BROKEN", ROOT / "data" / "benchmarks" / "broken.jsonl"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    import_all_of(try_out)
    done = _results(kept)
    runs: dict[str, Callable[[Path, Path], Outcome]] = {}
    for case in (*broken_inputs.cases(), *large()):
        runs[case.name] = lambda template, folder, case=case: run_delivery(case, template, folder)  # type: ignore[misc]
    for plan in broken_plans.plans():
        runs[plan.name] = lambda template, folder, plan=plan: run_plan(plan, template, folder)  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="effectmeter-broken-") as scratch:
        template = Path(scratch) / "template"
        _make_template(template)
        for name, run in runs.items():
            if name in done or (wanted and not name.startswith(tuple(wanted))):
                continue
            folder = Path(scratch) / "case"
            folder.mkdir()
            outcome = run(template, folder)
            shutil.rmtree(folder)
            done[name] = outcome
            with kept.open("a", encoding="utf-8") as results:
                results.write(json.dumps(asdict(outcome)) + "\n")
            if outcome.faults:
                print("BAD", name, "|", "; ".join(outcome.faults), "|", outcome.said[:200], flush=True)
    found = [done[name] for name in runs if name in done]
    fuzzed = "not run" if wanted or len(found) < len(runs) else fuzz()
    PAGE.write_text(page(found, fuzzed, len(runs) - len(found)), encoding="utf-8")
    if len(found) == len(runs):
        kept.unlink()
    return 0 if not any(outcome.faults for outcome in found) else 1


def _make_template(template: Path) -> None:
    """Make a data folder whose Dagster is set up, in a fork: every case begins with a copy."""

    def make() -> None:
        from effectmeter.home import Home
        from effectmeter.quarters import Quarter
        from pipelines.instance import offer_quarters

        offer_quarters(Home(template), Quarter.parse(QUARTER))

    in_fork(make)


def _results(kept: Path) -> dict[str, Outcome]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    told = [json.loads(line) for line in lines]
    return {each["name"]: Outcome(**{**each, "faults": tuple(each["faults"])}) for each in told}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
