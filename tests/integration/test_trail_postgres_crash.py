"""A trail in PostgreSQL when things break: servers and clients that are killed.

Sessions are ended in the middle of commits, answers are lost on the way, and the server
comes back at another address. What was told is kept, nothing is written twice, and
every log verifies.
"""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time

import psycopg
import pytest
from fleet import (
    KEYS,
    NAME,
    database,
    kept,
    needs_postgres,
    start,
    tamper,
    terminate,
    wire_to,
)
from services import Postgres, postgres
from trails import append_pair, outcome

from policyguard.audit.stores.postgres_memory import RemoteMemory
from policyguard.audit.stores.postgres_server import Server
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import NotDurableError, TamperedError, TrailError

pytestmark = needs_postgres("nothing was killed and no wire cut")


@pytest.fixture
def url(cluster: Postgres) -> str:
    made = database(cluster)
    Trail.create(made, name=NAME, keys=KEYS).close()
    return made


def told_by(writer: subprocess.Popen[str]) -> set[str]:
    """Return the whole lines that a writer has printed until it ended."""
    assert writer.stdout is not None
    return set(writer.stdout.read().split("\n")[:-1]) - {"open"}


def began(writer: subprocess.Popen[str]) -> None:
    assert writer.stdout is not None
    assert writer.stdout.readline() == "open\n", writer.communicate()


def written(url: str) -> int:
    """Return how many records were written, of all logs, beside each log's first.

    Whoever begins anew while the server has not yet noticed that the old session is gone
    finds the slot taken, and writes on in another log.
    """
    return sum(log[1] - 1 for log in verify_trail(url).logs)


def test_a_killed_client_loses_nothing_that_it_was_told_is_kept(url: str) -> None:
    told: set[str] = set()
    moments = random.Random(7)

    for _ in range(5):
        with start(url, pairs=1_000_000) as writer:
            began(writer)
            time.sleep(moments.uniform(0.0, 0.2))
            writer.send_signal(signal.SIGKILL)
            told |= told_by(writer)

    verified = verify_trail(url)
    assert len(told) > 0
    assert told <= kept(url)
    assert verified.erased == 0


def test_a_killed_server_loses_nothing_that_it_has_committed(
    cluster: Postgres, url: str
) -> None:
    told: set[str] = set()
    moments = random.Random(11)

    for _ in range(3):
        with start(url, pairs=1_000_000) as writer:
            began(writer)
            time.sleep(moments.uniform(0.05, 0.3))
            cluster.kill()
            time.sleep(0.1)
            writer.send_signal(signal.SIGKILL)
            told |= told_by(writer)
        cluster.start()

        verify_trail(url)

    assert len(told) > 0
    assert told <= kept(url)


def test_a_writer_outlives_its_server(cluster: Postgres, url: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    told = [append_pair(trail)]
    cluster.kill()
    with pytest.raises(NotDurableError, match="cannot use"):
        trail.append(outcome("refused"))
    cluster.start()

    told.append(append_pair(trail))

    trail.close()
    assert set(told) <= kept(url)
    assert written(url) == 4


def test_sessions_that_are_ended_under_load_are_begun_anew(url: str) -> None:
    with start(url, pairs=150) as writer:
        began(writer)
        ended = 0
        while writer.poll() is None:
            ended += terminate(url)
            time.sleep(0.1)
        told = told_by(writer)
        assert writer.stderr is not None
        refused = writer.stderr.read().splitlines()

    # Whoever looks up a caller while the session ends is refused, and may ask again.
    assert ended > 2
    assert [line for line in refused if not line.startswith("refused ")] == []
    assert len(told) == 150 - len(refused) > 75
    assert told <= kept(url)
    # Nothing twice: two for each pair that was not refused.
    assert 2 * len(told) <= written(url) <= 300


def through(url: str, *ports: int) -> str:
    """Return the URI with other addresses of the same server."""
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgresql://owner@{addresses}/{url.rpartition('/')[2]}"


def test_a_commit_whose_answer_was_lost_is_recognised(
    cluster: Postgres, url: str
) -> None:
    with wire_to(cluster) as wire:
        trail = Trail.open(through(url, wire.port), keys=KEYS)
        trail.append(outcome("before"))
        wire.cut_answer_to = b"policyguard.append"

        place = trail.append(outcome("committed, and nobody was told"))
        after = trail.append(outcome("after"))

        trail.close()
    assert wire.cuts == 1
    assert (place.index, after.index) == (2, 3)
    assert verify_trail(url).logs[0][1] == 4


def test_a_writer_follows_its_server_to_another_address(
    cluster: Postgres, url: str
) -> None:
    with wire_to(cluster) as first, wire_to(cluster) as second:
        trail = Trail.open(through(url, first.port, second.port), keys=KEYS)
        trail.append(outcome("over the first"))
        first.close()

        places = [trail.append(outcome("over the second")) for _ in range(3)]

        trail.close()
    assert [place.index for place in places] == [2, 3, 4]
    verify_trail(url)


def test_a_server_that_comes_back_without_the_newest_records_is_refused(
    url: str,
) -> None:
    trail = Trail.open(url, keys=KEYS)
    trail.append(outcome("kept"))
    with psycopg.connect(url) as session:
        session.execute("CREATE TABLE older AS SELECT * FROM policyguard.head")
    trail.append(outcome("lost by a replica that was behind"))
    tamper(
        url,
        "UPDATE policyguard.head SET (size, frontier, note) ="
        " (SELECT size, frontier, note FROM older)",
        "DELETE FROM policyguard.entry WHERE idx = 2",
    )
    terminate(url)

    with pytest.raises(NotDurableError, match="was put back, or somebody else writes"):
        trail.append(outcome("x"))

    trail.close()


def test_threads_share_commits_while_sessions_are_ended(url: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    told: list[str] = []
    refused: list[TrailError] = []

    def work() -> None:
        for _ in range(10):
            try:
                told.append(append_pair(trail))
            except TrailError as error:
                refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        terminate(url)
        time.sleep(0.2)
    for thread in threads:
        thread.join()
    trail.close()

    # Whoever looks up a caller while the session ends is refused, and may ask again.
    assert len(told) + len(refused) == 80
    assert len(told) > 20
    assert set(told) <= kept(url)
    # Nothing twice: two for each pair that was not refused.
    assert 2 * len(told) <= written(url) <= 160


def test_a_slot_whose_claiming_was_cut_off_keeps_nobody_from_reading_or_writing(
    pair: tuple[str, str],
) -> None:
    url, lock = pair
    trail = Trail.open(url, lock=lock, keys=KEYS)
    append_pair(trail)
    # The lock database is told first, and the process ends before there is a record.
    RemoteMemory(Server(url=lock), origin=f"{NAME}/app-2").close()

    verified = verify_trail(url, lock=lock)
    other = Trail.open(url, lock=lock, keys=KEYS)
    append_pair(other)
    for item in (trail, other):
        item.close()

    assert [log[:2] for log in verified.logs] == [(f"{NAME}/app-1", 3)]
    assert [log[:2] for log in verify_trail(url, lock=lock).logs] == [
        (f"{NAME}/app-1", 3),
        (f"{NAME}/app-2", 3),
    ]


def test_a_log_that_is_remembered_and_gone_with_its_key_is_missed(
    pair: tuple[str, str],
) -> None:
    url, lock = pair
    trails = [Trail.open(url, lock=lock, keys=KEYS) for _ in range(2)]
    for trail in trails:
        append_pair(trail)
        trail.close()
    gone = " WHERE slot = 'app-2'"
    tamper(
        url,
        *(
            f"DELETE FROM policyguard.{table}{gone}"
            for table in ("entry", "checkpoint", "head", "content", "key")
        ),
        # Its key came last.
        "DELETE FROM policyguard.trust WHERE version ="
        " (SELECT max(version) FROM policyguard.trust)",
    )

    assert [log[:2] for log in verify_trail(url).logs] == [(f"{NAME}/app-1", 3)]
    with pytest.raises(TamperedError, match="app-2 has no key in the trust file"):
        verify_trail(url, lock=lock)


def test_a_server_that_does_not_synchronise_is_refused() -> None:
    with postgres() as careless:
        careless.stop()
        careless.start(fsync="off")
        database(careless, "careless")

        with pytest.raises(TrailError, match="fsync off: no record would be durable"):
            Trail.create(careless.url("careless"), name=NAME, keys=KEYS)
