"""Asks a whole policy about a call: the verdict, and who objects.

The engine is the one that decides calls, and nothing is sliced. Rules that are not in
the rulebook yet, as an author's own before they are trusted, count as always in force:
what they would do is what is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
from policyguard.engines.compiled.checked import translated_or_not
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
    effects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By rule the effects that count, after status, overrides and approvals, sorted."""
    softened: frozenset[str] = frozenset()
    """Rules of which an override or an approval has taken something."""
    why: str = field(default="", compare=False)
    """What the engine said, where there is no verdict."""

    @property
    def objecting(self) -> tuple[tuple[str, str], ...]:
        """Return the rules that object with their effects, the strictest first."""
        found = {
            (rule, effect)
            for rule, effects in self.effects.items()
            for effect in effects
            if effect in OBJECTING
        }
        return tuple(sorted(found, key=lambda i: (-VERDICTS.index(i[1]), i[0])))

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules that object, the strictest first."""
        return tuple(dict.fromkeys(rule for rule, _ in self.objecting))

    @property
    def obligations(self) -> tuple[str, ...]:
        """Return the rules that oblige."""
        return tuple(
            sorted(r for r, found in self.effects.items() if "oblige" in found)
        )


def answer_in(decision: Any, *, why: str = "") -> Answer:
    """Return what a decision document says.

    Args:
        decision: What the entrypoint answers; nothing where the engine fails.
        why: What the engine said then.
    """
    if not isinstance(decision, Mapping) or "verdict" not in decision:
        return Answer(verdict=UNANSWERED, why=why or "the policy has no answer to it")
    effects: dict[str, list[str]] = {}
    for item in decision["findings"]:
        effects.setdefault(item["id"], []).append(item["effect"])
    answer = Answer(
        verdict=decision["verdict"],
        effects={rule: tuple(sorted(found)) for rule, found in effects.items()},
        softened=frozenset(i["id"] for i in decision["findings"] if i.get("softened")),
    )
    if answer.verdict in OBJECTING and not answer.objecting:
        # The bundle's own default: the question has no whole answer.
        return Answer(verdict=UNANSWERED, why="the policy has no answer to it")
    return answer


class Asker:
    """Answers calls from one policy; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        compiled: Whether compiled policy answers, as in a guard; else the interpreter,
            which what was decided with compiled policy is checked against.
    """

    def __init__(self, policy: PolicySet, *, compiled: bool = True) -> None:
        tree = syntax_tree(compile_modules(policy.modules))
        self.policy = with_own_rules(policy, held=read_tree(tree).finding_ids())
        program = (
            translated_or_not(tree, entrypoint=policy.entrypoint) if compiled else None
        )
        self._snapshot = RegorusEngine().admit(self.policy, translated=program)
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
            return answer_in(self._snapshot.evaluate(question))
        except EvaluationError as error:
            return answer_in(None, why=str(error))


def with_own_rules(
    policy: PolicySet, *, held: Iterable[str] | None = None
) -> PolicySet:
    """Return a policy whose rulebook lists every rule that its modules hold.

    Args:
        policy: One whose rulebook may lack an author's own rules.
        held: Ids of the rules in its modules; without them they are read.
    """
    if held is None:
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
