"""What the trail is given of a decision, and the record that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from policyguard.audit.leaf import body_of
from policyguard.audit.names import Names
from policyguard.audit.people import salted
from policyguard.audit.recorder import Waiting
from policyguard.audit.vault import Sealed
from policyguard.canonical import canonical_bytes
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
        content = entry.content
        written = content if isinstance(content, bytes) else canonical_bytes(content)
        sealed = Sealed.of(str(entry.fields["id"]), written)
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
        unnamed = prompt is None or caller is None
        named = {*entry.people, *([] if unnamed else [str(caller)])}
        if named or prompt is not None:
            sealed = names.about(
                sealed,
                named=named,
                prompt=salty if prompt is not None else None,
                leaf=leaf_hash(body),
            )
    except (PolicyGuardError, ValidationError) as error:
        raise NotDurableError(f"no record can be made: {error}") from error
    return Waiting(body=body, sealed=sealed)


def settled_place(item: Waiting) -> Place | NotDurableError:
    """Return where a settled record is, or why it is nowhere."""
    place = item.place
    if place is not None:
        return place
    return NotDurableError(f"the record could not be made durable: {item.error}")
