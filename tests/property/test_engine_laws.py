"""Laws of the embedded engine: what any bytes and any policy text may do to it."""

from __future__ import annotations

import json
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.engines.tiny_policy import MAIN, RULES, policy

from policyguard.canonical import canonical_bytes, parse_json
from policyguard.engines import pieces as pieces_module
from policyguard.engines.compiled.values import Members, compare
from policyguard.engines.intake import NOT_PLAIN, input_text, plain_value
from policyguard.engines.native import in_slices
from policyguard.engines.pieces import data_pieces
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import EngineLoadError, EvaluationError

ANSWER = "data.policyguard.main.answer"
ENGINE = RegorusEngine()
SNAPSHOT = ENGINE.load(policy())
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(alphabet=st.characters(codec="utf-8"))
)
_KEYS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)
ROUGH = st.recursive(
    _SCALARS | st.floats() | st.integers(-(2**70), 2**70),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4)
    ),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())
BYTES = (
    st.binary(max_size=200)
    | ROUGH
    | st.text(alphabet='{}[]",:\\u0123456789d8e.-NaN \ufeff\0', max_size=60).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
TOKENS = st.lists(
    st.sampled_from(
        [
            *"{}[]():=.,|&-#`\"'\n\t\0\ufeff$",
            "package t",
            "import data.x as y",
            "findings contains",
            '{"id": "EAR-03"}',
            "if",
            "else",
            "not",
            "every",
            "some",
            "in",
            "with",
            "input",
            "data.policyguard.main",
            "default",
            "x",
            "f(x)",
            "time.now_ns()",
            "count",
            "1",
            ":=",
            "==",
        ]
    ),
    max_size=40,
).map(" ".join)


@given(data=BYTES)
def test_any_bytes_give_an_object_or_our_error(data: bytes) -> None:
    try:
        answer: object = SNAPSHOT.evaluate(data)
    except EvaluationError as error:
        answer = {"code": error.code}

    assert isinstance(answer, dict)


@given(value=VALUES)
def test_any_canonical_input_is_answered(value: object) -> None:
    answer = SNAPSHOT.evaluate(canonical_bytes({"model": "bad", "other": value}))

    assert answer["verdict"] == "deny"


@given(data=BYTES | VALUES.map(canonical_bytes))
def test_what_passes_the_fast_way_would_pass_the_slow_way(data: bytes) -> None:
    value = plain_value(data)
    if value is NOT_PLAIN:
        return

    assert json.loads(input_text(data)) == parse_json(data) == value


@given(text=st.text(st.sampled_from('0123456789.eE":[],- {}'), max_size=12))
def test_no_float_and_no_long_number_passes_the_fast_way(text: str) -> None:
    for whole in (text, f'{{"a":{text}}}', f"[{text}]", f'["a",{text}]'):
        value = plain_value(whole.encode())

        assert value is NOT_PLAIN or parse_json(whole.encode()) == value


SCALARS_OF_RULES = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from("ab")
)
VALUES_OF_RULES = st.recursive(
    SCALARS_OF_RULES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.lists(inner, max_size=3).map(Members)
    ),
    max_leaves=8,
)


@given(values=st.lists(VALUES_OF_RULES, max_size=6))
def test_a_set_has_each_member_once_in_the_order_of_all_values(
    values: list[Any],
) -> None:
    ordered = sorted(values, key=cmp_to_key(compare))
    once = [
        value
        for place, value in enumerate(ordered)
        if place == 0 or compare(value, ordered[place - 1]) != 0
    ]
    found = Members(values).in_order()

    assert len(found) == len(once)
    assert all(compare(*pair) == 0 for pair in zip(found, once, strict=True))


@given(value=VALUES, indent=st.integers(1, 3))
def test_the_form_of_the_input_is_no_fact(value: object, indent: int) -> None:
    call = {"model": "bad", "other": value}
    spread = json.dumps(call, indent=indent).encode()

    assert json.loads(input_text(spread)) == json.loads(
        input_text(canonical_bytes(call))
    )


@settings(max_examples=60)
@given(text=TOKENS | st.text(max_size=80))
def test_any_module_text_loads_or_raises_our_error(text: str) -> None:
    modules = {"main.rego": MAIN, "odd.rego": text, "rules.rego": RULES}
    try:
        loaded = ENGINE.load(policy(modules=modules)).evaluate(b'{"model":"bad"}')
    except (EngineLoadError, EvaluationError) as error:
        loaded = {"verdict": type(error).__name__}

    assert loaded["verdict"] in {"deny", "EngineLoadError", "EvaluationError"}


@settings(max_examples=60)
@given(data=VALUES)
def test_any_data_loads_or_raises_our_error(data: object) -> None:
    try:
        loaded = ENGINE.load(policy(data={"policyguard": data})).info
    except EngineLoadError:
        loaded = ENGINE.info

    assert loaded == ENGINE.info


@given(text=st.text(max_size=40))
def test_refused_input_is_never_in_the_message(text: str) -> None:
    data = json.dumps({"canary": f"canary {text}", "float": 0.5}).encode()

    with pytest.raises(EvaluationError) as caught:
        input_text(data)

    assert "canary" not in str(caught.value)


@given(data=st.dictionaries(_KEYS, VALUES, max_size=6), longest=st.integers(1, 200))
def test_pieces_of_data_merge_into_the_data(
    data: dict[str, object], longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces_module, "_PIECE_CHARACTERS", longest)
    module = {"answer.rego": "package policyguard.main\n\nanswer := data.given\n"}

    pieces = data_pieces({"given": data})
    (engine,) = [step for step in in_slices(module, pieces, entrypoint=ANSWER) if step]
    engine.set_input_json("{}")

    assert json.loads(engine.eval_rule_as_json(ANSWER)) == data
