"""`policyguard keys`: keys are made once, and shown as others read them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from house.repository import DOCS, marked_blocks
from integration.program import COMMAND, files_in, refused, run, run_program
from trails import copied, decision, made_trail

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.errors import ConfigurationError
from policyguard.signing.ed25519 import Ed25519Signer, parse_public_pem
from policyguard.signing.keyring import VerifierKey


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("cli") / "trail")


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


def test_a_key_is_not_put_where_nothing_may_be_written(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o555)

    done = run_program("keys", "generate", place / "key.pem", restricted=True)

    refused(done, says="key.pem")
    assert files_in(place) == {}


def test_the_keys_of_several_logs_are_shown_and_one_is_chosen(tmp_path: Path) -> None:
    place = made_trail(tmp_path / "trail")
    other = Trail.open_or_create(place, role="cli")
    other.append_decision(
        decision(time="2126-07-10T12:00:00.000000Z"), caller=None, content={}
    )
    other.close()
    first, last = TrailReader.open(place).logs

    every = run("keys", "show", "--trail", place)
    one = run("keys", "show", "--log", first.origin, "--trail", place)
    newest = run("keys", "show", "--pem", "--trail", place)

    assert every.stdout == f"{first.vkey.format()}\n{last.vkey.format()}\n"
    assert one.stdout == f"{first.vkey.format()}\n"
    assert parse_public_pem(newest.stdout) == last.vkey.public_key
    refused(run("keys", "show", "--log", "x", "--trail", place), says="no log `x`")


def test_a_key_is_made_with_a_passphrase_from_a_file_or_a_prompt(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "secret").chmod(0o600)

    from_file = run(
        "keys", "generate", tmp_path / "a.pem", "--passphrase-file", tmp_path / "secret"
    )
    typed = run(
        "keys", "generate", tmp_path / "b.pem", "--ask-passphrase", stdin="x y\nx y\n"
    )

    for made_key, path, passphrase in (
        (from_file, tmp_path / "a.pem", b"correct horse"),
        (typed, tmp_path / "b.pem", b"x y"),
    ):
        assert made_key.exit_code == 0
        signer = Ed25519Signer.load(path, key_name="a", passphrase=passphrase)
        assert parse_public_pem(made_key.stdout) == signer.public_key
        with pytest.raises(ConfigurationError, match="give its passphrase"):
            Ed25519Signer.load(path, key_name="a")


def test_a_person_whose_key_is_encrypted_can_show_it_and_sign_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("keys", "generate", "ciso.pem", "--ask-passphrase", stdin="x y\nx y\n")
    asked = ("keys", "vkey", "ciso.pem", "ciso@acme.example")
    signing = (
        "policy", "override", "GDPR-01", "softer.note", "--to", "advise",
        "--by", "ciso@acme.example", "--key", "ciso.pem", "--until", "30d",
        "--reason", "for a test", "--config", "softer.toml",
    )  # fmt: skip

    line = run(*asked, "--ask-passphrase", stdin="x y\n").stdout
    Path("people").write_text(f"overrider {line}")
    Path("softer.toml").write_text('[authority]\npeople = "people"\n')
    signed = run(*signing, "--ask-passphrase", stdin="x y\n")

    key = Ed25519Signer.load("ciso.pem", key_name="a", passphrase=b"x y")
    assert VerifierKey.parse(line.strip()).public_key == key.public_key
    note = Path("softer.note").read_text()
    assert (signed.exit_code, note.count("— ciso@acme.example ")) == (0, 1)
    refused(run(*asked), says="give its passphrase")
    refused(run(*signing), says="give its passphrase")


def test_the_guide_to_keys_rotates_and_closes(made: Path, tmp_path: Path) -> None:
    trail = copied(made, tmp_path / "trail")
    printed = {}
    for name, text in marked_blocks(DOCS / "how-to/rotate-and-revoke-keys.md").items():
        done = subprocess.run(
            ["sh", "-eu", "-c", text],
            env={
                **os.environ,
                "PATH": f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}",
                "POLICYGUARD_TRAIL": str(trail),
                "ORIGIN": "acme.example/app-1",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (name, done.returncode, done.stderr) == (name, 0, "")
        printed[name] = done.stdout

    old, closed = TrailReader.open(trail).logs[0], TrailReader.open(trail).logs[1]
    assert printed["keys-rotate"] == f"{old.origin}: new key\n  {old.vkey.format()}\n"
    assert printed["keys-show"].splitlines()[:2] == [
        vkey.format() for vkey in old.vkeys
    ]
    assert "INTACT" in printed["keys-show"]
    assert f"successor  {closed.origin}\n" in printed["keys-compromise"]


def test_keys_print_what_programs_read(made: Path, tmp_path: Path) -> None:
    trail = copied(made, tmp_path / "trail")

    rotated = run("keys", "rotate", "--json", "--trail", trail)
    closed = run(
        "keys", "compromise", "--log", "acme.example/app-1", "--reason", "stolen",
        "--json", "--trail", trail,
    )  # fmt: skip
    left = run("keys", "rotate", "--json", "--trail", trail)

    old, new = TrailReader.open(trail).logs
    assert json.loads(rotated.stdout) == {
        "origin": old.origin,
        "new": old.vkey.format(),
    }
    document = json.loads(closed.stdout)
    assert (document["origin"], document["vkey"]) == (new.origin, new.vkeys[0].format())
    assert document["predecessor"]["reason"] == "stolen"
    assert [json.loads(line)["new"] for line in left.stdout.splitlines()] == [
        None,
        new.vkey.format(),
    ]


def test_what_cannot_be_rotated_or_closed_says_why(made: Path, tmp_path: Path) -> None:
    trail = copied(made, tmp_path / "trail")
    name = "acme.example/app-1"
    writing = Trail.open(trail)

    refused(run("keys", "rotate", "--log", name, "--trail", trail), says="in use")
    refused(
        run("keys", "compromise", "--log", name, "--reason", "x", "--trail", trail),
        says="in use",
    )
    writing.close()
    refused(
        run("keys", "compromise", "--log", name, "--reason", "", "--trail", trail),
        says="the reason has 1 to 500",
    )
    refused(run("keys", "rotate", "--log", "nothing", "--trail", trail), says="no log")
    assert len(TrailReader.open(trail).log(name).vkeys) == 1


def test_an_exported_chain_of_logs_is_verified(made: Path, tmp_path: Path) -> None:
    trail = copied(made, tmp_path / "trail")
    name = "acme.example/app-1"
    run("keys", "rotate", "--trail", trail)
    run("keys", "compromise", "--log", name, "--reason", "x", "--trail", trail)
    out, trust = tmp_path / "out", trail / "trust"
    run("audit", "export", out, "--trail", trail)

    whole = run("audit", "verify", out, "--trust", trust)
    lines = trust.read_text().splitlines(keepends=True)
    trust.write_text("".join(lines[2:]))
    shutil.rmtree(out / "app-1")
    cut = run("audit", "verify", out, "--trust", trust)

    assert whole.exit_code == 0, whole.output
    assert cut.exit_code == 1
    assert "acme.example/app-1, which acme.example/app-2 continues, is missing" in (
        " ".join(cut.stdout.split())
    )
