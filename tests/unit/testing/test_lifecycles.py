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
    return Trial(
        whole, rules=["EAR-01", "OFAC-01", "PROC-01", *(["ACME-01"] * bool(added))]
    )


def beginning(trial: Trial, *properties: str) -> CatalogLifecycle:
    """Begin a life under a policy, with one call that it allows."""
    (calm,) = (v.input for v in trial.policy.golden if v.name == CALM)
    machine = lifecycle(trial, questions=[dict(calm)], properties=properties)()
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

    with pytest.raises(AssertionError, match="is of no day before: deny and not allow"):
        machine.withdraw(HOST)


def test_a_policy_that_allows_what_nobody_knows_is_caught() -> None:
    one = "policyguard/rules/licence/lic_02.rego"
    deaf = replace(
        shipped(),
        modules={
            name: text
            for name, text in shipped().modules.items()
            if name == one or not name.startswith("policyguard/rules/")
        },
        data={**shipped().data, "catalog": shipped().golden_catalog},
    )

    with pytest.raises(
        AssertionError, match="nobody knows newcomer-1, and it is allow"
    ):
        beginning(Trial(deaf)).release(HOST)


def test_a_rule_that_names_a_model_is_caught_by_the_next_model() -> None:
    names = OWN % 'input.model.id == "glm-5.2"\n\thop.known'
    machine = beginning(over_the_small_catalog(shipped(), tenant__own=names))

    with pytest.raises(
        AssertionError, match=r"newcomer-1 is as glm-5.2: allow and not d"
    ):
        machine.release(HOST)


def test_a_rule_about_prices_is_caught() -> None:
    dear = OWN % "hop.deployment.price.input_microusd > 50000000"
    machine = beginning(over_the_small_catalog(shipped(), tenant__own=dear))

    with pytest.raises(
        AssertionError, match="not of this call has changed: deny and not"
    ):
        machine.reprice(HOST, microusd=50_000_001)


def test_a_rule_that_looks_at_a_deployment_that_is_not_called_is_caught() -> None:
    envious = OWN % (
        'hop.known\n\tdata.catalog.deployments["glm-5.2@us"].storage_countries == ["CN"]'
    )
    machine = beginning(over_the_small_catalog(shipped(), tenant__own=envious))

    with pytest.raises(AssertionError, match="and is not called: deny and not allow"):
        machine.move("glm-5.2@us", country="CN")


def test_a_property_that_is_named_is_asked_with_each_catalog() -> None:
    holed = OWN % "hop.known\n\tinput.tenant.product.monthly_active_users == 1000"
    machine = beginning(
        over_the_small_catalog(shipped(), tenant__own=holed), "fail_closed"
    )

    with pytest.raises(
        AssertionError, match=r"when tenant.product.monthly_active_users = null: ACM"
    ):
        machine.properties_hold()


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
