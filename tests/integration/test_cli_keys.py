"""`policyguard keys`: keys are made once, and shown as others read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.program import files_in, refused, run, run_program
from trails import decision, made_trail

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.signing.ed25519 import parse_public_pem


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
