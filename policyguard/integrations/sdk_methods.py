"""Reads a call of the SDKs that share one generator: `openai` and `anthropic`.

Their clients and resources have the same shape: a resource holds its client, a client
has a `base_url` and one HTTP client under it, and `extra_body` wins over arguments.
Nothing of either SDK is imported; what has another shape is unknown, and so is what
could be read in two ways: each argument that decides where a call goes, or what it says,
is read by its name and as the SDK would send it, or the call is opaque.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.errors import UnclearError
from policyguard.guard.describe import Described, Observed, adapter_of
from policyguard.integrations import httpx
from policyguard.integrations.sdk_around import around_at, headers_of, queries_of
from policyguard.integrations.wire_batch import contents_of, endpoint_in, upload_of
from policyguard.integrations.wire_document import BATCH
from policyguard.integrations.wire_envelope import path_of
from policyguard.integrations.wire_stream import observed_in

_DEEPEST: Final = 16
_CLIENT_VERBS: Final = frozenset({"post", "patch", "put", "delete", "get"})
_OF_VERBS: Final = frozenset(
    {"path", "cast_to", "body", "content", "files", "options", "stream", "stream_cls"}
)
_OPTIONS: Final = frozenset(
    {
        "headers",
        "params",
        "extra_json",
        "max_retries",
        "timeout",
        "idempotency_key",
        "follow_redirects",
        "security",
        "post_parser",
        "synthesize_event_and_data",
        "stream_mode",
    }
)
"""What is read of a verb's `options`, and what changes nothing that is sent."""
_CONNECT: Final = "connect"
_OF_SOCKETS: Final = frozenset(
    {
        "extensions",
        "subprotocols",
        "compression",
        "max_size",
        "max_queue",
        "write_limit",
        "open_timeout",
        "close_timeout",
        "ping_interval",
        "ping_timeout",
    }
)
"""Options of a web socket that do not change where it leads."""
_FILES: Final = "files"
_MOST_KINDS: Final = 256
_NO_FILES: Final = frozenset({str, int, float, bool, dict, type(None)})
_STREAMS: Final = frozenset({"Stream", "AsyncStream"})
_HIDDEN: Final = Described(
    opaque=True, why="its body cannot be seen from its arguments"
)


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
    try:
        if owner is client:
            return _of_verb(client, method, args, kwargs)
        return _of_resource(client, method, args, kwargs)
    except UnclearError as unclear:
        return Described(opaque=True, why=str(unclear))


def described_by(client: Any, arguments: Mapping[str, Any]) -> Described:
    """Say what `create(**arguments)` of a resource of a client would send where.

    Args:
        client: A client of one of the SDKs.
        arguments: As a resource takes them, with `extra_headers` and the like.
    """
    parts = (arguments, arguments.get("extra_body"))
    return around_at(
        _merged(client, parts, endpoint=""),
        client.base_url,
        headers=(*headers_of(client), arguments.get("extra_headers")),
        queries=(*queries_of(client), arguments.get("extra_query")),
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


def _of_verb(
    client: Any, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described:
    """Say what a client's own `post`, or another verb, would send where.

    Raises:
        UnclearError: not all of it can be read.
    """
    known = {**dict(zip(("path",), args, strict=False)), **kwargs}
    named = getattr(method, "__name__", "") in _CLIENT_VERBS
    if not named or len(args) > 1 or not known.keys() <= _OF_VERBS:
        raise UnclearError("a client's own method is given what is not known")
    options = known.get("options") or {}
    if not isinstance(options, Mapping) or not options.keys() <= _OPTIONS:
        raise UnclearError("the `options` of a call cannot be read")
    url = _url(client, known.get("path"))
    if known.get("files") or known.get("content") is not None:
        found = _HIDDEN
    else:
        parts = (known.get("body"), options.get("extra_json"))
        found = _merged(client, parts, endpoint=endpoint_in(path_of(url)))
    return around_at(
        found,
        url,
        headers=(*headers_of(client), options.get("headers")),
        queries=(*queries_of(client), options.get("params")),
    )


def _url(client: Any, path: object) -> Any:
    """Return where the SDK sends what has a path.

    Raises:
        UnclearError: the path cannot be read.
    """
    if not isinstance(path, str):
        raise UnclearError("the path of a call cannot be read")
    try:
        return client._prepare_url(path)  # noqa: SLF001 -- as the SDK sends it
    except Exception:  # noqa: BLE001 -- the call itself will raise what is wrong
        raise UnclearError("the path of a call cannot be read") from None


def _of_resource(
    client: Any, method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described:
    """Say what a method of a resource, as `chat.completions`, would send where.

    Raises:
        UnclearError: not all of it can be read.
    """
    if getattr(method, "__name__", "") == _CONNECT:
        _require_plain_socket(kwargs)
    endpoint = type(method.__self__).__name__.removeprefix("Async").lower()
    files = {key: value for key, value in kwargs.items() if _is_file(value)}
    rest = kwargs
    if files:
        rest = {key: value for key, value in kwargs.items() if key not in files}
    more = kwargs.get("extra_body")
    found = _HIDDEN
    if not any(map(_is_file, args)):
        found = _merged(client, (rest, more), endpoint=endpoint)
    if files and endpoint == _FILES and not found.opaque:
        found = _uploaded(files, rest, more)
    return around_at(
        found,
        _base_url(client, method),
        headers=(*headers_of(client), kwargs.get("extra_headers")),
        queries=(*queries_of(client), kwargs.get("extra_query")),
    )


def _merged(client: Any, parts: tuple[object, object], *, endpoint: str) -> Described:
    """Say what a body asks for that is made of arguments, and of what wins over them."""
    known = [part for part in parts if part is not None]
    if not all(isinstance(part, Mapping) for part in known):
        return _HIDDEN
    maps: Any = known
    kind: Any = type(client)
    if len(maps) > 1 and _has_model_in_path(kind):
        first, second = (part.get("model") for part in maps)
        if "model" in maps[1] and first != second:
            return Described(opaque=True, why="its path and its body name two models")
    merged = maps[0] if len(maps) == 1 else {k: v for it in maps for k, v in it.items()}
    return contents_of(merged, endpoint=endpoint)


def _uploaded(
    files: Mapping[str, object], fields: Mapping[str, Any], more: object
) -> Described:
    if more:
        return Described(opaque=True, why="an upload has fields that are not known")
    try:
        return upload_of(_bytes_of(files.get("file")), purpose=fields.get("purpose"))
    except UnclearError as unclear:
        return Described(opaque=True, why=str(unclear))


@functools.lru_cache(maxsize=_MOST_KINDS)
def _has_model_in_path(kind: type[Any]) -> bool:
    """Say whether a client may write the model of the arguments into its path.

    Those for clouds do, before `extra_body` is put over the arguments. They are in a
    part of the SDKs of their own.
    """
    return any(".lib." in item.__module__ for item in kind.__mro__)


def _require_plain_socket(kwargs: Mapping[str, Any]) -> None:
    """Refuse a web socket that could be led elsewhere, now or when it is opened again.

    Raises:
        UnclearError: it could be.
    """
    if kwargs.get("on_reconnecting") is not None:
        raise UnclearError("a web socket may be opened again in another way")
    options = kwargs.get("websocket_connection_options") or {}
    if not isinstance(options, Mapping) or not options.keys() <= _OF_SOCKETS:
        raise UnclearError("a web socket has options that are not known")


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


def _base_url(client: Any, method: Any) -> Any:
    """Return where a method sends to: web sockets may have an address of their own."""
    other = getattr(client, "websocket_base_url", None)
    if other is not None and getattr(method, "__name__", "") == _CONNECT:
        return type(client.base_url)(str(other))
    return client.base_url
