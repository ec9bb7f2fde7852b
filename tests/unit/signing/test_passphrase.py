"""A passphrase comes from a file that nobody else reads, each time that it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyguard.errors import ConfigurationError
from policyguard.signing.passphrase import passphrase_file


def written(folder: Path, data: bytes, *, mode: int = 0o600) -> Path:
    path = folder / "passphrase"
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("data", "passphrase"),
    [
        (b"correct horse", b"correct horse"),
        (b"correct horse\n", b"correct horse"),
        (b"correct horse\r\nsecond line\n", b"correct horse"),
        ("ünïcode \n".encode(), "ünïcode ".encode()),
    ],
)
def test_it_is_the_first_line(tmp_path: Path, data: bytes, passphrase: bytes) -> None:
    assert passphrase_file(written(tmp_path, data))() == passphrase


def test_it_is_read_each_time(tmp_path: Path) -> None:
    ask = passphrase_file(tmp_path / "passphrase")
    with pytest.raises(ConfigurationError, match="does not exist"):
        ask()

    written(tmp_path, b"one")
    first = ask()
    written(tmp_path, b"two")

    assert (first, ask()) == (b"one", b"two")


@pytest.mark.parametrize(
    ("data", "mode", "found"),
    [(b"", 0o600, "is empty"), (b"\nx", 0o600, "is empty"), (b"x", 0o644, "chmod 600")],
)
def test_an_unsafe_or_empty_file_is_refused(
    tmp_path: Path, data: bytes, mode: int, found: str
) -> None:
    with pytest.raises(ConfigurationError, match=found):
        passphrase_file(written(tmp_path, data, mode=mode))()
