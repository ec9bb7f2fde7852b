"""Asks a set of findings on whole calls, and returns them whole: with remedies."""

from __future__ import annotations

from typing import Any

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.testing.rego_tests import answer_of


class Finder:
    """Returns findings of one set; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        path: The set to which rules contribute.
    """

    def __init__(self, policy: PolicySet, path: Path) -> None:
        probe = (
            "package policyguard_kit.found\n\nfound contains finding if {\n"
            "view := data.policyguard.facts.view\n"
            f"all := data.{'.'.join(path)} with input as view\n"
            "some finding in all\n}\n\nanswers := [x | some x in found]\n"
        )
        modules = join_modules(policy.modules).modules
        self._engine = compile_modules({**modules, "policyguard_kit.rego": probe})
        self._engine.add_data_json(orjson.dumps(dict(policy.data)).decode("utf-8"))

    def found(self, call: Json, *, rule: str, effect: str) -> list[dict[str, Any]]:
        """Return the findings of a rule with an effect on an `input`.

        Args:
            call: The `input`.
            rule: An id.
            effect: An effect.
        """
        self._engine.set_input_json(orjson.dumps(call).decode("utf-8"))
        answer, message = answer_of(self._engine, "data.policyguard_kit.found.answers")
        found: list[dict[str, Any]] = [] if message else orjson.loads(answer)
        return [f for f in found if f["id"] == rule and f["effect"] == effect]
