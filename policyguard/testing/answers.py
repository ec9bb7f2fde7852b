"""Asks a whole policy about a call: the verdict, and who objects.

The engine is the one that decides calls, and nothing is sliced. Rules that are not in
the rulebook yet, as an author's own before they are trusted, count as always in force:
what they would do is what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import orjson

from policyguard.bundle.rulebook import (
    RuleInfo,
    RuleWindow,
    read_rules,
    rulebook_document,
)
from policyguard.canonical import Json
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine
from policyguard.engines.tree import read_tree
from policyguard.errors import BundleError, EvaluationError

VERDICTS: Final = ("allow", "require_approval", "unavailable", "deny")
"""From the mildest to the strictest."""
UNANSWERED: Final = "unanswered"
"""What stands for a verdict where the engine gives none; the guard denies it."""
OBJECTING: Final = frozenset(VERDICTS[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is what a policy says of one call."""

    verdict: str
    """One of `VERDICTS`, or `UNANSWERED`."""
    objecting: tuple[tuple[str, str], ...] = ()
    """Rules that object with their effects, the strictest first."""
    obligations: tuple[str, ...] = ()
    """Rules that oblige."""
    why: str = ""
    """What the engine said, where there is no verdict."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules that object, the strictest first."""
        return tuple(dict.fromkeys(rule for rule, _ in self.objecting))


class Asker:
    """Answers calls from one policy; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
    """

    def __init__(self, policy: PolicySet) -> None:
        self.policy = with_own_rules(policy)
        self._snapshot = RegorusEngine().admit(self.policy)
        self._known: dict[bytes, Answer] = {}

    @property
    def evaluations(self) -> int:
        """How many different calls were asked about."""
        return len(self._known)

    def ask(self, call: Json) -> Answer:
        """Return what the policy says of one `input`."""
        question = orjson.dumps(call, option=orjson.OPT_SORT_KEYS)
        if question not in self._known:
            self._known[question] = self._asked(question)
        return self._known[question]

    def _asked(self, question: bytes) -> Answer:
        try:
            document: Any = self._snapshot.evaluate(question)
        except EvaluationError as error:
            return Answer(verdict=UNANSWERED, why=str(error))
        found = {(item["id"], item["effect"]) for item in document["findings"]}
        objecting = sorted(
            ((rule, effect) for rule, effect in found if effect in OBJECTING),
            key=lambda item: (-VERDICTS.index(item[1]), item[0]),
        )
        if document["verdict"] in OBJECTING and not objecting:
            # The bundle's own default: the question has no whole answer.
            return Answer(verdict=UNANSWERED, why="the policy has no answer to it")
        return Answer(
            verdict=document["verdict"],
            objecting=tuple(objecting),
            obligations=tuple(sorted({i["id"] for i in document["obligations"]})),
        )


def with_own_rules(policy: PolicySet) -> PolicySet:
    """Return a policy whose rulebook lists every rule that its modules hold.

    Args:
        policy: One whose rulebook may lack an author's own rules.
    """
    held = read_tree(syntax_tree(compile_modules(policy.modules))).finding_ids()
    own: Any = policy.data.get("policyguard") or {}
    book: Any = own.get("rulebook") or {
        "rules": {},
        "boundaries": [],
        "intervals": [{}],
    }
    new = sorted(set(held) - set(book["rules"]))
    if not new:
        return policy
    added: Any = rulebook_document(
        revision=str(book.get("revision", "0")),
        rules=[info_of(rule, policy.modules) for rule in new],
    )
    rulebook = {
        **book,
        "rules": {**book["rules"], **added["rules"]},
        **_joined(book, added),
    }
    data = {**policy.data, "policyguard": {**own, "rulebook": rulebook}}
    return replace(policy, data=data, rule_ids=frozenset({*policy.rule_ids, *new}))


def info_of(rule: str, modules: Mapping[str, str]) -> RuleInfo:
    """Return what METADATA says of a rule, or that nothing is said."""
    for name, text in modules.items():
        if f'"{rule}"' in text:
            for info in _described(name, text):
                if info.id == rule:
                    return info
    always = RuleWindow(
        since=None, until=None, status="customer_policy", verified=False
    )
    return RuleInfo(
        id=rule, title=rule, citation="", description=None, regime="tenant",
        severity="high", as_of=date(1970, 1, 1), locked=False, exceptions=(),
        windows=(always,), file="",
    )  # fmt: skip


def _described(name: str, text: str) -> tuple[RuleInfo, ...]:
    try:
        return read_rules([(name, text)])
    except BundleError:
        # What is wrong with METADATA is the lint's to say.
        return ()


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Json]:
    """Return two timelines as one."""
    edges = sorted({*one["boundaries"], *other["boundaries"]})
    moments: Iterable[int | None] = (None, *edges)
    return {
        "boundaries": edges,
        "intervals": [{**_at(one, moment), **_at(other, moment)} for moment in moments],
    }


def _at(book: Mapping[str, Any], moment: int | None) -> Mapping[str, Json]:
    past = sum(moment is not None and edge <= moment for edge in book["boundaries"])
    found: Mapping[str, Json] = book["intervals"][past]
    return found
