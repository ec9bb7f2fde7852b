"""Reads what vaults and the file of callers hold, without writing.

Owner: nobody; each function opens the file and closes it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from policyguard.audit.stores.database import open_for_reading, rows_of
from policyguard.audit.vault import Sealed, SealedPrompt

_CONTENT: Final = "SELECT record, salt, body FROM content"
_PROMPTS: Final = "SELECT record, body, ifnull(key, x'') FROM prompt"
_ABOUT: Final = "SELECT record, person FROM about"
_MOST_BETWEEN: Final = 4
"""Times as many as are asked for: with more between them, each is looked for."""


def read_content(path: Path, *, record: str | None = None) -> Iterator[Sealed]:
    """Read the content of each record in a vault, or that of one.

    Raises:
        TrailError: it cannot be read.
    """
    types = (str, bytes, bytes)
    rows = (
        _rows(path, _CONTENT, types=types)
        if record is None
        else _rows(path, f"{_CONTENT} WHERE record = ?", record, types=types)
    )
    for name, salt, body in rows:
        yield Sealed(record=name, salt=salt, body=body)


def read_contents(
    path: Path, *, records: Collection[str]
) -> list[tuple[str, bytes, bytes]]:
    """Read record, salt and content for those of some records that a vault has.

    Args:
        path: The vault.
        records: Their ids, at most some thousands.

    Raises:
        TrailError: it cannot be read.
    """
    return _of_few(path, _CONTENT, types=(str, bytes, bytes), records=records)


def read_prompts(
    path: Path, *, records: Collection[str]
) -> list[tuple[str, bytes, bytes]]:
    """Read record, sealed prompt and wrapped key for those of some that a vault has.

    Args:
        path: The vault.
        records: Their ids, at most some thousands.

    Raises:
        TrailError: it cannot be read.
    """
    return _of_few(path, _PROMPTS, types=(str, bytes, bytes), records=records)


def read_people_of(
    path: Path, *, records: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Read whom some records are about: pseudonyms, sorted.

    Args:
        path: The vault.
        records: Their ids, at most some thousands.

    Raises:
        TrailError: it cannot be read.
    """
    found: dict[str, list[str]] = {}
    for record, person in _of_few(path, _ABOUT, types=(str, str), records=records):
        found.setdefault(record, []).append(person)
    return {record: tuple(sorted(people)) for record, people in found.items()}


def read_prompt(path: Path, *, record: str) -> SealedPrompt | None:
    """Read the sealed prompt of a record; `None`: there is none.

    Raises:
        TrailError: it cannot be read.
    """
    people = read_people_of(path, records=[record])
    for _, body, key in read_prompts(path, records=[record]):
        return SealedPrompt(body=body, key=key or None, about=people.get(record, ()))
    return None


def read_records_about(path: Path, *, people: Collection[str]) -> set[str]:
    """Read which records are about somebody, by pseudonyms.

    Raises:
        TrailError: they cannot be read.
    """
    rows = _rows(path, _ABOUT, types=(str, str))
    return {record for record, person in rows if person in people}


def read_persons(path: Path) -> set[str]:
    """Read the pseudonyms of all whom records are about.

    Raises:
        TrailError: they cannot be read.
    """
    query = "SELECT DISTINCT person FROM about"
    return {person for (person,) in _rows(path, query, types=(str,))}


def read_kept(path: Path) -> set[str]:
    """Read of which records anything is kept.

    Raises:
        TrailError: they cannot be read.
    """
    query = "SELECT record FROM content UNION SELECT record FROM prompt"
    query += " UNION SELECT record FROM about"
    return {record for (record,) in _rows(path, query, types=(str,))}


def read_callers(path: Path) -> Iterator[tuple[str, bytes, str]]:
    """Read pseudonym, salt and id of each caller.

    Raises:
        TrailError: they cannot be read.
    """
    query = "SELECT pseudonym, salt, id FROM caller"
    yield from _rows(path, query, types=(str, bytes, str))


def _of_few(
    path: Path, query: str, *, types: tuple[type, ...], records: Collection[str]
) -> list[tuple[Any, ...]]:
    """Read the rows of a few records."""
    if not records:
        return []
    connection = open_for_reading(path)
    try:
        # Ids begin with the time, so those of neighbours are all that is between them.
        between = f"{query} WHERE record BETWEEN ? AND ? LIMIT ?"
        most = _MOST_BETWEEN * len(records)
        values = (min(records), max(records), most)
        rows = list(rows_of(connection, between, *values, types=types, path=path))
        if len(rows) < most:
            return [row for row in rows if row[0] in records]
        each = f"{query} WHERE record IN ({', '.join('?' * len(records))})"
        return list(rows_of(connection, each, *records, types=types, path=path))
    finally:
        connection.close()


def _rows(
    path: Path, query: str, *values: object, types: tuple[type, ...]
) -> Iterator[tuple[Any, ...]]:
    connection = open_for_reading(path)
    try:
        yield from rows_of(connection, query, *values, types=types, path=path)
    finally:
        connection.close()
