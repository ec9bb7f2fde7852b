"""Which changes of a fact a property counts, and which it must not count."""

from __future__ import annotations

from functools import cache

import pytest

from policyguard.canonical import Json
from policyguard.errors import ConfigurationError
from policyguard.settings import Settings
from policyguard.testing.moves import derived_instants, widened
from policyguard.testing.policies import configured_policy
from policyguard.testing.properties import PROPERTIES, property_named
from policyguard.testing.space import Dim, Space


@cache
def space() -> Space:
    return Space.from_catalog(configured_policy(Settings()))


def changes(name: str, dim: Dim) -> list[tuple[Json, Json]]:
    """Return from which value to which a property changes a fact."""
    return [
        (dim.values[index], dim.values[to])
        for to, allowed in property_named(name).moves_of(dim)
        for index in range(len(dim.values))
        if allowed(index)
    ]


def dim(name: str, *values: Json) -> Dim:
    return Dim(path=tuple(name.split(".")), values=values)


@pytest.mark.parametrize(
    ("name", "fact", "expected"),
    [
        (
            "fail_closed",
            dim("x", None, "a", "b"),
            [("a", None), ("b", None)],
        ),
        ("fail_closed", dim("x", "a", "b"), []),
        (
            "monotone_classes",
            dim("data.classes", None, ["none"], ["pii"], ["pii", "health"]),
            [(["pii"], ["pii", "health"])],
        ),
        ("monotone_classes", dim("tenant.sectors", ["a"], ["a", "b"]), []),
        (
            "monotone_lists",
            dim("caller.organisation.listed", None, [], ["sdn"]),
            [([], ["sdn"])],
        ),
        ("irrelevant", dim("x", 1, 2), [(2, 1), (1, 2)]),
        (
            "order_independent",
            dim("x", ["a", "b"], ["b", "a"], ["a", "c"], ["a"]),
            [(["b", "a"], ["a", "b"]), (["a", "b"], ["b", "a"])],
        ),
        (
            "same_instant",
            dim("x", None, "2026-01-01T00:00:00Z", "2026-01-01T09:00:00+09:00", "T"),
            [
                ("2026-01-01T09:00:00+09:00", "2026-01-01T00:00:00Z"),
                ("2026-01-01T00:00:00Z", "2026-01-01T09:00:00+09:00"),
            ],
        ),
        (
            "boundary_exact",
            dim(
                "at",
                "2026-01-01T00:00:00Z",
                "2026-02-01T00:00:00Z",
                "2025-12-31T23:59:59Z",
                "2026-01-31T23:59:59Z",
            ),
            [("2026-01-01T00:00:00Z", "2026-01-31T23:59:59Z")],
        ),
    ],
)
def test_a_property_counts_these_changes_and_no_others(
    name: str, fact: Dim, expected: list[tuple[Json, Json]]
) -> None:
    assert changes(name, fact) == expected


def test_a_space_is_given_the_values_that_show_a_property() -> None:
    reversed_pairs = widened(space(), "order_independent").dim("data.classes").values
    offsets = widened(space(), "same_instant").dim("tenant.licences.expires").values
    bounds = widened(space(), "boundary_exact").dim("at").values

    assert ["public", "none"] in reversed_pairs
    assert "2199-01-01T09:00:00+09:00" in offsets
    # An assessment of that day is fresh for a year, the last second of it included.
    assert {"2200-01-01T00:00:00Z", "2200-01-01T00:00:01Z"} <= set(map(str, bounds))
    assert widened(space(), "fail_closed") == space()


def test_the_instants_of_a_call_are_those_that_it_names_and_the_ends_of_their_lives() -> (
    None
):
    call: Json = {
        "at": "2020-01-01T00:00:00Z",
        "x": [{"since": "1970-01-01T00:00:10Z"}, "no instant", "2026-13-01T00:00:00Z"],
    }

    assert list(derived_instants(call)) == [10, 10 + 365 * 86_400 + 1]


def test_a_property_may_be_demanded_of_some_facts_alone() -> None:
    fact = dim("a.b", None, 1)
    named = property_named("fail_closed", facts=["a.b"])
    others = property_named("fail_closed", facts=["a.c"])
    excepted = property_named("fail_closed", but=["a.b"])

    assert [len(list(item.moves_of(fact))) for item in (named, others, excepted)] == [
        1,
        0,
        0,
    ]


def test_a_property_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no property `never`"):
        property_named("never")


def test_each_property_says_what_holds() -> None:
    assert {item.form for item in PROPERTIES.values()} == {"change", "call", "policy"}
    assert all(name == item.name for name, item in PROPERTIES.items())
    assert len({item.says for item in PROPERTIES.values()}) == len(PROPERTIES) == 15
