"""The bytes of a record: the canonical form of what its model says."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from trails import DIGEST, TIME, decision, outcome

from policyguard.audit.leaf import MAX_LEAF_BYTES, body_of
from policyguard.audit.reader import Entry
from policyguard.audit.vault import commitment_of
from policyguard.canonical import canonical_bytes
from policyguard.errors import CanonicalError, FormatError, NotDurableError
from policyguard.vocabulary.record import AUDIT_RECORD, AnyRecord

ID = "019f0000-0000-7000-8000-000000000000"
COMMITTED = commitment_of(b"content", salt=b"s" * 32).model_dump()
BUNDLE = {"revision": '1 é \u2028 \x7f \\ "', "digest": DIGEST}
CATALOG = {"version": "1", "digest": DIGEST}
ENGINE = {"name": "regorus", "version": "1", "digest": DIGEST}
RULE = {
    "id": "GDPR-01",
    "effect": "deny",
    "status": "in_force",
    "verified": True,
    "missing": ["data.classes"],
    "softened": [{"by": "override", "id": "o-1", "effect": "deny"}],
}
UNTRACED = (
    b'{"at":"2026-07-10T12:00:00.000001Z","attempt":0,"bundle":{"digest":"%(digest)b",'
    b'"revision":"1"},"call_id":"%(id)b","caller":null,"catalog":{"digest":'
    b'"%(digest)b","replaced":[],"version":"1"},"code":null,"countries":["FR"],'
    b'"data_classes":["pii"],"deployments":["glm-5.2@api.scaleway.ai"],"enforced":true,'
    b'"engine":{"digest":"%(digest)b","name":"regorus","version":"1"},"id":"%(id)b",'
    b'"input":{"alg":"HMAC-SHA256","bytes":7,"value":"6f93d30648f2a13c403eca57ca7fb5da'
    b'24377900cb4af9303afa00552e85d026"},"kind":"decision","layer":"call","model":'
    b'"glm-5.2","obligations":[],"operators":["scaleway"],"prompt":null,"purpose":'
    b'"inference","rules":[],"simulated":true,"tenant":"acme","time":'
    b'"2026-07-10T12:00:00.000001Z","v":1,"verdict":"allow"}'
) % {b"digest": DIGEST.encode(), b"id": ID.encode()}
"""What was written before records had traces."""
RECORDS: list[dict[str, Any]] = [
    {
        "kind": "genesis",
        "origin": "acme.example/app-1",
        "vkey": "key",
        "version": "1",
        "predecessor": {
            "origin": "acme.example/app-2",
            "size": 7,
            "root": "ab" * 32,
            "reason": "the key was copied",
        },
    },
    {**decision(), "caller": None, "input": COMMITTED, "rules": [RULE]},
    {
        **decision(kind="check", countries=None),
        "caller": "ab" * 16,
        "input": COMMITTED,
        "prompt": COMMITTED,
        "trace": {"trace_id": "ab" * 16, "span_id": "cd" * 8},
        "tool": "search the web",
    },
    outcome("x").model_dump() | {"answer": COMMITTED, "served_countries": ["FR"]},
    {
        "kind": "policy.load",
        "source": "archive",
        "previous": BUNDLE,
        "bundle": BUNDLE,
        "catalog": CATALOG,
        "engine": ENGINE,
    },
    {"kind": "policy.reject", "source": "archive", "code": "bundle.malformed"},
    {
        "kind": "erase",
        "trail": "acme.example",
        "reason": "request",
        "records": [ID],
        "callers": ["ab" * 16],
        "people": [],
        "kept": 0,
        "by": "key",
        "signature": "abcd",
    },
    {"kind": "key.rotate", "origin": "o", "old": "a", "new": "b"},
    {
        "kind": "approval.grant",
        "approval": "a-1",
        "decision": ID,
        "rule": "GDPR-01",
        "tenant": "acme",
        "caller": "ab" * 16,
        "by": "cd" * 16,
        "until": TIME,
        "uses": 1,
        "bundle": "ab" * 32,
        "input": COMMITTED,
    },
    {
        "kind": "evidence",
        "examined": "impact",
        "tier": "checked",
        "counts": {"flips": 0, "calls": 3},
        "bundle": None,
        "catalog": CATALOG,
        "version": "0.1.0",
        "document": DIGEST,
    },
]


def made(fields: dict[str, Any]) -> AnyRecord:
    return AUDIT_RECORD.validate_python({"id": ID, "time": TIME} | fields)


@pytest.mark.parametrize("fields", RECORDS, ids=lambda fields: str(fields["kind"]))
def test_a_leaf_is_the_canonical_form_of_what_the_record_dumps(
    fields: dict[str, Any],
) -> None:
    record = made(fields)

    assert body_of(record) == canonical_bytes(record.model_dump(mode="json"))


def test_a_decision_in_no_span_has_the_leaf_that_it_always_had() -> None:
    fields = decision(id=ID, call_id=ID) | {"caller": None, "input": COMMITTED}
    trace = {"trace_id": "ab" * 16, "span_id": "cd" * 8}

    assert body_of(made(fields)) == UNTRACED
    assert body_of(made(fields | {"trace": None, "tool": None})) == UNTRACED
    assert body_of(made(fields | {"trace": trace})) == UNTRACED.replace(
        b'"v":1',
        b'"trace":{"span_id":"cdcdcdcdcdcdcdcd",'
        b'"trace_id":"abababababababababababababababab"},"v":1',
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"trace":null,"v":1'),
        (b'"v":1', b'"tool":null,"v":1'),
        (b'"attempt":0', b'"attempt":false'),
        (b'"replaced":[],', b""),
    ],
)
def test_a_leaf_that_says_a_record_otherwise_is_not_in_its_one_form(
    old: bytes, new: bytes
) -> None:
    body = UNTRACED.replace(old, new)
    entry = Entry(origin="acme.example/app-1", index=1, body=body, leaf=b"")

    with pytest.raises(FormatError, match="not in its one form"):
        entry.record()


@pytest.mark.parametrize(
    "trace",
    [
        {"trace_id": "AB" * 16, "span_id": "cd" * 8},
        {"trace_id": "ab" * 15, "span_id": "cd" * 8},
        {"trace_id": "ab" * 16, "span_id": "cd" * 9},
        {"trace_id": "ab" * 16},
        {"trace_id": "ab" * 16, "span_id": "cd" * 8, "state": "alice"},
    ],
)
def test_a_record_has_room_for_the_ids_of_a_span_alone(trace: dict[str, str]) -> None:
    fields = decision() | {"caller": None, "input": COMMITTED, "trace": trace}

    with pytest.raises(ValidationError):
        made(fields)


def test_a_record_of_each_kind_was_looked_at() -> None:
    assert {type(made(fields)) for fields in RECORDS} == set(get_args(AnyRecord))


@pytest.mark.parametrize(
    "value",
    ["\ud800", datetime(2026, 7, 10, tzinfo=UTC), {"a"}, b"a", SimpleNamespace(a=1)],
)
def test_what_has_no_one_form_makes_no_leaf(value: object) -> None:
    record = outcome("x").model_copy(update={"served_model": value})

    with pytest.raises(CanonicalError, match="no canonical form"):
        body_of(record)


def test_a_leaf_is_no_longer_than_it_may_be() -> None:
    record = outcome("x").model_copy(update={"served_model": "m" * MAX_LEAF_BYTES})

    with pytest.raises(NotDurableError, match="is longer than"):
        body_of(record)
