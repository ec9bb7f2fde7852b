"""Makes rules tell what they found, and on what input, while a test runs.

A test compares a value that it made of findings; who reads that it failed wants the
findings themselves. So the text of each rule that contributes a finding gets a last
statement that prints it. Nothing else changes: `print` holds always.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.tree import FINDINGS, Module, Node, literal_of
from policyguard.testing.bodies import rules_of

_MARK: Final = "policyguard-fired "
_INPUT: Final = "policyguard-input "
_NOTHING: Final[tuple[Json, ...]] = (None, [], {})
_FIELDS: Final = ("effect", "facts", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """Is one finding that a rule contributed."""

    id: str
    effect: str
    facts: Mapping[str, Json]
    missing: tuple[str, ...]


def telling(module: Module, text: str) -> str:
    """Return the text of a module whose rules print what they find.

    Args:
        module: The parsed module.
        text: What was parsed.
    """
    data = text.encode("utf-8")
    edits: list[tuple[int, str]] = []
    for head, rule in zip(module.heads, rules_of(module, text), strict=True):
        if head.finding is None or not rule.bodies or not rule.bodies[0].braced:
            continue
        ((_, inner),) = rule.node["Spec"]["head"].items()
        shown = _shown(inner["key"]["Object"]["fields"], data, head.finding)
        last = rule.bodies[0].statements[-1]
        edits.append((last.end, f"; print({json.dumps(_MARK)}, json.marshal({shown}))"))
    if not any(head.contributes for head in module.heads):
        return text
    for place, added in sorted(edits, reverse=True):
        data = data[:place] + added.encode("utf-8") + data[place:]
    return data.decode("utf-8")


def told(prints: Iterable[str]) -> tuple[Firing, ...]:
    """Return what rules printed, in order, each once.

    Args:
        prints: The lines that the engine gathered.
    """
    found: dict[str, Firing] = {}
    for line in prints:
        _, mark, text = line.partition(_MARK)
        if not mark:
            continue
        try:
            said: Any = json.loads(text)
        except ValueError:
            continue
        found[text] = Firing(
            id=str(said["id"]),
            effect=str(said.get("effect", "")),
            facts=said["facts"] if isinstance(said.get("facts"), dict) else {},
            missing=tuple(map(str, said.get("missing") or ())),
        )
    return tuple(found.values())


def asking(package: str) -> str:
    """Return a module whose rule prints the input of each evaluation, and finds nothing.

    Args:
        package: The package with the findings.
    """
    return (
        f"package {package}\n\n{FINDINGS} contains {{}} if {{\n"
        f"print({json.dumps(_INPUT)}, json.marshal(input))\n"
        "input == set()\n}\n"
    )


def asked(prints: Iterable[str]) -> Json:
    """Return the last input on which rules were evaluated; null where there was none."""
    last: Json = None
    for line in prints:
        _, mark, text = line.partition(_INPUT)
        if mark:
            try:
                last = json.loads(text)
            except ValueError:
                continue
    return known_of(last)


def known_of(value: Json) -> Json:
    """Leave out what is unknown or empty: a view has hundreds of such facts.

    Args:
        value: An input.
    """
    if isinstance(value, dict):
        kept = {key: known_of(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in _NOTHING}
    if isinstance(value, list):
        return [known_of(item) for item in value]
    return value


def contributes(module: Module) -> bool:
    """Say whether a module contributes to a set of findings."""
    return any(head.path[-1:] == (FINDINGS,) for head in module.heads)


def _shown(fields: Iterable[Any], data: bytes, finding: str) -> str:
    parts = [f'"id": {json.dumps(finding)}']
    for span, name, value in fields:
        key = literal_of(name)
        if key in _FIELDS:
            parts.append(f'"{key}": {_value(span, value, data)}')
    return "{" + ", ".join(parts) + "}"


def _value(span: Mapping[str, Any], value: Node, data: bytes) -> str:
    literal = literal_of(value)
    if literal is not None:
        return f'"{literal}"'
    # The tree's spans of composite values begin late; the field's own does not.
    text = data[span["start"] : span["end"]].decode("utf-8")
    return text.partition(":")[2].strip()
