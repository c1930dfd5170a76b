"""Who may speak to the user interface through a browser: its own pages, under a name that we know; nobody else's.

Dagster's web server asks nothing of who calls it. On localhost that leaves one way in: a page of somebody else in the
same browser, which may post to ``http://localhost:3000`` or give a name of its own the address 127.0.0.1. This
middleware stops both. It is no login; that is a proxy's (docs/how-to/put-behind-a-login.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DATA = ("/graphql", "/logs/", "/download_debug/", "/notebook", "/report_asset_")
"""What answers with data or changes something; every other path is the same page without any."""


def why_refused(headers: Collection[tuple[bytes, bytes]], path: str, names: Collection[str]) -> str:
    """Return why a request is not for us, or nothing when it is.

    Parameters
    ----------
    headers
        As ASGI gives them: lower-case names, raw values.
    path
        The path that is asked for.
    names
        Names under which the interface is served, without port.

    Notes
    -----
    ``Origin`` and ``Sec-Fetch-Site`` are set by the browser and cannot be set by a page
    (https://www.w3.org/TR/fetch-metadata/). A program that sends neither, such as a proxy's health check, is let in:
    it needs an account on this machine, and that is another border.
    """
    given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    host = given.get("host", "")
    if (urlsplit(f"//{host}").hostname or "") not in names:
        return "the interface is not served under this name"
    origin = given.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return "another site's page asked for this"
    is_ours = given.get("sec-fetch-site", "none") in ("same-origin", "none")
    is_data = any(part in path for part in _DATA)
    if not is_ours and (is_data or given.get("sec-fetch-mode") != "navigate"):
        return "another site's page asked for this"
    return ""


class Guard:
    """ASGI middleware around the web server: refuses with 403 what `why_refused` has a reason for."""

    def __init__(self, app: Application, names: Collection[str] = LOOPBACK) -> None:
        self._app = app
        self._names = frozenset(names)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass one request or websocket on, or refuse it."""
        reason = ""
        if scope["type"] in ("http", "websocket"):
            reason = why_refused(scope["headers"], scope["path"], self._names)
        if not reason:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = f"{reason}\n".encode()
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
