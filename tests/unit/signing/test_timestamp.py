"""Time stamps of an authority made with openssl hold for their bytes, and no others."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from outsiders import OPENSSL, Authority

from policyguard.errors import ConfigurationError, FormatError, InvalidSignatureError
from policyguard.signing.timestamp import (
    TimeRoots,
    stamp_request,
    stated_time,
    verify_stamp,
)

pytest.importorskip("rfc3161_client", reason="without the extra `timestamp` no stamps")
pytestmark = pytest.mark.skipif(
    OPENSSL is None, reason="nothing was stamped: there is no `openssl`"
)
MESSAGE = b"acme.example/log\n7\nroot\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("tsa") / "tsa")


@pytest.fixture(scope="module")
def roots(authority: Authority) -> TimeRoots:
    return TimeRoots.parse(authority.roots.read_bytes())


@pytest.fixture(scope="module")
def reply(authority: Authority) -> bytes:
    return authority.stamp(stamp_request(MESSAGE).body)


def test_a_stamp_holds_and_says_when(authority: Authority, roots: TimeRoots) -> None:
    request = stamp_request(MESSAGE)

    time = verify_stamp(
        authority.stamp(request.body),
        message=MESSAGE,
        roots=roots,
        nonce=request.nonce,
    )

    assert abs(datetime.now(UTC) - time) < timedelta(minutes=5)


def test_a_stored_stamp_is_verified_without_its_nonce(
    reply: bytes, roots: TimeRoots
) -> None:
    assert verify_stamp(reply, message=MESSAGE, roots=roots) == stated_time(
        reply, message=MESSAGE
    )


def test_openssl_verifies_what_we_keep(
    authority: Authority, reply: bytes, tmp_path: Path
) -> None:
    (tmp_path / "text").write_bytes(MESSAGE)
    (tmp_path / "7.tsr").write_bytes(reply)

    done = subprocess.run(
        ["openssl", "ts", "-verify", "-data", "text", "-in", "7.tsr", "-CAfile",
         str(authority.roots)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.strip()) == (0, "Verification: OK")


def test_a_stamp_is_over_its_bytes_only(reply: bytes, roots: TimeRoots) -> None:
    for verify in (
        lambda: verify_stamp(reply, message=b"other", roots=roots),
        lambda: stated_time(reply, message=b"other"),
    ):
        with pytest.raises(InvalidSignatureError, match="over other bytes"):
            verify()


def test_another_nonce_is_another_question(reply: bytes, roots: TimeRoots) -> None:
    with pytest.raises(InvalidSignatureError, match="Nonce"):
        verify_stamp(reply, message=MESSAGE, roots=roots, nonce=7)


def test_an_authority_that_nobody_trusts_is_refused(
    reply: bytes, tmp_path: Path
) -> None:
    other = TimeRoots.parse(Authority.made(tmp_path / "other").roots.read_bytes())

    with pytest.raises(InvalidSignatureError, match="does not hold"):
        verify_stamp(reply, message=MESSAGE, roots=other)


def test_every_flipped_byte_is_an_error_of_ours(reply: bytes, roots: TimeRoots) -> None:
    refused = 0
    for at in range(0, len(reply), 7):
        changed = reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1 :]
        try:
            verify_stamp(changed, message=MESSAGE, roots=roots)
        except (FormatError, InvalidSignatureError):
            refused += 1

    # What is not signed (a certificate's spelling, the status text) may differ.
    assert refused > 0.5 * len(range(0, len(reply), 7))


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"nonsense", b"\x00" * 100, b"a" * 70_000]
)
def test_what_is_no_answer_is_refused(data: bytes, roots: TimeRoots) -> None:
    with pytest.raises(FormatError):
        verify_stamp(data, message=MESSAGE, roots=roots)


def test_a_refusal_is_told(authority: Authority, roots: TimeRoots) -> None:
    # An imprint that the authority does not take: SHA-1, by openssl's own query.
    (authority.folder / "text").write_bytes(MESSAGE)
    query = subprocess.run(
        ["openssl", "ts", "-query", "-data", "text", "-sha1", "-cert"],
        cwd=authority.folder, check=True, capture_output=True,
    ).stdout  # fmt: skip

    with pytest.raises((FormatError, InvalidSignatureError)):
        verify_stamp(authority.stamp(query), message=MESSAGE, roots=roots)


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_certificates_that_are_none_are_refused(pem: bytes) -> None:
    with pytest.raises(ConfigurationError, match="PEM"):
        TimeRoots.parse(pem)


def test_the_core_needs_no_rfc3161_client() -> None:
    code = (
        "import sys; sys.modules['rfc3161_client'] = None\n"
        "import policyguard.audit.verify, policyguard.signing.timestamp as stamps\n"
        "from policyguard.errors import ConfigurationError\n"
        "try:\n    stamps.stamp_request(b'a')\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "install `policyguard-ai[timestamp]`" in done.stdout
