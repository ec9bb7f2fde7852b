"""Asks the engine, reads the answer, makes it durable; every way to *not allowed*.

Owner: one `Core` belongs to a guard and all guards bound from it. A crash between
the record and the call leaves a decision without an outcome, which an auditor sees.
Whoever controls this module's process can skip it: it guards calls, not attackers
inside.

INVARIANT: `decide` returns an allowing decision only if the engine's answer was whole
and coherent, every obligation can be discharged, and the record is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final, NamedTuple

from policyguard.audit.trail import Trail
from policyguard.bundle.source import Bundle
from policyguard.catalog.catalog import Catalog
from policyguard.engines.protocol import Snapshot
from policyguard.errors import EngineError, PolicyGuardError
from policyguard.guard import recording
from policyguard.guard.answer import Answer
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described
from policyguard.guard.facts import Facts
from policyguard.guard.leave import Leave
from policyguard.guard.notices import NoticeFile, notice_of
from policyguard.guard.obeying import obeyed
from policyguard.guard.obligations import to_notify
from policyguard.guard.persons import NOBODY
from policyguard.guard.policy import NO_COUNT, Policy, PolicyInUse
from policyguard.guard.refusal import refused, unrecorded
from policyguard.guard.routing import NOTHING
from policyguard.guard.tally import Counted, Tally, with_counts
from policyguard.guard.watching import Watching
from policyguard.guard.wire import Batches
from policyguard.identity import new_id, wall_clock
from policyguard.vocabulary.call import (
    CallContext,
    DataFacts,
    Exporter,
    ModelCall,
    Tenant,
)
from policyguard.vocabulary.decision import Decision, Place
from policyguard.vocabulary.value import built

if TYPE_CHECKING:
    from policyguard.guard.detecting import Searching

# The same values in every call, so that their bytes are written once.
_NO_CONTEXT: Final = CallContext()
_NO_EXPORTER: Final = Exporter()
_NO_DATA: Final = DataFacts()


class Case(NamedTuple):
    """Is one question, how it is asked, and the policy that answers it."""

    call: ModelCall
    asking: Asking
    policy: Policy
    id: str
    """Of the decision."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Core:
    """Holds the parts that answer and remember."""

    policies: PolicyInUse
    trail: Trail
    tenant: Tenant
    defaults: Facts
    clock: Callable[[], datetime]
    simulated: bool
    leave: Leave | None = None
    """Looks up approvals; `None`: nobody may approve."""
    keep_prompts: bool = False
    searching: Searching | None = None
    """How data is searched for what is not declared; `None`: nobody looks."""
    notices: NoticeFile | None = None
    """Tells somebody when a rule obliges to; `None`: nobody is told."""
    tally: Tally | None = None
    """Counts people; `None`: nobody is counted, and every count is unknown."""
    enforced: bool = True
    """Whether an objection stops a call; not, where the tenant only observes."""
    stop: Callable[[], None] | None = None
    """Ends what looks for new policy, if anything does."""
    watching: Watching = field(default_factory=Watching, repr=False)
    batches: Batches = field(default_factory=Batches, repr=False)

    def close(self) -> None:
        """Stop looking for new policy, and release the trail."""
        if self.stop is not None:
            self.stop()
        self.trail.close()

    @property
    def snapshot(self) -> Snapshot:
        """Give the engine's newest loaded version."""
        return self.policies.newest.snapshot

    @property
    def bundle(self) -> Bundle:
        """Give the newest bundle."""
        return self.policies.newest.bundle

    @property
    def catalog(self) -> Catalog:
        """Give the newest catalog."""
        return self.policies.newest.catalog

    def question(self, *, described: Described, facts: Facts) -> ModelCall:
        """Put what is known of a call into one question, at the guard's own instant."""
        known = facts.over(self.defaults)
        meant = self.policies.newest.meant(described)
        at = self.clock()
        fields = {
            "at": at,
            "purpose": known.purpose,
            "context": known.context or _NO_CONTEXT,
            "caller": known.caller,
            "exporter": known.exporter or _NO_EXPORTER,
            "tenant": self.tenant,
            "data": with_counts(known.data or _NO_DATA, known.persons or NOBODY),
            "rolling": NO_COUNT,
            "approvals": (),
            "asked": meant.asked,
            "model": meant.model,
            "route": meant.route,
        }
        # All but a clock that is not ours was validated, group by group.
        return built(ModelCall, fields) if at.tzinfo is UTC else ModelCall(**fields)

    def empty_question(self) -> ModelCall:
        """Return the question of which nothing is known but the tenant."""
        return ModelCall(at=wall_clock(), tenant=self.tenant)

    def decide(self, call: ModelCall, *, asking: Asking) -> Decision:
        """Answer a question and make the answer durable; never raises."""
        decision = self.consider(call, asking=asking, policy=self.policies.current)
        return self.settled(self.record(decision, asking=asking))

    def settled(self, decision: Decision) -> Decision:
        """Return a recorded decision; what it would have counted is given back if refused."""
        if self.tally is not None and not decision.goes_ahead:
            self.tally.settle(decision.id, made=False)
        return decision

    def decide_many(self, calls: Iterable[ModelCall]) -> tuple[Decision, ...]:
        """Check many questions, then make all the answers durable together."""
        pairs = []
        for call in calls:
            how = Asking(call_id=new_id(), kind="check")
            decision = self.consider(call, asking=how, policy=self.policies.current)
            pairs.append((decision, how))
        return self.record_all(pairs)

    def refuse(
        self, call: ModelCall, *, asking: Asking, code: str, detail: str
    ) -> Decision:
        """Record that a question could not be answered."""
        case = Case(call, asking, self.policies.newest, new_id())
        refusal = self._decision(case, code=code, detail=detail)
        return self.record(refusal, asking=asking)

    def consider(self, call: ModelCall, *, asking: Asking, policy: Policy) -> Decision:
        """Answer a question from one policy, and record nothing; never raises."""
        case = self.case_of(call, asking=asking, policy=policy)
        try:
            answer = policy.answer(case.call)
        except Exception as error:  # noqa: BLE001 -- any surprise means: no decision
            return self.unanswered(case, error)
        return self.answered(case, answer)

    def case_of(self, call: ModelCall, *, asking: Asking, policy: Policy) -> Case:
        """Return a question as it is put to a policy."""
        # INVARIANT: approvals and counts enter `input` here alone: the first verified,
        # the second with what this call would add reserved.
        name = new_id()
        asked = self._counted(
            call.model_copy(update={"approvals": ()}) if call.approvals else call,
            asking=asking,
            catalog=policy.catalog,
            name=name,
        )
        return Case(asked, asking, policy, name)

    def answered(self, case: Case, answer: Answer) -> Decision:
        """Return the decision on a question that its policy has answered; never raises."""
        if answer.verdict == "require_approval" and self.leave is not None:
            # INVARIANT: one policy answers, names itself, and offers alternatives.
            costs = case.asking.kind == "decision"
            try:
                call, answer = self.leave.answered(
                    case.call, answer, policy=case.policy, costs=costs
                )
            except Exception as error:  # noqa: BLE001 -- as in `consider`
                return self.unanswered(case, error)
            case = case._replace(call=call)
        decision = self._decision(case, answer=answer)
        return decision if answer.verdict != "allow" else self._obeyed(decision, case)

    def unanswered(self, case: Case, error: Exception) -> Decision:
        """Return the refusal of a question whose answer failed; never raises."""
        if not isinstance(error, EngineError):
            detail = f"{type(error).__name__} while evaluating"
            return self._decision(case, code="engine.error", detail=detail)
        if error.code == "engine.skew":
            self.policies.outdated()
        return self._decision(case, code=error.code, detail=str(error))

    def keeps(self, decision: Decision, *, asking: Asking) -> Decision:
        """Return a decision of the wrapper's, or its refusal if the body does not obey it.

        Args:
            decision: It allows, and is recorded.
            asking: The question of the transport, which sees the body that is sent.
        """
        kept = obeyed(
            decision, catalog=self.catalog, sending=asking.sending, may_notify=True
        )
        if kept.allowed:
            return kept
        code = kept.code or "obligation.undischarged"
        return self.refuse(decision.call, asking=asking, code=code, detail=kept.detail)

    def _obeyed(self, decision: Decision, case: Case) -> Decision:
        """Return an allowing decision, or its refusal if it cannot be obeyed."""
        kept = obeyed(
            decision,
            catalog=case.policy.catalog,
            sending=case.asking.sending,
            may_notify=self.notices is not None,
        )
        if case.asking.kind != "decision" or self.notices is None:
            return kept
        told = to_notify(kept.obligations) if kept.allowed else ()
        try:
            for item in told:
                self.notices.tell(notice_of(decision, item))
        except PolicyGuardError as error:
            return refused(kept, code="obligation.undischarged", detail=str(error))
        return kept

    def _counted(
        self, call: ModelCall, *, asking: Asking, catalog: Catalog, name: str
    ) -> ModelCall:
        tally, persons = self.tally, asking.persons
        if tally is None or not tally.is_asked(call, persons=persons, catalog=catalog):
            same = call.rolling is NO_COUNT
            return call if same else call.model_copy(update={"rolling": NO_COUNT})
        counted = Counted(
            call=call,
            persons=persons,
            reservation=name,
            call_id=asking.call_id,
            keep=asking.kind == "decision",
        )
        return tally.begin(counted, catalog=catalog)

    def _decision(
        self,
        case: Case,
        *,
        answer: Answer | None = None,
        code: str | None = None,
        detail: str = "",
    ) -> Decision:
        call, asking, policy = case.call, case.asking, case.policy
        objected = answer is not None and answer.verdict != "allow" and code is None
        # Only a refusal looks for other ways: an allowed call does not pay for them.
        beside = NOTHING
        if objected and asking.offers:
            # INVARIANT: what is offered is asked with the counts that it would have.
            counted = partial(
                self._counted,
                asking=replace(asking, kind="check"),
                catalog=policy.catalog,
                name=case.id,
            )
            beside = policy.considered(call, counted=counted if self.tally else None)
        refs = policy.refs(replaced=answer.replaced if answer else ())
        fields = {
            "id": case.id,
            "call_id": asking.call_id,
            "time": wall_clock(),
            "verdict": answer.verdict if answer and code is None else "deny",
            "code": code,
            "detail": detail or asking.why,
            "requests": (),
            "findings": answer.findings if answer else (),
            "obligations": answer.obligations if answer else (),
            "advice": answer.advice if answer else (),
            "alternatives": beside.permitted,
            "rejected": beside.rejected,
            "found": asking.found,
            "call": call,
            "bundle": refs.bundle,
            "catalog": refs.catalog,
            "engine": refs.engine,
            "simulated": self.simulated or asking.kind == "check",
            "enforced": self.enforced,
            "record": None,
        }
        return built(Decision, fields)

    def record_all(
        self, pairs: Sequence[tuple[Decision, Asking]]
    ) -> tuple[Decision, ...]:
        """Do what `record` does for many answers, in few commits."""
        began = perf_counter_ns()
        places: Sequence[Place | Exception]
        catalog_of = self.policies.catalog_of
        try:
            places = self.trail.append_decisions(
                recording.entry_of(decision, asking=how, catalog=catalog_of(decision))
                for decision, how in pairs
            )
        except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
            places = (error,) * len(pairs)
        waited = perf_counter_ns() - began
        return tuple(
            self.told(decision, place, asking=asking, waited=waited)
            for (decision, asking), place in zip(pairs, places, strict=True)
        )

    def record(self, decision: Decision, *, asking: Asking) -> Decision:
        """Make an answer durable, or a refusal of it; never raises."""
        began = perf_counter_ns()
        place: Place | Exception
        try:
            place = recording.record_decision(
                decision,
                asking=asking,
                trail=self.trail,
                catalog=self.policies.catalog_of(decision),
            )
        except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
            place = error
        waited = perf_counter_ns() - began
        return self.told(decision, place, asking=asking, waited=waited)

    def told(
        self,
        decision: Decision,
        place: Place | Exception,
        *,
        asking: Asking,
        waited: int,
    ) -> Decision:
        """Return a decision with its place, or its refusal, after telling who watches."""
        if isinstance(place, Place):
            recorded = built(Decision, {**decision.__dict__, "record": place})
        else:
            recorded = unrecorded(decision, place)
        self.watching.decided(
            recorded, asking=asking, catalog=self.catalog, waited=waited
        )
        return recorded
