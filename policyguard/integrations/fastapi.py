"""A dependency for FastAPI: names the caller of a route, or refuses as FastAPI does.

    named = caller_of(JwtCallers(…))

    @app.post("/ask")
    async def ask(caller: Annotated[Caller, Depends(named)]): …

For a whole application take the ASGI middleware, which also removes headers that no
known proxy has set. The dependency refuses by `HTTPException`, so that the
application's own handlers shape the answer, and WebSockets by closing them with 1008.

Owner: nothing is kept between requests. FastAPI runs asynchronous dependencies in the
task of the request, so that endpoints, streams and background tasks have the caller;
a synchronous one would lose it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from policyguard.errors import CallerRefused, ConfigurationError
from policyguard.guard.facts import calling
from policyguard.integrations import caller_answers
from policyguard.integrations.asgi import headers_of
from policyguard.integrations.callers import Callers
from policyguard.vocabulary.call import Caller

try:
    from fastapi import HTTPException, WebSocketException
    from starlette.requests import HTTPConnection
except ImportError as error:
    raise ConfigurationError(
        "the dependency needs FastAPI: install `policyguard-ai[fastapi]`"
    ) from error

Dependency: TypeAlias = Callable[[HTTPConnection], AsyncIterator[Caller]]
_CLOSED = 1008


def caller_of(callers: Callers) -> Dependency:
    """Return a dependency that names the caller for the routes that depend on it.

    Args:
        callers: Names the caller: `JwtCallers` or `ProxyCallers`.
    """

    async def named(connection: HTTPConnection) -> AsyncIterator[Caller]:
        scope = connection.scope
        client = scope.get("client")
        try:
            caller = await asyncio.to_thread(
                caller_answers.named,
                callers,
                headers_of(scope),
                peer=client[0] if client else None,
                anonymous="refuse",
            )
        except CallerRefused as refused:
            detail = f"the caller could not be named: {refused.reason}"
            if scope["type"] == "websocket":
                raise WebSocketException(code=_CLOSED, reason=detail) from refused
            raise HTTPException(
                status_code=refused.status,
                detail=detail,
                headers=dict(caller_answers.challenge(callers, refused)) or None,
            ) from refused
        if caller is None:
            raise HTTPException(status_code=401)
        with calling(caller):
            yield caller

    return named
