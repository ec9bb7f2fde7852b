"""Names of operators and owners are compared when a catalog is compiled."""

from __future__ import annotations

from typing import Any

import pytest

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.load import Source, compile_catalog
from policyguard.errors import CatalogError

BASE = """\
version: "1"
developers:
  dev: {name: Dev, legal_entities: [Dev Labs], source: s, as_of: 2026-01-01}
operators:
  acme: {name: Acme, legal_name: "Acme Trading GmbH", source: s, as_of: 2026-01-01}
  held:
    name: Held
    owners:
      - {owner: Bad Holding, country: AE, since: 2026-02-01T00:00:00Z}
      - {owner: Somebody, party: middle}
    source: s
    as_of: 2026-01-01
  middle:
    name: Middle
    owners: [{owner: the developer, party: dev}]
    source: s
    as_of: 2026-01-01
lists:
  ofac-sdn:
    name: SDN List
    screening: true
    names:
      - {names: [NAME], entry: "7", since: SINCE}
PLUS    source: s
    as_of: 2026-06-18
"""


def catalog(
    name: str, *, since: str = "2026-01-01T00:00:00Z", plus: str = ""
) -> Catalog:
    text = BASE.replace("NAME", name).replace("SINCE", since)
    text = text.replace("PLUS", plus)
    return compile_catalog([Source(name="base.yaml", data=text.encode())])


def potential(found: Catalog) -> Any:
    lists: Any = found.document["lists"]
    return {
        party: [(row["owner"], row["names"], row["source"]) for row in rows]
        for party, rows in lists["ofac-sdn"]["potential"].items()
    }


def test_an_operator_with_the_name_of_an_entry_may_be_it() -> None:
    assert potential(catalog("ACME TRADING LLC")) == {
        "acme": [(None, ["ACME TRADING LLC"], "entry 7")]
    }


def test_so_may_an_owner_that_is_only_named_as_long_as_it_owns() -> None:
    found: Any = catalog("Bad Holding Ltd").document["lists"]
    (row,) = found["ofac-sdn"]["potential"]["held"]

    assert (row["owner"], row["since"], row["until"]) == (
        "Bad Holding",
        1769904000,
        None,
    )


def test_owners_of_owners_are_compared_by_every_name_of_theirs() -> None:
    assert potential(catalog("Dev Labs Inc.")) == {
        "held": [("the developer", ["Dev Labs Inc."], "entry 7")],
        "middle": [("the developer", ["Dev Labs Inc."], "entry 7")],
    }


@pytest.mark.parametrize(
    "plus",
    [
        "    parties: [{party: acme, names: [Acme]}]\n",
        "    potential: [{party: acme, names: [Acme Trading]}]\n",
        "    cleared: [{party: acme, names: [Acme Trading], source: s, as_of: 2026-06-01}]\n",
    ],
)
def test_whom_somebody_has_spoken_of_is_not_matched_again(plus: str) -> None:
    found = potential(catalog("Acme Trading", plus=plus))

    assert [source for rows in found.values() for _, _, source in rows] in ([], [None])


def test_an_owner_is_cleared_by_name_and_country() -> None:
    cleared = (
        "    cleared: [{organisation: Bad Holding, country: COUNTRY,"
        " names: [Bad Holding], source: s, as_of: 2026-06-01}]\n"
    )

    assert potential(catalog("BAD", plus=cleared.replace("COUNTRY", "AE"))) == {}
    elsewhere = cleared.replace("COUNTRY", "GB")
    assert list(potential(catalog("Bad Holding", plus=elsewhere))) == ["held"]


def test_a_share_that_had_ended_when_the_entry_began_matches_nothing() -> None:
    text = BASE.replace("since: 2026-02-01T00:00:00Z", "until: 2026-02-01T00:00:00Z")
    text = text.replace("NAME", "Bad Holding").replace("PLUS", "")
    text = text.replace("SINCE", "2026-02-01T00:00:00Z")

    assert potential(compile_catalog([Source(name="b", data=text.encode())])) == {}


def test_the_index_has_each_entry_by_its_key_with_who_was_cleared() -> None:
    cleared = (
        "    cleared: [{organisation: Elsewhere, country: GB, names: [FAR AWAY],"
        " source: s, as_of: 2026-06-01}]\n"
    )

    assert catalog("Far Away Ltd", plus=cleared).document["names"] == {
        "away far": [
            {
                "list": "ofac-sdn",
                "names": ["Far Away Ltd"],
                "entry": "7",
                "since": 1767225600,
                "until": None,
                "source": None,
                "cleared": [{"name": "Elsewhere", "country": "GB"}],
            }
        ]
    }


@pytest.mark.parametrize(
    ("plus", "message"),
    [
        (
            "    cleared: [{organisation: E, names: [N], source: s, as_of: 2026-06-01}]\n",
            (
                "base.yaml:24: `lists.ofac-sdn.cleared.0`: an `organisation` is cleared with"
                " its `country`"
            ),
        ),
        (
            "    cleared: [{names: [N], source: s, as_of: 2026-06-01}]\n",
            (
                "base.yaml:24: `lists.ofac-sdn.cleared.0`: clear either a `party` or an"
                " `organisation`"
            ),
        ),
        (
            "    cleared: [{party: lost, names: [N], source: s, as_of: 2026-06-01}]\n",
            (
                "base.yaml:24: `lists.ofac-sdn.cleared.0.party`: `lost` is no developer or"
                " operator of the catalog"
            ),
        ),
        (
            "    potential: [{party: lost, names: [N]}]\n",
            (
                "base.yaml:24: `lists.ofac-sdn.potential.0.party`: `lost` is no developer or"
                " operator of the catalog"
            ),
        ),
    ],
)
def test_a_match_or_a_clearance_of_nobody_is_refused(plus: str, message: str) -> None:
    with pytest.raises(CatalogError) as refused:
        catalog("N", plus=plus)

    assert str(refused.value).startswith(message)


def test_names_without_screening_are_refused() -> None:
    text = BASE.replace("    screening: true\n", "").replace("PLUS", "")
    text = text.replace("NAME", "N").replace("SINCE", "2026-01-01T00:00:00Z")

    with pytest.raises(
        CatalogError, match=r"base\.yaml:19: `lists\.ofac-sdn`: `names`"
    ):
        compile_catalog([Source(name="base.yaml", data=text.encode())])
