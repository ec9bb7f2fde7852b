"""Tests of the data that an engine is given: all that a module may read, and no more."""

from __future__ import annotations

import pytest

from policyguard.bundle.shipped import load_shipped
from policyguard.canonical import Json
from policyguard.engines.used_data import used_data

DATA: dict[str, Json] = {
    "catalog": {"lists": {"a": 1}, "models": {"m": 2}, "views": {"v": 3}},
    "own": {"x": 4, "y": 5},
    "plain": 6,
}


def _used(rule: str) -> object:
    return used_data(DATA, modules={"a.rego": f"package p\n\n{rule}\n"})


@pytest.mark.parametrize(
    ("rule", "used"),
    [
        ("x := data.catalog.views.v", {"catalog": {"views": {"v": 3}}}),
        (
            "x := data.catalog.views[data.own.y]",
            {"catalog": {"views": {"v": 3}}, "own": {"y": 5}},
        ),
        ('x := data.catalog["views"]', {"catalog": DATA["catalog"]}),
        ("x := data.catalog[input.section]", {"catalog": DATA["catalog"]}),
        ("x := [v | some v in data.own]", {"own": DATA["own"]}),
        ("x := 1 with data.own.x as 2", {"own": {"x": 4}}),
        ("x := data.plain + data.nothing.here", {"plain": 6}),
        ("x := input.data.own", {}),
        ('# data, and data.own\nx := `data` == "data.own"', {}),
        ("x := data[input.root]", DATA),
        ('x := data["own"]', DATA),
        ("walk(data, [p, v])", DATA),
    ],
)
def test_only_what_is_mentioned_is_given(rule: str, used: object) -> None:
    assert _used(rule) == used


def test_an_import_is_a_mention() -> None:
    modules = {"a.rego": "package p\n\nimport data.own as o\n\nx := o.y\n"}

    assert used_data(DATA, modules=modules) == {"own": DATA["own"]}


def test_shipped_rules_read_views_and_not_the_entries() -> None:
    sections: dict[str, Json] = {
        name: {} for name in ("lists", "models", "operators", "replaced", "views")
    }
    used = used_data({"catalog": sections}, modules=load_shipped().modules)

    assert used == {"catalog": {"lists": {}, "replaced": {}, "views": {}}}
