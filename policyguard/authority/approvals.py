"""Approvals as they are kept: what was signed, what was taken back, how often it served.

Owner: all processes of a trail share its store, a file or tables of a server. A crash
between the use and the call leaves a use too few, never one too many. Whoever can write
the store can forget revocations and uses; each grant, revocation and use is in the
signed trail too, and shows that. Nobody can make an approval: signatures are verified
whenever one is read.

INVARIANT: `take` gives out no use beyond the number that was signed, however many
processes ask at once, and none of an approval that was taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from policyguard.audit.stores.protocol import ApprovalStore
from policyguard.authority.people import People
from policyguard.authority.statement import open_statement, sign_statement
from policyguard.errors import AuthorityError
from policyguard.signing.signer import Signer
from policyguard.vocabulary.approval import Approval, Revocation

Regimes = Callable[[str], str | None]
"""Says which regime a rule is of; `None`: there is no such rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Is one approval with what became of it."""

    approval: Approval
    used: int
    revocation: Revocation | None

    def state(self, *, at: datetime) -> str:
        """Say in one word whether it holds at an instant."""
        if self.revocation is not None:
            return "revoked"
        if self.used >= self.approval.uses:
            return "used up"
        if at >= self.approval.until:
            return "expired"
        return "holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Keeps approvals, and gives out their uses."""

    store: ApprovalStore
    people: People
    regimes: Regimes

    def sign(self, approval: Approval, *, signer: Signer) -> str:
        """Return an approval as its approver has signed it; nothing is kept yet.

        Raises:
            AuthorityError: the signer may not approve this.
        """
        note = sign_statement(approval, kind="approval", signer=signer)
        self._opened(note)
        return note

    def sign_revocation(self, revocation: Revocation, *, signer: Signer) -> str:
        """Return a revocation as its author has signed it; nothing is kept yet.

        Raises:
            AuthorityError: the signer is no approver.
        """
        note = sign_statement(revocation, kind="revocation", signer=signer)
        self._revocation(note)
        return note

    def keep(self, note: str) -> None:
        """Keep a signed approval, which holds from now on.

        Raises:
            AuthorityError: it is no approval that one of the people may have signed.
            TrailError: it cannot be kept.
        """
        approval = self._opened(note)
        scope = (approval.tenant, approval.caller, approval.bundle)
        self.store.add(approval.id, scope=scope, note=note)

    def revoke(self, note: str) -> None:
        """Keep a signed revocation; its approval holds no more.

        Raises:
            AuthorityError: it is no revocation, there is no such approval, or it was
                taken back before.
            TrailError: it cannot be kept.
        """
        revocation = self._revocation(note)
        if not self.store.revoke(revocation.approval, note=note):
            raise AuthorityError(
                f"approval `{revocation.approval}` is not there, or was taken back"
                " before: see `policyguard approvals list --all`"
            )

    def find(self, name: str) -> Kept:
        """Return the approval with an id, or with the beginning of one.

        Raises:
            AuthorityError: there is none, or more than one.
            TrailError: they cannot be read.
        """
        found = [item for item in self.listing() if item.approval.id.startswith(name)]
        if len(found) != 1:
            many = "more than one approval" if found else "no approval"
            raise AuthorityError(
                f"there is {many} `{name}`: `policyguard approvals list --all` shows them"
            )
        return found[0]

    def holding(self, *, tenant: str, caller: str, bundle: str) -> tuple[Approval, ...]:
        """Return the verified approvals of a caller that have uses left, oldest first.

        What does not verify is left out: it is no approval.

        Raises:
            TrailError: they cannot be read.
        """
        scope = (tenant, caller, bundle)
        found = []
        for note, used, _ in self.store.rows_of_scope(scope):
            try:
                approval = self._opened(note)
            except AuthorityError:
                continue
            # What was signed counts, not the columns beside it.
            stated = (approval.tenant, approval.caller, approval.bundle)
            if stated == scope and used < approval.uses:
                found.append(approval)
        return tuple(found)

    def take(self, approvals: Sequence[Approval]) -> bool:
        """Take one use of each of some approvals, durably; of all of them or of none.

        Raises:
            TrailError: the uses cannot be kept.
        """
        return self.store.take([(item.id, item.uses) for item in approvals])

    def listing(self) -> Iterator[Kept]:
        """Return every approval that verifies, oldest first.

        Raises:
            AuthorityError: what is kept is no approval that one of the people signed.
            TrailError: they cannot be read.
        """
        for note, used, revocation in self.store.rows():
            yield Kept(
                approval=self._opened(note),
                used=used,
                revocation=self._revocation(revocation) if revocation else None,
            )

    def _opened(self, note: str) -> Approval:
        approval, name = open_statement(
            note, kind="approval", form=Approval, people=self.people, role="approver"
        )
        self._require(name, stated=approval.approver, rule=approval.rule)
        return approval

    def _revocation(self, note: str) -> Revocation:
        # Who may approve anything may take back anything: that only ever refuses.
        revocation, name = open_statement(
            note,
            kind="revocation",
            form=Revocation,
            people=self.people,
            role="approver",
        )
        if name != revocation.by:
            raise AuthorityError(
                f"`{name}` has signed in the name of `{revocation.by}`"
            )
        return revocation

    def _require(self, name: str, *, stated: str, rule: str) -> None:
        if name != stated:
            raise AuthorityError(f"`{name}` has signed in the name of `{stated}`")
        person = self.people.find(name, role="approver")
        if person is None or not person.covers(rule=rule, regime=self.regimes(rule)):
            raise AuthorityError(
                f"`{name}` may not approve `{rule}`: add the rule or its regime to the"
                " line in the file of people, or ask another approver"
            )
