"""Knows the clients of the `anthropic` SDK, those for Bedrock, Vertex and others too.

    guard.call(client.messages.create, model=…, max_tokens=…, messages=…)
    guard.protect(client)

Works as the adapter for `openai` does. A batch (`messages.batches.create`) is many
calls: each is asked about, and all go out or none does.

`policy_middleware` is for the SDK's own `middleware=`. It raises the guard's own errors
where nobody wraps the calls, and puts into a body what obligations want in it, before a
cloud's client signs it. It cannot see where a request goes: it asks about the address
that it is given, and looks at what a call itself says of host and model. Put it last, and protect the client too; then the transport asks again
about the real one.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from policyguard.canonical import Json
from policyguard.errors import CannotProtect, ConfigurationError
from policyguard.guard.describe import Described, Observed
from policyguard.guard.refusal import DECISION, not_allowed
from policyguard.integrations import httpx, sdk_methods
from policyguard.integrations.sdk_around import around_at
from policyguard.integrations.wire_batch import contents_of, endpoint_in
from policyguard.integrations.wire_document import BATCH
from policyguard.integrations.wire_envelope import path_of
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from anthropic import Middleware

    from policyguard.guard.guard import Guard

_ADDRESS: Final = "https://api.anthropic.com"


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a method of the SDK would send where; see `sdk_methods.describe`."""
    attempt = _attempt_of(fn)
    if attempt is not None:
        return attempt.described(kwargs)
    return sdk_methods.describe(fn, args, kwargs)


def with_fields(
    fn: Callable[..., object], kwargs: Mapping[str, Any], fields: Mapping[str, Json]
) -> dict[str, Any] | None:
    """Return arguments by which the body has these fields too; `None`: it cannot."""
    attempt = _attempt_of(fn)
    if attempt is None:
        return sdk_methods.with_fields(fn, kwargs, fields)
    if not attempt.has_object or BATCH in kwargs:
        return None
    return {**kwargs, **fields}


def method_of(
    fn: Callable[..., object], client: object
) -> Callable[..., object] | None:
    """Return the same method of another client; `None`: it has none of that kind."""
    return sdk_methods.method_of(fn, client)


def observe(result: object) -> Observed:
    """Say what an answer of the SDK tells of the model that served it."""
    return sdk_methods.observe(result)


def protect(client: object, guard: Guard) -> None:
    """Guard the HTTP client under a client of the SDK, in place.

    Raises:
        CannotProtect: there is no open HTTP client under it, or another guard's.
    """
    if not sdk_methods.is_client(client):
        raise CannotProtect(
            f"a `{type(client).__qualname__}` is no client of the SDK: protect the"
            " `Anthropic` or `AsyncAnthropic` that it was made from"
        )
    httpx.install(getattr(client, "_client", None), guard)


def policy_middleware(guard: Guard, *, base_url: str = _ADDRESS) -> Middleware:
    """Return middleware that asks a guard before each attempt of a client's calls.

    Args:
        guard: Is asked; what is refused raises `NotAllowed`, and is not tried again.
        base_url: Where the client sends: the guard is told what is said here.

    Raises:
        ConfigurationError: the SDK is not installed, or has no middleware.
    """
    kind = _middleware_kind()
    return cast("Middleware", kind(guard, base_url))


@functools.cache
def _middleware_kind() -> type[Any]:
    try:
        from anthropic import Middleware
    except ImportError as error:
        raise ConfigurationError(
            "no middleware without the SDK, 2.0 or later:"
            " `pip install 'policyguard-ai[anthropic]'`"
        ) from error
    return type("PolicyMiddleware", (_PolicyMiddleware, Middleware), {})


class _PolicyMiddleware:
    """Asks the guard about what the SDK is about to send."""

    def __init__(self, guard: Guard, base_url: str) -> None:
        self._guard = guard
        self._base_url = base_url

    def handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        attempt = _attempt(request, call_next, self._base_url)
        return _answered(self._guard.call(attempt.send, **attempt.body))

    async def handle_async(
        self, request: Any, call_next: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        attempt = _attempt(request, call_next, self._base_url)
        return _answered(await self._guard.acall(attempt.send, **attempt.body))


def _answered(answer: Any) -> Any:
    """Return an answer, unless it is the one by which our own transport denies."""
    extensions = getattr(getattr(answer, "http_response", None), "extensions", {})
    decision = extensions.get(DECISION)
    if isinstance(decision, Decision):
        raise not_allowed(decision)
    return answer


class _Attempt:
    """Is one attempt of a call, in the form in which the guard makes calls."""

    def __init__(self, request: Any, call_next: Callable[[Any], Any], url: Any) -> None:
        body = request.json
        self.has_object = body is None or isinstance(body, Mapping)
        self.body: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        self._request = request
        self._call_next = call_next
        self._url = url

    def send(self, /, **body: Any) -> Any:
        """Send a body on, which may have got fields that obligations want."""
        same = body == self.body
        return self._call_next(self._request if same else self._request.copy(body=body))

    def described(self, body: Mapping[str, Any]) -> Described:
        options = self._request.options
        hidden = (
            not self.has_object
            or bool(options.files)
            or getattr(options, "content", None) is not None
            or getattr(options, "extra_json", None) is not None
        )
        found = contents_of(body, endpoint=endpoint_in(path_of(self._url)))
        if hidden:
            found = Described(opaque=True, why="its body is no JSON object")
        request = self._request
        return around_at(
            found,
            self._url,
            headers=(request.headers,),
            queries=(request.query_params,),
        )


@functools.cache
def _attempt_kind() -> type[_Attempt]:
    # Belongs to the SDK by a class of its own: that is how the guard finds this adapter.
    from anthropic import Middleware

    return type("Attempt", (_Attempt, Middleware), {})


def _attempt(request: Any, call_next: Callable[[Any], Any], base_url: str) -> _Attempt:
    from httpx2 import URL

    base, url = URL(base_url.rstrip("/") + "/"), URL(request.url)
    if url.is_relative_url:
        # Put together as the SDK does: it is no reference that is resolved.
        url = base.copy_with(raw_path=base.raw_path + url.raw_path.lstrip(b"/"))
    return _attempt_kind()(request, call_next, url)


def _attempt_of(fn: Callable[..., object]) -> _Attempt | None:
    owner = getattr(fn, "__self__", None)
    return owner if isinstance(owner, _Attempt) else None
