"""The file of people: whose signature counts for what.

    # role      key of the person                        rules or regimes, or all
    approver    bob@acme.example+5d3c…+AX…               GDPR-01 licence
    overrider   ciso@acme.example+0b52…+AX…
    eraser      privacy@acme.example+77aa…+AX…
    ex-eraser   privacy@acme.example+1c09…+AX…

Each line is a role, a verifier key (https://c2sp.org/signed-note), and the rules or
regimes for which the person may use it; without any, all that the role can do. Erasing
knows no rules. What an `ex-eraser` has ordered stays ordered; nothing new is. The file
is named by the settings alone; no environment variable can add a key.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.text import decode_text, excerpt

Role: TypeAlias = Literal["approver", "overrider", "eraser", "ex-eraser"]

MAX_BYTES: Final = 1_000_000
_ROLES: Final[Mapping[str, Role]] = {role: role for role in get_args(Role)}
_ERASING: Final = frozenset({"eraser", "ex-eraser"})
_LEAST_ITEMS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Is one line: a role, a key, and for what."""

    role: Role
    vkey: VerifierKey
    scope: frozenset[str] = frozenset()
    """Ids of rules and names of regimes; empty: all."""

    def covers(self, *, rule: str, regime: str | None) -> bool:
        """Say whether the person may use the role for a rule."""
        return not self.scope or bool(self.scope & {rule, regime})


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Is everybody whose signature counts for something."""

    persons: tuple[Person, ...] = ()

    @classmethod
    def parse(cls, text: str) -> People:
        """Read a file of people.

        Raises:
            FormatError: a line is none of the form, or a name has two keys in one role;
                names the line.
        """
        persons: list[Person] = []
        for number, line in enumerate(text.splitlines(), start=1):
            items = line.split()
            if not items or items[0].startswith("#"):
                continue
            try:
                persons.append(_person(items, known=persons))
            except FormatError as error:
                raise FormatError(f"line {number}: {error}") from error
        return cls(persons=tuple(persons))

    @classmethod
    def load(cls, path: Path) -> People:
        """Read the file at a path.

        Raises:
            ConfigurationError: it cannot be read, or is malformed; names the line.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            return cls.parse(decode_text(data, what="the file", limit=MAX_BYTES))
        except OSError as error:
            raise ConfigurationError(
                f"cannot read `{path}`: {(error.strerror or 'error').lower()}: name the"
                " file with the keys of approvers"
            ) from error
        except FormatError as error:
            raise ConfigurationError(f"`{path}`: {error}") from error

    def vkeys(self, role: Role) -> tuple[VerifierKey, ...]:
        """Return the keys that count in a role."""
        return tuple(item.vkey for item in self.persons if item.role == role)

    def find(self, name: str, *, role: Role) -> Person | None:
        """Return who has a role under a name."""
        for person in self.persons:
            if person.role == role and person.vkey.key_name == name:
                return person
        return None


def same_person(one: str, other: str) -> bool:
    """Say whether two names are one person's, however they are written."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _person(items: list[str], *, known: list[Person]) -> Person:
    if len(items) < _LEAST_ITEMS or items[0] not in _ROLES:
        raise FormatError(
            f"`{excerpt(' '.join(items))}` is no line of a file of people: write"
            " `approver <vkey> [<rule or regime> …]`"
        )
    role = _ROLES[items[0]]
    if role in _ERASING and items[_LEAST_ITEMS:]:
        raise FormatError(
            f"`{role}` is for all records: leave `{excerpt(items[_LEAST_ITEMS])}` away"
        )
    vkey = VerifierKey.parse(items[1])
    if vkey.signature_type is not SignatureType.ED25519:
        raise FormatError(f"the key of `{excerpt(vkey.key_name)}` signs no notes")
    name = vkey.key_name
    # One name under two keys would let the weaker key speak for the person.
    single = role != "ex-eraser"
    if single and any(
        (item.role, item.vkey.key_name) == (role, name) for item in known
    ):
        raise FormatError(f"`{excerpt(name)}` is `{role}` already: keep one line")
    return Person(role=role, vkey=vkey, scope=frozenset(items[2:]))
