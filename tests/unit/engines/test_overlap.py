"""Tests of data that would stand where a policy answers."""

from __future__ import annotations

from typing import Any

import pytest

from policyguard.engines.overlap import require_no_overlap
from policyguard.errors import EngineLoadError

PATHS = (("policyguard", "main"), ("policyguard", "main", "decision"), ("t",))


@pytest.mark.parametrize(
    ("data", "at"),
    [
        ({"policyguard": {"main": {}}}, "policyguard.main"),
        ({"policyguard": {"main": {"decision": {}}}}, "policyguard.main"),
        ({"policyguard": {"main": {"other": 1}}}, "policyguard.main"),
        ({"policyguard": {"main": None}}, "policyguard.main"),
        ({"policyguard": []}, "policyguard"),
        ({"policyguard": None}, "policyguard"),
        ({"t": {"deny": []}}, "t"),
    ],
)
def test_data_at_below_or_across_a_rule_is_refused(
    data: dict[str, Any], at: str
) -> None:
    with pytest.raises(EngineLoadError) as caught:
        require_no_overlap(data=data, paths=PATHS)

    assert str(caught.value).startswith(f"data at `data.{at}` shadows the policy at")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"catalog": {"main": {}}},
        {"policyguard": {}},
        {"policyguard": {"rulebook": {"rules": {}}}},
        {"policyguard": {"mai": {}, "main2": {}}},
    ],
)
def test_data_beside_the_rules_is_accepted(data: dict[str, Any]) -> None:
    assert require_no_overlap(data=data, paths=PATHS) is None
