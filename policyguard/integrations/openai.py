"""Knows the clients of the `openai` SDK, 2.x and 3.x, Azure's among them.

    guard.call(client.chat.completions.create, model=…, messages=…)
    guard.protect(client)

`protect` guards the HTTP client under an SDK client, and with it every copy that
`with_options()` makes, because they share it. A copy with an `http_client` of its own
is a new client: protect it too. What the SDK would send over a web socket is refused.

What is sent lazily, as by `.stream(…)` and `.with_streaming_response`, is sent after
`guard.call` has returned: for a protected client, declare its facts with
`policyguard.context(…)` around the whole `with` block.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from policyguard.canonical import Json
from policyguard.errors import CannotProtect
from policyguard.guard.describe import Described, Observed
from policyguard.guard.obligations import PARAMETERS
from policyguard.integrations import httpx
from policyguard.integrations.openai_sockets import refuse_sockets
from policyguard.integrations.wire_body import host_of, model_in, path_of
from policyguard.integrations.wire_stream import observed_in

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

_DEEPEST: Final = 16
_CLIENT_VERBS: Final = frozenset({"post", "patch", "put", "delete", "get"})
_STREAMS: Final = frozenset({"Stream", "AsyncStream"})


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a method of the SDK would send where.

    Args:
        fn: A bound method, also behind `functools.partial` and other wrappers.
        args: Its positional arguments.
        kwargs: Its keyword arguments; `extra_body` wins over `model`, as on the wire.

    Returns:
        What is known, or `None` for a callable that is bound to no client.
    """
    method, args, kwargs = _unwrapped(fn, args, kwargs)
    owner = getattr(method, "__self__", None)
    client = owner if _is_client(owner) else getattr(owner, "_client", None)
    if owner is None or not _is_client(client):
        return None
    document, opaque = _document(owner, method, args, kwargs)
    if owner is client and args:
        url = client._prepare_url(str(args[0]))  # noqa: SLF001 -- as the SDK sends it
    else:
        url = _base_url(client, method)
    model, uncertain = model_in(document)
    if _named_in_query(client, kwargs) - {model}:
        model = None
    moved = _has_host_header(
        getattr(client, "default_headers", None), kwargs.get("extra_headers")
    )
    opaque = opaque or uncertain
    return Described(
        model=None if uncertain else model,
        host=None if moved else host_of(url),
        path=path_of(url),
        opaque=opaque,
        parameters={name: document[name] for name in PARAMETERS if name in document},
    )


def with_fields(
    fn: Callable[..., object], kwargs: Mapping[str, Any], fields: Mapping[str, Json]
) -> dict[str, Any] | None:
    """Return arguments by which the body has these fields too; `None`: it cannot.

    Args:
        fn: A method of a resource, as `client.chat.completions.create`.
        kwargs: Its keyword arguments.
        fields: What the body must have.
    """
    method, _, known = _unwrapped(fn, (), kwargs)
    if _is_client(getattr(method, "__self__", None)):
        # `client.post` takes its body whole, and it may be anything.
        return None
    more = known.get("extra_body")
    if more is not None and not isinstance(more, Mapping):
        return None
    if not fields:
        return dict(kwargs)
    return {**kwargs, "extra_body": {**(more or {}), **fields}}


def method_of(
    fn: Callable[..., object], client: object
) -> Callable[..., object] | None:
    """Return the same method of another client; `None`: it has none of that kind.

    Args:
        fn: A method of a resource, as `client.chat.completions.create`, and nothing
            around it.
        client: Another client of the SDK, synchronous if the first one is.
    """
    owner = getattr(fn, "__self__", None)
    own = getattr(owner, "_client", None)
    if not (inspect.ismethod(fn) and _is_client(own) and _is_client(client)):
        return None
    here, there = (getattr(type(item), "post", None) for item in (own, client))
    if inspect.iscoroutinefunction(here) != inspect.iscoroutinefunction(there):
        return None
    resource: Any = type(owner)
    found: Callable[..., object] | None = getattr(resource(client), fn.__name__, None)
    return found


def observe(result: object) -> Observed:
    """Say what an answer of the SDK tells of the model that served it."""
    response = getattr(result, "http_response", None)
    if response is not None:
        return httpx.observed_response(response)
    if result is None or isinstance(result, (Mapping, list, str, bytes)):
        return observed_in(result)
    if type(result).__name__ in _STREAMS or not hasattr(result, "model_fields_set"):
        # A stream, or a manager that sends later.
        return Observed(stream=True)
    usage = getattr(result, "usage", None)
    counts = {
        name: getattr(usage, name, None)
        for name in (
            "prompt_tokens",
            "input_tokens",
            "completion_tokens",
            "output_tokens",
        )
    }
    return observed_in({"model": getattr(result, "model", None), "usage": counts})


def protect(client: object, guard: Guard) -> None:
    """Guard the HTTP client under a client of the SDK, in place.

    Raises:
        CannotProtect: there is no open HTTP client under it, or another guard's.
    """
    if not _is_client(client):
        raise CannotProtect(
            f"a `{type(client).__qualname__}` is no client of the SDK: protect the"
            " `OpenAI` or `AsyncOpenAI` that it was made from"
        )
    refuse_sockets(client)
    httpx.install(getattr(client, "_client", None), guard)


def _unwrapped(
    fn: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, tuple[Any, ...], Mapping[str, Any]]:
    """Take off what wraps a bound method, and add what partial objects carry."""
    for _ in range(_DEEPEST):
        if isinstance(fn, functools.partial):
            args, kwargs = (*fn.args, *args), {**fn.keywords, **kwargs}
            fn = fn.func
        elif hasattr(fn, "__wrapped__") and not _is_bound(fn):
            fn = fn.__wrapped__
        else:
            break
    return fn, args, kwargs


def _is_bound(fn: Any) -> bool:
    owner = getattr(fn, "__self__", None)
    return _is_client(owner) or _is_client(getattr(owner, "_client", None))


def _is_client(thing: object) -> bool:
    return thing is not None and all(
        hasattr(type(thing), name) for name in ("base_url", "_prepare_url", "post")
    )


def _document(
    owner: object, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    """Return the object that will be sent, as far as it is one, and what hides in it."""
    if _is_client(owner) and getattr(method, "__name__", "") in _CLIENT_VERBS:
        options = kwargs.get("options") or {}
        parts = [kwargs.get("body"), options.get("extra_json")]
        opaque = bool(kwargs.get("files")) or kwargs.get("content") is not None
    else:
        parts = [kwargs, kwargs.get("extra_body")]
        opaque = any(_is_file(value) for value in (*args, *kwargs.values()))
    known = [part for part in parts if part is not None]
    if not all(isinstance(part, Mapping) for part in known):
        return {}, True
    merged = {key: value for part in known for key, value in part.items()}
    return merged, opaque


def _is_file(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        # A file may come as (name, content, type), and several of them in a list.
        return any(_is_file(item) for item in value[:3])
    return isinstance(value, (bytes, bytearray, os.PathLike)) or hasattr(value, "read")


def _named_in_query(client: Any, kwargs: Mapping[str, Any]) -> set[str]:
    def named() -> Iterator[str]:
        for query in (client.default_query, kwargs.get("extra_query")):
            if isinstance(query, Mapping) and "model" in query:
                yield str(query["model"])

    return set(named())


def _has_host_header(*many: object) -> bool:
    """Say whether a server is told another host than the URL's, as proxies heed it."""
    return any(
        str(name).lower() == "host"
        for headers in many
        if isinstance(headers, Mapping)
        for name in headers
    )


def _base_url(client: Any, method: Any) -> Any:
    """Return where a method sends to: web sockets may have an address of their own."""
    other = getattr(client, "websocket_base_url", None)
    if other is not None and getattr(method, "__name__", "") == "connect":
        return type(client.base_url)(str(other))
    return client.base_url
