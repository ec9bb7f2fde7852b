"""Applies approvals to a question: which of them it carries, and whose use is taken.

The signatures are verified here, before anything enters `input`; whether an approval
fits the call is the policy's question, so that a replay asks it again.

INVARIANT: an approval lifts what requires approval and nothing else, and for a call
that is made one use of each approval that lifted something is taken first, durably.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from policyguard.authority.people import same_person
from policyguard.engines.protocol import Snapshot
from policyguard.errors import TrailError
from policyguard.guard.answer import Answer
from policyguard.guard.events import log
from policyguard.vocabulary.approval import Approval
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Finding

if TYPE_CHECKING:
    from policyguard.authority.approvals import Approvals

_MOST_TRIES: Final = 8
"""Others may take the last use of an approval; each try rests on one less."""


class Answering(Protocol):
    """Is what answers questions; a policy does."""

    @property
    def snapshot(self) -> Snapshot:
        """Say which bundle answers."""

    def answer(self, call: ModelCall) -> Answer:
        """Answer a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Looks up what people have approved."""

    approvals: Approvals
    pseudonym: Callable[[str], str]
    """Returns the pseudonym of a caller's id, as leaves have it."""

    def for_call(self, call: ModelCall, *, bundle: str) -> tuple[Approval, ...]:
        """Return the approvals that somebody else has signed for a call's caller.

        Args:
            call: The question.
            bundle: The digest of the policy in force.

        Raises:
            TrailError: they cannot be read.
        """
        if call.caller is None:
            # Nobody can say that the approver is somebody else.
            return ()
        name = call.caller.id
        held = self.approvals.holding(
            tenant=call.tenant.id, caller=self.pseudonym(name), bundle=bundle
        )
        return tuple(item for item in held if not same_person(item.approver, name))

    def answered(
        self, call: ModelCall, answer: Answer, *, policy: Answering, costs: bool
    ) -> tuple[ModelCall, Answer]:
        """Ask again with what people have approved, and take the uses that it costs.

        Args:
            call: A question without approvals.
            answer: Its answer, which asks for one.
            policy: What has answered it.
            costs: Whether a call follows, and uses are taken if it is allowed.

        Returns:
            The question with the approvals that it carries, and its answer; both as
            they came if there are none, or if they cannot be read.
        """
        try:
            for _ in range(_MOST_TRIES):
                held = self.for_call(call, bundle=policy.snapshot.bundle_digest)
                carried = call.model_copy(update={"approvals": held})
                lifted = policy.answer(carried) if held else answer
                used = used_of(held, lifted.findings)
                if not used:
                    break
                made = costs and lifted.verdict == "allow"
                if not made or self.take(used):
                    return carried, lifted
        except TrailError as error:
            log.error("approval.not_read", reason=str(error))
        return call, answer

    def take(self, approvals: tuple[Approval, ...]) -> bool:
        """Take one use of each, or of none if one has no use left.

        Raises:
            TrailError: the uses cannot be kept.
        """
        taken = self.approvals.take(approvals)
        if not taken:
            log.info("approval.gone", approvals=[item.id for item in approvals])
        return taken


def used_of(
    approvals: tuple[Approval, ...], findings: tuple[Finding, ...]
) -> tuple[Approval, ...]:
    """Return the approvals that have lifted one of the findings."""
    ids = {
        item.id
        for finding in findings
        for item in finding.softened
        if item.by == "approval"
    }
    return tuple(item for item in approvals if item.id in ids)
