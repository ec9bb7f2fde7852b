"""Reads a call of the SDKs that share one generator: `openai` and `anthropic`.

Their clients and resources have the same shape: a resource holds its client, a client
has a `base_url` and one HTTP client under it, and `extra_body` wins over arguments.
Nothing of either SDK is imported; what has another shape is unknown.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.guard.describe import Described, Observed, adapter_of
from policyguard.integrations import httpx
from policyguard.integrations.wire_body import host_of, path_of
from policyguard.integrations.wire_document import BATCH, model_in, parameters_in
from policyguard.integrations.wire_stream import observed_in

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
    method, args, kwargs = unwrapped(fn, args, kwargs)
    owner = getattr(method, "__self__", None)
    client = owner if is_client(owner) else getattr(owner, "_client", None)
    if owner is None or not is_client(client):
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
        parameters=parameters_in(document),
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
    method, _, known = unwrapped(fn, (), kwargs)
    if is_client(getattr(method, "__self__", None)):
        # `client.post` takes its body whole, and it may be anything.
        return None
    if BATCH in known:
        # Each of its calls would have to be given them.
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
    if not (inspect.ismethod(fn) and is_client(own) and is_client(client)):
        return None
    if adapter_of(own) is not adapter_of(client):
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
            "inference_geo",
        )
    }
    return observed_in({"model": getattr(result, "model", None), "usage": counts})


def unwrapped(
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
    return is_client(owner) or is_client(getattr(owner, "_client", None))


def is_client(thing: object) -> bool:
    """Say whether a thing is a client of one of the SDKs."""
    return thing is not None and all(
        hasattr(type(thing), name) for name in ("base_url", "_prepare_url", "post")
    )


def _document(
    owner: object, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    """Return the object that will be sent, as far as it is one, and what hides in it."""
    if is_client(owner) and getattr(method, "__name__", "") in _CLIENT_VERBS:
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
