"""When things go wrong half-way: the last release stands as it was, the gate holds in the data, and words say why."""

from __future__ import annotations

import json
import os
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from workbench import QUARTER, ROOT, Workbench, minimal_plan

from assets import steps
from assets.bundled import write_deliveries
from assets.installation import Installation, refusing
from assets.locks import alone_in, refreshing
from assets.publishing import release_step, report_step
from assets.releases import STAGING, editions, latest_edition, read_passport
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from vault.keys import key_of


def tarp_bench(root: Path) -> Workbench:
    bench = Workbench(root)
    bench.add_bundled("tarp")
    write_deliveries(bench.home, QUARTER, ["tarp"])
    return bench


@pytest.fixture(scope="module")
def tarp(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = tarp_bench(tmp_path_factory.mktemp("faults"))
    assert bench.refresh("tarp").exit_code == 0
    return bench


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(ROOT / "programmes" / "tarp.yaml")


def content_of(edition: Path) -> dict[str, bytes]:
    return {str(path.relative_to(edition)): path.read_bytes() for path in edition.rglob("*") if path.is_file()}


def newest(bench: Workbench) -> Path:
    edition = latest_edition(bench.home.releases("tarp", QUARTER))
    assert edition is not None
    return edition


def forget_what_was_published(edition: Path) -> None:
    """Make the newest edition differ from what a new run finds, so that a new one is due."""
    passport = edition / "passport.json"
    passport.chmod(0o644)
    passport.write_text(passport.read_text(encoding="utf-8").replace('"content_hash": "', '"content_hash": "0'))


def refresh_and_die(root: Path, step: int) -> None:
    """Refresh, and be killed as the n-th step begins."""
    from pipelines.refresh import refresh_all

    begun: list[str] = []

    def told(_: str, __: object, words: str) -> None:
        begun.append(words)
        if len(begun) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    # every step, although nothing has changed since the release that stands
    refresh_all(Workbench(root).home, Workbench(root).plans, ["tarp"], [QUARTER], told, again=True)


def test_a_refresh_killed_half_way_leaves_the_release_and_the_next_one_completes(
    tarp: Workbench, forks: ForkServerContext
) -> None:
    before = content_of(newest(tarp))
    process = forks.Process(target=refresh_and_die, args=(tarp.root, 5))  # so far in it is in the middle of the vault
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert content_of(newest(tarp)) == before
    result = tarp.refresh("tarp")
    assert (result.exit_code, result.refusal) == (0, "")
    assert content_of(newest(tarp)) == before
    assert len(editions(tarp.home.releases("tarp", QUARTER))) == 1


def test_what_a_killed_report_left_behind_does_not_enter_the_next_edition(tarp: Workbench, plan: Plan) -> None:
    folder = tarp.home.releases("tarp", QUARTER)
    standing = newest(tarp)
    forget_what_was_published(standing)
    release_step(tarp.home, plan, QUARTER)
    (folder / STAGING / "tables").mkdir()
    (folder / STAGING / "tables" / "half.csv").write_text("half")
    report_step(tarp.home, plan, QUARTER)
    edition = newest(tarp)
    assert edition.name == f"{int(standing.name) + 1:03d}"
    assert read_passport(edition)["edition"] == edition.name
    assert set(content_of(edition)) == set(content_of(standing))
    assert not (folder / STAGING).exists()


def test_an_edition_gets_its_number_when_it_is_published(tarp: Workbench, plan: Plan) -> None:
    forget_what_was_published(newest(tarp))
    release_step(tarp.home, plan, QUARTER)
    meanwhile = newest(tarp).with_name(f"{int(newest(tarp).name) + 1:03d}")
    other = read_passport(newest(tarp)) | {"content_hash": "of another run", "edition": meanwhile.name}
    meanwhile.mkdir()
    (meanwhile / "passport.json").write_text(json.dumps(other))
    try:
        report_step(tarp.home, plan, QUARTER)
        edition = newest(tarp)
        assert int(edition.name) == int(meanwhile.name) + 1
        assert read_passport(edition)["edition"] == edition.name
    finally:
        (meanwhile / "passport.json").unlink()
        meanwhile.rmdir()


def test_a_disk_that_fills_up_while_the_release_is_written_leaves_the_last_one(
    tarp: Workbench, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    import reports

    forget_what_was_published(newest(tarp))
    standing, before = newest(tarp), content_of(newest(tarp))

    def full(folder: Path, *_: Any) -> None:
        (folder / "report.nl.html").write_text("half a page")
        raise OSError(28, "No space left on device", str(folder))

    release_step(tarp.home, plan, QUARTER)
    with monkeypatch.context() as patched, pytest.raises(dg.Failure) as caught:
        patched.setattr(reports, "write_release", full)
        with refusing(Installation(root=str(tarp.home.root)), "tarp", "report"):
            report_step(tarp.home, plan, QUARTER)
    assert "No space left on device" in str(caught.value.description)
    assert "next:" in str(caught.value.description)
    assert newest(tarp) == standing
    assert content_of(standing) == before
    report_step(tarp.home, plan, QUARTER)
    assert newest(tarp) != standing


def test_report_alone_is_refused_with_words(tarp: Workbench, plan: Plan) -> None:
    with pytest.raises(EffectmeterError, match="nothing cleared") as caught:
        report_step(tarp.home, plan, QUARTER)
    assert "release" in caught.value.next_step


def test_a_later_step_is_refused_after_a_failed_check_and_on_leftovers_of_an_earlier_delivery(
    tarp: Workbench, plan: Plan
) -> None:
    events = tarp.home.delivery("tarp", QUARTER) / "events.csv"
    sound = events.read_bytes()
    try:
        events.write_bytes(sound + b"nobody-known,arrest,70\n")
        assert tarp.refresh("tarp").exit_code == 1
        for step in ("cohort", "outcomes", "comparability", "release"):
            with pytest.raises(EffectmeterError, match=r"blocked by failed checks|have not run"):
                steps.STEPS[step](tarp.home, plan, QUARTER)
        # sound, but another delivery than the one that cohort and estimates in the vault were made from
        events.write_bytes(b"".join(sound.splitlines(keepends=True)[:-1]))
        steps.land_step(tarp.home, plan, QUARTER)
        steps.check(tarp.home, plan, QUARTER, "landing")
        with pytest.raises(EffectmeterError, match="'cohort' has not been made"):
            steps.outcomes_step(tarp.home, plan, QUARTER)
        with pytest.raises(EffectmeterError, match="'outcomes' has not been made"):
            steps.check(tarp.home, plan, QUARTER, "outcomes")
        with pytest.raises(EffectmeterError, match="have not run"):
            release_step(tarp.home, plan, QUARTER)
    finally:
        events.write_bytes(sound)


def test_a_landing_killed_half_way_leaves_no_gate_open(
    tarp: Workbench, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vault import intake

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(intake, "land", killed)
        with pytest.raises(KeyboardInterrupt):
            steps.land_step(tarp.home, plan, QUARTER)
    with pytest.raises(EffectmeterError, match="not been read"):
        steps.cohort_step(tarp.home, plan, QUARTER)


def test_a_delivery_that_vanished_is_refused_and_the_release_stands(tarp: Workbench) -> None:
    before = content_of(newest(tarp))
    folder = tarp.home.delivery("tarp", QUARTER)
    away = folder.rename(folder.with_name("away"))
    try:
        result = tarp.refresh("tarp")
    finally:
        away.rename(folder)
    assert result.exit_code == 1
    assert "Traceback" not in result.refusal
    assert "next:" in result.refusal
    assert content_of(newest(tarp)) == before


def test_a_damaged_vault_is_refused_with_words(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("damaged"))
    bench.deliver("damaged", "persons.csv", ["person_id", "arm", "follow_up_days"], [["a", "treated", 365]])
    vault = bench.home.vault("damaged", QUARTER)
    vault.parent.mkdir(parents=True)
    key_of(bench.home, "damaged", may_make=True)
    vault.write_bytes(b"this is no database" * 1000)
    result = bench.refresh("damaged")
    assert result.exit_code == 1
    assert "damaged" in result.refusal
    assert "move the file away" in result.refusal


def test_a_second_refresh_of_the_same_quarter_is_refused_at_once(tarp: Workbench) -> None:
    with refreshing(tarp.home, "tarp", QUARTER):
        result = tarp.refresh("tarp")
    assert result.exit_code == 1
    assert "being refreshed by another process" in result.refusal


def test_a_folder_in_use_is_refused_after_a_while_and_free_afterwards(tmp_path: Path) -> None:
    second = alone_in(tmp_path, busy="in use", next_step="wait", patience=0.2)
    with alone_in(tmp_path, busy="in use", next_step="wait"), pytest.raises(EffectmeterError, match="in use"), second:
        pass
    with alone_in(tmp_path, busy="in use", next_step="wait", patience=0):
        pass


def first_start(root: str) -> None:
    from pipelines.instance import offer_quarters

    offer_quarters(Home(Path(root)), QUARTER)


def test_two_first_starts_at_once_make_one_dagster_storage(tmp_path: Path, forks: ForkServerContext) -> None:
    starts = [forks.Process(target=first_start, args=(str(tmp_path),)) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert [start.exitcode for start in starts] == [0, 0]


def test_a_data_folder_that_cannot_be_written_is_refused_with_words(tmp_path: Path) -> None:
    from pipelines.instance import open_instance

    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(EffectmeterError, match="cannot be written"):
        open_instance(Home(tmp_path / "data"))
