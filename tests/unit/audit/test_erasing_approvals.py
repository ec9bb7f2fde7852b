"""Approvals go with whom they were given to and who gave them, from every file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from approving import ALICE, BOB, approval_of, refused_call, with_people
from guards import NOWHERE
from offline import Upstream

from policyguard import Guard
from policyguard.audit import erasure
from policyguard.audit.erasure import erase, finish, unfinished
from policyguard.audit.erasure_plan import Plan, Wanted, plan_erasure
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping, LegalHold
from policyguard.audit.shared import approvals_at
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.guard.granting import Desk
from policyguard.signing.ed25519 import Ed25519Signer
from policyguard.signing.keyring import VerifierKey
from policyguard.vocabulary.approval import Approval
from policyguard.vocabulary.record import ApprovalRecord

PRIVACY = Ed25519Signer.from_seed(b"p" * 32, key_name="privacy@acme.example")
TODAY = date(2026, 11, 25)
REASON = "canary-reason"


class NoArchive:
    """Finds nothing: these desks draft nothing."""

    def find(self, name: str) -> Any:
        raise AssertionError(name)


def granted(guard: Guard, **changes: Any) -> Approval:
    """Let Bob approve something for Alice, and revoke another approval of hers."""
    decision = refused_call(guard, Upstream().client(NOWHERE))
    leave, caller = guard.core.leave, decision.call.caller
    assert leave is not None
    assert caller is not None
    desk = Desk(
        archive=NoArchive(),
        approvals=leave.approvals,
        trail=guard.core.trail,
        bundle=decision.bundle.digest,
    )
    asking = [item for item in decision.findings if item.effect == "require_approval"]
    approvals = [
        approval_of(
            decision,
            asking[0],
            caller=leave.pseudonym(caller.id),
            reason=REASON,
            **changes,
        )
        for _ in range(2)
    ]
    for approval in approvals:
        desk.grant(approval, signer=BOB)
    desk.revoke(approvals[1].id, signer=BOB, reason=f"{REASON}-back")
    return approvals[0]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "trail"


@pytest.fixture
def approval(tmp_path: Path) -> Approval:
    with Guard(settings=with_people(tmp_path)) as guard:
        return granted(guard)


def planned(place: Path, *, keeping: Keeping | None = None, **wanted: Any) -> Plan:
    return plan_erasure(
        TrailReader.open(place),
        Wanted(**{name: frozenset(items) for name, items in wanted.items()}),
        keeping=keeping or Keeping(),
        today=TODAY,
    )


def ordered(place: Path, plan: Plan) -> None:
    trail = Trail.open(place, role="cli")
    try:
        erase(
            plan,
            trail=trail,
            reader=TrailReader.open(place),
            signer=PRIVACY,
            erasers=(VerifierKey.of_signer(PRIVACY),),
            reason="request",
        )
    finally:
        trail.close()


def bytes_of(place: Path) -> bytes:
    files = [path for path in place.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def names(place: Path) -> list[str]:
    return approvals_at(TrailReader.open(place).layout).names()


@pytest.mark.parametrize("who", [ALICE.key_name, BOB.key_name])
def test_an_approval_is_in_no_byte_once_either_person_is_erased(
    place: Path, approval: Approval, who: str
) -> None:
    known = bytes_of(place)
    assert REASON.encode() in known
    assert len(names(place)) == 2

    plan = planned(place, callers=(who,))
    ordered(place, plan)

    assert REASON.encode() not in bytes_of(place)
    assert approval.id in plan.approvals
    assert names(place) == []
    assert unfinished(TrailReader.open(place)) is None
    # The two grants and the revocation, at least: the decision may have to be kept.
    assert verify_trail(place).erased >= 3


def test_an_erased_approval_lifts_nothing(place: Path, approval: Approval) -> None:
    store = approvals_at(TrailReader.open(place).layout)
    ordered(place, planned(place, callers=(ALICE.key_name,)))

    assert store.take([(approval.id, approval.uses)]) is False
    assert store.rows() == []


def test_somebody_elses_erasure_leaves_an_approval(
    place: Path, approval: Approval
) -> None:
    plan = planned(place, callers=("canary-carol@acme.example",))

    assert plan.approvals == ()
    assert approval.id in names(place)


def test_a_hold_keeps_an_approval_and_the_names_in_it(
    place: Path, approval: Approval
) -> None:
    keeping = Keeping(
        holds=(LegalHold(name="case-7", records=frozenset({approval.id})),)
    )

    plan = planned(place, keeping=keeping, callers=(BOB.key_name,))
    ordered(place, plan)

    why = [reason.why for item in plan.kept for reason in item.reasons]
    assert why == ["legal hold `case-7`"]
    assert approval.id in names(place)
    assert len(names(place)) == 1
    # Bob's name stays as long as something that he has signed does.
    assert len(plan.held_names) >= 1
    assert TrailReader.open(place).pseudonym(BOB.key_name) in plan.held_names


def test_an_approval_under_export_rules_is_kept_five_years_from_its_end(
    approval: Approval,
) -> None:
    record = ApprovalRecord(
        kind="approval.grant",
        id="1",
        time="2026-07-10T12:00:00.000000Z",
        approval=approval.id,
        decision=approval.decision,
        rule="EAR-08",
        tenant="acme",
        caller="0" * 32,
        by="1" * 32,
        until="2027-02-01T00:00:00.000000Z",
        uses=1,
        bundle="ab" * 32,
        input={"bytes": 1, "value": "0" * 64},
    )

    (reason,) = Keeping().reasons(record, today=date(2032, 1, 31))

    assert (reason.why, reason.until) == (
        "EAR record, 5 years, 15 CFR 762.6",
        date(2032, 2, 1),
    )
    assert Keeping().reasons(record, today=date(2032, 2, 1)) == ()


def test_an_order_that_was_cut_off_is_ended(
    place: Path, approval: Approval, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_carry_out", killed)
        with pytest.raises(KeyboardInterrupt):
            ordered(place, planned(place, callers=(ALICE.key_name,)))
    left = unfinished(TrailReader.open(place))
    assert left is not None
    assert approval.id in left.approvals
    assert verify_trail(place).unfinished >= 3

    done = finish(TrailReader.open(place), erasers=(VerifierKey.of_signer(PRIVACY),))

    assert done == left
    assert names(place) == []
    assert REASON.encode() not in bytes_of(place)
