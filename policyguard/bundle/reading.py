"""Reads out of a rule's text what a person wants to know of it: facts, effects, remedies.

The rule itself is the source, so that what is shown cannot fall behind what is
evaluated. The text is read as text: a fact that a rule reaches through a name of its own
is found where the rule says it in `facts` or `missing`, as the house style demands. What
it reaches through private names of other rules is read where those are defined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_COMMENT: Final = re.compile(r'^[ \t]*#.*\n|\s#\s[^"\n]*$', re.MULTILINE)
_PRIVATE: Final = re.compile(r"(?<![\w.\"])_[a-z][a-z0-9_]*")
_DEFINITION: Final = re.compile(
    r"^(?:default )?(_[a-z][a-z0-9_]*)[^\n]*(?:\n[^\n]+)*", re.MULTILINE
)
"""One, up to an empty line, as the formatter leaves them."""
_REFERENCE: Final = re.compile(
    r'\b(input|hop)((?:\.[a-z_][a-z0-9_]*|\["[a-z0-9_-]+"\])+)'
)
_TEXT: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_FACT: Final = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z0-9_-]*)+")
_FIELD: Final = r'"{name}": ({value})'
_EFFECT: Final = re.compile(_FIELD.format(name="effect", value=r'"[a-z_]+"'))
_BY_NAME: Final = re.compile(_FIELD.format(name="effect", value=r"_[a-z0-9_]+"))
_WORD: Final = re.compile(r'"([a-z_]+)"')
_REMEDY: Final = re.compile(_FIELD.format(name="remedy", value=r'"(?:[^"\\\n]|\\.)+"'))
_OBLIGATION: Final = re.compile(r'"type": "([a-z_]+)"')
_GROUPS: Final = frozenset(
    {
        "asked",
        "caller",
        "context",
        "contract",
        "countries",
        "counters",
        "data",
        "deployment",
        "exporter",
        "licences",
        "lists",
        "model",
        "purpose",
        "tenant",
        "weights",
    }
)
"""First parts of the names of facts."""
_STRENGTH: Final = (
    "deny",
    "unavailable",
    "require_approval",
    "indeterminate",
    "oblige",
    "advise",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReading:
    """Is what the text of a rule says of it."""

    facts: tuple[str, ...]
    """The facts that it reads, by their names in findings, sorted."""
    effects: tuple[str, ...]
    """What its findings can do, strongest first."""
    obligations: tuple[str, ...]
    """The types of its obligations, sorted."""
    remedies: tuple[str, ...]
    """What would change its findings, in the order of the text."""


def read_rule(text: str, *, others: Iterable[str] = ()) -> RuleReading:
    """Return what a rule's module says of itself.

    Args:
        text: The module, as the bundle has it.
        others: The modules of its package, whose private names it may use.
    """
    own = _COMMENT.sub("", text)
    code = "\n\n".join((own, *_reached(own, others)))
    effects = {match[1].strip('"') for match in _EFFECT.finditer(own)}
    for match in _BY_NAME.finditer(own):
        effects |= _named_effects(code, match[1])
    remedies = dict.fromkeys(_unquoted(match[1]) for match in _REMEDY.finditer(own))
    return RuleReading(
        facts=tuple(_most_precise(_facts(code))),
        effects=tuple(effect for effect in _STRENGTH if effect in effects),
        obligations=tuple(sorted(set(_OBLIGATION.findall(own)))),
        remedies=tuple(remedies),
    )


def _reached(code: str, others: Iterable[str]) -> list[str]:
    """Return the definitions in other modules that a text uses, and those that they use."""
    defined: dict[str, list[str]] = {}
    for other in others:
        for match in _DEFINITION.finditer(_COMMENT.sub("", other)):
            defined.setdefault(match[1], []).append(match[0])
    seen: set[str] = set()
    found: list[str] = []
    left = [code]
    while left:
        names = set(_PRIVATE.findall(left.pop())) - seen
        seen |= names
        texts = [text for name in sorted(names) for text in defined.get(name, ())]
        found += [text for text in texts if text not in code]
        left += texts
    return found


def _named_effects(code: str, name: str) -> set[str]:
    """Return the effects that a table or helper of this name has."""
    own = (match[0] for match in _DEFINITION.finditer(code) if match[1] == name)
    return set(_WORD.findall("\n".join(own))) & set(_STRENGTH)


def _facts(code: str) -> set[str]:
    found = {
        re.sub(r'\["([^"]+)"\]', r".\1", match[2]).removeprefix(".")
        for match in _REFERENCE.finditer(code)
    }
    found |= {match[1] for match in _TEXT.finditer(code) if _FACT.fullmatch(match[1])}
    return {name for name in found if name.partition(".")[0] in _GROUPS}


def _most_precise(names: set[str]) -> list[str]:
    """Leave out a group where a fact of it is named, and names that are no facts."""
    return sorted(
        name
        for name in names
        if not name.endswith(".label")
        and not any(other.startswith(f"{name}.") for other in names)
    )


def _unquoted(text: str) -> str:
    return text[1:-1].replace('\\"', '"')
