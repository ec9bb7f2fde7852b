"""`policyguard bundle`: what is built is signed, verified, shown and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bundles import shipped_as, signed
from integration.program import refused as expect_refusal
from integration.program import run

from policyguard.assembly import catalog_of
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.shipped import load_shipped
from policyguard.settings import Settings


@pytest.fixture
def key(tmp_path: Path) -> Path:
    made = run("keys", "generate", tmp_path / "acme.pem")
    (tmp_path / "acme.pub").write_text(made.stdout)
    return tmp_path / "acme.pem"


def test_what_is_built_is_the_shipped_bundle(tmp_path: Path) -> None:
    run("bundle", "build", "-o", tmp_path / "a.tar.gz")
    run("bundle", "build", "-o", tmp_path / "b.tar.gz")
    shown = json.loads(run("bundle", "inspect", "--json", tmp_path / "a.tar.gz").stdout)

    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert (shown["digest"], shown["signed"]) == (load_shipped().digest, None)


def test_the_catalog_is_built_for_opa(tmp_path: Path) -> None:
    built = run("bundle", "build", "--catalog", "-o", tmp_path / "c.tar.gz")
    files = unpack((tmp_path / "c.tar.gz").read_bytes())
    catalog = catalog_of(Settings())

    assert built.exit_code == 0
    assert files["catalog/data.json"] == catalog.document_json
    assert json.loads(files["served/data.json"]) == {"catalog": catalog.digest}


def test_what_is_signed_verifies(key: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    run("bundle", "build", "-o", archive)
    done = run("bundle", "sign", archive, "--key", key)
    verified = run("bundle", "verify", archive, "--key", tmp_path / "acme.pub")

    assert (done.exit_code, verified.exit_code) == (0, 0)
    assert verified.stdout.startswith("SIGNED: each of ")
    assert "what acme signed (EdDSA)" in verified.stdout


def test_building_and_signing_is_one_step_or_two(key: Path, tmp_path: Path) -> None:
    run("bundle", "build", "-o", tmp_path / "one.tar.gz", "--key", key)
    run("bundle", "build", "-o", tmp_path / "two.tar.gz")
    run("bundle", "sign", tmp_path / "two.tar.gz", "--key", key)

    assert (tmp_path / "one.tar.gz").read_bytes() == (
        tmp_path / "two.tar.gz"
    ).read_bytes()


def test_what_was_changed_is_named(key: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    run("bundle", "build", "-o", archive, "--key", key)
    files = {**unpack(archive.read_bytes())}
    files["policyguard/main/main.rego"] += b"\n"
    archive.write_bytes(pack(files))

    expect_refusal(
        run("bundle", "verify", archive, "--key", tmp_path / "acme.pub"),
        says="`policyguard/main/main.rego` is not what was signed",
    )


def test_what_nobody_signed_is_refused(key: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    run("bundle", "build", "-o", archive)

    expect_refusal(
        run("bundle", "verify", archive, "--key", tmp_path / "acme.pub"),
        says="the bundle is not signed",
    )


def test_a_key_that_others_may_read_does_not_sign(key: Path, tmp_path: Path) -> None:
    key.chmod(0o644)

    expect_refusal(
        run("bundle", "build", "-o", tmp_path / "a.tar.gz", "--key", key),
        says="is open to others than its owner",
    )
    assert not (tmp_path / "a.tar.gz").exists()


def test_options_of_a_key_without_a_key_are_refused(tmp_path: Path) -> None:
    expect_refusal(
        run("bundle", "build", "-o", tmp_path / "a.tar.gz", "--algorithm", "ES256"),
        says="there is no key to sign with",
    )


def test_the_shipped_bundle_is_shown_without_being_named() -> None:
    shown = run("bundle", "inspect")

    assert shown.exit_code == 0
    assert load_shipped().digest in shown.stdout
    assert "GDPR-01" in shown.stdout


def test_the_same_bundle_differs_in_nothing(tmp_path: Path) -> None:
    run("bundle", "build", "-o", tmp_path / "a.tar.gz")
    done = run("bundle", "diff", tmp_path / "a.tar.gz", tmp_path / "a.tar.gz")

    assert (done.exit_code, done.stdout.startswith("the same: ")) == (0, True)


def test_what_differs_is_said(tmp_path: Path) -> None:
    old, new = tmp_path / "old.tar.gz", tmp_path / "new.tar.gz"
    old.write_bytes(pack(shipped_as("2026.11.7")))
    new.write_bytes(signed(shipped_as("2026.11.8", gdpr_01=b"\n# looser\n"), tmp_path))
    shown = run("bundle", "diff", old, new)
    found = json.loads(run("bundle", "diff", "--json", old, new).stdout)

    assert shown.exit_code == 1
    assert "2026.11.7 → 2026.11.8" in shown.stdout
    assert "~ rule GDPR-01" in shown.stdout
    assert list(found["rules"]["changed"]) == ["GDPR-01"]
    assert found["files"] == {
        ".manifest": "changed",
        "policyguard/rulebook/data.json": "changed",
        "policyguard/rules/gdpr/gdpr_01.rego": "changed",
    }


@pytest.mark.parametrize("command", ["inspect", "sign", "verify", "diff"])
def test_what_is_no_bundle_is_refused_in_one_line(
    command: str, key: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.tar.gz"
    odd.write_bytes(b"\x1b[2Jodd")
    more = {
        "inspect": (),
        "diff": (odd,),
        "sign": ("--key", key),
        "verify": ("--key", tmp_path / "acme.pub"),
    }[command]

    expect_refusal(run("bundle", command, odd, *more), says="is not gzip")
