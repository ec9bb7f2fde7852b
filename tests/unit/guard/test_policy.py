"""Tests of letting another policy take over between two calls."""

from __future__ import annotations

import threading
from typing import Any

from policyguard.assembly import catalog_of
from policyguard.bundle.shipped import load_shipped
from policyguard.engines.protocol import EngineInfo
from policyguard.guard.policy import GRACE_SECONDS, MOST_RECENT, Policy, PolicyInUse
from policyguard.settings import Settings

BUNDLE = load_shipped()
CATALOG = catalog_of(Settings())


class Slow:
    """Is a snapshot that is ready after so many slices."""

    info = EngineInfo(name="slow", version="1", distribution="slow", digest="0" * 64)
    bundle_digest = BUNDLE.digest
    catalog_digest = CATALOG.digest

    def __init__(self, slices: int = 0) -> None:
        self.slices = slices

    def prepare_some(self) -> bool:
        self.slices -= 1
        return self.slices < 0


def policy(slices: int = 0) -> Policy:
    snapshot: Any = Slow(slices)
    return Policy(snapshot=snapshot, bundle=BUNDLE, catalog=CATALOG)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_newest_answers_a_thread_that_never_asked() -> None:
    first, second = policy(), policy(slices=99)
    used = PolicyInUse(first)
    used.replace(second)

    assert used.current is second


def test_the_old_policy_answers_until_the_new_engine_is_built() -> None:
    first, second = policy(), policy(slices=2)
    used = PolicyInUse(first, clock=Clock())
    before = used.current
    used.replace(second)

    assert [before, used.current, used.current, used.current, used.current] == [
        first,
        first,
        first,
        second,
        second,
    ]
    assert used.newest is second


def test_the_old_policy_answers_no_longer_than_the_grace() -> None:
    clock, first, second = Clock(), policy(), policy(slices=99)
    used = PolicyInUse(first, clock=clock)
    before = used.current
    used.replace(second)
    soon = used.current
    clock.now += GRACE_SECONDS

    assert [before, soon, used.current] == [first, first, second]


def test_a_thread_that_slept_through_replacements_gets_the_newest() -> None:
    first = policy()
    used = PolicyInUse(first, clock=Clock())
    before = used.current
    for _ in range(MOST_RECENT):
        used.replace(policy(slices=99))
    newest = policy(slices=99)
    used.replace(newest)

    assert [before, used.current] == [first, newest]


def test_replacements_in_a_row_do_not_stretch_the_grace() -> None:
    clock, first = Clock(), policy()
    used = PolicyInUse(first, clock=clock)
    before = used.current
    used.replace(policy(slices=99))
    clock.now += GRACE_SECONDS - 1
    newest = policy(slices=99)
    used.replace(newest)
    soon = used.current
    clock.now += 1

    assert [before, soon, used.current] == [first, first, newest]


def test_each_thread_prepares_for_itself() -> None:
    first, second = policy(), policy(slices=1)
    used = PolicyInUse(first, clock=Clock())
    found: list[Policy] = []
    begun, replaced = threading.Event(), threading.Event()

    def other() -> None:
        found.append(used.current)
        begun.set()
        replaced.wait()
        found.append(used.current)
        found.append(used.current)

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    used.replace(second)
    replaced.set()
    thread.join()

    assert found == [first, first, second]
