"""A witness after C2SP tlog-witness, written for tests and without code of ours.

    python witness_program.py STATE.json KEY.pem NAME VKEY… > port

Rules that it follows: it cosigns only what a known log key has signed; only a checkpoint
that continues the one it knows, by the proof of RFC 9162, section 2.1.4.2; and only
after the new one is durable. Its memory is one file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key

LARGEST = 1_100_000


class Refused(Exception):  # noqa: N818 -- a status is its answer
    def __init__(self, status: int, body: bytes = b"", kind: str = "text/plain"):
        super().__init__(status)
        self.status, self.body, self.kind = status, body, kind


class Witness:
    """Remembers the newest checkpoint of each log, and cosigns what continues it."""

    def __init__(self, state: Path, key: Ed25519PrivateKey, name: str) -> None:
        self.state, self.key, self.name = state, key, name
        self.logs: dict[str, list[tuple[bytes, Ed25519PublicKey]]] = {}
        self.lock = threading.Lock()
        self.asked = 0

    def trust(self, vkey: str) -> None:
        name, key_id, encoded = vkey.split("+", 2)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
        self.logs.setdefault(name, []).append((bytes.fromhex(key_id), public))

    def vkey(self) -> str:
        typed = b"\x04" + self.key.public_key().public_bytes_raw()
        key_id = hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:4]
        return f"{self.name}+{key_id.hex()}+{base64.b64encode(typed).decode()}"

    def add_checkpoint(self, body: bytes) -> bytes:
        self.asked += 1
        old, proof, text, lines = parse(body)
        origin, size, root = head(text)
        self.require_signed(origin, text, lines)
        with self.lock:
            known = self.read()
            known_size, known_root = known.get(origin, (0, ""))
            if old > size:
                raise Refused(400)
            if old != known_size:
                raise Refused(409, b"%d\n" % known_size, "text/x.tlog.size")
            if old == size and root.hex() != (known_root or root.hex()):
                raise Refused(409, b"%d\n" % known_size, "text/x.tlog.size")
            if 0 < old < size and not consistent(
                old, size, bytes.fromhex(known_root), root, proof
            ):
                raise Refused(422)
            if (old in {0, size}) and proof:
                raise Refused(400)
            known[origin] = (size, root.hex())
            self.write(known)
        now = int(time.time())
        message = b"cosignature/v1\ntime %d\n" % now + text
        key_id = bytes.fromhex(self.vkey().split("+", 2)[1])
        signature = key_id + now.to_bytes(8, "big") + self.key.sign(message)
        return f"— {self.name} {base64.b64encode(signature).decode()}\n".encode()

    def require_signed(self, origin: str, text: bytes, lines: list[bytes]) -> None:
        if origin not in self.logs:
            raise Refused(404)
        held = 0
        for line in lines:
            _, name, encoded = line.decode().split(" ")
            data = base64.b64decode(encoded)
            for key_id, public in self.logs[origin]:
                if name == origin and data[:4] == key_id:
                    try:
                        public.verify(data[4:], text)
                    except InvalidSignature:
                        raise Refused(403) from None
                    held += 1
        if not held:
            raise Refused(403)

    def read(self) -> dict[str, tuple[int, str]]:
        if not self.state.exists():
            return {}
        return {
            key: tuple(item) for key, item in json.loads(self.state.read_text()).items()
        }

    def write(self, known: dict[str, tuple[int, str]]) -> None:
        draft = self.state.with_suffix(".tmp")
        with draft.open("w") as file:
            json.dump(known, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.state)
        folder = os.open(self.state.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def parse(body: bytes) -> tuple[int, list[bytes], bytes, list[bytes]]:
    try:
        submission, note = body.split(b"\n\n", 1)
        first, *proof = submission.split(b"\n")
        text, _, lines = note.rpartition(b"\n\n")
        assert first.startswith(b"old ")
        assert lines.endswith(b"\n")
        assert len(proof) <= 63
        return (
            int(first[4:]),
            [base64.b64decode(line, validate=True) for line in proof],
            text + b"\n",
            lines[:-1].split(b"\n"),
        )
    except (ValueError, AssertionError):
        raise Refused(400) from None


def head(text: bytes) -> tuple[str, int, bytes]:
    try:
        origin, size, root, *_ = text.decode().split("\n")
        return origin, int(size), base64.b64decode(root, validate=True)
    except ValueError:
        raise Refused(400) from None


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(
    first: int, second: int, old_root: bytes, new_root: bytes, proof: list[bytes]
) -> bool:
    """Verify a consistency proof as RFC 9162, section 2.1.4.2, says."""
    path = list(proof)
    if not path:
        return False
    if first & (first - 1) == 0:
        path.insert(0, old_root)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (old_root, new_root, 0)


def serve(witness: Witness) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            status, kind = 404, "text/plain"
            body = b""
            try:
                if self.path == "/add-checkpoint" and length <= LARGEST:
                    body = witness.add_checkpoint(self.rfile.read(length))
                    status = 200
            except Refused as refused:
                status, kind, body = refused.status, refused.kind, refused.body
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def main() -> None:
    state, pem, name, *vkeys = sys.argv[1:]
    key = load_pem_private_key(Path(pem).read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    witness = Witness(Path(state), key, name)
    for vkey in vkeys:
        witness.trust(vkey)
    server = serve(witness)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
