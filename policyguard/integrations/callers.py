"""Names the caller of a web request: by a verified token, or by a proxy that is known.

Middleware asks one of these sources, and puts the caller into the context in which the
application runs. A source either names a caller whose every field was verified by
somebody who is trusted, or refuses; nothing is taken over because it is there.

INVARIANT: what a client can type is never a caller. A token counts by its signature,
a header by the address of the peer that set it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from pydantic import ValidationError

from policyguard.errors import CallerRefused, ConfigurationError
from policyguard.guard.facts import explain
from policyguard.vocabulary.call import Caller

Headers: TypeAlias = Sequence[tuple[str, str]]
"""Names in lower case, with their values, in order and with repetitions."""
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST: Final = 256
_LISTS: Final = frozenset({"citizenships"})
FIELDS: Final = frozenset(
    {
        "id",
        "person_status",
        "citizenships",
        "latest_citizenship",
        "residence",
        "location",
        "subdivision",
    }
)
"""The fields of a caller that a token or a proxy can state."""


class Callers(Protocol):
    """Names the caller of a request."""

    @property
    def own_headers(self) -> frozenset[str]:
        """The headers that only this source may read: the application gets none."""

    @property
    def challenge(self) -> str:
        """What `WWW-Authenticate` says, as far as it depends on no request."""

    def caller_of(self, headers: Headers, *, peer: str | None) -> Caller | None:
        """Return the caller; `None`: nobody says who it is.

        Args:
            headers: Those of the request.
            peer: The address at the other end of the connection.

        Raises:
            CallerRefused: somebody says who it is, and does not prove it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyCallers:
    """Takes the caller from headers that a known proxy sets.

    The proxy has to remove these headers from what clients send. The server must give
    the address of the connection itself: switch off whatever rewrites it from
    `X-Forwarded-For`, as `uvicorn --no-proxy-headers` does.
    """

    peers: tuple[str, ...]
    """Addresses or networks of the proxies, as `10.0.0.7` or `10.1.0.0/16`."""
    fields: Mapping[str, str]
    """Header names by the field of `Caller` that they state; `id` has to be there."""
    _networks: tuple[_Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would trust everybody, or nobody.

        Raises:
            ConfigurationError: no peers, a wrong one, or wrong fields or headers.
        """
        checked_fields(self.fields, what="header")
        wrong = [name for name in self.fields.values() if not _NAME.fullmatch(name)]
        if wrong:
            raise ConfigurationError(
                f"`{wrong[0]}` is no header name in lower case, of letters, digits and"
                " hyphens"
            )
        if len(set(self.fields.values())) < len(self.fields):
            raise ConfigurationError("one header states two fields: give each its own")
        object.__setattr__(self, "_networks", _networks(self.peers))

    @property
    def own_headers(self) -> frozenset[str]:
        """The headers that state fields."""
        return frozenset(self.fields.values())

    @property
    def challenge(self) -> str:
        """Say that there is no way to prove oneself here."""
        return 'Proxy realm="policyguard"'

    def caller_of(self, headers: Headers, *, peer: str | None) -> Caller | None:
        """Return the caller that a known proxy states; `None`: no header says so.

        Args:
            headers: Those of the request.
            peer: The address at the other end of the connection.

        Raises:
            CallerRefused: the peer is not a known proxy, a header is there twice, or
                a value is none.
        """
        stated = {
            name: [value for key, value in headers if key == header]
            for name, header in self.fields.items()
        }
        if not any(stated.values()):
            return None
        if not self._knows(peer):
            raise CallerRefused(
                f"the peer `{peer}` is not among the known proxies, and sends their"
                " headers",
                reason="unknown_proxy",
            )
        claims = {
            name: _single(values, header=self.fields[name])
            for name, values in stated.items()
            if values
        }
        return caller_from(
            {
                name: value.split() if name in _LISTS else value
                for name, value in claims.items()
            }
        )

    def _knows(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address((peer or "").partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


def caller_from(stated: Mapping[str, object]) -> Caller:
    """Return a caller of whom fields were verified.

    Raises:
        CallerRefused: the id is missing, or a value is none.
    """
    if not stated.get("id"):
        raise CallerRefused("the caller has no id", reason="no_id", status=403)
    try:
        return Caller.model_validate(dict(stated))
    except ValidationError as error:
        raise CallerRefused(
            explain(error, prefix="caller"), reason="wrong_claims", status=403
        ) from error


def checked_fields(fields: Mapping[str, str], *, what: str) -> None:
    """Make sure that fields of a caller are named, `id` among them.

    Raises:
        ConfigurationError: a field that cannot be stated, or no `id`.
    """
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise ConfigurationError(
            f"a {what} cannot state `{unknown[0]}`: known are {', '.join(sorted(FIELDS))}"
        )
    if not fields.get("id"):
        raise ConfigurationError(f"name the {what} that states the caller's `id`")


def _networks(peers: Iterable[str]) -> tuple[_Network, ...]:
    if isinstance(peers, str) or not peers:
        raise ConfigurationError(
            "`peers` is empty or no list: name the addresses of your proxies"
        )
    known = []
    for peer in peers:
        try:
            network = ipaddress.ip_network(peer)
        except ValueError as error:
            raise ConfigurationError(
                f"`{peer}` is no address or network: {error}"
            ) from error
        if network.prefixlen == 0:
            raise ConfigurationError(
                f"`{peer}` is everybody: name the addresses of your proxies"
            )
        known.append(network)
    return tuple(known)


def _single(values: Sequence[str], *, header: str) -> str:
    """Return the one value of a header.

    Servers join repeated headers by commas, so a comma may be a second value.
    """
    value = values[0].strip()
    plain = value.isascii() and value.isprintable() and "," not in value
    if len(values) > 1 or not plain or len(value) > _LONGEST:
        raise CallerRefused(
            f"the header `{header}` is there twice, is longer than {_LONGEST}"
            " characters, or has a comma or what is not printable ASCII",
            reason="wrong_header",
        )
    return value
