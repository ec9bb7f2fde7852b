"""Key files: 0600, created once and whole, refused when others can read them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from policyguard.errors import ConfigurationError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.key_file import (
    MAX_KEY_FILE_BYTES,
    create_key_file,
    read_key_file,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "acme.example/log"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_key_file_has_mode_0600_under_any_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "key.pem"
    before = os.umask(umask)
    try:
        create_key_file(path, data=b"secret")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert [path] == list(tmp_path.iterdir())
    assert read_key_file(path) == b"secret"


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_key_file(path, data=b"first")

    with pytest.raises(ConfigurationError) as caught:
        create_key_file(path, data=b"second")

    assert str(caught.value) == (
        f"key file `{path}` exists already: move it away or choose another path"
    )
    assert read_key_file(path) == b"first"
    assert [path] == list(tmp_path.iterdir())


def test_a_dangling_link_in_the_place_of_the_file_is_not_followed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key.pem"
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="exists already"):
        create_key_file(path, data=b"secret")

    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o644, 0o610, 0o777])
def test_a_key_file_that_others_can_use_is_refused_with_the_remedy(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "my key.pem"
    create_key_file(path, data=b"secret")
    path.chmod(mode)

    with pytest.raises(ConfigurationError) as caught:
        read_key_file(path)

    assert str(caught.value) == (
        f"key file `{path}` is open to others than its owner (mode {mode:04o}): "
        f"run `chmod 600 '{path}'`"
    )


def test_a_key_file_that_only_its_owner_can_read_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_key_file(path, data=b"secret")
    path.chmod(0o400)

    assert read_key_file(path) == b"secret"


def test_a_missing_key_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`policyguard keys generate`"):
        read_key_file(tmp_path / "none.pem")


def test_what_is_not_a_regular_file_is_refused_without_hanging(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)

    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_key_file(pipe)
    with pytest.raises(ConfigurationError, match=r"cannot be read|not a regular"):
        read_key_file(tmp_path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    create_key_file(path, data=bytes(MAX_KEY_FILE_BYTES + 1))

    with pytest.raises(ConfigurationError, match="it is not a key"):
        read_key_file(path)


def test_paths_that_cannot_exist_are_configuration_errors(tmp_path: Path) -> None:
    for path in (
        tmp_path / "no" / "key.pem",
        tmp_path / ("n" * 300),
        f"{tmp_path}/a\0b",
    ):
        with pytest.raises(ConfigurationError):
            create_key_file(path, data=b"secret")
        with pytest.raises(ConfigurationError):
            read_key_file(path)


def test_of_many_that_create_one_key_at_once_one_wins_and_nobody_sees_half(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key.pem"
    barrier = Barrier(8)

    def create(_: int) -> tuple[bytes | None, bytes]:
        signer = Ed25519Signer.generate(key_name=NAME)
        barrier.wait()
        try:
            signer.save(path)
            saved: bytes | None = signer.public_key
        except ConfigurationError:
            saved = None
        return saved, Ed25519Signer.load(path, key_name=NAME).public_key

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))

    winners = [saved for saved, _ in answers if saved is not None]
    assert len(winners) == 1
    assert {loaded for _, loaded in answers} == set(winners)
    assert [path] == list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "from policyguard.errors import ConfigurationError\n"
        "from policyguard.signing.key_file import create_key_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))\n"
        "try:\n"
        "    create_key_file(sys.argv[1], data=b'much too long')\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "key.pem")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "cannot be created" in done.stdout
    assert list(tmp_path.iterdir()) == []
