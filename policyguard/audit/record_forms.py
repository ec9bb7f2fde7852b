"""Reads many records of the same form fast: each form is validated once.

Most records of a log differ in ids, times and commitments alone. What is validated in
full once becomes a form: where such values are in its bytes, and what is between them.
Records of one form are read together: they are cut at the same places, what is between
has to be the form's, byte for byte, and each value has to be what its field takes
whatever the others are, written as RFC 8785 writes it. So they need not be parsed. What
is of no known form is validated in full.

Owner: one reading of one log. Nothing here is stored, and nothing is taken on trust from
what was read: a form is made of a record that was validated, is validated once more with
other values in all its places, and is given up if that is not a record, too.

INVARIANT: what a form accepts is a record that full validation accepts, and says the
same there. A key in quotes stands for itself wherever it is: quotes inside a text are
escaped.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from policyguard.audit.reader import Entry
from policyguard.errors import FormatError
from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

if TYPE_CHECKING:
    from policyguard.audit.stores.protocol import Row
    from policyguard.vocabulary.record import AnyRecord

Column: TypeAlias = tuple[bytes, ...]
_UUID: Final = b"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_COUNT: Final = b"[1-9][0-9]{0,14}"
_PLACE: Final = re.compile(
    b'(?:"(?P<name>id|call_id|decision)":"(?P<uuid>' + _UUID + b')"'
    b'|"(?:time|at)":"(?P<time>' + _TIME + b')"'
    b'|"value":"(?P<value>[0-9a-f]{64})"'
    b'|"caller":"(?P<caller>[0-9a-f]{32})"'
    b'|"trace_id":"(?P<trace>[0-9a-f]{32})"'
    b'|"span_id":"(?P<span>[0-9a-f]{16})"'
    b'|"(?:bytes|input_tokens|output_tokens)":(?P<count>' + _COUNT + b")(?=[,}]))"
)
_OTHER: Final = {
    "uuid": b"0123abcd-4567-89ef-0123-456789abcdef",
    "time": b"1999-12-31T23:59:59.999999Z",
    "value": b"0123456789abcdef" * 4,
    "caller": b"fedcba9876543210" * 2,
    "trace": b"89abcdef01234567" * 2,
    "span": b"89abcdef01234567",
}
_IN_HEX: Final = frozenset(_OTHER) - {"time"}
_HEX: Final = bytes.maketrans(b"123456789abcdef", b"0" * 15)
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_SEEN_BEFORE: Final = 16
"""A form costs as much as validating a few records."""
_MOST_OF_LENGTH: Final = 32
_MOST_LENGTHS: Final = 256
_AT_ONCE: Final = 1_024
"""One record that is of no form sends so many the slower way."""


class Said(NamedTuple):
    """Is what verification collects of records of one kind, a column for each field."""

    rows: Sequence[Row]
    ids: Column
    decisions: Column | None = None
    """Of outcomes, the decisions that they are of."""
    contents: Column | None = None
    """Of decisions, the commitments to their contents."""
    callers: Column | None = None
    """Of decisions that name one, the pseudonyms of who asked."""
    go_ahead: bool = False
    """Whether outcomes of these decisions are expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Is where a value stands, and what it has to look like."""

    field: int
    kind: str
    template: bytes
    """The value with `0` in the place of each digit."""

    def holds(self, column: Column) -> bool:
        """Say whether every value of a column is what its field takes."""
        # Only digits become `0`, so this is a comparison with the pattern.
        text = b"".join(column)
        digits = _HEX if self.kind in _IN_HEX else _DIGITS
        if text.translate(digits) != self.template * len(column):
            return False
        # A number begins with no zero.
        return self.kind != "count" or b"0" not in text[:: len(self.template)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Cuts records of one length, and knows what may be between the places."""

    cut: Struct
    literals: tuple[int, ...]
    """Which fields are the bytes between."""
    places: tuple[_Place, ...]
    named: dict[str, int]
    """Which field has the record's id, its decision, its commitment and its caller."""
    forms: dict[Column, _Kind] = field(default_factory=dict)
    """What a record is, by the bytes between."""

    def read(self, rows: Sequence[Row]) -> tuple[list[Said], Sequence[Row]]:
        """Return what records say, and those that are of none of the forms."""
        columns = self._columns(rows)
        between = [columns[number] for number in self.literals]
        if all(column.count(column[0]) == len(rows) for column in between):
            kind = self.forms.get(tuple(column[0] for column in between))
            found = kind and self._said(columns, rows, kind=kind)
            return ([found], []) if found else ([], rows)
        groups: defaultdict[Column, list[int]] = defaultdict(list)
        for number, key in enumerate(zip(*between, strict=True)):
            groups[key].append(number)
        said: list[Said] = []
        left: list[Row] = []
        for key, numbers in groups.items():
            of_form = [rows[number] for number in numbers]
            picked = [tuple(map(column.__getitem__, numbers)) for column in columns]
            kind = self.forms.get(key)
            found = kind and self._said(picked, of_form, kind=kind)
            if found:
                said.append(found)
            else:
                left += of_form
        return said, left

    def _columns(self, rows: Sequence[Row]) -> list[Column]:
        joined = b"".join([row[1] for row in rows])
        return list(zip(*self.cut.iter_unpack(joined), strict=True))

    def _said(
        self, columns: Sequence[Column], rows: Sequence[Row], *, kind: _Kind
    ) -> Said | None:
        if not all(place.holds(columns[place.field]) for place in self.places):
            return None
        ids = columns[self.named["id"]]
        if kind.outcome:
            return Said(rows, ids, decisions=columns[self.named["decision"]])
        caller = self.named.get("caller")
        return Said(
            rows,
            ids,
            contents=columns[self.named["value"]],
            callers=None if caller is None else columns[caller],
            go_ahead=kind.go_ahead,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """Says what the records of one form are."""

    outcome: bool
    go_ahead: bool = False


class Forms:
    """Knows the forms of one log's records."""

    __slots__ = ("_layouts", "_seen")

    def __init__(self) -> None:
        """Know none."""
        self._layouts: dict[int, list[_Layout]] = {}
        self._seen: Counter[int] = Counter()

    def read(self, rows: Sequence[Row]) -> tuple[list[Said], list[Row]]:
        """Return what records of known forms say, and the other records in order."""
        by_length: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_length[len(row[1])].append(row)
        said: list[Said] = []
        left: list[Row] = []
        for length, group in by_length.items():
            layouts = self._layouts.get(length)
            if layouts is None:
                left += group
                continue
            for start in range(0, len(group), _AT_ONCE):
                rest: Sequence[Row] = group[start : start + _AT_ONCE]
                for layout in layouts:
                    if rest:
                        found, rest = layout.read(rest)
                        said += found
                left += rest
        left.sort()
        return said, left

    def learn(self, entry: Entry, record: AnyRecord) -> bool:
        """Take in a record that was validated in full; say if it is of a form now."""
        if not isinstance(record, DecisionRecord | OutcomeRecord):
            return False
        if isinstance(record, DecisionRecord) and record.prompt is not None:
            return False
        length = len(entry.body)
        self._seen[length] += 1
        if self._seen[length] % _SEEN_BEFORE:
            return False
        if len(self._seen) > 16 * _MOST_LENGTHS:
            self._seen.clear()
        layouts = self._layouts.get(length, [])
        known = sum(len(layout.forms) for layout in layouts)
        if known < _MOST_OF_LENGTH and (layouts or len(self._layouts) < _MOST_LENGTHS):
            return self._learn(entry, record, layouts=layouts)
        return False

    def _learn(
        self,
        entry: Entry,
        record: DecisionRecord | OutcomeRecord,
        *,
        layouts: list[_Layout],
    ) -> bool:
        layout, between, other = _divided(entry.body)
        kind = (
            _Kind(outcome=True)
            if isinstance(record, OutcomeRecord)
            else _Kind(outcome=False, go_ahead=record.goes_ahead)
        )
        layout.forms[between] = kind
        if not _is_alike(layout, entry, record, other=other):
            return False
        for known in layouts:
            if (known.cut.format, known.places) == (layout.cut.format, layout.places):
                known.forms[between] = kind
                return True
        self._layouts[len(entry.body)] = [*layouts, layout]
        return True


def _is_alike(
    layout: _Layout,
    entry: Entry,
    record: DecisionRecord | OutcomeRecord,
    *,
    other: bytes,
) -> bool:
    """Say whether other values in all places make a record that the form reads right."""
    try:
        another = Entry(origin=entry.origin, index=entry.index, body=other, leaf=b"")
        pairs = ((entry.body, record), (other, another.record()))
        return all(
            layout.read([(0, body, b"")])[0] == [said_of((0, body, b""), item)]
            for body, item in pairs
        )
    except (FormatError, KeyError):
        return False


def said_of(row: Row, record: AnyRecord) -> Said | None:
    """Return what verification collects of one decision or outcome."""
    ids = (record.id.encode(),)
    if isinstance(record, OutcomeRecord):
        return Said([row], ids, decisions=(record.decision.encode(),))
    if isinstance(record, DecisionRecord):
        return Said(
            [row],
            ids,
            contents=(record.input.value.encode(),),
            callers=None if record.caller is None else (record.caller.encode(),),
            go_ahead=record.goes_ahead,
        )
    return None


def _divided(body: bytes) -> tuple[_Layout, Column, bytes]:
    """Return how a record is cut, what is between, and it with other values in it."""
    widths: list[int] = []
    between: list[bytes] = []
    places: list[_Place] = []
    other: list[bytes] = []
    named: dict[str, int] = {}
    at = 0
    for found in _PLACE.finditer(body):
        kind = str(found.lastgroup)
        value = found[kind]
        between.append(body[at : found.start(kind)])
        # In an even field is what is between, in the odd one after it a value.
        number = 2 * len(places) + 1
        name = found["name"].decode() if kind == "uuid" else kind
        # Of what is nested in a decision nothing has a name.
        named.setdefault(name, number)
        digits = _HEX if kind in _IN_HEX else _DIGITS
        template = value.translate(digits)
        places.append(_Place(field=number, kind=kind, template=template))
        widths += len(between[-1]), len(value)
        other += between[-1], _OTHER.get(kind, b"9" * len(value))
        at = found.end(kind)
    between.append(body[at:])
    widths.append(len(between[-1]))
    layout = _Layout(
        cut=Struct("".join(f"{width}s" for width in widths)),
        literals=tuple(range(0, len(widths), 2)),
        places=tuple(places),
        named=named,
    )
    return layout, tuple(between), b"".join([*other, between[-1]])
