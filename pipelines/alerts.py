"""Telling people: by e-mail and by webhook, with the standard library, from the installation's settings.

Here: reading the settings, sending, trying again. No text is made here (`effectmeter.notices`), and no secret is ever
in a text of ours: not the password, not the token, not the path of a webhook's address. That nobody could be told never
stops a refresh.
"""

from __future__ import annotations

import ipaddress
import json
import os
import smtplib
import ssl
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from typing import Any

from effectmeter.errors import UsageError
from effectmeter.home import Home
from effectmeter.notices import EVENTS, UNLESS_TOLD, Notice
from effectmeter.plan_rules import nearest

PREFIX = "EFFECTMETER_ALERT_"
FILE = "alerts.toml"
_TIMEOUT_SECONDS = 10.0
_WAITS_SECONDS = (2.0, 10.0)
"""Before the second try and the third; there is no fourth."""
_LISTS = ("to", "on")
_SECRETS = ("smtp_password", "webhook_token", "webhook_url")


@dataclass(frozen=True, slots=True)
class Settings:
    """Who is told what, and how. Every field is ``EFFECTMETER_ALERT_<FIELD>``, or a line of ``alerts.toml``.

    Attributes
    ----------
    to, sender
        Addresses; no e-mail without them and without `smtp_host`.
    smtp_tls
        ``starttls``, ``tls``, or ``none``, which only a mail server on this machine may have.
    webhook_url
        Gets a POST with JSON; ``https``, or ``http`` on this machine.
    webhook_token
        Sent as ``Authorization: Bearer``.
    language
        ``nl`` or ``en``.
    on
        Which events: ``failed``, ``hidden``, ``late``, ``done``.
    """

    to: tuple[str, ...] = ()
    sender: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_user: str = ""
    smtp_password: str = field(default="", repr=False)
    smtp_tls: str = "starttls"
    webhook_url: str = field(default="", repr=False)
    webhook_token: str = field(default="", repr=False)
    language: str = "nl"
    on: tuple[str, ...] = UNLESS_TOLD

    @property
    def has_email(self) -> bool:
        """Whether there is somebody to write to."""
        return bool(self.to and self.smtp_host)


def read_settings(home: Home, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of an installation; the environment goes before the file.

    Raises
    ------
    UsageError
        A setting that does not exist, or one that would send a secret in the open. Its value is not repeated.
    """
    path = home.root / FILE
    found: dict[str, Any] = {}
    known = {each.name for each in fields(Settings)}
    if path.is_file():
        found = _of_file(path)
        for name in found:
            if name not in known:
                raise UsageError(
                    f"there is no setting '{name[:40]}'",
                    where=str(path),
                    allowed=", ".join(sorted(known)),
                    next_step=nearest(name, known) or "see docs/how-to/get-alerts.md",
                )
    for name in known:
        value = environment.get(f"{PREFIX}{name.upper()}")
        if value is not None:
            found[name] = [each.strip() for each in value.split(",") if each.strip()] if name in _LISTS else value
    return _checked({name: _typed(name, value) for name, value in found.items()})


def _of_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(
            "this is no TOML that can be read",
            where=str(path),
            allowed='lines such as: smtp_host = "mail.example.org"',
            next_step="see docs/how-to/get-alerts.md",
        ) from None
    if found.keys() & set(_SECRETS) and path.stat().st_mode & 0o077:
        raise UsageError(
            "others than its owner can read the secrets in this file",
            where=str(path),
            allowed="rights 0600",
            next_step=f"run `chmod 600 {path}`, and replace the secrets",
        )
    return found


def _typed(name: str, value: Any) -> Any:
    if name in _LISTS:
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list) and all(isinstance(each, str) for each in texts):
            return tuple(texts)
    elif name == "smtp_port":
        if str(value).isdecimal() and 0 < int(value) < 65536:
            return int(value)
    elif isinstance(value, str):
        return value
    raise UsageError(
        "this setting has a value of the wrong kind",
        where=f"{PREFIX}{name.upper()} or {FILE}, {name}",
        allowed={"smtp_port": "a number from 1 to 65535", "to": "addresses", "on": ", ".join(EVENTS)}.get(
            name, "a text"
        ),
        next_step="see docs/how-to/get-alerts.md",
    )


def _checked(found: Mapping[str, Any]) -> Settings:
    settings = Settings(**found)
    url = urllib.parse.urlsplit(settings.webhook_url)
    faults = {
        "on": (bool(set(settings.on) - set(EVENTS)), ", ".join(EVENTS)),
        "language": (settings.language not in ("nl", "en"), "nl, en"),
        "smtp_tls": (
            settings.smtp_tls not in ("starttls", "tls", "none")
            or (settings.smtp_tls == "none" and not _is_here(settings.smtp_host)),
            "starttls, tls; none only for a mail server on this machine",
        ),
        "webhook_url": (
            bool(settings.webhook_url)
            and not (url.hostname and (url.scheme == "https" or (url.scheme == "http" and _is_here(url.hostname)))),
            "an address that begins with https://; http:// only on this machine",
        ),
        "sender": (settings.has_email and not settings.sender, "the address that the e-mail comes from"),
    }
    for name, (is_wrong, allowed) in faults.items():
        if is_wrong:
            raise UsageError(
                "this setting cannot be used",
                where=f"{PREFIX}{name.upper()} or {FILE}, {name}",
                allowed=allowed,
                next_step="see docs/how-to/get-alerts.md",
            )
    return settings


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def tell(home: Home, notices: Sequence[Notice], sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Tell what is to be told, to whom it is to be told.

    Returns
    -------
    list of str
        Why somebody could not be told; for the log, without secrets.
    """
    if not notices:
        return []
    try:
        settings = read_settings(home)
    except UsageError as error:
        return [f"nobody was told: {error}"]
    wanted = [notice for notice in notices if notice.event in settings.on]
    ways: list[tuple[str, Callable[[Settings, Notice], None]]] = []
    if settings.has_email:
        ways.append((f"e-mail through {settings.smtp_host}", send_email))
    if settings.webhook_url:
        ways.append((f"webhook at {urllib.parse.urlsplit(settings.webhook_url).hostname}", send_webhook))
    faults = []
    for notice in wanted:
        for name, send in ways:
            fault = _sent(send, settings, notice, sleep)
            if fault is not None:
                faults.append(f"{notice.programme} {notice.quarter}, {name}: {fault}")
    return faults


def _sent(
    send: Callable[[Settings, Notice], None], settings: Settings, notice: Notice, sleep: Callable[[float], None]
) -> str | None:
    """Send, and try again what may pass; return what went wrong the last time."""
    for wait in (*_WAITS_SECONDS, None):
        try:
            send(settings, notice)
        except (OSError, smtplib.SMTPException, HTTPException, ValueError) as error:
            fault, may_pass = _fault(error)
            if wait is None or not may_pass:
                return fault
            sleep(wait)
        else:
            return None
    return None


def _fault(error: Exception) -> tuple[str, bool]:
    """Return what went wrong without what was sent, and whether it may go better in a moment.

    An answer of a server may repeat what was said to it, so that only its number is kept.
    """
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answered {error.code}", error.code >= 500 or error.code in (408, 429)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refused user or password", False
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {error.smtp_code}", 400 <= error.smtp_code < 500
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refused every address", False
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(
        getattr(error, "reason", None), ssl.SSLCertVerificationError
    ):
        return "the server's certificate is not one that this machine trusts", False
    return f"no connection, or it broke off ({type(error).__name__})", not isinstance(error, ValueError)


def send_email(settings: Settings, notice: Notice) -> None:
    """Send one e-mail; whatever `smtplib` raises goes to the caller."""
    message = EmailMessage()
    message["Subject"] = notice.subject(settings.language)
    message["From"], message["To"] = settings.sender, ", ".join(settings.to)
    message["Auto-Submitted"] = "auto-generated"  # so that no absence message answers
    message.set_content(notice.body(settings.language))
    context = ssl.create_default_context()
    if settings.smtp_tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT_SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT_SECONDS)
    with server:
        if settings.smtp_tls == "starttls":
            server.starttls(context=context)
        if settings.smtp_user:
            server.login(settings.smtp_user, settings.smtp_password)
        server.send_message(message)


def send_webhook(settings: Settings, notice: Notice) -> None:
    """Post one message; whatever `urllib` raises goes to the caller. A redirect is not followed."""
    body = json.dumps(notice.document(settings.language), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Effectmeter"}
    if settings.webhook_token:
        headers["Authorization"] = f"Bearer {settings.webhook_token}"
    request = urllib.request.Request(settings.webhook_url, data=body, headers=headers, method="POST")
    with _opener().open(request, timeout=_TIMEOUT_SECONDS):
        pass


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https and nothing else: no file, no ftp, and no way to be sent there."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
