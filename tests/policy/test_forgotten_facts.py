"""The law of the unknown over every scenario: no refusal turns into leave by forgetting.

Each fact of each refused scenario, and each group of facts, is forgotten in turn, wherever
the vocabulary lets it be unknown. What a tenant demands is no
fact: who forgets a demand does not make it. And who names nobody has given no name to
compare: whether the name has to be known is asked where a law needs it (OFAC-01), and
not by FACT-07, which compares what is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import pytest
from policy.scenario_table import Scenario
from policy.test_scenarios import SCENARIOS, catalog, embedded
from pydantic import ValidationError

from policyguard.canonical import canonical_bytes
from policyguard.vocabulary.call import ModelCall

GROUPS = ("caller", "context", "data", "exporter", "purpose", "rolling", "tenant")
DEMANDS = {"tenant.retention_max_days"}
NAMED = {
    f"{group}.organisation{part}"
    for group in ("caller", "tenant")
    for part in ("", ".owners")
}
"""Whose names FACT-07 compares, and their owners'; nobody's, and there is none."""
FALLS_BACK = ("training", "retention_days")
"""Where a contract says nothing, what the vendor tells everybody counts."""
REFUSED: list[Any] = [
    item
    for item in SCENARIOS
    if item.values[0].expected.verdict != "allow"  # type: ignore[union-attr]
]


def facts_in(
    value: Any, *, path: tuple[str | int, ...]
) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of each thing in a value that is not null."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        if item is not None:
            if isinstance(key, str):
                yield (*path, key)
            yield from facts_in(item, path=(*path, key))


def without(document: Mapping[str, Any], path: tuple[str | int, ...]) -> Any:
    """Return a call without a fact, or nothing where it has to be known."""
    changed: Any = deepcopy(dict(document))
    node = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = None
    try:
        return ModelCall.model_validate(changed)
    except ValidationError:
        return None


def _of_the_route(call: ModelCall) -> ModelCall:
    """Return a call without the contracts that its route does not read."""
    known = catalog().entries.deployments
    parties = {
        party
        for name in call.route
        if (item := known.get(name or "")) is not None
        for party in (item.operator, item.host_cloud)
    }
    papers = call.tenant.contracts
    kept = None if papers is None else [p for p in papers if p.operator in parties]
    tenant = call.tenant.model_copy(
        update={"contracts": None if kept is None else tuple(kept)}
    )
    return call.model_copy(update={"tenant": tenant})


def verdict_on(call: ModelCall) -> Any:
    return embedded().evaluate(canonical_bytes(call.engine_input()))["verdict"]


@pytest.mark.parametrize("scenario", REFUSED)
def test_forgetting_any_fact_of_a_refused_call_does_not_allow_it(
    scenario: Scenario,
) -> None:
    document = _of_the_route(scenario.call).model_dump(mode="json")
    places = [
        place
        for group in GROUPS
        for place in facts_in({group: document[group]}, path=())
        if not _is_exempt(".".join(map(str, place)), scenario=scenario)
    ]

    allowed = [
        ".".join(map(str, place))
        for place in places
        if (call := without(document, place)) is not None
        and verdict_on(call) == "allow"
    ]

    assert allowed == []


def _is_exempt(name: str, *, scenario: Scenario) -> bool:
    falls_back = name.startswith("tenant.contracts.") and name.endswith(FALLS_BACK)
    names_nobody = name in NAMED and set(scenario.expected.rules) == {"FACT-07"}
    return name in DEMANDS or falls_back or names_nobody
