"""Finds logs and records of a trail for the commands that read one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Final

from policyguard.audit.layout import Layout
from policyguard.audit.reader import AnyRecord, Entry, Log, TrailReader
from policyguard.errors import ConfigurationError
from policyguard.settings import default_trail, load_settings

SHORTEST_PREFIX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Is one record with the log that it stands in."""

    log: Log = field(repr=False)
    entry: Entry
    record: AnyRecord


def lock_of(directory: Path) -> Path | None:
    """Return the lock database that the settings name, if they mean this trail."""
    trail = load_settings().trail
    meant = trail.directory or default_trail()
    return trail.lock if meant.absolute() == directory.absolute() else None


def opened(directory: Path) -> TrailReader:
    """Open a trail for reading.

    Raises:
        TrailError: there is none, or it cannot be read.
    """
    return TrailReader.open(directory, lock=lock_of(directory))


def layout_of(directory: Path) -> Layout:
    """Return where the parts of a trail are, by the settings or beside it."""
    return Layout.of(directory, lock_of(directory))


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


def records(reader: TrailReader) -> Iterator[Found]:
    """Read the records of all logs, oldest first.

    Raises:
        TrailError: a log cannot be read.
        FormatError: an entry is no record: verify the trail.
    """
    yield from merge(*map(_records_of, reader.logs), key=lambda item: item.record.time)


def _records_of(log: Log) -> Iterator[Found]:
    for entry in log.entries():
        yield Found(log=log, entry=entry, record=entry.record())


def find_record(reader: TrailReader, name: str, *, origin: str | None) -> Found:
    """Return the record that a person means.

    Args:
        reader: The trail.
        name: An id or the beginning of one; with a log also an index.
        origin: The log to look in; without it all of them.

    Raises:
        ConfigurationError: there is no such record, or more than one.
        TrailError: a log cannot be read.
    """
    logs = [reader.log(origin)] if origin else list(reader.logs)
    # An index has no leading zero, and an id has had one since 1970.
    if name == "0" or (name.isascii() and name.isdecimal() and name[0] != "0"):
        if len(logs) != 1:
            raise ConfigurationError(
                f"`{name}` is an index: say in which log with `--log`, one of"
                f" {', '.join(f'`{log.origin}`' for log in logs)}"
            )
        entry = logs[0].find(name)
        matching = [(logs[0], entry)] if entry else []
    elif len(name) < SHORTEST_PREFIX:
        raise ConfigurationError(
            f"`{name}` is too short for a record: give {SHORTEST_PREFIX} characters of"
            " its id at least, as `policyguard audit list` shows it"
        )
    else:
        matching = [
            (item.log, item.entry)
            for log in logs
            for item in _records_of(log)
            if item.record.id.startswith(name)
        ]
    if len(matching) != 1:
        many = "more than one record" if matching else "no record"
        raise ConfigurationError(
            f"there is {many} `{name}`: `policyguard audit list` shows them all"
        )
    log, entry = matching[0]
    return Found(log=log, entry=entry, record=entry.record())
