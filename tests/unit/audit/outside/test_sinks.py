"""Sinks take checkpoints as they are, and say when they have not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from outsiders import answering

from policyguard.audit.outside.sinks import CommandSink, DirectorySink, UrlSink
from policyguard.errors import OutsideError, TamperedError
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.tlog import Checkpoint, sign_checkpoint

LOG = Ed25519Signer.from_seed(bytes(32), key_name="acme.example/log")
CHECKPOINT = Checkpoint(origin="acme.example/log", size=7, root=b"r" * 32)
NOTE = sign_checkpoint(CHECKPOINT, signer=LOG)


def python(code: str, *, deadline: float = 20.0) -> CommandSink:
    return CommandSink(command=(sys.executable, "-c", code), deadline=deadline)


def test_a_command_reads_the_checkpoint_and_knows_its_log(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import os, sys; open(sys.argv[1], 'w').write("
        "os.environ['POLICYGUARD_ORIGIN'] + os.environ['POLICYGUARD_SIZE']"
        " + '\\n' + sys.stdin.buffer.read().decode())"
    )

    CommandSink(command=(sys.executable, "-c", code, str(out))).send(
        CHECKPOINT, note=NOTE
    )

    assert out.read_text() == f"acme.example/log7\n{NOTE}"


@pytest.mark.parametrize(
    ("sink", "found"),
    [
        (python("import sys; sys.exit('full')"), "ended with 1: full"),
        (python("raise SystemExit(3)"), "ended with 3: it said nothing"),
        (python("import time; time.sleep(5)", deadline=0.2), "more than 0.2 seconds"),
        (CommandSink(command=("/nowhere/program",)), "no such file"),
    ],
    ids=["failing", "silent", "slow", "missing"],
)
def test_a_command_that_fails_says_how(sink: CommandSink, found: str) -> None:
    with pytest.raises(OutsideError, match=found):
        sink.send(CHECKPOINT, note=NOTE)


def test_what_a_command_says_reaches_no_terminal_raw() -> None:
    sink = python("import sys; sys.stderr.write('\\x1b[2Jx'); sys.exit(1)")

    with pytest.raises(OutsideError) as caught:
        sink.send(CHECKPOINT, note=NOTE)

    assert "\x1b" not in str(caught.value)


def test_a_directory_gets_a_file_for_each_checkpoint_once(tmp_path: Path) -> None:
    sink = DirectorySink(directory=tmp_path)

    sink.send(CHECKPOINT, note=NOTE)
    sink.send(CHECKPOINT, note=NOTE)

    (file,) = tmp_path.iterdir()
    assert (file.name, file.read_text()) == ("acme.example_log@7.checkpoint", NOTE)


def test_a_directory_remembers_another_history(tmp_path: Path) -> None:
    sink = DirectorySink(directory=tmp_path)
    sink.send(CHECKPOINT, note=NOTE)
    other = Checkpoint(origin="acme.example/log", size=7, root=b"o" * 32)

    with pytest.raises(TamperedError, match="two histories of its first 7"):
        sink.send(other, note=sign_checkpoint(other, signer=LOG))

    (file,) = tmp_path.iterdir()
    assert file.read_text() == NOTE


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="cannot write"):
        DirectorySink(directory=tmp_path / "no").send(CHECKPOINT, note=NOTE)


def test_a_url_is_posted_the_checkpoint() -> None:
    asked: list[bytes] = []
    with answering(204, asked=asked) as url:
        UrlSink(url=url).send(CHECKPOINT, note=NOTE)

    assert asked == [NOTE.encode()]


def test_a_url_that_refuses_says_its_status() -> None:
    with answering(503) as url, pytest.raises(OutsideError, match="status 503"):
        UrlSink(url=url).send(CHECKPOINT, note=NOTE)
