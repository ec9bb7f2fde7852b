"""Finds logs and records of a trail for the commands that read one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Final

from policyguard.audit.log_verification import Progress
from policyguard.audit.reader import Entry, Log, TrailReader
from policyguard.audit.signed_log import signed_reader
from policyguard.cli.progress import ProgressBar
from policyguard.errors import ConfigurationError, TamperedError
from policyguard.replay.trails import lock_of, opened, passphrase_set
from policyguard.vocabulary.record import AnyRecord

__all__ = [
    "SHORTEST_PREFIX",
    "Found",
    "chosen_log",
    "find_record",
    "lock_of",
    "opened",
    "opened_signed",
    "passphrase_set",
    "records",
    "told",
]
SHORTEST_PREFIX: Final = 8
_TOLD_EVERY: Final = 1_024
_WHOLE_ID: Final = 36
"""Characters of a UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Is one record with the log that it stands in."""

    log: Log = field(repr=False)
    entry: Entry
    record: AnyRecord


def opened_signed(place: str | Path) -> TrailReader:
    """Open a trail of which nothing is read but what the keys of its logs have signed.

    Raises:
        TamperedError: a log is not what was signed.
        TrailError: there is none, or it cannot be read.
    """
    reader = opened(place)
    with ProgressBar() as bar:
        return signed_reader(reader, progress=bar.advance)


def chosen_log(reader: TrailReader, origin: str | None) -> Log:
    """Return the log of an origin; without one the log that was written last.

    Raises:
        ConfigurationError: the trail has no such log, or none at all.
        TrailError: a log cannot be read.
    """
    if origin is not None:
        return reader.log(origin)
    if not reader.logs:
        raise ConfigurationError("the trail has no log yet: make a first call")
    return max(reader.logs, key=_last_written)


def _last_written(log: Log) -> str:
    newest = next(log.entries(newest_first=True), None)
    return newest.record().time if newest else ""


def records(
    reader: TrailReader,
    *,
    newest_first: bool = False,
    holding: str = "",
    progress: Progress | None = None,
) -> Iterator[Found]:
    """Read the records of all logs by their time, oldest first.

    Args:
        reader: The trail.
        newest_first: Whether to begin at the other end.
        holding: Leave out what does not have this text; reads faster.
        progress: Called as records are read.

    Raises:
        TrailError: a log cannot be read.
        FormatError: an entry is no record: verify the trail.
    """
    found = (
        _records_of(log, newest_first=newest_first, holding=holding, progress=progress)
        for log in reader.logs
    )
    yield from merge(*found, key=lambda item: item.record.time, reverse=newest_first)


def told(
    entries: Iterator[Entry], *, log: Log, progress: Progress | None
) -> Iterator[Entry]:
    """Give the records of a log, and tell how many of them were read."""
    size = log.head().size if progress else 0
    for count, entry in enumerate(entries, start=1):
        if progress and (count % _TOLD_EVERY == 0 or count == size):
            progress(log.origin, count, size)
        yield entry


def _records_of(
    log: Log,
    *,
    newest_first: bool = False,
    holding: str = "",
    progress: Progress | None = None,
) -> Iterator[Found]:
    text = holding.encode(errors="surrogatepass")
    entries = log.entries(newest_first=newest_first)
    for entry in told(entries, log=log, progress=progress):
        if text in entry.body:
            yield Found(log=log, entry=entry, record=entry.record())


def find_record(reader: TrailReader, name: str, *, origin: str | None) -> Found:
    """Return the record that a person means.

    Args:
        reader: The trail.
        name: An id or the beginning of one; the place as the list shows it, as
            `app-1:4`; where there is but one log to look in, an index.
        origin: The log to look in; without it all of them.

    Raises:
        ConfigurationError: there is no such record, or more than one.
        TrailError: a log cannot be read.
    """
    logs = [reader.log(origin)] if origin else list(reader.logs)
    slot, colon, index = name.partition(":")
    if colon:
        found = [item for log in logs if log.slot == slot for item in _at(log, index)]
    elif _is_index(name):
        if len(logs) != 1:
            raise ConfigurationError(
                f"`{name}` is an index, and there are several logs: give the place as"
                f" `policyguard audit list` shows it, as `{logs[0].slot}:{name}`"
            )
        found = _at(logs[0], name)
    elif len(name) < SHORTEST_PREFIX:
        raise ConfigurationError(
            f"`{name}` is too short for a record: give {SHORTEST_PREFIX} characters of"
            " its id at least, as `policyguard audit list` shows it"
        )
    else:
        found = [item for log in logs for item in _with_id(log, name)]
    if len(found) != 1:
        many = "more than one record" if found else "no record"
        raise ConfigurationError(
            f"there is {many} `{name}` in this trail: `policyguard audit list` shows them"
            " all; another trail is given with --trail"
        )
    return found[0]


def _is_index(name: str) -> bool:
    """Tell an index from an id: it has no leading zero, and an id has one till 2527."""
    digits = name.isascii() and name.isdecimal()
    return digits and (name == "0" or name[0] != "0")


def _at(log: Log, index: str) -> list[Found]:
    entry = log.find(index) if _is_index(index) else None
    return [Found(log=log, entry=entry, record=entry.record())] if entry else []


def _with_id(log: Log, beginning: str) -> list[Found]:
    if len(beginning) == _WHOLE_ID and beginning.isascii():
        entry = log.find(beginning)
        found = [Found(log=log, entry=entry, record=entry.record())] if entry else []
        # A database finds it by a column, which nobody has signed.
        if found and found[0].record.id != beginning:
            raise TamperedError(
                f"{found[0].entry.name} is kept under the id of another record:"
                " restore the log's database"
            )
        return found
    return [
        item
        for item in _records_of(log, holding=beginning)
        if item.record.id.startswith(beginning)
    ]
