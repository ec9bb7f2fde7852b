"""Tests of the signatures of bundles, where ours are stricter than OPA's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bundles import KEY_ID, PUBLIC, private_key

from policyguard.bundle.signature import (
    Signed,
    hash_of,
    sign_files,
    signer_of,
    verify_files,
)
from policyguard.errors import BundleError
from policyguard.signing.jws import JwsKey, sign_jws

FILES = {
    ".manifest": b'{"revision": "1"}',
    "a/b.rego": b"package a\n",
    "a/data.json": b'{"x": 1.0}',
}
SIGNATURES = ".signatures.json"


@pytest.fixture
def key(tmp_path: Path) -> JwsKey:
    return private_key(tmp_path)


def with_signature(key: JwsKey, **more: Any) -> dict[str, bytes]:
    return {**FILES, SIGNATURES: sign_files(FILES, key=key, **more)}


def with_payload(key: JwsKey, payload: object) -> dict[str, bytes]:
    token = sign_jws(json.dumps(payload).encode(), key=key)
    return {**FILES, SIGNATURES: json.dumps({"signatures": [token]}).encode()}


def listed(**changes: Any) -> list[dict[str, Any]]:
    return [
        {"name": path, "hash": hash_of(path, data), "algorithm": "SHA-256", **changes}
        for path, data in FILES.items()
    ]


def refusal(files: Mapping[str, bytes], **more: Any) -> str:
    with pytest.raises(BundleError) as caught:
        verify_files(files, **{"keys": [PUBLIC], "name": "`x`", **more})
    message = str(caught.value)
    assert message.startswith("`x`: ")
    assert "\n" not in message
    return message


def test_a_bundle_is_signed_by_whom_it_says(key: JwsKey) -> None:
    files = with_signature(key, scope="prod")

    signed = verify_files(files, keys=[PUBLIC], scope="prod", name="x")

    assert signed == signer_of(files)
    assert signed == Signed(key=KEY_ID, algorithm="EdDSA", scope="prod")


def test_a_bundle_that_is_not_signed_is_refused() -> None:
    assert "is not signed" in refusal(FILES)
    assert signer_of(FILES) is None


@pytest.mark.parametrize("path", ["a/.signatures.json", "x.signatures.json"])
def test_only_the_signature_at_the_root_counts(path: str, key: JwsKey) -> None:
    assert "is not signed" in refusal({**FILES, path: sign_files(FILES, key=key)})


@pytest.mark.parametrize("path", ["patch.json", "a/patch.json"])
def test_a_delta_bundle_is_refused(path: str, key: JwsKey) -> None:
    files = {**FILES, path: b"{}"}

    assert "is a delta bundle" in refusal(
        {**files, SIGNATURES: sign_files(files, key=key)}
    )


@pytest.mark.parametrize("path", FILES)
def test_a_changed_file_is_named(path: str, key: JwsKey) -> None:
    files = with_signature(key)
    files[path] = files[path].replace(b"a", b"b").replace(b"1", b"2")

    assert f"`{path}` is not what was signed" in refusal(files)


@pytest.mark.parametrize("path", FILES)
def test_a_missing_file_is_named(path: str, key: JwsKey) -> None:
    files = with_signature(key)
    del files[path]

    assert f"`{path}` was signed and is missing" in refusal(files)


def test_a_file_that_was_not_signed_is_named(key: JwsKey) -> None:
    assert "`c.rego` is not signed" in refusal({**with_signature(key), "c.rego": b""})


def test_a_document_may_be_written_in_another_way(key: JwsKey) -> None:
    files = with_signature(key)
    files[".manifest"] = b'{ "revision" : "\\u0031" }'

    verify_files(files, keys=[PUBLIC], name="x")


@pytest.mark.parametrize("text", [b'{"x": 1}', b'{"x": 1.00}', b'{"x": "1.0"}'])
def test_another_number_is_another_document(text: bytes, key: JwsKey) -> None:
    assert "is not what was signed" in refusal(
        {**with_signature(key), "a/data.json": text}
    )


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    stranger = JwsKey(
        id="stranger",
        algorithm="EdDSA",
        material=private_key(tmp_path, seed=b"x" * 32).material,
    )

    assert "the key `stranger`, which is not trusted" in refusal(
        with_signature(stranger)
    )


def test_another_key_of_the_same_name_does_not_hold(tmp_path: Path) -> None:
    stranger = private_key(tmp_path, seed=b"x" * 32)

    assert "does not hold" in refusal(with_signature(stranger))


@pytest.mark.parametrize("scope", ["", "prod", "PROD", "prod "])
def test_another_scope_is_refused(scope: str, key: JwsKey) -> None:
    files = with_signature(key, scope="test")

    assert "is for the scope `test`" in refusal(files, scope=scope)


def test_a_signature_without_a_key_id_needs_a_single_key(key: JwsKey) -> None:
    nameless = JwsKey(id="", algorithm="EdDSA", material=key.material)
    other = JwsKey(id="other", algorithm="EdDSA", material=PUBLIC.material)
    files = with_signature(nameless)

    verify_files(files, keys=[PUBLIC], name="x")

    assert "names no key" in refusal(files, keys=[PUBLIC, other])
    assert "names no key" in refusal(files, keys=[])


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "MD5"},
        {"algorithm": "SHA-1"},
        {"algorithm": "sha-256"},
        {"algorithm": ""},
        {"algorithm": None},
        {"hash": ""},
        {"hash": "00"},
        {"hash": 1},
        {"name": None},
        {"name": "a/b.rego"},
    ],
)
def test_a_list_of_files_that_proves_nothing_is_refused(
    changes: dict[str, Any], key: JwsKey
) -> None:
    refusal(with_payload(key, {"files": listed(**changes), "keyid": KEY_ID}))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {},
        {"files": {}},
        {"files": [1]},
        {"files": []},
        {"files": listed(), "keyid": "other"},
        {"files": listed(), "scope": ["prod"]},
        {"files": listed(), "scope": None},
    ],
)
def test_a_payload_of_another_form_is_refused(payload: object, key: JwsKey) -> None:
    refusal(with_payload(key, payload))


@pytest.mark.parametrize(
    "change",
    [
        lambda token: b"",
        lambda token: b"[]",
        lambda token: b"{}",
        lambda token: {"signatures": []},
        lambda token: {"signatures": [token, token]},
        lambda token: {"signatures": token},
        lambda token: {"signatures": [None]},
        lambda token: {"signatures": [token], "plugin": "custom"},
        lambda token: {"signatures": [token], "more": 1},
        lambda token: {"signatures": [token.rpartition(".")[0] + "."]},
    ],
)
def test_a_signatures_file_of_another_form_is_refused(change: Any, key: JwsKey) -> None:
    token = json.loads(sign_files(FILES, key=key))["signatures"][0]
    made = change(token)
    data = made if isinstance(made, bytes) else json.dumps(made).encode()

    refusal({**FILES, SIGNATURES: data})


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("SHA-224", 56),
        ("SHA-256", 64),
        ("SHA-384", 96),
        ("SHA-512", 128),
        ("SHA-512-224", 56),
        ("SHA-512-256", 64),
    ],
)
def test_every_strong_hash_of_opa_is_known(
    algorithm: str, expected: int, key: JwsKey
) -> None:
    entries = [
        {
            "name": path,
            "hash": hash_of(path, data, algorithm=algorithm),
            "algorithm": algorithm,
        }
        for path, data in FILES.items()
    ]

    verify_files(with_payload(key, {"files": entries}), keys=[PUBLIC], name="x")

    assert {len(entry["hash"]) for entry in entries} == {expected}


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 100])
def test_a_document_that_parsers_read_in_two_ways_is_not_signed(
    data: bytes, key: JwsKey
) -> None:
    with pytest.raises(BundleError, match=r"a/data\.json"):
        sign_files({**FILES, "a/data.json": data}, key=key)
