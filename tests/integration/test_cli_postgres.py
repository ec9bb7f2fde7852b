"""The command line on a trail in PostgreSQL: the commands are those for files."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from fleet import KEYS, NAME, SECRET, database, needs_postgres, tamper
from integration.program import refused, run
from integration.test_cli_approve import Desk
from services import Postgres
from trails import CALLER, append_pair

from policyguard.audit.stores.postgres_erasing import erase_rows
from policyguard.audit.stores.postgres_server import Server
from policyguard.audit.trail import Trail
from policyguard.errors import TrailError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey

pytestmark = needs_postgres("no command was tried on a trail in a database")


def test_a_database_is_prepared_written_listed_verified_and_exported(
    cluster: Postgres, tmp_path: Path
) -> None:
    url, lock = database(cluster, "cli"), database(cluster, "cli_lock")

    prepared = run("audit", "prepare", url, "--lock", lock, "--name", NAME)
    trail = Trail.open(url, lock=lock, keys=KEYS)
    known = append_pair(trail)
    trail.close()
    listed = run("audit", "list", "--json", "--trail", url)
    shown = run("audit", "show", known, "--trail", url)
    verified = run("audit", "verify", "--json", "--trail", url, "--lock", lock)
    exported = run("audit", "export", str(tmp_path / "out"), "--trail", url)
    proved = run("audit", "prove", known, "--trail", url)
    again = run("audit", "prepare", url)

    for role in ("writer", "reader", "anchor", "eraser"):
        assert f"GRANT policyguard_{role} TO" in prepared.stdout
    assert [json.loads(line)["index"] for line in listed.stdout.splitlines()] == [
        0,
        1,
        2,
    ]
    assert known in shown.stdout
    document = json.loads(verified.stdout)
    assert (document["intact"], document["lock_database"]) == (True, True)
    assert "3 records, 3 of them new" in exported.stdout
    assert proved.stdout.startswith("c2sp.org/tlog-proof@v1\n")
    assert again.exit_code == 2
    assert "has the tables of a trail already" in again.stderr
    assert "owner@" not in "".join(
        item.stderr + item.stdout for item in (prepared, again)
    )


def test_a_server_that_is_away_is_no_alarm(cluster: Postgres) -> None:
    url, lock = database(cluster, "away"), database(cluster, "away_lock")
    run("audit", "prepare", url, "--lock", lock, "--name", NAME)
    trail = Trail.open(url, lock=lock, keys=KEYS)
    append_pair(trail)
    trail.close()
    nowhere = "postgresql://127.0.0.1:9/trail"

    lock_away = run("audit", "verify", "--trail", url, "--lock", nowhere)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE ROLE stranger LOGIN")
    stranger = run("audit", "verify", "--trail", cluster.url("away", user="stranger"))
    both = run("audit", "verify", "--trail", url, "--lock", lock)

    refused(lock_away, says="cannot use `postgresql://127.0.0.1:9/trail`")
    refused(stranger, says="does not permit it")
    assert both.exit_code == 0


def test_what_is_for_files_says_so() -> None:
    done = run("keys", "rotate", "--trail", "postgresql://127.0.0.1:9/trail")

    assert "check the server" in done.stderr
    refused(done, says="cannot use `postgresql://127.0.0.1:9/trail`")


def test_a_caller_is_erased_from_a_database_and_no_record_is(
    cluster: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, lock = database(cluster, "erasing"), database(cluster, "erasing_lock")
    run("audit", "prepare", url, "--lock", lock, "--name", NAME)
    trail = Trail.open(url, lock=lock, keys=KEYS)
    append_pair(trail)
    append_pair(trail, caller="bob")
    trail.close()
    signer = Ed25519Signer.generate(key_name="privacy@acme.example")
    signer.save(tmp_path / "privacy.pem")
    (tmp_path / "passphrase").write_bytes(SECRET)
    (tmp_path / "passphrase").chmod(0o600)
    settings = tmp_path / "policyguard.toml"
    settings.write_text(
        f"""
[trail]
url = "{url}"
lock_url = "{lock}"
erasers = ["{VerifierKey.of_signer(signer).format()}"]
[signing]
passphrase_file = "passphrase"
"""
    )
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(settings))

    done = run(
        "audit", "erase", "--caller", CALLER, "--key", tmp_path / "privacy.pem", "--yes"
    )
    verified = run("audit", "verify", "--json")
    asked = run("audit", "query", "keys-and-erasures", "--json")

    assert done.stderr == ""
    assert done.exit_code == 0
    assert "ERASED: 1 record, 1 caller" in done.stdout
    report = json.loads(verified.stdout)
    assert (report["erased"], report["missing"], report["unfinished"]) == (1, 0, 0)
    assert [row[3] for row in json.loads(asked.stdout)["rows"]] == [
        "genesis",
        "genesis",
        "erase",
    ]
    with psycopg.connect(url) as session:
        callers = session.execute("SELECT id FROM policyguard.caller").fetchall()
        contents = session.execute("SELECT 1 FROM policyguard.content").fetchall()
    assert (callers, len(contents)) == ([("bob",)], 1)


def test_who_may_erase_in_a_database_may_touch_no_record(
    cluster: Postgres, tmp_path: Path
) -> None:
    url = database(cluster, "eraser")
    run("audit", "prepare", url, "--name", NAME)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE ROLE officer LOGIN IN ROLE policyguard_eraser")
    officer = Server(url=cluster.url("eraser", user="officer"))

    with psycopg.connect(officer.url, autocommit=True) as session:
        for statement in (
            "DELETE FROM policyguard.entry",
            "UPDATE policyguard.content SET body = ''",
            "DELETE FROM policyguard.trust",
            "SELECT pem FROM policyguard.key",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)
    with pytest.raises(TrailError, match="until the owner"):
        erase_rows(officer, records={"app-1": ["x"]}, callers=["x"])


def test_a_person_approves_a_decision_that_is_in_a_database(
    cluster: Postgres, tmp_path: Path
) -> None:
    url = database(cluster, "approving")
    run("audit", "prepare", url, "--name", NAME)
    desk = Desk(tmp_path, trail=f'url = "{url}"', passphrase=SECRET)

    done = desk.approve()
    listed = desk.listed()

    assert (done.exit_code, done.stderr) == (0, "")
    assert [(item["state"], item["used"]) for item in listed] == [("holds", 0)]
    desk.ask()
    assert desk.answer["verdict"] == "allow"
    revoked = desk.approve(listed[0]["approval"]["id"], revoke="", until=None)
    assert (revoked.exit_code, revoked.stderr) == (0, "")
    assert [item["state"] for item in desk.listed("--all")] == ["revoked"]
    desk.ask()
    assert desk.answer["verdict"] == "require_approval"


def test_an_approval_is_erased_from_a_database_with_who_gave_it(
    cluster: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database(cluster, "forgetting")
    run("audit", "prepare", url, "--name", NAME)
    signer = Ed25519Signer.generate(key_name="privacy@acme.example")
    signer.save(tmp_path / "privacy.pem")
    erasers = f'erasers = ["{VerifierKey.of_signer(signer).format()}"]'
    desk = Desk(tmp_path, trail=f'url = "{url}"\n{erasers}', passphrase=SECRET)
    desk.approve()
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(desk.config))

    done = run(
        "audit", "erase", "--caller", "bob@acme.example", "--yes", "--trail", url,
        "--key", tmp_path / "privacy.pem",
    )  # fmt: skip

    assert (done.exit_code, done.stderr) == (0, "")
    assert "ERASED: 1 record, 1 caller, 1 approval" in done.stdout
    with psycopg.connect(url) as session:
        left = session.execute("SELECT id FROM policyguard.approval").fetchall()
    assert left == []
    desk.ask()
    assert desk.answer["verdict"] == "require_approval"


SWAP = """
ALTER TABLE policyguard.entry ALTER id DROP EXPRESSION;
UPDATE policyguard.entry SET id = reverse(id) WHERE idx IN (1, 2);
UPDATE policyguard.entry AS a SET id = reverse(b.id) FROM policyguard.entry AS b
  WHERE a.idx + b.idx = 3 AND a.idx IN (1, 2)"""
LIE = r"""
UPDATE policyguard.entry SET (body, leaf) = (SELECT b, sha256('\x00'::bytea || b)
  FROM (SELECT replace(convert_from(body, 'UTF8'), 'FR', 'CN')::bytea AS b) AS x)
  WHERE idx = 1"""


@pytest.mark.parametrize(
    ("change", "command"),
    [
        (SWAP, ["show", "RECORD"]),
        (LIE, ["show", "RECORD"]),
        (LIE, ["list"]),
        (LIE, ["gaps"]),
        (LIE, ["export", "OUT", "--format", "opa"]),
    ],
)
def test_a_column_that_nobody_has_signed_deceives_nobody(
    url: str, owned: str, tmp_path: Path, change: str, command: list[str]
) -> None:
    trail = Trail.open(url, keys=KEYS)
    known = append_pair(trail)
    trail.close()
    places = {"RECORD": known, "OUT": str(tmp_path / "out")}
    asked = ["audit", *(places.get(word, word) for word in command), "--trail", url]
    before = run(*asked)

    tamper(owned, change)
    done = run(*asked)

    assert before.exit_code == 0
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("TAMPERED: ")
