"""What an export's records say about keys is read, or it is said that it cannot be."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from trails import append_pair, made_trail, outcome

from policyguard.audit.creation import read_trust
from policyguard.audit.export.jsonl import export_jsonl, verify_jsonl
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.layout import Layout
from policyguard.audit.leaf import body_of
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.audit.writer import claim_writer
from policyguard.canonical import canonical_bytes
from policyguard.errors import NewerTrailError, TamperedError
from policyguard.identity import new_id
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, leaf_hash, root_of, sign_checkpoint
from policyguard.vocabulary.record import KeyRotateRecord

VKEY: Final = "acme.example/app-1+00000000+AA=="
ROTATION: Final = body_of(
    KeyRotateRecord(
        id=new_id(),
        time="2026-07-10T12:00:00.000001Z",
        origin="acme.example/app-1",
        old=VKEY,
        new=VKEY.replace("AA==", "BB=="),
    )
)
OUTCOME: Final = body_of(outcome("one"))


def export_lines(trail: Path, place: Path) -> None:
    export_jsonl(TrailReader.open(trail).logs[0], place)


def tiles(trail: Path, place: Path) -> None:
    export_tiles(TrailReader.open(trail).logs[0], place)


FORMS: Final = {
    "jsonl": (export_lines, verify_jsonl),
    "tiles": (tiles, verify_tiles),
}


def changed(body: bytes, **changes: object) -> bytes:
    return canonical_bytes(json.loads(body) | changes)


def exported(place: Path, form: str, *bodies: bytes) -> Callable[[], Any]:
    """Export a trail of seven signed records and these, and return what verifies it."""
    trail = made_trail(place / "trail")
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    writer.append(bodies, sealed=[])
    writer.close()
    export, verify = FORMS[form]
    export(trail, place / "out")
    keys = read_trust(trail / "trust").log_keys()
    return lambda: verify(place / "out", vkeys=keys)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "body",
    [
        changed(ROTATION, v=2),
        changed(ROTATION, v=2, novel={"kind": "outcome"}),
        changed(OUTCOME, kind="novel"),
        changed(OUTCOME, v=2, kind="novel"),
        changed(OUTCOME, kind="novel", inner={"kind": "outcome"}),
    ],
)
def test_an_export_with_a_record_of_a_newer_version_cannot_be_told(
    tmp_path: Path, form: str, body: bytes
) -> None:
    verify = exported(tmp_path, form, body, changed(ROTATION, v=3))

    with pytest.raises(NewerTrailError, match=r"^entry 7 of .* of a newer version"):
        verify()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("changes", [{"v": 0}, {"v": "2"}, {"novel": 1}, {"old": 1}])
def test_a_handover_of_no_version_is_tampering(
    tmp_path: Path, form: str, changes: dict[str, object]
) -> None:
    verify = exported(tmp_path, form, changed(ROTATION, **changes))

    with pytest.raises(TamperedError, match="hands over a key in no form"):
        verify()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("changes", ["origin", "old", "new"])
def test_a_handover_of_another_log_or_key_is_tampering(
    tmp_path: Path, form: str, changes: str
) -> None:
    trail = made_trail(tmp_path / "trail")
    (log,) = TrailReader.open(trail).logs
    ours = {"origin": log.origin, "old": log.vkey.format(), "new": VKEY}
    other = {"origin": "acme.example/app-2", "old": VKEY, "new": log.vkey.format()}
    body = changed(ROTATION, **ours | {changes: other[changes]})
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    writer.append([body], sealed=[])
    writer.close()
    export, verify = FORMS[form]
    export(trail, tmp_path / "out")

    with pytest.raises(TamperedError, match="hands over another log or key"):
        verify(tmp_path / "out", vkeys=[log.vkey])
    with pytest.raises(TamperedError, match="hands over another log or key"):
        verify_trail(trail)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_was_given_up_signs_no_export(tmp_path: Path, form: str) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    stolen = Ed25519Signer.load(
        tmp_path / "trail/keys/app-1.pem", key_name="acme.example/app-1"
    )
    trail.rotate_key()
    append_pair(trail)
    trail.close()
    export, verify = FORMS[form]
    export(tmp_path / "trail", tmp_path / "out")
    (log,) = TrailReader.open(tmp_path / "trail").logs
    signed = verify(tmp_path / "out", vkeys=log.vkeys)
    (tmp_path / "out/checkpoint").write_text(sign_checkpoint(signed, signer=stolen))

    with pytest.raises(TamperedError, match="is not signed with the log's newest key"):
        verify(tmp_path / "out", vkeys=log.vkeys)


def test_a_key_signs_nothing_before_it_takes_over(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    append_pair(trail)
    trail.rotate_key()
    trail.close()
    (log,) = TrailReader.open(tmp_path / "trail").logs
    newest = Ed25519Signer.load(
        tmp_path / "trail/keys/app-1.pem", key_name="acme.example/app-1"
    )
    leaves = [leaf_hash(entry.body) for entry in log.entries()][:2]
    early = Checkpoint(origin=log.origin, size=2, root=root_of(leaves))
    connection = sqlite3.connect(log.path)
    connection.execute(
        "INSERT INTO checkpoint VALUES (2, ?)", (sign_checkpoint(early, signer=newest),)
    )
    connection.commit()
    connection.close()

    with pytest.raises(TamperedError, match="with a key that took over at size 4"):
        verify_trail(tmp_path / "trail")


@pytest.mark.parametrize("form", FORMS)
def test_what_says_nothing_of_keys_is_not_what_an_export_is_about(
    tmp_path: Path, form: str
) -> None:
    about = changed(OUTCOME, novel={"kind": "key.rotate", "v": 2})
    newer = changed(OUTCOME, v=2)

    assert exported(tmp_path, form, b"no JSON", b"[]", about, newer)().size == 11


@pytest.mark.parametrize("form", FORMS)
def test_a_record_that_was_changed_to_be_newer_is_tampering(
    tmp_path: Path, form: str
) -> None:
    verify = exported(tmp_path, form, OUTCOME)
    (file,) = (
        path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and OUTCOME in path.read_bytes()
    )
    novel = OUTCOME.replace(b'"outcome"', b'"outcame"', 1)
    assert b'"kind":"outcame"' in novel
    file.write_bytes(file.read_bytes().replace(OUTCOME, novel))

    with pytest.raises(TamperedError, match="signed"):
        verify()
