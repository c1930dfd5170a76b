"""Verifying without the data: whatever is changed, added or taken away after publication is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from approvals import PROGRAMME, QUARTER, publish

from assets.approval import approve_release
from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.passport import content_hash, passport_text, seal_of, sealed
from effectmeter.passport_schema import faults_of
from pipelines.cli import main
from reports import RELEASE_FILES, hashes_of
from reports.verification import verify


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("verify"))
    publish(home)
    return approve_release(home, PROGRAMME, QUARTER, edition=None, by="Bert")


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    """A copy that a test may tamper with, as a third party receives it."""
    shutil.copytree(published, tmp_path / "release")
    for path in (tmp_path / "release").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tmp_path / "release"


def wrong(release: Path, **more: Any) -> dict[str, str]:
    return {found.check: found.sentence for found in verify(release, **more) if found.status == "wrong"}


def edit(release: Path, change: Callable[[dict[str, Any]], Any], *, forged: bool = False) -> None:
    """Change the passport; a forger also makes its hashes and its seal anew."""
    path = release / "passport.json"
    passport = json.loads(path.read_text(encoding="utf-8"))
    change(passport)
    if forged:
        passport = sealed(passport, hashes_of(release))
        tables = {
            name.removeprefix("tables/").removesuffix(".csv"): digest
            for name, digest in passport["files"].items()
            if name.startswith("tables/")
        }
        passport["content_hash"] = content_hash(passport, tables)
        passport["seal"] = seal_of(passport)
    path.write_text(passport_text(passport), encoding="utf-8")


def test_an_untouched_release_is_verified(release: Path) -> None:
    assert wrong(release) == {}


@pytest.mark.parametrize("name", [*(name for name in RELEASE_FILES if name != "passport.json"), "tables/gates.csv"])
def test_one_changed_byte_of_any_file_is_found(release: Path, name: str) -> None:
    content = bytearray((release / name).read_bytes())
    content[len(content) // 2] ^= 1
    (release / name).write_bytes(content)
    assert f"{name} was changed" in wrong(release)["files"]


@pytest.mark.parametrize("name", [*RELEASE_FILES, "tables/verdict.csv"])
def test_a_file_taken_away_is_found(release: Path, name: str) -> None:
    (release / name).unlink()
    found = wrong(release)
    assert "is missing" in found["passport" if name == "passport.json" else "files"]


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "tables/persons.csv", "more/passport.json"])
def test_a_file_added_is_found(release: Path, name: str) -> None:
    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_text("more", encoding="utf-8")
    assert "does not belong here" in wrong(release)["files"]


def test_a_link_is_found(release: Path, tmp_path: Path) -> None:
    elsewhere = (release / "effects.csv").rename(tmp_path / "effects.csv")
    (release / "effects.csv").symlink_to(elsewhere)
    assert "effects.csv is a link" in wrong(release)["files"]


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "verdict": lambda passport: passport["headline"].update(nl="Het werkt."),
    "approver": lambda passport: passport["approval"].update(by="Carla"),
    "day": lambda passport: passport["approval"].update(at="2020-01-01T00:00:00+00:00"),
    "refresher": lambda passport: passport["made"].update(by="Dirk"),
    "code": lambda passport: passport["software"].update(code_hash="d" * 64),
    "plan": lambda passport: passport["plan"].update(hash="d" * 64),
    "file": lambda passport: passport["files"].update({"report.nl.pdf": "d" * 64}),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_passport_is_found(release: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    edit(release, change)
    assert "edited" in wrong(release)["passport"]


@pytest.mark.parametrize("name", ["verdict", "refresher", "code", "plan"])
def test_a_forged_seal_does_not_bring_the_approval_along(release: Path, name: str) -> None:
    edit(release, EDITS[name], forged=True)
    found = wrong(release)
    assert "passport" not in found
    assert "another release" in found["approval"]


def test_what_a_forger_may_not_recompute_is_the_hash_kept_elsewhere(release: Path, published: Path) -> None:
    import hashlib

    noted = hashlib.sha256((published / "passport.json").read_bytes()).hexdigest()
    assert wrong(release, expected=noted) == {}
    edit(release, EDITS["approver"], forged=True)
    assert set(wrong(release)) == set()
    assert set(wrong(release, expected=noted)) == {"expected"}


def test_an_approval_cannot_be_claimed_nor_be_ones_own(release: Path) -> None:
    edit(release, lambda passport: passport["approval"].update(by="ANNA"), forged=True)
    assert "refreshed it and approved it" in wrong(release)["approval"]
    edit(release, lambda passport: passport.update(approval=None), forged=True)
    assert "contradict" in wrong(release)["approval"]


def test_files_that_contradict_one_another_are_found_though_their_hashes_fit(release: Path) -> None:
    frame = pl.read_parquet(release / "effects.parquet")
    frame.with_columns(pl.col("estimate") / 2).write_parquet(release / "effects.parquet")
    edit(release, lambda passport: None, forged=True)
    found = wrong(release)["numbers"]
    assert "effects.parquet and effects.csv differ" in found
    assert "the estimates in report.nl.html" in found


def test_a_page_with_another_figure_is_found_though_its_hash_fits(release: Path) -> None:
    page = release / "report.en.html"
    text = page.read_text(encoding="utf-8")
    before, after = text.split('id="all-rows"')
    start = after.index('<td class="n">')
    page.write_text(f'{before}id="all-rows"{after[:start]}<td class="n">9{after[start + 14 :]}', encoding="utf-8")
    edit(release, lambda passport: None, forged=True)
    assert "report.en.html" in wrong(release)["numbers"]


def test_files_that_break_their_reader_are_named_and_nothing_else_breaks(release: Path) -> None:
    for name in ("effects.parquet", "effects.xlsx", "report.nl.html", "tables/verdict.csv"):
        (release / name).write_bytes(b"\xff\x00no such format")
    found = wrong(release)
    assert "cannot be compared" in found["numbers"]
    assert "no such format" not in " ".join(found.values())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema": "effectmeter/passport/1"}', "[" * 5000])
def test_what_is_no_passport_is_said(release: Path, text: str) -> None:
    (release / "passport.json").write_text(text, encoding="utf-8")
    assert set(wrong(release)) == {"passport"}


def test_a_real_passport_has_no_faults_and_an_unknown_field_is_one(published: Path) -> None:
    passport = json.loads((published / "passport.json").read_text(encoding="utf-8"))
    assert faults_of(passport) == []
    assert faults_of(passport | {"more": 1})


def test_the_command_says_so_with_its_exit_code(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["verify", str(release)])
    assert done.value.code == 0
    assert "Approved by Bert" in capsys.readouterr().out
    (release / "more").write_text("x")
    with pytest.raises(SystemExit) as failed:
        main(["verify", str(release), "--json"])
    assert failed.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verified"] is False
    with pytest.raises(SystemExit) as usage:
        main(["verify"])
    assert usage.value.code == 2


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no release folder"):
        verify(tmp_path / "nowhere")
