"""Every `audit` command that meets something changed is an alarm, and no other is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Final

import pytest
from click.testing import Result
from integration.program import refused, run, run_program
from outsiders import quorum_of, witness_for
from trails import CALLER, copied, made_trail

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.tlog import leaf_hash

READ_WHOLE: Final = (
    ["verify"],
    ["report"],
    ["query", "denies-by-rule"],
    ["export", "OUT"],
    ["export", "OUT", "--format", "jsonl"],
    ["replay", "--all"],
    ["monitor", "--state", "STATE"],
)
READ_RECORDS: Final = (
    *READ_WHOLE,
    ["list"],
    ["gaps"],
    ["show", "app-1:1"],
    ["prove", "app-1:1"],
    # The record is as it was, and the tree that it is in is not.
    ["prove", "app-1:2"],
    ["export", "OUT", "--format", "opa"],
)
READ: Final = (*READ_RECORDS, ["checkpoint"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("alarms") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def arguments(command: list[str], trail: Path) -> list[str]:
    places = {"OUT": str(trail.parent / "out"), "STATE": str(trail.parent / "state")}
    return [
        "audit",
        *(places.get(word, word) for word in command),
        "--trail",
        str(trail),
    ]


# The first is no record any more, the second is one as the guard makes them.
@pytest.mark.parametrize("lie", [b'"purpose":"interfere"', b'"purpose":"fine_tune"'])
@pytest.mark.parametrize("command", READ_RECORDS, ids=" ".join)
def test_a_record_that_was_changed_is_an_alarm(
    trail: Path, command: list[str], lie: bytes
) -> None:
    log = trail / "logs/app-1/log.sqlite"
    data = log.read_bytes()
    assert b'"purpose":"inference"' in data
    log.write_bytes(data.replace(b'"purpose":"inference"', lie))

    done = run(*arguments(command, trail))

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("TAMPERED: ")


@pytest.mark.parametrize(
    "command",
    [
        *READ_RECORDS,
        # The record that is asked for is as it was, or too new to be read.
        ["list", "--limit", "1"],
        ["show", "app-1:3"],
        ["replay", "app-1:3"],
        ["erase", "--caller", CALLER, "--dry-run"],
    ],
    ids=" ".join,
)
def test_a_record_that_was_changed_with_its_hash_is_an_alarm(
    trail: Path, command: list[str]
) -> None:
    connection = sqlite3.connect(trail / "logs/app-1/log.sqlite")
    (body,) = connection.execute("SELECT body FROM entry WHERE idx = 1").fetchone()
    lie = body.replace(b'"purpose":"inference"', b'"purpose":"fine_tune"')
    assert lie != body
    connection.execute(
        "UPDATE entry SET body = ?, leaf = ? WHERE idx = 1", (lie, leaf_hash(lie))
    )
    connection.commit()
    connection.close()

    done = run(*arguments(command, trail))

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("TAMPERED: ")


def test_a_checkpoint_that_was_changed_is_not_printed(trail: Path) -> None:
    connection = sqlite3.connect(trail / "logs/app-1/log.sqlite")
    connection.execute("UPDATE head SET note = replace(note, 'acme.example', 'other')")
    connection.commit()
    connection.close()

    done = run("audit", "checkpoint", "--trail", trail)

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("TAMPERED: the head of acme.example/app-1 cannot be")


@pytest.mark.parametrize("command", READ, ids=" ".join)
def test_a_log_that_lost_its_key_is_an_alarm_and_not_left_out(
    trail: Path, command: list[str]
) -> None:
    (trail / "trust").write_text("quorum none\n")

    done = run(*arguments(command, trail))

    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith(
        "TAMPERED: the log acme.example/app-1 has no key in the trust file"
    )


def test_a_log_that_left_only_its_key_is_an_alarm(trail: Path) -> None:
    shutil.rmtree(trail / "logs/app-1")
    shutil.rmtree(trail.with_name("trail.lock"))

    done = run("audit", "query", "denies-by-rule", "--trail", trail)

    assert (done.exit_code, done.stderr) == (1, "")
    assert "the log `acme.example/app-1` is missing from" in done.stdout


def test_one_log_of_two_that_lost_its_key_is_an_alarm(trail: Path) -> None:
    Trail.open_or_create(trail, role="cli").close()
    keys = (trail / "trust").read_text().splitlines(keepends=True)
    (trail / "trust").write_text("".join(line for line in keys if "/app-1" not in line))
    shutil.rmtree(trail / "logs/app-1")

    done = run("audit", "query", "denies-by-rule", "--trail", trail)

    assert (done.exit_code, done.stderr) == (1, "")
    assert "the log acme.example/app-1 has no key" in done.stdout


@pytest.mark.parametrize("command", [["query", "policy-changes"], ["list"]])
def test_an_alarm_is_json_where_json_was_asked_for(
    trail: Path, command: list[str]
) -> None:
    (trail / "trust").write_text("quorum none\n")

    done = run(*arguments(command, trail), "--json")

    assert (done.exit_code, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "intact": False,
        "reason": "the log acme.example/app-1 has no key in the trust file"
        f" `{trail / 'trust'}`",
    }


@pytest.mark.parametrize(
    "file",
    [
        "trust",
        "trail.json",
        "callers.sqlite",
        "logs/app-1/log.sqlite",
        "logs/app-1/vault.sqlite",
        "../trail.lock/app-1.sqlite",
    ],
)
def test_what_may_not_be_read_is_no_alarm(trail: Path, file: str) -> None:
    (trail / file).chmod(0)

    done = run_program("audit", "verify", "--trail", trail, restricted=True)

    assert done.returncode == 2
    refused(done, says="check its permissions")


def test_what_is_missing_or_no_database_is_an_alarm(trail: Path) -> None:
    (trail / "logs/app-1/log.sqlite").write_bytes(b"something else " * 999)

    assert run("audit", "verify", "--trail", trail).exit_code == 1


def test_a_report_counts_what_verification_counts(
    trail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    witnesses = tmp_path / "witnesses"
    with witness_for(trail, tmp_path / "state") as (_, known):
        # It has cosigned nothing: the quorum that is asked for is lacking.
        witnesses.write_text(quorum_of(known).format())
    settings = tmp_path / "policyguard.toml"
    settings.write_text(
        f'[trail]\ndirectory = "{trail}"\n[outside]\nwitnesses = "{witnesses}"\n'
    )
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(settings))

    verified = run("audit", "verify", "--json")
    reported = run("audit", "report", "--json")

    assert verified.exit_code == reported.exit_code == 2
    said = json.loads(reported.stdout)
    assert {name: said[name] for name in json.loads(verified.stdout)} == json.loads(
        verified.stdout
    )
    assert said["complete"] is False


def test_one_log_is_replayed_where_one_is_named(trail: Path) -> None:
    Trail.open_or_create(trail, role="cli").close()
    (application, command_line) = TrailReader.open(trail).logs

    counted = [
        json.loads(
            run(
                *arguments(["replay", "--all", "--json"], trail), "--log", log.origin
            ).stdout
        )["decisions"]
        for log in (application, command_line)
    ]

    assert counted == [3, 0]


def test_a_log_of_an_export_that_nobody_gave_a_key_of_is_not_passed_over(
    trail: Path, tmp_path: Path
) -> None:
    Trail.open_or_create(trail, role="cli").close()
    run("audit", "export", tmp_path / "out", "--trail", trail)
    keys = run("keys", "show", "--trust", "--trail", trail).stdout
    few, none = tmp_path / "few", tmp_path / "none"
    few.write_text(
        "".join(line for line in keys.splitlines(True) if "cli-1" not in line)
    )
    none.write_text("quorum none\n")
    (tmp_path / "empty").mkdir()

    def watch(exported: str, trust: Path) -> Result:
        return run(
            "audit", "monitor", "--exported", tmp_path / exported, "--trust", trust,
            "--state", tmp_path / "state",
        )  # fmt: skip

    refused(watch("out", few), says="has the log `acme.example/cli-1`")
    refused(watch("empty", none), says="there is nothing to watch")
    assert not (tmp_path / "state").exists()


def test_the_keys_are_printed_as_the_trust_file_that_verification_reads(
    trail: Path, tmp_path: Path
) -> None:
    Trail.open_or_create(trail, role="cli").close()
    run("audit", "export", tmp_path / "out", "--trail", trail)

    shown = run("keys", "show", "--trust", "--trail", trail)
    one = run(
        "keys", "show", "--trust", "--log", "acme.example/cli-1", "--trail", trail
    )
    (tmp_path / "keys").write_text(shown.stdout)
    verified = run("audit", "verify", tmp_path / "out", "--trust", tmp_path / "keys")
    both = run("keys", "show", "--trust", "--pem", "--trail", trail)

    assert shown.stdout == (trail / "trust").read_text()
    assert [line.split("+")[0] for line in one.stdout.splitlines()] == [
        "log acme.example/cli-1",
        "quorum none",
    ]
    assert (verified.exit_code, verified.stderr) == (0, "")
    refused(both, says="give --pem or --trust")


def test_what_is_no_trust_file_is_said_to_be_none(trail: Path, tmp_path: Path) -> None:
    run("audit", "export", tmp_path / "out", "--trail", trail)
    (tmp_path / "keys").write_text(run("keys", "show", "--trail", trail).stdout)

    done = run("audit", "verify", tmp_path / "out", "--trust", tmp_path / "keys")

    assert (
        "restore it, or write one with `policyguard keys show --trust`" in done.stderr
    )
    refused(done, says="is no trust file: trust file, line 1")


def test_an_address_that_no_trail_can_have_is_refused_as_such() -> None:
    done = run("audit", "list", "--trail", "https://trail.example/x")

    assert "give a directory, or postgresql://" in done.stderr
    refused(done, says="there is no trail behind `https://`")


@pytest.mark.parametrize("folder", ["logs", "../trail.lock"])
@pytest.mark.parametrize("command", [["list"], ["query", "latency"], ["verify"]])
def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(
    trail: Path, folder: str, command: list[str]
) -> None:
    # What is in the folder is all that remembers the log.
    (trail / "trust").write_text("quorum none\n")
    (trail / folder).chmod(0o111)

    done = run_program(*arguments(command, trail), restricted=True)

    (trail / folder).chmod(0o700)
    refused(done, says="check its permissions")
    assert f"cannot list `{(trail / folder).resolve()}`" in done.stderr
