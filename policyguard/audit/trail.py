"""The trail as applications write it: each record durable and signed before it counts.

Owner: a `Trail` belongs to one process, and all its threads share it; a forked child
notices and claims a log of its own. Threads that append at once share one commit:
whoever comes first writes for all who wait. A crash loses nothing that was answered;
it can leave records that nobody was told of.

INVARIANT: `append` and `append_decision` return only when the record, its checkpoint
and the lock database are written. After any failure the log is opened and compared
with its checkpoint anew before the next record.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from pydantic import ValidationError

from policyguard.audit.layout import Layout
from policyguard.audit.vault import Callers, Sealed
from policyguard.audit.writer import Writer, claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import NotDurableError, PolicyGuardError, TrailError
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

MAX_LEAF_BYTES: Final = 60_000
"""Room below the 65,535 bytes of an entry in C2SP tlog-tiles."""
_MOST_PER_COMMIT: Final = 1_000

Role: TypeAlias = Literal["app", "cli"]


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """Is a record on its way into the log."""

    body: bytes
    sealed: Sealed | None
    place: Place | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Process:
    """Holds what must not cross a fork."""

    pid: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    caller_lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: deque[_Waiting] = field(default_factory=deque)
    writer: Writer | None = None
    callers: Callers | None = None


class Trail:
    """Appends decisions and outcomes to a log of this process."""

    __slots__ = ("__weakref__", "_closed", "_layout", "_name", "_process", "_role")

    def __init__(self, layout: Layout, *, name: str | None, role: Role) -> None:
        """Use `open_or_create`."""
        self._layout = layout
        self._name = name
        self._role = role
        self._closed = False
        self._process = _Process()
        _TRAILS.add(self)

    @classmethod
    def open_or_create(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: Path | None = None,
        name: str | None = None,
        role: Role = "app",
    ) -> Self:
        """Open a trail for writing, or begin one where there never was one.

        Args:
            directory: Where the trail is.
            lock: The directory of the lock database; without it `<directory>.lock`.
            name: First part of each log's origin; without it the one that the trail
                has, or a random one.
            role: Whether an application or the command line writes.

        Raises:
            TrailError: it cannot be written, or is not what was last signed.
            ConfigurationError: the trail has another name.
        """
        trail = cls(Layout.of(directory, lock), name=name, role=role)
        trail._open(trail._process)
        return trail

    @property
    def directory(self) -> Path:
        """Where the trail is."""
        return self._layout.directory

    def append(self, record: OutcomeRecord) -> Place:
        """Make a record durable, and return where it is.

        Raises:
            NotDurableError: it could not be made durable, or is too large.
        """
        return self._append(record, sealed=None)

    def append_decision(
        self,
        fields: Mapping[str, object],
        *,
        caller: str | None,
        content: Mapping[str, object],
    ) -> Place:
        """Make a decision's record durable, and return where it is.

        Args:
            fields: Those of `DecisionRecord` but `caller` and `input`.
            caller: Who asked; a pseudonym goes into the leaf.
            content: What goes into the vault, bound to the leaf by a commitment.

        Raises:
            NotDurableError: it could not be made durable, or is no record.
        """
        try:
            sealed = Sealed.of(str(fields["id"]), canonical_bytes(content))
            record = DecisionRecord.model_validate(
                {
                    **fields,
                    "caller": None if caller is None else self._pseudonym(caller),
                    "input": sealed.commitment(),
                }
            )
        except (PolicyGuardError, ValidationError) as error:
            raise NotDurableError(f"no record can be made: {error}") from error
        return self._append(record, sealed=sealed)

    def close(self) -> None:
        """Release the log for other processes; nothing can be appended afterwards."""
        self._closed = True
        process = self._here()
        with process.lock:
            self._abandon(process)
        with process.caller_lock:
            if process.callers is not None:
                process.callers.close()
                process.callers = None

    def _append(
        self, record: DecisionRecord | OutcomeRecord, *, sealed: Sealed | None
    ) -> Place:
        body = canonical_bytes(record.model_dump(mode="json"))
        if len(body) > MAX_LEAF_BYTES:
            raise NotDurableError(
                f"a record of {len(body)} bytes is longer than {MAX_LEAF_BYTES}"
            )
        item = _Waiting(body=body, sealed=sealed)
        process = self._here()
        process.waiting.append(item)
        with process.lock:
            while item.place is None and item.error is None:
                self._commit(process)
        if item.place is None:
            raise NotDurableError(
                f"the record could not be made durable: {item.error}"
            ) from item.error
        return item.place

    def _commit(self, process: _Process) -> None:
        """Write for all who wait; the lock is held."""
        count = min(len(process.waiting), _MOST_PER_COMMIT)
        batch = [process.waiting.popleft() for _ in range(count)]
        try:
            writer = self._open(process)
            first = writer.append(
                [item.body for item in batch],
                sealed=[item.sealed for item in batch if item.sealed is not None],
            )
        except BaseException as error:
            # No second try on the same handles: what they believe may be wrong.
            self._abandon(process)
            for item in batch:
                item.error = error
            if not isinstance(error, Exception):
                raise
            return
        for index, item in enumerate(batch, start=first):
            item.place = Place(origin=writer.origin, index=index)

    def _open(self, process: _Process) -> Writer:
        if self._closed:
            raise TrailError("the trail is closed: keep the guard open while it calls")
        if process.writer is None:
            process.writer = claim_writer(
                self._layout, name=self._name, role=self._role
            )
        return process.writer

    def _pseudonym(self, caller: str) -> str:
        process = self._here()
        with process.caller_lock:
            try:
                if process.callers is None:
                    process.callers = Callers(self._layout.callers)
                return process.callers.pseudonym(caller)
            except BaseException as error:
                process.callers = None
                if isinstance(error, PolicyGuardError) or not isinstance(
                    error, Exception
                ):
                    raise
                raise TrailError(f"the caller cannot be kept: {error}") from error

    def _here(self) -> _Process:
        """Return the state of this process; after a fork, a fresh one."""
        if self._process.pid != os.getpid():
            self._forget()
        return self._process

    def _forget(self) -> None:
        """Let go of the parent's log without touching it."""
        left = self._process
        if left.pid == os.getpid():
            return
        self._process = _Process()
        if left.writer is not None:
            left.writer.leak()
        if left.callers is not None:
            left.callers.leak()

    def _abandon(self, process: _Process) -> None:
        writer, process.writer = process.writer, None
        if writer is not None:
            with contextlib.suppress(Exception):
                writer.close()


_TRAILS: weakref.WeakSet[Trail] = weakref.WeakSet()


def _after_fork() -> None:
    for trail in list(_TRAILS):
        trail._forget()  # noqa: SLF001 -- the same module


os.register_at_fork(after_in_child=_after_fork)
