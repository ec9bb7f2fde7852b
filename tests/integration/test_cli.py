"""The command line: what it prints, how it ends, and one line for every bad input."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from trails import CALLER, append_pair, decision, made_trail

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.cli import main
from policyguard.signing.ed25519 import parse_public_pem
from policyguard.signing.trust_file import TrustFile
from policyguard.tlog import open_checkpoint, verify_proof_file
from policyguard.vocabulary.decision import Decision

COMMAND = Path(sys.executable).with_name("policyguard")
CALL: dict[str, Any] = {
    "at": "2026-07-10T12:00:00Z",
    "tenant": {
        "id": "acme",
        "contracts": [
            {"operator": "scaleway", "dpa": True, "remote_access_countries": ["FR"]}
        ],
    },
    "caller": {"id": "alice@acme.example"},
    "purpose": {"kind": "inference"},
    "exporter": {"establishment": "DE"},
    "data": {"classes": ["pii"], "subjects": ["DE"]},
    "model": "glm-5.2",
    "route": ["glm-5.2@api.scaleway.ai"],
    "asked": {"model": "glm-5.2", "host": "api.scaleway.ai"},
}
DENIED = {**CALL, "route": ["glm-5.2@open.bigmodel.cn"]}


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("POLICYGUARD_CONFIG", raising=False)
    monkeypatch.delenv("POLICYGUARD_TRAIL", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("cli") / "trail")


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(item) for item in arguments], input=stdin)


def written(folder: Path, document: object) -> Path:
    path = folder / "call.json"
    path.write_text(json.dumps(document))
    return path


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(done: Result, *, says: str, code: int = 2) -> None:
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith("policyguard: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr


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


def test_settings_that_are_wrong_get_one_line(tmp_path: Path) -> None:
    call = written(tmp_path, CALL)
    settings = tmp_path / "policyguard.toml"

    settings.write_text("[bundel]\n")
    refused(run("check", call, "--config", settings), says="line 1, key `bundel`")
    settings.write_text('[bundle]\npath = "nowhere"\n')
    refused(run("check", call, "--config", settings), says="nowhere")
    refused(run("check", call, "--config", tmp_path / "absent"), says="cannot read")


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
    settings.write_text('[trail]\ndirectory = "call.json/trail"\n')

    refused(
        run("check", written(tmp_path, CALL), "--config", settings),
        says="cannot create",
    )


def test_the_records_are_listed(made: Path) -> None:
    done = run("audit", "list", "--trail", made)

    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert (done.exit_code, done.stderr) == (0, "")
    assert len(lines) == 2 + 7
    assert all(len(line.rstrip()) <= 100 for line in lines), done.stdout
    assert [line.split()[4] for line in lines[2:]].count("decision") == 3


def test_the_list_as_json_has_one_record_a_line(made: Path) -> None:
    found = [
        json.loads(line)
        for line in run("audit", "list", "--json", "--trail", made).stdout.splitlines()
    ]

    assert [item["index"] for item in found] == [0, 1, 2, 3, 4, 5, 6]
    assert {item["origin"] for item in found} == {"acme.example/app-1"}
    assert found[1]["record"]["kind"] == "decision"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--kind", "outcome"), 3),
        (("--verdict", "allow"), 3),
        (("--verdict", "deny"), 0),
        (("--limit", "2"), 2),
        (("--kind", "decision", "--limit", "1"), 1),
        (("--call", "nothing"), 0),
    ],
)
def test_the_list_is_narrowed(made: Path, options: tuple[str, ...], count: int) -> None:
    done = run("audit", "list", "--json", "--trail", made, *options)

    assert len(done.stdout.splitlines()) == count


def test_a_record_is_shown_with_what_the_vault_knows(made: Path) -> None:
    (log,) = TrailReader.open(made).logs
    record = next(iter(log.entries())).record()
    entry = log.find("1")
    assert entry is not None

    by_index = run("audit", "show", "1", "--trail", made)
    by_prefix = run("audit", "show", entry.record().id[:20], "--trail", made)
    as_json = run("audit", "show", "--json", entry.record().id, "--trail", made)
    first = run("audit", "show", "0", "--trail", made)

    assert by_index.stdout == by_prefix.stdout
    assert CALLER in by_index.stdout
    assert "in the log: signed" in by_index.stdout
    assert json.loads(as_json.stdout)["record"] == entry.record().model_dump(
        mode="json"
    )
    assert json.loads(as_json.stdout)["vault"]["caller"] == CALLER
    assert record.id in first.stdout


def test_a_record_that_is_not_there_or_not_one_gets_one_line(made: Path) -> None:
    refused(run("audit", "show", "99", "--trail", made), says="no record `99`")
    refused(run("audit", "show", "01", "--trail", made), says="`01`")
    refused(run("audit", "show", "abc", "--trail", made), says="too short")
    refused(run("audit", "prove", "0000000000", "--trail", made), says="no record")
    (log,) = TrailReader.open(made).logs
    entry = log.find("1")
    assert entry is not None
    shared = entry.record().id[:8]
    refused(run("audit", "show", shared, "--trail", made), says="more than one record")
    refused(run("audit", "show", "1", "--log", "x", "--trail", made), says="no log `x`")


def test_what_was_erased_is_said_to_be(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    vault = sqlite3.connect(trail / "logs/app-1/vault.sqlite", isolation_level=None)
    vault.execute("DELETE FROM content")
    vault.close()

    shown = run("audit", "show", "1", "--trail", trail)
    verified = run("audit", "verify", "--trail", trail)

    assert "erased: this record is not replayable" in shown.stdout
    assert verified.exit_code == 2
    assert "INCOMPLETE" in verified.stdout
    assert "gone from the vault: 3" in verified.stdout


def test_a_log_can_be_handed_out_without_its_vault(made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(made, tmp_path / "copy")
    shutil.rmtree(copy / "keys")
    (copy / "logs/app-1/vault.sqlite").unlink()
    (copy / "callers.sqlite").unlink()
    lock = made.with_name("trail.lock")

    alone = run("audit", "verify", "--trail", copy)
    compared = run("audit", "verify", "--trail", copy, "--lock", lock)
    shown = run("audit", "show", "1", "--trail", copy)

    assert alone.exit_code == compared.exit_code == 2
    assert "no lock database beside this trail" in alone.stdout
    assert "compared with the lock database" in compared.stdout
    assert "gone from the vault: 3" in compared.stdout
    assert "not replayable" in shown.stdout
    assert run("audit", "prove", "1", "--trail", copy).exit_code == 0


def test_an_intact_trail_verifies(made: Path) -> None:
    done = run("audit", "verify", "--trail", made)
    as_json = run("audit", "verify", "--json", "--trail", made)

    head = TrailReader.open(made).logs[0].head()
    assert (done.exit_code, done.stderr) == (0, "")
    assert "INTACT: 7 signed checkpoints" in done.stdout
    assert json.loads(as_json.stdout) == {
        "intact": True,
        "logs": [
            {
                "origin": "acme.example/app-1",
                "size": 7,
                "root": head.frontier.root().hex(),
            }
        ],
        "checkpoints": 7,
        "erased": 0,
        "pending": 0,
        "lock_database": True,
    }


def test_a_changed_trail_ends_with_one_and_names_the_record(tmp_path: Path) -> None:
    trail = made_trail(tmp_path / "trail")
    log = trail / "logs/app-1/log.sqlite"
    entry = TrailReader.open(trail).logs[0].find("5")
    assert entry is not None
    lie = entry.body.replace(b'"pii"', b'"pij"')
    log.write_bytes(log.read_bytes().replace(entry.body, lie))

    done = run("audit", "verify", "--trail", trail)
    as_json = run("audit", "verify", "--json", "--trail", trail)

    assert done.exit_code == as_json.exit_code == 1
    assert done.stdout.startswith("TAMPERED: entry 5 of acme.example/app-1")
    assert json.loads(as_json.stdout)["intact"] is False


def test_allowed_calls_without_an_outcome_are_counted(tmp_path: Path) -> None:
    trail = Trail.open_or_create(tmp_path / "trail")
    append_pair(trail)
    trail.append_decision(decision(), caller=None, content={})
    trail.close()

    done = run("audit", "verify", "--trail", tmp_path / "trail")

    assert done.exit_code == 0
    assert "allowed calls without an outcome: 1" in done.stdout


def test_a_proof_is_verified_by_anyone_who_has_the_record_and_the_key(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "proof"

    printed = run("audit", "prove", "3", "--trail", made)
    done = run("audit", "prove", "3", "--out", out, "--trail", made)

    paths = [Path(line) for line in done.stdout.splitlines()]
    proof, leaf, trust = (path.read_bytes() for path in paths)
    assert printed.stdout.encode() == proof
    keys = TrustFile.parse(trust).log_keys()
    assert verify_proof_file(proof, leaf_bytes=leaf, vkeys=keys).size == 7
    assert json.loads(leaf)["id"] == paths[0].stem


def test_the_newest_checkpoint_is_printed_byte_for_byte(made: Path) -> None:
    (log,) = TrailReader.open(made).logs

    done = run("audit", "checkpoint", "--trail", made)

    assert done.stdout_bytes == log.head().note.encode()
    assert open_checkpoint(done.stdout, vkeys=[log.vkey]).size == 7


def test_the_public_keys_are_shown(made: Path) -> None:
    (log,) = TrailReader.open(made).logs

    shown = run("keys", "show", "--trail", made)
    pem = run("keys", "show", "--pem", "--trail", made)

    assert shown.stdout == f"{log.vkey.format()}\n"
    assert parse_public_pem(pem.stdout) == log.vkey.public_key


def test_a_key_is_made_once_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"

    made_key = run("keys", "generate", path)
    before = path.read_bytes()

    assert made_key.exit_code == 0
    assert parse_public_pem(made_key.stdout)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    refused(run("keys", "generate", path), says="exists already")
    refused(run("keys", "generate", tmp_path / "no/key.pem"), says="cannot be created")
    assert path.read_bytes() == before


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

        assert done.exit_code in ({1} if "verify" in command else {0, 2})
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
        ("demo", "--dir", __file__),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two_and_one_line(arguments: tuple[str, ...]) -> None:
    refused(run(*arguments), says="see `policyguard")


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

    assert b"\x1b[" not in piped.stdout
    assert b"\x1b[" in forced.stdout
