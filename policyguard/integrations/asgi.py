"""Middleware for ASGI applications: names the caller, or answers in their place.

Pure ASGI: the application runs in the same task, so its endpoints, streams, background
tasks and WebSockets have the caller in their context. Nothing reaches the application
unless the caller is named, or the middleware was told to let such requests pass.

Specification: ASGI 3.0, with its HTTP and WebSocket messages 2.5 and the extension for
WebSocket denial responses.

Owner: nothing is kept between requests. A task that the application starts keeps the
caller of the request that started it, for as long as it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from policyguard.errors import CallerRefused
from policyguard.guard.facts import calling
from policyguard.integrations import caller_answers
from policyguard.integrations.callers import Callers, Headers
from policyguard.vocabulary.call import Caller

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
_CLOSED = 1008
_DENIAL = "websocket.http.response"


class CallerMiddleware:
    """Runs an ASGI application with the caller of each request in its context."""

    def __init__(
        self,
        app: App,
        *,
        callers: Callers,
        anonymous: caller_answers.Anonymous = "refuse",
    ) -> None:
        """Stand before an application.

        Args:
            app: The application.
            callers: Names the caller: `JwtCallers` or `ProxyCallers`.
            anonymous: What becomes of a request that names nobody. One that names
                somebody and does not prove it never passes.

        Raises:
            ConfigurationError: `anonymous` is neither `refuse` nor `pass`.
        """
        caller_answers.checked_anonymous(anonymous)
        self._app = app
        self._callers = callers
        self._anonymous: caller_answers.Anonymous = anonymous

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Args:
            scope: What the server says of it.
            receive: Gives what the client sends.
            send: Takes what is answered.
        """
        if scope["type"] not in {"http", "websocket"}:
            # Start and end of the server: there is no caller yet.
            with calling(None):
                await self._app(scope, receive, send)
            return
        try:
            # In a thread: a source may have to get keys first.
            caller = await asyncio.to_thread(self._named, scope)
        except CallerRefused as refused:
            await self._refuse(scope, receive, send, refused)
            return
        with calling(caller):
            await self._app(self._seen(scope, caller), receive, send)

    def _named(self, scope: Scope) -> Caller | None:
        client = scope.get("client")
        return caller_answers.named(
            self._callers,
            headers_of(scope),
            peer=client[0] if client else None,
            anonymous=self._anonymous,
        )

    def _seen(self, scope: Scope, caller: Caller | None) -> Scope:
        """Return the scope without headers that nobody known has set.

        A name with `_` for `-` was not read, and an application may take it for the other.
        """
        own = self._callers.own_headers
        if not own:
            return scope

        def is_kept(name: str) -> bool:
            known = caller is not None and name in own
            return known or name.replace("_", "-") not in own

        kept = [
            (name, value)
            for name, value in scope["headers"]
            if is_kept(name.decode("latin-1").lower())
        ]
        return {**scope, "headers": kept}

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, refused: CallerRefused
    ) -> None:
        made = caller_answers.answer(self._callers, refused)
        prefix = "http.response"
        if scope["type"] == "websocket":
            await receive()
            if _DENIAL not in (scope.get("extensions") or {}):
                # Before it was accepted: the server answers the handshake with 403.
                await send({"type": "websocket.close", "code": _CLOSED})
                return
            prefix = _DENIAL
        headers = [(name.encode(), value.encode()) for name, value in made.headers]
        await send(
            {"type": f"{prefix}.start", "status": made.status, "headers": headers}
        )
        await send({"type": f"{prefix}.body", "body": made.body})


def headers_of(scope: Scope) -> Headers:
    """Return the headers of a connection, names in lower case."""
    return [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
