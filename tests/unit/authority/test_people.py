"""The file of people: who may do what, and what is no line of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from approving import ALICE, BOB, line

from policyguard.authority.people import People, same_person
from policyguard.errors import ConfigurationError, FormatError


def test_a_file_says_who_may_approve_what() -> None:
    text = (
        f"# roles\n\n{line(BOB, 'GDPR-01', 'licence')}{line(ALICE, role='overrider')}"
    )

    people = People.parse(text)

    bob = people.find("bob@acme.example", role="approver")
    assert bob is not None
    assert [bob.covers(rule=rule, regime=regime) for rule, regime in (
        ("GDPR-01", "gdpr"), ("LIC-02", "licence"), ("EAR-01", "ear"), ("EAR-01", None),
    )] == [True, True, False, False]  # fmt: skip
    assert people.find("bob@acme.example", role="overrider") is None
    assert [key.key_name for key in people.vkeys("overrider")] == [ALICE.key_name]


def test_without_a_scope_a_person_may_approve_every_rule() -> None:
    bob = People.parse(line(BOB)).find(BOB.key_name, role="approver")

    assert bob is not None
    assert bob.covers(rule="EAR-01", regime="ear")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("approver", "is no line"),
        ("admin " + line(BOB).split()[1], "is no line"),
        ("approver bob@acme.example", "is not `<name>+<key id>+<base64>`"),
        (line(BOB) + line(BOB), "line 2: `bob@acme.example` is `approver` already"),
        (line(BOB).replace("+A", "+B"), "line 1: "),
        (line(BOB, "EAR-01", role="eraser"), "is for all records: leave `EAR-01` away"),
        (
            line(BOB, role="eraser") * 2,
            "line 2: `bob@acme.example` is `eraser` already",
        ),
    ],
)
def test_what_is_no_line_is_refused_with_its_number(text: str, says: str) -> None:
    with pytest.raises(FormatError, match="line ") as caught:
        People.parse(text)

    assert says in str(caught.value)


@pytest.mark.parametrize("data", [None, b"\xff\xfe", b"approver", b"#" * 1_000_001])
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, data: bytes | None
) -> None:
    file = tmp_path / "people"
    if data is not None:
        file.write_bytes(data)

    with pytest.raises(ConfigurationError, match="people`"):
        People.load(file)


def test_a_person_is_the_same_however_the_name_is_written() -> None:
    assert same_person("Bob@Acme.example ", "bob@acme.example")
    assert same_person("ﬁona@acme.example", "fiona@acme.example")
    assert not same_person("bob@acme.example", "rob@acme.example")


def test_who_erased_once_is_known_by_each_key_of_theirs() -> None:
    text = line(BOB, role="eraser") + 2 * line(BOB, role="ex-eraser")

    people = People.parse(text)

    assert [len(people.vkeys(role)) for role in ("eraser", "ex-eraser")] == [1, 2]
    assert people.vkeys("approver") == ()
