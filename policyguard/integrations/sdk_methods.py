"""Reads a call of the SDKs that share one generator: `openai` and `anthropic`.

Their clients and resources have the same shape: a resource holds its client, a client
has a `base_url` and one HTTP client under it, and `extra_body` wins over arguments.
Nothing of either SDK is imported; what has another shape is unknown.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.errors import UnclearError
from policyguard.guard.describe import Described, Observed, adapter_of
from policyguard.integrations import httpx
from policyguard.integrations.wire_batch import contents_of, endpoint_in, upload_of
from policyguard.integrations.wire_document import BATCH
from policyguard.integrations.wire_envelope import host_of, path_of
from policyguard.integrations.wire_stream import observed_in

_DEEPEST: Final = 16
_CLIENT_VERBS: Final = frozenset({"post", "patch", "put", "delete", "get"})
_FILES: Final = "files"
_MOST_KINDS: Final = 256
_NO_FILES: Final = frozenset({str, int, float, bool, dict, type(None)})
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
    if owner is client and args:
        url = client._prepare_url(str(args[0]))  # noqa: SLF001 -- as the SDK sends it
    else:
        url = _base_url(client, method)
    path = path_of(url)
    at = path if owner is client else None
    found = _contents(owner, method, args, kwargs, path=at)
    if _named_in_query(client, kwargs) - {found.model}:
        found = Described(opaque=found.opaque)
    moved = _has_host_header(
        getattr(client, "default_headers", None), kwargs.get("extra_headers")
    )
    return replace(found, host=None if moved else host_of(url), path=path)


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
    said = {name: getattr(result, name, None) for name in ("model", "object", "id")}
    return observed_in({**said, "usage": counts})


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
    kind: Any = type(thing)
    return _is_kind_of_client(kind)


@functools.lru_cache(maxsize=_MOST_KINDS)
def _is_kind_of_client(kind: type[Any]) -> bool:
    return all(hasattr(kind, name) for name in ("base_url", "_prepare_url", "post"))


def _contents(
    owner: object,
    method: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    path: str | None,
) -> Described:
    """Say what will be sent, as far as it can be read in one way alone.

    What a client's own methods send has its `path`; a resource is named by its class.
    """
    if path is not None and getattr(method, "__name__", "") in _CLIENT_VERBS:
        options = kwargs.get("options") or {}
        parts = [kwargs.get("body"), options.get("extra_json")]
        endpoint, files = endpoint_in(path), {}
        hidden = bool(kwargs.get("files")) or kwargs.get("content") is not None
    else:
        endpoint = type(owner).__name__.removeprefix("Async").lower()
        files = {key: value for key, value in kwargs.items() if _is_file(value)}
        rest = kwargs
        if files:
            rest = {key: value for key, value in kwargs.items() if key not in files}
        parts = [rest, kwargs.get("extra_body")]
        hidden = any(map(_is_file, args))
    known = [part for part in parts if part is not None]
    if hidden or not all(isinstance(part, Mapping) for part in known):
        return Described(opaque=True, why="its body cannot be seen from its arguments")
    merged = known[0] if len(known) == 1 else None
    if merged is None:
        merged = {key: value for part in known for key, value in part.items()}
    if not files or endpoint != _FILES:
        return contents_of(merged, endpoint=endpoint)
    if kwargs.get("extra_body"):
        return Described(opaque=True, why="an upload has fields that are not known")
    try:
        return upload_of(_bytes_of(files.get("file")), purpose=merged.get("purpose"))
    except UnclearError as unclear:
        return Described(opaque=True, why=str(unclear))


def _bytes_of(file: object) -> bytes | None:
    """Return what an uploaded file holds, if reading it takes nothing away."""
    held = file[1] if isinstance(file, tuple) and len(file) > 1 else file
    return bytes(held) if isinstance(held, (bytes, bytearray)) else None


def _is_file(value: object) -> bool:
    if type(value) in _NO_FILES:
        return False
    if isinstance(value, (list, tuple)):
        # A file may come as (name, content, type), and several of them in a list.
        return any(_is_file(item) for item in value[:3])
    return isinstance(value, (bytes, bytearray, os.PathLike)) or hasattr(value, "read")


def _named_in_query(client: Any, kwargs: Mapping[str, Any]) -> set[str]:
    queries = (client.default_query, kwargs.get("extra_query"))
    return {
        str(query["model"])
        for query in queries
        if isinstance(query, Mapping) and "model" in query
    }


def _has_host_header(*many: object) -> bool:
    """Say whether a server is told another host than the URL's, as proxies heed it."""
    return any(
        "host" in [str(name).lower() for name in headers]
        for headers in many
        if isinstance(headers, Mapping)
    )


def _base_url(client: Any, method: Any) -> Any:
    """Return where a method sends to: web sockets may have an address of their own."""
    other = getattr(client, "websocket_base_url", None)
    if other is not None and getattr(method, "__name__", "") == "connect":
        return type(client.base_url)(str(other))
    return client.base_url
