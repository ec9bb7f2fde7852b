"""Names the caller by a JSON Web Token that a known issuer signed for us.

The algorithm is the key's and never the token's, whose header may only agree with it:
so neither `none` nor a public key taken for a shared secret has a way in. Secrets are
not accepted at all, because whoever can verify with one can also sign with it. PyJWT
(extra `jwt`) does the cryptography and the claims of time, issuer and audience.

Specification: RFC 7519, RFC 7515 and RFC 7517, as RFC 8725 asks to use them.

Owner: one `JwtCallers` is shared by all requests. It keeps the key set, which a crash
loses; it is got again, at the latest after `OLDEST_SECONDS`. An attacker who sends tokens with unknown key ids makes it ask
for the key set once in `REFRESH_SECONDS` and no more often.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from policyguard.errors import CallerRefused, ConfigurationError
from policyguard.integrations.callers import Headers, caller_from, checked_fields
from policyguard.vocabulary.call import Caller

KeySet: TypeAlias = Mapping[str, Any]
"""A JWK set, as an issuer publishes it at its `jwks_uri`."""
ALGORITHMS: Final = (
    "EdDSA",
    *(f"{kind}{bits}" for kind in ("ES", "PS", "RS") for bits in (256, 384, 512)),
)
REFRESH_SECONDS: Final = 60.0
"""For so long a key set that was asked for is not asked for again."""
OLDEST_SECONDS: Final = 3_600.0
"""A key set that can be got again is not used when it is older: a key may be withdrawn."""
_LONGEST_TOKEN: Final = 16 << 10
_LEAST_RSA_BITS: Final = 2_048
_MOST_LEEWAY: Final = 300
_DEFAULT: Final[Mapping[str, str]] = {"id": "sub"}
_REQUIRED: Final = ("exp", "iss", "aud", "sub")
_SECRET_PARTS: Final = frozenset({"d", "k"})


@dataclass(slots=True, kw_only=True)
class JwtCallers:
    """Takes the caller from the bearer token of a request."""

    keys: KeySet | Callable[[], KeySet]
    """The issuer's key set; or what gets it: at once, each hour, for unknown keys."""
    issuer: str
    """What `iss` has to be."""
    audience: str
    """What `aud` has to be or contain: the name of this application."""
    algorithms: Sequence[str] = ("ES256", "EdDSA", "RS256")
    """Those that are accepted, of `ALGORITHMS`."""
    claims: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULT))
    """Names of claims by the field of `Caller` that they state."""
    leeway_seconds: int = 30
    """How far the clocks may be apart."""
    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    _known: Mapping[str, Any] = field(init=False, repr=False)
    _asked: float = field(init=False, repr=False, default=0.0)
    _got: float = field(init=False, repr=False, default=0.0)
    _lock: threading.Lock = field(
        init=False, repr=False, default_factory=threading.Lock
    )

    def __post_init__(self) -> None:
        """Refuse what would accept too much, and get the keys.

        Raises:
            ConfigurationError: no issuer or audience, an algorithm that is not
                accepted, unusable keys, or PyJWT is not installed.
        """
        _jwt()
        checked_fields(self.claims, what="claim")
        if not self.issuer or not self.audience:
            raise ConfigurationError(
                "name `issuer` and `audience`: a token for others is none for us"
            )
        wrong = [name for name in self.algorithms if name not in ALGORITHMS]
        if wrong or not self.algorithms or isinstance(self.algorithms, str):
            raise ConfigurationError(
                f"`{wrong[0] if wrong else self.algorithms}` is not accepted: name"
                f" algorithms of {', '.join(ALGORITHMS)}"
            )
        if not 0 <= self.leeway_seconds <= _MOST_LEEWAY:
            raise ConfigurationError(
                f"`leeway_seconds` is not between 0 and {_MOST_LEEWAY}"
            )
        self._known = _read_keys(self.keys() if callable(self.keys) else self.keys)
        self._asked = self._got = self.clock()

    @property
    def own_headers(self) -> frozenset[str]:
        """None: the application may read the token too."""
        return frozenset()

    @property
    def challenge(self) -> str:
        """Ask for a bearer token."""
        return 'Bearer realm="policyguard"'

    def caller_of(self, headers: Headers, *, peer: str | None) -> Caller | None:  # noqa: ARG002 -- a token proves itself
        """Return the caller that a bearer token names; `None`: there is no token.

        Args:
            headers: Those of the request.
            peer: The address at the other end of the connection.

        Raises:
            CallerRefused: the token is not valid, or is not for us.
        """
        found = [value for name, value in headers if name == "authorization"]
        if not found:
            return None
        scheme, _, token = found[0].strip().partition(" ")
        if len(found) > 1 or scheme.lower() != "bearer":
            raise CallerRefused(
                "there is no single bearer token", reason="invalid_token"
            )
        claims = self._verified(token.strip())
        stated = {
            name: claims[claim]
            for name, claim in self.claims.items()
            if claims.get(claim) is not None
        }
        return caller_from(stated)

    def _verified(self, token: str) -> Mapping[str, Any]:
        jwt = _jwt()
        if len(token) > _LONGEST_TOKEN:
            raise CallerRefused("the token is too long", reason="invalid_token")
        try:
            key = self._key(jwt.get_unverified_header(token))
            claims = jwt.decode(
                token,
                key=key.key,
                algorithms=[key.algorithm_name],
                issuer=self.issuer,
                audience=self.audience,
                leeway=self.leeway_seconds,
                options={"require": list(_REQUIRED)},
            )
        except jwt.ExpiredSignatureError as error:
            raise CallerRefused("the token has expired", reason="expired") from error
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError) as error:
            raise CallerRefused(
                "the token is not for this application", reason="wrong_audience"
            ) from error
        except CallerRefused:
            raise
        except Exception as error:
            raise CallerRefused(
                f"the token is not valid: {type(error).__name__}",
                reason="invalid_token",
            ) from error
        return dict(claims)

    def _key(self, header: Mapping[str, Any]) -> Any:
        name = header.get("kid")
        if not isinstance(name, str) or "crit" in header or "b64" in header:
            raise CallerRefused(
                "the token names no key, or has an extension", reason="invalid_token"
            )
        known = self._newest() if self._too_old() else self._known
        key = known.get(name) or self._newest().get(name)
        if key is None:
            raise CallerRefused("the token's key is unknown", reason="unknown_key")
        # INVARIANT: the key's own algorithm decides; the header can only agree.
        if (
            header.get("alg") != key.algorithm_name
            or key.algorithm_name not in self.algorithms
        ):
            raise CallerRefused(
                "the token's algorithm is not that of its key, or not accepted",
                reason="wrong_algorithm",
            )
        return key

    def _too_old(self) -> bool:
        return callable(self.keys) and self.clock() - self._got >= OLDEST_SECONDS

    def _newest(self) -> Mapping[str, Any]:
        """Get the key set again, unless that was tried a moment ago."""
        if not callable(self.keys):
            return self._known
        with self._lock:
            if self.clock() - self._asked < REFRESH_SECONDS:
                if self._too_old():
                    raise CallerRefused(
                        "the key set is too old, and a newer one could not be had",
                        reason="unknown_key",
                    )
                return self._known
            self._asked = self.clock()
            try:
                self._known = _read_keys(self.keys())
                self._got = self._asked
            except Exception as error:
                raise CallerRefused(
                    f"the key set could not be had: {type(error).__name__}",
                    reason="unknown_key",
                ) from error
        return self._known


def _read_keys(document: object) -> Mapping[str, Any]:
    """Return the public keys for signatures, by their ids.

    Raises:
        ConfigurationError: there is none, or one that must not be there.
    """
    listed = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or not listed:
        raise ConfigurationError('`keys` is no JWK set: give `{"keys": […]}`')
    known: dict[str, Any] = {}
    for item in listed:
        if isinstance(item, Mapping) and item.get("use", "sig") == "sig":
            name, key = _read_key(item)
            if name in known:
                raise ConfigurationError(f"two keys have the id `{name}`")
            known[name] = key
    if not known:
        raise ConfigurationError("the JWK set has no key for signatures")
    return known


def _read_key(item: Mapping[str, Any]) -> tuple[str, Any]:
    jwt = _jwt()
    name = item.get("kid")
    if not isinstance(name, str) or not name:
        raise ConfigurationError("a key of the JWK set has no `kid`: give it one")
    if item.get("kty") == "oct" or _SECRET_PARTS & item.keys():
        raise ConfigurationError(
            f"the key `{name}` is secret: to verify, give public keys alone"
        )
    try:
        key = jwt.PyJWK(dict(item))
    except Exception as error:
        raise ConfigurationError(
            f"the key `{name}` cannot be used: {type(error).__name__}"
        ) from error
    bits = getattr(key.key, "key_size", _LEAST_RSA_BITS)
    if item.get("kty") == "RSA" and bits < _LEAST_RSA_BITS:
        raise ConfigurationError(
            f"the key `{name}` is shorter than {_LEAST_RSA_BITS} bits"
        )
    if key.algorithm_name not in ALGORITHMS:
        raise ConfigurationError(f"the key `{name}` is for no accepted algorithm")
    return name, key


def _jwt() -> Any:
    try:
        import jwt
    except ImportError as error:
        raise ConfigurationError(
            "tokens need PyJWT: install `policyguard-ai[jwt]`"
        ) from error
    return jwt
