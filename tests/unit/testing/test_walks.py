"""Walking through a part finds what asking it on every view finds, and asks less."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.testing.test_parts import HEAD, shipped, space

from policyguard.errors import NotTranslatedError
from policyguard.testing.open_views import OpenObject, Place, kind_of
from policyguard.testing.rule_table import Found, Sample, Table
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


@pytest.mark.parametrize("statements", [LISTED, DECLARED, GONE_THROUGH])
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


def test_an_open_object_is_an_object_of_which_fields_alone_are_asked_for() -> None:
    fields: dict[Place, str] = {("hops", "label"): "x"}
    hops = OpenObject(("hops",), fields.__getitem__)

    assert kind_of(hops) is dict
    assert hops["label"] == "x"
    with pytest.raises(KeyError):
        hops["id"]
    with pytest.raises(NotTranslatedError, match="all of `hops`"):
        dict(hops)
