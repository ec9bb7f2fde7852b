"""Keys behind securesystemslib's signer URIs sign checkpoints like keys of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from trails import append_pair

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import ConfigurationError, NotDurableError, TrailError
from policyguard.signing import Signer
from policyguard.signing.ed25519 import Ed25519Signer, format_public_pem
from policyguard.signing.key_source import KeySource
from policyguard.signing.kms import KmsKeys, KmsSigner

pytest.importorskip("securesystemslib", reason="without the extra `kms` no URI signs")
NAME = "acme.example/app-1"


def held(folder: Path, slot: str) -> Ed25519Signer:
    """Put a key where a service would have it, with its public side beside it."""
    signer = Ed25519Signer.generate(key_name="held")
    signer.save(folder / f"{slot}.pem")
    (folder / f"{slot}.pub.pem").write_text(format_public_pem(signer.public_key))
    return signer


def keys_in(folder: Path) -> KmsKeys:
    return KmsKeys(
        uri=f"file2:{folder}/{{slot}}.pem", public_key=f"{folder}/{{slot}}.pub.pem"
    )


def test_a_uri_signs_what_its_public_key_verifies(tmp_path: Path) -> None:
    key = held(tmp_path, "app-1")

    signer = KmsSigner.open(
        f"file2:{tmp_path}/app-1.pem",
        key_name=NAME,
        public_pem=(tmp_path / "app-1.pub.pem").read_bytes(),
    )

    assert isinstance(signer, Signer)
    assert signer.sign(b"text") == key.sign(b"text")
    assert "app-1.pem" not in repr(signer)


def test_a_trail_is_signed_by_keys_that_it_does_not_hold(tmp_path: Path) -> None:
    key = held(tmp_path, "app-1")
    keys = keys_in(tmp_path)
    assert isinstance(keys, KeySource)

    for make in (Trail.create, Trail.open):
        trail = make(tmp_path / "trail", name="acme.example", keys=keys)
        append_pair(trail)
        trail.close()

    (log,) = TrailReader.open(tmp_path / "trail").logs
    assert log.vkey.public_key == key.public_key
    assert list((tmp_path / "trail/keys").iterdir()) == []
    assert verify_trail(tmp_path / "trail").logs[0][1] == 5


def test_a_slot_without_a_key_begins_no_log(tmp_path: Path) -> None:
    with pytest.raises(TrailError, match=r"public key of the log .* cannot be read"):
        Trail.create(tmp_path / "trail", name="acme.example", keys=keys_in(tmp_path))


def test_a_service_that_signs_with_another_key_is_refused(tmp_path: Path) -> None:
    held(tmp_path, "app-1")
    signer = KmsSigner.open(
        f"file2:{tmp_path}/app-1.pem",
        key_name=NAME,
        public_pem=(tmp_path / "app-1.pub.pem").read_bytes(),
    )
    other = Ed25519Signer.generate(key_name=NAME)
    lying = KmsSigner(
        key_name=NAME, public_key=other.public_key, uri="x:", remote=signer.remote
    )

    with pytest.raises(ConfigurationError, match="signs with another key"):
        lying.sign(b"text")


def test_a_service_that_is_away_stops_the_record(tmp_path: Path) -> None:
    held(tmp_path, "app-1")
    trail = Trail.create(
        tmp_path / "trail", name="acme.example", keys=keys_in(tmp_path)
    )
    writer = trail._process.recorder._writer
    assert writer is not None

    class Away:
        def sign(self, message: bytes) -> bytes:
            raise TimeoutError("no answer")

    object.__setattr__(writer.signer, "remote", Away())

    with pytest.raises(NotDurableError, match="has not signed: no answer"):
        append_pair(trail)
    append_pair(trail)
    trail.close()
    assert verify_trail(tmp_path / "trail").logs[0][1] == 3


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("nothing:key", "cannot be reached"),
        ("file2:/nowhere/key.pem", "does not exist"),
        ("awskms:key", "cannot be reached"),
    ],
)
def test_a_uri_that_reaches_nothing_says_what_to_correct(
    tmp_path: Path, uri: str, found: str
) -> None:
    held(tmp_path, "app-1")
    pem = (tmp_path / "app-1.pub.pem").read_bytes()

    with pytest.raises(ConfigurationError, match=found):
        KmsSigner.open(uri, key_name=NAME, public_pem=pem)


def test_a_key_file_that_others_read_is_refused_behind_a_uri_too(
    tmp_path: Path,
) -> None:
    held(tmp_path, "app-1")
    (tmp_path / "app-1.pem").chmod(0o644)

    with pytest.raises(TrailError, match="chmod 600"):
        Trail.create(tmp_path / "trail", name="acme.example", keys=keys_in(tmp_path))


def test_a_key_that_is_not_ed25519_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )

    with pytest.raises(ConfigurationError, match="signed with Ed25519"):
        KmsSigner.open("awskms:key", key_name=NAME, public_pem=pem)


def test_the_core_needs_no_securesystemslib() -> None:
    code = (
        "import sys; sys.modules['securesystemslib'] = None\n"
        "import policyguard, policyguard.assembly, policyguard.signing.kms as kms\n"
        "from policyguard.errors import ConfigurationError\n"
        "try:\n    kms.KmsSigner.open('hv:x/1', key_name='a', public_pem=b'')\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "install `policyguard-ai[kms]`" in done.stdout
