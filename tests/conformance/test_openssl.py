"""OpenSSL and shell tools alone verify our signatures; we read OpenSSL's keys.

No code of the project takes part in the verification: `sed`, `head`, `tail`,
`base64` and `openssl pkeyutl` work on the checkpoint as an auditor gets it.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from trails import made_trail

from policyguard.audit.reader import TrailReader
from policyguard.signing.ed25519 import (
    Ed25519Signer,
    format_public_pem,
    parse_public_pem,
)
from policyguard.signing.keyring import VerifierKey
from policyguard.tlog.checkpoint import Checkpoint, sign_checkpoint
from policyguard.tlog.merkle import leaf_hash, root_of
from policyguard.tlog.note import Note
from policyguard.tlog.proof import prove_inclusion
from policyguard.tlog.tlog_proof import ProofFile, verify_proof_file

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ("openssl", "sh", "sed", "head", "tail", "base64")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed, so nothing was verified: {MISSING}"
)

ORIGIN = "acme.example/policyguard/web-1"
# The signed text is all before the last empty line; of our checkpoints, 3 lines.
VERIFY = r"""
set -eu
head -n 3 checkpoint > text
sed -n 's/^— [^ ]* //p' checkpoint | head -n 1 | base64 -d | tail -c 64 > signature
openssl pkeyutl -verify -rawin -pubin -inkey key.pem -in text -sigfile signature
"""


def run(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    done = run("openssl pkeyutl -help", tmp_path)
    if "-rawin" not in done.stderr + done.stdout:
        pytest.skip("this openssl has no `pkeyutl -rawin`: nothing was verified")
    return tmp_path


def write_checkpoint(directory: Path) -> str:
    signer = Ed25519Signer.generate(key_name=ORIGIN)
    root = root_of([leaf_hash(b"%d" % number) for number in range(5)])
    signed = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=5, root=root), signer=signer
    )
    (directory / "checkpoint").write_bytes(signed.encode())
    (directory / "key.pem").write_text(format_public_pem(signer.public_key))
    return signed


def test_openssl_alone_verifies_a_checkpoint(directory: Path) -> None:
    write_checkpoint(directory)

    done = run(VERIFY, directory)

    assert (done.returncode, done.stdout.strip()) == (
        0,
        "Signature Verified Successfully",
    )


def test_openssl_alone_refuses_a_changed_checkpoint(directory: Path) -> None:
    signed = write_checkpoint(directory)
    (directory / "checkpoint").write_bytes(signed.replace("\n5\n", "\n6\n").encode())

    done = run(VERIFY, directory)

    assert done.returncode != 0
    assert "Signature Verified Successfully" not in done.stdout


def test_openssl_computes_the_key_id(directory: Path) -> None:
    signer = Ed25519Signer.generate(key_name=ORIGIN)
    (directory / "key.pem").write_text(format_public_pem(signer.public_key))
    script = (
        f"(printf '%s\\n\\001' '{ORIGIN}'; openssl pkey -pubin -in key.pem -outform DER"
        " | tail -c 32) | openssl dgst -sha256 -r | head -c 8"
    )

    done = run(script, directory)

    assert done.stdout == VerifierKey.of_signer(signer).key_id.hex()


def test_a_key_made_by_openssl_signs_our_checkpoints(directory: Path) -> None:
    made = run(
        "umask 077 && openssl genpkey -algorithm ed25519 -out private.pem"
        " && openssl pkey -in private.pem -pubout -out public.pem",
        directory,
    )
    assert made.returncode == 0

    signer = Ed25519Signer.load(directory / "private.pem", key_name=ORIGIN)

    public_pem = (directory / "public.pem").read_text()
    assert parse_public_pem(public_pem) == signer.public_key
    assert format_public_pem(signer.public_key) == public_pem


def test_openssl_reads_an_encrypted_key_file_of_ours(directory: Path) -> None:
    signer = Ed25519Signer.generate(key_name=ORIGIN)
    signer.save(directory / "private.pem", passphrase=b"correct horse")

    done = run(
        "openssl pkey -in private.pem -passin 'pass:correct horse' -pubout", directory
    )

    assert done.stdout == format_public_pem(signer.public_key)


def test_openssl_alone_verifies_a_whole_proof_file(directory: Path) -> None:
    entries = [b"first", b"second"]
    leaves = [leaf_hash(entry) for entry in entries]
    signer = Ed25519Signer.generate(key_name=ORIGIN)
    signed = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=2, root=root_of(leaves)), signer=signer
    )
    text = ProofFile(
        index=1,
        hashes=prove_inclusion(index=1, size=2, tree=leaves),
        checkpoint=Note.parse(signed),
    ).format()
    (directory / "proof").write_bytes(text.encode())
    (directory / "entry").write_bytes(entries[1])
    (directory / "key.pem").write_text(format_public_pem(signer.public_key))
    script = r"""
    set -eu
    (printf '\000'; cat entry) | openssl dgst -sha256 -binary > leaf
    sed -n 3p proof | base64 -d > sibling
    (printf '\001'; cat sibling leaf) | openssl dgst -sha256 -binary | base64 > root
    sed -n 7p proof | diff - root
    sed '1,/^$/d' proof > checkpoint
    """

    done = run(script + VERIFY, directory)

    assert (done.returncode, done.stderr) == (0, "")
    key = VerifierKey.of_signer(signer)
    verify_proof_file(text, leaf_bytes=entries[1], vkeys=[key])


def test_openssl_alone_verifies_the_checkpoint_of_a_real_trail(directory: Path) -> None:
    (log,) = TrailReader.open(made_trail(directory / "trail")).logs
    (directory / "checkpoint").write_bytes(log.head().note.encode())
    (directory / "key.pem").write_text(format_public_pem(log.vkey.public_key))

    done = run(VERIFY, directory)

    assert (done.returncode, done.stdout.strip()) == (
        0,
        "Signature Verified Successfully",
    )
