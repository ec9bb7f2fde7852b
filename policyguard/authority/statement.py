"""Signed statements: a value that a person has signed with a key of their own.

The form is a signed note (https://c2sp.org/signed-note) of two lines: what kind of
statement it is, and the value as canonical JSON (RFC 8785). The first line keeps a
signature over one kind from counting for another. One person signs, and the name of the
key is the name that the value gives: nobody signs in another's name.
"""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import ValidationError

from policyguard.authority.people import People, Role
from policyguard.canonical import canonical_bytes, parse_canonical
from policyguard.errors import AuthorityError, FormatError, VerificationError
from policyguard.signing.signer import Signer
from policyguard.tlog.note import Note, sign_note, verified_keys
from policyguard.vocabulary.value import Value

S = TypeVar("S", bound=Value)

_OPENING: Final = "policyguard/{kind}/v1"
_LINES: Final = 3
"""The kind, the value, and nothing after the last line feed."""


def sign_statement(value: Value, *, kind: str, signer: Signer) -> str:
    """Return a value as a signed note.

    Args:
        value: What is stated.
        kind: The kind of statement, as `approval`.
        signer: The key of who states it, under the name that the value gives.

    Raises:
        FormatError: the value has no canonical form.
        ConfigurationError: the key does not sign notes.
    """
    body = canonical_bytes(value.model_dump(mode="json")).decode("utf-8")
    text = f"{_OPENING.format(kind=kind)}\n{body}\n"
    return sign_note(text, signers=[signer]).format()


def open_statement(
    text: str | bytes, *, kind: str, form: type[S], people: People, role: Role
) -> tuple[S, str]:
    """Verify a signed statement; return the value, and the name of who signed it.

    Args:
        text: The signed note.
        kind: The kind of statement that is wanted.
        form: What the value has to be.
        people: Whose signatures count.
        role: For what they have to count.

    Raises:
        AuthorityError: it is malformed, of another kind, not signed by exactly one
            person with this role, or changed since.
    """
    try:
        note = Note.parse(text)
        keys = verified_keys(note, vkeys=people.vkeys(role))
        value = form.model_validate(_document(note, kind=kind))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise AuthorityError(
            f"the {kind} is malformed at `{where}`: {first['msg'].lower()}"
        ) from error
    except (FormatError, VerificationError) as error:
        raise AuthorityError(f"the {kind} does not count: {error}") from error
    return value, keys[0].key_name


def _document(note: Note, *, kind: str) -> object:
    if len(note.signatures) != 1:
        raise FormatError("more than one person has signed")
    lines = note.text.split("\n")
    if len(lines) != _LINES or lines[0] != _OPENING.format(kind=kind):
        raise FormatError(f"it is a statement of another kind than `{kind}`")
    return parse_canonical(lines[1].encode("utf-8"))
