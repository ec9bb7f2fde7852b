"""Signatures over weights, made and verified by the `model-signing` package itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from policyguard.canonical import digest
from policyguard.catalog.schema import WeightsSignature
from policyguard.catalog.weights.signature import Signer, verify_weights_signature
from policyguard.errors import ConfigurationError, InvalidSignatureError

pytest.importorskip("model_signing", reason="model-signing is not installed")


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"]
    subprocess.run([*command, "-out", private], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "ec", "-in", private, "-pubout", "-out", public],
        check=True,
        capture_output=True,
    )
    return private, public


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return weights, their signature and the public key."""
    from model_signing.signing import Config

    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.gguf").write_bytes(b"GGUF\x03")
    (weights / "config.json").write_text("{}")
    private, public = key_pair(tmp_path, "signer")
    bundle = tmp_path / "model.sig"
    Config().use_elliptic_key_signer(private_key=private).sign(weights, bundle)
    return weights, bundle, public


def test_a_signature_of_the_named_key_over_these_files_holds(
    signed: tuple[Path, Path, Path],
) -> None:
    weights, bundle, public = signed

    found = verify_weights_signature(
        weights, bundle=bundle, signer=Signer(public_key=public)
    )

    assert found == WeightsSignature(
        method="key",
        signer=f"sha256:{digest(public.read_bytes())}",
        bundle=digest(bundle.read_bytes()),
    )


@pytest.mark.parametrize("change", ["edit", "add", "remove", "bundle"])
def test_any_change_breaks_it(signed: tuple[Path, Path, Path], change: str) -> None:
    weights, bundle, public = signed
    if change == "edit":
        (weights / "model.gguf").write_bytes(b"GGUF\x04")
    elif change == "add":
        (weights / "run.py").write_text("")
    elif change == "remove":
        (weights / "config.json").unlink()
    else:
        bundle.write_bytes(bundle.read_bytes().replace(b'"payload"', b'"payloaf"'))

    with pytest.raises(InvalidSignatureError, match=r"is no signature of the key over"):
        verify_weights_signature(
            weights, bundle=bundle, signer=Signer(public_key=public)
        )


def test_another_key_is_not_the_signer(
    tmp_path: Path, signed: tuple[Path, Path, Path]
) -> None:
    weights, bundle, _ = signed
    _, other = key_pair(tmp_path, "other")

    with pytest.raises(InvalidSignatureError):
        verify_weights_signature(
            weights, bundle=bundle, signer=Signer(public_key=other)
        )


def test_a_signature_without_a_named_signer_proves_nothing(
    signed: tuple[Path, Path, Path],
) -> None:
    weights, bundle, _ = signed

    for signer in (
        Signer(),
        Signer(identity="a@b.example"),
        Signer(issuer="https://x"),
    ):
        with pytest.raises(
            ConfigurationError, match="a signature alone proves nothing"
        ):
            verify_weights_signature(weights, bundle=bundle, signer=signer)


def test_files_that_are_not_there_are_said_so(
    tmp_path: Path, signed: tuple[Path, Path, Path]
) -> None:
    weights, bundle, public = signed

    with pytest.raises(ConfigurationError, match="there is no signature file"):
        verify_weights_signature(
            weights, bundle=tmp_path / "no", signer=Signer(public_key=public)
        )
    with pytest.raises(ConfigurationError, match="cannot read"):
        verify_weights_signature(
            weights, bundle=bundle, signer=Signer(public_key=tmp_path / "no")
        )
