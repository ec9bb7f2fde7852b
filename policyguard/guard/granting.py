"""Where a person approves: reads the decision, drafts what is signed, records it.

Owner: one run of the command line. The record of a grant or a revocation is durable
before it takes effect: a crash in between leaves a record of an approval that lifts
nothing. Whoever approves reads what was recorded, so it is compared with the leaf
first; that the leaf is one is `policyguard audit verify`'s matter.

INVARIANT: nothing is drafted for a decision that a rule denies, for a caller whom
nobody declared or who is the approver, or under another policy than the one in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol, Self

from policyguard.audit.trail import Trail
from policyguard.audit.vault import Sealed
from policyguard.authority.approvals import Approvals
from policyguard.authority.people import same_person
from policyguard.canonical import canonical_bytes
from policyguard.errors import AuthorityError, ConfigurationError
from policyguard.identity import new_id, record_time, wall_clock
from policyguard.signing.signer import Signer
from policyguard.vocabulary.approval import Approval, Revocation
from policyguard.vocabulary.record import ApprovalRecord, DecisionRecord

LONGEST: Final = timedelta(days=366)


class Recorded(Protocol):
    """Is a decision as the trail remembers it."""

    @property
    def record(self) -> DecisionRecord:
        """The leaf."""

    @property
    def content(self) -> dict[str, Any] | None:
        """What the vault knows; `None`: erased."""

    @property
    def caller(self) -> str | None:
        """The caller's id; `None`: not declared, or forgotten."""


class Archive(Protocol):
    """Finds decisions."""

    def find(self, name: str) -> Recorded:
        """Return the decision with an id or the beginning of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Says by whom something is approved, why, until when and how often."""

    by: str
    """The name of the approver's key."""
    reason: str
    until: datetime
    """When it ends, at most 366 days from now."""
    uses: int
    """How many calls it allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Drafts, grants and revokes approvals, and records each."""

    archive: Archive
    approvals: Approvals
    trail: Trail
    bundle: str
    """The digest of the policy in force."""

    def draft(
        self, name: str, *, terms: Terms, rule: str | None, finding: int | None = None
    ) -> Approval:
        """Return the approval of one finding of a decision, not signed yet.

        Args:
            name: The decision's id, or the beginning of it.
            terms: By whom, why, until when and how often.
            rule: The rule to approve; without it the only one that asks for approval.
            finding: Which of several findings of the rule, from 1 on.

        Raises:
            AuthorityError: this cannot be approved, or not by this person.
            ConfigurationError: there is no such decision, or the end is no end.
        """
        found = self.archive.find(name)
        now = wall_clock()
        if not now < terms.until <= now + LONGEST:
            raise ConfigurationError(
                f"`{terms.until:%Y-%m-%dT%H:%M:%SZ}` is over or more than {LONGEST.days} days"
                " away: choose an end in between"
            )
        self._require_approvable(found, by=terms.by)
        content = found.content or {}
        chosen = _finding(content, rule=rule, number=finding)
        asked, call = content["input"]["asked"], content["input"]
        record = found.record
        return Approval(
            id=new_id(),
            decision=record.id,
            rule=chosen["id"],
            msg=chosen["msg"],
            missing=tuple(chosen["missing"]),
            tenant=record.tenant,
            caller=str(record.caller),
            asked_model=asked["model"],
            asked_host=asked["host"],
            model=record.model,
            route=record.deployments,
            data_classes=record.data_classes,
            purpose=call["purpose"]["kind"] if call["purpose"] else None,
            bundle=record.bundle.digest,
            # A whole second, so that a call of this second is not before it.
            since=now.replace(microsecond=0),
            until=terms.until,
            uses=terms.uses,
            approver=terms.by,
            reason=terms.reason,
        )

    def grant(self, approval: Approval, *, signer: Signer) -> None:
        """Sign an approval, record it, and let it hold.

        Raises:
            AuthorityError: the signer may not approve this.
            TrailError: it cannot be recorded or kept.
        """
        note = self.approvals.sign(approval, signer=signer)
        self._record("approval.grant", approval, by=approval.approver, note=note)
        self.approvals.keep(note)

    def revoke(self, name: str, *, signer: Signer, reason: str) -> None:
        """Sign that an approval is taken back, record it, and let it hold no more.

        Raises:
            AuthorityError: there is no such approval, or the signer is no approver.
            TrailError: it cannot be recorded or kept.
        """
        kept = self.approvals.find(name)
        revocation = Revocation(
            id=new_id(),
            approval=kept.approval.id,
            at=wall_clock(),
            by=signer.key_name,
            reason=reason,
        )
        note = self.approvals.sign_revocation(revocation, signer=signer)
        # Takes effect first: between the two it is better to refuse than to allow.
        self.approvals.revoke(note)
        self._record("approval.revoke", kept.approval, by=signer.key_name, note=note)

    def close(self) -> None:
        """Release the trail."""
        self.trail.close()

    def __enter__(self) -> Self:
        """Use the desk for a block, and close it at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the desk."""
        self.close()

    def _record(
        self,
        kind: Literal["approval.grant", "approval.revoke"],
        approval: Approval,
        *,
        by: str,
        note: str,
    ) -> None:
        name = new_id()
        sealed = Sealed.of(name, canonical_bytes({"statement": note}))
        record = ApprovalRecord(
            kind=kind,
            id=name,
            time=record_time(wall_clock()),
            approval=approval.id,
            decision=approval.decision,
            rule=approval.rule,
            tenant=approval.tenant,
            caller=approval.caller,
            by=self.trail.pseudonym(by),
            until=record_time(approval.until),
            uses=approval.uses,
            bundle=approval.bundle,
            input=sealed.commitment(),
        )
        self.trail.append(record, sealed=sealed)

    def _require_approvable(self, found: Recorded, *, by: str) -> None:
        record = found.record
        if record.verdict != "require_approval" or record.code is not None:
            raise AuthorityError(
                f"decision `{record.id}` says `{record.code or record.verdict}`: an"
                " approval lifts `require_approval` and nothing else"
            )
        if found.content is None:
            raise AuthorityError(
                f"what decision `{record.id}` was about is erased: ask again, and"
                " approve the new decision"
            )
        if found.caller is None:
            raise AuthorityError(
                f"nobody has declared who asked in decision `{record.id}`, or it is"
                " erased: an approver has to be somebody else, so declare the caller"
            )
        if same_person(found.caller, by):
            raise AuthorityError(
                f"`{by}` asked for this call: somebody else has to approve it"
            )
        if record.bundle.digest != self.bundle:
            raise AuthorityError(
                f"decision `{record.id}` was made by policy `{record.bundle.digest}`,"
                f" and `{self.bundle}` is in force: ask again, and approve the new"
                " decision"
            )


def _finding(
    content: dict[str, Any], *, rule: str | None, number: int | None
) -> dict[str, Any]:
    asking = [
        item for item in content["findings"] if item["effect"] == "require_approval"
    ]
    ids = sorted({item["id"] for item in asking})
    if rule is None and len(ids) > 1:
        raise AuthorityError(
            f"several rules ask for approval: name one with `--rule`: {', '.join(ids)}"
        )
    chosen: list[dict[str, Any]] = [
        item for item in asking if rule is None or item["id"] == rule
    ]
    if not chosen:
        raise AuthorityError(
            f"`{rule}` does not ask for approval here: {', '.join(ids)} does"
        )
    if number is None and len(chosen) > 1:
        said = "; ".join(f"{n}: {item['msg']}" for n, item in enumerate(chosen, 1))
        raise AuthorityError(
            f"`{chosen[0]['id']}` has {len(chosen)} findings here: name one with"
            f" `--finding`: {said}"
        )
    if number is not None and not 1 <= number <= len(chosen):
        raise AuthorityError(
            f"`{chosen[0]['id']}` has no finding {number} here, but {len(chosen)}"
        )
    return chosen[(number or 1) - 1]
