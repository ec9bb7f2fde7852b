"""Finds the texts that rules compare a fact with: their own, and those of the catalog.

A fact that may be any text has these as values, and one more that stands for all others.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.tree import Path
from policyguard.testing.instants import items_of

_LITERAL: Final = r'"(?:[^"\\]|\\.)*"'
_FACT: Final = r"(?<![\w.\[\]])(?P<fact>[\w.\[\]]+)"
_COMPARISONS: Final = tuple(
    re.compile(form)
    for form in (
        rf"{_FACT}\s*[!=]=\s*(?P<texts>{_LITERAL})",
        rf"(?P<texts>{_LITERAL})\s*(?:[!=]=|\bin)\s+{_FACT}",
        rf"{_FACT}\s+in\s+\{{(?P<texts>[^}}:]*)\}}",
        rf"\b(?:startswith|endswith|contains)\({_FACT},\s*(?P<texts>{_LITERAL})\)",
    )
)
_OTHER: Final = r"(?<![\w.\[\]])(?P<other>[a-z_][\w.\[\]]*)"
_WITH_DATA: Final = tuple(
    re.compile(form)
    for form in (
        rf"{_OTHER}\s+in\s+{_FACT}",
        rf"{_OTHER}\s*[!=]=\s*{_FACT}",
        rf"{_FACT}\s*[!=]=\s*{_OTHER}",
    )
)


def texts_compared(path: Path, rules: str, entries: Json) -> tuple[str, ...]:
    """Return the texts that a rule compares with a fact where it names both.

    Args:
        path: That of the fact.
        rules: The text of all rules, without comments.
        entries: What the catalog says.
    """
    # Of a list of owners a rule takes some `owner`.
    above = [part for part in path[:-1] if part != "*"][-1:]
    one = above[0].removesuffix("s") if path[-2:-1] == ("*",) else "".join(above)
    named = re.compile(rf"\b{one}\.{path[-1]}\b")
    found = {
        orjson.loads(literal)
        for fact, literals in _comparisons(rules)
        if named.search(fact)
        for literal in literals
    }
    for fact, name in compared_fields(rules):
        if named.search(fact):
            found.update(_texts_at(entries, name))
    return tuple(sorted(found))


@functools.lru_cache(maxsize=8)
def _comparisons(rules: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what rules compare with texts, each with these; once for all facts."""
    return tuple(
        (found["fact"], tuple(re.findall(_LITERAL, found["texts"])))
        for form in _COMPARISONS
        for found in form.finditer(rules)
    )


@functools.lru_cache(maxsize=8)
def compared_fields(rules: str) -> frozenset[tuple[str, str]]:
    """Return the facts that rules compare with something, and the last name of that.

    Of a variable it is the last name of what it is given anywhere.

    Args:
        rules: The text of all rules, without comments.
    """
    found = set()
    for form in _WITH_DATA:
        for match in form.finditer(rules):
            _, dot, name = match["other"].rpartition(".")
            given = rf"\b{re.escape(name)}\s*:=\s*[\w.\[\]]*\.(\w+)"
            for last in [name] if dot else re.findall(given, rules):
                found.add((match["fact"], last))
    return frozenset(found)


def _texts_at(value: Any, name: str) -> Iterator[str]:
    for key, item in items_of(value):
        if key == name and isinstance(item, str):
            yield item
        yield from _texts_at(item, name)
