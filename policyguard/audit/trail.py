"""The trail as applications write it: each record durable and signed before it counts.

Owner: a `Trail` belongs to one process, and all its threads share it; a forked child
notices and claims a log of its own. A crash loses nothing that was answered; it can
leave records that nobody was told of, and lose those of `append_later`, which nobody
waited for.

INVARIANT: `append` and `append_decision` return only when the record, its checkpoint
and the lock database are written.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeAlias

from policyguard.audit.creation import begin_trail, require_trail
from policyguard.audit.entry import DecisionEntry, Waiting
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.lifetime import let_go, watch, weakly
from policyguard.audit.names import Names
from policyguard.audit.process import Process
from policyguard.audit.recorder import Recorder
from policyguard.audit.rotation import rotate_own
from policyguard.audit.stores.fleet import Fleet, place_of
from policyguard.audit.stores.place import Lock
from policyguard.audit.stores.protocol import LogWriter
from policyguard.audit.vault import Sealed
from policyguard.audit.versions import Versions, VersionStore
from policyguard.audit.writer import claim_writer
from policyguard.errors import NotDurableError, TrailError
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import (
    AnyRecord,
    OutcomeRecord,
)

Role: TypeAlias = Literal["app", "cli"]


class Trail:
    """Appends decisions and outcomes to a log of this process."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_keys",
        "_name",
        "_place",
        "_process",
        "_role",
    )

    def __init__(
        self,
        place: Layout | Fleet,
        *,
        name: str | None,
        role: Role,
        keys: KeySource | None = None,
    ) -> None:
        """Use `open_or_create`."""
        self._keys = keys or FileKeys()
        self._place = place
        self._name = name
        self._role = role
        self._closed = False
        self._process = Process(
            recorder=Recorder(weakly(self)), names=Names(self._place, keys=self._keys)
        )
        watch(self)

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: str | Path | Lock | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Begin a trail where there never was one, and open it for writing.

        Args:
            directory: Where the trail will be: a directory, or the connection URI of a
                PostgreSQL database, as somebody who may create schemas and roles.
            lock: Where the lock database will be: a directory, by default
                `<directory>.lock`, or the URI of another database; a `Lock` says how
                often it is told as well.
            name: First part of each log's origin; without it a random one.
            role: Whether an application or the command line writes.
            keys: Where the keys of logs come from; without it files.

        Raises:
            TrailError: there is a trail, there was one, or none can be written.
        """
        place = place_of(directory, lock)
        if isinstance(place, Fleet):
            place.create(name=name)
        else:
            begin_trail(place, name=name, fresh=True)
        return cls._opened(place, name=name, role=role, keys=keys)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: str | Path | Lock | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Open a trail for writing; never begin one.

        A process that finds all logs of its pool in use begins a log of its own, if
        the lock database has never seen that log.

        Takes what `create` takes; the name is one that the trail must have.

        Raises:
            TrailError: there is none, it cannot be written, or is not what was last
                signed.
            ConfigurationError: the trail has another name.
        """
        place = place_of(directory, lock)
        if isinstance(place, Layout):
            require_trail(place)
        return cls._opened(place, name=name, role=role, keys=keys)

    @classmethod
    def open_or_create(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: str | Path | Lock | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Open a trail, or begin one where neither trail nor memory of one is.

        A database is only opened: its tables belong to somebody who does not write.

        Raises:
            TrailError: as `create` or `open` does.
            ConfigurationError: the trail has another name.
        """
        place = place_of(directory, lock)
        if isinstance(place, Layout):
            begin_trail(place, name=name, fresh=False)
        return cls._opened(place, name=name, role=role, keys=keys)

    @classmethod
    def _opened(
        cls,
        place: Layout | Fleet,
        *,
        name: str | None,
        role: Role,
        keys: KeySource | None,
    ) -> Self:
        trail = cls(place, name=name, role=role, keys=keys)
        trail._process.recorder.ready()
        return trail

    @property
    def where(self) -> str:
        """Where the trail is, for messages: a directory, or a server's database."""
        if isinstance(self._place, Fleet):
            return self._place.server.where
        return str(self._place.directory)

    @property
    def place(self) -> Layout | Fleet:
        """Where the parts of the trail are: the paths of its files, or its servers."""
        return self._place

    @property
    def origin(self) -> str | None:
        """Name the log that this process has claimed; `None`: none now."""
        return self._here().recorder.origin

    @property
    def directory(self) -> Path:
        """Where a trail in files is.

        Raises:
            TrailError: the trail is not in files.
        """
        return self._layout.directory

    @property
    def layout(self) -> Layout:
        """Where the parts of a trail in files are.

        Raises:
            TrailError: the trail is not in files.
        """
        return self._layout

    @property
    def versions(self) -> VersionStore:
        """The bundles and catalogs that the trail's decisions were made from."""
        if isinstance(self._place, Fleet):
            return self._place.versions()
        return Versions(self._place.versions)

    @property
    def policy_memory(self) -> Path:
        """The file that remembers which bundle was in use last; a fleet's is by host."""
        return self._place.policy

    @property
    def _layout(self) -> Layout:
        if isinstance(self._place, Fleet):
            raise TrailError(f"the trail in `{self.where}` is not in files")
        return self._place

    def append(self, record: AnyRecord, *, sealed: Sealed | None = None) -> Place:
        """Make a record durable, with content that it commits to; return where it is.

        Raises:
            NotDurableError: it could not be made durable, or is too large.
        """
        item = Waiting(body=body_of(record), sealed=sealed)
        return self._here().recorder.append(item)

    def append_later(
        self,
        record: OutcomeRecord | Callable[[], OutcomeRecord],
        *,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Hand over a record without waiting until it is durable.

        It is written with the next record that somebody waits for, or at once by a
        thread of the trail's own; `close`, `flush` and the end of the program write
        what is left. A process that is killed before loses it.

        Args:
            record: The record of what became of a call; or what makes it, in whatever
                thread writes it.
            failed: Told of the error if it could not be made, or not durable.

        Raises:
            NotDurableError: it is too large, or the trail is closed.
        """
        if self._closed:
            raise NotDurableError("the trail is closed: keep the guard open")
        if isinstance(record, OutcomeRecord):
            item = Waiting(body=body_of(record), failed=failed)
        else:
            make = record
            item = Waiting(body=b"", make=lambda: body_of(make()), failed=failed)
        self._here().recorder.append_later(item)

    @property
    def waiting(self) -> int:
        """Say how many records of this process are not durable yet."""
        return self._here().recorder.waiting

    def flush(self) -> None:
        """Write what was handed over without waiting."""
        self._here().recorder.flush()

    def append_decision(
        self,
        fields: Mapping[str, object],
        *,
        caller: str | None,
        content: Mapping[str, object] | bytes,
        prompt: bytes | None = None,
        people: Sequence[str] = (),
    ) -> Place:
        """Make a decision's record durable, and return where it is.

        Args:
            fields: Those of `DecisionRecord` but `caller` and `input`.
            caller: Who asked; a pseudonym goes into the leaf.
            content: What goes into the vault, bound to the leaf by a commitment; or its
                canonical bytes.
            prompt: What was sent, if it is to be kept: sealed in the vault under the
                keys of all whom it is about, the caller among them.
            people: The ids of those whom the call is about.

        Raises:
            NotDurableError: it could not be made durable, or is no record.
        """
        entry = DecisionEntry(
            fields=fields, caller=caller, content=content, prompt=prompt, people=people
        )
        return self._here().append(entry)

    def append_decision_soon(
        self,
        entry: DecisionEntry,
        *,
        settled: Callable[[Place | NotDurableError], None],
    ) -> None:
        """Hand over a decision's record, for callers that have no thread to wait in.

        Args:
            entry: The decision.
            settled: Told where the record is once it is durable, or why it is nowhere;
                in another thread, which it must not hold up.

        Raises:
            NotDurableError: it is no record; `settled` is told nothing.
        """
        self._here().append_soon(entry, settled=settled)

    def append_decisions(
        self, entries: Iterable[DecisionEntry]
    ) -> tuple[Place | NotDurableError, ...]:
        """Make the records of many decisions durable, in few commits.

        Returns:
            For each, where it is, or why it could not be made durable.
        """
        return self._here().append_all(entries)

    def rotate_key(self) -> VerifierKey:
        """Hand this process's log over to a new key, and return the new public key.

        Give the new key to whoever verifies the log; the old one they keep.

        Raises:
            PolicyGuardError: as `rotate_own` says.
        """
        return rotate_own(self._here().recorder, place=self._place, keys=self._keys)

    def rest(self) -> None:
        """Write what is left and release the log, until something is appended."""
        self._here().recorder.close()

    def close(self) -> None:
        """Write what is left, and release the log for other processes.

        Nothing can be appended afterwards.
        """
        process = self._here()
        process.recorder.close()
        self._closed = True
        process.names.close()

    def __del__(self) -> None:
        """Close the trail: a notebook's cell that is run again forgets to."""
        if sys.is_finalizing():
            # The locks may be held by threads that never run again; `rest` came before.
            return
        with contextlib.suppress(Exception):
            # In a forked child it is the parent's.
            if self._process.pid == os.getpid():
                let_go(self.close, midway=self._process.recorder.is_writing_here())

    def claim(self) -> LogWriter:
        """Claim a log for this process; the recorder does, when it needs one."""
        if self._closed:
            raise TrailError("the trail is closed: keep the guard open while it calls")
        claim = (
            self._place.claim
            if isinstance(self._place, Fleet)
            else partial(claim_writer, self._place)
        )
        return claim(name=self._name, role=self._role, keys=self._keys)

    def pseudonym(self, caller: str) -> str:
        """Return the pseudonym that stands for a person in leaves; TrailError if not."""
        return self._here().names.pseudonym(caller)

    def _here(self) -> Process:
        """Return the state of this process; after a fork, a fresh one."""
        if self._process.pid != os.getpid():
            self.forget_parent()
        return self._process

    def forget_parent(self) -> None:
        """Let go of the parent's log after a fork, without touching it."""
        left = self._process
        if left.pid == os.getpid():
            return
        self._process = Process(
            recorder=Recorder(weakly(self)), names=Names(self._place, keys=self._keys)
        )
        left.leak()
