"""Writes a trail as lines, or as events of OPA's decision log, to files or a collector."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from policyguard.audit.export.http_sink import HttpSink
from policyguard.audit.export.jsonl import export_jsonl
from policyguard.audit.export.opa_events import event_of, require_pointers
from policyguard.audit.export.tiles import OUTSIDE
from policyguard.audit.layout import OWNER_ONLY, make_folder
from policyguard.audit.outside.shelf import Shelf
from policyguard.audit.query_index import first_behind, read_cursor
from policyguard.canonical import parse_json
from policyguard.errors import ConfigurationError, TamperedError, TrailError
from policyguard.vocabulary.record import DecisionRecord

if TYPE_CHECKING:
    from policyguard.audit.reader import Log
    from policyguard.cli.progress import ProgressBar

EVENTS: Final = "decisions.jsonl"
_LONGEST_TOKEN: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Says what was written where."""

    where: str
    records: int
    after: str | None = None
    """The cursor behind the last record."""


def write_lines(
    logs: Sequence[Log], folder: Path, *, bar: ProgressBar
) -> Iterator[Written]:
    """Write each log as lines."""
    for log in logs:
        place = folder / log.slot
        signed = export_jsonl(log, place, progress=bar.advance)
        kept = Shelf(cabinet=log.outside)
        kept.copy_to(Shelf.in_folder(place / OUTSIDE), largest=signed.size)
        yield Written(where=str(place), records=signed.size)


@dataclass(slots=True, kw_only=True)
class Events:
    """Gives the decisions of some logs as events, and remembers how far it came."""

    logs: Sequence[Log]
    after: str | None
    """Where an earlier export ended: a cursor for each log, with commas between them. A
    log that it does not name is new since, and is given from its beginning."""
    mask: Sequence[str]
    bar: ProgressBar
    places: list[tuple[str, int]] = field(default_factory=list)
    """Log and entry of each event that was given."""
    reached: dict[str, int] = field(default_factory=dict)
    """The last entry of each log that was looked through."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give events in the order of logs and entries."""
        require_pointers(self.mask)
        begun = self._begun()
        for log in sorted(self.logs, key=lambda item: item.slot):
            yield from self._of(log, after=begun.get(log.slot))

    def cursor(self, count: int) -> str | None:
        """Return where to go on behind so many events."""
        found = self._begun() | self.reached
        if count < len(self.places):
            # More was read ahead than was taken.
            slot, entry = self.places[count - 1]
            whole = {log: at for log, at in self.reached.items() if log < slot}
            found = self._begun() | whole | {slot: entry}
        return ",".join(f"{log}:{at}" for log, at in sorted(found.items())) or None

    def _begun(self) -> dict[str, int]:
        return dict(map(read_cursor, self.after.split(","))) if self.after else {}

    def _of(self, log: Log, *, after: int | None) -> Iterator[dict[str, Any]]:
        size = log.head().size
        first = 0 if after is None else first_behind(after, log=log.slot, size=size)
        for entry in log.entries(start=first):
            if entry.index >= size:
                return
            record = entry.record()
            if isinstance(record, DecisionRecord):
                content = content_of(log, record, name=entry.name)
                self.places.append((log.slot, entry.index))
                yield event_of(entry, record, content=content, mask=self.mask)
            self.reached[log.slot] = entry.index
            self.bar.advance(log.origin, entry.index + 1, size)


def content_of(
    log: Log, record: DecisionRecord, *, name: str
) -> Mapping[str, Any] | None:
    """Return what the vault has of a record; `None`: nothing.

    Raises:
        TamperedError: it is not what was recorded.
    """
    sealed = log.content(record.id)
    if sealed is None:
        return None
    if sealed.commitment() != record.input:
        raise TamperedError(
            f"the content of {name} in the vault was changed: it is not what was"
            " recorded: run `policyguard audit verify`"
        )
    document: Any = parse_json(sealed.body)
    return document if isinstance(document, dict) else None


def write_events(events: Events, folder: Path) -> Written:
    """Write events as JSON lines, whole or not at all."""
    make_folder(folder)
    target = folder / EVENTS
    draft = folder / f".{EVENTS}.{secrets.token_hex(6)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    count = 0
    try:
        with os.fdopen(os.open(draft, flags, OWNER_ONLY), "wb") as file:
            for event in events:
                file.write(orjson.dumps(event) + b"\n")
                count += 1
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise TrailError(
            f"cannot write `{target}`: {reason}: export to a directory that this"
            " process may write"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return Written(where=str(target), records=count, after=events.cursor(count))


def send_events(events: Events, *, url: str, token: Path | None) -> Iterator[Written]:
    """Send events to a collector; say after each batch how far it came."""
    sink = HttpSink(url=url, token=_token(token))
    for taken in sink.send(events):
        yield Written(where=url, records=taken, after=events.cursor(taken))


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        text = path.read_text("ascii")[:_LONGEST_TOKEN].strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the token file `{path}` cannot be read: {error}"
        ) from error
    if not text or not text.isprintable():
        raise ConfigurationError(f"the token file `{path}` has no token in one line")
    return text
