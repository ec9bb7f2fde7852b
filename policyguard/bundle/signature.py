"""Signs the files of a bundle, and verifies them: `.signatures.json`.

Stricter than OPA in four places. A bundle for which there are keys must be signed, and
by one of them. A delta bundle (`patch.json`), whose content OPA does not verify, is no
bundle here. Only the signatures file at the root counts. MD5 and SHA-1 prove nothing.

Specification: OPA bundles, "Signature Format"; RFC 7515.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policyguard.bundle.files import SIGNATURES
from policyguard.canonical import parse_json
from policyguard.errors import BundleError, FormatError, VerificationError
from policyguard.signing.jws import JwsKey, Token, parse_jws, sign_jws, verify_jws
from policyguard.signing.text import excerpt

MAX_SIGNATURES_BYTES: Final = 4 << 20
PATCH: Final = "patch.json"
_STRUCTURED: Final = frozenset({"data.json", "data.yaml", ".manifest"})
"""What is hashed by its content and not by its bytes, by its name."""
_HASHES: Final = {
    "SHA-224": "sha224",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SHA-512-224": "sha512_224",
    "SHA-512-256": "sha512_256",
}
_HEX: Final = re.compile(r"[0-9a-f]{56,128}")
_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_ESCAPED: Final = re.compile('["\\\\\x00-\x1f\u2028\u2029]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Says by whom a bundle was signed."""

    key: str
    algorithm: str
    scope: str


def sign_files(files: Mapping[str, bytes], *, key: JwsKey, scope: str = "") -> bytes:
    """Return the bytes of `.signatures.json` for the files of a bundle.

    Args:
        files: Content by path; a signatures file among them is passed over.
        key: A private key, whose id the signature names.
        scope: What the bundle may be used for; whoever verifies names the same.

    Raises:
        BundleError: a file that cannot be hashed.
        ConfigurationError: the key cannot sign.
    """
    payload: dict[str, Any] = {
        "files": [
            {"algorithm": "SHA-256", "hash": hash_of(path, data), "name": path}
            for path, data in sorted(files.items())
            if path != SIGNATURES
        ],
        "keyid": key.id,
    }
    if scope:
        payload["scope"] = scope
    text = json.dumps(payload, separators=(",", ":"), sort_keys=True)
    token = sign_jws(text.encode(), key=key)
    return json.dumps({"signatures": [token]}).encode() + b"\n"


def verify_files(
    files: Mapping[str, bytes], *, keys: Sequence[JwsKey], scope: str = "", name: str
) -> Signed:
    """Verify that a bundle is signed by one of some keys, file by file.

    Args:
        files: All files of the bundle by path.
        keys: The public keys that are trusted. A signature without a key id is
            verified with the only one, if there is one.
        scope: What the signature must be for.
        name: What to call the bundle in messages.

    Returns:
        Who signed it.

    Raises:
        BundleError: no signature or more than one, one that does not hold, an unknown
            key, another scope, a file that is changed, missing or not signed; names
            the file.
        ConfigurationError: a key is none of its algorithm.
    """
    if any(path.rpartition("/")[2] == PATCH for path in files):
        raise BundleError(f"{name}: is a delta bundle: build a whole one")
    try:
        token = _single_token(files.get(SIGNATURES))
        payload = _payload_of(token)
        key = _key_of(token, payload, keys)
        verify_jws(token, key=key)
        _require_scope(payload, scope)
        _require_same_files(files, payload)
    except (FormatError, VerificationError) as error:
        raise BundleError(f"{name}: {SIGNATURES}: {error}") from error
    except BundleError as error:
        raise BundleError(f"{name}: {error}") from error
    return Signed(key=key.id, algorithm=key.algorithm, scope=scope)


def signer_of(files: Mapping[str, bytes]) -> Signed | None:
    """Return what a bundle says of its signature, unverified; None without one.

    Raises:
        BundleError: a signature that cannot be read.
    """
    if SIGNATURES not in files:
        return None
    try:
        token = _single_token(files[SIGNATURES])
        known = _payload_of(token)
    except FormatError as error:
        raise BundleError(f"{SIGNATURES}: {error}") from error
    return Signed(
        key=str(token.header.get("kid") or known.get("keyid") or ""),
        algorithm=str(token.header.get("alg") or ""),
        scope=str(known.get("scope") or ""),
    )


def hash_of(path: str, data: bytes, *, algorithm: str = "SHA-256") -> str:
    """Return the hash of one file as a signature lists it, in hexadecimal.

    Raises:
        BundleError: an unknown or weak algorithm, or a document that is no JSON.
    """
    import hashlib

    known = _HASHES.get(algorithm)
    if known is None:
        raise BundleError(
            f"{path}: is hashed with `{excerpt(algorithm)}`: sign it with SHA-256"
        )
    hashed = hashlib.new(known)
    if path.rpartition("/")[2] in _STRUCTURED:
        for part in _written(_parsed(path, data)):
            hashed.update(part.encode("utf-8"))
    else:
        hashed.update(data)
    return hashed.hexdigest()


class _Number(str):
    """Is a number as it is written: `1.0` and `1` are two."""

    __slots__ = ()


def _parsed(path: str, data: bytes) -> object:
    try:
        # First as every parser reads it alike; then with each number as it stands.
        parse_json(data, max_bytes=len(data))
        return json.loads(data, parse_int=_Number, parse_float=_Number)
    except (FormatError, ValueError) as error:
        raise BundleError(f"{path}: {error}") from error


def _written(value: object) -> Iterator[str]:
    """Yield a document as OPA's signer writes it for its hash."""
    if isinstance(value, dict):
        yield "{"
        ordered = sorted(value, key=lambda key: key.encode("utf-8"))
        for index, key in enumerate(ordered):
            yield f"{',' if index else ''}{_text(key)}:"
            yield from _written(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for index, item in enumerate(value):
            yield "," if index else ""
            yield from _written(item)
        yield "]"
    elif isinstance(value, _Number):
        yield value
    elif isinstance(value, str):
        yield _text(value)
    else:
        yield {True: "true", False: "false", None: "null"}[value]  # type: ignore[index]


def _text(text: str) -> str:
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _single_token(data: bytes | None) -> Token:
    if data is None:
        raise FormatError("is missing: the bundle is not signed")
    document = parse_json(data, max_bytes=MAX_SIGNATURES_BYTES)
    if not isinstance(document, dict) or document.keys() - {"signatures", "plugin"}:
        raise FormatError("is no signatures file")
    if document.get("plugin") not in {None, "", "_default"}:
        raise FormatError("asks for a plugin that verifies it: there is none here")
    tokens = document.get("signatures")
    if not isinstance(tokens, list) or len(tokens) != 1:
        raise FormatError("has not exactly one signature")
    if not isinstance(tokens[0], str):
        raise FormatError("has a signature that is no text")
    return parse_jws(tokens[0])


def _payload_of(token: Token) -> Mapping[str, Any]:
    payload = parse_json(token.payload, max_bytes=MAX_SIGNATURES_BYTES)
    if not isinstance(payload, dict):
        raise FormatError("the signature's payload is no object")
    return payload


def _key_of(token: Token, payload: Mapping[str, Any], keys: Sequence[JwsKey]) -> JwsKey:
    named = {
        name
        for name in (token.header.get("kid"), payload.get("keyid"))
        if name not in {None, ""}
    }
    if len(named) > 1:
        raise FormatError("names two keys")
    if not named:
        if len(keys) == 1:
            return keys[0]
        raise FormatError("names no key, and not exactly one is trusted")
    (wanted,) = named
    for key in keys:
        if key.id == wanted:
            return key
    raise FormatError(
        f"is signed with the key `{excerpt(str(wanted))}`, which is not trusted: trust it"
        " knowingly, or have the bundle signed with another"
    )


def _require_scope(payload: Mapping[str, Any], scope: str) -> None:
    given = payload.get("scope", "")
    if given != scope:
        raise FormatError(
            f"is for the scope `{excerpt(str(given))}`, and `{excerpt(scope)}` is asked"
        )


def _require_same_files(files: Mapping[str, bytes], payload: Mapping[str, Any]) -> None:
    listed = _listed(payload.get("files"))
    for path, data in files.items():
        if path == SIGNATURES:
            continue
        if path not in listed:
            raise BundleError(f"`{path}` is not signed: sign the bundle anew")
        expected, algorithm = listed.pop(path)
        if hash_of(path, data, algorithm=algorithm) != expected:
            raise BundleError(f"`{path}` is not what was signed: fetch the bundle anew")
    if listed:
        raise BundleError(
            f"`{excerpt(min(listed))}` was signed and is missing: fetch the bundle anew"
        )


def _listed(entries: object) -> dict[str, tuple[str, str]]:
    if not isinstance(entries, list):
        raise FormatError("lists no files")
    listed: dict[str, tuple[str, str]] = {}
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        path, value = fields.get("name"), fields.get("hash")
        algorithm = fields.get("algorithm")
        if (
            not isinstance(path, str)
            or not isinstance(value, str)
            or not isinstance(algorithm, str)
            or _HEX.fullmatch(value) is None
        ):
            raise FormatError("lists a file without a name, hash or algorithm")
        if path in listed:
            raise FormatError(f"lists `{excerpt(path)}` twice")
        listed[path] = value, algorithm
    return listed
