"""Says which tools a call offers its model, for whoever reads its record.

A tool of the caller's own has its name; one that the provider runs has its type, and where
it is a server of somebody else's, that server's host. Names were typed by a client: they
may be anything, and are kept where content is kept.

Specification: the fields by which OpenAI's, Anthropic's and Bedrock's APIs take tools, and
by which Gemini's does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

_LISTS: Final = ("tools", "functions", "mcp_servers")
_SEARCH: Final = "web_search_options"
_OF_BEDROCK: Final = "toolConfig"
_FIELDS: Final = frozenset({*_LISTS, _SEARCH, _OF_BEDROCK})
_CACHE: Final = "cachePoint"
"""Stands in Bedrock's list of tools, and is none."""
_SPEC: Final = "toolSpec"
"""The key of the caller's own tool there; one that Bedrock runs has another."""
_DECLARED: Final = ("functionDeclarations", "function_declarations")
"""The caller's own tools in Gemini's list, several in one item."""
_OF_NAMED: Final = frozenset(
    {"function", "name", "server_label", "server_url", "type", "url"}
)
"""Fields of a tool that says itself what it is."""
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
    inner = document.get(_OF_BEDROCK)
    lists = [document.get(field) for field in _LISTS]
    lists.append(inner.get("tools") if isinstance(inner, Mapping) else None)
    for items in lists:
        for item in items if isinstance(items, (list, tuple)) else ():
            if isinstance(item, Mapping):
                yield from _names(item)
            else:
                yield _UNKNOWN
    if document.get(_SEARCH) is not None:
        yield _SEARCH


def _names(item: Mapping[Any, Any]) -> Iterator[str]:
    """Yield what one item of a list offers: itself, or what is under each of its keys."""
    if not item or not _OF_NAMED.isdisjoint(item):
        yield _named(item)
        return
    for key, inner in item.items():
        if key in _DECLARED and isinstance(inner, (list, tuple)):
            for tool in inner:
                yield _named(tool) if isinstance(tool, Mapping) else _UNKNOWN
        elif key != _CACHE:
            yield _keyed(key, inner)


def _keyed(key: object, inner: object) -> str:
    name = inner.get("name") if isinstance(inner, Mapping) else None
    words = ("" if key == _SPEC else key, name)
    known = " ".join(word for word in words if isinstance(word, str) and word)
    return known or _UNKNOWN


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
