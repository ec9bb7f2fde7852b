"""Joins what is declared of data with what is found in it, or refuses the difference.

The detectors see text and know nothing else, so they only add: a class that is found
joins those that are declared, and the rules judge them all. What a marking contradicts
is unknown again. What could not be searched is unknown as a whole.

INVARIANT: nothing that is found makes a declaration milder, and no part of the text
leaves this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import orjson

from policyguard.detection.search import Detector, search, texts_in
from policyguard.guard.events import log
from policyguard.guard.facts import Facts
from policyguard.vocabulary.call import DataFacts
from policyguard.vocabulary.found import Found, FoundKind

Undeclared: TypeAlias = Literal["join", "refuse"]
"""What becomes of data that is found and not declared."""
_NOTHING: Final = "none"
_LONGEST: Final = 8 << 20
"""Bytes of a document, most of which may be pictures; its text may be far less."""
_CONTRADICTS: Final = {
    "eccn": {"not_technology", "published", "EAR99"},
    "ear99": {"not_technology"},
    "export_controlled": {"not_technology"},
}
"""The classifications that a marking speaks against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching:
    """Says how data is searched, and what becomes of what is found."""

    undeclared: Undeclared = "join"
    detectors: Mapping[FoundKind, Detector] = field(default_factory=dict)
    """Those beside our own."""

    def look(self, content: bytes | None, *, declared: DataFacts | None) -> Found:
        """Say what is found, as the function of that name."""
        return look(content, declared=declared, searching=self)

    def judged(self, facts: Facts, found: Found) -> tuple[Facts, str | None]:
        """Return the facts with what was found, and why the call is refused, if so."""
        return joined(facts, found), objection(found, self.undeclared)


SEARCHING: Final = Searching()


def look(
    content: bytes | None,
    *,
    declared: DataFacts | None,
    searching: Searching = SEARCHING,
) -> Found:
    """Say what is found in the content of a call, and what of it is not declared.

    Args:
        content: A JSON document, or nothing at all; `None`: it cannot be read.
        declared: What is declared of it.
        searching: How to search.
    """
    found = _searched(content, searching.detectors)
    known = declared.classes if declared else None
    extra = tuple(sorted(found.classes - set(known))) if known is not None else ()
    return found.model_copy(update={"undeclared": extra})


def joined(facts: Facts, found: Found) -> Facts:
    """Return the facts of a call with what was found in it."""
    data = facts.data or DataFacts()
    changed: dict[str, object] = {}
    if not found.complete:
        changed["classes"] = None
    elif data.classes is not None:
        # For the rule that names what was found beside what was declared.
        changed["undeclared"] = found.undeclared
        if found.undeclared:
            kept = set(data.classes) - {_NOTHING}
            changed["classes"] = tuple(sorted(kept | found.classes))
    kinds = {item.kind for item in found.kinds}
    if "itar" in kinds and data.itar is False:
        changed["itar"] = None
    classified = data.ear.classification
    if any(classified in _CONTRADICTS.get(kind, ()) for kind in kinds):
        changed["ear"] = data.ear.model_copy(update={"classification": None})
    if not changed:
        return facts
    told = Facts(data=data.model_copy(update=changed), persons=facts.persons)
    return told.over(facts)


def objection(found: Found, undeclared: Undeclared) -> str | None:
    """Return why a call is refused for what was found, if it is, and tell the log."""
    if not found.complete:
        log.warning("data.not_searched")
        return None
    if not found.undeclared:
        return None
    classes = ", ".join(found.undeclared)
    kinds = ", ".join(f"{item.kind} {item.count}x" for item in found.kinds)
    log.warning("data.undeclared", classes=classes, found=kinds)
    if undeclared != "refuse":
        return None
    return (
        f"what is sent seems to hold {classes} data ({kinds}), which is not declared:"
        " declare it, or leave it out"
    )


def _searched(content: bytes | None, more: Mapping[FoundKind, Detector]) -> Found:
    if content is None or len(content) > _LONGEST:
        return Found(complete=False)
    if not content:
        return Found(complete=True)
    try:
        # Each text ends its own line: nothing is found across two of them.
        return search("\n".join(texts_in(orjson.loads(content))), more=more)
    except ValueError:
        return Found(complete=False)
