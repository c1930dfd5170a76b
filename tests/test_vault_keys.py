"""The key of a vault: nothing readable without it, nothing changed with a wrong one, nobody waiting for a reader."""

from __future__ import annotations

import hmac
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import duckdb
import pytest
from pseudonyms import digits, pseudonym_key
from workbench import QUARTER, ROOT, Workbench, minimal_plan

from effectmeter.errors import EffectmeterError
from effectmeter.home import Home
from effectmeter.plan_io import load_plan
from vault.connection import open_earlier, open_throwaway, open_vault, scratch_folder, scratch_of
from vault.intake import land
from vault.keys import forget_key, key_of, variable_of

MARK = "zqmarkedvalue"
KEY = "5a" * 32
OTHER = "a5" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault" / "p" / "2026-Q3.duckdb"


def key_file(path: Path) -> Path:
    return path.parents[2] / "keys" / "p.key"


def filled(path: Path) -> bytes:
    with open_vault(path) as connection:
        connection.execute("create table t as select 'zqmarkedvalue' || i as s from range(5000) r(i)")
    return path.read_bytes()


def holding_mark(root: Path) -> list[str]:
    return [
        str(each.relative_to(root)) for each in root.rglob("*") if each.is_file() and MARK.encode() in each.read_bytes()
    ]


def elsewhere(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# ---- what lies on disk


def test_nothing_of_a_vault_is_readable_on_disk_also_not_what_does_not_fit_in_memory(path: Path) -> None:
    with open_vault(path) as connection:
        connection.execute("set memory_limit = '24MB'; set threads = 1; set preserve_insertion_order = false")
        connection.execute(
            "create temp table large as "
            "select 'zqmarkedvalue' || hash(i)::varchar || hash(i + 1)::varchar as s from range(400000) r(i)"
        )
        connection.execute("create table kept as select * from large limit 20000")
        spilled = [each for each in scratch_of(connection).iterdir() if each.stat().st_size]
        assert spilled, "too little to need the disk: the test shows nothing"
        assert holding_mark(path.parents[2]) == []
        connection.execute("begin transaction; insert into kept values ('zqmarkedvalue'); commit")
        assert (scratch_folder(path) / "working.duckdb.wal").exists()
        assert holding_mark(path.parents[2]) == []
        # DuckDB's default, without which the assertions above would hold for no reason
        assert connection.sql("select current_setting('temp_file_encryption')").fetchall() == [(True,)]
    assert holding_mark(path.parents[2]) == []


def test_a_killed_landing_leaves_nothing_readable_and_its_scratch_goes_at_the_next_opening(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    bench.add_plan(minimal_plan("p"))
    persons = [[f"{MARK}-{i}", ("treated", "comparison")[i % 2], "2024-03-04"] for i in range(400)]
    # UTF-16 is copied before DuckDB reads it, so that there is a copy to leave behind
    bench.deliver("p", "persons.csv", ["person_id", "arm", "index_date"], persons, encoding="utf-16")
    bench.deliver("p", "events.csv", ["person_id", "event_type", "event_date"], [[MARK + "-1", "arrest", "2024-06-01"]])
    code = """
    import sys
    from pathlib import Path
    from effectmeter.home import Home
    from effectmeter.plan_io import load_plan
    from effectmeter.quarters import Quarter
    import vault.intake.text_files as text_files
    from vault.connection import open_vault
    from vault.intake import land
    def stop(*arguments, **named):
        print("reading", flush=True)
        sys.stdin.read()
    if sys.argv[3] == "reading":
        text_files._parse = stop
    home = Home(Path(sys.argv[1]))
    plan = load_plan(Path(sys.argv[2]))
    with open_vault(home.vault("p", Quarter(2026, 3))) as connection:
        land(connection, plan, home.delivery("p", Quarter(2026, 3)), Quarter(2026, 3))
        connection.execute("checkpoint")
        stop()
    """
    vaults = bench.home.vaults("p")
    for moment in ("reading", "landed"):
        process = elsewhere(code, bench.home.root, bench.plans / "p.yaml", moment)
        assert said(process) == "reading"
        assert [each for each in holding_mark(bench.home.root) if not each.startswith("deliveries")] == []
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert [each for each in holding_mark(bench.home.root) if not each.startswith("deliveries")] == []
        assert list(vaults.glob(".*.scratch")), "killed, so it cannot have cleaned up"
        with open_throwaway(vaults):
            pass
        assert not list(vaults.glob(".*"))
        assert not (vaults / "2026-Q3.duckdb").exists(), "a landing that was killed is no vault"


def test_everything_private_is_closed_to_others(path: Path) -> None:
    os.umask(os.umask(0))
    filled(path)
    with open_vault(path) as connection:
        folder = scratch_folder(path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "working.duckdb").stat().st_mode) == 0o600
        connection.execute("select 1")
    for each in (path, key_file(path), path.parent / "key.fingerprint"):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each.name
    for each in (path.parent, path.parent.parent, key_file(path).parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700, each.name


def test_the_web_stays_shut_and_nothing_is_installed(path: Path) -> None:
    with open_vault(path) as connection:
        with pytest.raises(duckdb.Error, match="disabled"):
            connection.sql("select * from read_csv('https://example.org/a.csv')").fetchall()
        rows = connection.sql(
            "select installed, install_path from duckdb_extensions() where extension_name = 'httpfs'"
        ).fetchall()
    assert "duckdb_extension_httpfs" in str(rows) or rows == [(False, "")]


# ---- where the key comes from


def test_the_key_stands_in_no_setting_statement_or_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable_of("p"), KEY)
    filled(path)
    assert not key_file(path).exists()
    key = key_of(Home(path.parents[2]), "p", may_make=False)
    texts = [repr(key)]
    with open_vault(path, read_only=True) as connection:
        for query in (
            "select name, value from duckdb_settings()",
            "select * from duckdb_databases()",
            "select * from duckdb_variables()",
            "select * from duckdb_secrets()",
        ):
            texts.append(str(connection.sql(query).fetchall()))
    monkeypatch.setenv(variable_of("p"), OTHER)
    with pytest.raises(EffectmeterError) as caught, open_vault(path):
        pass
    texts += [str(caught.value), str(caught.value.__cause__)]
    derived = [key.derived(purpose).hex() for purpose in ("vault file", "pseudonyms")]
    assert not [secret for secret in (KEY, OTHER, *derived) if any(secret in text for text in texts)]


@pytest.mark.parametrize("is_fingerprint_there", [True, False])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_wrong_key_is_refused_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, is_fingerprint_there: bool, read_only: bool
) -> None:
    before = filled(path)
    fingerprint = path.parent / "key.fingerprint"
    if not is_fingerprint_there:
        fingerprint.unlink()
    monkeypatch.setenv(variable_of("p"), OTHER)
    with pytest.raises(EffectmeterError, match="key") as caught, open_vault(path, read_only=read_only):
        pass
    assert caught.value.next_step
    assert path.read_bytes() == before
    assert fingerprint.exists() == is_fingerprint_there
    monkeypatch.delenv(variable_of("p"))
    with open_vault(path) as connection:
        assert connection.sql("select count(*) from t").fetchall() == [(5000,)]


def test_a_wrong_key_starts_no_new_quarter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    monkeypatch.setenv(variable_of("p"), OTHER)
    with pytest.raises(EffectmeterError, match="another key"), open_vault(path.with_name("2026-Q4.duckdb")):
        pass
    assert not path.with_name("2026-Q4.duckdb").exists()


@pytest.mark.parametrize("is_fingerprint_there", [True, False])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_lost_key_is_not_replaced_by_a_new_one(path: Path, read_only: bool, is_fingerprint_there: bool) -> None:
    before = filled(path)
    key_file(path).unlink()
    if not is_fingerprint_there:
        (path.parent / "key.fingerprint").unlink()
    with pytest.raises(EffectmeterError, match="is not there") as caught, open_vault(path, read_only=read_only):
        pass
    assert "copy" in caught.value.next_step
    assert not key_file(path).exists()
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "secret", "5a" * 31, "zz" * 32])
def test_what_is_no_key_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(variable_of("p"), text)
    with pytest.raises(EffectmeterError, match="no key") as caught, open_vault(path):
        pass
    assert not text or text not in str(caught.value)


def test_a_key_that_others_can_read_is_refused(path: Path) -> None:
    filled(path)
    key_file(path).chmod(0o640)
    with pytest.raises(EffectmeterError, match="others than its owner"), open_vault(path):
        pass


def test_one_key_for_an_installation_gives_each_programme_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFECTMETER_KEY", KEY)
    one, other = (key_of(Home(tmp_path), name, may_make=True) for name in ("one", "other"))
    assert one.secret != other.secret
    assert one.fingerprint != other.fingerprint
    monkeypatch.setenv(variable_of("with-hyphens"), OTHER)
    assert key_of(Home(tmp_path), "with-hyphens", may_make=False).secret == bytes.fromhex(OTHER)
    assert list(tmp_path.iterdir()) == []


def test_a_destroyed_key_makes_the_next_one_a_new_one(path: Path) -> None:
    filled(path)
    home = Home(path.parents[2])
    first = key_of(home, "p", may_make=False)
    assert forget_key(home, "p") == [key_file(path), path.parent / "key.fingerprint"]
    path.unlink()
    with open_vault(path):
        pass
    assert key_of(home, "p", may_make=False) != first


# ---- vaults of older versions


def plain(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select 'zqmarkedvalue' as s")


def test_a_vault_without_encryption_is_not_read_and_stands_until_another_takes_its_place(path: Path) -> None:
    plain(path)
    before = path.read_bytes()
    with pytest.raises(EffectmeterError, match="older version") as caught, open_vault(path, read_only=True):
        pass
    assert "effectmeter refresh" in caught.value.next_step
    with open_earlier(path) as earlier:
        assert earlier is None
    with pytest.raises(ZeroDivisionError), open_vault(path) as connection:
        connection.execute("create table u as select 1 as i")
        raise ZeroDivisionError
    assert path.read_bytes() == before
    with open_vault(path) as connection:
        connection.execute("create table u as select 1 as i")
    assert holding_mark(path.parents[2]) == []
    with open_vault(path, read_only=True) as connection:
        assert connection.sql("select i from u").fetchall() == [(1,)]


# ---- two at once


def test_a_reader_never_waits_for_a_writer_nor_a_writer_for_a_reader(path: Path) -> None:
    filled(path)
    code = """
    import sys
    from pathlib import Path
    from vault.connection import open_vault
    with open_vault(Path(sys.argv[1]), read_only=sys.argv[2] == "read") as connection:
        print("open", flush=True)
        for _ in range(2):
            sys.stdin.readline()
            if sys.argv[2] == "write":
                connection.execute("create table if not exists u as select 1 as i")
            print(connection.sql("select count(*) from duckdb_tables()").fetchall()[0][0], flush=True)
    """
    reader, writer = elsewhere(code, path, "read"), elsewhere(code, path, "write")
    try:
        for process in (reader, writer):
            assert said(process) == "open"

        def asked(process: subprocess.Popen[str]) -> str:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            return said(process)

        assert asked(writer) == "2"
        assert asked(reader) == "1"
        with open_vault(path, read_only=True) as connection:
            assert connection.sql("select count(*) from duckdb_tables()").fetchall() == [(1,)]
        assert asked(writer) == "2"
        assert writer.wait(60) == 0
        with open_vault(path, read_only=True) as connection:
            assert connection.sql("select count(*) from duckdb_tables()").fetchall() == [(2,)]
        assert asked(reader) == "1", "a reader goes on with what it opened"
        assert reader.wait(60) == 0
    finally:
        for process in (reader, writer):
            process.kill()
            process.communicate()
    assert not list(path.parent.glob(".*"))


def test_in_a_folder_where_one_may_not_write_one_can_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    monkeypatch.setattr("os.access", lambda *_: False)
    with open_vault(path, read_only=True) as connection:
        assert connection.sql("select count(*) from t").fetchall() == [(5000,)]
        assert not list(path.parent.glob(".*"))


# ---- pseudonyms


def landed(
    tmp_path: Path, name: str, *, reverse: bool = False
) -> tuple[Workbench, dict[str, list[tuple[str | None, ...]]]]:
    bench = Workbench(tmp_path)
    source = {"persons": {"file": "persons.csv"}, "events": {"file": "events.csv"}}
    plan = minimal_plan(name, source=source, cluster="school", subgroups=["district"])
    bench.add_plan(plan)
    persons = [
        [
            f"person{i:03d}",
            ("treated", "comparison")[i % 2],
            "2024-03-04",
            f"family{i // 2}",
            f"school{i % 5}",
            f"district{i % 3}",
        ]
        for i in range(60)
    ]
    events = [[f"person{i:03d}", "arrest", "2024-06-05"] for i in range(0, 60, 3)] + [
        ["stranger", "arrest", "2024-06-05"]
    ]
    header = ["person_id", "arm", "index_date", "family_id", "school", "district"]
    bench.deliver(name, "persons.csv", header, persons[:: -1 if reverse else 1])
    bench.deliver(name, "events.csv", ["person_id", "event_type", "event_date"], events[:: -1 if reverse else 1])
    with open_vault(bench.home.vault(name, QUARTER)) as connection:
        land(connection, load_plan(bench.plans / f"{name}.yaml"), bench.home.delivery(name, QUARTER), QUARTER)
        columns = "person_id, family_id, school, district"
        return bench, {
            "persons": connection.sql(f"select {columns} from landing.persons order by person_id").fetchall(),
            "events": connection.sql("select person_id from landing.events order by person_id").fetchall(),
        }


def test_a_pseudonym_ends_in_the_keyed_hash_of_what_was_delivered(tmp_path: Path) -> None:
    bench, tables = landed(tmp_path, "one")
    key = pseudonym_key(bench.home, "one")
    assert hmac.compare_digest(digits(key, "stranger"), (tables["events"][-1][0] or "")[-16:])
    assert tables["events"][-1][0] == f"000000061-{digits(key, 'stranger')}"
    persons = {row[0] for row in tables["persons"]}
    assert persons == {f"{place:09d}-{digits(key, name)}" for place, name in _places(tables["persons"], key)}
    assert len({row[1] for row in tables["persons"]}) == 30
    assert {(row[2] or "")[-16:] for row in tables["persons"]} == {digits(key, f"school{i}") for i in range(5)}
    assert {row[3] for row in tables["persons"]} == {"district0", "district1", "district2"}
    assert sum(row[0] not in persons for row in tables["events"]) == 1


def _places(rows: list[tuple[str | None, ...]], key: bytes) -> list[tuple[int, str]]:
    known = {digits(key, f"person{i:03d}"): f"person{i:03d}" for i in range(60)}
    return [(place, known[(row[0] or "")[-16:]]) for place, row in enumerate(rows, start=1)]


def test_the_order_of_persons_is_one_of_the_programme_whatever_the_key_and_the_order_of_rows(tmp_path: Path) -> None:
    orders = []
    for name, reverse in (("a", False), ("b", True)):
        bench, tables = landed(tmp_path / name, "one", reverse=reverse)
        orders.append([each for _, each in _places(tables["persons"], pseudonym_key(bench.home, "one"))])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0])
    bench, tables = landed(tmp_path / "c", "other")
    assert [each for _, each in _places(tables["persons"], pseudonym_key(bench.home, "other"))] != orders[0]


def test_two_programmes_cannot_be_joined_on_a_person_a_family_or_a_site(tmp_path: Path) -> None:
    rows = [landed(tmp_path, name)[1]["persons"] for name in ("one", "other")]
    for column in range(3):
        one, other = ({(row[column] or "").split("-")[-1] for row in each} for each in rows)
        assert not one & other


def test_a_database_that_is_no_vault_lands_nothing(tmp_path: Path) -> None:
    bench, _ = landed(tmp_path, "one")
    with duckdb.connect() as connection, pytest.raises(EffectmeterError, match="not opened as a vault"):
        connection.execute("set temp_directory = '" + str(tmp_path / "t") + "'")
        land(connection, load_plan(bench.plans / "one.yaml"), bench.home.delivery("one", QUARTER), QUARTER)


def test_results_are_the_same_whatever_the_key_and_the_order_of_rows(tmp_path: Path) -> None:
    random = Random(5)
    persons = [
        [f"x{random.randrange(10**9)}", ("treated", "comparison")[i % 2], "2024-02-04", f"s{i % 6}"] for i in range(72)
    ]
    events = [
        [person[0], "arrest", f"2024-{random.randrange(6, 13):02d}-05"]
        for person in persons
        for _ in range(random.choice((0, 0, 1, 3)))
    ]
    found = []
    for name in ("here", "there"):
        bench = Workbench(tmp_path / name)
        bench.add_plan(minimal_plan("p", cluster="site_id"))
        bench.deliver("p", "persons.csv", ["person_id", "arm", "index_date", "site_id"], persons)
        bench.deliver("p", "events.csv", ["person_id", "event_type", "event_date"], events)
        bench.estimate("p")
        found.append(json.dumps(bench.effects("p")))
        random.shuffle(persons)
        random.shuffle(events)
    keys = [(tmp_path / name / "data" / "keys" / "p.key").read_text() for name in ("here", "there")]
    assert keys[0] != keys[1]
    assert "without=site" in found[0], "each site is left out in turn: the place where names could matter"
    assert found[0] == found[1]


def test_an_extension_is_checked_once_and_nothing_unsigned_can_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.connection._checked", set())
    path = Home(tmp_path).vault("one", QUARTER)
    for is_first in (True, False):
        with open_vault(path) as connection:
            found = connection.sql("select current_setting('allow_unsigned_extensions')").fetchall()
            assert found == [(False,)], is_first
            with pytest.raises(duckdb.Error, match="Cannot change allow_unsigned_extensions"):
                connection.execute("set allow_unsigned_extensions = true")
