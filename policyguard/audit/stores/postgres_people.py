"""The people whom records are about, in PostgreSQL: a pseudonym and a data key each.

Owner: the process that made it, for writing. A person is durable before the record that
names the pseudonym. All data keys are wrapped under one vault key, which is in the
database locked under the passphrase of the fleet: whoever has one of the two opens no
prompt.

INVARIANT: the vault key is never replaced, and never made where anybody has a key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeVar

from policyguard.audit.people import Person, new_person, person_of, seal_prompt
from policyguard.audit.stores.postgres_server import Server, is_lost, let_go
from policyguard.errors import (
    ConfigurationError,
    InvalidSignatureError,
    TrailError,
)
from policyguard.signing.sealing import lock_key, new_key, unlock_key

if TYPE_CHECKING:
    import psycopg

    from policyguard.audit.vault import SealedPrompt

T = TypeVar("T")
PEOPLE: Final[LiteralString] = "SELECT pseudonym, salt, id, key FROM policyguard.person"
_INSERT: Final[LiteralString] = (
    "INSERT INTO policyguard.person (pseudonym, salt, id, key) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (id) DO NOTHING"
)
_MAKE_KEY: Final[LiteralString] = (
    "INSERT INTO policyguard.vault_key (locked) SELECT %s"
    " WHERE NOT EXISTS (SELECT FROM policyguard.person) ON CONFLICT DO NOTHING"
)
_LOCKED: Final[LiteralString] = "SELECT locked FROM policyguard.vault_key"


class PostgresPeople:
    """Gives each person of a trail one pseudonym and one data key, whichever host asks."""

    __slots__ = ("_connection", "_server", "_vault_key")

    def __init__(self, server: Server, *, passphrase: bytes) -> None:
        """Begin a session, and unlock the vault key; make it on the first use.

        Raises:
            ConfigurationError: the passphrase is not the fleet's.
            TrailError: the server cannot be reached, or the vault key is missing.
        """
        self._server = server
        self._connection: psycopg.Connection[Any] = server.open(write=True)
        try:
            with server.speaking():
                self._vault_key = _own_vault_key(
                    self._connection, passphrase=passphrase, where=server.where
                )
        except BaseException:
            self._connection.close()
            raise

    def persons(self, names: Collection[str]) -> list[Person]:
        """Return people in the order of their pseudonyms, made durable if new.

        Raises:
            TrailError: they could not be read or written.
            TamperedError: a pseudonym is not its person's.
        """
        if not names:
            return []
        with self._server.speaking():
            found = self._twice(lambda: self._found(names))
        if found.keys() != set(names):
            raise TrailError("a person was erased at this moment: try again")
        return sorted(found.values(), key=lambda item: item.pseudonym)

    def seal(
        self, prompt: bytes, *, people: Sequence[Person], leaf: bytes
    ) -> SealedPrompt:
        """Seal a salted prompt; see `seal_prompt`."""
        return seal_prompt(prompt, people=people, leaf=leaf, under=self._vault_key)

    def close(self) -> None:
        """End the session."""
        self._connection.close()

    def leak(self) -> None:
        """Let go of the session in a forked child."""
        let_go(self._connection)

    def _found(self, names: Collection[str]) -> dict[str, Person]:
        known = self._read(names)
        for name in sorted(set(names) - known.keys()):
            self._connection.execute(_INSERT, new_person(name, under=self._vault_key))
        return known if known.keys() == set(names) else self._read(names)

    def _read(self, names: Collection[str]) -> dict[str, Person]:
        query: LiteralString = f"{PEOPLE} WHERE id = ANY(%s)"
        rows = self._connection.execute(query, (list(names),)).fetchall()
        people = (person_of(row, where=self._server.where) for row in rows)
        return {item.id: item for item in people}

    def _twice(self, work: Callable[[], T]) -> T:
        """Do something, and do it again if the session was lost: a person stays one."""
        try:
            return work()
        except Exception as error:
            if not is_lost(error):
                raise
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = self._server.open(write=True)
            return work()


def read_vault_key(
    session: psycopg.Connection[Any], *, passphrase: bytes, where: str
) -> bytes | None:
    """Return the key that wraps data keys; `None`: nobody has made one.

    Raises:
        ConfigurationError: the passphrase is not the fleet's.
    """
    row = session.execute(_LOCKED).fetchone()
    if row is None:
        return None
    try:
        return unlock_key(bytes(row[0]), passphrase=passphrase)
    except InvalidSignatureError as error:
        raise ConfigurationError(
            f"the vault key in `{where}` does not open with this passphrase: name the"
            " fleet's under [signing] passphrase_file"
        ) from error


def _own_vault_key(
    session: psycopg.Connection[Any], *, passphrase: bytes, where: str
) -> bytes:
    key = read_vault_key(session, passphrase=passphrase, where=where)
    if key is None:
        # Of two hosts that make one, the second uses the first's.
        session.execute(_MAKE_KEY, (lock_key(new_key(), passphrase=passphrase),))
        key = read_vault_key(session, passphrase=passphrase, where=where)
    if key is None:
        raise TrailError(
            f"`{where}` has people and no vault key: restore policyguard.vault_key"
        )
    return key
