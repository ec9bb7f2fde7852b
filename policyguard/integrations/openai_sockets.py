"""Refuses the web sockets of a protected `openai` client.

The SDK opens them past its HTTP client, where no transport of ours can see them. Each
resource of the SDK that has a `connect` gets one that first asks whether the client is
protected; for all other clients nothing changes. Frameworks that open a socket themselves
take its address from the client, and a protected one has none.

Owner: the process. It is done once, to the SDK's classes, those that are loaded later
included; whoever controls the process can undo it.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

from policyguard.errors import CannotProtect
from policyguard.integrations.httpx import is_protected

_MARK: Final = "__policyguard__"
_NOWHERE: Final = "wss://a-protected-client-opens-no-web-sockets.invalid"
_REFUSED: Final = (
    "a protected client opens no web sockets, because its transport cannot see them:"
    " call `guard.call(client.….connect, …)` on a client of its own that is not protected"
)
_RESOURCES: Final = frozenset({"SyncAPIResource", "AsyncAPIResource"})
_CHANGING: Final = threading.Lock()


def refuse_sockets(client: object) -> None:
    """Make `connect` of every resource of a client's SDK refuse protected clients.

    Raises:
        CannotProtect: the SDK has no resources that are known.
    """
    _watch_all(list(_resource_bases(client)))
    known: Any = client
    if hasattr(known, "websocket_base_url"):
        # Others take the address from the client, and open a socket of their own.
        known.websocket_base_url = _NoAddress(_NOWHERE)


def watch_sdk() -> None:
    """Make `connect` of every resource refuse clients whose HTTP client is protected.

    Raises:
        CannotProtect: the SDK has no resources that are known.
    """
    try:
        module = importlib.import_module("openai._resource")
    except ImportError:
        module = None
    _watch_all([kind for name in _RESOURCES if (kind := getattr(module, name, None))])


def _watch_all(bases: list[Any]) -> None:
    if not bases:
        raise CannotProtect(
            "this version of the SDK has no resources that are known, so its web"
            " sockets cannot be refused: wrap its calls with `guard.call`"
        )
    with _CHANGING:
        for base in bases:
            _watch(base)


class _NoAddress(str):
    """Is where the web sockets of a protected client go: nowhere, by RFC 6761."""

    __slots__ = ()

    def __str__(self) -> str:
        """Refuse, where somebody asks for the address by name.

        Raises:
            CannotProtect: always.
        """
        raise CannotProtect(_REFUSED)


def _resource_bases(client: object) -> Iterator[Any]:
    # What the SDK's own resources are made of; found by a resource, not by an import.
    chat = getattr(client, "chat", None)
    for kind in type(chat).__mro__:
        if kind.__name__ in _RESOURCES:
            module = sys.modules[kind.__module__]
            for name in sorted(_RESOURCES):
                if hasattr(module, name):
                    yield getattr(module, name)


def _watch(base: Any) -> None:
    """Treat all subclasses of a class, also those that do not exist yet."""
    for kind in _subclasses(base):
        _refuse_in(kind)
    if _MARK in vars(base):
        return
    before = vars(base).get("__init_subclass__")

    def treated(kind: type[Any], /, **more: Any) -> None:
        if before is None:
            super(base, kind).__init_subclass__(**more)
        else:
            before.__get__(None, kind)(**more)
        _refuse_in(kind)

    base.__init_subclass__ = classmethod(treated)
    setattr(base, _MARK, True)


def _subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def _refuse_in(kind: type[Any]) -> None:
    connect = vars(kind).get("connect")
    if callable(connect) and not hasattr(connect, _MARK):
        setattr(kind, "connect", _refusing(connect))  # noqa: B010 -- kinds vary


def _refusing(connect: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(connect)
    def refusing(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_protected(getattr(self._client, "_client", None)):
            raise CannotProtect(_REFUSED)
        return connect(self, *args, **kwargs)

    setattr(refusing, _MARK, True)
    return refusing
