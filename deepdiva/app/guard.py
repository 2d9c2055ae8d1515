"""Who may talk to the server: this page alone.

Three things must be right. The *host* that a request names is this machine, so that a stranger's
name that resolves to it gets nothing. The *origin*, where the browser names one, is the page's own.
And whatever lies below `/api/` wants the *token*, which stands in the address that the terminal
shows, in its fragment: browsers send that to nobody, and no other page can set the header.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "X-DeepDiva-Token"
NAMES = ("127.0.0.1", "localhost")

_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), midi=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Guard:
    """Refuses what does not come from the page; ASGI middleware.

    Attributes:
        app: what is guarded.
        token: that the page knows.
        port: that the server listens at.
        names: of this machine.
    """

    app: ASGIApp
    token: str
    port: int
    names: Iterable[str] = NAMES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there is nothing else here

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY_HEADERS)
            await send(message)

        refused = self._refusal(scope["path"], Headers(scope=scope))
        if refused is None:
            await self.app(scope, receive, send_safely)
        else:
            status, sentence = refused
            await JSONResponse({"error": sentence}, status)(scope, receive, send_safely)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        hosts = {f"{name}:{self.port}" for name in self.names}
        if headers.get("host") not in hosts:
            return 421, "This server answers to its own address on this machine alone."
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return 403, "Another page may not talk to this server."
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "Another page may not talk to this server."
        if path.startswith("/api/"):
            given = headers.get(TOKEN_HEADER, "").encode("utf-8", "replace")
            if not secrets.compare_digest(given, self.token.encode()):
                return 401, "Open the address that the terminal shows: it holds the key."
        return None
