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


HIDDEN = {
    "an alias of the object": 'a := input.asked\n\tstartswith(a.host, "x")',
    "an alias of the alias": 'a := input.asked\n\tb := a\n\tstartswith(b.host, "x")',
    "an alias that is compared": 'a := input.asked.host\n\ta == "evil"',
    "an alias in a set": 'a := input.asked.host\n\ta in {"evil"}',
    "an alias that is unified": 'a := input.asked.host\n\ta = "evil"',
    "an alias of the object that is compared": 'a := input.asked\n\ta.host == "evil"',
    "a comparison in brackets": 'input.asked["host"] == "evil"',
    "a raw text": "input.asked.host == `evil`",
    "a list of texts": 'input.asked.host in ["evil"]',
    "a text with a name": 't := "evil"\n\tinput.asked.host == t',
    "an object that is taken apart": '{"host": h} := input.asked\n\tstartswith(h, "x")',
    "a list that is taken apart": '[h] := [input.asked.host]\n\tstartswith(h, "x")',
    "a comprehension": (
        'hs := [h | h := input.asked.host]\n\tsome one in hs\n\tstartswith(one, "x")'
    ),
    "inside a comprehension": (
        'count([1 | some h in [input.asked.host]; startswith(h, "x")]) > 0'
    ),
    "every element": 'every h in [input.asked.host] {\n\t\tstartswith(h, "x")\n\t}',
    "a value of an object": 'o := {"a": input.asked.host}\n\tstartswith(o.a, "x")',
    "an object that is merged": (
        'o := object.union(input.asked, {})\n\tstartswith(o.host, "x")'
    ),
    "a key that is got": (
        'h := object.get(input.asked, "host", "")\n\tstartswith(h, "x")'
    ),
    "a name in brackets": 'startswith(input["asked"]["host"], "x")',
    "a table of its own": '{"evil": true}[input.asked.host]',
    "an element of sets": 'count({input.asked.host} & {"evil"}) > 0',
    "a member of a set": 's := {input.asked.host}\n\ts["evil"]',
    "a key of an object": "o := {input.asked.host: true}\n\to.evil",
    "a key of a comprehension": "o := {h: 1 | h := input.asked.host}\n\to.evil == 1",
    "its length": "count(input.asked.host) > 3",
    "its length by another name": "h := input.asked.host\n\tcount(h) > 3",
    "other facts in its place": '"x" == input.model.id with input.model as input.asked',
}
HELPERS = {
    "the whole object": ("_a(input.asked)", '_a(v) if startswith(v.host, "x")'),
    "the object by another name": (
        "a := input.asked\n\t_a(a)",
        '_a(v) if startswith(v.host, "x")',
    ),
    "a helper of the helper": (
        "_a(input.asked)",
        '_a(v) if _b(v.host)\n\n_b(h) if startswith(h, "x")',
    ),
    "a helper that asks by its head": ("_a(input.asked.host)", '_a("evil") := true'),
    "a helper that is given both": (
        '_a(input.asked.host, "evil")',
        "_a(x, y) if x == y",
    ),
    "a helper that gives it back": (
        'startswith(_a(input.asked), "x")',
        "_a(v) := v.host",
    ),
    "a rule that is the object": (
        'startswith(_a.host, "x")',
        "_a := input.asked",
    ),
    "a rule that is the text": ("input.asked.host == _a", '_a := "evil"'),
    "an import": ('startswith(a.host, "x")', ""),
}


@pytest.mark.parametrize("look", HIDDEN.values(), ids=HIDDEN)
def test_a_text_is_followed_through_what_it_is_called(look: str) -> None:
    assert "asked.host" in looked_into(Analyst(policy(look), space()), "ACME-02")


@pytest.mark.parametrize(("look", "helper"), HELPERS.values(), ids=HELPERS)
def test_a_text_is_followed_into_helpers_and_back(look: str, helper: str) -> None:
    found = policy(look, f"\n{helper}\n")
    if not helper:
        modules = dict(found.modules)
        text = modules["tenant/own.rego"]
        package, _, rest = text.partition("\n")
        modules["tenant/own.rego"] = f"{package}\n\nimport input.asked as a\n{rest}"
        found = replace(found, modules=modules)

    assert "asked.host" in looked_into(Analyst(found, space()), "ACME-02")


def test_any_of_the_facts_of_an_object_may_be_the_one_that_is_met() -> None:
    met = policy('some k, v in input.asked\n\tk == "host"\n\tstartswith(v, "x")')

    assert looked_into(Analyst(met, space()), "ACME-02") == (
        "asked.model",
        "asked.host",
    )


@pytest.mark.parametrize(
    "look",
    [
        "is_string(input.asked.host)",
        "input.asked.host != null",
        'input.asked.host in {"evil", "worse"}',
        "count(input.asked) > 1",
        'a := input.asked\n\ta.opaque == true\n\tstartswith(input.purpose.kind, "x")',
        '"evil" == input.asked.host',
    ],
)
def test_what_asks_nothing_of_other_texts_is_no_look(look: str) -> None:
    assert looked_into(Analyst(policy(look), space()), "ACME-02") == ()


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
