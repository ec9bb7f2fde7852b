"""Parts of the Union that have a country code of their own are parts of it."""

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
    with guard_in(tmp_path_factory.mktemp("territories")) as made:
        yield made


def said(guard: Guard, *, establishment: str, subject: str) -> tuple[str, list[str]]:
    facts: dict[str, Any] = {
        **TICKETS,
        "exporter": {"establishment": establishment},
        "data": {"classes": ["pii"], "subjects": [subject]},
    }
    described = Described(
        model="glm-5.2", host="open.bigmodel.cn", path="/api/paas/v4/chat/completions"
    )
    call = guard.core.question(described=described, facts=facts_of(**facts))
    decision = guard.check(call)
    silent = {"oblige", "advise"}
    found = {item.id for item in decision.findings if item.effect not in silent}
    return decision.verdict, sorted(found)


@pytest.mark.parametrize("territory", ["AX", "GF", "GP", "MF", "MQ", "RE", "YT"])
def test_data_from_an_outermost_region_goes_where_data_from_its_state_goes(
    guard: Guard, territory: str
) -> None:
    state = "FI" if territory == "AX" else "FR"

    assert said(guard, establishment=territory, subject="BR") == said(
        guard, establishment=state, subject="BR"
    )
    assert said(guard, establishment="BR", subject=territory) == said(
        guard, establishment="BR", subject=state
    )
    assert said(guard, establishment=territory, subject="BR")[0] == "deny"
