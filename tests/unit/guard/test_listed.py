"""A list that is named in another way than the catalog names it clears nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from guards import TICKETS, guard_in

from policyguard import Guard
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with guard_in(tmp_path_factory.mktemp("listed")) as made:
        yield made


def said(guard: Guard, organisation: dict[str, Any]) -> tuple[str, str | None, str]:
    known = {"id": "alice", "organisation": {"name": "Acme", **organisation}}
    call = guard.core.question(
        described=Described(model="glm-5.2", host="api.scaleway.ai", path="/v1"),
        facts=facts_of(**{**TICKETS, "caller": known}),
    )
    decision = guard.check(call)
    return decision.verdict, decision.code, decision.detail


@pytest.mark.parametrize("name", ["sdn", "ofac-sdn-list", "bis-entity"])
@pytest.mark.parametrize("whose", ["its own", "an owner's"])
def test_a_list_that_the_catalog_has_not_is_refused_by_name(
    guard: Guard, whose: str, name: str
) -> None:
    owner = {"name": "Parent", "share_bp": 6000, "listed": ["ofac-sdn", name]}
    organisation = {"listed": [name]} if whose == "its own" else {"owners": [owner]}

    verdict, code, detail = said(guard, organisation)

    assert (verdict, code) == ("deny", "guard.question")
    assert f"`listed` names `{name}`, and the catalog has no such list" in detail
    assert "ofac-sdn" in detail


def test_lists_that_the_catalog_has_are_asked_about(guard: Guard) -> None:
    assert said(guard, {"listed": ["ofac-sdn"], "owners": []})[1] is None
    assert said(guard, {"listed": [], "owners": []})[1] is None
