"""What `effectmeter purge` deletes, what it keeps, and what it says."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from workbench import Workbench, minimal_plan

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.quarters import Quarter
from pipelines.cli import main
from vault.connection import open_vault
from vault.keys import variable_of
from vault.purge import kept_until

OLD, NEW = Quarter(2012, 1), Quarter.last_complete(date.today())


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    for name in ("one", "two"):
        bench.add_plan(minimal_plan(name, retention_months=24))
        for quarter in (OLD, NEW):
            bench.deliver(name, "persons.csv", ["person_id"], [["P1"]], quarter=quarter)
            with open_vault(bench.home.vault(name, quarter)) as connection:
                connection.execute("create table t as select 1 as i")
            edition = bench.home.releases(name, quarter) / "001"
            edition.mkdir(parents=True)
            (edition / "effects.csv").write_text("a\n")
    with open_vault(bench.home.vaults("one") / "ledger.duckdb") as connection:
        connection.execute("create table t as select 1 as i")
    return bench


def purge(bench: Workbench, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(["purge", "--json", "--home", str(bench.home.root), "--programmes", str(bench.plans), *arguments])
    said = capsys.readouterr()
    assert caught.value.code in (0, None), said.err
    return json.loads(said.out)  # type: ignore[no-any-return]


def files(bench: Workbench) -> set[str]:
    return {str(path.relative_to(bench.home.root)) for path in bench.home.root.rglob("*") if path.is_file()}


def test_only_vaults_past_their_time_go_and_only_when_it_is_no_rehearsal(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(bench)
    rehearsed = purge(bench, capsys, "--dry-run")
    assert files(bench) == before
    done = purge(bench, capsys)
    assert [each["path"] for each in done["deleted"]] == [each["path"] for each in rehearsed["deleted"]]
    assert before - files(bench) == {f"vault/{name}/{OLD}.duckdb" for name in ("one", "two")}
    assert purge(bench, capsys)["deleted"] == []


def test_deliveries_go_when_asked(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(bench)
    purge(bench, capsys, "--programme", "one", "--deliveries")
    assert before - files(bench) == {f"vault/one/{OLD}.duckdb", f"deliveries/one/{OLD}/persons.csv"}


def test_one_quarter_goes_whatever_its_age(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(bench)
    purge(bench, capsys, "--programme", "one", "--quarter", str(NEW))
    assert before - files(bench) == {f"vault/one/{NEW}.duckdb"}


def test_a_whole_programme_goes_with_its_key_and_its_releases_stay(
    bench: Workbench, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(bench)
    copy = bench.root / "copy.duckdb"
    copy.write_bytes(bench.home.vault("one", NEW).read_bytes())
    found = purge(bench, capsys, "--programme", "one", "--with-key", "--deliveries")
    gone = before - files(bench)
    assert gone == {name for name in before if "/one" in name and not name.startswith("release")}
    assert {each["what"] for each in found["deleted"]} == {"key", "vault", "ledger", "delivery"}
    with open_vault(bench.home.vault("one", OLD)):
        pass  # a new key
    copy.replace(bench.home.vault("one", NEW))
    with pytest.raises(EffectmeterError, match="another key"), open_vault(bench.home.vault("one", NEW), read_only=True):
        pass


def test_a_key_in_the_environment_is_said_to_remain(
    bench: Workbench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of("two"), "5a" * 32)
    found = purge(bench, capsys, "--programme", "two", "--with-key", "--dry-run")
    assert any("environment" in note for note in found["notes"])


def test_a_programme_without_a_plan_is_kept_and_named(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    (bench.plans / "two.yaml").unlink()
    found = purge(bench, capsys)
    assert [note for note in found["notes"] if note.startswith("two: kept")]
    assert bench.home.vault("two", OLD).exists()


def test_a_vault_that_is_being_written_stays(bench: Workbench) -> None:
    from vault.purge import purge_programme, purge_quarters

    with open_vault(bench.home.vault("one", OLD)):
        with pytest.raises(EffectmeterError, match="being written"):
            purge_quarters(bench.home, "one", [OLD], with_deliveries=False, is_dry=False)
        with pytest.raises(EffectmeterError, match="being written"):
            purge_programme(bench.home, "one", with_deliveries=False, is_dry=False)
    with open_vault(bench.home.vault("one", OLD), read_only=True) as connection:
        assert connection.sql("select i from t").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "arguments", [["--with-key"], ["--quarter", "2012-Q1"], ["--programme", "nobody"], ["--quarter", "x"]]
)
def test_what_is_not_clear_is_refused(bench: Workbench, arguments: list[str]) -> None:
    before = files(bench)
    with pytest.raises(SystemExit) as caught:
        main(["purge", "--home", str(bench.home.root), "--programmes", str(bench.plans), *arguments])
    assert caught.value.code == UsageError.exit_code
    assert files(bench) == before


@pytest.mark.parametrize(("months", "day"), [(1, "2026-10-31"), (5, "2027-02-28"), (120, "2036-09-30")])
def test_how_long_a_quarter_is_kept(months: int, day: str) -> None:
    assert kept_until(Quarter(2026, 3), months).isoformat() == day
