"""The people whom records are about: each with a pseudonym, and a key that can go.

Owner: all writers of a trail share one small file, with the old journal as the callers
do. A crash leaves a person without records, which nobody refers to. Whoever reads it
knows whom records are about, and with the trail's own vault key can open their prompts.

INVARIANT: a prompt is sealed under the keys of *all* people whom its record is about. It
opens no more when one of them is gone, whatever copies of the vault there are.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policyguard.audit.layout import Layout, identity_of, require_same
from policyguard.audit.stores.database import (
    is_begun,
    leak,
    open_for_reading,
    rows_of,
)
from policyguard.audit.stores.shared_file import open_shared
from policyguard.audit.vault import (
    SALT_BYTES,
    SealedPrompt,
    commitment_of,
    pseudonym_of,
    scrub,
)
from policyguard.errors import (
    ConfigurationError,
    InvalidSignatureError,
    TamperedError,
    TrailError,
)
from policyguard.signing.key_file import create_key_file, read_key_file
from policyguard.signing.sealing import (
    KEY_BYTES,
    new_key,
    seal,
    unseal,
    unwrap_key,
    wrap_key,
)
from policyguard.vocabulary.record import Commitment

if TYPE_CHECKING:
    from policyguard.audit.stores.protocol import TrailSource

_SCHEMA: Final = """
CREATE TABLE person (
  pseudonym TEXT PRIMARY KEY, salt BLOB NOT NULL, id TEXT NOT NULL UNIQUE,
  key BLOB NOT NULL
) STRICT"""
_QUERY: Final = "SELECT pseudonym, salt, id, key FROM person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Is somebody whom records are about."""

    pseudonym: str
    id: str
    key: bytes = field(repr=False)
    """The data key, wrapped under the trail's vault key."""


def read_vault_key(path: Path) -> bytes:
    """Return the key under which all data keys of a trail are wrapped.

    Raises:
        TrailError: it is missing or cannot be read.
    """
    try:
        key = bytes.fromhex(read_key_file(path).decode("ascii").strip())
    except (ConfigurationError, ValueError) as error:
        raise TrailError(f"the vault key `{path}` cannot be used: {error}") from error
    if len(key) != KEY_BYTES:
        raise TrailError(f"the vault key `{path}` is damaged: restore it")
    return key


def _own_vault_key(layout: Layout) -> bytes:
    """Return the vault key, made on the first use; never once anybody has a key."""
    path = layout.vault_key
    known = layout.people.exists() or layout.begun(layout.people).exists()
    if not path.exists() and not known:
        # Of two processes that make one, the second uses the first's.
        with suppress(ConfigurationError):
            create_key_file(path, data=f"{new_key().hex()}\n".encode())
    return read_vault_key(path)


class People:
    """Gives each person of a trail one pseudonym and one data key."""

    __slots__ = ("_connection", "_opened", "_path", "_vault_key")

    def __init__(self, layout: Layout) -> None:
        """Open the people of a trail.

        Raises:
            TrailError: they cannot be opened, or they or the vault key were lost.
        """
        self._vault_key = _own_vault_key(layout)
        self._path = layout.people
        self._connection = open_shared(
            self._path, schema=_SCHEMA, memory=layout.begun(self._path)
        )
        self._opened = identity_of(self._path)

    def persons(self, names: Collection[str]) -> list[Person]:
        """Return people in the order of their pseudonyms, made durable if new.

        Raises:
            sqlite3.Error: they could not be read or written.
            TrailError: the file was replaced: open it anew.
        """
        require_same(self._path, opened=self._opened)
        found = self._known(names)
        if new := set(names) - found.keys():
            # In one transaction: each waits for the disk several times, and others for it.
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR IGNORE INTO person VALUES (?, ?, ?, ?)",
                [new_person(name, under=self._vault_key) for name in sorted(new)],
            )
            self._connection.execute("COMMIT")
            # Another process may have been the first to make one of them.
            found |= self._known(new)
        if found.keys() != set(names):
            raise TrailError("a person was erased at this moment: try again")
        return sorted(found.values(), key=lambda item: item.pseudonym)

    def _known(self, names: Collection[str]) -> dict[str, Person]:
        query = f"{_QUERY} WHERE id = ?"
        found = {}
        for name in names:
            row = self._connection.execute(query, (name,)).fetchone()
            if row is not None:
                found[name] = Person(pseudonym=row[0], id=row[2], key=row[3])
        return found

    def seal(
        self, prompt: bytes, *, people: Sequence[Person], leaf: bytes
    ) -> SealedPrompt:
        """Seal a salted prompt; see `seal_prompt`."""
        return seal_prompt(prompt, people=people, leaf=leaf, under=self._vault_key)

    def erase(self, pseudonyms: Collection[str]) -> None:
        """Delete people with their keys, and every trace of them in the file.

        Raises:
            sqlite3.Error: it is not done.
        """
        self._connection.executemany(
            "DELETE FROM person WHERE pseudonym = ?", [(item,) for item in pseudonyms]
        )
        scrub(self._connection, path=self._path)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the file in a forked child, without closing it."""
        leak(self._connection)


def new_person(name: str, *, under: bytes) -> tuple[str, bytes, str, bytes]:
    """Return pseudonym, salt, id and wrapped data key of somebody new."""
    salt = secrets.token_bytes(SALT_BYTES)
    wrapped = wrap_key(new_key(), under=under)
    return pseudonym_of(name, salt=salt), salt, name, wrapped


def seal_prompt(
    prompt: bytes, *, people: Sequence[Person], leaf: bytes, under: bytes
) -> SealedPrompt:
    """Seal a salted prompt under the keys of all whom it is about.

    Args:
        prompt: The salt of its commitment, and its bytes.
        people: In the order of their pseudonyms.
        leaf: The leaf hash of its record: it opens there and nowhere else.
        under: The trail's vault key.
    """
    if people:
        keys = [unwrap_key(item.key, under=under) for item in people]
        wrapped = None
    else:
        keys = [new_key()]
        wrapped = wrap_key(keys[0], under=under)
    return SealedPrompt(
        body=seal(prompt, keys=keys, bound_to=leaf),
        key=wrapped,
        about=tuple(item.pseudonym for item in people),
    )


def salted(prompt: bytes) -> tuple[bytes, Commitment]:
    """Return a prompt with a fresh salt before it, and what the leaf says of it.

    The salt is sealed with the prompt: it goes when the key goes.
    """
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + prompt, commitment_of(prompt, salt=salt)


def read_people(path: Path) -> Iterator[Person]:
    """Read everybody whom records are about, and who was not erased.

    Raises:
        TrailError: they cannot be read.
        TamperedError: a pseudonym is not its person's.
    """
    if not is_begun(path):
        return
    connection = open_for_reading(path)
    try:
        types = (str, bytes, str, bytes)
        for name, salt, person, key in rows_of(
            connection, _QUERY, types=types, path=path
        ):
            yield person_of((name, salt, person, key), where=str(path))
    finally:
        connection.close()


def person_of(row: tuple[str, bytes, str, bytes], *, where: str) -> Person:
    """Return the person of a row: pseudonym, salt, id and wrapped data key.

    Raises:
        TamperedError: the pseudonym is not the person's.
    """
    pseudonym, salt, name, key = row
    if pseudonym_of(name, salt=salt) != pseudonym:
        raise TamperedError(
            f"the person behind the pseudonym {pseudonym} was changed in `{where}`"
        )
    return Person(pseudonym=pseudonym, id=name, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKeys:
    """Opens prompts: the data keys of those who were not erased."""

    under: bytes = field(repr=False)
    """The trail's vault key."""
    wrapped: Mapping[str, bytes] = field(repr=False)
    """Each person's data key, by pseudonym."""

    @classmethod
    def of(cls, trail: TrailSource) -> DataKeys | None:
        """Return the keys of a trail; `None`: this process has no vault key.

        Raises:
            TrailError: they cannot be read.
            TamperedError: a pseudonym is not its person's.
        """
        under = trail.vault_key()
        if under is None:
            # An auditor has no keys: what is sealed stays sealed.
            return None
        wrapped = {item.pseudonym: item.key for item in trail.people()}
        return cls(under=under, wrapped=wrapped)

    def open(
        self, sealed: SealedPrompt, *, leaf: bytes, committed: Commitment
    ) -> bytes | None:
        """Return a prompt; `None`: somebody whom it is about was erased.

        Args:
            sealed: What the vault has.
            leaf: The leaf hash of its record.
            committed: What the record says of it.

        Raises:
            TamperedError: it is not what was recorded.
        """
        if not self.wrapped.keys() >= set(sealed.about):
            return None
        keys = [self.wrapped[name] for name in sorted(sealed.about)]
        try:
            opened = unseal(
                sealed.body,
                keys=[
                    unwrap_key(item, under=self.under)
                    for item in keys or [sealed.key or b""]
                ],
                bound_to=leaf,
            )
        except InvalidSignatureError as error:
            raise TamperedError(
                f"its prompt in the vault was changed: {error}"
            ) from error
        salt, prompt = opened[:SALT_BYTES], opened[SALT_BYTES:]
        if commitment_of(prompt, salt=salt) != committed:
            raise TamperedError("its prompt in the vault is not the one recorded")
        return prompt
