"""Takes a log's newest checkpoint outside: to witnesses, an authority, and sinks.

Owner: whoever runs it, one at a time for a log, which the shelf's gate sees to; it reads
the log and writes its shelf. It runs beside the processes that write the log and never holds one up. What fails is
remembered on the shelf and shown, and tried again the next time; the rest is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from policyguard.audit.leaf import Progress, leaf_hashes
from policyguard.audit.outside.post import DEADLINE_SECONDS, post
from policyguard.audit.outside.shelf import Attempt, Shelf
from policyguard.audit.outside.witness import WitnessClient
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    OutsideError,
    VerificationError,
)
from policyguard.identity import record_time
from policyguard.signing.timestamp import (
    MAX_REPLY_BYTES,
    QUERY_TYPE,
    REPLY_TYPE,
    TimeRoots,
    stamp_request,
    stated_time,
    verify_stamp,
)
from policyguard.signing.trust_file import TrustedWitness, TrustFile
from policyguard.tlog import (
    Checkpoint,
    Note,
    prove_consistency,
    verify_checkpoint,
)
from policyguard.tlog.cosignature import verified_cosignatures

if TYPE_CHECKING:
    from policyguard.audit.outside.sinks import Sink
    from policyguard.audit.reader import Log
    from policyguard.signing.keyring import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Says whom a checkpoint is taken to."""

    trust: TrustFile = field(default_factory=TrustFile)
    """Its witnesses that have a URL are asked; its quorum says which are enough."""
    timestamp_url: str | None = None
    """A time-stamping authority of RFC 3161 over HTTP."""
    roots: TimeRoots | None = None
    """The authority's certificates; without them its answers are kept unverified."""
    sinks: tuple[Sink, ...] = ()
    deadline: float = DEADLINE_SECONDS
    """Seconds for each answer."""

    @property
    def is_nobody(self) -> bool:
        """Whether there is nobody to take a checkpoint to."""
        asked = any(witness.url for witness in self.trust.witnesses)
        return not (asked or self.timestamp_url or self.sinks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Is a log's newest checkpoint with what is needed to take it outside."""

    note: Note
    vkeys: Sequence[VerifierKey]
    leaves: Callable[[], Sequence[bytes]]
    """Returns the leaf hashes of all its records; called only if a proof is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Says where one checkpoint has come to."""

    checkpoint: Checkpoint
    places: tuple[tuple[str, str | None], ...]
    """Each place with why it failed; `None`: it did not."""
    tampered: str | None = None
    """What a place knows that contradicts the log."""

    @property
    def is_whole(self) -> bool:
        """Whether every place has taken it."""
        return all(failure is None for _, failure in self.places)


def take_log(
    log: Log,
    *,
    outside: Outside,
    now: Callable[[], datetime],
    progress: Progress | None = None,
) -> Taken:
    """Take a log's newest checkpoint to everybody that there is, one run at a time.

    Args:
        log: The log.
        outside: Whom it is taken to.
        now: Returns the wall time.
        progress: Called as records are hashed, where a proof is needed.

    Raises:
        PolicyGuardError: as `take_outside` says.
    """
    with log.outside.gate():
        head = log.head()
        published = Published(
            note=Note.parse(head.note),
            vkeys=log.vkeys,
            leaves=lambda: leaf_hashes(
                log.source, origin=log.origin, size=head.size, progress=progress
            ),
        )
        shelf = Shelf(cabinet=log.outside)
        return take_outside(published, shelf=shelf, outside=outside, now=now)


def take_outside(
    published: Published, *, shelf: Shelf, outside: Outside, now: Callable[[], datetime]
) -> Taken:
    """Take a checkpoint to everybody that there is.

    Args:
        published: The log's newest checkpoint.
        shelf: Where what is answered is kept.
        outside: Whom it is taken to.
        now: Returns the wall time, for the state on the shelf.

    Raises:
        TamperedError: log and shelf contradict each other.
        VerificationError: the checkpoint is not signed with the log's key.
        TrailError: log or shelf cannot be read or written.
    """
    checkpoint = verify_checkpoint(published.note, vkeys=published.vkeys)
    run = _Run(
        published=published,
        checkpoint=checkpoint,
        shelf=shelf,
        outside=outside,
        now=now,
        note=shelf.add(checkpoint.size, published.note),
    )
    for witness in outside.trust.witnesses:
        if witness.url is not None:
            run.attempt(f"witness {witness.name}", lambda w=witness: run.ask(w))  # type: ignore[misc]
    if outside.timestamp_url is not None:
        run.attempt("time stamp", run.stamp)
    # Last, so that a sink gets what the witnesses have added.
    for sink in outside.sinks:
        run.attempt(
            sink.name,
            lambda s=sink: s.send(checkpoint, note=run.note.format()),  # type: ignore[misc]
        )
    return Taken(checkpoint=checkpoint, places=tuple(run.places), tampered=run.tampered)


@dataclass(slots=True, kw_only=True)
class _Run:
    """Is one checkpoint on its way."""

    published: Published
    checkpoint: Checkpoint
    shelf: Shelf
    outside: Outside
    now: Callable[[], datetime]
    note: Note
    places: list[tuple[str, str | None]] = field(default_factory=list)
    tampered: str | None = None

    def attempt(self, name: str, work: Callable[[], None]) -> None:
        """Do one thing, and remember what came of it."""
        failure = None
        try:
            work()
        except VerificationError as error:
            failure = str(error)
            self.tampered = self.tampered or failure
        except (OutsideError, ConfigurationError) as error:
            failure = str(error)
        self.places.append((name, failure))
        self.shelf.note_attempt(
            name,
            Attempt(
                time=record_time(self.now()),
                size=self.checkpoint.size,
                failure=failure,
            ),
        )

    def ask(self, witness: TrustedWitness) -> None:
        """Ask a witness for its cosignature."""
        client = WitnessClient(witness=witness, deadline=self.outside.deadline)
        cosigned = client.cosign(
            self.published.note,
            known_size=self._known_to(witness),
            prove_from=self._prove_from,
        )
        self.note = self.shelf.add(self.checkpoint.size, cosigned)

    def stamp(self) -> None:
        """Ask the authority for a time stamp, unless the checkpoint has one."""
        if self.shelf.stamp(self.checkpoint.size) is not None:
            return
        message = self.checkpoint.format().encode()
        request = stamp_request(message)
        answer = post(
            str(self.outside.timestamp_url),
            request.body,
            content_type=QUERY_TYPE,
            limit=MAX_REPLY_BYTES,
            deadline=self.outside.deadline,
        )
        if not answer.is_ok or answer.content_type != REPLY_TYPE:
            raise OutsideError(
                f"the authority has not stamped: status {answer.status}, type"
                f" `{answer.content_type}`"
            )
        try:
            if self.outside.roots is None:
                stated_time(answer.body, message=message)
            else:
                verify_stamp(
                    answer.body,
                    message=message,
                    roots=self.outside.roots,
                    nonce=request.nonce,
                )
        except (FormatError, VerificationError) as error:
            raise OutsideError(f"the authority has not stamped: {error}") from error
        self.shelf.add_stamp(self.checkpoint.size, answer.body)

    def _known_to(self, witness: TrustedWitness) -> int:
        """Return the newest size that the witness has cosigned, as far as is kept."""
        for size in reversed(self.shelf.sizes()):
            note = self.shelf.checkpoint(size)
            if verified_cosignatures(note, witnesses=[witness.key]):
                return min(size, self.checkpoint.size)
        return 0

    def _prove_from(self, size: int) -> Sequence[bytes]:
        if size == self.checkpoint.size:
            return ()
        return prove_consistency(
            old_size=size,
            new_size=self.checkpoint.size,
            tree=self.published.leaves()[: self.checkpoint.size],
        )
