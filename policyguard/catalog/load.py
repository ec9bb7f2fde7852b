"""Loads a catalog from YAML files, and refuses what does not fit together.

Format: `policyguard.catalog.schema.CatalogFile`, in the YAML of `yaml_text`. Shipped
files and overlays are merged; an overlay adds entries, and takes the place of a
shipped one only where it says `replaces: true`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import orjson
from pydantic import ValidationError

from policyguard.canonical import Json
from policyguard.catalog.catalog import Catalog, catalog_of
from policyguard.catalog.consistency import Fault, faults_of
from policyguard.catalog.document import SECTIONS, fractions_of
from policyguard.catalog.schema import CatalogFile
from policyguard.catalog.sourced import Sourced
from policyguard.catalog.yaml_text import (
    MAX_BYTES,
    Place,
    line_of,
    place_text,
    read_yaml,
)
from policyguard.errors import CatalogError

_CAUSES: Final = {
    "missing": "is missing",
    "extra_forbidden": "is no field of the catalog",
}
_TIMES: Final = frozenset({"as_of", "since", "until", "relief_since"})
_CALENDAR: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Is one file of a catalog, read but not yet understood."""

    name: str
    data: bytes = field(repr=False)


def load_catalog(
    paths: Sequence[Path | str], *, overlays: Sequence[Path | str] = ()
) -> Catalog:
    """Load the catalog that some files make together.

    Args:
        paths: The shipped files; a directory stands for its `*.yaml`.
        overlays: The user's own files, in the same form.

    Raises:
        CatalogError: a file cannot be read, is no catalog file, or the files do not
            fit together. The message names file, line and field.
    """
    return compile_catalog(_read_all(paths), overlays=_read_all(overlays))


def compile_catalog(
    sources: Iterable[Source], *, overlays: Iterable[Source] = ()
) -> Catalog:
    """Make a catalog of files that are already read; the order does not matter.

    Raises:
        CatalogError: as `load_catalog` does.
    """
    shipped, own = _Layer.of(sources), _Layer.of(overlays)
    replaced = tuple(_replaced(shipped, own))
    merged = CatalogFile(
        **{
            section: shipped.section(section) | own.section(section)
            for section in SECTIONS
        }
    )
    origins = shipped.origins | own.origins
    faults = list(chain(faults_of(merged), fractions_of(merged)))
    if faults:
        raise _error(origins[faults[0].place[:2]], faults)
    return catalog_of(merged, version=_version(shipped, own), replaced=replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """Is what some files say together: shipped ones, or overlays."""

    entries: Mapping[str, Mapping[str, Sourced]]
    origins: dict[Place, Source]
    versions: tuple[tuple[str, Source], ...]

    @classmethod
    def of(cls, sources: Iterable[Source]) -> _Layer:
        entries: dict[str, dict[str, Sourced]] = {section: {} for section in SECTIONS}
        origins: dict[Place, Source] = {}
        versions: list[tuple[str, Source]] = []
        for source in sorted(sources, key=lambda source: source.name):
            file = _validated(source)
            if file.version is not None:
                versions.append((file.version, source))
            for section in SECTIONS:
                for key, entry in getattr(file, section).items():
                    place = (section, key)
                    if place in origins:
                        cause = f"is also in {origins[place].name}: keep one of them"
                        raise _error(source, [Fault(place=place, cause=cause)])
                    entries[section][key] = entry
                    origins[place] = source
        return cls(entries=entries, origins=origins, versions=tuple(versions))

    def section(self, name: str) -> dict[str, Sourced]:
        return dict(self.entries[name])


def _replaced(shipped: _Layer, own: _Layer) -> Iterator[str]:
    for place, source in shipped.origins.items():
        if _replaces(shipped, place):
            cause = "only an entry of an overlay replaces another"
            raise _error(source, [Fault(place=(*place, "replaces"), cause=cause)])
    for place, source in own.origins.items():
        known = place in shipped.origins
        if known and not _replaces(own, place):
            cause = (
                f"is shipped in {shipped.origins[place].name}: choose another id, or"
                " say `replaces: true` and cite your source"
            )
            raise _error(source, [Fault(place=place, cause=cause)])
        if not known and _replaces(own, place):
            cause = "there is no shipped entry of this id to replace"
            raise _error(source, [Fault(place=(*place, "replaces"), cause=cause)])
        if known:
            yield str(place[1])


def _replaces(layer: _Layer, place: Place) -> bool:
    section, key = place
    return layer.entries[str(section)][str(key)].replaces


def _version(shipped: _Layer, own: _Layer) -> str:
    if not shipped.versions:
        raise CatalogError("no file of the catalog states its `version`: add it to one")
    (version, _), *more = shipped.versions
    if more:
        cause = f"the catalog is already `{version}`: one file states the version"
        raise _error(more[0][1], [Fault(place=("version",), cause=cause)])
    return "+".join((version, *sorted(name for name, _ in own.versions)))


def _validated(source: Source) -> CatalogFile:
    value = read_yaml(_text(source), name=source.name)
    if numbers := list(_times_in_digits(value, ())):
        raise _error(source, numbers)
    try:
        # JSON, and strict: a number is no date and `yes` is no truth.
        return CatalogFile.model_validate_json(orjson.dumps(value), strict=True)
    except ValidationError as error:
        faults = [
            Fault(
                place=tuple(part for part in item["loc"] if part != "[key]"),
                cause=_CAUSES.get(item["type"], _lower(item["msg"])),
            )
            for item in error.errors(include_url=False, include_input=False)
        ]
        raise _error(source, faults) from error


def _times_in_digits(value: Json, place: Place) -> Iterator[Fault]:
    # Pydantic reads quoted digits as seconds or milliseconds, by how many there are.
    if isinstance(value, str) and place[-1:] and place[-1] in _TIMES:
        if not _CALENDAR.match(value):
            cause = "write a date as `2026-07-02`, an instant as `2026-07-02T00:00:00Z`"
            yield Fault(place=place, cause=cause)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _times_in_digits(item, (*place, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _times_in_digits(item, (*place, i))


def _error(source: Source, faults: Sequence[Fault]) -> CatalogError:
    """Say the first fault, with its line; the others are counted."""
    first = faults[0]
    line = line_of(_text(source), first.place)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = place_text(first.place)
    return CatalogError(f"{source.name}:{line}: `{where}`: {first.cause}{more}")


def _lower(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _text(source: Source) -> str:
    if len(source.data) > MAX_BYTES:
        raise CatalogError(f"{source.name}: larger than {MAX_BYTES} bytes: split it")
    try:
        return source.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = source.data.count(b"\n", 0, error.start) + 1
        raise CatalogError(f"{source.name}:{line}: not UTF-8: save it so") from error


def _read_all(paths: Sequence[Path | str]) -> list[Source]:
    return [_read(file) for path in paths for file in _files(Path(path))]


def _files(path: Path) -> tuple[Path, ...]:
    if not path.is_dir():
        return (path,)
    files = tuple(sorted(path.glob("*.yaml")))
    if not files:
        raise CatalogError(f"`{path}` holds no `*.yaml`: name the catalog's directory")
    return files


def _read(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            return Source(name=str(path), data=file.read(MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise CatalogError(f"cannot read `{path}`: {_lower(cause)}") from error
