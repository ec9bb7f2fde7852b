"""Walking through a part finds what asking it on every view finds, and asks less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.testing.test_parts import HEAD, shipped, space

from policyguard.errors import NotTranslatedError
from policyguard.testing.counterexamples import translated
from policyguard.testing.open_views import OpenObject, Place, kind_of
from policyguard.testing.rule_table import Found, Sample, Table, drawn
from policyguard.testing.space import Space
from policyguard.testing.tables import Analyst

IMPORTING = "import data.policyguard.facts\n"
"""Policy that imports is left to the interpreter: its parts are asked on every view."""
LISTED = (
    "some hop in input.hops",
    'hop.deployment.mode != "self_hosted"',
    "some party in hop.parties",
    'count(party.listings["bis-entity-list"]) > 0',
    "some place in hop.places",
    'place in input.groups["bis-d5"]',
)
DECLARED = (
    "is_array(input.data.classes)",
    "some class in input.data.classes",
    'class in {"health", "genomic"}',
    "input.countries[input.exporter.establishment].eea",
    "some licence in input.licences",
    'licence.authority == "BIS"',
)
GONE_THROUGH = ("count([name | some name, _ in input.data.ear]) > 2", "input.data.itar")


def decided(*statements: str, imports: str = "") -> tuple[Table | Sample, int]:
    text = HEAD.replace("BODY", "\n".join(f"\t{s}" for s in statements))
    text = text.replace("EFFECT", '"deny"')
    text = text.replace("tenant\n", f"tenant\n\n{imports}", 1)
    modules = {**shipped().modules, "own.rego": text}
    own = Analyst(replace(shipped(), modules=modules), space())
    return own.table("ACME-01"), own.evaluations


def counted(table: Table | Sample) -> tuple[Space, dict[Found, int]]:
    assert isinstance(table, Table)
    counts = table.diagrams.counts(table.root)
    return table.space, {table.outcomes[leaf]: n for leaf, n in counts.items()}


COUNTED = (
    "before := input.rolling.china_since_january.persons",
    "persons := input.data.persons",
    "is_number(before)",
    "is_number(persons)",
    "before + persons >= 1000000",
    "sum([persons, before]) - before != 100000",
    "persons < before",
)
SHOWN = (
    "is_string(input.exporter.establishment)",
    "is_string(input.data.ear.classification)",
    'said := sprintf("%s in %s", [input.data.ear.classification, input.exporter.establishment])',
    'not said in {"EAR99 in US", "3E001 in FR"}',
    'startswith(said, "3E")',
    'concat("/", sort([input.data.ear.classification, input.exporter.establishment])) > "3E001/DE"',
)
SETS = (
    "is_string(input.exporter.establishment)",
    "is_string(input.caller.location)",
    "places := {place | some place in [input.exporter.establishment, input.caller.location]}",
    "count(places) == 1",
    'count(places - {"US"}) > 0',
    'count(places & {"CN", "DE", "FR"}) == 1',
    'concat(",", sort(places)) != "FR"',
)
ASKED = (
    "is_string(input.caller.location)",
    "is_string(input.exporter.establishment)",
    "places := {place | some place in [input.exporter.establishment, input.caller.location]}",
    "count(places) > 0",
    'count([place | some place in places; not place in {"US", "CA"}]) == 0',
    'concat(", ", sort(places)) != null',
)
DEEP = (
    "places := [input.exporter.establishment, input.caller.location, input.caller.residence, input.caller.latest_citizenship]",
    'count([place | some place in places; place in input.groups["bis-d5"]]) == 4',
)


@pytest.mark.parametrize(
    "statements", [LISTED, DECLARED, GONE_THROUGH, COUNTED, SHOWN, SETS, ASKED]
)
def test_a_walk_finds_what_every_view_finds(statements: tuple[str, ...]) -> None:
    walked, _ = decided(*statements)
    asked, _ = decided(*statements, imports=IMPORTING)

    assert counted(walked) == counted(asked)
    assert len(counted(walked)[1]) == 2


def test_what_a_part_does_not_come_to_is_not_asked() -> None:
    # Nobody who is not on the list makes it look at a licence.
    statements = (
        "some hop in input.hops",
        "some party in hop.parties",
        'count(party.listings["bis-entity-list"]) > 0',
        "some licence in input.licences",
        "party.id in licence.operators",
    )

    walked, few = decided(*statements)
    asked, many = decided(*statements, imports=IMPORTING)

    assert counted(walked) == counted(asked)
    assert few < many


def test_of_a_fact_no_more_is_decided_than_a_part_asks() -> None:
    # Each is in the group or is not, whichever of all countries they are.
    walked, few = decided(*DEEP)
    asked, _ = decided(*DEEP, imports=IMPORTING)

    assert (type(walked), few < 1_000) == (Table, True)
    assert isinstance(asked, Sample)
    assert asked.why == "one of its conditions: more than 60,000 views"


def test_open_texts_are_compared_with_texts_that_are_put_together() -> None:
    table, _ = decided(
        'input.caller.location == sprintf("%s", [input.exporter.establishment])'
    )

    assert counted(table)[1][frozenset({("ACME-01", "deny")})] > 1


def test_a_number_that_is_decided_fills_a_text() -> None:
    table, _ = decided('sprintf("%d", [count(input.hops)]) == "1"')

    assert set(counted(table)[1]) == {frozenset({("ACME-01", "deny")})}


def test_an_open_object_is_an_object_of_which_fields_alone_are_asked_for() -> None:
    fields: dict[Place, str] = {("hops", "label"): "x"}
    hops = OpenObject(("hops",), fields.__getitem__)

    assert kind_of(hops) is dict
    assert hops["label"] == "x"
    with pytest.raises(KeyError):
        hops["id"]
    with pytest.raises(NotTranslatedError, match="all of `hops`"):
        dict(hops)


def test_what_was_walked_through_is_not_walked_through_for_several_rules() -> None:
    own, rules = Analyst(shipped(), space()), ["FACT-01", "FACT-02"]
    alone = [own.table(rule) for rule in rules]
    before = own.evaluations

    joint = own.joint(rules)

    assert joint is not None
    assert own.evaluations == before
    assert len(joint[1].space.dims) > len(alone[1].space.dims)
    for choice in drawn(joint[0].space, count=100, seed=0):
        found = own.found(own.space.call(translated(joint[0], own, choice))) or {}
        assert [table.outcome(choice) for table in joint] == [
            found.get(rule, frozenset()) for rule in rules
        ]
