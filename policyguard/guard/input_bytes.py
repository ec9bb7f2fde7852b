"""Writes a call's canonical `input` from parts that are written once.

The groups of facts that a guard is bound to are the same values in every call, so they
are dumped once and their bytes are joined. Owner: the process; a bounded table of
frozen values, found by identity. No lock is taken: a thread that loses a race dumps
them once more.

INVARIANT: `whole` is `canonical_bytes(call.engine_input())`, and `question` the same
without `at`; a law compares them. An entry of the table keeps its values alive, so that
no other value can have their identities.
"""

from __future__ import annotations

import threading
from operator import itemgetter
from typing import Any, Final, NamedTuple

from policyguard.canonical import canonical_dump
from policyguard.vocabulary.call import ModelCall

MOST_ENTRIES: Final = 2_048
_AT: Final = "at"
"""Is new in every call; of all else the same values come again and again."""
_NAMES: Final = tuple(sorted(ModelCall.model_fields.keys() - {_AT}))
_WORDS: Final = frozenset({"asked", "model", "route"})
"""What a client's words mean; all others are groups of facts."""
_values_of: Final = itemgetter(*_NAMES)

_NO_INPUT: Final[dict[str, frozenset[str]]] = {
    "caller": frozenset({"id"}),
    "data": frozenset({"people"}),
}
"""Fields of a group that are not part of `input`."""
_NAMED: Final = frozenset({"caller", "tenant"})
"""Groups with names that are compared with lists, whose keys are part of `input`."""

_JOINED: Final[dict[tuple[int, ...], tuple[object, _Joined]]] = {}
_DUMPED: Final[dict[tuple[str, int], tuple[object, bytes]]] = {}


class InputBytes(NamedTuple):
    """Is the canonical input of one call."""

    question: bytes
    """Without `at`."""
    whole: bytes


class _Joined(NamedTuple):
    """Is the canonical input of all calls that have the same values."""

    question: bytes
    before: bytes
    """What of `input` stands before `at`."""
    after: bytes


class _Last(threading.local):
    """Remembers the last call of a thread."""

    entry: tuple[ModelCall, InputBytes] | None = None


_LAST: Final = _Last()


def input_bytes(call: ModelCall) -> InputBytes:
    """Return the canonical bytes of a call's `input`, and those without its instant.

    Raises:
        CanonicalError: a text that UTF-8 cannot hold.
    """
    last = _LAST.entry
    if last is not None and last[0] is call:
        # Whoever evaluates a question and whoever records it ask for the same bytes.
        return last[1]
    _LAST.entry = made = call, _bytes_of(call)
    return made[1]


def _bytes_of(call: ModelCall) -> InputBytes:
    fields = call.__dict__
    values = _values_of(fields)
    found = _JOINED.get(tuple(map(id, values)))
    joined = _join(values) if found is None else found[1]
    instant = b'"at":"%b"' % _instant(call).encode()
    whole = b"%b%b%b" % (joined.before, instant, joined.after)
    return InputBytes(question=joined.question, whole=whole)


def _join(values: tuple[object, ...]) -> _Joined:
    members = [
        (name, b'"%b":%b' % (name.encode(), _dumped(name, value)))
        for name, value in zip(_NAMES, values, strict=True)
    ]
    before = b",".join(member for name, member in members if name < _AT)
    after = b",".join(member for name, member in members if name > _AT)
    joined = _Joined(
        question=b"{%b,%b}" % (before, after),
        before=b"{%b," % before,
        after=b",%b}" % after,
    )
    if len(_JOINED) >= MOST_ENTRIES:
        _JOINED.clear()
    _JOINED[tuple(map(id, values))] = (values, joined)
    return joined


def _dumped(name: str, value: object) -> bytes:
    if name in _WORDS:
        return canonical_dump(_document(name, value))
    # Most groups of a call whose facts are new are those of the call before.
    found = _DUMPED.get((name, id(value)))
    if found is not None:
        return found[1]
    written = canonical_dump(_document(name, value))
    if len(_DUMPED) >= MOST_ENTRIES:
        _DUMPED.clear()
    _DUMPED[name, id(value)] = (value, written)
    return written


def _document(name: str, value: Any) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return [_document(name, item) for item in value]
    document = value.model_dump(mode="json")
    for unsaid in _NO_INPUT.get(name, ()):
        del document[unsaid]
    if name in _NAMED and document["organisation"] is not None:
        from policyguard.vocabulary.names import add_name_keys

        add_name_keys(document)
    return document


def _instant(call: ModelCall) -> str:
    return call.at.isoformat().replace("+00:00", "Z")
