"""What is read out of a rule's text: facts, effects, obligations, remedies."""

from __future__ import annotations

from policyguard.bundle.reading import RuleReading, read_rule
from policyguard.bundle.shipped import load_shipped

TEXT = """package policyguard.rules

# METADATA
# custom:
#   id: NEW-01
findings contains {
	"id": "NEW-01",
	"effect": "indeterminate",
	"msg": sprintf("%s is not known", [input.model.label]),
	# "data.subjects" is none of them
	"facts": {"deployment.operator": null},
	"missing": ["data.ear.us_origin"],
	"remedy": "say \\"where\\" it is from",
} if {
	some hop in input.hops
	hop.deployment.mode == "self_hosted"
	input.lists["bis-entity-list"]
	input.data
}

findings contains {
	"id": "NEW-01",
	"effect": "deny",
	"remedy": "",
	"obligation": {"type": "notify"},
}
"""


def test_a_rule_is_read_out_of_its_text() -> None:
    assert read_rule(TEXT) == RuleReading(
        facts=(
            "data.ear.us_origin",
            "deployment.mode",
            "deployment.operator",
            "lists.bis-entity-list",
        ),
        effects=("deny", "indeterminate"),
        obligations=("notify",),
        remedies=('say "where" it is from',),
    )


def test_effects_that_stand_in_a_table_of_the_rule_are_read_too() -> None:
    bundle = load_shipped()

    found = {
        rule: read_rule(bundle.modules[bundle.rules[rule].file]).effects
        for rule in ("PROC-04", "OFAC-01", "EAR-11")
    }

    assert found == {
        "PROC-04": ("deny", "indeterminate", "advise"),
        "OFAC-01": ("deny", "require_approval", "indeterminate", "advise"),
        "EAR-11": ("deny", "require_approval", "indeterminate"),
    }


def test_what_a_rule_uses_of_others_is_read_where_it_is_defined() -> None:
    own = (
        'findings contains {"id": "A-02", "effect": _a_01_effect, "facts": _a_01_facts}'
        " if input.caller.location\n"
    )
    other = """# A comment
_a_01_effect := "deny" if {
	# the strict ones
	input.tenant.profile == "strict"
} else := "advise"

_a_01_facts := {"purpose.kind": _a_01_kind}

_a_01_kind := input.purpose.kind

_a_01_idle := input.exporter.establishment
"""

    reading = read_rule(own, others=[own, other])

    assert reading.effects == ("deny", "advise")
    assert reading.facts == ("caller.location", "purpose.kind", "tenant.profile")


def test_rules_on_bulk_data_say_what_they_share() -> None:
    bundle = load_shipped()

    found = {
        rule: read_rule(
            bundle.modules[bundle.rules[rule].file], others=bundle.modules.values()
        )
        for rule in ("DSP-02", "DSP-04")
    }

    shared = {"data.counts", "deployment.operator", "exporter.establishment"}
    assert {
        rule: reading.effects[:3] for rule, reading in found.items()
    } == dict.fromkeys(found, ("deny", "require_approval", "indeterminate"))
    assert [rule for rule in found if not shared <= set(found[rule].facts)] == []


def test_every_shipped_rule_says_what_it_reads_and_does() -> None:
    bundle = load_shipped()

    silent = [
        rule.id
        for rule in bundle.rules.values()
        for reading in [read_rule(bundle.modules[rule.file])]
        if not reading.facts or not reading.effects
    ]

    assert silent == []
