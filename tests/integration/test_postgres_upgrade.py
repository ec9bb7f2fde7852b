"""Tables that an older version prepared: brought up, or refused in one clear line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from fleet import KEYS, NAME, as_user, database, logins, needs_postgres
from integration.program import run
from services import Postgres
from trails import append_pair

from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.postgres_schema import prepare_database
from policyguard.audit.stores.postgres_server import server_of
from policyguard.audit.stores.postgres_upgrade import bring_up
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import ConfigurationError, TrailError

pytestmark = needs_postgres("no older tables were brought up")
LATER = """
DROP TABLE policyguard.approval, policyguard.count_key, policyguard.seen,
  policyguard.unnamed, policyguard.shelf, policyguard.vault_key, policyguard.person,
  policyguard.prompt, policyguard.about, policyguard.closed;
DROP FUNCTION policyguard.take, policyguard.revoke, policyguard.count_under,
  policyguard.reserve, policyguard.settle, policyguard.release, policyguard.shelve,
  policyguard.require_claimed, policyguard.rotate, policyguard.close;
REVOKE ALL ON ALL TABLES IN SCHEMA policyguard FROM policyguard_anchor,
  policyguard_eraser;
UPDATE policyguard.trail SET format = 1
"""
"""What takes a database back to what the first version with PostgreSQL made."""
TABLES = """
SELECT table_name FROM information_schema.tables WHERE table_schema LIKE 'policyguard%'
ORDER BY 1
"""


@pytest.fixture
def older(cluster: Postgres) -> str:
    """A database of the first version with three records, as its owner."""
    url = database(cluster)
    trail = Trail.create(url, name=NAME, keys=KEYS)
    append_pair(trail)
    trail.close()
    logins(url)
    execute(url, LATER)
    return url


def execute(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(statements.encode())


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("nothing came for 20 seconds")


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as session:
        return [row[0] for row in session.execute(TABLES.encode())]


def test_prepared_again_an_older_database_has_what_a_fresh_one_has(
    cluster: Postgres, older: str
) -> None:
    fresh = database(cluster)
    prepare_database(server_of(fresh), name=NAME)
    before = [entry.body for entry in TrailReader.open(older).logs[0].entries()]

    done = run("audit", "prepare", older)

    assert (done.exit_code, done.stderr) == (0, "")
    assert f"trail      {NAME}" in done.stdout
    assert tables(older) == tables(fresh)
    assert [e.body for e in TrailReader.open(older).logs[0].entries()] == before
    trail = Trail.open(as_user(older, "app"), keys=KEYS)
    trail.rotate_key()
    append_pair(trail)
    trail.close()
    assert verify_trail(older).logs[0][1] == 6
    # Also for those who only came with the new tables.
    with psycopg.connect(as_user(older, "notary")) as notary:
        assert notary.execute("SELECT count(*) FROM policyguard.shelf").fetchone()


def test_what_lacks_nothing_is_left_alone_and_says_so(older: str) -> None:
    bring_up(server_of(older))

    with pytest.raises(TrailError, match="lacks nothing: open it"):
        bring_up(server_of(older))
    with pytest.raises(TrailError, match="has the tables of a trail already"):
        Trail.create(older, name=NAME, keys=KEYS)


def test_tables_that_are_missed_say_what_to_run_and_are_no_tampering(
    older: str,
) -> None:
    with pytest.raises(
        TrailError, match=r"of an older version .* run `policyguard audit prepare"
    ):
        Trail.open(as_user(older, "app"), keys=KEYS)

    done = run("audit", "verify", "--trail", older)

    assert done.exit_code == 2
    assert "run `policyguard audit prepare URL` again" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE policyguard.head ALTER COLUMN note TYPE varchar(5000)",
        "ALTER TABLE policyguard.entry DROP CONSTRAINT entry_slot_id_key",
        "ALTER TABLE policyguard.content ALTER COLUMN salt DROP NOT NULL",
    ],
)
def test_tables_that_somebody_changed_are_refused_and_left_as_they_were(
    older: str, change: str
) -> None:
    execute(older, change)
    before = tables(older)

    with pytest.raises(TrailError, match=r"cannot be brought up: the .* another one"):
        bring_up(server_of(older))

    assert tables(older) == before


def test_tables_of_a_newer_version_are_refused_by_everybody(older: str) -> None:
    execute(older, "UPDATE policyguard.trail SET format = 99")

    for attempt in (
        lambda: bring_up(server_of(older)),
        lambda: Trail.open(older, keys=KEYS),
        lambda: TrailReader.open(older),
    ):
        with pytest.raises(TrailError, match="of a newer version of policyguard"):
            attempt()


def test_only_the_owner_brings_tables_up_and_only_of_the_trail_that_is_meant(
    older: str,
) -> None:
    before = tables(older)

    with pytest.raises(TrailError, match=r"does not permit it|must be owner"):
        bring_up(server_of(as_user(older, "app")))
    with pytest.raises(ConfigurationError, match=r"is named `fleet.example` and not"):
        bring_up(server_of(older), name="other.example")

    assert tables(older) == before


def test_a_lock_database_that_never_knew_the_trail_is_not_taken_for_its_memory(
    cluster: Postgres, older: str
) -> None:
    other = database(cluster)

    with pytest.raises(TrailError, match="has never remembered this trail"):
        bring_up(server_of(older), lock=server_of(other))

    assert tables(other) == []


def test_whoever_writes_meanwhile_loses_nothing(cluster: Postgres, older: str) -> None:
    older = database(cluster, like=older)
    bring_up(server_of(older))
    execute(older, "DROP TABLE policyguard.prompt, policyguard.about")
    trail = Trail.open(as_user(older, "app"), keys=KEYS)
    ended = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not ended.is_set():
            written.append(append_pair(trail))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    wait_for(lambda: len(written) >= 3)
    bring_up(server_of(older))
    so_far = len(written)
    wait_for(lambda: len(written) >= so_far + 3)
    ended.set()
    writer.join()
    trail.close()

    verified = verify_trail(older)
    assert verified.logs[0][1] == 3 + 2 * len(written)
    assert (verified.missing, verified.pending) == (0, 0)
