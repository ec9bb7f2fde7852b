"""Finds entries of the catalog by what people call them, and names like a mistyped one.

A person looks for an entry; nothing is decided by what is found here. What a call means
is said by `policyguard.catalog.resolve`, which compares names exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal

from policyguard.catalog.endpoints import host_key
from policyguard.catalog.sourced import Sourced

if TYPE_CHECKING:
    from policyguard.catalog.catalog import Catalog

Kind = Literal["model", "deployment", "developer", "operator", "weights", "list"]
KINDS: Final[Mapping[Kind, str]] = {
    "model": "models",
    "deployment": "deployments",
    "developer": "developers",
    "operator": "operators",
    "weights": "weights",
    "list": "lists",
}
"""Each kind of entry that has an id, and the section of a catalog file that holds it."""
_MOST_ALIKE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Is one entry, and how it was found."""

    kind: Kind
    id: str
    entry: Sourced
    by: Literal["id", "name", "host"]


def entries_of(catalog: Catalog, *, kind: Kind) -> Mapping[str, Sourced]:
    """Return every entry of a kind by its id, sorted."""
    entries: Mapping[str, Sourced] = getattr(catalog.entries, KINDS[kind])
    return dict(sorted(entries.items()))


def find_entries(catalog: Catalog, *, name: str) -> tuple[Found, ...]:
    """Return the entries that a name means: by id, else by another name, else by host.

    Args:
        catalog: Where to look.
        name: An id of any kind; a name by which clients or people know a model, a
            developer or an operator, whatever its case; or a host of deployments.

    Returns:
        Nothing if nothing goes by that name; several if several do.
    """
    for found in (_by_id, _by_name, _by_host):
        entries = tuple(found(catalog, name))
        if entries:
            return entries
    return ()


def names_like(catalog: Catalog, *, name: str) -> tuple[str, ...]:
    """Return ids and names of models that a mistyped or shortened name may mean.

    Args:
        catalog: Where to look.
        name: What was typed.

    Returns:
        At most four: first those that begin with what was typed or with which it
        begins, then those that look like it.
    """
    typed = name.casefold()
    known = {item.casefold(): item for item in sorted(_known_names(catalog))}
    begun = [
        item
        for key, item in known.items()
        if typed and (key.startswith(typed) or typed.startswith(key))
    ]
    alike = get_close_matches(typed, known, n=_MOST_ALIKE)
    return tuple(dict.fromkeys([*begun, *(known[key] for key in alike)]))[:_MOST_ALIKE]


def _by_id(catalog: Catalog, name: str) -> Iterator[Found]:
    for kind in KINDS:
        entry = entries_of(catalog, kind=kind).get(name)
        if entry is not None:
            yield Found(kind=kind, id=name, entry=entry, by="id")


def _by_name(catalog: Catalog, name: str) -> Iterator[Found]:
    typed = name.casefold()
    called = {key.casefold(): ids for key, ids in catalog.index.named.items()}
    for key in called.get(typed, ()):
        yield Found(kind="model", id=key, entry=catalog.model(key), by="name")
    for kind in KINDS:
        for key, entry in entries_of(catalog, kind=kind).items():
            if typed in map(str.casefold, _also_called(entry)) and (
                kind != "model" or key not in called.get(typed, ())
            ):
                yield Found(kind=kind, id=key, entry=entry, by="name")


def _by_host(catalog: Catalog, name: str) -> Iterator[Found]:
    host = host_key(name.casefold())
    for key, deployment in sorted(catalog.entries.deployments.items()):
        if host in deployment.hosts:
            yield Found(kind="deployment", id=key, entry=deployment, by="host")


def _also_called(entry: Sourced) -> Iterable[str]:
    for field in ("name", "legal_name"):
        said = getattr(entry, field, None)
        if isinstance(said, str):
            yield said
    for field in ("aliases", "legal_entities"):
        yield from getattr(entry, field, ())


def _known_names(catalog: Catalog) -> Iterator[str]:
    yield from catalog.index.named
    for kind in KINDS:
        yield from entries_of(catalog, kind=kind)
