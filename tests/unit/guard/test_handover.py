"""What event loops hand over is done, whatever came before it."""

from __future__ import annotations

import os
import threading
import weakref
from queue import SimpleQueue

from policyguard.guard.handover import hand_over

SOON = 30.0
"""Seconds."""


def test_what_is_handed_over_is_done_by_two_threads() -> None:
    names: SimpleQueue[str] = SimpleQueue()
    both = threading.Barrier(3)

    def work() -> None:
        names.put(threading.current_thread().name)
        both.wait(SOON)

    for _ in range(2):
        hand_over(work)
    both.wait(SOON)

    assert [names.get(timeout=SOON) for _ in range(2)] == ["policyguard"] * 2
    running = [item.name for item in threading.enumerate()]
    assert running.count("policyguard") == 2


def test_work_that_fails_takes_no_thread_along() -> None:
    done = threading.Event()

    def fails() -> None:
        raise SystemExit

    for _ in range(4):
        hand_over(fails)
    hand_over(done.set)

    assert done.wait(SOON)


def test_a_forked_child_has_threads_of_its_own() -> None:
    mine = threading.Event()
    hand_over(mine.set)
    assert mine.wait(SOON)

    child = os.fork()
    if child == 0:
        done = threading.Event()
        hand_over(done.set)
        os._exit(0 if done.wait(SOON) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_was_done_is_kept_by_no_thread() -> None:
    class Held:
        pass

    gone = threading.Event()
    held = Held()
    weak = weakref.finalize(held, gone.set)
    hand_over(lambda kept=held: None)  # type: ignore[misc]
    del held

    assert gone.wait(SOON)
    assert not weak.alive
