"""People who approve: keys, a file of people, and a desk over a guard's trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from guards import SUMMER, TICKETS, settings

from policyguard import ApprovalRequired, Guard, Settings
from policyguard.identity import new_id
from policyguard.settings import AuthoritySettings
from policyguard.signing import Ed25519Signer, VerifierKey
from policyguard.vocabulary.approval import Approval
from policyguard.vocabulary.decision import Decision, Finding

BOB: Final = Ed25519Signer.from_seed(b"b" * 32, key_name="bob@acme.example")
MALLORY: Final = Ed25519Signer.from_seed(b"m" * 32, key_name="mallory@acme.example")
ALICE: Final = Ed25519Signer.from_seed(b"a" * 32, key_name="canary-alice@acme.example")
"""Who asks, in `TICKETS`."""
NEXT_WEEK: Final = datetime.now(UTC) + timedelta(days=7)


def line(signer: Ed25519Signer, *scope: str, role: str = "approver") -> str:
    """Return a line of a file of people."""
    return " ".join([role, VerifierKey.of_signer(signer).format(), *scope]) + "\n"


def with_people(folder: Path, *lines: str, **tenant: Any) -> Settings:
    """Return settings under which some people may approve; without lines, Bob."""
    file = folder / "people"
    file.write_text("".join(lines or (line(BOB),)), "utf-8")
    known = settings(folder, **tenant)
    return known.model_copy(update={"authority": AuthoritySettings(people=file)})


def refused_call(guard: Guard, client: Any, **facts: Any) -> Decision:
    """Make a call that needs approval, and return the decision."""
    try:
        guard.bind(**{**TICKETS, **facts}).call(
            client.chat.completions.create, model="glm-5.2", messages=[]
        )
    except ApprovalRequired as refused:
        return refused.decision
    raise AssertionError("the call was made")


def approval_of(decision: Decision, finding: Finding, **changes: Any) -> Approval:
    """Return what Bob would sign for a finding of a decision."""
    call = decision.call
    fields: dict[str, Any] = {
        "id": new_id(),
        "decision": decision.id,
        "rule": finding.id,
        "msg": finding.msg,
        "missing": finding.missing,
        "tenant": call.tenant.id,
        "caller": "0" * 32,
        "asked_model": call.asked.model,
        "asked_host": call.asked.host,
        "model": call.model,
        "route": call.route,
        "data_classes": call.data.classes,
        "purpose": call.purpose.kind if call.purpose else None,
        "bundle": decision.bundle.digest,
        "since": SUMMER - timedelta(days=1),
        "until": SUMMER + timedelta(days=7),
        "uses": 1,
        "approver": BOB.key_name,
        "reason": "looked at the operator's papers",
    }
    return Approval(**{**fields, **changes})


def approve_all(guard: Guard, decision: Decision, **changes: Any) -> list[Approval]:
    """Let Bob approve everything in a decision that asks for approval."""
    leave = guard.core.leave
    assert leave is not None
    assert decision.call.caller is not None
    caller = leave.pseudonym(decision.call.caller.id)
    given = [
        approval_of(decision, finding, **{"caller": caller, **changes})
        for finding in decision.findings
        if finding.effect == "require_approval"
    ]
    for approval in given:
        leave.approvals.keep(leave.approvals.sign(approval, signer=BOB))
    return given
