"""Tests of the remote engine with a real OPA server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, MESSAGES, TICKETS, settings
from offline import Upstream
from opa import opa_server, shipped_archives

from policyguard import Guard, PolicyDenied
from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.shipped import load_shipped
from policyguard.canonical import canonical_bytes
from policyguard.engines.opa import OpaEngine
from policyguard.engines.opa_server import OpaServer
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import EngineLoadError
from policyguard.settings import EngineSettings, Settings

BUNDLE = load_shipped()
POLICY = policy_set(bundle=BUNDLE, catalog=catalog_of(Settings()))
DEADLINE = 5.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with opa_server(tmp_path_factory.mktemp("opa")) as address:
        yield address


@pytest.fixture
def engine(url: str) -> Iterator[OpaEngine]:
    made = OpaEngine(OpaServer(url=url, deadline=DEADLINE))
    yield made
    made.close()


def test_opa_and_the_embedded_engine_give_the_same_documents(engine: OpaEngine) -> None:
    remote, embedded = engine.load(POLICY), RegorusEngine().load(POLICY)

    for vector in BUNDLE.golden.vectors:
        question = canonical_bytes(vector.input)
        assert remote.evaluate(question) == embedded.evaluate(question), vector.name


def test_both_ways_of_asking_give_the_same_document(engine: OpaEngine) -> None:
    remote = engine.load(POLICY)
    question = canonical_bytes(BUNDLE.golden.vectors[0].input)

    async def ask() -> Any:
        try:
            return await remote.aevaluate(question)
        finally:
            await remote.aclose()

    assert asyncio.run(ask()) == remote.evaluate(question)


def test_the_engine_says_which_opa_answers(engine: OpaEngine) -> None:
    info = engine.load(POLICY).info

    assert (info.name, info.distribution, info.digest) == (
        "opa",
        "opa-python-client",
        "remote",
    )
    assert info.version.startswith("1.")
    assert engine.is_healthy()


def test_a_guard_asks_opa(url: str, tmp_path: Path) -> None:
    known = settings(tmp_path).model_copy(
        update={"engine": EngineSettings(name="opa", url=url, deadline_ms=5_000)}
    )
    upstream = Upstream()
    with Guard(settings=known) as guard:
        bound = guard.bind(**TICKETS)
        create = upstream.client(FR).chat.completions.create
        bound.call(create, model="glm-5.2", messages=MESSAGES)
        with pytest.raises(PolicyDenied) as caught:
            bound.call(
                upstream.client(CN).chat.completions.create,
                model="glm-5.2",
                messages=MESSAGES,
            )

    assert caught.value.decision.engine.name == "opa"
    assert len(upstream.hosts) == 1


def test_another_catalog_in_opa_is_noticed_at_the_start(
    engine: OpaEngine,
) -> None:
    from dataclasses import replace

    with pytest.raises(EngineLoadError, match=r"another catalog .* \[engine.skew\]"):
        engine.load(replace(POLICY, catalog_digest="0" * 64))


def test_an_opa_without_the_bundle_is_refused(tmp_path: Path) -> None:
    archives = shipped_archives(tmp_path)[1:]
    with opa_server(tmp_path, archives=archives) as address:
        engine = OpaEngine(OpaServer(url=address, deadline=DEADLINE))
        with pytest.raises(EngineLoadError, match=r"\[engine.undefined\]"):
            engine.load(POLICY)
        engine.close()


def test_an_opa_that_died_denies_and_one_that_is_back_answers(tmp_path: Path) -> None:
    question = canonical_bytes(BUNDLE.golden.vectors[0].input)
    from opa import free_port

    from policyguard.errors import EvaluationError

    port = free_port()
    with opa_server(tmp_path, port=port) as address:
        engine = OpaEngine(OpaServer(url=address, deadline=DEADLINE))
        snapshot = engine.load(POLICY)
        before = snapshot.evaluate(question)
    with pytest.raises(EvaluationError) as caught:
        snapshot.evaluate(question)
    with opa_server(tmp_path, port=port):
        after = snapshot.evaluate(question)
    engine.close()

    assert caught.value.code == "engine.unreachable"
    assert after == before
