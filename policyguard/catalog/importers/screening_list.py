"""Reads the Consolidated Screening List: who may be a party that the catalog knows.

Format: `{"results": [...]}` with the fields of the list of the International Trade
Administration: `source`, `name`, `alt_names`, `start_date`, `end_date`,
`license_requirement`, `license_policy`, `federal_register_notice`, `id`. The list holds
neither the 1260H list nor affiliates, and its keepers say that a match is no
determination.

Every entry is kept by its names, whether the catalog knows the party or not: calls are
compared with them when they are asked about.

INVARIANT: an import lists nobody and clears nobody. What was confirmed stays listed,
even where the source no longer names it; what matches by name becomes a potential
match, which a person has to confirm or clear; what a person has cleared stays so for
that name and that list alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from policyguard.canonical import digest
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.overlay import (
    Imported,
    Row,
    Tally,
    mapping_of,
    parse_source,
    text_of,
)
from policyguard.catalog.lists import Edition, List, ListedName, PotentialMatch
from policyguard.catalog.schema import CatalogFile
from policyguard.errors import CatalogError
from policyguard.vocabulary.names import keys_of, name_key

WHAT: Final = "the Consolidated Screening List"
LISTS: Final = {
    "EL": ("bis-entity-list", "BIS Entity List (Supplement No. 4 to 15 CFR part 744)"),
    "MEU": ("bis-meu", "BIS Military End User List (Supplement No. 7 to part 744)"),
    "UVL": ("bis-unverified", "BIS Unverified List (Supplement No. 6 to part 744)"),
    "DPL": ("bis-denied-persons", "BIS Denied Persons List"),
    "SDN": ("ofac-sdn", "OFAC Specially Designated Nationals and Blocked Persons"),
    "CMIC": ("ofac-cmic", "OFAC Non-SDN Chinese Military-Industrial Complex Companies"),
}
"""Our id and name of each list that is read, by the abbreviation in `source`."""
_ABBREVIATION: Final = re.compile(r"\(([A-Z]+)\)")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NO_PARTIES: Final = frozenset({"vessel", "aircraft"})
_MAX_TEXT: Final = 512
MAX_AGE_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Is one entry of the source."""

    names: tuple[str, ...]
    row: Row
    label: str


def import_screening_list(
    data: bytes, *, as_of: date, catalog: Catalog, max_age_days: int = MAX_AGE_DAYS
) -> Imported:
    """Return new editions of the lists that the source holds.

    Args:
        data: The bulk JSON, as published.
        as_of: The day on which it was fetched; the file does not say it.
        catalog: The parties to look for, and the lists as they are now.
        max_age_days: After how many days these editions count as stale.

    Raises:
        CatalogError: it is no screening list, or older than what the catalog has.
    """
    tally = Tally()
    rows = _rows(data, tally=tally)
    source = f"Consolidated Screening List JSON, fetched {as_of.isoformat()}"
    parties = keys_of(_names_of(catalog))
    lists = {
        key: _edition(
            rows.get(key, []),
            key=key,
            title=title,
            parties=parties,
            before=catalog.entries.lists.get(key),
            source=source,
            as_of=as_of,
            max_age_days=max_age_days,
            tally=tally,
        )
        for key, title in sorted(LISTS.values())
        if key in rows or key in catalog.entries.lists
    }
    return Imported(
        file=CatalogFile(lists=lists),
        source=source,
        sha256=digest(data),
        gaps=tally.gaps(),
        skipped=tally.skipped(),
    )


def _rows(data: bytes, *, tally: Tally) -> dict[str, list[_Row]]:
    root = mapping_of(parse_source(data, what=WHAT), what=WHAT)
    results = root.get("results")
    if not isinstance(results, list) or not results:
        raise CatalogError(f"{WHAT} has no `results`: is it the right file?")
    found: dict[str, list[_Row]] = {}
    for i, value in enumerate(results):
        row = mapping_of(value, what=f"`results[{i}]`")
        name = text_of(row, "name")
        if name is None:
            raise CatalogError(f"`results[{i}]` has no `name`: fetch the list again")
        kind = _ABBREVIATION.search(text_of(row, "source") or "")
        if kind is None or kind[1] not in LISTS:
            tally.skip(name, f"no rule reads `{text_of(row, 'source') or 'no source'}`")
            continue
        if (text_of(row, "type") or "").lower() in _NO_PARTIES:
            tally.skip(name, "a ship or an aircraft is no party")
            continue
        others = row.get("alt_names")
        alternatives = others if isinstance(others, list) else []
        said = [item.strip() for item in alternatives if isinstance(item, str)]
        names = (name, *filter(None, said))
        label = text_of(row, "entity_number") or text_of(row, "id") or str(i)
        found.setdefault(LISTS[kind[1]][0], []).append(
            _Row(names=names, row=row, label=label)
        )
    return found


def _names_of(catalog: Catalog) -> Mapping[str, tuple[str, ...]]:
    entries = catalog.entries
    return {
        **{
            key: (item.name, *item.legal_entities, *item.aliases)
            for key, item in entries.developers.items()
        },
        **{
            key: (item.name, *([item.legal_name] if item.legal_name else []))
            for key, item in entries.operators.items()
        },
    }


def _edition(  # noqa: PLR0913 -- what one edition is made of
    rows: list[_Row],
    *,
    key: str,
    title: str,
    parties: Mapping[str, tuple[str, ...]],
    before: List | None,
    source: str,
    as_of: date,
    max_age_days: int,
    tally: Tally,
) -> List:
    if before is not None and before.as_of > as_of:
        raise CatalogError(
            f"`{key}` is known as of {before.as_of}, and this is of {as_of}: an older"
            " list does not replace a newer one"
        )
    confirmed = before.parties if before else ()
    named = {name_key(name) for item in rows for name in item.names}
    for listing in confirmed:
        if not named & {name_key(name) for name in listing.names}:
            why = f"it is listed in `{key}`, and the source does not name it any more"
            tally.skip(listing.party, f"{why}: a person has to end its window")
    matches = tuple(_matches(rows, parties=parties, before=before, tally=tally))
    names = tuple(_names(rows, before=before, as_of=as_of))
    return List(
        name=before.name if before else title,
        source=source,
        as_of=as_of,
        replaces=before is not None,
        max_age_days=max_age_days,
        screening=True,
        names=names,
        parties=confirmed,
        countries=before.countries if before else (),
        regions=before.regions if before else (),
        items=before.items if before else (),
        chart=before.chart if before else (),
        potential=matches,
        cleared=before.cleared if before else (),
        editions=(*before.editions, Edition.of(before)) if before else (),
    )


def _names(
    rows: list[_Row], *, before: List | None, as_of: date
) -> Iterator[ListedName]:
    """Yield whom the list names now, and whom it named in an earlier edition."""
    now = {_said(item): item for item in map(_listed, rows)}
    for item in before.names if before else ():
        if item.seen_until is not None:
            yield item
        elif _said(item) in now:
            yield item
            del now[_said(item)]
        else:
            yield item.model_copy(update={"seen_until": as_of})
    for item in now.values():
        yield item.model_copy(update={"seen_from": as_of}) if before else item


def _said(item: ListedName) -> tuple[object, ...]:
    return (item.entry, item.names, item.since, item.until, item.source)


def _listed(item: _Row) -> ListedName:
    return ListedName(
        names=tuple(dict.fromkeys(_short(name) for name in item.names)),
        entry=_short(item.label),
        since=_instant(item.row, "start_date"),
        until=_instant(item.row, "end_date"),
        verified=False,
        source=_optional(item.row, "federal_register_notice"),
    )


def _matches(
    rows: list[_Row],
    *,
    parties: Mapping[str, tuple[str, ...]],
    before: List | None,
    tally: Tally,
) -> Iterator[PotentialMatch]:
    decided = _decided(before)
    seen: set[tuple[str, str]] = set()
    for item in rows:
        for name in item.names:
            key = name_key(name)
            for party in parties.get(key, ()):
                if (party, key) in decided or (party, key) in seen:
                    continue
                seen.add((party, key))
                yield _match(item, name=name, party=party, tally=tally)


def _decided(before: List | None) -> frozenset[tuple[str, str]]:
    """Return the parties and names that a person has confirmed or cleared."""
    if before is None:
        return frozenset()
    said = [(item.party, item.names) for item in before.parties]
    said += [(item.party, item.names) for item in before.cleared if item.party]
    return frozenset((party, name_key(name)) for party, names in said for name in names)


def _match(item: _Row, *, name: str, party: str, tally: Tally) -> PotentialMatch:
    row = item.row
    since, until = _instant(row, "start_date"), _instant(row, "end_date")
    if since is None:
        tally.lacks("lists.potential.since", "the source states no start date")
    return PotentialMatch(
        party=party,
        names=(_short(name),),
        since=since,
        until=until,
        verified=False,
        scope=_optional(row, "license_requirement"),
        policy=_optional(row, "license_policy"),
        source=_optional(row, "federal_register_notice") or f"entry {item.label}",
    )


def _instant(row: Row, key: str) -> datetime | None:
    """Return the beginning of a day in UTC, or `None` where none is stated."""
    value = text_of(row, key)
    if value is None:
        return None
    if not _DAY.fullmatch(value):
        raise CatalogError(f"`{key}` of `{text_of(row, 'name')}` is no day: `{value}`")
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError as error:
        raise CatalogError(
            f"`{key}` of `{text_of(row, 'name')}` is no day: `{value}`"
        ) from error


def _optional(row: Row, key: str) -> str | None:
    value = text_of(row, key)
    return None if value is None else _short(value)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
