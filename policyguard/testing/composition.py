"""Asks how a policy composes a decision of what its rules found.

Rules are decided apart from what becomes of their findings: a status softens them, a
profile says what an unknown fact means, overrides and approvals take from an effect, and
the verdict is the worst that is left. All of that is asked here of findings that are put
in the place of the rules': each alone and each two, with every effect, status, profile,
override and approval, of a shipped rule that can be overridden, of one that is locked,
and of a tenant's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.errors import EvaluationError
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.rule_table import OBJECTS

_MAIN: Final = "policyguard/main/"
EFFECTS: Final = (*sorted(OBJECTS), "advise", "oblige")
STATUSES: Final = ("in_force", "suspended", "contested", "proposed")
_RULES: Final = {"KIT-01": False, "KIT-02": True, "KIT-03": False}
"""Ids, and whether the rule is locked; the last is a tenant's own."""
_TENANT: Final = "KIT-03"
RANK: Final = {"require_approval": 1, "indeterminate": 2, "unavailable": 3, "deny": 4}
"""How severe an effect is; all others are 0."""
_VERDICTS: Final = ("allow", "require_approval", "unavailable", "deny")
_BATCH: Final = 400
_AT: Final = "2026-06-01T00:00:00Z"
_STUBS: Final = {
    "policyguard_kit_facts.rego": (
        "package policyguard.facts\n\nview := input.kit_view\n\nreplaced := []\n\n"
        "whole := true\n"
    ),
    "policyguard_kit_rules.rego": (
        "package policyguard.rules\n\n"
        "findings contains finding if some finding in input.kit_shipped\n"
    ),
    "policyguard_kit_tenant.rego": (
        "package policyguard.tenant\n\n"
        "findings contains finding if some finding in input.kit_own\n"
    ),
    "policyguard_kit.rego": (
        "package policyguard_kit\n\nanswers := [x | some given in input.cases\n"
        "x := data.policyguard.main.decision with input as given]\n"
    ),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Is one finding, and what bears on it."""

    rule: str
    effect: str
    status: str
    override: str | None = None
    """What it is softened to."""
    approved: bool = False
    assumed: bool = False

    def text(self) -> str:
        """Return what a person reads."""
        more = [
            f"overridden to {self.override}" if self.override else "",
            "approved" if self.approved else "",
            "assumed in force" if self.assumed else "",
        ]
        whose = "a tenant's" if self.rule == _TENANT else "a"
        locked = " locked" if _RULES[self.rule] else ""
        said = ", ".join(item for item in more if item)
        return (
            f"{self.effect} of {whose}{locked} rule that is {self.status}"
            f"{', ' + said if said else ''}"
        )


@dataclass(frozen=True, slots=True)
class Composed:
    """Is what is composed: findings of one call, under a profile."""

    pieces: tuple[Piece, ...]
    profile: str

    def facts(self) -> dict[str, Json]:
        """Return what a person reads, by what it is."""
        return {
            "tenant.profile": self.profile,
            "findings": [piece.text() for piece in self.pieces],
        }

    def call(self) -> dict[str, Any]:
        """Return the input on which a decision is composed."""
        findings = [_finding(piece) for piece in self.pieces]
        own = [finding for finding in findings if finding["id"] == _TENANT]
        view: dict[str, Any] = {
            "status": {piece.rule: _standing(piece) for piece in self.pieces},
            "tenant": {
                "profile": self.profile,
                "assumed": [piece.rule for piece in self.pieces if piece.assumed],
            },
            "kit_shipped": [item for item in findings if item not in own],
            "kit_own": own,
        }
        call: dict[str, Any] = {
            "at": _AT,
            "tenant": {"id": "acme"},
            "asked": {"model": "m", "host": "h"},
            "model": "m",
            "route": ["r"],
            "data": {"classes": ["none"]},
            "purpose": {"kind": "inference"},
            "kit_view": view,
        }
        approvals = [_approval(piece) for piece in self.pieces if piece.approved]
        return {**call, "approvals": approvals}


def composed() -> Iterator[Composed]:
    """Yield every composition that is asked: none, one or two findings."""
    for profile in ("balanced", "strict"):
        yield Composed((), profile)
        for rule in _RULES:
            for piece in _pieces(rule):
                yield Composed((piece,), profile)
        for one, other in itertools.combinations(_RULES, 2):
            for pair in itertools.product(_plain(one), _plain(other)):
                yield Composed(pair, profile)


def composing(policy: PolicySet) -> dict[str, str]:
    """Return the modules of a policy that make a decision of findings."""
    return {n: text for n, text in policy.modules.items() if n.startswith(_MAIN)}


def decisions(policy: PolicySet, asked: Sequence[Composed]) -> list[Any]:
    """Return the decision on each composition.

    Args:
        policy: Whose composition is asked.
        asked: The compositions.

    Raises:
        EvaluationError: the policy composes nothing.
    """
    modules = composing(policy)
    if not modules:
        raise EvaluationError(f"the policy has no module below `{_MAIN}`")
    engine = compile_modules({**modules, **_STUBS})
    rules = {rule: {"locked": locked} for rule, locked in _RULES.items()}
    data = {
        "policyguard": {"rulebook": {"rules": rules}, "served": {"bundle": "kit"}},
        "catalog": {},
    }
    engine.add_data_json(orjson.dumps(data).decode("utf-8"))
    found: list[Any] = []
    for start in range(0, len(asked), _BATCH):
        cases = [item.call() for item in asked[start : start + _BATCH]]
        engine.set_input_json(orjson.dumps({"cases": cases}).decode("utf-8"))
        answer, message = answer_of(engine, "data.policyguard_kit.answers")
        if message:
            raise EvaluationError(f"a decision is not composed: {message}")
        answers = orjson.loads(answer)
        if len(answers) != len(cases):
            raise EvaluationError("a decision is not composed: it is undefined")
        found += answers
    return found


def is_right(given: Composed, decision: Mapping[str, Any]) -> bool:
    """Say whether a call is allowed if nothing objects, and only then.

    Args:
        given: What was found.
        decision: What came of it.
    """
    kept = {finding["id"]: finding["effect"] for finding in decision["findings"]}
    whole = kept.keys() == {piece.rule for piece in given.pieces}
    objecting = any(effect in OBJECTS for effect in kept.values())
    return whole and (decision["verdict"] == "allow") == (not objecting)


def how_composed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return how a decision is to another one: by its verdict, then by its findings."""
    if before == after:
        return "equivalent"
    one, other = (_VERDICTS.index(d["verdict"]) for d in (before, after))
    if one != other:
        return "stricter" if other > one else "looser"
    effects = [{f["id"]: f["effect"] for f in d["findings"]} for d in (before, after)]
    ranks = [
        [RANK.get(own.get(rule, ""), 0) for own in effects]
        for rule in effects[0] | effects[1]
    ]
    if all(new >= old for old, new in ranks) and any(new > old for old, new in ranks):
        return "stricter"
    if all(new <= old for old, new in ranks) and any(new < old for old, new in ranks):
        return "looser"
    return "otherwise"


def shown(decision: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a person reads of a decision."""
    findings = [f"{item['id']} {item['effect']}" for item in decision["findings"]]
    return (f"verdict {decision['verdict']}", *findings)


def _pieces(rule: str) -> Iterator[Piece]:
    for effect, status, override, approved, assumed in itertools.product(
        EFFECTS, STATUSES, (None, "advise", "require_approval"), (False, True), (False, True)
    ):  # fmt: skip
        yield Piece(rule, effect, status, override, approved, assumed)


def _plain(rule: str) -> Iterator[Piece]:
    for effect, status in itertools.product(EFFECTS, STATUSES):
        yield Piece(rule, effect, status)


def _finding(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": piece.rule,
        "effect": piece.effect,
        "msg": "found",
        "facts": {},
        "missing": [],
        "remedy": "",
    }
    if piece.effect == "oblige":
        found["obligation"] = {"type": "record_processing", "properties": {}}
    return found


def _standing(piece: Piece) -> dict[str, Any]:
    standing: dict[str, Any] = {"status": piece.status, "verified": True}
    if piece.override is not None:
        standing["override"] = {"id": "o", "to": piece.override}
    return standing


def _approval(piece: Piece) -> dict[str, Any]:
    return {
        "id": "a",
        "rule": piece.rule,
        "msg": "found",
        "missing": [],
        "tenant": "acme",
        "asked_model": "m",
        "asked_host": "h",
        "model": "m",
        "route": ["r"],
        "data_classes": ["none"],
        "purpose": "inference",
        "bundle": "kit",
        "since": "2026-01-01T00:00:00Z",
        "until": "2027-01-01T00:00:00Z",
    }
