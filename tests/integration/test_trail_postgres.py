"""A trail in PostgreSQL, against a real server: fleets, roles, tampering.

The crash tests are in `test_trail_postgres_crash.py`.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
from fleet import (
    KEYS,
    NAME,
    SECRET,
    as_user,
    database,
    kept,
    needs_postgres,
    sizes,
    start,
    tamper,
)
from integration.program import CALL
from services import Postgres
from trails import CALLER, append_pair, decision, outcome

from policyguard import Guard, Settings
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.query import Question, ask
from policyguard.audit.query_index import TrailIndex
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import (
    ConfigurationError,
    NotDurableError,
    TamperedError,
    TrailError,
)
from policyguard.settings import SigningSettings, TrailSettings
from policyguard.signing.key_source import FileKeys
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.record import DecisionRecord, Trace

pytestmark = needs_postgres("nothing was tested of trails in a database")
TABLES = (
    "trail",
    "trust",
    "key",
    "entry",
    "checkpoint",
    "head",
    "content",
    "caller",
    "version",
)


@pytest.fixture(scope="module")
def prepared(prepared: tuple[str, str]) -> tuple[str, str]:
    """A trail of one record, and a lock database that is not its own."""
    Trail.open(prepared[0], keys=KEYS).close()
    return prepared


@pytest.fixture
def empty(cluster: Postgres) -> str:
    """A database without a trail, as its owner."""
    return database(cluster)


def test_a_record_is_stored_read_and_verified(url: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    known = append_pair(trail)
    trail.close()

    verified = verify_trail(url)

    (log,) = TrailReader.open(url).logs
    found = log.find(known)
    assert found is not None
    assert found.record().id == known
    assert log.find("2") == list(log.entries())[2]
    assert log.find("99") is None
    assert [(origin, size) for origin, size, _ in verified.logs] == [
        ("fleet.example/app-1", 3)
    ]
    assert (verified.erased, verified.pending, verified.memory) == (0, 0, False)


def test_the_span_of_a_decision_is_read_and_found_as_in_files(url: str) -> None:
    trace = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    trail = Trail.open(url, keys=KEYS)
    for fields in (decision(trace=trace), decision()):
        trail.append_decision(fields, caller=CALLER, content={})
    trail.close()

    reader = TrailReader.open(url)
    asked = Question(sql="SELECT trace_id FROM decisions ORDER BY entry")

    assert verify_trail(url).logs[0][1] == 3
    assert ask(asked, reader=reader).rows == (("ab" * 16,), (None,))
    found = [entry.record() for entry in reader.logs[0].entries()]
    assert [item.trace for item in found if isinstance(item, DecisionRecord)] == [
        Trace(**trace),
        None,
    ]


def test_who_asked_is_kept_once_and_found_by_the_pseudonym(url: str) -> None:
    for _ in range(2):
        trail = Trail.open(url, keys=KEYS)
        append_pair(trail)
        trail.close()

    reader = TrailReader.open(url)

    pseudonym = reader.pseudonym(CALLER)
    assert pseudonym is not None
    assert reader.caller(pseudonym) == CALLER
    assert [row[2] for row in reader.source.callers()] == [CALLER]


def test_processes_write_at_once_each_to_a_log_of_its_own(url: str) -> None:
    workers = [start(url, pairs=10) for _ in range(4)]

    told = set()
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert (worker.returncode, err) == (0, "")
        told |= set(out.split()) - {"open"}

    verified = verify_trail(url)
    assert len(told) == 40
    assert told <= kept(url)
    assert sum(size for _, size, _ in verified.logs) == 80 + len(verified.logs)
    keys = {log.vkey.public_key for log in TrailReader.open(url).logs}
    assert len(keys) == len(verified.logs)


def test_the_log_of_a_killed_process_is_claimed_by_the_next(url: str) -> None:
    with start(url, pairs=1_000_000) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "open\n"
        worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
        worker.stdout.read()

    for _ in range(100):
        trail = Trail.open(url, keys=KEYS)
        place = trail.append(outcome("x"))
        trail.close()
        if place.origin == "fleet.example/app-1":
            break

    assert place.origin == "fleet.example/app-1"
    verify_trail(url)


def test_a_forked_child_has_a_log_of_its_own_and_harms_nobodys(url: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    append_pair(trail)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            append_pair(trail)
            trail.close()
            code = 0
        finally:
            os._exit(code)

    end = os.waitpid(child, 0)[1]
    append_pair(trail)
    trail.close()

    assert end == 0
    assert sizes(url) == {"app-1": 5, "app-2": 3}
    verify_trail(url)


def test_a_command_line_has_a_log_of_its_own(url: str) -> None:
    application = Trail.open(url, keys=KEYS)
    tool = Trail.open(url, keys=KEYS, role="cli")

    places = [item.append(outcome("x")).origin for item in (application, tool)]

    for item in (application, tool):
        item.close()
    assert places == ["fleet.example/app-1", "fleet.example/cli-1"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE policyguard.{} SET {} = {}", "DELETE FROM policyguard.{}", "TRUNCATE {}"],
)
def test_a_writer_changes_and_removes_nothing(
    prepared: tuple[str, str], table: str, statement: str
) -> None:
    column = {"trail": "name", "trust": "text", "caller": "id", "version": "kind"}.get(
        table, "slot"
    )
    filled = statement.format(table, column, column).replace(
        "TRUNCATE ", "TRUNCATE policyguard."
    )

    with (
        psycopg.connect(as_user(prepared[0], "app")) as session,
        pytest.raises(psycopg.Error) as refused,
    ):
        session.execute(filled)

    assert type(refused.value).__name__ == "InsufficientPrivilege"


def test_no_role_changes_a_row_of_any_table_and_one_removes_what_is_erasable(
    prepared: tuple[str, str],
) -> None:
    query = (
        "SELECT grantee, table_name, privilege_type FROM"
        " information_schema.role_table_grants WHERE table_schema LIKE 'policyguard%'"
        " AND grantee <> 'owner' AND privilege_type NOT IN ('SELECT', 'INSERT')"
        " UNION SELECT grantee, table_name, privilege_type FROM"
        " information_schema.column_privileges WHERE table_schema LIKE 'policyguard%'"
        " AND grantee <> 'owner' AND privilege_type NOT IN ('SELECT', 'INSERT')"
    )
    callable_by_all = (
        "SELECT proname FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
        " WHERE nspname LIKE 'policyguard%' AND has_function_privilege('public',"
        " pg_proc.oid, 'EXECUTE')"
    )
    granted: set[tuple[object, ...]] = set()
    callable_: list[tuple[object, ...]] = []
    for url in prepared:
        with psycopg.connect(url) as session:
            granted |= set(session.execute(query).fetchall())
            callable_ += session.execute(callable_by_all).fetchall()

    assert granted == {
        ("policyguard_eraser", table, "DELETE")
        for table in ("about", "approval", "caller", "content", "person", "prompt")
    }
    assert callable_ == []


@pytest.mark.parametrize("table", ["entry", "checkpoint", "trust"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE policyguard.{0} SET {1} = {1}", "DELETE FROM policyguard.{0}"],
)
def test_not_even_the_owner_changes_a_row_by_mistake(
    prepared: tuple[str, str], table: str, statement: str
) -> None:
    column = "version" if table == "trust" else "slot"

    with (
        psycopg.connect(prepared[0]) as session,
        pytest.raises(psycopg.Error) as refused,
    ):
        session.execute(statement.format(table, column))

    assert "never changed or removed" in str(refused.value)


def test_an_auditor_verifies_and_neither_writes_nor_reads_keys(url: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    append_pair(trail)
    trail.close()
    auditor = as_user(url, "auditor")

    verified = verify_trail(auditor)

    assert verified.logs[0][1] == 3
    with pytest.raises(TrailError, match="does not permit it"):
        Trail.open(auditor, keys=KEYS)
    with psycopg.connect(auditor) as session, pytest.raises(psycopg.Error) as refused:
        session.execute("SELECT pem FROM policyguard.key")
    assert type(refused.value).__name__ == "InsufficientPrivilege"


def test_keys_in_the_database_are_encrypted(url: str, owned: str) -> None:
    with psycopg.connect(owned) as session:
        ((pem,),) = session.execute("SELECT pem FROM policyguard.key").fetchall()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    with pytest.raises(ConfigurationError, match="needs the passphrase"):
        Trail.open(url)
    with pytest.raises(ConfigurationError, match="passphrase is wrong"):
        Trail.open(url, keys=FileKeys(passphrase=lambda: b"another"))


def test_opening_makes_no_tables(empty: str) -> None:
    with pytest.raises(TrailError, match=r"there is no trail in .*audit prepare"):
        Trail.open_or_create(empty, keys=KEYS)
    with pytest.raises(TrailError, match="there is no trail in"):
        verify_trail(empty)
    Trail.create(empty, name=NAME, keys=KEYS).close()
    with pytest.raises(TrailError, match="has the tables of a trail already"):
        Trail.create(empty, name=NAME, keys=KEYS)
    with pytest.raises(ConfigurationError, match=r"is named `fleet.example`"):
        Trail.open(empty, name="other.example", keys=KEYS)


def test_a_server_that_cannot_be_reached_is_named_without_its_password() -> None:
    url = "postgresql://app:hunter2@127.0.0.1:9/trail?connect_timeout=2"

    with pytest.raises(TrailError) as refused:
        Trail.open(url, keys=KEYS)

    assert "cannot use `postgresql://127.0.0.1:9/trail`" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_second_writer_of_one_log_is_refused(url: str) -> None:
    first = Trail.open(url, keys=KEYS)
    writer = first._process.recorder._writer
    writer.connection.execute("SELECT pg_advisory_unlock_all()")
    second = Trail.open(url, keys=KEYS)
    second.append(outcome("second"))

    with pytest.raises(NotDurableError, match="another head than this process"):
        first.append(outcome("first"))

    assert first.append(outcome("again")).origin == "fleet.example/app-2"
    for trail in (first, second):
        trail.close()
    verify_trail(url)


TAMPERING = {
    "a record's bytes": "UPDATE policyguard.entry SET body = replace(convert_from(body,"
    " 'UTF8'), 'FR', 'CN')::bytea WHERE idx = 1",
    "a record with its leaf": "UPDATE policyguard.entry SET (body, leaf) = (SELECT b,"
    " sha256('\\x00'::bytea || b) FROM (SELECT replace(convert_from(body, 'UTF8'),"
    " 'FR', 'CN')::bytea AS b) AS x) WHERE idx = 1",
    "a leaf": "UPDATE policyguard.entry SET leaf = sha256('x') WHERE idx = 2",
    "a record that is gone": "DELETE FROM policyguard.entry WHERE idx = 2",
    "the last record": "DELETE FROM policyguard.entry WHERE idx = 4",
    "a record too many": "INSERT INTO policyguard.entry (slot, idx, body, leaf)"
    """ VALUES ('app-1', -1, '{"id":"x"}'::bytea, sha256('x'))""",
    "two that changed places": "UPDATE policyguard.entry SET idx = -idx"
    " WHERE idx IN (1, 2);"
    " UPDATE policyguard.entry SET idx = 3 + idx WHERE idx < 0",
    "the size": "UPDATE policyguard.head SET size = 3",
    "the checkpoint": "UPDATE policyguard.head SET note = replace(note, '5', '4')",
    "the head": "DELETE FROM policyguard.head",
    "the trust file": "DELETE FROM policyguard.trust",
    "another key": "UPDATE policyguard.trust SET text = replace(text, 'A', 'B')",
    "content": "UPDATE policyguard.content SET body = 'other'::bytea",
    "a salt": "UPDATE policyguard.content SET salt = sha256('x')",
    "a caller": "UPDATE policyguard.caller SET id = 'mallory'",
    "what finds a record": "ALTER TABLE policyguard.entry ALTER id DROP EXPRESSION;"
    " UPDATE policyguard.entry SET id = 'x' WHERE idx = 1",
}


@pytest.mark.parametrize("what", TAMPERING)
def test_what_was_changed_is_found(url: str, owned: str, what: str) -> None:
    trail = Trail.open(url, keys=KEYS)
    for _ in range(2):
        append_pair(trail)
    trail.close()
    verify_trail(url)

    tamper(owned, TAMPERING[what])

    with pytest.raises(TamperedError):
        verify_trail(url)


OLDER = (
    """UPDATE policyguard.head SET (size, frontier, note) =
    (SELECT size, frontier, note FROM older)""",
    "DELETE FROM policyguard.entry WHERE idx >= (SELECT size FROM older)",
    """DELETE FROM policyguard.content WHERE record NOT IN
    (SELECT id FROM policyguard.entry)""",
)


def test_a_log_that_was_put_back_shows_in_the_lock_database_alone(
    cluster: Postgres, empty: str
) -> None:
    lock = database(cluster)
    trail = Trail.create(empty, lock=lock, name=NAME, keys=KEYS)
    append_pair(trail)
    with psycopg.connect(empty) as session:
        session.execute("CREATE TABLE older AS SELECT * FROM policyguard.head")
    append_pair(trail)
    trail.close()
    assert verify_trail(empty, lock=lock).memory

    tamper(empty, *OLDER)

    verify_trail(empty)
    with pytest.raises(TamperedError, match="was put back: it has 3 records"):
        verify_trail(empty, lock=lock)
    with pytest.raises(TrailError, match="was put back: it has 3 records and had 5"):
        Trail.open(empty, lock=lock, keys=KEYS)


def test_a_log_that_the_lock_database_knows_is_never_begun_anew(
    cluster: Postgres, empty: str
) -> None:
    lock = database(cluster)
    Trail.create(empty, lock=lock, name=NAME, keys=KEYS).close()

    tamper(
        empty,
        *(f"DELETE FROM policyguard.{table}" for table in ("entry", "head", "key")),
    )

    with pytest.raises(TrailError, match="is missing from"):
        Trail.open(empty, lock=lock, keys=KEYS)


def test_a_trail_in_a_database_answers_and_is_exported_like_one_in_files(
    url: str, tmp_path: Path
) -> None:
    trail = Trail.open(url, keys=KEYS)
    for _ in range(200):
        trail.append_later(outcome("x"), failed=print)
    trail.append_decision(decision(), caller=CALLER, content={"input": 1})
    trail.close()
    (log,) = TrailReader.open(url).logs

    done = export_tiles(log, tmp_path / "tiles")
    checkpoint = verify_tiles(tmp_path / "tiles", vkeys=log.vkeys)
    index = TrailIndex.build([log])
    proof = log.proof(201)

    assert done.checkpoint == checkpoint
    assert checkpoint.size == 202
    assert [item.size for item in index.covered] == [202]
    assert proof.index == 201
    assert len(list(log.checkpoints())) == 0
    index.close()


def test_a_guard_records_in_a_database_and_keeps_what_decided(
    url: str, tmp_path: Path
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    guard = Guard(
        settings=Settings(
            trail=TrailSettings(url=url),
            signing=SigningSettings(passphrase_file=secret),
        )
    )

    known = guard.check(ModelCall.model_validate(CALL))
    guard.close()

    verified = verify_trail(url)
    assert known.record is not None
    assert known.record.origin == "fleet.example/app-1"
    assert verified.logs[0][1] > 1
    trail = Trail.open(url, keys=KEYS)
    assert trail.versions.digests("bundle") == (known.bundle.digest,)
    assert trail.versions.read("bundle", known.bundle.digest)[:2] == b"\x1f\x8b"
    trail.close()
