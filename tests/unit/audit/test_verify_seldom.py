"""What verification refuses though hardly anybody does it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from trails import made_trail, outcome

from policyguard.audit.leaf import body_of
from policyguard.audit.log_chain import require_continued
from policyguard.audit.verify import verify_trail
from policyguard.errors import TamperedError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import leaf_hash
from policyguard.vocabulary.record import Predecessor

OLD = "acme.example/app-1"


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return made_trail(tmp_path / "trail")


def sql(trail: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(trail / "logs/app-1/log.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement, values)
        connection.commit()


def test_a_private_key_that_is_not_the_logs_is_found(trail: Path) -> None:
    key = trail / "keys/app-1.pem"
    key.unlink()
    Ed25519Signer.generate(key_name=OLD).save(key)

    with pytest.raises(TamperedError, match="is not the one that signs it"):
        verify_trail(trail)


def test_a_record_that_nobody_has_signed_is_found(trail: Path) -> None:
    body = body_of(outcome("one"))
    values = (7, body, leaf_hash(body))
    sql(trail, "INSERT INTO entry VALUES (?, ?, ?)", values=values)

    with pytest.raises(TamperedError, match=r"entry 7 of .* nobody has signed it"):
        verify_trail(trail)


def test_a_record_that_is_text_is_found(trail: Path) -> None:
    sql(
        trail,
        "CREATE TABLE other AS SELECT * FROM entry",
        "DROP TABLE entry",
        "ALTER TABLE other RENAME TO entry",
        "UPDATE entry SET body = CAST(body AS TEXT) WHERE idx = 3",
    )

    with pytest.raises(TamperedError, match="is not bytes"):
        verify_trail(trail)


def test_an_index_that_contradicts_its_table_is_found(trail: Path) -> None:
    sql(
        trail,
        "CREATE INDEX other ON entry (leaf)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX other ON entry (body)'"
        " WHERE name = 'other'",
    )

    with pytest.raises(TamperedError, match="cannot be verified"):
        verify_trail(trail)


def test_a_private_key_that_an_auditor_has_not_is_not_missed(trail: Path) -> None:
    shutil.rmtree(trail / "keys")

    assert verify_trail(trail).logs[0][1] == 7


def test_one_log_is_continued_by_one() -> None:
    old = Predecessor(origin=OLD, size=7, root="ab" * 32, witnessed=0, reason="stolen")
    heads = dict.fromkeys((OLD, "app-2", "app-3"), (7, b"\xab" * 32))

    require_continued(heads, {OLD: None, "app-2": old})
    with pytest.raises(TamperedError, match="app-3 and app-2 both continue"):
        require_continued(heads, {OLD: None, "app-2": old, "app-3": old})
    with pytest.raises(
        TamperedError, match=r"app-1, which app-2 continues, is missing"
    ):
        require_continued({"app-2": heads[OLD]}, {"app-2": old})
