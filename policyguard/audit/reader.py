"""The trail as auditors read it: logs, records, proofs and what the vault still knows.

Nothing here writes, and nothing here knows which store a trail is in. Reading is not
verifying: `verify_trail` is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError

from policyguard.audit.creation import keys_by_origin, origin_of
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import Progress, form_of, leaf_hashes
from policyguard.audit.stores.files import FileLog, FileTrail
from policyguard.audit.stores.place import is_url
from policyguard.audit.stores.protocol import Cabinet, Head, LogSource, Row, TrailSource
from policyguard.audit.vault import Sealed, pseudonym_of
from policyguard.canonical import parse_canonical
from policyguard.errors import (
    ConfigurationError,
    CutOffError,
    FormatError,
    NewerRecordError,
    TamperedError,
    TrailError,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.passphrase import Passphrase
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import Checkpoint, Note, ProofFile, leaf_hash, prove_inclusion
from policyguard.vocabulary.record import AUDIT_RECORD, AnyRecord, is_newer

_INDEX_DIGITS: Final = len(str(2**63))
"""An index is below 2**63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Is one stored record: where it is, and the bytes that the tree is made of."""

    origin: str
    index: int
    body: bytes
    leaf: bytes = field(repr=False)
    """The leaf hash that is stored with them; empty: none is."""

    @property
    def name(self) -> str:
        """The place as people write it."""
        return f"entry {self.index} of {self.origin}"

    def record(self) -> AnyRecord:
        """Return the record that the bytes hold.

        Raises:
            TamperedError: they are not the bytes of their leaf hash.
            NewerRecordError: they are one of a newer version.
            FormatError: they are no record in its one canonical form.
        """
        if self.leaf and leaf_hash(self.body) != self.leaf:
            raise TamperedError(
                f"{self.name} was changed: its bytes are not those that were signed"
            )
        try:
            document = parse_canonical(self.body)
            record = AUDIT_RECORD.validate_python(document)
        except FormatError as error:
            raise FormatError(f"{self.name} is no record: {error}") from error
        except ValidationError as error:
            if is_newer(document):
                raise NewerRecordError(self.name) from error
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise FormatError(
                f"{self.name} is no record: `{where}`: {first['msg']}"
            ) from error
        if form_of(record) != self.body:
            raise FormatError(f"{self.name} is not in its one form")
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Is one log of a trail, in whatever store."""

    source: LogSource = field(repr=False)
    slot: str
    vkeys: tuple[VerifierKey, ...]
    """The keys that have signed it, or do: one, and one more for each rotation."""

    @property
    def vkey(self) -> VerifierKey:
        """The key that signs now."""
        return self.vkeys[-1]

    @property
    def origin(self) -> str:
        """The log's name, which its checkpoints bear."""
        return self.vkeys[0].key_name

    @property
    def layout(self) -> Layout:
        """The paths of a trail in files.

        Raises:
            TrailError: the trail is not in files.
        """
        return _in_files(self.source).layout

    @property
    def path(self) -> Path:
        """The log's database, of a trail in files.

        Raises:
            TrailError: the trail is not in files.
        """
        return _in_files(self.source).path

    @property
    def outside(self) -> Cabinet:
        """What keeps the words of others about it."""
        return self.source.outside()

    def head(self) -> Head:
        """Return the newest head.

        Raises:
            TrailError: there is none that can be read.
        """
        head = self.source.head()
        if head is None:
            raise TrailError(f"the log `{self.origin}` has no records: restore it")
        return head

    def entries(self, *, newest_first: bool = False, start: int = 0) -> Iterator[Entry]:
        """Read all records in order, or those from the index `start` on.

        Raises:
            TrailError: the log cannot be read.
        """
        for row in self.source.rows(start=start, newest_first=newest_first):
            yield self._entry(row)

    def find(self, record: str) -> Entry | None:
        """Return the record with an id, or with an index.

        Raises:
            TrailError: the log cannot be read.
        """
        if not (record.isdecimal() and record.isascii()):
            row = self.source.row_of(record)
        elif len(record) < _INDEX_DIGITS:
            row = self.source.row_at(int(record))
        else:
            return None
        return None if row is None else self._entry(row)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Read the size and the text of each checkpoint, oldest first.

        Raises:
            TrailError: the log cannot be read.
        """
        yield from self.source.checkpoints()

    def proof(
        self,
        index: int,
        *,
        checkpoint: Note | None = None,
        progress: Progress | None = None,
    ) -> ProofFile:
        """Return the proof that a record is in the log.

        Args:
            index: The record.
            checkpoint: One of the log that covers the record, such as a cosigned one;
                without it the newest.
            progress: Called as records are hashed.

        Raises:
            ConfigurationError: there is no such record.
            TrailError: the log cannot be read.
        """
        note = checkpoint or Note.parse(self.head().note)
        size = Checkpoint.parse(note.text).size
        leaves = leaf_hashes(
            self.source, origin=self.origin, size=size, progress=progress
        )
        return ProofFile(
            index=index,
            hashes=prove_inclusion(index=index, size=size, tree=leaves),
            checkpoint=note,
        )

    def sealed(self) -> Iterator[Sealed]:
        """Read what the vault holds for each record.

        Raises:
            TrailError: the vault cannot be read.
        """
        yield from self.source.sealed()

    def content(self, record: str) -> Sealed | None:
        """Return what the vault holds for a record; `None`: erased.

        Raises:
            TrailError: the vault cannot be read.
        """
        if not self.source.has_vault():
            return None
        return next(self.source.sealed(record=record), None)

    def _entry(self, row: Row) -> Entry:
        index, body, leaf = row
        return Entry(origin=self.origin, index=index, body=body, leaf=leaf)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailReader:
    """Is a trail that is read and never written."""

    source: TrailSource = field(repr=False)
    name: str
    logs: tuple[Log, ...]
    trust: TrustFile = field(default_factory=TrustFile, repr=False)
    """The keys of the logs, and the witnesses and the quorum that count."""

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str],
        *,
        lock: str | Path | None = None,
        passphrase: Passphrase | None = None,
    ) -> Self:
        """Open a trail for reading.

        Args:
            place: The trail's directory, or the URI of its database.
            lock: Where the lock database is; without it `<directory>.lock`.
            passphrase: What a database's vault key is locked under; without it the
                prompts in it stay sealed. Files have a key file.

        Raises:
            TamperedError: a log that is there has no key, or one that has a key is gone.
            TrailError: there is none, or its name or its keys cannot be read.
        """
        source = source_of(place, lock=lock, passphrase=passphrase)
        name = source.name()
        prefix = origin_of(name, "")
        slots = source.slots()
        logs = []
        trust = source.trust()
        for origin, vkeys in keys_by_origin(trust).items():
            slot = origin.removeprefix(prefix)
            if slot not in slots:
                raise TamperedError(
                    f"the log `{origin}` is missing from `{source.where}`: restore it"
                )
            log = source.log(slot)
            if not _is_unbegun(source, log, name=name, origin=origin):
                logs.append(Log(source=log, slot=slot, vkeys=vkeys))
        reader = cls(source=source, name=name, logs=tuple(logs), trust=trust)
        reader._require_keys(slots)
        return reader

    def _require_keys(self, slots: Iterable[str]) -> None:
        """Refuse a trail of which a log has lost its key: it would be left out unseen.

        INVARIANT: no answer about a trail is complete that lacks one of its logs.
        """
        for slot in set(slots) - {log.slot for log in self.logs}:
            log, origin = self.source.log(slot), origin_of(self.name, slot)
            try:
                there = log.exists()
            except CutOffError:
                # A crash in the middle of its making, or somebody's word that it was
                # one: whether there ever was a record the lock database knows.
                there = False
            # Another trail's lock database knows nothing of this one.
            there = there or (
                self.source.remembered_name() == self.name
                and log.is_remembered(origin=origin)
            )
            # A key is trusted before a log's first record: one that has begun since the
            # trust file was read is there now.
            if there and origin not in keys_by_origin(self.source.trust()):
                raise TamperedError(
                    f"the log {origin} has no key in the trust file"
                    f" `{self.source.trust_name}`"
                )

    @property
    def layout(self) -> Layout:
        """The paths of a trail in files.

        Raises:
            TrailError: the trail is not in files.
        """
        if not isinstance(self.source, FileTrail):
            raise _not_in_files(self.source.where)
        return self.source.layout

    def log(self, origin: str) -> Log:
        """Return the log of an origin.

        Raises:
            ConfigurationError: the trail has none.
        """
        for log in self.logs:
            if log.origin == origin:
                return log
        known = ", ".join(f"`{log.origin}`" for log in self.logs)
        raise ConfigurationError(f"there is no log `{origin}`: there are {known}")

    def caller(self, pseudonym: str) -> str | None:
        """Return who is behind a pseudonym; `None`: erased, or never kept.

        Raises:
            TrailError: the callers cannot be read.
        """
        for known, _, caller in self.source.callers():
            if known == pseudonym:
                return caller
        return None

    def pseudonym(self, caller: str) -> str | None:
        """Return the pseudonym of a caller; `None`: erased, or never kept.

        Raises:
            TrailError: the callers cannot be read.
        """
        for pseudonym, salt, known in self.source.callers():
            if known == caller and pseudonym_of(caller, salt=salt) == pseudonym:
                return pseudonym
        return None


def source_of(
    place: str | os.PathLike[str],
    *,
    lock: str | Path | None = None,
    passphrase: Passphrase | None = None,
) -> TrailSource:
    """Return what reads the trail at a place; nothing is opened yet.

    Args:
        place: The trail's directory, or the connection URI of a PostgreSQL database.
        lock: Where the lock database is: a directory, by default `<directory>.lock`,
            or another connection URI.
        passphrase: What a database's vault key is locked under.
    """
    if not is_url(place):
        return FileTrail(layout=Layout.of(place, Path(lock) if lock else None))
    # An extra: whose trail is in files needs none of it.
    from policyguard.audit.stores.postgres_reader import PostgresTrail
    from policyguard.audit.stores.postgres_server import server_of

    return PostgresTrail(
        server=server_of(place), lock=server_of(lock), passphrase=passphrase
    )


def _in_files(source: LogSource) -> FileLog:
    if not isinstance(source, FileLog):
        raise _not_in_files(source.where)
    return source


def _not_in_files(where: str) -> TrailError:
    return TrailError(f"the trail at `{where}` is not in files: export it first")


def _is_unbegun(source: TrailSource, log: LogSource, *, name: str, origin: str) -> bool:
    """Say whether a crash came between a log's key, which is trusted, and its records.

    INVARIANT: the lock database remembers each log that was ever begun. One that it does
    not remember, and that has no record, has lost none.
    """
    try:
        return (
            not log.exists()
            and source.remembered_name() == name
            and not log.is_remembered(origin=origin)
        )
    except TrailError:
        # Whoever reads it says what is wrong with it.
        return False
