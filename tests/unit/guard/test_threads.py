"""What contexts declare goes along into threads, and does not come back."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from guards import FR, MESSAGES, TICKETS, guard_in
from offline import Upstream

from policyguard import (
    FROM_CONTEXT,
    ConfigurationError,
    Guard,
    NoDecision,
    context,
    copy_context,
)
from policyguard.guard.facts import calling, context_facts
from policyguard.guard.threads import ContextExecutor

REST = {name: value for name, value in TICKETS.items() if name != "caller"}


def caller_here() -> str | None:
    caller = context_facts().caller
    return caller.id if caller else None


@pytest.fixture
def guard(tmp_path: Path):
    with guard_in(tmp_path) as made:
        yield made


def ask(bound: Guard, upstream: Upstream) -> str | None:
    reply = bound.call(
        upstream.client(FR).chat.completions.create, model="glm-5.2", messages=MESSAGES
    )
    return reply.choices[0].message.content


def test_a_guard_that_awaits_a_caller_takes_the_contexts(guard: Guard) -> None:
    upstream = Upstream()
    bound = guard.bind(**REST, caller=FROM_CONTEXT)

    with context(caller="alice"):
        assert ask(bound, upstream) == "hello"

    assert upstream.hosts == ["api.scaleway.ai"]


def test_without_one_there_is_no_decision_and_the_question_is_kept(
    guard: Guard,
) -> None:
    upstream = Upstream()
    bound = guard.bind(**REST, caller=FROM_CONTEXT)

    with pytest.raises(NoDecision, match="context lost in a thread") as caught:
        ask(bound, upstream)

    decision = caught.value.decision
    assert (upstream.hosts, decision.code) == ([], "guard.context")
    assert (decision.call.model, decision.call.caller) == ("glm-5.2", None)
    assert decision.record is not None


def test_a_protected_client_asks_for_the_caller_too(guard: Guard) -> None:
    upstream = Upstream()
    bound = guard.bind(**REST, caller=FROM_CONTEXT)
    client = bound.protect(upstream.client(FR))

    with context(caller="alice"):
        client.chat.completions.create(model="glm-5.2", messages=MESSAGES)
    with pytest.raises(Exception, match="no policy decision"):
        client.chat.completions.create(model="glm-5.2", messages=MESSAGES)

    assert upstream.hosts == ["api.scaleway.ai"]


def test_a_caller_bound_before_does_not_stand_in(guard: Guard) -> None:
    upstream = Upstream()

    with pytest.raises(NoDecision, match="copy_context"):
        ask(guard.bind(**TICKETS).bind(caller=FROM_CONTEXT), upstream)

    assert upstream.hosts == []


def test_a_caller_bound_afterwards_is_the_caller(guard: Guard) -> None:
    upstream = Upstream()

    answer = ask(guard.bind(**REST, caller=FROM_CONTEXT).bind(caller="bob"), upstream)

    assert answer == "hello"


def test_a_tenant_that_only_observes_does_not_lose_callers_either(
    tmp_path: Path,
) -> None:
    upstream = Upstream()

    with (
        guard_in(tmp_path, mode="observe") as guard,
        pytest.raises(NoDecision, match=r"guard\.context"),
    ):
        ask(guard.bind(**REST, caller=FROM_CONTEXT), upstream)

    assert upstream.hosts == []


def test_nobody_inside_a_block_is_nobody() -> None:
    with context(caller="alice", purpose="inference"):
        with calling(None):
            inside = context_facts()
        assert (inside.caller, caller_here()) == (None, "alice")
        assert inside.purpose == context_facts().purpose


def test_a_thread_loses_the_caller_and_a_copy_keeps_it(guard: Guard) -> None:
    upstream = Upstream()
    bound = guard.bind(**REST, caller=FROM_CONTEXT)
    seen: list[str | None] = []

    def work() -> None:
        try:
            seen.append(ask(bound, upstream))
        except NoDecision as lost:
            seen.append(lost.decision.code)

    with context(caller="alice"):
        for target in (work, copy_context(work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert seen == ["guard.context", "hello"]


def test_an_executor_carries_the_context_of_whoever_submits() -> None:
    with ContextExecutor(max_workers=2) as pool, ThreadPoolExecutor(2) as bare:
        futures = []
        for name in ("alice", "bob"):
            with context(caller=name):
                futures.append(pool.submit(caller_here))
                mapped = list(pool.map(lambda _: caller_here(), range(3)))
                lost = bare.submit(caller_here).result()
            assert (mapped, lost) == ([name] * 3, None)
        after = pool.submit(caller_here).result()

    assert [future.result() for future in futures] == ["alice", "bob"]
    assert after is None


def test_an_event_loop_may_use_it() -> None:
    async def main() -> list[str | None]:
        loop = asyncio.get_running_loop()
        with ContextExecutor() as pool, context(caller="alice"):
            one = await loop.run_in_executor(pool, caller_here)
            loop.set_default_executor(pool)
            two = await loop.run_in_executor(None, caller_here)
        loop.set_default_executor(ThreadPoolExecutor())
        return [one, two]

    assert asyncio.run(main()) == ["alice", "alice"]


def test_many_threads_may_run_one_copy_and_see_nothing_of_each_other() -> None:
    barrier = threading.Barrier(4, timeout=20)
    seen: list[tuple[str | None, str | None]] = []

    def work(name: str) -> None:
        before = caller_here()
        with context(caller=name):
            barrier.wait()
            seen.append((before, caller_here()))

    with context(caller="alice"):
        carried = copy_context(work)
    threads = [
        threading.Thread(target=carried, args=(f"caller-{number}",))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seen) == [("alice", f"caller-{number}") for number in range(4)]


def test_a_copy_keeps_answers_errors_and_its_name() -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    carried = copy_context(fail)

    assert carried.__name__ == "fail"
    with pytest.raises(ValueError, match="as it is"):
        carried("as it is")


def test_a_block_cannot_wait_for_a_caller() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"guard\.bind"),
        context(caller=FROM_CONTEXT),  # type: ignore[arg-type]
    ):
        pass
