"""Compiles a catalog to the JSON that rules read as `data.catalog`.

INVARIANT: the same entries give the same document, whatever files they came from and
in whatever order. Instants become whole seconds since 1970-01-01T00:00:00Z, because
rules compare times as numbers; a day (`as_of`) stays an ISO 8601 date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast

from policyguard.canonical import Json
from policyguard.catalog.consistency import Fault
from policyguard.catalog.lists import List
from policyguard.catalog.schema import CatalogFile
from policyguard.catalog.views import compile_views
from policyguard.catalog.yaml_text import Place
from policyguard.errors import CatalogError

SECTIONS: Final = (
    "developers",
    "models",
    "weights",
    "evidence",
    "operators",
    "deployments",
    "lists",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def compile_document(
    file: CatalogFile, *, version: str, replaced: tuple[str, ...]
) -> dict[str, Json]:
    """Return `data.catalog`.

    Args:
        file: The merged catalog, without faults.
        version: What the catalog is called.
        replaced: Ids of the shipped entries that an overlay replaces, sorted.
    """
    # Needed where a catalog is compiled, and not by all that can name one.
    from policyguard.catalog.screening import names_index, with_matches

    document: dict[str, Json] = {"version": version, "replaced": replaced}
    for section in SECTIONS[:-1]:
        entries = cast("Mapping[str, List]", getattr(file, section))
        document[section] = {
            key: _json(entries[key].model_dump(exclude={"replaces"}))
            for key in sorted(entries)
        }
    lists = with_matches(file)
    document["lists"] = {key: _list(lists[key]) for key in sorted(lists)}
    document["names"] = _json(names_index(file))
    return with_views(document)


def with_views(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return a document with what rules see of its entries, compiled anew.

    Args:
        document: A compiled catalog; also one that a bundle's golden vectors bring.

    Raises:
        CatalogError: a section or a declared fact of an entry is missing.
    """
    try:
        return {**document, "views": compile_views(document)}
    except (KeyError, TypeError, AttributeError) as error:
        raise CatalogError(
            f"a compiled catalog is not whole: {type(error).__name__} at {error}: give"
            " each section, and each declared fact of an entry, a value or null"
        ) from error


def fractions_of(file: CatalogFile) -> Iterator[Fault]:
    """Yield each instant that is no whole second: rounding would move a window."""
    for section in SECTIONS:
        for key, entry in getattr(file, section).items():
            yield from _fractions(entry.model_dump(), (section, key))


def _fractions(value: object, place: Place) -> Iterator[Fault]:
    if isinstance(value, datetime) and value.microsecond:
        yield Fault(place=place, cause="an instant of the catalog is a whole second")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _fractions(item, (*place, key))
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _fractions(item, (*place, i))


def _list(listed: List) -> Json:
    dumped = listed.model_dump(exclude={"replaces"})
    return {
        **{key: _json(dumped[key]) for key in ("name", "source", "as_of")},
        "max_age_days": listed.max_age_days,
        "parties": _windows_by("party", dumped["parties"]),
        "countries": _windows_by("country", dumped["countries"]),
        "regions": _windows_by("region", dumped["regions"]),
        "items": _windows_by("item", dumped["items"]),
        "potential": _windows_by("party", dumped["potential"]),
        "chart": _windows_by("classification", dumped["chart"]),
    }


def _windows_by(field: str, entries: tuple[dict[str, object], ...]) -> Json:
    """Group windows by the member that they are about, earliest first."""
    grouped: dict[str, list[dict[str, object]]] = {}
    for entry in sorted(entries, key=lambda entry: _when(entry["since"])):
        grouped.setdefault(str(entry.pop(field)), []).append(entry)
    return {key: _json(grouped[key]) for key in sorted(grouped)}


def _when(since: object) -> int:
    earliest = datetime.min.replace(tzinfo=UTC)
    return _seconds(since if isinstance(since, datetime) else earliest)


def _seconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _SECOND


def _json(value: object) -> Json:
    if isinstance(value, datetime):
        return _seconds(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (tuple, list)):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return cast("Json", value)
