"""Tests of archives, most of which nobody of good will has packed."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from policyguard.bundle import archive
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.opening import read_archive
from policyguard.errors import BundleError

FILES = {".manifest": b"{}", "a/b.rego": b"package a\n", "a/data.json": b"{}"}


def packed(*entries: tuple[str, bytes | None, bytes], tail: bytes = b"") -> bytes:
    """Pack entries of any kind: name, content, type."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, kind in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.linkname = "/etc/passwd" if kind in b"12" else ""
            entry.size = len(content or b"")
            tar.addfile(entry, io.BytesIO(content or b""))
    return gzip.compress(body.getvalue() + tail, mtime=0)


def refusal(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        unpack(data, name="x.tar.gz")
    message = str(caught.value)
    assert message.startswith("x.tar.gz: ")
    assert "\n" not in message
    return message


def test_what_is_packed_is_unpacked() -> None:
    assert unpack(pack(FILES)) == FILES


def test_the_same_files_always_give_the_same_archive() -> None:
    assert pack(FILES) == pack(dict(reversed(FILES.items())))


@pytest.mark.parametrize("path", ["/a/b.rego", "./a/b.rego"])
def test_a_leading_slash_or_dot_is_left_out(path: str) -> None:
    assert unpack(packed((path, b"x", tarfile.REGTYPE))) == {"a/b.rego": b"x"}


def test_folders_are_passed_over() -> None:
    data = packed(("a", None, tarfile.DIRTYPE), ("a/b.rego", b"x", tarfile.REGTYPE))

    assert unpack(data) == {"a/b.rego": b"x"}


@pytest.mark.parametrize(
    "path",
    [
        "../a.rego",
        "a/../b.rego",
        "a/..",
        "//a.rego",
        "a//b.rego",
        "a/./b.rego",
        "a\\b.rego",
        "C:a.rego",
        "a/b\n.rego",
        "a/b .rego",
        "ä.rego",
        "/".join("a" * 20),
        "a" * 200,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    assert "is no path of a bundle" in refusal(packed((path, b"", tarfile.REGTYPE)))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ],
)
def test_links_and_devices_are_refused(kind: bytes) -> None:
    assert "is no regular file" in refusal(packed(("a/b.rego", None, kind)))


@pytest.mark.parametrize("second", ["a/b.rego", "/a/b.rego", "./a/b.rego"])
def test_a_file_that_comes_twice_is_refused(second: str) -> None:
    data = packed(("a/b.rego", b"1", tarfile.REGTYPE), (second, b"2", tarfile.REGTYPE))

    assert "`a/b.rego` comes twice" in refusal(data)


@pytest.mark.parametrize("cut", [1, 10, 40, 100])
def test_a_truncated_archive_is_refused(cut: int) -> None:
    assert "truncated" in refusal(pack(FILES)[:-cut])


def test_a_tar_that_ends_in_the_middle_is_refused() -> None:
    tar = zlib.decompress(pack(FILES), 31)

    for at in range(0, 512 * 6, 256):
        refusal(gzip.compress(tar[:at], mtime=0))


def test_a_broken_header_does_not_hide_what_follows() -> None:
    tar = bytearray(zlib.decompress(pack(FILES), 31))
    tar[2 * 512] ^= 0xFF

    refusal(gzip.compress(bytes(tar), mtime=0))


def test_bytes_after_the_end_are_refused() -> None:
    assert "after its end" in refusal(pack(FILES) + b"x")
    assert "after its end" in refusal(pack(FILES) + pack(FILES))
    refusal(packed(("a/b.rego", b"", tarfile.REGTYPE), tail=b"x" * 512))


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f\x8b", b"PK\x03\x04", b"\0" * 1_000])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    refusal(data)


def test_an_empty_archive_is_refused() -> None:
    assert "holds no file" in refusal(packed())


def test_a_bomb_is_not_held_whole() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * (1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()

    assert len(bomb) < 1 << 20
    assert "grows beyond" in refusal(bomb)


def test_a_file_that_is_too_large_is_refused() -> None:
    data = packed(("a/b.rego", b"x" * (archive.MAX_FILE_BYTES + 1), tarfile.REGTYPE))

    assert "is larger than" in refusal(data)


def test_a_file_that_claims_to_be_huge_is_refused() -> None:
    entry = tarfile.TarInfo("a/b.rego")
    entry.size = 1 << 40
    head = entry.tobuf(tarfile.GNU_FORMAT)

    refusal(gzip.compress(head + b"\0" * 1_024, mtime=0))


def test_too_many_files_are_refused() -> None:
    entries = [
        (f"a/{number}.rego", b"", tarfile.REGTYPE)
        for number in range(archive.MAX_FILES + 1)
    ]

    assert "more than" in refusal(packed(*entries))


def test_too_large_an_archive_is_not_even_decompressed() -> None:
    assert "are more than" in refusal(b"\x1f" * (archive.MAX_ARCHIVE_BYTES + 1))


@pytest.mark.parametrize("path", ["../a", "/a", "a b", "x" * 101 + "/" + "y" * 101])
def test_nothing_is_packed_that_would_not_be_unpacked(path: str) -> None:
    with pytest.raises(BundleError):
        pack({path: b""})


def _missing(path: Path) -> None:
    del path


def _pipe(path: Path) -> None:
    import os

    os.mkfifo(path)


@pytest.mark.parametrize("make", [_missing, _pipe, Path.mkdir])
def test_what_is_no_file_is_not_read(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "x")

    with pytest.raises(BundleError, match="x"):
        read_archive(tmp_path / "x")
