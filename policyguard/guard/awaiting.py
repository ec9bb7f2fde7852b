"""Decisions for tasks: the rules run in a thread, and the record is awaited in none.

What takes no longer than a hand-over to a thread would is done in the loop itself: a
question that is put from a call's own arguments, and an answer that is remembered. What
may take long or touch a file is not: a search, an evaluation, a refusal, a count.

Any number of tasks wait for the same commits: the event loop's few threads evaluate, two
of the process write what is remembered, and whoever settles a record tells its loop. Where
a server evaluates, the loop asks it, so that no thread waits for its answer. A task that is
cancelled before its call leaves a decision that may go ahead: its outcome is recorded as
`cancelled`, also when the loop has ended with it.

INVARIANT: as for `Core.decide`, nothing is allowed before its record is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter_ns as clock
from typing import Any, Final, TypeAlias

from policyguard.audit.entry import DecisionEntry
from policyguard.errors import NotAllowed, NotDurableError
from policyguard.guard import recording, rerouting, running, wire
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.facts import Facts
from policyguard.guard.handover import hand_over
from policyguard.guard.leaving import Word, in_thread
from policyguard.guard.outcomes import may_block, record_outcome
from policyguard.guard.policy import Policy
from policyguard.guard.recording import Ending
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision, Place

_LONG: Final = frozenset(
    {"body", "extra_body", "file", "files", "input_file_id", "requests"}
)
"""Arguments that hold many calls, or name what does."""
_Settled: TypeAlias = Callable[[Place | Exception], None]
_Told: TypeAlias = Callable[[Place | Exception], Decision]


async def decide(core: Core, call: ModelCall, *, asking: Asking) -> Decision:
    """Answer a question and make the answer durable, as `Core.decide` does."""
    policy = core.policies.current
    if _is_quickly_answered(core, call, asking=asking, policy=policy):
        return await _answered_here(core, call, asking=asking, policy=policy)
    work = _decide(core, call, asking=asking, policy=policy)
    if asking.kind == "check":
        return await work
    return await _unless_cancelled(core, work)


async def begin(
    core: Core, detour: rerouting.Detour | None, **call: Any
) -> running.Begun:
    """Ask about a call, and return it if it may be made.

    Args:
        core: Answers and remembers.
        detour: Where a refused call may go instead.
        call: What `running.begin` takes.

    Raises:
        NotAllowed: it may not be made.
    """
    if _is_quickly_put(core, **call):
        asked = running.put(core, **call)
    else:
        asked = await asyncio.to_thread(lambda: running.put(core, **call))
    decision = await answered(core, asked.call, asking=asked.asking)
    try:
        return running.begun(decision, asked=asked)
    except NotAllowed as refused:
        if detour is None:
            raise
        known = refused
    return await in_thread(
        lambda: rerouting.begin_elsewhere(known, detour, core=core, **call),
        stand_in=lambda begun: _not_made(core, begun.state.decision),
    )


async def at_wire(core: Core, put: Callable[[], wire.Wire | running.Open]) -> wire.Wire:
    """Answer a transport, as `running.at_wire` does.

    Args:
        core: Answers and remembers.
        put: Puts the question, in a thread.
    """
    asked = await asyncio.to_thread(put)
    if isinstance(asked, wire.Wire):
        return asked
    call, asking = asked
    return wire.Wire(decision=await answered(core, call, asking=asking))


async def finish(
    core: Core, state: wire.CallState, *, result: object, fn: Callable[..., object]
) -> None:
    """Record a call that has returned, as `running.finished` does."""
    if state.outcome_taken or not may_block(core, state.decision):
        running.finished(core, state, result=result, fn=fn)
        return
    await asyncio.to_thread(running.finished, core, state, result=result, fn=fn)


async def answered(
    core: Core, call: ModelCall | wire.Batch | Decision, *, asking: Asking
) -> Decision:
    """Answer a question that was put, and make the answer durable."""
    if isinstance(call, Decision):
        return call
    if not isinstance(call, wire.Batch):
        return await decide(core, call, asking=asking)
    from policyguard.guard import many

    return await in_thread(
        lambda: many.decide(core, call), stand_in=lambda done: _not_made(core, done)
    )


async def _unless_cancelled(
    core: Core, work: Coroutine[Any, Any, Decision]
) -> Decision:
    """Wait for a decision; one that comes after the task was cancelled has no call."""
    task = asyncio.ensure_future(work)

    def abandoned(done: asyncio.Task[Decision]) -> None:
        if not done.cancelled() and done.exception() is None:
            _not_made(core, done.result())

    try:
        # The record is on its way and comes, whoever waits for it.
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(abandoned)
        raise


async def _answered_here(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy
) -> Decision:
    """Answer from memory, in the loop; for the record one task waits, this one."""
    decision, began = core.consider(call, asking=asking, policy=policy), clock()
    told = partial(_told, core, decision, asking=asking, began=began)
    word = Word(_stand_in(core, told, asking=asking))
    with word.waited_for():
        try:
            entry = _entry_of(core, decision, asking=asking)
            hand_over(partial(_append, core, entry, settled=word.settle))
        except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
            return told(error)
        return told(await word.come())


async def _decide(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy
) -> Decision:
    word = Word()
    with word.waited_for():
        if policy.is_remote:
            told = await _asked(core, call, asking=asking, policy=policy, word=word)
        else:
            told = await asyncio.to_thread(
                _considered, core, call, asking=asking, word=word
            )
        answer = told(await word.come())
    if answer.goes_ahead or core.tally is None or not core.tally.is_open(answer.id):
        return answer
    return await asyncio.to_thread(core.settled, answer)


def _is_quickly_put(
    core: Core, *, facts: Facts, kwargs: dict[str, Any], **_: object
) -> bool:
    """Say whether a call is put as a question by its short arguments alone."""
    looks = core.searching is not None or core.keep_prompts or facts.caller_lost
    return not looks and not kwargs.keys() & _LONG


def _is_quickly_answered(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy
) -> bool:
    if core.notices is not None or (
        core.tally is not None
        and core.tally.is_asked(call, persons=asking.persons, catalog=policy.catalog)
    ):
        # It touches files.
        return False
    return policy.allows_from_memory(call)


def _considered(core: Core, call: ModelCall, *, asking: Asking, word: Word) -> _Told:
    """Evaluate, and hand the record over; return what makes the answer of its place."""
    decision = core.consider(call, asking=asking, policy=core.policies.current)
    return _hand_over(core, decision, asking=asking, word=word)


async def _asked(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy, word: Word
) -> _Told:
    """Have a server evaluate, and hand the record over."""
    # What is counted, and every refusal's other ways, touch files or ask further.
    case = await asyncio.to_thread(core.case_of, call, asking=asking, policy=policy)
    decided: Callable[[], Decision]
    try:
        decided = partial(core.answered, case, await policy.aanswer(case.call))
    except Exception as error:  # noqa: BLE001 -- a refusal is made of it
        decided = partial(core.unanswered, case, error)
    return await asyncio.to_thread(
        lambda: _hand_over(core, decided(), asking=asking, word=word)
    )


def _hand_over(core: Core, decision: Decision, *, asking: Asking, word: Word) -> _Told:
    """Hand a record over; return what makes the answer of its place."""
    told = partial(_told, core, decision, asking=asking, began=clock())
    word.have_stand_in(_stand_in(core, told, asking=asking))
    try:
        entry = _entry_of(core, decision, asking=asking)
    except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
        word.settle(error)
    else:
        _append(core, entry, settled=word.settle)
    return told


def _told(
    core: Core,
    decision: Decision,
    place: Place | Exception,
    *,
    asking: Asking,
    began: int,
) -> Decision:
    return core.told(decision, place, asking=asking, waited=clock() - began)


def _stand_in(core: Core, told: _Told, *, asking: Asking) -> _Settled:
    """Return what takes the word in the place of a task that has left."""

    def stand_in(place: Place | Exception) -> None:
        # After a check there is no call.
        if asking.kind == "decision":
            _not_made(core, told(place))

    return stand_in


def _entry_of(core: Core, decision: Decision, *, asking: Asking) -> DecisionEntry:
    catalog = core.policies.catalog_of(decision)
    return recording.entry_of(decision, asking=asking, catalog=catalog)


def _append(core: Core, entry: DecisionEntry, *, settled: _Settled) -> None:
    """Hand a record over, in a thread that nobody waits for: `settled` is always told.

    Of what befalls whoever writes it may be told twice: the first word counts.
    """
    try:
        core.trail.append_decision_soon(entry, settled=settled)
    except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
        settled(error)
    except BaseException as error:  # noqa: BLE001 -- as a library's panic is
        settled(NotDurableError(f"{type(error).__name__} while recording"))


def _not_made(core: Core, decision: Decision) -> None:
    if not decision.goes_ahead:
        return
    if core.tally is not None:
        core.tally.settle(decision.id, made=False)
    ending = Ending(outcome="cancelled", error="CancelledError")
    record_outcome(core, decision, ending)
