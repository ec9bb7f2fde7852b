"""Finds a call to which no rule objects: what a rule misses shows itself there alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.testing.rego_tests import answer_of


def calm_call(policy: PolicySet) -> Mapping[str, Json] | None:
    """Return the golden vector with the fewest facts that is allowed, and finds nothing.

    Args:
        policy: Rules and catalog, as an engine takes them.
    """
    inputs: list[Any] = [golden.input for golden in policy.golden]
    single = [item for item in inputs if _is_single(item)]
    single.sort(key=lambda item: sum(fact is not None for fact in _facts(item)))
    engine = compile_modules(join_modules(policy.modules).modules)
    engine.add_data_json(orjson.dumps(dict(policy.data)).decode("utf-8"))
    for item in single:
        engine.set_input_json(orjson.dumps(item).decode("utf-8"))
        answer, message = answer_of(engine, policy.entrypoint)
        if message:
            continue
        decision = orjson.loads(answer)
        if decision["verdict"] == "allow" and not decision["obligations"]:
            return dict(item)
    return None


def _is_single(call: Any) -> bool:
    """Say whether each list of objects has at most one, as in a space."""
    tenant = call["tenant"]
    return (
        len(call["route"]) == 1
        and len(tenant["contracts"] or ()) <= 1
        and len(tenant["licences"]) <= 1
        and not call["approvals"]
        and not tenant["assumed"]
    )


def _facts(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _facts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _facts(item)
    else:
        yield value
