"""Who made the weights decides no transfer, and who runs them does: over every scenario.

Each scenario is asked again with another developer of its model, or another operator of
its deployments, and everything else as it was. The first must change no rule on what
goes where, to whom; the second must, in the direction that the operator's facts say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from policy.scenario_table import Scenario
from policy.test_rule_laws import OF_MODELS, TRANSFER
from policy.test_scenarios import all_scenarios, catalog, embedded, policy

from policyguard.assembly import bundle_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import catalog_of
from policyguard.engines.protocol import Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.settings import Settings

LISTED, CLEAN, BLOCKED = "zhipu-bigmodel", "ohio-host", "blocked-host"
SINCE = datetime(2025, 1, 16, tzinfo=UTC)
"""From when on the listed operator is listed."""
DEVELOPERS = ("zhipu", "openai", None)
TURNING = {"DSP-02", "EAR-01", "EAR-04", "GDPR-03", "GDPR-01", "OFAC-01"}
"""Rules of which some answer has to turn with the operator, all places as they were."""
OTHERS = re.compile(r"(UK|CH|CN|RU|IN|SA)-[0-9]{2}")


@cache
def with_developer(developer: str | None) -> Snapshot:
    """Return the rules over a catalog in which one company made every model."""
    entries = catalog().entries
    models = {
        key: item.model_copy(update={"developer": developer})
        for key, item in entries.models.items()
    }
    return _loaded(models=models)


@cache
def with_operator(operator: str) -> Snapshot:
    """Return the rules over a catalog in which one company runs every deployment."""
    deployments = {
        key: item.model_copy(update={"operator": operator, "host_cloud": None})
        for key, item in catalog().entries.deployments.items()
        if item.mode != "self_hosted"
    }
    return _loaded(deployments={**catalog().entries.deployments, **deployments})


def _loaded(**sections: Any) -> Snapshot:
    entries = catalog().entries.model_copy(update=sections)
    known = catalog_of(entries, version="swapped")
    return RegorusEngine().load(policy_set(bundle=bundle_of(Settings()), catalog=known))


def transfers(snapshot: Snapshot, scenario: Scenario) -> list[Any]:
    found: Any = snapshot.evaluate(canonical_bytes(scenario.call.engine_input()))
    return [
        item
        for item in found["findings"]
        if (TRANSFER.fullmatch(item["id"]) or OTHERS.fullmatch(item["id"]))
        and item["id"] not in OF_MODELS
    ]


@pytest.mark.parametrize("developer", DEVELOPERS)
def test_another_developer_changes_no_transfer_rule_of_any_scenario(
    developer: str | None,
) -> None:
    other = with_developer(developer)

    changed = [
        scenario.it
        for scenario in all_scenarios()
        if transfers(other, scenario) != transfers(embedded(), scenario)
    ]

    assert changed == []


def exports() -> Iterator[Scenario]:
    """Yield the scenarios that hand an item subject to the EAR to somebody else."""
    known = catalog().entries.deployments
    for scenario in all_scenarios():
        call = scenario.call
        item = call.data.ear.classification not in {
            None,
            "not_technology",
            "published",
        }
        subject = call.data.ear.us_origin is True or call.exporter.establishment == "US"
        others = [
            deployment
            for name in call.route
            if (deployment := known.get(name or "")) is not None
            and deployment.mode != "self_hosted"
            and deployment.sealing is None
        ]
        licensed = any(LISTED in licence.operators for licence in call.tenant.licences)
        if item and subject and others and not licensed and call.at >= SINCE:
            yield scenario


def effects(snapshot: Snapshot, scenario: Scenario, rule: str) -> set[str]:
    return {
        item["effect"] for item in transfers(snapshot, scenario) if item["id"] == rule
    }


def test_the_operator_decides_whether_a_listed_party_is_handed_an_item() -> None:
    handed = {
        operator: [
            effects(with_operator(operator), item, "EAR-01") for item in exports()
        ]
        for operator in (LISTED, CLEAN)
    }

    assert len(handed[LISTED]) > 15
    assert handed[LISTED] == [{"deny"}] * len(handed[LISTED])
    assert handed[CLEAN] == [set()] * len(handed[CLEAN])


def test_a_blocked_operator_objects_wherever_there_is_a_tie() -> None:
    ties = [
        item
        for item in all_scenarios()
        if item.call.exporter.establishment == "US"
        and not any(paper.authority == "OFAC" for paper in item.call.tenant.licences)
        and all(
            (entry := catalog().entries.deployments.get(name or "")) is not None
            and entry.mode != "self_hosted"
            for name in item.call.route
        )
    ]

    assert len(ties) > 30
    for item in ties:
        assert "deny" in effects(with_operator(BLOCKED), item, "OFAC-01"), item.it


def test_another_operator_changes_each_rule_that_turns_on_who_runs_it() -> None:
    turned: set[str] = set()
    for scenario in all_scenarios():
        by_operator = [
            _by_rule(transfers(with_operator(name), scenario))
            for name in (LISTED, CLEAN, BLOCKED)
        ]
        for rule in set().union(*by_operator):
            answers = [found.get(rule, frozenset()) for found in by_operator]
            if len(set(answers)) > 1:
                turned.add(rule)

    assert turned >= TURNING


def _by_rule(findings: list[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for item in findings:
        found.setdefault(item["id"], set()).add(item["effect"])
    return {rule: frozenset(effects_of) for rule, effects_of in found.items()}


def test_the_swapped_catalogs_are_other_catalogs() -> None:
    digests = {
        snapshot.catalog_digest
        for snapshot in (with_developer("zhipu"), with_operator(LISTED))
    }

    assert len(digests - {policy().catalog_digest}) == len(digests) == 2
