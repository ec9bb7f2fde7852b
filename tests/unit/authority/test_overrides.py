"""Signed overrides: which count, and which stop the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from approving import BOB, MALLORY, line
from pydantic import ValidationError

from policyguard.authority.overrides import Overriding
from policyguard.authority.people import People
from policyguard.authority.statement import sign_statement
from policyguard.bundle.shipped import load_shipped
from policyguard.errors import AuthorityError
from policyguard.identity import new_id
from policyguard.vocabulary.override import Override

NOW: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def override(**changes: Any) -> Override:
    fields: dict[str, Any] = {
        "id": new_id(),
        "rule": "GDPR-01",
        "tenant": "acme",
        "to": "require_approval",
        "since": NOW,
        "until": NOW + DAY,
        "author": BOB.key_name,
        "reason": "assessment under way",
    }
    return Override.model_validate({**fields, **changes})


def overriding(*lines: str, locked: bool = False) -> Overriding:
    rules = {
        name: replace(rule, locked=locked)
        for name, rule in load_shipped().rules.items()
    }
    text = "".join(lines or (line(BOB, role="overrider"),))
    return Overriding(people=People.parse(text), rule=rules.get, tenant="acme")


def test_a_signed_override_says_what_was_signed() -> None:
    given = override()

    note = overriding().sign(given, signer=BOB, now=NOW)

    assert overriding().open(note, now=NOW) == given


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule": "NONE-01"}, "there is no rule"),
        ({"tenant": "other"}, "is for tenant `other`"),
        ({"until": NOW}, "ends before it begins"),
        ({"until": NOW + 367 * DAY}, "lasts longer than 366 days"),
        ({"since": NOW - 2 * DAY, "until": NOW - DAY}, "has ended on 2026-07-09"),
        ({"since": NOW - DAY, "until": NOW}, "has ended on 2026-07-10"),
        ({"author": MALLORY.key_name}, "in the name of"),
    ],
)
def test_an_override_that_cannot_hold_is_refused(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(AuthorityError, match=says):
        overriding().sign(override(**changes), signer=BOB, now=NOW)


def test_nobody_softens_a_locked_rule() -> None:
    with pytest.raises(AuthorityError, match="`GDPR-01` is locked"):
        overriding(locked=True).sign(override(), signer=BOB, now=NOW)


@pytest.mark.parametrize(
    "lines",
    [
        (line(MALLORY, role="overrider"),),
        (line(BOB, role="approver"),),
        (line(BOB, "ear", role="overrider"),),
    ],
)
def test_only_who_has_the_role_for_the_rule_softens_it(lines: tuple[str, ...]) -> None:
    note = sign_statement(override(), kind="override", signer=BOB)

    with pytest.raises(AuthorityError):
        overriding(*lines).open(note, now=NOW)


def test_an_approval_is_no_override_and_a_changed_one_is_none() -> None:
    note = overriding().sign(override(), signer=BOB, now=NOW)
    other = sign_statement(override(), kind="approval", signer=BOB)

    for text in (other, note.replace("require_approval", "advise"), note[:-9], ""):
        with pytest.raises(AuthorityError):
            overriding().open(text, now=NOW)


def test_a_file_that_does_not_count_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.note"
    wrong.write_bytes(b"\xff nothing")

    for path in (wrong, tmp_path / "none.note", tmp_path):
        with pytest.raises(AuthorityError, match=path.name):
            overriding().load(path, now=NOW)


def test_an_override_begins_and_ends_at_a_whole_second() -> None:
    with pytest.raises(ValidationError, match="whole second"):
        override(since=NOW + timedelta(microseconds=1))
