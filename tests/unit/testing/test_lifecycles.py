"""Whatever catalogs live through, the shipped rules keep what was decided."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from unit.testing.trials import shipped

from policyguard.engines.protocol import PolicySet
from policyguard.testing.answers import Answer
from policyguard.testing.lifecycles import CatalogLifecycle, Recorded, lifecycle
from policyguard.testing.trial import Trial

FEW = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
HOST = "glm-5.2@api.scaleway.ai"
CALM = "G03: the same model on a host in the EU"
OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "no",
	"facts": {},
	"missing": [],
	"remedy": "none",
} if {
	some hop in input.hops
	%s
}
"""


def over_the_small_catalog(policy: PolicySet, **modules: str) -> Trial:
    """Put a policy on trial over the catalog of its golden vectors: it is quick.

    Calls are drawn near what a few rules find; all rules are asked.
    """
    data = {**policy.data, "catalog": policy.golden_catalog}
    added = {name.replace("__", "/") + ".rego": text for name, text in modules.items()}
    whole = replace(policy, data=data, modules={**policy.modules, **added})
    return Trial(whole, rules=["EAR-01", "OFAC-01", "PROC-01"])


def beginning(trial: Trial) -> CatalogLifecycle:
    """Begin a life under a policy, with one call that it allows."""
    (calm,) = (v.input for v in trial.policy.golden if v.name == CALM)
    machine = lifecycle(trial, questions=[dict(calm)])()
    machine.begin()
    return machine


def test_shipped_rules_keep_what_they_said_while_catalogs_change() -> None:
    run_state_machine_as_test(
        lifecycle(over_the_small_catalog(shipped())), settings=FEW
    )


def test_a_policy_that_sees_no_withdrawal_is_caught() -> None:
    path = "policyguard/rules/routing/vend_01.rego"
    assert path in shipped().modules
    blind = replace(
        shipped(),
        modules={
            **shipped().modules,
            path: "package policyguard.rules\n\n_vend_01_none := 1\n",
        },
    )

    with pytest.raises(AssertionError, match="is withdrawn, and it is allowed to call"):
        beginning(over_the_small_catalog(blind)).withdraw(HOST)


def test_a_rule_that_likes_who_is_listed_is_caught() -> None:
    likes = OWN % 'count(hop.parties[0].listings["texas-prohibited"]) == 0'
    machine = beginning(over_the_small_catalog(shipped(), tenant__own=likes))

    with pytest.raises(AssertionError, match="names scaleway: allow and not deny"):
        machine.put_on_list("texas-prohibited", "scaleway")


def test_a_rule_that_forgets_since_when_is_caught() -> None:
    forgets = OWN % "count(data.catalog.deployments[hop.id].states) > 0"
    machine = beginning(over_the_small_catalog(shipped(), tenant__own=forgets))

    with pytest.raises(AssertionError, match="makes deny of allow"):
        machine.withdraw(HOST)


def test_what_comes_back_is_held_to_what_never_was_away() -> None:
    machine = beginning(over_the_small_catalog(shipped()))
    machine.withdraw(HOST)
    machine.away[HOST] = machine.entries("deployments")[HOST]["states"]
    machine.now += 1

    # What it is held to here is a deployment that is away for ever.
    with pytest.raises(AssertionError, match="as it was before: allow and not unavail"):
        machine.restore(HOST)


def test_a_record_that_is_not_what_was_decided_is_caught() -> None:
    machine = beginning(over_the_small_catalog(shipped()))
    (call,) = machine._sent_to("glm-5.2@blocked")
    machine.records.append(
        Recorded(call=call, answer=Answer(verdict="allow"), catalog=machine.catalog)
    )

    with pytest.raises(AssertionError, match="recorded is allow, replay says deny"):
        machine.records_replay()
