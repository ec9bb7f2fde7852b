"""Asks a witness for its cosignature: the client of https://c2sp.org/tlog-witness.

A witness remembers the newest checkpoint of a log that it has seen, and cosigns a later
one only if it continues that. So a witness in other hands refuses what no local check
can see: a log that was put back whole, and one written anew with its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from policyguard.audit.outside.post import DEADLINE_SECONDS, Answer, post
from policyguard.errors import (
    FormatError,
    InvalidSignatureError,
    OutsideError,
    TamperedError,
)
from policyguard.signing.text import excerpt
from policyguard.tlog import Checkpoint, Note
from policyguard.tlog.cosignature import verified_cosignatures
from policyguard.tlog.witness import (
    MAX_ANSWER_BYTES,
    SIZE_TYPE,
    Submission,
    parse_cosignatures,
    parse_known_size,
)

if TYPE_CHECKING:
    from policyguard.signing.trust_file import TrustedWitness

ProveFrom = Callable[[int], Sequence[bytes]]
"""Returns the consistency proof from an older size to the checkpoint's."""

_CONFLICT: Final = 409
_UNPROCESSABLE: Final = 422
_REASONS: Final = {
    400: "it does not understand the submission",
    403: "it does not know the log's key: give it the log's verifier key",
    404: "it does not know the log's origin: give it the log's verifier key",
    429: "it is asked too often",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessClient:
    """Talks to one witness of a trust file."""

    witness: TrustedWitness
    deadline: float = DEADLINE_SECONDS

    def cosign(self, note: Note, *, known_size: int, prove_from: ProveFrom) -> Note:
        """Return a checkpoint with the witness's verified cosignature added.

        Args:
            note: The log's signed checkpoint.
            known_size: The size that the witness is thought to know; 0: none.
            prove_from: Proves consistency from a size that the witness knows.

        Raises:
            TamperedError: the witness has seen a longer log, or another history.
            OutsideError: there is no URL, no answer, or a refusal of another kind.
        """
        checkpoint = Checkpoint.parse(note.text)
        answer = self._submit(note, old_size=known_size, prove_from=prove_from)
        if answer.status == _CONFLICT and answer.content_type == SIZE_TYPE:
            size = self._known(answer, checkpoint=checkpoint)
            if size == known_size:
                raise self._other_history(checkpoint)
            answer = self._submit(note, old_size=size, prove_from=prove_from)
        if answer.status in {_CONFLICT, _UNPROCESSABLE}:
            raise self._other_history(checkpoint)
        if not answer.is_ok:
            reason = _REASONS.get(answer.status, f"status {answer.status}")
            raise OutsideError(
                f"the witness `{self._name}` has not cosigned {checkpoint.origin}:"
                f" {reason}"
            )
        return self._added(answer, note=note)

    @property
    def _name(self) -> str:
        return excerpt(self.witness.name)

    def _submit(self, note: Note, *, old_size: int, prove_from: ProveFrom) -> Answer:
        url = self.witness.url
        if url is None:
            raise OutsideError(
                f"the witness `{self._name}` has no URL: add it to its line"
            )
        proof = tuple(prove_from(old_size)) if old_size else ()
        body = Submission(old_size=old_size, proof=proof, checkpoint=note).format()
        return post(
            f"{url.rstrip('/')}/add-checkpoint",
            body.encode(),
            content_type="text/plain; charset=utf-8",
            limit=MAX_ANSWER_BYTES,
            deadline=self.deadline,
        )

    def _known(self, answer: Answer, *, checkpoint: Checkpoint) -> int:
        try:
            size = parse_known_size(answer.body)
        except FormatError as error:
            raise OutsideError(
                f"the witness `{self._name}` does not follow its protocol: {error}"
            ) from error
        if size > checkpoint.size:
            raise TamperedError(
                f"the log {checkpoint.origin} was put back: it has {checkpoint.size}"
                f" records and the witness `{self._name}` has seen {size}: restore the"
                " newer one"
            )
        return size

    def _other_history(self, checkpoint: Checkpoint) -> TamperedError:
        return TamperedError(
            f"the log {checkpoint.origin} is not the one that the witness"
            f" `{self._name}` has seen: there are two histories of it"
        )

    def _added(self, answer: Answer, *, note: Note) -> Note:
        try:
            lines = parse_cosignatures(answer.body)
            wanted = [
                line
                for line in lines
                if (line.key_name, line.key_id)
                == (self.witness.key.key_name, self.witness.key.key_id)
            ]
            cosigned = Note(text=note.text, signatures=(*note.signatures, *wanted))
            times = verified_cosignatures(cosigned, witnesses=[self.witness.key])
        except (FormatError, InvalidSignatureError) as error:
            raise OutsideError(
                f"the witness `{self._name}` has not cosigned: {error}"
            ) from error
        if self.witness.key not in times:
            raise OutsideError(
                f"the witness `{self._name}` has signed with another key than the trust"
                " file says: correct one of them"
            )
        return cosigned
