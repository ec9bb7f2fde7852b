"""What the trail is given of a decision, and the record that is made of it."""

from __future__ import annotations

import contextlib
from _thread import LockType
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from policyguard.audit.about import with_people
from policyguard.audit.leaf import body_of
from policyguard.audit.names import Names
from policyguard.audit.people import salted
from policyguard.audit.vault import Sealed
from policyguard.errors import NotDurableError, PolicyGuardError
from policyguard.tlog.merkle import leaf_hash
from policyguard.vocabulary.decision import Place
from policyguard.vocabulary.record import DecisionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEntry:
    """Is what the trail is given of one decision."""

    fields: Mapping[str, object]
    """Those of `DecisionRecord` but `caller` and `input`."""
    caller: str | None
    """Who asked; a pseudonym goes into the leaf."""
    content: Mapping[str, object] | bytes
    """What goes into the vault, bound to the leaf by a commitment; or its canonical
    bytes."""
    prompt: bytes | None = None
    """What was sent, if it is to be kept: sealed in the vault under the keys of all
    whom it is about, the caller among them."""
    people: Sequence[str] = ()
    """The ids of those whom the call is about."""


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Is a record on its way into the log."""

    body: bytes
    sealed: Sealed | None = None
    make: Callable[[], bytes] | None = None
    """Makes the body of a record that nobody waits for, when it is written."""
    failed: Callable[[BaseException], None] | None = None
    """Told of a failure that nobody waits for."""
    origin: str = ""
    index: int | None = None
    """Where the record is in the log `origin`; `None`: not there yet."""
    error: BaseException | None = None
    wake: LockType | None = None
    """Held while somebody waits; released when the record is settled, or to lead."""
    follows: LockType | None = None
    """Whom this waiter wakes when it is woken itself."""
    leads: bool = False
    gone: bool = False
    """Whether who waited was interrupted; the record is written all the same."""
    done: Callable[[], None] | None = None
    """Called when the record is settled, by whoever wrote it; returns at once."""

    @property
    def is_waited_for(self) -> bool:
        """Say whether somebody is answered once the record is settled."""
        return self.leads or self.wake is not None or self.done is not None

    @property
    def settled(self) -> bool:
        """Say whether the record has a place or an error."""
        return self.index is not None or self.error is not None

    @property
    def place(self) -> Place | None:
        """Say where the record is; `None`: nowhere yet."""
        # Of most records nobody asks.
        if self.index is None:
            return None
        return Place(origin=self.origin, index=self.index)

    def fail(self, error: BaseException) -> None:
        """Settle the record as one that is nowhere, and tell of it."""
        self.error = error
        if self.failed is not None:
            # Whoever is told may raise: others are to be told, too.
            with contextlib.suppress(Exception):
                self.failed(error)


def waiting_of(entry: DecisionEntry, *, names: Names) -> Waiting:
    """Return the record of a decision, on its way into the log.

    Args:
        entry: What the trail was given.
        names: Who is named in the records of this process.

    Raises:
        NotDurableError: it is no record.
    """
    caller, prompt = entry.caller, entry.prompt
    try:
        unnamed = prompt is None or caller is None
        named = {*entry.people, *([] if unnamed else [str(caller)])}
        people = names.people(named) if named else ()
        about = tuple(item.pseudonym for item in people)
        written = with_people(entry.content, about)
        sealed = replace(Sealed.of(str(entry.fields["id"]), written), about=about)
        salty, committed = (b"", None) if prompt is None else salted(prompt)
        record = DecisionRecord.model_validate(
            {
                **entry.fields,
                "caller": None if caller is None else names.pseudonym(caller),
                "input": sealed.commitment(),
                "prompt": committed,
            }
        )
        body = body_of(record)
        if prompt is not None:
            kept = names.seal(salty, people=people, leaf=leaf_hash(body))
            sealed = replace(sealed, prompt=kept)
    except (PolicyGuardError, ValidationError) as error:
        raise NotDurableError(f"no record can be made: {error}") from error
    return Waiting(body=body, sealed=sealed)


def settled_place(item: Waiting) -> Place | NotDurableError:
    """Return where a settled record is, or why it is nowhere."""
    place = item.place
    if place is not None:
        return place
    return NotDurableError(f"the record could not be made durable: {item.error}")


def tell_settled(items: Iterable[Waiting]) -> None:
    """Say of settled records that they are; whatever one raises, all are told.

    Raises:
        BaseException: what the last that failed has raised.
    """
    raised: BaseException | None = None
    for item in items:
        if item.done is not None:
            try:
                item.done()
            except BaseException as error:  # noqa: BLE001 -- raised once all are told
                raised = error
    if raised is not None:
        raise raised
