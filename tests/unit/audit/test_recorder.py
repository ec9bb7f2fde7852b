"""The recorder: one commit for many, records that nobody waits for, and back-pressure."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from guards import guard_in
from trails import append_pair, decision, entries, kinds, outcome

from policyguard.audit.entry import Waiting
from policyguard.audit.heads import read_known_head
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.reader import TrailReader
from policyguard.audit.recorder import MOST_WAITING, Recorder
from policyguard.audit.stores.database import has_wal_reset_bug
from policyguard.audit.stores.place import Lock
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import Writer
from policyguard.errors import NotDurableError, TrailError
from policyguard.vocabulary.record import OutcomeRecord

TESTS = Path(__file__).parents[2]


def never(error: BaseException) -> None:
    raise AssertionError(error)


@pytest.fixture
def trail(tmp_path: Path):
    made = Trail.create(tmp_path / "trail")
    yield made
    made.close()


def test_creating_and_opening_are_two_verbs(tmp_path: Path) -> None:
    directory = tmp_path / "trail"

    with pytest.raises(TrailError, match="there is no trail at"):
        Trail.open(directory)
    assert not directory.exists()
    Trail.create(directory, name="acme.example").close()
    with pytest.raises(TrailError, match="there is or was a trail"):
        Trail.create(directory)
    trail = Trail.open(directory, name="acme.example")

    trail.append(outcome("x"))

    trail.close()
    assert kinds(directory) == ["genesis", "outcome"]


def test_opening_makes_no_folder_where_there_is_no_trail(tmp_path: Path) -> None:
    with pytest.raises(TrailError):
        Trail.open(tmp_path / "trail")

    assert list(tmp_path.iterdir()) == []


def test_a_record_that_nobody_waits_for_is_written_soon(trail: Trail) -> None:
    trail.append_later(outcome("x"), failed=never)

    for _ in range(200):
        if kinds(trail.directory) == ["genesis", "outcome"]:
            break
        time.sleep(0.02)

    assert kinds(trail.directory) == ["genesis", "outcome"]


def test_it_goes_with_the_next_commit_and_in_order(trail: Trail) -> None:
    handed = [outcome(f"later-{number}") for number in range(50)]
    for record in handed:
        trail.append_later(record, failed=never)
    waited = outcome("waited")

    place = trail.append(waited)

    stored = [entry.record().id for entry in entries(trail.directory)]
    assert stored[1:] == [record.id for record in (*handed, waited)]
    assert place.index == 51


def test_a_record_is_made_by_whoever_writes_it(trail: Trail) -> None:
    made: list[str] = []

    def make(name: str) -> Any:
        made.append(name)
        return outcome(name)

    for name in ("one", "two"):
        trail.append_later(partial(make, name), failed=never)
    trail.append(outcome("waited"))

    assert made == ["one", "two"]
    assert kinds(trail.directory) == ["genesis", *["outcome"] * 3]


def test_a_record_that_cannot_be_made_leaves_those_beside_it(trail: Trail) -> None:
    told: list[BaseException] = []

    def fails() -> Any:
        raise ValueError("no record")

    trail.append_later(fails, failed=told.append)
    trail.append_later(fails, failed=told.append)
    trail.flush()
    trail.append_later(fails, failed=told.append)
    trail.append(outcome("beside"))

    assert [str(error) for error in told] == ["no record"] * 3
    assert kinds(trail.directory) == ["genesis", "outcome"]


class Panic(BaseException):
    """Is what a library of Rust raises when it gives up: no `Exception`."""


def raiser(error: BaseException) -> Any:
    def raises(*_: object, **__: object) -> None:
        raise error

    return raises


def test_a_library_that_panics_over_one_record_leaves_those_beside_it(
    trail: Trail,
) -> None:
    told: list[BaseException] = []

    trail.append_later(raiser(panic := Panic()), failed=told.append)
    place = trail.append(outcome("beside"))

    assert (told, place.index) == ([panic], 1)


def test_whoever_is_told_of_a_failure_may_fail_too(trail: Trail) -> None:
    told: list[BaseException] = []
    fails = raiser(ValueError("no record"))

    trail.append_later(fails, failed=raiser(RuntimeError("nor a log")))
    trail.append_later(fails, failed=told.append)
    place = trail.append(outcome("beside"))

    assert [str(error) for error in told] == ["no record"]
    assert place.index == 1


def panic_once(monkeypatch: pytest.MonkeyPatch, panic: BaseException) -> None:
    """Have the next commit raise something before it begins."""
    left, commits = [panic], Writer.append

    def append(writer: Writer, *args: Any, **kwargs: Any) -> int:
        if left:
            raise left.pop()
        return commits(writer, *args, **kwargs)

    monkeypatch.setattr(Writer, "append", append)


@pytest.mark.parametrize("error", [Panic, SystemExit])
def test_a_writer_that_panics_settles_all_and_its_thread_goes_on(
    trail: Trail, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    recorder = trail._process.recorder
    told: list[BaseException] = []
    panic_once(monkeypatch, panic := error())
    with recorder._lock:
        for name in ("one", "two"):
            trail.append_later(outcome(name), failed=told.append)
    until(lambda: len(told) == 2)
    trail.append_later(outcome("after"), failed=never)
    until(lambda: kinds(trail.directory) == ["genesis", "outcome"])

    assert told == [panic, panic]
    assert recorder._flusher is not None
    assert recorder._flusher.is_alive()


def test_whoever_waits_for_a_record_at_which_the_writer_panics_is_told(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    panic_once(monkeypatch, panic := Panic())

    with pytest.raises(NotDurableError) as caught:
        trail.append(outcome("x"))

    assert caught.value.__cause__ is panic
    assert trail.append(outcome("after")).index == 1


def test_all_are_told_though_one_of_them_fails(trail: Trail) -> None:
    recorder = trail._process.recorder
    told: list[str] = []
    items = [
        Waiting(body=body_of(outcome("one")), done=raiser(Panic())),
        Waiting(body=body_of(outcome("two")), done=lambda: told.append("two")),
    ]

    with pytest.raises(Panic):
        recorder.append_all(items)

    assert told == ["two"]
    assert [item.index for item in items] == [1, 2]


def until(holds: Any) -> None:
    """Wait until something holds, or for 20 seconds."""
    for _ in range(2_000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never held")


def test_closing_writes_what_is_left(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail")
    for number in range(20):
        trail.append_later(outcome(str(number)), failed=never)

    trail.close()

    assert kinds(tmp_path / "trail").count("outcome") == 20
    with pytest.raises(NotDurableError, match="closed"):
        trail.append_later(outcome("x"), failed=never)


def test_the_end_of_the_program_writes_what_is_left(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from trails import outcome\n"
        "from policyguard.audit.trail import Trail\n"
        "trail = Trail.create(sys.argv[1])\n"
        "for n in range(20):\n"
        "    trail.append_later(outcome(str(n)), failed=print)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "trail")],
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert kinds(tmp_path / "trail").count("outcome") == 20


def test_a_thread_that_the_end_of_the_program_stops_holds_nobody_up(
    tmp_path: Path,
) -> None:
    script = (
        "import atexit, sys, threading, time\n"
        "def hold():\n"
        "    recorder = trail._process.recorder\n"
        "    held = threading.Event()\n"
        "    def never_again():\n"
        "        with recorder._lock, recorder._mutex:\n"
        "            held.set()\n"
        "            time.sleep(60)\n"
        "    threading.Thread(target=never_again, daemon=True).start()\n"
        "    held.wait()\n"
        # Registered first, so it runs after what the trail has registered.
        "atexit.register(hold)\n"
        "from trails import outcome\n"
        "from policyguard.audit.stores.place import Lock\n"
        "from policyguard.audit.trail import Trail\n"
        "trail = Trail.create(sys.argv[1], lock=Lock(every=100))\n"
        "for n in range(5):\n"
        "    trail.append_later(outcome(str(n)), failed=print)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "trail")],
        env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert kinds(tmp_path / "trail").count("outcome") == 5
    assert remembered(tmp_path / "trail") == 6


def test_more_than_can_wait_is_written_by_whoever_brings_it(trail: Trail) -> None:
    for number in range(3 * MOST_WAITING):
        trail.append_later(outcome(str(number)), failed=never)
        assert len(trail._process.recorder._waiting) <= MOST_WAITING

    trail.flush()

    assert kinds(trail.directory).count("outcome") == 3 * MOST_WAITING


def test_whoever_brought_a_record_is_told_that_it_failed(trail: Trail) -> None:
    trail.append_decision(decision(), caller=None, content={})
    told: list[BaseException] = []
    refuse_inserts(trail.directory, "SELECT RAISE(ABORT, 'no')")

    trail.append_later(outcome("x"), failed=told.append)
    trail.flush()
    refuse_inserts(trail.directory, None)
    place = trail.append(outcome("y"))

    assert [str(error) for error in told] == ["no"]
    assert place.index == 2


def refuse_inserts(directory: Path, action: str | None) -> None:
    """Have SQLite refuse every record of a log, or let it take them again."""
    with closing(sqlite3.connect(directory / "logs/app-1/log.sqlite")) as other, other:
        other.execute(
            "DROP TRIGGER refuse"
            if action is None
            else f"CREATE TRIGGER refuse BEFORE INSERT ON entry BEGIN {action}; END"
        )
    other.close()


def test_a_record_too_large_is_refused_at_once(trail: Trail) -> None:
    with pytest.raises(NotDurableError, match="longer than"):
        trail.append_later(
            outcome("x").model_copy(update={"error": "E" * 70_000}), failed=never
        )


def test_a_forked_child_does_not_write_what_its_parent_brought(
    tmp_path: Path,
) -> None:
    trail = Trail.create(tmp_path / "trail")
    append_pair(trail)
    # Held, so that nothing is written before the fork.
    trail._process.recorder._lock.acquire()
    trail.append_later(outcome("parent"), failed=never)

    child = os.fork()
    if child == 0:
        code = 1
        try:
            trail.append(outcome("child"))
            trail.close()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    trail._process.recorder._lock.release()
    trail.close()

    stored = [
        entry.record().decision
        for entry in entries(tmp_path / "trail")
        if entry.record().kind == "outcome"
    ]
    assert status == 0
    assert sorted(stored)[-2:] == ["child", "parent"]
    verify_trail(tmp_path / "trail")


@pytest.mark.parametrize(("number", "each"), [(16, 20), (256, 3)])
def test_threads_that_wait_share_commits(trail: Trail, number: int, each: int) -> None:
    gate = threading.Barrier(number + 1)

    def work() -> None:
        gate.wait()
        for _ in range(each):
            trail.append(outcome("x"))

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    gate.wait()
    for thread in threads:
        thread.join()

    assert verify_trail(trail.directory).logs[0][1] == 1 + number * each
    # Most commits are of all who wait, or nearly.
    assert trail._process.recorder._written < 1 + number * each // 4


class Sizes:
    """Is a log that is in no file: it says how many records each commit had."""

    origin = "sizes.example"

    def __init__(self, *, first: threading.Barrier) -> None:
        self.sizes: list[int] = []
        self._first = first

    def append(self, bodies: Sequence[bytes], *, sealed: Sequence[object]) -> int:
        if not self.sizes:
            # Until everybody else is in the queue.
            self._first.wait()
        # So long the others are waited for.
        time.sleep(0.3)
        self.sizes.append(len(bodies))
        return sum(self.sizes) - len(bodies)

    def close(self) -> None:
        pass

    leak = close


@pytest.mark.parametrize(
    ("again", "wanted"), [(3, [1, 3, 3]), (2, [1, 3, 2]), (1, [1, 3, 1])]
)
def test_who_was_answered_together_is_waited_for_as_long_as_a_commit_takes(
    monkeypatch: pytest.MonkeyPatch, again: int, wanted: list[int]
) -> None:
    monkeypatch.setattr("policyguard.audit.recorder._LINGER_SECONDS", 60.0)
    log = Sizes(first=threading.Barrier(2))
    recorder = Recorder(lambda: log)

    def work(*, twice: bool) -> None:
        recorder.append(Waiting(body=b"x"))
        if twice:
            recorder.append(Waiting(body=b"y"))

    leader = threading.Thread(target=lambda: recorder.append(Waiting(body=b"x")))
    leader.start()
    threads = [
        threading.Thread(target=work, kwargs={"twice": number < again})
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    while recorder.waiting != len(threads):
        time.sleep(0.001)
    log._first.wait()
    for thread in (leader, *threads):
        thread.join(timeout=10)

    assert [thread for thread in threads if thread.is_alive()] == []
    assert log.sizes == wanted


def interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("leads", [False, True])
def test_who_is_interrupted_while_waiting_leaves_nobody_waiting(
    trail: Trail, *, leads: bool
) -> None:
    recorder = trail._process.recorder
    first = threading.Thread(target=lambda: trail.append(outcome("first")))
    recorder._lock.acquire()
    if not leads:
        first.start()
        while not recorder._led:
            time.sleep(0.001)
    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)

    with pytest.raises(KeyboardInterrupt):
        trail.append(outcome("interrupted"))

    signal.signal(signal.SIGALRM, old)
    if leads:
        first.start()
    recorder._lock.release()
    first.join(timeout=10)
    trail.append(outcome("last"))
    stored = [
        record.decision
        for entry in entries(trail.directory)
        if isinstance(record := entry.record(), OutcomeRecord)
    ]
    assert not first.is_alive()
    assert sorted(stored) == ["first", "interrupted", "last"]


def test_who_is_interrupted_while_waiting_for_others_leaves_nobody_waiting(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policyguard.audit.recorder._LINGER_SECONDS", 60.0)
    recorder = trail._process.recorder
    # As if two had been answered by a commit that took a minute.
    recorder._answered, recorder._took = 2, 60.0
    old = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)

    with pytest.raises(KeyboardInterrupt):
        trail.append(outcome("interrupted"))

    signal.signal(signal.SIGALRM, old)
    last = threading.Thread(target=trail.append, args=(outcome("last"),), daemon=True)
    last.start()
    last.join(timeout=10)
    assert not last.is_alive()
    assert kinds(trail.directory) == ["genesis", "outcome", "outcome"]


@pytest.mark.parametrize("which", [0, 3, 5])
def test_who_is_stopped_when_woken_still_wakes_whoever_is_next(
    trail: Trail, which: int
) -> None:
    recorder = trail._process.recorder
    line: list[threading.Thread] = []
    ends: list[str] = []

    def wait(name: str) -> None:
        try:
            trail.append(outcome(name))
            ends.append("answered")
        except SystemExit:
            ends.append("stopped")

    recorder._lock.acquire()
    for number in range(7):
        line.append(threading.Thread(target=wait, args=(str(number),)))
        line[-1].start()
        while recorder.waiting != number + 1:
            time.sleep(0.001)

    # It is raised in the thread once it has what it waits for.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(line[which + 1].ident or 0), ctypes.py_object(SystemExit)
    )
    recorder._lock.release()
    for thread in line:
        thread.join(timeout=10)

    assert [thread for thread in line if thread.is_alive()] == []
    assert sorted(ends) == ["answered"] * 6 + ["stopped"]
    assert kinds(trail.directory).count("outcome") == 7


def test_many_threads_and_no_wait_between_them_never_stop(trail: Trail) -> None:
    def work() -> None:
        for number in range(60):
            if number % 3:
                trail.append(outcome("x"))
            else:
                trail.append_later(outcome("y"), failed=never)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    trail.flush()

    assert [thread for thread in threads if thread.is_alive()] == []
    assert kinds(trail.directory).count("outcome") == 32 * 60


def remembered(directory: Path) -> int:
    layout = Layout.of(directory)
    origin = TrailReader.open(directory).logs[0].origin
    return read_known_head(layout.head("app-1"), origin=origin).size


@pytest.mark.parametrize(
    ("every", "seen"), [(1, [2, 3, 4, 5, 6]), (3, [2, 2, 2, 5, 5])]
)
def test_the_lock_database_is_told_as_often_as_one_says(
    tmp_path: Path, every: int, seen: list[int]
) -> None:
    directory = tmp_path / "trail"
    # Opening tells it of the first record.
    Trail.create(directory).close()
    trail = Trail.open(directory, lock=Lock(every=every))

    found = []
    for _ in range(5):
        trail.append(outcome("x"))
        found.append(remembered(directory))
    trail.close()

    assert found == seen
    assert remembered(directory) == 6


def test_a_memory_that_is_behind_after_a_crash_catches_up(tmp_path: Path) -> None:
    directory = tmp_path / "trail"
    trail = Trail.create(directory, lock=Lock(every=100))
    for _ in range(5):
        trail.append(outcome("x"))
    writer = trail._process.recorder._writer
    writer.leak()
    trail._process.recorder._writer = None
    behind = remembered(directory)
    verify_trail(directory)

    Trail.open(directory).close()

    assert behind < 6
    assert remembered(directory) == 6


def test_a_trail_that_nobody_has_any_more_releases_its_log(tmp_path: Path) -> None:
    directory = tmp_path / "trail"

    # What other tests have left is not looked through seventy times.
    gc.freeze()
    try:
        # As the cell of a notebook does that is run again and again.
        for _ in range(70):
            trail = Trail.open_or_create(directory)
            place = trail.append(outcome("x"))
            del trail
            gc.collect()
    finally:
        gc.unfreeze()

    assert place.origin.endswith("/app-1")
    assert place.index == 70


def test_a_trail_that_its_own_writing_thread_collects_is_closed_all_the_same(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "trail"
    trail = Trail.create(directory)
    left = threading.Event()

    def late() -> OutcomeRecord:
        # Whatever a thread does may begin a collection, also in the midst of a commit.
        left.wait(30)
        gc.collect()
        return outcome("x")

    gc.disable()
    try:
        cycle: list[Any] = [trail]
        cycle.append(cycle)
        before = set(threading.enumerate())
        trail.append_later(late, failed=never)
        (writing,) = set(threading.enumerate()) - before
        del trail, cycle
        left.set()
        writing.join(30)
    finally:
        gc.enable()

    assert not writing.is_alive()
    # The trail's own first entry is the other one.
    assert remembered(directory) == 2
    with contextlib.closing(Trail.open(directory)) as again:
        assert again.append(outcome("y")).origin.endswith("/app-1")


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_an_sqlite_that_can_lose_commits_is_known(
    version: tuple[int, ...], affected: bool
) -> None:
    assert has_wal_reset_bug(version) is affected


def test_it_is_said_once_when_a_guard_is_built(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policyguard.assembly.sqlite_version_info", (3, 51, 2))
    caplog.set_level("WARNING", logger="policyguard")

    for name in ("one", "two"):
        guard_in(tmp_path / name).close()

    said = [item.getMessage() for item in caplog.records if "WAL" in item.getMessage()]
    assert len(said) == 1
    assert "3.51.2" in said[0]


def test_tasks_of_an_event_loop_wait_without_holding_it_up(trail: Trail) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def work() -> list[int]:
        beside = asyncio.create_task(turn())
        appended = [
            asyncio.to_thread(trail.append, outcome(str(number)))
            for number in range(40)
        ]
        places = await asyncio.gather(*appended)
        beside.cancel()
        return sorted(place.index for place in places)

    found = asyncio.run(work())

    assert found == list(range(1, 41))
    assert turns > 10


def test_a_task_that_is_cancelled_while_it_waits_loses_no_record(trail: Trail) -> None:
    recorder = trail._process.recorder

    async def work() -> None:
        recorder._lock.acquire()
        waiting = asyncio.create_task(asyncio.to_thread(trail.append, outcome("gone")))
        while not recorder._led:  # noqa: ASYNC110 -- a thread sets it
            await asyncio.sleep(0.001)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        recorder._lock.release()

    asyncio.run(work())
    trail.append(outcome("after"))

    stored = [
        record.decision
        for entry in entries(trail.directory)
        if isinstance(record := entry.record(), OutcomeRecord)
    ]
    assert stored == ["gone", "after"]
