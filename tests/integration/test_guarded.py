"""The decorator: asked before a line runs, and an end for every way to end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from guards import FR, MESSAGES, SUMMER, TICKETS, guard_in
from integration.test_obligations import obliging, settings
from offline import Upstream

from policyguard import (
    FROM_CONTEXT,
    ConfigurationError,
    Guard,
    NoDecision,
    PolicyDenied,
    context,
)
from policyguard.audit.reader import TrailReader
from policyguard.guard import endings, wire

FRANCE: dict[str, Any] = {"model": "glm-5.2", "host": "api.scaleway.ai"}
CHINA: dict[str, Any] = {"model": "glm-5.2", "host": "open.bigmodel.cn"}
Story = list[tuple[str, str | None]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with guard_in(tmp_path_factory.mktemp("guarded")) as made:
        yield made.bind(**TICKETS)


@pytest.fixture
def guard(shared: Guard) -> Guard:
    _BEFORE[shared] = len(whole_story(shared))
    return shared


_BEFORE: dict[Guard, int] = {}


def story(guard: Guard) -> Story:
    """Tell what the trail says of all calls of a test, in order."""
    return whole_story(guard)[_BEFORE[guard] :]


def whole_story(guard: Guard) -> Story:
    endings.flush()
    guard.core.trail.flush()
    told: Story = []
    for log in TrailReader.open(guard.trail_directory).logs:
        for entry in log.entries():
            record = entry.record()
            if record.kind == "decision":
                told.append((record.verdict, record.code))
            elif record.kind == "outcome":
                told.append((record.outcome, record.error))
    return told


def test_a_plain_function_keeps_its_answer_and_its_name(guard: Guard) -> None:
    @guard.guarded(**FRANCE)
    def ask(text: str, *, times: int = 1) -> str:
        """Ask."""
        return text * times

    assert (ask("a", times=2), ask.__name__, ask.__doc__) == ("aa", "ask", "Ask.")
    assert story(guard) == [("allow", None), ("complete", None)]


def test_nothing_of_a_denied_function_runs_whatever_its_kind(guard: Guard) -> None:
    ran: list[str] = []
    decorate = guard.guarded(**CHINA)

    @decorate
    def plain() -> None:
        ran.append("plain")

    @decorate
    async def later() -> None:
        ran.append("async")

    @decorate
    def parts() -> Iterator[int]:
        ran.append("generator")
        yield 1

    @decorate
    async def later_parts() -> AsyncIterator[int]:
        ran.append("async generator")
        yield 1

    async def all_of(items: AsyncIterator[int]) -> list[int]:
        return [item async for item in items]

    for run in (
        plain,
        lambda: asyncio.run(later()),
        lambda: list(parts()),
        lambda: asyncio.run(all_of(later_parts())),
    ):
        with pytest.raises(PolicyDenied, match="GDPR-01"):
            run()

    assert ran == []
    assert story(guard) == [("deny", None)] * 4


def test_each_kind_stays_what_it_is(guard: Guard) -> None:
    decorate = guard.guarded(**FRANCE)

    def plain() -> None: ...
    async def later() -> None: ...
    def parts() -> Iterator[None]:
        yield

    async def later_parts() -> AsyncIterator[None]:
        yield

    for fn, asks in (
        (plain, inspect.isfunction),
        (later, inspect.iscoroutinefunction),
        (parts, inspect.isgeneratorfunction),
        (later_parts, inspect.isasyncgenfunction),
    ):
        assert asks(decorate(fn))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("canary"), ("error", "ValueError")),
        (KeyboardInterrupt(), ("cancelled", "KeyboardInterrupt")),
    ],
)
def test_an_error_goes_through_and_ends_the_call(
    guard: Guard, error: BaseException, outcome: tuple[str, str]
) -> None:
    @guard.guarded(**FRANCE)
    def ask() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        ask()

    assert caught.value is error
    assert story(guard) == [("allow", None), outcome]


def test_a_generator_takes_and_gives_what_it_did_before(guard: Guard) -> None:
    @guard.guarded(**FRANCE)
    def talk(first: str) -> Generator[str, str, int]:
        said = 0
        word = first
        while word != "end":
            said += 1
            try:
                word = yield word.upper()
            except LookupError as thrown:
                word = str(thrown.args[0])
        return said

    talking = talk("a")
    spoken = [next(talking), talking.send("b"), talking.throw(LookupError("c"))]
    with pytest.raises(StopIteration) as stopped:
        talking.send("end")

    assert (spoken, stopped.value.value) == (["A", "B", "C"], 3)
    assert story(guard) == [("allow", None), ("complete", None)]


def test_yield_from_takes_the_value_of_a_guarded_generator(guard: Guard) -> None:
    @guard.guarded(**FRANCE)
    def inner() -> Generator[int, None, str]:
        yield 1
        return "done"

    def outer() -> Generator[Any, None, None]:
        yield (yield from inner())

    assert list(outer()) == [1, "done"]


def parts_of(guard: Guard, closed: list[str]) -> Callable[[], Iterator[int]]:
    @guard.guarded(**FRANCE)
    def parts() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("closed")

    return parts


def test_a_generator_that_was_never_resumed_asked_nothing(guard: Guard) -> None:
    closed: list[str] = []
    waiting = parts_of(guard, closed)()
    waiting.close()  # type: ignore[attr-defined]
    del waiting

    assert (closed, story(guard)) == ([], [])


@pytest.mark.parametrize("how", ["close", "drop", "break"])
def test_a_generator_that_is_left_is_abandoned_at_once(guard: Guard, how: str) -> None:
    closed: list[str] = []
    running: Any = parts_of(guard, closed)()
    if how == "break":
        for _ in running:
            break
    else:
        next(running)
    if how == "close":
        running.close()
    del running

    assert closed == ["closed"]
    assert story(guard) == [("allow", None), ("abandoned", None)]


def test_a_generator_in_a_cycle_is_abandoned_when_it_is_collected(
    guard: Guard,
) -> None:
    closed: list[str] = []
    gc.disable()
    try:
        knot: dict[str, Any] = {"parts": parts_of(guard, closed)()}
        knot["self"] = knot
        next(knot["parts"])
        del knot
        assert closed == []
        gc.collect()
    finally:
        gc.enable()

    assert closed == ["closed"]
    assert story(guard) == [("allow", None), ("abandoned", None)]


def test_an_end_during_collection_takes_no_lock_of_the_trail(guard: Guard) -> None:
    knot: dict[str, Any] = {"parts": parts_of(guard, [])()}
    knot["self"] = knot
    next(knot["parts"])
    del knot
    recorder = guard.core.trail._here().recorder

    # Held as the trail holds it in the middle of a record: to wait would be for ever.
    with recorder._mutex:
        gc.collect()

    assert story(guard) == [("allow", None), ("abandoned", None)]


def test_a_generator_that_fails_while_it_is_closed_says_so(guard: Guard) -> None:
    @guard.guarded(**FRANCE)
    def parts() -> Iterator[int]:
        try:
            yield 1
        finally:
            raise OSError("canary")

    running: Any = parts()
    next(running)
    with pytest.raises(OSError, match="canary"):
        running.close()

    assert story(guard) == [("allow", None), ("error", "OSError")]


def test_what_is_thrown_into_a_generator_and_not_caught_ends_it(guard: Guard) -> None:
    running: Any = parts_of(guard, [])()
    next(running)
    with pytest.raises(ZeroDivisionError):
        running.throw(ZeroDivisionError())
    with pytest.raises(StopIteration):
        next(running)

    assert story(guard) == [("allow", None), ("error", "ZeroDivisionError")]


def test_a_generator_hands_its_call_to_nobody(guard: Guard) -> None:
    seen: list[bool] = []

    @guard.guarded(**FRANCE)
    def parts() -> Iterator[int]:
        for number in range(2):
            seen.append(wire.current() is not None)
            yield number

    running = parts()
    for _ in range(2):
        next(running)
        seen.append(wire.current() is not None)

    assert seen == [True, False, True, False]


def test_an_async_function_may_fail_be_cancelled_or_come_to_its_end(
    guard: Guard,
) -> None:
    @guard.guarded(**FRANCE)
    async def ask(how: str) -> str:
        if how == "fail":
            raise ValueError("canary")
        if how == "wait":
            started.set()
            await asyncio.sleep(60)
        return how

    async def main() -> str:
        with pytest.raises(ValueError, match="canary"):
            await ask("fail")
        task = asyncio.create_task(ask("wait"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await ask("end")

    started = asyncio.Event()

    assert asyncio.run(main()) == "end"
    assert story(guard) == [
        ("allow", None),
        ("error", "ValueError"),
        ("allow", None),
        ("cancelled", "CancelledError"),
        ("allow", None),
        ("complete", None),
    ]


def test_what_a_call_has_started_is_asked_about_once_the_call_has_ended(
    guard: Guard,
) -> None:
    upstream = Upstream()
    client = upstream.aclient(FR)
    guard.protect(client)
    started: list[asyncio.Task[object]] = []

    async def later() -> object:
        await ended.wait()
        return await client.chat.completions.create(model="glm-5.2", messages=MESSAGES)

    @guard.guarded(**FRANCE)
    async def ask(how: str) -> None:
        started.append(asyncio.create_task(later()))
        if how == "fail":
            raise ValueError("canary")

    async def main() -> None:
        await ask("end")
        with pytest.raises(ValueError, match="canary"):
            await ask("fail")
        ended.set()
        for task in started:
            await task

    ended = asyncio.Event()
    asyncio.run(main())

    # Two that have ended, and two that were asked about anew.
    assert upstream.hosts == ["api.scaleway.ai"] * 2
    assert story(guard) == [
        ("allow", None),
        ("complete", None),
        ("allow", None),
        ("error", "ValueError"),
        ("allow", None),
        ("allow", None),
        ("complete", None),
        ("complete", None),
    ]


def test_a_task_that_is_cancelled_while_it_is_asked_about_runs_nothing(
    guard: Guard,
) -> None:
    ran: list[int] = []
    asked, go_on = threading.Event(), threading.Event()

    def declare() -> Any:
        asked.set()
        assert go_on.wait(20)
        return {}

    @guard.guarded(**FRANCE, declare=declare)
    async def ask() -> None:
        ran.append(1)

    async def main() -> None:
        task = asyncio.create_task(ask())
        assert await asyncio.to_thread(asked.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(main())

    # The question was not even put.
    assert ran == []
    assert story(guard) == []


def test_an_async_generator_takes_gives_and_ends_as_it_did_before(
    guard: Guard,
) -> None:
    @guard.guarded(**FRANCE)
    async def talk(first: str) -> AsyncGenerator[str, str]:
        word = first
        while word != "end":
            await asyncio.sleep(0)
            try:
                word = yield word.upper()
            except LookupError as thrown:
                word = str(thrown.args[0])

    async def main() -> list[str]:
        talking = talk("a")
        spoken = [
            await anext(talking),
            await talking.asend("b"),
            await talking.athrow(LookupError("c")),
        ]
        with pytest.raises(StopAsyncIteration):
            await talking.asend("end")
        return spoken

    assert asyncio.run(main()) == ["A", "B", "C"]
    assert story(guard) == [("allow", None), ("complete", None)]


def later_parts_of(
    guard: Guard, closed: list[str]
) -> Callable[[], AsyncGenerator[int, None]]:
    @guard.guarded(**FRANCE)
    async def parts() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    return parts


@pytest.mark.parametrize("how", ["aclose", "drop", "end of the loop"])
def test_an_async_generator_that_is_left_is_abandoned(guard: Guard, how: str) -> None:
    closed: list[str] = []
    kept: list[Any] = []

    async def main() -> None:
        running = later_parts_of(guard, closed)()
        assert await anext(running) == 1
        if how == "aclose":
            await running.aclose()
        elif how == "drop":
            del running
            for _ in range(20):
                await asyncio.sleep(0)
        else:
            kept.append(running)

    asyncio.run(main())

    assert closed == ["closed"]
    assert story(guard) == [("allow", None), ("abandoned", None)]


def test_an_async_generator_whose_task_is_cancelled_is_cancelled(guard: Guard) -> None:
    closed: list[str] = []

    async def main() -> None:
        waiting = asyncio.Event()

        async def all_of() -> None:
            async with contextlib.aclosing(later_parts_of(guard, closed)()) as parts:
                async for _ in parts:
                    waiting.set()

        task = asyncio.create_task(all_of())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert closed == ["closed"]
    assert story(guard) == [("allow", None), ("cancelled", "CancelledError")]


def test_functions_at_the_same_time_keep_their_calls_apart(guard: Guard) -> None:
    bound = guard.bind(caller=FROM_CONTEXT)
    seen: set[tuple[str, str]] = set()

    def note(name: str) -> None:
        state = wire.current()
        assert state is not None
        assert state.decision.call.caller is not None
        seen.add((name, state.decision.call.caller.id))

    @bound.guarded(**FRANCE)
    async def later(name: str) -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            note(name)
            yield number

    @bound.guarded(**FRANCE)
    def plain(name: str) -> None:
        note(name)

    async def one(name: str) -> None:
        with context(caller=name):
            async for _ in later(name):
                await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(one(f"task-{number}") for number in range(8)))

    def in_a_thread(name: str) -> None:
        with context(caller=name):
            plain(name)

    asyncio.run(main())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(in_a_thread, [f"thread-{number}" for number in range(8)]))

    names = [*(f"task-{n}" for n in range(8)), *(f"thread-{n}" for n in range(8))]
    assert seen == {(name, name) for name in names}


def test_facts_come_from_the_arguments_then_the_decorator_then_the_guard(
    guard: Guard,
) -> None:
    @guard.guarded(
        **FRANCE,
        caller="decorator",
        purpose="embed",
        declare=lambda text, *, user=None: {"caller": user} if user else {},
    )
    def ask(text: str, *, user: str | None = None) -> Any:
        state = wire.current()
        assert state is not None
        call = state.decision.call
        assert call.caller is not None
        assert call.purpose is not None
        return text, call.caller.id, call.purpose.kind, call.exporter.establishment

    assert ask("a") == ("a", "decorator", "embed", "DE")
    assert ask("a", user="argument") == ("a", "argument", "embed", "DE")


def test_the_arguments_may_name_model_and_host(guard: Guard) -> None:
    @guard.guarded(declare=lambda model, host: {"model": model, "host": host})
    def ask(model: str, host: str) -> str:
        return f"{model} at {host}"

    assert ask("glm-5.2", "api.scaleway.ai") == "glm-5.2 at api.scaleway.ai"
    with pytest.raises(PolicyDenied, match="GDPR-01"):
        ask("glm-5.2", host="open.bigmodel.cn")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"modle": "a"}, "`modle`"),
        ({"host": "https://api.scaleway.ai"}, "`host` is no host"),
        ({"model": ""}, "`model` is no text"),
        ({"data": {"classes": []}}, r"`data\.classes`"),
        ({"caller": FROM_CONTEXT}, "context lost"),
        ("no mapping", "it returned a str"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_a_declaration_that_is_none_allows_nothing(
    guard: Guard, said: Any, why: str
) -> None:
    ran: list[int] = []

    def declare() -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    @guard.guarded(**FRANCE, declare=declare)
    def ask() -> None:
        ran.append(1)

    with pytest.raises(NoDecision, match=why):
        ask()

    assert ran == []


def test_a_transport_inside_belongs_to_the_call_and_its_denial_comes_out(
    guard: Guard,
) -> None:
    upstream = Upstream()
    inside = guard.protect(upstream.client(FR))
    elsewhere = guard.protect(upstream.client("https://open.bigmodel.cn/v4"))

    @guard.guarded(**FRANCE, data={"classes": ["pii"], "subjects": ["DE"]})
    def ask(client: openai.OpenAI) -> str | None:
        reply = client.chat.completions.create(model="glm-5.2", messages=MESSAGES)
        return reply.choices[0].message.content

    assert ask(inside) == "hello"
    with pytest.raises(PolicyDenied, match="GDPR-01"):
        ask(elsewhere)

    assert upstream.hosts == ["api.scaleway.ai"]
    assert story(guard) == [
        ("allow", None),
        ("complete", None),
        ("allow", None),
        ("deny", None),
        ("error", "PolicyDenied"),
    ]


def test_what_a_function_returns_unrun_is_thrown_away(guard: Guard) -> None:
    ran: list[str] = []

    async def later() -> None:
        ran.append("later")

    def parts() -> Iterator[int]:
        ran.append("parts")
        yield 1

    async def later_parts() -> AsyncIterator[int]:
        ran.append("later parts")
        yield 1

    for lazy in (later, parts, later_parts):
        ask = guard.guarded(**FRANCE)(lambda lazy=lazy: lazy())
        with pytest.raises(TypeError, match="nothing has run"):
            ask()

    assert ran == []
    assert story(guard) == [("allow", None), ("abandoned", None)] * 3


def test_a_stream_that_is_returned_is_delegated(guard: Guard) -> None:
    ask = guard.guarded(**FRANCE)(lambda: iter([1]))

    assert list(ask()) == [1]
    assert story(guard) == [("allow", None), ("delegated", None)]


def test_methods_are_guarded_like_functions(guard: Guard) -> None:
    class Assistant:
        name = "a"

        @guard.guarded(**FRANCE)
        def ask(self, text: str) -> str:
            return f"{self.name}: {text}"

        @staticmethod
        @guard.guarded(**FRANCE)
        def plain(text: str) -> str:
            return text

    assert (Assistant().ask("b"), Assistant.plain("c")) == ("a: b", "c")


def test_without_a_record_nothing_runs(tmp_path: Path) -> None:
    ran: list[int] = []
    own = guard_in(tmp_path).bind(**TICKETS)
    ask = own.guarded(**FRANCE)(lambda: ran.append(1))
    own.close()

    with pytest.raises(NoDecision, match=r"trail\.not_durable"):
        ask()

    assert ran == []


def test_a_body_that_nobody_sees_discharges_no_obligation_about_it(
    tmp_path: Path,
) -> None:
    seen: list[Any] = []
    text = obliging("set_inference_geo", {"geo": "eu"})
    with Guard(settings=settings(tmp_path, text), clock=lambda: SUMMER) as own:
        bound = own.bind(**TICKETS)

        def ask() -> None:
            seen.append(wire.current())

        with pytest.raises(NoDecision, match="set_inference_geo"):
            bound.guarded(**FRANCE)(ask)()
        assert seen == []
        bound.guarded(**FRANCE, parameters={"inference_geo": "eu"})(ask)()

    assert len(seen) == 1


def decorated(fn: Any) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


async def _later() -> None: ...


def _plain() -> None: ...


@contextlib.contextmanager
def _managed() -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (int, "`type` is no function"),
        (len, "no function"),
        (functools.partial(_plain), "`partial` is no function"),
        (staticmethod(_plain), "stands above"),
        (classmethod(_plain), "stands above"),
        (property(_plain), "stands above"),
        (decorated(_later), "directly over"),
        (_managed, "directly over"),
        ("ask", "`str` is no function"),
        (None, "no function"),
    ],
)
def test_what_cannot_be_guarded_is_refused_when_it_is_decorated(
    guard: Guard, thing: Any, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        guard.guarded(**FRANCE)(thing)


def test_a_method_of_an_sdk_and_a_guarded_function_are_refused(guard: Guard) -> None:
    create: Any = Upstream().client(FR).chat.completions.create
    once = guard.guarded(**FRANCE)(_plain)

    with pytest.raises(ConfigurationError, match=r"guard\.call"):
        guard.guarded(**FRANCE)(create)
    with pytest.raises(ConfigurationError, match="guarded already"):
        guard.guarded(**FRANCE)(once)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, "name the `model`"),
        ({"host": "api.scaleway.ai"}, "name the `model`"),
        ({"model": ""}, "`model` is no text"),
        ({"model": "x" * 257}, "`model` is no text"),
        ({"model": "a", "host": "https://api.scaleway.ai/v1"}, "`host` is no host"),
        ({"model": "a", "host": "API.scaleway.ai"}, "lower case"),
        ({"model": "a", "declare": "text"}, "`declare` is no plain function"),
        ({"model": "a", "declare": _later}, "`declare` is no plain function"),
        ({"model": "a", "parameters": {"temperature": 1}}, "`temperature`"),
        ({"model": "a", "data": {"classes": ["secret"]}}, r"`data\.classes"),
        ({"model": "a", "data": {"class": ["pii"]}}, "`data.class`"),
        ({"model": "a", "purpose": "fun"}, "`purpose"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_written(
    guard: Guard, wrong: Any, why: str
) -> None:
    with pytest.raises(ConfigurationError, match=why):
        guard.guarded(**wrong)


def test_the_bare_decorator_says_what_is_missing(guard: Guard) -> None:
    with pytest.raises(ConfigurationError, match=r"@guard\.guarded\(model=…, host=…\)"):
        guard.guarded(_plain)  # type: ignore[call-overload]
