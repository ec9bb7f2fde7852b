"""A real OPA server on loopback with a bundle and a catalog; tests without one skip.

`make tools` installs OPA where there is Go.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from policyguard.assembly import catalog_of
from policyguard.bundle.archive import pack
from policyguard.bundle.served import SERVED, catalog_files, served_module
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.source import Bundle
from policyguard.catalog.catalog import Catalog
from policyguard.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 30.0


def opa_program() -> str:
    """Return the path of OPA, or skip the test and say what is missing."""
    named = ROOT / ".tools/bin/opa"
    found = str(named) if named.is_file() else shutil.which("opa")
    if found is None:
        pytest.skip("no OPA: run `make tools` on a machine with Go")
    return found


def bundle_archive(bundle: Bundle) -> bytes:
    """Return a bundle as an OPA server loads it, unsigned."""
    return pack({**bundle.files, SERVED: served_module(bundle.digest)})


def catalog_archive(catalog: Catalog) -> bytes:
    """Return a catalog as an OPA server loads it, unsigned."""
    return pack(
        catalog_files(
            version=catalog.version,
            digest=catalog.digest,
            document=catalog.document_json,
        )
    )


def shipped_archives(folder: Path) -> list[Path]:
    """Write the shipped bundle and catalog as archives."""
    paths = [folder / "policyguard.tar.gz", folder / "catalog.tar.gz"]
    paths[0].write_bytes(bundle_archive(load_shipped()))
    paths[1].write_bytes(catalog_archive(catalog_of(Settings())))
    return paths


@contextlib.contextmanager
def opa_server(
    folder: Path,
    *,
    archives: Sequence[Path] | None = None,
    more: Sequence[str] = (),
    port: int | None = None,
    ca: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """Run OPA with the shipped bundle and catalog, or with other archives.

    Args:
        folder: Where its files go.
        archives: Bundles to load instead of the shipped ones.
        more: Further arguments.
        port: Where it listens; without it on a free port.
        ca: Who vouches for it, if it listens with TLS.
        certificate: What to show it while it starts, and the key.

    Yields:
        The address of the server.
    """
    program = opa_program()
    loaded = shipped_archives(folder) if archives is None else archives
    port = port or free_port()
    url = f"{'https' if ca else 'http'}://127.0.0.1:{port}"
    context = ssl.create_default_context(cafile=ca) if ca else None
    if context and certificate:
        context.load_cert_chain(*certificate)
    arguments = [program, "run", "--server", f"--addr=127.0.0.1:{port}"]
    arguments += ["--log-level=error", "--skip-version-check", *more]
    arguments += [part for path in loaded for part in ("--bundle", str(path))]
    with (folder / "opa.log").open("wb") as log:
        process = subprocess.Popen(
            arguments, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "2"}
        )
    try:
        _wait(process, url=url, log=folder / "opa.log", context=context)
        yield url
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(
    process: subprocess.Popen[bytes],
    *,
    url: str,
    log: Path,
    context: ssl.SSLContext | None,
) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/health?bundles", timeout=1, context=context),
        ):
            return
        time.sleep(0.05)
    raise AssertionError(f"OPA does not start: {log.read_text('utf-8')}")
