"""Says what an address means: which host it goes to, which model its path names.

Specification: RFC 3986 for the parts of a URL, restricted to what every HTTP client
reads alike. Where two clients could read a text as two hosts, it is no endpoint: an
unknown place is never allowed by accident.
"""

from __future__ import annotations

import functools
import re
from typing import Final
from urllib.parse import unquote

MOST_ADDRESSES: Final = 1_024
"""So many are remembered: a process sends to few."""
_FLAGS: Final = re.IGNORECASE | re.ASCII
_HOST: Final = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_AUTHORITY: Final = re.compile(rf"({_HOST}|\[[0-9A-Fa-f:.]+\])\.?(?::([0-9]{{0,5}}))?")
_URL: Final = re.compile(r"(https?|wss?)://([^/?#@\\]+)(?:[/?#][!-\[\]-~]*)?", _FLAGS)
_DEFAULT_PORT: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_MAX_HOST: Final = 253
_MAX_PORT: Final = 65_535

_DOT_SEGMENT: Final = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", _FLAGS)
_PATHS: Final = (
    # Azure OpenAI; Bedrock; Vertex. The body of these calls may name another model,
    # and the service does not look at it.
    re.compile(r"/openai/deployments/([^/]+)(?:/|$)"),
    re.compile(r"^/model/([^/]+)/"),
    re.compile(r"/models/([^/:]+):[A-Za-z]"),
)


@functools.lru_cache(maxsize=MOST_ADDRESSES)
def endpoint_of(base_url: str) -> str | None:
    """Return the host that a URL goes to, or `None` if it is not plain to see.

    Args:
        base_url: An `http`, `https`, `ws` or `wss` URL.

    Returns:
        The lower-case host without a trailing dot, with `:port` unless the port is
        the scheme's own. `None` for user information, percent signs or backslashes
        in the authority, characters outside ASCII, spaces and control characters.
    """
    found = _URL.fullmatch(base_url)
    if found is None:
        return None
    return _normal(found[2], default_port=_DEFAULT_PORT[found[1].lower()])


def host_key(host: str) -> str | None:
    """Return a bare `host` or `host:port` in the form in which hosts are compared.

    Without a scheme no port is the scheme's own, so none is taken away.
    """
    return _normal(host, default_port=None)


def has_dot_segments(path: str) -> bool:
    """Say whether client and server may differ on what a path names."""
    return _DOT_SEGMENT.search(path.partition("?")[0]) is not None


def model_in_path(path: str) -> str | None:
    """Return the model that a path names, or `None` when the body names it.

    Args:
        path: The path of a URL, percent-encoded as it is sent, with or without query.
    """
    path = path.partition("?")[0]
    for pattern in _PATHS:
        if found := pattern.search(path):
            return unquote(found[1])
    return None


def _normal(authority: str, *, default_port: int | None) -> str | None:
    found = _AUTHORITY.fullmatch(authority)
    if found is None or len(found[1]) > _MAX_HOST:
        return None
    host = found[1].lower()
    if not found[2]:
        return host
    port = int(found[2])
    if port > _MAX_PORT:
        return None
    return host if port == default_port else f"{host}:{port}"
