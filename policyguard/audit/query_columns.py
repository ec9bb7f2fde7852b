"""What a query can ask for: tables filled from the bytes of the leaves, and their views.

Pure: bytes in, rows out. The documentation of the views is written from this module.

INVARIANT: each value is read from the one canonical form of a record's bytes; nothing
that a store keeps beside those bytes is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policyguard.canonical import canonical_dump, parse_canonical
from policyguard.errors import FormatError, NewerRecordError
from policyguard.vocabulary.record import is_newer

DECISION_KINDS: Final = frozenset({"decision", "check"})
Cell = str | int | None
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Is one column of a view."""

    name: str
    type: str
    """`TEXT`, `INTEGER`, or `JSON`: text that is JSON."""
    meaning: str
    path: tuple[str | int, ...] = ()
    """Where the value is in the record; empty for what is computed otherwise."""

    def read(self, record: Any) -> Cell:
        """Return the value in a record; `None` where the record has none."""
        value = record
        for step in self.path:
            if isinstance(step, int):
                known = isinstance(value, list) and len(value) > step
            else:
                known = isinstance(value, dict) and step in value
            if not known:
                return None
            value = value[step]
        if isinstance(value, (dict, list)):
            return canonical_dump(value).decode("utf-8")
        return int(value) if isinstance(value, bool) else value


PLACE: Final = (
    Column(name="log", type="TEXT", meaning="the log, as `app-1`"),
    Column(name="entry", type="INTEGER", meaning="index of the leaf in the log"),
)
_SAID: Final = (
    Column(name="id", type="TEXT", meaning="the record's id", path=("id",)),
    Column(
        name="kind",
        type="TEXT",
        meaning="`decision`, or `check` if no call was to follow",
        path=("kind",),
    ),
    Column(name="time", type="TEXT", meaning="wall time of the record", path=("time",)),
    Column(
        name="at", type="TEXT", meaning="the legal instant of the call", path=("at",)
    ),
    Column(
        name="call_id",
        type="TEXT",
        meaning="ties the records of one call together",
        path=("call_id",),
    ),
    Column(
        name="layer",
        type="TEXT",
        meaning="`call` for the wrapper, `http` for the transport",
        path=("layer",),
    ),
    Column(
        name="trace_id",
        type="TEXT",
        meaning="of the caller's trace; null: it was in no span",
        path=("trace", "trace_id"),
    ),
    Column(
        name="tool",
        type="TEXT",
        meaning="whose call it is; null: of a model, or of a tool that is not known",
        path=("tool",),
    ),
    Column(name="attempt", type="INTEGER", meaning="0: first try", path=("attempt",)),
    Column(name="tenant", type="TEXT", meaning="whose rules applied", path=("tenant",)),
    Column(name="caller", type="TEXT", meaning="pseudonym", path=("caller",)),
    Column(name="model", type="TEXT", meaning="the language model", path=("model",)),
    Column(
        name="deployment",
        type="TEXT",
        meaning="the first hop of the route",
        path=("deployments", 0),
    ),
    Column(name="deployments", type="JSON", meaning="all hops", path=("deployments",)),
    Column(
        name="operator",
        type="TEXT",
        meaning="who runs the first hop",
        path=("operators", 0),
    ),
    Column(name="operators", type="JSON", meaning="of all hops", path=("operators",)),
    Column(
        name="countries",
        type="JSON",
        meaning="where the data is processed; null: unknown",
        path=("countries",),
    ),
    Column(name="purpose", type="TEXT", meaning="what for", path=("purpose",)),
    Column(
        name="data_classes",
        type="JSON",
        meaning="what kind of data is sent",
        path=("data_classes",),
    ),
    Column(
        name="verdict",
        type="TEXT",
        meaning="`allow`, `deny`, `require_approval` or `unavailable`",
        path=("verdict",),
    ),
    Column(
        name="code",
        type="TEXT",
        meaning="why there is no answer of the rules, as `engine.undefined`",
        path=("code",),
    ),
    Column(
        name="obligations", type="JSON", meaning="their types", path=("obligations",)
    ),
    Column(
        name="simulated",
        type="INTEGER",
        meaning="1: `at` is not the guard's own clock",
        path=("simulated",),
    ),
    Column(
        name="enforced",
        type="INTEGER",
        meaning="0: a denial was observed only",
        path=("enforced",),
    ),
    Column(
        name="bundle",
        type="TEXT",
        meaning="revision of the policy bundle",
        path=("bundle", "revision"),
    ),
    Column(
        name="bundle_digest",
        type="TEXT",
        meaning="SHA-256 of the bundle",
        path=("bundle", "digest"),
    ),
    Column(
        name="catalog",
        type="TEXT",
        meaning="version of the catalog",
        path=("catalog", "version"),
    ),
    Column(
        name="catalog_digest",
        type="TEXT",
        meaning="SHA-256 of the catalog",
        path=("catalog", "digest"),
    ),
    Column(
        name="engine", type="TEXT", meaning="who evaluated", path=("engine", "name")
    ),
    Column(
        name="engine_version",
        type="TEXT",
        meaning="in which version",
        path=("engine", "version"),
    ),
    Column(
        name="engine_digest",
        type="TEXT",
        meaning="of its library",
        path=("engine", "digest"),
    ),
)
_ENDED: Final = (
    Column(
        name="decision",
        type="TEXT",
        meaning="id of the decision that it is the outcome of",
        path=("decision",),
    ),
    Column(
        name="outcome",
        type="TEXT",
        meaning="how the call ended; null: no end is recorded",
        path=("outcome",),
    ),
    Column(name="ended", type="TEXT", meaning="when it ended", path=("time",)),
    Column(
        name="status", type="INTEGER", meaning="HTTP status, if seen", path=("status",)
    ),
    Column(name="error", type="TEXT", meaning="type of the exception", path=("error",)),
    Column(
        name="served_model",
        type="TEXT",
        meaning="the model that the answer named",
        path=("served_model",),
    ),
    Column(
        name="deviations",
        type="JSON",
        meaning="what the answer says that is not the approved route: model, region",
        path=("deviations",),
    ),
    Column(name="input_tokens", type="INTEGER", meaning="sent", path=("input_tokens",)),
    Column(
        name="output_tokens",
        type="INTEGER",
        meaning="received",
        path=("output_tokens",),
    ),
)
_DURATION: Final = Column(
    name="duration_ms",
    type="INTEGER",
    meaning="from the decision's record to the outcome's, in milliseconds",
)
_ANY: Final = (
    *_SAID[:1],
    Column(
        name="kind", type="TEXT", meaning="`genesis`, `decision`, …", path=("kind",)
    ),
    *_SAID[2:3],
    Column(
        name="call_id",
        type="TEXT",
        meaning="of records about a call",
        path=("call_id",),
    ),
    Column(name="body", type="JSON", meaning="the whole leaf"),
)
_RULE: Final = (
    Column(name="rule", type="TEXT", meaning="the rule's id", path=("id",)),
    Column(
        name="effect",
        type="TEXT",
        meaning="`deny`, `unavailable`, `require_approval`, `oblige` or `advise`",
        path=("effect",),
    ),
    Column(
        name="rule_status",
        type="TEXT",
        meaning="of the rule at the legal instant, as `in_force`",
        path=("status",),
    ),
    Column(
        name="verified",
        type="INTEGER",
        meaning="1: a person has verified the window",
        path=("verified",),
    ),
    Column(
        name="missing", type="JSON", meaning="facts that it lacked", path=("missing",)
    ),
)

VIEWS: Final[Mapping[str, tuple[str, tuple[Column, ...]]]] = {
    "decisions": (
        "one row for each decision and check, with how its call ended",
        (*PLACE, *_SAID, *_ENDED[1:], _DURATION),
    ),
    "rule_answers": (
        "one row for each rule that said something in a decision",
        (*PLACE, *_RULE, Column(name="verdict", type="TEXT", meaning="the decision's")),
    ),
    "records": ("one row for each record of any kind", (*PLACE, *_ANY)),
}
"""Each view with what it is and its columns, in order."""


def schema() -> str:
    """Return the SQL that makes the tables and the views over them."""
    ended = ", ".join(f"o.{column.name}" for column in _ENDED[1:])
    return f"""
CREATE TABLE record ({_declared(*PLACE, *_ANY)}) STRICT;
CREATE TABLE decision ({_declared(*PLACE, *_SAID)}) STRICT;
CREATE TABLE ending ({_declared(*PLACE, *_ENDED)}) STRICT;
CREATE TABLE answer ({_declared(*PLACE, *_RULE)}) STRICT;
CREATE VIEW records AS SELECT * FROM record;
CREATE VIEW decisions AS
  SELECT d.*, {ended}, CAST(round(
    (julianday(o.ended) - julianday(d.time)) * 86400000) AS INTEGER) AS duration_ms
  FROM decision d LEFT JOIN ending o ON o.decision = d.id AND o.rowid = (
    SELECT min(e.rowid) FROM ending e WHERE e.decision = d.id);
CREATE VIEW rule_answers AS
  SELECT a.*, d.verdict FROM answer a JOIN decision d USING (log, entry)"""  # noqa: S608 -- ours


INDEXES: Final = """
CREATE INDEX decision_id ON decision (id);
CREATE UNIQUE INDEX decision_place ON decision (log, entry);
CREATE INDEX ending_decision ON ending (decision);
CREATE INDEX answer_place ON answer (log, entry)"""


def rows_of_leaf(
    body: bytes, *, log: str, entry: int
) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Give the rows of one leaf, each with the name of its table.

    Raises:
        NewerRecordError: they are one of a newer version.
        FormatError: the bytes are no record in its one form.
    """
    record: Any = parse_canonical(body)
    if not isinstance(record, dict):
        raise FormatError(f"entry {entry} of {log} is no record")
    if is_newer(record):
        # What is kept where in it, nobody here knows.
        raise NewerRecordError(f"entry {entry} of {log}")
    if not _TIME.fullmatch(str(record.get("time"))):
        raise FormatError(f"entry {entry} of {log} has no time")
    place = (log, entry)
    text = body.decode("utf-8")
    yield "record", (*place, *_read(_ANY[:-1], record), text)
    kind = record.get("kind")
    if kind in DECISION_KINDS:
        yield "decision", (*place, *_read(_SAID, record))
        rules = record.get("rules")
        if not isinstance(rules, list):
            raise FormatError(f"entry {entry} of {log} has no list of rules")
        for rule in rules:
            yield "answer", (*place, *_read(_RULE, rule))
    elif kind == "outcome":
        yield "ending", (*place, *_read(_ENDED, record))


def insertions() -> dict[str, str]:
    """Return the statement that inserts a row, for each table."""
    sizes = {"record": _ANY, "decision": _SAID, "ending": _ENDED, "answer": _RULE}
    return {
        name: f"INSERT INTO {name} VALUES ({', '.join('?' * len((*PLACE, *columns)))})"  # noqa: S608 -- ours
        for name, columns in sizes.items()
    }


def _read(columns: Sequence[Column], record: Any) -> Iterator[Cell]:
    return (column.read(record) for column in columns)


def _declared(*columns: Column) -> str:
    types = {"JSON": "TEXT"}
    return ", ".join(
        f"{column.name} {types.get(column.type, column.type)}" for column in columns
    )
