"""Says what an address means: which host it goes to, which model its path names.

Specification: RFC 3986 for the parts of a URL, restricted to what every HTTP client
and every server reads alike. Where two could read a text as two hosts, it is no endpoint,
and where they could read a path in two ways, it names nothing: an unknown place is never
allowed by accident.
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

_CHARACTER: Final = r"[A-Za-z0-9._~!$&'()*+,=:@-]"
"""Stands in a path for itself, whoever reads it. `;` is left out: some servers take away
what follows it."""
_ESCAPE: Final = r"%(?!2[5DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|[57]F|7E|[01])[0-9A-F]{2}"
"""What SDKs encode in a name. One who reads it encoded and one who decodes it read the
same of no letter, digit, `-`, `.`, `_`, `~`, `%` or control character: those never are."""
_PLAIN: Final = re.compile(rf"(?:/{_CHARACTER}+)*/?", re.ASCII)
_NAME: Final = re.compile(rf"(?:{_CHARACTER}|{_ESCAPE})+", _FLAGS)
_DOTS: Final = re.compile(r"(?:^|/)\.{0,2}(?:/|$)", re.ASCII)
"""A segment that leads elsewhere, or that some readers leave out."""
_OF_VERBS: Final = "/models/"
_NAMING: Final = tuple(
    # Azure OpenAI; its older form; Bedrock; Vertex and Gemini. The body of these calls
    # may name another model, and the service does not look at it. Looking ahead, each
    # finds every place where somebody might read a name.
    re.compile(rf"(?=({before})({name}){after})", _FLAGS)
    for before, name, after in (
        ("/openai/deployments/", "[^/]+", "(?:/|$)"),
        ("/engines/", "[^/]+", "/"),
        ("/model/", "[^/]+", "/"),
        (_OF_VERBS, "[^/:]+", ":[a-z]+(?:/|$)"),
    )
)
_VERB: Final = re.compile(r":[a-z]+(?:/|$)", _FLAGS)
"""What Google's APIs are asked to do with the thing that the path names."""
_READING: Final = re.compile(r"/(?:batches|files|parts)/?$", _FLAGS)
"""By these ends of a path a body is read as something else than a call."""


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


def model_in_path(path: str) -> str | None:
    """Return the model that a path names, or `None` when the body names it.

    Args:
        path: The path of a URL, percent-encoded as it is sent, with or without query.
            One that is `unclear` may have names that are not returned.
    """
    path = path.partition("?")[0]
    for pattern in _NAMING:
        if found := pattern.search(path):
            return unquote(found[2])
    return None


def unclear(path: str) -> str:
    """Say why two readers may differ on what a path names; empty: none do.

    A server may decode a path before it looks at it, leave out empty segments or what
    follows a `;`, or take no notice of case; another one does not.

    Args:
        path: As `model_in_path` takes it.
    """
    path = path.partition("?")[0]
    found = [match for pattern in _NAMING for match in pattern.finditer(path)]
    rest, name = path, "m"
    if found:
        start, end = found[0].span(2)
        rest, name = f"{path[:start]}m{path[end:]}", path[start:end]
    why = ""
    if len({match.span(2) for match in found}) > 1:
        why = "it names two models"
    elif _NAME.fullmatch(name) is None or _DOTS.search(unquote(name)):
        why = "the name of the model in it is encoded in an unusual way"
    else:
        why = _unclear_around(rest, words=[match[1] for match in found])
    return why and f"it is not certain what its path names: {why}"


def _unclear_around(path: str, *, words: list[str]) -> str:
    """Say what is unclear in a path that has a stand-in where it names a model."""
    segments = path.removeprefix("/").removesuffix("/")
    if segments and _DOTS.search(segments):
        return "it has empty segments or ones of dots"
    if _PLAIN.fullmatch(path) is None:
        return "it has an encoded or an unusual character"
    if not all(map(str.islower, [*words, *_READING.findall(path)])):
        return "a word in it has another case than usual"
    if len(_VERB.findall(path)) > words.count(_OF_VERBS):
        return "it has a verb, and not the name of a model before it"
    return ""


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
