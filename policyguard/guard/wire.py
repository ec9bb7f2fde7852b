"""What the wrapper and the transport under it know of the same call.

The wrapper knows the caller's intent, the transport the real host and body. One
`call_id` ties their records together. The state lives in a context variable that
the wrapper owns; a crash loses it together with the call.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from policyguard.guard.facts import Facts, context_facts
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision


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
        if call.model_copy(update=own) != known:
            return False
        # A lock, since threads that a call starts may have its context.
        with self._once:
            unused, self.used = not self.used, True
        return unused


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
    """Collect the refusals inside a block, whoever swallows their exceptions."""
    noted: list[Decision] = []
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)


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
