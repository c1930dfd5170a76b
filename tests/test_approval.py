"""Four eyes: a release is a CONCEPT until somebody other than who refreshed it approves it, and so is a changed one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from approvals import PROGRAMME, QUARTER, copied, publish

from assets.approval import approve_release, show_in_portfolio
from assets.provenance import who
from assets.releases import editions, latest_edition, read_passport
from assets.staging import AWAITING
from effectmeter.errors import PublicationError, UsageError
from effectmeter.home import Home
from effectmeter.passport import RENDERED
from pipelines.cli import main
from reports import RELEASE_FILES
from reports.verification import verify


@pytest.fixture(scope="module")
def concept(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one release that Anna refreshed."""
    home = Home(tmp_path_factory.mktemp("concept"))
    publish(home)
    return home


@pytest.fixture(scope="module")
def approved(concept: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same, which Bert then approved."""
    home = copied(concept, tmp_path_factory.mktemp("approved"))
    approve(home, by="Bert")
    return home


def approve(home: Home, *, by: str | None, edition: str | None = None) -> Path:
    return approve_release(home, PROGRAMME, QUARTER, edition=edition, by=by)


def newest(home: Home) -> Path:
    edition = latest_edition(home.releases(PROGRAMME, QUARTER))
    assert edition is not None
    return edition


def hashes(edition: Path) -> dict[str, str]:
    return {
        path.relative_to(edition).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in edition.rglob("*")
        if path.is_file()
    }


def words_of_workbook(edition: Path) -> str:
    with zipfile.ZipFile(edition / "effects.xlsx") as book:
        return book.read("xl/sharedStrings.xml").decode()


def test_a_release_is_a_concept_in_every_file_that_says_so(concept: Home) -> None:
    edition = newest(concept)
    assert read_passport(edition)["marks"][0] == "CONCEPT"
    for language in ("nl", "en"):
        assert 'class="mark concept"' in (edition / f"report.{language}.html").read_text(encoding="utf-8")
    assert "CONCEPT" in words_of_workbook(edition)
    pages = [page for page in show_in_portfolio(concept) if page.suffix == ".html"]
    assert pages and all("CONCEPT" in page.read_text(encoding="utf-8") for page in pages)


def test_an_approval_is_a_new_edition_with_the_same_figures(concept: Home, approved: Home) -> None:
    before, after = hashes(newest(concept)), hashes(newest(approved))
    assert [path.name for path in editions(approved.releases(PROGRAMME, QUARTER))] == ["001", "002"]
    assert {name for name in after if after[name] != before[name]} == {*RENDERED, "passport.json"}
    assert hashes(newest(approved).with_name("001")) == before
    names = {path.name for path in newest(approved).iterdir()}
    assert names == {*RELEASE_FILES, "tables"}
    assert not (approved.releases(PROGRAMME, QUARTER) / AWAITING).exists()


def test_the_approval_says_who_when_and_of_what(concept: Home, approved: Home) -> None:
    passport, of = read_passport(newest(approved)), newest(concept) / "passport.json"
    approval = passport["approval"]
    assert (approval["by"], approval["account"]) == ("Bert", who()["account"])
    assert approval["at"] >= passport["made"]["at"]
    assert approval["passport_sha256"] == hashlib.sha256(of.read_bytes()).hexdigest()
    assert passport["made"]["by"] == "Anna"
    for language, words in (("nl", "Goedgekeurd door Bert op"), ("en", "Approved by Bert on")):
        page = (newest(approved) / f"report.{language}.html").read_text(encoding="utf-8")
        assert words in page
        assert "CONCEPT" not in page
        assert words in words_of_workbook(newest(approved))
    assert "CONCEPT" not in words_of_workbook(newest(approved))
    assert "Approved by Bert" in show_in_portfolio(approved)[1].read_text(encoding="utf-8")


def test_the_chain_is_verified_with_the_concept_beside_it_and_without(approved: Home, tmp_path: Path) -> None:
    assert all(found.status != "wrong" for found in verify(newest(approved)))
    alone = copied(approved, tmp_path)
    before = newest(alone).with_name("001")
    passport = before / "passport.json"
    passport.chmod(0o644)
    passport.write_text(passport.read_text(encoding="utf-8").replace("Anna", "Bart"), encoding="utf-8")
    (found,) = [found for found in verify(newest(alone)) if found.check == "approval"]
    assert found.status == "wrong" and "not the one that was approved" in found.sentence
    elsewhere = newest(alone).rename(tmp_path / "received")
    assert all(found.status != "wrong" for found in verify(elsewhere))


@pytest.mark.parametrize("by", ["Anna", " anna ", "ANNA"])
def test_nobody_approves_their_own_refresh(concept: Home, by: str) -> None:
    before = hashes(concept.releases(PROGRAMME, QUARTER))
    with pytest.raises(PublicationError, match="nobody approves their own") as caught:
        approve(concept, by=by)
    assert (caught.value.exit_code, "second person" in caught.value.next_step) == (3, True)
    assert hashes(concept.releases(PROGRAMME, QUARTER)) == before


def test_without_a_name_the_variable_counts_and_then_the_account(
    concept: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EFFECTMETER_USER", "Anna")
    with pytest.raises(PublicationError, match="nobody approves their own"):
        approve(concept, by=None)
    monkeypatch.delenv("EFFECTMETER_USER")
    assert who()["by"] == who()["account"]
    # who refreshed under a name cannot approve under the account that it was done on
    with pytest.raises(PublicationError, match="nobody approves their own"):
        approve(concept, by=None)


@pytest.mark.parametrize("name", ["", "   ", "=1+1", "<b>x</b>", "a" * 81, "two\x00", '"quoted"'])
def test_a_name_that_no_report_could_print_is_refused(concept: Home, name: str) -> None:
    with pytest.raises(UsageError, match="no name"):
        approve(concept, by=name)


@pytest.mark.parametrize("edition", ["7", "x", "-1", "²"])
def test_an_edition_that_is_not_there_is_refused(concept: Home, edition: str) -> None:
    with pytest.raises(UsageError, match="there is no edition") as caught:
        approve(concept, by="Bert", edition=edition)
    assert "001" in caught.value.allowed


@pytest.mark.parametrize("edition", [None, "1", "002"])
def test_what_is_approved_is_not_approved_again(approved: Home, edition: str | None) -> None:
    with pytest.raises(PublicationError, match="approved already, by Bert"):
        approve(approved, by="Carla", edition=edition)


def test_nothing_changed_keeps_the_approval_and_a_change_asks_for_another(approved: Home, tmp_path: Path) -> None:
    home = copied(approved, tmp_path)
    assert publish(home, by="Dirk").name == "002"
    assert publish(home, by="Dirk", changed=True).name == "003"
    passport = read_passport(newest(home))
    assert (passport["approved"], passport["marks"][0], passport["made"]["by"]) == (False, "CONCEPT", "Dirk")
    page = show_in_portfolio(home)[1].read_text(encoding="utf-8")
    assert f'Last approved: <a href="{PROGRAMME}/{QUARTER}/002/report.en.html">' in page
    with pytest.raises(PublicationError, match="not the newest"):
        approve(home, by="Carla", edition="2")
    assert approve(home, by="Anna").name == "004"


def test_a_release_that_does_not_verify_is_not_approved_and_a_refresh_makes_a_whole_one(
    concept: Home, tmp_path: Path
) -> None:
    home = copied(concept, tmp_path)
    with (newest(home) / "effects.csv").open("a", encoding="utf-8") as file:
        file.write("one more row\n")
    with pytest.raises(PublicationError, match="cannot be verified"):
        approve(home, by="Bert")
    assert publish(home).name == "002"
    assert approve(home, by="Bert").name == "003"


@pytest.mark.parametrize("fault", ["gone", "other"])
def test_what_cannot_be_made_again_is_not_approved(concept: Home, tmp_path: Path, fault: str) -> None:
    home = copied(concept, tmp_path)
    folder = home.releases(PROGRAMME, QUARTER)
    if fault == "gone":
        (folder / AWAITING).unlink()
    else:
        document = json.loads((folder / AWAITING).read_text(encoding="utf-8"))
        document["cleared"]["facts"]["maryland"] = 5
        (folder / AWAITING).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(PublicationError, match="cannot be made again") as caught:
        approve(home, by="Bert")
    assert "refreshed once more" in caught.value.next_step
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["001"]
    publish(home)
    assert approve(home, by="Bert").name == "002"


def test_published_files_are_for_reading_only(approved: Home) -> None:
    modes = {path.stat().st_mode & 0o222 for path in newest(approved).rglob("*") if path.is_file()}
    assert modes == {0}


def test_the_command_approves_without_vault_or_key(
    concept: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = copied(concept, tmp_path)
    arguments = ["approve", "--programme", PROGRAMME, "--quarter", str(QUARTER), "--home", str(home.root)]
    with pytest.raises(SystemExit) as refused:
        main([*arguments, "--by", "Anna"])
    assert refused.value.code == 3
    assert "next: ask a second person" in capsys.readouterr().err
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--by", "Bert", "--json"])
    assert done.value.code == 0
    told = json.loads(capsys.readouterr().out)
    passport = newest(home) / "passport.json"
    assert (told["edition"], told["by"]) == ("002", "Bert")
    assert told["passport_sha256"] == hashlib.sha256(passport.read_bytes()).hexdigest()
    assert not (home.root / "vault").exists() and not (home.root / "keys").exists()
