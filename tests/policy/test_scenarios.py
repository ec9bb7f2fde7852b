"""What the rules do, as a table: each scenario through the engine, a guard and OPA.

A guard makes the call with the real `openai` SDK where a client's words can lead to the
deployment, and checks the question otherwise (a route of several hops, an unknown host).
Either way the record in the trail is compared, not what the guard says of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import httpx2
import openai
import pytest
from opa import bundle_archive, catalog_archive, opa_server
from policy.scenario_table import (
    CATALOG,
    Scenario,
    faults,
    read_base,
    scenarios_in,
    tables,
    with_facts,
)

from policyguard import Guard, NotAllowed
from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.audit.reader import TrailReader
from policyguard.canonical import canonical_bytes
from policyguard.catalog.catalog import Catalog
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.protocol import PolicySet, Snapshot
from policyguard.engines.regorus import RegorusEngine
from policyguard.identity import record_time
from policyguard.settings import CatalogSettings, Settings, TrailSettings
from policyguard.vocabulary.record import DecisionRecord

SETTINGS = Settings(catalog=CatalogSettings(overlays=(CATALOG,)))
LEAST = 220
"""How many scenarios there are at least, so that no table is lost unseen."""
REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "not-said",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
}


@cache
def catalog() -> Catalog:
    return catalog_of(SETTINGS)


@cache
def policy() -> PolicySet:
    return policy_set(bundle=bundle_of(SETTINGS), catalog=catalog())


@cache
def embedded() -> Snapshot:
    return RegorusEngine().load(policy())


def all_scenarios() -> list[Scenario]:
    return [item for path in tables() for item in scenarios_in(path, catalog=catalog())]


SCENARIOS = [
    pytest.param(item, id=f"{item.name} {item.it}") for item in all_scenarios()
]


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """Give a guard over the scenarios' catalog."""
    folder = tmp_path_factory.mktemp("scenarios")
    settings = SETTINGS.model_copy(
        update={"trail": TrailSettings(directory=folder / "trail")}
    )
    with Guard(settings=settings) as made:
        yield made


def answer(snapshot: Snapshot, scenario: Scenario) -> Any:
    return snapshot.evaluate(canonical_bytes(scenario.call.engine_input()))


def called(guard: Guard, scenario: Scenario) -> None:
    """Make the call by the real SDK; what is not allowed must not be sent."""
    call = scenario.call
    core = dataclasses.replace(
        guard.core, tenant=call.tenant, clock=lambda: call.at, simulated=True
    )
    bound = Guard.of_core(core).bind(
        caller=call.caller,
        data=call.data,
        purpose=call.purpose,
        exporter=call.exporter,
        context=call.context,
    )
    sent: list[Any] = []
    with client_of(scenario, sent) as client, contextlib.suppress(NotAllowed):
        bound.call(
            client.chat.completions.create,
            model=str(scenario.asked),
            messages=[{"role": "user", "content": "canary"}],
        )
    assert len(sent) == (scenario.expected.verdict == "allow")


def client_of(scenario: Scenario, sent: list[Any]) -> Any:
    """Return a client whose requests come back answered, and are counted."""
    parts = {
        kind.__module__.split(".")[0] for kind in openai.DefaultHttpxClient.__mro__
    }
    library: Any = httpx2 if "httpx2" in parts else httpx

    def reply(request: Any) -> Any:
        sent.append(request)
        return library.Response(200, json=REPLY)

    return openai.OpenAI(
        base_url=f"https://{scenario.host}/v1",
        api_key="none",
        max_retries=0,
        http_client=library.Client(transport=library.MockTransport(reply)),
    )


def last_decision(guard: Guard) -> DecisionRecord:
    """Return the newest decision in the trail, as an auditor reads it."""
    guard.core.trail.flush()
    (log,) = [
        log
        for log in TrailReader.open(guard.trail_directory).logs
        if log.head().size > 1
    ]
    return next(
        record
        for entry in log.entries(newest_first=True)
        if isinstance(record := entry.record(), DecisionRecord)
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_engine_answers_as_the_table_says(scenario: Scenario) -> None:
    found = answer(embedded(), scenario)

    assert faults(scenario.expected, found["findings"], verdict=found["verdict"]) == []


@pytest.mark.parametrize(
    "scenario",
    [item for item in SCENARIOS if not item.values[0].counted],
)
def test_the_guard_records_what_the_table_says(
    scenario: Scenario, guard: Guard
) -> None:
    call = scenario.call
    if scenario.by_client:
        called(guard, scenario)
    else:
        guard.check(call)

    record = last_decision(guard)
    seen = record.model_dump(mode="json")
    assert (
        faults(scenario.expected, seen["rules"], verdict=record.verdict),
        record.kind,
        record.at,
        (record.tenant, record.model, record.deployments),
        (record.purpose, record.data_classes, record.code),
        (record.bundle.digest, record.catalog.digest, record.simulated),
    ) == (
        [],
        "decision" if scenario.by_client else "check",
        record_time(call.at),
        (call.tenant.id, call.model, call.route),
        (call.purpose and call.purpose.kind, call.data.classes, None),
        (policy().bundle_digest, policy().catalog_digest, True),
    )
    assert {name: seen[name] for name in scenario.record} == dict(scenario.record)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Give the same policy in a real OPA server."""
    folder = tmp_path_factory.mktemp("opa")
    archives = [folder / "policyguard.tar.gz", folder / "catalog.tar.gz"]
    archives[0].write_bytes(bundle_archive(bundle_of(SETTINGS)))
    archives[1].write_bytes(catalog_archive(catalog()))
    with opa_server(folder, archives=archives) as address:
        engine = OpaEngine(OpaServer(url=address, deadline=20.0))
        snapshot = engine.load(policy())
        yield snapshot
        engine.close()


def test_real_opa_gives_the_same_answer_to_each_scenario(remote: Snapshot) -> None:
    differing = [
        scenario.it
        for scenario in all_scenarios()
        if answer(remote, scenario) != answer(embedded(), scenario)
    ]

    assert differing == []


def test_the_ordinary_call_is_allowed_and_all_of_it_is_known() -> None:
    scenario = next(item for item in all_scenarios() if item.it == "the ordinary call")

    found = answer(embedded(), scenario)

    assert (found["verdict"], scenario.by_client) == ("allow", True)
    assert [item["missing"] for item in found["findings"] if item["missing"]] == []


def test_no_scenario_is_told_twice_and_each_table_has_some() -> None:
    told = Counter(item.it for item in all_scenarios())
    by_client = sum(item.by_client for item in all_scenarios())

    assert [it for it, times in told.items() if times > 1] == []
    assert len(told) >= LEAST
    assert by_client * 2 > len(told)


def test_a_fact_of_a_group_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        with_facts(read_base().call, {"caler.residence": "DE"})
