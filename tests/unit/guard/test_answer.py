from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from policyguard.errors import BundleError, EvaluationError
from policyguard.guard.answer import Answer, read_answer
from policyguard.vocabulary.decision import Finding


@dataclass(frozen=True)
class Words:
    title: str = "a title"
    citation: str = "a law"


class Rulebook:
    def rule(self, rule_id: str) -> Words:
        if rule_id != "EAR-01":
            raise BundleError(f"no rule `{rule_id}`")
        return Words()


FOUND: dict[str, Any] = {
    "id": "EAR-01",
    "effect": "deny",
    "status": "in_force",
    "verified": True,
    "msg": "found",
    "facts": {"a": 1},
    "missing": [],
    "remedy": "change a",
}


def document(**changed: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "verdict": "deny",
        "findings": [FOUND],
        "obligations": [],
        "advice": [],
        "replaced": [],
    }
    return {**whole, **changed}


def test_a_whole_answer_gets_the_words_of_the_rulebook() -> None:
    answer = read_answer(document(), rules=Rulebook())

    assert answer == Answer(
        verdict="deny",
        findings=(Finding(**FOUND, title="a title", citation="a law"),),
        obligations=(),
        advice=(),
        replaced=(),
    )


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (document(verdict="allow"), "contradicts its findings"),
        (document(verdict="require_approval"), "contradicts its findings"),
        (document(findings=[]), "contradicts its findings"),
        (document(verdict="maybe"), "malformed at `verdict`"),
        (document(extra=1), "malformed at `extra`"),
        (document(findings=[{**FOUND, "id": "EAR-99"}]), "rulebook does not have"),
        (document(findings=[{**FOUND, "effect": "indeterminate"}]), "malformed"),
        (document(findings=None), "malformed at `findings`"),
        (
            document(
                verdict="allow",
                findings=[],
                obligations=[{"id": "EAR-01", "type": "x", "properties": {}}],
            ),
            "obligations contradict",
        ),
        (
            document(verdict="allow", findings=[{**FOUND, "effect": "oblige"}]),
            "obligations contradict",
        ),
        ({}, "malformed"),
    ],
)
def test_an_answer_that_is_not_whole_and_coherent_is_refused(
    broken: dict[str, Any], why: str
) -> None:
    with pytest.raises(EvaluationError, match=why) as caught:
        read_answer(broken, rules=Rulebook())

    assert caught.value.code == "engine.malformed"
