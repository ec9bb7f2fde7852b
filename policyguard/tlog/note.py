"""Signed notes: a text and the signature lines below it.

The format is https://c2sp.org/signed-note, with Ed25519 signatures (type 0x01). The
text ends with a line feed; an empty line and one to sixteen signature lines follow:
an em dash (U+2014), a space, the key name, a space, base64(key id || signature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policyguard.errors import (
    ConfigurationError,
    FormatError,
    InvalidSignatureError,
)
from policyguard.signing.keyring import KEY_ID_BYTES, SignatureType, VerifierKey
from policyguard.signing.text import (
    decode_base64,
    decode_text,
    encode_base64,
    encode_text,
    excerpt,
    refuse_controls,
    validate_key_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.signing.signer import Signer

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 16
_DASH: Final = "— "


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line: the key's name and four-byte id, and the raw signature."""

    key_name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse what has no signature line."""
        validate_key_name(self.key_name)
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise FormatError(
                f"the signature of `{excerpt(self.key_name)}` is empty, or its key id "
                f"does not have {KEY_ID_BYTES} bytes"
            )

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a signature line, without its line feed.

        Raises:
            FormatError: it is not one.
        """
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise FormatError(
                f"`{excerpt(line)}` is not a signature line: "
                "`— <key name> <base64>` is wanted"
            )
        data = decode_base64(encoded, what=f"the signature of `{excerpt(name)}`")
        return cls(
            key_name=name,
            key_id=data[:KEY_ID_BYTES],
            signature=data[KEY_ID_BYTES:],
        )

    def format(self) -> str:
        """Return the signature line, without a line feed."""
        return f"{_DASH}{self.key_name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and its signatures, which a parsed note does not yet vouch for.

    INVARIANT: each value has a format, and parses back to itself.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        """Refuse what has no note: wrong text, no or too many signatures."""
        _refuse_wrong_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise FormatError(
                f"a note has 1 to {MAX_SIGNATURES} signatures, "
                f"not {len(self.signatures)}"
            )
        decode_text(self.format(), what="the note", limit=MAX_NOTE_BYTES)

    @classmethod
    def parse(cls, note: str | bytes) -> Note:
        """Read a note without verifying it.

        Raises:
            FormatError: it is not UTF-8, has a control character other than the
                line feed, is longer than 1,000,000 bytes, or is not a note.
        """
        decoded = decode_text(note, what="the note", limit=MAX_NOTE_BYTES)
        # The text may have empty lines: the last one is the separator.
        text, separator, lines = decoded.rpartition("\n\n")
        if not separator or not lines.endswith("\n"):
            raise FormatError(
                "the note has no text, no signature lines after an empty line, "
                "or no line feed at its end"
            )
        if lines.count("\n") > MAX_SIGNATURES:
            raise FormatError(f"the note has more than {MAX_SIGNATURES} signatures")
        return cls(
            text=f"{text}\n",
            signatures=tuple(
                NoteSignature.parse(line) for line in lines[:-1].split("\n")
            ),
        )

    def format(self) -> str:
        """Return the note as it is stored and sent."""
        lines = "".join(f"{signature.format()}\n" for signature in self.signatures)
        return f"{self.text}\n{lines}"


def _refuse_wrong_text(text: str) -> None:
    decode_text(text, what="the note's text", limit=MAX_NOTE_BYTES)
    refuse_controls(text, what="the note's text")
    if not text.endswith("\n"):
        raise FormatError("the note's text does not end with a line feed")


def sign_note(text: str, *, signers: Iterable[Signer]) -> Note:
    """Return the note of this text with one signature of each signer.

    Raises:
        FormatError: the text cannot be a note's, or there is no signer.
        ConfigurationError: a signer's algorithm is not Ed25519.
    """
    # Before any key signs: a signature over a wrong text cannot be taken back.
    _refuse_wrong_text(text)
    message = encode_text(text)
    return Note(
        text=text,
        signatures=tuple(
            NoteSignature(
                key_name=signer.key_name,
                key_id=VerifierKey.of_signer(signer).key_id,
                signature=signer.sign(message),
            )
            for signer in signers
        ),
    )


def verify_note(note: Note, *, vkeys: Iterable[VerifierKey]) -> None:
    """Verify the signatures of all known keys; there has to be one at least.

    Signatures of unknown keys are ignored, also if name or id alone is known.

    Raises:
        InvalidSignatureError: a known key's signature does not hold, or no known
            key has signed.
        ConfigurationError: two different keys have one name and id.
    """
    verified_keys(note, vkeys=vkeys)


def verified_keys(
    note: Note, *, vkeys: Iterable[VerifierKey]
) -> tuple[VerifierKey, ...]:
    """Verify as `verify_note` does, and return the known keys that have signed.

    Raises:
        InvalidSignatureError: as `verify_note`.
        ConfigurationError: as `verify_note`.
    """
    known = _by_name_and_id(vkeys)
    message = encode_text(note.text)
    signed = []
    for signature in note.signatures:
        key = known.get((signature.key_name, signature.key_id))
        if key is not None:
            _verify_signature(signature, key=key, message=message)
            signed.append(key)
    if not signed:
        wanted = ", ".join(f"`{excerpt(name)}`" for name, _ in known) or "none"
        given = ", ".join(f"`{excerpt(line.key_name)}`" for line in note.signatures)
        raise InvalidSignatureError(
            f"no known key has signed: known are {wanted}, signed have {given} "
            "(a key counts by its name and id): add its vkey to the trust file if "
            "you trust it"
        )
    return tuple(dict.fromkeys(signed))


def _by_name_and_id(
    vkeys: Iterable[VerifierKey],
) -> dict[tuple[str, bytes], VerifierKey]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in vkeys:
        # A witness's cosignature is over other bytes; it never counts as the log's.
        if key.signature_type is SignatureType.ED25519:
            held = known.setdefault((key.key_name, key.key_id), key)
            if held != key:
                raise ConfigurationError(
                    f"two different keys are named `{excerpt(key.key_name)}` with the "
                    f"key id `{key.key_id.hex()}`: keep one of them"
                )
    return known


def _verify_signature(
    signature: NoteSignature, *, key: VerifierKey, message: bytes
) -> None:
    try:
        key.verify(signature=signature.signature, message=message)
    except InvalidSignatureError as cause:
        raise InvalidSignatureError(
            f"the signature of `{excerpt(key.key_name)}` (key id "
            f"`{key.key_id.hex()}`) does not hold: the note was changed, or signed "
            "with another key"
        ) from cause


def open_note(note: str | bytes, *, vkeys: Iterable[VerifierKey]) -> Note:
    """Read a note and verify it.

    Raises:
        FormatError: it is not a note.
        InvalidSignatureError: as `verify_note`.
        ConfigurationError: as `verify_note`.
    """
    parsed = Note.parse(note)
    verify_note(parsed, vkeys=vkeys)
    return parsed
