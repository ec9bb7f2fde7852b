from __future__ import annotations

from typing import Any

import pytest

from policyguard.catalog.document import with_views
from policyguard.errors import CatalogError

OPERATOR = {
    "name": "Op",
    "legal_name": None,
    "country": "US",
    "control_country": None,
    "parent": None,
    "owners": None,
    "source": "s",
    "as_of": "2026-01-01",
}
DEPLOYMENT = {
    "model": "m",
    "mode": "vendor_api",
    "operator": "op",
    "host_cloud": None,
    "hosts": ["api.op.example"],
    "installed": None,
    "states": [],
    "processing_scope": None,
    "processing_countries": ["SG"],
    "storage_countries": None,
    "remote_access_countries": None,
    "accelerator": None,
}
MODEL = {
    "developer": "dev",
    "base_models": None,
    "weights_licence": None,
    "restrictions": [],
}
NOBODY = {
    "id": None,
    "name": None,
    "legal_entities": None,
    "aliases": None,
    "country": None,
    "parent_country": None,
    "advisories": None,
    "owners": None,
    "listings": {"listed": []},
}


HELD_BY_UNKNOWN = {"surely": 0, "perhaps": 10_000, "owners": []}


def window(since: int | None, until: int | None, **more: object) -> dict[str, Any]:
    return {"since": since, "until": until, **more}


def document(**sections: Any) -> dict[str, Any]:
    return {
        "developers": {},
        "models": {},
        "weights": {},
        "evidence": {},
        "operators": {},
        "deployments": {},
        "lists": list_of(),
        **sections,
    }


def views(**sections: Any) -> Any:
    return with_views(document(**sections))["views"]


def list_of(**members: Any) -> dict[str, Any]:
    kinds: dict[str, Any] = {
        kind: {} for kind in ("parties", "countries", "regions", "items", "potential")
    }
    whole = {"as_of": "2026-01-01", "max_age_days": None, **kinds, **members}
    return {"listed": whole}


def test_an_entry_without_windows_has_one_interval() -> None:
    view = views(models={"m": MODEL})["models"]["m"]

    assert view == {
        "boundaries": [],
        "intervals": [
            {
                **MODEL,
                "id": "m",
                "known": True,
                "label": "m",
                "developer": NOBODY,
                "access": {
                    "caller": "supported",
                    "headquarters": "supported",
                    "held_bp": 0,
                    "missing": [],
                },
                "lineage": [],
            }
        ],
    }


def test_a_listing_begins_with_its_second_and_ends_before_the_last() -> None:
    listing = window(10, 20, names=["Op"])
    view = views(
        operators={"op": OPERATOR},
        deployments={"d": DEPLOYMENT},
        lists=list_of(parties={"op": [listing]}),
    )["deployments"]["d"]

    listed = [value["parties"][0]["listings"] for value in view["intervals"]]
    assert view["boundaries"] == [10, 20]
    assert listed == [{"listed": []}, {"listed": [listing]}, {"listed": []}]


def test_relief_that_comes_while_a_letter_stands_is_a_boundary_of_its_own() -> None:
    letter = window(10, 30, relief=["annex"], relief_since=20)
    view = views(models={"m": {**MODEL, "restrictions": [letter]}})["models"]["m"]

    assert view["boundaries"] == [10, 20, 30]
    assert [
        [item["relief"] for item in value["restrictions"]]
        for value in view["intervals"]
    ] == [[], [[]], [["annex"]], []]


def test_an_instant_at_which_nothing_changes_is_no_boundary() -> None:
    gone = window(None, None, relief=["annex"], relief_since=None)
    twice = [window(10, 20, state="x"), window(20, 30, state="x")]
    model = views(models={"m": {**MODEL, "restrictions": [gone]}})["models"]["m"]
    deployment = views(deployments={"d": {**DEPLOYMENT, "states": twice}})

    assert model["boundaries"] == []
    assert model["intervals"][0]["restrictions"][0]["relief"] == []
    assert deployment["deployments"]["d"]["boundaries"] == [10, 20, 30]


def test_a_party_that_the_catalog_does_not_have_has_every_fact_as_null() -> None:
    view = views(deployments={"d": DEPLOYMENT})["deployments"]["d"]["intervals"][0]

    assert view["parties"] == [
        {
            "id": "op",
            "role": "operator",
            "name": "op",
            "legal_name": None,
            "country": None,
            "control_country": None,
            "parent": None,
            "counterparty": "op",
            "owners": None,
            "listings": {"listed": []},
            "potential": [],
            "held": dict.fromkeys(("bis", "dsp", "ofac"), HELD_BY_UNKNOWN),
        }
    ]


def test_owners_are_those_of_the_instant() -> None:
    share = window(
        10, None, owner="o", party=None, country="CN", listed=[], share_bp=5_000
    )
    operator = {**OPERATOR, "owners": [share]}
    view = views(operators={"op": operator}, deployments={"d": DEPLOYMENT})

    owners = [
        value["parties"][0]["owners"] for value in view["deployments"]["d"]["intervals"]
    ]
    assert owners == [[], [share]]


@pytest.mark.parametrize(
    ("scope", "countries", "gaps"),
    [
        ("fixed", ["SG"], []),
        ("fixed", [], ["deployment.processing_countries"]),
        ("global", ["SG"], ["deployment.processing_countries"]),
        (None, ["SG"], ["deployment.processing_scope"]),
        (
            None,
            None,
            ["deployment.processing_countries", "deployment.processing_scope"],
        ),
    ],
)
def test_what_is_not_known_of_places_is_named(
    scope: str | None, countries: list[str] | None, gaps: list[str]
) -> None:
    entry = {
        **DEPLOYMENT,
        "processing_scope": scope,
        "processing_countries": countries,
        "storage_countries": [],
    }
    view = views(deployments={"d": entry})["deployments"]["d"]["intervals"][0]

    assert view["gaps"] == gaps
    assert view["places"] == sorted(
        {*(countries or []), *(["**"] if scope == "global" else [])}
    )


def test_who_receives_is_the_cloud_under_a_host_of_our_own() -> None:
    ours = {**DEPLOYMENT, "mode": "self_hosted", "host_cloud": "cloud"}
    theirs = {**DEPLOYMENT, "host_cloud": "cloud"}
    found = views(deployments={"ours": ours, "theirs": theirs})["deployments"]

    assert {key: view["intervals"][0]["recipient"] for key, view in found.items()} == {
        "ours": "cloud",
        "theirs": "op",
    }


def test_a_list_without_members_is_one_of_parties_and_of_countries() -> None:
    found = views()

    assert found["nobody"] == NOBODY
    assert found["elsewhere"] == {
        "eea": False,
        "adequacy": [],
        "saudi": [],
        "swiss": [],
        "uk": [],
        "in_restricted": False,
        "groups": [],
    }
    assert found["lists"] == {"listed": "2026-01-01"}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "lists"),
        (document(models={"m": {}}), "developer"),
        (document(models={"m": None}), "NoneType"),
        (document(lists={"l": {"as_of": "x", "countries": {}}}), "items"),
    ],
)
def test_a_document_that_is_not_whole_is_refused(given: Any, missing: str) -> None:
    with pytest.raises(
        CatalogError, match="a compiled catalog is not whole: "
    ) as error:
        with_views(given)
    assert missing in str(error.value)


def test_a_list_is_stale_after_the_whole_of_its_last_day() -> None:
    day = 24 * 60 * 60
    as_of = 20_454 * day  # 2026-01-01
    found = views(
        lists={
            "a": list_of(max_age_days=7)["listed"],
            "b": list_of(max_age_days=30)["listed"],
            "never": list_of()["listed"],
        }
    )

    assert found["stale"] == {
        "boundaries": [as_of + 8 * day, as_of + 31 * day],
        "intervals": [[], ["a"], ["a", "b"]],
    }


def test_names_that_may_be_a_partys_hold_in_their_windows() -> None:
    entry = window(100, None, names=["OP"], owner=None)
    found = views(
        operators={"op": OPERATOR},
        models={"m": MODEL},
        deployments={"d": {**DEPLOYMENT, "operator": "op"}},
        lists=list_of(potential={"op": [entry]}),
    )["deployments"]["d"]

    assert found["boundaries"] == [100]
    assert [item["parties"][0]["potential"] for item in found["intervals"]] == [
        [],
        [{"list": "listed", "names": ["OP"], "owner": None}],
    ]
