"""Entries are found by what people call them; nothing is decided by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.document import SECTIONS
from policyguard.catalog.load import load_catalog
from policyguard.catalog.lookup import KINDS, entries_of, find_entries, names_like

SHIPPED = load_catalog([Path(__file__).parents[3] / "policies" / "catalog"])


def found(name: str, catalog: Catalog = SHIPPED) -> list[tuple[str, str, str]]:
    return [(item.kind, item.id, item.by) for item in find_entries(catalog, name=name)]


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("glm-5.2", [("model", "glm-5.2", "id"), ("weights", "glm-5.2", "id")]),
        ("zai-org/GLM-5.2", [("model", "glm-5.2", "name")]),
        ("ZAI-ORG/glm-5.2", [("model", "glm-5.2", "name")]),
        ("kimi", [("developer", "moonshot", "name")]),
        (
            "anthropic",
            [("developer", "anthropic", "id"), ("operator", "anthropic", "id")],
        ),
        ("api.moonshot.ai", [("deployment", "kimi-k2@api.moonshot.ai", "host")]),
        ("API.moonshot.AI.", [("deployment", "kimi-k2@api.moonshot.ai", "host")]),
        ("bis-entity-list", [("list", "bis-entity-list", "id")]),
        ("moonshot.ai", []),
        ("", []),
        ("https://api.moonshot.ai/v1", []),
    ],
)
def test_an_entry_is_found_by_its_id_or_another_name_or_its_host(
    name: str, entries: list[tuple[str, str, str]]
) -> None:
    assert found(name) == entries


def test_each_entry_of_each_kind_is_found_by_its_id() -> None:
    assert set(KINDS.values()) == set(SECTIONS) - {"evidence"}
    for kind in KINDS:
        for key, entry in entries_of(SHIPPED, kind=kind).items():
            assert (kind, entry) in [
                (item.kind, item.entry) for item in find_entries(SHIPPED, name=key)
            ]


@given(st.text())
def test_whatever_is_typed_is_answered(name: str) -> None:
    near = names_like(SHIPPED, name=name)

    assert len(near) <= 4
    assert all(find_entries(SHIPPED, name=item) for item in near if item), near


def test_a_shortened_or_mistyped_name_is_recognised() -> None:
    assert names_like(SHIPPED, name="kimi2") == ("kimi-k2",)
    assert names_like(SHIPPED, name="glm-5.2-turbo")[:2] == ("glm-5", "glm-5.2")
    assert names_like(SHIPPED, name="unlike anything") == ()
