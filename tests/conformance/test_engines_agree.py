"""Tests that the embedded engine and OPA give the same answers, whole documents compared.

The same calls go through both: drawn from the vocabulary, drawn and then spoiled, and
those of every scenario table. The rules' own tests run in OPA in `test_opa_bundles.py`
and on the embedded engine in `policy/`.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from call_space import CallSpace
from odd_calls import CALLS, odd, question_of, unseen
from oracle import LIBRARY, Library, Oracle, oracle
from policy.scenario_table import scenarios_in, tables
from policy.test_scenarios import SETTINGS, catalog

from policyguard.assembly import bundle_of, policy_set
from policyguard.canonical import canonical_bytes
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import EvaluationError

KNOWN = tomllib.loads(Path(__file__).with_name("disagreements.toml").read_text("utf-8"))
TYPED, ILL_TYPED = 400, 300
REFUSES = "refuses"
NO_ANSWER = {
    "verdict": "deny",
    "findings": [],
    "obligations": [],
    "advice": [],
    "replaced": [],
}
"""What is said of a question that is not whole."""


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_set(bundle=bundle_of(SETTINGS), catalog=catalog())


@pytest.fixture(scope="module")
def opa(
    policy: PolicySet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Oracle]:
    with oracle(policy, folder=tmp_path_factory.mktemp("oracle")) as found:
        yield found


@pytest.fixture(scope="module")
def embedded(policy: PolicySet) -> Any:
    return RegorusEngine().load(policy)


def answer_of(engine: Any, question: bytes) -> Any:
    try:
        return engine.evaluate(question)
    except EvaluationError:
        return REFUSES


def word_of(answer: Any) -> str:
    return str(answer["verdict"]) if isinstance(answer, Mapping) else REFUSES


def test_typed_calls_get_the_same_answer(opa: Oracle, embedded: Any) -> None:
    space = CallSpace(catalog(), seed=2_026)
    seen: Counter[str] = Counter()
    rules: set[str] = set()
    for _ in range(TYPED):
        question = canonical_bytes(space.typed())
        answer = answer_of(embedded, question)
        seen[word_of(answer)] += 1
        rules |= {finding["id"] for finding in answer["findings"]}

        assert answer != NO_ANSWER, question
        assert answer_of(opa, question) == answer, question

    assert seen[REFUSES] == 0
    assert len(rules) > 8, "the calls that were drawn reach too few rules"


def test_scenarios_get_the_same_answer(opa: Oracle, embedded: Any) -> None:
    for path in tables():
        for item in scenarios_in(path, catalog=catalog()):
            question = canonical_bytes(item.call.engine_input())

            assert answer_of(opa, question) == answer_of(embedded, question), item


@pytest.mark.parametrize("of", CALLS)
def test_what_is_not_asked_whole_has_no_answer_from_opa_either(
    opa: Oracle, of: str
) -> None:
    asked = question_of(of)
    assert answer_of(opa, canonical_bytes(asked))["verdict"] == "allow"

    for said, spoilt in odd(asked, but=unseen(of)):
        assert answer_of(opa, canonical_bytes(spoilt)) in (NO_ANSWER, REFUSES), said


def kind_of(here: Any, there: Any) -> str:
    """Say how two answers differ; see `disagreements.toml`."""
    words = word_of(here), word_of(there)
    if "allow" in words:
        return "about allow"
    if words[0] == REFUSES:
        return "refuses"
    return "findings" if words[0] == words[1] else f"verdicts {words}"


def test_ill_typed_calls_differ_only_as_was_reviewed(
    opa: Oracle, embedded: Any
) -> None:
    space = CallSpace(catalog(), seed=41)
    reviewed = {item["kind"] for item in KNOWN["disagreement"]}
    for _ in range(ILL_TYPED):
        question = canonical_bytes(space.ill_typed())
        here, there = answer_of(embedded, question), answer_of(opa, question)

        assert here == there or kind_of(here, there) in reviewed, question


def test_the_library_of_opa_answers_as_the_embedded_engine_does(
    policy: PolicySet, embedded: Any
) -> None:
    if not LIBRARY.is_dir():
        pytest.skip("no library of OPA: run `make tools GO=`")
    library = Library(policy)
    space = CallSpace(catalog(), seed=7)
    for _ in range(50):
        question = canonical_bytes(space.typed())

        assert answer_of(library, question) == answer_of(embedded, question)


def test_a_reviewed_disagreement_has_its_reason() -> None:
    for item in KNOWN["disagreement"]:
        assert item.keys() == {"kind", "what", "reason"}
        assert len(item["reason"]) > 80
