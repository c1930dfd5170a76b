"""What the version before left: its ledger is migrated and nothing lost, its vaults are rebuilt, its releases read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from workbench import QUARTER, Workbench

from assets.bundled import write_deliveries
from assets.releases import editions, read_passport
from effectmeter.editions import Entry
from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.passport import passport_text, sealed
from pipelines.cli import main
from pipelines.migrations import migrate_all
from reports import hashes_of
from reports.verification import verify
from vault import connection as vault_connection
from vault.connection import open_vault
from vault.forms import FORM, form_of, migrated
from vault.ledger import ledger_path, read_ledger, write_ledger
from vault.results import read_results, write_results

PROGRAMME = "scared-straight"


def as_before(home: Home, programme: str) -> None:
    """Write what a refresh left in the layout of the version before: no forms, groups of two, no `recomputed`."""

    def without_form(connection: object) -> None:
        connection.execute("drop macro if exists effectmeter_form")  # type: ignore[attr-defined]

    ledger = read_ledger(home, programme)
    old = []
    for entry in ledger:
        groups = {name: group[:2] for name, group in json.loads(entry.groups).items()}
        fields = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
        old.append(Entry(**fields | {"groups": json.dumps(groups, sort_keys=True)}))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vault_connection, "stamp", without_form)
        write_ledger(home, programme, old)
        for path in home.vaults(programme).glob("*-Q[1-4].duckdb"):
            with open_vault(path):
                pass
    for edition in editions(home.releases(programme, QUARTER)):
        passport = read_passport(edition)
        del passport["recomputed"]
        del passport["seal"]
        (edition / "passport.json").write_text(passport_text(sealed(passport, hashes_of(edition))))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    bench = Workbench(tmp_path_factory.mktemp("before"))
    bench.add_bundled(PROGRAMME)
    write_deliveries(bench.home, QUARTER, [PROGRAMME])
    assert bench.refresh(PROGRAMME).exit_code == 0
    as_before(bench.home, PROGRAMME)
    return bench


@pytest.fixture
def bench(before: Workbench, tmp_path: Path) -> Iterator[Workbench]:
    shutil.copytree(before.root, tmp_path / "copy")
    yield Workbench(tmp_path / "copy")


def form_at(path: Path) -> int:
    with open_vault(path, read_only=True) as connection:
        return form_of(connection)


def test_everything_of_the_version_before_is_known_for_what_it_is(bench: Workbench) -> None:
    assert form_at(ledger_path(bench.home, PROGRAMME)) == 1
    assert form_at(bench.home.vault(PROGRAMME, QUARTER)) == 1


def test_a_ledger_is_migrated_and_no_entry_lost(bench: Workbench) -> None:
    path = ledger_path(bench.home, PROGRAMME)
    with open_vault(path, read_only=True) as connection:
        raw = read_results(connection, "ledger.entries", Entry)
    found = {each.what: each for each in migrate_all(bench.home)}
    assert found[f"ledger of {PROGRAMME}"].status == "migrated"
    assert found[f"vault of {PROGRAMME} {QUARTER}"].status == "rebuild"
    assert {each.status for each in found.values()} == {"ready", "migrated", "rebuild"}
    assert form_at(path) == FORM
    now = read_ledger(bench.home, PROGRAMME)
    assert [(entry.block, entry.cells, entry.shown, entry.content) for entry in now] == [
        (entry.block, entry.cells, entry.shown, entry.content) for entry in raw
    ]
    assert all(len(group) == 3 for entry in now for group in json.loads(entry.groups).values())
    again = {each.what: each.status for each in migrate_all(bench.home)}
    assert again[f"ledger of {PROGRAMME}"] == "ready"


def test_a_step_may_be_done_twice() -> None:
    entry = Entry(block="b", quarter="2026-Q3", release="r", plan_hash="p", is_confirmed=True, is_published=True,
                  groups='{"t": [60, null], "u": [3, 2, "w"]}', cells="{}", shown="{}", content="[]")  # fmt: skip
    once = migrated([entry], 1)
    assert json.loads(once[0].groups) == {"t": [60, None, None], "u": [3, 2, "w"]}
    assert migrated(once, 1) == once
    assert migrated(once, FORM) == once


def test_a_migration_that_breaks_off_leaves_the_ledger_as_it_was(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ledger_path(bench.home, PROGRAMME)
    entries = read_ledger(bench.home, PROGRAMME)

    def out_of_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vault_connection, "_publish", out_of_disk)
    with pytest.raises(OSError, match="No space"):
        write_ledger(bench.home, PROGRAMME, entries)
    monkeypatch.undo()
    assert form_at(path) == 1
    assert read_ledger(bench.home, PROGRAMME) == entries


def test_a_release_of_the_version_before_verifies_and_stands_in_the_portfolio(bench: Workbench) -> None:
    from reports import write_portfolio

    (edition,) = editions(bench.home.releases(PROGRAMME, QUARTER))
    assert "recomputed" not in read_passport(edition)
    found = verify(edition)
    assert [entry.sentence for entry in found if entry.status == "wrong"] == []
    write_portfolio(bench.home.release_root)
    assert "Scared Straight" in (bench.home.release_root / "index.en.html").read_text()


def test_after_an_upgrade_a_refresh_rebuilds_the_vault_and_adds_an_edition_at_most(bench: Workbench) -> None:
    (edition,) = editions(bench.home.releases(PROGRAMME, QUARTER))
    published = (edition / "passport.json").read_bytes()
    migrate_all(bench.home)
    from pipelines.refresh import refresh_all

    (result,) = refresh_all(bench.home, bench.plans, [PROGRAMME], [QUARTER], again=True)
    assert result.exit_code == 0, result.refusal
    assert form_at(bench.home.vault(PROGRAMME, QUARTER)) == FORM
    assert (edition / "passport.json").read_bytes() == published, "a release is never written again"
    effects = [(each / "effects.csv").read_bytes() for each in editions(bench.home.releases(PROGRAMME, QUARTER))]
    assert len(set(effects)) == 1


@pytest.mark.parametrize("which", ["ledger", "vault"])
def test_what_a_newer_version_wrote_is_refused_and_not_touched(bench: Workbench, which: str) -> None:
    path = ledger_path(bench.home, PROGRAMME) if which == "ledger" else bench.home.vault(PROGRAMME, QUARTER)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("vault.forms.FORM", FORM + 1)
        with open_vault(path):
            pass
    there = path.read_bytes()
    for read_only in (True, False):
        with (
            pytest.raises(EffectmeterError, match=f"newer version of Effectmeter .form {FORM + 1}") as refused,
            open_vault(path, read_only=read_only),
        ):
            pytest.fail("it was opened")
        assert "upgrade.md" in str(refused.value)
        assert path.read_bytes() == there
    refused_by = [each for each in migrate_all(bench.home) if each.status == "refused"]
    assert [each.what.split()[0] for each in refused_by] == [which]


def test_a_release_of_a_newer_version_is_refused_in_plain_words(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    (edition,) = editions(bench.home.releases(PROGRAMME, QUARTER))
    passport = json.loads((edition / "passport.json").read_text())
    (edition / "passport.json").write_text(json.dumps(passport | {"schema": "effectmeter/passport/2"}))
    with pytest.raises(EffectmeterError, match="newer version"):
        read_passport(edition)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(edition)])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "written by a newer version of Effectmeter" in said
    assert "Traceback" not in said


def test_the_command_says_what_it_did(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    for wanted in ("migrated", "ready"):
        with pytest.raises(SystemExit) as ended:
            main(["migrate", "--home", str(bench.home.root)])
        assert ended.value.code == 0
        lines = capsys.readouterr().out.splitlines()
        (ledger,) = [line for line in lines if f"ledger of {PROGRAMME}" in line]
        assert ledger.startswith(wanted)


def test_an_empty_table_of_entries_has_a_form_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_ledger(home, "p", [])
    assert form_at(ledger_path(home, "p")) == FORM
    with open_vault(ledger_path(home, "p")) as connection:
        write_results(connection, "ledger.entries", [], Entry)
    assert read_ledger(home, "p") == ()
