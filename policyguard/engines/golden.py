"""Evaluates what the engine and the bundle promise, before either is trusted.

Two sets of vectors: the engine's own, small modules whose answers OPA gives too, and
the bundle's, inputs with the verdict and rule ids that it promises for them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from policyguard.canonical import Json, canonical_bytes
from policyguard.engines.native import (
    compile_modules,
    evaluate_on,
    with_data,
)
from policyguard.engines.protocol import Golden
from policyguard.errors import CanonicalError, EngineLoadError, EvaluationError

_ENTRYPOINT: Final = "data.golden.answer"
_INPUT: Final = (
    '{"at":"2026-06-12T21:21:00.123456Z","big":9007199254740991,"empty":null,'
    '"names":["a","b","c"],"nothing":[],"off":false,"text":"999999","value":1}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineVector:
    """Is one small module and what `x` is in it; `None` means that it must fail."""

    name: str
    rego: str
    expected: Json


def _vector(name: str, rego: str, expected: Json, /) -> EngineVector:
    return EngineVector(name=name, rego=rego, expected=expected)


ENGINE_VECTORS: Final = (
    _vector("undefined in a body fails", 'x contains "f" if input.none', []),
    _vector("undefined compared fails", "x contains 1 if input.none != 2", []),
    _vector("undefined in a comprehension", "x := [y | y := input.none]", []),
    _vector("undefined bound fails", "x contains 1 if y := input.none", []),
    _vector("null has no members", "x := [y | y := input.empty.y]", []),
    _vector("not of undefined", 'x := "f" if not input.none', "f"),
    _vector("not of false", 'x := "f" if not input.off', "f"),
    _vector("not of null", 'default x := "n"\nx := "f" if not input.empty', "n"),
    _vector("default", "default x := 5\nx := 1 if input.none", 5),
    _vector("else", "x := 3 if { input.none } else := 4", 4),
    _vector(
        "types in order",
        'x := [null < false, true < 1, 9 < "", "z" < [], [9] < {}]',
        [True, True, True, True, True],
    ),
    _vector("text is above numbers", "x := [input.text > 1000]", [True]),
    _vector("text is no number", 'x := [input.value == "1"]', [False]),
    _vector("rules conflict", "x := 1\nx := 2", None),
    _vector("functions conflict", "f(1) := 1\nf(y) := 2 * y\nx := f(1)", None),
    _vector("division by zero", "x := input.value / 0", None),
    _vector("a failing built-in is loud", 'x := to_number("zz")', None),
    _vector(
        "unicode",
        'x := [count("äöü"), upper("ä"), "\\u00e4", "é" == "e\\u0301"]',
        [3, "Ä", "ä", False],
    ),
    _vector(
        "integers are exact",
        "x := [input.big, input.big == input.big + 1, 1781222400123456000 + 1]",
        [9007199254740991, False, 1781222400123456001],
    ),
    _vector(
        "sprintf",
        'x := sprintf("%s is %d of %v", ["a", 3, {"b": [1]}])',
        'a is 3 of {"b": [1]}',
    ),
    _vector(
        "object.get",
        'x := [object.get({"a": null}, "a", 1), object.get({}, ["a", "b"], 2)]',
        [None, 2],
    ),
    _vector(
        "object.union is deep",
        'x := object.union({"a": {"b": 1}}, {"a": {"c": 2}})',
        {"a": {"b": 1, "c": 2}},
    ),
    _vector(
        "instants",
        "x := [time.parse_rfc3339_ns(input.at),"
        ' time.parse_rfc3339_ns("2026-06-12T23:21:00+02:00")]',
        [1781299260123456000, 1781299260000000000],
    ),
    _vector(
        "sets", "x := [{3, 1, 2, 1}, {1, 2} & {2}, {1, 2} - {2}]", [[1, 2, 3], [2], [1]]
    ),
    _vector(
        "comprehensions",
        'x := {n: i | some i, n in input.names; n != "b"}',
        {"a": 0, "c": 2},
    ),
    _vector(
        "membership", 'x := ["b" in input.names, "z" in input.names]', [True, False]
    ),
    _vector(
        "every of nothing",
        "x contains 1 if { every y in input.nothing { y > 1 } }",
        [1],
    ),
    _vector(
        "with input",
        'x := [inner, y] if { y := inner with input as {"value": 7} }\n'
        "inner := input.value",
        [1, 7],
    ),
    _vector(
        "a set of rules adds up", "x contains 1\nx contains 2 if input.value", [1, 2]
    ),
    _vector("regular expressions", 'x := [regex.match("^(a+)+$", "aaaa!")]', [False]),
)
"""What the adapter relies on; each of them is checked before the first load."""


@functools.cache
def require_known_semantics() -> None:
    """Evaluate the engine's own vectors, once per process.

    Raises:
        EngineLoadError: an answer differs; names the vector.
    """
    for vector in ENGINE_VECTORS:
        require_answer(vector)


def require_answer(vector: EngineVector) -> None:
    """Evaluate one vector.

    Raises:
        EngineLoadError: the answer differs, or there is one where none is wanted.
    """
    module = f'package golden\nanswer := {{"x": x}}\n{vector.rego}\n'
    base = with_data(
        compile_modules({"golden.rego": module}), "{}", entrypoint=_ENTRYPOINT
    )
    try:
        answer = evaluate_on(base, _INPUT, entrypoint=_ENTRYPOINT)
    except EvaluationError:
        answer = None
    expected = None if vector.expected is None else {"x": vector.expected}
    if answer != expected:
        raise EngineLoadError(
            f"this build of the engine differs in `{vector.name}`: install the pinned"
            " version"
        )


def require_promises(
    *,
    answer: Callable[[str], Mapping[str, Json]],
    golden: tuple[Golden, ...],
    rule_ids: frozenset[str],
) -> None:
    """Check that the bundle answers as it promises, and that every rule fires.

    Args:
        answer: Evaluates an input on the bundle's policy and its golden catalog.
        golden: The vectors of the bundle.
        rule_ids: Every id of the rulebook.

    Raises:
        EngineLoadError: verdict or ids of a vector differ, a rule of the rulebook
            fires in no vector, or one fires that the rulebook does not know.
    """
    fired: set[str] = set()
    for vector in golden:
        fired |= _require_promise(answer, vector)
    if fired != rule_ids:
        odd = ", ".join(sorted(fired ^ rule_ids))
        raise EngineLoadError(
            f"rules of the rulebook and rules that fire on golden vectors differ in"
            f" `{odd}`: add a vector for each rule"
        )


def _require_promise(
    evaluate: Callable[[str], Mapping[str, Json]], vector: Golden
) -> set[str]:
    try:
        answer = evaluate(canonical_bytes(vector.input).decode("utf-8"))
    except (EvaluationError, CanonicalError) as error:
        raise EngineLoadError(f"golden vector `{vector.name}`: {error}") from error
    verdict, ids = answer.get("verdict"), _finding_ids(answer)
    if verdict != vector.verdict or ids != set(vector.rules):
        raise EngineLoadError(
            f"golden vector `{vector.name}` gives `{verdict}` by"
            f" `{', '.join(sorted(ids))}`, but promises `{vector.verdict}` by"
            f" `{', '.join(sorted(vector.rules))}`: correct the rules or the vector"
        )
    return ids


def _finding_ids(answer: object) -> set[str]:
    findings = answer.get("findings") if isinstance(answer, dict) else None
    if not isinstance(findings, list):
        return set()
    return {str(item.get("id")) for item in findings if isinstance(item, dict)}
