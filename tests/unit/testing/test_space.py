"""A space has what a policy tells apart: instants of the catalog, and texts that rules name."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.testing.trials import OWN, shipped, space, trial, written

from policyguard.settings import Settings
from policyguard.testing.policies import policy_in
from policyguard.testing.space import Space
from policyguard.vocabulary.countries import COUNTRIES

DATED = {
    "2025-09-05T00:00:00Z": "2025-09-04T23:59:59Z",  # terms limit companies, too
    "2019-10-09T00:00:00Z": "2019-10-08T23:59:59Z",  # a name of no entry is listed
    "2026-06-12T21:21:00Z": "2026-06-12T21:20:59Z",  # a vendor switches a model off
}
BY_NAME = OWN.replace(
    "input.purpose.publishes == true",
    'input.tenant.organisation.name in {"Evil Corp", "Worse Ltd"}\n\t%s',
)


@pytest.mark.parametrize("instant", DATED)
def test_an_instant_of_the_catalog_is_a_value_with_the_second_before(
    instant: str,
) -> None:
    at = space().dim("at").values

    assert at[at.index(instant) - 1] == DATED[instant]


def test_a_rule_that_compares_an_instant_itself_is_asked_on_both_sides_of_it() -> None:
    (at,) = (dim.values for dim in trial().dims_of("LIC-03") if dim.kind == "at")

    assert {"2025-09-04T23:59:59Z", "2025-09-05T00:00:00Z"} <= set(at)


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ('input.tenant.organisation.name != "Fine Inc"', ["Fine Inc"]),
        ('"Fine Inc" == input.tenant.organisation.name', ["Fine Inc"]),
        ('startswith(input.tenant.organisation.name, "Fi\\"ne")', ['Fi"ne']),
        ('input.tenant.organisation.country == "FR"', []),
        ('# input.tenant.organisation.name == "Fine Inc"', []),
    ],
)
def test_texts_that_a_rule_compares_with_a_fact_are_its_values(
    tmp_path: Path, condition: str, named: list[str]
) -> None:
    policy = policy_in(written(tmp_path, BY_NAME % condition), Settings())

    found = Space.from_catalog(policy).dim("tenant.organisation.name").values
    assert set(found) == {"x", "Evil Corp", "Worse Ltd", *named}


def test_one_country_stands_for_all_that_nothing_names(tmp_path: Path) -> None:
    text = BY_NAME % 'input.tenant.organisation.country == "AQ"'
    ours = Space.from_catalog(shipped()).dim("caller.location").values
    named = Space.from_catalog(policy_in(written(tmp_path, text), Settings()))
    theirs = named.dim("caller.location").values

    assert {code for code in (*ours, *theirs) if code} <= COUNTRIES
    assert (ours[-1], set(theirs) - set(ours)) == ("AQ", {theirs[-1]})
    assert "AQ" in theirs


def test_an_element_of_a_list_is_known_by_its_name(tmp_path: Path) -> None:
    text = BY_NAME % 'some licence in input.tenant.licences\n\tlicence.id == "L-1"'
    made = Space.from_catalog(policy_in(written(tmp_path, text), Settings()))

    assert made.dim("tenant.licences.id").values == ("x", "L-1")
    assert made.dim("tenant.contracts.source").values == (None, "x")


def test_shipped_rules_compare_no_text_that_callers_write() -> None:
    values = {dim.name: dim.values for dim in Space.from_catalog(shipped()).dims}

    assert values["tenant.organisation.name"] == ("x",)
    assert values["data.ear.exception"] == (None, "x")


def test_a_name_that_the_catalog_asks_to_display_is_a_value_of_those_displayed() -> (
    None
):
    values = Space.from_catalog(shipped()).dim("tenant.product.attributions").values

    assert values == (None, [], ["x"], ["Kimi K2"])
