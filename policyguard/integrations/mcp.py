"""Carries facts and refusals through servers and clients of the Model Context Protocol.

    MCPServer("notes", middleware=[server_middleware(facts=who_asks)])
    Client(server, sampling_callback=sampling_callback(answer, facts=…))

What a tool sends to a model is guarded where it sends it, by a protected client or by
`guard.call`. Here the facts of the request are declared for all that runs inside it, and
a refusal leaves the process in the caller's view: id, rules and permitted routes, never
the facts that decided.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policyguard.errors import CannotProtect, ConfigurationError, NotAllowed
from policyguard.guard import wire
from policyguard.guard.describe import Described, Observed
from policyguard.guard.facts import context
from policyguard.guard.messages import caller_message, caller_view
from policyguard.integrations.tools import (
    ToolCall,
    Tools,
    described,
    named,
    sends_nothing,
)
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

DENIED: Final = -32_043
"""The code of the JSON-RPC error for a refusal, from the range for servers' own."""
_RUN: Final = frozenset(
    {"tools/call", "prompts/get", "resources/read", "completion/complete"}
)
"""Requests that run the application's code; another has no facts, and is refused."""
Facts: TypeAlias = Mapping[str, Any]
FactsOf: TypeAlias = Callable[[Any], Facts]


def server_middleware(
    *, facts: FactsOf, guard: Guard | None = None, tools: Tools | None = None
) -> Callable[..., Awaitable[Any]]:
    """Return a middleware for a server: each request runs with the facts of who asks.

    A request in which a call was refused, and that failed, ends in an error with the
    decision's id; without it the protocol's client would be told that something failed.

    Args:
        facts: Returns what `policyguard.context` takes, for a request's context. What it
            raises ends the request, before anything of it runs.
        guard: Is asked about calls of tools, where `tools` says what they do.
        tools: Where each tool sends its arguments, as an address, or `None` for one that
            sends nothing; others are unknown, and not run.

    Raises:
        ConfigurationError: the extra is missing, there is no guard to ask, or a tool has
            no name for records.
    """
    if (tools is None) != (guard is None):
        raise ConfigurationError("to ask about tools, give `guard` and `tools`")
    known = None if tools is None else named(tools)
    error_kind = _error_kind()

    async def middleware(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if ctx.method not in _RUN:
            return await call_next(ctx)
        with context(**facts(ctx)), wire.noting() as noted:
            try:
                answer = await _run(ctx, call_next, guard=guard, tools=known)
            except NotAllowed as refused:
                raise _as(error_kind, refused.decision) from None
            except Exception:
                # The server makes errors of its own of what a prompt or resource raises.
                if not noted:
                    raise
                raise _as(error_kind, noted[-1]) from None
            if noted and _has_failed(answer):
                raise _as(error_kind, noted[-1])
            return answer

    return middleware


def sampling_callback(
    callback: Callable[..., Awaitable[Any]], *, facts: Facts
) -> Callable[..., Awaitable[Any]]:
    """Return a sampling callback that runs with facts, and refuses in the caller's view.

    A server that samples sends its text to your model and gets the answer: declare what
    is known of both. The callback makes its call by a protected client or `guard.call`.

    Args:
        callback: Answers a server that wants something from your model.
        facts: What `policyguard.context` takes.

    Raises:
        ConfigurationError: the extra is missing.
    """
    _error_kind()
    from mcp import types

    @functools.wraps(callback)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        with context(**facts), wire.noting() as noted:
            try:
                return await callback(*args, **kwargs)
            except Exception as error:
                refused = error.decision if isinstance(error, NotAllowed) else None
                refused = refused or (noted[-1] if noted else None)
                if refused is None:
                    raise
                return types.ErrorData(
                    code=DENIED,
                    message=caller_message(refused),
                    data=caller_view(refused),
                )

    return guarded


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say where a tool sends; nothing else does the protocol tell."""
    del args, kwargs
    return fn.described if isinstance(fn, _Tool) else None


def observe(result: object) -> Observed:
    """Say nothing of an answer."""
    del result
    return Observed(stream=True)


def protect(thing: object, guard: Guard) -> None:
    """Refuse: what sends to a model is not the server, nor the protocol's client.

    Raises:
        CannotProtect: always, with what to do.
    """
    del guard
    raise CannotProtect(
        f"a `{type(thing).__qualname__}` of MCP sends to no model: protect the clients"
        " that its tools or callbacks call models by, and declare who asks with"
        " `policyguard.integrations.mcp.server_middleware`"
    )


class _Tool(ToolCall):
    """Is a call of a tool, as a callable that says whose it is."""

    __module__ = "mcp"


async def _run(
    ctx: Any,
    call_next: Callable[[Any], Awaitable[Any]],
    *,
    guard: Guard | None,
    tools: Tools | None,
) -> Any:
    if guard is None or tools is None or ctx.method != "tools/call":
        return await call_next(ctx)
    params = ctx.params if isinstance(ctx.params, Mapping) else {}
    name = str(params.get("name"))
    if sends_nothing(name, tools):
        return await call_next(ctx)
    call = _Tool(described(name, tools), lambda: call_next(ctx))
    return await guard.acall(call, params.get("arguments"))


def _as(kind: Any, decision: Decision) -> Exception:
    made: Exception = kind(DENIED, caller_message(decision), data=caller_view(decision))
    return made


def _has_failed(answer: Any) -> bool:
    if isinstance(answer, Mapping):
        return bool(answer.get("isError") or answer.get("is_error"))
    return bool(getattr(answer, "is_error", False))


def _error_kind() -> Any:
    try:
        from mcp.shared.exceptions import MCPError
    except ImportError as error:
        raise ConfigurationError(
            "the SDK of MCP is not installed: pip install 'policyguard-ai[mcp]'"
        ) from error
    return MCPError
