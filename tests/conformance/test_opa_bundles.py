"""Tests that OPA accepts our bundles and we accept its, signatures and all."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bundles import shipped_as
from hypothesis import given, settings
from hypothesis import strategies as st
from opa import opa_program
from unit.signing.test_jws import keys

from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.archive import pack, unpack
from policyguard.bundle.files import SIGNATURES
from policyguard.bundle.shipped import shipped_directory
from policyguard.bundle.signature import hash_of, sign_files, verify_files
from policyguard.bundle.source import load_directory, load_files
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import Settings

KINDS = [
    "EdDSA",
    "ES256",
    "ES384",
    "ES512",
    "RS256",
    "RS512",
    "PS256",
    "PS384",
    "HS256",
]


def opa(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [opa_program(), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@cache
def archive() -> Mapping[str, bytes]:
    return shipped_as("2026.11.7")


def written(folder: Path, algorithm: str) -> tuple[Path, Path]:
    """Write the key that signs and the key that verifies."""
    private, public = keys(algorithm)
    paths = folder / "private.pem", folder / "public.pem"
    paths[0].write_bytes(private.material)
    paths[1].write_bytes(public.material)
    return paths


@pytest.mark.parametrize("algorithm", KINDS)
def test_opa_verifies_what_we_sign(algorithm: str, tmp_path: Path) -> None:
    _, public = written(tmp_path, algorithm)
    files = archive()
    signed = {**files, SIGNATURES: sign_files(files, key=keys(algorithm)[0])}
    (tmp_path / "b.tar.gz").write_bytes(pack(signed))

    def build() -> subprocess.CompletedProcess[str]:
        return opa(
            "build", "-b", "b.tar.gz", "-o", "out.tar.gz",
            "--verification-key", public, "--verification-key-id", "k",
            "--signing-alg", algorithm,
            cwd=tmp_path,
        )  # fmt: skip

    assert (build().stderr, build().returncode) == ("", 0)

    (tmp_path / "b.tar.gz").write_bytes(pack({**signed, "a/b.rego": b"package a\n"}))

    assert build().returncode != 0


@pytest.mark.parametrize("algorithm", KINDS)
def test_we_verify_what_opa_signs(algorithm: str, tmp_path: Path) -> None:
    private, _ = written(tmp_path, algorithm)
    files = archive()
    (tmp_path / "b.tar.gz").write_bytes(pack(files))

    done = opa(
        "sign", "-b", "b.tar.gz", "--signing-key", private,
        "--signing-alg", algorithm, "-o", ".",
        cwd=tmp_path,
    )  # fmt: skip
    signed = {**files, SIGNATURES: (tmp_path / SIGNATURES).read_bytes()}

    assert done.returncode == 0, done.stderr
    verify_files(signed, keys=[keys(algorithm)[1]], name="x")


def test_what_opa_builds_and_signs_loads_here(tmp_path: Path) -> None:
    private, _ = written(tmp_path, "ES256")
    root = tmp_path / "root"
    shutil.copytree(
        shipped_directory(), root, ignore=shutil.ignore_patterns("catalog", "*.md")
    )
    # What OPA does not know it leaves out, so the promises are data here.
    (root / "policyguard/golden").mkdir()
    (root / "golden/vectors.json").rename(root / "policyguard/golden/data.json")
    (root / "golden").rmdir()
    revision = load_directory(shipped_directory()).revision

    done = opa(
        "build", "-b", ".", "-r", revision, "-o", tmp_path / "out.tar.gz",
        "--signing-key", private, "--signing-alg", "ES256",
        cwd=root,
    )  # fmt: skip
    files = unpack((tmp_path / "out.tar.gz").read_bytes())
    signer = keys("ES256")[1]
    verify_files(
        files,
        keys=[type(signer)(id="default", algorithm="ES256", material=signer.material)],
        name="x",
    )
    bundle, shipped = load_files(files, name="x"), load_directory(shipped_directory())

    # OPA writes some rules in another form, so the text may differ. What the bundle
    # promises is evaluated when it is loaded.
    snapshot = RegorusEngine().load(
        policy_set(bundle=bundle, catalog=catalog_of(Settings()))
    )

    assert done.returncode == 0, done.stderr
    assert snapshot.bundle_digest == bundle.digest
    assert (list(bundle.modules), bundle.rules, bundle.golden, bundle.data) == (
        list(shipped.modules),
        shipped.rules,
        shipped.golden,
        shipped.data,
    )


def test_opa_loads_and_tests_the_shipped_bundle(tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(
        shipped_directory(), root, ignore=shutil.ignore_patterns("catalog", "*.md")
    )

    done = opa("test", "-b", root, "--format", "json", cwd=tmp_path)
    results: list[dict[str, Any]] = json.loads(done.stdout or "[]")

    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr
    assert len(results) > 100
    assert [item["name"] for item in results if item.get("fail")] == []


DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NUMBERS = [
    "0",
    "-0",
    "1.0",
    "1.50",
    "1e3",
    "1E+3",
    "-2.5e-7",
    "100000000000000000000e-9",
]


def _signed_hashes(folder: Path, documents: list[bytes]) -> list[str]:
    """Return the hashes that OPA signs for some documents."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for index, data in enumerate(documents):
            entry = tarfile.TarInfo(f"d{index}/data.json")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    (folder / "d.tar.gz").write_bytes(body.getvalue())
    private, _ = written(folder, "ES256")
    done = opa(
        "sign", "-b", "d.tar.gz", "--signing-key", private, "--signing-alg", "ES256",
        "-o", ".", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    from policyguard.signing.jws import parse_jws

    token = json.loads((folder / SIGNATURES).read_bytes())["signatures"][0]
    files = {
        item["name"]: item["hash"]
        for item in json.loads(parse_jws(token).payload)["files"]
    }
    return [files[f"d{index}/data.json"] for index in range(len(documents))]


@settings(max_examples=12)
@given(values=st.lists(DOCUMENTS, min_size=30, max_size=60))
def test_documents_are_hashed_as_opa_hashes_them(
    values: list[object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("hash")
    documents = [
        json.dumps({"x": value}, ensure_ascii=index % 2 == 0).encode()
        for index, value in enumerate(values)
    ] + [f'{{"n": {text}}}'.encode() for text in NUMBERS]

    found = _signed_hashes(folder, documents)

    assert found == [hash_of("data.json", data) for data in documents]
