"""`policyguard check`: the answer, its exit code, and one line for what is no call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from integration.program import (
    CALL,
    DENIED,
    HOSTILE,
    files_in,
    refused,
    run,
    run_program,
    written,
)

from policyguard.vocabulary.decision import Decision


def test_an_allowed_call_ends_with_zero_and_says_what_it_obliges_to(
    tmp_path: Path,
) -> None:
    done = run("check", written(tmp_path, CALL))

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("allowed: no configured rule objects")
    assert "obligations: record_processing" in done.stdout


def test_a_denied_call_ends_with_one_and_says_why(tmp_path: Path) -> None:
    done = run("check", written(tmp_path, DENIED))

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("denied by GDPR-01: glm-5.2 at ")


@pytest.mark.parametrize(("call", "code"), [(CALL, 0), (DENIED, 1)])
def test_the_json_holds_the_whole_decision(
    tmp_path: Path, call: dict[str, Any], code: int
) -> None:
    done = run("check", "--json", "-", stdin=json.dumps(call))

    answer = Decision.model_validate_json(done.stdout)
    assert done.exit_code == code
    assert answer.allowed is (code == 0)
    assert answer.record is not None
    assert answer.record.origin.endswith("/cli-1")
    assert answer.simulated is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "is no model call"),
        ("\ufeff{}", "not JSON"),
        ('{"at": 1, "at": 2}', "duplicate key `at`"),
        ('{"at": "2026-07-10T12:00:00Z"}', "`tenant`"),
        (json.dumps({**CALL, "at": "yesterday"}), "`at`"),
        (json.dumps({**CALL, "surprise": "\x1b[2J"}), "`surprise`"),
        (json.dumps({**CALL, "data": {"classes": "pii"}}), "`data.classes`"),
        (
            json.dumps({**CALL, "exporter": {"establishment": "UK"}}),
            "`exporter.establishment`: `UK` is no country's code: write `GB`",
        ),
        ("[" * 100_000, "nested deeper"),
        ('{"at": 1e999}', "RFC 3339"),
        ('{"model": "\\ud800"}', "UTF-8 cannot"),
    ],
)
def test_a_malformed_call_gets_one_line_and_leaves_nothing(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "call.json"
    path.write_text(text, "utf-8")

    refused(run("check", path), says=says)

    assert files_in(tmp_path) == {path: text.encode()}


def test_a_file_that_is_not_there_gets_one_line(tmp_path: Path) -> None:
    refused(
        run("check", tmp_path / "absent.json"), says="give the path of a model call"
    )
    refused(run("check", tmp_path), says="cannot read")

    assert files_in(tmp_path) == {}


def test_settings_that_are_wrong_get_one_line(tmp_path: Path) -> None:
    call = written(tmp_path, CALL)
    settings = tmp_path / "policyguard.toml"

    settings.write_text("[bundel]\n")
    refused(run("check", call, "--config", settings), says="line 1, key `bundel`")
    settings.write_text('[bundle]\npath = "nowhere"\n')
    refused(run("check", call, "--config", settings), says="nowhere")
    refused(run("check", call, "--config", tmp_path / "absent"), says="cannot read")

    assert sorted(files_in(tmp_path)) == [call, settings]


def test_a_bundle_that_is_not_the_trusted_one_gets_one_line(tmp_path: Path) -> None:
    from policyguard.bundle.shipped import shipped_directory

    shutil.copytree(shipped_directory(), tmp_path / "own")
    settings = tmp_path / "policyguard.toml"
    settings.write_text('[bundle]\npath = "own"\n')
    call = written(tmp_path, CALL)

    refused(run("check", call, "--config", settings), says="is not trusted")
    settings.write_text(f'[bundle]\npath = "own"\ndigest = "{"0" * 64}"\n')
    refused(run("check", call, "--config", settings), says="the trusted one is")
    (tmp_path / "own/policyguard/main/main.rego").write_text("package")
    refused(run("check", call, "--config", settings), says="main.rego")

    assert not (tmp_path / "data").exists()


def test_a_trail_that_cannot_be_written_means_no_decision(tmp_path: Path) -> None:
    settings = tmp_path / "policyguard.toml"
    call = written(tmp_path, CALL)
    for place, says in (("call.json/trail", "cannot create"), ("call.json", "another")):
        settings.write_text(f'[trail]\ndirectory = "{place}"\n')
        before = files_in(tmp_path)

        refused(run("check", call, "--config", settings), says=says)

        assert files_in(tmp_path) == before


def test_what_was_asked_for_cannot_rewrite_a_terminal(tmp_path: Path) -> None:
    asked = {"model": HOSTILE, "host": HOSTILE}
    call = {**CALL, "model": None, "route": [None], "asked": asked}

    done = run("check", written(tmp_path, call))
    as_json = run("check", "--json", written(tmp_path, call))

    assert done.exit_code == as_json.exit_code == 1
    assert {char for char in done.stdout if not char.isprintable()} == {"\n"}
    assert as_json.stdout.isascii()
    assert json.loads(as_json.stdout)["call"]["asked"]["model"] == HOSTILE


def test_settings_that_cannot_be_read_as_text_get_one_line(tmp_path: Path) -> None:
    call = written(tmp_path, CALL)
    settings = tmp_path / "policyguard.toml"
    settings.write_bytes(b"\xff\xfe\x00")

    refused(run("check", call, "--config", settings), says="policyguard.toml")
    refused(run("check", call, "--config", tmp_path), says="cannot read")

    assert not (tmp_path / "data").exists()


def test_a_bundle_without_leave_to_read_it_gets_one_line(tmp_path: Path) -> None:
    from policyguard.bundle.shipped import shipped_directory

    shutil.copytree(shipped_directory(), tmp_path / "own")
    settings = tmp_path / "policyguard.toml"
    settings.write_text('[bundle]\npath = "own"\n')
    call = written(tmp_path, CALL)
    before = files_in(tmp_path)
    (tmp_path / "own/policyguard/main/main.rego").chmod(0)

    done = run_program("check", call, "--config", settings, restricted=True)

    refused(done, says="main.rego")
    (tmp_path / "own/policyguard/main/main.rego").chmod(0o600)
    assert files_in(tmp_path) == before


def test_a_directory_that_cannot_be_written_means_no_decision(tmp_path: Path) -> None:
    call = written(tmp_path, CALL)
    place = tmp_path / "place"
    place.mkdir(mode=0o555)

    done = run_program(
        "check", call, restricted=True, POLICYGUARD_TRAIL=str(place / "trail")
    )

    refused(done, says="permission denied")
    assert files_in(place) == {}


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("keys/cli-1.pem", "keys/cli-1.pem"),
        ("logs/cli-1/log.sqlite", "the log `"),
        ("logs/cli-1/vault.sqlite", "the vault of"),
        ("trail.json", "is missing from"),
    ],
)
def test_a_trail_that_lacks_a_part_means_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, says: str
) -> None:
    trail = tmp_path / "place" / "trail"
    monkeypatch.setenv("POLICYGUARD_TRAIL", str(trail))
    call = written(tmp_path, CALL)
    assert run("check", call).exit_code == 0
    (trail / part).unlink()
    before = files_in(trail)

    refused(run("check", call), says=says)

    assert files_in(trail) == before
