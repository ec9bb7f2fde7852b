from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import orjson
import pytest

from policyguard.vocabulary.frozen import frozen

PLAIN: dict[str, Any] = {"a": [1, {"b": None}], "c": "d"}


def test_what_is_frozen_equals_what_is_not() -> None:
    value = frozen(PLAIN)

    assert value == PLAIN
    assert orjson.dumps(value) == orjson.dumps(PLAIN)
    assert json.dumps(value, indent=2) == json.dumps(PLAIN, indent=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(x=1),
        lambda value: value.pop("a"),
        lambda value: value.setdefault("x", 1),
        lambda value: value.clear(),
        lambda value: value.__setitem__("a", 1),
        lambda value: value.__delitem__("a"),
        lambda value: value.__ior__({"x": 1}),
        lambda value: value["a"].append(1),
        lambda value: value["a"].sort(),
        lambda value: value["a"].__setitem__(0, 1),
        lambda value: value["a"].__iadd__([1]),
        lambda value: value["a"][1].update(b=1),
    ],
)
def test_nothing_in_it_can_be_changed(change: Any) -> None:
    value = frozen(PLAIN)

    with pytest.raises(TypeError, match="frozen value: change a copy of it"):
        change(value)
    assert value == PLAIN


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
)
def test_a_copy_can_be_changed(copied: Any) -> None:
    value = copied(frozen(PLAIN))
    value["a"][1]["b"] = 2

    assert value == {"a": [1, {"b": 2}], "c": "d"}
