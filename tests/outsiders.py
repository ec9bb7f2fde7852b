"""Witnesses and time-stamping authorities on loopback, for tests."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from witness_program import Witness, serve

from policyguard.audit.outside.anchor import Outside, Published, Taken, take_outside
from policyguard.audit.outside.shelf import Shelf
from policyguard.audit.reader import Log, TrailReader
from policyguard.identity import wall_clock
from policyguard.signing.keyring import VerifierKey
from policyguard.signing.trust_file import TrustedWitness, TrustFile
from policyguard.tlog import Note, leaf_hash

OPENSSL = shutil.which("openssl")


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve in a thread, and give the URL."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def witness_for(
    directory: Path | str, state: Path, *, name: str = "witness.example/w1"
) -> Iterator[tuple[Witness, TrustedWitness]]:
    """Run a witness that knows the logs of a trail."""
    witness = Witness(state, Ed25519PrivateKey.generate(), name)
    for log in TrailReader.open(directory).logs:
        for vkey in log.vkeys:
            witness.trust(vkey.format())
    with served(serve(witness)) as url:
        key = VerifierKey.parse(witness.vkey())
        yield witness, TrustedWitness(name="w1", key=key, url=url)


def quorum_of(*witnesses: TrustedWitness, quorum: str = "w1") -> TrustFile:
    """Return a trust file of witnesses."""
    return TrustFile(witnesses=witnesses, quorum=quorum)


@contextmanager
def answering(
    status: int = 200,
    body: bytes | Callable[[bytes], bytes] = b"",
    *,
    kind: str = "text/plain",
    asked: list[bytes] | None = None,
    **headers: str,
) -> Iterator[str]:
    """Run a server that always answers the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            if asked is not None:
                asked.append(question)
            answer = body(question) if callable(body) else body
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@dataclass(frozen=True)
class Authority:
    """Is a time-stamping authority made with openssl."""

    folder: Path

    @property
    def roots(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def made(cls, folder: Path) -> Authority:
        """Make a CA, and a key that may stamp."""
        folder.mkdir(parents=True)
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01\n")
        for command in COMMANDS.strip().splitlines():
            subprocess.run(
                ["openssl", *command.split()],
                cwd=folder,
                check=True,
                capture_output=True,
            )
        return cls(folder)

    def stamp(self, query: bytes) -> bytes:
        """Answer a query."""
        number = len(list(self.folder.glob("*.tsq")))
        query_file = self.folder / f"{number}.tsq"
        query_file.write_bytes(query)
        reply = query_file.with_suffix(".tsr")
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa_config",
             "-queryfile", str(query_file), "-out", str(reply)],
            cwd=self.folder, check=True, capture_output=True,
        )  # fmt: skip
        return reply.read_bytes()

    @contextmanager
    def answers(self) -> Iterator[str]:
        """Run it on loopback."""
        with answering(body=self.stamp, kind="application/timestamp-reply") as url:
            yield url


COMMANDS = """
req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj /CN=test-ca -config tsa.cnf -extensions ca
req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=test-tsa -config tsa.cnf
x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out tsa.pem -extfile tsa.cnf -extensions tsa
"""
CONFIGURATION = """
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[tsa]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa_config]
dir = .
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def shelf_of(log: Log) -> Shelf:
    return Shelf(cabinet=log.outside)


def taken(directory: Path | str, outside: Outside) -> Taken:
    """Take the newest checkpoint of a trail's only log outside."""
    (log,) = TrailReader.open(directory).logs
    published = Published(
        note=Note.parse(log.head().note),
        vkeys=log.vkeys,
        leaves=lambda: [leaf_hash(entry.body) for entry in log.entries()],
    )
    return take_outside(published, shelf=shelf_of(log), outside=outside, now=wall_clock)
