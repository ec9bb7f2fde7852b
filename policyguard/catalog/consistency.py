"""Finds what no single entry of a catalog shows: entries that do not fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from policyguard.catalog.endpoints import host_key
from policyguard.catalog.lists import Edition, List
from policyguard.catalog.resolve import answers_of
from policyguard.catalog.schema import CatalogFile, Developer, Operator
from policyguard.catalog.sourced import Window
from policyguard.catalog.weights.evidence import evidence_digest
from policyguard.catalog.yaml_text import Place

_START: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Is one thing that is wrong, and where."""

    place: Place
    cause: str


def faults_of(file: CatalogFile) -> Iterator[Fault]:
    """Yield every fault of a merged catalog, in the order of its sections."""
    dangling = tuple(_dangling(file))
    yield from dangling
    yield from _cycles(file)
    yield from _weights_of_others(file)
    yield from _evidence(file)
    yield from _hosts(file)
    if not dangling:
        yield from _contested_names(file)
    yield from _overlaps(file)


def _dangling(file: CatalogFile) -> Iterator[Fault]:
    for key, model in file.models.items():
        here = ("models", key)
        yield from _missing(file, "developers", model.developer, (*here, "developer"))
        for name in ("supported", "unsupported"):
            listed = getattr(model.access_terms, name, None)
            yield from _missing(file, "lists", listed, (*here, "access_terms", name))
        for i, base in enumerate(model.base_models or ()):
            yield from _missing(file, "models", base, (*here, "base_models", i))
    for key, weights in file.weights.items():
        yield from _missing(file, "models", weights.model, ("weights", key, "model"))
    for key, item in file.deployments.items():
        here = ("deployments", key)
        yield from _missing(file, "models", item.model, (*here, "model"))
        yield from _missing(file, "operators", item.operator, (*here, "operator"))
        yield from _missing(file, "operators", item.host_cloud, (*here, "host_cloud"))
        if item.installed is not None:
            place = (*here, "installed", "weights")
            yield from _missing(file, "weights", item.installed.weights, place)
    yield from _dangling_parties(file)


def _dangling_parties(file: CatalogFile) -> Iterator[Fault]:
    for here, listed in _told(file):
        for name in ("parties", "potential", "cleared"):
            for i, entry in enumerate(getattr(listed, name)):
                yield from _no_party(file, entry.party, (*here, name, i, "party"))
    for key, operator in file.operators.items():
        yield from _no_party(file, operator.parent, ("operators", key, "parent"))
    for section, key, owned in _owned(file):
        for i, share in enumerate(owned.owners or ()):
            place = (section, key, "owners", i)
            yield from _no_party(file, share.party, (*place, "party"))
            # A list that is not there names nobody: a slip of the pen would clear.
            for j, name in enumerate(share.listed or ()):
                yield from _missing(file, "lists", name, (*place, "listed", j))


def _told(file: CatalogFile) -> Iterator[tuple[Place, List | Edition]]:
    """Yield what each list says now and said earlier, with its place."""
    for key, listed in file.lists.items():
        yield ("lists", key), listed
        for i, edition in enumerate(listed.editions):
            yield ("lists", key, "editions", i), edition


def _owned(file: CatalogFile) -> Iterator[tuple[str, str, Developer | Operator]]:
    for key, operator in file.operators.items():
        yield "operators", key, operator
    for key, developer in file.developers.items():
        yield "developers", key, developer


def _no_party(file: CatalogFile, key: str | None, place: Place) -> Iterator[Fault]:
    if key is not None and key not in file.developers and key not in file.operators:
        cause = f"`{key}` is no developer or operator of the catalog"
        yield Fault(place=place, cause=cause)


def _missing(
    file: CatalogFile, section: str, key: str | None, place: Place
) -> Iterator[Fault]:
    if key is not None and key not in getattr(file, section):
        cause = f"`{key}` is not among the {section} of the catalog"
        yield Fault(place=place, cause=cause)


def _cycles(file: CatalogFile) -> Iterator[Fault]:
    # Rules walk from a model to its bases: without a cycle each walk ends.
    for start in file.models:
        seen: set[str] = set()
        queue = list(file.models[start].base_models or ())
        while queue:
            key = queue.pop()
            if key == start:
                place = ("models", start, "base_models")
                yield Fault(place=place, cause="a model is its own ancestor")
                break
            if key in file.models and key not in seen:
                seen.add(key)
                queue += file.models[key].base_models or ()


def _weights_of_others(file: CatalogFile) -> Iterator[Fault]:
    for key, item in file.deployments.items():
        if item.installed is None:
            continue
        place = ("deployments", key, "installed")
        if item.mode != "self_hosted":
            cause = f"only a self_hosted deployment has it, and this is {item.mode}"
            yield Fault(place=place, cause=cause)
        weights = file.weights.get(item.installed.weights or "")
        if weights is not None and weights.model != item.model:
            cause = f"these are weights of `{weights.model}`, not of `{item.model}`"
            yield Fault(place=(*place, "weights"), cause=cause)


def _evidence(file: CatalogFile) -> Iterator[Fault]:
    for key, item in file.evidence.items():
        yield from _missing(file, "weights", item.weights, ("evidence", key, "weights"))
        measured = evidence_digest(item)
        if measured != key:
            cause = f"it was changed: its digest is `{measured}`, so measure it again"
            yield Fault(place=("evidence", key), cause=cause)


def _hosts(file: CatalogFile) -> Iterator[Fault]:
    for key, item in file.deployments.items():
        for i, host in enumerate(item.hosts):
            normal = host_key(host)
            if normal != host:
                cause = f"`{host}` is no host" + (f": write `{normal}`" * bool(normal))
                yield Fault(place=("deployments", key, "hosts", i), cause=cause)


def _contested_names(file: CatalogFile) -> Iterator[Fault]:
    owners: dict[tuple[str, str], str] = {}
    for key in sorted(file.deployments):
        item = file.deployments[key]
        for host, name in answers_of(item, model=file.models[item.model]):
            owner = owners.setdefault((host, name), key)
            if owner != key:
                yield Fault(
                    place=("deployments", key, "names"),
                    cause=f"`{name}` at `{host}` is already `{owner}`:"
                    " give each deployment its own name or host",
                )


def _overlaps(file: CatalogFile) -> Iterator[Fault]:
    for here, listed in _told(file):
        members: dict[str, list[tuple[str, Window]]] = {
            "parties": [(item.party, item) for item in listed.parties],
            "countries": [
                (f"{item.country} {item.condition or ''}".strip(), item)
                for item in listed.countries
            ],
            "regions": [(item.region, item) for item in listed.regions],
            "items": [(item.item, item) for item in listed.items],
            "chart": [
                (f"{item.classification} {item.country}", item) for item in listed.chart
            ],
        }
        for name, entries in members.items():
            yield from _overlapping((*here, name), entries)
    for section, key, owned in _owned(file):
        shares = [(share.party or share.owner, share) for share in owned.owners or ()]
        yield from _overlapping((section, key, "owners"), shares)


def _overlapping(
    place: Place, entries: Iterable[tuple[str, Window]]
) -> Iterator[Fault]:
    members: dict[str, list[tuple[datetime, int, Window]]] = {}
    for i, (member, window) in enumerate(entries):
        since = window.since or _START
        members.setdefault(member, []).append((since, i, window))
    for member, windows in members.items():
        ordered = sorted(windows, key=lambda entry: entry[:2])
        for (_, _, before), (since, i, _) in pairwise(ordered):
            if before.until is None or before.until > since:
                cause = f"a window of `{member}` begins before the one before it ends"
                yield Fault(place=(*place, i), cause=cause)
