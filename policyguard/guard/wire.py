"""What the wrapper and the transport under it know of the same call, or of a batch.

The wrapper knows the caller's intent, the transport the real host and body. One
`call_id` ties their records together. The state lives in a context variable that
the wrapper owns; a crash loses it together with the call.

Of batches a core remembers those that run, and the calls in files that were uploaded.
Nothing of that is on disk. A crash leaves the decisions of a batch without outcomes, which
an auditor sees, and files of which the next process knows nothing: it refuses their
batches.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Final

from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described
from policyguard.guard.facts import Facts, context_facts
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision

MOST_FILES: Final = 1_024
MOST_FILED_CALLS: Final = 1_000_000
"""Different calls in all remembered files; those that were uploaded first are forgotten."""


@dataclass(slots=True, kw_only=True)
class CallState:
    """Is one guarded call while it runs; changed by the transport below it."""

    call_id: str
    decision: Decision
    facts: Facts
    denied: Decision | None = None
    outcome_taken: bool = False
    """Whether the transport records what became of the wrapper's decision."""
    used: bool = False
    declared: Facts = field(default_factory=context_facts, repr=False)
    """What the blocks around the call declare, which is in `facts` already."""
    _once: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def known(self) -> Facts:
        """Return the facts of the call, with those of blocks that were entered in it."""
        declared = context_facts()
        return self.facts if declared is self.declared else declared.over(self.facts)

    def use_for(self, call: ModelCall) -> bool:
        """Say, once, whether the wrapper's decision answers the transport's question."""
        # What the guard itself puts in is not what the two could differ in.
        known = self.decision.call
        own = {name: getattr(known, name) for name in ("at", "approvals", "rolling")}
        return call.model_copy(update=own) == known and self.use()

    def use(self) -> bool:
        """Say, once, that the wrapper's decision is used."""
        # A lock, since threads that a call starts may have its context.
        with self._once:
            unused, self.used = not self.used, True
        return unused

    def end(self) -> None:
        """Say that the call has ended.

        What it has started may go on in its context: that is asked about anew.
        """
        self.use()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Is the answer to a transport."""

    decision: Decision
    state: CallState | None = field(default=None, repr=False)

    def take_outcome(self) -> None:
        """Take over from the wrapper the duty to record how this attempt ends.

        The wrapper sees how a call ends; not how its first attempt does, nor a stream.
        """
        if self.state is not None:
            self.state.outcome_taken = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Is one question, for all calls of a batch that put it."""

    call: ModelCall
    asking: Asking
    positions: tuple[int, ...]
    """Where they stand in the batch, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Is the questions of one body."""

    described: Described
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Is a batch that was let out."""

    described: Described
    others: tuple[Decision, ...]
    """The decisions beside the one that stands for the batch."""


class Batches:
    """Holds batches from their decisions to their outcome, and files of calls."""

    __slots__ = ("_filed", "_files", "_lock", "_open")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Opened] = {}
        self._files: OrderedDict[tuple[str, str], tuple[Described, ...]] = OrderedDict()
        self._filed = 0

    def open(self, decision: Decision, opened: Opened) -> None:
        """Remember a batch until its outcome.

        Args:
            decision: Stands for the batch.
            opened: What it stands for.
        """
        with self._lock:
            self._open[decision.id] = opened

    def find(self, decision: Decision) -> Opened | None:
        """Return the batch that a decision stands for; `None`: it stands for none."""
        # Most decisions do: they ask without the lock, and nobody waits for it.
        return self._open.get(decision.id)

    def close(self, decision: Decision) -> Opened | None:
        """Return a batch and forget it; `None`: there is none."""
        if decision.id not in self._open:
            return None
        with self._lock:
            return self._open.pop(decision.id, None)

    def keep_file(self, *, host: str, name: str, calls: tuple[Described, ...]) -> None:
        """Remember the calls of a file that was uploaded to a host."""
        # A batch asks about its calls anew: where they stand in the file is all the same.
        with self._lock:
            self._forget((host, name))
            self._files[host, name] = calls
            self._filed += len(calls)
            while len(self._files) > MOST_FILES or self._filed > MOST_FILED_CALLS:
                self._forget(next(iter(self._files)))

    def file(self, *, host: str | None, name: str) -> tuple[Described, ...] | None:
        """Return the calls of a file; `None`: it did not pass by here."""
        with self._lock:
            return self._files.get((host or "", name))

    def _forget(self, key: tuple[str, str]) -> None:
        self._filed -= len(self._files.pop(key, ()))


_CURRENT: ContextVar[CallState | None] = ContextVar("policyguard_call", default=None)
_NOTED: ContextVar[list[Decision] | None] = ContextVar(
    "policyguard_refused", default=None
)


def current() -> CallState | None:
    """Return the guarded call that the running code is in."""
    return _CURRENT.get()


def known_facts(own: Facts) -> Facts:
    """Return a guard's own facts over those that hold where the code runs.

    A guarded call inside another one is part of it, and has its facts.
    """
    state = _CURRENT.get()
    return own.over(state.known() if state else context_facts())


def call_id() -> str:
    """Return the id of the guarded call that the running code is in, or a new one."""
    state = _CURRENT.get()
    return state.call_id if state else new_id()


def enter(state: CallState) -> Token[CallState | None]:
    """Begin a guarded call."""
    return _CURRENT.set(state)


def leave(token: Token[CallState | None]) -> None:
    """End a guarded call."""
    _CURRENT.reset(token)


@contextmanager
def noting() -> Iterator[list[Decision]]:
    """Collect the refusals inside a block, whoever swallows their exceptions.

    Whoever collects around the block is given them too.
    """
    noted: list[Decision] = []
    above = _NOTED.get()
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)
        if above is not None:
            above += noted


def refused(decision: Decision) -> None:
    """Note a refusal for whoever collects them."""
    noted = _NOTED.get()
    if noted is not None:
        noted.append(decision)


def denied(decision: Decision) -> None:
    """Note a denial for the wrapper, which raises it in place of the SDK's error."""
    refused(decision)
    state = _CURRENT.get()
    if state is not None:
        state.denied = decision
