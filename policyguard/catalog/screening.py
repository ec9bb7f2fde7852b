"""Compares names with the lists that screen, when a catalog is compiled.

What can be known then is worked out then: each name of a list by its key, so that a
decision looks up the names of a call and searches nothing; and the operators, with the
owners of theirs that are only named, whose names a list has. Format of the index, in
`data.catalog.names`: by key, the entries of lists with that name.

INVARIANT: a match lists nobody and clears nobody. Whom a person has confirmed (in
`parties`) or cleared (in `cleared`) is no match for that name and that list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from policyguard.catalog.lists import Cleared, List, ListedName, Listing, PotentialMatch
from policyguard.catalog.schema import CatalogFile, Developer, Operator, Share
from policyguard.vocabulary.names import name_key

_STEPS: Final = 3
"""How far chains of owners are followed, as everywhere."""

Named: TypeAlias = Mapping[str, Sequence["Entry"]]
"""Entries of one list by the key of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Is what one entry of a list says by one name key."""

    key: str
    names: tuple[str, ...]
    """As the list writes them, sorted."""
    window: ListedName | Listing
    label: str | None


def names_index(file: CatalogFile) -> dict[str, list[dict[str, object]]]:
    """Return the entries of all lists that screen, by the key of their names.

    Args:
        file: The merged catalog.
    """
    index: dict[str, list[dict[str, object]]] = {}
    for list_id in sorted(file.lists):
        listed = file.lists[list_id]
        for entry in _entries(listed):
            index.setdefault(entry.key, []).append(
                {
                    "list": list_id,
                    "names": entry.names,
                    "entry": entry.label,
                    "since": entry.window.since,
                    "until": entry.window.until,
                    "source": entry.window.source,
                    "cleared": _cleared_of(listed, entry.key),
                }
            )
    return {key: index[key] for key in sorted(index)}


def with_matches(file: CatalogFile) -> dict[str, List]:
    """Return the lists with each potential match of an operator or its owners.

    Args:
        file: The merged catalog.
    """
    return {
        key: listed.model_copy(
            update={"potential": (*listed.potential, *_matches(key, listed, file))}
        )
        if listed.screening
        else listed
        for key, listed in file.lists.items()
    }


def _entries(listed: List) -> Iterator[Entry]:
    if not listed.screening:
        return
    known: list[tuple[tuple[str, ...], ListedName | Listing, str | None]] = [
        (item.names, item, item.entry)
        for item in listed.names
        if item.seen_until is None
    ]
    known += [(item.names, item, None) for item in listed.parties]
    for names, window, label in known:
        keyed: dict[str, set[str]] = {}
        for name in names:
            if key := name_key(name):
                keyed.setdefault(key, set()).add(name)
        for key in sorted(keyed):
            yield Entry(
                key=key, names=tuple(sorted(keyed[key])), window=window, label=label
            )


def _cleared_of(listed: List, key: str) -> list[dict[str, str | None]]:
    return [
        {"name": item.organisation, "country": item.country}
        for item in _cleared(listed, key)
        if item.organisation is not None
    ]


def _cleared(listed: List, key: str) -> Iterator[Cleared]:
    for item in listed.cleared:
        if key in map(name_key, item.names):
            yield item


def _matches(list_id: str, listed: List, file: CatalogFile) -> Iterator[PotentialMatch]:
    named: dict[str, list[Entry]] = {}
    for entry in _entries(listed):
        named.setdefault(entry.key, []).append(entry)
    if not named:
        return
    decided = _decided(listed)
    confirmed = {item.party for item in listed.parties if item.until is None}
    for key in sorted(file.operators):
        operator = file.operators[key]
        for name_of in sorted({name_key(name) for name in _names_of(operator)}):
            if key not in confirmed and (key, None, name_of) not in decided:
                for entry in named.get(name_of, ()):
                    yield _match(entry, party=key)
        for share in _owners(operator, file):
            if share.party not in confirmed and list_id not in (share.listed or ()):
                yield from _matches_of_owner(listed, share, named, party=key, file=file)


def _decided(listed: List) -> frozenset[tuple[str, str | None, str]]:
    """Return the parties and names that a person has, or an import has, spoken of."""
    said: list[tuple[str, str | None, tuple[str, ...]]] = [
        (item.party, None, item.names) for item in listed.parties
    ]
    said += [(item.party, item.owner, item.names) for item in listed.potential]
    said += [
        (item.party, None, item.names)
        for item in listed.cleared
        if item.party is not None
    ]
    return frozenset(
        (party, owner, name_key(name)) for party, owner, names in said for name in names
    )


def _owners(operator: Operator, file: CatalogFile) -> Iterator[Share]:
    """Yield the owners of an operator, and their owners as far as entries go."""
    step = list(operator.owners or ())
    for _ in range(_STEPS):
        yield from step
        step = [
            share
            for owner in step
            if (entry := _party(file, owner.party)) is not None
            for share in entry.owners or ()
        ]


def _party(file: CatalogFile, key: str | None) -> Developer | Operator | None:
    if key is None:
        return None
    return file.operators.get(key) or file.developers.get(key)


def _matches_of_owner(
    listed: List,
    share: Share,
    named: Named,
    *,
    party: str,
    file: CatalogFile,
) -> Iterator[PotentialMatch]:
    entry = _party(file, share.party)
    names = (share.owner, *(() if entry is None else _names_of(entry)))
    for key in sorted({name_key(name) for name in names}):
        if _is_cleared(listed, share, key):
            continue
        for found in named.get(key, ()):
            since = _later(found.window.since, share.since)
            until = _earlier(found.window.until, share.until)
            if since is None or until is None or since < until:
                yield _match(found, party=party, owner=share.owner).model_copy(
                    update={"since": since, "until": until}
                )


def _is_cleared(listed: List, share: Share, key: str) -> bool:
    return any(
        (item.party is not None and item.party == share.party)
        or (item.organisation, item.country) == (share.owner, share.country)
        for item in _cleared(listed, key)
    )


def _names_of(entry: Developer | Operator) -> tuple[str, ...]:
    if isinstance(entry, Operator):
        return (entry.name, *([entry.legal_name] if entry.legal_name else []))
    return (entry.name, *entry.legal_entities, *entry.aliases)


def _match(entry: Entry, *, party: str, owner: str | None = None) -> PotentialMatch:
    window = entry.window
    return PotentialMatch(
        party=party,
        owner=owner,
        names=entry.names,
        since=window.since,
        until=window.until,
        verified=False,
        source=window.source or (f"entry {entry.label}" if entry.label else None),
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((item for item in (one, other) if item is not None), default=None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((item for item in (one, other) if item is not None), default=None)
