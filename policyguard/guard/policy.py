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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from policyguard.bundle.source import Bundle
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.views import LIVES
from policyguard.engines.memo import MOST_ENTRIES, Memo, instants_in, seconds_of
from policyguard.engines.protocol import REMOTE, EngineInfo, Snapshot
from policyguard.errors import PolicyGuardError
from policyguard.guard.answer import Answer, read_answer
from policyguard.guard.describe import Described
from policyguard.guard.input_bytes import input_bytes
from policyguard.guard.listed import require_known_lists
from policyguard.guard.meaning import Meanings, Meant
from policyguard.guard.obligations import ANYTHING, Situation, undischarged
from policyguard.guard.routing import Considered, Objection, considered
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import (
    BundleRef,
    CatalogRef,
    Decision,
    EngineRef,
)
from policyguard.vocabulary.rolling import Rolling

GRACE_SECONDS: Final = 5.0
"""For so long a thread may still answer from a policy that was replaced."""
MOST_RECENT: Final = 4
"""So many replaced policies may still answer."""
_DAY: Final = 24 * 60 * 60
NO_COUNT: Final = Rolling()
"""What earlier calls add up to where nobody counts."""


class Refs(NamedTuple):
    """Names what answers."""

    bundle: BundleRef
    catalog: CatalogRef
    engine: EngineRef


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Is what is remembered of an engine's answers.

    INVARIANT: an engine whose answers are in doubt says so by another `info`, and nothing
    that it answered before is given again.
    """

    engine: EngineInfo
    refs: Refs
    answers: Memo[Answer]
    routes: Memo[Considered]

    def emptied(self, *, engine: EngineInfo) -> _Known:
        """Return what is remembered of another engine, which is nothing yet."""
        return _Known(
            engine=engine,
            refs=self.refs._replace(engine=_engine_ref(engine)),
            answers=self.answers.emptied(),
            routes=self.routes.emptied(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Is one bundle and one catalog, loaded into an engine."""

    snapshot: Snapshot
    bundle: Bundle
    catalog: Catalog
    memo_entries: int = MOST_ENTRIES
    """How many questions are remembered."""
    not_before: datetime = field(init=False, repr=False, compare=False)
    """No call is made before the lists of the catalog were: the clock would be wrong."""
    _known: _Known = field(init=False, repr=False, compare=False)
    _meanings: Meanings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Begin with empty memos, which go with the policy."""
        instants = instants_of(
            data=canonical_bytes(self.bundle.data),
            catalog=self.catalog.document_json,
            lists=(
                (listed.as_of, listed.max_age_days)
                for listed in self.catalog.entries.lists.values()
            ),
        )
        memo = Memo[Any](
            instants=instants,
            lives=tuple(LIVES.values()),
            entries=self.memo_entries,
        )
        known = _Known(
            engine=self.snapshot.info,
            refs=Refs(
                bundle=BundleRef(
                    revision=self.bundle.revision, digest=self.snapshot.bundle_digest
                ),
                catalog=CatalogRef(
                    version=self.catalog.version, digest=self.snapshot.catalog_digest
                ),
                engine=_engine_ref(self.snapshot.info),
            ),
            answers=memo,
            routes=memo.emptied(),
        )
        object.__setattr__(self, "_known", known)
        lists = self.catalog.entries.lists.values()
        newest = max((listed.as_of for listed in lists), default=date(1970, 1, 2))
        # A day in UTC may have begun elsewhere.
        begun = datetime(newest.year, newest.month, newest.day, tzinfo=UTC)
        object.__setattr__(self, "not_before", begun - timedelta(days=1))
        object.__setattr__(self, "_meanings", Meanings(self.catalog))

    @property
    def known(self) -> _Known:
        """Give what is remembered of the engine as it answers now."""
        known = self._known
        if known.engine is not self.snapshot.info:
            # An answer that was under way is remembered where nobody looks any more.
            known = known.emptied(engine=self.snapshot.info)
            object.__setattr__(self, "_known", known)
        return known

    @property
    def memo(self) -> Memo[Answer]:
        """Give what is remembered of answers."""
        return self.known.answers

    @property
    def is_remote(self) -> bool:
        """Say whether a server answers."""
        # A server that is away, late or has another policy by now has to be noticed at
        # each call: nothing that it said is remembered.
        return self.snapshot.info.digest == REMOTE

    def answer(self, call: ModelCall) -> Answer:
        """Answer a question: from memory, or else by evaluation.

        Raises:
            EngineError: there is no answer, or none that is whole and coherent.
        """
        asked = input_bytes(call)
        at = seconds_of(call.at)
        counted = self.is_remote or _counts(call)
        memo = self.memo
        known = None if counted else memo.find(asked.question, at=at)
        if known is None:
            require_known_lists(call, catalog=self.catalog)
            document = self.snapshot.evaluate(asked.whole)
            known = read_answer(document, rules=self.bundle)
            if not counted:
                memo.keep(asked.question, at=at, answer=known)
        return known

    def allows_from_memory(self, call: ModelCall) -> bool:
        """Say whether a question is remembered to be allowed: then it is answered at once."""
        if self.is_remote or _counts(call):
            return False
        known = self.memo.peek(input_bytes(call).question, at=seconds_of(call.at))
        return known is not None and known.verdict == "allow"

    async def aanswer(self, call: ModelCall) -> Answer:
        """Ask a server, without a thread that waits for it; see `answer`."""
        require_known_lists(call, catalog=self.catalog)
        document = await self.snapshot.aevaluate(input_bytes(call).whole)
        return read_answer(document, rules=self.bundle)

    def considered(
        self, call: ModelCall, *, counted: Callable[[ModelCall], ModelCall] | None
    ) -> Considered:
        """Return what the other deployments of a refused call's model meet.

        Args:
            call: The refused call.
            counted: Gives a question the counts of people that it has at its own
                deployment; `None`: nobody counts.
        """
        question, at = input_bytes(call).question, seconds_of(call.at)
        fresh = self.is_remote or counted is not None or _counts(call)
        routes = self.known.routes
        found = None if fresh else routes.find(question, at=at)
        if found is None:

            def objection(there: ModelCall) -> Objection | None:
                return self.objection(counted(there) if counted else there)

            found = considered(call, catalog=self.catalog, objection=objection)
            if not fresh:
                routes.keep(question, at=at, answer=found)
        return found

    def meant(self, described: Described) -> Meant:
        """Find what a client's words mean in the catalog; see `Meanings.of`."""
        return self._meanings.of(described)

    def refs(self, *, replaced: tuple[str, ...]) -> Refs:
        """Name what answers, as decisions do.

        Args:
            replaced: The shipped entries that an overlay replaces and a call refers to.
        """
        refs = self.known.refs
        if not replaced:
            return refs
        catalog = refs.catalog.model_copy(update={"replaced": replaced})
        return refs._replace(catalog=catalog)

    def objection(self, call: ModelCall) -> Objection | None:
        """Say why a call would not be allowed, without recording that it was asked."""
        try:
            answer = self.answer(call)
        except PolicyGuardError as error:
            code = getattr(error, "code", None) or "engine.error"
            return Objection(verdict="deny", code=code)
        if answer.verdict != "allow":
            against = (
                item.id
                for item in answer.findings
                if item.effect not in {"oblige", "advise"}
            )
            return Objection(
                verdict=answer.verdict, rules=tuple(dict.fromkeys(against))
            )
        situation = Situation(
            call=call, catalog=self.catalog, sending=ANYTHING, may_notify=True
        )
        left = undischarged(answer.obligations, situation=situation)
        if not left:
            return None
        against = (item.id for item in left)
        return Objection(
            verdict="deny",
            code="obligation.undischarged",
            rules=tuple(dict.fromkeys(against)),
        )


def _engine_ref(info: EngineInfo) -> EngineRef:
    return EngineRef(name=info.name, version=info.version, digest=info.digest)


def _counts(call: ModelCall) -> bool:
    """Say whether a question carries what earlier calls add up to, or an approval.

    Such a number changes with every call, and an approval may be used up: to remember
    the answer would be of no use.
    """
    if call.approvals:
        return True
    return call.rolling is not NO_COUNT and call.rolling != NO_COUNT


def instants_of(
    *, data: bytes, catalog: bytes, lists: Iterable[tuple[date, int | None]]
) -> set[int]:
    """Return every second at which a bundle and a catalog may answer differently.

    Args:
        data: The bundle's data, as JSON.
        catalog: The catalog's document, as JSON.
        lists: Of each list of the catalog, how old its edition is and how many days it
            may be.
    """
    return {*instants_in(data), *instants_in(catalog), *_oldest(lists)}


def _oldest(lists: Iterable[tuple[date, int | None]]) -> Iterator[int]:
    """Yield the second at which each list of a catalog is older than it may be."""
    for as_of, days in lists:
        if days is not None:
            day = as_of + timedelta(days=days)
            ends = seconds_of(datetime(day.year, day.month, day.day, tzinfo=UTC))
            yield from (ends, ends + 1, ends + _DAY, ends + _DAY + 1)


class Turn:
    """Is held by whoever lets new policy take over: one after the other."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget who held it: a forked child has none of its parent's threads."""
        self.lock = threading.Lock()


class _Thread(threading.local):
    """Remembers the policy that answered a thread's last question."""

    policy: Policy | None = None


class PolicyInUse:
    """Holds the policy that decides.

    Args:
        policy: The first one.
        clock: Seconds that never go back.
    """

    __slots__ = (
        "_clock",
        "_lock",
        "_newest",
        "_recent",
        "_thread",
        "turn",
        "when_outdated",
    )

    def __init__(
        self, policy: Policy, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.when_outdated: Callable[[], None] | None = None
        """Called when a remote engine answers from other policy than this."""
        self.turn = Turn()
        """Is held by who prepares a policy to take over."""
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

    def catalog_of(self, decision: Decision) -> Catalog:
        """Return the catalog that a decision was made from, as long as it is known."""
        newest, digest = self._newest.catalog, decision.catalog.digest
        if newest.digest == digest:
            return newest
        named = (policy.catalog for policy, _ in self._recent)
        return next((item for item in named if item.digest == digest), newest)

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
