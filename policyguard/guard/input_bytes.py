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

from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from policyguard.canonical import canonical_dump
from policyguard.vocabulary.call import ModelCall

MOST_ENTRIES: Final = 2_048
_OF_ONE_CALL: Final = frozenset({"asked", "at", "model", "route"})
"""Fields that are new in every call; all others are groups of facts."""
_NAMES: Final = sorted(ModelCall.model_fields)
_GROUPS: Final = tuple(name for name in _NAMES if name not in _OF_ONE_CALL)
_LAYOUT: Final = tuple(
    (of_one_call, tuple(names))
    for of_one_call, names in groupby(_NAMES, key=_OF_ONE_CALL.__contains__)
)
_RUNS: Final = tuple(names for of_one_call, names in _LAYOUT if not of_one_call)
_values_of: Final = itemgetter(*_GROUPS)

_JOINED: Final[dict[tuple[int, ...], tuple[object, tuple[bytes, ...]]]] = {}


class InputBytes(NamedTuple):
    """Is the canonical input of one call."""

    question: bytes
    """Without `at`."""
    whole: bytes


def input_bytes(call: ModelCall) -> InputBytes:
    """Return the canonical bytes of a call's `input`, and those without its instant.

    Raises:
        CanonicalError: a text that UTF-8 cannot hold.
    """
    fields = call.__dict__
    values = _values_of(fields)
    found = _JOINED.get(tuple(map(id, values)))
    runs = iter(found[1] if found is not None else _join(call, values))
    parts: list[bytes] = []
    before = 0
    for of_one_call, names in _LAYOUT:
        if not of_one_call:
            parts.append(next(runs))
            continue
        for name in names:
            if name == "at":
                before = len(parts)
            else:
                parts.append(b'"%b":%b' % (name.encode(), _of_one_call(fields[name])))
    instant = b'"at":"%b"' % _instant(call).encode()
    question = b"{%b}" % b",".join(parts)
    parts.insert(before, instant)
    return InputBytes(question=question, whole=b"{%b}" % b",".join(parts))


def _join(call: ModelCall, values: tuple[object, ...]) -> tuple[bytes, ...]:
    document = call.engine_input()
    runs = tuple(
        canonical_dump({name: document[name] for name in names})[1:-1]
        for names in _RUNS
    )
    if len(_JOINED) >= MOST_ENTRIES:
        _JOINED.clear()
    _JOINED[tuple(map(id, values))] = (values, runs)
    return runs


def _of_one_call(value: Any) -> bytes:
    # `asked` holds plain values alone.
    return canonical_dump(value.__dict__ if hasattr(value, "__dict__") else value)


def _instant(call: ModelCall) -> str:
    return call.at.isoformat().replace("+00:00", "Z")
