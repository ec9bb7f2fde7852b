"""Decisions for tasks: the rules run in a thread, and the record is awaited in none.

What takes no longer than a hand-over to a thread would is done in the loop itself: a
question that is put from a call's own arguments, and an answer that is remembered. What
may take long or touch a file is not: a search, an evaluation, a refusal, a count.

Any number of tasks wait for the same commits: the event loop's few threads evaluate, two of
the process write what is remembered, and whoever settles a record tells its loop. Where a server evaluates, the loop asks
it, so that no thread waits for its answer. A task that is cancelled before its
call leaves a decision that may go ahead: its outcome is recorded as `cancelled`. If the
loop ends with it, nobody is there to record that, and `policyguard audit gaps` lists it.

INVARIANT: as for `Core.decide`, nothing is allowed before its record is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter_ns as clock
from typing import Any, Final, TypeAlias, TypeVar

from policyguard.audit.entry import DecisionEntry
from policyguard.errors import NotAllowed, NotDurableError
from policyguard.guard import recording, rerouting, running, wire
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.facts import Facts
from policyguard.guard.handover import hand_over
from policyguard.guard.outcomes import may_block, record_outcome
from policyguard.guard.policy import Policy
from policyguard.guard.recording import Ending
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision, Place

T = TypeVar("T")
_LONG: Final = frozenset(
    {"body", "extra_body", "file", "files", "input_file_id", "requests"}
)
"""Arguments that hold many calls, or name what does."""
_Settled: TypeAlias = Callable[[Place | Exception], None]


async def decide(core: Core, call: ModelCall, *, asking: Asking) -> Decision:
    """Answer a question and make the answer durable, as `Core.decide` does."""
    policy = core.policies.current
    if _is_quickly_answered(core, call, asking=asking, policy=policy):
        return await _answered_here(core, call, asking=asking, policy=policy)
    work = _decide(core, call, asking=asking, policy=policy)
    if asking.kind == "check":
        return await work
    return await _unless_cancelled(core, work, decision_of=lambda decision: decision)


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
    work = asyncio.to_thread(
        lambda: rerouting.begin_elsewhere(known, detour, core=core, **call)
    )
    return await _unless_cancelled(
        core, work, decision_of=lambda begun: begun.state.decision
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

    work = asyncio.to_thread(many.decide, core, call)
    return await _unless_cancelled(core, work, decision_of=lambda decision: decision)


async def _unless_cancelled(
    core: Core, work: Coroutine[Any, Any, T], *, decision_of: Callable[[T], Decision]
) -> T:
    """Wait for work that records a decision; if cancelled, record that no call followed."""
    task = asyncio.ensure_future(work)

    def abandoned(done: asyncio.Task[T]) -> None:
        if not done.cancelled() and done.exception() is None:
            _not_made(core, decision_of(done.result()))

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
    loop = asyncio.get_running_loop()
    recorded: asyncio.Future[Place | Exception] = loop.create_future()
    decision, began = core.consider(call, asking=asking, policy=policy), clock()

    def told(place: Place | Exception) -> Decision:
        return core.told(decision, place, asking=asking, waited=clock() - began)

    def arrived(place: Place | Exception) -> None:
        if not recorded.done():
            recorded.set_result(place)
        elif recorded.cancelled() and asking.kind == "decision":
            _not_made(core, told(place))

    def settled(place: Place | Exception) -> None:
        # A loop that has ended has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(arrived, place)

    try:
        entry = _entry_of(core, decision, asking=asking)
        hand_over(partial(_append, core, entry, settled=settled))
    except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
        return told(error)
    try:
        return told(await recorded)
    except asyncio.CancelledError:
        if not recorded.cancelled() and asking.kind == "decision":
            # It had arrived, and this task was cancelled before its turn.
            _not_made(core, told(recorded.result()))
        raise


async def _decide(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy
) -> Decision:
    loop = asyncio.get_running_loop()
    recorded: asyncio.Future[Place | Exception] = loop.create_future()

    def settled(place: Place | Exception) -> None:
        # A loop that has ended has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, recorded, place)

    if policy.is_remote:
        decision, began = await _asked(
            core, call, asking=asking, policy=policy, settled=settled
        )
    else:
        decision, began = await asyncio.to_thread(
            _considered, core, call, asking=asking, settled=settled
        )
    place = await recorded
    waited = clock() - began
    told = core.told(decision, place, asking=asking, waited=waited)
    if told.goes_ahead or core.tally is None or not core.tally.is_open(told.id):
        return told
    return await asyncio.to_thread(core.settled, told)


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


def _considered(
    core: Core, call: ModelCall, *, asking: Asking, settled: _Settled
) -> tuple[Decision, int]:
    """Evaluate, and hand the record over; return the answer and when that was."""
    decision = core.consider(call, asking=asking, policy=core.policies.current)
    return _hand_over(core, decision, asking=asking, settled=settled)


async def _asked(
    core: Core, call: ModelCall, *, asking: Asking, policy: Policy, settled: _Settled
) -> tuple[Decision, int]:
    """Have a server evaluate, and hand the record over."""
    # What is counted, and every refusal's other ways, touch files or ask further.
    case = await asyncio.to_thread(core.case_of, call, asking=asking, policy=policy)
    decided: Callable[[], Decision]
    try:
        decided = partial(core.answered, case, await policy.aanswer(case.call))
    except Exception as error:  # noqa: BLE001 -- a refusal is made of it
        decided = partial(core.unanswered, case, error)
    return await asyncio.to_thread(
        lambda: _hand_over(core, decided(), asking=asking, settled=settled)
    )


def _hand_over(
    core: Core, decision: Decision, *, asking: Asking, settled: _Settled
) -> tuple[Decision, int]:
    """Hand a record over; return its decision and when that was."""
    began = clock()
    try:
        entry = _entry_of(core, decision, asking=asking)
    except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
        settled(error)
    else:
        _append(core, entry, settled=settled)
    return decision, began


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


def _resolve(
    recorded: asyncio.Future[Place | Exception], place: Place | Exception
) -> None:
    if not recorded.done():
        recorded.set_result(place)


def _not_made(core: Core, decision: Decision) -> None:
    if not decision.goes_ahead:
        return
    if core.tally is not None:
        core.tally.settle(decision.id, made=False)
    ending = Ending(outcome="cancelled", error="CancelledError")
    record_outcome(core, decision, ending)
