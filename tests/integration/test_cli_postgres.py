"""The command line on a trail in PostgreSQL: the commands are those for files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import KEYS, NAME, database
from integration.program import run
from services import Postgres, binaries, postgres
from trails import append_pair

from policyguard.audit.trail import Trail

pytestmark = pytest.mark.skipif(
    binaries() is None,
    reason="PostgreSQL is missing: no command was tried on a trail in a database",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def test_a_database_is_prepared_written_listed_verified_and_exported(
    server: Postgres, tmp_path: Path
) -> None:
    url, lock = database(server, "cli"), database(server, "cli_lock")

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

    assert "GRANT policyguard_writer TO" in prepared.stdout
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


def test_what_is_for_files_says_so() -> None:
    refused = run("keys", "rotate", "--trail", "postgresql://127.0.0.1:9/trail")

    assert refused.exit_code == 2
    assert "cannot use `postgresql://127.0.0.1:9/trail`" in refused.stderr
