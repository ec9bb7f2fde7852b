"""Decisions for tasks: the rules run in a thread, and the record is awaited in none.

Any number of tasks wait for the same commits: the event loop's few threads evaluate and
write, and whoever settles a record tells its loop. Where a server evaluates, the loop asks
it, so that no thread waits for its answer. A task that is cancelled before its
call leaves a decision that may go ahead: its outcome is recorded as `cancelled`. If the
loop ends with it, nobody is there to record that, and `policyguard audit gaps` lists it.

INVARIANT: as for `Core.decide`, nothing is allowed before its record is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from time import perf_counter_ns
from typing import Any, TypeAlias, TypeVar

from policyguard.errors import NotAllowed
from policyguard.guard import recording, rerouting, running, wire
from policyguard.guard.asking import Asking, decided
from policyguard.guard.core import Core
from policyguard.guard.outcomes import record_outcome
from policyguard.guard.policy import Policy
from policyguard.guard.recording import Ending
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision, Place

T = TypeVar("T")
_Settled: TypeAlias = Callable[[Place | Exception], None]


async def decide(core: Core, call: ModelCall, *, asking: Asking) -> Decision:
    """Answer a question and make the answer durable, as `Core.decide` does."""
    work = _decide(core, call, asking=asking)
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


async def _decide(core: Core, call: ModelCall, *, asking: Asking) -> Decision:
    loop = asyncio.get_running_loop()
    recorded: asyncio.Future[Place | Exception] = loop.create_future()

    def settled(place: Place | Exception) -> None:
        # A loop that has ended has nobody who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, recorded, place)

    policy = core.policies.current
    if policy.is_remote:
        decision, began = await _asked(
            core, call, asking=asking, policy=policy, settled=settled
        )
    else:
        decision, began = await asyncio.to_thread(
            _considered, core, call, asking=asking, settled=settled
        )
    place = await recorded
    waited = perf_counter_ns() - began
    told = core.told(decision, place, asking=asking, waited=waited)
    if told.goes_ahead or core.tally is None:
        return told
    return await asyncio.to_thread(core.settled, told)


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
    steps = core.considering(call, asking=asking, policy=policy)
    # What is counted, and every refusal's other ways, touch files or ask further.
    question = await asyncio.to_thread(next, steps)
    resume: Callable[[Any], object]
    answer: object
    try:
        answer, resume = await policy.aanswer(question), steps.send
    except Exception as error:  # noqa: BLE001 -- the question makes a refusal of it
        answer, resume = error, steps.throw

    def work() -> tuple[Decision, int]:
        decision = decided(resume, answer)
        return _hand_over(core, decision, asking=asking, settled=settled)

    return await asyncio.to_thread(work)


def _hand_over(
    core: Core, decision: Decision, *, asking: Asking, settled: _Settled
) -> tuple[Decision, int]:
    """Hand a record over; return its decision and when that was."""
    began = perf_counter_ns()
    try:
        entry = recording.entry_of(
            decision, asking=asking, catalog=core.policies.catalog_of(decision)
        )
        core.trail.append_decision_soon(entry, settled=settled)
    except Exception as error:  # noqa: BLE001 -- unrecorded means: not allowed
        settled(error)
    return decision, began


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
