"""Tests of the vectors that the engine must answer before it is trusted."""

from __future__ import annotations

import pytest

from policyguard.engines.golden import (
    ENGINE_VECTORS,
    EngineVector,
    require_answer,
    require_known_semantics,
)
from policyguard.errors import EngineLoadError


@pytest.mark.parametrize("vector", ENGINE_VECTORS, ids=lambda vector: vector.name)
def test_the_engine_answers_as_it_must(vector: EngineVector) -> None:
    assert require_answer(vector) is None


@pytest.mark.parametrize(
    ("rego", "expected"),
    [("x := 1", 2), ("x := 1", None), ("x := 1 / 0", 1), ("x := true", 1.5)],
)
def test_another_answer_is_refused_with_the_vectors_name(
    rego: str, expected: object
) -> None:
    wrong = EngineVector(name="wrong", rego=rego, expected=expected)

    with pytest.raises(
        EngineLoadError, match="this build of the engine differs in `wrong`"
    ):
        require_answer(wrong)


def test_all_of_them_together_hold() -> None:
    assert (require_known_semantics(), len(ENGINE_VECTORS)) == (None, 30)


def test_no_two_vectors_have_one_name() -> None:
    names = [vector.name for vector in ENGINE_VECTORS]

    assert sorted(set(names)) == sorted(names)
