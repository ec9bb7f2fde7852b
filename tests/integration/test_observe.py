"""Observing: what rules object to is made and recorded; what nobody answered never is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, MESSAGES, SUMMER, TICKETS, guard_in, settings
from offline import Upstream

from policyguard import Guard, NoDecision, Settings
from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.guard import running
from policyguard.guard.policy import PolicyInUse
from policyguard.settings import load_settings


def records(folder: Path) -> list[Any]:
    (log,) = TrailReader.open(folder / "trail").logs
    return [entry.record() for entry in log.entries()]


def observing(folder: Path) -> Guard:
    return guard_in(folder, mode="observe")


def test_a_call_that_a_rule_objects_to_is_made_and_recorded(tmp_path: Path) -> None:
    upstream = Upstream()
    client = upstream.client(CN)
    with observing(tmp_path) as guard:
        reply = guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    genesis, loaded, decision, outcome = records(tmp_path)
    assert reply.choices[0].message.content == "hello"
    assert upstream.hosts == ["open.bigmodel.cn"]
    assert genesis.kind == "genesis"
    assert (loaded.kind, loaded.enforced) == ("policy.load", False)
    assert (decision.verdict, decision.enforced) == ("deny", False)
    assert "GDPR-01" in [rule.id for rule in decision.rules]
    assert (outcome.decision, outcome.outcome) == (decision.id, "complete")


def test_a_protected_client_sends_what_a_rule_objects_to(tmp_path: Path) -> None:
    upstream = Upstream()
    client = upstream.client(CN)
    with observing(tmp_path) as guard:
        guard.bind(**TICKETS).protect(client)
        client.chat.completions.create(model="glm-5.2", messages=MESSAGES)

    assert upstream.hosts == ["open.bigmodel.cn"]
    assert [item.enforced for item in records(tmp_path) if item.kind == "decision"] == [
        False
    ]


def test_an_allowed_call_is_recorded_as_observed_too(tmp_path: Path) -> None:
    client = Upstream().client(FR)
    with observing(tmp_path) as guard:
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )

    decision = records(tmp_path)[2]
    assert (decision.verdict, decision.enforced) == ("allow", False)


class Broken:
    """Is a snapshot whose engine fails."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def evaluate(self, input_json: bytes) -> Any:
        raise EvaluationError("it broke", code="engine.panic")


def test_a_failed_engine_is_never_observed_away(tmp_path: Path) -> None:
    upstream = Upstream()
    client = upstream.client(FR)
    with observing(tmp_path) as whole:
        policy = whole.core.policies.newest
        snapshot: Any = Broken(policy.snapshot)
        broken = PolicyInUse(replace(policy, snapshot=snapshot))
        guard = Guard.of_core(replace(whole.core, policies=broken))
        with pytest.raises(NoDecision, match=r"engine\.panic"):
            guard.bind(**TICKETS).call(
                client.chat.completions.create, model="glm-5.2", messages=MESSAGES
            )

    assert upstream.hosts == []


def test_an_unrecorded_call_is_never_observed_away(tmp_path: Path) -> None:
    upstream = Upstream()
    client = upstream.client(CN)
    guard = observing(tmp_path)
    guard.close()

    with pytest.raises(NoDecision, match=r"trail\.not_durable"):
        guard.bind(**TICKETS).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )
    assert upstream.hosts == []


def test_an_observed_call_without_an_outcome_is_a_gap(tmp_path: Path) -> None:
    client = Upstream().client(CN)
    with observing(tmp_path) as guard:
        bound = guard.bind(**TICKETS)
        create = client.chat.completions.create
        begun = running.begin(
            bound.core, **bound._known(create, (), {"model": "glm-5.2"})
        )

    assert not begun.state.decision.allowed
    assert verify_trail(tmp_path / "trail").pending == 1


def test_an_enforcing_guard_records_that_it_enforces(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        call = guard.core.empty_question()
        assert guard.check(call).enforced is True

    assert [item.kind for item in records(tmp_path)] == ["genesis", "check"]


def test_no_environment_variable_makes_a_guard_observe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POLICYGUARD_MODE", "POLICYGUARD_TENANT_MODE", "POLICYGUARD_OBSERVE"):
        monkeypatch.setenv(name, "observe")
    monkeypatch.delenv("POLICYGUARD_CONFIG", raising=False)

    assert load_settings() == Settings()
    assert Settings().tenant.mode == "enforce"


def test_another_mode_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policyguard.toml"
    file.write_text('[tenant]\nmode = "off"\n')

    with pytest.raises(ConfigurationError, match=r"line 2, key `tenant\.mode`"):
        load_settings(file)


def test_the_operator_is_told_that_the_call_was_not_stopped(tmp_path: Path) -> None:
    from policyguard.guard.messages import operator_view

    with observing(tmp_path) as guard:
        decision = guard.check(guard.core.empty_question())

    assert not decision.allowed
    assert "observed" in operator_view(decision)
    assert settings(tmp_path).tenant.mode == "enforce"
    assert decision.call.at > SUMMER
