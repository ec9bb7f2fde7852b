"""Counts of distinct people: once each, together, over time, and after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policyguard.audit.counters import Counters, Share
from policyguard.audit.layout import Layout, make_folder
from policyguard.audit.stores.count_file import CountFile
from policyguard.errors import TrailError

KEY = ("acme zhipu", "pii")


@pytest.fixture
def counters(tmp_path: Path) -> Counters:
    make_folder(tmp_path / "trail/keys")
    return in_files(tmp_path / "trail")


def in_files(directory: Path) -> Counters:
    return Counters(store=CountFile(layout=Layout.of(directory)))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.of(tmp_path / "trail")


def share(counters: Counters, *people: str, **changes: Any) -> Share:
    known = Share(
        scope=KEY[0],
        category=KEY[1],
        since=1_000,
        persons=counters.pseudonyms(people),
    )
    return replace(known, **changes)


def reserve(
    counters: Counters, name: str, *people: str, at: int = 2_000, **changes: Any
) -> int:
    return counters.reserve(
        [share(counters, *people, **changes)],
        reservation=name,
        call=f"call of {name}",
        at=at,
    )[KEY]


def seen(counters: Counters, since: int = 1_000) -> int:
    return counters.reserve(
        [share(counters, since=since)], reservation="", call="", at=0, keep=False
    )[KEY]


def test_people_are_counted_once_whichever_call_they_are_in(counters: Counters) -> None:
    before = [
        reserve(counters, "one", "a", "b"),
        reserve(counters, "two", "b", "c"),
        reserve(counters, "three", "a", "b", "c", "d"),
    ]

    # Those in the call itself are not among those before it.
    assert before == [0, 1, 0]
    assert seen(counters) == 4


def test_what_is_only_read_adds_nobody(counters: Counters) -> None:
    for _ in range(2):
        counters.reserve(
            [share(counters, "a")], reservation="x", call="y", at=2_000, keep=False
        )

    assert seen(counters) == 0


def test_a_settled_call_counts_and_a_released_one_does_not(counters: Counters) -> None:
    reserve(counters, "made", "a", unnamed=5)
    reserve(counters, "stopped", "a", "b", unnamed=7)

    counters.settle("made")
    counters.release("stopped")

    assert seen(counters) == 6


def test_what_nobody_settles_counts_as_made(counters: Counters) -> None:
    reserve(counters, "crashed", "a")

    again = Counters(store=counters.store)

    assert seen(again) == 1


def test_a_call_counts_since_its_newest_time(counters: Counters) -> None:
    reserve(counters, "old", "a", "b", at=900)
    reserve(counters, "new", "a", at=1_500)
    for name in ("old", "new"):
        counters.settle(name)

    assert (seen(counters), seen(counters, since=100)) == (1, 2)


def test_a_later_settlement_of_an_earlier_call_takes_nothing_back(
    counters: Counters,
) -> None:
    reserve(counters, "old", "a", at=900)
    reserve(counters, "new", "a", at=1_500)
    for name in ("new", "old"):
        counters.settle(name)

    assert seen(counters) == 1


def test_people_of_whom_only_the_number_is_known_are_each_somebody_new(
    counters: Counters,
) -> None:
    before = [reserve(counters, name, unnamed=400) for name in ("one", "two", "three")]

    assert before == [0, 400, 800]


def test_another_attempt_of_one_call_adds_nobody(counters: Counters) -> None:
    shares = [share(counters, "a", unnamed=10)]

    counts = [
        counters.reserve(shares, reservation=name, call="one", at=2_000)[KEY]
        for name in ("first", "second")
    ]
    counters.release("second")

    assert counts == [0, 0]
    assert seen(counters) == 11


def test_counts_of_other_scopes_and_categories_are_their_own(
    counters: Counters,
) -> None:
    reserve(counters, "one", "a")
    other = [
        share(counters, scope="other zhipu"),
        share(counters, category="health"),
    ]

    counts = counters.reserve(other, reservation="", call="", at=0, keep=False)

    assert list(counts.values()) == [0, 0]


def test_threads_together_never_pass_a_threshold(counters: Counters) -> None:
    def may(number: int) -> bool:
        people = [f"{number}-{index}" for index in range(10)]
        before = reserve(counters, str(number), *people)
        allowed = before + 10 <= 50
        if not allowed:
            counters.release(str(number))
        return allowed

    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(may, range(16)))

    assert 1 <= allowed.count(True) <= 5
    assert seen(counters) == 10 * allowed.count(True)


def test_processes_together_never_pass_a_threshold(
    counters: Counters, layout: Layout
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[3])\n"
        "from unit.audit.test_counters import *\n"
        "counters = in_files(Path(sys.argv[1]))\n"
        "made = 0\n"
        "for number in range(4):\n"
        "    name = f'{sys.argv[2]}-{number}'\n"
        "    if reserve(counters, name, *(f'{name}-{i}' for i in range(10))) + 10 <= 60:\n"
        "        made += 1; counters.settle(name)\n"
        "    else: counters.release(name)\n"
        "print(made)\n"
    )
    counters.pseudonyms(["a"])
    tests = str(Path(__file__).parents[2])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, layout.directory, name, tests],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]

    made = sum(int(item.communicate(timeout=60)[0]) for item in started)

    assert 1 <= made <= 6
    assert seen(counters) == 10 * made


def test_a_killed_process_leaves_its_reservation(counters: Counters) -> None:
    counters.pseudonyms(["a"])
    child = os.fork()
    if child == 0:
        reserve(counters, "killed", "a", "b")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)

    assert seen(counters) == 2


def test_no_id_of_a_person_is_on_the_disk(counters: Counters, layout: Layout) -> None:
    reserve(counters, "one", "canary-alice@acme.example")
    counters.settle("one")

    stored = b"".join(
        path.read_bytes() for path in layout.directory.rglob("*") if path.is_file()
    )

    assert b"canary" not in stored
    assert oct(layout.counters.stat().st_mode & 0o777) == "0o600"
    assert oct(layout.counters_key.stat().st_mode & 0o777) == "0o600"


def test_without_its_key_nothing_is_counted_anew(
    counters: Counters, layout: Layout
) -> None:
    reserve(counters, "one", "a")
    layout.counters_key.unlink()

    with pytest.raises(TrailError, match="under which people were counted"):
        counters.pseudonyms(["a"])


def test_a_key_that_another_makes_meanwhile_is_taken(
    counters: Counters, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve(counters, "one", "a")
    known = counters.pseudonyms(["a"])
    away = layout.counters_key.rename(layout.counters_key.with_suffix(".away"))
    look = CountFile._anybody

    def meanwhile(store: CountFile) -> bool:
        away.rename(layout.counters_key)
        return look(store)

    monkeypatch.setattr(CountFile, "_anybody", meanwhile)

    assert counters.pseudonyms(["a"]) == known


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_an_error(
    counters: Counters, layout: Layout, data: bytes
) -> None:
    reserve(counters, "one", "a")
    layout.counters_key.write_bytes(data)

    with pytest.raises(TrailError, match="damaged"):
        counters.pseudonyms(["a"])


def test_a_damaged_file_is_an_error(counters: Counters, layout: Layout) -> None:
    reserve(counters, "one", "a")
    layout.counters.write_bytes(b"damaged" * 999)

    for work in (
        lambda: reserve(counters, "two", "a"),
        lambda: counters.settle("one"),
        lambda: counters.release("one"),
    ):
        with pytest.raises(TrailError, match=r"counters\.sqlite"):
            work()
