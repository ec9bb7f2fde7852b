"""Tests of panics, threads, forks and backtraces of the engine's library."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from unit.engines.tiny_policy import ENTRYPOINT, answering, policy

from policyguard.engines import threads
from policyguard.engines.native import compile_modules, evaluate_on, with_data
from policyguard.engines.regorus import RegorusEngine, RegorusSnapshot
from policyguard.engines.sampling import Sampling
from policyguard.engines.threads import NativeEngine
from policyguard.errors import EngineLoadError, EvaluationError

TESTS = Path(__file__).parents[2]
PANICKING = 'decision := {"n": strings.count(input.a, input.b)}'
PANIC = b'{"a":"canary","b":""}'


def _panicking() -> RegorusSnapshot:
    # `load` would refuse the call; what is left is a panic that nobody foresaw.
    return RegorusSnapshot(
        policy=answering(PANICKING),
        running=None,
        engine=RegorusEngine().info,
        sampling=Sampling(),
        max_input_bytes=1_000,
    )


def test_a_panic_is_our_error() -> None:
    with pytest.raises(EvaluationError) as caught:
        _panicking().evaluate(PANIC)

    assert (str(caught.value), caught.value.code) == (
        "the engine panicked",
        "engine.panic",
    )


def test_a_snapshot_answers_after_a_panic() -> None:
    snapshot = _panicking()
    with pytest.raises(EvaluationError):
        snapshot.evaluate(PANIC)

    assert snapshot.evaluate(b'{"a":"aXa","b":"a"}') == {"n": 2}


def test_an_interrupt_is_not_swallowed() -> None:
    class Interrupted:
        def clone(self) -> Interrupted:
            return self

        def set_input_json(self, text: str) -> None:
            raise KeyboardInterrupt(text)

    with pytest.raises(KeyboardInterrupt):
        evaluate_on(Interrupted(), "{}", entrypoint=ENTRYPOINT)


def test_a_panic_while_preparing_does_not_stop_a_load() -> None:
    body = 'decision := {"n": strings.count("", "")}'
    engine = compile_modules({"a.rego": f"package t\n{body}"})

    base = with_data(engine, "{}", entrypoint="data.t.decision")
    with pytest.raises(EvaluationError) as caught:
        evaluate_on(base, "{}", entrypoint="data.t.decision")

    assert caught.value.code == "engine.panic"


def _unraisable(work: Callable[[], object]) -> list[str]:
    """Return what could not be raised while some work was done and forgotten."""
    seen: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda event: seen.append(str(event.exc_value))
    try:
        work()
        gc.collect()
    finally:
        sys.unraisablehook = hook
    return seen


def _in_a_thread(work: Callable[[], object]) -> object:
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


def test_threads_answer_alike() -> None:
    snapshot = RegorusEngine().load(policy())
    calls = [b'{"model":"bad"}', b'{"model":"fr"}'] * 50

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(snapshot.evaluate, calls))

    assert answers == [snapshot.evaluate(call) for call in calls]


def test_each_thread_has_its_own_engine() -> None:
    snapshot = RegorusEngine().load(policy())
    here = threads.THREAD.by_generation[snapshot.generation]

    def there() -> bool:
        snapshot.evaluate(b"{}")
        return threads.THREAD.by_generation[snapshot.generation] is here

    assert _in_a_thread(there) is False


def test_engines_of_a_thread_that_ends_are_freed_there() -> None:
    snapshot = RegorusEngine().load(policy())

    assert _unraisable(lambda: _in_a_thread(lambda: snapshot.evaluate(b"{}"))) == []


def test_an_error_that_leaves_its_thread_frees_no_engine_elsewhere() -> None:
    def work() -> None:
        snapshot = RegorusEngine().load(answering("decision := {} if input.none"))
        with pytest.raises(EvaluationError):
            _in_a_thread(lambda: snapshot.evaluate(b"{}"))

    assert _unraisable(work) == []


def test_a_load_that_fails_in_a_thread_frees_no_engine_elsewhere() -> None:
    def work() -> None:
        with pytest.raises(EngineLoadError):
            _in_a_thread(lambda: RegorusEngine().load(policy(golden=())))

    assert _unraisable(work) == []


def test_engines_of_dropped_snapshots_go_with_the_next_load() -> None:
    engine = RegorusEngine()
    for _ in range(5):
        engine.load(policy())
    gc.collect()
    kept = engine.load(policy())

    assert set(threads.THREAD.by_generation) <= set(threads.LIVE)
    assert kept.generation in threads.THREAD.by_generation


def test_a_snapshot_loaded_in_one_thread_and_dropped_in_another_leaves_no_trace() -> (
    None
):
    loaded: list[RegorusSnapshot] = []
    done = threading.Event()

    def load() -> None:
        loaded.append(RegorusEngine().load(policy()))
        done.wait(10)

    def work() -> None:
        thread = threading.Thread(target=load)
        thread.start()
        while not loaded:
            done.wait(0.001)
        loaded.pop().evaluate(b"{}")
        gc.collect()
        done.set()
        thread.join()

    assert _unraisable(work) == []


class _Freed:
    """Tells which thread frees it."""

    def __init__(self, told: list[int]) -> None:
        self.told = told

    def __del__(self) -> None:
        self.told.append(threading.get_ident())


def test_an_engine_that_another_thread_lets_go_of_is_freed_by_its_own() -> None:
    told: list[int] = []
    held = [NativeEngine(_Freed(told))]

    _in_a_thread(held.clear)
    before = list(told)
    NativeEngine(_Freed([]))

    assert (held, before, told) == ([], [], [threading.get_ident()])


def test_an_engine_is_not_freed_while_another_thread_is_letting_go_of_it() -> None:
    told: list[int] = []
    held = [NativeEngine(_Freed(told))]
    still_used = held[0]._engine

    _in_a_thread(held.clear)
    NativeEngine(_Freed([]))
    del still_used
    before = list(told)
    NativeEngine(_Freed([]))

    assert (before, told) == ([], [threading.get_ident()])


def test_an_engine_that_is_collected_by_another_thread_leaves_no_trace() -> None:
    def work() -> None:
        loop: list[object] = [compile_modules({"a.rego": "package t\n"})]
        loop.append(loop)
        del loop
        _in_a_thread(gc.collect)

    assert _unraisable(work) == []


def _run(script: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(TESTS), **environment},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_answers_while_other_threads_have_engines() -> None:
    script = """
        import os, threading
        from unit.engines.tiny_policy import policy
        from policyguard.engines.regorus import RegorusEngine

        snapshot = RegorusEngine().load(policy())
        ready, leave = threading.Barrier(4), threading.Event()

        def work():
            snapshot.evaluate(b"{}")
            ready.wait(30)
            leave.wait(30)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready.wait(30)
        child = os.fork()
        if child == 0:
            answers = [snapshot.evaluate(b'{"model":"bad"}')["verdict"]]
            def inner():
                answers.append(snapshot.evaluate(b'{"model":"bad"}')["verdict"])
            thread = threading.Thread(target=inner)
            thread.start()
            thread.join()
            os.write(1, repr(answers).encode())
            os._exit(0)
        os.waitpid(child, 0)
        leave.set()
        for thread in threads:
            thread.join()
    """

    assert _run(script) == (0, "['deny', 'deny']", "")


def test_errors_stay_cheap_when_backtraces_are_asked_for() -> None:
    script = """
        import time
        from unit.engines.tiny_policy import answering
        from policyguard.engines.regorus import RegorusEngine
        from policyguard.errors import EvaluationError

        snapshot = RegorusEngine().load(answering('decision := {"a": 1 / input.n}'))
        start = time.perf_counter()
        for _ in range(50):
            try:
                snapshot.evaluate(b'{"n":0}')
            except EvaluationError as error:
                message = str(error)
        print(message, (time.perf_counter() - start) / 50 < 0.01)
    """

    assert _run(script, RUST_BACKTRACE="1") == (
        0,
        "evaluation failed at main.rego:3:21: divide by zero True\n",
        "",
    )
