"""Telling people: a mail server and a web server of our own on this machine receive what is sent."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from workbench import QUARTER

from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.notices import EVENTS, Notice
from effectmeter.quarters import Quarter
from effectmeter.standing import read_standings
from pipelines.alerts import PREFIX, read_settings, tell
from pipelines.ending import Ended, settle

SECRET = "a-very-secret-word"


def notice(event: Any = "failed") -> Notice:
    why = {"nl": "de aanlevering is niet bruikbaar", "en": "the delivery cannot be used"}
    return Notice(event, "tarp", "2026-Q3", {"nl": "Hulp\nna detentie", "en": "Aid"}, why, details="persons.csv: gone")


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as one message needs."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.received.append(text.decode())  # type: ignore[attr-defined]
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            busy = word == b"MAIL" and self.server.busy and self.server.busy.pop()  # type: ignore[attr-defined]
            self.wfile.write(b"451 later\r\n" if busy else b"250 fine\r\n")


class _Web(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = self.server.answers.pop(0) if self.server.answers else 200  # type: ignore[attr-defined]
        self.server.received.append((dict(self.headers), json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(code)
        if code in (301, 307):
            self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    server.received, server.busy, server.answers, server.target = [], [], [], ""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail)) as server:
        for name, value in {
            "TO": "a@example.org, b@example.org", "SENDER": "effectmeter@example.org", "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.server_address[1]), "SMTP_TLS": "none",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        yield server


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with serving(HTTPServer(("127.0.0.1", 0), _Web)) as server:
        monkeypatch.setenv(f"{PREFIX}WEBHOOK_URL", f"http://127.0.0.1:{server.server_address[1]}/{SECRET}")
        monkeypatch.setenv(f"{PREFIX}WEBHOOK_TOKEN", SECRET)
        yield server


def test_a_failure_is_mailed_in_the_language_of_the_installation(tmp_path: Path, mail: Any) -> None:
    assert tell(Home(tmp_path), [notice()]) == []
    (text,) = mail.received
    assert "Subject: Effectmeter: Hulp na detentie 2026-Q3: geen nieuwe uitgave" in text
    assert "To: a@example.org, b@example.org" in text
    assert "De reden: de aanlevering is niet bruikbaar." in text
    assert "persons.csv: gone" in text


def test_a_mail_server_that_is_busy_is_tried_again(tmp_path: Path, mail: Any) -> None:
    waits: list[float] = []
    mail.busy = [True]
    assert tell(Home(tmp_path), [notice()], sleep=waits.append) == []
    assert (len(mail.received), len(waits)) == (1, 1)


def test_a_webhook_gets_json_and_is_tried_again_when_its_server_fails(
    tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}LANGUAGE", "en")
    waits: list[float] = []
    web.answers = [500, 503]
    assert tell(Home(tmp_path), [notice()], sleep=waits.append) == []
    headers, document = web.received[-1]
    assert (len(web.received), len(waits)) == (3, 2)
    assert headers["Authorization"] == f"Bearer {SECRET}"
    assert document["event"] == "failed"
    assert document["subject"] == "Effectmeter: Aid 2026-Q3: no new release"
    assert "Why: the delivery cannot be used." in document["text"]


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1:9/elsewhere"])
def test_a_webhook_is_not_sent_elsewhere(tmp_path: Path, web: Any, target: str) -> None:
    web.answers, web.target = [307], target
    (fault,) = tell(Home(tmp_path), [notice()], sleep=lambda _: pytest.fail("a redirect is no fault that passes"))
    assert "the server answered 307" in fault
    assert len(web.received) == 1


def test_what_went_wrong_is_said_without_a_secret(tmp_path: Path, web: Any, mail: Any) -> None:
    web.answers, mail.busy = [500] * 3, [True] * 3
    faults = tell(Home(tmp_path), [notice()], sleep=lambda _: None)
    assert len(faults) == 2
    assert SECRET not in "".join(faults)
    assert SECRET not in repr(read_settings(Home(tmp_path)))


def test_nobody_is_told_what_nobody_asked_for(tmp_path: Path, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tell(Home(tmp_path), [notice("done")]) == []
    assert web.received == []
    monkeypatch.setenv(f"{PREFIX}ON", "done,late")
    tell(Home(tmp_path), [notice(event) for event in EVENTS])
    assert [document["event"] for _, document in web.received] == ["late", "done"]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("WEBHOOK_URL", f"file:///etc/{SECRET}", "https://"),
        ("WEBHOOK_URL", f"http://example.org/{SECRET}", "https://"),
        ("SMTP_TLS", "none", "only for a mail server on this machine"),
        ("SMTP_PORT", "smtp", "a number from 1 to 65535"),
        ("ON", "disaster", "failed, hidden, late, done"),
        ("LANGUAGE", "fr", "nl, en"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_without_repeating_it(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    environment = {f"{PREFIX}SMTP_HOST": "mail.example.org", f"{PREFIX}{name}": value}
    with pytest.raises(UsageError) as caught:
        read_settings(Home(tmp_path), environment)
    assert allowed in str(caught.value)
    assert SECRET not in str(caught.value)


def test_settings_come_from_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text('to = ["a@b.nl"]\nsender = "c@d.nl"\nsmtp_host = "mail.d.nl"\nsmtp_password = "x"\n')
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        read_settings(Home(tmp_path), {})
    path.chmod(0o600)
    settings = read_settings(Home(tmp_path), {f"{PREFIX}SMTP_HOST": "other.d.nl"})
    assert (settings.to, settings.smtp_host, settings.smtp_tls) == (("a@b.nl",), "other.d.nl", "starttls")
    path.write_text('smtp_hots = "x"\n')
    with pytest.raises(UsageError, match="smtp_host"):
        read_settings(Home(tmp_path), {})


def test_nobody_can_be_told_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}LANGUAGE", "fr")
    (fault,) = tell(Home(tmp_path), [notice()])
    assert fault.startswith("nobody was told")


def released(home: Home, quarter: Quarter, edition: str, status: str) -> None:
    """As much of a release as is looked at."""
    folder = home.releases("tarp", quarter) / edition
    folder.mkdir(parents=True)
    primary = {"status": status, "reason": "Too few events.", "reason_nl": "Te weinig gebeurtenissen."}
    passport = {"figures": {"primary": primary}, "verdict_line": {"nl": "Onduidelijk.", "en": "Unclear."}}
    (folder / "passport.json").write_text(json.dumps(passport), encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "now", "events"),
    [
        ("shown", "hidden", ["done", "hidden"]),
        ("shown", "shown", ["done"]),
        ("hidden", "hidden", ["done"]),
        (None, "hidden", ["done"]),
    ],
)
def test_a_main_figure_that_is_hidden_from_now_on_is_told(
    tmp_path: Path, before: str | None, now: str, events: list[str]
) -> None:
    home, title = Home(tmp_path), {"nl": "Hulp", "en": "Aid"}
    if before is not None:
        released(home, QUARTER.previous(), "001", before)
    released(home, QUARTER, "001", now)
    told = settle(home, title, Ended("tarp", QUARTER, is_new=True), date(2026, 10, 15))
    assert [notice.event for notice in told] == events
    assert all("Too few events." in notice.why["en"] for notice in told if notice.event == "hidden")
    assert settle(home, title, Ended("tarp", QUARTER), date(2026, 10, 15)) == [], "nothing new is no news"


def test_what_another_process_is_at_is_no_failure_and_since_when_is_since_the_first(tmp_path: Path) -> None:
    home, title = Home(tmp_path), {"nl": "Hulp", "en": "Aid"}
    (home.releases("tarp", QUARTER.previous()) / "001").mkdir(parents=True)
    assert settle(home, title, Ended("tarp", QUARTER, "busy", "x"), date(2026, 10, 15)) == []
    assert read_standings(home.release_root / "tarp") == ()
    for day in (15, 20):
        (told,) = settle(home, title, Ended("tarp", QUARTER, "checks", "x"), date(2026, 10, day))
        assert told.event == "failed"
    (standing,) = read_standings(home.release_root / "tarp")
    assert (standing.since, standing.last) == ("2026-10-15", "2026-10-20")


def test_without_a_release_nothing_is_written_among_the_releases(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert len(settle(home, {"nl": "x", "en": "x"}, Ended("tarp", QUARTER, "plan", "x"), date(2026, 10, 15))) == 1
    assert not home.release_root.exists()


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_event_has_its_words(event: Any, language: str) -> None:
    told = notice(event)
    assert "\n" not in told.subject(language)
    for text in (told.body(language), told.document(language)["text"]):
        assert "2026-Q3" in text
        assert "{" not in text
