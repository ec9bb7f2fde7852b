"""Says which tools a call offers its model, for whoever reads its record.

A tool of the caller's own has its name; one that the provider runs has its type, and where
it is a server of somebody else's, that server's host. Names were typed by a client: they
may be anything, and are kept where content is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_LISTS: Final = ("tools", "functions", "mcp_servers")
_SEARCH: Final = "web_search_options"
_FIELDS: Final = frozenset({*_LISTS, _SEARCH})
_OWN: Final = frozenset({None, "function", "custom"})
"""Types of tools that the caller runs."""
_MOST: Final = 64
_LONGEST: Final = 128
_UNKNOWN: Final = "?"


def offered_in(document: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the tools that the body of a call offers, as printable texts.

    Args:
        document: The body.

    Returns:
        Each tool; of very many the first, and how many more there are.
    """
    if _FIELDS.isdisjoint(document):
        return ()
    found = [_printable(text) for text in _offered(document)]
    more = len(found) - _MOST
    return (*found[:_MOST], f"… and {more} more") if more > 0 else tuple(found)


def _offered(document: Mapping[Any, Any]) -> Iterator[str]:
    for field in _LISTS:
        items = document.get(field)
        for item in items if isinstance(items, (list, tuple)) else ():
            yield _named(item) if isinstance(item, Mapping) else _UNKNOWN
    if document.get(_SEARCH) is not None:
        yield _SEARCH


def _named(item: Mapping[Any, Any]) -> str:
    kind, inner = item.get("type"), item.get("function")
    name = item.get("name") or item.get("server_label")
    if isinstance(inner, Mapping):
        name = inner.get("name")
    if not isinstance(kind, str) or kind in _OWN:
        return name if isinstance(name, str) and name else _UNKNOWN
    host = _host(item.get("server_url") or item.get("url"))
    words = (kind, name if name != kind else None, host and f"at {host}")
    return " ".join(word for word in words if isinstance(word, str) and word)


def _host(url: object) -> str | None:
    try:
        return urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return None


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else _UNKNOWN for char in text[:_LONGEST])
