"""The trail as applications write it: each record durable and signed before it counts.

Owner: a `Trail` belongs to one process, and all its threads share it; a forked child
notices and claims a log of its own. A crash loses nothing that was answered; it can
leave records that nobody was told of, and lose those of `append_later`, which nobody
waited for.

INVARIANT: `append` and `append_decision` return only when the record, its checkpoint
and the lock database are written.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import ValidationError

from policyguard.audit.creation import begin_trail, require_trail
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.people import People, salted
from policyguard.audit.recorder import Recorder, Waiting
from policyguard.audit.rotation import rotate_own
from policyguard.audit.vault import Callers, Sealed
from policyguard.audit.versions import Versions
from policyguard.audit.writer import Writer, claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import NotDurableError, PolicyGuardError, TrailError
from policyguard.signing.key_source import FileKeys, KeySource
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog import leaf_hash
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import (
    DecisionRecord,
    EraseRecord,
    OutcomeRecord,
    PolicyLoadRecord,
    PolicyRejectRecord,
)

Role: TypeAlias = Literal["app", "cli"]


@dataclass(slots=True, kw_only=True)
class _Process:
    """Holds what must not cross a fork."""

    recorder: Recorder
    pid: int = field(default_factory=os.getpid)
    caller_lock: threading.Lock = field(default_factory=threading.Lock)
    callers: Callers | None = None
    people: People | None = None


class Trail:
    """Appends decisions and outcomes to a log of this process."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_keys",
        "_layout",
        "_name",
        "_process",
        "_role",
    )

    def __init__(
        self,
        layout: Layout,
        *,
        name: str | None,
        role: Role,
        keys: KeySource | None = None,
    ) -> None:
        """Use `open_or_create`."""
        self._keys = keys or FileKeys()
        self._layout = layout
        self._name = name
        self._role = role
        self._closed = False
        self._process = _Process(recorder=Recorder(self._claim))
        _TRAILS.add(self)

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: Path | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Begin a trail where there never was one, and open it for writing.

        Args:
            directory: Where the trail will be.
            lock: The directory of the lock database; without it `<directory>.lock`.
            name: First part of each log's origin; without it a random one.
            role: Whether an application or the command line writes.
            keys: Where the keys of logs come from; without it files.

        Raises:
            TrailError: there is a trail, there was one, or none can be written.
        """
        layout = Layout.of(directory, lock)
        begin_trail(layout, name=name, fresh=True)
        return cls._opened(layout, name=name, role=role, keys=keys)

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: Path | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Open a trail for writing; never begin one.

        A process that finds all logs of its pool in use begins a log of its own, if
        the lock database has never seen that log.

        Args:
            directory: Where the trail is.
            lock: The directory of the lock database; without it `<directory>.lock`.
            name: The name that the trail must have.
            role: Whether an application or the command line writes.
            keys: Where the keys of logs come from; without it files.

        Raises:
            TrailError: there is none, it cannot be written, or is not what was last
                signed.
            ConfigurationError: the trail has another name.
        """
        layout = Layout.of(directory, lock)
        require_trail(layout)
        return cls._opened(layout, name=name, role=role, keys=keys)

    @classmethod
    def open_or_create(
        cls,
        directory: str | os.PathLike[str],
        *,
        lock: Path | None = None,
        name: str | None = None,
        role: Role = "app",
        keys: KeySource | None = None,
    ) -> Self:
        """Open a trail, or begin one where neither trail nor memory of one is.

        Raises:
            TrailError: as `create` or `open` does.
            ConfigurationError: the trail has another name.
        """
        layout = Layout.of(directory, lock)
        begin_trail(layout, name=name, fresh=False)
        return cls._opened(layout, name=name, role=role, keys=keys)

    @classmethod
    def _opened(
        cls, layout: Layout, *, name: str | None, role: Role, keys: KeySource | None
    ) -> Self:
        trail = cls(layout, name=name, role=role, keys=keys)
        trail._process.recorder.ready()
        return trail

    @property
    def directory(self) -> Path:
        """Where the trail is."""
        return self._layout.directory

    @property
    def layout(self) -> Layout:
        """Where the parts of the trail are."""
        return self._layout

    @property
    def versions(self) -> Versions:
        """The bundles and catalogs that the trail's decisions were made from."""
        return Versions(self._layout.versions)

    @property
    def policy_memory(self) -> Path:
        """The file that remembers which bundle was in use last."""
        return self._layout.policy

    def append(
        self,
        record: OutcomeRecord | PolicyLoadRecord | PolicyRejectRecord | EraseRecord,
    ) -> Place:
        """Make a record durable, and return where it is.

        Raises:
            NotDurableError: it could not be made durable, or is too large.
        """
        return self._here().recorder.append(Waiting(body=body_of(record)))

    def append_later(
        self,
        record: OutcomeRecord,
        *,
        failed: Callable[[BaseException], None],
    ) -> None:
        """Hand over a record without waiting until it is durable.

        It is written with the next record that somebody waits for, or at once by a
        thread of the trail's own; `close`, `flush` and the end of the program write
        what is left. A process that is killed before loses it.

        Args:
            record: The record of what became of a call.
            failed: Told of the error if it could not be made durable.

        Raises:
            NotDurableError: it is too large, or the trail is closed.
        """
        if self._closed:
            raise NotDurableError("the trail is closed: keep the guard open")
        item = Waiting(body=body_of(record), failed=failed)
        self._here().recorder.append_later(item)

    def flush(self) -> None:
        """Write what was handed over without waiting."""
        self._here().recorder.flush()

    def append_decision(
        self,
        fields: Mapping[str, object],
        *,
        caller: str | None,
        content: Mapping[str, object],
        prompt: bytes | None = None,
        people: Sequence[str] = (),
    ) -> Place:
        """Make a decision's record durable, and return where it is.

        Args:
            fields: Those of `DecisionRecord` but `caller` and `input`.
            caller: Who asked; a pseudonym goes into the leaf.
            content: What goes into the vault, bound to the leaf by a commitment.
            prompt: What was sent, if it is to be kept: sealed in the vault under the
                keys of all whom it is about, the caller among them.
            people: The ids of those whom the call is about.

        Raises:
            NotDurableError: it could not be made durable, or is no record.
        """
        try:
            sealed = Sealed.of(str(fields["id"]), canonical_bytes(content))
            salty, committed = (b"", None) if prompt is None else salted(prompt)
            record = DecisionRecord.model_validate(
                {
                    **fields,
                    "caller": None if caller is None else self._pseudonym(caller),
                    "input": sealed.commitment(),
                    "prompt": committed,
                }
            )
            body = body_of(record)
            named = {*people, *([] if prompt is None or caller is None else [caller])}
            if named or prompt is not None:
                sealed = self._about(
                    sealed,
                    named=named,
                    prompt=salty if prompt is not None else None,
                    leaf=leaf_hash(body),
                )
        except (PolicyGuardError, ValidationError) as error:
            raise NotDurableError(f"no record can be made: {error}") from error
        return self._here().recorder.append(Waiting(body=body, sealed=sealed))

    def rotate_key(self) -> VerifierKey:
        """Hand this process's log over to a new key, and return the new public key.

        Give the new key to whoever verifies the log; the old one they keep.

        Raises:
            PolicyGuardError: as `rotate_own` says.
        """
        return rotate_own(self._here().recorder, layout=self._layout, keys=self._keys)

    def close(self) -> None:
        """Write what is left, and release the log for other processes.

        Nothing can be appended afterwards.
        """
        process = self._here()
        process.recorder.close()
        self._closed = True
        with process.caller_lock:
            if process.callers is not None:
                process.callers.close()
                process.callers = None
            if process.people is not None:
                process.people.close()
                process.people = None

    def _claim(self) -> Writer:
        if self._closed:
            raise TrailError("the trail is closed: keep the guard open while it calls")
        return claim_writer(
            self._layout, name=self._name, role=self._role, keys=self._keys
        )

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

    def _about(
        self,
        sealed: Sealed,
        *,
        named: AbstractSet[str],
        prompt: bytes | None,
        leaf: bytes,
    ) -> Sealed:
        """Return content with whom it is about, and with its prompt if that is kept."""
        process = self._here()
        with process.caller_lock:
            try:
                if process.people is None:
                    process.people = People(self._layout)
                kept = process.people
                found = sorted(map(kept.person, named), key=lambda item: item.pseudonym)
                return replace(
                    sealed,
                    about=tuple(item.pseudonym for item in found),
                    prompt=(
                        None
                        if prompt is None
                        else kept.seal(prompt, people=found, leaf=leaf)
                    ),
                )
            except BaseException as error:
                process.people = None
                if isinstance(error, PolicyGuardError) or not isinstance(
                    error, Exception
                ):
                    raise
                raise TrailError(f"the people cannot be kept: {error}") from error

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
        self._process = _Process(recorder=Recorder(self._claim))
        left.recorder.leak()
        if left.callers is not None:
            left.callers.leak()
        if left.people is not None:
            left.people.leak()


_TRAILS: weakref.WeakSet[Trail] = weakref.WeakSet()


def _after_fork() -> None:
    for trail in list(_TRAILS):
        trail._forget()  # noqa: SLF001 -- the same module


def _at_exit() -> None:
    for trail in list(_TRAILS):
        with contextlib.suppress(Exception):
            trail.flush()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
