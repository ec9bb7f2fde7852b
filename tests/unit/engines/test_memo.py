from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime

import pytest

from policyguard.engines.memo import (
    EARLIEST,
    MOST_BYTES,
    MOST_INSTANTS,
    MOST_INTERVALS,
    Memo,
    MemoUse,
    instants_in,
    seconds_of,
)

NOON = 1_783_684_800
"""2026-07-10T12:00:00Z."""


def memo(*instants: int, lives: tuple[int, ...] = (), entries: int = 8) -> Memo[str]:
    return Memo(instants=instants, lives=lives, entries=entries)


def test_an_answer_is_found_until_something_begins_or_ends() -> None:
    known = memo(NOON, NOON + 100)
    known.keep(b"{}", at=NOON, answer="deny")

    found = [known.find(b"{}", at=at) for at in (NOON - 1, NOON, NOON + 99, NOON + 100)]
    assert found == [None, "deny", "deny", None]


def test_another_question_is_another_answer() -> None:
    known = memo()
    known.keep(b'{"a":1}', at=NOON, answer="deny")

    assert known.find(b'{"a":2}', at=NOON) is None


def test_an_instant_of_the_question_divides_time_too() -> None:
    known = memo()
    question = b'{"expires":"2026-07-10T12:00:00Z"}'
    known.keep(question, at=NOON - 1, answer="allow")

    assert known.find(question, at=NOON - 86_400) == "allow"
    assert known.find(question, at=NOON) is None


def test_what_the_policy_derives_from_an_instant_divides_time_too() -> None:
    known = memo(lives=(1_000,))
    question = b'{"assessed":"2026-07-10T12:00:00.5Z"}'
    known.keep(question, at=NOON + 999, answer="fresh")

    found = [known.find(question, at=NOON + 999 + more) for more in (0, 1, 2)]
    assert found == ["fresh", None, None]


@pytest.mark.parametrize(
    ("data", "edge"),
    [
        (b'["2026-07-10T12:00:00Z"]', NOON),
        (b'["2026-07-10T14:00:00+02:00"]', NOON),
        (b'["2026-07-10t12:00:00.999999999z"]', NOON),
        (b'{"day":"2026-07-10"}', NOON - 43_200),
        (b"[1783684800]", NOON),
        (b'{"since":1783684800,"until":null}', NOON),
    ],
)
def test_instants_are_found_in_every_form(data: bytes, edge: int) -> None:
    assert instants_in(data) == (edge, edge + 1)


@pytest.mark.parametrize(
    "data",
    [b'["2026-02-30"]', b'["2026-07-10T25:00:00Z"]', b"[12345678]", b'["17"]'],
)
def test_what_is_no_instant_is_none(data: bytes) -> None:
    assert instants_in(data) == ()


def test_seconds_are_those_that_have_passed() -> None:
    late = datetime(2026, 7, 10, 11, 59, 59, 999_999, tzinfo=UTC)

    assert seconds_of(late) == NOON - 1
    assert seconds_of(datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)) == -1


def test_the_oldest_question_is_forgotten_first() -> None:
    known = memo(entries=2)
    for question in (b"1", b"2", b"3"):
        known.keep(question, at=NOON, answer=question.decode())

    assert [known.find(name, at=NOON) for name in (b"1", b"2", b"3")] == [
        None,
        "2",
        "3",
    ]


def test_few_intervals_of_one_question_are_kept() -> None:
    edges = [NOON + step for step in range(0, 100, 10)]
    known = memo(*edges)
    for edge in edges:
        known.keep(b"{}", at=edge, answer=str(edge))

    found = [known.find(b"{}", at=edge) for edge in edges]
    assert found == [None] * (10 - MOST_INTERVALS) + [
        str(edge) for edge in edges[-MOST_INTERVALS:]
    ]


def test_what_is_too_large_or_has_too_many_instants_is_not_remembered() -> None:
    known = memo()
    many = [1_000_000_000 + 10 * step for step in range(MOST_INSTANTS)]
    for question in (b"x" * (MOST_BYTES + 1), str(many).replace(" ", "").encode()):
        known.keep(question, at=NOON, answer="deny")

        assert known.find(question, at=NOON) is None


def test_a_memo_of_no_entries_remembers_nothing() -> None:
    known = memo(entries=0)
    known.keep(b"{}", at=NOON, answer="deny")

    assert known.find(b"{}", at=NOON) is None


def test_an_instant_before_whole_numbers_are_instants_is_not_remembered() -> None:
    known = memo()
    known.keep(b"{}", at=EARLIEST - 1, answer="deny")
    assert known.find(b"{}", at=EARLIEST) is None

    known.keep(b"{}", at=EARLIEST, answer="deny")
    assert known.find(b"{}", at=EARLIEST - 1) is None


def test_the_use_is_counted() -> None:
    known = memo()
    known.find(b"{}", at=NOON)
    known.keep(b"{}", at=NOON, answer="deny")
    known.find(b"{}", at=NOON)
    known.find(b"{}", at=NOON)

    assert known.use == MemoUse(hits=2, misses=1, entries=1)
    assert known.use.hit_rate == pytest.approx(2 / 3)
    assert memo().use.hit_rate == 0.0


def test_threads_that_forget_at_once_forget_enough() -> None:
    known = memo(entries=16)
    before = sys.getswitchinterval()

    def work(start: int) -> None:
        for step in range(2_000):
            question = str(start + step).encode()
            known.keep(question, at=NOON, answer="deny")
            assert known.find(question, at=NOON) in (None, "deny")

    threads = [threading.Thread(target=work, args=(10_000 * n,)) for n in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert known.use.entries <= 16
