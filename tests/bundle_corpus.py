"""A corpus of bundles that nobody should load: what each is, and what is said of it.

Seeds for the fuzzer, and tests of their own. Each is signed by the trusted key where
that is possible, so that what is refused is refused for its own fault.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from bundles import SHIPPED, private_key, shipped_as

from policyguard.bundle.archive import pack
from policyguard.bundle.files import SIGNATURES
from policyguard.bundle.served import SERVED
from policyguard.bundle.signature import sign_files
from policyguard.signing.jws import JwsKey, sign_jws

MAIN: Final = "policyguard/main/main.rego"
RULEBOOK: Final = "policyguard/rulebook/data.json"


@cache
def key(folder: Path) -> JwsKey:
    """Return the trusted key."""
    return private_key(folder)


def tar(*entries: tuple[str, bytes, bytes]) -> bytes:
    """Pack entries of any kind: path, content, type."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content, kind in entries:
            entry = tarfile.TarInfo(path)
            entry.type, entry.size = kind, len(content)
            entry.linkname = "../../etc/passwd" if kind != tarfile.REGTYPE else ""
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(body.getvalue(), mtime=0)


def corpus(folder: Path) -> Mapping[str, tuple[bytes, str]]:
    """Return each bundle, and a part of what is said when it is refused.

    Args:
        folder: Where the signing key is kept.
    """
    trusted = key(folder)
    good = dict(shipped_as("2026.11.7"))

    def sealed(files: Mapping[str, bytes]) -> bytes:
        return pack({**files, SIGNATURES: sign_files(files, key=trusted)})

    def changed(path: str, data: bytes | None) -> bytes:
        # Without the module that names the digest: it would be the first fault.
        files = {
            name: text for name, text in good.items() if name not in {path, SERVED}
        }
        return sealed(files if data is None else {**files, path: data})

    def manifest(**fields: object) -> bytes:
        return changed(
            ".manifest",
            json.dumps({**json.loads(good[".manifest"]), **fields}).encode(),
        )

    whole = sealed(good)
    regular = tarfile.REGTYPE
    stranger = JwsKey(
        id="stranger",
        algorithm="EdDSA",
        material=private_key(folder, seed=b"s" * 32).material,
    )
    none = sign_jws(b'{"files":[]}', key=trusted)
    return {
        "empty": (b"", "truncated"),
        "no gzip": (b"PK\x03\x04" + b"\0" * 64, "is not gzip"),
        "gzip of nothing": (gzip.compress(b"", mtime=0), "no whole tar"),
        "gzip of text": (gzip.compress(b"x" * 2_000, mtime=0), "no whole tar"),
        "truncated": (whole[: len(whole) // 2], "truncated"),
        "trailing": (whole + b"\0", "after its end"),
        "twice": (whole + whole, "after its end"),
        "bomb": (_bomb(), "grows beyond"),
        "path that climbs": (tar(("../x.rego", b"", regular)), "no path of a bundle"),
        "path in the middle": (tar(("a/../../x", b"", regular)), "no path of a bundle"),
        "absolute twice": (tar(("//etc/x", b"", regular)), "no path of a bundle"),
        "symbolic link": (tar(("a.rego", b"", tarfile.SYMTYPE)), "no regular file"),
        "hard link": (tar(("a.rego", b"", tarfile.LNKTYPE)), "no regular file"),
        "device": (tar(("a.rego", b"", tarfile.CHRTYPE)), "no regular file"),
        "pipe": (tar(("a.rego", b"", tarfile.FIFOTYPE)), "no regular file"),
        "file twice": (
            tar((MAIN, b"1", regular), (f"./{MAIN}", b"2", regular)),
            "comes twice",
        ),
        "unsigned": (pack(good), "is not signed"),
        "signed by a stranger": (
            pack({**good, SIGNATURES: sign_files(good, key=stranger)}),
            "which is not trusted",
        ),
        "signature of nothing": (
            pack({**good, SIGNATURES: json.dumps({"signatures": [none]}).encode()}),
            "is not signed",
        ),
        "two signatures": (
            pack({**good, SIGNATURES: json.dumps({"signatures": [none] * 2}).encode()}),
            "exactly one signature",
        ),
        "delta": (changed("patch.json", b"{}"), "delta bundle"),
        "no manifest": (changed(".manifest", None), "has no `.manifest`"),
        "manifest of another form": (manifest(wasm=[]), ".manifest"),
        "roots that overlap": (
            manifest(roots=["policyguard", "policyguard/x"]),
            "overlap",
        ),
        "module outside the roots": (
            changed("x/x.rego", b"package elsewhere\n"),
            "outside the bundle's roots",
        ),
        "data outside the roots": (
            changed("x/data.json", b'{"a":1}'),
            "outside the bundle's roots",
        ),
        "data that conflicts": (
            changed("policyguard/data.json", b'{"rulebook":{"revision":"x"}}'),
            "which another file sets too",
        ),
        "data that is no object": (changed("policyguard/x/data.json", b"1"), "no JSON"),
        "module that is no text": (changed(MAIN, b"\xff\xfe"), "is not UTF-8"),
        "module with a NUL": (
            changed(MAIN, good[MAIN] + b"\0x := 1\n"),
            "holds a NUL",
        ),
        "no rulebook": (changed(RULEBOOK, None), "is missing"),
        "rulebook of another bundle": (
            changed(RULEBOOK, SHIPPED[RULEBOOK].replace(b"deny", b"deny ")),
            RULEBOOK,
        ),
        "no promises": (changed("golden/vectors.json", None), "promises its answers"),
        "digest of another bundle": (
            changed(
                "policyguard/served/served.rego",
                good["policyguard/served/served.rego"].replace(
                    b'bundle := "', b'bundle := "x'
                ),
            ),
            "does not name the digest",
        ),
    }


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * (1 << 20)
    return b"".join(packer.compress(zeros) for _ in range(40)) + packer.flush()
