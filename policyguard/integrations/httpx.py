"""Guards clients of httpx and of httpx2, and calls of their methods.

    guard.protect(client)

From then on each request of the client is checked, each redirect and each retry too.
Facts come from `policyguard.context(…)` and from the guard that protects: declare on
it, as `guard.bind(…).protect(client)`, only what holds for all calls of the client.

Neither library is imported here; the client's own is used.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import CannotProtect
from policyguard.guard.describe import Described, Observed
from policyguard.integrations.wire_body import UNREAD, Sent, read_body, sent_by
from policyguard.integrations.wire_stream import observed_in, region_in
from policyguard.integrations.wire_transport import Guarded, transports_for

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

__all__ = [
    "describe",
    "install",
    "is_protected",
    "observe",
    "observed_response",
    "protect",
    "transports_for",
]

_MODULES: Final = ("httpx", "httpx2")
_VERBS: Final = frozenset({"get", "options", "head", "post", "put", "patch", "delete"})
_BUILD: Final = frozenset(
    {"content", "data", "files", "json", "params", "headers", "cookies", "extensions"}
)
_BESIDE: Final = frozenset({"method", "url", "auth", "follow_redirects", "timeout"})
"""What else a verb takes. `auth` and redirects show at the transport alone."""
_OWN_ROUTING: Final = ("_transport_for_url", "_send_single_request")
_INSTALLING: Final = threading.Lock()


def install(client: object, guard: Guard) -> None:
    """Guard the transports of an HTTP client in place; a second time does nothing.

    Args:
        client: A client of httpx or httpx2 that is not closed.
        guard: Is asked before each request.

    Raises:
        CannotProtect: the client is closed, is another guard's, or has no transports
            that can be guarded.
    """
    module = module_of(client)
    known: Any = client
    if module is None:
        raise CannotProtect(
            f"a `{type(client).__qualname__}` is no client of httpx or httpx2: protect"
            " the client that sends"
        )
    _require_open(known, module=module)
    sync, asynchronous = transports_for(module)
    kind = asynchronous if isinstance(client, _any(module).AsyncClient) else sync
    with _INSTALLING:
        transports = [known._transport, *known._mounts.values()]  # noqa: SLF001
        for transport in transports:
            if isinstance(transport, Guarded) and transport.guard is not guard:
                raise CannotProtect(
                    "another guard protects this client already: declare what differs"
                    " between calls with `policyguard.context(…)`"
                )
        known._transport = _guarded(kind, known._transport, guard)  # noqa: SLF001
        for pattern, transport in known._mounts.items():  # noqa: SLF001
            known._mounts[pattern] = _guarded(kind, transport, guard)  # noqa: SLF001


def is_protected(client: object) -> bool:
    """Say whether a guard stands before each transport of an HTTP client."""
    transports = [
        getattr(client, "_transport", None),
        *(getattr(client, "_mounts", None) or {}).values(),
    ]
    return isinstance(transports[0], Guarded) and all(
        item is None or isinstance(item, Guarded) for item in transports
    )


def protect(client: object, guard: Guard) -> None:
    """Guard the transports of an HTTP client in place; see `install`."""
    if "openai" in sys.modules:
        # Its clients may be made of this one, and open web sockets past it.
        from policyguard.integrations.openai_sockets import watch_sdk

        watch_sdk()
    install(client, guard)


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a method of an HTTP client would send where, or `None`."""
    client = getattr(fn, "__self__", None)
    module = module_of(client)
    if module is None:
        return None
    try:
        sent = _sent(client, fn, args, kwargs)
    except Exception:  # noqa: BLE001 -- the call itself will raise what is wrong
        return None
    return None if sent is None else sent.described


def observe(result: object) -> Observed:
    """Say what an answer tells of the model that served it."""
    if module_of(result) is None:
        return Observed(stream=True)
    return observed_response(result)


def observed_response(response: object) -> Observed:
    """Say what a whole HTTP answer tells; one that is still open is a stream."""
    known: Any = response
    if not getattr(known, "is_closed", False):
        return Observed(stream=True)
    try:
        seen = observed_in(known.json())
    except Exception:  # noqa: BLE001 -- an answer may be anything
        seen = Observed()
    return replace(seen, served_region=seen.served_region or region_in(known.headers))


def _sent(
    client: Any, fn: Callable[..., object], args: tuple[Any, ...], kwargs: Any
) -> Sent | None:
    name = getattr(fn, "__name__", "")
    bound = dict(inspect.signature(fn).bind(*args, **kwargs).arguments)
    if name == "send":
        request = bound["request"]
    elif name in _VERBS or name in {"request", "stream"}:
        if not bound.keys() <= _BUILD | _BESIDE:
            return None
        method = bound.get("method", name)
        known = {key: value for key, value in bound.items() if key in _BUILD}
        request = client.build_request(method, bound["url"], **known)
    else:
        return None
    # A body that is made while it is sent can be read only once, and not by us.
    whole = type(request.stream).__name__ == "ByteStream"
    return sent_by(request, read_body(request) if whole else UNREAD)


def _guarded(kind: type[Any], transport: Any, guard: Guard) -> Any:
    if transport is None or isinstance(transport, Guarded):
        return transport
    return kind(transport, guard)


def _require_open(client: Any, *, module: ModuleType) -> None:
    kinds = [
        kind
        for kind in (_any(module).AsyncClient, _any(module).Client)
        if isinstance(client, kind)
    ]
    transport = getattr(client, "_transport", None)
    mounts = getattr(client, "_mounts", None)
    if not kinds or transport is None or not isinstance(mounts, dict):
        raise CannotProtect(
            f"this `{type(client).__qualname__}` has no transports that are known:"
            " protect the client that sends"
        )
    if client.is_closed:
        raise CannotProtect("the client is closed: protect it before it is used")
    for name in _OWN_ROUTING:
        if getattr(type(client), name, None) is not getattr(kinds[0], name, None):
            raise CannotProtect(
                f"a `{type(client).__qualname__}` has its own `{name}`, and may send"
                " past its transports: wrap its calls with `guard.call`"
            )


def module_of(thing: object) -> ModuleType | None:
    """Return the library that an object's class comes from, if it is one of the two."""
    for kind in type(thing).__mro__:
        root = kind.__module__.partition(".")[0]
        if root in _MODULES and root in sys.modules:
            return sys.modules[root]
    return None


def _any(module: ModuleType) -> Any:
    return module
