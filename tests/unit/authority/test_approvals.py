"""Signed approvals: what counts, what does not, and how often one serves."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from approving import ALICE, BOB, MALLORY, line

from policyguard.audit.layout import Layout
from policyguard.audit.stores.approval_file import ApprovalFile
from policyguard.authority.approvals import Approvals
from policyguard.authority.people import People
from policyguard.authority.statement import sign_statement
from policyguard.errors import AuthorityError, TrailError
from policyguard.identity import new_id
from policyguard.tlog import sign_note
from policyguard.vocabulary.approval import Approval, Revocation

NOW: Final = datetime(2026, 7, 10, 12, tzinfo=UTC)
SCOPE: Final[dict[str, Any]] = {
    "tenant": "acme",
    "caller": "0" * 32,
    "bundle": "ab" * 32,
}


def approval(**changes: Any) -> Approval:
    fields: dict[str, Any] = {
        "id": new_id(),
        "decision": new_id(),
        "rule": "GDPR-01",
        "msg": "found",
        "missing": (),
        **SCOPE,
        "asked_model": "glm-5.2",
        "asked_host": None,
        "model": "glm-5.2",
        "route": ("glm-5.2@fra-1",),
        "data_classes": ("pii",),
        "purpose": "inference",
        "since": NOW,
        "until": NOW + timedelta(days=1),
        "uses": 3,
        "approver": BOB.key_name,
        "reason": "read",
    }
    return Approval(**{**fields, **changes})


def store(folder: Path, *lines: str) -> Approvals:
    return Approvals(
        store=ApprovalFile.of(Layout.of(folder)),
        people=People.parse("".join(lines or (line(BOB),))),
        regimes={"GDPR-01": "gdpr"}.get,
    )


def kept(folder: Path, **changes: Any) -> tuple[Approvals, Approval]:
    folder.mkdir(exist_ok=True)
    made, given = store(folder), approval(**changes)
    made.keep(made.sign(given, signer=BOB))
    return made, given


def revocation(of: Approval, **changes: Any) -> Revocation:
    fields: dict[str, Any] = {
        "id": new_id(),
        "approval": of.id,
        "at": NOW,
        "by": BOB.key_name,
        "reason": "mistaken",
    }
    return Revocation(**{**fields, **changes})


def test_what_was_kept_holds_for_its_caller_tenant_and_policy(tmp_path: Path) -> None:
    made, given = kept(tmp_path)

    others = [
        {**SCOPE, "tenant": "other"},
        {**SCOPE, "caller": "1" * 32},
        {**SCOPE, "bundle": "cd" * 32},
    ]

    assert made.holding(**SCOPE) == (given,)
    assert [made.holding(**other) for other in others] == [(), (), ()]


def test_where_nobody_has_approved_anything_there_is_no_file(tmp_path: Path) -> None:
    made = store(tmp_path)

    assert (made.holding(**SCOPE), list(made.listing())) == ((), [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("signer", "changes", "says"),
    [
        (MALLORY, {}, "no known key has signed"),
        (replace(MALLORY, key_name=BOB.key_name), {}, "no known key has signed"),
        (BOB, {"approver": ALICE.key_name}, "in the name of"),
    ],
)
def test_nobody_else_signs_an_approval(
    tmp_path: Path, signer: Any, changes: dict[str, Any], says: str
) -> None:
    made = store(tmp_path)

    with pytest.raises(AuthorityError, match=says):
        made.sign(approval(**changes), signer=signer)

    with pytest.raises(AuthorityError, match=says):
        made.keep(sign_statement(approval(**changes), kind="approval", signer=signer))


def test_an_approver_signs_for_the_rules_of_the_line_alone(tmp_path: Path) -> None:
    made = store(tmp_path, line(BOB, "gdpr"))

    made.keep(made.sign(approval(), signer=BOB))

    with pytest.raises(AuthorityError, match="may not approve `EAR-01`"):
        made.sign(approval(rule="EAR-01"), signer=BOB)


def test_a_statement_of_another_kind_is_no_approval(tmp_path: Path) -> None:
    made = store(tmp_path)
    note = sign_statement(approval(), kind="override", signer=BOB)

    with pytest.raises(AuthorityError, match="of another kind"):
        made.keep(note)


def test_an_approval_with_two_signatures_or_another_form_is_none(
    tmp_path: Path,
) -> None:
    made = store(tmp_path, line(BOB), line(MALLORY))
    text = made.sign(approval(), signer=BOB).rpartition("\n\n")[0] + "\n"
    loose = text.replace('{"', '{ "')
    odd = text.replace('"uses":3', '"uses":0')

    for note, says in (
        (sign_note(text, signers=[BOB, MALLORY]).format(), "more than one person"),
        (sign_note(loose, signers=[BOB]).format(), "does not count"),
        (sign_note(odd, signers=[BOB]).format(), "malformed at `uses`"),
        ("nothing", "does not count"),
    ):
        with pytest.raises(AuthorityError, match=says):
            made.keep(note)


def test_each_changed_byte_makes_an_approval_worthless(tmp_path: Path) -> None:
    made, given = kept(tmp_path)
    note = made.sign(given, signer=BOB).encode()

    for place in range(0, len(note), 7):
        changed = bytearray(note)
        changed[place] ^= 1
        with pytest.raises(AuthorityError):
            made.keep(changed.decode("utf-8", "replace"))


def test_what_was_changed_in_the_file_is_no_approval(tmp_path: Path) -> None:
    made, given = kept(tmp_path)
    with closing(sqlite3.connect(tmp_path / "approvals.sqlite")) as raw, raw:
        raw.execute("UPDATE approval SET note = replace(note, 'GDPR-01', 'EAR-01')")
    raw.close()

    assert made.holding(**SCOPE) == ()
    with pytest.raises(AuthorityError):
        made.find(given.id)


def test_the_columns_beside_a_note_open_it_to_nobody_else(tmp_path: Path) -> None:
    made, _ = kept(tmp_path)
    with closing(sqlite3.connect(tmp_path / "approvals.sqlite")) as raw, raw:
        raw.execute("UPDATE approval SET caller = ?", ("1" * 32,))
    raw.close()

    assert made.holding(**{**SCOPE, "caller": "1" * 32}) == ()


def test_an_approval_serves_as_often_as_was_signed(tmp_path: Path) -> None:
    made, given = kept(tmp_path)

    taken = [made.take([given]) for _ in range(5)]

    assert taken == [True, True, True, False, False]
    assert made.holding(**SCOPE) == ()
    assert [item.state(at=NOW) for item in made.listing()] == ["used up"]


def test_of_two_approvals_both_serve_or_none(tmp_path: Path) -> None:
    made, once = kept(tmp_path, uses=1)
    other = approval(uses=5, rule="GDPR-01", msg="other")
    made.keep(made.sign(other, signer=BOB))

    assert [made.take([once, other]), made.take([other, once])] == [True, False]
    assert [item.used for item in made.listing()] == [1, 1]


def test_threads_together_get_no_use_too_many(tmp_path: Path) -> None:
    made, given = kept(tmp_path, uses=5)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: made.take([given]), range(24)))

    assert taken.count(True) == 5


def test_processes_together_get_no_use_too_many(tmp_path: Path) -> None:
    made, given = kept(tmp_path, uses=7)
    script = (
        "import sys\n"
        "from policyguard.authority.approvals import Approvals\n"
        "from policyguard.authority.people import People\n"
        "from policyguard.audit.stores.approval_file import ApprovalFile\n"
        "from policyguard.audit.layout import Layout\n"
        "store = ApprovalFile.of(Layout.of(sys.argv[1]))\n"
        "made = Approvals(store=store, people=People.parse(sys.argv[2]),"
        " regimes={'GDPR-01': 'gdpr'}.get)\n"
        "given = made.find(sys.argv[3]).approval\n"
        "print(sum(made.take([given]) for _ in range(6)))\n"
    )
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                script,
                tmp_path,
                line(BOB),
                given.id,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    printed = [int(item.communicate(timeout=60)[0]) for item in started]

    assert sum(printed) == 7
    assert next(made.listing()).used == 7


def test_what_was_taken_back_serves_nobody(tmp_path: Path) -> None:
    made, given = kept(tmp_path)

    made.revoke(made.sign_revocation(revocation(given), signer=BOB))

    assert (made.holding(**SCOPE), made.take([given])) == ((), False)
    assert [item.state(at=NOW) for item in made.listing()] == ["revoked"]
    with pytest.raises(AuthorityError, match="taken back before"):
        made.revoke(made.sign_revocation(revocation(given), signer=BOB))


def test_only_an_approver_takes_back_and_only_what_is_there(tmp_path: Path) -> None:
    made, given = kept(tmp_path)

    with pytest.raises(AuthorityError, match="no known key"):
        made.sign_revocation(revocation(given, by=MALLORY.key_name), signer=MALLORY)
    with pytest.raises(AuthorityError, match="in the name of"):
        made.sign_revocation(revocation(given, by=ALICE.key_name), signer=BOB)
    gone = made.sign_revocation(revocation(approval()), signer=BOB)
    with pytest.raises(AuthorityError, match="not there"):
        made.revoke(gone)
    with pytest.raises(AuthorityError, match="no approval `0000"):
        made.find("0000")


def test_an_approver_who_was_struck_off_has_approved_nothing(tmp_path: Path) -> None:
    kept(tmp_path)

    assert store(tmp_path, line(MALLORY)).holding(**SCOPE) == ()


def test_a_file_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    made, given = kept(tmp_path)
    (tmp_path / "approvals.sqlite").write_bytes(b"no database at all" * 100)

    with pytest.raises(TrailError, match=r"approvals\.sqlite"):
        made.holding(**SCOPE)
    with pytest.raises(TrailError, match=r"approvals\.sqlite"):
        made.take([given])


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    kept(tmp_path)

    assert oct((tmp_path / "approvals.sqlite").stat().st_mode & 0o777) == "0o600"


def test_reading_the_copy_of_an_auditor_makes_no_lock_database(tmp_path: Path) -> None:
    _, given = kept(tmp_path / "trail")
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "trail/approvals.sqlite", copy)

    found = [item.approval for item in store(copy).listing()]

    assert found == [given]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "copy",
        "trail",
        "trail.lock",
    ]


def test_lost_approvals_are_said_and_nothing_is_approved_until_they_are_back(
    tmp_path: Path,
) -> None:
    made, given = kept(tmp_path / "trail")
    file = tmp_path / "trail/approvals.sqlite"
    file.rename(tmp_path / "backup")
    asks: list[Callable[[], object]] = [
        lambda: made.holding(**SCOPE),
        lambda: made.take([given]),
        lambda: list(made.listing()),
        lambda: made.keep(made.sign(approval(), signer=BOB)),
        made.store.names,
    ]

    for ask in asks:
        with pytest.raises(TrailError, match=r"approvals.sqlite` is missing: restore"):
            ask()
    assert not file.exists()

    (tmp_path / "backup").rename(file)
    assert made.holding(**SCOPE) == (given,)
