"""Witnesses, an authority, sinks and a monitor over the logs of a trail in PostgreSQL."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import psycopg
import pytest
from fleet import KEYS, NAME, SECRET, as_user, database, needs_postgres, tamper
from guards import FR, MESSAGES, TICKETS, settings
from integration.program import run
from offline import Upstream
from outsiders import OPENSSL, Authority, quorum_of, shelf_of, taken, witness_for
from services import Postgres
from trails import append_pair

from policyguard import Guard
from policyguard.audit.outside.anchor import Outside, take_log
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.outside.sinks import DirectorySink
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import TamperedError, TrailError
from policyguard.identity import wall_clock
from policyguard.settings import SigningSettings, TrailSettings
from policyguard.tlog import Note
from policyguard.trail_settings import OutsideSettings, SinkSettings

pytestmark = needs_postgres("nobody outside has seen a trail in a database")


@pytest.fixture(scope="module")
def prepared(prepared: tuple[str, str]) -> tuple[str, str]:
    """A trail of a few records, and a lock database that is not its own."""
    grow(prepared[0])
    return prepared


@pytest.fixture
def url(owned: str) -> str:
    """The same, as somebody who takes checkpoints outside and writes no record."""
    return as_user(owned, "notary")


def grow(url: str, *, logs: int = 1) -> None:
    """Append a decision and an outcome to so many logs."""
    trails = [Trail.open(url, keys=KEYS) for _ in range(logs)]
    for trail in trails:
        append_pair(trail)
    for trail in trails:
        trail.close()


def test_all_logs_are_anchored_verified_exported_and_watched_at_once(
    owned: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if OPENSSL is None:
        pytest.skip("nothing was stamped: there is no `openssl`")
    pytest.importorskip("rfc3161_client", reason="no extra `timestamp`: no stamps")
    grow(owned, logs=2)
    authority = Authority.made(tmp_path / "tsa")
    (tmp_path / "sink").mkdir()
    with (
        witness_for(url, tmp_path / "witness.json") as (_, known),
        authority.answers() as stamps,
    ):
        (tmp_path / "witnesses").write_text(quorum_of(known).format())
        (tmp_path / "policyguard.toml").write_text(
            f"""
            [trail]
            url = "{url}"
            [outside]
            witnesses = "witnesses"
            timestamp_url = "{stamps}"
            timestamp_roots = "{authority.roots}"
            [[outside.sinks]]
            directory = "sink"
            """
        )
        monkeypatch.setenv("POLICYGUARD_CONFIG", str(tmp_path / "policyguard.toml"))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        anchored = run("audit", "anchor", "--json")
    auditor = as_user(owned, "auditor")
    verified = run("audit", "verify", "--json", "--trail", auditor)
    watched = run("audit", "monitor", "--json")
    reported = run("audit", "report", "--json", "--trail", auditor)
    exported = run("audit", "export", str(tmp_path / "out"))
    record = next(TrailReader.open(owned).logs[0].entries()).record().id
    proof = run("audit", "prove", record).stdout

    assert anchored.exit_code == 0
    assert [item["size"] for item in json.loads(anchored.stdout)] == [5, 3]
    document = json.loads(verified.stdout)
    assert document["intact"] is True
    assert {
        name: (item["cosigned_size"], item["stamped_size"])
        for name, item in document["outside"].items()
    } == {f"{NAME}/app-1": (5, 5), f"{NAME}/app-2": (3, 3)}
    assert (watched.exit_code, len(json.loads(watched.stdout)["logs"])) == (0, 2)
    assert sorted(json.loads(reported.stdout)["attempts"]) == [
        f"{NAME}/app-1",
        f"{NAME}/app-2",
    ]
    assert exported.exit_code == 0
    assert sorted(
        str(path.relative_to(tmp_path / "out"))
        for path in (tmp_path / "out").glob("*/outside/*")
    ) == [
        "app-1/outside/5.checkpoint",
        "app-1/outside/5.tsr",
        "app-2/outside/3.checkpoint",
        "app-2/outside/3.tsr",
    ]
    assert proof.count("\n— ") == 2, "the log's signature and the witness's"
    assert len(list((tmp_path / "sink").iterdir())) == 2


def test_a_witness_refuses_a_database_that_was_put_back(
    cluster: Postgres, owned: str, url: str, tmp_path: Path
) -> None:
    with witness_for(url, tmp_path / "witness.json") as (_, known):
        outside = Outside(trust=quorum_of(known))
        old = database(cluster, like=owned)
        grow(owned)
        assert taken(url, outside).is_whole

        verify_trail(old)
        done = taken(old, outside)

    assert done.tampered is not None
    assert "was put back: it has 3 records and the witness `w1` has seen 5" in (
        done.tampered
    )


def test_a_monitor_finds_the_log_of_a_database_that_was_put_back(
    cluster: Postgres, owned: str, tmp_path: Path
) -> None:
    state = str(tmp_path / "state.json")
    old = database(cluster, like=owned)
    grow(owned)

    first = run("audit", "monitor", "--state", state, "--trail", owned)
    later = run("audit", "monitor", "--state", state, "--json", "--trail", old)

    assert first.exit_code == 2, "nobody outside has seen it"
    assert later.exit_code == 1
    assert "was put back: it has 3 records and the monitor has seen 5" in later.stdout


def test_what_a_witness_has_seen_is_found_cut_with_its_shelf_in_place(
    owned: str, url: str, tmp_path: Path
) -> None:
    with witness_for(url, tmp_path / "witness.json") as (_, known):
        grow(owned)
        taken(url, Outside(trust=quorum_of(known)))
    (log,) = TrailReader.open(owned).logs
    note = log.head().note
    tamper(
        owned,
        "UPDATE policyguard.head SET size = 3",
        "DELETE FROM policyguard.entry WHERE idx >= 3",
    )

    with pytest.raises(TamperedError):
        verify_trail(owned)
    assert note != ""


def test_a_writer_takes_no_cosignature_away(
    owned: str, url: str, tmp_path: Path
) -> None:
    with witness_for(url, tmp_path / "witness.json") as (_, known):
        trust = quorum_of(known)
        taken(url, Outside(trust=trust))
    (log,) = TrailReader.open(url).logs
    bare = Note.parse(log.head().note).format().encode()

    writer = TrailReader.open(as_user(owned, "app")).logs[0].outside
    writer.write("3.checkpoint", bare)
    for statement in (
        "UPDATE policyguard.shelf SET data = ''",
        "DELETE FROM policyguard.shelf",
        "TRUNCATE policyguard.shelf",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _execute(as_user(owned, "app"), statement)
        with pytest.raises(psycopg.errors.RaiseException):
            _execute(owned, statement)

    ((_, attested),) = verify_trail(owned, vouchers=Vouchers(trust=trust)).outside
    assert (attested.cosigned_size, attested.witnesses) == (3, ("w1",))


def test_another_history_on_the_shelf_is_tampering(owned: str, url: str) -> None:
    (log,) = TrailReader.open(url).logs
    shelf_of(log).add(3, Note.parse(log.head().note))
    log.outside.write("3.checkpoint", b"nothing that was signed\n")

    with pytest.raises(TamperedError, match="was changed"):
        verify_trail(owned)


def test_whoever_takes_checkpoints_outside_reads_no_content_and_writes_no_record(
    url: str,
) -> None:
    for statement in (
        "SELECT 1 FROM policyguard.content",
        "SELECT 1 FROM policyguard.caller",
        "SELECT 1 FROM policyguard.key",
        "SELECT 1 FROM policyguard.approval",
        "INSERT INTO policyguard.entry VALUES ('app-1', 3, '', '')",
        "INSERT INTO policyguard.shelf VALUES ('app-1', '3.tsr', 1, '')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _execute(url, statement)


def test_nothing_is_shelved_of_a_log_that_is_not_there(url: str) -> None:
    cabinet = TrailReader.open(url).source.log("app-7").outside()

    with pytest.raises(TrailError, match="there is no log of slot app-7"):
        cabinet.write("3.tsr", b"x")
    assert (cabinet.names(), cabinet.read("3.tsr")) == ([], [])


def test_runs_at_once_take_turns(url: str, tmp_path: Path) -> None:
    (log,) = TrailReader.open(url).logs
    done: list[bool] = []

    def other() -> None:
        taken = take_log(log, outside=outside, now=wall_clock)
        done.append(taken.is_whole)

    with witness_for(url, tmp_path / "witness.json") as (_, known):
        outside = Outside(
            trust=quorum_of(known), sinks=(DirectorySink(directory=tmp_path),)
        )
        thread = threading.Thread(target=other)
        with log.outside.gate():
            thread.start()
            thread.join(timeout=0.3)
            assert done == []
        thread.join(timeout=20)

    assert done == [True]


def test_a_guard_takes_its_own_log_outside(owned: str, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    kept = tmp_path / "kept"
    kept.mkdir()
    known = settings(tmp_path).model_copy(
        update={
            "trail": TrailSettings(url=as_user(owned, "app")),
            "signing": SigningSettings(passphrase_file=secret),
            "outside": OutsideSettings(
                every_seconds=3_600, sinks=(SinkSettings(directory=kept),)
            ),
        }
    )

    with Guard(settings=known) as guard:
        guard.bind(**TICKETS).call(
            Upstream().client(FR).chat.completions.create,
            model="glm-5.2",
            messages=MESSAGES,
        )

    (log,) = TrailReader.open(owned).logs
    (file,) = kept.iterdir()
    assert file.read_text() == log.head().note
    assert shelf_of(log).sizes() == [log.head().size]


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as session:
        session.execute(statement)
