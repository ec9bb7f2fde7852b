"""Many tasks and few threads: all are answered, and whoever leaves leaves a whole trail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from guards import FR, MESSAGES, TICKETS, guard_in
from offline import Upstream
from trails import entries

from policyguard import Guard, NoDecision
from policyguard.audit.verify import verify_trail
from policyguard.guard import awaiting
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.handover import hand_over
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

MANY = 500


@pytest.fixture
def guard(tmp_path: Path):
    with guard_in(tmp_path) as made:
        yield made


def question(guard: Guard) -> ModelCall:
    asked = Described(
        model="glm-5.2", host="api.scaleway.ai", path="/v1/chat/completions"
    )
    return guard.core.question(described=asked, facts=facts_of(**TICKETS))


def run(work: Callable[[], Coroutine[Any, Any, Any]], *, threads: int = 2) -> Any:
    """Run a coroutine in a loop that has so few threads."""

    async def bounded() -> Any:
        pool = ThreadPoolExecutor(threads)
        asyncio.get_running_loop().set_default_executor(pool)
        return await asyncio.wait_for(work(), timeout=120)

    return asyncio.run(bounded())


def call_in(guard: Guard, upstream: Upstream) -> Coroutine[Any, Any, Any]:
    return guard.bind(**TICKETS).acall(
        upstream.aclient(FR).chat.completions.create, model="glm-5.2", messages=MESSAGES
    )


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, or for 20 seconds."""
    for _ in range(20_000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never held")


def settle(guard: Guard) -> None:
    """Write what has been handed over, and what is handed over for it."""
    told = threading.Event()
    guard.core.trail.flush()
    # Two threads take what is handed over, in order: both have to be past it.
    both = threading.Barrier(2, action=told.set)
    for _ in range(2):
        hand_over(lambda: (both.wait(), None)[1])
    assert told.wait(timeout=20)
    guard.core.trail.flush()


def unended(directory: Path) -> list[str]:
    """Return the decisions that let a call go ahead and have no outcome."""
    records = [entry.record() for entry in entries(directory)]
    ended = {item.decision for item in records if isinstance(item, OutcomeRecord)}
    return [
        item.id
        for item in records
        if isinstance(item, DecisionRecord)
        and item.kind == "decision"
        and item.verdict == "allow"
        and item.id not in ended
    ]


def test_hundreds_of_tasks_are_answered_by_few_threads(guard: Guard) -> None:
    asked = question(guard)
    before = threading.active_count()
    threads = []

    async def main() -> list[Any]:
        found = await asyncio.gather(*(guard.acheck(asked) for _ in range(MANY)))
        threads.append(threading.active_count() - before)
        return found

    decisions = run(main)

    assert {item.verdict for item in decisions} == {"allow"}
    assert len({item.record for item in decisions}) == MANY
    # Two of the loop's pool, two that write for all loops, and the recorder's own.
    assert threads[0] <= 5
    verified = verify_trail(guard.trail_directory)
    assert verified.logs[0][1] == MANY + 1


def test_one_thread_is_enough_for_tasks_beside_threads_that_wait(guard: Guard) -> None:
    asked = question(guard)
    beside = [
        threading.Thread(target=lambda: [guard.check(asked) for _ in range(20)])
        for _ in range(8)
    ]

    async def main() -> list[Any]:
        for thread in beside:
            thread.start()
        return await asyncio.gather(*(guard.acheck(asked) for _ in range(100)))

    decisions = run(main, threads=1)
    for thread in beside:
        thread.join(timeout=60)

    assert [item.verdict for item in decisions] == ["allow"] * 100
    verified = verify_trail(guard.trail_directory)
    assert verified.logs[0][1] == 100 + 160 + 1


def test_a_task_that_is_cancelled_before_its_call_has_an_outcome(guard: Guard) -> None:
    upstream = Upstream()
    recorder = guard.core.trail._process.recorder

    async def main() -> None:
        # Nothing is written before all have been cancelled.
        with recorder._lock:
            tasks = [asyncio.ensure_future(call_in(guard, upstream)) for _ in range(20)]
            await until(lambda: recorder.waiting > 0)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(item) for item in done} == {asyncio.CancelledError}

    run(main)
    settle(guard)

    outcomes = [
        record
        for entry in entries(guard.trail_directory)
        if isinstance(record := entry.record(), OutcomeRecord)
    ]
    assert upstream.hosts == []
    assert {item.outcome for item in outcomes} == {"cancelled"}
    assert unended(guard.trail_directory) == []
    verify_trail(guard.trail_directory)


Ask = Callable[[Guard, Upstream], Callable[[], Coroutine[Any, Any, Any]]]


def through_a_transport(
    guard: Guard, upstream: Upstream
) -> Callable[[], Coroutine[Any, Any, Any]]:
    """Return what calls a client whose transport alone is guarded."""
    client = guard.bind(**TICKETS).protect(upstream.aclient(FR))
    return lambda: client.chat.completions.create(model="glm-5.2", messages=MESSAGES)


def through_a_function(
    guard: Guard, upstream: Upstream
) -> Callable[[], Coroutine[Any, Any, Any]]:
    """Return a guarded function of one's own."""

    @guard.bind(**TICKETS).guarded(model="glm-5.2", host="api.scaleway.ai")
    async def ask() -> str:
        upstream.hosts.append("asked")
        return "answer"

    return ask


def through_a_generator(
    guard: Guard, upstream: Upstream
) -> Callable[[], Coroutine[Any, Any, Any]]:
    """Return a guarded generator of one's own, which is read to its end."""

    @guard.bind(**TICKETS).guarded(model="glm-5.2", host="api.scaleway.ai")
    async def ask() -> AsyncIterator[str]:
        upstream.hosts.append("asked")
        yield "answer"

    async def read() -> list[str]:
        return [item async for item in ask()]

    return read


WAYS: list[Ask] = [through_a_transport, through_a_function, through_a_generator]


@pytest.mark.parametrize("way", WAYS)
def test_who_waits_for_a_record_holds_no_thread(guard: Guard, way: Ask) -> None:
    upstream = Upstream()
    ask = way(guard, upstream)
    recorder = guard.core.trail._process.recorder

    async def main() -> None:
        # Two threads would be held by the first two, if waiting took a thread.
        with recorder._lock:
            tasks = [asyncio.ensure_future(ask()) for _ in range(20)]
            await until(lambda: recorder.waiting == len(tasks))
            assert upstream.hosts == []
        await asyncio.gather(*tasks)

    run(main)
    guard.core.trail.flush()

    assert len(upstream.hosts) == 20
    assert unended(guard.trail_directory) == []
    verify_trail(guard.trail_directory)


@pytest.mark.parametrize("way", WAYS)
def test_who_is_cancelled_while_waiting_for_a_record_has_an_outcome(
    guard: Guard, way: Ask
) -> None:
    upstream = Upstream()
    ask = way(guard, upstream)
    recorder = guard.core.trail._process.recorder

    async def main() -> None:
        with recorder._lock:
            tasks = [asyncio.ensure_future(ask()) for _ in range(5)]
            await until(lambda: recorder.waiting == len(tasks))
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(item) for item in done} == {asyncio.CancelledError}

    run(main)
    settle(guard)

    assert upstream.hosts == []
    assert unended(guard.trail_directory) == []
    verify_trail(guard.trail_directory)


def remember(guard: Guard) -> None:
    """Have the answer to these calls remembered."""
    assert guard.check(question(guard)).allowed


def forget(guard: Guard) -> None:
    """Have them evaluated in a thread."""


@pytest.mark.parametrize("before", [remember, forget])
@pytest.mark.parametrize("way", WAYS)
def test_a_loop_that_ends_before_a_record_is_durable_leaves_an_outcome(
    guard: Guard, before: Callable[[Guard], None], way: Ask
) -> None:
    before(guard)
    upstream = Upstream()
    ask = way(guard, upstream)
    recorder = guard.core.trail._process.recorder
    recorder._lock.acquire()
    release = threading.Timer(0.2, recorder._lock.release)

    async def main() -> None:
        begun = asyncio.ensure_future(ask())
        await until(lambda: recorder.waiting > 0)
        release.start()
        begun.cancel()

    run(main)
    release.join()
    settle(guard)

    assert upstream.hosts == []
    assert unended(guard.trail_directory) == []
    verify_trail(guard.trail_directory)


def test_a_loop_that_is_closed_amid_its_tasks_leaves_outcomes(guard: Guard) -> None:
    remember(guard)
    upstream = Upstream()
    recorder = guard.core.trail._process.recorder
    loop = asyncio.new_event_loop()
    # Nobody cancels them, and nobody goes on with them.
    with recorder._lock:
        tasks = [loop.create_task(call_in(guard, upstream)) for _ in range(5)]
        loop.run_until_complete(until(lambda: recorder.waiting == len(tasks)))
        loop.close()
    settle(guard)

    assert upstream.hosts == []
    assert unended(guard.trail_directory) == []
    verify_trail(guard.trail_directory)
    assert [task.done() for task in tasks] == [False] * 5


def test_a_task_whose_record_cannot_be_made_is_not_allowed(guard: Guard) -> None:
    upstream = Upstream()
    asked = question(guard)
    guard.close()

    async def main() -> Any:
        with pytest.raises(NoDecision, match=r"trail\.not_durable"):
            await call_in(guard, upstream)
        return await guard.acheck(asked)

    decision = run(main)

    assert upstream.hosts == []
    assert (decision.verdict, decision.code) == ("deny", "trail.not_durable")


class Counted(ThreadPoolExecutor):
    """Counts what is handed over to a loop's threads."""

    submitted = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count, and hand over."""
        self.submitted += 1
        return super().submit(fn, *args, **kwargs)


def test_a_remembered_call_is_handed_over_once(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = guard.bind(**TICKETS)
    client = bound.protect(Upstream().aclient(FR))
    obligations = bound.check(question(guard)).obligations
    own: list[Callable[[], None]] = []

    def counted(work: Callable[[], None]) -> None:
        own.append(work)
        hand_over(work)

    monkeypatch.setattr(awaiting, "hand_over", counted)

    async def main() -> list[tuple[int, int]]:
        pool = Counted(2)
        asyncio.get_running_loop().set_default_executor(pool)
        found = []
        for _ in range(3):
            before, mine = pool.submitted, len(own)
            await bound.acall(
                client.chat.completions.create, model="glm-5.2", messages=MESSAGES
            )
            found.append((pool.submitted - before, len(own) - mine))
        return found

    # Obligations that are discharged already cost no thread.
    assert {item.type for item in obligations} == {"record_processing"}
    assert asyncio.run(main())[1:] == [(0, 1), (0, 1)]


def test_a_remembered_call_that_no_thread_can_write_is_not_allowed(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Upstream()
    guard.check(question(guard))

    def none_left(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(awaiting, "hand_over", none_left)

    async def main() -> None:
        with pytest.raises(NoDecision, match=r"trail\.not_durable"):
            await call_in(guard, upstream)

    run(main)

    assert upstream.hosts == []


class Panic(BaseException):
    """Is what a library of Rust raises when it gives up: no `Exception`."""


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("error", [Panic, SystemExit])
@pytest.mark.parametrize("where", ["the record", "the writer", "the queue"])
def test_a_call_at_whose_record_a_library_panics_is_not_allowed(
    guard: Guard,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    error: type[BaseException],
    *,
    remembered: bool,
) -> None:
    upstream = Upstream()
    recorder = guard.core.trail._process.recorder
    if remembered:
        guard.check(question(guard))

    def panics(*_: object, **__: object) -> None:
        raise error

    if where == "the record":
        monkeypatch.setattr("policyguard.audit.entry.body_of", panics)
    elif where == "the writer":
        monkeypatch.setattr(type(recorder._writer), "append", panics)
    else:
        monkeypatch.setattr(type(recorder), "append_soon", panics)

    async def main() -> None:
        with pytest.raises(NoDecision, match=r"trail\.not_durable"):
            await call_in(guard, upstream)

    run(main)

    assert upstream.hosts == []


def test_who_is_told_twice_of_a_record_that_comes_after_all_is_answered_once(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream, trouble = Upstream(), []
    guard.check(question(guard))
    recorder = guard.core.trail._process.recorder
    hands_over = recorder.append_soon

    def panics(self: object, item: Any) -> None:
        hands_over(item)
        raise Panic

    monkeypatch.setattr(type(recorder), "append_soon", panics)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: trouble.append(context))
        await call_in(guard, upstream)
        await asyncio.sleep(0.05)

    run(main)

    assert (upstream.hosts, trouble) == (["api.scaleway.ai"], [])


def test_a_remembered_call_that_is_cancelled_has_an_outcome(guard: Guard) -> None:
    upstream = Upstream()
    recorder = guard.core.trail._process.recorder
    guard.check(question(guard))

    def all_ended() -> bool:
        guard.core.trail.flush()
        return unended(guard.trail_directory) == []

    async def main() -> None:
        with recorder._lock:
            tasks = [asyncio.ensure_future(call_in(guard, upstream)) for _ in range(20)]
            await until(lambda: recorder.waiting == len(tasks))
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(item) for item in done} == {asyncio.CancelledError}
        await until(all_ended)

    run(main)

    assert upstream.hosts == []
    kinds = [entry.record().kind for entry in entries(guard.trail_directory)]
    assert (kinds.count("decision"), kinds.count("outcome")) == (20, 20)
    verify_trail(guard.trail_directory)


def test_who_is_cancelled_between_a_record_and_its_turn_has_an_outcome(
    guard: Guard,
) -> None:
    upstream = Upstream()
    guard.check(question(guard))

    async def main() -> None:
        task: Any = asyncio.ensure_future(call_in(guard, upstream))
        # In each turn of the loop, so that none is between the record and this.
        while task._fut_waiter is None or not task._fut_waiter.done():  # noqa: ASYNC110 -- what it awaits is no event
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    guard.core.trail.flush()

    records = [entry.record() for entry in entries(guard.trail_directory)]
    words = [item.outcome for item in records if isinstance(item, OutcomeRecord)]
    assert (upstream.hosts, words) == ([], ["cancelled"])
    assert unended(guard.trail_directory) == []
