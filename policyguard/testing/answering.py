"""Asks whether a policy answers at all, before anything is said of its rules.

A policy that fails on every call denies every call: its rules find the same as those of any
other that fails so, and no call breaks what is demanded of them. That is no equivalence and
no proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.rule_table import drawn
from policyguard.testing.space import Space

_DRAWN: Final = 50
"""Calls that are asked about where the first ones have no answer."""


def require_answers(policy: PolicySet, space: Space, *, named: str) -> None:
    """Check that a policy decides some call.

    Args:
        policy: Rules and catalog, as an engine takes them.
        space: The calls.
        named: What a person calls the policy.

    Raises:
        ConfigurationError: it fails on each call that was tried, or has no decision.
        EngineLoadError: it does not compile.
    """
    joined = join_modules(dict(policy.modules))
    engine = compile_modules(joined.modules)
    engine.add_data_json(orjson.dumps(dict(policy.data)).decode("utf-8"))
    why: list[str] = []
    for call in _calls(policy, space):
        engine.set_input_json(orjson.dumps(call).decode("utf-8"))
        answer, message = answer_of(engine, policy.entrypoint)
        if not message and _is_decision(orjson.loads(answer)):
            return
        why.append(message)
    message = next(filter(None, why), "")
    place, _, failed = message.partition(": ")
    said = (
        f"{joined.original(place)}: {failed}"
        if message
        else "the decision is the one of a policy without rules"
    )
    raise ConfigurationError(
        f"{named} answers none of the {len(why)} calls that were tried, so that nothing"
        f" can be said of its rules: {said}"
    )


def _calls(policy: PolicySet, space: Space) -> Iterator[Json]:
    yield space.call({})
    yield from (example.input for example in policy.golden)
    for choice in drawn(space, count=_DRAWN, seed=0):
        yield space.call(choice)


def _is_decision(answer: Any) -> bool:
    """Say whether a document is an answer, and not the one of a policy that has none."""
    if not isinstance(answer, dict):
        return False
    return answer.get("verdict") == "allow" or bool(answer.get("findings"))
