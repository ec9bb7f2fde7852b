"""Records: one canonical form each, closed, and without room for personal data."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from trails import DIGEST, TIME, decision, outcome

from policyguard.canonical import canonical_bytes, parse_json
from policyguard.vocabulary.record import (
    AUDIT_RECORD,
    Commitment,
    DecisionRecord,
    EvidenceRecord,
)

COMMITMENT = Commitment(bytes=2, value="ab" * 32)


@pytest.mark.parametrize(
    "record",
    [
        DecisionRecord(**decision(), caller=None, input=COMMITMENT),
        DecisionRecord(**decision(kind="check"), caller="ab" * 16, input=COMMITMENT),
        outcome("019f0000-0000-7000-8000-000000000000"),
        EvidenceRecord(
            id="019f0000-0000-7000-8000-000000000000",
            time=TIME,
            examined="impact",
            tier="checked",
            counts={"calls": 3, "flips": 0},
            bundle=None,
            catalog=None,
            version="0.1.0",
            document=DIGEST,
        ),
    ],
    ids=["decision", "check", "outcome", "evidence"],
)
def test_a_record_is_read_back_as_it_was_written(record: DecisionRecord) -> None:
    stored = canonical_bytes(record.model_dump(mode="json"))

    assert AUDIT_RECORD.validate_python(parse_json(stored)) == record


@pytest.mark.parametrize(
    "change",
    [
        {"caller": "alice@acme.example"},
        {"time": "2026-07-10T12:00:00Z"},
        {"at": "2026-07-10T12:00:00.000000+00:00"},
        {"kind": "genesis"},
        {"verdict": "maybe"},
        {"prompt": "hello"},
        {"v": 2},
        {"attempt": -1},
        {"model": "Some Model Name"},
    ],
)
def test_a_record_has_one_form_and_no_room_for_more(change: dict[str, object]) -> None:
    fields = {**decision(), "caller": None, "input": COMMITMENT, **change}

    with pytest.raises(ValidationError):
        DecisionRecord.model_validate(fields)


def test_an_outcome_holds_the_type_of_an_error_never_its_text() -> None:
    fields = outcome("x").model_dump() | {"outcome": "error"}

    assert AUDIT_RECORD.validate_python(fields | {"error": "openai.RateLimitError"})
    with pytest.raises(ValidationError):
        AUDIT_RECORD.validate_python(fields | {"error": "no credit for alice"})
