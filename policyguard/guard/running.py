"""One guarded call from its question to its outcome, for the guard's `call` and `acall`.

Owner: a `Running` belongs to one guard and keeps nothing between calls. A crash between
the decision and the outcome leaves a decision without one, which an auditor sees.

INVARIANT: nobody gets a state to make a call with, unless its decision lets it go ahead
and is durable.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policyguard.guard import wire
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.describe import Described, Observed, adapter_of, describe
from policyguard.guard.events import log
from policyguard.guard.facts import Facts, context_facts
from policyguard.guard.obeying import obeyed, sending_of
from policyguard.guard.obligations import Sending
from policyguard.guard.outcomes import record_outcome
from policyguard.guard.persons import NOBODY
from policyguard.guard.recording import Ending, OutcomeWord, prompt_of
from policyguard.guard.refusal import not_allowed
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.found import Found

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

_LOST: Final = (
    "no context names the caller: context lost in a thread? hand work over with"
    " `policyguard.copy_context` or a `ContextExecutor`, or enter `policyguard.context`"
)
_TRAINS: Final = re.compile(r"/fine[-_]?tun(?:e|es|ing)(?:/|$)", re.IGNORECASE)
_TRAINING: Final = frozenset({"fine_tune", "train", "distil"})
_EARLY: Final = (
    "this machine's clock is earlier than the lists that are in use ({}), so that rules"
    " would be silent which are in force by now: set it, or correct a list of a later day"
)

Open: TypeAlias = tuple[ModelCall | wire.Batch, Asking]
"""A transport's question that nobody has answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Is a call that may be made: what to call, with what, and its state."""

    state: wire.CallState
    fn: Callable[..., Any]
    kwargs: dict[str, Any]


def begin(  # noqa: PLR0913 -- all that is known of a call
    core: Core,
    *,
    facts: Facts,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    call_id: str | None = None,
) -> Begun:
    """Ask about a call, and return it if it may be made.

    Args:
        core: Answers and remembers.
        facts: What is declared of the call.
        fn: What would be called.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        call_id: Of the call that this one takes the place of.

    Raises:
        NotAllowed: it may not be made.
    """
    asked = put(core, facts=facts, fn=fn, args=args, kwargs=kwargs, call_id=call_id)
    return begun(decided(core, asked.call, asking=asked.asking), asked=asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Is a call put as a question, with what is needed to make it."""

    call: ModelCall | wire.Batch | Decision
    """The question, those of a batch, or the refusal of one that cannot even be put."""
    asking: Asking
    facts: Facts
    fn: Callable[..., Any]
    kwargs: dict[str, Any]


def put(  # noqa: PLR0913 -- all that is known of a call
    core: Core,
    *,
    facts: Facts,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    call_id: str | None = None,
) -> Put:
    """Put a call as a question; takes what `begin` takes."""
    described = _expanded(core, describe(fn, args, kwargs))
    content = prompt_of(args, kwargs) if core.searching or core.keep_prompts else None
    asking = Asking(
        call_id=call_id or wire.call_id(),
        persons=facts.persons or NOBODY,
        sending=sending_of(described, fn, kwargs),
        prompt=content if core.keep_prompts else None,
        found=found_in(core, content, facts=facts),
        path=described.path,
        why=described.why,
        tool=described.tool,
        offered=described.offered,
    )
    call = _question(core, described, facts=facts, asking=asking)
    return Put(call=call, asking=asking, facts=facts, fn=fn, kwargs=kwargs)


def begun(decision: Decision, *, asked: Put) -> Begun:
    """Return a call that its recorded decision lets go ahead.

    Raises:
        NotAllowed: it does not.
    """
    state = state_of(decision, asking=asked.asking, facts=asked.facts)
    return Begun(state=state, fn=asked.fn, kwargs=asked.kwargs)


def decided(
    core: Core, call: ModelCall | wire.Batch | Decision, *, asking: Asking
) -> Decision:
    """Answer a question that was put, and make the answer durable; never raises."""
    if isinstance(call, wire.Batch):
        from policyguard.guard import many

        return many.decide(core, call)
    return call if isinstance(call, Decision) else core.decide(call, asking=asking)


def state_of(decision: Decision, *, asking: Asking, facts: Facts) -> wire.CallState:
    """Return the state of a call that its recorded decision lets go ahead.

    Raises:
        NotAllowed: it does not.
    """
    if not decision.goes_ahead:
        log.info("call.refused", decision=decision.id, verdict=decision.verdict)
        wire.refused(decision)
        raise not_allowed(decision)
    return wire.CallState(call_id=asking.call_id, decision=decision, facts=facts)


def at_wire(  # noqa: PLR0913 -- all that a transport knows
    core: Core,
    described: Described,
    *,
    own: Facts,
    attempt: int,
    body: bytes | None,
    text: bytes | None,
) -> wire.Wire:
    """Answer a transport, as `Guard.check_wire` says; never raises.

    Takes what `put_at_wire` takes.
    """
    kept = kept_at_wire(core, described)
    if kept is not None:
        return kept
    asked = put_at_wire(core, described, own=own, attempt=attempt, body=body, text=text)
    if isinstance(asked, wire.Wire):
        return asked
    call, asking = asked
    return wire.Wire(decision=decided(core, call, asking=asking))


def put_at_wire(  # noqa: PLR0913 -- all that a transport knows
    core: Core,
    described: Described,
    *,
    own: Facts,
    attempt: int,
    body: bytes | None,
    text: bytes | None,
) -> wire.Wire | Open:
    """Return what answers a transport, or the question that is open still.

    Args:
        core: Answers and remembers.
        described: What is sent where.
        own: The facts of the guard that protects the transport.
        attempt: 0 for the first try.
        body: What is sent, if it was read.
        text: A JSON document with the data in it.
    """
    described = _expanded(core, described)
    state = wire.current()
    known = state.known() if state else own.over(context_facts())
    asking = Asking(
        call_id=wire.call_id(),
        layer="http",
        attempt=attempt,
        prompt=body if core.keep_prompts else None,
        found=found_in(core, text, facts=known),
        persons=known.persons or NOBODY,
        sending=Sending(parameters=described.parameters),  # which it may not change
        path=described.path,
        why=described.why,
        offered=described.offered,
    )
    if state and is_asked_the_same(core, state, described, known=known):
        return _kept(core, state, asking=asking)
    call = _question(core, described, facts=known, asking=asking)
    if isinstance(call, Decision):
        return wire.Wire(decision=call)
    if state and _uses(core, state, call):
        if isinstance(call, wire.Batch):
            return wire.Wire(decision=state.decision, state=state)
        return _kept(core, state, asking=asking)
    return call, asking


def kept_at_wire(core: Core, described: Described) -> wire.Wire | None:
    """Return the wrapper's decision, if it plainly answers what a transport asks.

    Otherwise nothing was done, and the question has to be put.
    """
    state = wire.current()
    if state is None:
        return None
    # What an obligation wants of a body may be missing, and a refusal is written.
    kept = obeyed(
        state.decision,
        catalog=core.catalog,
        sending=Sending(parameters=described.parameters),
        may_notify=True,
    )
    known = state.known()
    if not kept.allowed or not is_asked_the_same(core, state, described, known=known):
        return None
    return wire.Wire(decision=kept, state=state)


def _kept(core: Core, state: wire.CallState, *, asking: Asking) -> wire.Wire:
    kept = core.keeps(state.decision, asking=asking)
    return wire.Wire(decision=kept, state=state if kept.allowed else None)


def is_asked_the_same(
    core: Core, state: wire.CallState, described: Described, *, known: Facts
) -> bool:
    """Say, once, whether a transport's question is plainly the one that is answered.

    What is the same facts, words, and meaning of these words, makes the same question,
    which need not be made to be compared. What is not plain is made and compared.
    """
    if known is not state.facts or core.searching is not None:
        return False
    if described.calls or described.file is not None or described.upload:
        return False
    if core.batches.find(state.decision) is not None:
        return False
    call = state.decision.call
    asked = call.asked
    words = (described.model, described.host, described.opaque)
    if words != (asked.model, asked.host, asked.opaque):
        return False
    meant = core.policies.newest.meant(described)
    return (meant.model, meant.route) == (call.model, call.route) and state.use()


def _expanded(core: Core, described: Described) -> Described:
    if described.file is None and not (described.upload or described.calls):
        return described
    from policyguard.guard import many

    return many.expanded(core, described)


def _question(
    core: Core, described: Described, *, facts: Facts, asking: Asking
) -> ModelCall | wire.Batch | Decision:
    """Return the question, or the questions of a batch; see `question`."""
    if not described.calls:
        return question(core, described=described, facts=facts, asking=asking)
    from policyguard.guard import many  # most processes make no batches

    return many.batch_of(
        described,
        asking=asking,
        ask=lambda call, how: question(core, described=call, facts=facts, asking=how),
    )


def _uses(core: Core, state: wire.CallState, call: ModelCall | wire.Batch) -> bool:
    """Say, once, whether the wrapper's decision answers what a transport asks."""
    if not isinstance(call, wire.Batch):
        return core.batches.find(state.decision) is None and state.use_for(call)
    opened = core.batches.find(state.decision)
    if opened is None or opened.described.calls != call.described.calls:
        return False
    return state.use_for(call.groups[0].call)


def facts_here(guard: Guard) -> Facts:
    """Return what is declared where the running code is, and for a guard."""
    return guard._facts.over(context_facts())  # noqa: SLF001 -- a part of the guard


def question(
    core: Core, *, described: Described, facts: Facts, asking: Asking
) -> ModelCall | Decision:
    """Return the question, or the refusal of one that cannot even be put."""
    against = None
    if asking.found is not None and core.searching is not None:
        facts, against = core.searching.judged(facts, asking.found)
    try:
        call = core.question(described=described, facts=facts)
    except Exception as error:  # noqa: BLE001 -- what cannot be asked is not allowed
        return core.refuse(
            core.empty_question(),
            asking=asking,
            code="guard.question",
            detail=f"the call could not be described: {type(error).__name__}",
        )
    earliest = core.policies.newest.not_before
    if not core.simulated and call.at < earliest:
        early = _EARLY.format(f"from {earliest:%Y-%m-%d} on")
        return core.refuse(call, asking=asking, code="guard.clock", detail=early)
    if call.purpose and call.purpose.kind not in _TRAINING and _trains(described):
        said = (
            f"it goes to what fine-tunes models, and its purpose is {call.purpose.kind}"
        )
        return core.refuse(call, asking=asking, code="guard.question", detail=said)
    if facts.caller_lost:
        return core.refuse(call, asking=asking, code="guard.context", detail=_LOST)
    if against:
        return core.refuse(call, asking=asking, code="guard.undeclared", detail=against)
    return call


def _trains(described: Described) -> bool:
    """Say whether a call goes where models are fine-tuned."""
    return _TRAINS.search(described.path) is not None


def found_in(core: Core, content: bytes | None, *, facts: Facts) -> Found | None:
    """Search what a call sends, if settings ask for it; never raises.

    Args:
        core: Knows whether to search.
        content: A JSON document; `None`: it cannot be read.
        facts: What is declared.
    """
    if core.searching is None:
        return None
    try:
        return core.searching.look(content, declared=facts.data)
    except Exception as error:  # noqa: BLE001 -- what cannot be searched is unknown
        log.error("data.not_searched", reason=type(error).__name__)
        return Found(complete=False)


def failed(core: Core, state: wire.CallState, error: BaseException) -> None:
    """Record a failed call; raise the typed denial in place of the SDK's error."""
    state.end()
    if state.denied is not None:
        if state.denied.id != state.decision.id and not state.outcome_taken:
            refused = Ending(outcome="error", error="PolicyDenied")
            record_outcome(core, state.decision, refused)
        raise not_allowed(state.denied) from error
    if state.outcome_taken:
        return
    stopped = not isinstance(error, Exception)
    ending = Ending(outcome="cancelled" if stopped else "error", error=error)
    record_outcome(core, state.decision, ending)


def finished(
    core: Core, state: wire.CallState, *, result: object, fn: Callable[..., object]
) -> None:
    """Record a call that has returned, if no transport does."""
    state.end()
    if state.outcome_taken:
        return
    adapter = adapter_of(fn)
    observed = adapter.observe(result) if adapter else Observed(stream=True)
    word: OutcomeWord = "delegated" if observed.stream else "complete"
    record_outcome(core, state.decision, Ending(outcome=word, observed=observed))
