"""Reads what is said around the body of a call that an SDK is about to send.

A `Host` header leads proxies elsewhere, and a query may name another model than the
body: gateways heed both. Neither is believed, wherever it was set. What headers make of
a body (another encoding, another length, a form) is not read at all.

Code that changes a request later, as an event hook, `auth` or a redirect does, shows
only at the transport.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import UnclearError
from policyguard.guard.describe import Described
from policyguard.integrations.wire_envelope import host_of, path_of

if TYPE_CHECKING:
    from httpx2 import URL

_HOST: Final = "host"
_TYPE: Final = "content-type"
_ENCODING: Final = "content-encoding"
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "upgrade"})
_READ: Final = frozenset({_HOST, _TYPE, _ENCODING}) | _FRAMING
_JSON: Final = re.compile(
    r"application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.IGNORECASE
)
_MODEL: Final = "model"


def around_at(
    found: Described, url: URL, *, headers: Iterable[object], queries: Iterable[object]
) -> Described:
    """Return what is known of a call that goes to a URL; see `around`."""
    own = url.params if url.query else None
    return around(
        found,
        host=host_of(url),
        path=path_of(url),
        headers=headers,
        queries=(*queries, own),
    )


def around(
    found: Described,
    *,
    host: str | None,
    path: str,
    headers: Iterable[object],
    queries: Iterable[object],
) -> Described:
    """Return what is known of a call, with its place, less what is said against it.

    Args:
        found: What its body asks for.
        host: Where it is sent.
        path: What is asked of the host.
        headers: What is said to be its headers, by whoever may say so.
        queries: The same of its query.
    """
    try:
        told = list(_told(headers))
        models = set(_named(queries))
        _require_plain(told)
    except UnclearError as unclear:
        return Described(opaque=True, path=path, why=str(unclear))
    if models - {found.model}:
        found = Described(opaque=found.opaque, why=found.why)
    moved = any(name == _HOST for name, _ in told)
    return replace(found, host=None if moved else host, path=path)


def headers_of(client: Any) -> tuple[object, ...]:
    """Return the headers that a client of an SDK sends with each call."""
    own = getattr(getattr(client, "_client", None), "headers", None)
    raw = getattr(own, "raw", None)
    if raw is not None:
        # As httpx has them: its own mapping decodes them all at each look.
        own = {name.decode("latin-1"): value for name, value in raw}
    return (getattr(client, "default_headers", None), own)


def queries_of(client: Any) -> tuple[object, ...]:
    """Return what a client of an SDK has in the query of each call."""
    http = getattr(client, "_client", None)
    return (getattr(client, "default_query", None), getattr(http, "params", None))


def _told(many: Iterable[object]) -> Iterator[tuple[str, str]]:
    """Yield the headers that lead elsewhere, or say how a body is to be read.

    Raises:
        UnclearError: they cannot be read.
    """
    for headers in many:
        if headers is None:
            continue
        if not isinstance(headers, Mapping):
            raise UnclearError("its headers cannot be read")
        for name, value in headers.items():
            if not isinstance(name, str):
                raise UnclearError("its headers cannot be read")
            known = name.strip().lower()
            if known in _READ:
                text = value.decode("latin-1") if isinstance(value, bytes) else value
                yield known, str(text)


def _named(many: Iterable[object]) -> Iterator[str]:
    """Yield the models that queries name.

    Raises:
        UnclearError: they cannot be read.
    """
    for query in many:
        if not query:
            continue
        if not isinstance(query, Mapping) or not all(
            isinstance(name, str) for name in query
        ):
            raise UnclearError("its query cannot be read")
        several = getattr(query, "get_list", None)
        if several is not None:
            yield from map(str, several(_MODEL))
        elif _MODEL in query:
            yield str(query[_MODEL])


def _require_plain(told: Iterable[tuple[str, str]]) -> None:
    for name, value in told:
        if name in _FRAMING:
            raise UnclearError(f"it has a header `{name}` of its own")
        if name == _ENCODING and value.strip().lower() != "identity":
            raise UnclearError("its body is compressed")
        if name == _TYPE and _JSON.fullmatch(value.strip()) is None:
            raise UnclearError("its body is said not to be JSON in UTF-8")
