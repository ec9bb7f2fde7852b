"""Nothing is allowed that is not asked as a whole question, whoever asks.

A guard's questions are whole: the vocabulary has validated them. Who asks the policy
without one may leave a fact out, or say `1` where `true` belongs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import pytest
from odd_calls import (
    CALLS,
    CONTRACT,
    accepts,
    odd,
    places,
    question_of,
    unseen,
    with_value,
    without,
)

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.engines.compiled.checked import compiled_or_not, translated_or_not
from policyguard.engines.joined import join_modules
from policyguard.engines.native import (
    compile_modules,
    evaluate_on,
    syntax_tree,
    with_data,
)
from policyguard.engines.protocol import PolicySet
from policyguard.errors import EvaluationError
from policyguard.settings import Settings

NO_ANSWER = {
    "verdict": "deny",
    "findings": [],
    "obligations": [],
    "advice": [],
    "replaced": [],
}


@cache
def policy() -> PolicySet:
    settings = Settings()
    return policy_set(bundle=bundle_of(settings), catalog=catalog_of(settings))


@cache
def base() -> Any:
    modules = join_modules(policy().modules).modules
    text = canonical_bytes(dict(policy().data)).decode()
    return with_data(compile_modules(modules), text, entrypoint=policy().entrypoint)


@cache
def compiled() -> Any:
    tree = syntax_tree(compile_modules(policy().modules))
    made = compiled_or_not(translated_or_not(tree, entrypoint=policy().entrypoint))
    assert made is not None
    return made.on(dict(policy().data))


def interpreted(question: Any) -> Any:
    try:
        text = canonical_bytes(question).decode()
        return dict(evaluate_on(base(), text, entrypoint=policy().entrypoint))
    except EvaluationError:
        return NO_ANSWER


def answers(question: Any) -> list[Any]:
    """Return what the interpreter says, and compiled policy if it says anything."""
    by_program = compiled().answer(orjson.loads(canonical_bytes(question)))
    found = [] if by_program is None else [by_program]
    return [interpreted(question), *found]


@pytest.mark.parametrize("of", CALLS)
def test_what_is_asked_whole_is_allowed(of: str) -> None:
    assert [answer["verdict"] for answer in answers(question_of(of))] == ["allow"] * 2


@pytest.mark.parametrize("of", CALLS)
def test_a_field_that_is_missing_or_of_another_type_has_no_answer(of: str) -> None:
    asked = question_of(of)
    tried = 0
    for said, spoilt in odd(asked, but=unseen(of)):
        tried += 1
        for answer in answers(spoilt):
            assert answer == NO_ANSWER, said

    assert tried > 4 * len(list(places(asked)))


@pytest.mark.parametrize("of", CALLS)
def test_what_a_contract_leaves_out_is_unknown(of: str) -> None:
    asked = question_of(of)
    fields = [place for place in places(asked) if place[:3] == CONTRACT]
    tried = 0
    for place in fields:
        if len(place) == len(CONTRACT) or not accepts(place, None):
            continue
        tried += 1
        for answer in answers(without(asked, place)):
            assert answer != NO_ANSWER
            assert answer == interpreted(with_value(asked, place, None)), place

    assert tried > 20
