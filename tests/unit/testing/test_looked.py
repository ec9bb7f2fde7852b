"""A cell that is allowed says whether any rule of the law looked at what it varies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.testing.test_compare import shipped

from policyguard.engines.protocol import PolicySet
from policyguard.testing.matrix import Matrix, label, matrix

HEAD = """package policyguard.rules

# METADATA
# title: Data of people in some countries stays there
# custom:
#   id: ACME-01
#   severity: high
#   citation: the works agreement
#   as_of: 2026-01-01
#   locked: false
#   effective:
#     - {from: 2020-01-01T00:00:00Z, to: null, status: in_force, verified: false}
findings contains {
	"id": "ACME-01", "effect": "deny", "msg": "", "facts": {}, "missing": [],
	"remedy": "",
} if {
"""
RESIDENCY = """	some country in input.data.subjects
	country in {"DE", "FR"}
	not input.caller.location in {"DE", "FR"}
}
"""


def only(body: str) -> PolicySet:
    """Return a policy whose one rule has a body."""
    modules = {
        name: text
        for name, text in shipped().modules.items()
        if not name.startswith("policyguard/rules/")
    }
    data = {
        **shipped().data,
        "policyguard": {k: v for k, v in own().items() if k != "rulebook"},
    }
    return replace(shipped(), modules={**modules, "own.rego": HEAD + body}, data=data)


def own() -> dict[str, object]:
    found = shipped().data["policyguard"]
    assert isinstance(found, dict)
    return found


def asked(body: str, *settings: str, looks: bool = True) -> Matrix:
    return matrix(
        only(body),
        rows=["data.subjects=DE,BR"],
        columns=["caller.location=FR,CN"],
        settings=settings,
        looks=looks,
    )


def holes(found: Matrix) -> list[str]:
    return [
        f"{label(found.rows[row])} {label(found.columns[column])}"
        for row, column in sorted(found.unlooked)
    ]


def test_who_passes_a_rule_was_looked_at_and_who_is_not_in_its_scope_was_not() -> None:
    found = asked(RESIDENCY)

    assert [[cell.verdict for cell in row] for row in found.cells] == [
        ["allow", "deny"],
        ["allow", "allow"],
    ]
    assert holes(found) == ["BR FR", "BR CN"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '\t_abroad\n}\n_abroad if {\n\t_own\n\tinput.caller.location == "CN"\n}\n'
            '_own if "DE" in input.data.subjects\n',
            id="in helpers",
        ),
        pytest.param(
            '\t_kept(input.data)\n\tinput.caller.location == "CN"\n}\n'
            '_kept(data_) if "DE" in data_.subjects\n',
            id="in a function",
        ),
        pytest.param(
            '\tpeople := input.data.subjects\n\t"DE" in people\n'
            '\tinput.caller.location == "CN"\n}\n',
            id="through a variable",
        ),
    ],
)  # fmt: skip
def test_scope_is_seen_wherever_it_is_written(body: str) -> None:
    assert holes(asked(body)) == ["BR FR", "BR CN"]


def test_an_expression_on_both_facts_looks_at_both_though_it_does_not_hold() -> None:
    together = (
        "\tinput.caller.location in object.get(\n\t\t"
        '{"DE": {"CN"}}, input.data.subjects[0], set())\n}\n'
    )

    assert holes(asked(together)) == []


def test_that_a_fact_is_known_is_no_look_at_which_it_is() -> None:
    known = '\tis_array(input.data.subjects)\n\tinput.caller.location == "CU"\n}\n'

    assert holes(asked(known)) == ["DE FR", "DE CN", "BR FR", "BR CN"]


def test_a_rule_that_is_not_yet_in_force_has_not_looked() -> None:
    early = asked(RESIDENCY, "at=2019-06-01")

    assert holes(early) == ["DE FR", "DE CN", "BR FR", "BR CN"]


def test_a_cell_without_a_look_is_counted_and_named_in_the_document() -> None:
    document = asked(RESIDENCY).document()

    assert document["unlooked"] == 2
    assert [cell.get("unlooked") for cell in document["cells"]] == [
        None, None, True, True,
    ]  # fmt: skip


def test_nobody_looks_where_that_is_not_asked() -> None:
    assert asked(RESIDENCY, looks=False).unlooked == frozenset()
