"""Forms of records: what one matches is what full validation says of the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trails import append_pair, decision, made_trail, outcome

from policyguard.audit.leaf import body_of
from policyguard.audit.reader import Entry
from policyguard.audit.record_forms import Brief, Forms, brief_of
from policyguard.audit.trail import Trail
from policyguard.audit.vault import commitment_of
from policyguard.audit.verify import verify_trail
from policyguard.errors import FormatError, TamperedError
from policyguard.vocabulary.record import AnyRecord, DecisionRecord

COMMITTED = commitment_of(b"content", salt=b"s" * 32)
INTERESTING = b'0aA9-"\\{}[]:, Z\x00\xff'


def made(**changes: Any) -> DecisionRecord:
    """Return a decision's record."""
    fields = decision(caller="ab" * 16, input=COMMITTED, prompt=None) | changes
    return DecisionRecord.model_validate(fields)


def ended(**changes: Any) -> AnyRecord:
    """Return an outcome's record."""
    return outcome(str(decision()["id"])).model_copy(update=changes)


def entry_of(body: bytes) -> Entry:
    return Entry(origin="acme.example/app-1", index=1, body=body, leaf=b"")


def taught(record: AnyRecord, *, times: int = 64) -> Forms:
    """Return forms that have seen a record so often."""
    forms = Forms()
    for _ in range(times):
        forms.learn(entry_of(body_of(record)), record)
    return forms


RECORDS = {
    "outcome": ended(),
    "outcome with all": ended(
        status=200, answer=COMMITTED, input_tokens=1, output_tokens=4821
    ),
    "decision": made(),
    "denial": made(verdict="deny", rules=(), code=None),
    "observed": made(verdict="deny", enforced=False),
    "text like a key": made(
        bundle={
            "revision": '","id":"0123abcd-4567-89ef-0123-456789abcdef',
            "digest": "ab" * 32,
        }
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_each_byte_that_is_changed_is_seen_as_full_validation_sees_it(
    name: str,
) -> None:
    record = RECORDS[name]
    body = body_of(record)
    forms = taught(record)
    known = 0

    for place in range(len(body)):
        for byte in INTERESTING:
            changed = body[:place] + bytes([byte]) + body[place + 1 :]
            brief = forms.read(changed)
            if brief is not None:
                known += 1
                assert brief == brief_of(entry_of(changed).record())

    assert forms.read(body) == brief_of(record)
    assert known > len(body) // 2


@given(
    numbers=st.tuples(*[st.integers(min_value=0, max_value=2**53 - 1)] * 2),
    flip=st.integers(min_value=0, max_value=10_000),
    width=st.integers(min_value=0, max_value=3),
    into=st.binary(max_size=3),
)
@settings(max_examples=200)
def test_whatever_a_form_accepts_is_a_record(
    numbers: tuple[int, int], flip: int, width: int, into: bytes
) -> None:
    body = body_of(ended(input_tokens=numbers[0], output_tokens=numbers[1]))
    forms = taught(ended(input_tokens=numbers[0], output_tokens=numbers[1]))
    place = flip % len(body)
    changed = body[:place] + into + body[place + width :]

    brief = forms.read(changed)

    if brief is not None:
        assert brief == brief_of(entry_of(changed).record())


def test_a_form_is_made_of_what_comes_often_and_of_nothing_else() -> None:
    record = ended()
    body = body_of(record)

    seldom, often = taught(record, times=63), taught(record)

    assert seldom.read(body) is None
    assert often.read(body) == Brief(id=record.id, decision=record.decision)


def test_a_record_with_a_prompt_has_no_form() -> None:
    record = made(prompt=COMMITTED)

    assert taught(record).read(body_of(record)) is None


def test_the_forms_that_are_known_are_bounded() -> None:
    forms = Forms()
    for length in range(200):
        record = made(model="m" * (1 + length % 100), tenant="t" * (1 + length // 2))
        for _ in range(64):
            forms.learn(entry_of(body_of(record)), record)

    assert len(forms._forms) <= 64
    assert max(map(len, forms._forms.values())) <= 8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"complete"', b'"finished"'),
        (b'"error":null', b'"error": null'),
        (b'"v":1', b'"v":2'),
        (b'"kind":"outcome"', b'"kind":"genesis"'),
    ],
)
def test_a_signed_record_that_is_none_is_found_among_many_of_one_form(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    directory = made_trail(tmp_path / "trail", pairs=1)
    trail = Trail.open(directory)
    for number in range(150):
        trail.append_later(outcome(f"x{number:03}"), failed=print)
    trail.flush()
    append_pair(trail)
    body = body_of(outcome("x999"))
    # As somebody with the key writes it, past everything that validates.
    trail._process.recorder._writer.append([body.replace(old, new)], sealed=())
    trail.close()

    with pytest.raises(FormatError):
        entry_of(body.replace(old, new)).record()
    with pytest.raises(TamperedError, match="entry 155 of acme"):
        verify_trail(directory)


def test_content_that_was_changed_is_found_among_many_of_one_form(
    tmp_path: Path,
) -> None:
    import sqlite3

    directory = tmp_path / "trail"
    trail = Trail.create(directory, name="acme.example")
    for _ in range(150):
        append_pair(trail)
    trail.close()
    verified = verify_trail(directory)
    with sqlite3.connect(directory / "logs/app-1/vault.sqlite") as vault:
        vault.execute("UPDATE content SET body = x'7b7d' WHERE rowid = 150")

    with pytest.raises(TamperedError, match="content of entry 299 of acme"):
        verify_trail(directory)
    assert (verified.pending, verified.missing) == (0, 0)
