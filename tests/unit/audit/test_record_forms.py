"""Forms of records: what one matches is what full validation says of the same bytes."""

from __future__ import annotations

import hmac
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trails import append_pair, decision, made_trail, outcome

from policyguard.audit.leaf import body_of
from policyguard.audit.reader import Entry
from policyguard.audit.record_forms import Forms, Said, said_of
from policyguard.audit.stores.protocol import Row
from policyguard.audit.trail import Trail
from policyguard.audit.vault import Keyed, commitment_of, commitment_value
from policyguard.audit.verify import verify_trail
from policyguard.errors import (
    FormatError,
    NewerTrailError,
    PolicyGuardError,
    TamperedError,
)
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


def row_of(body: bytes) -> Row:
    return (1, body, b"")


def said(forms: Forms, body: bytes) -> Said | None:
    """Return what forms say of one record."""
    known, left = forms.read([row_of(body)])
    assert len(known) + len(left) == 1
    return known[0] if known else None


def taught(record: AnyRecord, *, times: int = 16) -> Forms:
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
    "in a span": made(trace={"trace_id": "ab" * 16, "span_id": "cd" * 8}),
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
            found = said(forms, changed)
            if found is not None:
                known += 1
                assert found == said_of(row_of(changed), entry_of(changed).record())

    assert said(forms, body) == said_of(row_of(body), record)
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

    found = said(forms, changed)

    if found is not None:
        assert found == said_of(row_of(changed), entry_of(changed).record())


def each(
    known: list[Said],
) -> dict[int, tuple[bytes, bytes | None, bytes | None, bytes | None, bool]]:
    """Return what many records say, by index."""
    return {
        row[0]: (
            name,
            None if many.decisions is None else many.decisions[number],
            None if many.contents is None else many.contents[number],
            None if many.callers is None else many.callers[number],
            many.go_ahead,
        )
        for many in known
        for number, (row, name) in enumerate(zip(many.rows, many.ids, strict=True))
    }


@given(data=st.data())
@settings(max_examples=60)
def test_many_records_at_once_say_what_each_says_alone(data: st.DataObject) -> None:
    forms = Forms()
    for record in RECORDS.values():
        for _ in range(16):
            forms.learn(entry_of(body_of(record)), record)
    bodies = data.draw(
        st.lists(
            st.sampled_from(
                [
                    *map(body_of, RECORDS.values()),
                    *(body_of(make()) for make in (made, ended) for _ in range(3)),
                ]
            ),
            min_size=1,
            max_size=12,
        )
    )
    for number in data.draw(st.sets(st.integers(0, len(bodies) - 1), max_size=3)):
        place = data.draw(st.integers(0, len(bodies[number]) - 1))
        byte = data.draw(st.sampled_from(INTERESTING))
        changed = bytearray(bodies[number])
        changed[place] = byte
        bodies[number] = bytes(changed)

    known, left = forms.read([(index, body, b"") for index, body in enumerate(bodies)])

    found = each(known)
    assert sorted([*found, *(row[0] for row in left)]) == list(range(len(bodies)))
    assert [row[0] for row in left] == sorted(row[0] for row in left)
    for index, what in found.items():
        alone = said_of((index, bodies[index], b""), entry_of(bodies[index]).record())
        assert alone is not None
        assert what == each([alone])[index]


@given(salt=st.binary(max_size=70), content=st.binary(max_size=200))
@example(salt=bytes(range(65)), content=b"a longer salt than a block of SHA-256")
def test_a_commitment_is_the_hmac_of_its_content(salt: bytes, content: bytes) -> None:
    wanted = hmac.digest(salt, content, "sha256").hex()
    parts = Keyed(salt)
    for part in (content[:7], content[7:]):
        parts.feed(part)

    assert (commitment_value(content, salt=salt), parts.value()) == (wanted, wanted)


def test_a_form_is_made_of_what_comes_often_and_of_nothing_else() -> None:
    record = ended()
    body = body_of(record)

    seldom, often = taught(record, times=15), taught(record)

    assert said(seldom, body) is None
    assert said(often, body) == Said(
        [row_of(body)], (record.id.encode(),), decisions=(record.decision.encode(),)
    )


def test_a_record_with_a_prompt_has_no_form() -> None:
    record = made(prompt=COMMITTED)

    assert said(taught(record), body_of(record)) is None


def test_records_of_many_spans_have_one_form() -> None:
    forms = taught(RECORDS["in a span"])
    others = [
        made(trace={"trace_id": f"{number:032x}", "span_id": f"{number:016x}"})
        for number in range(1, 9)
    ]

    known, left = forms.read([row_of(body_of(record)) for record in others])

    assert ([len(item.rows) for item in known], left) == ([8], [])


def test_the_forms_that_are_known_are_bounded() -> None:
    forms = Forms()
    for length in range(200):
        record = made(model="m" * (1 + length % 100), tenant="t" * (1 + length // 2))
        for _ in range(16):
            forms.learn(entry_of(body_of(record)), record)

    layouts = forms._layouts.values()
    assert len(layouts) <= 256
    assert max(sum(len(item.forms) for item in many) for many in layouts) <= 32


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"complete"', b'"finished"', TamperedError),
        (b'"error":null', b'"error": null', TamperedError),
        (b'"v":1', b'"v":0', TamperedError),
        (b'"v":1', b'"v":2', NewerTrailError),
        (b'"kind":"outcome"', b'"kind":"genesis"', TamperedError),
    ],
)
def test_a_signed_record_that_is_none_is_found_among_many_of_one_form(
    tmp_path: Path, old: bytes, new: bytes, said: type[PolicyGuardError]
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
    with pytest.raises(said, match="entry 155 of acme"):
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
    with (
        closing(sqlite3.connect(directory / "logs/app-1/vault.sqlite")) as vault,
        vault,
    ):
        vault.execute("UPDATE content SET body = x'7b7d' WHERE rowid = 150")

    with pytest.raises(TamperedError, match="content of entry 299 of acme"):
        verify_trail(directory)
    assert (verified.pending, verified.missing) == (0, 0)
