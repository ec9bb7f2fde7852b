"""Middleware for WSGI applications: names the caller, or answers in their place.

A server may go through an answer after the application has returned, and on a thread
that it uses for other requests too. So the application and its answer run in a context
of their own, which is entered again for each part and leaves nothing behind.

Specification: PEP 3333.

Owner: nothing is kept between requests. A thread that the application starts has no
caller, unless the work is handed over with `policyguard.copy_context`.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from policyguard.errors import CallerRefused
from policyguard.guard.facts import calling
from policyguard.integrations import caller_answers
from policyguard.integrations.callers import Callers, Headers
from policyguard.vocabulary.call import Caller

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
App: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]
_PREFIX = "HTTP_"


class CallerMiddleware:
    """Runs a WSGI application with the caller of each request in its context."""

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

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request.

        Args:
            environ: What the server says of it.
            start_response: Takes status and headers.
        """
        try:
            caller = caller_answers.named(
                self._callers,
                headers_of(environ),
                peer=environ.get("REMOTE_ADDR"),
                anonymous=self._anonymous,
            )
        except CallerRefused as refused:
            made = caller_answers.answer(self._callers, refused)
            start_response(f"{made.status} {made.title}", list(made.headers))
            return [made.body]
        seen = self._seen(environ, caller)
        context = contextvars.copy_context()
        # Entered for good: the context is this request's alone, and ends with it.
        context.run(calling(caller).__enter__)
        answer = context.run(self._app, seen, start_response)
        if isinstance(answer, (list, tuple)):
            return answer
        return _InContext(answer, context)

    def _seen(self, environ: Environ, caller: Caller | None) -> Environ:
        """Return the request without headers that nobody known has set."""
        own = self._callers.own_headers
        if caller is not None or not own:
            return environ
        return {
            name: value for name, value in environ.items() if _header(name) not in own
        }


def headers_of(environ: Environ) -> Headers:
    """Return the headers of a request, names in lower case."""
    return [
        (_header(name), str(value))
        for name, value in environ.items()
        if name.startswith(_PREFIX)
    ]


def _header(name: str) -> str:
    return name.removeprefix(_PREFIX).lower().replace("_", "-")


class _InContext:
    """Goes through an answer in the context of its request."""

    def __init__(self, answer: Iterable[bytes], context: contextvars.Context) -> None:
        self._answer = answer
        self._context = context
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._parts is None:
            self._parts = self._context.run(iter, self._answer)
        return self._context.run(next, self._parts)

    def close(self) -> None:
        close = getattr(self._answer, "close", None)
        if close is not None:
            self._context.run(close)
