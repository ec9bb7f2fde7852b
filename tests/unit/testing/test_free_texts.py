"""What is claimed of a rule that looks into a free text is claimed of no other text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from unit.testing.trials import OWN, shipped, space

from policyguard.engines.protocol import PolicySet
from policyguard.testing.claims import Effort
from policyguard.testing.free_texts import looked_into
from policyguard.testing.properties import property_named
from policyguard.testing.prove import prove
from policyguard.testing.tables import Analyst

HOST = "input.asked.host"
LOOKS = (
    "regex.match(`^evil[0-9]+`, {})",
    'glob.match("evil*", [], {})',
    'startswith({}, "evil-")',
    'contains({}, "evil")',
    '{} < "b-evil"',
    'lower({}) == "evil"',
    'concat("-", [{}, "q"]) == "evil-q"',
    'sprintf("%s/q", [{}]) == "evil/q"',
)


def policy(condition: str, more: str = "", **modules: str) -> PolicySet:
    """Return the shipped policy with a tenant's rule that has one more condition."""
    own = OWN.replace('"source_code" in input.data.classes', condition) + more
    texts = {f"tenant/{name}.rego": text for name, text in modules.items()}
    return replace(
        shipped(), modules={**shipped().modules, "tenant/own.rego": own, **texts}
    )


def direct(look: str) -> PolicySet:
    return policy(f"is_string({HOST})\n\t{look.format(HOST)}")


def in_a_helper(look: str) -> PolicySet:
    return policy(f"_acme_02({HOST})", f"\n_acme_02(v) if {look.format('v')}\n")


def in_a_variable(look: str) -> PolicySet:
    return policy(f"v := {HOST}\n\t{look.format('v')}")


def in_a_shared_document(look: str) -> PolicySet:
    shared = f"package acme.shared\n\nmarked if {look.format(HOST)}\n"
    return policy("data.acme.shared.marked", shared=shared)


WAYS = (direct, in_a_helper, in_a_variable, in_a_shared_document)
ASKED = [*((direct, look) for look in LOOKS), *((way, LOOKS[5]) for way in WAYS[1:])]


@pytest.mark.parametrize(("way", "look"), ASKED)
def test_a_rule_that_looks_into_a_text_is_known(
    way: Callable[[str], PolicySet], look: str
) -> None:
    assert looked_into(Analyst(way(look), space()), "ACME-02") == ("asked.host",)


def test_a_text_of_a_helpers_own_is_none_that_was_asked() -> None:
    claims = prove(
        in_a_helper('{} == "evil"'),
        space=space(),
        rules=["ACME-02"],
        properties=["reachable", property_named("irrelevant", facts=["asked.host"])],
        effort=Effort(crosschecks=50),
    ).claims

    why = "it looks into asked.host, of which only declared texts were asked"
    assert [(claim.property, claim.tier, claim.why) for claim in claims] == [
        ("irrelevant", "CHECKED", why),
        ("reachable", "CHECKED", why),
    ]


def test_no_shipped_rule_looks_into_a_text_of_which_others_may_be() -> None:
    analyst = Analyst(shipped(), space())

    assert {rule for rule in analyst.rules if looked_into(analyst, rule)} == set()
    assert looked_into(Analyst(direct('{} == "evil"'), space()), "ACME-02") == ()
