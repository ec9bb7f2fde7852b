"""Every exception of the project, in one tree.

    PolicyGuardError
    ├── ConfigurationError        wrong settings, files or arguments, at construction
    ├── FormatError               bytes that are not what their format says
    │   ├── CanonicalError        a value that has no canonical form
    │   ├── NewerRecordError      a record that a newer version has made
    │   └── UnclearError               a body that could be read in more than one way
    ├── BundleError               a policy bundle that cannot be used
    │   └── BundleRefused         one that was offered, and may not take over
    ├── CatalogError              a catalog that cannot be used
    ├── AuthorityError            a person's signed statement that does not count
    ├── EngineError               no decision could be computed; carries a code `engine.*`
    │   ├── EngineLoadError       policy or data that the engine refuses
    │   ├── EvaluationError       evaluation failed, was undefined or malformed
    │   ├── NotTranslatedError    policy that is left to the interpreter
    │   ├── CannotSayError        an answer that is left to the interpreter
    │   └── UndecidedError        a fact was looked at that is still open
    ├── TrailError                the trail cannot be written, opened or read
    │   ├── NotDurableError       a record could not be made durable
    │   ├── CutOffError           a crash left a file half-written, until it is opened
    │   ├── NewerTrailError       a newer version of this software has made it
    │   ├── OutOfReachError       a store that is away, or that may not be read here
    │   └── SlotError             no log of the trail can be claimed
    ├── OutsideError              a witness, an authority or a sink cannot be used
    ├── VerificationError         a signature, proof or hash does not hold
    │   ├── InvalidSignatureError
    │   ├── InvalidProofError
    │   ├── InvalidCheckpointError
    │   ├── UnwitnessedError      too few witnesses have cosigned a checkpoint
    │   └── TamperedError         a stored trail is not what was signed; names the place
    ├── CannotProtect             `guard.protect` found nothing that it can guard
    ├── CallerRefused             who asks could not be named; carries an HTTP status
    └── NotAllowed                the call may not be made; carries the decision
        ├── PolicyDenied          verdict `deny`
        ├── ApprovalRequired      verdict `require_approval`
        ├── ModelUnavailable      verdict `unavailable`
        └── NoDecision            engine, record or bundle trouble

Messages are written for the reader who has to act on them: lowercase, no full
stop, what was given in backticks, causes after a colon, then what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policyguard.vocabulary.decision import Decision
    from policyguard.vocabulary.record import RejectCode


class PolicyGuardError(Exception):
    """Is the root of every error that the project raises."""


class ConfigurationError(PolicyGuardError):
    """Says that settings, files or arguments are wrong."""


class FormatError(PolicyGuardError):
    """Says that bytes are not what their format demands."""


class CanonicalError(FormatError):
    """Says that a value has no canonical JSON form."""


class NewerRecordError(FormatError):
    """Says which record a newer version of this software has made."""

    def __init__(self, name: str) -> None:
        """Say what to do about the record with this name."""
        super().__init__(
            f"{name} is of a newer version of policyguard: use that version here, too"
        )


class UnclearError(FormatError):
    """Says why a body that is sent could be read in more than one way."""


class BundleError(PolicyGuardError):
    """Says that a policy bundle cannot be used."""


class BundleRefused(BundleError):  # noqa: N818 -- a verdict on an offer, not a fault
    """Says why an offered bundle may not take over; `code` is what the record says."""

    def __init__(
        self, message: str, *, code: RejectCode, offered: str | None = None
    ) -> None:
        """Keep the code, and the digest of what was offered."""
        super().__init__(message)
        self.code: RejectCode = code
        self.offered = offered


class CatalogError(PolicyGuardError):
    """Says that a catalog cannot be used."""


class AuthorityError(PolicyGuardError):
    """Says that a person's signed statement does not count, and why."""


class EngineError(PolicyGuardError):
    """Says that no decision could be computed."""

    code = "engine.error"


class EngineLoadError(EngineError):
    """Says that the engine refuses policy or data."""

    code = "engine.load"


class EvaluationError(EngineError):
    """Says that an evaluation failed, or was undefined or malformed."""

    def __init__(self, message: str, *, code: str = "engine.evaluation") -> None:
        """Keep the machine-readable `code` beside the message."""
        super().__init__(message)
        self.code = code


class NotTranslatedError(EngineError):
    """Says that policy has a form that is left to the interpreter, and which."""


class CannotSayError(EngineError):
    """Says that compiled policy is not sure of an answer: the interpreter gives it."""


class UndecidedError(EngineError):
    """Says that a proof's policy looked at a fact that is still open.

    Args:
        level: The fact, by its place.
        ways: What it can be: each with its values as bits.
    """

    def __init__(self, level: int, ways: Sequence[int]) -> None:
        super().__init__("a fact is open")
        self.level, self.ways = level, ways


class TrailError(PolicyGuardError):
    """Says that the trail cannot be written, opened or read."""


class NotDurableError(TrailError):
    """Says that a record could not be made durable."""


class CutOffError(TrailError):
    """Says that a crash left a file half-written, until who writes it opens it again."""


class NewerTrailError(TrailError):
    """Says that a newer version of this software has made what is read."""


class OutOfReachError(TrailError):
    """Says that a store is away or may not be read here, whatever it holds."""


class SlotError(TrailError):
    """Says that no log of the trail can be claimed."""


class OutsideError(PolicyGuardError):
    """Says that a witness, a time-stamping authority or a sink cannot be used."""


class VerificationError(PolicyGuardError):
    """Says that a signature, proof or hash does not hold."""


class InvalidSignatureError(VerificationError):
    """Says that a signature does not hold."""


class InvalidProofError(VerificationError):
    """Says that an inclusion or consistency proof does not hold."""


class InvalidCheckpointError(VerificationError):
    """Says that a checkpoint is not one of this log's."""


class UnwitnessedError(VerificationError):
    """Says that a checkpoint lacks the cosignatures that the trust file asks for."""


class TamperedError(VerificationError):
    """Says that a stored trail is not what was signed, and where."""


class CannotProtect(PolicyGuardError):  # noqa: N818 -- the name that users read
    """Says that there is nothing in the client that could be guarded."""


class CallerRefused(PolicyGuardError):  # noqa: N818 -- a verdict on a claim, not a fault
    """Says that who asks could not be named; `status` is 401, or 403 for a known one.

    The message is for operators. `reason`, a word as `expired`, may be told to anybody.
    """

    def __init__(self, message: str, *, reason: str, status: int = 401) -> None:
        """Keep the word and the status."""
        super().__init__(message)
        self.reason = reason
        self.status = status


class NotAllowed(PolicyGuardError):  # noqa: N818 -- a verdict, not a fault
    """Says that the call may not be made; `decision` says why."""

    def __init__(self, message: str, *, decision: Decision) -> None:
        """Carry the decision, for handlers that want more than the text."""
        super().__init__(message)
        self.decision = decision


class PolicyDenied(NotAllowed):
    """Says that a rule denies the call."""


class ApprovalRequired(NotAllowed):
    """Says that a person has to approve the call first."""


class ModelUnavailable(NotAllowed):
    """Says that the vendor has switched the model off; no rule forbids it."""


class NoDecision(NotAllowed):
    """Says that no decision or no durable record could be had."""
