"""A screening list lists nobody and clears nobody by itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.overlay import Imported, overlay_text
from policyguard.catalog.importers.screening_list import import_screening_list
from policyguard.catalog.lists import Edition, List, ListedName, PotentialMatch
from policyguard.catalog.load import Source, compile_catalog
from policyguard.errors import CatalogError

EL = "Entity List (EL) - Bureau of Industry and Security"
DAY = date(2026, 11, 1)
BASE = """\
version: "1"
developers:
  zhipu: {name: Zhipu AI, legal_entities: ["Beijing Zhipu Huazhang Technology Co., Ltd."], source: s, as_of: 2026-01-01}
operators:
  acme: {name: Acme, legal_name: "Acme Holdings GmbH", source: s, as_of: 2026-01-01}
  other: {name: Other, source: s, as_of: 2026-01-01}
lists:
  bis-entity-list:
    name: BIS Entity List
    parties:
      - {party: other, names: [Other Inc.], since: 2025-01-01T00:00:00Z}
    source: s
    as_of: 2026-06-18
"""


@pytest.fixture
def catalog() -> Catalog:
    return compile_catalog([Source(name="base.yaml", data=BASE.encode())])


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"source": EL, "name": name, "id": "r1", **more}


def imported(catalog: Catalog, *rows: dict[str, Any], as_of: date = DAY) -> Imported:
    data = json.dumps({"total": len(rows), "results": list(rows)}).encode()
    return import_screening_list(data, as_of=as_of, catalog=catalog)


def entity_list(found: Imported) -> List:
    return found.file.lists["bis-entity-list"]


def test_a_name_that_matches_is_a_potential_match_and_no_listing(
    catalog: Catalog,
) -> None:
    found = imported(
        catalog,
        row("Other Inc."),
        row(
            "BEIJING ZHIPU HUAZHANG TECHNOLOGY CO LTD",
            start_date="2025-01-16",
            license_requirement="For all items subject to the EAR.",
            license_policy="Presumption of denial",
            federal_register_notice="90 FR 4617",
        ),
        row("Somebody Else Ltd."),
    )
    before = catalog.list_of("bis-entity-list")

    assert entity_list(found) == List(
        name="BIS Entity List",
        source="Consolidated Screening List JSON, fetched 2026-11-01",
        as_of=DAY,
        replaces=True,
        max_age_days=30,
        screening=True,
        names=(
            ListedName(
                names=("Other Inc.",), entry="r1", seen_from=DAY, verified=False
            ),
            ListedName(
                names=("BEIJING ZHIPU HUAZHANG TECHNOLOGY CO LTD",),
                entry="r1",
                since=datetime(2025, 1, 16, tzinfo=UTC),
                seen_from=DAY,
                source="90 FR 4617",
            ),
            ListedName(names=("Somebody Else Ltd.",), entry="r1", seen_from=DAY),
        ),
        parties=before.parties,
        potential=(
            PotentialMatch(
                party="zhipu",
                names=("BEIJING ZHIPU HUAZHANG TECHNOLOGY CO LTD",),
                since=datetime(2025, 1, 16, tzinfo=UTC),
                verified=False,
                scope="For all items subject to the EAR.",
                policy="Presumption of denial",
                source="90 FR 4617",
            ),
        ),
        editions=(Edition.of(before),),
    )
    assert found.skipped == ()


def test_other_names_of_an_entry_count_too(catalog: Catalog) -> None:
    found = imported(catalog, row("X", alt_names=["Acme Holdings"]), row("Other Inc."))

    assert [(m.party, m.names) for m in entity_list(found).potential] == [
        ("acme", ("Acme Holdings",))
    ]


def test_who_is_listed_stays_listed_when_the_source_no_longer_says_so(
    catalog: Catalog,
) -> None:
    found = imported(catalog, row("Somebody Else"))

    assert entity_list(found).parties == catalog.list_of("bis-entity-list").parties
    assert [(item.entry, item.why) for item in found.skipped] == [
        (
            "other",
            (
                "it is listed in `bis-entity-list`, and the source does not name it any"
                " more: a person has to end its window"
            ),
        )
    ]


def test_what_a_person_has_cleared_does_not_come_back_for_that_name_alone() -> None:
    cleared = BASE.replace(
        "    source: s\n    as_of: 2026-06-18",
        "    cleared:\n"
        "      - {party: acme, names: [ACME], source: looked at by Bo, as_of: 2026-06-01}\n"
        "    source: s\n    as_of: 2026-06-18",
    )
    catalog = compile_catalog([Source(name="base.yaml", data=cleared.encode())])
    found = imported(catalog, row("Acme Ltd."), row("Other Inc."))
    assert entity_list(found).potential == ()

    legal = BASE.replace("name: Acme,", "name: Acme Holdings Europe,")
    catalog = compile_catalog([Source(name="base.yaml", data=legal.encode())])
    found = imported(catalog, row("Acme Europe"), row("Other Inc."))
    assert [m.party for m in entity_list(found).potential] == ["acme"]


def test_each_list_is_itself_and_the_others_are_named(catalog: Catalog) -> None:
    found = imported(
        catalog,
        row("Other Inc."),
        row(
            "Acme", source="Specially Designated Nationals (SDN) - Treasury Department"
        ),
        row("Acme", source="Nonproliferation Sanctions (ISN) - State Department"),
    )

    assert sorted(found.file.lists) == ["bis-entity-list", "ofac-sdn"]
    assert [m.party for m in found.file.lists["ofac-sdn"].potential] == ["acme"]
    assert entity_list(found).potential == ()
    assert [item.entry for item in found.skipped] == ["Acme"]


def test_an_import_is_an_overlay_that_loads_and_keeps_what_was_known(
    catalog: Catalog,
) -> None:
    found = imported(catalog, row("Acme GmbH"), row("Other Inc."))
    both = compile_catalog(
        [Source(name="base.yaml", data=BASE.encode())],
        overlays=[Source(name="own.yaml", data=overlay_text(found).encode())],
    )
    listed = both.list_of("bis-entity-list")

    assert both.replaced == ("bis-entity-list",)
    assert listed.known_on(date(2026, 6, 17)) is None
    assert listed.known_on(date(2026, 10, 31)) == listed.editions[0]
    assert listed.known_on(DAY) == Edition.of(listed)
    # A second import on top keeps both earlier ones.
    again = imported(both, row("Other Inc."), as_of=date(2026, 12, 1))
    assert [item.as_of for item in entity_list(again).editions] == [
        date(2026, 6, 18),
        DAY,
    ]


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({}, "has no `results`"),
        ({"results": []}, "has no `results`"),
        ({"results": [5]}, r"`results\[0\]` is no JSON object"),
        ({"results": [{"source": EL}]}, r"`results\[0\]` has no `name`"),
        (
            {"results": [row("Acme", start_date="01/16/2025")]},
            "`start_date` of `Acme` is no day: `01/16/2025`",
        ),
        (
            {"results": [row("Acme", start_date="2025-02-30")]},
            "`start_date` of `Acme` is no day: `2025-02-30`",
        ),
    ],
)
def test_what_is_no_screening_list_is_refused(
    catalog: Catalog, root: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        import_screening_list(json.dumps(root).encode(), as_of=DAY, catalog=catalog)


def test_an_older_list_does_not_replace_a_newer_one(catalog: Catalog) -> None:
    with pytest.raises(
        CatalogError, match="an older list does not replace a newer one"
    ):
        imported(catalog, row("Acme"), as_of=date(2026, 6, 17))


def test_ships_and_aircraft_are_no_parties(catalog: Catalog) -> None:
    found = imported(catalog, row("Acme", type="Vessel"), row("Other Inc."))

    assert [item.names for item in entity_list(found).names] == [("Other Inc.",)]
    assert [(item.entry, item.why) for item in found.skipped] == [
        ("Acme", "a ship or an aircraft is no party")
    ]


def test_an_entry_has_its_days_and_no_edition_repeats_it(catalog: Catalog) -> None:
    later = date(2026, 12, 1)
    first = imported(catalog, row("Gone Ltd."), row("Other Inc."))
    both = compile_catalog(
        [Source(name="base.yaml", data=BASE.encode())],
        overlays=[Source(name="own.yaml", data=overlay_text(first).encode())],
    )
    second = imported(both, row("Other Inc."), row("New Ltd."), as_of=later)

    assert [
        (item.names[0], item.seen_from, item.seen_until)
        for item in entity_list(second).names
    ] == [
        ("Gone Ltd.", DAY, later),
        ("Other Inc.", DAY, None),
        ("New Ltd.", later, None),
    ]


def test_an_old_day_has_the_names_of_its_edition(catalog: Catalog) -> None:
    later = date(2026, 12, 1)
    first = imported(catalog, row("Gone Ltd."), row("Other Inc."))
    base = Source(name="base.yaml", data=BASE.encode())
    own = Source(name="own.yaml", data=overlay_text(first).encode())
    both = compile_catalog([base], overlays=[own])
    second = imported(both, row("Other Inc."), row("New Ltd."), as_of=later)
    whole = compile_catalog(
        [base], overlays=[Source(name="own.yaml", data=overlay_text(second).encode())]
    )

    def keys(known: Catalog) -> list[str]:
        names: Any = known.document["names"]
        return sorted(names)

    assert [keys(whole.known_on(day)) for day in (date(2026, 10, 31), DAY, later)] == [
        ["other"],
        ["gone", "other"],
        ["new", "other"],
    ]
    assert keys(whole) == ["new", "other"]
