"""What decides, as one value; and how another takes its place while calls are made.

Owner: one `PolicyInUse` belongs to a `Core`, and all threads share it. A take-over is
the exchange of one reference, so each decision comes from one whole policy, which it
names. The new engine of a thread is built in slices by that thread's own calls, which
the old policy answers meanwhile, for a few seconds at most: a call waits for a slice,
never for a whole engine. Nothing is on disk.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from policyguard.bundle.source import Bundle
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.protocol import Snapshot
from policyguard.errors import PolicyGuardError
from policyguard.guard.answer import Answer, read_answer
from policyguard.guard.obligations import ANYTHING, Situation, undischarged
from policyguard.vocabulary.call import ModelCall

GRACE_SECONDS: Final = 5.0
"""For so long a thread may still answer from a policy that was replaced."""
MOST_RECENT: Final = 4
"""So many replaced policies may still answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Is one bundle and one catalog, loaded into an engine."""

    snapshot: Snapshot
    bundle: Bundle
    catalog: Catalog

    def answer(self, call: ModelCall) -> Answer:
        """Evaluate a question.

        Raises:
            EngineError: there is no answer, or none that is whole and coherent.
        """
        document = self.snapshot.evaluate(canonical_bytes(call.engine_input()))
        return read_answer(document, rules=self.bundle)

    def allows(self, call: ModelCall) -> bool:
        """Say whether a call would be allowed, without recording that it was asked."""
        try:
            answer = self.answer(call)
        except PolicyGuardError:
            return False
        situation = Situation(
            call=call, catalog=self.catalog, sending=ANYTHING, may_notify=True
        )
        left = undischarged(answer.obligations, situation=situation)
        return answer.verdict == "allow" and not left


class _Thread(threading.local):
    """Remembers the policy that answered a thread's last question."""

    policy: Policy | None = None


class PolicyInUse:
    """Holds the policy that decides.

    Args:
        policy: The first one.
        clock: Seconds that never go back.
    """

    __slots__ = ("_clock", "_lock", "_newest", "_recent", "_thread", "when_outdated")

    def __init__(
        self, policy: Policy, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.when_outdated: Callable[[], None] | None = None
        """Called when a remote engine answers from other policy than this."""
        self._clock = clock
        self._lock = threading.Lock()
        self._thread = _Thread()
        self._newest = policy
        self._recent: tuple[tuple[Policy, float], ...] = ()

    @property
    def newest(self) -> Policy:
        """Give the policy that was loaded last."""
        return self._newest

    @property
    def current(self) -> Policy:
        """Give the policy that answers the calling thread's next question."""
        newest, last = self._newest, self._thread.policy
        if last is newest:
            return newest
        if self._may_still_answer(last) and not newest.snapshot.prepare_some():
            return cast("Policy", last)
        self._thread.policy = newest
        return newest

    def outdated(self) -> None:
        """Have somebody look for newer policy, if anybody looks."""
        if self.when_outdated is not None:
            self.when_outdated()

    def replace(self, policy: Policy) -> None:
        """Let another policy decide, from each thread's next question on."""
        with self._lock:
            until = self._clock() + GRACE_SECONDS
            known = ((self._newest, until), *self._recent)[:MOST_RECENT]
            self._recent = tuple(item for item in known if item[1] > self._clock())
            self._newest = policy

    def _may_still_answer(self, policy: Policy | None) -> bool:
        if policy is None:
            return False
        now = self._clock()
        return any(known is policy and now < until for known, until in self._recent)
