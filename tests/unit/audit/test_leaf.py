"""The bytes of a record: the canonical form of what its model says."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from trails import DIGEST, TIME, decision, outcome

from policyguard.audit.leaf import MAX_LEAF_BYTES, body_of
from policyguard.audit.vault import commitment_of
from policyguard.canonical import canonical_bytes
from policyguard.errors import CanonicalError, NotDurableError
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
