"""Asks a trail, and says with each answer what it was computed from.

An answer is complete for what it says it covers: every record of each log was hashed,
their root is the signed one, and nothing between `first` and the end was left out of
the tables. Proofs of inclusion alone could never say that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from policyguard.audit.log_verification import Progress
from policyguard.audit.query_canned import canned
from policyguard.audit.query_index import DEFAULT_SECONDS, Covered, Span, TrailIndex
from policyguard.audit.query_proofs import write_proofs
from policyguard.audit.reader import Log, TrailReader
from policyguard.errors import ConfigurationError

DEFAULT_LIMIT: Final = 1_000
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{32}")
_RFC_3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?[Zz]?)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Is what is asked: one with a name, or a SELECT of one's own."""

    name: str | None = None
    sql: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    span: Span = field(default_factory=Span)
    limit: int = DEFAULT_LIMIT
    seconds: float = DEFAULT_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is what a trail answers, with what it was computed from."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    covered: tuple[Covered, ...]
    left_out: bool
    """Whether there are more rows than the limit."""
    proofs: int = 0
    """How many proofs were written."""

    @property
    def after(self) -> str | None:
        """The cursor behind the last row, if rows were left out and are in order."""
        places = list(self.places())
        if not self.left_out or not places or places != sorted(places, key=_order):
            return None
        return "{}:{}".format(*places[-1])

    def places(self) -> Iterator[tuple[str, int]]:
        """Give log and index of each row that has them."""
        if not {"log", "entry"} <= set(self.columns):
            return
        log, entry = self.columns.index("log"), self.columns.index("entry")
        for row in self.rows:
            yield row[log], row[entry]


def _order(place: tuple[Any, Any]) -> tuple[str, int]:
    log, entry = place
    return str(log), entry if isinstance(entry, int) else -1


def ask(
    question: Question,
    *,
    reader: TrailReader,
    logs: Iterable[Log] | None = None,
    proofs: Path | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Answer a question from the verified records of a trail.

    Args:
        question: What is asked.
        reader: The trail.
        logs: Those of its logs that are meant; without it all.
        proofs: A folder that gets the record and the proof of each row.
        progress: Called as records are verified and proofs written.

    Raises:
        ConfigurationError: the question cannot be put, or rows have no place to prove.
        TamperedError: a record is not what was signed.
        NewerTrailError: a newer version of this software has made one.
        TrailError: the trail cannot be read, or a proof not written.
    """
    sql, values = _text(question, reader=reader)
    meant = reader.logs if logs is None else logs
    with TrailIndex.build(meant, span=question.span, progress=progress) as index:
        columns, rows, left_out = index.select(
            sql, values, limit=question.limit, seconds=question.seconds
        )
        answer = Answer(
            columns=columns,
            rows=tuple(rows),
            covered=index.covered,
            left_out=left_out,
        )
        if proofs is None:
            return answer
        if not {"log", "entry"} <= set(columns):
            raise ConfigurationError(
                "only rows with the columns `log` and `entry` can be proved: select them"
            )
        count = write_proofs(
            answer.places(),
            leaves=dict(index.leaves),
            folder=proofs,
            trust=reader.trust,
            progress=progress,
        )
    return Answer(
        columns=answer.columns,
        rows=answer.rows,
        covered=answer.covered,
        left_out=answer.left_out,
        proofs=count,
    )


def instant(text: str) -> str:
    """Return an instant as records have it: `2026-07-10` is its first microsecond.

    Raises:
        ConfigurationError: it is no day and no instant in UTC.
    """
    found = _RFC_3339.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(
            f"`{text}` is no instant: give a day, or an instant in UTC as"
            " `2026-07-10T12:00:00Z`"
        )
    day, minute, second, part = found.groups()
    moment = f"{day}T{minute or '00:00'}:{second or '00'}.{(part or '').ljust(6, '0')}Z"
    try:
        datetime.fromisoformat(moment)
    except ValueError as error:
        raise ConfigurationError(f"`{text}` is no instant: {error}") from error
    return moment


def _text(
    question: Question, *, reader: TrailReader
) -> tuple[str, Mapping[str, str | int | None]]:
    if (question.name is None) == (question.sql is None):
        raise ConfigurationError(
            "ask a question with a name, or one SELECT of your own"
        )
    if question.name is None:
        return question.sql or "", question.values
    values: dict[str, str | int | None] = dict(question.values)
    sql = canned(question.name, question.values).sql
    if "at" in values:
        values["at"] = instant(str(values["at"]))
    if "caller" in values:
        values["caller"] = _pseudonym(str(values["caller"]), reader=reader)
    if "person" in values:
        values["person"] = _records_about(str(values["person"]), reader=reader)
    return sql, values


def _records_about(person: str, *, reader: TrailReader) -> str:
    """Return the ids of the records about somebody, each with a line end.

    Raises:
        ConfigurationError: nobody of that id is known: not an empty answer, which would
            say that there is nothing.
    """
    names = {item.pseudonym for item in reader.source.people() if item.id == person}
    if not names:
        raise ConfigurationError(
            "nobody of that id is known here: no call named the person among `people`,"
            " or the person was erased"
        )
    found = set().union(*(log.source.about(names) for log in reader.logs))
    return "".join(f"{record}\n" for record in sorted(found))


def _pseudonym(caller: str, *, reader: TrailReader) -> str:
    """Return the pseudonym that a caller has, or what was given, if it may be one.

    Raises:
        ConfigurationError: nobody of that id is known: not an empty answer, which would
            say that there is nothing.
    """
    known = reader.pseudonym(caller)
    if known is None and not _PSEUDONYM.fullmatch(caller):
        raise ConfigurationError(
            f"no caller `{caller}` is known here: nobody of that id has called, or was"
            " erased: give the id as calls did, or a whole pseudonym"
        )
    return known or caller
