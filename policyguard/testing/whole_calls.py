"""Says what each rule finds on whole calls, of which nothing is sliced.

The interpreter answers what a table is compared with, and what is shown. A search asks
compiled policy, which decides calls as well, and is a sixth of the time.

INVARIANT: nothing is shown, and no table is compared, by what compiled policy alone says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.compiled.checked import compiled_or_not, translated_or_not
from policyguard.engines.compiled.program import Running
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Path
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.rule_table import Found

_MOST_KEPT: Final = 20_000
"""Calls of which what was found is kept: a call is often asked about again."""
_PROBE: Final = "policyguard_kit.rego"
_ENTRY: Final = "data.policyguard_kit.whole.document"
_WORTH: Final = 100
"""So many calls take the interpreter about as long as it takes to compile a policy."""
_Known = dict[bytes, Mapping[str, Found] | None]


class WholeCalls:
    """Asks all rules of one policy about whole calls; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        sets: The sets to which rules contribute.
    """

    def __init__(self, policy: PolicySet, sets: Iterable[Path]) -> None:
        self._policy, self._sets = policy, tuple(sorted(set(sets)))
        self._engine: NativeEngine | None = None
        self._running: Running | None = None
        self._asked = 0
        """How many calls a search asked about before policy was compiled for it."""
        self._found: _Known = {}
        self._searched: _Known = {}
        self.evaluations = 0

    def forget(self) -> None:
        """Forget what was found."""
        self._found.clear()
        self._searched.clear()

    def found(self, call: Json) -> Mapping[str, Found] | None:
        """Return what each rule finds on a call; nothing if there is no view.

        Args:
            call: What the guard would ask.
        """
        key = orjson.dumps(call)
        if key not in self._found:
            _keep(self._found, key, self._interpreted(key))
        return self._found[key]

    def searched(self, call: Json) -> Mapping[str, Found] | None:
        """Return the same from compiled policy, once there are many calls to ask about.

        Args:
            call: What the guard would ask.
        """
        key = orjson.dumps(call)
        if key not in self._searched:
            _keep(self._searched, key, self._quickly(call, key))
        return self._searched[key]

    def _quickly(self, call: Json, text: bytes) -> Mapping[str, Found] | None:
        if self._asked == _WORTH:
            self._running = self._compiled()
        self._asked += 1
        answer = None if self._running is None else self._running.answer(call)
        if answer is None:
            # Compiled policy is not sure, or is not there: the interpreter says.
            return self._interpreted(text)
        self.evaluations += 1
        found: Any = answer["found"]
        return by_rule(found)

    def _compiled(self) -> Running | None:
        document = syntax_tree(compile_modules(self._modules()))
        compiled = compiled_or_not(translated_or_not(document, entrypoint=_ENTRY))
        return None if compiled is None else compiled.on(self._policy.data)

    def _modules(self) -> dict[str, str]:
        bodies = "".join(
            "found contains [f.id, f.effect] if {\n"
            "view := data.policyguard.facts.view\n"
            f"fs := data.{'.'.join(name)} with input as view\nsome f in fs\n}}\n"
            for name in self._sets
        )
        probe = (
            f"package policyguard_kit.whole\n\n{bodies}\n"
            'document := {"found": found} if data.policyguard.facts.view\n\n'
            "answers := [x | data.policyguard.facts.view; x := found]\n"
        )
        return {**join_modules(dict(self._policy.modules)).modules, _PROBE: probe}

    def _interpreted(self, text: bytes) -> Mapping[str, Found] | None:
        if self._engine is None:
            self._engine = compile_modules(self._modules())
            self._engine.add_data_json(orjson.dumps(dict(self._policy.data)).decode())
        self.evaluations += 1
        self._engine.set_input_json(text.decode("utf-8"))
        answer, message = answer_of(self._engine, "data.policyguard_kit.whole.answers")
        found = None if message else orjson.loads(answer)
        return by_rule(found[0]) if found else None


def _keep(known: _Known, key: bytes, found: Mapping[str, Found] | None) -> None:
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = found


def by_rule(findings: Iterable[tuple[str, str]]) -> dict[str, Found]:
    """Return ids and effects of findings, by id.

    Args:
        findings: The id and the effect of each.
    """
    found: dict[str, set[tuple[str, str]]] = {}
    for rule, effect in findings:
        found.setdefault(rule, set()).add((rule, effect))
    return {rule: frozenset(items) for rule, items in found.items()}
