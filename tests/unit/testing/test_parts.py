"""How a body is split into parts, and what becomes of a part that fails."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from policyguard.engines.protocol import PolicySet
from policyguard.settings import Settings
from policyguard.testing.policies import configured_policy
from policyguard.testing.rule_table import Sample, Table
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

HEAD = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": EFFECT,
	"msg": sprintf("%s", [input.model.label]),
	"facts": {},
	"missing": [],
	"remedy": "none",
} if {
BODY
}

_kind := "deny" if input.purpose.kind == "train" else := "advise"
"""


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


@cache
def space() -> Space:
    return Space.from_catalog(shipped())


def analyst(*statements: str, effect: str = '"deny"') -> Analyst:
    text = HEAD.replace("BODY", "\n".join(f"\t{s}" for s in statements))
    text = text.replace("EFFECT", effect)
    modules = {**shipped().modules, "own.rego": text}
    return Analyst(replace(shipped(), modules=modules), space())


def parts(own: Analyst) -> list[str]:
    sliced = own.sliced("ACME-01")
    assert sliced is not None
    (case,) = sliced.cases
    return [part.text.replace("\n", "; ") for part in case.parts]


def test_statements_that_share_no_variable_are_parts_of_their_own() -> None:
    own = analyst(
        'input.exporter.establishment == "US"',
        "some hop in input.hops",
        "input.data.itar",
        'hop.deployment.mode != "self_hosted"',
    )

    assert parts(own) == [
        'input.exporter.establishment == "US"; kit_effect := true',
        (
            'some hop in input.hops; hop.deployment.mode != "self_hosted";'
            " kit_effect := true"
        ),
        "input.data.itar; kit_effect := true",
        "kit_field_0 := input.model.label; kit_effect := true",
    ]


def test_variables_of_comprehensions_join_nothing() -> None:
    own = analyst(
        "count([hop | some hop in input.hops; hop.known]) > 0",
        "some hop in input.hops",
        "hop.deployment.mode",
    )

    assert len(parts(own)) == 3


def test_an_effect_that_is_computed_is_what_its_part_finds() -> None:
    table = analyst("input.data.itar", effect="_kind").table("ACME-01")

    assert isinstance(table, Table)
    assert set(table.outcomes) == {
        frozenset(),
        frozenset({("ACME-01", "deny")}),
        frozenset({("ACME-01", "advise")}),
    }


def test_what_a_statement_before_it_rules_out_does_not_reach_a_part_that_fails() -> (
    None
):
    guarded = analyst(
        "input.purpose.compute_share_bp != null",
        "input.purpose.compute_share_bp * 3 > 10000",
    ).table("ACME-01")

    assert isinstance(guarded, Table)
    assert set(guarded.outcomes) == {frozenset(), frozenset({("ACME-01", "deny")})}


def test_a_part_that_fails_where_nothing_guards_it_is_not_decided() -> None:
    unguarded = analyst(
        "input.purpose.compute_share_bp * 3 > 10000",
        "input.purpose.compute_share_bp != null",
    ).table("ACME-01")

    assert isinstance(unguarded, Sample)
    assert unguarded.why == "one of its conditions: it fails on some view"


def test_a_key_of_a_table_is_a_text_that_a_fact_is_compared_with() -> None:
    table = analyst(
        '{"wmd": "weapons", "military": "arms"}[input.purpose.end_use]'
    ).table("ACME-01")

    assert isinstance(table, Table)
    counts = table.diagrams.counts(table.root)
    denied = next(i for i, found in enumerate(table.outcomes) if found)
    # Of unknown and four end uses two have an entry, where the purpose is known.
    assert counts[denied] * 5 == table.space.size
