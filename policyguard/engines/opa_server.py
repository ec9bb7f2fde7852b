"""Says where an OPA server is and what proves that it is the right one.

An answer that somebody on the way could write is no decision. So plain HTTP is for
this machine's loopback alone, unless the settings say in a word of their own that
something else, as a service mesh, protects the way.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from policyguard.errors import ConfigurationError

DEFAULT_DEADLINE: Final = 0.5
MAX_ANSWER_BYTES: Final = 4 << 20
CONNECTIONS: Final = 32
_MAX_TOKEN_BYTES: Final = 8_192
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_PORTS: Final = {"http": 8181, "https": 443}
_EXAMPLE: Final = "as `https://opa.example:8181`"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaServer:
    """Is an OPA server and how it is reached."""

    url: str
    """Scheme, host and port and nothing else, as `https://opa.example:8181`."""
    ca_file: Path | None = None
    """PEM of the authorities that may vouch for the server; else the system's."""
    client_cert: Path | None = None
    client_key: Path | None = None
    """For mutual TLS; without a key file the certificate's file holds it."""
    token_file: Path | None = None
    """Holds the bearer token."""
    plaintext: bool = False
    """Whether plain HTTP may leave this machine."""
    deadline: float = DEFAULT_DEADLINE
    """Seconds for one decision, with connecting, retry and reading."""
    max_answer_bytes: int = MAX_ANSWER_BYTES
    connections: int = CONNECTIONS
    """How many idle connections are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Is a server after its settings have been checked and its files read."""

    host: str
    port: int
    token: str | None = field(repr=False)
    tls: ssl.SSLContext | None = field(repr=False)


def address_of(server: OpaServer) -> Address:
    """Check the settings of a server, and read the files that they name.

    Raises:
        ConfigurationError: an address with anything but scheme, host and port, plain
            HTTP to another machine, or a file that cannot be used; says which.
    """
    if not 0 < server.deadline <= 60:  # noqa: PLR2004 -- a minute
        raise ConfigurationError(
            f"a deadline of `{server.deadline}` seconds is none: give up to 60"
        )
    scheme, host, port = _split(server.url)
    if scheme == "http" and not (server.plaintext or _is_loopback(host)):
        raise ConfigurationError(
            f"`{server.url}` is plain HTTP to another machine, on which anybody in"
            " between could allow calls: use `https://`, an OPA on this machine's"
            " loopback, or set `plaintext = true` where a mesh protects the way"
        )
    tls = _context(server) if scheme == "https" else None
    if tls is None and (server.ca_file or server.client_cert):
        raise ConfigurationError(
            f"`{server.url}` is plain HTTP, and certificates are set: use `https://`"
        )
    return Address(host=host, port=port, token=_token(server.token_file), tls=tls)


def _split(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"`{url}` is no address of an OPA server: {error}: write it {_EXAMPLE}"
        ) from error
    odd = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _PORTS or not host or odd or not url.isprintable():
        raise ConfigurationError(
            f"`{url}` is no address of an OPA server: write scheme, host and port,"
            f" {_EXAMPLE}"
        )
    return parts.scheme, host, port or _PORTS[parts.scheme]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _context(server: OpaServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=str(server.ca_file) if server.ca_file else None
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if server.client_cert is not None:
            # Without a password nobody is asked for one in the middle of a start.
            context.load_cert_chain(
                server.client_cert, server.client_key, password=lambda: b""
            )
    except (OSError, ValueError) as error:
        named = server.client_cert or server.ca_file
        raise ConfigurationError(
            f"the certificates for `{server.url}` cannot be used: {error}: correct"
            f" `{named}`"
        ) from error
    return context


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        with file.open("rb") as stream:
            text = stream.read(_MAX_TOKEN_BYTES + 1).decode("ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the token file `{file}` cannot be read: {error}"
        ) from error
    if len(text) > _MAX_TOKEN_BYTES or _TOKEN.fullmatch(text) is None:
        raise ConfigurationError(
            f"the token file `{file}` holds no token: one line of ASCII without spaces"
        )
    return text
