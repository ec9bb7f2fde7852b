"""Witnesses and an authority on loopback: what they have seen, nobody takes back."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import witness_program
from outsiders import (
    OPENSSL,
    Authority,
    answering,
    quorum_of,
    shelf_of,
    taken,
    witness_for,
)
from trails import append_pair, copied, made_trail

from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.outside.sinks import DirectorySink
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import TamperedError, UnwitnessedError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.timestamp import TimeRoots
from policyguard.signing.trust_file import TrustedLog, TrustedWitness, TrustFile
from policyguard.tlog import Checkpoint, sign_checkpoint, verify_proof_file
from policyguard.tlog.cosignature import witness_key
from policyguard.tlog.quorum import verify_trusted_proof

OPENSSL_VERIFY = """
head -n 3 7.checkpoint > text
openssl ts -verify -data text -in 7.tsr -CAfile "$1"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("made") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def the_log(directory: Path) -> Log:
    (log,) = TrailReader.open(directory).logs
    return log


def grown(directory: Path, *, pairs: int = 1) -> None:
    trail = Trail.open(directory)
    for _ in range(pairs):
        append_pair(trail)
    trail.close()


def test_a_witness_cosigns_each_checkpoint_that_continues_the_last(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        outside = Outside(trust=quorum_of(known))
        for pairs in (0, 1, 0, 3, 130):
            grown(trail, pairs=pairs)
            assert taken(trail, outside).places == (("witness w1", None),)

    assert shelf_of(the_log(trail)).sizes() == [7, 9, 15, 275]
    ((_, attested),) = verify_trail(
        trail, vouchers=Vouchers(trust=outside.trust)
    ).outside
    assert (attested.cosigned_size, attested.witnesses) == (275, ("w1",))
    assert not attested.lacks_quorum


def test_a_witness_that_knows_another_size_is_asked_again(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (witness, known):
        outside = Outside(trust=quorum_of(known))
        taken(trail, outside)
        # The shelf is lost, and with it what the witness is thought to know.
        shutil.rmtree(the_log(trail).layout.outside("app-1"))
        grown(trail)
        asked = witness.asked

        assert taken(trail, outside).places == (("witness w1", None),)
        assert witness.asked == asked + 2


def test_a_witness_refuses_a_trail_that_was_put_back_with_its_lock_database(
    trail: Path, tmp_path: Path
) -> None:
    old = copied(trail, tmp_path / "old")
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        outside = Outside(trust=quorum_of(known))
        grown(trail)
        taken(trail, outside)

        assert verify_trail(old).logs[0][1] == 7
        done = taken(old, outside)

    assert done.tampered is not None
    assert "was put back: it has 7 records and the witness `w1` has seen 9" in (
        done.tampered
    )


def test_a_witness_that_forgets_is_started_with_nothing(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        outside = Outside(trust=quorum_of(known))
        taken(trail, outside)
        grown(trail)
        # It says 409 with size 0, and takes the log as new.
        (tmp_path / "state.json").unlink()

        assert taken(trail, outside).places == (("witness w1", None),)


@pytest.mark.parametrize(
    ("status", "body", "kind", "found"),
    [
        (200, b"", "text/plain", "has not cosigned"),
        (200, b"\xe2\x80\x94 x eA==\n", "text/plain", "another key|has not cosigned"),
        (200, b"<html>", "text/html", "has not cosigned"),
        (400, b"", "text/plain", "does not understand"),
        (403, b"", "text/plain", "does not know the log's key"),
        (404, b"", "text/plain", "does not know the log's origin"),
        (429, b"", "text/plain", "asked too often"),
        (500, b"", "text/plain", "status 500"),
        (302, b"", "text/plain", "status 302"),
        (409, b"seven\n", "text/x.tlog.size", "does not follow its protocol"),
    ],
)
def test_a_witness_that_does_not_cosign_is_a_failure_that_says_why(
    trail: Path, status: int, body: bytes, kind: str, found: str
) -> None:
    with answering(status, body, kind=kind) as url:
        done = taken(trail, Outside(trust=quorum_of(stranger(url))))

    ((name, failure),) = done.places
    assert (name, done.tampered) == ("witness w1", None)
    assert failure is not None
    assert any(part in failure for part in found.split("|"))
    assert shelf_of(the_log(trail)).attempts()["witness w1"].failure == failure


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, b"0\n", "text/x.tlog.size"),
        (409, b"99\n", "text/x.tlog.size"),
        (409, b"", "text/plain"),
        (422, b"", "text/plain"),
    ],
)
def test_a_witness_that_contradicts_the_log_is_an_alarm(
    trail: Path, status: int, body: bytes, kind: str
) -> None:
    with answering(status, body, kind=kind) as url:
        done = taken(trail, Outside(trust=quorum_of(stranger(url))))

    assert done.tampered is not None


def stranger(url: str) -> TrustedWitness:
    signer = Ed25519Signer.generate(key_name="witness.example/other")
    return TrustedWitness(name="w1", key=witness_key(signer), url=url)


def test_a_cosignature_of_another_key_than_the_trust_file_says_is_refused(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        other = replace(stranger("x"), url=known.url)
        done = taken(trail, Outside(trust=quorum_of(other)))

    assert "signed with another key" in str(done.places[0][1])


def test_one_that_fails_holds_up_no_other(trail: Path, tmp_path: Path) -> None:
    (tmp_path / "sink").mkdir()
    with (
        answering(500) as broken,
        witness_for(trail, tmp_path / "state.json") as (_, known),
    ):
        trust = TrustFile(
            witnesses=(replace(stranger(broken), name="w0"), known), quorum="w1"
        )
        done = taken(
            trail,
            Outside(trust=trust, sinks=(DirectorySink(directory=tmp_path / "sink"),)),
        )

    assert [name for name, failure in done.places if failure is None] == [
        "witness w1",
        f"directory {tmp_path / 'sink'}",
    ]
    assert not done.is_whole
    (sent,) = (tmp_path / "sink").iterdir()
    assert sent.read_text() == shelf_of(the_log(trail)).checkpoint(7).format()


def test_a_quorum_that_no_checkpoint_fills_is_incomplete_not_tampered(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        trust = quorum_of(known)
        before = verify_trail(trail, vouchers=Vouchers(trust=trust))
        taken(trail, Outside(trust=trust))
        after = verify_trail(trail, vouchers=Vouchers(trust=trust))

    assert (before.lacks_quorum, after.lacks_quorum) == (True, False)


def test_a_proof_goes_up_to_a_cosigned_checkpoint_and_fills_the_quorum(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        trust = quorum_of(known)
        taken(trail, Outside(trust=trust))
    grown(trail)
    log = the_log(trail)
    trust = replace(trust, logs=tuple(TrustedLog(key=key) for key in log.vkeys))
    attestations = Vouchers(trust=trust).of(log)
    found = attestations.newest_with_quorum(index=3)
    assert found is not None
    entry = log.find("3")
    assert entry is not None

    proof = log.proof(3, checkpoint=found[1]).format()

    assert verify_trusted_proof(proof, leaf_bytes=entry.body, trust=trust).size == 7
    assert verify_proof_file(proof, leaf_bytes=entry.body, vkeys=log.vkeys).size == 7
    assert attestations.newest_with_quorum(index=7) is None
    with pytest.raises(UnwitnessedError):
        verify_trusted_proof(log.proof(3).format(), leaf_bytes=entry.body, trust=trust)


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def test_a_changed_cosignature_is_found(trail: Path, tmp_path: Path) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        trust = quorum_of(known)
        taken(trail, Outside(trust=trust))
    spoil(trail / "logs/app-1/outside/7.checkpoint")

    with pytest.raises(TamperedError, match=r"size 7 was changed|7\.checkpoint"):
        verify_trail(trail, vouchers=Vouchers(trust=trust))


def test_a_log_that_others_have_seen_longer_is_found_without_a_lock_database(
    trail: Path, tmp_path: Path
) -> None:
    old = copied(trail, tmp_path / "old")
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        grown(trail)
        taken(trail, Outside(trust=quorum_of(known)))
    shutil.copytree(trail / "logs/app-1/outside", old / "logs/app-1/outside")
    shutil.rmtree(tmp_path / "old.lock")

    with pytest.raises(TamperedError, match="has 7 records and others have seen 9"):
        verify_trail(old)


def test_a_kept_checkpoint_of_another_history_is_found(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "state.json") as (_, known):
        taken(trail, Outside(trust=quorum_of(known)))
    other = made_trail(tmp_path / "other")
    key = Ed25519Signer.load(trail / "keys/app-1.pem", key_name="acme.example/app-1")
    head = the_log(other).head()
    note = sign_checkpoint(
        Checkpoint(origin="acme.example/app-1", size=7, root=head.frontier.root()),
        signer=key,
    )
    (trail / "logs/app-1/outside/7.checkpoint").write_text(note)

    with pytest.raises(TamperedError, match="two histories of its first 7"):
        verify_trail(trail)


def test_the_keys_that_an_auditor_trusts_are_all_that_a_trail_may_have(
    trail: Path,
) -> None:
    other = Ed25519Signer.generate(key_name="acme.example/app-1")
    trust = TrustFile(logs=(TrustedLog(key=VerifierKey.of_signer(other)),))

    with pytest.raises(TamperedError, match="which was given has not"):
        verify_trail(trail, vouchers=Vouchers(trust=trust))


def test_a_rotated_log_goes_on_being_cosigned(trail: Path, tmp_path: Path) -> None:
    with witness_for(trail, tmp_path / "state.json") as (witness, known):
        outside = Outside(trust=quorum_of(known))
        taken(trail, outside)
        writer = Trail.open(trail)
        witness.trust(writer.rotate_key().format())
        append_pair(writer)
        writer.close()

        assert taken(trail, outside).places == (("witness w1", None),)
    assert (
        verify_trail(trail, vouchers=Vouchers(trust=outside.trust))
        .outside[0][1]
        .cosigned_size
        == 10
    )


def test_a_witness_that_is_killed_has_not_forgotten_what_it_has_cosigned(
    trail: Path, tmp_path: Path
) -> None:
    old = copied(trail, tmp_path / "old")
    signer = Ed25519Signer.generate(key_name="witness.example/w1")
    signer.save(tmp_path / "witness.pem")

    def start() -> tuple[subprocess.Popen[str], Outside]:
        process = subprocess.Popen(
            [sys.executable, witness_program.__file__, str(tmp_path / "state.json"),
             str(tmp_path / "witness.pem"), "witness.example/w1",
             the_log(trail).vkey.format()],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        known = TrustedWitness(
            name="w1", key=witness_key(signer), url=f"http://127.0.0.1:{port}"
        )
        return process, Outside(trust=quorum_of(known))

    for action in (trail, trail, old):
        process, outside = start()
        try:
            if action is trail:
                grown(trail)
            done = taken(action, outside)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()
        if action is trail:
            assert done.is_whole, done.places

    assert done.tampered is not None
    assert "witness `w1` has seen 11" in done.tampered


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if OPENSSL is None:
        pytest.skip("nothing was stamped: there is no `openssl`")
    pytest.importorskip("rfc3161_client", reason="no extra `timestamp`: no stamps")
    return Authority.made(tmp_path_factory.mktemp("tsa") / "tsa")


def stamped(trail: Path, authority: Authority) -> TimeRoots:
    roots = TimeRoots.parse(authority.roots.read_bytes())
    with authority.answers() as url:
        done = taken(trail, Outside(timestamp_url=url, roots=roots))
    assert done.places == (("time stamp", None),)
    return roots


def test_a_stamp_is_kept_beside_its_checkpoint_and_verified(
    trail: Path, authority: Authority
) -> None:
    roots = stamped(trail, authority)

    verified = verify_trail(trail, vouchers=Vouchers(roots=roots))
    stated = verify_trail(trail)

    ((_, attested),) = verified.outside
    ((_, unverified),) = stated.outside
    assert (attested.stamped_size, attested.stamps_verified) == (7, True)
    assert attested.at == attested.stamped_at is not None
    assert (unverified.stamps_verified, unverified.at) == (False, None)


def test_openssl_alone_verifies_it_from_the_files(
    trail: Path, authority: Authority
) -> None:
    stamped(trail, authority)

    done = subprocess.run(
        ["sh", "-euc", OPENSSL_VERIFY, "sh", str(authority.roots)],
        cwd=trail / "logs/app-1/outside", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout.strip() == "Verification: OK"


def test_a_checkpoint_is_stamped_once(trail: Path, authority: Authority) -> None:
    stamped(trail, authority)
    before = shelf_of(the_log(trail)).stamp(7)

    stamped(trail, authority)

    assert shelf_of(the_log(trail)).stamp(7) == before


def test_a_changed_or_swapped_stamp_is_found(trail: Path, authority: Authority) -> None:
    roots = stamped(trail, authority)
    grown(trail)
    stamped(trail, authority)
    folder = trail / "logs/app-1/outside"
    shutil.copy(folder / "7.tsr", folder / "9.tsr")

    for vouchers in (Vouchers(roots=roots), None):
        with pytest.raises(TamperedError, match=r"time stamp .* size 9"):
            verify_trail(trail, vouchers=vouchers)


@pytest.mark.parametrize(
    ("status", "body", "kind", "found"),
    [
        (200, b"nonsense", "application/timestamp-reply", "not one of RFC 3161"),
        (200, b"", "text/html", "type `text/html`"),
        (503, b"", "application/timestamp-reply", "status 503"),
    ],
)
def test_an_authority_that_does_not_stamp_is_a_failure(
    trail: Path, status: int, body: bytes, kind: str, found: str
) -> None:  # fmt: skip
    with answering(status, body, kind=kind) as url:
        done = taken(trail, Outside(timestamp_url=url))

    assert found in str(done.places[0][1])
    assert shelf_of(the_log(trail)).stamped_sizes() == []


def test_an_authority_that_replays_an_older_answer_is_refused(
    trail: Path, authority: Authority
) -> None:
    roots = stamped(trail, authority)
    old = shelf_of(the_log(trail)).stamp(7) or b""
    (trail / "logs/app-1/outside/7.tsr").unlink()

    with answering(body=old, kind="application/timestamp-reply") as url:
        done = taken(trail, Outside(timestamp_url=url, roots=roots))

    assert "Nonce" in str(done.places[0][1])
