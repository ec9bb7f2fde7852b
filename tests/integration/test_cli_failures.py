"""Every command with bad input, damaged files and odd ends: one line, no traceback."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from integration.program import COMMAND, files_in, refused, run, run_program
from trails import made_trail


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("cli") / "trail")


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "list"),
        ("audit", "show", "1"),
        ("audit", "verify"),
        ("audit", "prove", "1"),
        ("audit", "checkpoint"),
        ("keys", "show"),
    ],
    ids=" ".join,
)
def test_where_there_is_no_trail_every_command_says_so_and_makes_none(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("x")

    for place in (tmp_path / "absent", tmp_path, tmp_path / "file", "\x00"):
        done = run(*command, "--trail", place)
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.output

    assert files_in(tmp_path) == {tmp_path / "file": b"x"}


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "list"),
        ("audit", "show", "1"),
        ("audit", "verify"),
        ("audit", "prove", "1"),
        ("audit", "checkpoint"),
        ("keys", "show"),
    ],
    ids=" ".join,
)
def test_a_trail_is_read_where_nothing_may_be_written(
    made: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    trail = shutil.copytree(made, tmp_path / "trail")
    before = files_in(trail)
    for path in (trail, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)

    done = run_program(*command, "--trail", trail, restricted=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert files_in(trail) == before


def test_a_proof_is_not_put_where_nothing_may_be_written(
    made: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o555)
    prove = ("audit", "prove", "1", "--trail", made, "--out")

    refused(run_program(*prove, place, restricted=True), says="permission denied")
    refused(run_program(*prove, place / "new", restricted=True), says="new")
    refused(run(*prove, made / "trust"), says="is a file")

    assert files_in(place) == {}


@pytest.mark.parametrize(
    "command",
    [
        ("audit", "list"),
        ("audit", "list", "--json"),
        ("audit", "show", "1"),
        ("audit", "verify"),
        ("audit", "prove", "1"),
        ("audit", "checkpoint"),
        ("keys", "show"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "file", ["logs/app-1/log.sqlite", "logs/app-1/vault.sqlite", "trust", "trail.json"]
)
def test_a_damaged_file_never_ends_in_a_traceback(
    made: Path, tmp_path: Path, command: tuple[str, ...], file: str
) -> None:
    trail = shutil.copytree(made, tmp_path / "trail")
    path = trail / file
    good = path.read_bytes()
    noise = random.Random(file)
    damaged = [
        b"",
        good[: len(good) // 2],
        noise.randbytes(len(good)),
        good[:20] + noise.randbytes(len(good)),
    ]

    for data in damaged:
        path.write_bytes(data)
        done = run(*command, "--trail", trail)

        # A log whose key is gone from the trust file is an alarm of every reader.
        others = {0, 1, 2} if file == "trust" else {0, 2}
        assert done.exit_code in ({1} if "verify" in command else others)
        assert "Traceback" not in done.output
        assert "fault of policyguard" not in done.output
        if done.exit_code == 2:
            assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("audit",),
        ("nothing",),
        ("check",),
        ("audit", "list", "--kind", "x"),
        ("audit", "list", "--limit", "0"),
        ("audit", "verify", "--nothing"),
        ("audit", "verify", "--lock"),
        ("audit", "prove"),
        ("keys", "generate"),
        ("keys", "show", "--pem", "more"),
        ("demo", "--dir", __file__),
        ("--nothing",),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two_and_one_line(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    refused(run(*arguments), says="see `policyguard")

    assert files_in(tmp_path) == {}


def test_the_version_names_what_decides() -> None:
    from policyguard.bundle.shipped import shipped_digests

    text = run("version")
    document = json.loads(run("version", "--json").stdout)

    assert text.exit_code == 0
    assert document["bundle"]["digest"] == shipped_digests().bundle
    assert document["catalog"]["digest"] == shipped_digests().catalog
    for part in ("bundle", "catalog", "engine"):
        assert document[part]["digest"] in text.stdout


def test_a_reader_that_has_gone_is_no_error(made: Path) -> None:
    done = subprocess.run(
        f"'{COMMAND}' audit list --json --trail '{made}' | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


@pytest.mark.parametrize("command", [("audit", "list"), ("version",)], ids=" ".join)
def test_output_that_cannot_be_written_is_an_error(
    made: Path, command: tuple[str, ...]
) -> None:
    trail = f"--trail '{made}'" if "audit" in command else ""
    before = files_in(made)

    done = subprocess.run(
        f"'{COMMAND}' {' '.join(command)} {trail} > /dev/full",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )

    refused(done, says="no space left")
    assert files_in(made) == before


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_does_not_change_the_exit_code(
    made: Path, tmp_path: Path, streams: str
) -> None:
    trail = shutil.copytree(made, tmp_path / "trail")
    intact = f"'{COMMAND}' audit verify --trail '{trail}' {streams}"
    absent = f"'{COMMAND}' audit verify --trail '{tmp_path}' {streams}"
    before = files_in(trail)

    codes = [
        subprocess.run(line, shell=True, capture_output=True, check=False).returncode
        for line in (intact, absent)
    ]

    assert codes == [0, 2]
    assert files_in(trail) == before


def test_colours_are_for_terminals(made: Path) -> None:
    command = [str(COMMAND), "audit", "list", "--trail", str(made)]
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in {"FORCE_COLOR", "NO_COLOR"}
    }

    piped = subprocess.run(command, capture_output=True, env=plain, check=True)
    forced = subprocess.run(
        command, capture_output=True, env={**plain, "FORCE_COLOR": "1"}, check=True
    )

    uncoloured = subprocess.run(
        command,
        capture_output=True,
        env={**plain, "FORCE_COLOR": "1", "NO_COLOR": "1"},
        check=True,
    )

    colour = re.compile(rb"\x1b\[[0-9;]*3[0-7]m")
    assert b"\x1b[" not in piped.stdout
    assert colour.search(forced.stdout)
    assert not colour.search(uncoloured.stdout)


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["list", "--json"],
        ["show", "app-1:1"],
        ["verify"],
        ["report"],
        ["gaps"],
        ["query", "latency"],
        ["query"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_gone_is_no_tampering(made: Path, command: list[str]) -> None:
    process = subprocess.Popen(
        [COMMAND, "audit", *command, "--trail", made],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    _, said = process.communicate(timeout=60)

    assert (process.returncode, said) == (141, b"")
