"""What is proved of rules, what is only sampled, and what a seeded hole shows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.settings import Settings
from policyguard.testing.claims import Claim, Effort, Proof
from policyguard.testing.policies import configured_policy
from policyguard.testing.prove import prove
from policyguard.testing.space import Space

FEW = Effort(crosschecks=60, samples=20)
FACT = "policyguard/rules/facts/fact_01.rego"
COUNTRIES = "policyguard/facts/facts.rego"


OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "an establishment in the EEA",
	"facts": {},
	"missing": [],
	"remedy": "another",
} if {
	input.countries[input.exporter.establishment].eea
}
"""


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


@cache
def space() -> Space:
    return Space.from_catalog(shipped())


def proved(policy: PolicySet, *rules: str, effort: Effort = FEW) -> Proof:
    return prove(policy, space=space(), rules=rules, effort=effort)


def tiers(proof: Proof) -> dict[tuple[str, str], str]:
    return {(claim.rule, claim.property): claim.tier for claim in proof.claims}


def one(proof: Proof, rule: str, name: str) -> Claim:
    (claim,) = (c for c in proof.claims if (c.rule, c.property) == (rule, name))
    return claim


def test_shipped_rules_are_proved_over_every_view() -> None:
    proof = proved(shipped(), "FACT-01", "LIC-04", "PROV-01")

    assert tiers(proof) == {
        (rule, name): "PROVED"
        for rule in ("FACT-01", "LIC-04", "PROV-01")
        for name in ("fail_closed", "monotone_classes", "monotone_lists", "reachable")
    }
    assert one(proof, "LIC-04", "fail_closed").why == "with FACT-01"
    assert proof.space_digest == space().digest
    assert proof.catalog_digest == shipped().catalog_digest
    assert proof.crosschecks == 60


def test_several_processes_find_what_one_finds() -> None:
    one, several = (
        prove(
            shipped(),
            space=space(),
            rules=("FACT-01", "LIC-04", "PROV-01"),
            effort=FEW,
            jobs=jobs,
        )
        for jobs in (1, 2)
    )

    assert replace(several, seconds=0) == replace(one, seconds=0)


def test_a_hole_is_shown_by_the_smallest_call() -> None:
    holed = {name: text for name, text in shipped().modules.items() if name != FACT}

    claim = one(
        proved(replace(shipped(), modules=holed), "LIC-04"), "LIC-04", "fail_closed"
    )

    assert claim.tier == "VIOLATED"
    assert claim.counterexample is not None
    assert claim.counterexample.changed == "model"
    assert claim.counterexample.value is None
    assert claim.counterexample.after == ()
    assert list(claim.counterexample.facts) == [
        "model",
        "tenant.product.users_at_release",
    ]


DENIED = ("purpose.competes", ("ACME-01 deny",), 5)


@pytest.mark.parametrize(
    ("kinds", "body", "shown"),
    [
        (1, "input.data.china_exemption == null", [DENIED]),
        (
            3,
            "input.data.china_exemption == null",
            [DENIED, ("purpose.publishes", ("ACME-01 unavailable",), 2)],
        ),
        (
            3,
            "input.purpose.competes == true",
            [
                ("purpose.competes", ("ACME-01 deny",), 2),
                ("purpose.competes", ("ACME-01 deny", "ACME-01 unavailable"), 1),
            ],
        ),
    ],
)
def test_each_kind_of_call_that_breaks_a_property_is_shown_and_counted(
    kinds: int, body: str, shown: list[tuple[str, tuple[str, ...], int]]
) -> None:
    place = "input.countries[input.exporter.establishment].eea"
    other = OWN.partition("\n\n")[2].replace('"deny"', '"unavailable"')
    text = OWN.replace(place, "input.purpose.competes == true") + other.replace(
        place, f"input.purpose.publishes == true\n\t{body}"
    )
    policy = replace(shipped(), modules=dict(shipped().modules) | {"own.rego": text})

    (claim,) = prove(
        policy,
        space=space(),
        rules=["ACME-01"],
        properties=["fail_closed"],
        effort=replace(FEW, kinds=kinds),
    ).claims

    found = claim.counterexamples()
    assert [(item.changed, item.before, item.cases) for item in found] == shown
    assert claim.broken == (7 if "exemption" in body else 3)


@pytest.mark.parametrize(("samples", "tier"), [(0, "CHECKED"), (20, "VIOLATED")])
def test_a_silence_that_another_rule_hides_in_the_first_call_is_searched_for(
    samples: int, tier: str
) -> None:
    (claim,) = prove(
        shipped(),
        space=space(),
        properties=["fail_closed"],
        rules=["EAR-02"],
        effort=replace(FEW, samples=samples),
    ).claims

    shown = claim.counterexample
    assert claim.tier == tier
    assert (shown and (shown.changed, shown.after)) == (
        ("data.ear.classification", ()) if samples else None
    )


def test_too_many_views_are_sampled_and_say_so() -> None:
    proof = proved(
        shipped(), "LIC-04", effort=Effort(views=10, samples=20, crosschecks=0)
    )

    claim = one(proof, "LIC-04", "fail_closed")

    assert (claim.tier, claim.cases, claim.bound) == ("SAMPLED", 20, 0.15)
    assert claim.why == "one of its conditions: more than 10 views"


def test_a_rule_that_no_call_makes_find_anything_is_named() -> None:
    silent = dict(shipped().modules) | {
        FACT: shipped()
        .modules[FACT]
        .replace("} if {", "} if {\n\tinput.data.classes == 7")
    }

    proof = proved(replace(shipped(), modules=silent), "FACT-01")

    assert one(proof, "FACT-01", "reachable").tier == "VIOLATED"


def test_a_tenants_own_rule_is_proved_with_the_shipped_ones() -> None:
    policy = replace(shipped(), modules=dict(shipped().modules) | {"own.rego": OWN})

    proof = proved(policy, "ACME-01")

    assert one(proof, "ACME-01", "reachable").tier == "PROVED"
    assert one(proof, "ACME-01", "fail_closed").why.startswith(
        "it falls silent by exporter.establishment"
    )


def test_a_slice_that_is_wrong_proves_nothing() -> None:
    facts = shipped().modules[COUNTRIES]
    # What is looked up by country now depends on something else as well.
    crossing = facts.replace(
        "_countries := {",
        "_countries := {} if {\n\tinput.data.employment == true\n} else := {",
    )
    modules = dict(shipped().modules) | {COUNTRIES: crossing, "own.rego": OWN}

    with pytest.raises(EvaluationError, match="differs from its table"):
        proved(
            replace(shipped(), modules=modules),
            "ACME-01",
            effort=replace(FEW, crosschecks=1_000),
        )


def test_properties_that_need_other_values_are_decided_over_them() -> None:
    proof = prove(
        shipped(),
        space=space(),
        rules=["FACT-06"],
        properties=["order_independent", "same_instant", "boundary_exact"],
        effort=FEW,
    )

    assert tiers(proof) == {
        ("FACT-06", name): "PROVED"
        for name in ("order_independent", "same_instant", "boundary_exact")
    }


def test_an_instant_that_is_compared_as_text_is_shown_in_two_offsets() -> None:
    # Rules see no instant; a view that compares texts is at fault.
    facts = shipped().modules[COUNTRIES]
    textual = facts.replace(
        "default _purpose := {",
        '_late if input.at < "2026-06-13"\n\ndefault _purpose := {',
    ).replace(
        '"purpose": _purpose,', '"purpose": object.union(_purpose, {"kind": _kind}),'
    )
    textual += '\n\n_kind := "train" if _late\n\nelse := null\n'
    modules = dict(shipped().modules) | {
        COUNTRIES: textual,
        "own.rego": OWN.replace(
            "input.countries[input.exporter.establishment].eea",
            'input.purpose.kind == "train"',
        ),
    }

    proof = prove(
        replace(shipped(), modules=modules),
        rules=["ACME-01"],
        properties=["same_instant"],
        effort=FEW,
    )

    (claim,) = proof.claims
    assert claim.tier == "VIOLATED"
    assert claim.counterexample is not None
    assert claim.counterexample.changed == "at"


def test_a_property_of_single_calls_is_for_tests() -> None:
    with pytest.raises(ConfigurationError, match="not decided over a space"):
        prove(shipped(), space=space(), properties=["deterministic"])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no rule `NONE-01`"):
        proved(shipped(), "NONE-01")
    with pytest.raises(ConfigurationError, match=r"no property `never`"):
        prove(shipped(), space=space(), properties=["never"])


def test_a_space_is_what_was_declared() -> None:
    small = Space.from_catalog(shipped(), missing=False, data__classes=[["pii"]])

    assert small.dim("data.classes").values == (["pii"],)
    assert None not in small.dim("exporter.establishment").values
    assert small.size < space().size
    assert small.digest != space().digest


def test_a_dimension_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no dimension `data\.nothing`"):
        Space.from_catalog(shipped(), data__nothing=[1])
