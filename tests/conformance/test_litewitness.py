"""A witness that others have written cosigns our logs, and refuses those put back.

`litewitness` of filippo.io/torchwood is told of a log as its own `witnessctl` does, by a
row for the log and one for its key. Its key is in an agent of OpenSSH.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from outsiders import quorum_of, taken
from trails import append_pair, copied, made_trail

from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.reader import Log, TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.trust_file import TrustedWitness, TrustFile
from policyguard.tlog.cosignature import witness_key

TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
PROGRAM = shutil.which("litewitness", path=f"{TOOLS}:{os.environ.get('PATH', '')}")
MISSING = "no foreign witness cosigned anything: "
pytestmark = [
    pytest.mark.skipif(
        PROGRAM is None,
        reason=f"{MISSING}`make tools` builds one where there is Go",
    ),
    pytest.mark.skipif(
        shutil.which("ssh-agent") is None, reason=f"{MISSING}there is no `ssh-agent`"
    ),
]
SEED = b"w" * 32
NAME = "witness.example/foreign"


def the_log(directory: Path) -> Log:
    (log,) = TrailReader.open(directory).logs
    return log


def waited_for(path: Path) -> Path:
    for _ in range(1_000):
        if path.exists():
            return path
        time.sleep(0.01)
    raise AssertionError(f"there is no {path.name}")


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def agent(folder: Path) -> Iterator[tuple[Path, str]]:
    """Run an agent with the witness's key; give its socket and the key's fingerprint."""
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    pem = folder / "witness.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    pem.chmod(0o600)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    (folder / "witness.pub").write_bytes(public)
    place = folder / "agent"
    with running("ssh-agent", "-D", "-a", str(place)):
        waited_for(place)
        subprocess.run(
            ["ssh-add", "-q", str(pem)],
            env={**os.environ, "SSH_AUTH_SOCK": str(place)},
            check=True,
        )
        said = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(folder / "witness.pub")],
            capture_output=True,
            text=True,
            check=True,
        )
        yield place, said.stdout.split()[1]


def tell_of(database: Path, log: Log) -> None:
    """Tell the witness of a log, as `witnessctl add-log` and `add-key` do."""
    empty = b64encode(sha256(b"").digest()).decode()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO log VALUES (?, 0, ?)", (log.origin, empty))
        connection.execute(
            "INSERT INTO key VALUES (?, ?)", (log.origin, log.vkeys[0].format())
        )


@contextmanager
def foreign_witness(folder: Path, log: Log) -> Iterator[TrustFile]:
    """Run the witness; give a trust file that demands its cosignature."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    database = folder / "witness.db"
    with agent(folder) as (place, fingerprint), running(
        str(PROGRAM), "-db", str(database), "-name", NAME, "-key", fingerprint,
        "-ssh-agent", str(place), "-listen", address,
    ) as process:  # fmt: skip
        host, port = address.split(":")
        for _ in range(1_000):
            assert process.poll() is None
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                break
            except OSError:
                time.sleep(0.01)
        tell_of(database, log)
        key = witness_key(Ed25519Signer.from_seed(SEED, key_name=NAME))
        yield quorum_of(TrustedWitness(name="w1", key=key, url=f"http://{address}"))


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="lw-") as made:
        yield Path(made)


def test_a_foreign_witness_cosigns_a_log_and_its_growth(
    tmp_path: Path, folder: Path
) -> None:
    trail = made_trail(tmp_path / "trail")

    with foreign_witness(folder, the_log(trail)) as trust:
        first = taken(trail, Outside(trust=trust))
        opened = Trail.open(trail)
        for _ in range(150):
            append_pair(opened)
        opened.close()
        grown = taken(trail, Outside(trust=trust))

    assert [item.places for item in (first, grown)] == [(("witness w1", None),)] * 2
    verified = verify_trail(trail, vouchers=Vouchers(trust=trust))
    ((_, attested),) = verified.outside
    assert (attested.cosigned_size, attested.witnesses) == (307, ("w1",))
    assert not attested.lacks_quorum


def test_a_foreign_witness_refuses_a_log_that_was_put_back(
    tmp_path: Path, folder: Path
) -> None:
    trail = made_trail(tmp_path / "trail")
    older = copied(trail, tmp_path / "older" / "trail")
    opened = Trail.open(trail)
    append_pair(opened)
    opened.close()

    with foreign_witness(folder, the_log(trail)) as trust:
        taken(trail, Outside(trust=trust))
        refused = taken(older, Outside(trust=trust))

    assert refused.tampered is not None
    assert "put back" in refused.tampered or "longer" in refused.tampered
