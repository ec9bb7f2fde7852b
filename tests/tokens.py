"""An issuer of tokens for tests: keys, their public set, and tokens of every kind."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

ISSUER: Final = "https://login.acme.example"
AUDIENCE: Final = "acme-assistant"


@dataclass
class Issuer:
    """Signs tokens with an Ed25519 key (`ed`) and a P-256 key (`ec`)."""

    ed: Any = field(default_factory=ed25519.Ed25519PrivateKey.generate)
    ec: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def keys(self) -> dict[str, Any]:
        """The public key set."""
        edwards = json.loads(OKPAlgorithm.to_jwk(self.ed.public_key()))
        curve = json.loads(ECAlgorithm.to_jwk(self.ec.public_key()))
        return {
            "keys": [
                {**edwards, "kid": "ed", "use": "sig"},
                {**curve, "kid": "ec", "use": "sig"},
                {**curve, "kid": "for-encryption", "use": "enc"},
            ]
        }

    @property
    def pem(self) -> bytes:
        """The public Ed25519 key, which everybody knows."""
        return self.ed.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def token(
        self,
        *,
        kid: str = "ed",
        headers: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """Return a token that is valid, but for what is given."""
        known = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice@acme.example",
            "exp": int(time.time()) + 36_000,  # made when tests are collected
            **claims,
        }
        kept = {name: value for name, value in known.items() if name not in without}
        key, algorithm = (self.ed, "EdDSA") if kid == "ed" else (self.ec, "ES256")
        return jwt.encode(
            kept, key, algorithm=algorithm, headers={"kid": kid, **(headers or {})}
        )
