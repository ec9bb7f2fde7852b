"""Checks at a load that policy keeps what it promises: its rules, and its golden vectors."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import orjson

from policyguard.canonical import Json
from policyguard.engines.golden import require_promises
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules, evaluate_on, with_data
from policyguard.engines.pieces import data_text
from policyguard.engines.protocol import PolicySet
from policyguard.engines.threads import NativeEngine
from policyguard.errors import EngineLoadError

if TYPE_CHECKING:
    from policyguard.engines.compiled.program import Compiled


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """Look for no garbage while a syntax tree, which is none, is made of small objects."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def require_same_rules(*, listed: frozenset[str], held: frozenset[str]) -> None:
    """Check that rulebook and modules have the same rules.

    Raises:
        EngineLoadError: they differ; names the rules.
    """
    if listed != held:
        odd = ", ".join(sorted(listed ^ held))
        raise EngineLoadError(
            f"rulebook and modules differ in the rules `{odd}`: write the rulebook anew"
        )


def golden_data(policy: PolicySet) -> dict[str, Json]:
    """Return the data on which the golden vectors of a policy promise."""
    data: dict[str, Json] = dict(policy.data)
    if policy.golden_catalog is not None:
        data["catalog"] = policy.golden_catalog
    return data


def on_golden(policy: PolicySet) -> NativeEngine:
    """Return an interpreter with a policy and the catalog of its golden vectors."""
    return with_data(
        compile_modules(join_modules(policy.modules).modules),
        data_text(golden_data(policy), what="the golden catalog"),
        entrypoint=policy.entrypoint,
    )


def require_kept_promises(
    base: Callable[[], NativeEngine], policy: PolicySet, compiled: Compiled | None
) -> None:
    """Check that a policy answers as it promises, by what will answer calls.

    Args:
        base: Returns the interpreter with the policy; asked if the program is silent.
        policy: What promises.
        compiled: The program, if there is one.

    Raises:
        EngineLoadError: a promise is not kept.
    """
    running = None if compiled is None else compiled.on(golden_data(policy))

    def answer(text: str) -> Mapping[str, Json]:
        found = None if running is None else running.answer(orjson.loads(text))
        return found or evaluate_on(base(), text, entrypoint=policy.entrypoint)

    require_promises(answer=answer, golden=policy.golden, rule_ids=policy.rule_ids)
