"""Whom a record is about, and its prompt, are bound to the log by its content."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from trails import decision

from policyguard.audit.about import people_in, with_people
from policyguard.audit.layout import Layout
from policyguard.audit.people import People
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.canonical import canonical_bytes
from policyguard.errors import TamperedError

VAULT = "logs/app-1/vault.sqlite"
OTHER = "f" * 32


@pytest.mark.parametrize("people", [(), ("a" * 32,), ("a" * 32, "b" * 32)])
@pytest.mark.parametrize(
    "content",
    [
        {},
        {"input": {"about": ["somebody"]}},
        {"AA": 1, "aboard": '"about":[', "detail": "", "input": {}},
        {"answer_salt": "00", "detail": '"about":["x"]'},
    ],
)
def test_content_names_its_people_in_canonical_bytes(
    content: dict[str, object], people: tuple[str, ...]
) -> None:
    named = canonical_bytes({**content, "about": people} if people else content)

    assert with_people(content, people) == named
    assert with_people(canonical_bytes(content), people) == named
    assert people_in(named) == people


@pytest.fixture(params=[True, False], ids=["prompts", "no prompts"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    for people in (("bob", "carol"), ("bob",), ()):
        trail.append_decision(
            decision(verdict="deny"),
            caller="alice",
            content={"input": {}},
            prompt=b"a prompt" if request.param else None,
            people=people,
        )
    trail.close()
    return tmp_path / "trail"


def test_a_trail_about_people_verifies(place: Path) -> None:
    assert verify_trail(place).is_complete


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM about",
        "DELETE FROM about WHERE record = (SELECT max(record) FROM about)",
        "DELETE FROM about WHERE person = (SELECT max(person) FROM about)",
        f"INSERT INTO about SELECT max(record), '{OTHER}' FROM about",
        f"INSERT INTO about SELECT max(record), '{OTHER}' FROM content",
        f"UPDATE about SET person = '{OTHER}'",
        "UPDATE about SET record = (SELECT max(record) FROM content)",
    ],
)
def test_whom_a_record_is_about_cannot_be_changed(place: Path, statement: str) -> None:
    # What is not there yet, or has been taken: rows that meet each other are left out.
    connection = sqlite3.connect(place / VAULT)
    connection.execute(statement.replace("UPDATE", "UPDATE OR REPLACE"))
    connection.commit()
    connection.close()

    with pytest.raises(TamperedError, match=r"the vault says that entry \d of acme"):
        verify_trail(place)


def test_a_kept_prompt_that_is_gone_is_counted_as_missing(tmp_path: Path) -> None:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    for _ in range(3):
        trail.append_decision(
            decision(), caller="alice", content={"input": {}}, prompt=b"a prompt"
        )
    trail.close()
    connection = sqlite3.connect(tmp_path / "trail" / VAULT)
    connection.execute(
        "DELETE FROM prompt WHERE record = (SELECT max(record) FROM prompt)"
    )
    connection.commit()
    connection.close()

    verified = verify_trail(tmp_path / "trail")

    assert (verified.missing, verified.is_complete) == (1, False)


def test_many_new_people_are_kept_in_one_transaction(tmp_path: Path) -> None:
    Trail.create(tmp_path / "trail", name="acme.example").close()
    people = People(Layout.of(tmp_path / "trail"))
    said: list[str] = []
    people._connection.set_trace_callback(said.append)
    names = [f"person-{number}" for number in range(300)]

    found = people.persons(names)
    again = people.persons(names[:2])
    people.close()

    assert {item.id for item in found} == set(names)
    assert [item.pseudonym for item in found] == sorted(i.pseudonym for i in found)
    assert set(again) <= set(found)
    assert [word for word in said if word.startswith(("BEGIN", "COMMIT"))] == [
        "BEGIN IMMEDIATE",
        "COMMIT",
    ]
