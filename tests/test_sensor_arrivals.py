"""When a delivery is complete, and never before: the clock is moved, nothing is waited for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from effectmeter.arrivals import QUIET_SECONDS, Arrival, Seen, glance, look, refuse_other_than_announced
from effectmeter.errors import DeliveryError

FILES = ("persons.csv", "events.csv")
START = datetime(2026, 10, 3, 9, tzinfo=UTC)


class Watcher:
    """Looks at a folder as the sensor does, and remembers what it saw."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.seen = folder, START, None
        self.seen: Seen | None

    def look(self, after: float = 0.0) -> Arrival:
        self.now += timedelta(seconds=after)
        found = look(self.folder, FILES, self.now, self.seen)
        self.seen = found.seen
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text("a,b\n1,2\n", encoding="utf-8")
    return tmp_path


def announce(folder: Path, names: Sequence[str] = FILES, **changed: Any) -> None:
    named = []
    for name in names:
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        named.append({"name": name, "bytes": len(content), "sha256": digest} | changed)
    (folder / "manifest.json").write_text(json.dumps({"made": "2026-10-03", "files": named}), encoding="utf-8")


def test_without_a_manifest_a_delivery_is_complete_when_it_was_seen_to_be_quiet(folder: Path) -> None:
    watcher = Watcher(folder)
    # a copy keeps the times of its original: that a file is old says nothing of whether it is whole
    for name in FILES:
        os.utime(folder / name, (0, 0))
    assert watcher.look().state == "arriving"
    assert watcher.look(QUIET_SECONDS - 1).state == "arriving"
    assert watcher.look(1).state == "complete"


def test_a_file_that_grows_slowly_is_never_complete_while_it_grows(folder: Path) -> None:
    watcher = Watcher(folder)
    for minute in range(10):
        with (folder / "events.csv").open("a", encoding="utf-8") as stream:
            stream.write("3,4\n")
        os.utime(folder / "events.csv", (0, 0))  # a share that does not keep times
        assert watcher.look(QUIET_SECONDS - 1).state == "arriving", minute
    assert watcher.look(QUIET_SECONDS).state == "complete"


def test_a_file_that_is_missing_or_empty_is_waited_for(folder: Path) -> None:
    (folder / "events.csv").write_text("", encoding="utf-8")
    watcher = Watcher(folder)
    watcher.look()
    found = watcher.look(10 * QUIET_SECONDS)
    assert (found.state, found.because) == ("arriving", "events.csv still empty")
    (folder / "events.csv").unlink()
    watcher.look()
    found = watcher.look(10 * QUIET_SECONDS)
    assert (found.state, found.because) == ("arriving", "events.csv not there yet")
    assert look(folder / "elsewhere", FILES, START).state == "absent"


@pytest.mark.parametrize(
    "passing",
    ["events.csv.part", "events.csv.filepart", "x.tmp", ".events.csv.Xa82Kd", "~$events.xlsx", "e.CRDOWNLOAD"],
)
def test_a_copy_under_a_passing_name_is_waited_for(folder: Path, passing: str) -> None:
    (folder / passing).write_text("half", encoding="utf-8")
    watcher = Watcher(folder)
    watcher.look()
    found = watcher.look(10 * QUIET_SECONDS)
    assert found.state == "arriving"
    assert passing in found.because
    (folder / passing).unlink()
    assert watcher.look().state == "arriving"
    assert watcher.look(QUIET_SECONDS).state == "complete"


def test_what_the_system_leaves_in_a_folder_is_no_copy(folder: Path) -> None:
    (folder / ".DS_Store").write_text("x", encoding="utf-8")
    (folder / "read me.txt").write_text("x", encoding="utf-8")
    watcher = Watcher(folder)
    watcher.look()
    assert watcher.look(QUIET_SECONDS).state == "complete"


def test_with_a_manifest_a_delivery_is_complete_at_once_and_not_before_all_is_there(folder: Path) -> None:
    announce(folder)
    assert Watcher(folder).look().state == "complete"
    content = (folder / "events.csv").read_bytes()
    (folder / "events.csv").write_bytes(content[:3])
    watcher = Watcher(folder)
    assert watcher.look().because == "events.csv is smaller than manifest.json says"
    (folder / "events.csv").write_bytes(content)
    assert watcher.look(1).state == "complete"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bytes": 3}, "is larger than"),
        ({"sha256": "0" * 64}, "has another content than"),
        ({"name": "../events.csv"}, "names files in other folders"),
        ({"bytes": "many"}, "is not a manifest"),
    ],
)
def test_a_delivery_that_is_not_what_its_manifest_says_is_told_in_plain_words(
    folder: Path, change: dict[str, Any], words: str
) -> None:
    announce(folder, **change)
    watcher = Watcher(folder)
    assert watcher.look().state == "arriving", "what is still being copied is not at fault yet"
    found = watcher.look(QUIET_SECONDS)
    assert found.state == "mismatched"
    assert words in found.because
    with pytest.raises(DeliveryError, match="next: wait until everything is copied"):
        refuse_other_than_announced(folder, FILES)


def test_a_manifest_that_forgets_a_file_of_the_plan_does_not_let_it_pass(folder: Path) -> None:
    announce(folder, ["persons.csv"])
    watcher = Watcher(folder)
    watcher.look()
    assert "does not name events.csv" in watcher.look(QUIET_SECONDS).because


def test_half_a_manifest_is_waited_for_and_a_yaml_one_is_read(folder: Path) -> None:
    announce(folder)
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(text[:40], encoding="utf-8")
    assert Watcher(folder).look().state == "arriving"
    (folder / "manifest.json").unlink()
    (folder / "delivery.yaml").write_text(text, encoding="utf-8")  # JSON is YAML
    assert Watcher(folder).look().state == "complete"


def test_a_large_file_is_read_once_and_not_at_every_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(folder)
    watcher = Watcher(folder)
    watcher.look()
    monkeypatch.setattr("effectmeter.arrivals._sha256", lambda path: pytest.fail("read again"))
    assert watcher.look(30).state == "complete"


def test_who_looks_once_goes_by_the_files_own_times(folder: Path) -> None:
    long_ago = START - timedelta(seconds=2 * QUIET_SECONDS)
    for name in FILES:
        os.utime(folder / name, (long_ago.timestamp(), long_ago.timestamp()))
    assert glance(folder, FILES, START).state == "complete"
    os.utime(folder / "events.csv", (START.timestamp() - 5, START.timestamp() - 5))
    assert glance(folder, FILES, START).state == "arriving"
