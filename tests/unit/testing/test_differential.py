"""Engines that answer alike show nothing; one that answers otherwise is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opa import opa_program
from unit.testing.trials import own, space, trial

from policyguard.canonical import Json, canonical_dump
from policyguard.errors import ConfigurationError
from policyguard.testing.differential import Disagreement, differential

ODD = """package policyguard.tenant

# What one engine refuses, and the other finds undefined.
findings contains {
	"id": "ACME-02",
	"effect": "deny",
	"msg": "a purpose that is a list",
	"facts": {"purpose.kind": input.purpose.kind},
	"missing": [],
	"remedy": "name one purpose",
} if {
	input.purpose.publishes == true
	some kind in input.purpose.kind
	kind == "train"
}
"""


def test_compiled_policy_answers_as_the_interpreter_does() -> None:
    assert differential(trial("PROC-05"), typed=20, odd=20) == ()


def test_opa_answers_typed_questions_as_both_do() -> None:
    found = differential(trial("PROC-05"), opa=Path(opa_program()), typed=20, odd=0)

    assert found == ()


def test_what_opa_answers_otherwise_is_shown_with_all_answers() -> None:
    calm = space().call({})
    asked: Any = {**calm, "purpose": {**calm["purpose"], "publishes": True}}

    found = differential(
        own(ODD), opa=Path(opa_program()), typed=0, odd=0, questions=[calm, asked]
    )

    (only,) = found
    assert only.question == asked
    assert only.well_typed
    assert only.answers["interpreter"] is None
    assert only.answers["opa"]["verdict"] == "allow"  # type: ignore[index,call-overload]
    assert only.about_allow
    assert "interpreter: no decision, opa: allow" in only.text()


class Contrary:
    """Is an engine with an opinion of its own, as a server with other rules has."""

    def evaluate(self, input_json: bytes) -> dict[str, Json]:
        return {"verdict": "deny", "asked": len(input_json)}


def test_disagreements_come_shortest_first_and_name_the_kind_of_question() -> None:
    of = trial("PROC-05")

    found = differential(of, opa=Contrary(), typed=3, odd=3)

    assert len(found) == 6
    assert {item.well_typed for item in found} == {True, False}
    lengths = [len(canonical_dump(item.question)) for item in found]
    assert lengths == sorted(lengths)
    assert all(
        set(item.answers) == {"compiled", "interpreter", "opa"} for item in found
    )


def test_the_same_seed_draws_the_same_questions() -> None:
    of = trial("PROC-05")

    def drawn(seed: int) -> list[Any]:
        found = differential(of, opa=Contrary(), odd=0, typed=5, seed=seed)
        return [item.question for item in found]

    one, other, third = drawn(1), drawn(1), drawn(2)

    assert one == other
    assert one != third


def test_two_answers_that_allow_are_not_about_allow() -> None:
    both = Disagreement(
        question={},
        well_typed=True,
        answers={"opa": {"verdict": "allow"}, "compiled": {"verdict": "allow", "x": 1}},
    )

    assert not both.about_allow


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="OPA cannot be run"):
        differential(trial("PROC-05"), opa=tmp_path / "opa", typed=1, odd=0)


def test_a_policy_that_opa_does_not_load_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "opa"
    program.write_text("#!/bin/sh\necho 'rego_parse_error' >&2\nexit 1\n")
    program.chmod(0o755)

    with pytest.raises(ConfigurationError, match="rego_parse_error"):
        differential(trial("PROC-05"), opa=program, typed=1, odd=0)
