"""Keys of logs in PostgreSQL: handed over, closed, and lost in the middle."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from fleet import KEYS, NAME, SECRET, as_user, needs_postgres, tamper, wire_to
from integration.program import run
from services import Postgres
from trails import append_pair

from policyguard.audit.creation import keys_by_origin
from policyguard.audit.reader import TrailReader
from policyguard.audit.stores.postgres_server import Server
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import ConfigurationError, TamperedError
from policyguard.signing.key_source import FileKeys

pytestmark = needs_postgres("no key in a database was handed over")
APP, NEXT = f"{NAME}/app-1", f"{NAME}/app-2"


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return str(path)


def opened(url: str, lock: str | None) -> Trail:
    return Trail.open(
        as_user(url, "app"), lock=as_user(lock, "app") if lock else None, keys=KEYS
    )


def stored(url: str) -> dict[str, bytes]:
    with psycopg.connect(url) as session:
        rows = session.execute("SELECT slot, pem FROM policyguard.key").fetchall()
    return {slot: bytes(pem) for slot, pem in rows}


def test_a_running_process_hands_its_own_log_over(pair: tuple[str, str]) -> None:
    url, lock = pair
    trail = opened(url, lock)
    append_pair(trail)
    before = stored(url)

    first = trail.rotate_key()
    append_pair(trail)
    second = trail.rotate_key()
    trail.close()
    again = opened(url, lock)
    append_pair(again)
    again.close()

    (log,) = TrailReader.open(url).logs
    assert log.vkeys[1:] == (first, second)
    assert [size for size, _ in log.checkpoints()] == [4, 7]
    verified = verify_trail(url, lock=lock)
    assert verified.logs[0][:2] == (APP, 9)
    after = stored(url)
    assert (after.keys(), after["app-1"] != before["app-1"]) == (before.keys(), True)
    assert b"ENCRYPTED PRIVATE KEY" in after["app-1"]


def test_commands_hand_over_what_no_process_writes(
    pair: tuple[str, str], secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, lock = pair
    writing, idle = opened(url, lock), opened(url, lock)
    idle.close()
    monkeypatch.setenv("POLICYGUARD_PASSPHRASE_FILE", secret)

    done = run("keys", "rotate", "--json", "--trail", url)
    shown = run("keys", "show", "--log", NEXT, "--trail", url)
    refused = run("keys", "rotate", "--log", APP, "--trail", url)
    append_pair(writing)
    writing.close()

    new = {
        item["origin"]: item["new"]
        for item in map(json.loads, done.stdout.splitlines())
    }
    assert (new.keys(), new[APP]) == ({APP, NEXT}, None)
    assert shown.stdout.splitlines()[-1] == new[NEXT]
    assert (refused.exit_code, "is in use" in refused.stderr) == (2, True)
    assert [size for _, size, _ in verify_trail(url, lock=lock).logs] == [3, 2]


def test_hosts_hand_over_at_once_and_the_trust_file_loses_none(
    pair: tuple[str, str],
) -> None:
    url, lock = pair
    trails = [opened(url, lock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        new = list(pool.map(Trail.rotate_key, trails))
    for trail in trails:
        trail.close()

    known = keys_by_origin(TrailReader.open(url).trust)
    assert {keys[-1] for keys in known.values()} == set(new)
    assert {len(keys) for keys in known.values()} == {2}
    verify_trail(url, lock=lock)


@pytest.mark.parametrize("statement", [b"policyguard.rotate", b"COMMIT"])
def test_a_handover_whose_answer_was_lost_happens_once(
    cluster: Postgres, pair: tuple[str, str], statement: bytes
) -> None:
    url, lock = pair
    with wire_to(cluster) as wire:
        trail = Trail.open(
            as_user(url, "app").replace(str(cluster.port), str(wire.port)),
            lock=as_user(lock, "app"),
            keys=KEYS,
        )
        append_pair(trail)
        wire.cut_answer_to = statement
        new = trail.rotate_key()
        append_pair(trail)
        trail.close()

    assert wire.cuts == 1
    (log,) = TrailReader.open(url).logs
    kinds = [entry.record().kind for entry in log.entries()]
    assert (kinds.count("key.rotate"), log.vkeys[1:]) == (1, (new,))
    verify_trail(url, lock=lock)


def test_a_handover_that_the_trust_file_forgot_is_found(pair: tuple[str, str]) -> None:
    url, _ = pair
    trail = opened(url, None)
    trail.rotate_key()
    append_pair(trail)
    trail.close()
    tamper(
        url,
        "DELETE FROM policyguard.trust WHERE version ="
        " (SELECT max(version) FROM policyguard.trust)",
    )

    with pytest.raises(TamperedError):
        verify_trail(url)


def test_without_the_fleets_passphrase_no_key_is_handed_over(
    pair: tuple[str, str],
) -> None:
    url, lock = pair
    opened(url, lock).close()

    with pytest.raises(ConfigurationError, match="passphrase"):
        Trail.open(url, lock=lock, keys=FileKeys(passphrase=lambda: b"another"))


def test_nobody_replaces_the_key_of_a_log_that_another_session_writes(
    pair: tuple[str, str],
) -> None:
    url, lock = pair
    trail = opened(url, lock)
    for user, statement, error in (
        ("app", "SELECT policyguard.close('app-1', '')", "has not claimed the log"),
        (
            "app",
            "SELECT policyguard.rotate('app-1', 2, '', '', '', '', '', 2, '')",
            "has not claimed the log",
        ),
        ("app", "UPDATE policyguard.key SET pem = ''", "permission denied"),
        ("app", "DELETE FROM policyguard.closed", "permission denied"),
        ("auditor", "SELECT policyguard.close('app-1', '')", "permission denied"),
    ):
        with (
            psycopg.connect(as_user(url, user)) as session,
            pytest.raises(psycopg.Error, match=error),
        ):
            session.execute(statement)
    append_pair(trail)
    trail.close()
    verify_trail(url, lock=lock)


def test_a_log_whose_key_was_stolen_is_closed_and_continued(
    pair: tuple[str, str], secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, lock = pair
    trail = opened(url, lock)
    append_pair(trail)
    (tmp_path / "settings.toml").write_text(
        f"""
        [trail]
        url = "{as_user(url, "app")}"
        lock_url = "{as_user(lock, "app")}"
        [signing]
        passphrase_file = "{secret}"
        """
    )
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(tmp_path / "settings.toml"))
    command = ("keys", "compromise", "--log", APP, "--reason", "a laptop was stolen")

    running = run(*command)
    trail.close()
    done = run(*command, "--json")
    twice = run(*command)
    writer = opened(url, lock)
    append_pair(writer)
    claimed = writer.origin
    writer.close()
    rotated = run("keys", "rotate", "--log", APP)

    assert (running.exit_code, "is in use" in running.stderr) == (2, True)
    document = json.loads(done.stdout)
    assert document["origin"] == NEXT
    assert document["predecessor"]["origin"] == APP
    assert document["predecessor"]["size"] == 3
    assert (twice.exit_code, "is closed already" in twice.stderr) == (2, True)
    assert (rotated.exit_code, "is closed" in rotated.stderr) == (2, True)
    assert claimed == NEXT
    assert stored(url).keys() == {"app-2"}
    verified = verify_trail(url, lock=lock)
    assert [size for _, size, _ in verified.logs] == [3, 3]


def test_a_closing_that_was_cut_off_is_done_again(pair: tuple[str, str]) -> None:
    from policyguard.audit.stores.postgres_closing import closing
    from policyguard.audit.succession import begin_successor

    url, lock = pair
    opened(url, lock).close()
    with closing(Server(url=as_user(url, "app")), slot="app-1") as close:
        close("cut off before the successor was begun")

    done = begin_successor(
        as_user(url, "app"), origin=APP, reason="stolen", lock=lock, keys=KEYS
    )

    assert (done.vkey.key_name, done.predecessor.size) == (NEXT, 1)
    verify_trail(url, lock=lock)
