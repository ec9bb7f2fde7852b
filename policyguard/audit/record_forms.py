"""Reads many records of the same form fast: each form is validated once.

Most records of a log differ in ids, times and commitments alone. What is validated in
full once becomes a form: its bytes, with a pattern in the place of each such value. A
record that a form matches is one in its one canonical form, because each pattern takes
only what its field takes whatever the others are, written as RFC 8785 writes it; so it
need not be parsed. What no form matches is validated in full, as before.

Owner: one reading of one log. Nothing here is stored, and nothing is taken on trust from
what was read: a form is made of a record that was validated, is validated once more with
other values in all its places, and is given up if that is not a record, too.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from policyguard.audit.reader import Entry
from policyguard.errors import FormatError
from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

if TYPE_CHECKING:
    from policyguard.vocabulary.record import AnyRecord

_UUID: Final = b"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_COUNT: Final = b"[1-9][0-9]{0,14}"
# A quote inside a text is escaped, so these are keys wherever they stand.
_PLACE: Final = re.compile(
    b'(?:"(?P<name>id|call_id|decision)":"(?P<uuid>' + _UUID + b')"'
    b'|"(?:time|at)":"(?P<time>' + _TIME + b')"'
    b'|"value":"(?P<value>[0-9a-f]{64})"'
    b'|"caller":"(?P<caller>[0-9a-f]{32})"'
    b'|"(?:bytes|input_tokens|output_tokens)":(?P<count>' + _COUNT + b")(?=[,}]))"
)
_OTHER: Final = {
    "uuid": b"0123abcd-4567-89ef-0123-456789abcdef",
    "time": b"1999-12-31T23:59:59.999999Z",
    "value": b"0123456789abcdef" * 4,
    "caller": b"fedcba9876543210" * 2,
}
_PATTERN: Final = {
    "uuid": _UUID,
    "time": _TIME,
    "value": b"[0-9a-f]{64}",
    "caller": b"[0-9a-f]{32}",
    "count": _COUNT,
}
_SEEN_BEFORE: Final = 64
"""A form costs as much as validating some hundred records."""
_MOST_OF_LENGTH: Final = 8
_MOST_LENGTHS: Final = 64


class Brief(NamedTuple):
    """Is what verification collects of a decision or an outcome."""

    id: str
    decision: str | None = None
    """Of an outcome, the decision that it is of."""
    content: str | None = None
    """Of a decision, the commitment to its content."""
    goes_ahead: bool = False
    """Whether an outcome of it is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    pattern: re.Pattern[bytes]
    outcome: bool
    goes_ahead: bool

    def read(self, body: bytes) -> Brief | None:
        found = self.pattern.fullmatch(body)
        if found is None:
            return None
        if self.outcome:
            return Brief(id=found["id"].decode(), decision=found["decision"].decode())
        return Brief(
            id=found["id"].decode(),
            content=found["value"].decode(),
            goes_ahead=self.goes_ahead,
        )


class Forms:
    """Knows the forms of one log's records."""

    __slots__ = ("_forms", "_seen")

    def __init__(self) -> None:
        """Know none."""
        self._forms: dict[int, list[_Form]] = {}
        self._seen: Counter[int] = Counter()

    def read(self, body: bytes) -> Brief | None:
        """Return what a record says, if it is of a known form."""
        forms = self._forms.get(len(body))
        if forms is None:
            return None
        for form in forms:
            brief = form.read(body)
            if brief is not None:
                if form is not forms[0]:
                    # Whatever comes often is tried first.
                    forms.remove(form)
                    forms.insert(0, form)
                return brief
        return None

    def learn(self, entry: Entry, record: AnyRecord) -> None:
        """Take in a record that was validated in full."""
        if not isinstance(record, DecisionRecord | OutcomeRecord):
            return
        if isinstance(record, DecisionRecord) and record.prompt is not None:
            return
        length = len(entry.body)
        self._seen[length] += 1
        if self._seen[length] % _SEEN_BEFORE:
            return
        if len(self._seen) > 16 * _MOST_LENGTHS:
            self._seen.clear()
        forms = self._forms.get(length, [])
        if len(forms) < _MOST_OF_LENGTH and len(self._forms) < _MOST_LENGTHS:
            form = _form_of(entry, record)
            if form is not None:
                self._forms[length] = [*forms, form]


def _form_of(entry: Entry, record: DecisionRecord | OutcomeRecord) -> _Form | None:
    """Return the form of a record; `None`: other values in it would be no record."""
    pattern, other = _divided(entry.body)
    form = _Form(
        pattern=re.compile(pattern),
        outcome=isinstance(record, OutcomeRecord),
        goes_ahead=isinstance(record, DecisionRecord) and record.goes_ahead,
    )
    try:
        another = Entry(origin=entry.origin, index=entry.index, body=other, leaf=b"")
        alike = form.read(other) == brief_of(another.record())
        return form if alike and form.read(entry.body) == brief_of(record) else None
    except (FormatError, IndexError):
        return None


def brief_of(record: AnyRecord) -> Brief:
    """Return what verification collects of a record."""
    if isinstance(record, OutcomeRecord):
        return Brief(id=record.id, decision=record.decision)
    if isinstance(record, DecisionRecord):
        return Brief(
            id=record.id, content=record.input.value, goes_ahead=record.goes_ahead
        )
    return Brief(id=record.id)


def _divided(body: bytes) -> tuple[bytes, bytes]:
    """Return the pattern of a record's bytes, and bytes with other values in them."""
    pattern: list[bytes] = []
    other: list[bytes] = []
    named: set[str] = set()
    at = 0
    for found in _PLACE.finditer(body):
        kind = str(found.lastgroup)
        name = found["name"].decode() if kind == "uuid" else kind
        literal = body[at : found.start(kind)]
        # A name can be given once; of what is nested in a decision nothing has a name.
        wanted = _PATTERN[kind]
        if name in {"id", "decision", "value"} and name not in named:
            named.add(name)
            wanted = b"(?P<%b>%b)" % (name.encode(), wanted)
        pattern += re.escape(literal), wanted
        value = found[kind]
        other += literal, _OTHER.get(kind, b"9" * len(value))
        at = found.end(kind)
    return b"".join([*pattern, re.escape(body[at:])]), b"".join([*other, body[at:]])
